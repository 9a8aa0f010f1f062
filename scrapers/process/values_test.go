// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/emittest"
	"github.com/hostscope/hostscope/platform"
)

// rich is postgres with all that a process can have.
func rich() *platform.Process {
	p := postgres()
	p.PGID, p.SID = 40, 30
	p.Nice = -5
	p.MinorFaults, p.MajorFaults = 1000, 7
	p.ChildrenCPU = platform.ProcessCPUTimes{User: 1.5, System: 0.25}
	p.LastCPU = 3
	p.Shared, p.Text, p.Data = 100, 200, 300
	p.ReadChars, p.WriteChars, p.ReadCalls, p.WriteCalls = 11, 12, 13, 14
	p.Arguments, p.ArgumentCount = []string{"postgres", "-D", "/data"}, 3
	p.RunDelay = 0.125
	p.IOPriority = platform.IOPriority{Class: platform.IOClassBestEffort, Level: 4}
	p.OOMScore, p.OOMAdjustment = 666, -900
	p.Cgroup = "/system.slice/postgresql.service"
	p.More = &platform.More{
		UIDs: [4]uint32{1, 2, 3, 4}, Users: [3]string{"real", "effective", "3"}, GIDs: [4]uint32{11, 12, 13, 14},
		Supplementary: []uint32{5, 20, 4294967294}, Umask: 0o22,
		Signals: platform.Signals{
			Pending:        1<<9 | 1<<31,         // SIGUSR1, internal
			ProcessPending: 1<<9 | 1<<14 | 1<<63, // SIGUSR1, SIGTERM, SIGRTMIN+30
			Ignored:        1 << 12,              // SIGPIPE
			Caught:         1<<0 | 1<<32 | 1<<33, // SIGHUP, internal, SIGRTMIN
		},
		Affinity: []int32{0, 2, 3}, VPID: 17,
		RSSAnon: 21, RSSFile: 22, RSSShmem: 23, Swap: 24, HugeTLB: 25, Library: 26, Peak: 27, PeakVirtual: 28, SignalsQueued: 29,
		Voluntary: 31, Involuntary: 32,
		ThreadList: []platform.Thread{
			{
				ID: 100, Got: platform.AllFields, Name: "main", CPU: platform.ProcessCPUTimes{User: 1, System: 2},
				MinorFaults: 3, MajorFaults: 4, Voluntary: 5, Involuntary: 6, ReadBytes: 7, WriteBytes: 8,
			},
			{ID: 101, Got: platform.FieldThreadSwitches, Name: "of before", Voluntary: 9, Involuntary: 10, ReadBytes: 99},
		},
		EnvironmentCount: 42,
		Footprint: platform.Mapping{
			SharedClean: 1000, SharedDirty: 2000, PrivateClean: 3000, PrivateDirty: 4000, PSS: 5000, Referenced: 6000, Anonymous: 7000, Swap: 8000,
		},
		Mappings: []platform.Mapping{
			{
				Start: 0x7f0000001000, End: 0x7f0000003000, Offset: 4096, Permissions: [4]byte([]byte("r-xp")), Device: platform.Device{Major: 8, Minor: 1},
				Inode: 77, Name: "/lib/libc.so", SharedClean: 1, SharedDirty: 2, PrivateClean: 3, PrivateDirty: 4, PSS: 5, Referenced: 6, Anonymous: 7, Swap: 8,
			},
			{
				Start: 0x7f0000003000, End: 0x7f0000004000, Offset: 12288, Permissions: [4]byte([]byte("rw-p")), Device: platform.Device{Major: 8, Minor: 1},
				Inode: 77, Name: "/lib/libc.so", SharedClean: 10, SharedDirty: 20, PrivateClean: 30, PrivateDirty: 40, PSS: 50, Referenced: 60, Anonymous: 70, Swap: 80,
			},
			{Start: 0xffffffffff600000, End: 0xffffffffff601000, Permissions: [4]byte([]byte("--xp")), Name: "[vsyscall]"},
		},
		FDs:         descriptors(),
		Connections: connections(),
	}
	p.More.TTY = platform.TTY{Attached: true, Name: "/dev/pts/3"}
	p.More.CgroupFile = "0::/system.slice/postgresql.service\n"
	p.More.Directory, p.More.RootDirectory = "/data", "/srv/jail"
	p.More.Limits = platform.Limits{Has: 1<<platform.NumLimits - 1}
	for kind := range p.More.Limits.Of {
		p.More.Limits.Of[kind] = platform.Limit{Soft: uint64(kind) + 1, Hard: platform.Unlimited}
	}
	p.More.Limits.Of[platform.LimitOpenFiles] = platform.Limit{Soft: 1024, Hard: 524288}
	p.More.Limits.Of[platform.LimitRealtimeTimeout] = platform.Limit{Soft: 250_000, Hard: 1_000_000}
	p.More.Limits.Of[platform.LimitNice] = platform.Limit{Soft: 0, Hard: 40}
	return p
}

