// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import "github.com/hostscope/hostscope/platform/internal/parse"

// Meminfo is /proc/meminfo as far as it is used.
type Meminfo struct {
	// Has is the set of lines that were there: 1 << MemTotal, and so on.
	Has uint32
	// Value has the line MemTotal at MemTotal, and so on: bytes, or pages
	// where it counts huge pages.
	Value [NumMeminfo]uint64
}

// The lines of /proc/meminfo that are read.
const (
	MemTotal     = iota
	MemAvailable // since Linux 3.14
	MemFree
	MemBuffers
	MemCached
	MemActive
	MemInactive
	MemShared
	MemSlabReclaimable
	MemSlabUnreclaimable
	MemDirty
	MemWriteback
	MemAnonymous
	MemMapped
	MemPageTables
	MemCommitLimit
	MemCommitted
	MemSwapTotal
	MemSwapFree
	MemHugePageSize
	MemHugePagesTotal // this and the following: pages
	MemHugePagesFree
	MemHugePagesReserved
	MemHugePagesSurplus

	NumMeminfo
)

// meminfoLine is the line with a key, NumMeminfo for one that is not read.
func meminfoLine(key []byte) int {
	switch string(key) {
	case "MemTotal":
		return MemTotal
	case "MemAvailable":
		return MemAvailable
	case "MemFree":
		return MemFree
	case "Buffers":
		return MemBuffers
	case "Cached":
		return MemCached
	case "Active":
		return MemActive
	case "Inactive":
		return MemInactive
	case "Shmem":
		return MemShared
	case "SReclaimable":
		return MemSlabReclaimable
	case "SUnreclaim":
		return MemSlabUnreclaimable
	case "Dirty":
		return MemDirty
	case "Writeback":
		return MemWriteback
	case "AnonPages":
		return MemAnonymous
	case "Mapped":
		return MemMapped
	case "PageTables":
		return MemPageTables
	case "CommitLimit":
		return MemCommitLimit
	case "Committed_AS":
		return MemCommitted
	case "SwapTotal":
		return MemSwapTotal
	case "SwapFree":
		return MemSwapFree
	case "Hugepagesize":
		return MemHugePageSize
	case "HugePages_Total":
		return MemHugePagesTotal
	case "HugePages_Free":
		return MemHugePagesFree
	case "HugePages_Rsvd":
		return MemHugePagesReserved
	case "HugePages_Surp":
		return MemHugePagesSurplus
	}
	return NumMeminfo
}

// Memory decodes /proc/meminfo.
func Memory(b []byte, m *Meminfo) error {
	*m = Meminfo{}
	parse.KeyUint(b, func(key []byte, n uint64) {
		line := meminfoLine(key)
		if line == NumMeminfo || n >= 1<<53 { // kB; more would not fit an int64 of bytes
			return
		}
		if line < MemHugePagesTotal {
			n <<= 10
		}
		m.Value[line] = n
		m.Has |= 1 << line
	})
	if m.Has&(1<<MemTotal) == 0 {
		return parse.ErrSyntax
	}
	return nil
}
