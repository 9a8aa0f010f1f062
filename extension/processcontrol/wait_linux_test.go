// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/internal/pidtest"
	"github.com/hostscope/hostscope/platform"
)

// leaver starts a child that exits with 7 when told to.
func leaver(t *testing.T) (*exec.Cmd, func()) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "read x; exit 7")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { pidtest.End(cmd) })
	return cmd, func() { _ = in.Close() }
}

// leaver has its reference as well.
func (s *server) leaver() (*exec.Cmd, string, func()) {
	s.t.Helper()
	cmd, leave := leaver(s.t)
	return cmd, s.ref(cmd.Process.Pid), leave
}

// taken tells whether so many are waited for.
func (s *server) taken(n int) func() bool {
	return func() bool { s.waits.mu.Lock(); defer s.waits.mu.Unlock(); return s.waits.taken == n }
}

func TestWaitOne(t *testing.T) {
	s := start(t, everything, nil)
	cmd, ref, leave := s.leaver()
	at := "/v1/processes/" + ref + "/wait"
	p := s.refused(api.TimeoutExpired, "POST", at, `{"timeout":"20ms"}`)
	assert.Equal(t, 0.02, p.Seconds)
	assert.EqualValues(t, cmd.Process.Pid, p.PID)
	for body, kind := range map[string]api.Kind{
		`{"timeout":"6m"}`: api.InvalidArgument, `{"timeout":"-1s"}`: api.InvalidRequest, `{"timeout":1}`: api.InvalidRequest, `{"until":"never"}`: api.InvalidArgument, `{"x":1}`: api.InvalidRequest,
	} {
		s.refused(kind, "POST", at, body)
	}
	go func() { time.Sleep(20 * time.Millisecond); leave() }()
	status, body := s.do("POST", at, `{"timeout":"1m"}`)
	require.Equal(t, 200, status, "%s", body)
	var g api.Gone
	require.NoError(t, json.Unmarshal(body, &g))
	assert.Equal(t, ref, g.Ref)
	seven := 7
	assert.Equal(t, &api.Exit{Code: &seven}, g.Exit)
	assert.Positive(t, g.Wait)
	// It is a zombie, which does not matter for a rule that goes by executables.
	byFile := start(t, policyFor(`{executable: ["/**"]}`), nil)
	status, _ = byFile.do("POST", at, "")
	assert.Equal(t, 200, status)
	byFile.refused(api.ZombieProcess, "POST", "/v1/processes/"+ref+"/kill", "")
	s.refused(api.TimeoutExpired, "POST", at, `{"timeout":"20ms","until":"reaped"}`)
	var reaper sync.WaitGroup
	reaper.Go(func() { _ = cmd.Wait() })
	status, body = s.do("POST", at, `{"until":"reaped"}`)
	reaper.Wait()
	if status == 200 { // else it was reaped before it was opened
		require.NoError(t, json.Unmarshal(body, &g))
		assert.True(t, g.Exit.Reaped)
	}
	assert.Equal(t, "exited", s.refused(api.NoSuchProcess, "POST", at, "").Reason)
}

func TestWaitMany(t *testing.T) {
	s := start(t, everything, nil)
	_, a, leaveA := s.leaver()
	_, b, leaveB := s.leaver()
	gone, c := s.sleeper()
	pidtest.End(gone)
	ask := func(body string) (w api.Waited) {
		t.Helper()
		status, answer := s.do("POST", "/v1/wait", body)
		require.Equal(t, 200, status, "%s", answer)
		require.NoError(t, json.Unmarshal(answer, &w))
		return w
	}
	refs := fmt.Sprintf(`"refs":[%q,%q,%q]`, a, b, a)
	assert.Equal(t, api.Waited{Gone: []api.Gone{}, Alive: []string{a, b}, TimedOut: true}, ask(`{`+refs+`,"timeout":"10ms"}`))
	w := ask(fmt.Sprintf(`{"refs":[%q,%q],"mode":"any"}`, a, c))
	require.Len(t, w.Gone, 1)
	assert.Equal(t, c, w.Gone[0].Ref)
	assert.Nil(t, w.Gone[0].Exit, "how it ended nobody knows any more")
	assert.Equal(t, []string{a}, w.Alive)
	assert.False(t, w.TimedOut)
	go func() { time.Sleep(10 * time.Millisecond); leaveA() }()
	w = ask(`{` + refs + `,"mode":"any","timeout":"1m"}`)
	require.Len(t, w.Gone, 1)
	assert.Equal(t, a, w.Gone[0].Ref)
	assert.Equal(t, 7, *w.Gone[0].Exit.Code)
	assert.Equal(t, []string{b}, w.Alive)

	// Line by line, as they end.
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/v1/wait", strings.NewReader(fmt.Sprintf(`{"refs":[%q,%q,%q]}`, c, a, b)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", ndjson)
	resp, err := s.client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, ndjson, resp.Header.Get("Content-Type"))
	lines := bufio.NewScanner(resp.Body)
	for _, want := range []string{c, a} {
		require.True(t, lines.Scan())
		assert.Contains(t, lines.Text(), want)
	}
	leaveB()
	require.True(t, lines.Scan())
	assert.Contains(t, lines.Text(), b)
	require.True(t, lines.Scan())
	assert.JSONEq(t, `{"alive":[],"timed_out":false}`, lines.Text())
	assert.False(t, lines.Scan())

	for body, kind := range map[string]api.Kind{
		`{}`: api.InvalidRequest, `{"refs":[]}`: api.InvalidRequest, `{"refs":["x"]}`: api.InvalidRequest, `{"refs":[1]}`: api.InvalidRequest, `{"refs":["pid:1"]}`: api.IdentityRequired,
		`{"refs":["self"],"mode":"some"}`: api.InvalidArgument, `{"refs":["self"],"until":"x"}`: api.InvalidArgument, `{"refs":["self"],"timeout":"1h"}`: api.InvalidArgument,
		`{"refs":[` + strings.Repeat(`"self",`, 256) + `"self"]}`: api.InvalidArgument, ``: api.InvalidRequest,
	} {
		s.refused(kind, "POST", "/v1/wait", body)
	}
}

