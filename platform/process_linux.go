// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// statFields come with the one read of stat that every process gets.
const statFields = FieldName | FieldParent | FieldState | FieldCPUTime | FieldThreads |
	FieldSession | FieldTTY | FieldNice | FieldFaults | FieldChildrenTime | FieldLastCPU

// execFields change with an exec alone, or are to stay as they were first
// seen: they describe the program that runs.
const execFields = FieldExecutable | FieldCommand | FieldArguments | FieldEnvironment

// steadyFields change so rarely that they are read when a process is first
// seen, after an exec, and else in rotation.
const steadyFields = execFields | FieldOwner | FieldUsers | FieldGroups | FieldSupplementary | FieldUmask | FieldVPID |
	FieldCgroup | FieldDirectory | FieldRoot | FieldLimits | FieldIOPriority

// threadFields take a file of each thread.
const threadFields = FieldContextSwitches | FieldRunDelay | FieldThreadList | FieldThreadSwitches | FieldThreadIO

// moreFields are those of Process.More.
const moreFields = FieldTTY | FieldCgroup | FieldDirectory | FieldRoot | FieldLimits | FieldUsers | FieldGroups | FieldSupplementary | FieldUmask | FieldSignals | FieldAffinity | FieldVPID |
	FieldResident | FieldSwap | FieldHugeTLB | FieldPeak | FieldPeakVirtual | FieldLibrary | FieldSignalQueue |
	threadFields | FieldEnvironment | DetailFields

// rotation is how many snapshots it takes until every process was asked again
// for what was not readable, and for what a setuid changes.
const rotation = 16

// errMalformed is what a source answers when its bytes make no sense. No
// read of /proc gives EILSEQ.
const errMalformed = unix.EILSEQ

// processCache is what one identity keeps between snapshots.
type processCache struct {
	open     [numCountFiles]int32 // descriptors that are kept, plus one; 0 for none
	argStart uint64               // moves with an exec
	steady   Fields               // the steady fields that were got
	denied   Fields               // not asked for again before the rotation comes round
	absent   Fields               // likewise: this process has no such file
	detailed time.Time
	threads  threadTotals
}

// table is the process table of one host.
type table struct {
	processes, spare []*Process // ascending PID; the one before, to be filled next
	free             []*Process
	pids             []int32
	turn             int // of the rotation
	// exhausted is why no file can be opened any more: not a fault of the
	// process that was read when it showed.
	exhausted unix.Errno
	kept      kept

	at      int    // the folder that path is relative to: /proc, or one of a process
	path    []byte // "PID/file\0", or "file\0" in the folder of the process
	prefix  int    // length of "PID/"
	pid     int32  // being read
	buf     [64 << 10]byte
	dirents [32 << 10]byte
	status  procfs.PIDStatus
	// sizeIsCount: st_size of /proc/PID/fd is the number of descriptors.
	sizeIsCount bool

	// What only some requests need.
	mainStatus  bool   // main has its context switches
	want        Fields // of this process, statFields apart
	done        uint32 // sources that were read of this process
	main        counts // of its main thread
	environment []string
	// environmentNames: the names of the others are wanted too.
	environmentNames bool
	detail           detail
	tids             []int32
	counts           []threadCounts
	accounted        bool // of the threads it is known how long they waited
	numbers          []int32
	fdPath           []byte
	mappings         procfs.Mappings
	fdinfo           procfs.FDInfo
	arguments        procfs.Arguments
	environ          procfs.Environ
	inet             procfs.Inet
	unix             procfs.Unix
	ttys             ttys
	sockets          sockets
	page             Page   // of what is read through a handle; else everything
	cut              Fields // what goes on behind it
	lastFD           int32  // of the page
}

