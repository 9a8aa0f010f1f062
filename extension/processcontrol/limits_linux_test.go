// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"golang.org/x/time/rate"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
)

// Whoever guesses at tokens does so slowly, and is in nobody's way.
func TestFailedLogins(t *testing.T) {
	id := component.MustNewID("bearertokenauth")
	auth := extensionOf(t, bearertokenauthextension.NewFactory(), "{tokens: [one]}")
	s := start(t, remote("bot: {authenticated: true}"), overTCP(t, "{transport: tcp, endpoint: \"127.0.0.1:0\", auth: {authenticator: bearertokenauth}}", map[component.ID]component.Component{id: auth}))
	s.logins.limit = 1.0 / 3600
	s.tcp(nil)
	ask := func(from, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/v1/openapi.yaml", nil)
		r.Host, r.RemoteAddr = "localhost:"+s.url[strings.LastIndex(s.url, ":")+1:], from
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.server.Handler.ServeHTTP(w, r)
		return w
	}
	for range maxFailed {
		assert.Equal(t, 401, ask("192.0.2.7:1", "x").Code)
		assert.Equal(t, 401, ask("[2001:db8::1]:1", "x").Code)
		assert.Equal(t, 200, ask("192.0.2.8:1", "one").Code)
	}
	for _, token := range []string{"x", "one"} { // the right one does not tell
		for _, from := range []string{"192.0.2.7:2", "[::ffff:192.0.2.7]:2", "[2001:db8::2]:1"} {
			w := ask(from, token)
			assert.Equal(t, 429, w.Code)
			assert.NotEmpty(t, w.Header().Get("Retry-After"))
		}
	}
	assert.Equal(t, 200, ask("192.0.2.8:1", "one").Code)
	assert.Equal(t, 200, ask("[2001:db8:0:1::1]:1", "one").Code)
	// From here comes whoever comes by a proxy.
	for range maxFailed + 1 {
		assert.Equal(t, 401, ask("127.0.0.1:1", "x").Code)
	}
	assert.Equal(t, 200, ask("127.0.0.1:1", "one").Code)
}

