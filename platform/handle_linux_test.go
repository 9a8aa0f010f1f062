// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/internal/pidtest"
)

// open opens the handle of a child.
func open(t *testing.T, h *Host, cmd *exec.Cmd) *Handle {
	t.Helper()
	p, err := h.OpenPID(int32(cmd.Process.Pid))
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// everyKernel runs a test with what each kernel has for handles.
func everyKernel(t *testing.T, body func(t *testing.T, h *Host)) {
	for _, kernel := range kernels {
		t.Run(kernel.name, func(t *testing.T) { body(t, handleHost(t, kernel.can)) })
	}
}

func TestOpenProcess(t *testing.T) {
	everyKernel(t, func(t *testing.T, h *Host) {
		cmd := sleeper(t)
		p := open(t, h, cmd)
		token := p.Token()
		assert.EqualValues(t, cmd.Process.Pid, token.PID)
		parsed, err := ParseToken(token.String())
		require.NoError(t, err)
		assert.Equal(t, token, parsed)
		assert.Equal(t, h.Token(token.ID), Token{Boot: token.Boot, ID: token.ID}.String(), "that of a snapshot")

		again := func(err error, q *Handle) {
			t.Helper()
			require.NoError(t, err)
			assert.Equal(t, token, q.Token())
			q.Close()
		}
		q, err := h.OpenToken(token)
		again(err, q)
		weak := token
		weak.Inode = 0
		q, err = h.OpenToken(weak)
		again(err, q)

		owner, err := p.Owner()
		require.NoError(t, err)
		assert.EqualValues(t, os.Geteuid(), owner)

		r, err := h.Read(t.Context(), p, Request{Fields: FieldState})
		require.NoError(t, err)
		for _, off := range []time.Duration{0, time.Second, -time.Second} {
			q, err = h.OpenCreated(token.PID, r.Created.Add(off))
			again(err, q)
		}
		for _, off := range []time.Duration{1001 * time.Millisecond, -1001 * time.Millisecond, time.Hour} {
			_, err = h.OpenCreated(token.PID, r.Created.Add(off))
			assert.Equal(t, ReasonMismatch, reasonOf(t, err))
		}

		no := func(want Reason, change func(*Token)) {
			t.Helper()
			token := token
			change(&token)
			_, err := h.OpenToken(token)
			assert.Equal(t, want, reasonOf(t, err))
		}
		no(ReasonReused, func(t *Token) { t.Start++ })
		no(ReasonOtherBoot, func(t *Token) { t.Boot = "000000000000" })
		if token.Inode != 0 {
			no(ReasonReused, func(t *Token) { t.Inode++ })
		}
		end(cmd)
		no(ReasonExited, func(*Token) {})
		for _, pid := range []int32{0, -1, -1 << 31, 1<<31 - 1} {
			_, err = h.OpenPID(pid)
			assert.Equal(t, ReasonNotFound, reasonOf(t, err))
		}
		_, err = h.OpenPID(token.PID)
		assert.EqualError(t, err, fmt.Sprintf("process %d: no such process (not_found)", token.PID))
	})
}

// A thread is no process, though /proc opens it and signals would reach it.
func TestOpenThread(t *testing.T) {
	everyKernel(t, func(t *testing.T, h *Host) {
		tasks, err := os.ReadDir("/proc/self/task")
		require.NoError(t, err)
		require.Greater(t, len(tasks), 1)
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			require.NoError(t, err)
			if tid != os.Getpid() {
				_, err = h.OpenPID(int32(tid))
				assert.Equal(t, ReasonNotFound, reasonOf(t, err))
			}
		}
	})
}

// Numbers of another machine, or of another namespace, are not acted on.
func TestOpenElsewhere(t *testing.T) {
	tr := newTree(t)
	tr.process(fake{pid: 10, comm: "a", start: 100})
	h := tr.open()
	_, err := h.OpenPID(10)
	assert.ErrorIs(t, err, ErrNotSupported)
	tr.write("proc/sys/kernel/random/boot_id", "01234567-89ab-cdef-0123-456789abcdef\n")
	h = tr.open()
	_, err = h.OpenToken(Token{Boot: "0123456789ab", ID: ID{10, 100}})
	assert.ErrorIs(t, err, ErrNotSupported)
}