// processes reads the process table.
func (h *Host) processes(ctx context.Context, req Request, s *Snapshot) ([]*Process, error) {
	t := &h.table
	if err := h.listPIDs(); err != nil {
		return nil, err
	}
	t.turn, t.exhausted = (t.turn+1)%rotation, 0
	t.environment, t.environmentNames = req.Environment, req.EnvironmentNames
	t.detail.begin(req)
	old, next := t.processes, t.spare[:0]
	for n, pid := range t.pids {
		if n%64 == 0 && ctx.Err() != nil {
			t.replace(append(next, old...))
			return nil, fmt.Errorf("%s: after %d of %d processes: %w", h.root.Proc, n, len(t.pids), context.Cause(ctx))
		}
		for len(old) > 0 && old[0].PID < pid {
			h.drop(old[0])
			old = old[1:]
		}
		p := (*Process)(nil)
		if len(old) > 0 && old[0].PID == pid {
			p, old = old[0], old[1:]
		} else {
			p = t.new()
		}
		ok := h.readProcess(ctx, p, pid, req, s)
		if t.exhausted != 0 {
			if p.PID == pid {
				next = append(next, p)
			}
			t.replace(append(next, old...))
			return nil, fileError(h.root.Proc, t.exhausted)
		}
		if ok {
			next = append(next, p)
		} else {
			h.drop(p)
		}
	}
	for _, p := range old {
		h.drop(p)
	}
	t.replace(next)
	if n := len(t.pids); n > 0 {
		t.detail.end(t.pids[n-1])
	}
	return next, nil
}

// replace makes next the table, and the memory of the last one the spare.
func (t *table) replace(next []*Process) {
	clear(t.processes)
	t.processes, t.spare = next, t.processes[:0]
}

func (t *table) new() *Process {
	if n := len(t.free); n > 0 {
		p := t.free[n-1]
		t.free = t.free[:n-1]
		return p
	}
	return new(Process)
}

func (h *Host) drop(p *Process) {
	h.forget(p)
	*p = Process{}
	h.table.free = append(h.table.free, p)
}

// listPIDs fills pids with the numbers in /proc, ascending. The kernel lists
// them so; a recorded tree need not.
func (h *Host) listPIDs() error {
	t := &h.table
	t.pids = t.pids[:0]
	errno := h.listdir(h.proc, t.dirents[:], func(name []byte) {
		if pid, ok := procfs.PID(name); ok {
			t.pids = append(t.pids, pid)
		}
	})
	if errno != 0 {
		return fileError(h.root.Proc, errno)
	}
	if !slices.IsSorted(t.pids) {
		slices.Sort(t.pids)
	}
	return nil
}

// file is the path of a file of the process being read, relative to at.
func (t *table) file(name string) []byte {
	t.path = append(append(t.path[:t.prefix], name...), 0)
	return t.path
}

// enter starts the reading of a process. Where it takes several files that
// must be of one process, its folder is opened: what is read through it is
// gone when the process is, and never that of a later one with its PID.
func (h *Host) enter(p *Process, pid int32, req Request) unix.Errno {
	t := &h.table
	t.pid = pid
	t.at, t.path, t.prefix = h.proc, strconv.AppendInt(t.path[:0], int64(pid), 10), 0
	known := p.PID == pid
	t.kept.now = known && req.Keep
	const totals = FieldContextSwitches | FieldRunDelay
	families := req.Fields & threadFields
	if known && p.Threads == 1 {
		families &^= totals // the files of the main thread have them
	}
	if (req.Fields|req.Everyone)&DetailFields != 0 && (!known || t.detail.due(p)) {
		families |= DetailFields
	}
	if known && !p.Selected {
		families &= req.Everyone
	}
	if families == 0 {
		t.path = append(t.path, '/')
		t.prefix = len(t.path)
		return 0
	}
	fd, errno := h.openat(h.proc, append(t.path, 0), unix.O_PATH|unix.O_DIRECTORY)
	if errno == 0 {
		t.at, t.path = fd, t.path[:0]
	}
	return errno
}

// enterLate does what enter does when it shows only later that it takes
// several files: the folder is that of the process if its start is the same.
func (h *Host) enterLate(p *Process) unix.Errno {
	t := &h.table
	fd, errno := h.openat(h.proc, append(t.path[:t.prefix-1], 0), unix.O_PATH|unix.O_DIRECTORY)
	if errno != 0 {
		return errno
	}
	t.at, t.path, t.prefix = fd, t.path[:0], 0
	b, errno := h.readSmall("stat")
	if errno != 0 {
		return errno
	}
	var stat procfs.PIDStat
	if procfs.Stat(b, &stat) != nil {
		return errMalformed
	}
	if stat.Start != p.Start {
		return unix.ESRCH
	}
	return 0
}

// leave ends what enter began.
func (h *Host) leave() {
	h.table.kept.now = false
	if h.table.at != h.proc {
		h.close(h.table.at)
		h.table.at = h.proc
	}
}

