// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/extension/processcontrol/policy"
	"github.com/hostscope/hostscope/platform"
)

// targetFields are what a policy goes by.
const targetFields = platform.FieldName | platform.FieldState | platform.FieldUsers | platform.FieldExecutable | platform.FieldCgroup

// target reads what a policy goes by, through the handle.
func (q *request) target(h *platform.Host, p *platform.Handle) (*policy.Target, *platform.ProcessReading, error) {
	want := targetFields
	q.about(p.Token().PID)
	if q.policy.Commands && !q.hosts.hangs(q.pid) {
		want |= platform.FieldArguments
	}
	q.reading(want)
	r, err := h.Read(q.ctx, p, platform.Request{Fields: want})
	if err != nil {
		return nil, nil, err
	}
	t := &policy.Target{
		PID:          r.PID,
		Known:        r.Got.Has(platform.FieldUsers),
		Cgroup:       r.Cgroup,
		Executable:   "",
		Age:          r.Age,
		Zombie:       r.State == platform.StateZombie && r.Threads <= 1,
		KernelThread: r.KernelThread,
		Self:         r.ID == q.self,
		OwnCgroup:    q.cgroup != "" && (!r.Got.Has(platform.FieldCgroup) || r.Cgroup == q.cgroup || strings.HasPrefix(r.Cgroup, q.cgroup+"/")),
	}
	if r.Got.Has(platform.FieldUsers) {
		copy(t.UIDs[:], r.More.UIDs[:])
		t.Users = r.More.Users
	}
	if r.Got.Has(platform.FieldExecutable) {
		t.Executable = r.Executable
	}
	if r.Got.Has(platform.FieldArguments) {
		t.Command, t.CommandKnown = strings.Join(r.Arguments, " "), true
	}
	if owner, err := p.Owner(); err == nil {
		t.Owner, t.OwnerKnown = owner, true
	}
	if ns, err := p.MountNamespace(); err == nil && q.mounts != 0 {
		t.SameMounts, t.MountsKnown = ns == q.mounts, true
	}
	return t, r, nil
}

// reading is called before what can hang is read.
func (q *request) reading(want platform.Fields) {
	if want&canHang != 0 {
		q.at("read")
	}
}

// denied is the problem of what a policy has not allowed.
func denied(d policy.Decision) error {
	kind := api.PolicyDenied
	if d.Protected {
		kind = api.ProtectedProcess
	}
	p := api.NewProblem(kind, d.Reason)
	p.Rule = d.Rule
	return p
}

// view reads those of the fields that the caller may see. One that he may not
// is an error of the process or, if it is the only one, of the request.
func (q *request) view(h *platform.Host, p *platform.Handle, t *policy.Target, shown []*field, o options) (api.Process, error) {
	req := platform.Request{Fields: platform.FieldState, Page: platform.Page{From: o.from, Size: q.maxList, Grouped: o.grouped}}
	var may []*field
	no := map[string]string{}
	v := view{control: q.control, options: o, token: p.Token()}
	for _, f := range shown {
		d := q.policy.Decide(&q.caller.Caller, t, policy.Ask{Action: f.action})
		if !d.Allowed && len(shown) == 1 {
			return api.Process{}, denied(d)
		} else if !d.Allowed {
			no[f.name] = "policy_denied"
			continue
		}
		if f.needs&canHang != 0 && q.hosts.hangs(p.Token().PID) {
			no[f.name] = platform.ErrTimeoutExpired.Class()
			continue
		}
		may = append(may, f)
		req.Fields |= f.needs
		switch f.name {
		case "exe":
			if o.fallback && !q.hosts.hangs(p.Token().PID) {
				req.Fields |= platform.FieldArguments
			}
		case "environ":
			v.environ = d.Environ
			req.Environment, req.EnvironmentNames = d.Environ, true
		case "memory_percent":
			var m platform.Memory
			if h.Memory(&m) == nil && m.Got.Has(platform.MemoryTotal) {
				v.memoryTotal = m.Total
			}
		}
	}
	q.reading(req.Fields)
	var err error
	if v.ProcessReading, err = h.Read(q.ctx, p, req); err != nil {
		return api.Process{}, err
	}
	process := v.process(may)
	if process.Fields["environ"] != nil {
		if err := q.written(t, policy.ReadEnviron, p.Token().String()); err != nil {
			delete(process.Fields, "environ")
			process.Errors["environ"] = auditUnavailable
		}
	}
	for name, why := range no {
		process.Errors[name] = why
	}
	return process, nil
}

// basic opens a process that the caller may look at.
func (q *request) basic(with func(q *request, h *platform.Host, p *platform.Handle, t *policy.Target) (any, error)) (any, error) {
	return q.open(false, func(q *request, h *platform.Host, p *platform.Handle) (any, error) {
		t, _, err := q.target(h, p)
		if err != nil {
			return nil, err
		}
		if d := q.policy.Decide(&q.caller.Caller, t, policy.Ask{Action: policy.ReadBasic}); !d.Allowed {
			return nil, denied(d)
		}
		return with(q, h, p, t)
	})
}

