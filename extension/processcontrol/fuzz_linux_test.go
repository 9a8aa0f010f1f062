// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"net/http/httptest"
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/extension/processcontrol/policy"
	"github.com/hostscope/hostscope/platform"
)

// FuzzRef: whatever a reference is, it is refused or names a PID that system
// calls can be given.
func FuzzRef(f *testing.F) {
	for _, text := range []string{"self", "pid:1", "pid:01", "pid:1@2026-01-02T03:04:05.06Z", "lx1.0123456789ab.1.1", "lx1.0123456789ab.1.1.5", "pid:-1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRef(text)
		if err != nil {
			p, expected := problemOf(err, 0)
			assert.True(t, expected)
			assert.Equal(t, api.InvalidRequest, p.Kind())
			assert.Zero(t, r)
			return
		}
		assert.Equal(t, text == "self", r.self)
		if !r.self {
			assert.Positive(t, r.pid)
			assert.Contains(t, text, strconv.Itoa(int(r.pid)))
		}
		assert.Equal(t, strings.HasPrefix(text, "pid:") && !strings.Contains(text, "@"), r.weak())
	})
}

// FuzzBody: whatever a body is, it is refused or asks for what can be asked for.
func FuzzBody(f *testing.F) {
	for _, body := range []string{`{}`, `{"signal":"SIGHUP"}`, `{"signal":9}`, `{"nice":5,"threads":"all"}`, `{"cpus":[0,1]}`, `{"soft":1,"hard":"unlimited"}`, `{"grace":"1s","then":"kill"}`, `{"dry_run":true,"expect":{"user":"x"}}`} {
		f.Add(body)
	}
	c := &control{cfg: newDefaultConfig().(*Config)}
	f.Fuzz(func(t *testing.T, body string) {
		for _, kind := range policy.Actions {
			if !kind.Acts() {
				continue
			}
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.SetPathValue("resource", "NOFILE")
			q := &request{control: c, r: r}
			a, err := q.parse(kind)
			if err != nil {
				p, expected := problemOf(err, 0)
				assert.True(t, expected, "%v", err)
				assert.Contains(t, []int{400, 422}, p.Status)
				continue
			}
			assert.True(t, a.Action.Acts() || a.Action == policy.ReadBasic)
			assert.True(t, a.Nice >= -20 && a.Nice <= 19)
			assert.True(t, a.signal >= 0 && a.signal <= 64)
			if a.signal == 9 {
				assert.Equal(t, policy.Kill, a.Action)
			}
			if kind == policy.SetRlimit {
				assert.True(t, a.Soft != nil || a.Hard != nil)
			}
		}
	})
}

// What the socket adds to the system calls.
func BenchmarkSocket(b *testing.B) {
	for _, c := range []struct{ name, method, path, body string }{
		{"running", "GET", "/running", ""},
		{"signal 0", "POST", "/signal", `{"signal":0}`},
		{"get", "GET", "", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			var s *server
			ok := false
			// The harness asserts with a T.
			tests := []testing.InternalTest{{Name: "b", F: func(t *testing.T) {
				s = start(t, everything, nil)
				at := s.url + "/v1/processes/" + s.ref(os.Getpid()) + c.path
				took := make([]time.Duration, 0, b.N)
				b.ResetTimer()
				for range b.N {
					req, err := newRequest(c.method, at, c.body)
					require.NoError(t, err)
					begin := time.Now()
					resp, err := s.client.Do(req)
					require.NoError(t, err)
					_ = resp.Body.Close()
					took = append(took, time.Since(begin))
					require.Equal(t, 200, resp.StatusCode)
				}
				b.StopTimer()
				sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
				b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
				b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
				ok = true
			}}}
			testing.RunTests(func(string, string) (bool, error) { return true, nil }, tests)
			require.True(b, ok)
		})
	}
}

// A thread, a process of another boot, one that is hidden: nothing to act on.
func TestForeignTargets(t *testing.T) {
	s := start(t, everything, nil)
	tasks, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	h, err := platform.Open(platform.Root{}, platform.Machine{})
	require.NoError(t, err)
	defer h.Close()
	self, err := h.OpenSelf()
	require.NoError(t, err)
	defer self.Close()
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		require.NoError(t, err)
		if tid == os.Getpid() {
			continue
		}
		token := platform.Token{Boot: self.Token().Boot, ID: platform.ID{PID: int32(tid), Start: self.Token().Start}}
		for _, e := range endpoints {
			method, path, _ := strings.Cut(e.pattern, " ")
			if method == "GET" || !strings.Contains(path, "{ref}") || strings.HasSuffix(path, "wait") {
				continue
			}
			body := ""
			for part, b := range map[string]string{"/priority": `{"nice":1}`, "/cpu-affinity": `{"cpus":[]}`, "/rlimits": `{"soft":1}`, "/signal": `{"signal":"SIGHUP"}`} {
				if strings.Contains(path, part) {
					body = b
				}
			}
			s.refused(api.NoSuchProcess, method, strings.NewReplacer("{ref}", token.String(), "{resource}", "CORE").Replace(path), body)
		}
		assert.Equal(t, "not_found", s.refused(api.NoSuchProcess, "GET", "/v1/processes/pid:"+task.Name(), "").Reason)
	}
}
