// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const treeStatus = `Name:	app
Umask:	0027
State:	S (sleeping)
Tgid:	10
Pid:	10
NSpid:	10	7	1
Uid:	1000	0	4242	1000
Gid:	100	101	102	103
Groups:	44 4 27 
VmPeak:	    4000 kB
VmSize:	    4000 kB
VmRSS:	    1000 kB
VmData:	     400 kB
VmStk:	      92 kB
VmExe:	      20 kB
VmHWM:	    1200 kB
RssAnon:	     600 kB
RssFile:	     300 kB
RssShmem:	     100 kB
VmLib:	    2000 kB
VmSwap:	      12 kB
HugetlbPages:	    2048 kB
Threads:	3
SigQ:	5/95925
SigPnd:	0000000000000200
ShdPnd:	0000000000004000
SigBlk:	0000000000010000
SigIgn:	0000000000001000
SigCgt:	0000000180014a07
Cpus_allowed_list:	0-2,5
voluntary_ctxt_switches:	150
nonvoluntary_ctxt_switches:	1
`

func everything(t testing.TB, h *Host) *Snapshot {
	s, err := h.Snapshot(context.Background(), Request{Fields: AllFields, Environment: []string{"LANG", "PATH"}})
	require.NoError(t, err)
	require.NoError(t, s.ProcessesErr)
	return s
}

// Every source of a process, each value derivable from the text above it.
func TestMore(t *testing.T) {
	tr := newTree(t)
	dir := tr.process(fake{pid: 10, comm: "app", start: 100, argStart: 1, exe: "/usr/bin/app", cmdline: "app\x00--flag\x00\xff\x00"})
	tr.write(dir+"status", treeStatus)
	tr.write(dir+"schedstat", "1000 2000 3\n")
	tr.write(dir+"oom_score", "667\n")
	tr.write(dir+"oom_score_adj", "-17\n")
	tr.write(dir+"cgroup", "0::/system.slice/app.service\n")
	tr.link(dir+"cwd", "/srv")
	tr.link(dir+"root", "/")
	tr.write(dir+"limits", "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 unlimited            files     \n")
	tr.write(dir+"environ", "PATH=/bin\x00SECRET=x\x00LANG=C\x00")
	for id, n := range map[string]string{"10": "150", "11": "7", "12": "3"} {
		start := map[string]string{"10": "100", "11": "100", "12": "250"}[id]
		tr.write(dir+"task/"+id+"/stat", id+" (t"+id+") S 1 2 3 0 -1 0 10 11 12 13 "+n+" 25 16 17 20 0 3 0 "+start+" 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 17 39 40 41 42 43 44 45 46 47 1 49 50 51 0\n")
		tr.write(dir+"task/"+id+"/status", "Name:\tx\nvoluntary_ctxt_switches:\t"+n+"\nnonvoluntary_ctxt_switches:\t1\n")
		tr.write(dir+"task/"+id+"/schedstat", "1 "+n+"000000000 1\n")
		tr.write(dir+"task/"+id+"/io", "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: "+n+"\nwrite_bytes: 4096\ncancelled_write_bytes: 0\n")
	}
	const smaps = "00400000-00500000 r-xp 00001000 fd:02 173521 /usr/bin/app (deleted)\nRss: 40 kB\nPss: 20 kB\nShared_Clean: 4 kB\nShared_Dirty: 8 kB\nPrivate_Clean: 12 kB\nPrivate_Dirty: 16 kB\nReferenced: 24 kB\nAnonymous: 28 kB\nSwap: 32 kB\n" +
		"00600000-00601000 rw-s 00000000 00:00 0 \nRss: 4 kB\nPss: 4 kB\nShared_Clean: 0 kB\nShared_Dirty: 0 kB\nPrivate_Clean: 0 kB\nPrivate_Dirty: 4 kB\nReferenced: 4 kB\nAnonymous: 4 kB\nSwap: 0 kB\n"
	tr.write(dir+"smaps", smaps)

	h := tr.open()
	p := everything(t, h).Processes[0]
	none := FieldIOPriority | FieldFDs | FieldFDInfo | FieldConnections // not of files alone
	assert.Equal(t, AllFields&^none|FieldFDs|FieldFDInfo|FieldConnections, p.Got|none&^FieldIOPriority)
	assert.Equal(t, []string{"app", "--flag", "\uFFFD"}, p.Arguments)
	assert.Equal(t, 3, p.ArgumentCount)
	assert.EqualValues(t, 667, p.OOMScore)
	assert.EqualValues(t, -17, p.OOMAdjustment)
	assert.Equal(t, "/system.slice/app.service", p.Cgroup)
	assert.Equal(t, "0::/system.slice/app.service", p.More.CgroupFile)
	assert.Equal(t, "/srv", p.More.Directory)
	assert.Equal(t, "/", p.More.RootDirectory)
	assert.Equal(t, Limits{Has: 1 << LimitOpenFiles, Of: [NumLimits]Limit{LimitOpenFiles: {1024, Unlimited}}}, p.More.Limits)
	assert.Equal(t, 160.0, p.RunDelay, "of all three threads")

	assert.Equal(t, []uint64{4000 << 10, 1000 << 10, 400 << 10, 20 << 10, 492 << 10}, []uint64{p.VMS, p.RSS, p.Shared, p.Text, p.Data},
		"the same as in statm, which need not be read then")

	m := *p.More
	assert.Equal(t, [4]uint32{1000, 0, 4242, 1000}, m.UIDs)
	assert.Equal(t, [3]string{"alice", "root", "4242"}, m.Users)
	assert.Equal(t, [4]uint32{100, 101, 102, 103}, m.GIDs)
	assert.Equal(t, []uint32{4, 27, 44}, m.Supplementary, "ascending, so that their order makes no other resource")
	assert.EqualValues(t, 0o027, m.Umask)
	assert.EqualValues(t, 1, m.VPID)
	assert.Equal(t, []int32{0, 1, 2, 5}, m.Affinity)
	assert.Equal(t, Signals{Pending: 0x200, ProcessPending: 0x4000, Blocked: 0x10000, Ignored: 0x1000, Caught: 0x180014a07}, m.Signals)
	assert.Equal(t, []uint64{600 << 10, 300 << 10, 100 << 10}, []uint64{m.RSSAnon, m.RSSFile, m.RSSShmem})
	assert.Equal(t, []uint64{12 << 10, 2048 << 10, 2000 << 10}, []uint64{m.Swap, m.HugeTLB, m.Library})
	assert.Equal(t, []uint64{1200 << 10, 4000 << 10, 5}, []uint64{m.Peak, m.PeakVirtual, m.SignalsQueued})
	assert.Equal(t, []uint64{160, 3}, []uint64{m.Voluntary, m.Involuntary})
	assert.Equal(t, []EnvVar{{"LANG", "C"}, {"PATH", "/bin"}}, m.Environment, "as they were asked for")
	assert.Equal(t, 3, m.EnvironmentCount)
	threads := FieldThreadList | FieldThreadSwitches | FieldThreadIO
	assert.Equal(t, []Thread{
		{ID: 10, Got: threads, Name: "t10", Start: 100, Created: bootTime.Add(time.Second), CPU: ProcessCPUTimes{1.5, 0.25}, MinorFaults: 10, MajorFaults: 12, Voluntary: 150, Involuntary: 1, ReadBytes: 150, WriteBytes: 4096},
		{ID: 11, Got: threads, Name: "t11", Start: 100, Created: bootTime.Add(time.Second), CPU: ProcessCPUTimes{0.07, 0.25}, MinorFaults: 10, MajorFaults: 12, Voluntary: 7, Involuntary: 1, ReadBytes: 7, WriteBytes: 4096},
		{ID: 12, Got: threads, Name: "t12", Start: 250, Created: bootTime.Add(2500 * time.Millisecond), CPU: ProcessCPUTimes{0.03, 0.25}, MinorFaults: 10, MajorFaults: 12, Voluntary: 3, Involuntary: 1, ReadBytes: 3, WriteBytes: 4096},
	}, m.ThreadList)
	first := Mapping{
		Start: 0x400000, End: 0x500000, Offset: 0x1000, Permissions: [4]byte{'r', '-', 'x', 'p'}, Device: Device{0xfd, 2}, Inode: 173521, Name: "/usr/bin/app (deleted)",
		SharedClean: 4 << 10, SharedDirty: 8 << 10, PrivateClean: 12 << 10, PrivateDirty: 16 << 10, PSS: 20 << 10, Referenced: 24 << 10, Anonymous: 28 << 10, Swap: 32 << 10,
	}
	second := Mapping{
		Start: 0x600000, End: 0x601000, Permissions: [4]byte{'r', 'w', '-', 's'}, Name: "[anon]",
		PrivateDirty: 4 << 10, PSS: 4 << 10, Referenced: 4 << 10, Anonymous: 4 << 10,
	}
	assert.Equal(t, []Mapping{first, second}, m.Mappings)
	assert.Equal(t, Mapping{
		SharedClean: 4 << 10, SharedDirty: 8 << 10, PrivateClean: 12 << 10, PrivateDirty: 20 << 10, PSS: 24 << 10, Referenced: 28 << 10, Anonymous: 32 << 10, Swap: 32 << 10,
	}, m.Footprint)

	// A thread exits: what it did stays.
	tr.remove(dir + "task/11")
	p = everything(t, h).Processes[0]
	assert.Equal(t, []uint64{160, 3}, []uint64{p.More.Voluntary, p.More.Involuntary})
	assert.Equal(t, 160.0, p.RunDelay)
	assert.Len(t, p.More.ThreadList, 2)
}

// TestZombie: what it was stays, though the file that told has less now.
func TestZombie(t *testing.T) {
	tr := newTree(t)
	app := fake{pid: 10, comm: "app", start: 100, argStart: 1, threads: 1}
	dir := tr.process(app)
	tr.write(dir+"status", treeStatus)
	h := tr.open()
	everything(t, h)
	app.state, app.argStart = 'Z', 0
	tr.stat(app)
	dead := ""
	for line := range strings.Lines(treeStatus) {
		if !strings.HasPrefix(line, "Umask") && !strings.HasPrefix(line, "Vm") && !strings.HasPrefix(line, "Rss") && !strings.HasPrefix(line, "Huge") {
			dead += line
		}
	}
	tr.write(dir+"status", dead)
	for range rotation { // in one of them all is asked for again
		p := everything(t, h).Processes[0]
		assert.True(t, p.Got.Has(FieldUmask|FieldSignals|FieldContextSwitches))
		assert.EqualValues(t, 0o027, p.More.Umask)
		assert.EqualValues(t, 150, p.More.Voluntary)
		assert.Zero(t, p.Got&(FieldMemory|FieldResident|FieldSwap|FieldAffinity))
	}
}

// TestWSL1: the first Windows Subsystem for Linux answers what it does not know
// with nothing, which is not the same as none.
func TestWSL1(t *testing.T) {
	const faked = FieldSignals | FieldSupplementary
	for release, want := range map[string]Fields{
		"4.4.0-19041-Microsoft\n":              0,
		"5.15.153.1-microsoft-standard-WSL2\n": faked,
		"6.18.44\n":                            faked,
	} {
		tr := newTree(t)
		tr.write("proc/sys/kernel/osrelease", release)
		dir := tr.process(fake{pid: 10, comm: "app", start: 100})
		tr.write(dir+"status", treeStatus)
		p := everything(t, tr.open()).Processes[0]
		assert.Equal(t, want, p.Got&faked, release)
		assert.True(t, p.Got.Has(FieldUsers|FieldUmask), release)
	}
}

// Of our own process everything is got, by any user.
func TestLiveEverything(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "open"))
	require.NoError(t, err)
	defer file.Close()
	_, err = file.WriteString("12345")
	require.NoError(t, err)
	require.NoError(t, os.Remove(file.Name()))

	h := live(t)
	var p *Process
	threads := settled(func() int {
		tasks, err := os.ReadDir("/proc/self/task")
		require.NoError(t, err)
		return len(tasks)
	}, func() { p = find(everything(t, h), os.Getpid()) })
	assert.Equal(t, AllFields.String(), p.Got.String())
	assert.Equal(t, os.Args, p.Arguments)
	wd, err := os.Getwd()
	require.NoError(t, err)
	assert.Equal(t, wd, p.More.Directory)
	assert.Equal(t, "/", p.More.RootDirectory)
	assert.Equal(t, os.Getenv("PATH"), p.More.Environment[len(p.More.Environment)-1].Value)
	assert.Positive(t, p.More.Footprint.PSS)
	assert.InDelta(t, float64(p.RSS), float64(p.More.Footprint.Resident()), float64(p.RSS)/2)
	assert.EqualValues(t, threads, p.Threads)
	assert.Len(t, p.More.ThreadList, threads)

	connected := false
	for _, c := range p.More.Connections {
		if c.Transport == TCP && c.State == TCPListen && c.Local.String() == l.Addr().String() {
			connected = true
			assert.False(t, c.IPv6)
			assert.False(t, c.Peer.IsValid())
			assert.Equal(t, SocketStream, c.Type)
		}
	}
	assert.True(t, connected)
	for _, fd := range p.More.FDs {
		if fd.Number == int32(file.Fd()) {
			assert.Equal(t, FDFile, fd.Type)
			assert.Equal(t, file.Name(), fd.Path)
			assert.EqualValues(t, 5, fd.Size)
			assert.EqualValues(t, 5, fd.Position)
			assert.Zero(t, fd.Links, "deleted, and still open")
			assert.EqualValues(t, 0o100600|0o44, fd.Mode|0o44)
		}
	}
	assert.Regexp(t, `^lx1\.[0-9a-f]{12}\.[0-9]+\.[0-9]+$`, h.Token(p.ID))
}

// Detail is read once per interval, within the budget of each snapshot, and
// everybody gets a turn.
// What is wanted of everyone is read of those that are not selected too, and
// nothing else of them.
func TestDetailOfEveryone(t *testing.T) {
	tr := newTree(t)
	for pid := 1; pid <= 3; pid++ {
		dir := tr.process(fake{pid: pid, comm: "p", start: 1})
		tr.link(dir+"fd/0", "/dev/null")
		tr.link(dir+"fd/3", fmt.Sprintf("socket:[%d]", 100+pid))
		tr.write(dir+"oom_score", "1\n")
		tr.write(dir+"oom_score_adj", "0\n")
	}
	h := tr.open()
	read := func(req Request) (all []string) {
		s, err := h.Snapshot(t.Context(), req)
		require.NoError(t, err)
		require.NoError(t, s.ProcessesErr)
		for _, p := range s.Processes {
			one := fmt.Sprint(p.PID)
			if p.Got.Has(FieldFDs) {
				assert.Equal(t, []FD{{Type: FDFile, Path: "/dev/null", Got: FDPath}, {Number: 3, Type: FDSocket, Inode: uint64(100 + p.PID)}}, p.More.FDs)
				one += " descriptors"
			} else if p.More != nil {
				assert.Empty(t, p.More.FDs)
			}
			if p.Got.Has(FieldOOM) {
				one += " oom"
			}
			all = append(all, one)
		}
		return all
	}
	some := Request{
		Fields: FieldOOM, Everyone: FieldFDs,
		Ignore: func(p *Process) bool { return p.PID == 1 },
		Select: func(p *Process) bool { return p.PID == 2 },
	}
	want := []string{"1 descriptors", "2 descriptors oom", "3 descriptors"}
	assert.Equal(t, want, read(some))
	assert.Equal(t, want, read(some), "known by now")
	some.DetailInterval = time.Hour
	assert.Equal(t, []string{"1", "2", "3"}, read(some))
	some.DetailInterval, some.Everyone = 0, 0
	assert.Equal(t, []string{"1", "2 oom", "3"}, read(some))
	assert.Equal(t, []string{"1 descriptors", "2 descriptors", "3 descriptors"}, read(Request{Everyone: FieldFDs, Select: func(*Process) bool { return false }}))
}

func TestDetailSchedule(t *testing.T) {
	tr := newTree(t)
	const n = 10
	for pid := 1; pid <= n; pid++ {
		dir := tr.process(fake{pid: pid, comm: "p", start: 1})
		tr.write(dir+"oom_score", "1\n")
		tr.write(dir+"oom_score_adj", "0\n")
	}
	h := tr.open()
	got := func(req Request) (pids []int32) {
		req.Fields = FieldOOM | FieldState
		s, err := h.Snapshot(t.Context(), req)
		require.NoError(t, err)
		for _, p := range s.Processes {
			if p.Got.Has(FieldOOM) {
				pids = append(pids, p.PID)
			}
			assert.True(t, p.Got.Has(FieldState))
		}
		return pids
	}
	all := []int32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	hour := Request{DetailInterval: time.Hour}
	assert.Equal(t, all, got(hour), "the first snapshot included")
	assert.Empty(t, got(hour))
	assert.Equal(t, all, got(Request{}), "no interval: every time")

	// Ticks are never exact: what is due every time is read every time.
	tick := Request{DetailInterval: time.Minute}
	for i, early := range []time.Duration{0, time.Millisecond, -time.Millisecond, 2 * time.Millisecond} {
		if i > 0 {
			for _, p := range h.table.processes {
				p.cache.detailed = time.Now().Add(-time.Minute + early)
			}
		} else {
			got(Request{})
			for _, p := range h.table.processes {
				p.cache.detailed = time.Time{}
			}
		}
		assert.Equal(t, all, got(tick), "%v early", early)
	}
	assert.Empty(t, got(tick))

	// A budget that one process uses up: one of them per snapshot, in turn.
	tight := Request{DetailBudget: 1}
	for range 2 {
		for _, pid := range all {
			assert.Equal(t, []int32{pid}, got(tight))
		}
	}
}

// With every field but the expensive detail, a process of one thread costs at
// most 16 system calls and allocates nothing.
func TestCostOfEverythingElse(t *testing.T) {
	tr := newTree(t)
	const n = 100
	for pid := 1; pid <= n; pid++ {
		f := fake{pid: pid, comm: "app", start: 100, argStart: 1, exe: "/usr/bin/app", cmdline: "app\x00--flag\x00", threads: 1}
		dir := tr.process(f)
		tr.write(dir+"status", treeStatus)
		tr.write(dir+"schedstat", "1000 2000 3\n")
		tr.write(dir+"cgroup", "0::/system.slice/app.service\n")
		tr.link(dir+"cwd", "/srv")
		tr.link(dir+"root", "/")
		tr.write(dir+"limits", "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 unlimited            files     \n")
		tr.write(dir+"environ", "PATH=/bin\x00")
	}
	h := tr.open()
	h.table.sizeIsCount = true // as on a live /proc
	req := Request{Fields: AllFields &^ (DetailFields | FieldThreadList | FieldThreadSwitches | FieldThreadIO)}
	one := func() {
		_, err := h.Snapshot(context.Background(), req)
		require.NoError(t, err)
	}
	for range rotation {
		one()
	}
	before := h.calls
	allocs := testing.AllocsPerRun(rotation-1, one) // and once before
	perProcess := float64(h.calls-before) / rotation / n
	t.Logf("%.2f system calls per process and snapshot, %.2f allocations", perProcess, allocs/n)
	assert.LessOrEqual(t, perProcess, 16.0)
	assert.LessOrEqual(t, allocs/n, 0.1)
}

// What goes wrong with the sockets of a namespace takes nothing else along.
func TestConnectionsFailAlone(t *testing.T) {
	tr := newTree(t)
	dir := tr.process(fake{pid: 10, comm: "p", start: 1, threads: 1})
	tr.link(dir+"fd/3", "socket:[7]")
	tr.write(dir+"net/tcp", "not the heading that we know\n")
	h := tr.open()
	s, err := h.Snapshot(t.Context(), Request{Fields: FieldFDs | FieldConnections})
	require.NoError(t, err)
	assert.Equal(t, FieldFDs, s.Processes[0].Got)
	assert.Equal(t, []FD{{Number: 3, Type: FDSocket, Inode: 7}}, s.Processes[0].More.FDs)
	assert.Equal(t, 1, s.Tally.Malformed(FieldConnections))
	assert.Zero(t, s.Tally.Malformed(FieldFDs))
	assert.Equal(t, tr.dir+"/proc/10/net: unexpected format", s.Tally.Sample)

	// Where only the connections are wanted, the descriptors are a means.
	tr.write(dir+"net/tcp", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n")
	h = tr.open()
	s, err = h.Snapshot(t.Context(), Request{Fields: FieldConnections})
	require.NoError(t, err)
	assert.Equal(t, FieldConnections, s.Processes[0].Got)
	assert.Empty(t, s.Processes[0].More.Connections, "a socket of a kind that is no connection")
}
