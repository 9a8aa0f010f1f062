// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/hostscope/hostscope/platform"
)

// limiters is a limiter for each caller.
type limiters struct {
	limit rate.Limit
	burst int

	mu sync.Mutex
	of map[string]*rate.Limiter
}

// maxCallers bounds the callers that are told apart. When there are more, all
// start anew.
const maxCallers = 1024

// allow takes one token of a caller, or tells when there will be one.
func (l *limiters) allow(caller string, now time.Time) (after time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.of[caller]
	if one == nil {
		if l.of == nil || len(l.of) >= maxCallers {
			l.of = map[string]*rate.Limiter{}
		}
		one = rate.NewLimiter(l.limit, l.burst)
		l.of[caller] = one
	}
	return take(one, now)
}

// take takes one token, or tells when there will be one.
func take(l *rate.Limiter, now time.Time) (after time.Duration, ok bool) {
	r := l.ReserveN(now, 1)
	if after = r.DelayFrom(now); after == 0 {
		return 0, true
	}
	r.CancelAt(now)
	return after, false
}

// slots is a number of things of which several can be taken at once.
type slots struct {
	mu   sync.Mutex
	free int
}

func (s *slots) take(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > s.free {
		return false
	}
	s.free -= n
	return true
}

func (s *slots) give(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
}

// locks has a lock for each process that is acted on.
type locks struct {
	mu sync.Mutex
	of map[platform.ID]*lock
}

type lock struct {
	held  chan struct{}
	users int
}

// lock waits for its turn; unlock is to be called if err is nil.
func (l *locks) lock(ctx context.Context, id platform.ID) (unlock func(), err error) {
	l.mu.Lock()
	if l.of == nil {
		l.of = map[platform.ID]*lock{}
	}
	one := l.of[id]
	if one == nil {
		one = &lock{held: make(chan struct{}, 1)}
		l.of[id] = one
	}
	one.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if one.users--; one.users == 0 {
			delete(l.of, id)
		}
	}
	select {
	case one.held <- struct{}{}:
		return func() { <-one.held; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}
