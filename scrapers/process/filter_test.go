// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/internal/match"
	"github.com/hostscope/hostscope/platform"
)

// candidates are the processes that filters choose from, by their PID: 1 a
// daemon, 2 a script, 3 a thread of the kernel, 4 one that hides its program,
// 5 one of which nothing but its name is known.
func candidates() []*platform.Process {
	const got = platform.FieldName | platform.FieldExecutable | platform.FieldCommand | platform.FieldArguments |
		platform.FieldOwner | platform.FieldCgroup | platform.FieldThreads
	daemon := &platform.Process{
		Name: "nginx", Executable: "/usr/sbin/nginx", Command: "nginx: master process", Owner: "root",
		Arguments: []string{"nginx: master process", "/usr/sbin/nginx", "-g", "daemon off;"}, Cgroup: "/system.slice/nginx.service",
		Got: got,
	}
	script := &platform.Process{
		Name: "python3", Executable: "/usr/bin/python3.12", Command: "python3", Owner: "app-7",
		Arguments: []string{"python3", "/srv/worker.py", "--password", "hunter2"}, Cgroup: "/user.slice/user-7.slice",
		Got: got,
	}
	kernel := &platform.Process{Name: "kworker/0:1", Owner: "root", Got: platform.FieldName | platform.FieldOwner | platform.FieldCgroup | platform.FieldThreads}
	hidden := &platform.Process{
		Name: "nginx", Command: "nginx: worker process", Owner: "www-data", Arguments: []string{"nginx: worker process"},
		Cgroup: "/system.slice/nginx.service", Got: got &^ platform.FieldExecutable,
		Executable: "/left/over", // outside Got
	}
	unknown := &platform.Process{Name: "sh", Got: platform.FieldName | platform.FieldThreads, Owner: "root", Command: "sh", Cgroup: "/"}
	all := []*platform.Process{daemon, script, kernel, hidden, unknown}
	for i, p := range all {
		p.PID, p.Start, p.Created = int32(i+1), uint64(i), now.Add(-time.Hour)
	}
	return all
}

func TestIncludeExclude(t *testing.T) {
	for yaml, want := range map[string][]int32{
		``: {1, 2, 3, 4, 5},

		// Each property, strict: the whole value. What is unknown matches nothing.
		`include: {match_type: strict, executable_names: [nginx]}`:                                               {1, 4},
		`include: {match_type: strict, executable_names: [ngin, nginx2, NGINX]}`:                                 nil,
		`include: {match_type: strict, executable_names: [python3.12, kworker/0:1]}`:                             {2, 3},
		`include: {match_type: strict, executable_paths: [/usr/sbin/nginx, /left/over]}`:                         {1},
		`include: {match_type: strict, commands: [python3, sh]}`:                                                 {2},
		`include: {match_type: strict, command_lines: ["nginx: master process /usr/sbin/nginx -g daemon off;"]}`: {1},
		`include: {match_type: strict, owners: [root, www-data]}`:                                                {1, 3, 4},
		`include: {match_type: strict, cgroups: [/system.slice/nginx.service, /]}`:                               {1, 4},

		// Expressions match any part.
		`include: {match_type: regexp, executable_names: [^ng, worker]}`:                  {1, 3, 4},
		`include: {match_type: regexp, executable_paths: [^/usr/bin/, over]}`:             {2},
		`include: {match_type: regexp, commands: ["^nginx: (master|worker)"]}`:            {1, 4},
		`include: {match_type: regexp, command_lines: ["worker.py --password hunter2$"]}`: {2}, // as it is
		`include: {match_type: regexp, command_lines: ["^nginx"]}`:                        {1, 4},
		`include: {match_type: regexp, owners: [^app-\d+$]}`:                              {2},
		`include: {match_type: regexp, cgroups: ["^/user[.]slice/"]}`:                     {2},
		`include: {match_type: regexp, cgroups: [".*"]}`:                                  {1, 2, 4}, // none is not a path
		`include: {match_type: regexp, command_lines: [".*"]}`:                            {1, 2, 4},

		// All criteria of a block, any value of a criterion, any block.
		`include: {match_type: strict, executable_names: [nginx, sh], owners: [root]}`:                                          {1},
		`include: {match_type: regexp, executable_names: [nginx], owners: [root, www], cgroups: [nginx], commands: [worker]}`:   {4},
		`include: [{match_type: strict, executable_names: [sh]}, {match_type: regexp, owners: [^app], cgroups: [user]}]`:        {2, 5},
		`exclude: {match_type: strict, owners: [root]}`:                                                                         {2, 4, 5},
		`exclude: {match_type: strict, owners: [root], executable_names: [nginx]}`:                                              {2, 3, 4, 5},
		`exclude: [{match_type: strict, owners: [root]}, {match_type: regexp, command_lines: [hunter2]}]`:                       {4, 5},
		"include: {match_type: strict, executable_names: [nginx]}\nexclude: {match_type: strict, owners: [www-data]}":           {1},
		"include: {match_type: strict, executable_names: [nginx]}\nexclude: {match_type: regexp, executable_names: [.]}":        nil,
		"include: {match_type: strict, owners: [root]}\nresource_attributes: {process.pid: {metrics_exclude: [{strict: '3'}]}}": {1},
	} {
		cfg, err := configured(t, yaml)
		require.NoError(t, err)
		cfg.KernelThreads = true
		s := newScraper(t, cfg)
		var got []int32
		for _, p := range candidates() {
			selected := selects(s, p)
			assert.Equal(t, selected, selects(s, p), "decided anew")
			if selected {
				got = append(got, p.PID)
			}
		}
		assert.Equal(t, want, got, yaml)
	}
}

