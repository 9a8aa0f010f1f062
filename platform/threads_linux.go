// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// What is counted of each thread and forgotten by the kernel when it exits.
const (
	voluntary = iota
	involuntary
	runDelay // ns

	numCounts
)

type counts [numCounts]uint64

// threadTotals adds up what the threads of a process did. exited remembers
// those that are gone, so that the sums never fall.
type threadTotals struct {
	exited  counts
	threads []threadCounts // ascending ID
}

type threadCounts struct {
	id int32
	n  counts
}

// update takes the counts of the threads that there are now, ascending, and
// answers the sums over all that have been seen. What is not known of them
// this time is as it was.
func (s *threadTotals) update(now []threadCounts, known [numCounts]bool) (sum counts) {
	old := s.threads
	for i := range now {
		t := &now[i]
		for len(old) > 0 && old[0].id < t.id {
			s.exited.add(old[0].n)
			old = old[1:]
		}
		if len(old) > 0 && old[0].id == t.id {
			for i, last := range old[0].n {
				if !known[i] {
					t.n[i] = last
				}
			}
			for i, last := range old[0].n {
				if t.n[i] < last { // the ID is another thread's now
					s.exited.add(old[0].n)
					break
				}
			}
			old = old[1:]
		}
		sum.add(t.n)
	}
	for _, t := range old {
		s.exited.add(t.n)
	}
	s.threads = append(s.threads[:0], now...)
	sum.add(s.exited)
	return sum
}

func (c *counts) add(n counts) {
	for i := range c {
		c[i] += n[i]
	}
}

// setTotals takes the counts of the threads that there are now.
func (p *Process) setTotals(got Fields, now ...threadCounts) {
	switched := got&(FieldContextSwitches|FieldThreadSwitches) != 0
	sum := p.cache.threads.update(now, [numCounts]bool{voluntary: switched, involuntary: switched, runDelay: got.Has(FieldRunDelay)})
	p.RunDelay = float64(sum[runDelay]) / 1e9
	if p.More != nil {
		p.More.Voluntary, p.More.Involuntary = sum[voluntary], sum[involuntary]
	}
}

// readThreads reads what takes a file of each thread. Threads that exit while
// they are read are left out. It answers false when the process is gone.
func (h *Host) readThreads(p *Process, want Fields, s *Snapshot) bool {
	t := &h.table
	const totals = FieldContextSwitches | FieldRunDelay
	if p.Threads <= 1 && p.Got&totals != 0 { // the sources had them
		p.setTotals(p.Got, threadCounts{p.PID, t.main})
	}
	want &= threadFields & possible(p) &^ (p.Got | p.cache.absent)
	if f := want & p.cache.denied; f != 0 {
		s.Tally.deny(f)
		want &^= f
	}
	if want == 0 {
		return true
	}
	if t.at == h.proc { // it had one thread before, or was not selected
		if errno := h.enterLate(p); errno != 0 {
			return h.failed(&s.Tally, p, want, "stat", errno)
		}
	}
	t.tids = t.tids[:0]
	errno := h.list(t.at, t.file("task"), func(name []byte) {
		if id, ok := procfs.PID(name); ok {
			t.tids = append(t.tids, id)
		}
	})
	if errno != 0 {
		return h.failed(&s.Tally, p, want, "task", errno)
	}
	slices.Sort(t.tids)

	m := p.More
	t.counts, t.accounted = t.counts[:0], false
	list := m.ThreadList
	m.ThreadList = m.ThreadList[:0]
	var failed, failedIO unix.Errno
	size := 0
	for i, id := range t.tids {
		behind := uint64(id) >= t.page.From
		listed := behind && !t.page.full(size)
		if behind && !listed {
			t.cut |= FieldThreadList
		}
		if !listed && want&totals == 0 { // else the sums take them all
			continue
		}
		var th Thread
		if i < len(list) {
			th.Name = list[i].Name // most often it is the same string again
		}
		th.ID = id
		errno := h.readThread(p, &th, want, &failedIO)
		switch {
		case errno == 0 && listed:
			m.ThreadList = append(m.ThreadList, th)
			size += threadSize + len(th.Name)
		case errno == 0:
		case class(errno) != ErrNoSuchProcess:
			failed = errno
		}
	}
	if failed != 0 {
		return h.failed(&s.Tally, p, want, "task", failed)
	}
	if failedIO != 0 { // the only one of these files that is not for everybody
		want &^= FieldThreadIO
		if !h.failed(&s.Tally, p, FieldThreadIO, "task/*/io", failedIO) {
			return false
		}
	}
	if !t.accounted { // the kernel prints zeros for all
		want &^= FieldRunDelay
	}
	if want&totals != 0 {
		p.setTotals(want, t.counts...)
	}
	p.Got |= want
	return true
}