// descriptors has one descriptor of each kind that is emitted in its own way.
func descriptors() []platform.FD {
	const all = platform.FDPath | platform.FDStat | platform.FDPosition | platform.FDFlags
	return []platform.FD{
		{
			Number: 0, Type: platform.FDFile, Got: all, Path: "/dev/null", Device: platform.Device{Minor: 5}, Rdev: platform.Device{Major: 1, Minor: 3},
			Inode: 4, Mode: 0o20666, Links: 1, Flags: 0o2,
		},
		{
			Number: 1, Type: platform.FDFile, Got: all, Path: "/var/log/a.log", Device: platform.Device{Major: 8, Minor: 1}, Rdev: platform.Device{Major: 9},
			Inode: 1234, Mode: 0o100640, Size: 5000, Links: 0, Position: 4000, Flags: thisFlags.append | closeExec | writeOnly,
		},
		{Number: 3, Type: platform.FDSocket, Got: platform.FDStat | platform.FDPosition, Inode: 55, Mode: 0o140777, Links: 1},
		{Number: 4, Type: platform.FDEpoll, Got: platform.FDWatches, Watches: 3},
		{Number: 5, Type: platform.FDEpoll, Got: platform.FDWatches, Watches: 0},
		{Number: 6, Type: platform.FDEventfd, Got: platform.FDPending, Pending: 255},
		{Number: 7, Type: platform.FDEventfd, Got: platform.FDPending, Pending: 1<<64 - 2},
		{Number: 8, Type: platform.FDTimerfd, Got: platform.FDPending | platform.FDTimer, Pending: 2, TimeLeft: 1.5, Interval: 60},
		{Number: 9, Type: platform.FDTimerfd, Got: platform.FDPending | platform.FDTimer, Pending: 0},
		{Number: 10, Type: platform.FDPidfd, Got: platform.FDTarget, TargetPID: 4711},
		{Number: 11, Type: platform.FDPidfd, Got: platform.FDTarget, TargetPID: -1},
		{Number: 12, Type: platform.FDUnknown, Size: 1, Position: 2, Flags: 3, Pending: 4, Watches: 5, TimeLeft: 6},
	}
}

func connections() []platform.Connection {
	at := netip.MustParseAddrPort
	return []platform.Connection{
		{FD: 3, Transport: platform.TCP, Type: platform.SocketStream, State: platform.TCPListen, Local: at("0.0.0.0:5432"), Peer: at("0.0.0.0:0")},
		{
			FD: 8, Transport: platform.TCP, Type: platform.SocketStream, State: platform.TCPEstablished,
			Local: at("10.0.0.1:5432"), Peer: at("10.0.0.9:40000"), Queued: true, Receive: 100, Transmit: 7,
		},
		{
			FD: 9, Transport: platform.TCP, Type: platform.SocketStream, State: platform.TCPEstablished,
			Local: at("10.0.0.1:5432"), Peer: at("10.0.0.9:40001"), Queued: true, Receive: 1, Transmit: 2,
		},
		{
			FD: 10, Transport: platform.TCP, IPv6: true, Type: platform.SocketStream, State: platform.TCPEstablished,
			Local: at("[::ffff:10.0.0.1]:5432"), Peer: at("[::ffff:10.0.0.9]:40002"), Queued: true,
		},
		{FD: -1, Transport: platform.UDP, IPv6: true, Type: platform.SocketDatagram, Local: at("[::]:53"), Queued: true, Receive: 10},
		{FD: 12, Transport: platform.Unix, Type: platform.SocketSeqpacket, Path: "@abstract"},
		{FD: 13, Transport: platform.Unix},
	}
}

// only is a configuration with these metrics alone. It is YAML: a metric to a
// line, with its settings or without.
func only(t testing.TB, metrics ...string) Config {
	cfg := NewConfig()
	list := reflect.ValueOf(&cfg.Metrics).Elem()
	for i := range list.NumField() {
		list.Field(i).FieldByName("Enabled").SetBool(false)
	}
	yaml := "metrics:\n"
	for _, m := range metrics {
		name, settings, _ := strings.Cut(m, ": ")
		yaml += "  " + name + ": {enabled: true, " + strings.Trim(settings, "{}") + "}\n"
	}
	require.NoError(t, decode(t, yaml, &cfg))
	return cfg
}

// points are the lines of points of processes.
func points(t *testing.T, s *Scraper, p *platform.Process) []string {
	var lines []string
	for _, line := range scrape(t, s, p) {
		if point, ok := strings.CutPrefix(line, "  "); ok {
			lines = append(lines, point)
		}
	}
	return lines
}

