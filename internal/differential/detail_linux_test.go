// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package differential

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform"
)

// began is before any subject was started.
var began = time.Now()

// details compares what takes many reads of one process.
var details = []func(*check){
	compareLimits, compareSwitches, compareThreads, compareEnvironment, compareFootprint, compareMappings, compareFDs, compareConnections,
}

func compareLimits(c *check) {
	if !c.got(platform.FieldLimits, c.Psutil.Limits != nil) {
		return
	}
	want := [platform.NumLimits]platform.Limit{}
	for i, l := range c.limits(c) {
		want[i] = platform.Limit{Soft: uint64(l[0]), Hard: uint64(l[1])} // -1 is unlimited
	}
	same(c, "rlimit", want, func(p *platform.Process) [platform.NumLimits]platform.Limit { return p.More.Limits.Of })
	assert.EqualValues(c, 1<<platform.NumLimits-1, c.before.More.Limits.Has)
}

// limitLine is a line of /proc/PID/limits, which are in the order of RLIMIT_*.
var limitLine = regexp.MustCompile(`(?m)^Max .{22}(\S+) +(\S+)`)

// limits are the resource limits in the order of platform's. psutil asks
// prlimit(2), which needs CAP_SYS_RESOURCE for other users' processes; there
// /proc has to do.
func (o *theirs) limits(t testing.TB) (out [platform.NumLimits][2]int64) {
	file := limitLine.FindAllStringSubmatch(o.Proc.Limits, -1)
	require.Len(t, file, len(out))
	for i := range out {
		for j := range 2 {
			out[i][j] = -1
			if s := file[i][j+1]; s != "unlimited" {
				n, err := strconv.ParseInt(s, 10, 64)
				require.NoError(t, err)
				out[i][j] = n
			}
		}
		if l := o.Psutil.Limits[i]; l.Known {
			assert.Equal(t, l.V, out[i])
		} else {
			assert.Equal(t, "AccessDenied", l.Raised)
		}
	}
	return out
}

func compareSwitches(c *check) {
	// P164: psutil counts those of the main thread alone.
	if !c.got(platform.FieldContextSwitches, c.Proc.Threads != nil) {
		return
	}
	var voluntary, involuntary uint64
	for _, th := range c.Proc.Threads {
		voluntary += line(c, th.Status, "voluntary_ctxt_switches")
		involuntary += line(c, th.Status, "nonvoluntary_ctxt_switches")
	}
	same(c, "voluntary switches", voluntary, func(p *platform.Process) uint64 { return p.More.Voluntary })
	same(c, "involuntary switches", involuntary, func(p *platform.Process) uint64 { return p.More.Involuntary })
	if n := c.Psutil.Switches.V; len(c.Proc.Threads) == 1 {
		assert.Equal(c, voluntary, n.Voluntary)
		assert.Equal(c, involuntary, n.Involuntary)
	}
}

func compareThreads(c *check) {
	// A zombie has no threads, unless only its main thread has ended.
	ended := c.Psutil.Status.V == "zombie" && len(c.Proc.Threads) == 1
	if !c.got(platform.FieldThreadList, !ended) {
		return
	}
	var want []platform.Thread
	for _, tid := range slices.Sorted(maps.Keys(c.Proc.Threads)) {
		th := c.Proc.Threads[tid]
		want = append(want, platform.Thread{
			ID: tid, Got: platform.FieldThreadList | platform.FieldThreadSwitches | platform.FieldThreadIO,
			Name: th.Comm, Start: stat(c, th.Stat, 22),
			Created:     c.before.Created.Add(time.Duration(stat(c, th.Stat, 22)-c.before.Start) * 10 * time.Millisecond),
			CPU:         platform.ProcessCPUTimes{User: float64(stat(c, th.Stat, 14)) / 100, System: float64(stat(c, th.Stat, 15)) / 100},
			MinorFaults: stat(c, th.Stat, 10), MajorFaults: stat(c, th.Stat, 12),
			Voluntary: line(c, th.Status, "voluntary_ctxt_switches"), Involuntary: line(c, th.Status, "nonvoluntary_ctxt_switches"),
			ReadBytes: line(c, th.IO, "read_bytes"), WriteBytes: line(c, th.IO, "write_bytes"),
		})
	}
	same(c, "threads", want, func(p *platform.Process) []platform.Thread { return p.More.ThreadList })
	c.got(platform.FieldThreadSwitches, true)
	c.got(platform.FieldThreadIO, true)
	for i, th := range c.Psutil.ThreadList.V {
		if strings.Contains(want[i].Name, ")") {
			continue // which psutil takes for the end of the name: its numbers are other fields
		}
		assert.Equal(c, want[i].ID, th.ID)
		assert.InDelta(c, want[i].CPU.User, th.User, 1e-9)
		assert.InDelta(c, want[i].CPU.System, th.System, 1e-9)
	}
}

