// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// example is the policy of the documentation.
const example = `
version: 1
actions_enabled: true
protect: {users: [root], executables: [/usr/sbin/sshd, "/usr/lib/systemd/**"], own_cgroup: true, min_age: 5s}
principals:
  oncall:   {unix_uid: [0], unix_group: [wheel]}
  alertbot: {auth: {attribute: subject, equals: alertmanager}}
limits: {actions: 10/s, burst: 20, lethal: 60/min, concurrent: 4}
rules:
  - name: recycle-workers
    principals: [alertbot]
    actions: [terminate, kill, wait, read.basic]
    targets: {executable: [/usr/local/bin/worker], user: [app], cgroup: ["/system.slice/worker-*.service"], min_age: 30s}
    caller_must_own_target: false
  - {name: tune, principals: [oncall], actions: [set_priority, set_cpu_affinity, set_rlimit, suspend, resume, "read.*"], targets: {user: [app]}, constraints: {nice: {min: 0, max: 19}, rlimits: {NOFILE: {max_hard: 65536}}}}
  - {name: never-db, effect: deny, actions: ["*"], targets: {executable: ["/usr/lib/postgresql/*/bin/*"]}}
`

func parse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse([]byte(text))
	require.NoError(t, err)
	return p
}

var (
	bot    = &Caller{Authenticated: true, Attribute: func(name string) any { return map[string]any{"subject": "alertmanager"}[name] }}
	root   = &Caller{Unix: true, UID: 0, Groups: []string{"0"}}
	wheel  = &Caller{Unix: true, UID: 1000, Groups: []string{"1000", "10", "wheel"}}
	nobody = &Caller{Unix: true, UID: 2000}
)

// worker is a process that the example lets be recycled.
func worker(change func(*Target)) *Target {
	t := &Target{
		PID: 100, Known: true, UIDs: [3]uint32{5, 5, 5}, Users: [3]string{"app", "app", "app"}, Executable: "/usr/local/bin/worker",
		Cgroup: "/system.slice/worker-1.service", Command: "worker --queue a", CommandKnown: true, Age: time.Minute, SameMounts: true, MountsKnown: true,
		Owner: 5, OwnerKnown: true,
	}
	if change != nil {
		change(t)
	}
	return t
}

