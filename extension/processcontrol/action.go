// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/extension/processcontrol/policy"
	"github.com/hostscope/hostscope/platform"
)

// action is an action that is asked for: what the policy is to decide, what is
// written down, and what is done.
type action struct {
	policy.Ask
	body   api.Action
	signal syscall.Signal
	kind   platform.LimitKind
}

// act is the endpoint of an action. It goes through the states that the
// documentation has a picture of; what fails before the intent is written has
// had no effect, and afterwards there is exactly one outcome.
func act(kind policy.Action) func(*request) (any, error) {
	return func(q *request) (any, error) {
		if err := q.end(); err != nil {
			return nil, err
		}
		if after, ok := q.callers.allow(q.key, time.Now()); !ok {
			return nil, limited("too many actions of this caller", after)
		}
		a, err := q.parse(kind)
		if err != nil {
			return nil, err
		}
		if a.Action == policy.ReadBasic { // signal 0
			return q.signalZero()
		}
		if q.cfg.PolicyFile == "" {
			return nil, api.NewProblem(api.ActionsDisabled, "there is no policy file")
		}
		return q.open(true, func(q *request, h *platform.Host, p *platform.Handle) (any, error) {
			return q.perform(h, p, a)
		})
	}
}

// parse reads an action in its canonical form.
func (q *request) parse(kind policy.Action) (action, error) {
	a := action{Ask: policy.Ask{Action: kind}}
	if err := q.body(&a.body); err != nil {
		return a, err
	}
	b := &a.body
	takes := map[policy.Action][]string{
		policy.SendSignal: {"signal"}, policy.Terminate: {"grace", "then"}, policy.SetPriority: {"nice", "threads"},
		policy.SetAffinity: {"cpus", "threads"}, policy.SetRlimit: {"soft", "hard"},
	}[kind]
	for _, member := range []struct {
		name  string
		given bool
	}{
		{"signal", b.Signal != nil}, {"grace", b.Grace != nil}, {"then", b.Then != ""}, {"nice", b.Nice != nil}, {"cpus", b.CPUs != nil},
		{"threads", b.Threads != ""}, {"soft", b.Soft != nil}, {"hard", b.Hard != nil},
	} {
		if member.given && !slices.Contains(takes, member.name) {
			return a, invalid("the body: %s is nothing for this", member.name)
		}
	}
	if b.Threads != "" && b.Threads != "leader" && b.Threads != "all" {
		return a, unacceptable("threads is leader or all")
	}
	if len(b.Reason) > 1024 {
		return a, unacceptable("reason has at most 1024 bytes")
	}
	switch kind {
	case policy.SendSignal:
		return a, a.parseSignal()
	case policy.Terminate:
		if b.Then != "" && b.Then != "kill" {
			return a, unacceptable("then is kill")
		}
		if b.Grace != nil && time.Duration(*b.Grace) > q.cfg.Wait.MaxTimeout {
			return a, unacceptable("grace is at most %v", q.cfg.Wait.MaxTimeout)
		}
	case policy.SetPriority:
		if b.Nice == nil {
			return a, invalid("the body: nice is missing")
		}
		if a.Nice = *b.Nice; a.Nice < -20 || a.Nice > 19 {
			return a, unacceptable("nice is from -20 to 19")
		}
	case policy.SetAffinity:
		if b.CPUs == nil {
			return a, invalid("the body: cpus is missing")
		}
	case policy.SetRlimit:
		a.Resource = q.r.PathValue("resource")
		kind := slices.Index(policy.Resources, a.Resource)
		if kind < 0 {
			return a, unacceptable("there is no resource %q", a.Resource)
		}
		a.kind = platform.LimitKind(kind)
		for _, limit := range []struct {
			is *api.Limit
			to **uint64
		}{{b.Soft, &a.Soft}, {b.Hard, &a.Hard}} {
			if limit.is != nil && !limit.is.Unchanged {
				*limit.to = &limit.is.Value
			}
		}
		if a.Soft == nil && a.Hard == nil {
			return a, invalid("the body: neither soft nor hard is to change")
		}
		if a.Soft != nil && a.Hard != nil && *a.Soft > *a.Hard {
			return a, unacceptable("soft is above hard")
		}
	}
	return a, nil
}

// parseSignal finds out which signal it is, and which action that is.
func (a *action) parseSignal() error {
	if a.body.Signal == nil {
		return invalid("the body: signal is missing")
	}
	text := string(*a.body.Signal)
	if n, err := strconv.Atoi(text); err == nil {
		if strconv.Itoa(n) != text || n < 0 || n > rtMax || n >= firstInternal && n < rtMin {
			return unacceptable("there is no signal %s to send", text)
		}
		if n == 0 {
			a.Action = policy.ReadBasic
			return nil
		}
		a.signal, text = syscall.Signal(n), platform.SignalName(syscall.Signal(n))
		if text == "" {
			text = strconv.Itoa(n)
		}
	} else if a.signal = platform.SignalNumber(text); a.signal == 0 {
		return unacceptable("there is no signal %q", text)
	}
	// By its number: a signal can have several names.
	a.Signal = platform.SignalName(a.signal)
	if a.Signal == "" {
		a.Signal = text
	}
	a.Action = policy.OfSignal(a.Signal)
	return nil
}

