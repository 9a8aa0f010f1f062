// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

func TestProcess(t *testing.T) {
	tr := newTree(t)
	tr.process(fake{pid: 4194304, comm: "a) (\nb", start: 250, argStart: 5, uid: 1000, exe: "/usr/bin/app", cmdline: "app\x00--flag\x00", fds: 7})
	tr.write("proc/12345x/stat", "not a process")

	s := snap(t, tr.open())
	require.Len(t, s.Processes, 1)
	p := *s.Processes[0]
	p.cache = processCache{}
	assert.Equal(t, Process{
		ID:       ID{PID: 4194304, Start: 250},
		Got:      basic,
		Created:  bootTime.Add(2500 * time.Millisecond),
		Age:      97500 * time.Millisecond,
		Selected: true,
		Name:     "a) (\nb",
		PPID:     1,
		State:    StateSleeping,
		CPU:      ProcessCPUTimes{User: 1.5, System: 0.25},
		Threads:  3,
		VMS:      1000 * 4096, RSS: 250 * 4096,
		ReadBytes: 8192, WriteBytes: 4096,
		Descriptors: 7,
		Executable:  "/usr/bin/app",
		Command:     "app",
		Owner:       "alice",

		// Of the same files, though not asked for.
		PGID: 2, SID: 3, MinorFaults: 10, MajorFaults: 12, LastCPU: 39,
		ChildrenCPU: ProcessCPUTimes{User: 0.16, System: 0.17},
		Shared:      100 * 4096, Text: 5 * 4096, Data: 123 * 4096,
		ReadChars: 1, WriteChars: 2, ReadCalls: 3, WriteCalls: 4,
	}, p)
	assert.Equal(t, Tally{}, s.Tally)
}

// A PID that is given to another process is another identity.
func TestIdentity(t *testing.T) {
	tr := newTree(t)
	tr.process(fake{pid: 10, comm: "a", start: 100, exe: "/bin/a", cmdline: "a\x00", uid: 0})
	h := tr.open()
	p := snap(t, h).Processes[0]
	p.Note = "mine"

	q := snap(t, h).Processes[0]
	assert.Same(t, p, q)
	assert.Equal(t, "mine", q.Note, "it stays with the identity")

	tr.process(fake{pid: 10, comm: "a", start: 200, exe: "/bin/b", cmdline: "b\x00", uid: 1000})
	p = snap(t, h).Processes[0]
	assert.Nil(t, p.Note)
	assert.Equal(t, ID{10, 200}, p.ID)
	assert.Equal(t, bootTime.Add(2*time.Second), p.Created)
	assert.Equal(t, "/bin/b", p.Executable)
	assert.Equal(t, "b", p.Command)
	assert.Equal(t, "alice", p.Owner)

	// Its start does not move with the clock, nor does its age; a new process
	// takes the new one. One that was forked since the clock was read is 0 old.
	tr.write("proc/stat", strings.Replace(treeStat, "btime 1700000000", "btime 1700003600", 1))
	h.machine.Now = func() time.Time { return bootTime.Add(time.Hour + 100*time.Second) }
	tr.process(fake{pid: 11, comm: "c", start: 200})
	tr.process(fake{pid: 12, comm: "d", start: 10001})
	s := snap(t, h)
	assert.Equal(t, []time.Duration{98 * time.Second, 98 * time.Second, 0}, []time.Duration{s.Processes[0].Age, s.Processes[1].Age, s.Processes[2].Age})
	tr.remove("proc/12")
	assert.Equal(t, bootTime.Add(2*time.Second), s.Processes[0].Created)
	assert.Equal(t, bootTime.Add(time.Hour+2*time.Second), s.Processes[1].Created)

	tr.remove("proc/10")
	s = snap(t, h)
	require.Len(t, s.Processes, 1)
	assert.EqualValues(t, 11, s.Processes[0].PID)
	assert.Zero(t, s.Tally.Gone, "it was not there to be read")
}

