// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import "time"

// ID is one process for its whole life. A PID alone is not: it is given to
// another process some time after this one was reaped.
type ID struct {
	PID int32
	// Start is when the process started, since boot, in the kernel's own unit
	// (Linux: clock ticks, field 22 of proc_pid_stat(5)). It is only to be
	// compared: a step of the wall clock does not move it.
	Start uint64
}

// State is what a process is doing, as psutil names it.
type State uint8

// The states of a process. Not every platform knows each.
const (
	StateUnknown State = iota
	StateRunning
	StateSleeping
	StateDiskSleep
	StateZombie
	StateStopped
	StateTracingStop
	StateDead
	StateWakeKill
	StateWaking
	StateParked
	StateIdle
	StateLocked
	StateWaiting
	StateSuspended

	NumStates = iota
)

// Process is what was read of one process. It belongs to the [Host] and is
// overwritten by the next Snapshot; strings may be kept.
type Process struct {
	ID
	// Got is the set of fields below that hold a value. A field outside it is
	// unknown, whatever its content.
	Got Fields
	// Created is the wall-clock time of the start. It is computed once per
	// identity and then kept, so that it is the same in every scrape.
	Created time.Time
	// KernelThread tells that this is a thread of the kernel, which has no
	// executable, arguments, memory or descriptors.
	KernelThread bool
	// Selected tells that the process passed the filter of the request, so
	// that more than its cheap fields was read.
	Selected bool

	Name    string // the kernel's name for it (comm), valid UTF-8
	PPID    int32
	State   State
	CPU     ProcessCPUTimes
	Threads int32
	RSS     uint64 // resident set size in bytes
	VMS     uint64 // size of the address space in bytes

	ReadBytes  uint64 // bytes fetched from storage
	WriteBytes uint64 // bytes sent to storage

	Descriptors int32  // number of open file descriptors
	Executable  string // absolute path of the program, valid UTF-8
	Command     string // the first argument (argv[0]), valid UTF-8
	UID         uint32 // real user ID
	Owner       string // name of the real user, or its number in decimal

	// Note is for the caller. It stays with the identity from one snapshot to
	// the next and is dropped with it.
	Note any

	cache processCache
}

// ProcessCPUTimes is the CPU time in seconds of all threads of a process,
// including those that have exited. On Linux guest time is part of User.
type ProcessCPUTimes struct {
	User, System float64
}

// Request says what a [Snapshot] is to read of processes.
type Request struct {
	// Fields are those wanted of selected processes. None: the process table
	// is not read at all.
	Fields Fields
	// Select decides by the fields that every process has at this point
	// (those which cost nothing more: on Linux those of /proc/PID/stat)
	// whether the others are read too. Nil selects every process.
	Select func(*Process) bool
}

// Tally counts, for one snapshot, what was asked for and not got. A field
// that a process cannot have (a kernel thread's executable) is not counted.
type Tally struct {
	// Gone is the number of processes that vanished while they were read.
	Gone int
	// By field, see Denied and Malformed.
	denied, malformed [64]int32
	// Sample names one malformed source, for the log.
	Sample string
}

// Denied is how many processes did not let this user read the field.
func (t *Tally) Denied(f Fields) int { return int(t.denied[f.index()]) }

// Malformed is for how many processes the field's source made no sense.
func (t *Tally) Malformed(f Fields) int { return int(t.malformed[f.index()]) }
