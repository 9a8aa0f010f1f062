// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/hostscope/hostscope/extension/processcontrol"
	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/internal/pidtest"
)

// tool runs hostscopectl against an extension that runs.
type tool struct {
	t        *testing.T
	endpoint string
	dir      string
}

func newTool(t *testing.T, more string) *tool {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	policy := filepath.Join(dir, "policy.yaml")
	require.NoError(t, os.WriteFile(policy, fmt.Appendf(nil, `
version: 1
actions_enabled: true
protect: {users: [], executables: [], own_cgroup: false, min_age: 0s}
principals: {me: {unix_uid: [%d]}}
rules:
  - {name: all, principals: [me], actions: ["*"], targets: {user: ["%d"]}, constraints: {environ: [LANG]}}
%s`, os.Geteuid(), os.Geteuid(), more), 0o600))
	factory := processcontrol.NewFactory()
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"endpoint": filepath.Join(dir, "s"), "policy_file": policy, "audit": map[string]any{"file": filepath.Join(dir, "audit")},
	}).Unmarshal(cfg))
	e, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, e.Shutdown(context.Background())) })
	return &tool{t, "unix://" + filepath.Join(dir, "s"), dir}
}

// run runs a command and answers its exit code and what it printed.
func (c *tool) run(args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = run(c.t.Context(), append([]string{"--endpoint", c.endpoint}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// ok runs a command that does what it says.
func (c *tool) ok(args ...string) string {
	c.t.Helper()
	code, out, errs := c.run(args...)
	assert.Zero(c.t, code, "%s", errs)
	assert.Empty(c.t, errs)
	return out
}

// fails runs a command that ends with an exit code, and says why.
func (c *tool) fails(code int, why string, args ...string) {
	c.t.Helper()
	got, out, errs := c.run(args...)
	assert.Equal(c.t, code, got, "%v: %s", args, errs)
	assert.Contains(c.t, errs, why)
	assert.Empty(c.t, out)
}

func (c *tool) ref(pid int) string {
	c.t.Helper()
	var p api.Process
	require.NoError(c.t, json.Unmarshal([]byte(c.ok("get", strconv.Itoa(pid), "--json")), &p))
	return p.Ref
}

// row is a line of a table, with its columns.
func row(t *testing.T, table, first string) []string {
	t.Helper()
	for line := range strings.Lines(table) {
		if cells := strings.Fields(line); len(cells) > 0 && cells[0] == first {
			return cells
		}
	}
	require.Fail(t, "there is no row "+first, "%s", table)
	return nil
}

// value is the second column of a row.
func value(t *testing.T, table, name string) string {
	t.Helper()
	return strings.Join(row(t, table, name)[1:], " ")
}

func TestLook(t *testing.T) {
	c := newTool(t, "")
	cmd := exec.Command("sleep", "1000")
	cmd.Env = []string{"LANG=C", "B\x1bAD=1", "TZ=UTC"}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { pidtest.End(cmd) })
	pid := strconv.Itoa(cmd.Process.Pid)
	require.Eventually(t, func() bool { return strings.Contains(c.ok("get", pid), "sleep") }, 10*time.Second, time.Millisecond)
	ref := c.ref(cmd.Process.Pid)

	assert.Equal(t, []string{"PID", "REF", "USERNAME", "STATUS", "EXE"}, strings.Fields(strings.SplitN(c.ok("ps"), "\n", 2)[0]))
	cells := row(t, c.ok("ps", "--executable", "sleep", "--fields", "status,ppid"), pid)
	assert.Equal(t, []string{pid, ref, "sleeping", strconv.Itoa(os.Getpid())}, cells)
	var list []api.Process
	require.NoError(t, json.Unmarshal([]byte(c.ok("ps", "--json", "--executable", "sleep", "--fields", "name", "--state", "sleeping")), &list))
	assert.NotEmpty(t, list)
	assert.Equal(t, []string{"ref", ref}, row(t, c.ok("get", ref, "--fields", "nice,cmdline"), "ref"))
	assert.Equal(t, []string{"cmdline", "sleep", "1000"}, row(t, c.ok("get", ref, "--fields", "nice,cmdline"), "cmdline"))
	tree := c.ok("tree", "self")
	assert.Contains(t, tree, "  sleep ")
	assert.Equal(t, ref, row(t, tree, pid)[3])
	assert.Equal(t, ref, row(t, c.ok("tree"), pid)[3])
	assert.Equal(t, "FILE", row(t, c.ok("fds", ref), "0")[3])
	assert.Empty(t, c.ok("connections", ref, "--kind", "tcp"))
	assert.Contains(t, c.ok("maps", ref, "--grouped"), "[stack]")
	assert.Equal(t, "LANG=C\nTZ\n", c.ok("environ", ref))
	assert.Equal(t, []string{"NOFILE"}, row(t, c.ok("rlimit", ref), "NOFILE")[:1])
	assert.Equal(t, value(t, c.ok("get", ref, "--fields", "nice"), "nice")+"\n", c.ok("nice", ref))
	assert.NotEmpty(t, c.ok("affinity", ref))
	assert.Equal(t, []string{"principals", "me"}, row(t, c.ok("capabilities"), "principals"))
	for _, args := range [][]string{{"get", ref}, {"tree", ref}, {"fds", ref}, {"connections", ref}, {"maps", ref}, {"environ", ref}, {"rlimit", ref}, {"rlimit", ref, "core"}, {"nice", ref}, {"affinity", ref}, {"capabilities"}} {
		assert.True(t, json.Valid([]byte(c.ok(append(args, "--json")...))), args)
	}
	pidtest.End(cmd)
	c.fails(exitNoSuchProcess, "No such process", "get", ref)
	c.fails(exitNoSuchProcess, "(not_found)", "tree", pid)
}

func TestAct(t *testing.T) {
	c := newTool(t, "")
	cmd := pidtest.Sleeper(t)
	ref := c.ref(cmd.Process.Pid)
	out := c.ok("nice", ref, "19", "--reason", "it is in the way")
	assert.Equal(t, "verified", value(t, out, "guarantee"))
	assert.Equal(t, "1 of 1", value(t, out, "threads"))
	assert.Equal(t, "19\n", c.ok("nice", ref))
	cpus := strings.TrimSpace(c.ok("affinity", ref))
	first := strings.Fields(cpus)[0]
	assert.Equal(t, first, value(t, c.ok("affinity", ref, first, "--all-threads"), "after"))
	assert.Equal(t, cpus, value(t, c.ok("affinity", ref, "all"), "after"))
	out = c.ok("rlimit", ref, "nofile", "--soft", "100", "--hard", "150")
	assert.Equal(t, "atomic=true hard=150 resource=NOFILE soft=100", value(t, out, "after"))
	assert.Equal(t, []string{"NOFILE", "100", "150"}, row(t, c.ok("rlimit", ref, "NOFILE"), "NOFILE"))
	assert.Equal(t, "dry_run", value(t, c.ok("kill", ref, "--dry-run"), "outcome"))
	c.ok("suspend", ref)
	c.ok("resume", ref)
	c.ok("signal", ref, "winch")
	c.ok("signal", ref, "0")
	c.fails(exitPolicy, "The process is not what was expected", "kill", ref, "--expect-executable", "/bin/other")
	c.fails(exitUsage, "may have this PID by now", "kill", strconv.Itoa(cmd.Process.Pid))
	c.fails(exitUsage, "may have this PID by now", "wait", strconv.Itoa(cmd.Process.Pid))

	code, out, errs := c.run("wait", ref, "--timeout", "10ms")
	assert.Equal(t, exitTimeout, code)
	assert.Empty(t, errs)
	assert.Equal(t, "no", row(t, out, "-")[2])
	out = c.ok("terminate", ref, "--kill", "--grace", "10s")
	assert.Equal(t, "SIGTERM", value(t, out, "ended")[3:])
	assert.Contains(t, []string{"exact", "verified", "checked"}, value(t, out, "guarantee"))
	assert.Equal(t, "SIGTERM", row(t, c.ok("wait", ref), strconv.Itoa(cmd.Process.Pid))[4])
	_ = cmd.Wait()
	c.fails(exitNoSuchProcess, "(exited)", "terminate", ref)
	code, out, _ = c.run("kill", ref, "--json")
	assert.Equal(t, exitNoSuchProcess, code)
	var p api.Problem
	require.NoError(t, json.Unmarshal([]byte(out), &p))
	assert.Equal(t, api.NoSuchProcess, p.Kind())
	c.fails(exitPolicy, "it is the collector", "kill", "self")
	audit, err := os.ReadFile(filepath.Join(c.dir, "audit"))
	require.NoError(t, err)
	assert.Contains(t, string(audit), "it is in the way")
}

func TestUsage(t *testing.T) {
	c := newTool(t, "")
	for _, args := range [][]string{
		{"kill"}, {"kill", "a", "b"}, {"get"}, {"signal", "self"}, {"nope"}, {"kill", "--nope", "self"}, {"nice", "self", "high"}, {"nice", "self", "20"}, {"affinity", "self", "3-1"},
		{"affinity", "self", "x"}, {"rlimit", "self", "NOFILE", "--soft", "01"}, {"rlimit", "self", "--soft", "1"}, {"rlimit", "self", "FILES", "--soft", "1"}, {"get", "not a reference"},
		{"get", "lx1.x"}, {"connections", "self", "--kind", "x"}, {"ps", "--fields", "x"}, {"wait"}, {"policy", "check"}, {"policy", "nope"}, {"ps", "extra"}, {"get", "../../v1/capabilities"},
	} {
		code, out, errs := c.run(args...)
		assert.Equal(t, exitUsage, code, "%v: %s", args, errs)
		assert.Empty(t, out)
		assert.NotEmpty(t, errs)
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		assert.Contains(t, c.ok("completion", shell), "hostscopectl")
	}
	assert.Contains(t, c.ok("policy", "check", filepath.Join(c.dir, "policy.yaml")), "1 rules for 1 principals")
	bad := filepath.Join(c.dir, "bad.yaml")
	require.NoError(t, os.WriteFile(bad, []byte("version: 2"), 0o600))
	c.fails(exitFailure, "version: must be 1", "policy", "check", bad)
	require.NoError(t, os.Chmod(bad, 0o666))
	c.fails(exitFailure, "others may write it", "policy", "check", bad)

	none := &tool{t: t, endpoint: "unix:///nowhere"}
	none.fails(exitFailure, "dial unix /nowhere: connect: no such file", "ps")
	none.fails(exitUsage, "\n\tps\n", "pss")
	for _, endpoint := range []string{"", "ftp://x", "/run/x.sock", "http://"} {
		none.endpoint = endpoint
		none.fails(exitUsage, "--endpoint", "ps")
	}
	token := filepath.Join(c.dir, "token")
	require.NoError(t, os.WriteFile(token, []byte("secret\n"), 0o600))
	none.endpoint = "http://192.0.2.1:1"
	none.fails(exitUsage, "without TLS", "ps", "--token-file", token)
}

// Who may not connect is denied access, and who is denied by a rule is told which.
func TestDenied(t *testing.T) {
	c := newTool(t, "  - {name: never, effect: deny, actions: [kill]}\n")
	c.fails(exitPolicy, "Denied by policy: a rule denies it (rule never)", "kill", c.ref(pidtest.Sleeper(t).Process.Pid))
	assert.Equal(t, exitAccessDenied, exitCode(&url.Error{Op: "Get", URL: "http://localhost/", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}}))
}

// Each type of problem has its exit code.
func TestExitCodes(t *testing.T) {
	var answer *api.Problem
	header := http.Header{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		if answer == nil {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(answer.Status)
		_ = json.NewEncoder(w).Encode(answer)
	}))
	defer server.Close()
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("secret\n"), 0o600))
	c := &tool{t: t, endpoint: server.URL}
	want := map[api.Kind]int{
		api.NoSuchProcess: 3, api.ZombieProcess: 3, api.AccessDenied: 4, api.Unauthenticated: 4, api.PolicyDenied: 5, api.ProtectedProcess: 5, api.ActionsDisabled: 5,
		api.PreconditionFailed: 5, api.OutcomeIndeterminate: 6, api.TimeoutExpired: 124, api.InvalidRequest: 2, api.IdentityRequired: 2, api.InvalidArgument: 2,
	}
	for kind := range api.Kinds {
		answer = api.NewProblem(kind, "for a reason")
		code, _, errs := c.run("kill", "lx1.0123456789ab.1.1", "--token-file", token)
		if want[kind] == 0 {
			want[kind] = 1
		}
		assert.Equal(t, want[kind], code, kind)
		assert.Equal(t, "hostscopectl: "+answer.Title+": for a reason\n", errs)
	}
	assert.Equal(t, "Bearer secret", header.Get("Authorization"))
	// A program chooses what it is called, and so what stands in a message.
	answer = api.NewProblem(api.ProtectedProcess, "its executable is protected: /x\x1b[2J\u009b1m")
	_, _, errs := c.run("kill", "lx1.0123456789ab.1.1")
	assert.Equal(t, "hostscopectl: The process is protected: its executable is protected: /x\\x1b[2J\\u009b1m\n", errs)
	code, out, errs := c.run("ps", "--json")
	assert.Equal(t, 5, code)
	assert.Empty(t, errs)
	assert.True(t, json.Valid([]byte(out)))
	answer = nil
	code, _, _ = c.run("ps", "--request-timeout", "10ms")
	assert.Equal(t, 124, code)
}