func TestExample(t *testing.T) {
	p := parse(t, example)
	n := func(n uint64) *uint64 { return &n }
	for _, c := range []struct {
		name   string
		caller *Caller
		target *Target
		ask    Ask
		rule   string // that allows it
		reason string // or why it is denied
	}{
		{"recycle", bot, worker(nil), Ask{Action: Terminate}, "recycle-workers", ""},
		{"recycle", bot, worker(nil), Ask{Action: Kill}, "recycle-workers", ""},
		{"not that", bot, worker(nil), Ask{Action: Suspend}, "", "no rule allows it"},
		{"look", bot, worker(nil), Ask{Action: ReadBasic}, "recycle-workers", ""},
		{"not all", bot, worker(nil), Ask{Action: ReadEnviron}, "", "no rule allows it"},
		{"young", bot, worker(func(t *Target) { t.Age = 29 * time.Second }), Ask{Action: Kill}, "", "no rule allows it"},
		{"very young", bot, worker(func(t *Target) { t.Age = 4 * time.Second }), Ask{Action: Kill}, "", "it is younger than 5s"},
		{"other program", bot, worker(func(t *Target) { t.Executable = "/usr/local/bin/worker2" }), Ask{Action: Kill}, "", "no rule allows it"},
		{"unknown program", bot, worker(func(t *Target) { t.Executable = "" }), Ask{Action: Kill}, "", "its executable is not known"},
		{"its zombie", bot, worker(func(t *Target) { t.Executable, t.Zombie = "", true }), Ask{Action: Wait}, "recycle-workers", ""},
		{"the zombie's files", root, worker(func(t *Target) { t.Executable, t.Zombie = "", true }), Ask{Action: ReadFDs}, "", "a rule denies it"},
		{"another's zombie", bot, worker(func(t *Target) { t.Executable, t.Zombie, t.Users[0] = "", true, "other" }), Ask{Action: Wait}, "", "no rule allows it"},
		{"kernel thread", root, worker(func(t *Target) { t.Executable, t.KernelThread = "", true }), Ask{Action: ReadBasic}, "tune", ""},
		{"other user", bot, worker(func(t *Target) { t.UIDs[0], t.Users[0] = 6, "other" }), Ask{Action: Kill}, "", "no rule allows it"},
		{"other cgroup", bot, worker(func(t *Target) { t.Cgroup = "/system.slice/worker-1.service/x" }), Ask{Action: Kill}, "", "no rule allows it"},
		{"nothing known", bot, worker(func(t *Target) { t.Known = false }), Ask{Action: Kill}, "", "too little is known of it"},
		{"setuid root", bot, worker(func(t *Target) { t.UIDs[1], t.Users[1] = 0, "root" }), Ask{Action: Kill}, "", "its user is protected: root"},
		{"saved root", bot, worker(func(t *Target) { t.UIDs[2], t.Users[2] = 0, "root" }), Ask{Action: Kill}, "", "its user is protected: root"},
		{"first", bot, worker(func(t *Target) { t.PID = 1 }), Ask{Action: Kill}, "", "it is the first process"},
		{"self", bot, worker(func(t *Target) { t.Self = true }), Ask{Action: Kill}, "", "it is the collector"},
		{"ancestor", bot, worker(func(t *Target) { t.Ancestor = true }), Ask{Action: Kill}, "", "it is an ancestor of the collector"},
		{"kernel", bot, worker(func(t *Target) { t.KernelThread = true }), Ask{Action: Kill}, "", "it is a thread of the kernel"},
		{"own cgroup", bot, worker(func(t *Target) { t.OwnCgroup = true }), Ask{Action: Kill}, "", "it is in the cgroup of the collector"},
		{"sshd", root, worker(func(t *Target) { t.Executable = "/usr/sbin/sshd" }), Ask{Action: Suspend}, "", "its executable is protected: /usr/sbin/sshd"},
		{"systemd", root, worker(func(t *Target) { t.Executable = "/usr/lib/systemd/x/y" }), Ask{Action: Suspend}, "", "its executable is protected: /usr/lib/systemd/x/y"},
		{"no act", nil, worker(nil), Ask{Action: Kill}, "", "no rule allows it"},
		{"nobody", nobody, worker(nil), Ask{Action: ReadBasic}, "", "no rule allows it"},

		{"tune", root, worker(nil), Ask{Action: SetPriority, Nice: 5}, "tune", ""},
		{"raise", root, worker(nil), Ask{Action: SetPriority, Nice: -1}, "", "the rule permits nice values from 0 to 19"},
		{"limit", root, worker(nil), Ask{Action: SetRlimit, Resource: "NOFILE", Soft: n(1 << 40), Hard: n(65536)}, "tune", ""},
		{"limit above", root, worker(nil), Ask{Action: SetRlimit, Resource: "NOFILE", Hard: n(65537)}, "", "the rule permits a hard limit of at most 65536"},
		{"limit other", root, worker(nil), Ask{Action: SetRlimit, Resource: "CORE", Hard: n(1)}, "", "the rule does not permit to set CORE"},
		{"secret", root, worker(nil), Ask{Action: ReadEnviron}, "tune", ""},
		{"host", root, nil, Ask{Action: ReadSystem}, "", "no rule allows it"}, // tune is about processes of app
		{"wheel looks", wheel, worker(nil), Ask{Action: ReadBasic}, "tune", ""},
		{"wheel acts", wheel, worker(nil), Ask{Action: SetPriority, Nice: 5}, "", "the process is not the caller's, and the rule asks for that"},
		{"wheel looks closer", wheel, worker(nil), Ask{Action: ReadFDs}, "", "the process is not the caller's, and the rule asks for that"},
		{"wheel owns", &Caller{Unix: true, UID: 5, Groups: []string{"wheel"}}, worker(nil), Ask{Action: SetPriority, Nice: 5}, "tune", ""},

		{"database", root, worker(func(t *Target) { t.Executable = "/usr/lib/postgresql/17/bin/postgres" }), Ask{Action: ReadBasic}, "", "a rule denies it"},
		{"perhaps a database", root, worker(func(t *Target) { t.Executable = "" }), Ask{Action: ReadBasic}, "", "a rule denies it"},
		{"no database", root, worker(func(t *Target) { t.Executable = "/usr/lib/postgresql/17/lib/bin/x" }), Ask{Action: ReadBasic}, "tune", ""},
	} {
		caller := c.caller
		if caller == nil {
			caller = &Caller{}
		}
		d := p.Decide(caller, c.target, c.ask)
		assert.Equal(t, c.rule != "", d.Allowed, "%s: %+v", c.name, d)
		assert.Equal(t, c.reason, d.Reason, c.name)
		if d.Allowed {
			assert.Equal(t, c.rule, d.Rule, c.name)
		}
	}
	assert.Equal(t, []string{"oncall"}, p.Principals(wheel))
	assert.Equal(t, []Action{Terminate, Kill, Wait, ReadBasic}, p.Permissions(bot))
	assert.Empty(t, p.Permissions(nobody))
	assert.Equal(t, 1.0, p.Limits.Lethal.PerSecond())
}

