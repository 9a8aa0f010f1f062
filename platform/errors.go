// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// Error is the class of a failure. The classes are constants to be matched
// with [errors.Is]; each also matches its sentinel of the standard library.
type Error uint8

// The classes of failures.
const (
	// ErrNotSupported: this operating system or kernel cannot give it.
	// Also errors.ErrUnsupported.
	ErrNotSupported Error = iota + 1
	// ErrNoSuchProcess: the process is gone, or another one has its PID.
	// Also fs.ErrNotExist and os.ErrProcessDone.
	ErrNoSuchProcess
	// ErrZombieProcess: the process has exited and waits to be reaped.
	// Also ErrNoSuchProcess, and all that ErrNoSuchProcess is.
	ErrZombieProcess
	// ErrAccessDenied: it is there, and this user may not read it.
	// Also fs.ErrPermission.
	ErrAccessDenied
	// ErrTimeoutExpired: it was not there in time.
	// Also os.ErrDeadlineExceeded and context.DeadlineExceeded.
	ErrTimeoutExpired
	// ErrMalformed: the kernel's answer is not what its documentation says.
	ErrMalformed
	// ErrInvalidArgument: nothing like it can be asked for.
	// Also fs.ErrInvalid.
	ErrInvalidArgument
)

// Error says in words what class this is.
func (e Error) Error() string {
	switch e {
	case ErrNotSupported:
		return "not supported on this platform"
	case ErrNoSuchProcess:
		return "no such process"
	case ErrZombieProcess:
		return "zombie process"
	case ErrAccessDenied:
		return "access denied"
	case ErrTimeoutExpired:
		return "timeout expired"
	case ErrMalformed:
		return "malformed"
	case ErrInvalidArgument:
		return "invalid argument"
	}
	return "unknown error"
}

// Class is the value of the attribute error.type for this class.
func (e Error) Class() string {
	switch e {
	case ErrNotSupported:
		return "not_supported"
	case ErrNoSuchProcess:
		return "no_such_process"
	case ErrZombieProcess:
		return "zombie_process"
	case ErrAccessDenied:
		return "access_denied"
	case ErrTimeoutExpired:
		return "timeout_expired"
	case ErrMalformed:
		return "malformed"
	case ErrInvalidArgument:
		return "invalid_argument"
	}
	return "_OTHER"
}

// Is makes errors.Is match the broader class and the standard sentinels.
func (e Error) Is(target error) bool {
	switch e {
	case ErrNotSupported:
		return target == errors.ErrUnsupported
	case ErrZombieProcess:
		return target == ErrNoSuchProcess || ErrNoSuchProcess.Is(target)
	case ErrNoSuchProcess:
		return target == fs.ErrNotExist || target == os.ErrProcessDone
	case ErrAccessDenied:
		return target == fs.ErrPermission
	case ErrTimeoutExpired:
		return target == os.ErrDeadlineExceeded || target == context.DeadlineExceeded
	case ErrInvalidArgument:
		return target == fs.ErrInvalid
	}
	return false
}

// ClassOf is the class of any error: that of the first [Error] in its tree,
// else the class whose sentinel it matches, else "_OTHER", the fallback that
// the semantic conventions give for error.type.
func ClassOf(err error) string {
	if e, ok := errors.AsType[Error](err); ok {
		return e.Class()
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return ErrAccessDenied.Class()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeoutExpired.Class()
	case errors.Is(err, errors.ErrUnsupported):
		return ErrNotSupported.Class()
	}
	return Error(0).Class()
}
