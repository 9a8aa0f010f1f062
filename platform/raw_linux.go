// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// Files of /proc and /sys are opened, read and closed by plain system calls.
// An os.File costs ten instead of three, and parks its reader for ever on a
// file that answers EAGAIN without being pollable, as cpufreq's can.

// access makes the system calls of one [Host] and counts them, which is what
// the tests of the reading's cost go by.
type access struct {
	calls    int
	datagram []byte // of netlink, as long as it is needed
	verbatim bool   // texts of processes are kept byte for byte, valid UTF-8 or not
}

const openFlags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_LARGEFILE

// openat opens name, which ends in NUL, below the directory dir.
func (a *access) openat(dir int, name []byte, flags int) (int, unix.Errno) {
	for {
		a.calls++
		fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(&name[0])), uintptr(openFlags|flags), 0, 0, 0)
		if errno != unix.EINTR {
			return int(fd), errno
		}
	}
}

// readOnce reads the start of a file into buf by a single read(2). The files
// of one process answer all they have to a buffer that holds it.
func (a *access) readOnce(dir int, name, buf []byte) ([]byte, unix.Errno) {
	fd, errno := a.openat(dir, name, 0)
	if errno != 0 {
		return nil, errno
	}
	n, errno := a.read(fd, buf)
	a.close(fd)
	if errno != 0 {
		return nil, errno
	}
	return buf[:n], 0
}

// readFast is readOnce without telling the scheduler: a twentieth of the time
// of a call that takes a microsecond, and a stall of the whole program by one
// that blocks. So it is for those files of the kernel's own /proc that take no
// lock which a process can hold (stat, statm, status, schedstat), and for
// no other file system.
func (a *access) readFast(dir int, name, buf []byte) ([]byte, unix.Errno) {
	fd, errno := a.openFast(dir, name)
	if errno != 0 {
		return nil, errno
	}
	a.calls += 2
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	if errno != 0 {
		return nil, errno
	}
	return buf[:n], 0
}

func (a *access) openFast(dir int, name []byte) (int, unix.Errno) {
	a.calls++
	fd, _, errno := unix.RawSyscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(&name[0])), openFlags, 0, 0, 0)
	return int(fd), errno
}

func (a *access) close(fd int) {
	a.calls++
	_ = unix.Close(fd) // it was only read
}

func (a *access) read(fd int, buf []byte) (int, unix.Errno) {
	for {
		a.calls++
		n, err := unix.Read(fd, buf)
		if err == nil {
			return n, 0
		}
		if errno := errnoOf(err); errno != unix.EINTR {
			return 0, errno
		}
	}
}

// maxFile bounds what is read of one file: more is no answer of a kernel.
const maxFile = 64 << 20

// readFile reads a whole file into buf, which grows as needed.
func (a *access) readFile(path string, buf *[]byte) ([]byte, error) {
	fd, err := a.openPath(path, 0)
	if err != nil {
		return nil, err
	}
	defer a.close(fd)
	if len(*buf) == 0 {
		*buf = make([]byte, 16<<10)
	}
	for n := 0; ; {
		got, errno := a.read(fd, (*buf)[n:])
		if errno != 0 {
			return nil, fileError(path, errno)
		}
		if got == 0 {
			return (*buf)[:n], nil
		}
		if n += got; n == len(*buf) {
			if n >= maxFile {
				return nil, fmt.Errorf("%s: %w: over %d bytes", path, ErrMalformed, maxFile)
			}
			*buf = append(*buf, make([]byte, n)...)
		}
	}
}

func (a *access) openPath(path string, flags int) (int, error) {
	for {
		a.calls++
		fd, err := unix.Open(path, openFlags|flags, 0)
		if err == nil {
			return fd, nil
		}
		if errno := errnoOf(err); errno != unix.EINTR {
			return -1, fileError(path, errno)
		}
	}
}

// readlinkat answers where a symbolic link points; all of buf when it is
// longer than that.
func (a *access) readlinkat(dir int, name, buf []byte) ([]byte, unix.Errno) {
	a.calls++
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	if errno != 0 {
		return nil, errno
	}
	return buf[:n], 0
}

// statx is statx(2), which every Go port of Linux has under one name.
func (a *access) statx(dir int, name []byte, flags int, mask uint32, st *unix.Statx_t) unix.Errno {
	a.calls++
	_, _, errno := unix.Syscall6(unix.SYS_STATX, uintptr(dir), uintptr(unsafe.Pointer(&name[0])), uintptr(flags), uintptr(mask), uintptr(unsafe.Pointer(st)), 0)
	return errno
}

// listdir calls each with the names in an open folder, from its start.
func (a *access) listdir(fd int, buf []byte, each func(name []byte)) unix.Errno {
	return a.listnodes(fd, buf, func(_ uint64, name []byte) { each(name) })
}

// listnodes is listdir with the inodes of the names.
func (a *access) listnodes(fd int, buf []byte, each func(inode uint64, name []byte)) unix.Errno {
	a.calls++
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		return errnoOf(err)
	}
	for {
		a.calls++
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			return errnoOf(err)
		}
		if n == 0 {
			return 0
		}
		if procfs.Nodes(buf[:n], binary.NativeEndian, each) != nil {
			return errMalformed
		}
	}
}

func errnoOf(err error) unix.Errno {
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		return errno
	}
	return unix.EIO
}

// class is the one place where an errno becomes an Error; 0 for one that is
// neither a missing thing nor a missing right.
func class(errno unix.Errno) Error {
	switch errno {
	case unix.ENOENT, unix.ESRCH:
		return ErrNoSuchProcess
	case unix.EACCES, unix.EPERM:
		return ErrAccessDenied
	case unix.ENOSYS, unix.EOPNOTSUPP:
		return ErrNotSupported
	case unix.ETIMEDOUT:
		return ErrTimeoutExpired
	}
	return 0
}

// fileError is an errno with the file that it is about.
func fileError(path string, errno unix.Errno) error {
	switch c := class(errno); c {
	case 0:
		return fmt.Errorf("%s: %w", path, errno)
	case ErrNoSuchProcess:
		return fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	default:
		return fmt.Errorf("%s: %w", path, c)
	}
}

// keep is the keep of a process: what is read through a [Handle] is for those
// who take any bytes.
func (a *access) keep(s *string, b []byte) {
	if !a.verbatim {
		keep(s, b)
	} else if string(b) != *s {
		*s = string(b)
	}
}

// keep sets a string to b, made valid UTF-8 since OTLP carries nothing else.
// It allocates only where b says something new.
func keep(s *string, b []byte) {
	if string(b) != *s {
		*s = strings.ToValidUTF8(string(b), "\uFFFD")
	}
}
