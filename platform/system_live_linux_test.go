// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// These tests read the machine they run on between two readings of a tool: what
// counts must lie between theirs, what rests must be the same.

// tool is what a program prints, or a skip where it is not there.
func tool(t *testing.T, name string, args ...string) func() string {
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s", name)
	}
	return func() string {
		cmd := exec.Command(path, args...)
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		out, err := cmd.Output()
		require.NoError(t, err, name)
		return string(out)
	}
}

// between checks counters: before <= ours <= after.
func between(t *testing.T, before, ours, after map[string]float64) {
	t.Helper()
	for name, v := range ours {
		require.Contains(t, before, name)
		assert.LessOrEqual(t, before[name], v, "%s: before", name)
		assert.LessOrEqual(t, v, after[name], "%s: after", name)
	}
}

const psutilScript = `
import json, psutil
v, s, t, c = psutil.virtual_memory(), psutil.swap_memory(), psutil.cpu_times(), psutil.cpu_stats()
f = psutil.cpu_freq()
print(json.dumps({
	"virtual": v._asdict(), "swap": s._asdict(), "times": t._asdict(), "stats": c._asdict(),
	"cores": psutil.cpu_count(logical=False), "cpus": psutil.cpu_count(), "freq": f and f._asdict(),
	"load": psutil.getloadavg(), "boot": psutil.boot_time(),
}))`

type psutilReading struct {
	Virtual, Swap, Times, Stats map[string]float64
	Cores                       *int
	CPUs                        int
	Freq                        map[string]float64
	Load                        [3]float64
	Boot                        float64
}

func TestLivePsutil(t *testing.T) {
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import psutil").Run() != nil {
		t.Skip("no psutil")
	}
	run := tool(t, python, "-c", psutilScript)
	theirs := func() (r psutilReading) {
		require.NoError(t, json.Unmarshal([]byte(run()), &r))
		return r
	}
	h := live(t)
	before := theirs()
	s := snap(t, h)
	var m Memory
	require.NoError(t, h.Memory(&m))
	var p Paging
	require.NoError(t, h.Paging(&p))
	var l Load
	cores, err := h.PhysicalCPUs()
	require.NoError(t, err)
	freq, err := h.CPUFrequencies(nil, FrequencyCurrent|FrequencyMin|FrequencyMax)
	require.NoError(t, err)
	after := theirs()

	total := s.CPU.Total
	between(t, before.Times, map[string]float64{
		"user": total.User, "nice": total.Nice, "system": total.System, "irq": total.IRQ,
		"softirq": total.SoftIRQ, "steal": total.Steal, "guest": total.Guest, "guest_nice": total.GuestNice,
	}, after.Times)
	// These two may go back a little.
	assert.GreaterOrEqual(t, total.Idle, before.Times["idle"]-1)
	assert.LessOrEqual(t, total.Idle, after.Times["idle"]+1)
	assert.InDelta(t, before.Times["iowait"], total.IOWait, 1+after.Times["iowait"]-before.Times["iowait"])

	require.True(t, s.Activity.Got.Has(ActivityContextSwitches|ActivityInterrupts|ActivitySoftInterrupts|ActivityCreated|ActivityRunnable|ActivityBlocked))
	between(t, before.Stats, map[string]float64{
		"ctx_switches": float64(s.Activity.ContextSwitches), "interrupts": float64(s.Activity.Interrupts), "soft_interrupts": float64(s.Activity.SoftInterrupts),
	}, after.Stats)
	assert.Positive(t, s.Activity.Runnable, "we run")

	// psutil scales by 4096 whatever the size of a page is.
	between(t, before.Swap, map[string]float64{"sin": float64(p.SwappedIn * 4096), "sout": float64(p.SwappedOut * 4096)}, after.Swap)
	assert.Equal(t, before.Swap["total"], float64(m.SwapTotal))

	assert.Equal(t, before.Virtual["total"], float64(m.Total))
	some := float64(m.Total) / 16
	// Other programs come and go; what is wrong is wrong each time.
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		before := theirs()
		require.NoError(c, h.Memory(&m))
		require.NoError(c, h.Load(&l))
		after := theirs()
		for name, v := range map[string]uint64{
			"available": m.Available, "free": m.Free, "buffers": m.Buffers, "active": m.Active, "inactive": m.Inactive, "shared": m.Shared,
			"cached": m.Cached + m.SlabReclaimable, // as free(1) has it; here slabs are apart
			"slab":   m.SlabReclaimable + m.SlabUnreclaimable,
		} {
			assert.InDelta(c, before.Virtual[name], float64(v), some, name)
		}
		for i, v := range l.Averages { // theirs are not rounded
			assert.GreaterOrEqual(c, v, min(before.Load[i], after.Load[i])-0.006)
			assert.LessOrEqual(c, v, max(before.Load[i], after.Load[i])+0.006)
		}
	}, time.Minute, time.Millisecond)
	assert.Len(t, s.CPU.PerCPU, before.CPUs)
	assert.Equal(t, before.Boot, float64(s.Boot.Unix()))
	if before.Cores == nil {
		assert.Zero(t, cores)
	} else {
		assert.Equal(t, *before.Cores, cores)
	}
	if before.Freq != nil && before.Freq["current"] > 0 { // MHz, the mean
		require.Len(t, freq, len(s.CPU.PerCPU))
		for _, c := range freq {
			assert.Equal(t, before.Freq["max"] > 0, c.Got.Has(FrequencyMax))
		}
		require.EventuallyWithT(t, func(c *assert.CollectT) { // it goes up and down
			before := theirs()
			freq, err := h.CPUFrequencies(nil, FrequencyCurrent)
			require.NoError(c, err)
			sum := 0.0
			for _, f := range freq {
				sum += float64(f.Current)
			}
			assert.InEpsilon(c, before.Freq["current"]*1e6, sum/float64(len(freq)), 0.5)
		}, time.Minute, time.Millisecond)
	}
}

