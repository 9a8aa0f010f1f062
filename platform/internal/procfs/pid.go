// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package procfs decodes the files of Linux's /proc. Decoders are pure
// functions over the bytes of one read: no I/O, no allocation, no panic.
// The formats are those of proc(5) and fs/proc/array.c of the kernel.
package procfs

import (
	"bytes"
	"math"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// FlagKernelThread is PF_KTHREAD of include/linux/sched.h in PIDStat.Flags.
const FlagKernelThread = 0x00200000

// maxStart is 87 years in ticks. No machine is up for longer, and a time that
// far after a boot fits the 64 bits of nanoseconds that metrics have for it.
const maxStart = 1 << 38

// PIDStat is /proc/PID/stat as far as it is used.
type PIDStat struct {
	PID      int32
	Comm     []byte // part of the input; unlike in status, nothing in it is escaped
	State    byte
	PPID     int32
	Flags    uint64
	UserTime uint64 // of all threads, in ticks of 1/100 s
	SysTime  uint64 // of all threads, in ticks of 1/100 s
	Threads  int32
	Start    uint64 // ticks since boot
	// ArgStart is the address of the arguments, which an exec moves; 0 where
	// this user may not know it.
	ArgStart uint64
}

// Stat decodes /proc/PID/stat. The name in it may hold anything, spaces,
// parentheses and newlines too: it ends at the last parenthesis.
func Stat(b []byte, s *PIDStat) error {
	pid, rest, ok := parse.Int(b)
	if !ok || pid < 0 || pid > 1<<31-1 {
		return parse.ErrSyntax
	}
	end := bytes.LastIndexByte(rest, ')')
	if len(rest) < 3 || rest[0] != ' ' || rest[1] != '(' || end < 2 || len(rest) < end+4 || rest[end+1] != ' ' || rest[end+3] != ' ' {
		return parse.ErrSyntax
	}
	*s = PIDStat{PID: int32(pid), Comm: rest[2:end], State: rest[end+2]}

	const last, needed = 48, 22
	f := 4
	for b = rest[end+4:]; f <= last; f++ {
		negative := len(b) > 0 && b[0] == '-'
		if negative {
			b = b[1:]
		}
		n, rest, ok := parse.Uint(b)
		if !ok || len(rest) > 0 && rest[0] != ' ' && rest[0] != '\n' {
			return parse.ErrSyntax
		}
		used := true
		switch f {
		case 4:
			s.PPID, ok = int32(n), n <= math.MaxInt32
		case 9:
			s.Flags = n
		case 14:
			s.UserTime = n
		case 15:
			s.SysTime = n
		case 20:
			s.Threads, ok = int32(n), n <= math.MaxInt32
		case 22:
			s.Start, ok = n, n <= maxStart
		case 48:
			s.ArgStart = n
		default:
			used = false // tpgid, priority and nice may be negative
		}
		if !ok || negative && used {
			return parse.ErrSyntax
		}
		if b = rest; len(b) <= 1 {
			break
		}
		b = b[1:]
	}
	if f < needed {
		return parse.ErrSyntax
	}
	return nil
}

// Statm decodes /proc/PID/statm: the size of the address space and of its
// resident part, in pages.
func Statm(b []byte) (size, resident uint64, err error) {
	size, rest, ok := parse.Uint(b)
	if !ok {
		return 0, 0, parse.ErrSyntax
	}
	resident, rest, ok = parse.Uint(parse.Space(rest))
	if !ok || len(rest) == 0 || rest[0] != ' ' {
		return 0, 0, parse.ErrSyntax
	}
	return size, resident, nil
}

// IO decodes /proc/PID/io: the bytes that storage was really asked for. What
// the page cache answered is not among them.
func IO(b []byte) (read, written uint64, err error) {
	const want = 2
	got := 0
	parse.KeyUint(b, func(key []byte, n uint64) {
		switch string(key) {
		case "read_bytes":
			read, got = n, got+1
		case "write_bytes":
			written, got = n, got+1
		}
	})
	if got != want || read > math.MaxInt64 || written > math.MaxInt64 {
		return 0, 0, parse.ErrSyntax
	}
	return read, written, nil
}

// RealUID decodes the first number of the line Uid of /proc/PID/status.
func RealUID(b []byte) (uint32, error) {
	uid, found := uint64(0), false
	parse.KeyUint(b, func(key []byte, n uint64) {
		if !found && string(key) == "Uid" {
			uid, found = n, true
		}
	})
	if !found || uid > 1<<32-1 {
		return 0, parse.ErrSyntax
	}
	return uint32(uid), nil
}

// Arg0 is the first argument of /proc/PID/cmdline; empty where it holds none.
func Arg0(b []byte) []byte {
	arg, _, _ := bytes.Cut(b, nul)
	return arg
}

var nul = []byte{0}
