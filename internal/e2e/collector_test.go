// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// patience is how long anything may take that must come to pass.
	patience = time.Minute
	// promptly is how long a collector may take to end.
	promptly = 10 * time.Second
)

// waitFor waits until something is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(100 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "did not come: %s", what)
	}
}

// freeAddress is a loopback address that nothing listens on.
func freeAddress(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// collector is a running distribution.
type collector struct {
	cmd    *exec.Cmd
	log    log
	exited chan error
}

// log is what a collector has written to standard error.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.text.String(), "\n"), "\n")
}

func (l *log) contains(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.text.Bytes(), []byte(s))
}

// newCollector prepares a collector that runs with configurations laid over
// each other: files, or text after "yaml:". It is killed when the test ends.
func newCollector(t *testing.T, configs ...string) *collector {
	c := &collector{cmd: exec.Command(distribution), exited: make(chan error, 1)}
	for _, config := range configs {
		c.cmd.Args = append(c.cmd.Args, "--config", config)
	}
	c.cmd.Dir = top
	c.cmd.Stderr = &c.log
	return c
}

// start returns when the collector is ready.
func (c *collector) start(t *testing.T) *collector {
	t.Helper()
	require.NoError(t, c.cmd.Start())
	go func() { c.exited <- c.cmd.Wait() }()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("%s\n%s", c.cmd, strings.Join(c.log.lines(), "\n"))
		}
	})
	waitFor(t, "a collector that is ready", func() bool {
		select {
		case err := <-c.exited:
			require.Failf(t, "a collector ended early", "%v", err)
		default:
		}
		return c.log.contains("Everything is ready")
	})
	return c
}

// interrupt is Ctrl-C: the collector ends, promptly and without an error.
func (c *collector) interrupt(t *testing.T) {
	t.Helper()
	require.NoError(t, c.ends(t))
}

// ends is how the collector ends on Ctrl-C.
func (c *collector) ends(t *testing.T) error {
	t.Helper()
	require.NoError(t, c.cmd.Process.Signal(os.Interrupt))
	select {
	case err := <-c.exited:
		return err
	case <-time.After(promptly):
		require.Fail(t, "the collector did not end")
		return nil
	}
}
