// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/extension/processcontrol/internal/metadatatest"
	"github.com/hostscope/hostscope/internal/pidtest"
	"github.com/hostscope/hostscope/platform"
)

// everything is a policy under which the user of the tests may do everything
// to processes of his own. It protects nothing but what always is.
var everything = policyFor(fmt.Sprintf(`{user: ["%d"]}`, os.Geteuid()))

func policyFor(targets string) string {
	return fmt.Sprintf(`
version: 1
actions_enabled: true
protect: {users: [], executables: [], own_cgroup: false, min_age: 0s}
principals: {me: {unix_uid: [%d]}}
limits: {actions: 10000/s, burst: 10000, lethal: 10000/s, concurrent: 16}
rules:
  - {name: all, principals: [me], actions: ["*"], targets: %s}
  - {name: host, principals: [me], actions: [read.system]}
  - {name: env, principals: [me], actions: [read.environ], constraints: {environ: [LANG, TOKEN]}}
`, os.Geteuid(), targets)
}

// server is an extension that runs.
type server struct {
	t *testing.T
	*control
	dir       string
	client    *http.Client
	url       string
	telemetry *componenttest.Telemetry
	logs      *observer.ObservedLogs
	host      *statusHost
	last      http.Header // of the last answer
}

// statusHost is a collector with extensions that notes the status.
type statusHost struct {
	extensions map[component.ID]component.Component
	mu         sync.Mutex
	events     []*componentstatus.Event
}

func (h *statusHost) GetExtensions() map[component.ID]component.Component { return h.extensions }

func (h *statusHost) Report(e *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

func (h *statusHost) statuses() (all []componentstatus.Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		all = append(all, e.Status())
	}
	return all
}

// newServer makes an extension with a policy, "" for none, on a Unix socket.
func newServer(t *testing.T, policy string, change func(*Config, *statusHost)) *server {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	cfg := newDefaultConfig().(*Config)
	cfg.ServerConfig.NetAddr.Endpoint = filepath.Join(dir, "s")
	cfg.Audit.File = filepath.Join(dir, "audit.jsonl")
	if policy != "" {
		cfg.PolicyFile = filepath.Join(dir, "policy.yaml")
		require.NoError(t, os.WriteFile(cfg.PolicyFile, []byte(policy), 0o600))
	}
	s := &server{t: t, dir: dir, url: "http://localhost", telemetry: componenttest.NewTelemetry(), host: &statusHost{}}
	t.Cleanup(func() { require.NoError(t, s.telemetry.Shutdown(context.Background())) })
	if change != nil {
		change(cfg, s.host)
	}
	core, logs := observer.New(zap.DebugLevel)
	s.logs = logs
	set := metadatatest.NewSettings(s.telemetry)
	set.Logger = zap.New(core)
	var err error
	s.control, err = newExtension(set, cfg)
	require.NoError(t, err)
	s.patience.Store(int64(time.Hour)) // a machine can be slow
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", cfg.ServerConfig.NetAddr.Endpoint)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport}
	return s
}

// start makes one that runs until the test ends.
func start(t *testing.T, policy string, change func(*Config, *statusHost)) *server {
	t.Helper()
	s := newServer(t, policy, change)
	require.NoError(t, s.cfg.Validate())
	require.NoError(t, s.Start(t.Context(), s.host))
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		assert.NoError(t, s.Shutdown(context.Background()))
	})
	return s
}

