// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// anybody is the principal that every caller on the Unix socket is where there
// is no policy file. None of a file has that name.
const anybody = ""

// Caller is who asks.
type Caller struct {
	// Unix: he has come by the Unix socket. UID and the names of the groups are
	// the kernel's word.
	Unix bool
	// Nobody: the kernel has no number here for his user.
	Nobody bool
	UID    uint32
	Groups []string // by name and by number
	// Authenticated: an extension or a certificate says that he may come in.
	Authenticated bool
	// Attribute is what the authentication extension says; nil without one.
	Attribute func(name string) any
	// Names are those of the verified client certificate.
	Names []string
}

// Principals are those that the caller is.
func (p *Policy) Principals(c *Caller) []string {
	var is []string
	for name, who := range p.File.Principals {
		if who.is(c) {
			is = append(is, name)
		}
	}
	if c.Unix && !c.Nobody && p.none {
		is = append(is, anybody)
	}
	slices.Sort(is)
	return is
}

func (who *Principal) is(c *Caller) bool {
	if c.Unix && (!c.Nobody && slices.Contains(who.UnixUID, c.UID) || slices.ContainsFunc(who.UnixGroup, func(g string) bool { return slices.Contains(c.Groups, g) })) {
		return true
	}
	if who.Authenticated && c.Authenticated {
		return true
	}
	if who.Auth != nil && c.Attribute != nil {
		switch value := c.Attribute(who.Auth.Attribute).(type) {
		case string:
			if value == who.Auth.Equals {
				return true
			}
		case []string:
			if slices.Contains(value, who.Auth.Equals) {
				return true
			}
		case []any:
			if slices.Contains(value, any(who.Auth.Equals)) {
				return true
			}
		}
	}
	return who.Certificate != nil && slices.Contains(c.Names, who.Certificate.Name)
}

// Target is what is known of a process, read through its handle. What is not
// known lets no rule allow, and every rule deny.
type Target struct {
	PID          int32
	Known        bool      // of the users and the age
	UIDs         [3]uint32 // real, effective, saved
	Users        [3]string // their names
	Executable   string    // "" where it is not known
	Cgroup       string    // likewise
	Command      string    // all arguments
	CommandKnown bool
	Age          time.Duration
	Owner        uint32 // whom the kernel shows what it keeps from others
	OwnerKnown   bool
	SameMounts   bool // the mount namespace is the collector's
	MountsKnown  bool

	Zombie       bool // it has no executable any more
	KernelThread bool
	Self         bool // the collector itself
	Ancestor     bool // of the collector
	OwnCgroup    bool // that of the collector or below, or not known
}

// Ask is what the action is to do.
type Ask struct {
	Action     Action
	Nice       int
	Resource   string
	Soft, Hard *uint64
	Signal     string
}

// Decision is what a policy says.
type Decision struct {
	Allowed bool
	Rule    string // that decided, "" for none
	Reason  string // why it is denied
	// Protected: no rule could have allowed it.
	Protected bool
	// Environ names the variables whose values may be shown.
	Environ []string
}

