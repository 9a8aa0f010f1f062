// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestUint(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    uint64
		rest string
		ok   bool
	}{
		{"0", 0, "", true},
		{"42 rest", 42, " rest", true},
		{"18446744073709551615", math.MaxUint64, "", true},
		{"18446744073709551616", 0, "18446744073709551616", false},
		{"99999999999999999999", 0, "99999999999999999999", false},
		{"", 0, "", false},
		{"-1", 0, "-1", false},
		{" 1", 0, " 1", false},
	} {
		n, rest, ok := Uint([]byte(c.in))
		assert.Equal(t, c.ok, ok, c.in)
		assert.Equal(t, c.n, n, c.in)
		assert.Equal(t, c.rest, string(rest), c.in)
	}
}

func TestInt(t *testing.T) {
	for _, c := range []struct {
		in string
		n  int64
		ok bool
	}{
		{"7", 7, true},
		{"-7", -7, true},
		{"9223372036854775807", math.MaxInt64, true},
		{"9223372036854775808", 0, false},
		{"-9223372036854775808", math.MinInt64, true},
		{"-9223372036854775809", 0, false},
		{"--1", 0, false},
		{"-", 0, false},
	} {
		n, _, ok := Int([]byte(c.in))
		assert.Equal(t, c.ok, ok, c.in)
		assert.Equal(t, c.n, n, c.in)
	}
}

func TestHex(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    uint64
		rest string
		ok   bool
	}{
		{"0", 0, "", true},
		{"1aF-", 0x1af, "-", true},
		{"ffffffffffffffff:", math.MaxUint64, ":", true},
		{"0000000000000000000000001", 1, "", true},
		{"10000000000000000", 0, "10000000000000000", false},
		{"", 0, "", false},
		{"g", 0, "g", false},
		{"@", 0, "@", false},
		{"-1", 0, "-1", false},
	} {
		n, rest, ok := Hex([]byte(c.in))
		assert.Equal(t, c.ok, ok, c.in)
		assert.Equal(t, c.n, n, c.in)
		assert.Equal(t, c.rest, string(rest), c.in)
	}
}

func TestOctal(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    uint64
		rest string
		ok   bool
	}{
		{"0", 0, "", true},
		{"02000002", 0o2000002, "", true},
		{"0778", 0o77, "8", true},
		{"1777777777777777777777", math.MaxUint64, "", true},
		{"2000000000000000000000", 0, "2000000000000000000000", false},
		{"", 0, "", false},
		{"8", 0, "8", false},
	} {
		n, rest, ok := Octal([]byte(c.in))
		assert.Equal(t, c.ok, ok, c.in)
		assert.Equal(t, c.n, n, c.in)
		assert.Equal(t, c.rest, string(rest), c.in)
	}
}

func TestLines(t *testing.T) {
	line, rest, ok := FullLine([]byte("a\nb"))
	assert.True(t, ok)
	assert.Equal(t, "a", string(line))
	assert.Equal(t, "b", string(rest))
	_, _, ok = FullLine(rest)
	assert.False(t, ok)
	line, rest = Line(rest)
	assert.Equal(t, "b", string(line))
	assert.Empty(t, rest)
	before, after, ok := Split([]byte("a:b:c"), ':')
	assert.True(t, ok)
	assert.Equal(t, "a", string(before))
	assert.Equal(t, "b:c", string(after))
	before, after, ok = Split([]byte("abc"), ':')
	assert.False(t, ok)
	assert.Equal(t, "abc", string(before))
	assert.Empty(t, after)
}

func TestOnly(t *testing.T) {
	n, ok := Only([]byte(" 12\n"))
	assert.True(t, ok)
	assert.EqualValues(t, 12, n)
	for _, in := range []string{"", "12a", "1 2", "a"} {
		_, ok := Only([]byte(in))
		assert.False(t, ok, in)
	}
}

func TestKeyUint(t *testing.T) {
	got := map[string]uint64{}
	found := KeyUint([]byte("A:   12 kB\nNone: x\nno colon 5\nB:\t3\t4\n:9\nlast: 1"), func(key []byte, n uint64) { got[string(key)] = n })
	assert.Equal(t, map[string]uint64{"A": 12, "B": 3, "": 9, "last": 1}, got)
	assert.Equal(t, 4, found)
}

func TestNoAllocation(t *testing.T) {
	in := []byte("A: 12\nB: 13\n")
	sum := uint64(0)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		KeyUint(in, func(_ []byte, n uint64) { sum += n })
	}))
}

// The numbers that are read are those that math/big reads.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"0", "18446744073709551615", "-9223372036854775808", "12x", "-", "fFfF", "0777", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, rest, ok := Uint(b); ok {
			want, fine := new(big.Int).SetString(string(b[:len(b)-len(rest)]), 10)
			assert.True(t, fine)
			assert.Equal(t, want.String(), new(big.Int).SetUint64(n).String())
		}
		if n, rest, ok := Int(b); ok {
			want, fine := new(big.Int).SetString(string(b[:len(b)-len(rest)]), 10)
			assert.True(t, fine)
			assert.Equal(t, want.String(), big.NewInt(n).String())
		}
		for base, read := range map[int]func([]byte) (uint64, []byte, bool){16: Hex, 8: Octal} {
			if n, rest, ok := read(b); ok {
				want, fine := new(big.Int).SetString(string(b[:len(b)-len(rest)]), base)
				assert.True(t, fine)
				assert.Equal(t, want.String(), new(big.Int).SetUint64(n).String())
			}
		}
		KeyUint(b, func([]byte, uint64) {})
	})
}