func TestPrincipals(t *testing.T) {
	p := parse(t, `
version: 1
principals:
  list: {auth: {attribute: membership, equals: crew}}
  all: {authenticated: true}
  cert: {certificate: {name: bot.example}}
  uid: {unix_uid: [7, 8]}
`)
	for _, c := range []struct {
		caller Caller
		want   []string
	}{
		{Caller{}, nil},
		{Caller{Attribute: func(string) any { return []string{"dev", "crew"} }}, []string{"list"}},
		{Caller{Attribute: func(string) any { return []any{"crew"} }}, []string{"list"}},
		{Caller{Attribute: func(string) any { return "crew" }}, []string{"list"}},
		{Caller{Attribute: func(string) any { return nil }}, nil},
		{Caller{Attribute: func(string) any { return 5 }}, nil},
		{Caller{Attribute: func(string) any { return "crew2" }}, nil},
		{Caller{Authenticated: true, Names: []string{"bot.example"}}, []string{"all", "cert"}},
		{Caller{Unix: true, UID: 8}, []string{"uid"}},
		{Caller{Unix: false, UID: 8}, nil},
		{Caller{Unix: true, UID: 0}, nil},
	} {
		assert.Equal(t, c.want, p.Principals(&c.caller))
	}
}

func TestNone(t *testing.T) {
	p := None()
	own := worker(func(t *Target) { t.UIDs = [3]uint32{2000, 2000, 2000} })
	assert.True(t, p.Decide(nobody, own, Ask{Action: ReadBasic}).Allowed)
	assert.False(t, p.Decide(nobody, worker(nil), Ask{Action: ReadBasic}).Allowed)
	assert.True(t, p.Decide(root, worker(nil), Ask{Action: ReadBasic}).Allowed)
	assert.False(t, p.Decide(bot, worker(nil), Ask{Action: ReadBasic}).Allowed, "who is not on the socket owns nothing")
	for _, a := range Actions {
		if a != ReadBasic {
			assert.False(t, p.Decide(root, own, Ask{Action: a}).Allowed, a)
		}
	}
	assert.False(t, p.Decide(root, nil, Ask{Action: ReadSystem}).Allowed)
	assert.Equal(t, []Action{ReadBasic}, p.Permissions(nobody))
	// A principal of a file cannot have the name.
	_, err := Parse([]byte(`{version: 1, principals: {"": {unix_uid: [1]}}}`))
	assert.ErrorContains(t, err, "must not be empty")
}

