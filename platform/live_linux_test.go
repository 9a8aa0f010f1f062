// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// These tests read the machine they run on and compare with what the standard
// library and plain system calls say of it.

func live(t testing.TB) *Host {
	h, err := Open(Root{}, Machine{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

func find(s *Snapshot, pid int) *Process {
	for _, p := range s.Processes {
		if int(p.PID) == pid {
			return p
		}
	}
	return nil
}

// Of our own process this platform gives all that its column promises, to any
// user, and it is true.
func TestLiveSelf(t *testing.T) {
	h := live(t)
	var before, after unix.Rusage
	var p *Process
	threads := settled(func() int {
		tasks, err := os.ReadDir("/proc/self/task")
		require.NoError(t, err)
		return len(tasks)
	}, func() {
		require.NoError(t, unix.Getrusage(unix.RUSAGE_SELF, &before))
		p = find(snap(t, h), os.Getpid())
		require.NoError(t, unix.Getrusage(unix.RUSAGE_SELF, &after))
	})
	require.NotNil(t, p)
	assert.EqualValues(t, threads, p.Threads)

	assert.Equal(t, basic, p.Got)
	assert.EqualValues(t, os.Getppid(), p.PPID)
	assert.False(t, p.KernelThread)
	assert.Contains(t, []State{StateRunning, StateSleeping}, p.State)
	assert.WithinDuration(t, time.Now(), p.Created, 15*time.Minute)

	// The kernel rounds down to ticks, and scales user and system so that
	// they add up to the exact run time.
	seconds := func(r unix.Rusage) float64 {
		return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
	}
	assert.GreaterOrEqual(t, p.CPU.User+p.CPU.System, seconds(before)-0.03)
	assert.LessOrEqual(t, p.CPU.User+p.CPU.System, seconds(after)+0.03)

	exe, err := os.Executable()
	require.NoError(t, err)
	assert.Equal(t, exe, p.Executable)
	assert.Equal(t, os.Args[0], p.Command)
	assert.Greater(t, p.RSS, uint64(1<<20))
	assert.Greater(t, p.VMS, p.RSS)
}

// settled reads something that others change, and then does something, until a
// second reading is the same as the first.
func settled[T comparable](read func() T, do func()) T {
	for {
		before := read()
		do()
		if read() == before {
			return before
		}
	}
}

// asleep waits until a child has gone to sleep.
func asleep(t *testing.T, pid int) {
	require.Eventually(t, func() bool {
		b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/wchan")
		return strings.Contains(string(b), "nanosleep")
	}, time.Minute, 10*time.Millisecond)
}

// A child that does nothing any more stands still while it is compared.
func TestLiveChild(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a ) (deleted)")
	sleep, err := exec.LookPath("sleep")
	require.NoError(t, err)
	image, err := os.ReadFile(sleep)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, image, 0o755))
	cmd := exec.Command(name, "100")
	cmd.Args[0] = "argv zero"
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	proc := "/proc/" + strconv.Itoa(cmd.Process.Pid) + "/"
	asleep(t, cmd.Process.Pid)

	h := live(t)
	p := find(snap(t, h), cmd.Process.Pid)
	require.NotNil(t, p)
	assert.Equal(t, basic, p.Got)
	assert.Equal(t, "a ) (deleted)", p.Name)
	assert.Equal(t, name, p.Executable)
	assert.Equal(t, "argv zero", p.Command)
	assert.EqualValues(t, 1, p.Threads)
	assert.Equal(t, StateSleeping, p.State)
	fds, err := os.ReadDir(proc + "fd")
	require.NoError(t, err)
	assert.EqualValues(t, len(fds), p.Descriptors)
	statm, err := os.ReadFile(proc + "statm")
	require.NoError(t, err)
	pages := strings.Fields(string(statm))
	assert.Equal(t, pages[0], strconv.FormatUint(p.VMS/uint64(os.Getpagesize()), 10))
	assert.Equal(t, pages[1], strconv.FormatUint(p.RSS/uint64(os.Getpagesize()), 10))
	assert.WithinDuration(t, time.Now(), p.Created, time.Minute)

	require.NoError(t, os.Link(name, name+" too")) // the file lives on, not the name
	require.NoError(t, os.Remove(name))
	h = live(t)
	assert.Equal(t, name, find(snap(t, h), cmd.Process.Pid).Executable, "the kernel's mark is not part of the name")

	// Dead and not reaped; then gone.
	require.NoError(t, cmd.Process.Kill())
	require.Eventually(t, func() bool { return find(snap(t, h), cmd.Process.Pid).State == StateZombie }, 10*time.Second, 10*time.Millisecond)
	p = find(snap(t, h), cmd.Process.Pid)
	assert.Equal(t, name, p.Executable)
	assert.Zero(t, p.Got&(FieldMemory|FieldDescriptors))
	_ = cmd.Wait()
	assert.Nil(t, find(snap(t, h), cmd.Process.Pid))
}