// signalZero only asks whether there is something to send a signal to.
func (q *request) signalZero() (any, error) {
	return q.basic(func(_ *request, _ *platform.Host, p *platform.Handle, _ *policy.Target) (any, error) {
		state, err := p.State()
		if err == nil && state == platform.StateDead {
			err = &platform.NoSuchProcessError{PID: p.Token().PID, Reason: platform.ReasonExited}
		}
		if err != nil {
			return nil, err
		}
		name := statusName(state)
		return api.Outcome{
			Action: string(policy.ReadBasic), Ref: p.Token().String(), PID: p.Token().PID, Outcome: "applied",
			Guarantee: platform.Exact.String(), Before: name, After: name,
		}, nil
	})
}

// judge reads the process anew and asks the policy: about all that the action
// may come to.
func (q *request) judge(h *platform.Host, p *platform.Handle, a *action) (*policy.Target, *platform.ProcessReading, policy.Decision, error) {
	t, r, err := q.target(h, p)
	if err != nil {
		return nil, nil, policy.Decision{}, err
	}
	if !t.Self {
		self, err := h.OpenSelf()
		if err != nil {
			return nil, nil, policy.Decision{}, err
		}
		err = h.Parents(q.ctx, self, func(a *platform.Handle) error {
			t.Ancestor = t.Ancestor || a.Token().ID == p.Token().ID
			return nil
		})
		self.Close()
		if errors.Is(err, platform.ErrAccessDenied) { // one is hidden (hidepid), and those above it are older than we are
			t.Ancestor = t.Ancestor || p.Token().Start <= q.self.Start
		} else if err != nil {
			return nil, nil, policy.Decision{}, err
		}
	}
	decision := q.policy.Decide(&q.caller.Caller, t, a.Ask)
	if a.body.Then == "kill" && decision.Allowed {
		if kill := q.policy.Decide(&q.caller.Caller, t, policy.Ask{Action: policy.Kill}); !kill.Allowed {
			decision = kill
		}
	}
	return t, r, decision, nil
}

// expected tells whether the process is what the caller takes it for.
func (a *action) expected(t *policy.Target) error {
	if x := a.body.Expect; x != nil && (x.Executable != "" && x.Executable != t.Executable || x.User != "" && x.User != t.Users[0]) {
		return api.NewProblem(api.PreconditionFailed, "")
	}
	return nil
}

