// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package procfs decodes the files of Linux's /proc. Decoders are pure
// functions over the bytes of one read, or are fed with the chunks of a file
// that can be larger (Reset, Feed …, End): no I/O, no panic, and no allocation
// once the memory of what they fill has grown.
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
	PID   int32
	Comm  []byte // part of the input; unlike in status, nothing in it is escaped
	State byte
	PPID  int32
	PGID  int32  // -1 where the process is just being reaped
	SID   int32  // likewise
	TTY   uint64 // number of the device that is the controlling terminal, 0 for none
	Flags uint64

	MinorFaults, MajorFaults uint64 // of all threads

	// In ticks of 1/100 s: of all threads, and of the children waited for.
	UserTime, SysTime                 uint64
	ChildrenUserTime, ChildrenSysTime uint64

	Nice    int32
	Threads int32
	Start   uint64 // ticks since boot
	LastCPU int32  // that the main thread ran on last
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

	const last, needed = 48, 39
	for b, f := rest[end+4:], 4; f <= last; f++ {
		negative := len(b) > 0 && b[0] == '-'
		if negative {
			b = b[1:]
		}
		n, rest, ok := parse.Uint(b)
		if !ok || len(rest) == 0 || rest[0] != ' ' && rest[0] != '\n' {
			return parse.ErrSyntax
		}
		natural := true
		switch f {
		case 4:
			s.PPID, ok = int32(n), n <= math.MaxInt32
		case 5:
			s.PGID, ok = small(n, negative)
			natural = false
		case 6:
			s.SID, ok = small(n, negative)
			natural = false
		case 7:
			// dev_t as an int: from minor 524288 on it is negative.
			if n > math.MaxUint32 {
				return parse.ErrSyntax
			}
			if negative {
				n = -n
			}
			s.TTY = uint64(uint32(n))
			natural = false
		case 9:
			s.Flags = n
		case 10:
			s.MinorFaults, ok = n, n <= math.MaxInt64
		case 12:
			s.MajorFaults, ok = n, n <= math.MaxInt64
		case 14:
			s.UserTime, ok = n, n <= math.MaxInt64
		case 15:
			s.SysTime, ok = n, n <= math.MaxInt64
		case 16:
			s.ChildrenUserTime, ok = n, n <= math.MaxInt64
		case 17:
			s.ChildrenSysTime, ok = n, n <= math.MaxInt64
		case 19:
			s.Nice, ok = small(n, negative)
			natural = false
		case 20:
			s.Threads, ok = int32(n), n <= math.MaxInt32
		case 22:
			s.Start, ok = n, n <= maxStart
		case 39:
			s.LastCPU, ok = int32(n), n <= math.MaxInt32
		case 48:
			s.ArgStart = n
		default:
			natural = false // tpgid and priority may be negative
		}
		if !ok || negative && natural {
			return parse.ErrSyntax
		}
		if rest[0] == '\n' {
			if f < needed {
				return parse.ErrSyntax
			}
			break
		}
		b = rest[1:]
	}
	return nil
}

// small is a signed number of 32 bits.
func small(n uint64, negative bool) (int32, bool) {
	if negative {
		return int32(-n), n <= -math.MinInt32
	}
	return int32(n), n <= math.MaxInt32
}

// PIDStatm is /proc/PID/statm, in pages.
type PIDStatm struct {
	Size, Resident uint64 // of the address space
	Shared         uint64 // resident pages of files and shared memory
	Text           uint64 // size of the code
	Data           uint64 // size of data and stack
}

// Statm decodes /proc/PID/statm.
func Statm(b []byte, s *PIDStatm) error {
	var unused uint64 // lib, always 0 since Linux 2.6
	for i, at := range [...]*uint64{&s.Size, &s.Resident, &s.Shared, &s.Text, &unused, &s.Data} {
		if i > 0 {
			b = b[1:]
		}
		n, rest, ok := parse.Uint(b)
		if !ok || n > math.MaxInt64 || len(rest) == 0 || rest[0] != ' ' {
			return parse.ErrSyntax
		}
		*at, b = n, rest
	}
	return nil
}

// PIDIO is /proc/PID/io as far as it is used.
type PIDIO struct {
	ReadChars, WriteChars uint64 // bytes that read and write calls moved
	ReadCalls, WriteCalls uint64
	// Bytes that storage was really asked for. What the page cache answered
	// is not among them.
	ReadBytes, WriteBytes uint64
}

// IO decodes /proc/PID/io.
func IO(b []byte, io *PIDIO) error {
	const all = 1<<6 - 1
	got := 0
	for {
		line, rest, ok := parse.FullLine(b)
		if !ok {
			break
		}
		b = rest
		key, value, _ := parse.Split(line, ':')
		var at *uint64
		bit := 0
		switch string(key) {
		case "rchar":
			at, bit = &io.ReadChars, 0
		case "wchar":
			at, bit = &io.WriteChars, 1
		case "syscr":
			at, bit = &io.ReadCalls, 2
		case "syscw":
			at, bit = &io.WriteCalls, 3
		case "read_bytes":
			at, bit = &io.ReadBytes, 4
		case "write_bytes":
			at, bit = &io.WriteBytes, 5
		default:
			continue
		}
		if *at, ok = natural(value); !ok {
			return parse.ErrSyntax
		}
		got |= 1 << bit
	}
	if got != all {
		return parse.ErrSyntax
	}
	return nil
}

// natural is the number that b is, with nothing but white space around it. It
// fits the int64 that metrics have.
func natural(b []byte) (uint64, bool) {
	n, ok := parse.Only(b)
	return uint64(n), ok && n >= 0
}

// Arg0 is the first argument of /proc/PID/cmdline; empty where it holds none.
func Arg0(b []byte) []byte {
	arg, _, _ := bytes.Cut(b, nul)
	return arg
}

var nul = []byte{0}

// ExitCode is the last field of /proc/PID/stat, the status that waitpid(2)
// would give of a zombie (since Linux 3.5). The kernel shows 0 to who may not
// know it.
func ExitCode(b []byte) (uint32, error) {
	const fields = 52 - 2 // behind the name
	end := bytes.LastIndexByte(b, ')')
	line, found := bytes.CutSuffix(b[end+1:], []byte{'\n'})
	if end < 0 || !found || bytes.Count(line, []byte{' '}) < fields {
		return 0, parse.ErrSyntax
	}
	n, ok := natural(line[bytes.LastIndexByte(line, ' ')+1:])
	if !ok || n > math.MaxUint16 {
		return 0, parse.ErrSyntax
	}
	return uint32(n), nil
}