// A folder of processes of another namespace has other numbers.
func TestOtherPIDNamespace(t *testing.T) {
	if os.Getenv(targetEnv) != "" {
		_, err := live(t).OpenSelf()
		assert.ErrorIs(t, err, ErrNotSupported)
		return
	}
	pidtest.Needs(t, unix.CAP_SYS_ADMIN) // to make a namespace
	out, err := pidtest.Again(t, t.Name(), &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}, targetEnv+"=1")
	assert.NoError(t, err, "%s", out)

	// Those of a namespace below ours have a number here too, and it is theirs.
	inner := exec.Command("sleep", "1000")
	inner.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	require.NoError(t, inner.Start())
	t.Cleanup(func() { end(inner) })
	everyKernel(t, func(t *testing.T, h *Host) {
		p := open(t, h, inner)
		r, err := h.Read(t.Context(), p, Request{Fields: FieldVPID})
		require.NoError(t, err)
		assert.EqualValues(t, 1, r.More.VPID)
		_, err = p.SetPriority(1, true)
		assert.NoError(t, err)
		_, err = p.Suspend()
		assert.NoError(t, err)
		_, err = p.Resume()
		assert.NoError(t, err)
	})
}

func TestKernelThread(t *testing.T) {
	h := live(t)
	p, err := h.OpenPID(2) // kthreadd, except in a container
	if err != nil || !p.KernelThread() {
		t.Skip("no thread of the kernel is shown here")
	}
	defer p.Close()
	for _, act := range []func() error{
		func() error { _, err := p.Kill(); return err },
		func() error { _, err := p.SetPriority(0, false); return err },
		func() error { _, err := p.SetAffinity(nil, true); return err },
		func() error { _, err := p.SetLimit(LimitCore, nil, nil); return err },
	} {
		assert.ErrorIs(t, act(), ErrAccessDenied)
	}
}

func TestSignals(t *testing.T) {
	everyKernel(t, func(t *testing.T, h *Host) {
		best := Exact
		if !h.Abilities().Signal {
			best = Verified
		}
		p := open(t, h, sleeper(t))
		for _, sig := range []syscall.Signal{0, -1, 65, 1 << 30} {
			_, err := p.Signal(sig)
			assert.ErrorIs(t, err, ErrInvalidArgument)
			assert.ErrorIs(t, err, fs.ErrInvalid)
		}
		stateIs := func(want ...State) {
			t.Helper()
			require.Eventually(t, func() bool {
				state, err := p.State()
				require.NoError(t, err)
				return slices.Contains(want, state)
			}, 10*time.Second, time.Millisecond)
		}
		g, err := p.Suspend()
		require.NoError(t, err)
		assert.Equal(t, best, g)
		stateIs(StateStopped)
		g, err = p.Resume()
		require.NoError(t, err)
		assert.Equal(t, best, g)
		stateIs(StateSleeping, StateRunning)
		_, err = p.Kill()
		require.NoError(t, err)
		stateIs(StateZombie)

		// A zombie takes signals and settings, and nothing comes of them.
		running, err := p.Running()
		require.NoError(t, err)
		assert.True(t, running)
		soft := uint64(1)
		for _, act := range []func() error{
			func() error { _, err := p.Kill(); return err },
			func() error { _, err := p.SetPriority(5, false); return err },
			func() error { _, err := p.SetPriority(5, true); return err },
			func() error { _, err := p.SetAffinity(nil, false); return err },
			func() error { _, err := p.SetLimit(LimitCore, &soft, nil); return err },
		} {
			assert.ErrorIs(t, act(), ErrZombieProcess)
		}
		p.Close()
		p.Close()
		_, err = p.Kill()
		assert.ErrorIs(t, err, os.ErrClosed)
		_, err = h.Read(t.Context(), p, Request{})
		assert.ErrorIs(t, err, os.ErrClosed)
		_, err = p.Wait(t.Context(), UntilExited)
		assert.ErrorIs(t, err, os.ErrClosed)
	})
}

// An exec keeps the process, also where a thread makes it.
func TestExecKeepsTheHandle(t *testing.T) {
	everyKernel(t, func(t *testing.T, h *Host) {
		cmd := exec.Command("sh", "-c", "read x; exec sleep 1000")
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { end(cmd) })
		p := open(t, h, cmd)
		_, err = in.Write([]byte("\n"))
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			r, err := h.Read(t.Context(), p, Request{Fields: FieldName})
			require.NoError(t, err)
			return r.Name == "sleep"
		}, 10*time.Second, time.Millisecond)
		q, err := h.OpenToken(p.Token())
		require.NoError(t, err)
		q.Close()
		_, err = p.Kill()
		assert.NoError(t, err)
	})
}

