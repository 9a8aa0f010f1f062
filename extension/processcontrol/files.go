// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"syscall"

	"github.com/hostscope/hostscope/platform"
)

// fdTypes are the names of what descriptors refer to.
var fdTypes = [platform.NumFDTypes]string{
	platform.FDUnknown: "UNKNOWN", platform.FDFile: "FILE", platform.FDSocket: "SOCKET", platform.FDPipe: "PIPE", platform.FDFIFO: "FIFO",
	platform.FDKqueue: "KQUEUE", platform.FDProcdesc: "PROCDESC", platform.FDInotify: "INOTIFY", platform.FDSignalfd: "SIGNALFD",
	platform.FDEpoll: "EPOLL", platform.FDTimerfd: "TIMERFD", platform.FDPidfd: "PIDFD", platform.FDEventfd: "EVENTFD",
}

// descriptor is one of fds. What is not known is null. Numbers of 64 bits that
// are not counted with are strings, which JavaScript cannot spoil.
type descriptor struct {
	FD        int32          `json:"fd"`
	Type      string         `json:"fdtype"`
	Path      *string        `json:"path"`
	Device    *string        `json:"dev"`
	Rdev      *string        `json:"rdev"`
	Inode     *string        `json:"ino"`
	Mode      *string        `json:"mode"`
	Size      *int64         `json:"size"`
	Position  *int64         `json:"position"`
	Flags     *uint64        `json:"flags"`
	ExtraInfo map[string]any `json:"extra_info"`
}

func (v *view) descriptors() any {
	all := []descriptor{}
	for i := range v.More.FDs {
		f := &v.More.FDs[i]
		if v.types != nil && !slices.Contains(v.types, fdTypes[f.Type]) {
			continue
		}
		d := descriptor{FD: f.Number, Type: fdTypes[f.Type], ExtraInfo: map[string]any{}}
		if f.Got.Has(platform.FDPath) {
			d.Path = &f.Path
		}
		if f.Inode != 0 {
			d.Inode = ptr(strconv.FormatUint(f.Inode, 10))
		}
		if f.Got.Has(platform.FDStat) {
			d.Device, d.Rdev = ptr(device(f.Device)), ptr(device(f.Rdev))
			d.Mode, d.Size = ptr(fmt.Sprintf("%06o", f.Mode)), &f.Size
			d.ExtraInfo["nlink"] = f.Links
		}
		if f.Got.Has(platform.FDPosition) {
			d.Position = &f.Position
		}
		if f.Got.Has(platform.FDFlags) {
			d.Flags = &f.Flags
		}
		for _, extra := range []struct {
			is    platform.FDFields
			name  string
			value any
		}{
			{platform.FDTarget, "pid", f.TargetPID},
			{platform.FDWatches, "watches", f.Watches},
			{platform.FDTimer, "it_value", f.TimeLeft},
			{platform.FDTimer, "it_interval", f.Interval},
			{platform.FDTimer, "it_value_ns", nanoseconds(f.TimeLeft)},
			{platform.FDTimer, "it_interval_ns", nanoseconds(f.Interval)},
			{platform.FDTimer, "clockid", clockName(f.Clock)},
			{platform.FDTimer, "settime_flags", f.SetFlags},
			{platform.FDSignals, "sigmask", v.signalNames(f.Signals)},
			{platform.FDPending, pendingName(f.Type), f.Pending},
		} {
			if f.Got.Has(extra.is) {
				d.ExtraInfo[extra.name] = extra.value
			}
		}
		if f.Got.Has(platform.FDWatches) {
			d.ExtraInfo["tfds"] = epollTargets(f.Targets)
		}
		all = append(all, d)
	}
	return all
}

// epollTargets are by number, of which one can be there twice: then it is the
// first.
func epollTargets(list []platform.EpollTarget) map[string]any {
	targets := map[string]any{}
	for _, t := range list {
		if number := strconv.Itoa(int(t.FD)); targets[number] == nil {
			targets[number] = map[string]any{
				"events": t.Events, "data": strconv.FormatUint(t.Data, 10), "pos": t.Position,
				"ino": strconv.FormatUint(t.Inode, 10), "sdev": strconv.FormatUint(t.Device, 10),
			}
		}
	}
	return targets
}