// selection reads the parameters fields and those of fields.
func (q *request) selection() ([]*field, options, error) {
	shown, err := parseFields(q.param("fields"))
	if err != nil {
		return nil, options{}, err
	}
	o, err := q.options(allOptions)
	if err != nil {
		return nil, o, err
	}
	return shown, o, nil
}

func (q *request) get() (any, error) {
	shown, o, err := q.selection()
	if err == nil {
		err = q.end()
	}
	if err != nil {
		return nil, err
	}
	return q.basic(func(q *request, h *platform.Host, p *platform.Handle, t *policy.Target) (any, error) {
		return q.view(h, p, t, shown, o)
	})
}

// show is the endpoint of one field. What cannot be read is its problem.
func show(name string, has ...string) func(*request) (any, error) {
	f := fieldOf(name)
	return func(q *request) (any, error) {
		o, err := q.options(has)
		if err == nil {
			err = q.end()
		}
		if err != nil {
			return nil, err
		}
		return q.open(false, func(q *request, h *platform.Host, p *platform.Handle) (any, error) {
			t, _, err := q.target(h, p)
			if err != nil {
				return nil, err
			}
			process, err := q.view(h, p, t, []*field{f}, o)
			if err != nil {
				return nil, err
			}
			if failed := process.Errors[f.name]; failed != "" {
				return nil, fieldProblem(failed)
			}
			return process, nil
		})
	}
}

// auditUnavailable is why a secret is not shown that could not be written down.
const auditUnavailable = "audit_unavailable"

// fieldProblem is the problem behind the error of a field.
func fieldProblem(class string) error {
	switch class {
	case tooMany:
		return unacceptable("there are too many names for one answer: ask without grouped")
	case auditUnavailable:
		return api.NewProblem(api.AuditUnavailable, "")
	case platform.ErrAccessDenied.Class():
		return platform.ErrAccessDenied
	case platform.ErrZombieProcess.Class():
		return platform.ErrZombieProcess
	case platform.ErrTimeoutExpired.Class():
		return api.NewProblem(api.TimeoutExpired, "the kernel does not answer")
	}
	return platform.ErrMalformed
}

func (q *request) rlimit() (any, error) {
	kind := slices.Index(policy.Resources, q.r.PathValue("resource"))
	if kind < 0 {
		return nil, unacceptable("resource is one of %s", strings.Join(policy.Resources, ", "))
	}
	answer, err := show("rlimits")(q)
	if err != nil {
		return nil, err
	}
	for _, l := range answer.(api.Process).Fields["rlimits"].([]api.Limits) {
		if l.Resource == policy.Resources[kind] {
			return l, nil
		}
	}
	return nil, platform.ErrNotSupported
}

// running answers false, and no problem, for a process that is gone.
func (q *request) running() (any, error) {
	if err := q.end(); err != nil {
		return nil, err
	}
	answer, err := q.basic(func(_ *request, _ *platform.Host, p *platform.Handle, _ *policy.Target) (any, error) {
		running, err := p.Running()
		return map[string]any{"ref": p.Token().String(), "pid": p.Token().PID, "running": running}, err
	})
	if errors.Is(err, platform.ErrNoSuchProcess) {
		gone := map[string]any{"ref": q.r.PathValue("ref"), "pid": q.pid, "running": false}
		if no, ok := errors.AsType[*platform.NoSuchProcessError](err); ok {
			gone["reason"] = no.Reason
		}
		return gone, nil
	}
	return answer, err
}

func (q *request) pidExists() (any, error) {
	if err := q.end(); err != nil {
		return nil, err
	}
	pid, err := parsePID(q.r.PathValue("pid"))
	if err != nil {
		return nil, err
	}
	q.r.SetPathValue("ref", "pid:"+q.r.PathValue("pid"))
	_, err = q.basic(func(*request, *platform.Host, *platform.Handle, *policy.Target) (any, error) { return nil, nil })
	switch {
	case errors.Is(err, platform.ErrNoSuchProcess):
		return map[string]any{"pid": pid, "exists": false}, nil
	case err != nil && !errors.Is(err, platform.ErrAccessDenied):
		return nil, err
	}
	return map[string]any{"pid": pid, "exists": true}, nil
}

// family answers with processes that are related to one.
func (q *request) family(name string, each func(q *request, h *platform.Host, p *platform.Handle, one func(*platform.Handle) error) error) (any, error) {
	shown, o, err := q.selection()
	if err == nil {
		err = q.end()
	}
	if err != nil {
		return nil, err
	}
	return q.basic(func(q *request, h *platform.Host, p *platform.Handle, _ *policy.Target) (any, error) {
		found, skipped := page{max: q.maxPage}, 0
		err := each(q, h, p, func(other *platform.Handle) error {
			process, ok, err := q.seen(h, other, shown, o, nil)
			switch {
			case err != nil:
				return err
			case !ok:
				skipped++
				return nil
			case found.full():
				return unacceptable("too much is known of them for one answer: ask for fewer fields")
			}
			return found.add(process)
		})
		return map[string]any{"ref": p.Token().String(), "pid": p.Token().PID, name: found.list(), "skipped": skipped}, err
	})
}

