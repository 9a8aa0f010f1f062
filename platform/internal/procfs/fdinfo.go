// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"math"
	"time"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// LinkKind is what a link in /proc/PID/fd says of the descriptor.
type LinkKind uint8

// The kinds of links.
const (
	LinkUnknown LinkKind = iota
	LinkPath             // whatever has a path: files, folders, devices, FIFOs
	LinkSocket
	LinkPipe
	LinkInotify
	LinkSignalfd
	LinkEpoll
	LinkTimerfd
	LinkPidfd
	LinkEventfd

	NumLinkKinds = iota
)

// links are the targets that are no paths. Those that end in a colon go on
// with "[inode]".
var links = [...]struct {
	target string
	kind   LinkKind
}{
	{"socket:", LinkSocket},
	{"pipe:", LinkPipe},
	{"anon_inode:[eventpoll]", LinkEpoll},
	{"anon_inode:[eventfd]", LinkEventfd},
	{"anon_inode:[timerfd]", LinkTimerfd},
	{"anon_inode:[signalfd]", LinkSignalfd},
	{"anon_inode:inotify", LinkInotify},
	{"inotify", LinkInotify}, // before Linux 2.6.37
	{"anon_inode:[pidfd]", LinkPidfd},
	{"pidfd:", LinkPidfd}, // Linux 6.9
}

// FDLink tells what a link in /proc/PID/fd refers to, and the inode where the
// target has it (sockets, pipes); 0 where it has not.
func FDLink(target []byte) (kind LinkKind, inode uint64) {
	if len(target) > 0 && target[0] == '/' || bytes.HasPrefix(target, unreachable) {
		return LinkPath, 0
	}
	for i := range links {
		l := &links[i]
		if len(target) < len(l.target) || string(target[:len(l.target)]) != l.target {
			continue
		}
		rest := target[len(l.target):]
		if l.target[len(l.target)-1] != ':' {
			if len(rest) == 0 {
				return l.kind, 0
			}
			continue
		}
		if len(rest) < 2 || rest[0] != '[' {
			continue
		}
		if n, end, ok := parse.Uint(rest[1:]); ok && string(end) == "]" {
			return l.kind, n
		}
	}
	return LinkUnknown, 0
}

// unreachable is how the kernel marks a path outside the root of the reader.
var unreachable = []byte("(unreachable)/")

// FDInfo is a file of /proc/PID/fdinfo as far as it is used. It is fed with
// chunks of any size, since that of an epoll has a line for each descriptor in
// it. The results are complete after End.
type FDInfo struct {
	// Has tells which lines there were, beyond the first two.
	Has FDInfoLines

	Position int64         // bytes
	Flags    uint64        // of open(2), in the machine's own numbers
	PID      int32         // that a pidfd is of
	Watches  int32         // descriptors in an epoll
	Pending  uint64        // expirations of a timer not read yet, or value of an eventfd
	TimeLeft time.Duration // of a timer; 0 where it is not armed
	Interval time.Duration // of a timer; 0 where it runs once
	Clock    int32         // of a timer, of clock_gettime(2)
	Settime  uint32        // flags of timerfd_settime(2)
	Signals  uint64        // of a signalfd: bit 0 is signal 1

	// Target, if not nil, is called with each descriptor in an epoll.
	Target func(*EpollTarget)

	records         parse.Records
	position, flags bool
	err             error
}

// EpollTarget is a line about a descriptor in an epoll (ep_show_fdinfo of
// fs/eventpoll.c). The file's position, inode and device are 0 before Linux 4.14.
type EpollTarget struct {
	FD       int32
	Events   uint32
	Data     uint64
	Position int64
	Inode    uint64
	Device   uint64
}

// FDInfoLines is a set of lines of /proc/PID/fdinfo.
type FDInfoLines uint8

// The lines that are read, with the kernel that has them first.
const (
	FDInfoPID     FDInfoLines = 1 << iota // 5.2: and the process is there
	FDInfoWatches                         // 3.8: there is at least one
	FDInfoPending                         // of an eventfd 3.8, of a timerfd 3.17
	FDInfoTimer                           // 3.17: TimeLeft, Interval, Clock and Settime
	FDInfoSignals                         // 3.8: of a signalfd
)

// maxFDInfoLine is longer than the lines that are read.
const maxFDInfoLine = 1 << 10

// Reset starts another file.
func (i *FDInfo) Reset() {
	i.records.Reset()
	*i = FDInfo{records: i.records}
}