// setproctitle(3) does not make another resource of a process; an exec does.
func TestExec(t *testing.T) {
	tr := newTree(t)
	first := fake{pid: 10, comm: "sh", start: 100, argStart: 1000, exe: "/bin/sh", cmdline: "sh\x00"}
	dir := tr.process(first)
	h := tr.open()
	assert.Equal(t, "sh", snap(t, h).Processes[0].Command)

	tr.write(dir+"cmdline", "sh: busy with something")
	for range 2 * rotation {
		assert.Equal(t, "sh", snap(t, h).Processes[0].Command)
	}

	// Nor does a new name, which a title often comes with.
	renamed := first
	renamed.comm = "sh: busy"
	tr.process(renamed)
	tr.write(dir+"cmdline", "sh: busy")
	p := snap(t, h).Processes[0]
	assert.Equal(t, "sh: busy", p.Name)
	assert.Equal(t, "sh", p.Command)

	exec := first
	exec.argStart, exec.exe, exec.cmdline = 2000, "/bin/app", "app\x00"
	tr.process(exec)
	p = snap(t, h).Processes[0]
	assert.Equal(t, "/bin/app", p.Executable)
	assert.Equal(t, "app", p.Command)

	// One that is about to end has neither an address nor arguments, nor a
	// program. What it was stays.
	gone := exec
	gone.argStart, gone.exe, gone.cmdline = 0, "", ""
	tr.remove(dir + "exe")
	tr.process(gone)
	h.table.turn = 0 // not the turn of 10
	for range 2 {
		p = snap(t, h).Processes[0]
		assert.True(t, p.Got.Has(FieldExecutable|FieldCommand))
		assert.Equal(t, "/bin/app", p.Executable)
		assert.Equal(t, "app", p.Command)
	}

	// Where the address may not be known, the name tells, else the rotation.
	exec.argStart = 0
	tr.process(exec)
	snap(t, h)
	exec.comm, exec.cmdline = "other", "other\x00"
	tr.process(exec)
	assert.Equal(t, "other", snap(t, h).Processes[0].Command)
	tr.write(dir+"cmdline", "unseen\x00")
	got := map[string]int{}
	for range rotation {
		got[snap(t, h).Processes[0].Command]++
	}
	assert.NotZero(t, got["unseen"])
	assert.Equal(t, rotation, got["other"]+got["unseen"])
}

// What starts a service first becomes its user, and then the service.
func TestOwnerOfExec(t *testing.T) {
	tr := newTree(t)
	for _, argStart := range []uint64{0, 9} { // this user may not, or may, know the address
		service := fake{pid: 10 + int(argStart), comm: "(start)", start: 1, argStart: argStart}
		tr.process(service)
		h := tr.open()
		h.table.turn = 1 // not the turn of 10 or 19
		read := func() *Process {
			p := snap(t, h).Processes
			return p[len(p)-1]
		}
		assert.Equal(t, "root", read().Owner)
		service.uid = 1000
		tr.process(service)
		assert.Equal(t, "root", read().Owner, "not read yet")
		service.comm, service.argStart = "service", 2*argStart
		tr.process(service)
		assert.Equal(t, "alice", read().Owner)
	}
}

// A setuid without an exec is seen when the rotation comes round.
func TestOwnerChanges(t *testing.T) {
	tr := newTree(t)
	dir := tr.process(fake{pid: 10, comm: "sshd", start: 1, argStart: 9, uid: 0})
	h := tr.open()
	assert.Equal(t, "root", snap(t, h).Processes[0].Owner)
	tr.write(dir+"status", "Uid:\t1000\t1000\t1000\t1000\n")
	for range rotation {
		snap(t, h)
	}
	assert.Equal(t, "alice", snap(t, h).Processes[0].Owner)
}