// The name in stat is what /proc/PID/comm has, whatever is in it.
func TestLiveName(t *testing.T) {
	h := live(t)
	comm, err := os.ReadFile("/proc/self/comm")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.WriteFile("/proc/self/comm", bytes.TrimSuffix(comm, []byte("\n")), 0)) })
	for _, name := range []string{"plain", "a b", ") R (", "back\\slash\\n", "new\nline", "(((", "\xff\xfe", ""} {
		require.NoError(t, os.WriteFile("/proc/self/comm", []byte(name+"\x00"), 0))
		want := strings.ToValidUTF8(name, "\uFFFD")
		assert.Equal(t, want, find(snap(t, h), os.Getpid()).Name)
	}
}

// As another user: what may not be read is absent and counted; the rest is
// the same as before.
func TestLiveUnprivileged(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	cmd := exec.Command("sleep", "100")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	other := live(t)
	asleep(t, cmd.Process.Pid)
	asRoot := *find(snap(t, other), cmd.Process.Pid)

	unprivileged(t, func() {
		h := live(t)
		s := snap(t, h)
		p := find(s, cmd.Process.Pid)
		require.NotNil(t, p)
		want := basic &^ (FieldDiskIO | FieldExecutable)
		if !h.table.sizeIsCount {
			want &^= FieldDescriptors
		}
		assert.Equal(t, want, p.Got)
		assert.Equal(t, asRoot.ID, p.ID)
		assert.Equal(t, asRoot.Created, p.Created)
		assert.Equal(t, asRoot.RSS, p.RSS)
		assert.Equal(t, asRoot.Command, p.Command)
		assert.Equal(t, "root", p.Owner)
		assert.Positive(t, s.Tally.Denied(FieldDiskIO))
		assert.Positive(t, s.Tally.Denied(FieldExecutable))
		assert.Empty(t, s.Tally.Sample)
	})
}

func TestLiveHost(t *testing.T) {
	h := live(t)
	var info, after unix.Sysinfo_t
	require.NoError(t, unix.Sysinfo(&info))

	var m Memory
	require.NoError(t, h.Memory(&m))
	assert.True(t, m.Got.Has(MemoryTotal|MemoryAvailable|MemoryFree|MemoryBuffers|MemoryCached))
	unit := uint64(info.Unit)
	assert.Equal(t, uint64(info.Totalram)*unit/1024, m.Total/1024)
	assert.LessOrEqual(t, m.Available, m.Total)
	assert.Less(t, m.Free, m.Total)

	up, err := h.Uptime()
	require.NoError(t, err)
	require.NoError(t, unix.Sysinfo(&after)) // in seconds, rounded up
	assert.GreaterOrEqual(t, up.Seconds(), float64(info.Uptime)-1.01)
	assert.LessOrEqual(t, up.Seconds(), float64(after.Uptime))

	s := snap(t, h)
	later, err := h.Uptime()
	require.NoError(t, err)
	assert.False(t, s.Time.Before(s.Boot.Add(up-2*time.Second)))
	assert.False(t, s.Time.After(s.Boot.Add(later+2*time.Second)))
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	require.NoError(t, err)
	assert.Len(t, s.CPU.PerCPU, countCPUs(t, strings.TrimSpace(string(online))))
	sum := 0.0
	for _, cpu := range s.CPU.PerCPU {
		sum += cpu.User
	}
	ticks := float64(len(s.CPU.PerCPU)) / ticksPerSecond // of each the kernel rounds down
	assert.GreaterOrEqual(t, sum, s.CPU.Total.User-ticks)
	assert.LessOrEqual(t, sum, snap(t, h).CPU.Total.User+1.0/ticksPerSecond)

	name, err := os.Hostname()
	require.NoError(t, err)
	got, err := h.Name()
	require.NoError(t, err)
	assert.Equal(t, name, got)
}

// countCPUs counts a list such as 0-3,8.
func countCPUs(t *testing.T, list string) (n int) {
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		a, err := strconv.Atoi(from)
		require.NoError(t, err)
		b, err := strconv.Atoi(to)
		require.NoError(t, err)
		n += b - a + 1
	}
	return n
}

// Nothing stays open but the one folder that Open opened.
func TestLiveDescriptors(t *testing.T) {
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(fds)
	}
	before := count()
	h, err := Open(Root{}, Machine{})
	require.NoError(t, err)
	for range 5 {
		snap(t, h)
		var m Memory
		require.NoError(t, h.Memory(&m))
		_, err = h.PowerSupplies(t.Context(), nil, 0, nil)
		require.NoError(t, err)
		_, err = h.Sensors(t.Context(), nil, everySensor, nil)
		require.NoError(t, err)
		_, err = h.EnergyZones(t.Context(), nil)
		require.NoError(t, err)
	}
	assert.Equal(t, before+1, count())
	require.NoError(t, h.Close())
	require.NoError(t, h.Close(), "twice does nothing")
	assert.Equal(t, before, count())
}
