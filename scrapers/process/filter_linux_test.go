// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/internal/match"
	"github.com/hostscope/hostscope/platform"
)

// TestFilterOfHost: each property chooses this process by what the host tells,
// in the first snapshot and in those where it remembers.
func TestFilterOfHost(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	for name, block := range map[string]Block{
		"executable_names": {ExecutableNames: []string{filepath.Base(exe)}},
		"executable_paths": {ExecutablePaths: []string{exe}},
		"commands":         {Commands: []string{os.Args[0]}},
		"command_lines":    {CommandLines: []string{strings.Join(os.Args, " ")}},
		"all":              {ExecutableNames: []string{filepath.Base(exe)}, ExecutablePaths: []string{exe}, Commands: []string{os.Args[0]}},
	} {
		t.Run(name, func(t *testing.T) {
			block.MatchType = match.Strict
			cfg := NewConfig()
			cfg.Include = Blocks{block}
			host, err := platform.Open(platform.Root{}, platform.Machine{})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, host.Close()) })
			s, err := New(host, &cfg, "1.2.3")
			require.NoError(t, err)
			for range 20 {
				snap, err := host.Snapshot(t.Context(), platform.Request{Fields: s.Fields(), Ignore: s.Ignore, Filter: s.Filter(), Select: s.Select})
				require.NoError(t, err)
				require.NoError(t, snap.ProcessesErr)
				found := false
				for _, p := range snap.Processes {
					if p.PID == int32(os.Getpid()) {
						found = true
						assert.True(t, p.Selected)
						assert.True(t, p.Got.Has(platform.FieldMemory|platform.FieldExecutable))
					}
					if p.PID == int32(os.Getppid()) { // go test, or a shell
						assert.False(t, p.Selected)
						assert.False(t, p.Got.Has(platform.FieldMemory), "read in spite of the filter")
					}
				}
				require.True(t, found)
			}
		})
	}
}