// readThread reads one thread. What this user may not read is outside Got.
func (h *Host) readThread(p *Process, th *Thread, want Fields, failedIO *unix.Errno) unix.Errno {
	t := &h.table
	var n counts
	if want.Has(FieldThreadList) {
		b, errno := h.readCountsAt(t.threadFile(th.ID, "stat"))
		if errno != 0 {
			return errno
		}
		var stat procfs.PIDStat
		if procfs.Stat(b, &stat) != nil {
			return errMalformed
		}
		h.keep(&th.Name, stat.Comm)
		th.Start = stat.Start
		th.Created = p.Created.Add(time.Duration(stat.Start-p.Start) * (time.Second / ticksPerSecond))
		th.CPU = ProcessCPUTimes{User: seconds(stat.UserTime), System: seconds(stat.SysTime)}
		th.MinorFaults, th.MajorFaults = stat.MinorFaults, stat.MajorFaults
		th.Got |= FieldThreadList
	}
	if want&(FieldThreadSwitches|FieldContextSwitches) != 0 {
		if th.ID != t.pid || !t.mainStatus { // else it was the process's own file
			b, errno := h.readCountsAt(t.threadFile(th.ID, "status"))
			if errno != 0 {
				return errno
			}
			if procfs.Status(b, &t.status) != nil || t.status.Has&switchLines != switchLines {
				return errMalformed
			}
			n[voluntary], n[involuntary] = t.status.Voluntary, t.status.Involuntary
		} else {
			n[voluntary], n[involuntary] = t.main[voluntary], t.main[involuntary]
		}
		th.Voluntary, th.Involuntary = n[voluntary], n[involuntary]
		th.Got |= FieldThreadSwitches
	}
	if want.Has(FieldRunDelay) {
		b, errno := h.readCountsAt(t.threadFile(th.ID, "schedstat"))
		if errno != 0 {
			return errno
		}
		ns, known, err := procfs.Schedstat(b)
		if err != nil {
			return errMalformed
		}
		t.accounted = t.accounted || known
		n[runDelay] = ns
	}
	if want.Has(FieldThreadIO) && *failedIO == 0 {
		b, errno := h.readOnce(t.at, t.threadFile(th.ID, "io"), t.buf[:])
		var io procfs.PIDIO
		if errno == 0 && procfs.IO(b, &io) != nil {
			errno = errMalformed
		}
		if class(errno) == ErrNoSuchProcess { // the thread has ended, not the process
			return errno
		}
		if errno != 0 {
			*failedIO = errno
		}
		if errno == 0 {
			th.ReadBytes, th.WriteBytes = io.ReadBytes, io.WriteBytes
			th.Got |= FieldThreadIO
		}
	}
	t.counts = append(t.counts, threadCounts{th.ID, n})
	return 0
}

// threadFile is the path of a file of a thread.
func (t *table) threadFile(id int32, name string) []byte {
	t.path = append(t.path[:t.prefix], "task/"...)
	t.path = append(strconv.AppendInt(t.path, int64(id), 10), '/')
	t.path = append(append(t.path, name...), 0)
	return t.path
}