func TestTerminate(t *testing.T) {
	everyKernel(t, func(t *testing.T, h *Host) {
		p := open(t, h, sleeper(t))
		_, killed, exit, err := p.Terminate(t.Context(), time.Minute, func() error { return nil })
		require.NoError(t, err)
		assert.False(t, killed)
		require.NotNil(t, exit)
		assert.Equal(t, Exit{Known: true, Signal: unix.SIGTERM}, *exit)
		_, _, _, err = p.Terminate(t.Context(), 0, nil)
		assert.ErrorIs(t, err, ErrZombieProcess)

		stubborn := exec.Command("sh", "-c", "trap '' TERM; echo; while :; do sleep 1000; done")
		out, err := stubborn.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, stubborn.Start())
		t.Cleanup(func() { end(stubborn) })
		_, err = bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		p = open(t, h, stubborn)
		_, killed, exit, err = p.Terminate(t.Context(), 0, nil)
		require.NoError(t, err)
		assert.False(t, killed)
		assert.Nil(t, exit)
		_, _, exit, err = p.Terminate(t.Context(), time.Millisecond, nil)
		assert.ErrorIs(t, err, ErrTimeoutExpired)
		assert.Nil(t, exit)
		no := errors.New("no")
		guarantee, killed, exit, err := p.Terminate(t.Context(), time.Millisecond, func() error { return no })
		assert.ErrorIs(t, err, no)
		assert.NotZero(t, guarantee)
		assert.False(t, killed)
		assert.Nil(t, exit)
		child := childOf(t, stubborn.Process.Pid)
		_, killed, exit, err = p.Terminate(t.Context(), time.Millisecond, func() error { return nil })
		require.NoError(t, err)
		assert.True(t, killed)
		require.NotNil(t, exit)
		assert.Equal(t, Exit{Known: true, Signal: unix.SIGKILL}, *exit)
		orphan, err := h.OpenPID(child)
		require.NoError(t, err)
		defer orphan.Close()
		_, err = orphan.Kill()
		assert.NoError(t, err)
	})
}

func TestWait(t *testing.T) {
	everyKernel(t, func(t *testing.T, h *Host) {
		start := func() (*exec.Cmd, *Handle, func()) {
			cmd := exec.Command("sh", "-c", "read x; exit 7")
			in, err := cmd.StdinPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { end(cmd) })
			return cmd, open(t, h, cmd), func() { _ = in.Close() }
		}
		cmd, p, leave := start()
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := p.Wait(short, UntilExited)
		assert.ErrorIs(t, err, ErrTimeoutExpired)
		leave()
		e, err := p.Wait(t.Context(), UntilExited)
		require.NoError(t, err)
		assert.Equal(t, Exit{Known: true, Code: 7}, e)
		short, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err = p.Wait(short, UntilReaped)
		assert.ErrorIs(t, err, ErrTimeoutExpired)
		_ = cmd.Wait()
		e, err = p.Wait(t.Context(), UntilReaped)
		require.NoError(t, err)
		assert.True(t, e.Reaped)
		if e.Known { // since Linux 6.15, and then of a pidfd
			assert.Equal(t, 7, e.Code)
		}

		// Closing the handle does not disturb who waits.
		cmd, p, leave = start()
		done := make(chan error)
		go func() { _, err := p.Wait(t.Context(), UntilReaped); done <- err }()
		q, r := open(t, h, sleeper(t)), open(t, h, sleeper(t))
		all, cancel := context.WithCancel(t.Context())
		var order []int
		reaped := make(chan struct{})
		go func() {
			defer close(reaped)
			leave()
			_ = cmd.Wait()
		}()
		require.NoError(t, <-done)
		<-reaped
		go func() { _, _ = r.Kill() }()
		WaitAll(all, []*Handle{p, q, r}, UntilExited, func(i int, e Exit, err error) {
			assert.NoError(t, err)
			if order = append(order, i); len(order) == 2 {
				cancel() // any two
			}
		})
		assert.ElementsMatch(t, []int{0, 2}, order)
	})
}