func compareEnvironment(c *check) {
	if !c.got(platform.FieldEnvironment, c.Psutil.Environ.Known && !c.noMemory()) {
		return
	}
	environ := c.Psutil.Environ.V
	same(c, "number of variables", len(environ), func(p *platform.Process) int { return p.More.EnvironmentCount })
	var want []platform.EnvVar
	for _, name := range variables {
		if v, ok := environ[name]; ok {
			want = append(want, platform.EnvVar{Name: name, Value: v})
		}
	}
	same(c, "environment", want, func(p *platform.Process) []platform.EnvVar { return p.More.Environment })
}

func compareFootprint(c *check) {
	if !c.got(platform.FieldFootprint, c.Psutil.Full.Known && !c.noMemory()) {
		return
	}
	full := c.Psutil.Full.V
	sum := func(p *platform.Process) *platform.Mapping { return &p.More.Footprint }
	rollup := func(name string) uint64 { return line(c, c.Proc.Rollup, name) }
	between(c, "Private_Dirty", rollup("Private_Dirty"), 0, func(p *platform.Process) uint64 { return sum(p).PrivateDirty })
	between(c, "Shared_Dirty", rollup("Shared_Dirty"), 0, func(p *platform.Process) uint64 { return sum(p).SharedDirty })
	between(c, "Anonymous", rollup("Anonymous"), 0, func(p *platform.Process) uint64 { return sum(p).Anonymous })
	between(c, "swap", full.Swap, 0, func(p *platform.Process) uint64 { return sum(p).Swap })
	// The pages of a file are shared as long as others have mapped them: at
	// the time of asking, that is the asking program as well.
	files := rollup("Private_Clean") + rollup("Shared_Clean")
	between(c, "clean", files, 0, func(p *platform.Process) uint64 { return sum(p).PrivateClean + sum(p).SharedClean })
	between(c, "uss", full.USS, files, func(p *platform.Process) uint64 { return sum(p).USS() })
	between(c, "uss", full.USS-rollup("Private_Clean"), 0, func(p *platform.Process) uint64 { return sum(p).USS() - sum(p).PrivateClean })
	between(c, "pss", full.PSS, files/2+1024*uint64(len(c.before.More.Mappings)), func(p *platform.Process) uint64 { return sum(p).PSS })
	between(c, "Referenced", rollup("Referenced"), referenced, func(p *platform.Process) uint64 { return sum(p).Referenced })
}

// referenced is how much the kernel may forget, between two readings, of which
// pages were used lately.
const referenced = 1 << 20

// mapsLine is a line of /proc/PID/maps.
var mapsLine = regexp.MustCompile(`^([0-9a-f]+)-([0-9a-f]+) (.{4}) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)$`)