func TestOwnerNames(t *testing.T) {
	tr := newTree(t)
	tr.process(fake{pid: 10, comm: "a", start: 1, uid: 4242})
	h := tr.open()
	assert.Equal(t, "4242", snap(t, h).Processes[0].Owner, "an unknown user is a number, not an error")

	// The new user is known as soon as the file says so.
	tr.remove("etc/passwd")
	tr.write("etc/passwd", "first:x:4242:0::/:/bin/sh\nsecond:x:4242:0::/:/bin/sh\n")
	for range rotation {
		snap(t, h)
	}
	assert.Equal(t, "first", snap(t, h).Processes[0].Owner)

	tr.remove("etc/passwd")
	for range rotation {
		snap(t, h)
	}
	assert.Equal(t, "4242", snap(t, h).Processes[0].Owner)
}

func TestKernelThreadAndZombie(t *testing.T) {
	tr := newTree(t)
	dir := tr.process(fake{pid: 2, comm: "kthreadd", start: 1, flags: procfs.FlagKernelThread})
	tr.remove(dir + "exe")
	user := fake{pid: 3, comm: "app", start: 1, argStart: 7, exe: "/bin/app", cmdline: "app\x00", fds: 1}
	dir = tr.process(user)
	h := tr.open()
	s := snap(t, h)
	assert.True(t, s.Processes[0].KernelThread)
	assert.Equal(t, statFields&basic|FieldDiskIO|FieldOwner, s.Processes[0].Got)
	assert.Equal(t, basic, s.Processes[1].Got)

	// What it was is remembered; what it has no more is absent, not 0.
	user.state, user.argStart = 'Z', 0
	tr.stat(user)
	tr.write(dir+"statm", "0 0 0 0 0 0 0\n")
	tr.remove(dir + "exe")
	tr.write(dir+"cmdline", "")
	s = snap(t, h)
	p := s.Processes[1]
	assert.Equal(t, StateZombie, p.State)
	assert.Equal(t, (statFields|FieldDiskIO|steadyFields)&basic, p.Got)
	assert.Equal(t, "/bin/app", p.Executable)
	assert.Equal(t, "app", p.Command)
	assert.Equal(t, Tally{}, s.Tally)
}

// The kernel appends to a worker's name what it works on.
func TestWorkerName(t *testing.T) {
	for comm, want := range map[string]string{
		"kworker/0:1-events":           "kworker/0:1",
		"kworker/u8:2+flush-253:0":     "kworker/u8:2",
		"kworker/1:0H-kblockd":         "kworker/1:0H",
		"kworker/0:1":                  "kworker/0:1",
		"kworker/R-kvfree_rcu_reclaim": "kworker/R-kvfree_rcu_reclaim",
		"jbd2/vda-8":                   "jbd2/vda-8",
		"irq/24-pciehp:x-y":            "irq/24-pciehp:x-y",
	} {
		assert.Equal(t, want, string(workerName([]byte(comm))))
	}
}

// A process that is being reaped has lost its counts: they are not 0.
func TestReaped(t *testing.T) {
	tr := newTree(t)
	tr.process(fake{pid: 10, comm: "p", start: 1, threads: -1})
	s := snap(t, tr.open())
	assert.Empty(t, s.Processes)
	assert.Equal(t, 1, s.Tally.Gone)
}

func TestStates(t *testing.T) {
	for letter, want := range map[byte]State{
		'R': StateRunning, 'S': StateSleeping, 'D': StateDiskSleep, 'Z': StateZombie, 'T': StateStopped,
		't': StateTracingStop, 'X': StateDead, 'x': StateDead, 'K': StateWakeKill, 'W': StateWaking,
		'P': StateParked, 'I': StateIdle, '?': StateUnknown,
	} {
		assert.Equal(t, want, state(letter), "%c", letter)
	}
}

