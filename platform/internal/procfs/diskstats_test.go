// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Lines of Linux 6.18 (20 columns), in the format of 5.0 (18) and of 3.10 (14),
// and of a kernel whose counter of operations in flight fell below zero.
const diskstats = ` 254       0 vda 107751 37135 5033714 36900 18757 83973 7326360 17813 0 11540 56484 20155 44 2239384 1762 125 8
   8       1 sda1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
 104       0 cciss/c0d0 21 22 23 24 25 26 27 4294967295 4294967293 30 31
`

func TestDiskstats(t *testing.T) {
	var all []Disk
	var d Disk
	for b := []byte(diskstats); len(b) > 0; {
		var err error
		b, err = NextDisk(b, &d)
		require.NoError(t, err)
		all = append(all, d)
	}
	assert.Equal(t, []Disk{
		{254, 0, []byte("vda"), 107751, 37135, 5033714, 36900, 18757, 83973, 7326360, 17813, 0, 11540, 56484},
		{8, 1, []byte("sda1"), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
		{104, 0, []byte("cciss/c0d0"), 21, 22, 23, 24, 25, 26, 27, 4294967295, 4294967293, 30, 31},
	}, all)
}

func TestDiskstatsMalformed(t *testing.T) {
	var d Disk
	for _, in := range []string{
		"", "\n", "8 0\n", "8 0 sda\n", "x 0 sda 1 2 3 4 5 6 7 8 9 10 11\n", "8 4294967296 sda 1 2 3 4 5 6 7 8 9 10 11\n",
		"8 0 sda 1 2 3 4 5 6 7 8 9 10\n", "8 0 sda 1 2 3 4 5 6 7 8 9 10 -11\n", "8 0 sda 1 2 3 4 5 6 7 8 9 10 11x\n",
		"8 1 sda1 1 2 3 4\n", // of a partition, before Linux 2.6.25
		"8 0 sda 1 2 18446744073709551616 4 5 6 7 8 9 10 11\n",
	} {
		_, err := NextDisk([]byte(in), &d)
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}
}

func TestDiskstatsNoAllocation(t *testing.T) {
	text := []byte(diskstats)
	var d Disk
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		for b := text; len(b) > 0; {
			b, _ = NextDisk(b, &d)
		}
	}))
}

func FuzzDiskstats(f *testing.F) {
	f.Add([]byte(diskstats))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d Disk
		for len(b) > 0 {
			rest, err := NextDisk(b, &d)
			if err != nil {
				return
			}
			assert.NotEmpty(t, d.Name)
			assert.Less(t, len(rest), len(b))
			b = rest
		}
	})
}
