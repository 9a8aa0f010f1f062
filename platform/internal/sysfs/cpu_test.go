// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sysfs

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

func TestCPUs(t *testing.T) {
	for in, want := range map[string][]int{
		"0\n":           {0},
		"0-1\n":         {0, 1},
		"0,64\n":        {0, 64},
		"1-3,8,10-11\n": {1, 2, 3, 8, 10, 11},
		"0 1 2 3\n":     {0, 1, 2, 3},
		"0 1 \n":        {0, 1}, // before Linux 4.15 or so
		"\n":            nil,
		"":              nil,
	} {
		var got []int
		require.NoError(t, CPUs([]byte(in), func(n int) { got = append(got, n) }), in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{"x\n", "0-\n", "3-1\n", "0,\n", "0;1\n", "-1\n", "0-1048577\n"} {
		assert.ErrorIs(t, CPUs([]byte(in), func(int) {}), parse.ErrSyntax, "%q", in)
	}
}

func TestKilohertz(t *testing.T) {
	for in, want := range map[string]uint64{"800000\n": 800_000_000, "3701213\n": 3_701_213_000, "0\n": 0, "<unknown>\n": 0} {
		hz, known, err := Kilohertz([]byte(in))
		require.NoError(t, err, in)
		assert.Equal(t, want, hz, in)
		assert.Equal(t, want > 0, known, in)
	}
	for _, in := range []string{"", "\n", "x\n", "-1\n", "1 2\n", "1099511627777\n"} {
		_, _, err := Kilohertz([]byte(in))
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}
}

func FuzzCPU(f *testing.F) {
	for _, s := range []string{"1-3,8,10-11\n", "0 1 2 3\n", "800000\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 64 {
			_ = CPUs(b, func(n int) { assert.True(t, n >= 0 && n <= maxCPU) })
		}
		if hz, known, err := Kilohertz(b); err == nil {
			assert.Equal(t, hz > 0, known)
		}
	})
}
