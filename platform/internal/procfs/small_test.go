// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Recorded on Linux 6.18.44.
const schedstat = "53027079 65862533 990\n"

func TestSchedstat(t *testing.T) {
	waited, known, err := Schedstat([]byte(schedstat))
	require.NoError(t, err)
	assert.True(t, known)
	assert.EqualValues(t, 65862533, waited)

	waited, known, err = Schedstat([]byte("1 0 1\n"))
	require.NoError(t, err)
	assert.True(t, known, "it never had to wait")
	assert.Zero(t, waited)

	_, known, err = Schedstat([]byte("0 0 0\n"))
	require.NoError(t, err)
	assert.False(t, known, "not accounted")

	for n := range schedstat {
		_, _, err := Schedstat([]byte(schedstat)[:n])
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", schedstat[:n])
	}
	for _, in := range []string{"1 2\n", "1 2 3 4\n", "1 -2 3\n", "1 x 3\n", "1  2 3\n", "1 9223372036854775808 3\n"} {
		_, _, err := Schedstat([]byte(in))
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}
}

func TestNumber(t *testing.T) {
	for in, want := range map[string]int64{"666\n": 666, "0\n": 0, "-1000\n": -1000} {
		n, err := Number([]byte(in))
		require.NoError(t, err)
		assert.Equal(t, want, n)
	}
	for _, in := range []string{"", "\n", "-100", "666", "1\n2\n", "1 \n", " 1\n", "x\n", "-\n", "9223372036854775808\n"} {
		_, err := Number([]byte(in))
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}
}

func TestSmallNoAllocation(t *testing.T) {
	sched, number := []byte(schedstat), []byte("-1000\n")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_, _, _ = Schedstat(sched)
		_, _ = Number(number)
	}))
}

func FuzzSmall(f *testing.F) {
	for _, s := range []string{schedstat, "0 0 0\n", "-1000\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		waited, known, err := Schedstat(b)
		if err != nil || !known {
			assert.Zero(t, waited)
		}
		if _, err := Number(b); err == nil {
			assert.Equal(t, byte('\n'), b[len(b)-1])
		}
	})
}
