// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// statFields come with the one read of stat that every process gets.
const statFields = FieldName | FieldParent | FieldState | FieldCPUTime | FieldThreads

// steadyFields change so rarely that they are read when a process is first
// seen, after an exec, and else in rotation.
const steadyFields = FieldExecutable | FieldCommand | FieldOwner

// rotation is how many snapshots it takes until every process was asked again
// for what was not readable, and for what a setuid changes.
const rotation = 16

// source is one file of a process: the fields it holds and how it is read.
type source struct {
	name   string
	fields Fields
	read   func(h *Host, p *Process) unix.Errno
}

// errMalformed is what a source answers when its bytes make no sense. No
// read of /proc gives EILSEQ.
const errMalformed = unix.EILSEQ

// sources are read in this order, each only if one of its fields is wanted.
var sources = [...]source{
	{"statm", FieldMemory, (*Host).readStatm},
	{"io", FieldDiskIO, (*Host).readIO},
	{"fd", FieldDescriptors, (*Host).readDescriptors},
	{"exe", FieldExecutable, (*Host).readExecutable},
	{"cmdline", FieldCommand, (*Host).readCommand},
	{"status", FieldOwner, (*Host).readOwner},
}

// processCache is what one identity keeps between snapshots.
type processCache struct {
	argStart uint64 // moves with an exec
	steady   Fields // the steady fields that were got
	denied   Fields // not asked for again before the rotation comes round
	absent   Fields // likewise: this process has no such file
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

	path    []byte // "PID/file\0"
	pathPID int    // length of "PID/"
	buf     [8192]byte
	dirents [32 << 10]byte
	// sizeIsCount: st_size of /proc/PID/fd is the number of descriptors.
	sizeIsCount bool
}

// processes reads the process table.
func (h *Host) processes(ctx context.Context, req Request, s *Snapshot) ([]*Process, error) {
	t := &h.table
	if err := h.listPIDs(); err != nil {
		return nil, err
	}
	t.turn, t.exhausted = (t.turn+1)%rotation, 0
	old, next := t.processes, t.spare[:0]
	for n, pid := range t.pids {
		if n%64 == 0 && ctx.Err() != nil {
			t.replace(append(next, old...))
			return nil, fmt.Errorf("%s: after %d of %d processes: %w", h.root.Proc, n, len(t.pids), context.Cause(ctx))
		}
		for len(old) > 0 && old[0].PID < pid {
			t.drop(old[0])
			old = old[1:]
		}
		p := (*Process)(nil)
		if len(old) > 0 && old[0].PID == pid {
			p, old = old[0], old[1:]
		} else {
			p = t.new()
		}
		ok := h.readProcess(p, pid, req, s)
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
			t.drop(p)
		}
	}
	for _, p := range old {
		t.drop(p)
	}
	t.replace(next)
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

