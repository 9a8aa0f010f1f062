// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// Handle refers to one process and never to a later one with its PID. It holds
// descriptors of that very process until it is closed, whether or not the
// process still exists. Its methods may be called by several goroutines.
//
// What it rests on: a handle that was opened before and still finds its process
// afterwards proves that the number was that process's for all the time between,
// since the kernel gives a number away only after its process was reaped. The
// start time proves less: it counts in hundredths of a second, in which
// numbers can come round.
type Handle struct {
	token  Token
	kernel bool // a thread of the kernel
	can    Abilities
	step   func(string) // tests come between here

	mu    sync.RWMutex // Close waits for what uses the descriptors
	pidfd int          // -1 where the kernel has none
	dir   int          // /proc/PID; -1 when closed
}

// handles is what a [Host] keeps for its handles.
type handles struct {
	can    *Abilities
	step   func(string)
	boot   time.Time
	bootAt time.Time // when that was read
}

// abilities are found out by trying, once.
var abilities = sync.OnceValue(func() (can Abilities) {
	can.Signal = unix.PidfdSendSignal(-1, 0, nil, 0) == unix.EBADF
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil || !can.Signal { // by which a pidfd is asked whether it still finds its process
		return can
	}
	defer unix.Close(fd)
	can.Pidfd = true
	var fs unix.Statfs_t
	const wide = unsafe.Sizeof(uintptr(0)) == 8 // else the inode is cut off
	can.Pidfs = wide && unix.Fstatfs(fd, &fs) == nil && fs.Type == unix.PID_FS_MAGIC
	return can
})

// Abilities tells what this kernel has for handles.
func (h *Host) Abilities() Abilities {
	if h.handles.can == nil {
		can := abilities()
		h.handles.can = &can
	}
	return *h.handles.can
}

// OpenToken opens the process of a token. [NoSuchProcessError] where it is no
// more, ErrAccessDenied where this user is not shown it (hidepid of proc(5)),
// ErrNotSupported where the numbers of /proc are not those of system calls.
func (h *Host) OpenToken(t Token) (*Handle, error) {
	if h.boot == "" {
		return nil, fmt.Errorf("%s/sys/kernel/random/boot_id: %w", h.root.Proc, ErrNotSupported)
	}
	if t.Boot != h.boot {
		return nil, &NoSuchProcessError{t.PID, ReasonOtherBoot}
	}
	return h.openProcess(t.PID, ReasonExited, func(is Token) Reason {
		if is.Start != t.Start || t.Inode != 0 && is.Inode != 0 && is.Inode != t.Inode {
			return ReasonReused
		}
		return ""
	})
}

// OpenPID opens the process that has the number now, whichever it is.
func (h *Host) OpenPID(pid int32) (*Handle, error) {
	return h.openProcess(pid, ReasonNotFound, func(Token) Reason { return "" })
}

// OpenCreated opens the process of a number that was created at a time, to
// within a second. The times are those that any Host of this program has
// computed: a clock that was stepped since does not matter.
func (h *Host) OpenCreated(pid int32, created time.Time) (*Handle, error) {
	if _, err := h.bootTime(); err != nil {
		return nil, err
	}
	return h.openProcess(pid, ReasonExited, func(is Token) Reason {
		if !boots.fits(is.Start, created) {
			return ReasonMismatch
		}
		return ""
	})
}

// OpenSelf opens the process that this is.
func (h *Host) OpenSelf() (*Handle, error) { return h.OpenPID(int32(os.Getpid())) }

// openProcess opens a process if it fits.
func (h *Host) openProcess(pid int32, missing Reason, fits func(Token) Reason) (*Handle, error) {
	if !h.ownPIDs {
		return nil, fmt.Errorf("%s: of another PID namespace: %w", h.root.Proc, ErrNotSupported)
	}
	if pid < 1 {
		return nil, &NoSuchProcessError{pid, ReasonNotFound}
	}
	p := &Handle{token: Token{Boot: h.boot, ID: ID{PID: pid}}, pidfd: -1, dir: -1, can: h.Abilities(), step: h.handles.step}
	if err := h.fill(p, missing); err != nil {
		p.Close()
		return nil, err
	}
	if reason := fits(p.token); reason != "" {
		p.Close()
		return nil, &NoSuchProcessError{pid, reason}
	}
	return p, nil
}

