// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"iter"
	"math/bits"
)

// Fields is a set of fields of a process. One type has three uses: what an
// operating system can give ([Supported]), what was asked for, and what one
// process had ([Process.Got]). Supported ⊇ asked ⊇ got.
type Fields uint64

// The fields of a process, each with what it fills in [Process].
const (
	FieldName        Fields = 1 << iota // Name
	FieldParent                         // PPID
	FieldState                          // State
	FieldCPUTime                        // CPU
	FieldThreads                        // Threads
	FieldMemory                         // RSS, VMS
	FieldDiskIO                         // ReadBytes, WriteBytes
	FieldDescriptors                    // Descriptors
	FieldExecutable                     // Executable
	FieldCommand                        // Command
	FieldOwner                          // Owner

	FieldSession      // PGID, SID
	FieldTTY          // More.TTY
	FieldNice         // Nice
	FieldFaults       // MinorFaults, MajorFaults
	FieldChildrenTime // ChildrenCPU
	FieldLastCPU      // LastCPU
	FieldShared       // Shared
	FieldSegments     // Text, Data
	FieldLogicalIO    // ReadChars, WriteChars, ReadCalls, WriteCalls
	FieldArguments    // Arguments
	FieldRunDelay     // RunDelay
	FieldIOPriority   // IOPriority
	FieldOOM          // OOMScore, OOMAdjustment
	FieldCgroup       // Cgroup, More.CgroupFile
	FieldDirectory    // More.Directory
	FieldRoot         // More.RootDirectory
	FieldLimits       // More.Limits

	// Of More.
	FieldUsers         // UIDs, Users
	FieldGroups        // GIDs
	FieldSupplementary // Supplementary
	FieldUmask         // Umask
	FieldSignals       // Signals
	FieldAffinity      // Affinity
	FieldVPID          // VPID
	FieldResident      // RSSAnon, RSSFile, RSSShmem
	FieldSwap          // Swap
	FieldHugeTLB       // HugeTLB
	FieldPeak          // Peak
	FieldPeakVirtual   // PeakVirtual
	FieldLibrary       // Library
	FieldSignalQueue   // SignalsQueued

	// Of several files of a process, and so of More as well.
	FieldContextSwitches // Voluntary, Involuntary
	FieldThreadList      // ThreadList: ID, Name, CPU, faults
	FieldThreadSwitches  // ThreadList: context switches
	FieldThreadIO        // ThreadList: bytes of storage

	FieldEnvironment // Environment, EnvironmentCount

	// Detail that is expensive, so that it is read at longer intervals.
	FieldFootprint     // Footprint
	FieldMappingList   // Mappings without their memory
	FieldMappingMemory // Mappings with their memory
	FieldFDs           // FDs with number and type
	FieldFDInfo        // FDs with all the rest
	FieldConnections   // Connections

	fieldEnd
)

// DetailFields are those that are read of each process once per
// Request.DetailInterval, and not in the snapshots between.
const DetailFields = FieldOOM | FieldFootprint | FieldMappingList | FieldMappingMemory | FieldFDs | FieldFDInfo | FieldConnections

// NumFields is how many fields there are.
var NumFields = bits.TrailingZeros64(uint64(fieldEnd))

// AllFields is the set of every field.
const AllFields = fieldEnd - 1

// Has tells whether every field of want is in the set.
func (f Fields) Has(want Fields) bool { return f&want == want }

// Each yields the fields of the set one by one.
func (f Fields) Each() iter.Seq[Fields] {
	return func(yield func(Fields) bool) {
		for ; f != 0; f &= f - 1 {
			if !yield(f & -f) {
				return
			}
		}
	}
}

// index is the position of a single field in tables.
func (f Fields) index() int { return bits.TrailingZeros64(uint64(f)) }

// String is the name of a single field as self-telemetry and docs write it,
// or the names of a set, separated by commas.
func (f Fields) String() string {
	s := ""
	for one := range f.Each() {
		if s != "" {
			s += ","
		}
		if i := one.index(); i < len(processSupport) {
			s += processSupport[i].name
		} else {
			s += "unknown"
		}
	}
	return s
}