func TestDefaults(t *testing.T) {
	p := parse(t, `{version: 1}`)
	assert.False(t, p.ActionsEnabled)
	assert.Equal(t, Default().Protect, p.Protect)
	assert.Equal(t, Default().Limits, p.Limits)
	p = parse(t, `{version: 1, protect: {min_age: 1s}, limits: {burst: 3}}`)
	assert.Equal(t, []string{"root"}, p.Protect.Users)
	assert.True(t, p.Protect.OwnCgroup)
	assert.Equal(t, 3, p.Limits.Burst)
	assert.Equal(t, Rate{10, time.Second}, p.Limits.Actions)
	p = parse(t, `{version: 1, protect: {users: [], executables: [], own_cgroup: false, min_age: 0s}}`)
	assert.Empty(t, p.Protect.Users)
	assert.Equal(t, "", p.protected(worker(func(t *Target) { t.Users[0], t.Executable, t.Age, t.OwnCgroup = "root", "", 0, true })))
}

func TestMalformed(t *testing.T) {
	rule := func(text string) string {
		return "{version: 1, principals: {a: {unix_uid: [0]}}, rules: [" + text + "]}"
	}
	for text, want := range map[string]string{
		``:                                      "version",
		`{version: 2}`:                          "version",
		`{version: "1"}`:                        "version",
		`[]`:                                    "",
		`5`:                                     "",
		`{version: 1`:                           "",
		`{version: 1, version: 1}`:              "already defined",
		`{version: 1, ruels: []}`:               "ruels",
		`{version: 1, protect: {user: [root]}}`: "user",
		`{version: 1, protect: {executables: [sshd]}}`:                                                            "no absolute path",
		`{version: 1, protect: {executables: [/usr/sbin/../sbin/sshd]}}`:                                          "can match nothing",
		`{version: 1, protect: {executables: [/usr/sbin/]}}`:                                                      "can match nothing",
		`{version: 1, protect: {min_age: -1s}}`:                                                                   "min_age",
		`{version: 1, protect: {min_age: 5}}`:                                                                     "",
		`{version: 1, limits: {actions: 10}}`:                                                                     "",
		`{version: 1, limits: {actions: 10/day}}`:                                                                 "no rate",
		`{version: 1, limits: {actions: 3}}`:                                                                      `"3" is no rate`,
		`{version: 1, limits: {lethal: [3/s]}}`:                                                                   `"[3/s]" is no rate`,
		`{version: 1, limits: {lethal: 2026-01-01}}`:                                                              "is no rate",
		`{version: 1, limits: {actions: 0/s}}`:                                                                    "no rate",
		`{version: 1, limits: {actions: -1/s}}`:                                                                   "no rate",
		`{version: 1, limits: {burst: 0}}`:                                                                        "burst",
		`{version: 1, limits: {concurrent: 0}}`:                                                                   "concurrent",
		`{version: 1, principals: {a: {}}}`:                                                                       "names nobody",
		`{version: 1, principals: {a: {unix_uid: [-1]}}}`:                                                         "",
		`{version: 1, principals: {a: {unix_uid: [root]}}}`:                                                       "",
		`{version: 1, principals: {a: {unix_group: [""]}}}`:                                                       "must not be empty",
		`{version: 1, principals: {a: {auth: {attribute: x}}}}`:                                                   "auth needs",
		`{version: 1, principals: {a: {certificate: {name: ""}}}}`:                                                "certificate needs",
		`{version: 1, principals: {a: {uid: [0]}}}`:                                                               "uid",
		rule(`{principals: [a], actions: [wait]}`):                                                                "needs a name",
		rule(`{name: x, principals: [a], actions: [wait]}, {name: x, principals: [a], actions: [wait]}`):          "needs a name of its own",
		rule(`{name: x, actions: [wait]}`):                                                                        "needs principals",
		rule(`{name: x, principals: [b], actions: [wait]}`):                                                       `no principal "b"`,
		rule(`{name: x, principals: [a]}`):                                                                        "needs actions",
		rule(`{name: x, principals: [a], actions: [reboot]}`):                                                     `no action "reboot"`,
		rule(`{name: x, principals: [a], actions: ["set_*"]}`):                                                    `no action "set_*"`,
		rule(`{name: x, principals: [a], actions: [""]}`):                                                         `no action ""`,
		rule(`{name: x, principals: [a], actions: [wait], effect: permit}`):                                       "neither allow nor deny",
		rule(`{name: x, principals: [a], actions: [kill]}`):                                                       "which the kernel attests",
		rule(`{name: x, principals: [a], actions: ["*"], targets: {command: ["*"]}}`):                             "which the kernel attests",
		rule(`{name: x, principals: [a], actions: [suspend], targets: {min_age: 1h}}`):                            "which the kernel attests",
		rule(`{name: x, principals: [a], actions: [set_rlimit], targets: {command: ["*"]}}`):                      "which the kernel attests",
		rule(`{name: x, principals: [a], actions: [wait], targets: {executable: [worker]}}`):                      "no absolute path",
		rule(`{name: x, principals: [a], actions: [wait], targets: {executable: [""]}}`):                          "no absolute path",
		rule(`{name: x, principals: [a], actions: [wait], targets: {user: [""]}}`):                                "must not be empty",
		rule(`{name: x, principals: [a], actions: [wait], targets: {min_age: -1s}}`):                              "min_age",
		rule(`{name: x, principals: [a], actions: [wait], targets: {exe: [/x]}}`):                                 "exe",
		rule(`{name: x, principals: [a], actions: [set_priority], constraints: {nice: {min: 5, max: 1}}}`):        "no range",
		rule(`{name: x, principals: [a], actions: [set_priority], constraints: {nice: {max: 20}}}`):               "no range",
		rule(`{name: x, principals: [a], actions: [set_rlimit], constraints: {rlimits: {FILES: {max_hard: 1}}}}`): `no resource "FILES"`,
		rule(`{name: x, principals: [a], actions: [wait], constraints: {signals: [HUP]}}`):                        "signals",
		rule(`{name: x, principals: [a], actions: [wait], constraints: {unknown: 1}}`):                            "unknown",
	} {
		_, err := Parse([]byte(text))
		if assert.Error(t, err, text) {
			assert.ErrorContains(t, err, want, text)
		}
	}
	_, err := Parse([]byte(strings.Repeat("#", MaxFile+1)))
	assert.ErrorContains(t, err, "over")
}

