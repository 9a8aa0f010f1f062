// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"math"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// VMStat is /proc/vmstat as far as it is used, since boot.
type VMStat struct {
	// Has tells which lines were there.
	Has                 VMStatLines
	SwapIn, SwapOut     uint64 // pages
	Faults, MajorFaults uint64 // all, and those of them that had to read
	OOMKills            uint64
}

// VMStatLines is a set of lines of /proc/vmstat.
type VMStatLines uint8

// The lines that are read.
const (
	VMSwapIn VMStatLines = 1 << iota // of a kernel that can swap
	VMSwapOut
	VMFaults
	VMMajorFaults
	VMOOMKills // since Linux 4.13

	allVMStat = 1<<iota - 1
)

// VM decodes /proc/vmstat.
func VM(b []byte, v *VMStat) error {
	*v = VMStat{}
	for len(b) > 0 && v.Has != allVMStat {
		var line []byte
		line, b = parse.Line(b)
		key, rest, _ := parse.Split(line, ' ')
		var at *uint64
		var has VMStatLines
		switch string(key) {
		case "pswpin":
			at, has = &v.SwapIn, VMSwapIn
		case "pswpout":
			at, has = &v.SwapOut, VMSwapOut
		case "pgfault":
			at, has = &v.Faults, VMFaults
		case "pgmajfault":
			at, has = &v.MajorFaults, VMMajorFaults
		case "oom_kill":
			at, has = &v.OOMKills, VMOOMKills
		default:
			continue
		}
		n, rest, ok := parse.Uint(rest)
		if !ok || len(rest) > 0 || n > math.MaxInt64 {
			return parse.ErrSyntax
		}
		*at = n
		v.Has |= has
	}
	if v.Has == 0 {
		return parse.ErrSyntax
	}
	return nil
}
