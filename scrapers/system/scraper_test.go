// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"errors"
	"fmt"
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
	"github.com/hostscope/hostscope/scrapers/system/internal/metadata"
)

var (
	boot = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	now  = boot.Add(4*time.Hour + 30*time.Second)
)

// fakeHost answers what it holds and notes what it is asked.
type fakeHost struct {
	tick
	errs  map[platform.Reading]error
	asked []string
}

func (h *fakeHost) read(r platform.Reading, t *tick) error {
	h.asked = append(h.asked, r.String())
	h.Snapshot = t.Snapshot
	*t = h.tick
	return h.errs[r]
}

const allMemory = platform.MemoryTotal | platform.MemoryAvailable | platform.MemoryFree | platform.MemoryBuffers | platform.MemoryCached

func machine() *fakeHost {
	return &fakeHost{tick: tick{
		uptime: 14430*time.Second + 250*time.Millisecond,
		memory: platform.Memory{Got: allMemory, Total: 1000, Available: 750, Free: 125, Buffers: 25, Cached: 500},
	}}
}

// A table that was not read counts nothing, not no processes.
func TestProcessCountUnread(t *testing.T) {
	s := scraperOn(t, platform.Linux, machine(), "")
	var md pmetric.Metrics
	require.NoError(t, s.Scrape(t.Context(), &platform.Snapshot{Time: now}, func(m pmetric.Metrics) error { md = m; return nil }))
	for _, line := range emittest.Lines(md) {
		assert.NotContains(t, line, "system.process.count")
		assert.NotContains(t, line, "system.cpu")
	}
	assert.NotZero(t, md.DataPointCount(), "the memory is known all the same")
}

func snapshot() *platform.Snapshot {
	return &platform.Snapshot{
		Time: now,
		Boot: boot,
		CPU: platform.CPU{
			Total: platform.CPUTimes{User: 10.25, Nice: 1, System: 5.5, Idle: 100.75, IOWait: 2, IRQ: 0.5, SoftIRQ: 0.25, Steal: 3, Guest: 4, GuestNice: 1},
			PerCPU: []platform.LogicalCPU{
				{Number: 0, CPUTimes: platform.CPUTimes{User: 10, Idle: 50}},
				{Number: 3, CPUTimes: platform.CPUTimes{User: 0.25, Idle: 50.75, Steal: 3}},
			},
		},
		Processes: []*platform.Process{
			{ID: platform.ID{PID: 1}, Got: platform.FieldState, State: platform.StateSleeping, Selected: true},
			{ID: platform.ID{PID: 2}, Got: platform.FieldState, State: platform.StateIdle, KernelThread: true},
			{ID: platform.ID{PID: 3}, Got: platform.FieldState, State: platform.StateSleeping},
			{ID: platform.ID{PID: 4}, Got: platform.FieldState, State: platform.StateZombie},
			{ID: platform.ID{PID: 5}, State: platform.StateRunning}, // its state was not got
		},
	}
}

func scraperOn(t testing.TB, on platform.OS, h *fakeHost, yaml string) *Scraper {
	cfg, err := configured(t, yaml)
	require.NoError(t, err)
	s, err := newScraper(on, &cfg, "1.2.3")
	require.NoError(t, err)
	s.read = h.read
	return s
}

// only is a configuration with one metric, configured so.
func only(metric, config string) string {
	yaml := "metrics:\n"
	for _, m := range metrics {
		if m.name == metric {
			yaml += "  " + m.name + ": {" + config + "}\n"
		} else {
			yaml += "  " + m.name + ": {enabled: false}\n"
		}
	}
	return yaml
}

// scrape checks what comes out against metadata.yaml.
func scrape(t *testing.T, s *Scraper, snap *platform.Snapshot) ([]string, error) {
	catalog, err := emit.Parse(metadataYAML)
	require.NoError(t, err)
	var lines []string
	err = s.Scrape(t.Context(), snap, func(md pmetric.Metrics) error {
		require.NoError(t, emittest.Check(md, catalog))
		lines = append(lines, emittest.Lines(md)...)
		return nil
	})
	return lines, err
}

// scraped is scrape on Linux for one metric, without the line of the resource.
func scraped(t *testing.T, s *Scraper, snap *platform.Snapshot) []string {
	lines, err := scrape(t, s, snap)
	require.NoError(t, err)
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return slices.DeleteFunc(lines, func(line string) bool { return line == "resource" })
}