// Decide is the one place where it is decided. A nil target is the host.
func (p *Policy) Decide(c *Caller, t *Target, ask Ask) Decision {
	if ask.Action.Acts() {
		if why := p.protected(t); why != "" {
			return Decision{Reason: why, Protected: true}
		}
	}
	is := p.Principals(c)
	for i := range p.rules {
		r := &p.rules[i]
		if r.Effect == Deny && r.actions[ask.Action] && (len(r.Principals) == 0 || overlap(r.Principals, is)) && r.selects(t, ask.Action, true) {
			return Decision{Rule: r.Name, Reason: "a rule denies it"}
		}
	}
	why := "no rule allows it"
	for i := range p.rules {
		r := &p.rules[i]
		if r.Effect != Allow || !r.actions[ask.Action] || !overlap(r.Principals, is) || !r.selects(t, ask.Action, false) {
			continue
		}
		if c.Unix && r.CallerMustOwnTarget && (ask.Action.private() || p.none) && !c.owns(t, ask.Action) {
			why = "the process is not the caller's, and the rule asks for that"
			continue
		}
		if no := r.Constraints.forbid(ask); no != "" {
			why = no
			continue
		}
		return Decision{Allowed: true, Rule: r.Name, Environ: r.Constraints.Environ}
	}
	return Decision{Reason: why}
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// owns tells whether the kernel would let the caller send the process a signal
// (kill_ok_by_cred of kernel/signal.c): to root, or by the real or saved user.
// To look into it takes more (__ptrace_may_access of kernel/ptrace.c): who has
// started a set-user-ID program may end it, and not know where its memory is.
func (c *Caller) owns(t *Target, a Action) bool {
	switch {
	case c.Nobody:
		return false
	case c.UID == 0:
		return true
	case t == nil || !t.Known:
		return false
	case a.private() && !a.Acts():
		return t.UIDs == [3]uint32{c.UID, c.UID, c.UID} && t.OwnerKnown && t.Owner == c.UID
	}
	return c.UID == t.UIDs[0] || c.UID == t.UIDs[2]
}

// protected says why nobody may act on a process, "" if somebody may.
func (p *Policy) protected(t *Target) string {
	switch {
	case t == nil || !t.Known:
		return "too little is known of it"
	case t.PID <= 1:
		return "it is the first process"
	case t.Self:
		return "it is the collector"
	case t.Ancestor:
		return "it is an ancestor of the collector"
	case t.KernelThread:
		return "it is a thread of the kernel"
	case p.Protect.OwnCgroup && t.OwnCgroup:
		return "it is in the cgroup of the collector"
	case t.Age < p.Protect.MinAge:
		return "it is younger than " + p.Protect.MinAge.String()
	}
	for i := range t.Users {
		if isUser(p.Protect.Users, t.UIDs[i], t.Users[i]) {
			return "its user is protected: " + t.Users[i]
		}
	}
	if len(p.protectExe) > 0 {
		if t.Executable == "" {
			return "its executable is not known"
		}
		if matchAny(p.protectExe, t.Executable) {
			return "its executable is protected: " + t.Executable
		}
	}
	return ""
}

// isUser: root is user 0, whatever /etc/passwd calls him, and where there is
// none, as in many a container.
func isUser(users []string, uid uint32, name string) bool {
	return slices.Contains(users, name) || slices.Contains(users, strconv.FormatUint(uint64(uid), 10)) || uid == 0 && slices.Contains(users, "root")
}

func matchAny(globs []glob, s string) bool {
	return slices.ContainsFunc(globs, func(g glob) bool { return g.matches(s) })
}

// selects tells whether a process is among the targets; unknown is the answer
// where that cannot be told. A thread of the kernel has no executable. Nor has a
// zombie any more, of which everybody may be told what anybody can see: so that
// who waits for a process learns its end.
func (r *rule) selects(t *Target, a Action, unknown bool) bool {
	s := &r.Targets
	if t == nil { // the host, of which rules about processes say nothing
		return !s.attested() && len(s.Command) == 0 && s.MinAge == 0
	}
	over := t.Zombie && !a.private()
	for _, criterion := range []struct{ given, known, fits bool }{
		{len(r.executable) > 0, t.Executable != "" || t.KernelThread || over, matchAny(r.executable, t.Executable) || over && r.Effect == Allow},
		{len(s.User) > 0, t.Known, isUser(s.User, t.UIDs[0], t.Users[0])},
		{len(r.cgroup) > 0, t.Cgroup != "", matchAny(r.cgroup, t.Cgroup)},
		{s.SameMountNamespace, t.MountsKnown, t.SameMounts},
		{len(r.command) > 0, t.CommandKnown, matchAny(r.command, t.Command)},
		{s.MinAge > 0, t.Known, t.Age >= s.MinAge},
	} {
		if criterion.given && (criterion.known && !criterion.fits || !criterion.known && !unknown) {
			return false
		}
	}
	return true
}

// forbid says why the constraints do not permit what is asked, "" if they do.
func (c *Constraints) forbid(ask Ask) string {
	switch ask.Action {
	case SetPriority:
		if n := c.Nice; n != nil && (ask.Nice < n.Min || ask.Nice > n.Max) {
			return fmt.Sprintf("the rule permits nice values from %d to %d", n.Min, n.Max)
		}
	case SetRlimit:
		if c.Rlimits == nil {
			return ""
		}
		bound, ok := c.Rlimits[ask.Resource]
		if !ok {
			return "the rule does not permit to set " + ask.Resource
		}
		for _, limit := range []struct {
			name     string
			ask, max *uint64
		}{{"soft", ask.Soft, bound.MaxSoft}, {"hard", ask.Hard, bound.MaxHard}} {
			if limit.ask != nil && limit.max != nil && *limit.ask > *limit.max {
				return fmt.Sprintf("the rule permits a %s limit of at most %d", limit.name, *limit.max)
			}
		}
	case SendSignal:
		if c.Signals != nil && !slices.Contains(c.Signals, ask.Signal) {
			return "the rule permits " + strings.Join(c.Signals, ", ")
		}
	}
	return ""
}

// Permissions are the actions that some rule allows a caller on some process.
func (p *Policy) Permissions(c *Caller) []Action {
	is := p.Principals(c)
	var may []Action
	for _, a := range Actions {
		if slices.ContainsFunc(p.rules, func(r rule) bool {
			return r.Effect == Allow && r.actions[a] && overlap(r.Principals, is)
		}) {
			may = append(may, a)
		}
	}
	return may
}
