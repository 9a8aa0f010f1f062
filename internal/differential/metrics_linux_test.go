// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package differential

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/internal/emittest"
	"github.com/hostscope/hostscope/platform"
)

// The values that the scraper emits, against psutil and /proc, of every metric
// that there is on Linux.
func TestMetrics(t *testing.T) {
	needPsutil(t)
	zoo := openZoo(t)
	h := open(t, platform.Root{})
	s := newScrape(t, h)
	pids := pids(zoo)
	s.take(pids...)
	before, resources := s.values, s.resources
	others := ask(t, pids...)
	s.take(pids...)
	after := s.values
	var memory platform.Memory
	require.NoError(t, h.Memory(&memory))

	seen := map[string]bool{}
	for name, subject := range zoo {
		if subject.Skip != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			pid := subject.pid()
			b, a := before[pid], after[pid]
			require.NotEmpty(t, b)
			want := expected(t, others[pid], float64(memory.Total))
			checkUtilization(t, b, a)
			for key := range b {
				metric, _, _ := strings.Cut(key, "{")
				seen[metric] = true
				switch {
				case metric == "process.uptime":
					assert.Greater(t, a[key], b[key])
					assert.InDelta(t, a[key], float64(s.snap.Time.UnixNano())/1e9-others[pid].Psutil.CreateTime.V, 0.01)
				case metric == "process.linux.signal.queued": // see checkSignalQueue
					i := slices.IndexFunc(s.snap.Processes, func(p *platform.Process) bool { return p.PID == pid })
					assert.Equal(t, float64(s.snap.Processes[i].More.SignalsQueued), a[key])
				case strings.HasPrefix(metric, "process.unix.file_descriptor.") && metric != "process.unix.file_descriptor.count" && metric != "process.unix.file_descriptor.limit":
					// checkDescriptorMetrics
				default:
					v, ok := want[key]
					if assert.True(t, ok, "emitted, and not known to the others: %s %v", key, b[key]) {
						low, high := min(b[key], a[key]), max(b[key], a[key])
						slack := 1e-9 * math.Abs(v)
						switch {
						case metric == "process.linux.oom.score": // of all processes
							slack = 3
						case movesWithOthers(key):
							slack = sharable(t, others[pid])
						}
						assert.True(t, low-slack <= v && v <= high+slack, "%s: is %v, emitted were %v and %v", key, v, b[key], a[key])
					}
				}
			}
			for key, v := range want {
				assert.Contains(t, b, key, "%v", v)
			}
			checkResource(t, others[pid], resources[pid])
			if name == "descriptors" {
				checkDescriptorMetrics(t, subject, b)
			}
		})
	}
	catalog, err := emittest.Load("../../scrapers/process/metadata.yaml")
	require.NoError(t, err)
	for name := range catalog.Metrics {
		if name != "process.cpu.utilization" { // only in the second scrape
			assert.True(t, seen[name], "%s: no subject has it", name)
		}
	}
}

