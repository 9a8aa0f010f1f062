// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// floorScan makes the system calls that read files of each process into one
// buffer, and takes nothing from what they say but what else there is to read.
type floorScan struct {
	selection
	proc           int
	dirents, tasks [64 << 10]byte
	file           [16 << 10]byte
	path           []byte
	stat           unix.Statx_t
}

// scrapeFloor scans again and again, on the schedule of the receivers: who
// comes back from sleep finds caches cold.
func scrapeFloor(set selection, m *meter) error {
	proc, err := unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	s := floorScan{selection: set, proc: proc}
	go func() {
		for range time.Tick(interval) {
			m.scraped()
			n := s.scan()
			if m.watching() {
				m.saw(n, 0, 0)
			}
		}
	}()
	return nil
}

// scan answers the number of processes.
func (s *floorScan) scan() int {
	processes := 0
	syscall.RawSyscall(unix.SYS_LSEEK, uintptr(s.proc), 0, 0)
	list(uintptr(s.proc), s.dirents[:], func(pid []byte) {
		s.path = append(s.path[:0], pid...)
		s.process(len(pid))
		processes++
	})
	return processes
}

// process reads the files of the process whose number path begins with.
func (s *floorScan) process(digits int) {
	threads := false
	for _, name := range s.files {
		s.path = append(append(s.path[:digits], '/'), name...)
		n := s.read()
		if name == "stat" {
			threads = s.perThread && moreThreads(s.file[:n])
		}
	}
	if s.descriptors {
		s.path = append(s.path[:digits], "/fd\x00"...)
		syscall.RawSyscall6(unix.SYS_STATX, uintptr(s.proc), uintptr(unsafe.Pointer(&s.path[0])), 0, unix.STATX_SIZE, uintptr(unsafe.Pointer(&s.stat)), 0)
	}
	if threads {
		s.path = append(s.path[:digits], "/task"...)
		folder := s.open(unix.O_DIRECTORY)
		list(folder, s.tasks[:], func(tid []byte) {
			if !bytes.Equal(tid, s.path[:digits]) { // whose status was read
				s.path = append(append(append(s.path[:digits], "/task/"...), tid...), "/status"...)
				s.read()
			}
		})
		syscall.RawSyscall(unix.SYS_CLOSE, folder, 0, 0)
	}
}

// open opens the file at path.
func (s *floorScan) open(flags uintptr) uintptr {
	s.path = append(s.path, 0)
	fd, _, _ := syscall.RawSyscall6(unix.SYS_OPENAT, uintptr(s.proc), uintptr(unsafe.Pointer(&s.path[0])), unix.O_RDONLY|unix.O_CLOEXEC|flags, 0, 0, 0)
	return fd
}

// read reads the file at path.
func (s *floorScan) read() uintptr {
	fd := s.open(0)
	n, _, errno := syscall.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&s.file)), uintptr(len(s.file)))
	syscall.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
	if errno != 0 {
		return 0
	}
	return n
}

// list calls each with the numbers in an open folder.
func list(folder uintptr, buf []byte, each func(number []byte)) {
	for {
		n, _, errno := syscall.RawSyscall(unix.SYS_GETDENTS64, folder, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
		if errno != 0 || n == 0 {
			return
		}
		// struct linux_dirent64: inode, offset, length of the entry, type, name.
		for left := buf[:n]; len(left) > 0; {
			length := binary.NativeEndian.Uint16(left[16:])
			name := left[19:length]
			left = left[length:]
			if '1' <= name[0] && name[0] <= '9' {
				each(name[:bytes.IndexByte(name, 0)])
			}
		}
	}
}

// moreThreads tells whether there is more than one, by the 20th field of stat.
func moreThreads(stat []byte) bool {
	rest := stat[bytes.LastIndexByte(stat, ')')+1:]
	for range 18 {
		rest = rest[bytes.IndexByte(rest, ' ')+1:]
	}
	return !bytes.HasPrefix(rest, []byte("1 "))
}