// The pages of a list are of one process, whosever its PID is by then.
func TestPages(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI())
		p := api.Process{Ref: "lx1.0123456789ab.7.1", PID: 7, Fields: map[string]any{"fds": []any{map[string]int{"fd": 2 + len(asked)}}}}
		if len(asked) < 3 {
			p.Next = map[string]string{"fds": strconv.Itoa(2 + len(asked))}
		}
		_ = json.NewEncoder(w).Encode(p)
	}))
	defer server.Close()
	c := &tool{t: t, endpoint: server.URL}
	assert.Equal(t, []string{"FD", "3", "4", "5"}, strings.Fields(c.ok("fds", "7")))
	assert.Equal(t, []string{"/v1/processes/pid:7/fds?", "/v1/processes/lx1.0123456789ab.7.1/fds?after=3", "/v1/processes/lx1.0123456789ab.7.1/fds?after=4"}, asked)
}

func TestClean(t *testing.T) {
	assert.Equal(t, "plain é", clean("plain é"))
	assert.Equal(t, `\x1b[31m\n\u202e`, clean("\x1b[31m\n\u202e"))
	assert.Equal(t, "a=1 b=-", cell(map[string]any{"a": 1.0, "b": nil}))
	for text, want := range map[string][]int32{"all": {}, "0": {0}, "0,2-4": {0, 2, 3, 4}} {
		got, err := parseCPUs(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}
