// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"math"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// PIDStatus is /proc/PID/status as far as it is used. The memory of its
// slices is used again by the next call of [Status].
type PIDStatus struct {
	// Has tells which lines were there. What the others fill is 0.
	Has StatusLines

	TGID        int32
	Umask       uint32
	UIDs, GIDs  [4]uint32 // real, effective, saved, of file system access
	Groups      []uint32  // in the order of the kernel
	VPID        int32     // PID in the innermost namespace
	CPUsAllowed []int32   // ascending, of the thread

	// Bytes.
	Size, Resident, Text, Data, Stack uint64
	PeakVirtual, Peak, Library        uint64
	RSSAnon, RSSFile, RSSShmem        uint64
	Swap, HugeTLB                     uint64
	SignalsQueued                     uint64 // of all processes of the real user
	Pending, ProcessPending           uint64 // sets of signals: bit 0 is signal 1
	Blocked, Ignored, Caught          uint64
	Voluntary, Involuntary            uint64 // context switches of the thread alone
}

// StatusLines is a set of lines of /proc/PID/status.
type StatusLines uint32

// The lines that are read, with the kernel that has them first. A process
// without memory (a kernel thread, a zombie) has none from Size to HugeTLB.
const (
	StatusTGID           StatusLines = 1 << iota
	StatusUmask                      // 4.7; not of a zombie
	StatusUIDs                       //
	StatusGIDs                       //
	StatusGroups                     //
	StatusVPID                       // 4.1
	StatusSize                       //
	StatusResidentSet                //
	StatusText                       //
	StatusData                       //
	StatusStack                      //
	StatusPeakVirtual                // 2.6.15
	StatusPeak                       // 2.6.15
	StatusRSSAnon                    // 4.5
	StatusRSSFile                    // 4.5
	StatusRSSShmem                   // 4.5
	StatusLibrary                    //
	StatusSwap                       // 2.6.34
	StatusHugeTLB                    // 4.4
	StatusSignalQueue                // 2.6.12
	StatusPending                    //
	StatusProcessPending             //
	StatusBlocked                    //
	StatusIgnored                    //
	StatusCaught                     //
	StatusCPUsAllowed                // 2.6.26
	StatusVoluntary                  // 2.6.23
	StatusInvoluntary                // 2.6.23
)

// Lines that one reading takes together.
const (
	StatusResident = StatusRSSAnon | StatusRSSFile | StatusRSSShmem
	StatusSignals  = StatusPending | StatusProcessPending | StatusBlocked | StatusIgnored | StatusCaught
)

// Status decodes /proc/PID/status, of which b may be the start only: a line
// without its end is passed over. A name cannot pretend to be a line, since
// the kernel escapes it here.
func Status(b []byte, s *PIDStatus) error {
	*s = PIDStatus{Groups: s.Groups[:0], CPUsAllowed: s.CPUsAllowed[:0]}
	for {
		line, rest, ok := parse.FullLine(b)
		if !ok {
			break
		}
		b = rest
		key, value, found := parse.Split(line, ':')
		if !found {
			continue
		}
		got, ok := s.line(key, parse.Space(value))
		if !ok {
			return parse.ErrSyntax
		}
		s.Has |= got
	}
	if s.Has == 0 {
		return parse.ErrSyntax
	}
	return nil
}