func TestGlob(t *testing.T) {
	for pattern, c := range map[string]struct{ yes, no []string }{
		"/a/*":    {[]string{"/a/", "/a/b", "/a/b.c"}, []string{"/a", "/a/b/c", "x/a/b"}},
		"/a/**":   {[]string{"/a/", "/a/b", "/a/b/c"}, []string{"/a", "/ab"}},
		"/**":     {[]string{"/", "/a", "/a\nb"}, []string{"", "a"}},
		"/a?c":    {[]string{"/abc", "/aéc"}, []string{"/a/c", "/ac", "/abbc"}},
		"/a.b[c]": {[]string{"/a.b[c]"}, []string{"/axb[c]", "/a.bc"}},
		"/é":      {[]string{"/é"}, []string{"/e"}},
		"/a":      {[]string{"/a"}, []string{"/a\n", "/a/", "/ab"}},
	} {
		g := newGlob(pattern)
		for _, s := range c.yes {
			assert.True(t, g.matches(s), "%s %q", pattern, s)
		}
		for _, s := range c.no {
			assert.False(t, g.matches(s), "%s %q", pattern, s)
		}
	}
	assert.False(t, newGlob("/\xff").matches("/\xff"))
}

func TestCanonical(t *testing.T) {
	for name, want := range map[string]Action{"SIGKILL": Kill, "SIGTERM": Terminate, "SIGSTOP": Suspend, "SIGTSTP": Suspend, "SIGTTIN": Suspend, "SIGTTOU": Suspend, "SIGCONT": Resume, "SIGHUP": SendSignal, "34": SendSignal} {
		assert.Equal(t, want, OfSignal(name))
	}
	assert.Len(t, matching("*"), len(Actions))
	assert.Len(t, matching("read.*"), 9)
	for _, a := range Actions {
		assert.Equal(t, []Action{a}, matching(string(a)))
		assert.Equal(t, slices.Contains([]Action{SendSignal, Suspend, Terminate, Kill, SetRlimit}, a), a.Lethal(), a)
		if strings.HasPrefix(string(a), "read.") {
			assert.False(t, a.Acts())
		}
	}
}

