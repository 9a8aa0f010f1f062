// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
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
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/extension/processcontrol/internal/metadatatest"
	"github.com/hostscope/hostscope/internal/pidtest"
	"github.com/hostscope/hostscope/platform"
)

// exact is the best guarantee of a signal here.
func exact(s *server) string {
	if get[api.Capabilities](s, "/v1/capabilities").Kernel["pidfd_send_signal"] {
		return "exact"
	}
	return "verified"
}

func TestSignals(t *testing.T) {
	s := start(t, everything, nil)
	cmd, ref := s.sleeper()
	at := "/v1/processes/" + ref

	o := s.act("POST", at+"/suspend", "")
	assert.Equal(t, "suspend", o.Action)
	assert.Equal(t, ref, o.Ref)
	assert.EqualValues(t, cmd.Process.Pid, o.PID)
	assert.Equal(t, "applied", o.Outcome)
	assert.Equal(t, exact(s), o.Guarantee)
	assert.Equal(t, "all", o.Rule)
	assert.Equal(t, "sleeping", o.Before)
	eventually(t, cmd.Process.Pid, platform.StateStopped)
	assert.Equal(t, "stopped", s.act("POST", at+"/resume", "{}").Before)
	eventually(t, cmd.Process.Pid, platform.StateSleeping)

	o = s.act("POST", at+"/signal", `{"signal":0}`)
	assert.Equal(t, "read.basic", o.Action)
	assert.Equal(t, "sleeping", o.After)
	assert.Equal(t, "suspend", s.act("POST", at+"/signal", `{"signal":"SIGSTOP"}`).Action)
	assert.Equal(t, "resume", s.act("POST", at+"/signal", `{"signal":18}`).Action)
	assert.Equal(t, "send_signal", s.act("POST", at+"/signal", `{"signal":"SIGWINCH"}`).Action)
	unharmed(t, cmd)
	for body, kind := range map[string]api.Kind{
		`{"signal":-1}`: api.InvalidRequest, `{"signal":1.0}`: api.InvalidRequest, `{"signal":1e0}`: api.InvalidRequest, `{"signal":"9"}`: api.InvalidRequest,
		`{"signal":"09"}`: api.InvalidRequest, `{"signal":65}`: api.InvalidArgument, `{"signal":32}`: api.InvalidArgument, `{"signal":33}`: api.InvalidArgument,
		`{"signal":"SIGNONE"}`: api.InvalidArgument, `{"signal":"HUP"}`: api.InvalidArgument, `{"signal":""}`: api.InvalidRequest, `{"signal":null}`: api.InvalidRequest,
		`{"signal":true}`: api.InvalidRequest, `{"signal":[9]}`: api.InvalidRequest, `{"signal":99999999999999999999}`: api.InvalidRequest, `{}`: api.InvalidRequest, ``: api.InvalidRequest,
		`{"signal":"SIGHUP","sig":1}`: api.InvalidRequest, `{"signal":"SIGHUP"}{}`: api.InvalidRequest, `{"signal":"SIGHUP"`: api.InvalidRequest, `[]`: api.InvalidRequest,
		`{"signal":"SIGHUP","grace":"1s"}`: api.InvalidRequest,
		// What JSON leaves open is refused.
		`{"signal":0,"signal":9}`: api.InvalidRequest, `{"signal":"SIGHUP","dry_run":true,"dry_run":false}`: api.InvalidRequest, `{"SIGNAL":9}`: api.InvalidRequest,
		`{"\u017fignal":9}`: api.InvalidRequest, `{"signal":9,"expect":{"user":"a","user":"b"}}`: api.InvalidRequest, `{"signal":9,"expect":null}`: api.InvalidRequest,
	} {
		s.refused(kind, "POST", at+"/signal", body)
	}
	unharmed(t, cmd)
	o = s.act("POST", at+"/signal", `{"signal":9}`)
	assert.Equal(t, "kill", o.Action)
	eventually(t, cmd.Process.Pid, platform.StateZombie)
	for _, action := range []string{"kill", "terminate", "suspend", "resume"} {
		s.refused(api.ZombieProcess, "POST", at+"/"+action, "")
	}
	_ = cmd.Wait()
	assert.Equal(t, "exited", s.refused(api.NoSuchProcess, "POST", at+"/kill", "").Reason)

	// Each action is in the audit file twice.
	var events []string
	for _, e := range s.entries() {
		events = append(events, e.Event+" "+e.Action+" "+e.Outcome)
	}
	assert.Equal(t, []string{
		"intent suspend ", "outcome suspend applied", "intent resume ", "outcome resume applied", "intent suspend ", "outcome suspend applied",
		"intent resume ", "outcome resume applied", "intent send_signal ", "outcome send_signal applied", "intent kill ", "outcome kill applied",
	}, events)
	metadatatest.AssertEqualProcessControlActions(t, s.telemetry, []metricdata.DataPoint[int64]{
		{Value: 2, Attributes: attribute.NewSet(attribute.String("action", "suspend"), attribute.String("guarantee", exact(s)), attribute.String("outcome", "applied"))},
		{Value: 2, Attributes: attribute.NewSet(attribute.String("action", "resume"), attribute.String("guarantee", exact(s)), attribute.String("outcome", "applied"))},
		{Value: 1, Attributes: attribute.NewSet(attribute.String("action", "send_signal"), attribute.String("guarantee", exact(s)), attribute.String("outcome", "applied"))},
		{Value: 1, Attributes: attribute.NewSet(attribute.String("action", "kill"), attribute.String("guarantee", exact(s)), attribute.String("outcome", "applied"))},
	}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

func TestTerminate(t *testing.T) {
	s := start(t, everything, nil)
	_, ref := s.sleeper()
	o := s.act("POST", "/v1/processes/"+ref+"/terminate", `{"grace":"1m","then":"kill","reason":"it leaks"}`)
	assert.False(t, o.Killed)
	assert.Equal(t, "zombie", o.After)
	require.NotNil(t, o.Exit)
	assert.Equal(t, api.Exit{Signal: "SIGTERM"}, *o.Exit)
	assert.Positive(t, o.Duration)
	assert.Equal(t, "it leaks", s.entries()[0].Reason)
	assert.Equal(t, map[string]any{"grace": "1m0s", "then": "kill"}, s.entries()[0].Arguments)

	stubborn := exec.Command("sh", "-c", "trap '' TERM; echo; while :; do sleep 0.05; done")
	out, err := stubborn.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, stubborn.Start())
	t.Cleanup(func() { pidtest.End(stubborn) })
	_, err = out.Read(make([]byte, 1))
	require.NoError(t, err)
	at := "/v1/processes/" + s.ref(stubborn.Process.Pid) + "/terminate"
	o = s.act("POST", at, `{"grace":"10ms"}`)
	assert.Nil(t, o.Exit)
	assert.NotEqual(t, "zombie", o.After)
	o = s.act("POST", at, `{"grace":"10ms","then":"kill"}`)
	assert.True(t, o.Killed)
	require.NotNil(t, o.Exit)
	assert.Equal(t, "SIGKILL", o.Exit.Signal)

	_, ref = s.sleeper()
	at = "/v1/processes/" + ref + "/terminate"
	for body, kind := range map[string]api.Kind{
		`{"grace":"6m"}`: api.InvalidArgument, `{"grace":"-1s"}`: api.InvalidRequest, `{"grace":1}`: api.InvalidRequest, `{"grace":"soon"}`: api.InvalidRequest,
		`{"then":"pray"}`: api.InvalidArgument, `{"nice":1}`: api.InvalidRequest, `{"signal":1}`: api.InvalidRequest,
	} {
		s.refused(kind, "POST", at, body)
	}
}

func TestSetters(t *testing.T) {
	s := start(t, everything, nil)
	cmd, ref := s.sleeper()
	at := "/v1/processes/" + ref
	o := s.act("PUT", at+"/priority", `{"nice":18}`)
	assert.Equal(t, "verified", o.Guarantee)
	assert.Equal(t, []any{float64(niceness(t)), 18.0}, []any{o.Before, o.After})
	assert.Equal(t, &api.Threads{Changed: 1, Total: 1}, o.Threads)
	o = s.act("PUT", at+"/priority", `{"nice":19,"threads":"all"}`)
	assert.Equal(t, 19.0, o.After)
	assert.Equal(t, 19.0, get[api.Process](s, at+"/priority").Fields["nice"])

	before := get[api.Process](s, at+"/cpu-affinity").Fields["cpu_affinity"].([]any)
	first := []any{before[0]}
	text, err := json.Marshal(map[string]any{"cpus": first, "threads": "all"})
	require.NoError(t, err)
	o = s.act("PUT", at+"/cpu-affinity", string(text))
	assert.Equal(t, []any{any(before), any(first)}, []any{o.Before, o.After})
	o = s.act("PUT", at+"/cpu-affinity", `{"cpus":[]}`)
	assert.Equal(t, before, o.After)

	o = s.act("PUT", at+"/rlimits/NOFILE", `{"soft":100,"hard":200}`)
	assert.Equal(t, map[string]any{"resource": "NOFILE", "soft": 100.0, "hard": 200.0, "atomic": true}, o.After)
	assert.True(t, *o.Atomic)
	o = s.act("PUT", at+"/rlimits/NOFILE", `{"soft":"unchanged","hard":150}`)
	assert.Equal(t, map[string]any{"resource": "NOFILE", "soft": 100.0, "hard": 150.0, "atomic": false}, o.After)
	assert.False(t, *o.Atomic)
	o = s.act("PUT", at+"/rlimits/CPU", `{"soft":"unlimited","hard":"unlimited"}`)
	assert.Equal(t, map[string]any{"resource": "CPU", "soft": "unlimited", "hard": "unlimited", "atomic": true}, o.After)
	limit := get[api.Limits](s, at+"/rlimits/NOFILE")
	assert.Equal(t, api.Limits{Resource: "NOFILE", Soft: api.Limit{Value: 100}, Hard: api.Limit{Value: 150}, Atomic: true}, limit)

	for _, c := range []struct {
		path, body string
		kind       api.Kind
	}{
		{"/priority", `{}`, api.InvalidRequest},
		{"/priority", `{"nice":20}`, api.InvalidArgument},
		{"/priority", `{"nice":-21}`, api.InvalidArgument},
		{"/priority", `{"nice":1.5}`, api.InvalidRequest},
		{"/priority", `{"nice":1.0}`, api.InvalidRequest},
		{"/priority", `{"nice":"1"}`, api.InvalidRequest},
		{"/priority", `{"nice":1,"threads":"some"}`, api.InvalidArgument},
		{"/priority", `{"nice":1,"cpus":[]}`, api.InvalidRequest},
		{"/cpu-affinity", `{}`, api.InvalidRequest},
		{"/cpu-affinity", `{"cpus":null}`, api.InvalidRequest},
		{"/cpu-affinity", `{"cpus":[null]}`, api.InvalidRequest},
		{"/cpu-affinity", `{"cpus":[-1]}`, api.InvalidArgument},
		{"/cpu-affinity", `{"cpus":[65535]}`, api.InvalidArgument},
		{"/cpu-affinity", `{"cpus":["0"]}`, api.InvalidRequest},
		{"/cpu-affinity", `{"cpus":[0.5]}`, api.InvalidRequest},
		{"/rlimits/NOFILE", `{}`, api.InvalidRequest},
		{"/rlimits/NOFILE", `{"soft":"unchanged","hard":"unchanged"}`, api.InvalidRequest},
		{"/rlimits/NOFILE", `{"soft":2,"hard":1}`, api.InvalidArgument},
		{"/rlimits/NOFILE", `{"soft":-1}`, api.InvalidRequest},
		{"/rlimits/NOFILE", `{"soft":1.0}`, api.InvalidRequest},
		{"/rlimits/NOFILE", `{"soft":"lots"}`, api.InvalidRequest},
		{"/rlimits/NOFILE", `{"soft":18446744073709551615}`, api.InvalidRequest},
		{"/rlimits/NOFILE", `{"soft":18446744073709551616}`, api.InvalidRequest},
		{"/rlimits/FILES", `{"soft":1}`, api.InvalidArgument},
	} {
		s.refused(c.kind, "PUT", at+c.path, c.body)
	}
	assert.Equal(t, 19.0, get[api.Process](s, at+"/priority").Fields["nice"])
	assert.Equal(t, limit, get[api.Limits](s, at+"/rlimits/NOFILE"))
	_ = cmd
}

// A number is no identity: it is for what only looks.
func TestIdentityRequired(t *testing.T) {
	s := start(t, everything, nil)
	cmd, _ := s.sleeper()
	by := "/v1/processes/pid:" + strconv.Itoa(cmd.Process.Pid)
	for _, action := range []string{"kill", "terminate", "suspend", "resume", "wait"} {
		s.refused(api.IdentityRequired, "POST", by+"/"+action, "")
	}
	s.refused(api.IdentityRequired, "POST", by+"/signal", `{"signal":"SIGHUP"}`)
	s.refused(api.IdentityRequired, "PUT", by+"/priority", `{"nice":1}`)
	s.refused(api.IdentityRequired, "PUT", by+"/cpu-affinity", `{"cpus":[]}`)
	s.refused(api.IdentityRequired, "PUT", by+"/rlimits/CORE", `{"soft":1}`)
	s.refused(api.IdentityRequired, "POST", "/v1/wait", `{"refs":["pid:1"]}`)
	unharmed(t, cmd)
	created := get[api.Process](s, by).CreationTime.Format(time.RFC3339Nano)
	assert.Equal(t, "applied", s.act("POST", by+"@"+created+"/kill", "").Outcome)
}

// What always is protected, whoever asks.
func TestProtected(t *testing.T) {
	s := start(t, everything, nil)
	h, err := platform.Open(platform.Root{}, platform.Machine{})
	require.NoError(t, err)
	defer h.Close()
	path := func(pid int) string {
		p, err := h.OpenPID(int32(pid))
		require.NoError(t, err)
		defer p.Close()
		return "/v1/processes/" + p.Token().String()
	}
	self, parent, first := path(os.Getpid()), path(os.Getppid()), path(1)
	for at, detail := range map[string]string{self: "it is the collector", "/v1/processes/self": "it is the collector", parent: "it is an ancestor of the collector", first: "it is the first process"} {
		for _, action := range []string{"kill", "terminate", "suspend", "resume"} {
			p := s.refused(api.ProtectedProcess, "POST", at+"/"+action, "")
			assert.Equal(t, detail, p.Detail)
		}
		s.refused(api.ProtectedProcess, "POST", at+"/signal", `{"signal":"SIGWINCH"}`)
		s.refused(api.ProtectedProcess, "PUT", at+"/priority", `{"nice":1}`)
		s.refused(api.ProtectedProcess, "PUT", at+"/cpu-affinity", `{"cpus":[]}`)
		s.refused(api.ProtectedProcess, "PUT", at+"/rlimits/CORE", `{"soft":1}`)
		s.refused(api.ProtectedProcess, "POST", at+"/kill", `{"dry_run":true}`)
	}
	for _, e := range s.entries() {
		assert.Equal(t, "refused", e.Event)
		assert.Equal(t, "protected-process", e.Problem)
		assert.NotZero(t, e.Target.PID)
	}
	if p, err := h.OpenPID(2); err == nil && p.KernelThread() {
		assert.Equal(t, "it is a thread of the kernel", s.refused(api.ProtectedProcess, "POST", "/v1/processes/"+p.Token().String()+"/kill", "").Detail)
		p.Close()
	}
}

func TestExpectAndDryRun(t *testing.T) {
	s := start(t, everything, nil)
	cmd, ref := s.sleeper()
	at := "/v1/processes/" + ref + "/kill"
	exe := get[api.Process](s, "/v1/processes/"+ref).Fields["exe"].(string)
	user := get[api.Process](s, "/v1/processes/"+ref).Fields["username"].(string)
	s.refused(api.PreconditionFailed, "POST", at, `{"expect":{"executable":"/bin/other"}}`)
	s.refused(api.PreconditionFailed, "POST", at, `{"expect":{"executable":"`+exe+`","user":"other"}}`)
	s.refused(api.InvalidRequest, "POST", at, `{"expect":{"exe":"x"}}`)
	s.refused(api.InvalidArgument, "POST", at, `{"reason":"`+strings.Repeat("x", 1025)+`"}`)
	o := s.act("POST", at, `{"dry_run":true,"expect":{"executable":"`+exe+`","user":"`+user+`"}}`)
	assert.Equal(t, "dry_run", o.Outcome)
	assert.Empty(t, o.Guarantee)
	unharmed(t, cmd)

	// With actions_enabled: false everything is a dry run.
	quiet := start(t, strings.Replace(everything, "actions_enabled: true", "actions_enabled: false", 1), nil)
	o = quiet.act("POST", at, "")
	assert.Equal(t, "dry_run", o.Outcome)
	assert.Equal(t, "all", o.Rule)
	unharmed(t, cmd)
	entries := quiet.entries()
	require.Len(t, entries, 2)
	assert.True(t, entries[0].DryRun)
	assert.Equal(t, "dry_run", entries[1].Outcome)
}

// Without a policy file one may look at one's own processes, and no more.
func TestWithoutPolicy(t *testing.T) {
	s := start(t, "", nil)
	cmd, ref := s.sleeper()
	at := "/v1/processes/" + ref
	p := get[api.Process](s, at+"?fields=name,cmdline,environ,cwd")
	assert.Equal(t, []any{"sleep", "1000"}, p.Fields["cmdline"])
	assert.Equal(t, map[string]string{"environ": "policy_denied", "cwd": "policy_denied"}, p.Errors)
	for _, e := range endpoints {
		method, path, _ := strings.Cut(e.pattern, " ")
		path = strings.NewReplacer("{ref}", ref, "{resource}", "NOFILE").Replace(path)
		switch {
		case method == "GET" && (strings.Contains(path, "environ") || strings.Contains(path, "fds") || strings.Contains(path, "open-files") || strings.Contains(path, "connections") ||
			strings.Contains(path, "memory-maps") || strings.Contains(path, "threads") || strings.Contains(path, "rlimits")):
			assert.Equal(t, "no rule allows it", s.refused(api.PolicyDenied, method, path, "").Detail)
		case strings.Contains(path, "system") || strings.Contains(path, "sensors"):
			s.refused(api.PolicyDenied, method, path+map[bool]string{true: "?path=/"}[strings.Contains(path, "disk")], "")
		case strings.HasSuffix(path, "kill"), strings.HasSuffix(path, "terminate"), strings.HasSuffix(path, "suspend"), strings.HasSuffix(path, "resume"):
			s.refused(api.ActionsDisabled, method, path, "")
		case strings.HasSuffix(path, "/wait") && strings.Contains(path, ref):
			s.refused(api.PolicyDenied, method, path, "")
		}
	}
	unharmed(t, cmd)
	can := get[api.Capabilities](s, "/v1/capabilities")
	assert.Equal(t, []string{"read.basic"}, can.Permissions)
	assert.False(t, can.ActionsEnabled)
	assert.NoFileExists(t, filepath.Join(s.dir, "audit.jsonl"))
}

// Another user on the socket may act on what the kernel would let him.
func TestOtherUser(t *testing.T) {
	const targetEnv = "HOSTSCOPE_TEST_SOCKET"
	if socket := os.Getenv(targetEnv); socket != "" {
		refs := strings.Split(os.Getenv("HOSTSCOPE_TEST_REFS"), ",")
		client := socketClient(socket)
		for _, c := range []struct {
			method, path, body string
			want               int
			detail             string
		}{
			{"GET", "/v1/processes/" + refs[0], "", 200, ""},
			{"POST", "/v1/processes/" + refs[0] + "/kill", "", 403, "not the caller's"},
			{"PUT", "/v1/processes/" + refs[0] + "/priority", `{"nice":1}`, 403, "not the caller's"},
			{"GET", "/v1/processes/" + refs[0] + "/environ", "", 403, "not the caller's"},
			{"GET", "/v1/processes/" + refs[0] + "/fds", "", 403, "not the caller's"},
			{"GET", "/v1/processes/" + refs[0] + "/threads", "", 200, ""},
			{"POST", "/v1/processes/" + refs[0] + "/suspend", "", 200, ""}, // of the rule that does not ask for that
			{"POST", "/v1/processes/" + refs[0] + "/resume", "", 200, ""},
			{"GET", "/v1/processes/" + refs[1] + "/memory-maps", "", 200, ""},
			{"POST", "/v1/processes/" + refs[1] + "/kill", "", 200, ""},                       // his own
			{"GET", "/v1/processes/" + refs[2] + "/memory-maps", "", 403, "not the caller's"}, // has more rights than he
			{"POST", "/v1/processes/" + refs[2] + "/kill", "", 200, ""},
		} {
			req, err := http.NewRequest(c.method, "http://localhost"+c.path, strings.NewReader(c.body))
			require.NoError(t, err)
			if c.body != "" {
				req.Header.Set("Content-Type", "application/json")
			}
			resp, err := client.Do(req)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			_ = resp.Body.Close()
			assert.Equal(t, c.want, resp.StatusCode, "%s %s: %s", c.method, c.path, body)
			assert.Contains(t, string(body), c.detail)
		}
		client.CloseIdleConnections()
		return
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	pidtest.Needs(t, unix.CAP_SYS_PTRACE) // to see what others execute
	const uid = 4711
	s := start(t, `
version: 1
actions_enabled: true
protect: {users: [], executables: [], own_cgroup: false, min_age: 0s}
principals: {other: {unix_uid: [4711]}, root: {unix_uid: [0]}}
rules:
  - {name: look, principals: [root], actions: [read.basic], targets: {}}
  - {name: own, principals: [other], actions: ["*"], targets: {executable: ["/**"]}}
  - {name: any, principals: [other], actions: [suspend, resume], targets: {executable: ["/**"]}, caller_must_own_target: false}
`, func(c *Config, _ *statusHost) { c.UnixSocket.Mode = "0666" })
	roots, ref := s.sleeper()
	own := exec.Command("sleep", "1000")
	own.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	require.NoError(t, own.Start())
	t.Cleanup(func() { pidtest.End(own) })
	program := filepath.Join(t.TempDir(), "sleep") // that sets the user
	from, err := exec.LookPath("sleep")
	require.NoError(t, err)
	b, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, b, 0o755))
	require.NoError(t, os.Chown(program, 4712, 4712))
	require.NoError(t, os.Chmod(program, 0o755|os.ModeSetuid))
	require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(program)), 0o755))
	other := exec.Command(program, "1000")
	other.SysProcAttr = own.SysProcAttr
	require.NoError(t, other.Start())
	t.Cleanup(func() { pidtest.End(other) })
	require.NoError(t, os.Chmod(filepath.Dir(s.dir), 0o755)) // of this test; the next one up is not
	pidtest.AsUser(t, uid, targetEnv+"="+s.cfg.ServerConfig.NetAddr.Endpoint, "HOSTSCOPE_TEST_REFS="+ref+","+s.ref(own.Process.Pid)+","+s.ref(other.Process.Pid))
	unharmed(t, roots)
	eventually(t, own.Process.Pid, platform.StateZombie)
	last := s.entries()[len(s.entries())-1]
	require.NotNil(t, last.Caller.UID)
	assert.EqualValues(t, uid, *last.Caller.UID)
	assert.NotZero(t, last.Caller.PID)
	assert.Equal(t, []string{"other"}, last.Principals)
}