const mappingSet = "process.memory.mapping.name, process.memory.mapping.address.start, process.memory.mapping.address.end, " +
	"process.memory.mapping.permissions, process.memory.mapping.offset, process.memory.mapping.device, file.inode"

// values is what each metric makes of rich, without the name of the metric.
var values = map[string][]string{
	"process.cpu.time":                                               {"{cpu.mode=system} 0.5", "{cpu.mode=user} 12.34"},
	"process.cpu.utilization":                                        nil, // it takes two scrapes
	"process.cpu.unix.children.time":                                 {"{cpu.mode=system} 0.25", "{cpu.mode=user} 1.5"},
	"process.cpu.logical_number":                                     {" 3"},
	"process.cpu.affinity.count":                                     {" 3"},
	"process.cpu.affinity.count: {attributes: [cpu.logical_number]}": {"{cpu.logical_number=0} 1", "{cpu.logical_number=2} 1", "{cpu.logical_number=3} 1"},

	"process.memory.usage":                                  {" 8192"},
	"process.memory.virtual":                                {" 1099511627776"},
	"process.memory.utilization":                            {" 0.5"},
	"process.memory.linux.shared":                           {" 100"},
	"process.memory.linux.swap":                             {" 24"},
	"process.memory.linux.hugetlb":                          {" 25"},
	"process.memory.linux.library":                          {" 26"},
	"process.memory.unix.peak":                              {" 27"},
	"process.memory.linux.peak_virtual":                     {" 28"},
	"process.memory.linux.pss":                              {" 5000"},
	"process.memory.linux.uss":                              {" 7000"},
	"process.memory.linux.dirty":                            {" 6000"},
	"process.linux.oom.score":                               {" 666"},
	"process.linux.oom.score_adjustment":                    {" -900"},
	"process.memory.linux.resident.usage":                   {"{process.memory.linux.resident.type=anon} 21", "{process.memory.linux.resident.type=file} 22", "{process.memory.linux.resident.type=shmem} 23"},
	"process.memory.linux.resident.usage: {attributes: []}": {" 66"},
	"process.memory.unix.segment.size":                      {"{process.memory.unix.segment.type=data} 300", "{process.memory.unix.segment.type=text} 200"},
	"process.paging.faults":                                 {"{system.paging.fault.type=major} 7", "{system.paging.fault.type=minor} 1000"},
	"process.paging.faults: {attributes: []}":               {" 1007"},

	"process.memory.mapping.count": {" 3"},
	"process.memory.mapping.count: {attributes: [process.memory.mapping.name]}": {
		"{process.memory.mapping.name=/lib/libc.so} 2", "{process.memory.mapping.name=[vsyscall]} 1",
	},
	"process.memory.mapping.count: {attributes: [" + mappingSet + "]}": {
		"{file.inode=77,process.memory.mapping.address.end=0x7f0000003000,process.memory.mapping.address.start=0x7f0000001000," +
			"process.memory.mapping.device=8:1,process.memory.mapping.name=/lib/libc.so,process.memory.mapping.offset=4096,process.memory.mapping.permissions=r-xp} 1",
		"{file.inode=77,process.memory.mapping.address.end=0x7f0000004000,process.memory.mapping.address.start=0x7f0000003000," +
			"process.memory.mapping.device=8:1,process.memory.mapping.name=/lib/libc.so,process.memory.mapping.offset=12288,process.memory.mapping.permissions=rw-p} 1",
		"{process.memory.mapping.address.end=0xffffffffff601000,process.memory.mapping.address.start=0xffffffffff600000," +
			"process.memory.mapping.name=[vsyscall],process.memory.mapping.offset=0,process.memory.mapping.permissions=--xp} 1",
	},
	"process.memory.mapping.size": {" 16384"},
	"process.memory.mapping.size: {attributes: [process.memory.mapping.permissions]}": {
		"{process.memory.mapping.permissions=--xp} 4096", "{process.memory.mapping.permissions=r-xp} 8192", "{process.memory.mapping.permissions=rw-p} 4096",
	},
	"process.memory.mapping.usage": {
		"{process.memory.mapping.state=private_clean} 3000", "{process.memory.mapping.state=private_dirty} 4000",
		"{process.memory.mapping.state=shared_clean} 1000", "{process.memory.mapping.state=shared_dirty} 2000",
	},
	"process.memory.mapping.usage: {attributes: []}": {" 10000"},
	"process.memory.mapping.usage: {attributes: [file.inode, process.memory.mapping.device]}": {
		" 0", "{file.inode=77,process.memory.mapping.device=8:1} 110",
	},
	"process.memory.mapping.usage: {attributes: [process.memory.mapping.state, process.memory.mapping.name]}": {
		"{process.memory.mapping.name=/lib/libc.so,process.memory.mapping.state=private_clean} 33",
		"{process.memory.mapping.name=/lib/libc.so,process.memory.mapping.state=private_dirty} 44",
		"{process.memory.mapping.name=/lib/libc.so,process.memory.mapping.state=shared_clean} 11",
		"{process.memory.mapping.name=/lib/libc.so,process.memory.mapping.state=shared_dirty} 22",
		"{process.memory.mapping.name=[vsyscall],process.memory.mapping.state=private_clean} 0",
		"{process.memory.mapping.name=[vsyscall],process.memory.mapping.state=private_dirty} 0",
		"{process.memory.mapping.name=[vsyscall],process.memory.mapping.state=shared_clean} 0",
		"{process.memory.mapping.name=[vsyscall],process.memory.mapping.state=shared_dirty} 0",
	},
	"process.memory.mapping.linux.pss":                               {" 5000"},
	"process.memory.mapping.linux.pss: {attributes: [file.inode]}":   {" 0", "{file.inode=77} 55"},
	"process.memory.mapping.linux.referenced":                        {" 6000"},
	"process.memory.mapping.linux.anonymous":                         {" 7000"},
	"process.memory.mapping.linux.swap":                              {" 8000"},
	"process.memory.mapping.linux.swap: {aggregation_strategy: max}": {" 80"},

	"process.disk.io":               {"{disk.io.direction=read} 4096", "{disk.io.direction=write} 0"},
	"process.linux.io.transferred":  {"{disk.io.direction=read} 11", "{disk.io.direction=write} 12"},
	"process.linux.io.system_calls": {"{disk.io.direction=read} 13", "{disk.io.direction=write} 14"},
	"process.linux.io_priority":     {"{process.linux.io_priority.class=best_effort} 4"},

	"process.thread.count": {" 3"},
	"process.thread.cpu.time": {
		"{cpu.mode=system,process.thread.id=100,process.thread.name=main} 2", "{cpu.mode=user,process.thread.id=100,process.thread.name=main} 1",
	},
	"process.thread.paging.faults": {
		"{process.thread.id=100,process.thread.name=main,system.paging.fault.type=major} 4",
		"{process.thread.id=100,process.thread.name=main,system.paging.fault.type=minor} 3",
	},
	"process.thread.paging.faults: {attributes: [process.thread.id]}": {"{process.thread.id=100} 7"},
	"process.thread.context_switches": {
		"{process.context_switch.type=involuntary,process.thread.id=100,process.thread.name=main} 6",
		"{process.context_switch.type=involuntary,process.thread.id=101} 10",
		"{process.context_switch.type=voluntary,process.thread.id=100,process.thread.name=main} 5",
		"{process.context_switch.type=voluntary,process.thread.id=101} 9",
	},
	"process.thread.disk.io: {attributes: [process.thread.id, disk.io.direction]}": {
		"{disk.io.direction=read,process.thread.id=100} 7", "{disk.io.direction=write,process.thread.id=100} 8",
	},
	"process.context_switches":               {"{process.context_switch.type=involuntary} 32", "{process.context_switch.type=voluntary} 31"},
	"process.linux.scheduler.run_delay.time": {" 0.125"},
	"process.unix.nice":                      {" -5"},

	"process.unix.file_descriptor.count": {" 17"},
	"process.unix.file_descriptor.count: {attributes: [process.unix.file_descriptor.type]}": {
		"{process.unix.file_descriptor.type=epoll} 2", "{process.unix.file_descriptor.type=eventfd} 2", "{process.unix.file_descriptor.type=file} 2",
		"{process.unix.file_descriptor.type=pidfd} 2", "{process.unix.file_descriptor.type=socket} 1", "{process.unix.file_descriptor.type=timerfd} 2",
		"{process.unix.file_descriptor.type=unknown} 1",
	},
	"process.unix.file_descriptor.limit": {" 1024"},
	"process.unix.file_descriptor.info": {
		"{file.inode=1234,file.mode=0640,file.path=/var/log/a.log,process.unix.file_descriptor.device=8:1,process.unix.file_descriptor.file.type=regular," +
			`process.unix.file_descriptor.flags=["O_APPEND","O_CLOEXEC","O_WRONLY"],process.unix.file_descriptor.number=1,` +
			"process.unix.file_descriptor.open_mode=a,process.unix.file_descriptor.type=file} 1",
		"{file.inode=4,file.mode=0666,file.path=/dev/null,process.unix.file_descriptor.device=0:5,process.unix.file_descriptor.file.type=char_device," +
			`process.unix.file_descriptor.flags=["O_RDWR"],process.unix.file_descriptor.number=0,process.unix.file_descriptor.open_mode=r+,` +
			"process.unix.file_descriptor.rdev=1:3,process.unix.file_descriptor.type=file} 1",
		"{process.unix.file_descriptor.number=10,process.unix.file_descriptor.target_pid=4711,process.unix.file_descriptor.type=pidfd} 1",
		"{process.unix.file_descriptor.number=11,process.unix.file_descriptor.type=pidfd} 1",
		"{process.unix.file_descriptor.number=12,process.unix.file_descriptor.type=unknown} 1",
		"{process.unix.file_descriptor.number=3,process.unix.file_descriptor.type=socket} 1",
		"{process.unix.file_descriptor.number=4,process.unix.file_descriptor.type=epoll} 1",
		"{process.unix.file_descriptor.number=5,process.unix.file_descriptor.type=epoll} 1",
		"{process.unix.file_descriptor.number=6,process.unix.file_descriptor.type=eventfd} 1",
		"{process.unix.file_descriptor.number=7,process.unix.file_descriptor.type=eventfd} 1",
		"{process.unix.file_descriptor.number=8,process.unix.file_descriptor.type=timerfd} 1",
		"{process.unix.file_descriptor.number=9,process.unix.file_descriptor.type=timerfd} 1",
	},
	"process.unix.file_descriptor.offset":          {"{process.unix.file_descriptor.number=0} 0", "{process.unix.file_descriptor.number=1} 4000"},
	"process.unix.file_descriptor.file.size":       {"{process.unix.file_descriptor.number=0} 0", "{process.unix.file_descriptor.number=1} 5000"},
	"process.unix.file_descriptor.file.link.count": {"{process.unix.file_descriptor.number=0} 1", "{process.unix.file_descriptor.number=1} 0"},
	"process.unix.file_descriptor.timer.time_left": {"{process.unix.file_descriptor.number=8} 1.5"},
	"process.unix.file_descriptor.timer.interval":  {"{process.unix.file_descriptor.number=8} 60"},
	"process.unix.file_descriptor.pending_event.count": {
		"{process.unix.file_descriptor.type=eventfd} 9223372036854775807", "{process.unix.file_descriptor.type=timerfd} 2",
	},
	"process.unix.file_descriptor.pending_event.count: {attributes: [process.unix.file_descriptor.type, process.unix.file_descriptor.number]}": {
		"{process.unix.file_descriptor.number=6,process.unix.file_descriptor.type=eventfd} 255",
		"{process.unix.file_descriptor.number=7,process.unix.file_descriptor.type=eventfd} 9223372036854775807",
		"{process.unix.file_descriptor.number=8,process.unix.file_descriptor.type=timerfd} 2",
		"{process.unix.file_descriptor.number=9,process.unix.file_descriptor.type=timerfd} 0",
	},
	"process.unix.file_descriptor.watch.count": {" 3"},
	"process.unix.file_descriptor.watch.count: {attributes: [process.unix.file_descriptor.number]}": {
		"{process.unix.file_descriptor.number=4} 3", "{process.unix.file_descriptor.number=5} 0",
	},
	"process.unix.file_descriptor.socket.queue.usage": {"{network.io.direction=receive} 111", "{network.io.direction=transmit} 9"},
	"process.unix.file_descriptor.socket.queue.usage: {attributes: [network.io.direction, process.unix.file_descriptor.number]}": {
		"{network.io.direction=receive,process.unix.file_descriptor.number=10} 0",
		"{network.io.direction=receive,process.unix.file_descriptor.number=8} 100",
		"{network.io.direction=receive,process.unix.file_descriptor.number=9} 1",
		"{network.io.direction=receive} 10",
		"{network.io.direction=transmit,process.unix.file_descriptor.number=10} 0",
		"{network.io.direction=transmit,process.unix.file_descriptor.number=8} 7",
		"{network.io.direction=transmit,process.unix.file_descriptor.number=9} 2",
		"{network.io.direction=transmit} 0",
	},
	"process.network.connection.count": {
		"{network.connection.state=established,network.transport=tcp,network.type=ipv4} 2",
		"{network.connection.state=established,network.transport=tcp,network.type=ipv6} 1",
		"{network.connection.state=listen,network.transport=tcp,network.type=ipv4} 1",
		"{network.transport=udp,network.type=ipv6} 1",
		"{network.transport=unix} 2",
	},
	"process.network.connection.count: {attributes: [network.transport]}": {
		"{network.transport=tcp} 4", "{network.transport=udp} 1", "{network.transport=unix} 2",
	},
	"process.network.connection.count: {attributes: [network.transport, network.local.port, process.unix.socket.type]}": {
		"{network.local.port=53,network.transport=udp,process.unix.socket.type=dgram} 1",
		"{network.local.port=5432,network.transport=tcp,process.unix.socket.type=stream} 4",
		"{network.transport=unix,process.unix.socket.type=seqpacket} 1",
		"{network.transport=unix} 1",
	},
	"process.network.connection.count: {attributes: [network.local.address, network.peer.address, network.peer.port, process.unix.file_descriptor.number]}": {
		"{network.local.address=0.0.0.0,process.unix.file_descriptor.number=3} 1",
		"{network.local.address=10.0.0.1,network.peer.address=10.0.0.9,network.peer.port=40000,process.unix.file_descriptor.number=8} 1",
		"{network.local.address=10.0.0.1,network.peer.address=10.0.0.9,network.peer.port=40001,process.unix.file_descriptor.number=9} 1",
		"{network.local.address=::ffff:10.0.0.1,network.peer.address=::ffff:10.0.0.9,network.peer.port=40002,process.unix.file_descriptor.number=10} 1",
		"{network.local.address=::} 1",
		"{network.local.address=@abstract,process.unix.file_descriptor.number=12} 1",
		"{process.unix.file_descriptor.number=13} 1",
	},

	"process.signals_pending":     {" 3"},
	"process.linux.signal.queued": {" 29"},
	"process.unix.signal.count": {
		"{process.unix.signal.set=blocked} 0", "{process.unix.signal.set=caught} 2", "{process.unix.signal.set=ignored} 1",
		"{process.unix.signal.set=pending} 1", "{process.unix.signal.set=process_pending} 3",
	},
	"process.unix.signal.count: {attributes: []}": {" 7"},
	"process.unix.signal.count: {attributes: [process.unix.signal.set, process.unix.signal.name]}": {
		"{process.unix.signal.name=SIGHUP,process.unix.signal.set=caught} 1",
		"{process.unix.signal.name=SIGPIPE,process.unix.signal.set=ignored} 1",
		"{process.unix.signal.name=SIGRTMIN+30,process.unix.signal.set=process_pending} 1",
		"{process.unix.signal.name=SIGRTMIN,process.unix.signal.set=caught} 1",
		"{process.unix.signal.name=SIGTERM,process.unix.signal.set=process_pending} 1",
		"{process.unix.signal.name=SIGUSR1,process.unix.signal.set=pending} 1",
		"{process.unix.signal.name=SIGUSR1,process.unix.signal.set=process_pending} 1",
	},

	"process.unix.resource_limit.size": {
		softOnly("address_space", "10"), softOnly("core", "5"), softOnly("data", "3"), softOnly("file_size", "2"), softOnly("locked_memory", "9"),
		softOnly("message_queue", "13"), softOnly("resident_set", "6"), softOnly("stack", "4"),
	},
	"process.unix.resource_limit.count": {
		softOnly("file_locks", "11"),
		"{process.unix.resource_limit.resource=open_files,process.unix.resource_limit.type=hard} 524288", softOnly("open_files", "1024"),
		softOnly("pending_signals", "12"), softOnly("processes", "7"),
	},
	"process.unix.resource_limit.time": {
		softOnly("cpu", "1"),
		"{process.unix.resource_limit.resource=realtime_timeout,process.unix.resource_limit.type=hard} 1", softOnly("realtime_timeout", "0.25"),
	},
	"process.unix.resource_limit.priority": {
		"{process.unix.resource_limit.resource=nice,process.unix.resource_limit.type=hard} -20", softOnly("nice", "20"), softOnly("realtime_priority", "15"),
	},

	"process.status":                     {"{process.state=sleeping} 1"},
	"process.uptime":                     {" 93600.25"},
	"process.environment_variable.count": {" 42"},
}

