// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hostscope/hostscope/platform"
)

// full is a machine that tells all of time, CPUs, load and memory.
func full() (*fakeHost, *platform.Snapshot) {
	snap := snapshot()
	snap.Activity = platform.Activity{
		Got:             1<<6 - 1,
		ContextSwitches: 1000, Interrupts: 2000, SoftInterrupts: 3000, Created: 400, Runnable: 5, Blocked: 0,
	}
	const us = time.Microsecond
	return &fakeHost{tick: tick{
		awake: 100*time.Second + 500*time.Millisecond,
		cores: 2,
		frequencies: []platform.CPUFrequency{
			{Number: 0, Got: 7, Current: 1_800_000_000, Min: 300_000_000, Max: 2_000_000_000},
			{Number: 3, Got: platform.FrequencyCurrent, Current: 2_000_000_001},
			{Number: 4, Got: platform.FrequencyMax, Max: 2_900_000_000},
		},
		load: platform.Load{Got: platform.LoadAverages | platform.LoadThreads, Averages: [3]float64{0.29, 0, 128.5}, Threads: 87},
		pressure: platform.Pressure{
			CPU:    platform.Stall{Got: platform.StallSome, Some: 143191150 * us},
			Memory: platform.Stall{Got: platform.StallSome | platform.StallFull},
			IO:     platform.Stall{Got: platform.StallSome | platform.StallFull, Some: 5642240 * us, Full: 4149197 * us},
		},
		limits: platform.SystemLimits{Got: 7, Tasks: 32768, Files: 2466170, OpenFiles: 449},
		memory: platform.Memory{
			Got: 1<<25 - 1, Total: 1000, Available: 750, Free: 125, Buffers: 25, Cached: 500,
			Active: 1, Inactive: 2, Shared: 3, SlabReclaimable: 4, SlabUnreclaimable: 5, Dirty: 6, Writeback: 7, Anonymous: 8,
			Mapped: 9, PageTables: 10, CommitLimit: 11, Committed: 12, SwapTotal: 400, SwapFree: 300,
			HugePageSize: 2 << 20, HugePagesTotal: 8, HugePagesFree: 6, HugePagesReserved: 2, HugePagesSurplus: 1, PageSize: 16384,
		},
		paging: platform.Paging{Got: 7, PageSize: 16384, SwappedIn: 3, SwappedOut: 5, Faults: 900, MajorFaults: 20, OOMKills: 2},
		swaps:  []platform.Swap{{Name: "/dev/sda2", Total: 200, Used: 100}, {Name: "/swap", Total: 200}, {Name: "/none"}},
	}}, snap
}

