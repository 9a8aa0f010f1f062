// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/platform"
)

// hosts are what is read with. A host serves one request at a time.
//
// The kernel may never answer a read: a process can hang in it with the lock of
// its memory held, for which the files cmdline, environ and maps wait
// (fs/proc/base.c, task_mmu.c), or have a file open whose server is gone.
// Nothing can interrupt such a read. It is left behind, with its thread and its
// host, and until it has come back nothing of the kind is read of that process.
type hosts struct {
	reads, acts, system lane

	mu   sync.Mutex
	left map[int32]int // reads that were left behind, by PID, 0 for the host's
	all  int
}

const (
	maxReads = 4   // requests that read at the same time
	maxActs  = 512 // actions under way, those included that wait for their effect
	maxLeft  = 64  // reads left behind, after which nothing is read that can hang

	patience = 10 * time.Second // for all reads of a request
)

// canHang are the fields that can take for ever to read.
const canHang = platform.FieldArguments | platform.FieldEnvironment | platform.FieldMappingList | platform.FieldMappingMemory | platform.FieldFootprint |
	platform.FieldFDs | platform.FieldFDInfo | platform.FieldConnections | platform.FieldDiskIO | platform.FieldLogicalIO

// lane is hosts for requests of one kind, which do not wait for those of
// another.
type lane struct {
	slots chan struct{}
	keep  int // hosts that are kept for the next request
	mu    sync.Mutex
	free  []*platform.Host
}

func openHosts() (*hosts, error) {
	h := &hosts{
		reads:  lane{slots: make(chan struct{}, maxReads), keep: maxReads},
		acts:   lane{slots: make(chan struct{}, maxActs)},
		system: lane{slots: make(chan struct{}, 1), keep: 1},
		left:   map[int32]int{},
	}
	for _, l := range []*lane{&h.reads, &h.system} {
		for range l.keep {
			host, err := platform.Open(platform.Root{}, platform.Machine{})
			if err != nil {
				h.close()
				return nil, err
			}
			l.free = append(l.free, host)
		}
	}
	return h, nil
}

// get waits for a host to read with.
func (l *lane) get(ctx context.Context, patience time.Duration) (*platform.Host, error) {
	ctx, cancel := context.WithTimeout(ctx, patience/2)
	defer cancel()
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, api.NewProblem(api.RateLimited, "other requests are being served")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := len(l.free) - 1; last >= 0 {
		host := l.free[last]
		l.free = l.free[:last]
		return host, nil
	}
	host, err := platform.Open(platform.Root{}, platform.Machine{})
	if err != nil {
		<-l.slots
		return nil, err
	}
	return host, nil
}

// put gives a host back, or closes it when there are enough.
func (l *lane) put(host *platform.Host) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.free) < l.keep {
		l.free = append(l.free, host)
	} else {
		_ = host.Close()
	}
	<-l.slots
}

// close closes those that are free: the others when the server has stopped were
// left behind.
func (h *hosts) close() {
	for _, l := range []*lane{&h.reads, &h.acts, &h.system} {
		l.mu.Lock()
		for _, host := range l.free {
			_ = host.Close()
		}
		l.free = nil
		l.mu.Unlock()
	}
}

// hangs tells whether what can hang is not to be read of a process.
func (h *hosts) hangs(pid int32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.left[pid] > 0 || h.all >= maxLeft
}

func (h *hosts) count(pid int32, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all += n
	if h.left[pid] += n; h.left[pid] == 0 {
		delete(h.left, pid)
	}
}

// errand is what a request has done with a host.
type errand struct {
	state atomic.Int32
	pid   atomic.Int32 // of the process that is being read
}

// The states of an errand.
const (
	underWay int32 = iota
	stays          // it is waited for, however long it takes: it acts
	over
	leftBehind
)

// stay says that an action is about to be done. It is not if nobody waits for it
// any more, who has been told that it took too long.
func (e *errand) stay() error {
	if e.state.CompareAndSwap(underWay, stays) {
		return nil
	}
	return context.DeadlineExceeded
}

// closer is an answer that holds descriptors.
type closer interface{ Close() }

// lend has something done with a host, by a copy of the request.
func (q *request) lend(l *lane, do func(q *request, h *platform.Host) (any, error)) (any, error) {
	limit := time.Duration(q.patience.Load())
	h, err := l.get(q.ctx, limit)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(q.ctx, limit)
	defer cancel()
	e, copied := &errand{}, *q
	e.pid.Store(q.pid)
	copied.ctx, copied.errand = ctx, e
	var answer any
	var panicked any
	gone := int32(0) // the process that was being read when it was left behind
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			panicked = recover()
			if e.state.Swap(over) != leftBehind {
				l.put(h)
				return
			}
			if c, ok := answer.(closer); ok && err == nil {
				c.Close()
			}
			_ = h.Close()
			q.hosts.count(gone, -1)
		}()
		answer, err = do(&copied, h)
	}()
	select {
	case <-done:
	case <-q.late(limit + limit/4): // most reads look at the context
		gone = e.pid.Load()
		q.hosts.count(gone, 1)
		if e.state.CompareAndSwap(underWay, leftBehind) {
			<-l.slots
			q.log.Warn("The kernel does not answer", zap.Int32("process", gone), zap.String("endpoint", q.r.Pattern))
			return nil, api.NewProblem(api.TimeoutExpired, "the kernel does not answer")
		}
		q.hosts.count(gone, -1)
		<-done
	}
	q.pid = copied.pid
	if panicked != nil {
		panic(panicked)
	}
	if errors.Is(err, context.DeadlineExceeded) && q.ctx.Err() == nil {
		err = api.NewProblem(api.TimeoutExpired, "it took too long to read")
	}
	return answer, err
}

// about notes which process is about to be read.
func (q *request) about(pid int32) {
	q.pid = pid
	q.errand.pid.Store(pid)
}