func TestFloodsAreBounded(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a := audit{path: filepath.Join(t.TempDir(), "a"), now: func() time.Time { return now }}
	for range maxFlood + 50 {
		require.NoError(t, a.write(entry{Event: "refused"}, false))
	}
	for range maxFlood + 20 {
		require.NoError(t, a.write(entry{Event: "read"}, false))
	}
	now = now.Add(time.Minute)
	require.NoError(t, a.write(entry{Event: "refused"}, false))
	require.NoError(t, a.write(entry{Event: "read"}, false))
	require.NoError(t, a.close())
	b, err := os.ReadFile(a.path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	require.Len(t, lines, 2*maxFlood+2)
	assert.Contains(t, lines[2*maxFlood], `"left_out":50`)
	assert.Contains(t, lines[2*maxFlood+1], `"left_out":20`)
}

func TestLimits(t *testing.T) {
	text := strings.Replace(everything, "limits: {actions: 10000/s, burst: 10000, lethal: 10000/s, concurrent: 16}", "limits: {actions: 1/h, burst: 3, lethal: 1/h, concurrent: 1}", 1)
	s := start(t, text, nil)
	_, ref := s.sleeper()
	at := "/v1/processes/" + ref
	begin := time.Now()
	s.act("PUT", at+"/priority", `{"nice":16}`)
	s.act("PUT", at+"/priority", `{"nice":17}`)
	s.act("PUT", at+"/priority", `{"nice":18}`)
	p := s.refused(api.RateLimited, "PUT", at+"/priority", `{"nice":19}`)
	assert.LessOrEqual(t, p.Seconds, 3600.0)
	assert.GreaterOrEqual(t, p.Seconds, 3600-time.Since(begin).Seconds())
	assert.Equal(t, strconv.Itoa(int(p.Seconds)), s.last.Get("Retry-After"))
	assert.Equal(t, 18.0, get[api.Process](s, at+"/priority").Fields["nice"])

	// All callers together can end so many.
	text = strings.Replace(everything, "lethal: 10000/s", "lethal: 1/h", 1)
	text = strings.Replace(text, "burst: 10000", "burst: 2", 1)
	s = start(t, text, nil)
	s.callers.limit, s.callers.burst = 1000, 1000
	for range 2 {
		_, ref := s.sleeper()
		s.act("POST", "/v1/processes/"+ref+"/kill", "")
	}
	s.refused(api.RateLimited, "POST", at+"/kill", "")
	s.act("PUT", at+"/priority", `{"nice":19}`)

	// One at a time.
	s = start(t, strings.Replace(everything, "concurrent: 16", "concurrent: 1", 1), nil)
	key := "uid:" + strconv.Itoa(os.Geteuid())
	require.True(t, s.actions.take(key, 1))
	s.refused(api.RateLimited, "POST", at+"/kill", "")
	s.actions.give(key, 1)

	// Which one that waits for its effect does not keep from others.
	_, other := s.sleeper()
	stop := make(chan struct{})
	s.step = func(step string) {
		if step == "rechecked" {
			<-stop
		}
	}
	ended := make(chan api.Outcome)
	go func() { ended <- s.act("POST", "/v1/processes/"+other+"/terminate", `{"grace":"1m"}`) }()
	require.Eventually(t, s.taken(1), 10*time.Second, time.Millisecond)
	assert.Zero(t, s.actions.taken)
	close(stop)
	assert.Equal(t, "applied", (<-ended).Outcome)
	s.act("POST", at+"/kill", "")
	assert.Zero(t, s.waits.taken)
}

// A loop of one caller, or one who waits for much, does not keep others out.
func TestNobodyIsKeptOut(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	f := fuse{rate: rate.NewLimiter(1, 3+1)} // a burst of 3
	taken := func(caller string) bool {
		_, ok := f.take(caller, now)
		return ok
	}
	for range 3 {
		assert.True(t, taken("loop"))
	}
	after, ok := f.take("loop", now)
	assert.False(t, ok)
	assert.Equal(t, time.Second, after)
	assert.True(t, taken("other"), "the last one is for another")
	assert.False(t, taken("other"))
	for range 10 { // however often the one asks, they take turns
		now = now.Add(time.Second)
		assert.True(t, taken("loop"))
		assert.False(t, taken("loop"))
		now = now.Add(time.Second)
		assert.False(t, taken("loop"))
		assert.True(t, taken("other"))
	}
	now = now.Add(time.Hour)
	for range 3 {
		assert.True(t, taken("loop"))
	}
	assert.False(t, taken("loop"))

	s := slots{each: 2}
	assert.False(t, s.take("a", 3))
	assert.True(t, s.take("a", 2))
	assert.False(t, s.take("a", 1))
	assert.True(t, s.take("b", 1))
	assert.True(t, s.take("c", 1))
	assert.False(t, s.take("c", 1), "all together have twice as many")
	s.give("a", 2)
	assert.True(t, s.take("c", 1))
	s.give("b", 1)
	s.give("c", 2)
	assert.Equal(t, []any{0, 0}, []any{s.taken, len(s.of)})
	s.each = math.MaxInt
	assert.True(t, s.take("a", math.MaxInt))
	assert.True(t, s.take("b", 1))
}

// What the limits refuse is written down as well.
func TestLimitedIsWrittenDown(t *testing.T) {
	s := start(t, strings.Replace(strings.Replace(everything, "lethal: 10000/s", "lethal: 1/h", 1), "burst: 10000", "burst: 1", 1), nil)
	s.callers.limit, s.callers.burst = 1000, 1000
	_, first := s.sleeper()
	cmd, ref := s.sleeper()
	s.act("POST", "/v1/processes/"+first+"/kill", "")
	s.refused(api.RateLimited, "POST", "/v1/processes/"+ref+"/kill", "")
	unharmed(t, cmd)
	last := s.entries()[2]
	assert.Equal(t, []string{"refused", "rate-limited", ref}, []string{last.Event, last.Problem, last.Ref})
}