// movesWithOthers tells whether a metric depends on which files other processes
// have mapped at the time, or on what the kernel remembers of accesses.
func movesWithOthers(key string) bool {
	for _, prefix := range []string{
		"process.memory.linux.pss", "process.memory.linux.uss", "process.memory.mapping.linux.pss", "process.memory.mapping.linux.referenced",
		"process.memory.mapping.usage{process.memory.mapping.state=shared_clean}", "process.memory.mapping.usage{process.memory.mapping.state=private_clean}",
	} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// sharable is how much of its memory may change hands so.
func sharable(t *testing.T, o *theirs) float64 {
	return float64(line(t, o.Proc.Rollup, "Private_Clean") + line(t, o.Proc.Rollup, "Shared_Clean"))
}

// checkUtilization: a process that stands still has none, and has no value
// before the second scrape.
func checkUtilization(t *testing.T, before, after map[string]float64) {
	for _, mode := range []string{"user", "system"} {
		key := "process.cpu.utilization{cpu.mode=" + mode + "}"
		assert.NotContains(t, before, key)
		assert.Contains(t, after, key)
		assert.Zero(t, after[key])
	}
}

// expected are the values of a process as the others have them.
func expected(t *testing.T, o *theirs, memory float64) map[string]float64 {
	want := map[string]float64{}
	put := func(metric string, v float64, attributes ...string) {
		slices.Sort(attributes)
		key := metric
		if len(attributes) > 0 {
			key += "{" + strings.Join(attributes, ",") + "}"
		}
		want[key] += v
	}
	bytes := func(metric string, lines map[string]string, name string, attributes ...string) {
		if lines[name] != "" {
			put(metric, float64(line(t, lines, name)), attributes...)
		}
	}
	ps := &o.Psutil
	zombie := ps.Status.V == "zombie"
	state := map[string]string{"sleeping": "sleeping", "zombie": "defunct", "stopped": "stopped", "tracing-stop": "tracing_stop", "disk-sleep": "disk_sleep"}
	put("process.status", 1, "process.state="+state[ps.Status.V])
	put("process.uptime", 0)
	put("process.cpu.time", ps.CPU.V.User, "cpu.mode=user")
	put("process.cpu.time", ps.CPU.V.System, "cpu.mode=system")
	put("process.cpu.unix.children.time", ps.CPU.V.ChildrenUser, "cpu.mode=user")
	put("process.cpu.unix.children.time", ps.CPU.V.ChildrenSystem, "cpu.mode=system")
	put("process.cpu.logical_number", float64(ps.CPUNumber.V))
	put("process.thread.count", float64(ps.Threads.V))
	put("process.unix.nice", float64(ps.Nice.V))
	put("process.paging.faults", float64(stat(t, o.Proc.Stat, 10)), "system.paging.fault.type=minor")
	put("process.paging.faults", float64(stat(t, o.Proc.Stat, 12)), "system.paging.fault.type=major")
	put("process.linux.scheduler.run_delay.time", float64(o.Proc.Delay)/1e9)
	if ps.IO.Known { // a zombie's is root's
		put("process.disk.io", float64(ps.IO.V.ReadBytes), "disk.io.direction=read")
		put("process.disk.io", float64(ps.IO.V.WriteBytes), "disk.io.direction=write")
		put("process.linux.io.transferred", float64(ps.IO.V.ReadChars), "disk.io.direction=read")
		put("process.linux.io.transferred", float64(ps.IO.V.WriteChars), "disk.io.direction=write")
		put("process.linux.io.system_calls", float64(ps.IO.V.ReadCount), "disk.io.direction=read")
		put("process.linux.io.system_calls", float64(ps.IO.V.WriteCount), "disk.io.direction=write")
	}
	pending := uint64(0)
	for name, set := range map[string]string{"SigPnd": "pending", "ShdPnd": "process_pending", "SigBlk": "blocked", "SigIgn": "ignored", "SigCgt": "caught"} {
		members := number(t, o.Proc.Status[name], 16) &^ (1<<31 | 1<<32) // P051
		if name == "SigPnd" || name == "ShdPnd" {
			pending |= members
		}
		put("process.unix.signal.count", float64(bits.OnesCount64(members)), "process.unix.signal.set="+set)
	}
	put("process.signals_pending", float64(bits.OnesCount64(pending)))
	queued, _, _ := strings.Cut(o.Proc.Status["SigQ"], "/")
	put("process.linux.signal.queued", float64(number(t, queued, 10)))
	for tid, th := range o.Proc.Threads {
		put("process.context_switches", float64(line(t, th.Status, "voluntary_ctxt_switches")), "process.context_switch.type=voluntary")
		put("process.context_switches", float64(line(t, th.Status, "nonvoluntary_ctxt_switches")), "process.context_switch.type=involuntary")
		if zombie && len(o.Proc.Threads) == 1 { // no thread of it runs any more
			continue
		}
		id := []string{"process.thread.id=" + strconv.Itoa(int(tid))}
		if th.Comm != "" {
			id = append(id, "process.thread.name="+th.Comm)
		}
		with := func(more string) []string { return append(slices.Clone(id), more) }
		put("process.thread.cpu.time", float64(stat(t, th.Stat, 14))/100, with("cpu.mode=user")...)
		put("process.thread.cpu.time", float64(stat(t, th.Stat, 15))/100, with("cpu.mode=system")...)
		put("process.thread.paging.faults", float64(stat(t, th.Stat, 10)), with("system.paging.fault.type=minor")...)
		put("process.thread.paging.faults", float64(stat(t, th.Stat, 12)), with("system.paging.fault.type=major")...)
		put("process.thread.disk.io", float64(line(t, th.IO, "read_bytes")), with("disk.io.direction=read")...)
		put("process.thread.disk.io", float64(line(t, th.IO, "write_bytes")), with("disk.io.direction=write")...)
		put("process.thread.context_switches", float64(line(t, th.Status, "voluntary_ctxt_switches")), with("process.context_switch.type=voluntary")...)
		put("process.thread.context_switches", float64(line(t, th.Status, "nonvoluntary_ctxt_switches")), with("process.context_switch.type=involuntary")...)
	}
	putLimits(t, o, put)
	if zombie {
		return want
	}

	put("process.cpu.affinity.count", float64(len(ps.Affinity.V)))
	class := []string{"none", "realtime", "best_effort", "idle"}[ps.IONice.V.Class]
	put("process.linux.io_priority", float64(ps.IONice.V.Value), "process.linux.io_priority.class="+class)
	put("process.environment_variable.count", float64(len(ps.Environ.V)))
	put("process.linux.oom.score", float64(number(t, o.Proc.Score, 10)))
	adjustment, err := strconv.Atoi(strings.TrimSpace(o.Proc.Adjustment))
	require.NoError(t, err)
	put("process.linux.oom.score_adjustment", float64(adjustment))
	put("process.memory.usage", float64(ps.Memory.V.RSS))
	put("process.memory.virtual", float64(ps.Memory.V.VMS))
	put("process.memory.utilization", float64(ps.Memory.V.RSS)/memory)
	put("process.memory.linux.shared", float64(ps.Memory.V.Shared))
	put("process.memory.unix.segment.size", float64(ps.Memory.V.Text), "process.memory.unix.segment.type=text")
	put("process.memory.unix.segment.size", float64(ps.Memory.V.Data), "process.memory.unix.segment.type=data")
	put("process.memory.linux.pss", float64(ps.Full.V.PSS))
	put("process.memory.linux.uss", float64(ps.Full.V.USS))
	put("process.memory.linux.dirty", float64(line(t, o.Proc.Rollup, "Shared_Dirty")+line(t, o.Proc.Rollup, "Private_Dirty")))
	for name, kind := range map[string]string{"RssAnon": "anon", "RssFile": "file", "RssShmem": "shmem"} {
		bytes("process.memory.linux.resident.usage", o.Proc.Status, name, "process.memory.linux.resident.type="+kind)
	}
	bytes("process.memory.linux.swap", o.Proc.Status, "VmSwap")
	bytes("process.memory.linux.hugetlb", o.Proc.Status, "HugetlbPages")
	bytes("process.memory.linux.library", o.Proc.Status, "VmLib")
	bytes("process.memory.unix.peak", o.Proc.Status, "VmHWM")
	bytes("process.memory.linux.peak_virtual", o.Proc.Status, "VmPeak")
	var size uint64
	for _, m := range ps.Mappings.V {
		size += m.Size
	}
	put("process.memory.mapping.count", float64(len(ps.Mappings.V)))
	put("process.memory.mapping.size", float64(size))
	for name, kind := range map[string]string{"Shared_Clean": "shared_clean", "Shared_Dirty": "shared_dirty", "Private_Clean": "private_clean", "Private_Dirty": "private_dirty"} {
		bytes("process.memory.mapping.usage", o.Proc.Rollup, name, "process.memory.mapping.state="+kind)
	}
	bytes("process.memory.mapping.linux.pss", o.Proc.Rollup, "Pss")
	bytes("process.memory.mapping.linux.referenced", o.Proc.Rollup, "Referenced")
	bytes("process.memory.mapping.linux.anonymous", o.Proc.Rollup, "Anonymous")
	bytes("process.memory.mapping.linux.swap", o.Proc.Rollup, "Swap")
	put("process.unix.file_descriptor.count", float64(ps.FDs.V))
	putConnections(t, o, put)
	return want
}

// putLimits is table T-RLIM once more, in the order of oracle.py.
func putLimits(t *testing.T, o *theirs, put func(string, float64, ...string)) {
	limits := o.limits(t)
	for i, r := range []struct{ metric, resource string }{
		{"time", "cpu"}, {"size", "file_size"}, {"size", "data"}, {"size", "stack"}, {"size", "core"}, {"size", "resident_set"}, {"count", "processes"},
		{"count", "open_files"}, {"size", "locked_memory"}, {"size", "address_space"}, {"count", "file_locks"}, {"count", "pending_signals"},
		{"size", "message_queue"}, {"priority", "nice"}, {"priority", "realtime_priority"}, {"time", "realtime_timeout"},
	} {
		for j, kind := range []string{"soft", "hard"} {
			v := limits[i][j]
			if v == -1 {
				continue // unlimited
			}
			value := float64(v)
			switch r.resource {
			case "nice":
				value = 20 - value
			case "realtime_timeout":
				value /= 1e6
			}
			put("process.unix.resource_limit."+r.metric, value, "process.unix.resource_limit.resource="+r.resource, "process.unix.resource_limit.type="+kind)
			if r.resource == "open_files" && kind == "soft" {
				put("process.unix.file_descriptor.limit", value)
			}
		}
	}
}

// putConnections counts what the process's descriptors refer to, each socket
// once, in its own network.
func putConnections(t *testing.T, o *theirs, put func(string, float64, ...string)) {
	words := map[string]string{
		"ESTABLISHED": "established", "SYN_SENT": "syn_sent", "FIN_WAIT1": "fin_wait_1", "FIN_WAIT2": "fin_wait_2", "CLOSE_WAIT": "close_wait",
		"LAST_ACK": "last_ack", "LISTEN": "listen", "CLOSING": "closing",
	}
	seen := map[string]bool{}
	for _, c := range o.Psutil.Connections.V {
		inode := o.Proc.Inodes[strconv.Itoa(int(c.FD))]
		if seen[inode] {
			continue
		}
		seen[inode] = true
		attributes := []string{"network.transport=unix"}
		if c.Family != "AF_UNIX" {
			attributes = []string{"network.transport=udp", "network.type=" + map[string]string{"AF_INET": "ipv4", "AF_INET6": "ipv6"}[c.Family]}
			if c.Type == "SOCK_STREAM" {
				attributes[0] = "network.transport=tcp"
				attributes = append(attributes, "network.connection.state="+words[c.Status])
			}
		}
		put("process.network.connection.count", 1, attributes...)
	}
	if len(seen) == 0 && len(o.Proc.Queues) == 1 { // P148: in another network than psutil
		put("process.network.connection.count", 1, "network.transport=tcp", "network.type=ipv4", "network.connection.state=listen")
	}
}

// checkResource compares the resource attributes with the others.
func checkResource(t *testing.T, o *theirs, got map[string]any) {
	ps := &o.Psutil
	id := func(list string, i int) int64 {
		if list == "Uid" {
			return int64(ids(o.Proc.Status["Uid"])[i])
		}
		return int64(ids(o.Proc.Status["Gid"])[i])
	}
	want := map[string]any{
		"process.parent_pid": int64(ps.PPID.V), "process.owner": ps.Username.V, "process.real_user.name": ps.Username.V, "process.unix.comm": o.Proc.Comm,
		"process.real_user.id": id("Uid", 0), "process.user.id": id("Uid", 1), "process.saved_user.id": id("Uid", 2), "process.linux.filesystem_user.id": id("Uid", 3),
		"process.unix.real_group.id": id("Gid", 0), "process.unix.group.id": id("Gid", 1), "process.unix.saved_group.id": id("Gid", 2),
		"process.linux.filesystem_group.id": id("Gid", 3), "process.group_leader.pid": int64(o.Proc.PGID.V), "process.session_leader.pid": int64(o.Proc.SID.V),
		"process.unix.tty.attached": ps.Terminal.Known, "process.linux.cgroup": strings.TrimSuffix(o.Proc.Cgroup, "\n"),
	}
	if ps.Terminal.Known {
		want["process.unix.tty.name"] = ps.Terminal.V
	}
	if ps.Exe.V != "" {
		want["process.executable.path"] = ps.Exe.V
		want["process.executable.name"] = ps.Exe.V[strings.LastIndexByte(ps.Exe.V, '/')+1:]
	} else {
		want["process.executable.name"] = o.Proc.Comm
	}
	if o.Proc.Cwd != nil {
		want["process.working_directory"] = ps.Cwd.V
		want["process.unix.root_directory"] = *o.Proc.Root
	}
	if umask, ok := o.Proc.Status["Umask"]; ok && ps.Status.V != "zombie" {
		want["process.unix.umask"] = umask
	}
	for key, v := range want {
		assert.Equal(t, v, got[key], key)
	}
	if strings.Contains(o.Proc.Cgroup, "cri-containerd-") {
		assert.Equal(t, strings.Repeat("0123456789abcdef", 4), got["container.id"])
		assert.Regexp(t, `^cri-containerd-[0-9a-f]{64}\.scope$`, got["process.linux.systemd.unit"])
	}
	// R-REDACT
	text := fmt.Sprint(got)
	for _, secret := range []string{"hunter2", "Bearer abc", "u:p@"} {
		assert.NotContains(t, text, secret)
	}
	token := fmt.Sprint(got["process.unix.identity"])
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("lx1.%s.%v.%d", strings.ReplaceAll(string(boot), "-", "")[:12], got["process.pid"], stat(t, o.Proc.Stat, 22)), token)
}