// fill opens the descriptors of a handle and reads who it is through them.
// The pidfd comes first: if it finds its process at the end, then the number
// was that of one process throughout, and the folder is of the same.
func (h *Host) fill(p *Handle, missing Reason) error {
	pid := p.token.PID
	p.at("open")
	if p.can.Pidfd {
		h.calls++
		fd, err := unix.PidfdOpen(int(pid), 0)
		switch errno := errnoOf(err); {
		case err == nil:
			p.pidfd = fd
		case errno == unix.ESRCH || errno == unix.EINVAL || errno == unix.ENOENT:
			// EINVAL is that of a process about to be reaped, ENOENT (EINVAL
			// before Linux 6.9) that of a thread.
			return &NoSuchProcessError{pid, missing}
		default:
			return fmt.Errorf("pidfd_open %d: %w", pid, errno)
		}
	}
	if p.can.Pidfs && p.pidfd >= 0 {
		var st unix.Stat_t
		h.calls++
		if err := unix.Fstat(p.pidfd, &st); err != nil {
			return fmt.Errorf("pidfd of %d: %w", pid, err)
		}
		p.token.Inode = st.Ino
	}
	p.at("pidfd")
	dir, errno := h.openat(h.proc, append(strconv.AppendInt(nil, int64(pid), 10), 0), unix.O_DIRECTORY)
	switch {
	case errno == 0:
		p.dir = dir
	case (class(errno) == ErrNoSuchProcess || class(errno) == ErrAccessDenied) && p.pidfd >= 0 && p.alive():
		return fmt.Errorf("%s/%d: hidden: %w", h.root.Proc, pid, ErrAccessDenied) // hidepid
	case class(errno) == ErrNoSuchProcess:
		return &NoSuchProcessError{pid, missing}
	default:
		return fileError(fmt.Sprintf("%s/%d", h.root.Proc, pid), errno)
	}
	p.at("dir")
	t := &h.table
	var stat procfs.PIDStat
	b, errno := h.readOnce(p.dir, []byte("stat\x00"), t.buf[:])
	if errno == 0 && (procfs.Stat(b, &stat) != nil || stat.PID != pid) {
		errno = errMalformed
	}
	if errno == 0 {
		b, errno = h.readOnce(p.dir, []byte("status\x00"), t.buf[:])
	}
	if errno == 0 && (procfs.Status(b, &t.status) != nil || t.status.Has&procfs.StatusTGID == 0) {
		errno = errMalformed
	}
	p.at("read")
	switch {
	case class(errno) == ErrNoSuchProcess || !p.alive():
		return &NoSuchProcessError{pid, missing}
	case errno == errMalformed:
		return fmt.Errorf("%s/%d: %w", h.root.Proc, pid, ErrMalformed)
	case errno != 0:
		return fileError(fmt.Sprintf("%s/%d", h.root.Proc, pid), errno)
	case t.status.TGID != pid: // a thread, which /proc opens but does not list
		return &NoSuchProcessError{pid, ReasonNotFound}
	}
	p.token.Start, p.kernel = stat.Start, stat.Flags&procfs.FlagKernelThread != 0
	return nil
}

func (p *Handle) at(step string) {
	if p.step != nil {
		p.step(step)
	}
}

// Token names the process.
func (p *Handle) Token() Token { return p.token }

// KernelThread tells whether it is a thread of the kernel, which can be read
// and not acted on.
func (p *Handle) KernelThread() bool { return p.kernel }

// Close gives the descriptors back, when nothing uses them any more. A second
// Close does nothing.
func (p *Handle) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fd := range []*int{&p.pidfd, &p.dir} {
		if *fd >= 0 {
			_ = unix.Close(*fd)
			*fd = -1
		}
	}
}

// hold keeps the descriptors open until release.
func (p *Handle) hold() error {
	p.mu.RLock()
	if p.dir < 0 {
		p.mu.RUnlock()
		return fmt.Errorf("handle of process %d: %w", p.token.PID, os.ErrClosed)
	}
	return nil
}

func (p *Handle) release() { p.mu.RUnlock() }

// alive tells whether the process has not been reaped. The descriptors are
// held.
func (p *Handle) alive() bool {
	if p.can.Signal {
		return p.send(0) != unix.ESRCH
	}
	_, errno := p.stat(new(procfs.PIDStat), make([]byte, 1024))
	return class(errno) != ErrNoSuchProcess
}

// stat reads the file stat of the process.
func (p *Handle) stat(to *procfs.PIDStat, buf []byte) ([]byte, unix.Errno) {
	b, errno := new(access).readOnce(p.dir, []byte("stat\x00"), buf)
	if errno == 0 && procfs.Stat(b, to) != nil {
		errno = errMalformed
	}
	return b, errno
}

// Running tells whether the process exists. A zombie does.
func (p *Handle) Running() (bool, error) {
	if err := p.hold(); err != nil {
		return false, err
	}
	defer p.release()
	return p.alive(), nil
}

