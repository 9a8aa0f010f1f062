// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/extension/processcontrol/policy"
	"github.com/hostscope/hostscope/platform"
)

// showExit is how a process ended, as far as that is known.
func showExit(e platform.Exit) *api.Exit {
	x := &api.Exit{Reaped: e.Reaped, CoreDump: e.Core}
	switch {
	case !e.Known:
	case e.Signal != 0:
		x.Signal = platform.SignalName(e.Signal)
		if x.Signal == "" {
			x.Signal = e.Signal.String()
		}
	default:
		x.Code = &e.Code
	}
	return x
}

// waiting reads how long is to be waited, and for what.
func (q *request) waiting(timeout *api.Duration, until string) (time.Duration, platform.Until, error) {
	wait := q.cfg.Wait.MaxTimeout
	if timeout != nil {
		if wait = time.Duration(*timeout); wait > q.cfg.Wait.MaxTimeout {
			return 0, 0, unacceptable("timeout is at most %v", q.cfg.Wait.MaxTimeout)
		}
	}
	switch until {
	case "", "exited":
		return wait, platform.UntilExited, nil
	case "reaped":
		return wait, platform.UntilReaped, nil
	}
	return 0, 0, unacceptable("until is exited or reaped")
}

// waitTarget opens a process that the caller may wait for.
func (q *request) waitTarget(h *platform.Host, text string) (*platform.Handle, error) {
	ref, err := parseRef(text)
	if err != nil {
		return nil, err
	}
	q.pid = ref.pid
	p, err := ref.open(h, true)
	if err != nil {
		return nil, err
	}
	q.pid = p.Token().PID
	t, _, err := q.target(h, p)
	if err == nil {
		if d := q.policy.Decide(&q.caller.Caller, t, policy.Ask{Action: policy.Wait}); !d.Allowed {
			err = denied(d)
		}
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// begin takes slots for those that are waited for. The context ends with the
// time, with the caller and with us; q.over tells which it was.
func (q *request) begin(n int, wait time.Duration) (context.Context, func(), error) {
	q.deadline(wait)
	if !q.waits.take(q.key, n) {
		return nil, nil, limited("too many processes are waited for", time.Second)
	}
	q.telemetry.ProcessControlWaits.Add(q.ctx, int64(n))
	ctx, cancel := context.WithTimeout(q.ctx, wait)
	stop := context.AfterFunc(q.stopping, cancel)
	return ctx, func() {
		stop()
		cancel()
		q.waits.give(q.key, n)
		q.telemetry.ProcessControlWaits.Add(context.WithoutCancel(q.ctx), int64(-n))
	}, nil
}

// over is why waiting has ended without the process.
func (q *request) over(wait time.Duration) error {
	if q.stopping.Err() != nil || q.ctx.Err() != nil {
		return api.NewProblem(api.ShuttingDown, "")
	}
	p := api.NewProblem(api.TimeoutExpired, "")
	p.Seconds = wait.Seconds()
	return p
}

func (q *request) waitOne() (any, error) {
	var body api.WaitOne
	err := q.end()
	if err == nil {
		err = q.body(&body)
	}
	if err != nil {
		return nil, err
	}
	wait, until, err := q.waiting(body.Timeout, body.Until)
	if err != nil {
		return nil, err
	}
	handles, _, err := q.waitTargets([]string{q.r.PathValue("ref")}, nil)
	if err != nil {
		return nil, err
	}
	defer handles.Close()
	p := handles[0]
	start := q.now()
	ctx, end, err := q.begin(1, wait)
	if err != nil {
		return nil, err
	}
	defer end()
	exit, err := p.Wait(ctx, until)
	if errors.Is(err, platform.ErrTimeoutExpired) {
		return nil, q.over(wait)
	} else if err != nil {
		return nil, err
	}
	return q.gone(p, exit, start), nil
}

func (q *request) gone(p *platform.Handle, exit platform.Exit, start time.Time) api.Gone {
	return api.Gone{Ref: p.Token().String(), PID: p.Token().PID, Exit: showExit(exit), Wait: float64(q.now().Sub(start).Microseconds()) / 1000}
}

// ndjson is one JSON text on each line.
const ndjson = "application/x-ndjson"

func (q *request) waitMany() (any, error) {
	var body api.WaitMany
	err := q.end()
	if err == nil {
		err = q.body(&body)
	}
	if err != nil {
		return nil, err
	}
	wait, until, err := q.waiting(body.Timeout, body.Until)
	if err != nil {
		return nil, err
	}
	if len(body.Refs) == 0 {
		return nil, invalid("the body: refs is missing")
	}
	if len(body.Refs) > q.cfg.Wait.MaxTargets {
		return nil, unacceptable("refs has at most %d processes", q.cfg.Wait.MaxTargets)
	}
	one := body.Mode == "any"
	if body.Mode != "" && body.Mode != "all" && !one {
		return nil, unacceptable("mode is all or any")
	}
	start := q.now()
	answer := api.Waited{Gone: []api.Gone{}, Alive: []string{}}
	handles, refs, err := q.waitTargets(body.Refs, func(ref string, pid int32) {
		answer.Gone = append(answer.Gone, api.Gone{Ref: ref, PID: pid})
	})
	if err != nil {
		return nil, err
	}
	defer handles.Close()
	ctx, end, err := q.begin(len(handles), wait)
	if err != nil {
		return nil, err
	}
	defer end()
	stream := strings.Contains(q.r.Header.Get("Accept"), ndjson)
	tell := func(g api.Gone) {}
	if stream {
		q.w.Header().Set("Content-Type", ndjson)
		lines, rc := json.NewEncoder(q.w), http.NewResponseController(q.w)
		tell = func(g api.Gone) {
			_ = lines.Encode(g) // the caller may be gone
			_ = rc.Flush()
		}
		for _, g := range answer.Gone {
			tell(g)
		}
	}
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	if one && len(answer.Gone) > 0 {
		enough()
	}
	ended := make([]bool, len(handles))
	var failed error
	platform.WaitAll(ctx, handles, until, func(i int, e platform.Exit, err error) {
		if err != nil {
			failed = err
			enough()
			return
		}
		if one && len(answer.Gone) > 0 {
			return // one too many
		}
		ended[i] = true
		g := q.gone(handles[i], e, start)
		g.Ref = refs[i]
		answer.Gone = append(answer.Gone, g)
		tell(g)
		if one {
			enough()
		}
	})
	for i := range handles {
		if !ended[i] {
			answer.Alive = append(answer.Alive, refs[i])
		}
	}
	answer.TimedOut = len(answer.Alive) > 0 && (!one || len(answer.Gone) == 0)
	if failed == nil && answer.TimedOut && (q.stopping.Err() != nil || q.ctx.Err() != nil) {
		failed = api.NewProblem(api.ShuttingDown, "")
	}
	switch {
	case stream: // the status has been told
		last := map[string]any{"alive": answer.Alive, "timed_out": answer.TimedOut && failed == nil}
		if failed != nil {
			last["problem"], _ = problemOf(failed, 0)
		}
		_ = json.NewEncoder(q.w).Encode(last)
		return nil, nil
	case failed != nil:
		return nil, failed
	}
	return answer, nil
}

// targets are handles of processes that are waited for.
type targets []*platform.Handle

// Close closes them.
func (t targets) Close() {
	for _, p := range t {
		p.Close()
	}
}

// waitTargets opens the processes that are there, each once, and calls gone
// with those that are not; nil: that is an error. Others read while they are
// waited for.
func (q *request) waitTargets(texts []string, gone func(ref string, pid int32)) (targets, []string, error) {
	var refs []string
	var missing []api.Gone
	handles, err := q.lend(&q.hosts.acts, func(q *request, h *platform.Host) (any, error) {
		var handles targets
		seen := map[string]bool{}
		for _, text := range texts {
			if seen[text] {
				continue
			}
			seen[text] = true
			p, err := q.waitTarget(h, text)
			switch {
			case err == nil:
				handles, refs = append(handles, p), append(refs, text)
			case gone != nil && errors.Is(err, platform.ErrNoSuchProcess):
				missing = append(missing, api.Gone{Ref: text, PID: q.pid})
			default:
				handles.Close()
				return nil, err
			}
		}
		return handles, nil
	})
	if err != nil {
		return nil, nil, err
	}
	for _, m := range missing {
		gone(m.Ref, m.PID)
	}
	return handles.(targets), refs, nil
}
