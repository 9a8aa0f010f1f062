// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestFill: whoever serves a filesystem can say anything of its space. What
// cannot be is not there, and the rest never negative.
func TestFill(t *testing.T) {
	const space, inodes = FilesystemSpace, FilesystemInodes
	const most = math.MaxInt64
	for name, tt := range map[string]struct {
		told Statfs
		want Filesystem
	}{
		"as is": {
			Statfs{BlockSize: 4096, Blocks: 100, FreeBlocks: 50, AvailableBlocks: 40, Files: 9, FreeFiles: 7},
			Filesystem{Got: space | inodes, Total: 409600, Used: 204800, Free: 163840, Reserved: 40960, UsedInodes: 2, FreeInodes: 7},
		},
		"the reserve is in use": {
			Statfs{BlockSize: 1, Blocks: 100, FreeBlocks: 5, AvailableBlocks: 1<<64 - 3},
			Filesystem{Got: space, Total: 100, Used: 95, Reserved: 5},
		},
		"as much as there can be": {
			Statfs{BlockSize: 1, Blocks: most, FreeBlocks: most, AvailableBlocks: most, Files: most, FreeFiles: most},
			Filesystem{Got: space | inodes, Total: most, Free: most, FreeInodes: most},
		},
		"more":             {Statfs{BlockSize: 1, Blocks: most + 1, FreeBlocks: 1, AvailableBlocks: 1, Files: most + 1, FreeFiles: 1}, Filesystem{}},
		"more, as product": {Statfs{BlockSize: 1 << 32, Blocks: 1<<32 + 1, FreeBlocks: 1, AvailableBlocks: 1}, Filesystem{}},
		"of everything":    {Statfs{BlockSize: 4096, Blocks: math.MaxUint64, FreeBlocks: math.MaxUint64, AvailableBlocks: math.MaxUint64, Files: math.MaxUint64, FreeFiles: math.MaxUint64}, Filesystem{}},
		"more free":        {Statfs{BlockSize: 1, Blocks: 1, FreeBlocks: 2, AvailableBlocks: 2, Files: 1, FreeFiles: 2}, Filesystem{}},
		"no blocks":        {Statfs{BlockSize: 4096, Files: 3, FreeFiles: 3}, Filesystem{Got: inodes, FreeInodes: 3}},
		"no block size":    {Statfs{Blocks: 10, FreeBlocks: 1}, Filesystem{}},
	} {
		var got Filesystem
		got.fill(tt.told)
		assert.Equal(t, tt.want, got, name)
	}
}