func TestScrape(t *testing.T) {
	lines, err := scrape(t, scraperOn(t, platform.Linux, machine(), ""), snapshot())
	require.NoError(t, err)
	assert.Equal(t, []string{
		"resource",
		"  system.boot.timestamp 1772352000",
		"  system.cpu.logical.count 2",
		"  system.cpu.time{cpu.mode=idle} 100.75",
		"  system.cpu.time{cpu.mode=interrupt} 0.5",
		"  system.cpu.time{cpu.mode=iowait} 2",
		"  system.cpu.time{cpu.mode=nice} 1",
		"  system.cpu.time{cpu.mode=softirq} 0.25",
		"  system.cpu.time{cpu.mode=steal} 3",
		"  system.cpu.time{cpu.mode=system} 5.5",
		"  system.cpu.time{cpu.mode=user} 10.25",
		"  system.memory.limit 1000",
		"  system.memory.linux.available 750",
		"  system.memory.usage{system.memory.state=buffers} 25",
		"  system.memory.usage{system.memory.state=cached} 500",
		"  system.memory.usage{system.memory.state=free} 125",
		"  system.memory.usage{system.memory.state=used} 250",
		"  system.memory.utilization{system.memory.state=buffers} 0.025",
		"  system.memory.utilization{system.memory.state=cached} 0.5",
		"  system.memory.utilization{system.memory.state=free} 0.125",
		"  system.memory.utilization{system.memory.state=used} 0.25",
		"  system.process.count{process.state=dead} 0",
		"  system.process.count{process.state=defunct} 1",
		"  system.process.count{process.state=disk_sleep} 0",
		"  system.process.count{process.state=idle} 1",
		"  system.process.count{process.state=parked} 0",
		"  system.process.count{process.state=running} 0",
		"  system.process.count{process.state=sleeping} 2",
		"  system.process.count{process.state=stopped} 0",
		"  system.process.count{process.state=tracing_stop} 0",
		"  system.uptime 14430.25",
	}, lines)
}

func TestTimesAndScope(t *testing.T) {
	s := scraperOn(t, platform.Linux, machine(), "")
	require.NoError(t, s.Scrape(t.Context(), snapshot(), func(md pmetric.Metrics) error {
		scope := md.ResourceMetrics().At(0).ScopeMetrics().At(0)
		assert.Equal(t, metadata.ScopeName, scope.Scope().Name())
		assert.Equal(t, "1.2.3", scope.Scope().Version())
		for _, m := range scope.Metrics().All() {
			if m.Type() == pmetric.MetricTypeSum {
				assert.Equal(t, boot, m.Sum().DataPoints().At(0).StartTimestamp().AsTime(), m.Name())
				assert.Equal(t, now, m.Sum().DataPoints().At(0).Timestamp().AsTime(), m.Name())
			} else {
				assert.Zero(t, m.Gauge().DataPoints().At(0).StartTimestamp(), m.Name())
				assert.Equal(t, now, m.Gauge().DataPoints().At(0).Timestamp().AsTime(), m.Name())
			}
		}
		return errors.New("refused") // not an error of the scrape
	}))
}