// Feed decodes the next chunk. After an error it does nothing any more.
func (i *FDInfo) Feed(chunk []byte) error {
	for i.err == nil {
		line, rest, ok := i.records.Next(chunk, '\n', maxFDInfoLine)
		if !ok {
			break
		}
		chunk = rest
		if !i.line(line) {
			i.err = parse.ErrSyntax
		}
	}
	return i.err
}

// End is to be called after the last chunk.
func (i *FDInfo) End() error {
	if i.err == nil && (!i.position || !i.flags || len(i.records.Tail()) > 0) {
		i.err = parse.ErrSyntax
	}
	return i.err
}

// line reads one line. Other kinds of files have lines of their own, in which
// anything may stand; only the two that all have come first.
func (i *FDInfo) line(b []byte) (ok bool) {
	key, value, found := parse.Split(b, ':')
	if !found {
		return true
	}
	value = parse.Space(value)
	switch string(key) {
	case "pos":
		if !i.position {
			i.Position, ok = parse.Only(value)
			i.position = true
			return ok
		}
	case "flags":
		if !i.flags {
			var rest []byte
			i.Flags, rest, ok = parse.Octal(value)
			i.flags = true
			return ok && len(rest) == 0
		}
	case "Pid":
		// -1: it is gone, 0: it is in a namespace that the reader cannot see.
		n, ok := parse.Only(value)
		if ok && n > 0 && n <= math.MaxInt32 {
			i.PID, i.Has = int32(n), i.Has|FDInfoPID
		}
		return ok && n <= math.MaxInt32
	case "tfd":
		i.Watches, i.Has = i.Watches+1, i.Has|FDInfoWatches
		return i.Target == nil || i.target(value)
	case "ticks":
		n, rest, ok := parse.Uint(value)
		i.Pending, i.Has = clamp(n), i.Has|FDInfoPending
		return ok && len(rest) == 0
	case "eventfd-count":
		n, rest, ok := parse.Hex(value)
		i.Pending, i.Has = clamp(n), i.Has|FDInfoPending
		return ok && len(rest) == 0
	case "clockid":
		n, ok := parse.Only(value)
		i.Clock = int32(n)
		return ok && n >= math.MinInt32 && n <= math.MaxInt32
	case "settime flags":
		n, rest, ok := parse.Octal(value)
		i.Settime = uint32(n)
		return ok && n <= math.MaxUint32 && len(rest) == 0
	case "sigmask":
		n, rest, ok := parse.Hex(value)
		i.Signals, i.Has = n, i.Has|FDInfoSignals
		return ok && len(rest) == 0
	case "it_value":
		i.TimeLeft, ok = timespec(value)
		return ok
	case "it_interval": // the last line of a timer
		i.Interval, ok = timespec(value)
		i.Has |= FDInfoTimer
		return ok
	}
	return true
}

// target reads what stands behind "tfd:":
//
//	5 events:       1c data:                5  pos:0 ino:5c777 sdev:f
func (i *FDInfo) target(b []byte) bool {
	n, b, ok := parse.Int(b)
	if !ok || n < math.MinInt32 || n > math.MaxInt32 {
		return false
	}
	t := EpollTarget{FD: int32(n)}
	for b = parse.Space(b); len(b) > 0; b = parse.Space(b) {
		key, value, found := parse.Split(b, ':')
		if !found {
			return false
		}
		value = parse.Space(value)
		var x uint64
		if string(key) == "pos" {
			t.Position, b, ok = parse.Int(value)
		} else {
			x, b, ok = parse.Hex(value)
		}
		if !ok {
			return false
		}
		switch string(key) {
		case "events":
			t.Events = uint32(x)
		case "data":
			t.Data = x
		case "ino":
			t.Inode = x
		case "sdev":
			t.Device = x
		}
	}
	i.Target(&t)
	return true
}

// clamp fits to an int64 what the process itself can set to anything.
func clamp(n uint64) uint64 { return min(n, math.MaxInt64) }

// timespec reads "(seconds, nanoseconds)".
func timespec(b []byte) (time.Duration, bool) {
	if len(b) == 0 || b[0] != '(' {
		return 0, false
	}
	s, b, ok := parse.Uint(b[1:])
	if !ok || s > uint64(math.MaxInt64/time.Second) || len(b) < 2 || b[0] != ',' || b[1] != ' ' {
		return 0, false
	}
	ns, b, ok := parse.Uint(b[2:])
	d := time.Duration(s)*time.Second + time.Duration(ns)
	return d, ok && ns < uint64(time.Second) && d >= 0 && string(b) == ")"
}
