// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

// DiskFields is a set of fields of [Disk].
type DiskFields uint16

// The fields of Disk.
const (
	DiskIO           DiskFields = 1 << iota // ReadBytes, WriteBytes
	DiskOperations                          // ReadCount, WriteCount
	DiskMerged                              // ReadMerged, WriteMerged
	DiskTime                                // ReadTime, WriteTime
	DiskBusyTime                            // BusyTime
	DiskWeightedTime                        // WeightedTime
	DiskPending                             // Pending
	DiskSize                                // Size
)

// Has tells whether every field of want is in the set.
func (f DiskFields) Has(want DiskFields) bool { return f&want == want }

// Disk is one block device: a disk, a partition, or what the kernel makes of
// them. The counters are since boot or since the device came, and each may be
// reset or wrap: the times of Linux have 32 bits.
type Disk struct {
	Name         string // the kernel's, such as sda, nvme0n1p2, dm-0
	Major, Minor uint32
	// Whole tells that it is a disk that data is kept on: no partition, no
	// file (loop), no memory (ram, zram), no hidden path to another disk, and
	// no drive that nothing was ever in.
	Whole bool
	// Got is the set of fields that hold a value.
	Got DiskFields

	ReadCount, WriteCount   uint64 // operations that have ended
	ReadMerged, WriteMerged uint64 // operations that became part of another
	ReadBytes, WriteBytes   uint64
	ReadTime, WriteTime     uint64 // milliseconds, of each operation
	BusyTime                uint64 // milliseconds in which there was any
	WeightedTime            uint64 // milliseconds, of all kinds of operations
	Pending                 uint64 // operations under way
	Size                    uint64 // bytes
}
