// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package platform

import (
	"context"
	"syscall"
	"time"
)

// Handle refers to one process. This system has no backend for it yet: none
// can be opened, and every method answers ErrNotSupported.
type Handle struct{}

// Abilities answers none.
func (*Host) Abilities() Abilities { return Abilities{} }

// OpenToken answers ErrNotSupported.
func (*Host) OpenToken(Token) (*Handle, error) { return nil, ErrNotSupported }

// OpenPID answers ErrNotSupported.
func (*Host) OpenPID(int32) (*Handle, error) { return nil, ErrNotSupported }

// OpenCreated answers ErrNotSupported.
func (*Host) OpenCreated(int32, time.Time) (*Handle, error) { return nil, ErrNotSupported }

// OpenSelf answers ErrNotSupported.
func (*Host) OpenSelf() (*Handle, error) { return nil, ErrNotSupported }

// Read answers ErrNotSupported.
func (*Host) Read(context.Context, *Handle, Request) (*ProcessReading, error) {
	return nil, ErrNotSupported
}

// Parent answers ErrNotSupported.
func (*Host) Parent(*Handle) (*Handle, error) { return nil, ErrNotSupported }

// Parents answers ErrNotSupported.
func (*Host) Parents(context.Context, *Handle, func(*Handle) error) error { return ErrNotSupported }

// Children answers ErrNotSupported.
func (*Host) Children(context.Context, *Handle, bool, func(*Handle) error) error {
	return ErrNotSupported
}

// Token answers none.
func (*Handle) Token() Token { return Token{} }

// KernelThread answers false.
func (*Handle) KernelThread() bool { return false }

// Close does nothing.
func (*Handle) Close() {}

// Running answers ErrNotSupported.
func (*Handle) Running() (bool, error) { return false, ErrNotSupported }

// State answers ErrNotSupported.
func (*Handle) State() (State, error) { return StateUnknown, ErrNotSupported }

// Signal answers ErrNotSupported.
func (*Handle) Signal(syscall.Signal) (Guarantee, error) { return 0, ErrNotSupported }

// Suspend answers ErrNotSupported.
func (*Handle) Suspend() (Guarantee, error) { return 0, ErrNotSupported }

// Resume answers ErrNotSupported.
func (*Handle) Resume() (Guarantee, error) { return 0, ErrNotSupported }

// Kill answers ErrNotSupported.
func (*Handle) Kill() (Guarantee, error) { return 0, ErrNotSupported }

// Terminate answers ErrNotSupported.
func (*Handle) Terminate(context.Context, time.Duration, func() error) (Guarantee, bool, *Exit, error) {
	return 0, false, nil, ErrNotSupported
}

// SetPriority answers ErrNotSupported.
func (*Handle) SetPriority(int, bool) (Effect, error) { return Effect{}, ErrNotSupported }

// SetAffinity answers ErrNotSupported.
func (*Handle) SetAffinity([]int32, bool) (Effect, error) { return Effect{}, ErrNotSupported }

// SetLimit answers ErrNotSupported.
func (*Handle) SetLimit(LimitKind, *uint64, *uint64) (LimitChange, error) {
	return LimitChange{}, ErrNotSupported
}

// Wait answers ErrNotSupported.
func (*Handle) Wait(context.Context, Until) (Exit, error) { return Exit{}, ErrNotSupported }

// WaitAll answers ErrNotSupported for each.
func WaitAll(_ context.Context, ps []*Handle, _ Until, each func(i int, e Exit, err error)) {
	for i := range ps {
		each(i, Exit{}, ErrNotSupported)
	}
}

// ErrnoName answers "".
func ErrnoName(error) string { return "" }

// SignalNumber answers 0.
func SignalNumber(string) syscall.Signal { return 0 }

// SignalName answers "".
func SignalName(syscall.Signal) string { return "" }

// PeerCredentials answers ErrNotSupported.
func PeerCredentials(syscall.RawConn) (Credentials, error) { return Credentials{}, ErrNotSupported }

// Owner answers ErrNotSupported.
func (*Handle) Owner() (uint32, error) { return 0, ErrNotSupported }

// MountNamespace answers ErrNotSupported.
func (*Handle) MountNamespace() (uint64, error) { return 0, ErrNotSupported }