func TestCPUTimeByAttributes(t *testing.T) {
	for config, want := range map[string][]string{
		"attributes: [cpu.mode, cpu.logical_number]": {
			"system.cpu.time{cpu.logical_number=0,cpu.mode=idle} 50",
			"system.cpu.time{cpu.logical_number=0,cpu.mode=interrupt} 0",
			"system.cpu.time{cpu.logical_number=0,cpu.mode=iowait} 0",
			"system.cpu.time{cpu.logical_number=0,cpu.mode=nice} 0",
			"system.cpu.time{cpu.logical_number=0,cpu.mode=softirq} 0",
			"system.cpu.time{cpu.logical_number=0,cpu.mode=steal} 0",
			"system.cpu.time{cpu.logical_number=0,cpu.mode=system} 0",
			"system.cpu.time{cpu.logical_number=0,cpu.mode=user} 10",
			"system.cpu.time{cpu.logical_number=3,cpu.mode=idle} 50.75",
			"system.cpu.time{cpu.logical_number=3,cpu.mode=interrupt} 0",
			"system.cpu.time{cpu.logical_number=3,cpu.mode=iowait} 0",
			"system.cpu.time{cpu.logical_number=3,cpu.mode=nice} 0",
			"system.cpu.time{cpu.logical_number=3,cpu.mode=softirq} 0",
			"system.cpu.time{cpu.logical_number=3,cpu.mode=steal} 3",
			"system.cpu.time{cpu.logical_number=3,cpu.mode=system} 0",
			"system.cpu.time{cpu.logical_number=3,cpu.mode=user} 0.25",
		},
		"attributes: [cpu.logical_number]": {
			"system.cpu.time{cpu.logical_number=0} 60",
			"system.cpu.time{cpu.logical_number=3} 54",
		},
		// The sum over the CPUs is what the kernel says it is, which counts
		// those that are offline too.
		"attributes: []": {"system.cpu.time 123.25"},
		"aggregation_strategy: max, attributes: [cpu.logical_number]": {
			"system.cpu.time{cpu.logical_number=0} 50",
			"system.cpu.time{cpu.logical_number=3} 50.75",
		},
		// Anything but the sum is over the CPUs.
		"aggregation_strategy: avg": {
			"system.cpu.time{cpu.mode=idle} 50.375",
			"system.cpu.time{cpu.mode=interrupt} 0",
			"system.cpu.time{cpu.mode=iowait} 0",
			"system.cpu.time{cpu.mode=nice} 0",
			"system.cpu.time{cpu.mode=softirq} 0",
			"system.cpu.time{cpu.mode=steal} 1.5",
			"system.cpu.time{cpu.mode=system} 0",
			"system.cpu.time{cpu.mode=user} 5.125",
		},
		"aggregation_strategy: min, attributes: []": {"system.cpu.time 0"},
		"aggregation_strategy: max, attributes: []": {"system.cpu.time 50.75"},
	} {
		assert.Equal(t, want, scraped(t, scraperOn(t, platform.Linux, machine(), only("system.cpu.time", config)), snapshot()), config)
	}
}

// TestCPUTimeNeverFalls, in sum and for each CPU, neither by a little, which
// happens to idle and iowait, nor by a lot, when a CPU comes back online.
func TestCPUTimeNeverFalls(t *testing.T) {
	type reading struct{ total, cpu0, cpu1 platform.CPUTimes }
	idle := func(total, cpu0, cpu1 float64) reading {
		return reading{platform.CPUTimes{Idle: total}, platform.CPUTimes{Idle: cpu0}, platform.CPUTimes{Idle: cpu1}}
	}
	sum := scraperOn(t, platform.Linux, machine(), only("system.cpu.time", "attributes: [cpu.mode]"))
	each := scraperOn(t, platform.Linux, machine(), only("system.cpu.time", "attributes: [cpu.mode, cpu.logical_number]"))
	for i, tt := range []struct{ read, want reading }{
		{idle(200, 100, 100), idle(200, 100, 100)},
		{idle(199.5, 99.5, 100), idle(200, 100, 100)},       // held
		{idle(199.75, 99.75, 100), idle(200, 100, 100)},     // held on: not 200.25
		{idle(201, 100.5, 100.5), idle(201, 100.5, 100.5)},  // caught up
		{idle(100.75, 100.75, 0), idle(201, 100.75, 100.5)}, // CPU 1 begins anew
		{idle(110.75, 105.75, 5), idle(211, 105.75, 105.5)}, // and counts on
		{idle(110.5, 105.5, 5), idle(211, 105.75, 105.5)},   // held
	} {
		snap := snapshot()
		snap.CPU.Total = tt.read.total
		snap.CPU.PerCPU = []platform.LogicalCPU{{Number: 0, CPUTimes: tt.read.cpu0}, {Number: 1, CPUTimes: tt.read.cpu1}}
		assert.Contains(t, scraped(t, sum, snap), fmt.Sprintf("system.cpu.time{cpu.mode=idle} %v", tt.want.total.Idle), i)
		lines := scraped(t, each, snap)
		assert.Contains(t, lines, fmt.Sprintf("system.cpu.time{cpu.logical_number=0,cpu.mode=idle} %v", tt.want.cpu0.Idle), i)
		assert.Contains(t, lines, fmt.Sprintf("system.cpu.time{cpu.logical_number=1,cpu.mode=idle} %v", tt.want.cpu1.Idle), i)
	}

	// A CPU that is offline for a scrape is not forgotten.
	snap := snapshot()
	snap.CPU.PerCPU = snap.CPU.PerCPU[:1]
	assert.NotContains(t, fmt.Sprint(scraped(t, each, snap)), "cpu.logical_number=1")
	snap.CPU.PerCPU = []platform.LogicalCPU{{Number: 1, CPUTimes: platform.CPUTimes{Idle: 1}}}
	assert.Contains(t, scraped(t, each, snap), "system.cpu.time{cpu.logical_number=1,cpu.mode=idle} 105.5")
}

