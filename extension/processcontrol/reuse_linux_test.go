// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"context"
	"fmt"
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
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/extension/processcontrol/internal/metadatatest"
	"github.com/hostscope/hostscope/internal/pidtest"
	"github.com/hostscope/hostscope/platform"
)

// The process becomes another program between the decision and the act.
func TestRecheck(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	require.NoError(t, err)
	sleep, err = filepath.EvalSymlinks(sleep)
	require.NoError(t, err)
	shell, err := filepath.EvalSymlinks("/bin/sh")
	require.NoError(t, err)
	s := start(t, policyFor(`{executable: ["`+shell+`"]}`), nil)
	cmd := exec.Command("sh", "-c", "read x; exec sleep 1000")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { pidtest.End(cmd) })
	h, err := platform.Open(platform.Root{}, platform.Machine{})
	require.NoError(t, err)
	defer h.Close()
	p, err := h.OpenPID(int32(cmd.Process.Pid))
	require.NoError(t, err)
	defer p.Close()
	s.step = func(at string) {
		if at == "intent" {
			_, _ = in.Write([]byte("\n"))
			require.Eventually(t, func() bool {
				r, err := h.Read(context.Background(), p, platform.Request{Fields: platform.FieldExecutable})
				return err == nil && r.Executable == sleep
			}, 10*time.Second, time.Millisecond)
		}
	}
	s.refused(api.PolicyDenied, "POST", "/v1/processes/"+p.Token().String()+"/kill", "")
	unharmed(t, cmd)
	entries := s.entries()
	require.Len(t, entries, 2)
	assert.Equal(t, "failed", entries[1].Outcome)
	assert.Equal(t, "policy-denied", entries[1].Problem)
}

// Nor is it what the caller expects any more, whatever the rules say of it:
// before it is ended, and before it is killed because it has not.
func TestExpectIsRechecked(t *testing.T) {
	for at, body := range map[string]string{"intent": `{"expect":{"executable":%q}}`, "rechecked": `{"grace":"1ms","then":"kill","expect":{"executable":%q}}`} {
		s := start(t, everything, nil)
		cmd := exec.Command("sh", "-c", "trap '' TERM; echo; read x; exec sleep 1000")
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { pidtest.End(cmd) })
		_, err = out.Read(make([]byte, 1))
		require.NoError(t, err)
		shell := get[api.Process](s, "/v1/processes/"+s.ref(cmd.Process.Pid))
		s.step = func(step string) {
			if step != at {
				return
			}
			_, _ = in.Write([]byte("\n"))
			for get[api.Process](s, "/v1/processes/"+shell.Ref+"?fields=name").Fields["name"] != "sleep" {
				time.Sleep(time.Millisecond)
			}
		}
		path := "/v1/processes/" + shell.Ref + "/terminate"
		body = fmt.Sprintf(body, shell.Fields["exe"])
		if at == "intent" {
			s.refused(api.PreconditionFailed, "POST", path, body)
			assert.Equal(t, "precondition-failed", s.entries()[1].Problem)
		} else {
			assert.False(t, s.act("POST", path, body).Killed)
		}
		unharmed(t, cmd)
	}
}

// At every step of an action the PID can become another process's.
func TestReuse(t *testing.T) {
	pidtest.Namespaced(t, func(t *testing.T) {
		s := start(t, everything, nil)
		for name, c := range map[string]struct{ method, path, body string }{
			"kill":     {"POST", "kill", ""},
			"suspend":  {"POST", "suspend", ""},
			"signal":   {"POST", "signal", `{"signal":"SIGHUP"}`},
			"priority": {"PUT", "priority", `{"nice":19}`},
			"all":      {"PUT", "priority", `{"nice":19,"threads":"all"}`},
			"affinity": {"PUT", "cpu-affinity", `{"cpus":[0]}`},
			"limit":    {"PUT", "rlimits/NOFILE", `{"soft":11,"hard":12}`},
		} {
			for _, step := range []string{"", "opened", "decided", "intent", "rechecked"} {
				t.Run(name+" "+step, func(t *testing.T) {
					s.t = t
					s.step = nil
					victim, ref := s.sleeper()
					var newcomer *exec.Cmd
					reuse := func(at string) {
						if at == step && newcomer == nil {
							pidtest.End(victim)
							newcomer = pidtest.StartAs(t, victim.Process.Pid)
						}
					}
					reuse("")
					s.step = reuse
					p := s.refused(api.NoSuchProcess, c.method, "/v1/processes/"+ref+"/"+c.path, c.body)
					if step == "" {
						assert.Equal(t, "pid_reused", p.Reason)
					} else {
						assert.Equal(t, "exited", p.Reason)
					}
					unharmed(t, newcomer)
					last := entry{}
					if all, err := os.ReadFile(filepath.Join(s.dir, "audit.jsonl")); err == nil && len(all) > 0 {
						last = s.entries()[len(s.entries())-1]
					}
					if step == "intent" || step == "rechecked" {
						assert.Equal(t, "failed", last.Outcome, "there is an outcome of each intent")
						assert.Equal(t, ref, last.Ref)
					}
				})
			}
		}
		s.t = t
	})
}