func nanoseconds(s float64) int64 { return int64(math.Round(s * 1e9)) }

// clockName is a clock that timerfd_create(2) takes.
func clockName(id int32) string {
	switch id {
	case 0:
		return "CLOCK_REALTIME"
	case 1:
		return "CLOCK_MONOTONIC"
	case 7:
		return "CLOCK_BOOTTIME"
	case 8:
		return "CLOCK_REALTIME_ALARM"
	case 9:
		return "CLOCK_BOOTTIME_ALARM"
	}
	return strconv.Itoa(int(id))
}

func ptr[T any](v T) *T { return &v }

func device(d platform.Device) string { return fmt.Sprintf("%d:%d", d.Major, d.Minor) }

func pendingName(t platform.FDType) string {
	if t == platform.FDTimerfd {
		return "ticks"
	}
	return "eventfd_count"
}

// openFile is one of open_files: regular files alone, as with psutil.
type openFile struct {
	Path     string `json:"path"`
	FD       int32  `json:"fd"`
	Position *int64 `json:"position"`
	Flags    uint64 `json:"flags"`
	Mode     string `json:"mode"`
}

func (v *view) openFiles() any {
	const format, regular = 0o170000, 0o100000 // S_IFMT, S_IFREG
	all := []openFile{}
	for i := range v.More.FDs {
		f := &v.More.FDs[i]
		if !f.Got.Has(platform.FDStat|platform.FDPath|platform.FDFlags) || f.Mode&format != regular {
			continue
		}
		o := openFile{Path: f.Path, FD: f.Number, Flags: f.Flags, Mode: openMode(f.Flags)}
		if f.Got.Has(platform.FDPosition) {
			o.Position = &f.Position
		}
		all = append(all, o)
	}
	return all
}

// openMode is the mode that fopen(3) would have for flags of open(2).
func openMode(flags uint64) string {
	appends := flags&syscall.O_APPEND != 0
	switch {
	case flags&syscall.O_RDWR != 0 && appends:
		return "a+"
	case flags&syscall.O_RDWR != 0:
		return "r+"
	case flags&syscall.O_WRONLY != 0 && appends:
		return "a"
	case flags&syscall.O_WRONLY != 0:
		return "w"
	}
	return "r"
}

// connection is one of connections.
type connection struct {
	FD     *int32  `json:"fd"`
	Family string  `json:"family"`
	Type   string  `json:"type"`
	Local  any     `json:"laddr"`
	Remote any     `json:"raddr"`
	Status *string `json:"status"`
}

// kindNames are the names of kinds, the default first.
var kindNames = []string{"inet", "all", "inet4", "inet6", "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix"}

// kinds are psutil's kinds of connections.
var kinds = map[string]func(c *platform.Connection) bool{
	"all":   func(*platform.Connection) bool { return true },
	"inet":  func(c *platform.Connection) bool { return c.Transport != platform.Unix },
	"inet4": func(c *platform.Connection) bool { return c.Transport != platform.Unix && !c.IPv6 },
	"inet6": func(c *platform.Connection) bool { return c.Transport != platform.Unix && c.IPv6 },
	"tcp":   func(c *platform.Connection) bool { return c.Transport == platform.TCP },
	"tcp4":  func(c *platform.Connection) bool { return c.Transport == platform.TCP && !c.IPv6 },
	"tcp6":  func(c *platform.Connection) bool { return c.Transport == platform.TCP && c.IPv6 },
	"udp":   func(c *platform.Connection) bool { return c.Transport == platform.UDP },
	"udp4":  func(c *platform.Connection) bool { return c.Transport == platform.UDP && !c.IPv6 },
	"udp6":  func(c *platform.Connection) bool { return c.Transport == platform.UDP && c.IPv6 },
	"unix":  func(c *platform.Connection) bool { return c.Transport == platform.Unix },
}