// everyMetric is what each metric of a full machine has, as it is configured
// by default but for being enabled.
var everyMetric = map[string][]string{
	"system.awake.time":                   {" 100.5"},
	"system.cpu.context_switches":         {" 1000"},
	"system.cpu.interrupts":               {" 2000"},
	"system.cpu.soft_interrupts":          {" 3000"},
	"system.process.created":              {" 400"},
	"system.process.linux.runnable.count": {" 5"},
	"system.process.linux.blocked.count":  {" 0"},
	"system.cpu.load_average.1m":          {" 0.29"},
	"system.cpu.load_average.5m":          {" 0"},
	"system.cpu.load_average.15m":         {" 128.5"},
	"system.thread.count":                 {" 87"},
	"system.cpu.physical.count":           {" 2"},
	"system.cpu.frequency":                {" 1900000000"},
	"hw.cpu.speed.limit": {
		"{hw.id=cpu/0,hw.limit_type=max,hw.name=cpu0} 2000000000",
		"{hw.id=cpu/0,hw.limit_type=min,hw.name=cpu0} 300000000",
		"{hw.id=cpu/4,hw.limit_type=max,hw.name=cpu4} 2900000000",
	},
	"system.cpu.linux.guest.time":               {"{cpu.mode=nice} 1", "{cpu.mode=user} 4"},
	"system.cpu.linux.pressure.time":            {"{system.linux.pressure.scope=some} 143.19115"},
	"system.memory.linux.pressure.time":         {"{system.linux.pressure.scope=full} 0", "{system.linux.pressure.scope=some} 0"},
	"system.disk.linux.pressure.time":           {"{system.linux.pressure.scope=full} 4.149197", "{system.linux.pressure.scope=some} 5.64224"},
	"system.process.limit":                      {" 32768"},
	"system.file_descriptor.count":              {" 449"},
	"system.file_descriptor.limit":              {" 2466170"},
	"system.memory.page_size":                   {" 16384"},
	"system.memory.unix.page_queue.usage":       {"{system.memory.unix.page_queue.name=active} 1", "{system.memory.unix.page_queue.name=inactive} 2"},
	"system.memory.linux.shared":                {" 3"},
	"system.memory.linux.slab.usage":            {"{system.memory.linux.slab.state=reclaimable} 4", "{system.memory.linux.slab.state=unreclaimable} 5"},
	"system.memory.linux.dirty":                 {" 6"},
	"system.memory.linux.writeback":             {" 7"},
	"system.memory.linux.anonymous":             {" 8"},
	"system.memory.linux.mapped":                {" 9"},
	"system.memory.linux.page_tables":           {" 10"},
	"system.memory.linux.commit_limit":          {" 11"},
	"system.memory.linux.committed":             {" 12"},
	"system.memory.linux.hugepages.limit":       {" 8"},
	"system.memory.linux.hugepages.page_size":   {" 2097152"},
	"system.memory.linux.hugepages.reserved":    {" 2"},
	"system.memory.linux.hugepages.surplus":     {" 1"},
	"system.memory.linux.hugepages.usage":       {"{system.memory.linux.hugepages.state=free} 6", "{system.memory.linux.hugepages.state=used} 2"},
	"system.memory.linux.hugepages.utilization": {"{system.memory.linux.hugepages.state=free} 0.75", "{system.memory.linux.hugepages.state=used} 0.25"},
	"system.memory.linux.oom_kills":             {" 2"},
	"system.paging.faults":                      {"{system.paging.fault.type=major} 20", "{system.paging.fault.type=minor} 880"},
	"system.paging.io":                          {"{system.paging.direction=in} 49152", "{system.paging.direction=out} 81920"},
	"system.paging.operations": {
		"{system.paging.direction=in,system.paging.fault.type=major} 3",
		"{system.paging.direction=out,system.paging.fault.type=major} 5",
	},
	"system.paging.usage":       {"{system.paging.state=free} 300", "{system.paging.state=used} 100"},
	"system.paging.utilization": {"{system.paging.state=free} 0.75", "{system.paging.state=used} 0.25"},
}

func TestHostMetrics(t *testing.T) {
	h, snap := full()
	for name, values := range everyMetric {
		var want []string
		for _, v := range values {
			want = append(want, name+v)
		}
		assert.Equal(t, want, scraped(t, scraperOn(t, platform.Linux, h, only(name, "enabled: true")), snap))
	}

	// A machine that tells nothing of it has no points, not zeros.
	for name := range everyMetric {
		nothing := &platform.Snapshot{Time: now, Boot: boot}
		assert.Empty(t, scraped(t, scraperOn(t, platform.Linux, &fakeHost{}, only(name, "enabled: true")), nothing), name)
	}
}

func TestHostMetricsByAttributes(t *testing.T) {
	h, snap := full()
	for _, tt := range []struct {
		metric, config string
		want           []string
	}{
		{"system.cpu.frequency", "attributes: [cpu.logical_number]", []string{"{cpu.logical_number=0} 1800000000", "{cpu.logical_number=3} 2000000001"}},
		{"system.cpu.frequency", "aggregation_strategy: max", []string{" 2000000001"}},
		{"system.cpu.linux.guest.time", "enabled: true, attributes: [cpu.mode, cpu.logical_number]", []string{
			"{cpu.logical_number=0,cpu.mode=nice} 0", "{cpu.logical_number=0,cpu.mode=user} 0",
			"{cpu.logical_number=3,cpu.mode=nice} 0", "{cpu.logical_number=3,cpu.mode=user} 0",
		}},
		{"system.paging.usage", "attributes: [system.device, system.paging.state]", []string{
			"{system.device=/dev/sda2,system.paging.state=free} 100", "{system.device=/dev/sda2,system.paging.state=used} 100",
			"{system.device=/none,system.paging.state=free} 0", "{system.device=/none,system.paging.state=used} 0",
			"{system.device=/swap,system.paging.state=free} 200", "{system.device=/swap,system.paging.state=used} 0",
		}},
		{"system.paging.usage", "attributes: [system.device]", []string{"{system.device=/dev/sda2} 200", "{system.device=/none} 0", "{system.device=/swap} 200"}},
		{"system.paging.usage", "attributes: []", []string{" 400"}},
		{"system.paging.utilization", "attributes: [system.device, system.paging.state]", []string{
			"{system.device=/dev/sda2,system.paging.state=free} 0.5", "{system.device=/dev/sda2,system.paging.state=used} 0.5",
			"{system.device=/swap,system.paging.state=free} 1", "{system.device=/swap,system.paging.state=used} 0",
		}},
		{"system.paging.utilization", "aggregation_strategy: max", []string{"{system.paging.state=free} 1", "{system.paging.state=used} 0.5"}},
		{"system.paging.faults", "attributes: []", []string{" 900"}},
		{"system.memory.linux.slab.usage", "attributes: []", []string{" 9"}},
		{"system.disk.linux.pressure.time", "attributes: [], aggregation_strategy: max", []string{" 5.64224"}},
	} {
		var want []string
		for _, v := range tt.want {
			want = append(want, tt.metric+v)
		}
		assert.Equal(t, want, scraped(t, scraperOn(t, platform.Linux, h, only(tt.metric, tt.config)), snap), tt.config)
	}
}