// Many wait without a thread each: all are parked in the runtime's poller,
// none in a system call.
func TestWaitForMany(t *testing.T) {
	h := live(t)
	if !h.Abilities().Pidfd {
		t.Skip("needs Linux 5.3")
	}
	const many = 500
	p := open(t, h, sleeper(t))
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() {
			_, err := p.Wait(t.Context(), UntilExited)
			assert.NoError(t, err)
		})
	}
	var waiting map[string]int
	assert.Eventually(t, func() bool {
		waiting = goroutinesIn("platform.(*Handle).Wait(")
		return waiting["IO wait"] == many
	}, time.Minute, 10*time.Millisecond)
	assert.Equal(t, map[string]int{"IO wait": many}, waiting)
	_, err := p.Kill()
	require.NoError(t, err)
	wg.Wait()
}

// goroutinesIn counts the goroutines that are in a function, by what the runtime
// says they wait for.
func goroutinesIn(function string) map[string]int {
	stacks := make([]byte, 16<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	states := map[string]int{}
	for g := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(g, function) {
			_, state, _ := strings.Cut(g, "[")
			state, _, _ = strings.Cut(state, "]")
			state, _, _ = strings.Cut(state, ",") // for how many minutes
			states[state]++
		}
	}
	return states
}

func TestPriority(t *testing.T) {
	everyKernel(t, func(t *testing.T, h *Host) {
		p := open(t, h, sleeper(t))
		for _, nice := range []int{-21, 20, 1 << 30} {
			_, err := p.SetPriority(nice, false)
			assert.ErrorIs(t, err, ErrInvalidArgument)
		}
		for _, all := range []bool{false, true} {
			e, err := p.SetPriority(19, all)
			require.NoError(t, err)
			assert.Equal(t, Effect{Guarantee: Verified, Changed: 1, Total: 1}, e)
		}
		r, err := h.Read(t.Context(), p, Request{Fields: FieldNice})
		require.NoError(t, err)
		assert.EqualValues(t, 19, r.Nice)
	})
}

// Of ourselves, who have several threads: one, or all of them.
func TestAffinityOfThreads(t *testing.T) {
	everyKernel(t, func(t *testing.T, h *Host) {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestHelperThreads$")
		cmd.Env = append(os.Environ(), "HOSTSCOPE_TEST_THREADS=1")
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { end(cmd) })
		_, err = bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		p := open(t, h, cmd)
		niceness := func() map[int]int32 {
			all := map[int]int32{}
			tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", cmd.Process.Pid))
			require.NoError(t, err)
			for _, task := range tasks {
				b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", cmd.Process.Pid, task.Name()))
				require.NoError(t, err)
				nice, err := strconv.Atoi(strings.Fields(string(b[strings.LastIndexByte(string(b), ')'):]))[17])
				require.NoError(t, err)
				tid, err := strconv.Atoi(task.Name())
				require.NoError(t, err)
				all[tid] = int32(nice)
			}
			return all
		}
		first := niceness()
		e, err := p.SetPriority(18, false)
		require.NoError(t, err)
		assert.Equal(t, 1, e.Changed)
		assert.Greater(t, e.Total, 3)
		first[cmd.Process.Pid] = 18
		assert.Subset(t, niceness(), first)
		threads := settled(func() int { return len(niceness()) }, func() {
			e, err = p.SetPriority(19, true)
			require.NoError(t, err)
		})
		assert.Equal(t, threads, e.Total)
		assert.Equal(t, e.Total, e.Changed)
		assert.Equal(t, Verified, e.Guarantee)
		for tid, nice := range niceness() {
			assert.EqualValues(t, 19, nice, tid)
		}

		r, err := h.Read(t.Context(), p, Request{Fields: FieldAffinity})
		require.NoError(t, err)
		permitted := slices.Clone(r.More.Affinity)
		_, err = p.SetAffinity(permitted[:1], true)
		require.NoError(t, err)
		r, err = h.Read(t.Context(), p, Request{Fields: FieldAffinity})
		require.NoError(t, err)
		assert.Equal(t, permitted[:1], r.More.Affinity)
		e, err = p.SetAffinity(nil, true)
		require.NoError(t, err)
		assert.Equal(t, e.Total, e.Changed)
		r, err = h.Read(t.Context(), p, Request{Fields: FieldAffinity})
		require.NoError(t, err)
		assert.Equal(t, permitted, r.More.Affinity)
		for _, cpus := range [][]int32{{-1}, {maxCPU}, {maxCPU - 1}} { // the last: no CPU that there is
			_, err = p.SetAffinity(cpus, false)
			assert.ErrorIs(t, err, ErrInvalidArgument)
			_, err = p.SetAffinity(cpus, true)
			assert.ErrorIs(t, err, ErrInvalidArgument)
		}
		assert.Equal(t, "EINVAL", ErrnoName(errOf(p.SetAffinity([]int32{maxCPU - 1}, false))))
	})
}