// perform decides and acts.
func (q *request) perform(h *platform.Host, p *platform.Handle, a action) (any, error) {
	start := q.now()
	token := p.Token()
	switch a.Action {
	case policy.SetPriority, policy.SetAffinity, policy.SetRlimit: // what they tell of before and after is to be true
		unlock, err := q.identity.lock(q.ctx, token.ID)
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	q.at("opened")
	t, r, decision, err := q.judge(h, p, &a)
	if err != nil {
		return nil, err
	}
	if t.Zombie { // on which nothing has an effect, whoever may do it
		return nil, platform.ErrZombieProcess
	}
	e := entry{
		ID: rand.Text(), Event: "intent", Caller: q.auditCaller(), Principals: q.principals, Action: string(a.Action), Ref: token.String(),
		Target: auditTarget{PID: t.PID, Executable: t.Executable, User: t.Users[0], Cgroup: t.Cgroup},
		Rule:   decision.Rule, Arguments: a.arguments(), Reason: a.body.Reason,
	}
	if !decision.Allowed {
		return nil, q.refused(e, denied(decision))
	}
	if err := a.expected(t); err != nil {
		return nil, q.refused(e, err)
	}
	q.at("decided")
	e.DryRun = a.body.DryRun || !q.policy.ActionsEnabled
	if !e.DryRun {
		leave, err := q.begins(&a)
		if err != nil {
			return nil, q.refused(e, err)
		}
		defer leave()
		if a.Action.Lethal() {
			if after, ok := q.lethal.take(q.key, time.Now()); !ok {
				return nil, q.refused(e, limited("too many processes were stopped or ended", after))
			}
		}
	}
	if err := q.write(e, true); err != nil {
		return nil, err
	}
	q.at("intent")
	// From here on it is done, whether or not the caller is still there.
	q.ctx = context.WithoutCancel(q.ctx)
	out := api.Outcome{Action: string(a.Action), Ref: token.String(), PID: token.PID, Outcome: "applied", Rule: decision.Rule, Before: statusName(r.State)}
	if e.DryRun {
		out.Outcome, out.After = "dry_run", out.Before
	} else {
		err = q.execute(h, p, a, &out)
	}
	out.Duration = float64(q.now().Sub(start).Microseconds()) / 1000
	e.Event, e.Outcome, e.Guarantee = "outcome", out.Outcome, out.Guarantee
	if err == nil && out.Guarantee == platform.Indeterminate.String() {
		e.Outcome = "indeterminate"
		err = api.NewProblem(api.OutcomeIndeterminate, "the process was reaped during the call, which may have reached another one with its PID")
	} else if err != nil {
		e.Outcome = "failed"
	}
	if err != nil {
		problem, _ := problemOf(err, token.PID)
		e.Problem, e.Detail = string(problem.Kind()), problem.Detail
	}
	if failed := q.write(e, false); failed != nil {
		q.log.Error("What an action did could not be written down", zap.String("id", e.ID), zap.String("outcome", e.Outcome), zap.Error(failed))
	}
	guarantee := e.Guarantee
	if guarantee == "" {
		guarantee = "none"
	}
	q.telemetry.ProcessControlActions.Add(q.ctx, 1, metric.WithAttributes(
		attribute.String("action", e.Action), attribute.String("guarantee", guarantee), attribute.String("outcome", e.Outcome)))
	q.telemetry.ProcessControlDuration.Record(q.ctx, out.Duration/1000, metric.WithAttributes(attribute.String("action", e.Action)))
	if err != nil {
		return nil, err
	}
	return out, nil
}

// again decides once more, by what the process has become.
func (q *request) again(h *platform.Host, p *platform.Handle, a *action) (*platform.ProcessReading, error) {
	t, r, decision, err := q.judge(h, p, a)
	switch {
	case err != nil:
		return nil, err
	case !decision.Allowed:
		return nil, denied(decision)
	}
	return r, a.expected(t)
}

// begins takes a slot for an action. One that waits for its effect takes one of
// those who wait: it is not to keep others from acting.
func (q *request) begins(a *action) (leave func(), err error) {
	if a.body.Grace != nil || a.body.Then != "" {
		if !q.waits.take(q.key, 1) {
			return nil, limited("too many processes are waited for", time.Second)
		}
		return func() { q.waits.give(q.key, 1) }, nil
	}
	if !q.actions.take(q.key, 1) {
		return nil, limited("too many actions at once", time.Second)
	}
	return func() { q.actions.give(q.key, 1) }, nil
}

// execute decides once more, by what the process is now, and acts.
func (q *request) execute(h *platform.Host, p *platform.Handle, a action, out *api.Outcome) error {
	before, err := q.again(h, p, &a)
	if err != nil {
		return err
	}
	out.Before = statusName(before.State)
	if err := q.errand.stay(); err != nil {
		return err
	}
	q.at("rechecked")
	guarantee, err := q.doing(q, h, p, a, out)
	if err != nil {
		return err
	}
	out.Guarantee = guarantee.String()
	if out.After != nil {
		return nil
	}
	state, err := p.State()
	switch {
	case err != nil:
		return nil // it is done, whatever it looks like now
	case state == platform.StateDead:
		out.After = "gone"
	default:
		out.After = statusName(state)
	}
	return nil
}

// do acts. What it tells in out.After is a value that was set.
func (q *request) do(h *platform.Host, p *platform.Handle, a action, out *api.Outcome) (platform.Guarantee, error) {
	all := a.body.Threads == "all"
	read := func(want platform.Fields) *platform.ProcessReading {
		r, err := h.Read(q.ctx, p, platform.Request{Fields: want})
		if err != nil || !r.Got.Has(want) {
			return nil
		}
		return r
	}
	switch {
	case a.signal != 0:
		return p.Signal(a.signal)
	case a.Action == policy.Suspend:
		return p.Suspend()
	case a.Action == policy.Resume:
		return p.Resume()
	case a.Action == policy.Kill:
		return p.Kill()
	case a.Action == policy.Terminate:
		grace := time.Duration(0)
		if a.body.Grace != nil {
			grace = time.Duration(*a.body.Grace)
		}
		q.deadline(grace)
		waiting, cancel := context.WithCancel(q.ctx) // for nothing when we are to end
		defer cancel()
		defer context.AfterFunc(q.stopping, cancel)()
		kill := func() error { // by what it has become in the meantime
			_, err := q.again(h, p, &a)
			return err
		}
		if a.body.Then != "kill" {
			kill = nil
		}
		guarantee, killed, exit, err := p.Terminate(waiting, grace, kill)
		_, refused := errors.AsType[*api.Problem](err)
		if guarantee != 0 && (refused || errors.Is(err, platform.ErrTimeoutExpired)) {
			err = nil // it was asked to, and has not
		}
		out.Killed = killed
		if exit != nil {
			out.Exit = showExit(*exit)
		}
		return guarantee, err
	case a.Action == policy.SetPriority:
		if r := read(platform.FieldNice); r != nil {
			out.Before = r.Nice
		}
		effect, err := p.SetPriority(a.Nice, all)
		err = partly(effect, err)
		out.Threads = &api.Threads{Changed: effect.Changed, Total: effect.Total}
		if r := read(platform.FieldNice); r != nil {
			out.After = r.Nice
		}
		return effect.Guarantee, err
	case a.Action == policy.SetAffinity:
		if r := read(platform.FieldAffinity); r != nil {
			out.Before = r.More.Affinity
		}
		effect, err := p.SetAffinity(*a.body.CPUs, all)
		err = partly(effect, err)
		out.Threads = &api.Threads{Changed: effect.Changed, Total: effect.Total}
		if r := read(platform.FieldAffinity); r != nil {
			out.After = r.More.Affinity
		}
		return effect.Guarantee, err
	case a.Action == policy.SetRlimit:
		change, err := p.SetLimit(a.kind, a.Soft, a.Hard)
		out.Atomic = &change.Atomic
		out.Before = api.Limits{Resource: a.Resource, Soft: api.Limit{Value: change.Before.Soft}, Hard: api.Limit{Value: change.Before.Hard}, Atomic: change.Atomic}
		out.After = api.Limits{Resource: a.Resource, Soft: api.Limit{Value: change.After.Soft}, Hard: api.Limit{Value: change.After.Hard}, Atomic: change.Atomic}
		return change.Guarantee, err
	}
	return 0, platform.ErrNotSupported
}

// partly says of an error how much was done before.
func partly(e platform.Effect, err error) error {
	if err != nil && e.Changed > 0 {
		return fmt.Errorf("%w (after %d threads were changed)", err, e.Changed)
	}
	return err
}

func (q *request) at(step string) {
	if q.step != nil {
		q.step(step)
	}
}

// arguments are what is written down of an action.
func (a *action) arguments() any {
	m := map[string]any{}
	if a.Signal != "" {
		m["signal"] = a.Signal
	}
	if a.body.Grace != nil {
		m["grace"] = *a.body.Grace
	}
	if a.body.Then != "" {
		m["then"] = a.body.Then
	}
	if a.body.Nice != nil {
		m["nice"] = a.Nice
	}
	if a.body.CPUs != nil {
		m["cpus"] = *a.body.CPUs
	}
	if a.body.Threads != "" {
		m["threads"] = a.body.Threads
	}
	if a.Resource != "" {
		m["resource"] = a.Resource
	}
	if a.body.Soft != nil {
		m["soft"] = *a.body.Soft
	}
	if a.body.Hard != nil {
		m["hard"] = *a.body.Hard
	}
	if len(m) == 0 {
		return nil
	}
	return m
}

func (q *request) auditCaller() auditCaller {
	c := auditCaller{PID: q.caller.pid, Subject: q.caller.subject, Address: q.caller.address}
	if _, unix := q.ctx.Value(peerKey{}).(platform.Credentials); unix {
		c.UID = &q.caller.UID
	}
	return c
}

// refused writes down that something was refused, as far as that can be.
func (q *request) refused(e entry, err error) error {
	problem, _ := problemOf(err, e.Target.PID)
	e.Event, e.Problem, e.Detail = "refused", string(problem.Kind()), problem.Detail
	_ = q.write(e, false)
	return err
}

// written writes down that something secret was read.
func (q *request) written(t *policy.Target, a policy.Action, ref string) error {
	if q.audit == nil {
		return nil
	}
	return q.write(entry{
		ID: rand.Text(), Event: "read", Caller: q.auditCaller(), Principals: q.principals, Action: string(a), Ref: ref,
		Target: auditTarget{PID: t.PID, Executable: t.Executable, User: t.Users[0], Cgroup: t.Cgroup},
	}, false)
}

// write adds a line to the audit file. What cannot be written down is not to be
// done, unless the configuration says otherwise.
func (q *request) write(e entry, durable bool) error {
	err := q.audit.write(e, durable)
	if err == nil {
		if q.auditFailed.Swap(false) {
			componentstatus.ReportStatus(q.host, componentstatus.NewEvent(componentstatus.StatusOK))
		}
		return nil
	}
	q.telemetry.ProcessControlAuditErrors.Add(q.ctx, 1)
	if !q.auditFailed.Swap(true) {
		q.log.Error("The audit file cannot be written", zap.Error(err))
		componentstatus.ReportStatus(q.host, componentstatus.NewRecoverableErrorEvent(err))
	}
	if q.cfg.Audit.Required {
		return api.NewProblem(api.AuditUnavailable, "")
	}
	return nil
}