func softOnly(resource, value string) string {
	return "{process.unix.resource_limit.resource=" + resource + ",process.unix.resource_limit.type=soft} " + value
}

// TestValues: every metric, alone, with its default attributes and with others.
func TestValues(t *testing.T) {
	catalog, err := emit.Parse(metadataYAML)
	require.NoError(t, err)
	for _, config := range slices.Sorted(maps.Keys(values)) {
		t.Run(config, func(t *testing.T) {
			name, _, _ := strings.Cut(config, ": ")
			delete(catalog.Metrics, name)
			var want []string
			for _, v := range values[config] {
				want = append(want, name+v)
			}
			assert.Equal(t, want, points(t, newScraper(t, only(t, config)), rich()))
		})
	}
	assert.Empty(t, catalog.Metrics, "without a test")
}

// TestFieldsOfMetrics: a metric alone asks for what it takes with the
// attributes that are wanted, and emits nothing without it.
func TestFieldsOfMetrics(t *testing.T) {
	for config, want := range map[string]platform.Fields{
		"process.cpu.utilization":                                                                         platform.FieldCPUTime | platform.FieldAffinity,
		"process.memory.mapping.count":                                                                    platform.FieldMappingList,
		"process.memory.mapping.size: {attributes: [file.inode]}":                                         platform.FieldMappingList,
		"process.memory.mapping.usage":                                                                    platform.FieldFootprint,
		"process.memory.mapping.usage: {attributes: []}":                                                  platform.FieldFootprint,
		"process.memory.mapping.usage: {attributes: [process.memory.mapping.name]}":                       platform.FieldMappingMemory,
		"process.memory.mapping.linux.pss: {attributes: [process.memory.mapping.name]}":                   platform.FieldMappingMemory,
		"process.memory.mapping.linux.pss: {aggregation_strategy: max}":                                   platform.FieldMappingMemory,
		"process.unix.file_descriptor.count":                                                              platform.FieldDescriptors,
		"process.unix.file_descriptor.count: {attributes: [process.unix.file_descriptor.type]}":           platform.FieldFDs,
		"process.thread.context_switches":                                                                 platform.FieldThreadSwitches | platform.FieldThreadList,
		"process.thread.context_switches: {attributes: [process.thread.id, process.context_switch.type]}": platform.FieldThreadSwitches,
		"process.thread.cpu.time":                                                                         platform.FieldThreadList,
		"process.thread.disk.io: {attributes: [process.thread.id, disk.io.direction]}":                    platform.FieldThreadIO,
	} {
		s := newScraper(t, only(t, config))
		assert.Equal(t, want, metricFields(s), config)
	}
	for i := range metrics {
		s := newScraper(t, only(t, metrics[i].name))
		p := rich()
		p.Got &^= s.metrics[0].fields
		assert.Empty(t, scrape(t, s, p), metrics[i].name)
	}
}

