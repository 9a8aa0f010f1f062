// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"math"
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
	Activity
}

// Activity is what a kernel did since boot, and what its threads do now. Has
// tells which lines were there.
type Activity struct {
	Has                                         ActivityLines
	ContextSwitches, Interrupts, SoftInterrupts uint64
	Forks                                       uint64 // threads too
	Running, Blocked                            uint64 // threads
}

// ActivityLines is a set of lines of /proc/stat.
type ActivityLines uint8

// The lines of Activity.
const (
	StatContextSwitches ActivityLines = 1 << iota
	StatInterrupts
	StatSoftInterrupts
	StatForks
	StatRunning
	StatBlocked
)

// Host decodes /proc/stat.
func Host(b []byte, s *HostStat) error {
	s.CPUs = s.CPUs[:0]
	s.Activity = Activity{}
	total, boot := false, false
	for len(b) > 0 {
		// Of a line only the start is looked at: that of the interrupts has a
		// number for each, of which a big host has thousands.
		var line []byte
		line, b = parse.Line(b)
		key, rest, ok := parse.Split(line, ' ')
		switch {
		case bytes.HasPrefix(key, cpuPrefix):
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
		case string(key) == "btime":
			if s.Boot, boot = parse.Only(rest); !boot {
				return parse.ErrSyntax
			}
		case ok:
			if !s.read(key, rest) {
				return parse.ErrSyntax
			}
		}
	}
	if !total || !boot {
		return parse.ErrSyntax
	}
	return nil
}

var cpuPrefix = []byte("cpu")

// read reads the first number of a line, if it is one of Activity.
func (a *Activity) read(key, rest []byte) bool {
	var at *uint64
	var line ActivityLines
	switch string(key) {
	case "ctxt":
		at, line = &a.ContextSwitches, StatContextSwitches
	case "intr":
		at, line = &a.Interrupts, StatInterrupts
	case "softirq":
		at, line = &a.SoftInterrupts, StatSoftInterrupts
	case "processes":
		at, line = &a.Forks, StatForks
	case "procs_running":
		at, line = &a.Running, StatRunning
	case "procs_blocked":
		at, line = &a.Blocked, StatBlocked
	default:
		return true
	}
	n, rest, ok := parse.Uint(rest)
	if !ok || n > math.MaxInt64 || len(rest) > 0 && rest[0] != ' ' {
		return false
	}
	*at = n
	a.Has |= line
	return true
}

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