// line reads one line and answers which it was, 0 for one that is not used.
func (s *PIDStatus) line(key, value []byte) (got StatusLines, ok bool) {
	switch string(key) {
	case "Umask":
		n, rest, ok := parse.Octal(value)
		s.Umask = uint32(n)
		return StatusUmask, ok && n <= 0o7777 && len(rest) == 0
	case "Tgid":
		n, ok := natural(value)
		s.TGID = int32(n)
		return StatusTGID, ok && n <= math.MaxInt32
	case "Uid":
		return StatusUIDs, four(value, &s.UIDs)
	case "Gid":
		return StatusGIDs, four(value, &s.GIDs)
	case "Groups":
		s.Groups, ok = groups(value, s.Groups)
		return StatusGroups, ok
	case "NSpid":
		// From the namespace of the reader down to that of the process.
		n, ok := natural(value[bytes.LastIndexByte(value, '\t')+1:])
		s.VPID = int32(n)
		return StatusVPID, ok && n <= math.MaxInt32
	case "VmSize":
		return StatusSize, kilobytes(value, &s.Size)
	case "VmRSS":
		return StatusResidentSet, kilobytes(value, &s.Resident)
	case "VmExe":
		return StatusText, kilobytes(value, &s.Text)
	case "VmData":
		return StatusData, kilobytes(value, &s.Data)
	case "VmStk":
		return StatusStack, kilobytes(value, &s.Stack)
	case "VmPeak":
		return StatusPeakVirtual, kilobytes(value, &s.PeakVirtual)
	case "VmHWM":
		return StatusPeak, kilobytes(value, &s.Peak)
	case "RssAnon":
		return StatusRSSAnon, kilobytes(value, &s.RSSAnon)
	case "RssFile":
		return StatusRSSFile, kilobytes(value, &s.RSSFile)
	case "RssShmem":
		return StatusRSSShmem, kilobytes(value, &s.RSSShmem)
	case "VmLib":
		return StatusLibrary, kilobytes(value, &s.Library)
	case "VmSwap":
		return StatusSwap, kilobytes(value, &s.Swap)
	case "HugetlbPages":
		return StatusHugeTLB, kilobytes(value, &s.HugeTLB)
	case "SigQ": // queued/limit
		n, rest, ok := parse.Uint(value)
		s.SignalsQueued = n
		return StatusSignalQueue, ok && n <= math.MaxInt64 && len(rest) > 0 && rest[0] == '/'
	case "SigPnd":
		return StatusPending, signals(value, &s.Pending)
	case "ShdPnd":
		return StatusProcessPending, signals(value, &s.ProcessPending)
	case "SigBlk":
		return StatusBlocked, signals(value, &s.Blocked)
	case "SigIgn":
		return StatusIgnored, signals(value, &s.Ignored)
	case "SigCgt":
		return StatusCaught, signals(value, &s.Caught)
	case "Cpus_allowed_list":
		s.CPUsAllowed, ok = cpuList(value, s.CPUsAllowed)
		return StatusCPUsAllowed, ok
	case "voluntary_ctxt_switches":
		s.Voluntary, ok = natural(value)
		return StatusVoluntary, ok
	case "nonvoluntary_ctxt_switches":
		s.Involuntary, ok = natural(value)
		return StatusInvoluntary, ok
	}
	return 0, true
}

// four reads the four IDs of a line Uid or Gid.
func four(b []byte, ids *[4]uint32) (ok bool) {
	for i := range ids {
		if ids[i], b, ok = id(b); !ok {
			return false
		}
	}
	return len(parse.Space(b)) == 0
}

func groups(b []byte, to []uint32) ([]uint32, bool) {
	for b = parse.Space(b); len(b) > 0; b = parse.Space(b) {
		n, rest, ok := id(b)
		if !ok {
			return to[:0], false
		}
		to, b = append(to, n), rest
	}
	return to, true
}

// id reads the number of a user or a group. Linux before 3.12 prints those
// from 2147483648 on as negative.
func id(b []byte) (n uint32, rest []byte, ok bool) {
	v, rest, ok := parse.Int(parse.Space(b))
	return uint32(v), rest, ok && v >= math.MinInt32 && v <= math.MaxUint32
}

// kilobytes reads "12 kB" as bytes.
func kilobytes(b []byte, to *uint64) bool {
	n, rest, ok := parse.Uint(parse.Space(b))
	*to = n << 10
	return ok && n < 1<<53 && string(parse.Space(rest)) == "kB"
}

// signals reads a set of signals, printed as one hexadecimal number.
func signals(b []byte, to *uint64) bool {
	n, rest, ok := parse.Hex(b)
	*to = n
	return ok && len(rest) == 0
}

// maxCPUs is more than any kernel was built for.
const maxCPUs = 1 << 16

// cpuList reads a list such as 0-3,8.
func cpuList(b []byte, to []int32) ([]int32, bool) {
	next := uint64(0) // ascending, so that it cannot be longer than maxCPUs
	for len(b) > 0 {
		first, rest, ok := parse.Uint(b)
		last := first
		if ok && len(rest) > 0 && rest[0] == '-' {
			last, rest, ok = parse.Uint(rest[1:])
		}
		if !ok || first < next || last < first || last >= maxCPUs {
			return to[:0], false
		}
		for n := first; n <= last; n++ {
			to = append(to, int32(n))
		}
		next = last + 1
		if len(rest) > 0 {
			if rest[0] != ',' || len(rest) == 1 {
				return to[:0], false
			}
			rest = rest[1:]
		}
		b = rest
	}
	return to, true
}