// An action is on the disk before it is done. If it does not come there, it is not
// done.
func TestIntentIsOnTheDisk(t *testing.T) {
	s := start(t, everything, nil)
	cmd, ref := s.sleeper()
	var steps []string
	sync := func(err error) {
		s.audit.sync = func(f *os.File) error { steps = append(steps, "sync"); return errors.Join(f.Sync(), err) }
	}
	s.step = func(step string) { steps = append(steps, step) }
	sync(syscall.EIO)
	s.refused(api.AuditUnavailable, "POST", "/v1/processes/"+ref+"/kill", "")
	assert.Equal(t, []string{"opened", "decided", "sync"}, steps)
	unharmed(t, cmd)
	steps = nil
	sync(nil)
	s.act("POST", "/v1/processes/"+ref+"/kill", "")
	assert.Equal(t, []string{"opened", "decided", "sync", "intent", "rechecked"}, steps)
}

// What is written down after the collector ended in between.
func TestAuditUnfinished(t *testing.T) {
	s := newServer(t, everything, nil)
	file := filepath.Join(s.dir, "audit.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(`{"id":"A","event":"intent","action":"kill","ref":"x"}
{"id":"B","event":"intent","action":"kill","ref":"y"}
not JSON
{"id":"A","event":"outcome","action":"kill","ref":"x","outcome":"applied"}
{"id":"C","event":"int`), 0o600))
	require.NoError(t, s.Start(t.Context(), s.host))
	require.NoError(t, s.Shutdown(t.Context()))
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	require.Len(t, lines, 6)
	var e entry
	require.NoError(t, json.Unmarshal([]byte(lines[5]), &e))
	assert.Equal(t, "B", e.ID)
	assert.Equal(t, "outcome", e.Event)
	assert.Equal(t, "unknown", e.Outcome)
	assert.Equal(t, 1, s.logs.FilterMessage("An action was about to be done when the collector ended").Len())

	// The next start has nothing to say of it.
	again := newServer(t, everything, func(c *Config, _ *statusHost) { c.Audit.File = file })
	require.NoError(t, again.Start(t.Context(), again.host))
	require.NoError(t, again.Shutdown(t.Context()))
	assert.Zero(t, again.logs.FilterMessage("An action was about to be done when the collector ended").Len())
}

// What cannot be written down is not done.
func TestAuditUnavailable(t *testing.T) {
	s := start(t, everything, nil)
	cmd, ref := s.sleeper()
	at := "/v1/processes/" + ref
	file := filepath.Join(s.dir, "audit.jsonl")
	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Mkdir(file, 0o700))
	s.refused(api.AuditUnavailable, "POST", at+"/kill", "")
	s.refused(api.AuditUnavailable, "PUT", at+"/priority", `{"nice":1}`)
	unharmed(t, cmd)
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError}, s.host.statuses())
	metadatatest.AssertEqualProcessControlAuditErrors(t, s.telemetry, []metricdata.DataPoint[int64]{{Value: 2}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	require.NoError(t, os.Remove(file))
	s.act("PUT", at+"/priority", `{"nice":19}`)
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, s.host.statuses())

	// A file that was renamed is left alone, and made anew.
	require.NoError(t, os.Rename(file, file+".1"))
	s.act("POST", at+"/kill", "")
	assert.Len(t, s.entries(), 2)
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, info.Mode().Perm())

	// Where the configuration says so it is done all the same.
	loose := start(t, everything, func(c *Config, _ *statusHost) { c.Audit.Required = false })
	_, ref = loose.sleeper()
	require.NoError(t, os.Remove(filepath.Join(loose.dir, "audit.jsonl")))
	require.NoError(t, os.Mkdir(filepath.Join(loose.dir, "audit.jsonl"), 0o700))
	assert.Equal(t, "applied", loose.act("POST", "/v1/processes/"+ref+"/kill", "").Outcome)
	// But nothing is written where others could have put what they like.
	loose = newServer(t, everything, func(c *Config, _ *statusHost) {
		c.Audit.Required, c.Audit.File = false, filepath.Join(t.TempDir(), "sub", "audit")
	})
	require.NoError(t, os.Mkdir(filepath.Dir(loose.cfg.Audit.File), 0o700))
	require.NoError(t, os.Chmod(filepath.Dir(loose.cfg.Audit.File), 0o1777))
	require.NoError(t, loose.Start(t.Context(), loose.host))
	_, ref = loose.sleeper()
	assert.Equal(t, "applied", loose.act("POST", "/v1/processes/"+ref+"/kill", "").Outcome)
	assert.NoFileExists(t, loose.cfg.Audit.File)
	loose.client.CloseIdleConnections()
	require.NoError(t, loose.Shutdown(t.Context()))

	for name, make := range map[string]func(path string){
		"folder": func(path string) { require.NoError(t, os.Mkdir(path, 0o700)) },
		"link":   func(path string) { require.NoError(t, os.Symlink("/dev/null", path)) },
		"fifo":   func(path string) { require.NoError(t, syscall.Mkfifo(path, 0o600)) },
		"others": func(path string) {
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			require.NoError(t, os.Chmod(path, 0o622))
		},
		"nowhere": func(path string) { require.NoError(t, os.Remove(filepath.Dir(path))) },
		"of all":  func(path string) { require.NoError(t, os.Chmod(filepath.Dir(path), 0o1777)) },
		"another's": func(path string) {
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			if os.Geteuid() == 0 {
				require.NoError(t, os.Chown(path, 4711, 4711))
			} else {
				require.NoError(t, os.Chmod(path, 0o622))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, everything, func(c *Config, _ *statusHost) { c.Audit.File = filepath.Join(t.TempDir(), "sub", "audit") })
			require.NoError(t, os.Mkdir(filepath.Dir(s.cfg.Audit.File), 0o700))
			make(s.cfg.Audit.File)
			assert.ErrorContains(t, s.Start(t.Context(), s.host), "audit::file")
		})
	}
}

