// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/extension/processcontrol/policy"
	"github.com/hostscope/hostscope/platform"
)

// openapi describes the endpoints; a test holds it to what they do.
//
//go:embed openapi.yaml
var openapi []byte

// request is one request, from a caller who is known.
type request struct {
	*control
	w      http.ResponseWriter
	r      *http.Request
	ctx    context.Context
	caller caller
	// principals are those that the caller is, key is what tells him from others.
	principals []string
	key        string

	query  url.Values
	used   []string // parameters that the endpoint knows
	pid    int32    // that it is about, as far as known
	errand *errand  // while it has a host
}

// endpoint answers with what is to be written as JSON; nothing if it has
// written something itself.
type endpoint struct {
	pattern string
	serve   func(q *request) (any, error)
}

// endpoints are all there are.
var endpoints = []endpoint{
	{"GET /v1/processes", (*request).list},
	{"GET /v1/processes/{ref}", (*request).get},
	{"GET /v1/processes/{ref}/running", (*request).running},
	{"GET /v1/processes/{ref}/parents", (*request).parents},
	{"GET /v1/processes/{ref}/children", (*request).children},
	{"GET /v1/processes/{ref}/environ", show("environ", "keys")},
	{"GET /v1/processes/{ref}/open-files", show("open_files", "after")},
	{"GET /v1/processes/{ref}/fds", show("fds", "after", "types")},
	{"GET /v1/processes/{ref}/connections", show("connections", "after", "kind")},
	{"GET /v1/processes/{ref}/memory-maps", show("memory_maps", "after", "grouped")},
	{"GET /v1/processes/{ref}/threads", show("threads", "after")},
	{"GET /v1/processes/{ref}/priority", show("nice")},
	{"GET /v1/processes/{ref}/cpu-affinity", show("cpu_affinity")},
	{"GET /v1/processes/{ref}/rlimits", show("rlimits")},
	{"GET /v1/processes/{ref}/rlimits/{resource}", (*request).rlimit},
	{"PUT /v1/processes/{ref}/priority", act(policy.SetPriority)},
	{"PUT /v1/processes/{ref}/cpu-affinity", act(policy.SetAffinity)},
	{"PUT /v1/processes/{ref}/rlimits/{resource}", act(policy.SetRlimit)},
	{"POST /v1/processes/{ref}/signal", act(policy.SendSignal)},
	{"POST /v1/processes/{ref}/suspend", act(policy.Suspend)},
	{"POST /v1/processes/{ref}/resume", act(policy.Resume)},
	{"POST /v1/processes/{ref}/terminate", act(policy.Terminate)},
	{"POST /v1/processes/{ref}/kill", act(policy.Kill)},
	{"POST /v1/processes/{ref}/wait", (*request).waitOne},
	{"POST /v1/wait", (*request).waitMany},
	{"GET /v1/pids/{pid}", (*request).pidExists},
	{"GET /v1/system", (*request).system},
	{"GET /v1/system/disk-usage", (*request).diskUsage},
	{"GET /v1/system/connections", (*request).hostConnections},
	{"GET /v1/system/interfaces", (*request).interfaces},
	{"GET /v1/sensors/power", (*request).power},
	{"GET /v1/sensors/battery", (*request).battery},
	{"GET /v1/sensors/battery-total", (*request).batteryTotal},
	{"GET /v1/capabilities", (*request).capabilities},
	{"GET /v1/openapi.yaml", (*request).openAPI},
}