// TestFilterFields: exactly the fields that filters go by are read before.
func TestFilterFields(t *testing.T) {
	for yaml, want := range map[string]platform.Fields{
		``: 0,
		`include: {match_type: strict, executable_names: [a]}`:                             platform.FieldExecutable | platform.FieldName,
		`include: {match_type: strict, executable_paths: [a]}`:                             platform.FieldExecutable,
		`exclude: {match_type: strict, commands: [a]}`:                                     platform.FieldCommand,
		`exclude: {match_type: strict, command_lines: [a]}`:                                platform.FieldArguments,
		`include: {match_type: strict, owners: [a]}`:                                       platform.FieldOwner,
		`include: {match_type: strict, owners: [a], cgroups: [b]}`:                         platform.FieldOwner | platform.FieldCgroup,
		`exclude: [{match_type: strict, owners: [a]}, {match_type: strict, cgroups: [b]}]`: platform.FieldOwner | platform.FieldCgroup,
	} {
		cfg, err := configured(t, yaml)
		require.NoError(t, err)
		s := newScraper(t, cfg)
		assert.Equal(t, want, s.Filter(), yaml)
		assert.True(t, s.Fields().Has(want), yaml)
	}
}

// TestVerdictFollows: what was decided stands until what decides changes, also
// where the host uses the same memory again.
func TestVerdictFollows(t *testing.T) {
	cfg, err := configured(t, `
include: {match_type: strict, executable_names: [nginx], owners: [root], cgroups: [/system.slice/nginx.service]}
exclude: {match_type: regexp, command_lines: [secret], commands: [^sleep]}`)
	require.NoError(t, err)
	s := newScraper(t, cfg)
	p := candidates()[0]
	require.True(t, selects(s, p))
	note := p.Note

	for name, change := range map[string]func() (undo func()){
		"owner":      func() func() { p.Owner = "bin"; return func() { p.Owner = "root" } },
		"cgroup":     func() func() { p.Cgroup = "/"; return func() { p.Cgroup = "/system.slice/nginx.service" } },
		"executable": func() func() { p.Executable = "/bin/sh"; return func() { p.Executable = "/usr/sbin/nginx" } },
		"unknown":    func() func() { p.Got &^= platform.FieldOwner; return func() { p.Got |= platform.FieldOwner } },
		"arguments": func() func() {
			p.Arguments[3], p.Command = "secret", "sleep"
			return func() { p.Arguments[3], p.Command = "daemon off;", "nginx: master process" }
		},
	} {
		undo := change()
		assert.False(t, selects(s, p), name)
		undo()
		assert.True(t, selects(s, p), name)
	}
	assert.Same(t, note, p.Note)

	// What is moved from one argument to the next is another command line.
	p.Arguments = []string{"ab", "c"}
	one := s.chosen.hash(p)
	p.Arguments = []string{"a", "bc"}
	assert.NotEqual(t, one, s.chosen.hash(p))
}

// TestFilterAllocatesNothing, whether or not the process was seen before.
func TestFilterAllocatesNothing(t *testing.T) {
	for _, matchType := range []match.Type{match.Strict, match.Regexp} {
		cfg := NewConfig()
		values := []string{"nothing at all", "^nginx"}
		cfg.Include = Blocks{
			{MatchType: matchType, ExecutableNames: values, Owners: values, Cgroups: values, Commands: values},
			{MatchType: matchType, ExecutablePaths: values},
			{MatchType: matchType, CommandLines: values},
		}
		s := newScraper(t, cfg)
		all := candidates()
		decide := func() {
			for _, p := range all {
				selects(s, p)
			}
		}
		decide()
		assert.Zero(t, testing.AllocsPerRun(100, decide), matchType)
		if raceDetector && matchType == match.Regexp {
			continue
		}
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			for _, p := range all {
				noteOf(p).verdict = verdict{}
			}
			decide()
		}), matchType)
	}
}

// TestMinAge: a process is selected from its age at the time of the snapshot
// on, before anything else is asked of it.
func TestMinAge(t *testing.T) {
	cfg := NewConfig()
	cfg.MinAge = time.Minute
	cfg.Include = Blocks{{MatchType: match.Strict, Owners: []string{"postgres"}}}
	s := newScraper(t, cfg)
	for age, want := range map[time.Duration]bool{
		time.Hour: true, time.Minute: true, time.Minute - 1: false, 0: false,
	} {
		p := postgres()
		p.Age = age
		assert.Equal(t, want, selects(s, p), age)
		assert.Equal(t, want, p.Note != nil, age)
		assert.Equal(t, want, len(scrape(t, s, p)) > 0, age)
	}

	cfg.MinAge = 0
	p := postgres()
	p.Age = 0
	assert.True(t, selects(newScraper(t, cfg), p))
}

// BenchmarkFilter is what include and exclude cost for a process in a scrape.
func BenchmarkFilter(b *testing.B) {
	cfg := NewConfig()
	cfg.Include = Blocks{{MatchType: match.Regexp, ExecutableNames: []string{"^nginx$"}, Owners: []string{"root"}, CommandLines: []string{"-g daemon"}}}
	s := newScraper(b, cfg)
	p := candidates()[0]
	b.ReportAllocs()
	for b.Loop() {
		selects(s, p)
	}
}

// selects decides as the platform does.
func selects(s *Scraper, p *platform.Process) bool { return !s.Ignore(p) && s.Select(p) }