// TestModesByOS: a mode that a system does not count has no point, rather than
// a zero.
func TestModesByOS(t *testing.T) {
	for on, want := range map[platform.OS][]string{
		platform.Linux:   {"user", "nice", "system", "idle", "iowait", "interrupt", "softirq", "steal"},
		platform.Darwin:  {"user", "nice", "system", "idle"},
		platform.FreeBSD: {"user", "nice", "system", "idle", "interrupt"},
		platform.OpenBSD: {"user", "nice", "system", "idle", "interrupt"},
		platform.NetBSD:  {"user", "nice", "system", "idle", "interrupt"},
		0:                nil,
	} {
		var got []string
		for _, m := range modes {
			if m.on&on != 0 {
				got = append(got, fmt.Sprint(m.attr))
			}
		}
		require.Len(t, got, len(want))
		for i := range want {
			assert.Contains(t, got[i], want[i])
		}
	}
}

func TestMemory(t *testing.T) {
	h := machine()
	for name, tt := range map[string]struct {
		memory platform.Memory
		metric string
		want   []string
	}{
		"used needs available": {
			platform.Memory{Got: allMemory &^ platform.MemoryAvailable, Total: 1000, Free: 125, Buffers: 25, Cached: 500},
			"system.memory.usage",
			[]string{
				"system.memory.usage{system.memory.state=buffers} 25",
				"system.memory.usage{system.memory.state=cached} 500",
				"system.memory.usage{system.memory.state=free} 125",
			},
		},
		"utilization too": {
			platform.Memory{Got: platform.MemoryTotal | platform.MemoryFree, Total: 1000, Free: 125},
			"system.memory.utilization",
			[]string{"system.memory.utilization{system.memory.state=free} 0.125"},
		},
		"never below zero": {
			platform.Memory{Got: platform.MemoryTotal | platform.MemoryAvailable, Total: 1000, Available: 1001},
			"system.memory.usage",
			[]string{"system.memory.usage{system.memory.state=used} 0"},
		},
		"no total": {platform.Memory{Got: platform.MemoryFree, Free: 1}, "system.memory.utilization", nil},
		"zero total": {
			platform.Memory{Got: allMemory}, "system.memory.utilization", nil,
		},
		"no limit":     {platform.Memory{Got: allMemory &^ platform.MemoryTotal}, "system.memory.limit", nil},
		"no available": {platform.Memory{Got: allMemory &^ platform.MemoryAvailable}, "system.memory.linux.available", nil},
	} {
		h.memory = tt.memory
		assert.Equal(t, tt.want, scraped(t, scraperOn(t, platform.Linux, h, only(tt.metric, "enabled: true")), snapshot()), name)
	}
	h.memory = machine().memory
	assert.Equal(t, []string{"system.memory.utilization 0.225"},
		scraped(t, scraperOn(t, platform.Linux, h, only("system.memory.utilization", "attributes: []")), snapshot()), "avg of a gauge")
	assert.Equal(t, []string{"system.memory.usage 500"},
		scraped(t, scraperOn(t, platform.Linux, h, only("system.memory.usage", "attributes: [], aggregation_strategy: max")), snapshot()))
}

