// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
)

// A process that the kernel does not let be read holds up neither the others
// nor what is done with it, and is not tried again and again.
func TestKernelDoesNotAnswer(t *testing.T) {
	s := newServer(t, strings.Replace(everything, "rules:", `rules:
  - {name: by-command, effect: deny, actions: [suspend], targets: {command: ["*"]}}`, 1), nil)
	answer, late := make(chan struct{}), make(chan time.Time)
	once := sync.OnceFunc(func() { close(answer) })
	var hangs atomic.Bool
	s.late = func(time.Duration) <-chan time.Time { return late }
	s.step = func(step string) {
		if step == "read" && hangs.Load() {
			late <- time.Now()
			<-answer
		}
	}
	require.NoError(t, s.Start(t.Context(), s.host))
	t.Cleanup(func() {
		once()
		s.client.CloseIdleConnections()
		assert.NoError(t, s.Shutdown(context.Background()))
	})
	_, ref := s.sleeper()
	hangs.Store(true)
	at := "/v1/processes/" + ref

	s.refused(api.TimeoutExpired, "GET", at+"?fields=cmdline", "") // the policy looks at arguments
	assert.Len(t, s.hosts.left, 1)
	// What can hang is left out, of the process and of the decision, which
	// denies what it does not know.
	p := get[api.Process](s, at+"?fields=name,cmdline,environ")
	assert.Equal(t, map[string]any{"name": "sleep"}, p.Fields)
	assert.Equal(t, map[string]string{"cmdline": "timeout_expired", "environ": "timeout_expired"}, p.Errors)
	s.refused(api.TimeoutExpired, "GET", at+"/environ", "")
	assert.Equal(t, "by-command", s.refused(api.PolicyDenied, "POST", at+"/suspend", "").Rule)
	s.act("POST", at+"/kill", "")
	once()
	require.Eventually(t, func() bool {
		s.hosts.mu.Lock()
		defer s.hosts.mu.Unlock()
		return len(s.hosts.left) == 0 && s.hosts.all == 0
	}, 10*time.Second, time.Millisecond)
	assert.Len(t, s.hosts.reads.slots, 0)
	assert.Equal(t, 1, s.logs.FilterMessage("The kernel does not answer").Len())
}

// What has been given up is not done later.
func TestGivenUpIsNotDone(t *testing.T) {
	s := start(t, everything, nil)
	cmd, ref := s.sleeper()
	answer, late := make(chan struct{}), make(chan time.Time)
	s.late = func(time.Duration) <-chan time.Time { return late }
	s.step = func(step string) {
		if step == "intent" {
			late <- time.Now()
			<-answer
		}
	}
	s.refused(api.TimeoutExpired, "POST", "/v1/processes/"+ref+"/kill", "")
	close(answer)
	require.Eventually(t, func() bool { return len(s.entries()) == 2 }, 10*time.Second, time.Millisecond)
	assert.Equal(t, "failed", s.entries()[1].Outcome)
	assert.Equal(t, "timeout-expired", s.entries()[1].Problem)
	unharmed(t, cmd)
}