func TestDeletedExecutable(t *testing.T) {
	tr := newTree(t)
	tr.process(fake{pid: 10, comm: "gone", start: 1, exe: "/nowhere/app (deleted)", cmdline: "app\x00"})
	tr.write("bin/there (deleted)", "a file can be called so")
	tr.process(fake{pid: 11, comm: "there", start: 1, exe: "/bin/there (deleted)", cmdline: "app\x00"})
	// It lives on under another name, or in a lower layer: exe still opens.
	tr.write("target (deleted)", "")
	tr.process(fake{pid: 12, comm: "linked", start: 1, exe: "../../target (deleted)", cmdline: "app\x00"})
	// What the process sees of the file system is below its root.
	tr.write("container/bin/own (deleted)", "")
	dir := tr.process(fake{pid: 13, comm: "own", start: 1, exe: "/bin/own (deleted)", cmdline: "app\x00"})
	tr.link(dir+"root", tr.dir+"/container")
	s := snap(t, tr.open())
	assert.Equal(t, "/nowhere/app", s.Processes[0].Executable)
	assert.Equal(t, "/bin/there (deleted)", s.Processes[1].Executable)
	assert.Equal(t, "../../target", s.Processes[2].Executable)
	assert.Equal(t, "/bin/own (deleted)", s.Processes[3].Executable)
}

// A filter decides by what was read long ago as well as by what is new.
func TestFilter(t *testing.T) {
	tr := newTree(t)
	for pid, exe := range map[int]string{10: "/bin/a", 11: "/bin/b"} {
		tr.process(fake{pid: pid, comm: "p", start: 1, argStart: 1, exe: exe, cmdline: "p\x00", uid: 1000})
	}
	h := tr.open()
	for n := range 2 * rotation {
		s, err := h.Snapshot(context.Background(), Request{Fields: basic, Filter: FieldExecutable | FieldOwner, Select: func(p *Process) bool {
			return p.Got.Has(FieldExecutable|FieldOwner) && p.Executable == "/bin/b" && p.Owner == "alice"
		}})
		require.NoError(t, err)
		assert.False(t, s.Processes[0].Selected)
		assert.True(t, s.Processes[1].Selected, "snapshot %d", n)
		assert.Equal(t, basic, s.Processes[1].Got)
		assert.Zero(t, s.Processes[0].Got&(FieldMemory|FieldDiskIO), "nothing more was read")
	}
	// Who is ignored has nothing read for the filter either.
	h = tr.open()
	before := h.calls
	_, err := h.Snapshot(context.Background(), Request{Fields: basic, Filter: FieldExecutable | FieldOwner, Ignore: func(*Process) bool { return true }})
	require.NoError(t, err)
	assert.Equal(t, hostCalls+listCalls+2*3, h.calls-before)

	h = tr.open()
	for range 2 {
		snap(t, h)
	}
	h.table.turn = 0 // not the turn of 10 or 11
	before = h.calls
	_, err = h.Snapshot(context.Background(), Request{Fields: basic, Filter: FieldExecutable | FieldOwner, Select: func(*Process) bool { return false }})
	require.NoError(t, err)
	assert.Equal(t, hostCalls+listCalls+2*3, h.calls-before, "of a process that is filtered out only stat is read")
}

