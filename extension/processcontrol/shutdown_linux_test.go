// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/extension/processcontrol/internal/metadatatest"
	"github.com/hostscope/hostscope/internal/pidtest"
	"github.com/hostscope/hostscope/platform"
)

// A stopped extension answers nobody, and lets nobody wait.
func TestShutdown(t *testing.T) {
	s := newServer(t, everything, nil)
	require.NoError(t, s.Start(t.Context(), s.host))
	_, ref := s.sleeper()
	type answer struct {
		status int
		body   []byte
	}
	done := make(chan answer, 2)
	for _, c := range [][2]string{{"/v1/processes/" + ref + "/wait", "{}"}, {"/v1/wait", `{"refs":["` + ref + `"]}`}} {
		go func() {
			status, body := s.do("POST", c[0], c[1])
			done <- answer{status, body}
		}()
	}
	lines := make(chan []byte, 1)
	go func() {
		var body []byte
		req, err := newRequest("POST", s.url+"/v1/wait", `{"refs":["`+ref+`"]}`)
		if assert.NoError(t, err) {
			req.Header.Set("Accept", ndjson)
			if resp, err := s.client.Do(req); assert.NoError(t, err) {
				body, err = io.ReadAll(resp.Body)
				assert.NoError(t, err)
				assert.NoError(t, resp.Body.Close())
				assert.Equal(t, 200, resp.StatusCode)
			}
		}
		lines <- body
	}()
	require.Eventually(t, s.taken(3), 10*time.Second, time.Millisecond)
	metadatatest.AssertEqualProcessControlWaits(t, s.telemetry, []metricdata.DataPoint[int64]{{Value: 3}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	stopped := make(chan error)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	for range 2 {
		a := <-done
		assert.Equal(t, 503, a.status)
		assert.Contains(t, string(a.body), "shutting-down")
	}
	assert.JSONEq(t, `{"alive":["`+ref+`"],"timed_out":false,"problem":{"type":"urn:hostscope:problem:shutting-down","title":"Shutting down","status":503}}`, string(<-lines))
	s.client.CloseIdleConnections()
	require.NoError(t, <-stopped)
	assert.Zero(t, s.waits.taken)
}

// Nor does the end of the collector wait for that of a process, which is not
// killed any more.
func TestShutdownInGrace(t *testing.T) {
	s := newServer(t, everything, nil)
	require.NoError(t, s.Start(t.Context(), s.host))
	stubborn := exec.Command("sh", "-c", "trap '' TERM; echo; while :; do sleep 0.05; done")
	out, err := stubborn.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, stubborn.Start())
	t.Cleanup(func() { pidtest.End(stubborn) })
	_, err = out.Read(make([]byte, 1))
	require.NoError(t, err)
	at := "/v1/processes/" + s.ref(stubborn.Process.Pid)
	done := make(chan api.Outcome)
	go func() { done <- s.act("POST", at+"/terminate", `{"grace":"5m","then":"kill"}`) }()
	require.Eventually(t, func() bool { return len(s.entries()) == 1 }, 10*time.Second, time.Millisecond)
	// Meanwhile others act on it as well.
	assert.Equal(t, "applied", s.act("POST", at+"/signal", `{"signal":"SIGWINCH"}`).Outcome)
	stopped := make(chan error)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	o := <-done
	assert.Equal(t, "applied", o.Outcome)
	assert.False(t, o.Killed)
	assert.Nil(t, o.Exit)
	s.client.CloseIdleConnections()
	require.NoError(t, <-stopped)
	assert.NotEqual(t, platform.StateZombie, state(t, stubborn.Process.Pid))
}

// Nor for what callers do not send, or do not read.
func TestShutdownWhileCallersAreSlow(t *testing.T) {
	dial := func(s *server, text string) net.Conn {
		conn, err := net.Dial("unix", s.cfg.ServerConfig.NetAddr.Endpoint)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = conn.Write([]byte(text))
		require.NoError(t, err)
		return conn
	}
	s := newServer(t, everything, nil)
	require.NoError(t, s.Start(t.Context(), s.host))
	_, ref := s.sleeper()
	const post = "POST /v1/processes/%s/kill HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n"
	conn := dial(s, fmt.Sprintf(post+"Expect: 100-continue\r\n\r\n", ref))
	answer := bufio.NewReader(conn)
	line, err := answer.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue") // the body is being read
	_, err = answer.ReadString('\n')
	require.NoError(t, err)
	refused := dial(s, fmt.Sprintf(post+"Origin: null\r\n\r\n", ref)) // whose body nobody wants
	manyMappings(t, 3000)                                             // more than the kernel keeps for who does not read it
	unread := dial(s, "GET /v1/processes/self/memory-maps HTTP/1.1\r\nHost: localhost\r\n\r\n")
	_, err = unread.Read(make([]byte, 1))
	require.NoError(t, err)
	half := dial(s, "GET /v1/capabilities HTTP/1.1\r\nHost:")
	require.Eventually(t, func() bool { // the answer to refused comes when its body has, or never will
		_, err := s.telemetry.GetMetric("otelcol_process_control_denied")
		return err == nil
	}, 10*time.Second, time.Millisecond)
	stopped := make(chan error)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	resp, err := http.ReadResponse(answer, nil)
	require.NoError(t, err)
	assert.Equal(t, 503, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
	text, _ := io.ReadAll(refused)
	assert.Contains(t, string(text), "HTTP/1.1 403 ")
	text, _ = io.ReadAll(half)
	assert.Empty(t, text)
	s.client.CloseIdleConnections()
	assert.NoError(t, <-stopped)
}

// Nor for who has asked for nothing yet, whom the server itself lets wait for
// five seconds; who has is answered first.
func TestShutdownClosesFreshConnections(t *testing.T) {
	s := newServer(t, everything, nil)
	require.NoError(t, s.Start(t.Context(), s.host))
	fresh, client := net.Pipe() // of which only we know
	asking, caller := net.Pipe()
	defer asking.Close()
	require.NoError(t, client.SetReadDeadline(time.Now().Add(time.Minute)))
	s.server.ConnState(fresh, http.StateNew)
	s.server.ConnState(asking, http.StateNew)
	s.server.ConnState(asking, http.StateActive)
	require.NoError(t, s.Shutdown(context.Background()))
	_, err := client.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF)
	go func() { _, _ = asking.Write([]byte{1}) }()
	_, err = caller.Read(make([]byte, 1))
	assert.NoError(t, err)
}

// Nor for an audit file that does not answer.
func TestShutdownWhileTheAuditFileDoesNotAnswer(t *testing.T) {
	s := newServer(t, everything, nil)
	require.NoError(t, s.Start(t.Context(), s.host))
	s.audit.mu.Lock() // by a line that is being written
	s.patience.Store(int64(20 * time.Millisecond))
	assert.ErrorContains(t, s.Shutdown(context.Background()), "does not answer")
	s.audit.mu.Unlock()
}

func TestShutdownWhileTheKernelDoesNotAnswer(t *testing.T) {
	s := newServer(t, everything, nil)
	begun, end := make(chan struct{}), make(chan struct{})
	s.doing = func(*request, *platform.Host, *platform.Handle, action, *api.Outcome) (platform.Guarantee, error) {
		close(begun)
		<-end
		return platform.Exact, nil
	}
	require.NoError(t, s.Start(t.Context(), s.host))
	_, ref := s.sleeper()
	done := make(chan error)
	go func() {
		req, err := newRequest("POST", "http://localhost/v1/processes/"+ref+"/kill", "")
		if err == nil {
			resp, failed := s.client.Do(req)
			if err = failed; err == nil {
				_ = resp.Body.Close()
			}
		}
		done <- err
	}()
	<-begun
	s.patience.Store(int64(20 * time.Millisecond))
	assert.ErrorIs(t, s.Shutdown(context.Background()), context.DeadlineExceeded)
	assert.Error(t, <-done)
	close(end)
	require.Eventually(t, func() bool { return len(s.entries()) == 2 && len(s.hosts.acts.slots) == 0 }, 10*time.Second, time.Millisecond)
	assert.Equal(t, "applied", s.entries()[1].Outcome)
	assert.NoError(t, s.audit.close())
}
