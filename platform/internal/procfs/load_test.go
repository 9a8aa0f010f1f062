// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

func TestLoad(t *testing.T) {
	var got LoadAverage
	for in, want := range map[string]LoadAverage{
		"0.29 0.19 0.22 1/87 4401\n":            {[3]float64{0.29, 0.19, 0.22}, 1, 87},
		"1234.05 0.00 128.99 130/70000 99999\n": {[3]float64{1234.05, 0, 128.99}, 130, 70000},
		"0.00 0.01 0.05 0/0 0\n":                {[3]float64{0, 0.01, 0.05}, 0, 0}, // a sandbox
	} {
		require.NoError(t, Load([]byte(in), &got), in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{
		"", "0.29\n", "0.29 0.19 0.22\n", "0.29 0.19 0.22 1 4401\n", "0.29 0.19 0.22 1/x 4401\n", "0.29 0.19 0.22 1/87",
		"0 0.19 0.22 1/87 4401\n", "0. 0.19 0.22 1/87 4401\n", "-0.29 0.19 0.22 1/87 4401\n", "0.29,0.19 0.22 1/87 1\n",
		"99999999999999999.00 0.19 0.22 1/87 4401\n", "0.29 0.19 0.22 1/4294967297 4401\n",
	} {
		assert.ErrorIs(t, Load([]byte(in), &got), parse.ErrSyntax, "%q", in)
	}
}

func TestPressure(t *testing.T) {
	const some = "some avg10=0.26 avg60=0.23 avg300=0.13 total=5642240\n"
	var got Stall
	for in, want := range map[string]Stall{
		some + "full avg10=0.21 avg60=0.19 avg300=0.09 total=4149197\n": {5642240, 4149197, true, true},
		some: {Some: 5642240, HasSome: true}, // of a CPU before Linux 5.13
		"full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n": {Full: 7, HasFull: true}, // irq
		some + "other total=x\n":                           {Some: 5642240, HasSome: true},
	} {
		require.NoError(t, Pressure([]byte(in), &got), in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{
		"", "some\n", "some avg10=0.26\n", "some total=\n", "some avg10=0 total=1x\n", "some avg10=0 total=-1\n",
		"some avg10=0 total=9223372036854776\n", "other avg10=0 total=1\n", some + "full\n",
	} {
		assert.ErrorIs(t, Pressure([]byte(in), &got), parse.ErrSyntax, "%q", in)
	}
}

func TestFileNr(t *testing.T) {
	for in, want := range map[string][2]uint64{
		"449\t0\t2466170\n":               {449, 2466170},
		"2016\t16\t9223372036854775807\n": {2000, math.MaxInt64},
		"2016\t0\t18446744073709551615\n": {2016, math.MaxInt64},
	} {
		count, limit, err := FileNr([]byte(in))
		require.NoError(t, err, in)
		assert.Equal(t, want, [2]uint64{count, limit}, in)
	}
	for _, in := range []string{"", "1\n", "1\t0\n", "1\t0\t5", "x\t0\t5\n", "1 0 5\n", "1\t2\t5\n", "9223372036854775808\t0\t5\n"} {
		_, _, err := FileNr([]byte(in))
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		"0.29 0.19 0.22 1/87 4401\n", "449\t0\t2466170\n",
		"some avg10=0.26 avg60=0.23 avg300=0.13 total=5642240\nfull avg10=0.21 avg60=0.19 avg300=0.09 total=4149197\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var l LoadAverage
		if Load(b, &l) == nil {
			for _, v := range l.Average {
				assert.True(t, v >= 0 && v < 1<<53)
			}
		}
		var s Stall
		if Pressure(b, &s) == nil {
			assert.True(t, s.HasSome || s.HasFull)
		}
		if count, limit, err := FileNr(b); err == nil {
			assert.LessOrEqual(t, count, uint64(math.MaxInt64))
			assert.LessOrEqual(t, limit, uint64(math.MaxInt64))
		}
	})
}