// metricFields are the fields for metrics alone.
func metricFields(s *Scraper) (f platform.Fields) {
	s.attributes = nil
	return s.Fields()
}

// at scrapes one process at a time.
func at(t *testing.T, s *Scraper, when time.Time, p *platform.Process) []string {
	catalog, err := emit.Parse(metadataYAML)
	require.NoError(t, err)
	snap := snapshot(p)
	snap.Time = when
	var lines []string
	require.NoError(t, s.Scrape(t.Context(), snap, func(md pmetric.Metrics) error {
		require.NoError(t, emittest.Check(md, catalog))
		lines = append(lines, emittest.Lines(md)[1:]...)
		return nil
	}))
	return lines
}

// TestUtilization: the CPU time of an identity between two scrapes, by the
// CPUs that it may run on.
func TestUtilization(t *testing.T) {
	s, p := newScraper(t, only(t, "process.cpu.utilization")), rich()
	assert.Empty(t, at(t, s, now, p))

	p.CPU = platform.ProcessCPUTimes{User: 12.34 + 6, System: 0.5 + 1.5}
	assert.Equal(t, []string{"  process.cpu.utilization{cpu.mode=system} 0.05", "  process.cpu.utilization{cpu.mode=user} 0.2"},
		at(t, s, now.Add(10*time.Second), p), "of CPUs 0, 2 and 3")

	// CPU 9 is not online; user time never falls.
	p.CPU = platform.ProcessCPUTimes{User: 18, System: 3}
	p.More.Affinity = []int32{1, 2, 9}
	assert.Equal(t, []string{"  process.cpu.utilization{cpu.mode=system} 0.05", "  process.cpu.utilization{cpu.mode=user} 0"},
		at(t, s, now.Add(20*time.Second), p))

	p.Got &^= platform.FieldAffinity
	p.CPU.System += 20
	assert.Equal(t, []string{"  process.cpu.utilization{cpu.mode=system} 0.5", "  process.cpu.utilization{cpu.mode=user} 0"},
		at(t, s, now.Add(30*time.Second), p))

	assert.Empty(t, at(t, s, now.Add(30*time.Second), p), "no time has passed")
	assert.Empty(t, at(t, s, now, p), "the clock went backwards")

	// The next process with this PID begins anew (an accumulated CPU time of
	// another one would give a negative or absurd value).
	next := rich()
	next.Start++
	assert.Empty(t, at(t, s, now.Add(40*time.Second), next))
}