// A caller cannot fill the disk with what was refused, or read, nor hide the one
// behind the other.
// An action is done also if nobody waits for the answer any more.
func TestCallerGone(t *testing.T) {
	s := start(t, everything, nil)
	cmd, ref := s.sleeper()
	ctx, cancel := context.WithCancel(t.Context())
	s.step = func(at string) {
		if at == "intent" {
			cancel()
			time.Sleep(10 * time.Millisecond)
		}
	}
	req, err := http.NewRequestWithContext(ctx, "POST", "http://localhost/v1/processes/"+ref+"/kill", nil)
	require.NoError(t, err)
	_, err = s.client.Do(req)
	assert.ErrorIs(t, err, context.Canceled)
	eventually(t, cmd.Process.Pid, platform.StateZombie)
	require.Eventually(t, func() bool {
		entries := s.entries()
		return len(entries) == 2 && entries[1].Outcome == "applied"
	}, 10*time.Second, time.Millisecond)
}

// What has nothing to do with processes is told to the log alone.
func TestInternal(t *testing.T) {
	p, expected := problemOf(errors.New("secret"), 7)
	assert.False(t, expected)
	assert.Equal(t, api.Internal, p.Kind())
	assert.Empty(t, p.Detail)
	for err, kind := range map[error]api.Kind{
		platform.ErrNotSupported: api.NotSupported, platform.ErrTimeoutExpired: api.TimeoutExpired, platform.ErrInvalidArgument: api.InvalidArgument,
		platform.ErrAccessDenied: api.AccessDenied, platform.ErrZombieProcess: api.ZombieProcess, context.Canceled: api.ShuttingDown,
	} {
		p, expected := problemOf(err, 7)
		assert.True(t, expected)
		assert.Equal(t, kind, p.Kind())
	}
}

// Who may ask a process to end may not have it killed for that: neither at once
// nor when it has become something else.
