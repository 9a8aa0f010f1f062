// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Recorded on Linux 6.18.44, x86_64, two CPUs; the interrupts are shortened.
const hostStat = `cpu  33158 5 8368 257040 449 1 131 25 7 3
cpu0 16372 2 4019 129077 90 0 26 12 4 1
cpu1 16786 3 4348 127963 358 1 104 12 3 2
intr 1094629 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 1 14
ctxt 1814356
btime 1795440627
processes 22255
procs_running 10
procs_blocked 0
softirq 257510 0 35851 7 31437 57804 0 2211 53861 0 76339
`

func TestHost(t *testing.T) {
	var got HostStat
	require.NoError(t, Host([]byte(hostStat), &got))
	assert.Equal(t, HostStat{
		Total: CPU{Ticks: [10]uint64{33158, 5, 8368, 257040, 449, 1, 131, 25, 7, 3}},
		CPUs: []CPU{
			{0, [10]uint64{16372, 2, 4019, 129077, 90, 0, 26, 12, 4, 1}},
			{1, [10]uint64{16786, 3, 4348, 127963, 358, 1, 104, 12, 3, 2}},
		},
		Boot: 1795440627,
		Activity: Activity{
			Has:             StatContextSwitches | StatInterrupts | StatSoftInterrupts | StatForks | StatRunning | StatBlocked,
			ContextSwitches: 1814356, Interrupts: 1094629, SoftInterrupts: 257510, Forks: 22255, Running: 10,
		},
	}, got)

	// A CPU that went offline has no line; the next reading starts afresh.
	require.NoError(t, Host([]byte("cpu  4 3 2 1\ncpu2 4 3 2 1\nbtime 1\n"), &got))
	assert.Equal(t, HostStat{
		Total: CPU{Ticks: [10]uint64{4, 3, 2, 1}},
		CPUs:  []CPU{{2, [10]uint64{4, 3, 2, 1}}},
		Boot:  1,
	}, got)
}

func TestHostMalformed(t *testing.T) {
	for _, in := range []string{
		"", "cpu  1 2 3 4\n", "btime 1\n",
		"cpu  1 2 3\nbtime 1\n",
		"cpu  1 2 x 4\nbtime 1\n",
		"cpu  1 2 3 4\nbtime x\n",
		"cpu  1 2 3 99999999999999999999\nbtime 1\n",
		"cpu  1 2 3 4\ncpu99999999999 1 2 3 4\nbtime 1\n",
		"cpu  1 2 3 4\nbtime 1\nctxt x\n",
		"cpu  1 2 3 4\nbtime 1\nintr \n",
		"cpu  1 2 3 4\nbtime 1\nsoftirq 1x\n",
		"cpu  1 2 3 4\nbtime 1\nprocesses 9223372036854775808\n",
	} {
		var s HostStat
		assert.ErrorIs(t, Host([]byte(in), &s), parse.ErrSyntax, "%q", in)
	}
}

func TestUptime(t *testing.T) {
	up, err := Uptime([]byte("1499.74 2570.40\n"))
	require.NoError(t, err)
	assert.Equal(t, 1499740*time.Millisecond, up)
	up, err = Uptime([]byte("0.05 0.00\n"))
	require.NoError(t, err)
	assert.Equal(t, 50*time.Millisecond, up)
	for _, in := range []string{"", "1", "1.", "x.1", ".5", "99999999999.00 1.0"} {
		_, err := Uptime([]byte(in))
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}
}

func TestHostNoAllocation(t *testing.T) {
	stat, up := []byte(hostStat), []byte("1499.74 2570.40\n")
	var s HostStat
	require.NoError(t, Host(stat, &s)) // makes room for the CPUs once
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_ = Host(stat, &s)
		_, _ = Uptime(up)
	}))
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{hostStat, "1499.74 2570.40\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s HostStat
		if Host(b, &s) == nil {
			assert.LessOrEqual(t, s.ContextSwitches, uint64(math.MaxInt64))
		}
		if up, err := Uptime(b); err == nil {
			assert.GreaterOrEqual(t, up, time.Duration(0))
		}
	})
}

// BenchmarkHost is a host with 128 CPUs and 4,000 interrupts.
func BenchmarkHost(b *testing.B) {
	stat := []byte(strings.Replace(hostStat, " 0 0 0 0 0 0 0 0", strings.Repeat(" 123", 4000), 1))
	var s HostStat
	for b.Loop() {
		if err := Host(stat, &s); err != nil {
			b.Fatal(err)
		}
	}
}