// seen shows a process among others: not ok if it has gone, or the caller may
// not see it, or it does not fit.
func (q *request) seen(h *platform.Host, p *platform.Handle, shown []*field, o options, fits func(*policy.Target, *platform.ProcessReading) bool) (api.Process, bool, error) {
	t, r, err := q.target(h, p)
	var process api.Process
	if err == nil {
		// Before what fits: else who counts would learn of what he may not see.
		if d := q.policy.Decide(&q.caller.Caller, t, policy.Ask{Action: policy.ReadBasic}); !d.Allowed {
			err = denied(d)
		} else if fits != nil && !fits(t, r) {
			return api.Process{}, false, nil
		} else {
			process, err = q.view(h, p, t, shown, o)
		}
	}
	_, refused := errors.AsType[*api.Problem](err)
	switch {
	case err == nil:
		return process, true, nil
	case refused, errors.Is(err, platform.ErrNoSuchProcess), errors.Is(err, platform.ErrAccessDenied):
		return api.Process{}, false, nil
	}
	return api.Process{}, false, err
}

func (q *request) parents() (any, error) {
	return q.family("parents", func(q *request, h *platform.Host, p *platform.Handle, one func(*platform.Handle) error) error {
		return h.Parents(q.ctx, p, one)
	})
}

func (q *request) children() (any, error) {
	recursive, err := q.truth("recursive")
	if err != nil {
		return nil, err
	}
	return q.family("children", func(q *request, h *platform.Host, p *platform.Handle, one func(*platform.Handle) error) error {
		return h.Children(q.ctx, p, recursive, one)
	})
}

// maxListed is how many processes one answer has at most, and maxPage after how
// many bytes it takes no other.
const (
	maxListed = 1000
	maxPage   = 4 << 20
)

// page is processes as they go into an answer.
type page struct {
	processes []json.RawMessage
	size, max int
}

func (p *page) add(process api.Process) error {
	text, err := json.Marshal(carried(process))
	p.processes, p.size = append(p.processes, text), p.size+len(text)
	return err
}

func (p *page) full() bool { return p.size >= p.max }

func (p *page) list() []json.RawMessage { return list(p.processes) }

func (q *request) list() (any, error) {
	shown, o, err := q.selection()
	if err != nil {
		return nil, err
	}
	limit, err := q.number("limit", 1, maxListed, maxListed)
	if err != nil {
		return nil, err
	}
	after := int32(0)
	if text := q.param("after"); text != "" {
		if after, err = parsePID(text); err != nil {
			return nil, err
		}
	}
	executable, owner, state := q.param("executable"), q.param("owner"), q.param("state")
	if state != "" && !slices.Contains(stateNames[:], state) {
		return nil, unacceptable("state is one of %s", strings.Join(stateNames[:], ", "))
	}
	if err := q.end(); err != nil {
		return nil, err
	}
	fits := func(t *policy.Target, r *platform.ProcessReading) bool {
		return (executable == "" || t.Executable != "" && (executable == t.Executable || executable == path.Base(t.Executable))) &&
			(owner == "" || t.Users[0] == owner) && (state == "" || statusName(r.State) == state)
	}
	return q.lend(&q.hosts.reads, func(q *request, h *platform.Host) (any, error) {
		return q.listed(h, after, limit, shown, o, fits)
	})
}

// listed lists the processes above a PID that fit.
func (q *request) listed(h *platform.Host, after int32, limit int, shown []*field, o options, fits func(*policy.Target, *platform.ProcessReading) bool) (any, error) {
	s, err := h.Snapshot(q.ctx, platform.Request{Fields: platform.FieldState})
	if err == nil {
		err = s.ProcessesErr
	}
	if err != nil {
		return nil, err
	}
	var pids []int32
	for _, p := range s.Processes {
		if p.PID > after {
			pids = append(pids, p.PID)
		}
	}
	found, skipped, next, last := page{max: q.maxPage}, 0, any(nil), int32(0)
	enough := q.now().Add(time.Duration(q.patience.Load()) / 2)
	for _, pid := range pids {
		if len(found.processes) == limit || last != 0 && (found.full() || q.now().After(enough)) {
			next = last
			break
		}
		last = pid // whether or not it is shown: it is not looked at again
		p, err := h.OpenPID(pid)
		if errors.Is(err, platform.ErrNoSuchProcess) || errors.Is(err, platform.ErrAccessDenied) {
			skipped++
			continue
		} else if err != nil {
			return nil, err
		}
		matched := true
		process, ok, err := q.seen(h, p, shown, o, func(t *policy.Target, r *platform.ProcessReading) bool {
			matched = fits(t, r)
			return matched
		})
		p.Close()
		switch {
		case err != nil:
			return nil, err
		case ok:
			if err := found.add(process); err != nil {
				return nil, err
			}
		case matched:
			skipped++
		}
	}
	return map[string]any{"processes": found.list(), "skipped": skipped, "next": next}, nil
}