func TestStatus(t *testing.T) {
	s, p := newScraper(t, only(t, "process.status")), rich()
	for _, step := range []struct {
		state platform.State
		want  []string
	}{
		{platform.StateRunning, []string{"  process.status{process.state=running} 1"}},
		{platform.StateRunning, []string{"  process.status{process.state=running} 1"}},
		{platform.StateZombie, []string{"  process.status{process.state=defunct} 1", "  process.status{process.state=running} 0"}},
		{platform.StateZombie, []string{"  process.status{process.state=defunct} 1"}},
	} {
		p.State = step.state
		assert.Equal(t, step.want, at(t, s, now, p))
	}
}

// The counters of a thread begin with it; where its start is not known, with
// the process.
func TestThreadsBegin(t *testing.T) {
	p := rich()
	p.More.ThreadList[0].Created = p.Created.Add(time.Hour)
	p.More.ThreadList[1].Created = p.Created.Add(2 * time.Hour) // of before
	began := map[int64]time.Duration{}
	s := newScraper(t, only(t, "process.thread.context_switches"))
	require.NoError(t, s.Scrape(t.Context(), snapshot(p), func(md pmetric.Metrics) error {
		for _, point := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().All() {
			id, _ := point.Attributes().Get("process.thread.id")
			began[id.Int()] = point.StartTimestamp().AsTime().Sub(p.Created)
		}
		return nil
	}))
	assert.Equal(t, map[int64]time.Duration{100: time.Hour, 101: 0}, began)
}

