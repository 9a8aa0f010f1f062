// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/internal/emittest"
	"github.com/hostscope/hostscope/platform"
)

// hidepid makes a snapshot of a host with the processes 6 and 7, the second of
// which is another user's under hidepid=1, or is not if shown.
func hidepid(t *testing.T, shown bool) *platform.Snapshot {
	root := t.TempDir()
	for name, content := range map[string]string{
		"proc/stat":   "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\nbtime 1700000000\n",
		"proc/6/stat": "6 (a) S 1 6 6 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100 4096 1 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		"proc/7/stat": "7 (b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100 4096 1 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
	} {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	for p := root; p != "/" && p != os.TempDir(); p = filepath.Dir(p) {
		require.NoError(t, os.Chmod(p, 0o755))
	}
	if !shown {
		hidden := filepath.Join(root, "proc/7")
		require.NoError(t, os.Chmod(hidden, 0))
		t.Cleanup(func() { _ = os.Chmod(hidden, 0o755) })
	}

	if os.Getuid() == 0 { // who may read all
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		set := func(uid int) { // of this thread alone
			_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0))
			require.Zero(t, errno)
		}
		set(65534)
		defer set(0)
	}
	host, err := platform.Open(platform.Root{Path: root}, platform.Machine{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, host.Close()) })
	snap, err := host.Snapshot(t.Context(), platform.Request{Fields: platform.FieldState | platform.FieldThreads})
	require.NoError(t, err)
	require.NoError(t, snap.ProcessesErr)
	return snap
}

// TestOnAccessDenied: a process whose identity cannot be read is left out, or
// is an error of the whole scrape.
func TestOnAccessDenied(t *testing.T) {
	snap := hidepid(t, false)
	require.Equal(t, 1, snap.Tally.Denied(platform.FieldState))
	var pids []string
	collect := func(md pmetric.Metrics) error {
		for _, line := range emittest.Lines(md) {
			if line[0] != ' ' {
				pids = append(pids, line)
			}
		}
		return nil
	}
	cfg := NewConfig()
	require.NoError(t, newScraper(t, cfg).Scrape(t.Context(), snap, collect))
	assert.Equal(t, []string{"resource{process.creation.time=2023-11-14T22:13:21.000Z,process.pid=6}"}, pids)

	cfg.OnAccessDenied = Fail
	pids = nil
	err := newScraper(t, cfg).Scrape(t.Context(), snap, collect)
	require.ErrorIs(t, err, platform.ErrAccessDenied)
	assert.Equal(t, "access_denied", platform.ClassOf(err))
	assert.EqualError(t, err, `"on_access_denied": fail, and of a process not even the identity can be read: access denied`)
	assert.Empty(t, pids)

	require.NoError(t, newScraper(t, cfg).Scrape(t.Context(), hidepid(t, true), collect))
	assert.Len(t, pids, 2)
}