// tcpStates are psutil's names, without CONN_.
var tcpStates = [platform.NumTCPStates]string{
	platform.TCPEstablished: "ESTABLISHED", platform.TCPSynSent: "SYN_SENT", platform.TCPSynRecv: "SYN_RECV", platform.TCPFinWait1: "FIN_WAIT1",
	platform.TCPFinWait2: "FIN_WAIT2", platform.TCPTimeWait: "TIME_WAIT", platform.TCPClose: "CLOSE", platform.TCPCloseWait: "CLOSE_WAIT",
	platform.TCPLastAck: "LAST_ACK", platform.TCPListen: "LISTEN", platform.TCPClosing: "CLOSING",
}

var socketTypes = map[platform.SocketType]string{
	platform.SocketUnknown: "UNKNOWN", platform.SocketStream: "SOCK_STREAM", platform.SocketDatagram: "SOCK_DGRAM",
	platform.SocketSeqpacket: "SOCK_SEQPACKET", platform.SocketRaw: "SOCK_RAW",
}

func (v *view) connections() any {
	all := []connection{}
	for i := range v.More.Connections {
		if c := &v.More.Connections[i]; kinds[v.kind](c) {
			all = append(all, showConnection(c))
		}
	}
	return all
}

func showConnection(c *platform.Connection) connection {
	s := connection{FD: &c.FD, Family: "AF_INET", Type: socketTypes[c.Type], Local: address(c.Local), Remote: address(c.Peer)}
	switch {
	case c.Transport == platform.Unix:
		s.Family, s.Local, s.Remote = "AF_UNIX", text(c.Path), nil
	case c.IPv6:
		s.Family = "AF_INET6"
	}
	if name := tcpStates[c.State]; name != "" {
		s.Status = &name
	}
	return s
}

func address(a netip.AddrPort) any {
	if !a.IsValid() {
		return nil
	}
	return socketAddress{a.Addr().String(), a.Port()}
}

type socketAddress struct {
	IP   string `json:"ip"`
	Port uint16 `json:"port"`
}

// mapping is one of memory_maps, or what all with one path add up to.
type mapping struct {
	Path         string `json:"path"`
	Start        string `json:"addr_start,omitempty"`
	End          string `json:"addr_end,omitempty"`
	Permissions  string `json:"perms,omitempty"`
	Offset       string `json:"offset,omitempty"`
	Device       string `json:"dev,omitempty"`
	Inode        string `json:"ino,omitempty"`
	Size         uint64 `json:"size"`
	RSS          uint64 `json:"rss"`
	PSS          uint64 `json:"pss"`
	SharedClean  uint64 `json:"shared_clean"`
	SharedDirty  uint64 `json:"shared_dirty"`
	PrivateClean uint64 `json:"private_clean"`
	PrivateDirty uint64 `json:"private_dirty"`
	Referenced   uint64 `json:"referenced"`
	Anonymous    uint64 `json:"anonymous"`
	Swap         uint64 `json:"swap"`
}

func (v *view) mappings() any {
	all := make([]mapping, len(v.More.Mappings))
	for i := range all {
		m := &v.More.Mappings[i]
		all[i] = mapping{
			Path: m.Name, Size: m.End - m.Start, RSS: m.Resident(), PSS: m.PSS, SharedClean: m.SharedClean, SharedDirty: m.SharedDirty,
			PrivateClean: m.PrivateClean, PrivateDirty: m.PrivateDirty, Referenced: m.Referenced, Anonymous: m.Anonymous, Swap: m.Swap,
		}
		if !v.grouped {
			one := &all[i]
			one.Start, one.End, one.Permissions = hex(m.Start), hex(m.End), string(m.Permissions[:])
			one.Offset, one.Device, one.Inode = hex(m.Offset), device(m.Device), strconv.FormatUint(m.Inode, 10)
		}
	}
	return all
}

func hex(n uint64) string { return "0x" + strconv.FormatUint(n, 16) }
