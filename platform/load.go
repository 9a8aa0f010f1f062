// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import "time"

// LoadFields is a set of fields of [Load].
type LoadFields uint8

// The fields of Load.
const (
	LoadAverages LoadFields = 1 << iota
	LoadThreads
)

// Has tells whether every field of want is in the set.
func (f LoadFields) Has(want LoadFields) bool { return f&want == want }

// Load is how much there is to do (Linux: proc_loadavg(5)).
type Load struct {
	// Got is the set of fields that hold a value.
	Got LoadFields

	// Averages are the threads that ran or waited to, over one, five and
	// fifteen minutes; on Linux also those in uninterruptible sleep.
	Averages [3]float64
	Threads  uint64 // of all processes, those of the kernel too
}

// PressureFields is a set of fields of [Pressure].
type PressureFields uint8

// The fields of Pressure.
const (
	PressureCPU PressureFields = 1 << iota
	PressureMemory
	PressureIO
)

// Pressure is how long tasks have waited since boot (Linux: psi.rst).
type Pressure struct {
	CPU, Memory, IO Stall
}

// Stall is how long tasks have waited for one thing.
type Stall struct {
	// Got is the set of fields that hold a value.
	Got StallFields

	Some time.Duration // at least one task waited
	Full time.Duration // all did that were not idle
}

// StallFields is a set of fields of [Stall].
type StallFields uint8

// The fields of Stall.
const (
	StallSome StallFields = 1 << iota
	StallFull
)

// Has tells whether every field of want is in the set.
func (f StallFields) Has(want StallFields) bool { return f&want == want }

// LimitFields is a set of fields of [SystemLimits].
type LimitFields uint8

// The fields of SystemLimits.
const (
	LimitsTasks LimitFields = 1 << iota
	LimitsFiles
	LimitsOpenFiles
)

// Has tells whether every field of want is in the set.
func (f LimitFields) Has(want LimitFields) bool { return f&want == want }

// SystemLimits is how much of something a kernel allows to all processes
// together.
type SystemLimits struct {
	// Got is the set of fields that hold a value. One that is not limited has
	// none.
	Got LimitFields

	Tasks     uint64 // the most processes and threads
	Files     uint64 // the most open files
	OpenFiles uint64 // those that there are
}