func (t *table) drop(p *Process) {
	*p = Process{}
	t.free = append(t.free, p)
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

// file is the path of a file of the process being read, below /proc.
func (t *table) file(name string) []byte {
	t.path = append(append(t.path[:t.pathPID], name...), 0)
	return t.path
}

// readProcess reads one process and answers false when it is not there or
// cannot be told who it is.
func (h *Host) readProcess(p *Process, pid int32, req Request, s *Snapshot) bool {
	t := &h.table
	t.path = append(strconv.AppendInt(t.path[:0], int64(pid), 10), '/')
	t.pathPID = len(t.path)

	var stat procfs.PIDStat
	b, errno := h.readOnce(h.proc, t.file("stat"), t.buf[:])
	if errno == 0 && (procfs.Stat(b, &stat) != nil || stat.PID != pid) {
		errno = errMalformed
	}
	if errno != 0 {
		h.failed(&s.Tally, nil, FieldState, "stat", errno)
		return false
	}
	fresh := p.PID != pid || p.Start != stat.Start
	if fresh {
		*p = Process{
			ID:      ID{PID: pid, Start: stat.Start},
			Created: s.Boot.Add(time.Duration(stat.Start) * (time.Second / ticksPerSecond)),
		}
	}
	setStat(p, &stat)
	p.Got = req.Fields & statFields
	p.Selected = req.Select == nil || req.Select(p)
	if !p.Selected {
		return true
	}

	c := &p.cache
	retry := fresh || (int(pid)+t.turn)%rotation == 0
	if retry {
		c.denied, c.absent = 0, 0
	}
	want := req.Fields &^ statFields & possible(p)
	again := steadyFields
	if !retry {
		again &^= c.steady
	} else if c.argStart != 0 && c.steady.Has(FieldCommand) {
		// An exec would have been seen. What else rewrites the arguments is
		// setproctitle(3), which must not make a new resource of a process.
		again &^= FieldCommand
	}
	for i := range sources {
		src := &sources[i]
		f := src.fields & want
		switch {
		case f == 0 || f&c.absent != 0 || f&steadyFields&^again != 0:
		case f&c.denied != 0:
			s.Tally.deny(f)
		default:
			switch errno := src.read(h, p); {
			case errno == 0:
				p.Got |= f
				c.steady |= f & steadyFields
			case !h.failed(&s.Tally, p, f, src.name, errno):
				return false
			}
		}
	}
	p.Got |= c.steady & req.Fields
	return true
}

// setStat takes over what stat told, and forgets the steady fields when it
// shows that another program runs now.
func setStat(p *Process, stat *procfs.PIDStat) {
	p.KernelThread = stat.Flags&procfs.FlagKernelThread != 0
	name := p.Name
	if p.KernelThread {
		keep(&p.Name, workerName(stat.Comm))
	} else {
		keep(&p.Name, stat.Comm)
	}
	p.PPID = stat.PPID
	p.State = state(stat.State)
	// An exec moves the arguments. Where this user may not know their address
	// the name tells, which is less: a program can also rename itself.
	exec := p.cache.argStart != stat.ArgStart || stat.ArgStart == 0 && p.Name != name
	if exec && p.State != StateZombie { // which has lost its arguments
		p.cache = processCache{argStart: stat.ArgStart, steady: p.cache.steady & FieldOwner}
	}
	p.CPU = ProcessCPUTimes{User: float64(stat.UserTime) / ticksPerSecond, System: float64(stat.SysTime) / ticksPerSecond}
	p.Threads = stat.Threads
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

// possible is what a process can have at all: a kernel thread has no program,
// a zombie has no more than its accounts. What a zombie was is remembered.
func possible(p *Process) Fields {
	switch {
	case p.State == StateZombie || p.State == StateDead:
		return FieldDiskIO | FieldOwner
	case p.KernelThread:
		return FieldDiskIO | FieldOwner
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
			tally.Sample = fmt.Sprintf("%s/%s%s: %s", h.root.Proc, h.table.path[:h.table.pathPID], name, why)
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
	return class(h.statx(h.proc, h.table.file("stat"), 0, 0, &st)) != ErrNoSuchProcess
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

func (h *Host) readStatm(p *Process) unix.Errno {
	b, errno := h.readOnce(h.proc, h.table.file("statm"), h.table.buf[:])
	if errno != 0 {
		return errno
	}
	size, resident, err := procfs.Statm(b)
	page := uint64(h.machine.PageSize)
	if err != nil || size > math.MaxInt64/page || resident > math.MaxInt64/page {
		return errMalformed
	}
	if size == 0 { // it has given its memory back and is about to end
		return unix.ENOENT
	}
	p.VMS, p.RSS = size*page, resident*page
	return 0
}

func (h *Host) readIO(p *Process) unix.Errno {
	b, errno := h.readOnce(h.proc, h.table.file("io"), h.table.buf[:])
	if errno != 0 {
		return errno
	}
	read, written, err := procfs.IO(b)
	if err != nil {
		return errMalformed
	}
	p.ReadBytes, p.WriteBytes = read, written
	return 0
}

// readDescriptors counts the entries of /proc/PID/fd: by the size of the
// folder where the kernel tells it there, which any user may ask, else by
// listing it.
func (h *Host) readDescriptors(p *Process) unix.Errno {
	t := &h.table
	if t.sizeIsCount {
		var st unix.Statx_t
		if errno := h.statx(h.proc, t.file("fd"), 0, unix.STATX_SIZE, &st); errno != 0 {
			return errno
		}
		p.Descriptors = int32(st.Size)
		return 0
	}
	fd, errno := h.openat(h.proc, t.file("fd"), unix.O_DIRECTORY)
	if errno != 0 {
		return errno
	}
	n := int32(0)
	errno = h.listdir(fd, t.dirents[:], func([]byte) { n++ })
	h.close(fd)
	if errno == 0 {
		p.Descriptors = n
	}
	return errno
}

// fdSizeIsCount tells whether the kernel answers the number of descriptors as
// the size of /proc/PID/fd (since Linux 6.2). It is tried once, on ourselves:
// a recorded tree has sizes too, and they mean something else.
func (h *Host) fdSizeIsCount() bool {
	if !h.procfs {
		return false
	}
	for range 3 { // another goroutine may open a file in between
		fd, errno := h.openat(h.proc, []byte("self/fd\x00"), unix.O_DIRECTORY)
		if errno != 0 {
			return false
		}
		var st unix.Statx_t
		n := uint64(0)
		errno = h.statx(fd, []byte{0}, unix.AT_EMPTY_PATH, unix.STATX_SIZE, &st)
		if errno == 0 {
			errno = h.listdir(fd, h.table.dirents[:], func([]byte) { n++ })
		}
		h.close(fd)
		if errno == 0 && n == st.Size {
			return true
		}
	}
	return false
}

// readExecutable reads where exe points. The kernel appends " (deleted)" to
// the path of a file that is gone; a file can also be called so.
func (h *Host) readExecutable(p *Process) unix.Errno {
	t := &h.table
	b, errno := h.readlinkat(h.proc, t.file("exe"), t.buf[:])
	if errno != 0 {
		return errno
	}
	if path, marked := bytes.CutSuffix(b, deleted); marked && !h.isFile(string(b)) {
		b = path
	}
	keep(&p.Executable, b)
	return 0
}

// isFile tells whether there is a file of this path where the process being
// read sees its files, or where we see the host's. The number of links of the
// file itself does not tell: it may have others, or be in a layer below.
func (h *Host) isFile(path string) bool {
	var st unix.Statx_t
	return h.statx(h.proc, h.table.file("root"+path), 0, 0, &st) == 0 ||
		h.statx(unix.AT_FDCWD, []byte(h.root.Path+path+"\x00"), 0, 0, &st) == 0
}

var deleted = []byte(" (deleted)")

// readCommand reads the first argument, of which the first 8 KiB count.
func (h *Host) readCommand(p *Process) unix.Errno {
	b, errno := h.readOnce(h.proc, h.table.file("cmdline"), h.table.buf[:])
	if errno != 0 {
		return errno
	}
	if b = procfs.Arg0(b); len(b) == 0 {
		return unix.ENOENT
	}
	keep(&p.Command, b)
	return 0
}

func (h *Host) readOwner(p *Process) unix.Errno {
	b, errno := h.readOnce(h.proc, h.table.file("status"), h.table.buf[:])
	if errno != 0 {
		return errno
	}
	uid, err := procfs.RealUID(b)
	if err != nil {
		return errMalformed
	}
	p.UID, p.Owner = uid, h.owners.name(uid)
	return 0
}