func TestProcessCount(t *testing.T) {
	count := func(list ...platform.State) *platform.Snapshot {
		snap := &platform.Snapshot{Time: now, Boot: boot}
		for _, state := range list {
			snap.Processes = append(snap.Processes, &platform.Process{Got: platform.FieldState, State: state})
		}
		return snap
	}
	s := scraperOn(t, platform.Linux, machine(), only("system.process.count", "attributes: []"))
	assert.Equal(t, []string{"system.process.count 3"},
		scraped(t, s, count(platform.StateRunning, platform.StateUnknown, platform.StateZombie)))

	// Of those that hidepid leaves the number would be that of another host.
	hidden := count(platform.StateRunning)
	hidden.Hidden = true
	assert.Empty(t, scraped(t, s, hidden))

	// A state that the platform does not always show has a point from when it
	// is first seen.
	s = scraperOn(t, platform.Linux, machine(), only("system.process.count", "enabled: true"))
	assert.NotContains(t, fmt.Sprint(scraped(t, s, count(platform.StateRunning))), "unknown")
	assert.Contains(t, scraped(t, s, count(platform.StateUnknown, platform.StateUnknown)), "system.process.count{process.state=unknown} 2")
	assert.Contains(t, scraped(t, s, count(platform.StateRunning)), "system.process.count{process.state=unknown} 0")

	// Every state has a value that metadata.yaml declares, which scrape checks.
	every := count()
	for state := range platform.State(platform.NumStates) {
		every.Processes = append(every.Processes, &platform.Process{Got: platform.FieldState, State: state})
	}
	assert.Len(t, scraped(t, s, every), platform.NumStates)
}

// TestStatesByOS: the states that have a point even when nothing is in them.
func TestStatesByOS(t *testing.T) {
	for on, want := range map[platform.OS][]string{
		platform.Linux:   {"running", "sleeping", "disk_sleep", "defunct", "stopped", "tracing_stop", "dead", "parked", "idle"},
		platform.Darwin:  {"running", "sleeping", "defunct", "stopped", "idle"},
		platform.FreeBSD: {"running", "sleeping", "defunct", "stopped", "idle", "locked", "waiting"},
		platform.OpenBSD: {"running", "sleeping", "defunct", "stopped", "idle"},
		platform.NetBSD:  {"running", "sleeping", "defunct", "stopped", "idle", "suspended"},
	} {
		var got []string
		for _, s := range states {
			require.NotEmpty(t, s.name)
			if s.on&on != 0 {
				got = append(got, s.name)
			}
		}
		assert.Equal(t, want, got)
	}
}

// TestErrors: what cannot be read is told, and the rest is emitted.
func TestErrors(t *testing.T) {
	h := machine()
	h.tick = tick{}
	h.errs = map[platform.Reading]error{
		platform.ReadingUptime: fmt.Errorf("/proc/uptime: %w", platform.ErrMalformed),
		platform.ReadingMemory: fmt.Errorf("/proc/meminfo: %w", platform.ErrAccessDenied),
	}
	snap := snapshot()
	snap.ProcessesErr = fmt.Errorf("/proc: %w", platform.ErrTimeoutExpired)
	lines, err := scrape(t, scraperOn(t, platform.Linux, h, ""), snap)
	require.ErrorIs(t, err, platform.ErrMalformed)
	require.ErrorIs(t, err, platform.ErrAccessDenied)
	require.ErrorIs(t, err, platform.ErrTimeoutExpired)
	require.EqualError(t, err, "uptime: /proc/uptime: malformed\nmemory: /proc/meminfo: access denied\nprocesses: /proc: timeout expired")
	out := fmt.Sprint(lines)
	assert.Contains(t, out, "system.cpu.time{cpu.mode=user} 10.25")
	for _, absent := range []string{"system.uptime", "system.memory", "system.process.count"} {
		assert.NotContains(t, out, absent)
	}
}

// TestUnknown: what a snapshot does not know has no point.
func TestUnknown(t *testing.T) {
	s := scraperOn(t, platform.Linux, &fakeHost{}, "metrics: {system.uptime: {enabled: false}, system.process.count: {enabled: false}}")
	require.NoError(t, s.Scrape(t.Context(), &platform.Snapshot{Time: now}, func(pmetric.Metrics) error {
		t.Error("emitted")
		return nil
	}))
}