func errOf[T any](_ T, err error) error { return err }

// TestHelperThreads is the child of another test: threads that do nothing.
func TestHelperThreads(t *testing.T) {
	if os.Getenv("HOSTSCOPE_TEST_THREADS") == "" {
		return
	}
	var all sync.WaitGroup
	all.Add(8)
	for range 8 {
		go func() { runtime.LockOSThread(); all.Done(); select {} }()
	}
	all.Wait()
	fmt.Println()
	time.Sleep(time.Hour)
}

func TestSetLimit(t *testing.T) {
	everyKernel(t, func(t *testing.T, h *Host) {
		p := open(t, h, sleeper(t))
		n := func(n uint64) *uint64 { return &n }
		limit := func() Limit {
			r, err := h.Read(t.Context(), p, Request{Fields: FieldLimits})
			require.NoError(t, err)
			return r.More.Limits.Of[LimitOpenFiles]
		}
		first := limit()
		c, err := p.SetLimit(LimitOpenFiles, nil, nil)
		require.NoError(t, err)
		assert.Equal(t, LimitChange{Verified, first, first, false}, c)
		c, err = p.SetLimit(LimitOpenFiles, n(100), n(200))
		require.NoError(t, err)
		assert.Equal(t, LimitChange{Verified, first, Limit{100, 200}, true}, c)
		c, err = p.SetLimit(LimitOpenFiles, n(50), nil)
		require.NoError(t, err)
		assert.Equal(t, LimitChange{Verified, Limit{100, 200}, Limit{50, 200}, false}, c)
		c, err = p.SetLimit(LimitOpenFiles, nil, n(150))
		require.NoError(t, err)
		assert.Equal(t, LimitChange{Verified, Limit{50, 200}, Limit{50, 150}, false}, c)
		assert.Equal(t, Limit{50, 150}, limit())

		// Another program changes the other half between the look and the call.
		changes := 0
		p.step = func(at string) {
			if at == "limit" && changes < 2 {
				changes++
				set := unix.Rlimit{Cur: uint64(50 - changes), Max: uint64(150 - changes)}
				require.NoError(t, unix.Prlimit(int(p.Token().PID), unix.RLIMIT_NOFILE, &set, nil))
			}
		}
		c, err = p.SetLimit(LimitOpenFiles, n(40), nil)
		require.NoError(t, err)
		assert.Equal(t, Limit{40, 148}, c.After)
		assert.Equal(t, Limit{40, 148}, limit())
		p.step = nil

		_, err = p.SetLimit(LimitOpenFiles, n(300), n(200))
		assert.ErrorIs(t, err, ErrInvalidArgument)
		_, err = p.SetLimit(NumLimits, n(1), n(1))
		assert.ErrorIs(t, err, ErrInvalidArgument)
		c, err = p.SetLimit(LimitCPU, n(Unlimited), n(Unlimited))
		require.NoError(t, err)
		assert.Equal(t, Limit{Unlimited, Unlimited}, c.After)
		assert.Equal(t, Limit{40, 148}, limit())
	})
}