// Who has started a program with more rights than his own may end it, and not
// look into it.
func TestLookingInto(t *testing.T) {
	p := parse(t, `
version: 1
protect: {users: []}
principals: {ops: {unix_group: [ops]}, all: {authenticated: true}}
rules: [{name: own, principals: [ops, all], actions: ["*"], targets: {executable: ["/**"]}}]
`)
	five := &Caller{Unix: true, UID: 5, Groups: []string{"ops"}}
	looks := []Action{ReadOpenFiles, ReadFDs, ReadConnections, ReadMemoryMaps, ReadEnviron}
	for name, c := range map[string]struct {
		target      *Target
		looks, acts bool
	}{
		"own":             {worker(nil), true, true},
		"set-user-ID":     {worker(func(t *Target) { t.UIDs[1], t.UIDs[2], t.Owner = 0, 0, 0 }), false, true},
		"saved":           {worker(func(t *Target) { t.UIDs[2] = 0 }), false, true},
		"capabilities":    {worker(func(t *Target) { t.Owner = 0 }), false, true},
		"owner not known": {worker(func(t *Target) { t.OwnerKnown = false }), false, true},
		"another's":       {worker(func(t *Target) { t.UIDs = [3]uint32{6, 6, 6} }), false, false},
	} {
		for _, a := range looks {
			assert.Equal(t, c.looks, p.Decide(five, c.target, Ask{Action: a}).Allowed, "%s %s", name, a)
		}
		assert.Equal(t, c.acts, p.Decide(five, c.target, Ask{Action: Kill}).Allowed, name)
		assert.True(t, p.Decide(five, c.target, Ask{Action: ReadBasic}).Allowed, name)
	}
	// Whom the kernel has no number for owns nothing, whoever else vouches for him.
	stranger := &Caller{Unix: true, Nobody: true, UID: 65534, Authenticated: true}
	own := worker(func(t *Target) { t.UIDs, t.Owner = [3]uint32{65534, 65534, 65534}, 65534 })
	assert.Equal(t, []string{"all"}, p.Principals(stranger))
	assert.False(t, p.Decide(stranger, own, Ask{Action: Kill}).Allowed)
	assert.False(t, p.Decide(stranger, own, Ask{Action: ReadEnviron}).Allowed)
	assert.Empty(t, None().Principals(stranger))
}