// do makes a request and reads the answer, which the description must know.
func (s *server) do(method, path, body string, header ...string) (int, []byte) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	require.NoError(s.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		} else {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := s.client.Do(req)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	s.last = resp.Header
	assert.Equal(s.t, "no-store", resp.Header.Get("Cache-Control"))
	assert.Equal(s.t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	described(s.t, req, resp, answer)
	return resp.StatusCode, answer
}

// get is a GET that is answered with JSON.
func get[T any](s *server, path string) (answer T) {
	s.t.Helper()
	status, body := s.do("GET", path, "")
	require.Equal(s.t, 200, status, "%s", body)
	require.NoError(s.t, json.Unmarshal(body, &answer))
	return answer
}

// act is an action that is done.
func (s *server) act(method, path, body string) (o api.Outcome) {
	s.t.Helper()
	status, answer := s.do(method, path, body)
	require.Equal(s.t, 200, status, "%s", answer)
	require.NoError(s.t, json.Unmarshal(answer, &o))
	return o
}

// refused is a request that is answered with a problem of a type.
func (s *server) refused(kind api.Kind, method, path, body string, header ...string) (p api.Problem) {
	s.t.Helper()
	status, answer := s.do(method, path, body, header...)
	require.NoError(s.t, json.Unmarshal(answer, &p), "%s", answer)
	assert.Equal(s.t, kind, p.Kind(), "%s", answer)
	k := api.Kinds[kind]
	assert.Equal(s.t, k.Status, status)
	assert.Equal(s.t, k.Status, p.Status)
	assert.Equal(s.t, k.Title, p.Title)
	assert.Equal(s.t, k.Exception, p.Exception)
	assert.Equal(s.t, "application/problem+json", s.last.Get("Content-Type"))
	return p
}

// ref is the token of a process.
func (s *server) ref(pid int) string {
	s.t.Helper()
	return get[api.Process](s, "/v1/processes/pid:"+strconv.Itoa(pid)).Ref
}

// sleeper starts a child and tells its reference.
func (s *server) sleeper() (*exec.Cmd, string) {
	s.t.Helper()
	cmd := pidtest.Sleeper(s.t)
	return cmd, s.ref(cmd.Process.Pid)
}

// entries are the lines of the audit file.
func (s *server) entries() (all []entry) {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, "audit.jsonl"))
	require.NoError(s.t, err)
	for line := range bytes.Lines(b) {
		var e entry
		require.NoError(s.t, json.Unmarshal(line, &e), "%s", line)
		all = append(all, e)
	}
	return all
}

// state is what a process does.
func state(t *testing.T, pid int) platform.State {
	t.Helper()
	h, err := platform.Open(platform.Root{}, platform.Machine{})
	require.NoError(t, err)
	defer h.Close()
	p, err := h.OpenPID(int32(pid))
	require.NoError(t, err)
	defer p.Close()
	s, err := p.State()
	require.NoError(t, err)
	return s
}

func eventually(t *testing.T, pid int, want platform.State) {
	t.Helper()
	require.Eventually(t, func() bool { return state(t, pid) == want }, 10*time.Second, time.Millisecond)
}

// unharmed tells that nothing has happened to a child that sleeps.
func unharmed(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	h, err := platform.Open(platform.Root{}, platform.Machine{})
	require.NoError(t, err)
	defer h.Close()
	p, err := h.OpenPID(int32(cmd.Process.Pid))
	require.NoError(t, err)
	defer p.Close()
	r, err := h.Read(t.Context(), p, platform.Request{Fields: platform.FieldState | platform.FieldNice | platform.FieldLimits})
	require.NoError(t, err)
	assert.Contains(t, []platform.State{platform.StateSleeping, platform.StateRunning, platform.StateDiskSleep}, r.State)
	assert.Equal(t, niceness(t), r.Nice)
	assert.NotEqual(t, platform.Limit{Soft: 11, Hard: 12}, r.More.Limits.Of[platform.LimitOpenFiles])
}

// niceness is our own, which children inherit.
func niceness(t *testing.T) int32 {
	t.Helper()
	h, err := platform.Open(platform.Root{}, platform.Machine{})
	require.NoError(t, err)
	defer h.Close()
	p, err := h.OpenSelf()
	require.NoError(t, err)
	defer p.Close()
	r, err := h.Read(t.Context(), p, platform.Request{Fields: platform.FieldNice})
	require.NoError(t, err)
	return r.Nice
}

// description is openapi.yaml, checked.
var description = sync.OnceValues(func() (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openapi)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// described holds an answer, and a request that was answered well, to the
// description.
func described(t *testing.T, req *http.Request, resp *http.Response, body []byte) {
	t.Helper()
	router, err := description()
	require.NoError(t, err)
	clone := req.Clone(context.Background())
	clone.URL.Scheme, clone.URL.Host, clone.Host = "http", "localhost", "localhost"
	if req.GetBody != nil {
		clone.Body, err = req.GetBody()
		require.NoError(t, err)
	}
	route, params, err := router.FindRoute(clone)
	if err != nil {
		assert.Contains(t, []int{401, 403, 404, 405, 421}, resp.StatusCode, "%s %s is not described", req.Method, req.URL.Path)
		return
	}
	in := &openapi3filter.RequestValidationInput{Request: clone, PathParams: params, Route: route}
	if resp.StatusCode == 200 {
		assert.NoError(t, openapi3filter.ValidateRequest(context.Background(), in))
	}
	assert.NoError(t, openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}), "%s", body)
}

// socketClient is a client of a Unix socket.
func socketClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}}
}

func newRequest(method, url, body string) (*http.Request, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err == nil && body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, err
}
