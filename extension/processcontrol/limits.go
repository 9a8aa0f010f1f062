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

// spent tells that a caller has none left, and when there will be one.
func (l *limiters) spent(caller string, now time.Time) (after time.Duration, none bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.of[caller]
	if one == nil {
		return 0, false
	}
	r := one.ReserveN(now, 1)
	after = r.DelayFrom(now)
	r.CancelAt(now)
	return after, after > 0
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

// fuse is a limiter that all callers share. Its last token is not for the caller
// who had the one before: so a loop of one does not keep another from acting.
type fuse struct {
	mu   sync.Mutex
	rate *rate.Limiter // with room for one more than the burst
	last string
}

// take takes one token for a caller, or tells when there will be one.
func (f *fuse) take(caller string, now time.Time) (after time.Duration, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	least := 1
	if caller == f.last {
		least = 2
	}
	r := f.rate.ReserveN(now, least)
	after = r.DelayFrom(now)
	r.CancelAt(now)
	if after > 0 {
		return after, false
	}
	f.rate.AllowN(now, 1)
	f.last = caller
	return 0, true
}

// slots is a number of things of which several can be taken at once. All callers
// together take twice as many as one may: nobody is to keep all others out.
type slots struct {
	each int // for one caller

	mu    sync.Mutex
	of    map[string]int
	taken int
}

// take takes n for a caller, if they are there.
func (s *slots) take(caller string, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > s.each-s.of[caller] || s.taken-s.each > s.each-n {
		return false
	}
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.of[caller] += n
	s.taken += n
	return true
}

// give gives them back.
func (s *slots) give(caller string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken -= n
	if s.of[caller] -= n; s.of[caller] == 0 {
		delete(s.of, caller)
	}
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
