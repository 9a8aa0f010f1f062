// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mark tells a tracer where the measured scrapes begin and end, by a prctl(2)
// that the kernel does not know.
func (m *meter) mark(begin bool) {
	if m.Traced {
		on := uintptr(0)
		if begin {
			on = 1
		}
		syscall.RawSyscall(unix.SYS_PRCTL, markOption, on, 0)
	}
}

const markOption = 0x686f7374 // "host"

// notOurs are the calls of the Go runtime for itself: threads, memory, timers
// and preemption. How many there are depends on time, which a tracer stretches.
var notOurs = map[uint64]bool{
	unix.SYS_FUTEX: true, unix.SYS_NANOSLEEP: true, unix.SYS_SCHED_YIELD: true, unix.SYS_CLONE: true,
	unix.SYS_MMAP: true, unix.SYS_MUNMAP: true, unix.SYS_MADVISE: true,
	unix.SYS_EPOLL_PWAIT: true, unix.SYS_RESTART_SYSCALL: true,
	unix.SYS_TGKILL: true, unix.SYS_GETPID: true, unix.SYS_GETTID: true,
	unix.SYS_RT_SIGRETURN: true, unix.SYS_RT_SIGPROCMASK: true, unix.SYS_SIGALTSTACK: true,
	unix.SYS_GETRUSAGE: true, // the meter's
}

// syscallInfo is struct ptrace_syscall_info as it is at the entry of a call.
type syscallInfo struct {
	Op                 uint8
	_                  [3]byte
	Arch               uint32
	Instruction, Stack uint64
	Number             uint64
	Args               [6]uint64
	_                  [16]byte // of later kernels and of seccomp
}

const (
	ptraceGetSyscallInfo = 0x420e // PTRACE_GET_SYSCALL_INFO
	syscallEntry         = 1      // PTRACE_SYSCALL_INFO_ENTRY
)

// countCalls runs a job under ptrace(2) and answers the system calls that one
// process takes in one scrape.
func countCalls(j job) (float64, error) {
	j.Traced = true
	cmd, err := j.command()
	if err != nil {
		return 0, err
	}
	runtime.LockOSThread() // a thread traces, not a process
	defer runtime.UnlockOSThread()
	in, out, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	p, err := os.StartProcess(cmd.Path, cmd.Args, &os.ProcAttr{
		Env: cmd.Environ(), Files: []*os.File{nil, out, os.Stderr},
		Sys: &syscall.SysProcAttr{Ptrace: true},
	})
	out.Close()
	if err != nil {
		return 0, err
	}
	n, err := trace(p.Pid)
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return 0, err
	}
	var r result
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&r); err != nil {
		return 0, fmt.Errorf("result %q: %w", text, err)
	}
	return float64(n) / float64(r.Scrapes) / float64(r.Processes), nil
}

// trace counts the calls of all threads of a process between its marks, and
// returns when it has ended.
func trace(pid int) (int, error) {
	n, counting := 0, false
	for options := false; ; {
		var status unix.WaitStatus
		tid, err := unix.Wait4(-1, &status, unix.WALL, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("wait: %w", err)
		}
		if !status.Stopped() {
			if tid == pid {
				return n, nil
			}
			continue
		}
		if !options {
			options = true
			err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_EXITKILL)
			if err != nil {
				return 0, fmt.Errorf("ptrace: %w", err)
			}
		}
		deliver := 0
		switch signal := status.StopSignal(); signal {
		case unix.SIGTRAP | 0x80: // at a call
			var info syscallInfo
			_, _, errno := unix.Syscall6(unix.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
			switch {
			case errno != 0:
				return 0, fmt.Errorf("PTRACE_GET_SYSCALL_INFO: %w", errno)
			case info.Op != syscallEntry:
			case info.Number == unix.SYS_PRCTL && info.Args[0] == markOption:
				counting = info.Args[1] == 1
			case counting && !notOurs[info.Number]:
				n++
			}
		case unix.SIGTRAP, unix.SIGSTOP: // an exec or a clone; the new thread
		default:
			deliver = int(signal)
		}
		if err := unix.PtraceSyscall(tid, deliver); err != nil && err != unix.ESRCH {
			return 0, fmt.Errorf("ptrace: %w", err)
		}
	}
}