// readProcess reads one process and answers false when it is not there or
// cannot be told who it is.
func (h *Host) readProcess(ctx context.Context, p *Process, pid int32, req Request, s *Snapshot) bool {
	errno := h.enter(p, pid, req)
	defer h.leave()
	if errno != 0 {
		h.failed(&s.Tally, nil, FieldState, "stat", errno)
		return false
	}
	return h.readEntered(ctx, p, pid, req, s)
}

// readEntered is readProcess of one whose folder is entered.
func (h *Host) readEntered(ctx context.Context, p *Process, pid int32, req Request, s *Snapshot) bool {
	t := &h.table
	var stat procfs.PIDStat
	b, errno := h.readCounts(p, statFile)
	if errno == unix.ESRCH && p.cache.open[statFile] != 0 { // another may have its number by now
		h.forget(p)
		*p = Process{}
		b, errno = h.readCounts(p, statFile)
	}
	if errno == 0 && (procfs.Stat(b, &stat) != nil || stat.PID != pid) {
		errno = errMalformed
	}
	if errno == 0 && stat.Threads == 0 { // it is being reaped, and its counts are gone
		errno = unix.ESRCH
	}
	if errno != 0 {
		h.failed(&s.Tally, nil, FieldState, "stat", errno)
		return false
	}
	fresh := p.PID != pid || p.Start != stat.Start
	if fresh {
		h.forget(p)
		*p = Process{
			ID:      ID{PID: pid, Start: stat.Start},
			Created: s.Boot.Add(time.Duration(stat.Start) * (time.Second / ticksPerSecond)),
		}
	}
	h.setStat(p, &stat)
	p.Age = max(0, s.Time.Sub(s.Boot)-time.Duration(p.Start)*(time.Second/ticksPerSecond))
	p.Got = req.Fields & statFields
	if p.More == nil && (req.Fields|req.Everyone)&moreFields != 0 {
		p.More = new(More)
	}
	if req.Fields.Has(FieldTTY) {
		p.More.TTY = h.tty(stat.TTY)
	}

	retry := fresh || (int(pid)+t.turn)%rotation == 0
	if retry {
		p.cache.denied, p.cache.absent = 0, 0
	}
	t.done, t.main, t.mainStatus = 0, counts{}, false
	want := (req.Fields | req.Filter) &^ statFields
	if req.Ignore != nil && req.Ignore(p) {
		p.Selected = false
		return h.readDetail(ctx, p, req.Everyone, s)
	}
	if !h.readSources(p, req.Filter, want, retry, s) {
		return false
	}
	p.Got |= p.cache.steady & req.Filter // also what was read long ago
	p.Selected = req.Select == nil || req.Select(p)
	if !p.Selected {
		p.Got |= p.cache.steady & req.Fields
		return h.readDetail(ctx, p, req.Everyone, s)
	}
	if !h.readSources(p, req.Fields, want, retry, s) {
		return false
	}
	if !h.readThreads(p, req.Fields, s) || !h.readDetail(ctx, p, req.Fields|req.Everyone, s) {
		return false
	}
	p.Got |= p.cache.steady & (req.Fields | req.Filter)
	return true
}

// setStat takes over what stat told, and forgets the steady fields when it
// shows that another program runs now.
func (h *Host) setStat(p *Process, stat *procfs.PIDStat) {
	p.KernelThread = stat.Flags&procfs.FlagKernelThread != 0
	name := p.Name
	if p.KernelThread {
		h.keep(&p.Name, workerName(stat.Comm))
	} else {
		h.keep(&p.Name, stat.Comm)
	}
	p.PPID = stat.PPID
	p.State = state(stat.State)
	// An exec moves the arguments, and can make another owner of the process.
	// Where this user may not know their address the name tells, which is
	// less: a program can also rename itself. A process that is about to end
	// has no address any more, and what it was stays.
	c := &p.cache
	exec := stat.ArgStart != 0 && stat.ArgStart != c.argStart || stat.ArgStart == 0 && p.Name != name
	if p.State != StateZombie { // which has lost its arguments
		c.argStart = stat.ArgStart
		if exec {
			c.steady, c.denied, c.absent = 0, 0, 0
		}
	}
	p.CPU = ProcessCPUTimes{User: seconds(stat.UserTime), System: seconds(stat.SysTime)}
	p.ChildrenCPU = ProcessCPUTimes{User: seconds(stat.ChildrenUserTime), System: seconds(stat.ChildrenSysTime)}
	p.Threads = stat.Threads
	p.PGID, p.SID, p.Nice, p.LastCPU = stat.PGID, stat.SID, stat.Nice, stat.LastCPU
	p.MinorFaults, p.MajorFaults = stat.MinorFaults, stat.MajorFaults
}