// checkDescriptorMetrics compares what is emitted of descriptors with what the
// subject knows of them.
func checkDescriptorMetrics(t *testing.T, s *subject, got map[string]float64) {
	var fds []knownFD
	require.NoError(t, json.Unmarshal(s.FDs, &fds))
	const prefix = "process.unix.file_descriptor."
	var events [2]float64
	watches := 0.0
	for _, fd := range fds {
		at := fmt.Sprintf("{%snumber=%d}", prefix, fd.FD)
		file := fd.Type == "file"
		for metric, want := range map[string]*float64{
			"offset":          only(file && fd.Position != nil, func() float64 { return float64(*fd.Position) }),
			"file.size":       only(file, func() float64 { return float64(fd.Size) }),
			"file.link.count": only(file, func() float64 { return float64(fd.Links) }),
			"timer.interval":  only(fd.Interval != nil && *fd.Interval > 0, func() float64 { return *fd.Interval }),
		} {
			if metric == "offset" && file && fd.Position == nil {
				continue // of a folder or a device it says nothing
			}
			v, ok := got[prefix+metric+at]
			assert.Equal(t, want != nil, ok, metric+at)
			if want != nil {
				assert.InDelta(t, *want, v, 1e-9, metric+at)
			}
		}
		if _, ok := got[prefix+"timer.time_left"+at]; fd.TimeLeft != nil {
			assert.Equal(t, *fd.TimeLeft > 0, ok, at) // E080
		}
		switch fd.Type {
		case "timerfd":
			events[0] += float64(*fd.Pending)
		case "eventfd":
			events[1] = min(events[1]+float64(*fd.Pending), 1<<63-1) // E087
		case "epoll":
			watches += float64(*fd.Watches)
		}
		info := ""
		for key := range got {
			if strings.HasPrefix(key, prefix+"info{") && strings.Contains(key, fmt.Sprintf("%snumber=%d,", prefix, fd.FD)) {
				info = key
			}
		}
		require.NotEmpty(t, info, at)
		assert.Contains(t, info, prefix+"type="+fd.Type)
		assert.Equal(t, fd.Type == "file" || fd.Type == "fifo", strings.Contains(info, "file.mode="), info)
		if fd.Path != nil {
			assert.Contains(t, info, "file.path="+*fd.Path)
			assert.Contains(t, info, fmt.Sprintf("file.inode=%d", fd.Inode))
			assert.Contains(t, info, fmt.Sprintf("file.mode=%04o", fd.Mode&0o7777))
			assert.Contains(t, info, fmt.Sprintf("%sdevice=%d:%d", prefix, fd.Dev[0], fd.Dev[1]))
		}
		mode := map[uint64]string{0: "r", 1: "w", 2: "r+"}[fd.Flags&3]
		if fd.Flags&0o2000 != 0 {
			mode = map[uint64]string{1: "a", 2: "a+"}[fd.Flags&3]
		}
		assert.Contains(t, info, prefix+"open_mode="+mode+",", info)
		assert.Equal(t, fd.Flags&0o2000000 != 0, strings.Contains(info, "O_CLOEXEC"), info)
		assert.Equal(t, fd.Target != nil && *fd.Target > 0, strings.Contains(info, prefix+"target_pid="), info)
	}
	assert.Equal(t, events[0], got[prefix+"pending_event.count{"+prefix+"type=timerfd}"])
	assert.Equal(t, events[1], got[prefix+"pending_event.count{"+prefix+"type=eventfd}"])
	assert.Equal(t, watches, got[prefix+"watch.count"])
}