// State is what the process is doing now: StateDead when it was reaped.
func (p *Handle) State() (State, error) {
	if err := p.hold(); err != nil {
		return StateUnknown, err
	}
	defer p.release()
	var stat procfs.PIDStat
	switch _, errno := p.stat(&stat, make([]byte, 1024)); {
	case errno == 0:
		return state(stat.State), nil
	case class(errno) == ErrNoSuchProcess:
		return StateDead, nil
	default:
		return StateUnknown, p.fail("stat", errno)
	}
}

// fail is the error of a call about the process, with the kernel's own word
// for it.
func (p *Handle) fail(what string, errno unix.Errno) error {
	pid, c := p.token.PID, class(errno)
	switch {
	case c == ErrNoSuchProcess:
		return &NoSuchProcessError{pid, ReasonExited}
	case errno == errMalformed:
		return fmt.Errorf("process %d: %s: %w", pid, what, ErrMalformed)
	case errno == unix.EINVAL:
		c = ErrInvalidArgument
	case c == 0:
		return fmt.Errorf("process %d: %s: %w", pid, what, errno)
	}
	return fmt.Errorf("process %d: %s: %w: %w", pid, what, c, errno)
}

// ErrnoName is the name of the errno that an error is due to, "" for none.
func ErrnoName(err error) string {
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		return unix.ErrnoName(errno)
	}
	return ""
}

// Read reads fields of the process: of it alone, and nothing that was read
// before. Filters and intervals of the request do not count. The answer is the
// caller's.
func (h *Host) Read(ctx context.Context, p *Handle, req Request) (*ProcessReading, error) {
	if err := p.hold(); err != nil {
		return nil, err
	}
	defer p.release()
	boot, err := h.bootTime()
	if err != nil {
		return nil, err
	}
	h.owners.refresh, h.table.ttys.scanned = true, false
	clear(h.table.sockets.namespaces)
	req = Request{Fields: req.Fields, Environment: req.Environment, EnvironmentNames: req.EnvironmentNames, Page: req.Page}
	s := &Snapshot{Time: h.machine.Now(), Boot: boot}
	t := &h.table
	defer func(d detail) { t.detail = d }(t.detail)
	t.detail = detail{}
	t.detail.begin(req)
	t.environment, t.environmentNames, t.exhausted = req.Environment, req.EnvironmentNames, 0
	t.page, t.cut, t.lastFD = req.Page, 0, 0
	defer func() { t.page = Page{} }()
	t.pid, t.at, t.path, t.prefix = p.token.PID, p.dir, t.path[:0], 0
	defer func() { t.at = h.proc }()

	h.verbatim = true
	defer func() { h.verbatim = false }()
	r := &ProcessReading{Time: s.Time}
	ok := h.readEntered(ctx, &r.Process, p.token.PID, req, s)
	if r.Got.Has(FieldIOPriority) && !p.alive() { // which is asked for by number
		return nil, &NoSuchProcessError{p.token.PID, ReasonExited}
	}
	r.Cut, r.Last = t.cut, t.lastFD
	switch r.Tally = s.Tally; {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("process %d: %w", p.token.PID, context.Cause(ctx))
	case t.exhausted != 0:
		return nil, p.fail("open", t.exhausted)
	case ok:
		// By the clock that starts count in, which nobody can set.
		r.Age = max(0, sinceBoot()-time.Duration(r.Start)*(time.Second/ticksPerSecond))
		return r, nil
	case s.Tally.Gone > 0:
		return nil, &NoSuchProcessError{p.token.PID, ReasonExited}
	case s.Tally.Denied(FieldState) > 0:
		return nil, p.fail("stat", unix.EACCES)
	default:
		return nil, fmt.Errorf("%s: %w", s.Tally.Sample, ErrMalformed)
	}
}

// sinceBoot is the time since boot, suspended time included.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// Owner is the user whom the kernel shows what it keeps from others of the
// process: its own, or root of one that has had more rights than its user
// (task_dump_owner of fs/proc/base.c, PR_SET_DUMPABLE of prctl(2)).
func (p *Handle) Owner() (uint32, error) {
	if err := p.hold(); err != nil {
		return 0, err
	}
	defer p.release()
	var st unix.Statx_t
	if errno := new(access).statx(p.dir, []byte("environ\x00"), 0, unix.STATX_UID, &st); errno != 0 {
		return 0, p.fail("environ", errno)
	}
	return st.Uid, nil
}

// MountNamespace is the number of the mount namespace of the process, in which
// its paths are to be found (namespaces(7)).
func (p *Handle) MountNamespace() (uint64, error) {
	if err := p.hold(); err != nil {
		return 0, err
	}
	defer p.release()
	var st unix.Statx_t
	if errno := new(access).statx(p.dir, []byte("ns/mnt\x00"), 0, unix.STATX_INO, &st); errno != 0 {
		return 0, p.fail("ns/mnt", errno)
	}
	return st.Ino, nil
}