// TestPayForWhatIsEnabled: nothing is read for a metric that is disabled or
// that the system does not have.
func TestPayForWhatIsEnabled(t *testing.T) {
	for name, tt := range map[string]struct {
		on     platform.OS
		yaml   string
		asked  []string
		fields platform.Fields
	}{
		"all": {platform.Linux, "", []string{
			"uptime", "physical_cpus", "cpu_frequency", "load", "pressure", "limits", "memory", "paging", "disks", "filesystems",
			"network_interfaces", "protocols", "connections",
		}, platform.FieldState},
		"sockets":   {platform.Linux, only("system.network.linux.socket.count", "enabled: true"), []string{"socket_stat"}, 0},
		"addresses": {platform.Linux, only(connectionCount, "attributes: [network.peer.address]"), []string{"connections"}, 0},
		"owners":    {platform.Linux, only(connectionCount, "attributes: [process.pid]"), []string{"connections"}, platform.FieldFDs},
		"no owners": {platform.Linux, only(connectionCount, "aggregation_strategy: max"), []string{"connections"}, 0},
		"memory":    {platform.Linux, only("system.memory.linux.available", "enabled: true"), []string{"memory"}, 0},
		"uptime":    {platform.Linux, only("system.uptime", "enabled: true"), []string{"uptime"}, 0},
		"cpu":       {platform.Linux, only("system.cpu.time", "enabled: true"), nil, 0},
		"no system": {0, "", nil, platform.FieldState},
	} {
		h := machine()
		s := scraperOn(t, tt.on, h, tt.yaml)
		assert.Equal(t, tt.fields, s.Fields(), name)
		_, err := scrape(t, s, snapshot())
		require.NoError(t, err, name)
		assert.Equal(t, tt.asked, h.asked, name)
	}
}

func TestMissingAndUses(t *testing.T) {
	s := scraperOn(t, platform.Linux, machine(), "metrics: {system.uptime: {enabled: false}}")
	assert.Empty(t, s.Missing(platform.Linux))
	assert.Equal(t, []string{
		"system.boot.timestamp",
		"system.cpu.logical.count", "system.cpu.physical.count", "system.cpu.time", "system.cpu.frequency",
		"system.cpu.context_switches", "system.cpu.interrupts", "system.process.created",
		"system.cpu.load_average.1m", "system.cpu.load_average.5m", "system.cpu.load_average.15m",
		"system.cpu.linux.pressure.time", "system.memory.linux.pressure.time", "system.disk.linux.pressure.time", "system.process.limit",
		"system.memory.limit", "system.memory.usage", "system.memory.utilization", "system.memory.linux.available", "system.memory.linux.slab.usage",
		"system.memory.linux.oom_kills", "system.paging.faults", "system.paging.io", "system.paging.operations",
		"system.paging.usage", "system.paging.utilization",
		"system.disk.io", "system.disk.io_time", "system.disk.merged", "system.disk.operation_time", "system.disk.operations",
		"system.filesystem.inode.usage", "system.filesystem.usage", "system.filesystem.utilization",
		"system.network.io", "system.network.packet.count", "system.network.errors", "system.network.packet.dropped",
		"hw.network.up", "hw.network.bandwidth.limit", "system.network.tcp.retransmissions",
		"system.network.connection.count", "system.process.count",
	}, s.Missing(0))
	for _, os := range platform.Systems {
		if os.OS != platform.Linux {
			assert.Contains(t, s.Missing(os.OS), "system.memory.linux.available")
		}
	}
	assert.Equal(t, []string{"system.process.count"}, s.Uses(platform.FieldState))
	assert.Empty(t, s.Uses(platform.FieldCPUTime))
	assert.Empty(t, s.Uses(platform.FieldFDs))
	s = scraperOn(t, platform.Linux, machine(), only(connectionCount, "attributes: [process.unix.file_descriptor.number]"))
	assert.Equal(t, []string{connectionCount}, s.Uses(platform.FieldFDs))
}

// TestTable: all that metadata.yaml declares has a row, and only that.
func TestTable(t *testing.T) {
	catalog, err := emit.Parse(metadataYAML)
	require.NoError(t, err)
	require.Equal(t, metadata.ScopeName, catalog.Scope)
	var rows []string
	for _, m := range metrics {
		rows = append(rows, m.name)
	}
	for name := range catalog.Metrics {
		assert.Contains(t, rows, name)
	}
	assert.Len(t, rows, len(catalog.Metrics))
}

// TestNew makes a scraper of the defaults as the receiver does.
func TestNew(t *testing.T) {
	cfg := NewConfig()
	s, err := New(nil, &cfg, "")
	require.NoError(t, err)
	assert.Equal(t, platform.FieldState, s.Fields())
}