// What is not there is absent; what makes no sense is counted, with a sample;
// nobody else suffers.
func TestHostile(t *testing.T) {
	tr := newTree(t)
	ok := fake{comm: "ok", start: 1, exe: "/bin/ok", cmdline: "ok\x00"}
	for _, pid := range []int{1, 20, 4000000} {
		ok.pid = pid
		tr.process(ok)
	}
	require.NoError(t, os.Mkdir(filepath.Join(tr.dir, "proc/5"), 0o755)) // vanished
	tr.write("proc/6/stat", "")
	tr.write("proc/7/stat", "7 (cut off) S 1 2")
	tr.write("proc/8/stat", "9 (somebody else) S 1 2 3 0 -1 0 10 11 12 13 150 25 16 17 20 0 3 0 1 23\n")
	tr.write("proc/9", "a file")
	no := fake{pid: 11, comm: "no io, no exe, no arguments", start: 1}
	dir := tr.process(no)
	tr.remove(dir + "io")
	bad := fake{pid: 12, comm: "bad\xff", start: 1, cmdline: strings.Repeat("\xfe", 2<<20)}
	dir = tr.process(bad)
	tr.write(dir+"statm", "x")
	tr.write(dir+"io", "nothing")
	tr.write(dir+"status", "Uid:\tx\n")

	h := tr.open()
	for range 2 {
		s := snap(t, h)
		byPID := map[int32]*Process{}
		for _, p := range s.Processes {
			byPID[p.PID] = p
		}
		require.Len(t, byPID, 5)
		for _, pid := range []int32{1, 20, 4000000} {
			assert.Equal(t, basic, byPID[pid].Got)
		}
		assert.Equal(t, basic&^(FieldDiskIO|FieldExecutable|FieldCommand), byPID[11].Got)
		p := byPID[12]
		assert.Equal(t, statFields&basic|FieldDescriptors|FieldCommand, p.Got)
		assert.Equal(t, "bad\uFFFD", p.Name)
		assert.Equal(t, "\uFFFD", p.Command, "of bytes that are no UTF-8 one mark stands for a run")

		assert.Equal(t, 1, s.Tally.Gone)
		assert.Equal(t, 4, s.Tally.Malformed(FieldState), "6, 7, 8 and 9")
		for _, f := range []Fields{FieldMemory, FieldDiskIO, FieldOwner} {
			assert.Equal(t, 1, s.Tally.Malformed(f), "%s", f)
		}
		assert.Zero(t, s.Tally.Denied(FieldDiskIO))
		assert.Equal(t, tr.dir+"/proc/6/stat: unexpected format", s.Tally.Sample)
	}
}

// unprivileged runs f as nobody on this thread alone.
func unprivileged(t *testing.T, f func()) {
	if os.Getuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nobody = 65534
	set := func(uid int) {
		_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0))
		require.Zero(t, errno)
	}
	set(nobody)
	defer set(0)
	f()
}

func TestDenied(t *testing.T) {
	tr := newTree(t)
	dir := tr.process(fake{pid: 10, comm: "secret", start: 1, cmdline: "secret\x00", exe: "/bin/secret", fds: 2})
	hidden := tr.process(fake{pid: 11, comm: "hidden", start: 1}) // hidepid=1
	for _, name := range []string{dir + "io", dir + "fd", hidden} {
		path := filepath.Join(tr.dir, name)
		require.NoError(t, os.Chmod(path, 0))
		t.Cleanup(func() { _ = os.Chmod(path, 0o755) })
	}
	for p := tr.dir; p != "/" && p != os.TempDir(); p = filepath.Dir(p) {
		require.NoError(t, os.Chmod(p, 0o755))
	}

	unprivileged(t, func() {
		h := tr.open()
		for range 2 * rotation {
			s := snap(t, h)
			require.Len(t, s.Processes, 1)
			assert.Equal(t, basic&^(FieldDiskIO|FieldDescriptors), s.Processes[0].Got)
			assert.Equal(t, 1, s.Tally.Denied(FieldDiskIO), "absent in every snapshot, so counted in every one")
			assert.Equal(t, 1, s.Tally.Denied(FieldDescriptors))
			assert.Equal(t, 1, s.Tally.Denied(FieldState))
			assert.Zero(t, s.Tally.Denied(FieldMemory))
			assert.Zero(t, s.Tally.Gone)
			assert.Empty(t, s.Tally.Sample)
		}
		before := h.calls
		h.table.turn = (rotation - 12 + rotation) % rotation // not the turn of PID 10
		snap(t, h)
		// stat, statm 3 each; the hidden one 1. Denied files are not tried.
		assert.Equal(t, hostCalls+listCalls+3+3+1, h.calls-before)
	})
}

const (
	hostCalls = 4 // /proc/stat: open, read, read to the end, close
	listCalls = 3 // lseek, getdents, getdents to the end
)

