// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// nobody is a user that may read as good as nothing of others' processes.
const nobody = 65534

// TestUnprivileged runs an agent that has no rights over the processes of the
// host. As a plain user it is one that has rights over its own only.
func TestUnprivileged(t *testing.T) {
	idlers := startIdlers(t, 200)
	b := startBackend(t)
	agent := newCollector(t, toBackend(b))
	if os.Geteuid() == 0 {
		agent.cmd.Path = publicCopy(t, distribution)
		agent.cmd.Dir = "/"
		agent.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	agent.start(t)

	waitFor(t, "a first scrape", func() bool { return b.scrapes(t, "system.uptime") >= 1 })
	waitFor(t, "a second scrape", func() bool { return b.scrapes(t, "system.uptime") >= 2 })
	atStart := unhurried(agent.log.lines())
	waitFor(t, "more scrapes", func() bool { return b.scrapes(t, "system.uptime") >= 5 })
	assert.Equal(t, atStart, unhurried(agent.log.lines()), "no log line per scrape")
	assert.Less(t, len(atStart), 15)
	receiver := 0
	for _, line := range atStart {
		if strings.Contains(line, `"otelcol.component.id": "hostscope"`) {
			receiver++
		}
	}
	assert.LessOrEqual(t, receiver, 5, "a handful of lines of the receiver")

	// What anyone may read is there, what is not permitted is not.
	seen := map[int64]map[string]sample{}
	for _, resource := range b.received(t) {
		if pid, ok := resource.Resource().Attributes().Get("process.pid"); ok {
			seen[pid.Int()] = samples(resource)
		}
	}
	for _, pid := range idlers {
		got := seen[int64(pid)]
		assert.Contains(t, got, "process.cpu.time{cpu.mode=user}")
		assert.Positive(t, got["process.memory.usage"].value)
		assert.Equal(t, 1.0, got["process.thread.count"].value)
		assert.Equal(t, os.Geteuid() != 0 && proc(pid, "io") != "", contains(got, "process.disk.io{disk.io.direction=write}"))
	}

	agent.interrupt(t)
	for _, line := range unhurried(agent.log.lines()) {
		assert.NotContains(t, line, "\terror\t")
		assert.NotContains(t, line, "\twarn\t")
	}
}

// unhurried are the lines but the one that tells of a machine too busy to
// scrape once a second.
func unhurried(lines []string) []string {
	return slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "Scrape skipped") })
}

func contains(samples map[string]sample, series string) bool {
	_, ok := samples[series]
	return ok
}

// publicCopy copies a program to where every user may run it.
func publicCopy(t *testing.T, program string) string {
	content, err := os.ReadFile(program)
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "hostscope-e2e-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	public := filepath.Join(dir, filepath.Base(program))
	require.NoError(t, os.WriteFile(public, content, 0o755))
	require.NoError(t, os.Chmod(public, 0o755)) // whatever the umask is
	return public
}

// TestInterrupt ends agents that are in the middle of a scrape.
func TestInterrupt(t *testing.T) {
	agent := func(receiver string) *collector {
		return newCollector(t, `yaml:
receivers: {hostscope: {`+receiver+`, scrapers: {process: , system: , sensors: }}}
exporters: {nop: }
service:
  pipelines: {metrics: {receivers: [hostscope], exporters: [nop]}}
  telemetry: {metrics: {level: none}}
`).start(t)
	}
	t.Run("busy", func(t *testing.T) {
		startIdlers(t, 200)
		for _, after := range []time.Duration{0, 50 * time.Millisecond, 400 * time.Millisecond} {
			waitFor(t, "a signal that is heard", func() bool {
				busy := agent("collection_interval: 1ms, initial_delay: 0s")
				time.Sleep(after)
				err := busy.ends(t)
				assert.False(t, busy.log.contains("\terror\t"))
				if heard := busy.log.contains("Received signal"); !heard {
					return false // otelcol says that it is ready before it listens to signals
				}
				require.NoError(t, err)
				return true
			})
		}
	})
	t.Run("stuck in a read that never returns", func(t *testing.T) {
		procfs := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(procfs, "stat"), []byte(proc("stat")), 0o644))
		require.NoError(t, unix.Mkfifo(filepath.Join(procfs, "uptime"), 0o644))
		stuck := agent("collection_interval: 100ms, procfs_path: " + procfs)
		waitFor(t, "a second scrape that is due while the first one runs", func() bool { return stuck.log.contains("Scrape skipped") })
		stuck.interrupt(t)
	})
}
