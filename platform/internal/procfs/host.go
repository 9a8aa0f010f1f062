// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"time"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// CPU is one line of CPU times of /proc/stat, in ticks of 1/100 s: user,
// nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice. Kernels
// before 2.6.33 have fewer; the rest is 0.
type CPU struct {
	Number int
	Ticks  [10]uint64
}

// HostStat is /proc/stat as far as it is used.
type HostStat struct {
	Total CPU
	CPUs  []CPU // the logical CPUs that are online; its memory is used again
	Boot  int64 // seconds since 1970
}

// Host decodes /proc/stat.
func Host(b []byte, s *HostStat) error {
	s.CPUs = s.CPUs[:0]
	total, boot := false, false
	for len(b) > 0 {
		var line []byte
		line, b = parse.Line(b)
		switch {
		case bytes.HasPrefix(line, cpuPrefix):
			number, rest, numbered := parse.Uint(line[len(cpuPrefix):])
			if !numbered {
				rest = line[len(cpuPrefix):]
			}
			cpu := CPU{Number: int(number)}
			if !cpuTicks(rest, &cpu.Ticks) || number > 1<<20 {
				return parse.ErrSyntax
			}
			if numbered {
				s.CPUs = append(s.CPUs, cpu)
			} else {
				s.Total, total = cpu, true
			}
		case bytes.HasPrefix(line, btimePrefix):
			if s.Boot, boot = parse.Only(line[len(btimePrefix):]); !boot {
				return parse.ErrSyntax
			}
		}
	}
	if !total || !boot {
		return parse.ErrSyntax
	}
	return nil
}

var (
	cpuPrefix   = []byte("cpu")
	btimePrefix = []byte("btime ")
)

// cpuTicks reads up to ten numbers; the first four are always there.
func cpuTicks(b []byte, ticks *[10]uint64) bool {
	for i := range ticks {
		b = parse.Space(b)
		if len(b) == 0 {
			return i >= 4
		}
		var ok bool
		if ticks[i], b, ok = parse.Uint(b); !ok || len(b) > 0 && b[0] != ' ' {
			return false
		}
	}
	return true
}

// Uptime decodes the first number of /proc/uptime: the time since boot,
// suspended time included.
func Uptime(b []byte) (time.Duration, error) {
	s, rest, ok := parse.Uint(b)
	if !ok || s > 1<<33 || len(rest) < 2 || rest[0] != '.' {
		return 0, parse.ErrSyntax
	}
	frac := rest[1:]
	n, rest, ok := parse.Uint(frac)
	if !ok {
		return 0, parse.ErrSyntax
	}
	unit := time.Second
	for range len(frac) - len(rest) {
		unit /= 10
	}
	return time.Duration(s)*time.Second + time.Duration(n)*unit, nil
}

// Meminfo is /proc/meminfo as far as it is used, in bytes.
type Meminfo struct {
	// Has tells which lines were there.
	Has                                     MeminfoLines
	Total, Free, Available, Buffers, Cached uint64
}

// MeminfoLines is a set of lines of /proc/meminfo.
type MeminfoLines uint8

// The lines that are read.
const (
	MemTotal MeminfoLines = 1 << iota
	MemFree
	MemAvailable // since Linux 3.14
	MemBuffers
	MemCached
)

// Memory decodes /proc/meminfo.
func Memory(b []byte, m *Meminfo) error {
	*m = Meminfo{}
	parse.KeyUint(b, func(key []byte, n uint64) {
		var at *uint64
		var line MeminfoLines
		switch string(key) {
		case "MemTotal":
			at, line = &m.Total, MemTotal
		case "MemFree":
			at, line = &m.Free, MemFree
		case "MemAvailable":
			at, line = &m.Available, MemAvailable
		case "Buffers":
			at, line = &m.Buffers, MemBuffers
		case "Cached":
			at, line = &m.Cached, MemCached
		default:
			return
		}
		if n < 1<<53 { // kB; more would not fit an int64 of bytes
			*at = n << 10
			m.Has |= line
		}
	})
	if m.Has&MemTotal == 0 {
		return parse.ErrSyntax
	}
	return nil
}
