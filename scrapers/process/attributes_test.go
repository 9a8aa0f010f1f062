// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/emittest"
	"github.com/hostscope/hostscope/platform"
)

// allAttributes is a configuration with one metric and every resource
// attribute.
func allAttributes(t testing.TB) Config {
	cfg := only(t, "process.thread.count")
	yaml := "resource_attributes:\n"
	for _, a := range attributes {
		yaml += "  " + a.name + ": {enabled: true}\n"
	}
	require.NoError(t, decode(t, yaml, &cfg))
	return cfg
}

// described are the resource attributes of a process.
func described(t *testing.T, s *Scraper, p *platform.Process) map[string]any {
	catalog, err := emit.Parse(metadataYAML)
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, s.Scrape(t.Context(), snapshot(p), func(md pmetric.Metrics) error {
		require.NoError(t, emittest.Check(md, catalog))
		got = md.ResourceMetrics().At(0).Resource().Attributes().AsRaw()
		return nil
	}))
	return got
}

func TestAttributes(t *testing.T) {
	s := newScraper(t, allAttributes(t))
	all := map[string]any{
		"process.pid":                          int64(4194304),
		"process.creation.time":                "2023-11-21T09:25:34.853Z",
		"process.unix.identity":                "lx1.0123456789ab.4194304.77",
		"process.executable.name":              "postgres",
		"process.executable.path":              "/usr/lib/postgresql/16/bin/postgres",
		"process.command":                      "postgres: app db password=***",
		"process.command_args":                 []any{"postgres", "-D", "/data"},
		"process.args_count":                   int64(3),
		"process.unix.comm":                    "postgres",
		"process.working_directory":            "/data",
		"process.unix.root_directory":          "/srv/jail",
		"process.parent_pid":                   int64(1),
		"process.group_leader.pid":             int64(40),
		"process.session_leader.pid":           int64(30),
		"process.vpid":                         int64(17),
		"process.owner":                        "postgres",
		"process.real_user.id":                 int64(1),
		"process.real_user.name":               "real",
		"process.user.id":                      int64(2),
		"process.user.name":                    "effective",
		"process.saved_user.id":                int64(3),
		"process.saved_user.name":              "3",
		"process.linux.filesystem_user.id":     int64(4),
		"process.unix.real_group.id":           int64(11),
		"process.unix.group.id":                int64(12),
		"process.unix.saved_group.id":          int64(13),
		"process.linux.filesystem_group.id":    int64(14),
		"process.unix.supplementary_group.ids": []any{int64(5), int64(20), int64(4294967294)},
		"process.unix.umask":                   "0022",
		"process.unix.tty.attached":            true,
		"process.unix.tty.name":                "/dev/pts/3",
		"process.linux.cgroup":                 "0::/system.slice/postgresql.service",
		"process.linux.systemd.unit":           "postgresql.service",
	}
	assert.Equal(t, all, described(t, s, rich()))

	const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	p := rich()
	p.Cgroup, p.More.CgroupFile = "/system.slice/docker-"+id+".scope", "12:pids:/\n0::/system.slice/docker-"+id+".scope\n"
	p.More.TTY = platform.TTY{Attached: true} // one in another container
	p.More.Supplementary, p.More.RootDirectory = nil, "/"
	p.Arguments, p.ArgumentCount = []string{"postgres", "--password=hunter2"}, 300
	got := described(t, s, p)
	assert.Equal(t, id, got["container.id"])
	assert.Equal(t, "12:pids:/\n0::/system.slice/docker-"+id+".scope", got["process.linux.cgroup"])
	assert.Equal(t, true, got["process.unix.tty.attached"])
	assert.Equal(t, []any{"postgres", "--password=***"}, got["process.command_args"])
	assert.Equal(t, int64(300), got["process.args_count"])
	assert.Equal(t, "/", got["process.unix.root_directory"])
	assert.NotContains(t, got, "process.unix.tty.name")
	assert.NotContains(t, got, "process.unix.supplementary_group.ids")

	p.More.TTY = platform.TTY{}
	assert.Equal(t, false, described(t, s, p)["process.unix.tty.attached"])
}

// TestUnknownAttributes: of a process of which nothing is known but its
// identity, no other attribute is there.
func TestUnknownAttributes(t *testing.T) {
	p := rich()
	p.Got = platform.FieldThreads
	assert.Equal(t, []string{"process.creation.time", "process.pid", "process.unix.identity"},
		slices.Sorted(maps.Keys(described(t, newScraper(t, allAttributes(t)), p))))
}

// TestChangedAttributes: what is made of strings is made again when they
// change, and when they do not, it is the same.
func TestChangedAttributes(t *testing.T) {
	s, p := newScraper(t, allAttributes(t)), rich()
	first := described(t, s, p)
	assert.Equal(t, first, described(t, s, p))

	p.Arguments[1] = "--token=abc" // in place, as the host reuses its memory
	p.More.Supplementary[0] = 6
	p.Cgroup = "/user.slice/user-1000.slice/session-3.scope"
	got := described(t, s, p)
	assert.Equal(t, []any{"postgres", "--token=***", "/data"}, got["process.command_args"])
	assert.Equal(t, []any{int64(6), int64(20), int64(4294967294)}, got["process.unix.supplementary_group.ids"])
	assert.Equal(t, "session-3.scope", got["process.linux.systemd.unit"])
}

func TestEnvironment(t *testing.T) {
	cfg := only(t, "process.thread.count")
	cfg.EnvironmentVariables = []string{"PATH", "DB_PASSWORD", "LANG", "EMPTY"}
	s, p := newScraper(t, cfg), rich()
	assert.True(t, s.Fields().Has(platform.FieldEnvironment))
	assert.Equal(t, []string{"process.environment_variable"}, s.Uses(platform.FieldEnvironment))
	p.More.Environment = []platform.EnvVar{{Name: "PATH", Value: "/bin"}, {Name: "DB_PASSWORD", Value: "hunter2"}, {Name: "EMPTY"}}
	variables := func() map[string]any {
		got := described(t, s, p)
		maps.DeleteFunc(got, func(key string, _ any) bool { return key < "process.env" || key > "process.env~" })
		return got
	}
	want := map[string]any{"process.environment_variable.PATH": "/bin", "process.environment_variable.DB_PASSWORD": "***"}
	assert.Equal(t, want, variables())
	assert.Equal(t, want, variables())

	p.More.Environment[0].Value = "/usr/bin"
	want["process.environment_variable.PATH"] = "/usr/bin"
	assert.Equal(t, want, variables())

	p.Got &^= platform.FieldEnvironment
	assert.Empty(t, variables())
}
