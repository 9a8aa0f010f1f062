// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import "time"

// Machine supplies what is not in files, so that a recorded machine can stand
// in for the one that the code runs on. The zero value is the running machine.
type Machine struct {
	// Now is the wall clock.
	Now func() time.Time
	// PageSize is the size of a page in bytes.
	PageSize int
	// Awake is the time since boot without that in suspend; 0 for unknown.
	Awake func() time.Duration
	// Statfs is what statfs(2) answers for a path of the host, which has not
	// the root's before it.
	Statfs func(path string) (Statfs, error)
}

// Snapshot is one reading of the host: everything in it belongs to one tick.
// It is valid until the next one is taken.
type Snapshot struct {
	// Time is the wall clock when the reading began.
	Time time.Time
	// Boot is the wall-clock time of the boot (Linux: btime of /proc/stat,
	// whole seconds). It moves when the clock is stepped.
	Boot time.Time
	// CPU is the CPU time of the host since boot.
	CPU CPU
	// Activity is what the kernel has done since boot.
	Activity Activity
	// Processes are in ascending order of PID. Empty where Request.Fields
	// was, or where ProcessesErr is not nil.
	Processes []*Process
	// ProcessesErr tells why the process table could not be read.
	ProcessesErr error
	// Hidden tells that this user is not shown all processes, so that those
	// above are not all there are (Linux: /proc with hidepid=2).
	Hidden bool
	// Tally counts what was not got.
	Tally Tally
}

// CPU is the CPU time of a host since boot.
type CPU struct {
	// Total is the sum over all logical CPUs.
	Total CPUTimes
	// PerCPU are the logical CPUs that are online.
	PerCPU []LogicalCPU
}

// LogicalCPU is the CPU time of one logical CPU.
type LogicalCPU struct {
	Number int
	CPUTimes
}

// CPUTimes is seconds since boot, by what they were spent on. On Linux Guest
// is already in User, and GuestNice in Nice. Not time.Duration: its 292 years
// are seven months of a host with 512 CPUs.
type CPUTimes struct {
	User, Nice, System, Idle, IOWait, IRQ, SoftIRQ, Steal, Guest, GuestNice float64
}