// What a kernel has is not always all.
func TestHostMetricsInPart(t *testing.T) {
	h, snap := full()
	expect := func(metric string, want ...string) {
		t.Helper()
		assert.Equal(t, want, scraped(t, scraperOn(t, platform.Linux, h, only(metric, "enabled: true")), snap))
	}
	h.memory.SwapTotal, h.memory.SwapFree = 0, 0
	expect("system.paging.usage", "system.paging.usage{system.paging.state=free} 0", "system.paging.usage{system.paging.state=used} 0")
	expect("system.paging.utilization")
	h.memory.SwapTotal, h.memory.SwapFree = 100, 200 // of another moment, or another container
	expect("system.paging.utilization", "system.paging.utilization{system.paging.state=free} 1", "system.paging.utilization{system.paging.state=used} 0")
	h.memory.HugePagesTotal, h.memory.HugePagesFree = 0, 0
	expect("system.memory.linux.hugepages.usage",
		"system.memory.linux.hugepages.usage{system.memory.linux.hugepages.state=free} 0", "system.memory.linux.hugepages.usage{system.memory.linux.hugepages.state=used} 0")
	expect("system.memory.linux.hugepages.utilization")
	h.memory.Got &^= platform.MemorySlabReclaimable | platform.MemoryInactive
	expect("system.memory.linux.slab.usage", "system.memory.linux.slab.usage{system.memory.linux.slab.state=unreclaimable} 5")
	expect("system.memory.unix.page_queue.usage", "system.memory.unix.page_queue.usage{system.memory.unix.page_queue.name=active} 1")
	h.frequencies = nil
	expect("system.cpu.frequency")
}

// TestReadingInParts: of a reading only what an enabled metric takes is asked
// for, and swap devices only where they are wanted apart.
func TestReadingInParts(t *testing.T) {
	for _, tt := range []struct {
		metric, config string
		reading        platform.Reading
		parts          uint8
	}{
		{"system.cpu.linux.pressure.time", "enabled: true", platform.ReadingPressure, uint8(platform.PressureCPU)},
		{"system.disk.linux.pressure.time", "enabled: true", platform.ReadingPressure, uint8(platform.PressureIO)},
		{"system.cpu.frequency", "enabled: true", platform.ReadingCPUFrequency, uint8(platform.FrequencyCurrent)},
		{"hw.cpu.speed.limit", "enabled: true", platform.ReadingCPUFrequency, uint8(platform.FrequencyMin | platform.FrequencyMax)},
		{"system.process.limit", "enabled: true", platform.ReadingLimits, uint8(platform.LimitsTasks)},
		{"system.file_descriptor.limit", "enabled: true", platform.ReadingLimits, uint8(platform.LimitsFiles)},
		{"system.paging.usage", "enabled: true", platform.ReadingMemory, 0},
		{"system.paging.usage", "attributes: [system.device]", platform.ReadingSwaps, 0},
		{"system.paging.usage", "aggregation_strategy: avg", platform.ReadingSwaps, 0},
		{"system.paging.utilization", "enabled: true", platform.ReadingMemory, 0},
		{"system.paging.utilization", "attributes: [system.device]", platform.ReadingSwaps, 0},
		{"system.paging.utilization", "aggregation_strategy: min", platform.ReadingSwaps, 0},
		{"system.network.tcp.resets", "enabled: true", platform.ReadingProtocols, uint8(platform.ProtocolTCP)},
		{"system.network.udp.errors", "enabled: true", platform.ReadingProtocols, uint8(platform.ProtocolUDP)},
		{"system.network.conntrack.count", "enabled: true", platform.ReadingConntrack, uint8(platform.ConntrackCount)},
		{"system.network.conntrack.max", "enabled: true", platform.ReadingConntrack, uint8(platform.ConntrackMax)},
	} {
		h, snap := full()
		s := scraperOn(t, platform.Linux, h, only(tt.metric, tt.config))
		scraped(t, s, snap)
		assert.Equal(t, []string{tt.reading.String()}, h.asked, tt)
		assert.Equal(t, tt.parts, s.parts(tt.reading), tt)
	}

	// What is in the snapshot anyway is not asked for.
	for _, metric := range []string{"system.cpu.interrupts", "system.cpu.utilization", "system.cpu.linux.guest.time", "system.process.created"} {
		h, snap := full()
		scraped(t, scraperOn(t, platform.Linux, h, only(metric, "enabled: true")), snap)
		assert.Empty(t, h.asked, metric)
	}
}

