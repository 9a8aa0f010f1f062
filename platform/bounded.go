// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"fmt"
	"time"
)

// bounded makes reads that the kernel may never answer: of a network file
// system whose server is gone, of a driver that waits for its device. Nothing
// can interrupt such a read. It is left behind, with the thread that it holds,
// and what it is about is skipped until it has come back.
type bounded struct {
	stuck map[string]chan struct{} // by key; closed when the read has come back
}

// maxStuck is how many reads may be stuck before no other is begun: each holds
// a thread, and a host with so many has other worries than its metrics.
const maxStuck = 64

// errNotBegun is the ErrTimeoutExpired of a read that was not begun.
var errNotBegun = fmt.Errorf("%w", ErrTimeoutExpired)

// try runs read and tells whether it has ended within patience; if not, it is
// ErrTimeoutExpired, and if an earlier read of the same key is still under way
// or too many are, errNotBegun. What read writes may be looked at only if it
// has ended. It must not use what anybody else does, the [Host] and its buffers
// among it.
func (b *bounded) try(key string, patience time.Duration, read func()) error {
	b.reap()
	if b.stuck[key] != nil || len(b.stuck) >= maxStuck {
		return errNotBegun
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		read()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
	}
	select {
	case <-done: // just now
		return nil
	default:
	}
	if b.stuck == nil {
		b.stuck = map[string]chan struct{}{}
	}
	b.stuck[key] = done
	return ErrTimeoutExpired
}

// under tells whether a read that was left behind is still under way.
func (b *bounded) under(key string) bool {
	b.reap()
	return b.stuck[key] != nil
}

// wait waits for a read that try has begun and left behind, and answers as try
// does.
func (b *bounded) wait(ctx context.Context, key string) error {
	done := b.stuck[key]
	if done == nil { // it has come back while others were tried
		return nil
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	b.reap()
	if b.stuck[key] != nil {
		return ErrTimeoutExpired
	}
	return nil
}

// reap forgets the reads that have come back.
func (b *bounded) reap() {
	for key, done := range b.stuck {
		select {
		case <-done:
			delete(b.stuck, key)
		default:
		}
	}
}
