// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"syscall"
	"time"
)

// Guarantee says how sure it is that an action had its effect on the process
// that was meant, and on no later one with its PID.
type Guarantee uint8

// The guarantees, the surest first.
const (
	// Exact: the kernel itself held the action to the process.
	Exact Guarantee = iota + 1
	// Verified: the action went by number, and afterwards the process was
	// still there. A number is not given away while its process is there, so
	// it was the process's for all that time.
	Verified
	// Checked: the action went by number, the process had been there before
	// and is not any more. It may have been the action that ended it.
	Checked
	// Indeterminate: the process was reaped while the action went by number.
	// It may have hit another one. It must not be tried again.
	Indeterminate
)

// String is the guarantee in one word.
func (g Guarantee) String() string {
	switch g {
	case Exact:
		return "exact"
	case Verified:
		return "verified"
	case Checked:
		return "checked"
	case Indeterminate:
		return "indeterminate"
	}
	return "none"
}

// Reason says why there is no such process.
type Reason string

// The reasons.
const (
	ReasonNotFound  Reason = "not_found"         // no process has the number
	ReasonExited    Reason = "exited"            // it is gone
	ReasonReused    Reason = "pid_reused"        // another process has its number
	ReasonOtherBoot Reason = "other_boot"        // it was before the host was booted last
	ReasonMismatch  Reason = "identity_mismatch" // it never was one of this host
)

// NoSuchProcessError is ErrNoSuchProcess with what is known of it.
type NoSuchProcessError struct {
	PID    int32
	Reason Reason
}

// Error says which process is missing, and why.
func (e *NoSuchProcessError) Error() string {
	return fmt.Sprintf("process %d: %s (%s)", e.PID, ErrNoSuchProcess, e.Reason)
}

// Unwrap is ErrNoSuchProcess.
func (*NoSuchProcessError) Unwrap() error { return ErrNoSuchProcess }

// Effect is what an action that goes thread by thread had.
type Effect struct {
	Guarantee Guarantee // the worst of the threads
	// Changed of Total threads are as was asked for. One that ended meanwhile
	// is in neither.
	Changed, Total int
}

// LimitChange is what [Handle.SetLimit] did.
type LimitChange struct {
	Guarantee     Guarantee
	Before, After Limit
	// Atomic: both were given, so that no other change can have been between.
	Atomic bool
}

// Until says what a process is waited for.
type Until uint8

// What to wait for.
const (
	UntilExited Until = iota // it has ended, and may be a zombie
	UntilReaped              // its PID is free
)

// Exit is how a process ended.
type Exit struct {
	// Reaped tells that its PID is free.
	Reaped bool
	// Known tells whether the kernel says how it ended: of a process that was
	// reaped since Linux 6.15, of a zombie to who may trace it.
	Known bool
	// Code is what it passed to exit(3), unless Signal ended it.
	Code   int
	Signal syscall.Signal
	Core   bool // it dumped core
}

// ProcessReading is what was read of one process through its [Handle]. Its
// texts are byte for byte what the kernel has, which need not be valid UTF-8.
type ProcessReading struct {
	Process
	// Tally tells what of it was not got.
	Tally Tally
	// Cut are the fields whose lists go on behind the page that was asked for:
	// FieldMappingList, FieldFDs, which is also of connections, FieldThreadList.
	Cut Fields
	// Last is the number of the last descriptor of the page.
	Last int32
	// Time is the wall clock when the reading began.
	Time time.Time
}

// Abilities is what the kernel has for handles.
type Abilities struct {
	Pidfd  bool // pidfd_open(2), Linux 5.3; never without Signal
	Signal bool // pidfd_send_signal(2), Linux 5.1: signals are Exact
	Pidfs  bool // the inode of a pidfd is an identity, Linux 6.9
}