func TestStates(t *testing.T) {
	for i, want := range strings.Fields("unknown running sleeping disk_sleep defunct stopped tracing_stop dead wake_kill waking parked idle locked waiting suspended") {
		p := rich()
		p.State = platform.State(i)
		assert.Equal(t, []string{"process.status{process.state=" + want + "} 1"}, points(t, newScraper(t, only(t, "process.status")), p))
	}
}

// TestHostMemory: it is read once per scrape, and only for utilization. Where
// it cannot be read, the rest is emitted.
func TestHostMemory(t *testing.T) {
	assert.Nil(t, newScraper(t, only(t, "process.memory.usage")).memory)

	s := newScraper(t, only(t, "process.memory.usage", "process.memory.utilization"))
	calls, read := 0, s.memory
	s.memory = func(m *platform.Memory) error { calls++; return read(m) }
	assert.Len(t, scrape(t, s, rich(), rich(), rich()), 9)
	assert.Equal(t, 1, calls)
	assert.Equal(t, []string{"process.memory.usage", "process.memory.utilization"}, s.Missing(platform.NetBSD)[:2])

	s.memory = func(*platform.Memory) error { return errors.New("/proc/meminfo: gone") }
	points := 0
	require.EqualError(t, s.Scrape(t.Context(), snapshot(rich()), func(md pmetric.Metrics) error {
		points += md.DataPointCount()
		return nil
	}), "/proc/meminfo: gone")
	assert.Equal(t, 1, points)
}

