// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package policy says who may do what to which process. A policy is a file of
// the host, which a configuration that comes from elsewhere cannot write. What
// no rule allows is denied, and deny beats allow.
package policy

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/confmap"
)

// File is a policy as it is written. Keys that are not given have the values
// of [Default].
type File struct {
	Version int `mapstructure:"version"`
	// ActionsEnabled: without it everything is decided and written to the
	// audit file, and nothing is done.
	ActionsEnabled bool                 `mapstructure:"actions_enabled"`
	Protect        Protect              `mapstructure:"protect"`
	Principals     map[string]Principal `mapstructure:"principals"`
	Limits         Limits               `mapstructure:"limits"`
	Rules          []Rule               `mapstructure:"rules"`
}

// Protect names processes that no rule can give away.
type Protect struct {
	// Users are names or numbers; one of the real, effective and saved users of
	// a process is enough.
	Users       []string      `mapstructure:"users"`
	Executables []string      `mapstructure:"executables"`
	OwnCgroup   bool          `mapstructure:"own_cgroup"`
	MinAge      time.Duration `mapstructure:"min_age"`
}

// Principal is who a caller may be: any of what is given fits.
type Principal struct {
	UnixUID   []uint32 `mapstructure:"unix_uid"`
	UnixGroup []string `mapstructure:"unix_group"`
	// Authenticated is everybody whom an authentication extension, or the
	// verification of a certificate, has let in.
	Authenticated bool         `mapstructure:"authenticated"`
	Auth          *Attribute   `mapstructure:"auth"`
	Certificate   *Certificate `mapstructure:"certificate"`
}

// Attribute is what an authentication extension says of a caller.
type Attribute struct {
	Attribute string `mapstructure:"attribute"`
	Equals    string `mapstructure:"equals"`
}

// Certificate is what a verified client certificate says: one of its
// alternative names (DNS, URI, e-mail) or, where it has none, its common name.
type Certificate struct {
	Name string `mapstructure:"name"`
}

// Limits bound what all callers, or each, can do.
type Limits struct {
	Actions    Rate `mapstructure:"actions"` // of each caller
	Burst      int  `mapstructure:"burst"`
	Lethal     Rate `mapstructure:"lethal"`     // of all callers
	Concurrent int  `mapstructure:"concurrent"` // of each caller; of all together twice as many
}

// Unmarshal refuses a rate that is no text, of which the decoder would speak in
// terms of its own.
func (l *Limits) Unmarshal(conf *confmap.Conf) error {
	for _, name := range []string{"actions", "lethal"} {
		switch value := conf.Get(name).(type) {
		case nil, string:
		default:
			return noRate(value)
		}
	}
	type plain Limits
	return conf.Unmarshal((*plain)(l))
}

// Effect is what a rule does.
type Effect string

// The effects.
const (
	Allow Effect = "allow"
	Deny  Effect = "deny"
)

// Rule allows or denies actions on some processes to some principals. To deny,
// principals and targets may be left out: then it is all of them.
type Rule struct {
	Name       string   `mapstructure:"name"`
	Effect     Effect   `mapstructure:"effect"`
	Principals []string `mapstructure:"principals"`
	Actions    []string `mapstructure:"actions"`
	Targets    Targets  `mapstructure:"targets"`
	// CallerMustOwnTarget: the kernel would let a caller on the Unix socket
	// send the process a signal himself.
	CallerMustOwnTarget bool        `mapstructure:"caller_must_own_target"`
	Constraints         Constraints `mapstructure:"constraints"`
}

// Unmarshal sets the defaults of a rule.
func (r *Rule) Unmarshal(conf *confmap.Conf) error {
	type plain Rule
	p := plain{Effect: Allow, CallerMustOwnTarget: true}
	if err := conf.Unmarshal(&p); err != nil {
		return err
	}
	*r = Rule(p)
	return nil
}

// Targets selects processes: those that fit all that is given, by any value of
// each list.
type Targets struct {
	Executable []string `mapstructure:"executable"`
	User       []string `mapstructure:"user"` // the real user, by name or number
	Cgroup     []string `mapstructure:"cgroup"`
	// SameMountNamespace: its paths are those of the collector, and not of a
	// container.
	SameMountNamespace bool `mapstructure:"same_mount_namespace"`
	// Command matches all arguments with a blank between two. Whoever starts a
	// program chooses them: they only narrow.
	Command []string      `mapstructure:"command"`
	MinAge  time.Duration `mapstructure:"min_age"`
}