func compareMappings(c *check) {
	c.got(platform.FieldMappingList, c.Proc.Maps != "")
	if !c.got(platform.FieldMappingMemory, c.Proc.Maps != "") {
		return
	}
	lines := strings.Split(strings.TrimSuffix(c.Proc.Maps, "\n"), "\n")
	require.Len(c, c.Psutil.Mappings.V, len(lines))
	var want []platform.Mapping
	for i, l := range lines {
		f := mapsLine.FindStringSubmatch(l)
		require.NotNil(c, f, l)
		m := c.Psutil.Mappings.V[i]
		require.Equal(c, f[1]+"-"+f[2], m.Addr)
		require.Equal(c, f[3], m.Perms)
		one := platform.Mapping{
			Start: number(c, f[1], 16), End: number(c, f[2], 16), Offset: number(c, f[4], 16), Permissions: [4]byte([]byte(f[3])),
			Device: platform.Device{Major: uint32(number(c, f[5], 16)), Minor: uint32(number(c, f[6], 16))}, Inode: number(c, f[7], 10),
			// P084: newlines as they are, and the mark of a deleted file.
			Name:        strings.ReplaceAll(f[8], `\012`, "\n"),
			SharedClean: m.SharedClean, SharedDirty: m.SharedDirty, PrivateClean: m.PrivateClean, PrivateDirty: m.PrivateDirty,
			PSS: m.PSS, Referenced: m.Referenced, Anonymous: m.Anonymous, Swap: m.Swap,
		}
		if one.Name == "" {
			one.Name = "[anon]"
		}
		if name := strings.TrimSuffix(strings.TrimSpace(m.Path), " (deleted)"); !strings.Contains(name, `\012`) {
			assert.Equal(c, name, strings.TrimSuffix(one.Name, " (deleted)"))
		}
		assert.Equal(c, m.Size, one.End-one.Start)
		assert.Equal(c, m.RSS, m.SharedClean+m.SharedDirty+m.PrivateClean+m.PrivateDirty) // P092
		want = append(want, one)
	}
	ours := func(p *platform.Process) []platform.Mapping { return p.More.Mappings }
	if len(ours(c.before)) != len(want) {
		same(c, "mappings", want, ours)
		return
	}
	for i := range want { // one by one: how often a file's page is mapped is not of this process alone
		if ours(c.before)[i] != want[i] && ours(c.after)[i] != want[i] {
			w, b, a := want[i], ours(c.before)[i], ours(c.after)[i]
			for _, m := range []*platform.Mapping{&w, &b, &a} {
				m.SharedClean, m.PrivateClean, m.SharedDirty, m.PrivateDirty = m.SharedClean+m.PrivateClean, 0, m.SharedDirty+m.PrivateDirty, 0
				m.PSS, m.Referenced = 0, 0
			}
			if w != b && w != a {
				c.Errorf("mapping: is %+v, hostscope says %+v before and %+v after", want[i], ours(c.before)[i], ours(c.after)[i])
			}
		}
	}
}

func compareFDs(c *check) {
	known := len(c.Proc.Inodes) > 0
	c.got(platform.FieldFDs, known)
	if !c.got(platform.FieldFDInfo, known) {
		return
	}
	numbers := func(p *platform.Process) (out []int32) {
		for _, fd := range p.More.FDs {
			out = append(out, fd.Number)
		}
		return out
	}
	var want []int32
	for n := range c.Proc.Inodes {
		want = append(want, int32(number(c, n, 10)))
	}
	slices.Sort(want)
	same(c, "numbers of descriptors", want, numbers)
	byNumber := map[int32]platform.FD{}
	for _, fd := range c.before.More.FDs {
		byNumber[fd.Number] = fd
		link := c.Proc.Inodes[strconv.Itoa(int(fd.Number))]
		switch fd.Type {
		case platform.FDSocket:
			assert.Equal(c, link, fmt.Sprintf("socket:[%d]", fd.Inode))
		case platform.FDPipe:
			assert.Equal(c, link, fmt.Sprintf("pipe:[%d]", fd.Inode))
		case platform.FDFile, platform.FDFIFO:
			assert.Equal(c, strings.TrimSuffix(link, " (deleted)"), strings.TrimSuffix(fd.Path, " (deleted)"))
		default:
			assert.Contains(c, strings.Trim(strings.TrimPrefix(link, "anon_inode:"), "[]"), fdTypes[fd.Type])
		}
	}
	// P137: psutil's are the regular files that have a name still.
	for _, f := range c.Psutil.OpenFiles.V {
		fd := byNumber[f.FD]
		assert.Equal(c, platform.FDFile, fd.Type)
		assert.EqualValues(c, 0o100000, fd.Mode&0o170000, "a regular file")
		assert.Equal(c, f.Path, fd.Path)
		assert.Equal(c, f.Position, fd.Position)
		assert.Equal(c, f.Flags&^largeFile, fd.Flags)
	}
	for n, fd := range byNumber {
		regular := fd.Type == platform.FDFile && fd.Mode&0o170000 == 0o100000 && fd.Links > 0 && strings.HasPrefix(fd.Path, "/")
		if regular && !strings.HasPrefix(fd.Path, "/memfd:") {
			assert.True(c, slices.ContainsFunc(c.Psutil.OpenFiles.V, func(f theirFile) bool { return f.FD == n }), "psutil does not see %+v", fd)
		}
	}
}

// fdTypes are the words in the kernel's links.
var fdTypes = map[platform.FDType]string{
	platform.FDInotify: "inotify", platform.FDSignalfd: "signalfd", platform.FDEpoll: "eventpoll",
	platform.FDTimerfd: "timerfd", platform.FDPidfd: "pidfd", platform.FDEventfd: "eventfd",
}

