// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestActivity(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	for lines, want := range map[string]Activity{
		"": {},
		"intr 1094629 0 7\nctxt 1814356\nprocesses 22255\nprocs_running 10\nprocs_blocked 0\nsoftirq 257510 0 1\n": {
			Got:             ActivityContextSwitches | ActivityInterrupts | ActivitySoftInterrupts | ActivityCreated | ActivityRunnable | ActivityBlocked,
			ContextSwitches: 1814356, Interrupts: 1094629, SoftInterrupts: 257510, Created: 22255, Runnable: 10,
		},
		// gVisor has the lines and counts nothing.
		"intr 0\nctxt 0\nprocesses 0\nprocs_running 0\nsoftirq 0 0\n": {},
	} {
		tr.write("proc/stat", treeStat+lines)
		s, err := h.Snapshot(t.Context(), Request{})
		require.NoError(t, err)
		assert.Equal(t, want, s.Activity, lines)
	}
}

func TestAwake(t *testing.T) {
	tr := newTree(t)
	for _, want := range []time.Duration{0, 100*time.Second + 5*time.Millisecond} {
		h, err := Open(Root{Path: tr.dir}, Machine{Awake: func() time.Duration { return want }})
		require.NoError(t, err)
		got, err := h.AwakeTime()
		require.NoError(t, err)
		assert.Equal(t, want, got)
		require.NoError(t, h.Close())
	}
}

func TestLoad(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	var l Load
	require.NoError(t, h.Load(&l))
	assert.Zero(t, l)

	tr.write("proc/loadavg", "0.29 1.19 20.22 3/87 4401\n")
	require.NoError(t, h.Load(&l))
	assert.Equal(t, Load{LoadAverages | LoadThreads, [3]float64{0.29, 1.19, 20.22}, 87}, l)

	tr.write("proc/loadavg", "0.00 0.00 0.00 0/0 0\n")
	require.NoError(t, h.Load(&l))
	assert.Equal(t, Load{Got: LoadAverages}, l)

	tr.write("proc/loadavg", "high\n")
	err := h.Load(&l)
	assert.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, tr.dir+"/proc/loadavg")
	assert.Zero(t, l)
}

func TestPressure(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	const all = PressureCPU | PressureMemory | PressureIO
	var p Pressure
	require.NoError(t, h.Pressure(&p, all), "a kernel without")
	assert.Zero(t, p)

	line := func(scope, total string) string {
		return scope + " avg10=1.00 avg60=2.00 avg300=3.00 total=" + total + "\n"
	}
	tr.write("proc/pressure/cpu", line("some", "143191150")+line("full", "0"))
	tr.write("proc/pressure/memory", line("some", "17")+line("full", "0"))
	tr.write("proc/pressure/io", line("some", "5642240")+line("full", "4149197"))
	require.NoError(t, h.Pressure(&p, all))
	const us = time.Microsecond
	assert.Equal(t, Pressure{
		CPU:    Stall{StallSome, 143191150 * us, 0}, // that of all is no measurement
		Memory: Stall{StallSome | StallFull, 17 * us, 0},
		IO:     Stall{StallSome | StallFull, 5642240 * us, 4149197 * us},
	}, p)

	// Only what is wanted is read.
	tr.write("proc/pressure/memory", "broken\n")
	require.NoError(t, h.Pressure(&p, PressureCPU))
	assert.Equal(t, Pressure{CPU: Stall{StallSome, 143191150 * us, 0}}, p)
	before := h.calls
	require.NoError(t, h.Pressure(&p, PressureIO))
	assert.Equal(t, 4, h.calls-before)

	err := h.Pressure(&p, all)
	assert.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, "proc/pressure/memory")
	assert.Equal(t, StallSome|StallFull, p.IO.Got, "the rest goes on")
	assert.Zero(t, p.Memory)
}

func TestLimits(t *testing.T) {
	const all = LimitsTasks | LimitsFiles | LimitsOpenFiles
	for name, tt := range map[string]struct {
		pidMax, threadsMax, fileNr string
		want                       SystemLimits
		err                        string
	}{
		"none":      {want: SystemLimits{}},
		"pids":      {"32768\n", "192730\n", "449\t0\t2466170\n", SystemLimits{all, 32768, 2466170, 449}, ""},
		"threads":   {"4194304\n", "192730\n", "", SystemLimits{Got: LimitsTasks, Tasks: 192730}, ""},
		"one":       {"4194304\n", "", "", SystemLimits{Got: LimitsTasks, Tasks: 4194304}, ""},
		"unlimited": {"", "", "449\t0\t9223372036854775807\n", SystemLimits{LimitsOpenFiles, 0, 1<<63 - 1, 449}, ""},
		"malformed": {"many\n", "192730\n", "1\n", SystemLimits{Got: LimitsTasks, Tasks: 192730}, "pid_max"},
	} {
		tr := newTree(t)
		for file, content := range map[string]string{"kernel/pid_max": tt.pidMax, "kernel/threads-max": tt.threadsMax, "fs/file-nr": tt.fileNr} {
			if content != "" {
				tr.write("proc/sys/"+file, content)
			}
		}
		h := tr.open()
		var l SystemLimits
		err := h.Limits(&l, all)
		if tt.err == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, ErrMalformed)
			require.ErrorContains(t, err, "kernel/pid_max: malformed")
			require.ErrorContains(t, err, "fs/file-nr: malformed")
		}
		assert.Equal(t, tt.want, l, name)

		before := h.calls
		_ = h.Limits(&l, 0)
		assert.Equal(t, before, h.calls)
		assert.Zero(t, l)
	}
}