// Constraints bound what an allowed action may ask for.
type Constraints struct {
	Nice    *Range           `mapstructure:"nice"`
	Rlimits map[string]Bound `mapstructure:"rlimits"`
	Signals []string         `mapstructure:"signals"`
	Environ []string         `mapstructure:"environ"` // whose values are shown
}

// Range is a range of nice values.
type Range struct {
	Min int `mapstructure:"min"`
	Max int `mapstructure:"max"`
}

// Unmarshal sets the defaults of a range.
func (r *Range) Unmarshal(conf *confmap.Conf) error {
	type plain Range
	p := plain{Min: -20, Max: 19}
	if err := conf.Unmarshal(&p); err != nil {
		return err
	}
	*r = Range(p)
	return nil
}

// Bound is the highest that a limit may be set to; nil bounds nothing.
type Bound struct {
	MaxSoft *uint64 `mapstructure:"max_soft"`
	MaxHard *uint64 `mapstructure:"max_hard"`
}

// Rate is a number per time, spelled 10/s, 60/min or 5/h.
type Rate struct {
	Count int
	Per   time.Duration
}

var units = map[string]time.Duration{"s": time.Second, "min": time.Minute, "h": time.Hour}

// UnmarshalText reads a rate.
func (r *Rate) UnmarshalText(text []byte) error {
	count, unit, _ := strings.Cut(string(text), "/")
	n, err := strconv.ParseUint(count, 10, 20)
	if err != nil || n == 0 || units[unit] == 0 {
		return noRate(string(text))
	}
	*r = Rate{int(n), units[unit]}
	return nil
}

func noRate(value any) error {
	return fmt.Errorf("\"%v\" is no rate such as 10/s, 60/min or 5/h", value)
}

// MarshalText spells a rate.
func (r Rate) MarshalText() ([]byte, error) {
	for name, per := range units {
		if per == r.Per {
			return []byte(strconv.Itoa(r.Count) + "/" + name), nil
		}
	}
	return nil, fmt.Errorf("rate per %v", r.Per)
}

// PerSecond is the rate in Hz.
func (r Rate) PerSecond() float64 { return float64(r.Count) / r.Per.Seconds() }

// Default is a policy that allows nothing.
func Default() File {
	return File{
		Protect: Protect{
			Users:       []string{"root"},
			Executables: []string{"/usr/sbin/sshd", "/usr/lib/systemd/**"},
			OwnCgroup:   true,
			MinAge:      5 * time.Second,
		},
		Limits: Limits{Actions: Rate{10, time.Second}, Burst: 20, Lethal: Rate{60, time.Minute}, Concurrent: 4},
	}
}

// MaxFile is how large a policy may be, in bytes.
const MaxFile = 1 << 20

// Parse reads a policy. A key that is not known is an error, as is a rule that
// cannot mean what it says.
func Parse(text []byte) (*Policy, error) {
	if len(text) > MaxFile {
		return nil, fmt.Errorf("over %d bytes", MaxFile)
	}
	retrieved, err := confmap.NewRetrievedFromYAML(text)
	if err != nil {
		return nil, err
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		return nil, err
	}
	f := Default()
	if err := conf.Unmarshal(&f); err != nil {
		return nil, err
	}
	return f.compile()
}

// Policy is a policy that can be asked.
type Policy struct {
	File
	protectExe []glob
	rules      []rule
	// Commands: a rule looks at arguments.
	Commands bool
	none     bool // there is no file
}

type rule struct {
	Rule
	actions                     map[Action]bool
	executable, cgroup, command []glob
}

