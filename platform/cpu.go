// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

// ActivityFields is a set of fields of [Activity].
type ActivityFields uint8

// The fields of Activity.
const (
	ActivityContextSwitches ActivityFields = 1 << iota
	ActivityInterrupts
	ActivitySoftInterrupts
	ActivityCreated
	ActivityRunnable
	ActivityBlocked
)

// Has tells whether every field of want is in the set.
func (f ActivityFields) Has(want ActivityFields) bool { return f&want == want }

// Activity is what a kernel has counted since boot, and what its threads do
// (Linux: ctxt, intr, softirq, processes, procs_running and procs_blocked of
// proc_stat(5)).
type Activity struct {
	// Got is the set of fields that hold a value.
	Got ActivityFields

	ContextSwitches uint64
	Interrupts      uint64
	// SoftInterrupts falls on Linux, by 2^32: it is the sum of counters of 32
	// bits for each CPU and kind.
	SoftInterrupts uint64
	Created        uint64 // processes; on Linux threads too
	Runnable       uint64 // threads that run or wait for a CPU
	Blocked        uint64 // threads that wait for I/O
}

// FrequencyFields is a set of fields of [CPUFrequency].
type FrequencyFields uint8

// The fields of CPUFrequency.
const (
	FrequencyCurrent FrequencyFields = 1 << iota
	FrequencyMin
	FrequencyMax

	numFrequencies = iota
)

// Has tells whether every field of want is in the set.
func (f FrequencyFields) Has(want FrequencyFields) bool { return f&want == want }

// CPUFrequency is how fast a logical CPU runs, in Hz.
type CPUFrequency struct {
	Number int
	// Got is the set of fields that hold a value.
	Got FrequencyFields

	Current uint64
	// Min and Max are the limits in force, which can be narrower than what
	// the hardware can do.
	Min, Max uint64
}