// As many as are configured may wait, and no more; a wait ends with its caller.
func TestWaitLimits(t *testing.T) {
	s := start(t, everything, func(c *Config, _ *statusHost) { c.Wait.MaxConcurrent = 2 })
	_, ref, leave := s.leaver()
	at := "/v1/processes/" + ref + "/wait"
	var wg sync.WaitGroup
	wg.Go(func() {
		status, body := s.do("POST", at, "")
		assert.Equal(t, 200, status, "%s", body)
	})
	require.Eventually(t, s.taken(1), 10*time.Second, time.Millisecond)
	s.refused(api.RateLimited, "POST", "/v1/wait", fmt.Sprintf(`{"refs":[%q,"self"]}`, ref))
	ctx, leaves := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", s.url+at, nil)
	require.NoError(t, err)
	client := socketClient(s.cfg.ServerConfig.NetAddr.Endpoint)
	wg.Go(func() {
		_, err := client.Do(req)
		assert.ErrorIs(t, err, context.Canceled)
	})
	require.Eventually(t, s.taken(2), 10*time.Second, time.Millisecond)
	leaves()
	require.Eventually(t, s.taken(1), 10*time.Second, time.Millisecond, "the caller has gone")
	leave()
	wg.Wait()
	require.Eventually(t, s.taken(0), 10*time.Second, time.Millisecond)
}

// A wait may be longer than the server else waits to read or to write.
func TestWaitOutlastsTimeouts(t *testing.T) {
	cmd, leave := leaver(t)
	h, err := platform.Open(platform.Root{}, platform.Machine{})
	require.NoError(t, err)
	defer h.Close()
	p, err := h.OpenPID(int32(cmd.Process.Pid))
	require.NoError(t, err)
	defer p.Close()
	wait := func(timeout time.Duration) (waited bool) {
		s := start(t, everything, func(c *Config, _ *statusHost) {
			c.ServerConfig.ReadTimeout, c.ServerConfig.WriteTimeout = timeout, timeout
		})
		req, err := newRequest("POST", s.url+"/v1/processes/"+p.Token().String()+"/wait", "")
		require.NoError(t, err)
		answer := make(chan string, 1)
		go func() {
			resp, err := s.client.Do(req)
			if err != nil {
				answer <- err.Error()
				return
			}
			_ = resp.Body.Close()
			answer <- resp.Status
		}()
		for !s.taken(1)() {
			select {
			case <-answer:
				return false
			case <-time.After(time.Millisecond):
			}
		}
		time.Sleep(3 * timeout)
		leave()
		assert.Equal(t, "200 OK", <-answer)
		return true
	}
	// A busy machine may be too slow for the first timeouts to read the request.
	for timeout := 50 * time.Millisecond; !wait(timeout); timeout *= 2 {
	}
}