// vmstat reads a file of lines of "key number".
func vmstat(t *testing.T) map[string]float64 {
	b, err := os.ReadFile("/proc/vmstat")
	require.NoError(t, err)
	values := map[string]float64{}
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		values[key], err = strconv.ParseFloat(value, 64)
		require.NoError(t, err)
	}
	return values
}

func TestLivePaging(t *testing.T) {
	h := live(t)
	var p Paging
	before := vmstat(t)
	require.NoError(t, h.Paging(&p))
	after := vmstat(t)
	ours := map[string]float64{"pgfault": float64(p.Faults), "pgmajfault": float64(p.MajorFaults)}
	if p.Got.Has(PagingSwap) {
		ours["pswpin"], ours["pswpout"] = float64(p.SwappedIn), float64(p.SwappedOut)
	}
	if p.Got.Has(PagingOOMKills) {
		ours["oom_kill"] = float64(p.OOMKills)
	}
	assert.True(t, p.Got.Has(PagingFaults))
	assert.LessOrEqual(t, p.MajorFaults, p.Faults)
	assert.EqualValues(t, os.Getpagesize(), p.PageSize)
	between(t, before, ours, after)
}

func TestLiveFree(t *testing.T) {
	free := tool(t, "free", "-b", "-w")
	h := live(t)
	var m Memory
	require.EventuallyWithT(t, func(c *assert.CollectT) { // as above
		require.NoError(c, h.Memory(&m))
		mem, swap := []string(nil), []string(nil)
		for line := range strings.Lines(free()) {
			switch f := strings.Fields(line); f[0] {
			case "Mem:":
				mem = f
			case "Swap:":
				swap = f
			}
		}
		// Mem: total used free shared buffers cache available
		require.Len(c, mem, 8)
		require.Len(c, swap, 4)
		number := func(s string) float64 {
			n, err := strconv.ParseFloat(s, 64)
			require.NoError(c, err)
			return n
		}
		some := float64(m.Total) / 16
		assert.Equal(c, number(mem[1]), float64(m.Total))
		assert.InDelta(c, number(mem[3]), float64(m.Free), some)
		assert.InDelta(c, number(mem[4]), float64(m.Shared), some)
		assert.InDelta(c, number(mem[5]), float64(m.Buffers), some)
		assert.InDelta(c, number(mem[6]), float64(m.Cached+m.SlabReclaimable), some)
		assert.InDelta(c, number(mem[7]), float64(m.Available), some)
		assert.Equal(c, number(swap[1]), float64(m.SwapTotal))
	}, time.Minute, time.Millisecond)

	var total uint64
	swaps, err := h.Swaps(nil)
	require.NoError(t, err)
	for _, s := range swaps {
		total += s.Total
	}
	assert.Equal(t, m.SwapTotal, total, "the devices add up")
}

func TestLiveCores(t *testing.T) {
	lscpu := tool(t, "lscpu", "-p=CPU,CORE,SOCKET")
	h := live(t)
	s := snap(t, h)
	cores, err := h.PhysicalCPUs()
	require.NoError(t, err)
	cpus, distinct := 0, map[string]bool{}
	for line := range strings.Lines(lscpu()) {
		if cpu, core, ok := strings.Cut(strings.TrimSpace(line), ","); ok && !strings.HasPrefix(cpu, "#") {
			cpus++
			distinct[core] = true // its number is unique on the host
		}
	}
	assert.Len(t, s.CPU.PerCPU, cpus)
	assert.Len(t, distinct, cores)
}

func TestLiveLoad(t *testing.T) {
	uptime := tool(t, "uptime")
	averages := func() (a [3]float64) {
		_, list, ok := strings.Cut(uptime(), "load average: ")
		require.True(t, ok)
		for i, s := range strings.Split(strings.TrimSpace(list), ", ") {
			v, err := strconv.ParseFloat(s, 64)
			require.NoError(t, err)
			a[i] = v
		}
		return a
	}
	h := live(t)
	var l Load
	want := settled(averages, func() { require.NoError(t, h.Load(&l)) })
	assert.Equal(t, LoadAverages|LoadThreads, l.Got)
	assert.Equal(t, want, l.Averages)
}