// only is a value where there is one.
func only(ok bool, get func() float64) *float64 {
	if !ok {
		return nil
	}
	v := get()
	return &v
}

// What a metric has in detail adds up to what it has without.
func TestDetailAddsUp(t *testing.T) {
	zoo := openZoo(t)
	sums, details := newScrape(t, open(t, platform.Root{})), newScrape(t, open(t, platform.Root{}), detailed(t))
	sums.take(pids(zoo)...)
	before := sums.values
	details.take(pids(zoo)...)
	sums.take(pids(zoo)...)
	total := func(of map[string]float64) map[string]float64 {
		sums := map[string]float64{}
		for key, v := range of {
			metric, _, _ := strings.Cut(key, "{")
			sums[metric] += v
		}
		return sums
	}
	for name, s := range zoo {
		if s.Skip != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			got := total(details.values[s.pid()])
			points := map[string]int{}
			for key := range details.values[s.pid()] {
				metric, _, _ := strings.Cut(key, "{")
				points[metric]++
			}
			want, after := total(before[s.pid()]), total(sums.values[s.pid()])
			for metric, v := range want {
				switch metric {
				case "process.uptime", "process.linux.oom.score", "process.linux.signal.queued", "process.unix.file_descriptor.timer.time_left":
					continue // move
				case "process.memory.mapping.linux.pss", "process.memory.linux.pss":
					// The kernel rounds that of each mapping down to 1 kB.
					assert.InDelta(t, v, got[metric], float64(points["process.memory.mapping.size"]+16)*1024, metric)
					continue
				case "process.memory.mapping.linux.referenced":
					assert.InDelta(t, v, got[metric], referenced)
					continue
				case "process.unix.file_descriptor.pending_event.count":
					continue // one of them is 2^64-2
				}
				low, high := min(v, after[metric]), max(v, after[metric]) // most stand still
				assert.GreaterOrEqual(t, got[metric], low-1e-9*(low+1), metric)
				assert.LessOrEqual(t, got[metric], high+1e-9*(high+1), metric)
			}
			if name == "mappings" {
				assert.Greater(t, points["process.memory.mapping.size"], 400)
			}
			if name == "descriptors" {
				assert.Greater(t, points["process.unix.file_descriptor.count"], 8)
			}
		})
	}
}