func TestFamily(t *testing.T) {
	h := live(t)
	cmd := exec.Command("sh", "-c", "sh -c 'sleep 1000 & wait' & wait")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { end(cmd) })
	p := open(t, h, cmd)
	var middle int32
	require.Eventually(t, func() bool {
		middle = 0
		require.NoError(t, h.Children(t.Context(), p, false, func(c *Handle) error { middle = c.Token().PID; return nil }))
		return middle != 0
	}, 10*time.Second, time.Millisecond)
	last := childOf(t, int(middle))

	tree := func(recursive bool) (pids []int32) {
		require.NoError(t, h.Children(t.Context(), p, recursive, func(c *Handle) error {
			_, err := h.Read(t.Context(), c, Request{Fields: FieldName})
			pids = append(pids, c.Token().PID)
			return err
		}))
		return pids
	}
	assert.Equal(t, []int32{middle}, tree(false))
	assert.Equal(t, []int32{middle, last}, tree(true))
	stop := errors.New("enough")
	assert.ErrorIs(t, h.Children(t.Context(), p, true, func(*Handle) error { return stop }), stop)

	leaf, err := h.OpenPID(last)
	require.NoError(t, err)
	defer leaf.Close()
	var up []int32
	require.NoError(t, h.Parents(t.Context(), leaf, func(a *Handle) error { up = append(up, a.Token().PID); return nil }))
	require.Greater(t, len(up), 3)
	assert.Equal(t, []int32{middle, int32(cmd.Process.Pid), int32(os.Getpid()), int32(os.Getppid())}, up[:4])
	first, err := h.OpenPID(1)
	require.NoError(t, err)
	defer first.Close()
	none, err := h.Parent(first)
	require.NoError(t, err)
	assert.Nil(t, none)
	_, err = leaf.Kill()
	require.NoError(t, err)
}

// Whatever a handle reads is what a snapshot shows.
func TestReadIsTheSnapshot(t *testing.T) {
	h := live(t)
	begin := time.Now()
	cmd := exec.Command("sleep", "1000")
	cmd.Env = []string{"PATH=/bin", "SECRET=x", "A=1", "A=2", "TZ=UTC"}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { end(cmd) })
	asleep(t, cmd.Process.Pid)
	// Those left out depend on what other processes do meanwhile.
	const steady = AllFields &^ (FieldSignalQueue | FieldFootprint | FieldMappingMemory)
	req := Request{Fields: steady, Environment: []string{"TZ", "PATH"}}
	s, err := h.Snapshot(t.Context(), req)
	require.NoError(t, err)
	want := find(s, cmd.Process.Pid)
	require.NotNil(t, want)
	p := open(t, h, cmd)
	r, err := h.Read(t.Context(), p, req)
	require.NoError(t, err)
	got := r.Process
	assert.Positive(t, got.Age)
	assert.LessOrEqual(t, got.Age, time.Since(begin)+time.Second/ticksPerSecond)
	got.Age, got.cache = want.Age, want.cache
	a, b := *got.More, *want.More
	a.SignalsQueued = b.SignalsQueued
	got.More, want.More = nil, nil
	assert.Equal(t, *want, got)
	assert.Equal(t, b, a)
	assert.Equal(t, []EnvVar{{"TZ", "UTC"}, {"PATH", "/bin"}}, a.Environment)

	req.EnvironmentNames = true
	r, err = h.Read(t.Context(), p, req)
	require.NoError(t, err)
	assert.Equal(t, []EnvVar{{"TZ", "UTC"}, {"PATH", "/bin"}, {"SECRET", ""}, {"A", ""}}, r.More.Environment)

	// The rotation of snapshots goes on where it was.
	before := h.table.detail
	_, err = h.Read(t.Context(), p, req)
	require.NoError(t, err)
	assert.Equal(t, before, h.table.detail)
	assert.Equal(t, h.proc, h.table.at)

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = h.Read(gone, p, req)
	assert.ErrorIs(t, err, context.Canceled)
}

// targetEnv has the PID that a test run as another user is about.
const targetEnv = "HOSTSCOPE_TEST_TARGET"