func TestUtilization(t *testing.T) {
	type times = platform.CPUTimes
	total := scraperOn(t, platform.Linux, machine(), only("system.cpu.utilization", "enabled: true, attributes: [cpu.mode]"))
	each := scraperOn(t, platform.Linux, machine(), only("system.cpu.utilization", "enabled: true, attributes: [cpu.mode, cpu.logical_number]"))
	busiest := scraperOn(t, platform.Linux, machine(), only("system.cpu.utilization", "enabled: true, attributes: [cpu.mode], aggregation_strategy: max"))
	scrape := func(s *Scraper, sum times, cpus ...platform.LogicalCPU) []string {
		lines := scraped(t, s, &platform.Snapshot{Time: now, Boot: boot, CPU: platform.CPU{Total: sum, PerCPU: cpus}})
		var some []string
		for _, line := range lines {
			if line[len(line)-2:] != " 0" {
				some = append(some, line[len("system.cpu.utilization"):])
			}
		}
		return some
	}
	cpu := func(n int, t times) platform.LogicalCPU { return platform.LogicalCPU{Number: n, CPUTimes: t} }

	// Guests are in user already.
	first := times{User: 10, System: 5, Idle: 85, Guest: 10}
	second := times{User: 11, System: 5.5, Idle: 87.5, Guest: 11}
	assert.Empty(t, scrape(total, first))
	assert.Equal(t, []string{"{cpu.mode=idle} 0.625", "{cpu.mode=system} 0.125", "{cpu.mode=user} 0.25"}, scrape(total, second))
	assert.Empty(t, scrape(total, second), "nothing passed")
	assert.Empty(t, scrape(total, times{}), "nothing was read")

	// Idle goes back, and is not counted twice when it has caught up.
	third := second
	third.Idle, third.User = 87, 12
	assert.Equal(t, []string{"{cpu.mode=user} 1"}, scrape(total, third))
	third.Idle, third.User = 88.5, 13
	assert.Equal(t, []string{"{cpu.mode=idle} 0.5", "{cpu.mode=user} 0.5"}, scrape(total, third))

	// CPU 1 is offline in between.
	sum := times{User: 1}
	assert.Empty(t, scrape(each, sum, cpu(0, times{User: 1, Idle: 9}), cpu(1, times{User: 5, Idle: 5})))
	assert.Equal(t, []string{
		"{cpu.logical_number=0,cpu.mode=idle} 0.75", "{cpu.logical_number=0,cpu.mode=user} 0.25", "{cpu.logical_number=1,cpu.mode=iowait} 1",
	}, scrape(each, sum, cpu(0, times{User: 2, Idle: 12}), cpu(1, times{User: 5, Idle: 5, IOWait: 1})))
	assert.Equal(t, []string{"{cpu.logical_number=0,cpu.mode=user} 1"}, scrape(each, sum, cpu(0, times{User: 3, Idle: 12})))
	assert.Equal(t, []string{"{cpu.logical_number=0,cpu.mode=user} 1"},
		scrape(each, sum, cpu(0, times{User: 4, Idle: 12}), cpu(1, times{User: 0.5, Idle: 0})), "it begins anew")
	assert.Equal(t, []string{"{cpu.logical_number=1,cpu.mode=nice} 0.5", "{cpu.logical_number=1,cpu.mode=user} 0.5"},
		scrape(each, sum, cpu(0, times{User: 4, Idle: 12}), cpu(1, times{User: 1.5, Nice: 1})))

	// The highest of each mode is looked for among the CPUs.
	assert.Empty(t, scrape(busiest, sum, cpu(0, times{User: 1}), cpu(1, times{User: 1})))
	assert.Equal(t, []string{"{cpu.mode=idle} 0.75", "{cpu.mode=user} 1"}, scrape(busiest, sum, cpu(0, times{User: 1.25, Idle: 0.75}), cpu(1, times{User: 2})))
}