// TestLiveThreads: all that there are, are those of the processes, where no
// namespace hides some.
func TestLiveThreads(t *testing.T) {
	h := live(t)
	if s := snap(t, h); find(s, 1) == nil || find(s, 2) == nil || !find(s, 2).KernelThread {
		t.Skip("not all processes of the host are shown here")
	}
	var l Load
	count := func() (threads int) {
		for _, p := range snap(t, h).Processes {
			threads += int(p.Threads)
		}
		return threads
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) { // others start and end some meanwhile
		before := count()
		require.NoError(c, h.Load(&l))
		after := count()
		assert.GreaterOrEqual(c, int(l.Threads), min(before, after))
		assert.LessOrEqual(c, int(l.Threads), max(before, after))
	}, time.Minute, time.Millisecond)
}

func TestLiveLimitsPressureAndClock(t *testing.T) {
	h := live(t)
	var l SystemLimits
	require.NoError(t, h.Limits(&l, LimitsTasks|LimitsFiles|LimitsOpenFiles))
	sysctl := func(name string) uint64 {
		b, err := os.ReadFile("/proc/sys/" + name)
		require.NoError(t, err)
		n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
		require.NoError(t, err)
		return n
	}
	assert.Equal(t, min(sysctl("kernel/pid_max"), sysctl("kernel/threads-max")), l.Tasks)
	assert.Equal(t, sysctl("fs/file-max"), l.Files)
	assert.Positive(t, l.OpenFiles)

	var before, after unix.Timespec
	require.NoError(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &before))
	awake, err := h.AwakeTime()
	require.NoError(t, err)
	require.NoError(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &after))
	assert.LessOrEqual(t, before.Nano(), awake.Nanoseconds())
	assert.LessOrEqual(t, awake.Nanoseconds(), after.Nano())

	total := func(file, scope string) float64 { // microseconds
		b, err := os.ReadFile("/proc/pressure/" + file)
		if err != nil {
			t.Skip("no pressure stall information")
		}
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, scope) {
				_, us, _ := strings.Cut(strings.TrimSpace(line), "total=")
				n, err := strconv.ParseFloat(us, 64)
				require.NoError(t, err)
				return n
			}
		}
		return 0
	}
	read := func() map[string]float64 {
		return map[string]float64{
			"cpu some": total("cpu", "some"), "memory some": total("memory", "some"), "memory full": total("memory", "full"),
			"io some": total("io", "some"), "io full": total("io", "full"),
		}
	}
	first := read()
	var p Pressure
	require.NoError(t, h.Pressure(&p, PressureCPU|PressureMemory|PressureIO))
	last := read()
	between(t, first, map[string]float64{
		"cpu some": float64(p.CPU.Some.Microseconds()), "memory some": float64(p.Memory.Some.Microseconds()), "memory full": float64(p.Memory.Full.Microseconds()),
		"io some": float64(p.IO.Some.Microseconds()), "io full": float64(p.IO.Full.Microseconds()),
	}, last)
	assert.Equal(t, StallSome, p.CPU.Got)
}

// Each file costs four system calls and a few allocations, however much is in
// it; what is in the snapshot or does not change costs nothing.
func TestLiveCostOfReadings(t *testing.T) {
	h := live(t)
	snap(t, h)
	var l Load
	var p Pressure
	var limits SystemLimits
	var m Memory
	var paging Paging
	var swaps []Swap
	for name, reading := range map[string]struct {
		files int
		read  func() error
	}{
		"awake":         {0, func() error { _, err := h.AwakeTime(); return err }},
		"physical CPUs": {0, func() error { _, err := h.PhysicalCPUs(); return err }},
		"load":          {1, func() error { return h.Load(&l) }},
		"pressure":      {3, func() error { return h.Pressure(&p, PressureCPU|PressureMemory|PressureIO) }},
		"limits":        {3, func() error { return h.Limits(&limits, LimitsTasks|LimitsFiles) }},
		"memory":        {1, func() error { return h.Memory(&m) }},
		"paging":        {1, func() error { return h.Paging(&paging) }},
		"swaps":         {1, func() (err error) { swaps, err = h.Swaps(swaps[:0]); return err }},
	} {
		require.NoError(t, reading.read(), name)
		before := h.calls
		require.NoError(t, reading.read(), name)
		calls := h.calls - before
		allocs := testing.AllocsPerRun(10, func() { _ = reading.read() })
		t.Logf("%s: %d system calls, %.0f allocations", name, calls, allocs)
		assert.LessOrEqual(t, calls, 4*reading.files, name)
		assert.LessOrEqual(t, allocs, float64(8*reading.files+1), name)
	}
}
