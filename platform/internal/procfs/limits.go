// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"math"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// The resources that can be limited, in the order of the constants of
// platform.LimitKind.
const (
	LimitCPU = iota
	LimitFileSize
	LimitData
	LimitStack
	LimitCore
	LimitResidentSet
	LimitProcesses
	LimitOpenFiles
	LimitLockedMemory
	LimitAddressSpace
	LimitFileLocks
	LimitPendingSignals
	LimitMessageQueue
	LimitNice
	LimitRealtimePriority
	LimitRealtimeTimeout

	NumLimits
)

// limitNames is lnames of fs/proc/base.c.
var limitNames = [NumLimits]string{
	LimitCPU:              "Max cpu time",
	LimitFileSize:         "Max file size",
	LimitData:             "Max data size",
	LimitStack:            "Max stack size",
	LimitCore:             "Max core file size",
	LimitResidentSet:      "Max resident set",
	LimitProcesses:        "Max processes",
	LimitOpenFiles:        "Max open files",
	LimitLockedMemory:     "Max locked memory",
	LimitAddressSpace:     "Max address space",
	LimitFileLocks:        "Max file locks",
	LimitPendingSignals:   "Max pending signals",
	LimitMessageQueue:     "Max msgqueue size",
	LimitNice:             "Max nice priority",
	LimitRealtimePriority: "Max realtime priority",
	LimitRealtimeTimeout:  "Max realtime timeout",
}

// Limit is one resource limit. Unlimited does not limit.
type Limit struct{ Soft, Hard uint64 }

// Unlimited is RLIM_INFINITY.
const Unlimited = math.MaxUint64

// PIDLimits is /proc/PID/limits.
type PIDLimits struct {
	Has uint32 // bit 1<<LimitCPU and so on
	Of  [NumLimits]Limit
}

// Limits decodes /proc/PID/limits, of which b may be the start only.
func Limits(b []byte, l *PIDLimits) error {
	*l = PIDLimits{}
	for {
		line, rest, ok := parse.FullLine(b)
		if !ok {
			break
		}
		b = rest
		kind, values := limitKind(line)
		if kind < 0 {
			continue
		}
		of := &l.Of[kind]
		if of.Soft, values, ok = limit(values); !ok {
			return parse.ErrSyntax
		}
		if of.Hard, _, ok = limit(values); !ok {
			return parse.ErrSyntax
		}
		l.Has |= 1 << kind
	}
	if l.Has == 0 {
		return parse.ErrSyntax
	}
	return nil
}

// limitKind is which limit a line is about, and what follows its name; -1 for
// the heading, and for one of a newer kernel.
func limitKind(line []byte) (kind int, values []byte) {
	const width = 25 // "%-25s %-20s %-20s %-10s\n"
	if len(line) <= width || line[width] != ' ' {
		return -1, nil
	}
	name := string(bytes.TrimRight(line[:width], " ")) // does not leave the stack
	for kind := range limitNames {
		if limitNames[kind] == name {
			return kind, line[width:]
		}
	}
	return -1, nil
}

// limit reads one value, which ends in a space. What does not fit an int64
// does not limit either: sizes of the kernel are no larger.
func limit(b []byte) (n uint64, rest []byte, ok bool) {
	b = parse.Space(b)
	if rest, ok = bytes.CutPrefix(b, unlimited); ok {
		n = Unlimited
	} else if n, rest, ok = parse.Uint(b); n > math.MaxInt64 {
		n = Unlimited
	}
	return n, rest, ok && len(rest) > 0 && rest[0] == ' '
}

var unlimited = []byte("unlimited")
