// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

// MemoryFields is a set of fields of [Memory].
type MemoryFields uint32

// The fields of Memory, in its order.
const (
	MemoryTotal MemoryFields = 1 << iota
	MemoryAvailable
	MemoryFree
	MemoryBuffers
	MemoryCached
	MemoryActive
	MemoryInactive
	MemoryShared
	MemorySlabReclaimable
	MemorySlabUnreclaimable
	MemoryDirty
	MemoryWriteback
	MemoryAnonymous
	MemoryMapped
	MemoryPageTables
	MemoryCommitLimit
	MemoryCommitted
	MemorySwapTotal
	MemorySwapFree
	MemoryHugePageSize
	MemoryHugePagesTotal
	MemoryHugePagesFree
	MemoryHugePagesReserved
	MemoryHugePagesSurplus
	MemoryPageSize
)

// Has tells whether every field of want is in the set.
func (f MemoryFields) Has(want MemoryFields) bool { return f&want == want }

// Memory is the memory of the host in bytes (Linux: proc_meminfo(5)).
type Memory struct {
	// Got is the set of fields that hold a value.
	Got MemoryFields

	Total             uint64 // physical memory
	Available         uint64 // what can be had without swapping; never above Total
	Free              uint64
	Buffers           uint64
	Cached            uint64
	Active            uint64 // used of late, as Inactive is not; both overlap what is above
	Inactive          uint64
	Shared            uint64 // mostly of tmpfs
	SlabReclaimable   uint64 // data structures of the kernel, which it can give up
	SlabUnreclaimable uint64 // and those that it cannot
	Dirty             uint64 // waits to be written
	Writeback         uint64 // is being written
	Anonymous         uint64 // of processes, and of no file
	Mapped            uint64 // of files, in processes
	PageTables        uint64
	CommitLimit       uint64 // what can be committed where overcommitting is off
	Committed         uint64 // what processes were promised
	SwapTotal         uint64
	SwapFree          uint64
	HugePageSize      uint64 // that of the default

	// Huge pages of the default size, in pages.
	HugePagesTotal    uint64
	HugePagesFree     uint64
	HugePagesReserved uint64 // promised and not yet allocated
	HugePagesSurplus  uint64 // above the size of the pool

	PageSize uint64 // that of a page
}

// PagingFields is a set of fields of [Paging].
type PagingFields uint8

// The fields of Paging.
const (
	PagingSwap   PagingFields = 1 << iota // SwappedIn, SwappedOut
	PagingFaults                          // Faults, MajorFaults
	PagingOOMKills
)

// Has tells whether every field of want is in the set.
func (f PagingFields) Has(want PagingFields) bool { return f&want == want }

// Paging is what a kernel has done with pages since boot (Linux:
// /proc/vmstat).
type Paging struct {
	// Got is the set of fields that hold a value.
	Got PagingFields

	PageSize              uint64 // in bytes
	SwappedIn, SwappedOut uint64 // pages
	Faults                uint64 // all
	MajorFaults           uint64 // those in which a page had to be read
	OOMKills              uint64 // processes, for want of memory of the host or a cgroup
}

// Swap is a device or file that is swapped to.
type Swap struct {
	Name        string // its path as this user sees it
	Total, Used uint64 // bytes; Used is never above Total
}
