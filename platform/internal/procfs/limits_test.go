// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

func wantLimits() PIDLimits {
	no := Limit{Unlimited, Unlimited}
	return PIDLimits{
		Has: 1<<NumLimits - 1,
		Of: [NumLimits]Limit{
			LimitCPU: no, LimitFileSize: no, LimitData: no,
			LimitStack: {8388608, Unlimited}, LimitCore: {0, Unlimited},
			LimitResidentSet: no, LimitProcesses: {96364, 96364}, LimitOpenFiles: {20000, 20000},
			LimitLockedMemory: {8388608, 8388608}, LimitAddressSpace: no, LimitFileLocks: no,
			LimitPendingSignals: {96364, 96364}, LimitMessageQueue: {819200, 819200}, LimitRealtimeTimeout: no,
		},
	}
}

const limitsHeading = "Limit                     Soft Limit           Hard Limit           Units     \n"

func TestLimits(t *testing.T) {
	var got PIDLimits
	require.NoError(t, Limits(recorded(t, "limits"), &got))
	assert.Equal(t, wantLimits(), got)

	// What a user may set, and what a kernel of another time may print.
	in := limitsHeading +
		"Max cpu time              60                   120                  seconds   \n" +
		"Max file size             9223372036854775807  9223372036854775808  bytes     \n" +
		"Max stack size            18446744073709551614 unlimited            bytes     \n" +
		"Max nice priority         40                   20                   \n" +
		"Max realtime timeout      200000               unlimited            us        \n" +
		"Max something new         1                    2                    \n" +
		"Max open files that has a very long name 1 2\n"
	require.NoError(t, Limits([]byte(in), &got))
	assert.Equal(t, PIDLimits{
		Has: 1<<LimitCPU | 1<<LimitFileSize | 1<<LimitStack | 1<<LimitNice | 1<<LimitRealtimeTimeout,
		Of: [NumLimits]Limit{
			LimitCPU: {60, 120}, LimitFileSize: {math.MaxInt64, Unlimited}, LimitStack: {Unlimited, Unlimited},
			LimitNice: {40, 20}, LimitRealtimeTimeout: {200000, Unlimited},
		},
	}, got)
}

func TestLimitsMalformed(t *testing.T) {
	for _, in := range []string{
		"", limitsHeading, "Max cpu time 1 2 seconds\n",
		"Max cpu time              60                   120                  seconds   ",
		"Max cpu time              x                    120                  seconds   \n",
		"Max cpu time              60                   -1                   seconds   \n",
		"Max cpu time              unlimitedly          1                    seconds   \n",
		"Max cpu time              18446744073709551616 1                    seconds   \n",
		"Max cpu time              60 \n",
		"Max cpu time               \n",
	} {
		var l PIDLimits
		assert.ErrorIs(t, Limits([]byte(in), &l), parse.ErrSyntax, "%q", in)
	}
}

func TestLimitsCut(t *testing.T) {
	in := recorded(t, "limits")
	want := wantLimits()
	for n := range in {
		var got PIDLimits
		lines := bytes.Count(in[:n], []byte{'\n'})
		if Limits(in[:n], &got) != nil {
			assert.LessOrEqual(t, lines, 1)
			continue
		}
		assert.EqualValues(t, 1<<(lines-1)-1, got.Has)
		for i := range lines - 1 {
			assert.Equal(t, want.Of[i], got.Of[i])
		}
	}
}

func TestLimitsNoAllocation(t *testing.T) {
	in := recorded(t, "limits")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		var l PIDLimits
		_ = Limits(in, &l)
	}))
}

func FuzzLimits(f *testing.F) {
	f.Add(recorded(f, "limits"))
	f.Add([]byte("Max nice priority         40                   20                   \n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l PIDLimits
		if Limits(b, &l) != nil {
			return
		}
		for i, limit := range l.Of {
			for _, n := range []uint64{limit.Soft, limit.Hard} {
				assert.True(t, n <= math.MaxInt64 || n == Unlimited)
			}
			if l.Has&(1<<i) == 0 {
				assert.Zero(t, limit)
			}
		}
	})
}