// Adding a rule that denies never allows more; knowing less never does either.
func TestDenyNeverAllows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	targets := func() string {
		return one(
			`{executable: ["/usr/**"]}`, `{executable: [/usr/local/bin/worker]}`, `{user: [app]}`, `{user: ["5", other]}`, `{cgroup: ["/system.slice/*"]}`,
			`{same_mount_namespace: true}`, `{user: [app], command: ["*queue*"]}`, `{user: [app], min_age: 1m}`,
		)
	}
	random := func(i int, effect string) string {
		principals := one(`[a]`, `[b]`, `[a, b]`)
		if effect == "deny" {
			principals = one(principals, `[]`)
		}
		return fmt.Sprintf("  - {name: r%d, effect: %s, principals: %s, actions: [%s], targets: %s, caller_must_own_target: %s}\n",
			i, effect, principals, one("kill", `"*"`, `"read.*"`, "terminate, wait", "set_priority", "read.system"), targets(), one("true", "false"))
	}
	callers := []*Caller{root, wheel, nobody, bot, {Unix: true, UID: 5}}
	for range 300 {
		text := "version: 1\nprotect: {users: [], executables: [], min_age: 0s}\nprincipals: {a: {unix_uid: [0, 5]}, b: {unix_group: [wheel], authenticated: true}}\nrules:\n"
		for i := range 1 + r.IntN(4) {
			text += random(i, one("allow", "allow", "deny"))
		}
		less := text + random(100, "deny")
		p, q := parse(t, text), parse(t, less)
		for range 20 {
			target := worker(func(t *Target) {
				t.Executable = one("", "/usr/bin/x", "/usr/local/bin/worker", "/opt/x")
				t.Users[0] = one("app", "other", "root")
				t.Cgroup = one("", "/system.slice/a", "/user.slice/a/b")
				t.Command, t.CommandKnown = one("worker --queue a", "x"), r.IntN(2) == 0
				t.SameMounts, t.MountsKnown = r.IntN(2) == 0, r.IntN(2) == 0
				t.Age = time.Duration(r.IntN(120)) * time.Second
			})
			caller, ask := callers[r.IntN(len(callers))], Ask{Action: Actions[r.IntN(len(Actions))]}
			if q.Decide(caller, target, ask).Allowed {
				assert.True(t, p.Decide(caller, target, ask).Allowed, "%s\n%+v %+v", less, target, ask)
			}
			unknown := *target
			switch r.IntN(4) {
			case 0:
				unknown.Executable = ""
			case 1:
				unknown.Known = false
			case 2:
				unknown.CommandKnown = false
			case 3:
				unknown.MountsKnown = false
			}
			if p.Decide(caller, &unknown, ask).Allowed {
				assert.True(t, p.Decide(caller, target, ask).Allowed, "%s\n%+v %+v", text, target, ask)
			}
			if ask.Action.Acts() {
				target.Self = true
				assert.False(t, p.Decide(caller, target, ask).Allowed)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("{version: 1, rules: [{name: a, effect: deny, actions: [\"*\"]}]}")
	f.Add("version: 1\nlimits: {actions: 1/s}\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse([]byte(text))
		if err != nil {
			assert.Nil(t, p)
			return
		}
		assert.Equal(t, 1, p.Version)
		assert.False(t, p.Decide(root, worker(func(t *Target) { t.Self = true }), Ask{Action: Kill}).Allowed)
		assert.False(t, p.Decide(&Caller{}, worker(nil), Ask{Action: Kill}).Allowed)
	})
}

// Root is user 0 also where /etc/passwd says nothing of him, or something else.
func TestRootIsUser0(t *testing.T) {
	p := parse(t, `
version: 1
principals: {ops: {unix_uid: [0]}}
rules:
  - {name: all, principals: [ops], actions: ["*"], targets: {executable: ["/**"]}}
  - {name: not, effect: deny, actions: [read.environ], targets: {user: [root]}}
`)
	for _, name := range []string{"0", "toor", "root"} {
		for i := range 3 { // the real, effective and saved user
			target := worker(func(t *Target) { t.UIDs[i], t.Users[i] = 0, name })
			d := p.Decide(root, target, Ask{Action: Kill})
			assert.True(t, d.Protected, "%s %d", name, i)
			assert.Equal(t, "its user is protected: "+name, d.Reason)
		}
		target := worker(func(t *Target) { t.UIDs[0], t.Users[0] = 0, name })
		assert.Equal(t, "not", p.Decide(root, target, Ask{Action: ReadEnviron}).Rule)
	}
	assert.True(t, p.Decide(root, worker(nil), Ask{Action: Kill}).Allowed)
}