// A list is read page by page, of what it is as a whole.
func TestPage(t *testing.T) {
	h := live(t)
	cmd := sleeper(t)
	p := open(t, h, cmd)
	_, err := p.Suspend() // so that nothing changes
	require.NoError(t, err)
	require.Eventually(t, func() bool { s, err := p.State(); return err == nil && s == StateStopped }, 10*time.Second, time.Millisecond)
	const fields = FieldFDs | FieldMappingList | FieldMappingMemory | FieldThreadList | FieldContextSwitches
	read := func(page Page) *ProcessReading {
		r, err := h.Read(t.Context(), p, Request{Fields: fields, Page: page})
		require.NoError(t, err)
		require.True(t, r.Got.Has(fields))
		for i := range r.More.Mappings { // what other processes share with it comes and goes
			m := &r.More.Mappings[i]
			*m = Mapping{Start: m.Start, End: m.End, Offset: m.Offset, Permissions: m.Permissions, Device: m.Device, Inode: m.Inode, Name: m.Name, Anonymous: m.Anonymous}
		}
		return r
	}
	whole := read(Page{})
	assert.Zero(t, whole.Cut)
	require.Greater(t, len(whole.More.Mappings), 1)
	one := read(Page{Size: 1})
	assert.Equal(t, FieldFDs|FieldMappingList, one.Cut)
	assert.Equal(t, whole.More.FDs[:1], one.More.FDs)
	assert.Equal(t, whole.More.FDs[0].Number, one.Last)
	assert.Equal(t, whole.More.Mappings[:1], one.More.Mappings)
	assert.Equal(t, whole.More.ThreadList, one.More.ThreadList)
	assert.Equal(t, whole.More.Footprint.Resident(), read(Page{Grouped: true}).More.Footprint.Resident())
	last := whole.More.Mappings[len(whole.More.Mappings)-1]
	rest := read(Page{From: last.Start, Size: 1})
	assert.Equal(t, []Mapping{last}, rest.More.Mappings)
	assert.Empty(t, rest.More.FDs)
	assert.Empty(t, rest.More.ThreadList)
	assert.Equal(t, whole.More.Voluntary, rest.More.Voluntary, "of all threads")
	assert.Zero(t, rest.Cut)

	sums := map[string]Mapping{}
	for _, m := range whole.More.Mappings {
		sum := sums[m.Name]
		sums[m.Name] = Mapping{Name: m.Name, End: sum.End + m.End - m.Start, Anonymous: sum.Anonymous + m.Anonymous}
	}
	groups := read(Page{Grouped: true}).More.Mappings
	assert.Len(t, groups, len(sums))
	for _, g := range groups {
		assert.Equal(t, sums[g.Name], g)
	}
	few := read(Page{Grouped: true, Size: 1})
	assert.Equal(t, groups[:1], few.More.Mappings)
	assert.True(t, few.Cut.Has(FieldMappingList))
}