// knownFD is a descriptor as the process itself sees it.
type knownFD struct {
	FD           int32
	Type         string
	Flags        uint64
	Mode         uint32
	Size         int64
	Links, Inode uint64
	Dev, Rdev    [2]uint32
	Path         *string
	Position     *int64
	Pending      *uint64
	Watches      *int32
	TimeLeft     *float64 `json:"time_left"`
	Interval     *float64
	At           float64
	Target       *int32
}

// checkFDs compares with what the subject knows of its descriptors.
func checkFDs(c *check, s *subject) {
	var fds []knownFD
	require.NoError(c, json.Unmarshal(s.FDs, &fds))
	ours := map[int32]platform.FD{}
	for _, fd := range c.before.More.FDs {
		ours[fd.Number] = fd
	}
	types := map[string]platform.FDType{
		"file": platform.FDFile, "fifo": platform.FDFIFO, "pipe": platform.FDPipe, "socket": platform.FDSocket, "inotify": platform.FDInotify,
		"signalfd": platform.FDSignalfd, "epoll": platform.FDEpoll, "timerfd": platform.FDTimerfd, "pidfd": platform.FDPidfd, "eventfd": platform.FDEventfd,
	}
	for _, want := range fds {
		what := fmt.Sprintf("descriptor %d, %s", want.FD, want.Type)
		if want.Path != nil {
			what += " " + *want.Path
		}
		fd, ok := ours[want.FD]
		if !assert.True(c, ok, what) {
			continue
		}
		assert.Equal(c, types[want.Type], fd.Type, what)
		assert.True(c, fd.Got.Has(platform.FDFlags), what)
		assert.Equal(c, want.Flags&^largeFile, fd.Flags, what)
		if pathLike := want.Type == "file" || want.Type == "fifo"; assert.Equal(c, pathLike, fd.Got.Has(platform.FDPath|platform.FDStat), what) && pathLike { // E018
			assert.Equal(c, *want.Path, fd.Path, what)
			assert.Equal(c, want.Mode, fd.Mode, what)
			assert.Equal(c, want.Size, fd.Size, what)
			assert.Equal(c, want.Links, fd.Links, what)
			assert.Equal(c, want.Inode, fd.Inode, what)
			assert.Equal(c, platform.Device{Major: want.Dev[0], Minor: want.Dev[1]}, fd.Device, what)
			rdev := platform.Device{}
			if kind := want.Mode & 0o170000; kind == 0o020000 || kind == 0o060000 { // E028
				rdev = platform.Device{Major: want.Rdev[0], Minor: want.Rdev[1]}
			}
			assert.Equal(c, rdev, fd.Rdev, what)
		}
		if want.Position != nil {
			assert.True(c, fd.Got.Has(platform.FDPosition), what)
			assert.Equal(c, *want.Position, fd.Position, what)
		}
		if assert.Equal(c, want.Pending != nil, fd.Got.Has(platform.FDPending), what) && want.Pending != nil {
			assert.Equal(c, min(*want.Pending, math.MaxInt64), fd.Pending, what) // E087
		}
		if assert.Equal(c, want.Watches != nil, fd.Got.Has(platform.FDWatches), what) && want.Watches != nil {
			assert.Equal(c, *want.Watches, fd.Watches, what)
		}
		if assert.Equal(c, want.TimeLeft != nil, fd.Got.Has(platform.FDTimer), what) && want.TimeLeft != nil {
			// It runs down while we look, by less than the tests have taken.
			assert.LessOrEqual(c, fd.TimeLeft, *want.TimeLeft, what)
			if *want.TimeLeft > 0 {
				assert.Greater(c, fd.TimeLeft, *want.TimeLeft-time.Since(began).Seconds(), what)
			}
			assert.InDelta(c, *want.Interval, fd.Interval, 1e-9, what)
		}
		// E085: of a process that is gone there is no number.
		target := want.Target != nil && *want.Target > 0
		if assert.Equal(c, target, fd.Got.Has(platform.FDTarget), what) && target {
			assert.Equal(c, *want.Target, fd.TargetPID, what)
		}
	}
}

// endpoint is an address as Python has it: [address, port].
type endpoint struct{ netip.AddrPort }

func (e *endpoint) UnmarshalJSON(b []byte) error {
	var host string
	var port uint16
	if string(b) == "null" || string(b) == "[]" || string(b) == `""` {
		return nil
	}
	if err := json.Unmarshal(b, &[]any{&host, &port}); err != nil {
		return err
	}
	a, err := netip.ParseAddr(host)
	if port != 0 || !a.IsUnspecified() { // E093
		e.AddrPort = netip.AddrPortFrom(a, port)
	}
	return err
}