// workerName is the name of a kernel worker without what it works on at the
// moment, which the kernel appends: kworker/0:1-events, kworker/u8:2+flush.
// A rescuer, kworker/R-events, is named so.
func workerName(comm []byte) []byte {
	if number := bytes.IndexByte(comm, ':'); number >= 0 && bytes.HasPrefix(comm, []byte("kworker/")) {
		if work := bytes.IndexAny(comm[number:], "+-"); work >= 0 {
			return comm[:number+work]
		}
	}
	return comm
}

func seconds(ticks uint64) float64 { return float64(ticks) / ticksPerSecond }

// possible is what a process can have at all: a kernel thread has no program,
// a zombie has no more than its accounts. What a zombie was is remembered.
func possible(p *Process) Fields {
	const accounts = FieldDiskIO | FieldLogicalIO | FieldRunDelay | FieldContextSwitches | FieldOwner | FieldUsers | FieldGroups |
		FieldSupplementary | FieldSignals | FieldSignalQueue | FieldVPID | FieldCgroup | FieldLimits
	switch {
	case p.State == StateZombie || p.State == StateDead:
		if p.Threads > 1 { // the main thread has ended, not the process
			return accounts | FieldThreadList | FieldThreadSwitches | FieldThreadIO
		}
		return accounts
	case p.KernelThread:
		return accounts | FieldAffinity | FieldIOPriority | FieldThreadList | FieldThreadSwitches | FieldThreadIO
	}
	return AllFields
}

// failed counts what a source did not give. It answers false when that is
// because the process is gone.
func (h *Host) failed(tally *Tally, p *Process, f Fields, name string, errno unix.Errno) bool {
	switch c := class(errno); {
	case c == ErrNoSuchProcess:
		// ESRCH is the kernel's word for it. ENOENT is also that of a kernel
		// built without this file, or of a process that has no program.
		if p == nil || errno == unix.ESRCH || !h.exists() {
			tally.Gone++
			return false
		}
		p.cache.absent |= f
	case c == ErrTimeoutExpired: // of the snapshot, which says so itself
	case c == ErrAccessDenied:
		if p != nil {
			p.cache.denied |= f
		}
		tally.deny(f)
	case errno == unix.EMFILE || errno == unix.ENFILE || errno == unix.ENOMEM:
		h.table.exhausted = errno
		return false
	default:
		for one := range f.Each() {
			tally.malformed[one.index()]++
		}
		if tally.Sample == "" {
			why := "unexpected format"
			if errno != errMalformed {
				why = errno.Error()
			}
			tally.Sample = fmt.Sprintf("%s/%d/%s: %s", h.root.Proc, h.table.pid, name, why)
		}
	}
	return true
}

func (t *Tally) deny(f Fields) {
	for one := range f.Each() {
		t.denied[one.index()]++
	}
}

// exists tells whether the process being read is still there. Only the
// kernel's word that it is gone counts: statx may also be forbidden.
func (h *Host) exists() bool {
	var st unix.Statx_t
	return class(h.statx(h.table.at, h.table.file("stat"), 0, 0, &st)) != ErrNoSuchProcess
}

// state translates the letters of fs/proc/array.c, task_state_array. K and W
// (WAKING) were in Linux 2.6.33 to 3.13; W was PAGING before.
func state(letter byte) State {
	switch letter {
	case 'R':
		return StateRunning
	case 'S':
		return StateSleeping
	case 'D':
		return StateDiskSleep
	case 'Z':
		return StateZombie
	case 'T':
		return StateStopped
	case 't':
		return StateTracingStop
	case 'X', 'x':
		return StateDead
	case 'K':
		return StateWakeKill
	case 'W':
		return StateWaking
	case 'P':
		return StateParked
	case 'I':
		return StateIdle
	}
	return StateUnknown
}
