// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"math"
	"math/bits"
)

// FilesystemFields is a set of fields of [Filesystem].
type FilesystemFields uint8

// The fields of Filesystem.
const (
	FilesystemSpace  FilesystemFields = 1 << iota // Total, Used, Free, Reserved
	FilesystemInodes                              // UsedInodes, FreeInodes
)

// Has tells whether every field of want is in the set.
func (f FilesystemFields) Has(want FilesystemFields) bool { return f&want == want }

// Filesystem is one filesystem where it is mounted, or the space that there is
// at a path. Its texts are valid UTF-8.
type Filesystem struct {
	// Device is what is mounted, a device or what a filesystem calls its own:
	// /dev/sda1, server:/export, tank/home. Empty where it has no name.
	Device string
	Type   string // ext4, nfs4, fuse.sshfs, …
	// Mountpoint is where it is on the host, or the path that was asked for.
	Mountpoint string
	ReadOnly   bool // nothing can be written there
	// Got is the set of fields that hold a value.
	Got FilesystemFields

	// Bytes. Used, Free and Reserved add up to Total; what is reserved is free
	// for the superuser alone.
	Total, Used, Free, Reserved uint64
	UsedInodes, FreeInodes      uint64
}

// FilesystemRequest says which filesystems are told.
type FilesystemRequest struct {
	// All makes every mount a candidate that can be seen. Otherwise those are
	// that have a device of their own, each filesystem once.
	All bool
	// Select, if not nil, chooses among the candidates by what they are; their
	// space is not known yet.
	Select func(*Filesystem) bool
	// Paths are told as well, each but those that are told as mount points.
	Paths []string
}

// Statfs is what statfs(2) tells of a filesystem.
type Statfs struct {
	BlockSize       uint64 // the unit of blocks, in bytes
	Blocks          uint64
	FreeBlocks      uint64
	AvailableBlocks uint64 // free for users
	Files           uint64 // inodes; 0 where they are made as needed
	FreeFiles       uint64
}

// fill sets what s tells. What has no blocks holds nothing, as the kernel's
// own filesystems; numbers that contradict each other say nothing.
func (f *Filesystem) fill(s Statfs) {
	over, total := bits.Mul64(s.Blocks, s.BlockSize)
	if over == 0 && total > 0 && total <= math.MaxInt64 && s.FreeBlocks <= s.Blocks {
		available := min(s.AvailableBlocks, s.FreeBlocks)
		if int64(s.AvailableBlocks) < 0 { // the reserve is in use: UFS
			available = 0
		}
		f.Total = total
		f.Used = (s.Blocks - s.FreeBlocks) * s.BlockSize
		f.Free = available * s.BlockSize
		f.Reserved = (s.FreeBlocks - available) * s.BlockSize
		f.Got |= FilesystemSpace
	}
	if s.Files > 0 && s.Files <= math.MaxInt64 && s.FreeFiles <= s.Files {
		f.UsedInodes, f.FreeInodes = s.Files-s.FreeFiles, s.FreeFiles
		f.Got |= FilesystemInodes
	}
}