// compile checks the policy, and reports all that is wrong with it.
func (f File) compile() (*Policy, error) {
	p := &Policy{File: f}
	var errs []error
	report := func(where, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: "+format, append([]any{where}, args...)...))
	}
	globs := func(where string, patterns []string, absolute bool) []glob {
		var all []glob
		for _, pattern := range patterns {
			if pattern == "" || absolute && !path.IsAbs(pattern) {
				report(where, "%q is no absolute path", pattern)
				continue
			}
			if absolute && path.Clean(pattern) != pattern {
				report(where, "%q can match nothing: a path has no . or .. in it, and no / at its end", pattern)
			}
			all = append(all, newGlob(pattern))
		}
		return all
	}
	if f.Version != 1 {
		report("version", "must be 1")
	}
	p.protectExe = globs("protect: executables", f.Protect.Executables, true)
	age := func(where string, d time.Duration) {
		if d < 0 || 0 < d && d < time.Millisecond { // a number without a unit
			report(where, "%v is no age; give a unit, as in 5s", d)
		}
	}
	age("protect: min_age", f.Protect.MinAge)
	if f.Limits.Burst < 1 {
		report("limits: burst", "must be at least 1")
	}
	if f.Limits.Concurrent < 1 {
		report("limits: concurrent", "must be at least 1")
	}
	for name, who := range f.Principals {
		where := "principals: " + name
		if name == "" {
			report(where, "a name must not be empty")
		}
		if len(who.UnixUID) == 0 && len(who.UnixGroup) == 0 && !who.Authenticated && who.Auth == nil && who.Certificate == nil {
			report(where, "names nobody")
		}
		if a := who.Auth; a != nil && (a.Attribute == "" || a.Equals == "") {
			report(where, "auth needs attribute and equals")
		}
		if c := who.Certificate; c != nil && c.Name == "" {
			report(where, "certificate needs a name")
		}
		if slices.Contains(who.UnixGroup, "") {
			report(where, "unix_group: a name must not be empty")
		}
	}
	names := map[string]bool{}
	for i, r := range f.Rules {
		where := fmt.Sprintf("rules: %d (%s)", i, r.Name)
		c := rule{Rule: r, actions: map[Action]bool{}}
		if r.Name == "" || names[r.Name] {
			report(where, "needs a name of its own")
		}
		names[r.Name] = true
		if r.Effect != Allow && r.Effect != Deny {
			report(where, "effect: %q is neither allow nor deny", string(r.Effect))
		}
		for _, name := range r.Principals {
			if _, ok := f.Principals[name]; !ok {
				report(where, "there is no principal %q", name)
			}
		}
		if r.Effect == Allow && len(r.Principals) == 0 {
			report(where, "allows nobody: it needs principals")
		}
		if len(r.Actions) == 0 {
			report(where, "needs actions")
		}
		for _, pattern := range r.Actions {
			found := matching(pattern)
			if found == nil {
				report(where, "there is no action %q", pattern)
			}
			for _, a := range found {
				c.actions[a] = true
			}
		}
		c.executable = globs(where+": executable", r.Targets.Executable, true)
		c.cgroup = globs(where+": cgroup", r.Targets.Cgroup, true)
		c.command = globs(where+": command", r.Targets.Command, false)
		p.Commands = p.Commands || len(c.command) > 0
		if slices.Contains(r.Targets.User, "") {
			report(where, "user: a name must not be empty")
		}
		age(where+": min_age", r.Targets.MinAge)
		if r.Effect == Allow && !r.Targets.attested() && slices.ContainsFunc(lethal, func(a Action) bool { return c.actions[a] }) {
			report(where, "can stop or end processes: it needs targets by executable, user, cgroup or same_mount_namespace, which the kernel attests")
		}
		if n := r.Constraints.Nice; n != nil && (n.Min > n.Max || n.Min < -20 || n.Max > 19) {
			report(where, "nice: %d to %d is no range within -20 to 19", n.Min, n.Max)
		}
		for name := range r.Constraints.Rlimits {
			if !slices.Contains(Resources, name) {
				report(where, "rlimits: there is no resource %q", name)
			}
		}
		for _, name := range r.Constraints.Signals {
			if !strings.HasPrefix(name, "SIG") {
				report(where, "signals: %q is no name such as SIGHUP", name)
			}
		}
		p.rules = append(p.rules, c)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

// attested tells whether the targets are told apart by what the kernel says of
// them.
func (t *Targets) attested() bool {
	return len(t.Executable) > 0 || len(t.User) > 0 || len(t.Cgroup) > 0 || t.SameMountNamespace
}

// None is the policy where there is no file: callers on the Unix socket may
// look at their own processes.
func None() *Policy {
	f := Default()
	f.Version, f.ActionsEnabled = 1, true
	p, err := f.compile()
	if err != nil {
		panic(err) // of a constant
	}
	p.none = true
	p.rules = []rule{{
		Rule:    Rule{Name: "own-processes", Effect: Allow, Principals: []string{anybody}, CallerMustOwnTarget: true},
		actions: map[Action]bool{ReadBasic: true},
	}}
	return p
}