// As many as may wait by default do so at the same time.
func TestManyWait(t *testing.T) {
	s := start(t, everything, nil)
	_, ref, leave := s.leaver()
	var wg sync.WaitGroup
	var answers atomic.Int64
	for range s.cfg.Wait.MaxConcurrent {
		wg.Go(func() {
			req, err := newRequest("POST", s.url+"/v1/processes/"+ref+"/wait", "")
			if err != nil {
				return
			}
			if resp, err := s.client.Do(req); err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == 200 {
					answers.Add(1)
				}
			}
		})
	}
	require.Eventually(t, s.taken(256), 30*time.Second, time.Millisecond)
	s.refused(api.RateLimited, "POST", "/v1/processes/"+ref+"/wait", "")
	get[api.Process](s, "/v1/processes/"+ref) // who waits is in nobody's way
	leave()
	wg.Wait()
	assert.EqualValues(t, s.cfg.Wait.MaxConcurrent, answers.Load())
}

// Whoever waits does not go on with the next process of that number.
func TestReuseWhileWaiting(t *testing.T) {
	pidtest.Namespaced(t, func(t *testing.T) {
		s := start(t, everything, nil)
		victim, ref := s.sleeper()
		done := make(chan int)
		for _, c := range [][2]string{{"/v1/processes/" + ref + "/wait", `{"until":"reaped"}`}, {"/v1/wait", fmt.Sprintf(`{"refs":[%q]}`, ref)}} {
			go func() {
				status, _ := s.do("POST", c[0], c[1])
				done <- status
			}()
		}
		require.Eventually(t, s.taken(2), 10*time.Second, time.Millisecond)
		pidtest.End(victim)
		newcomer := pidtest.StartAs(t, victim.Process.Pid)
		assert.Equal(t, 200, <-done)
		assert.Equal(t, 200, <-done)
		unharmed(t, newcomer)
		assert.Equal(t, "pid_reused", s.refused(api.NoSuchProcess, "POST", "/v1/processes/"+ref+"/wait", "").Reason)
	})
}

// Requests of all kinds, many at a time, leave no descriptor and no goroutine.
func TestMixed(t *testing.T) {
	requests := 10_000
	if testing.Short() {
		requests = 1000
	}
	s := start(t, everything, nil)
	open := func() int {
		dir, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(dir)
	}
	_, ref := s.sleeper()
	stopped, other := s.sleeper()
	pidtest.End(stopped)
	at := "/v1/processes/" + ref
	kinds := []struct {
		method, path, body string
		want               []int
	}{
		{"GET", at, "", []int{200}},
		{"GET", at + "/running", "", []int{200}},
		{"GET", at + "?fields=cmdline,fds,connections,threads,environ,memory_maps", "", []int{200}},
		{"GET", at + "/parents", "", []int{200}},
		{"GET", "/v1/processes/self/children?fields=name", "", []int{200}},
		{"GET", "/v1/processes/" + other, "", []int{404}},
		{"POST", "/v1/processes/" + other + "/kill", "", []int{404}},
		{"POST", at + "/signal", `{"signal":0}`, []int{200}},
		{"POST", at + "/signal", `{"signal":"SIGWINCH"}`, []int{200, 429}},
		{"PUT", at + "/priority", `{"nice":19,"threads":"all"}`, []int{200, 429}},
		{"POST", at + "/kill", `{"dry_run":true}`, []int{200}},
		{"POST", at + "/wait", `{"timeout":"1ms"}`, []int{504, 429}},
		{"POST", "/v1/wait", fmt.Sprintf(`{"refs":[%q,%q],"timeout":"1ms"}`, ref, other), []int{200, 429}},
		{"POST", at + "/kill", `{`, []int{400}},
		{"POST", "/v1/processes/self/kill", "", []int{403}},
		{"GET", "/v1/pids/1", "", []int{200, 403}},
		{"GET", "/v1/system?fields=cpu_count", "", []int{200}},
		{"DELETE", at, "", []int{405}},
	}
	run := func(n int) {
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for i := worker; i < n; i += 4 {
					c := kinds[i%len(kinds)]
					req, err := http.NewRequest(c.method, s.url+c.path, strings.NewReader(c.body))
					if err != nil {
						panic(err)
					}
					if c.body != "" {
						req.Header.Set("Content-Type", "application/json")
					}
					resp, err := s.client.Do(req)
					if !assert.NoError(t, err) {
						return
					}
					assert.Contains(t, c.want, resp.StatusCode, "%s %s", c.method, c.path)
					_ = resp.Body.Close()
				}
			})
		}
		wg.Wait()
		s.client.CloseIdleConnections()
	}
	run(2 * len(kinds))
	time.Sleep(50 * time.Millisecond)
	before := open()
	run(requests)
	require.Eventually(t, func() bool { return open() <= before }, 10*time.Second, 10*time.Millisecond, "descriptors: %d before, %d now", before, open())
	assert.Zero(t, s.waits.taken)
	assert.Empty(t, s.identity.of)
	assert.Len(t, s.hosts.reads.free, maxReads)
	assert.Equal(t, platform.StateSleeping, state(t, int(get[api.Process](s, at).PID)))
}
