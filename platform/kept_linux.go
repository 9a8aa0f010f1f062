// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where a request comes again and again, files of processes stay open from one
// snapshot to the next: to read one again takes one system call instead of
// three, and half the time. The kernel makes the answer anew for each read from
// offset 0 (seq_read_iter in fs/seq_file.c), by the rights that the reader has
// then, and it answers ESRCH once the process was reaped, whoever has its
// number now (proc_single_show in fs/proc/base.c).
//
// One that is open holds 4.4 KiB of the kernel's memory, most of that a buffer
// of seq_file, and nothing of the process but its number's struct pid.

// countFile is a file of a process that is mere counts.
type countFile uint8

const (
	statFile countFile = iota
	statmFile
	statusFile
	ioFile
	schedstatFile

	numCountFiles
)

var countFileNames = [numCountFiles]string{"stat", "statm", "status", "io", "schedstat"}

// waits tells whether the kernel does not always answer at once: for io it waits
// for an exec of the process (do_io_accounting of fs/proc/base.c), and before
// Linux 5.7 that is as long as the file system takes which the program is on.
func (f countFile) waits() bool { return f == ioFile }

const (
	// maxKept is how many files stay open at most, of all hosts together.
	maxKept = 4096
	// keptShare is which part of the descriptors that this program may have
	// they are at most.
	keptShare = 4
)

// keptByAll is how many do.
var keptByAll atomic.Int64

// kept is what stays open of the processes of a table.
type kept struct {
	most int
	// now: what is opened of the process being read is to stay so.
	now bool
}

// mayKeep is how many files may stay open.
func (h *Host) mayKeep() int {
	var limit unix.Rlimit
	if !h.procfs || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(maxKept, limit.Cur/keptShare))
}

// readCounts reads a file of the process being read, which is in p's place.
func (h *Host) readCounts(p *Process, f countFile) ([]byte, unix.Errno) {
	t := &h.table
	if fd := p.cache.open[f]; fd != 0 {
		return h.readAgain(int(fd-1), f, t.buf[:])
	}
	path := t.file(countFileNames[f])
	if !t.kept.now || keptByAll.Load() >= int64(t.kept.most) {
		if f.waits() {
			return h.readOnce(t.at, path, t.buf[:])
		}
		return h.readCountsAt(path)
	}
	fd, errno := h.openFast(t.at, path)
	if errno != 0 {
		return nil, errno
	}
	b, errno := h.readAgain(fd, f, t.buf[:])
	if errno != 0 {
		h.close(fd)
		return nil, errno
	}
	p.cache.open[f] = int32(fd + 1)
	keptByAll.Add(1)
	return b, 0
}

// readAgain reads an open file from its start: as readFast does, or, where that
// may take a while, as readOnce.
func (a *access) readAgain(fd int, f countFile, buf []byte) ([]byte, unix.Errno) {
	for {
		a.calls++
		var n uintptr
		var errno unix.Errno
		// An offset of 0 is the same in every order and alignment of the arguments.
		// The calls are direct: only so is the buffer kept where it is (unsafe.Pointer).
		if f.waits() {
			n, _, errno = unix.Syscall6(unix.SYS_PREAD64, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0, 0)
		} else {
			n, _, errno = unix.RawSyscall6(unix.SYS_PREAD64, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0, 0)
		}
		if errno == 0 {
			return buf[:n], 0
		}
		if errno != unix.EINTR {
			return nil, errno
		}
	}
}

// forget closes what is open of a process. Of who takes its place nothing is
// kept yet: who was seen once may be gone the next time.
func (h *Host) forget(p *Process) {
	h.table.kept.now = false
	for f, fd := range p.cache.open {
		if fd != 0 {
			h.close(int(fd - 1))
			keptByAll.Add(-1)
			p.cache.open[f] = 0
		}
	}
}

// yield gives the descriptors up, for good, where an error tells that there are
// not enough for all that this program does.
func (h *Host) yield(err error) {
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM) {
		h.keepNone()
	}
}

// keepNone closes all that is open and keeps nothing from now on.
func (h *Host) keepNone() {
	h.table.kept.most = 0
	for _, p := range h.table.processes {
		h.forget(p)
	}
}