// knownConnection is a socket as the process itself sees it.
type knownConnection struct {
	FD                int32
	Kind, Type, State string
	IPv6              bool
	Local, Peer       endpoint
	Path              string
	Receive, Transmit *uint64
}

// tcpStates are psutil's words.
var tcpStates = [platform.NumTCPStates]string{
	"NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING",
}

func compareConnections(c *check) {
	if !c.got(platform.FieldConnections, c.Psutil.Connections.Known && len(c.Proc.Inodes) > 0) {
		return
	}
	var ours, want []string
	reported := map[string]bool{}
	for _, o := range c.Psutil.Connections.V {
		reported[c.Proc.Inodes[strconv.Itoa(int(o.FD))]] = true
		if o.Family == "AF_UNIX" {
			var path string
			require.NoError(c, json.Unmarshal(o.Local, &path))
			want = append(want, fmt.Sprintf("%d unix %s %q", o.FD, o.Type, path))
			continue
		}
		var local, peer endpoint
		require.NoError(c, json.Unmarshal(o.Local, &local))
		require.NoError(c, json.Unmarshal(o.Peer, &peer))
		want = append(want, fmt.Sprintf("%d %s %s %v %v %s", o.FD, o.Family, o.Type, local, peer, o.Status))
	}
	for _, o := range c.before.More.Connections {
		inode := c.Proc.Inodes[strconv.Itoa(int(o.FD))]
		if !reported[inode] && len(c.Proc.Queues) == 1 {
			continue // P148: it is in another network than psutil
		}
		if o.Transport == platform.Unix {
			path := o.Path
			if strings.Contains(path, " ") {
				path = "" // psutil has no path with spaces
			}
			ours = append(ours, fmt.Sprintf("%d unix %s %q", o.FD, socketTypes[o.Type], path))
			continue
		}
		family := map[bool]string{false: "AF_INET", true: "AF_INET6"}[o.IPv6]
		ours = append(ours, fmt.Sprintf("%d %s %s %v %v %s", o.FD, family, socketTypes[o.Type], o.Local, o.Peer, tcpStates[o.State]))
		queues, ok := c.Proc.Queues[strings.TrimSuffix(strings.TrimPrefix(inode, "socket:["), "]")]
		require.True(c, ok, inode)
		if listen := o.State == platform.TCPListen; assert.Equal(c, !listen, o.Queued) && !listen {
			assert.Equal(c, queues, [2]uint64{o.Transmit, o.Receive}, "queues of %v", o)
		}
	}
	slices.Sort(ours)
	slices.Sort(want)
	assert.Equal(c, want, ours)
}

var socketTypes = map[platform.SocketType]string{
	platform.SocketStream: "SOCK_STREAM", platform.SocketDatagram: "SOCK_DGRAM", platform.SocketSeqpacket: "SOCK_SEQPACKET",
}

// checkConnections compares with what the subject knows of its sockets.
func checkConnections(c *check, s *subject) {
	ours := map[int32]platform.Connection{}
	for _, o := range c.before.More.Connections {
		ours[o.FD] = o
	}
	assert.Len(c, ours, len(s.Connections))
	for _, want := range s.Connections {
		what := fmt.Sprintf("%+v", want)
		o, ok := ours[want.FD]
		if !assert.True(c, ok, what) {
			continue
		}
		assert.Equal(c, map[string]platform.Transport{"tcp": platform.TCP, "udp": platform.UDP, "unix": platform.Unix}[want.Kind], o.Transport, what)
		assert.Equal(c, want.IPv6, o.IPv6, what)
		assert.Equal(c, want.Path, o.Path, what)
		assert.Equal(c, want.Local.AddrPort, o.Local, what)
		assert.Equal(c, want.Peer.AddrPort, o.Peer, what)
		if want.State == "" {
			want.State = "NONE"
		}
		assert.Equal(c, want.State, tcpStates[o.State], what)
		if want.Type != "" {
			assert.Equal(c, "SOCK_"+strings.ToUpper(want.Type), socketTypes[o.Type], what)
		}
		if want.Receive != nil {
			assert.Equal(c, *want.Receive, o.Receive, what)
		}
		if want.Transmit != nil {
			assert.Equal(c, *want.Transmit, o.Transmit, what)
		}
	}
}