// Who is not shown a process is told so, and not that there is none.
func TestHidepid(t *testing.T) {
	if target := os.Getenv(targetEnv); target != "" {
		pid, err := strconv.Atoi(target)
		require.NoError(t, err)
		h := live(t)
		_, err = h.OpenPID(int32(pid))
		assert.ErrorIs(t, err, ErrAccessDenied)
		_, err = h.OpenPID(1<<22 - 1)
		assert.Equal(t, ReasonNotFound, reasonOf(t, err))
		return
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	namespaced(t, func(t *testing.T) {
		if b, err := os.ReadFile("/proc/self/uid_map"); err != nil || !strings.HasSuffix(string(b), " 4294967295\n") {
			return // there is no other user
		}
		cmd := sleeper(t)
		for _, level := range []string{"1", "2", "4"} {
			require.NoError(t, unix.Mount("proc", "/proc", "proc", 0, "hidepid="+level))
			pidtest.AsUser(t, 65534, targetEnv+"="+strconv.Itoa(cmd.Process.Pid))
			p := open(t, live(t), cmd)
			_, err := live(t).Read(t.Context(), p, Request{Fields: FieldName})
			assert.NoError(t, err)
		}
	})
}

// Another user's process can be seen and not be acted on.
func TestHandleUnprivileged(t *testing.T) {
	if target := os.Getenv(targetEnv); target != "" {
		pid, err := strconv.Atoi(target)
		require.NoError(t, err)
		everyKernel(t, func(t *testing.T, h *Host) {
			p, err := h.OpenPID(int32(pid))
			require.NoError(t, err)
			defer p.Close()
			if state, err := p.State(); err == nil && state == StateZombie {
				e, err := p.Wait(t.Context(), UntilExited)
				require.NoError(t, err)
				assert.Equal(t, Exit{}, e, "it is not told how it ended")
				return
			}
			soft := uint64(1)
			for _, act := range []func() error{
				func() error { _, err := p.Kill(); return err },
				func() error { _, err := p.SetPriority(5, true); return err },
				func() error { _, err := p.SetPriority(5, false); return err },
				func() error { _, err := p.SetAffinity(nil, false); return err },
				func() error { _, err := p.SetLimit(LimitCore, &soft, &soft); return err },
				func() error { _, err := p.SetLimit(LimitCore, nil, &soft); return err },
			} {
				err := act()
				assert.ErrorIs(t, err, ErrAccessDenied)
				assert.Contains(t, []string{"EPERM", "EACCES"}, ErrnoName(err))
			}
			running, err := p.Running()
			require.NoError(t, err)
			assert.True(t, running)
		})
		return
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	cmd := sleeper(t)
	pidtest.AsUser(t, 65534, targetEnv+"="+strconv.Itoa(cmd.Process.Pid))
	unharmed(t, cmd)
	p := open(t, live(t), cmd)
	_, err := p.Kill()
	require.NoError(t, err)
	_, err = p.Wait(t.Context(), UntilExited)
	require.NoError(t, err)
	pidtest.AsUser(t, 65534, targetEnv+"="+strconv.Itoa(cmd.Process.Pid))
}

// A filter of system calls that has not heard of pidfds, as containers have.
func TestFilteredCalls(t *testing.T) {
	arch := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	if arch == 0 {
		t.Skip("the filter is not written for this architecture")
	}
	for _, c := range []struct {
		name   string
		calls  []uint32
		answer unix.Errno
		want   Abilities
	}{
		{"open EPERM", []uint32{unix.SYS_PIDFD_OPEN}, unix.EPERM, Abilities{Signal: true}},
		{"open ENOSYS", []uint32{unix.SYS_PIDFD_OPEN}, unix.ENOSYS, Abilities{Signal: true}},
		{"signal EPERM", []uint32{unix.SYS_PIDFD_SEND_SIGNAL}, unix.EPERM, Abilities{}},
		{"both ENOSYS", []uint32{unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_SEND_SIGNAL}, unix.ENOSYS, Abilities{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			const env = "HOSTSCOPE_TEST_FILTER"
			if os.Getenv(env) == "" {
				out, err := pidtest.Again(t, t.Name(), nil, env+"=1")
				assert.NoError(t, err, "%s", out)
				return
			}
			filterCalls(t, arch, c.calls, c.answer)
			h := live(t)
			assert.Equal(t, c.want, h.Abilities())
			cmd := exec.Command("sleep", "1000")
			require.NoError(t, cmd.Start())
			p := open(t, h, cmd)
			_, err := p.Kill()
			require.NoError(t, err)
			e, err := p.Wait(t.Context(), UntilExited)
			require.NoError(t, err)
			assert.Equal(t, Exit{Known: true, Signal: unix.SIGKILL}, e)
		})
	}
}

// filterCalls makes some system calls of this process fail from now on.
func filterCalls(t *testing.T, arch uint32, calls []uint32, answer unix.Errno) {
	const load, equal, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	program := []unix.SockFilter{{Code: load, K: 4}, {Code: equal, K: arch, Jt: 1}, {Code: ret, K: unix.SECCOMP_RET_ALLOW}, {Code: load, K: 0}}
	for _, call := range calls {
		program = append(program, unix.SockFilter{Code: equal, K: call, Jf: 1}, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(answer)})
	}
	program = append(program, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW})
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	require.NoError(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	require.Zero(t, errno)
}

// Whatever happens, no descriptor stays open.
func TestHandlesLeaveNothing(t *testing.T) {
	count := func() int {
		dir, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(dir)
	}
	h := live(t)
	cmd := sleeper(t)
	once := func() {
		p, err := h.OpenPID(int32(cmd.Process.Pid))
		require.NoError(t, err)
		_, _ = h.OpenToken(Token{Boot: p.token.Boot, ID: ID{p.token.PID, 1}})
		_, _ = h.OpenPID(1<<22 - 1)
		_, _ = p.SetPriority(0, true)
		_, _ = p.Suspend()
		_, _ = p.Resume()
		_, _ = h.Read(t.Context(), p, Request{Fields: AllFields})
		short, cancel := context.WithTimeout(t.Context(), time.Microsecond)
		_, _ = p.Wait(short, UntilReaped)
		cancel()
		_ = h.Parents(t.Context(), p, func(*Handle) error { return nil })
		_ = h.Children(t.Context(), p, true, func(*Handle) error { return nil })
		p.Close()
	}
	once()
	before := count()
	for range 200 {
		once()
	}
	assert.Equal(t, before, count())
}