func TestConnectionStates(t *testing.T) {
	s := newScraper(t, only(t, "process.network.connection.count: {attributes: [network.connection.state]}"))
	for i, want := range strings.Fields("established syn_sent syn_received fin_wait_1 fin_wait_2 time_wait closed close_wait last_ack listen closing") {
		p := rich()
		p.More.Connections = []platform.Connection{{Transport: platform.TCP, State: platform.TCPEstablished + platform.TCPState(i)}}
		assert.Equal(t, []string{"process.network.connection.count{network.connection.state=" + want + "} 1"}, points(t, s, p))
	}
}

func TestDescriptorTypes(t *testing.T) {
	s := newScraper(t, only(t, "process.unix.file_descriptor.count: {attributes: [process.unix.file_descriptor.type]}"))
	for i, want := range strings.Fields("unknown file socket pipe fifo kqueue procdesc inotify signalfd epoll timerfd pidfd eventfd unknown") {
		p := rich()
		p.More.FDs = []platform.FD{{Type: platform.FDType(i)}}
		assert.Equal(t, []string{"process.unix.file_descriptor.count{process.unix.file_descriptor.type=" + want + "} 1"}, points(t, s, p))
	}
}

func TestIOPriorities(t *testing.T) {
	s := newScraper(t, only(t, "process.linux.io_priority"))
	for i, want := range []string{"none", "realtime", "best_effort", "idle"} {
		p := rich()
		p.IOPriority = platform.IOPriority{Class: platform.IOClass(i), Level: 7}
		assert.Equal(t, []string{"process.linux.io_priority{process.linux.io_priority.class=" + want + "} 7"}, points(t, s, p))
	}
}

// What only sockets could tell that have no queue is not known.
func TestQueuesOfNone(t *testing.T) {
	s, p := newScraper(t, only(t, "process.unix.file_descriptor.socket.queue.usage")), rich()
	p.More.Connections = []platform.Connection{{Transport: platform.Unix}, {Transport: platform.TCP, State: platform.TCPListen}}
	assert.Empty(t, points(t, s, p))
	p.More.Connections = nil
	assert.Equal(t, []string{
		"process.unix.file_descriptor.socket.queue.usage{network.io.direction=receive} 0",
		"process.unix.file_descriptor.socket.queue.usage{network.io.direction=transmit} 0",
	}, points(t, s, p), "without a socket nothing waits")
}

// Processes that are hidden altogether are ones that cannot be read.
func TestFailWhereProcessesAreHidden(t *testing.T) {
	cfg := NewConfig()
	snap := snapshot(rich())
	snap.Hidden = true
	emit := func(pmetric.Metrics) error { return nil }
	require.NoError(t, newScraper(t, cfg).Scrape(t.Context(), snap, emit))
	cfg.OnAccessDenied = Fail
	require.ErrorIs(t, newScraper(t, cfg).Scrape(t.Context(), snap, emit), platform.ErrAccessDenied)
}