// routes serves the endpoints.
func (c *control) routes() http.Handler {
	mux := http.NewServeMux()
	for _, e := range endpoints {
		mux.HandleFunc(e.pattern, func(w http.ResponseWriter, r *http.Request) { c.serve(w, r, e.serve) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handler, pattern := mux.Handler(r); pattern == "" {
			// Learn which it is from what the mux would have written.
			status := statusOnly{header: http.Header{}}
			handler.ServeHTTP(&status, r)
			p := api.NewProblem(api.NoSuchEndpoint, "")
			if status.code == http.StatusMethodNotAllowed {
				w.Header().Set("Allow", status.header.Get("Allow"))
				p = api.NewProblem(api.MethodNotAllowed, "")
			}
			c.refuse(w, p)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// statusOnly keeps of an answer what it begins with.
type statusOnly struct {
	header http.Header
	code   int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (s *statusOnly) WriteHeader(code int)        { s.code = code }

// serve runs an endpoint and writes its answer.
func (c *control) serve(w http.ResponseWriter, r *http.Request, endpoint func(*request) (any, error)) {
	q := &request{control: c, w: w, r: r, ctx: r.Context(), caller: c.callerOf(r)}
	q.principals = c.policy.Principals(&q.caller.Caller)
	q.key = q.caller.key(q.principals)
	answer, err := q.run(endpoint)
	if err != nil {
		p, expected := problemOf(err, q.pid)
		if !expected {
			c.log.Error("A request of process control failed", zap.String("endpoint", r.Pattern), zap.Error(err))
		}
		c.refuse(w, p)
		return
	}
	if answer == nil {
		return
	}
	body, err := json.Marshal(carried(answer))
	if err != nil {
		c.log.Error("An answer of process control has no JSON", zap.String("endpoint", r.Pattern), zap.Error(err))
		c.refuse(w, api.NewProblem(api.Internal, ""))
		return
	}
	if len(body) > c.smallAnswer {
		if !c.answers.take(q.key, len(body)) {
			c.refuse(w, limited("too many answers are not read yet", time.Second).(*api.Problem))
			return
		}
		defer c.answers.give(q.key, len(body))
	}
	w.Header().Set("Content-Type", "application/json")
	defer context.AfterFunc(c.stopping, func() { // who does not read it does not hold up our end
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(linger))
	})()
	_, _ = w.Write(body) // the caller may be gone
	_, _ = w.Write([]byte{'\n'})
}

// Answers that callers do not read are bytes that we hold.
const (
	smallAnswer = 8 << 10  // is not counted: as large are those that tell of one process, or of an action
	maxAnswers  = 32 << 20 // of one caller
	linger      = 2 * time.Second
)

func (q *request) run(endpoint func(*request) (any, error)) (any, error) {
	var err error
	if q.query, err = url.ParseQuery(q.r.URL.RawQuery); err != nil {
		return nil, invalid("the query cannot be read")
	}
	for name, values := range q.query {
		if len(values) > 1 {
			return nil, invalid("the parameter %q is there twice", name)
		}
	}
	if q.r.Method == http.MethodGet && q.r.ContentLength != 0 {
		return nil, invalid("a GET has no body")
	}
	return endpoint(q)
}

// param is a parameter of the query.
func (q *request) param(name string) string {
	q.used = append(q.used, name)
	return q.query.Get(name)
}

// truth is a parameter that is true or false.
func (q *request) truth(name string) (bool, error) {
	switch q.param(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, unacceptable("%s is true or false", name)
}

// number is a parameter that is a number within bounds.
func (q *request) number(name string, least, most, otherwise int) (int, error) {
	text := q.param(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most || strconv.Itoa(n) != text {
		return 0, unacceptable("%s is a number from %d to %d", name, least, most)
	}
	return n, nil
}

// end reports parameters that the endpoint does not know.
func (q *request) end() error {
	for name := range q.query {
		if !slices.Contains(q.used, name) {
			return invalid("there is no parameter %q", name)
		}
	}
	return nil
}

// allOptions are the parameters of fields. A list of one that goes on does so
// where the field is asked for alone.
var allOptions = []string{"include_internal", "fallback_cmdline", "grouped", "memtype", "kind", "types", "keys"}

// options reads those parameters of fields that an endpoint has.
func (q *request) options(has []string) (o options, err error) {
	for _, name := range has {
		switch name {
		case "include_internal":
			o.internal, err = q.truth(name)
		case "fallback_cmdline":
			o.fallback, err = q.truth(name)
		case "grouped":
			o.grouped, err = q.truth(name)
		case "after":
			if after := q.param(name); after != "" {
				n, failed := strconv.ParseUint(after, 0, 63)
				if o.from = n + 1; failed != nil || after != hex(n) && after != strconv.FormatUint(n, 10) {
					err = unacceptable("after is what next has said")
				}
			}
		case "memtype":
			o.memtype, err = q.oneOf(name, memtypes)
		case "kind":
			o.kind, err = q.oneOf(name, kindNames)
		case "types":
			if types := q.param(name); types != "" {
				o.types = strings.Split(types, ",")
			}
			for _, one := range o.types {
				if !slices.Contains(fdTypes[:], one) {
					err = unacceptable("types are of %s", strings.Join(fdTypes[:], ", "))
				}
			}
		case "keys":
			if keys := q.param(name); keys != "" {
				o.keys = strings.Split(keys, ",")
			}
		}
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

// oneOf is a parameter that is one of some names; without it, the first.
func (q *request) oneOf(param string, names []string) (string, error) {
	name := q.param(param)
	if name == "" {
		return names[0], nil
	}
	if !slices.Contains(names, name) {
		return "", unacceptable("%s is one of %s", param, strings.Join(names, ", "))
	}
	return name, nil
}

// body reads the body into what it is to be: no member that is not known, and
// nothing behind it.
func (q *request) body(into any) error {
	text, err := io.ReadAll(q.r.Body)
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return api.NewProblem(api.PayloadTooLarge, "")
		}
		if q.stopping.Err() != nil {
			return api.NewProblem(api.ShuttingDown, "")
		}
		return invalid("the body cannot be read")
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	if err := checkMembers(text); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return invalid("the body: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("the body: there is something behind it")
	}
	return nil
}

// checkMembers refuses what the decoder lets pass: a member that is there twice,
// of which it takes the last, one in capitals, and null, which is nothing.
func checkMembers(text []byte) error {
	type object struct {
		seen map[string]bool // nil for an array
		key  bool            // what comes next is the name of a member
	}
	var within []object
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return nil // the end, or what the decoder will tell
		}
		top := len(within) - 1
		if name, is := token.(string); is && top >= 0 && within[top].key {
			if within[top].seen[name] {
				return invalid("the body: %q is there twice", name)
			}
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
				return invalid("the body: there is no member %q", name)
			}
			within[top].seen[name], within[top].key = true, false
			continue
		}
		switch token {
		case json.Delim('}'), json.Delim(']'):
			within = within[:top]
			continue
		case nil:
			return invalid("the body: null is no value")
		}
		if top >= 0 {
			within[top].key = within[top].seen != nil
		}
		switch token {
		case json.Delim('{'):
			within = append(within, object{map[string]bool{}, true})
		case json.Delim('['):
			within = append(within, object{})
		}
	}
}

// open opens the process that the path names, with a host to read it: one of
// the few, or to act one of more, since an action can take its time.
func (q *request) open(act bool, with func(q *request, h *platform.Host, p *platform.Handle) (any, error)) (any, error) {
	ref, err := parseRef(q.r.PathValue("ref"))
	if err != nil {
		return nil, err
	}
	q.pid = ref.pid
	lane := &q.hosts.reads
	if act {
		lane = &q.hosts.acts
	}
	return q.lend(lane, func(q *request, h *platform.Host) (any, error) {
		p, err := ref.open(h, act)
		if err != nil {
			return nil, err
		}
		defer p.Close()
		q.about(p.Token().PID)
		return with(q, h, p)
	})
}

// deadline lets the connection be silent for as long as is waited.
func (q *request) deadline(wait time.Duration) {
	rc := http.NewResponseController(q.w)
	until := time.Now().Add(wait + q.cfg.ServerConfig.WriteTimeout)
	_ = rc.SetReadDeadline(until) // else the reader behind it would end the request
	_ = rc.SetWriteDeadline(until)
}

func (q *request) openAPI() (any, error) {
	if err := q.end(); err != nil {
		return nil, err
	}
	q.w.Header().Set("Content-Type", "application/yaml")
	_, _ = q.w.Write(openapi)
	return nil, nil
}

func (q *request) capabilities() (any, error) {
	if err := q.end(); err != nil {
		return nil, err
	}
	h, err := q.hosts.reads.get(q.ctx, patience)
	if err != nil {
		return nil, err
	}
	defer q.hosts.reads.put(h)
	can := h.Abilities()
	signals := platform.Exact
	if !can.Signal {
		signals = platform.Checked
	}
	answer := api.Capabilities{
		Principals:     []string{},
		Permissions:    []string{},
		ActionsEnabled: q.policy.ActionsEnabled && q.cfg.PolicyFile != "",
		Kernel:         map[string]bool{"pidfd_open": can.Pidfd, "pidfd_send_signal": can.Signal, "pidfs_identity": can.Pidfs},
		Guarantees:     map[string]string{},
	}
	for _, name := range q.principals {
		if name != "" {
			answer.Principals = append(answer.Principals, name)
		}
	}
	for _, a := range q.policy.Permissions(&q.caller.Caller) {
		answer.Permissions = append(answer.Permissions, string(a))
	}
	for _, a := range policy.Actions {
		switch {
		case a == policy.SetPriority || a == policy.SetAffinity || a == policy.SetRlimit:
			answer.Guarantees[string(a)] = platform.Verified.String()
		case a.Acts():
			answer.Guarantees[string(a)] = signals.String()
		}
	}
	return answer, nil
}