func TestReadsOnlyWhatIsWanted(t *testing.T) {
	tr := newTree(t)
	const n = 40
	for pid := 1; pid <= n; pid++ {
		tr.process(fake{pid: pid, comm: "p", start: 1, argStart: 1, exe: "/bin/p", cmdline: "p\x00"})
	}
	h := tr.open()
	h.table.sizeIsCount = true // as on a live /proc
	calls := func(req Request) int {
		before := h.calls
		_, err := h.Snapshot(context.Background(), req)
		require.NoError(t, err)
		return h.calls - before
	}
	assert.Equal(t, hostCalls, calls(Request{}), "no field wanted: the table is not read")
	assert.Equal(t, hostCalls+listCalls+3*n, calls(Request{Fields: FieldState}))
	assert.Equal(t, hostCalls+listCalls+6*n, calls(Request{Fields: FieldState | FieldMemory}))
	assert.Equal(t, hostCalls+listCalls+6*n, calls(Request{Fields: FieldDiskIO}))
	assert.Equal(t, hostCalls+listCalls+4*n, calls(Request{Fields: FieldDescriptors}))
	none := func(*Process) bool { return false }
	assert.Equal(t, hostCalls+listCalls+3*n, calls(Request{Fields: basic, Select: none}))

	total := 0
	for range rotation { // everything is read first, then the rotation runs
		calls(Request{Fields: basic})
	}
	for range rotation {
		total += calls(Request{Fields: basic})
	}
	perProcess := float64(total) / rotation / n
	assert.Less(t, perProcess, 11.0, "system calls per process and scrape, all included")
	t.Logf("%.2f system calls per process and snapshot with every field", perProcess)
}

func TestSnapshotDoesNotAllocatePerProcess(t *testing.T) {
	tr := newTree(t)
	const n = 200
	for pid := 1; pid <= n; pid++ {
		tr.process(fake{pid: pid, comm: fmt.Sprint("p", pid), start: uint64(pid), argStart: 1, exe: "/bin/p", cmdline: "p\x00", fds: 2})
	}
	h := tr.open()
	for range rotation {
		snap(t, h)
	}
	allocs := testing.AllocsPerRun(2*rotation, func() { snap(t, h) })
	assert.LessOrEqual(t, allocs, 12.0, "for %d processes", n)
}

// A reading that was cut short forgets nobody.
func TestCancel(t *testing.T) {
	tr := newTree(t)
	for pid := 1; pid <= 200; pid++ {
		tr.process(fake{pid: pid, comm: "p", start: 1})
	}
	h := tr.open()
	for _, p := range snap(t, h).Processes {
		p.Note = p.PID
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	n := 0
	s, err := h.Snapshot(ctx, Request{Fields: FieldState, Select: func(*Process) bool {
		if n++; n == 70 {
			cancel(ErrTimeoutExpired)
		}
		return true
	}})
	require.NoError(t, err)
	assert.Empty(t, s.Processes)
	assert.ErrorIs(t, s.ProcessesErr, ErrTimeoutExpired)
	assert.EqualError(t, s.ProcessesErr, tr.dir+"/proc: after 128 of 200 processes: timeout expired")

	s = snap(t, h)
	require.Len(t, s.Processes, 200)
	for _, p := range s.Processes {
		assert.Equal(t, p.PID, p.Note)
	}
}

// Running out of descriptors is no fault of the process that was read then.
func TestExhausted(t *testing.T) {
	tr := newTree(t)
	tr.process(fake{pid: 1, comm: "p", start: 1})
	h := tr.open()
	snap(t, h).Processes[0].Note = "kept"

	h.table.at, h.table.prefix, h.table.path = h.proc, 2, []byte("1/")
	var tally Tally
	assert.False(t, h.failed(&tally, nil, FieldState, "stat", unix.EMFILE))
	assert.Equal(t, Tally{}, tally)
	assert.Equal(t, unix.EMFILE, h.table.exhausted)
	assert.Equal(t, "kept", snap(t, h).Processes[0].Note)
}

func TestOpenFails(t *testing.T) {
	_, err := Open(Root{Path: "/does/not/exist"}, Machine{})
	assert.EqualError(t, err, "/does/not/exist/proc: file does not exist")
	assert.True(t, errors.Is(err, os.ErrNotExist))
}