// TestUtilizationAddsUp: to 1, of the host and of each CPU.
func TestUtilizationAddsUp(t *testing.T) {
	for config, want := range map[string][]string{
		"attributes: [], aggregation_strategy: sum":                   {" 1"},
		"attributes: [cpu.logical_number], aggregation_strategy: sum": {"{cpu.logical_number=0} 1", "{cpu.logical_number=3} 1"},
	} {
		s := scraperOn(t, platform.Linux, machine(), only("system.cpu.utilization", "enabled: true, "+config))
		snap := snapshot()
		scraped(t, s, snap)
		snap.CPU.Total.User, snap.CPU.Total.Idle, snap.CPU.Total.Steal = 10.5, 101.25, 3.25
		snap.CPU.PerCPU[0].User, snap.CPU.PerCPU[1].Idle = 11, 60
		lines := scraped(t, s, snap)
		for i := range want {
			want[i] = "system.cpu.utilization" + want[i]
		}
		assert.Equal(t, want, lines, config)
	}
}

func TestGuestTimeNeverFalls(t *testing.T) {
	s := scraperOn(t, platform.Linux, machine(), only("system.cpu.linux.guest.time", "enabled: true, attributes: [cpu.mode, cpu.logical_number]"))
	for i, tt := range []struct{ read, want float64 }{{10, 10}, {9.75, 10}, {11, 11}, {0.5, 11}, {2.5, 13}} {
		snap := snapshot()
		snap.CPU.PerCPU[0].Guest = tt.read
		assert.Contains(t, scraped(t, s, snap), fmt.Sprintf("system.cpu.linux.guest.time{cpu.logical_number=0,cpu.mode=user} %v", tt.want), i)
	}
}

// TestInterruptsWrap: many of the kernel's counters have 32 bits, and what is
// read is their sum.
func TestInterruptsWrap(t *testing.T) {
	hard := scraperOn(t, platform.Linux, machine(), only("system.cpu.interrupts", "enabled: true"))
	soft := scraperOn(t, platform.Linux, machine(), only("system.cpu.soft_interrupts", "enabled: true"))
	const wrap = 1 << 32
	for i, tt := range []struct{ read, want uint64 }{
		{5 * wrap, 5 * wrap}, {5*wrap + 10, 5*wrap + 10}, {4*wrap + 20, 5*wrap + 20}, {4*wrap + 30, 5*wrap + 30}, {2*wrap + 40, 5*wrap + 40},
		{1 << 62, 1<<62 + 3*wrap}, {7, 1<<62 + 3*wrap + 7}, // at once, not 32 bits after 32
	} {
		snap := snapshot()
		snap.Activity = platform.Activity{Got: platform.ActivityInterrupts | platform.ActivitySoftInterrupts, Interrupts: tt.read, SoftInterrupts: tt.read}
		assert.Equal(t, []string{fmt.Sprintf("system.cpu.interrupts %d", tt.want)}, scraped(t, hard, snap), i)
		assert.Equal(t, []string{fmt.Sprintf("system.cpu.soft_interrupts %d", tt.want)}, scraped(t, soft, snap), i)
	}
}

func TestMinorFaultsNeverFall(t *testing.T) {
	h := machine()
	s := scraperOn(t, platform.Linux, h, only("system.paging.faults", "enabled: true"))
	for i, tt := range []struct{ all, major, minor uint64 }{
		{100, 10, 90}, {100, 11, 90}, {101, 11, 90}, {103, 12, 91},
		{50, 5, 45}, // a container that was restored elsewhere
		{50, 60, 45},
	} {
		h.paging = platform.Paging{Got: platform.PagingFaults, Faults: tt.all, MajorFaults: tt.major}
		assert.Contains(t, scraped(t, s, snapshot()), fmt.Sprintf("system.paging.faults{system.paging.fault.type=minor} %d", tt.minor), i)
	}
}