// A setter that may have hit the newcomer says so. (When it does is the matter
// of the tests of package platform.)
func TestIndeterminate(t *testing.T) {
	s := start(t, everything, nil)
	_, ref := s.sleeper()
	s.doing = func(*request, *platform.Host, *platform.Handle, action, *api.Outcome) (platform.Guarantee, error) {
		return platform.Indeterminate, nil
	}
	s.refused(api.OutcomeIndeterminate, "PUT", "/v1/processes/"+ref+"/priority", `{"nice":1}`)
	last := s.entries()[1]
	assert.Equal(t, "indeterminate", last.Outcome)
	assert.Equal(t, "indeterminate", last.Guarantee)
	assert.Equal(t, "outcome-indeterminate", last.Problem)
	metadatatest.AssertEqualProcessControlActions(t, s.telemetry, []metricdata.DataPoint[int64]{{Value: 1, Attributes: attribute.NewSet(
		attribute.String("action", "set_priority"), attribute.String("guarantee", "indeterminate"), attribute.String("outcome", "indeterminate"))}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	metadatatest.AssertEqualProcessControlDenied(t, s.telemetry, []metricdata.DataPoint[int64]{{Value: 1, Attributes: attribute.NewSet(
		attribute.String("reason", "outcome-indeterminate"))}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

func TestTerminateIsNotKill(t *testing.T) {
	stubborn := func() *exec.Cmd {
		cmd := exec.Command("sh", "-c", "trap '' TERM; echo; while :; do sleep 0.05; done")
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { pidtest.End(cmd) })
		_, err = out.Read(make([]byte, 1))
		require.NoError(t, err)
		return cmd
	}
	me := strconv.Itoa(os.Geteuid())
	policy := `
version: 1
actions_enabled: true
protect: {users: [], executables: [], own_cgroup: false, min_age: 0s}
principals: {me: {unix_uid: [` + me + `]}}
rules:
  - {name: end, principals: [me], actions: [terminate, read.basic], targets: {user: ["` + me + `"]}}
`
	s := start(t, policy, nil)
	cmd := stubborn()
	at := "/v1/processes/" + s.ref(cmd.Process.Pid) + "/terminate"
	p := s.refused(api.PolicyDenied, "POST", at, `{"grace":"0s","then":"kill"}`)
	assert.Equal(t, "no rule allows it", p.Detail)
	s.refused(api.PolicyDenied, "POST", at, `{"then":"kill","dry_run":true}`)
	assert.Equal(t, "applied", s.act("POST", at, `{"grace":"1ms"}`).Outcome)
	unharmed(t, cmd)

	s = start(t, policy+`
  - {name: sh, principals: [me], actions: [kill], targets: {executable: ["/**/dash", "/**/bash", "/**/busybox", "/**/sh"]}}
`, nil)
	cmd = exec.Command("sh", "-c", "trap '' TERM; echo; read _; exec sleep 60")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { pidtest.End(cmd) })
	_, err = out.Read(make([]byte, 1))
	require.NoError(t, err)
	ref := s.ref(cmd.Process.Pid)
	s.step = func(step string) {
		if step != "rechecked" {
			return
		}
		_, _ = in.Write([]byte("\n"))
		for get[api.Process](s, "/v1/processes/"+ref+"?fields=name").Fields["name"] != "sleep" {
			time.Sleep(time.Millisecond)
		}
	}
	o := s.act("POST", "/v1/processes/"+ref+"/terminate", `{"grace":"1ms","then":"kill"}`)
	assert.Equal(t, "applied", o.Outcome)
	assert.False(t, o.Killed)
	unharmed(t, cmd)
}

// Where the collector's parent is hidden from it, what is older than the
// collector may be an ancestor; and not where nothing is.
func TestHiddenAncestors(t *testing.T) {
	const uid, targetEnv = 4711, "HOSTSCOPE_TEST_TARGET"
	if target := os.Getenv(targetEnv); target != "" {
		pid, err := strconv.Atoi(target)
		require.NoError(t, err)
		s := start(t, everything, nil)
		if _, err := os.Stat("/proc/1"); err == nil {
			s.act("POST", "/v1/processes/"+s.ref(pid)+"/kill", "")
			return
		}
		p := s.refused(api.ProtectedProcess, "POST", "/v1/processes/"+s.ref(pid)+"/kill", "")
		assert.Equal(t, "it is an ancestor of the collector", p.Detail)
		_, younger := s.sleeper()
		s.act("POST", "/v1/processes/"+younger+"/kill", "")
		return
	}
	pidtest.Namespaced(t, func(t *testing.T) {
		if b, err := os.ReadFile("/proc/self/uid_map"); err != nil || !strings.HasSuffix(string(b), " 4294967295\n") {
			return // there is no other user
		}
		first := func() *exec.Cmd {
			older := exec.Command("sleep", "1000")
			older.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
			require.NoError(t, older.Start())
			t.Cleanup(func() { pidtest.End(older) })
			pidtest.AsUser(t, uid, targetEnv+"="+strconv.Itoa(older.Process.Pid))
			return older
		}
		eventually(t, first().Process.Pid, platform.StateZombie)
		require.NoError(t, unix.Mount("proc", "/proc", "proc", 0, "hidepid=2"))
		unharmed(t, first())
	})
}
