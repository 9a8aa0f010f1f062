// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/emittest"
	"github.com/hostscope/hostscope/platform"
	"github.com/hostscope/hostscope/scrapers/process/internal/metadata"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// postgres is a process that has everything.
func postgres() *platform.Process {
	return &platform.Process{
		ID:       platform.ID{PID: 4194304, Start: 77},
		Got:      platform.AllFields,
		Created:  time.Date(2023, 11, 21, 10, 25, 34, 853_999_999, time.FixedZone("CET", 3600)),
		Age:      26*time.Hour + 250*time.Millisecond,
		Selected: true,

		Name:        "postgres",
		PPID:        1,
		State:       platform.StateSleeping,
		CPU:         platform.ProcessCPUTimes{User: 12.34, System: 0.5},
		Threads:     3,
		RSS:         8192,
		VMS:         1 << 40,
		ReadBytes:   4096,
		WriteBytes:  0,
		Descriptors: 17,
		Executable:  "/usr/lib/postgresql/16/bin/postgres",
		Command:     "postgres: app db password=hunter2",
		Owner:       "postgres",
	}
}

// kworker is a thread of the kernel, which has no program, arguments, memory
// or descriptors.
func kworker() *platform.Process {
	return &platform.Process{
		ID:           platform.ID{PID: 12, Start: 1},
		Got:          platform.FieldName | platform.FieldState | platform.FieldCPUTime | platform.FieldThreads | platform.FieldOwner,
		Created:      time.Date(2026, 3, 1, 8, 0, 0, 10_000_000, time.UTC),
		KernelThread: true,
		Selected:     true,
		Name:         "kworker/0:1",
		State:        platform.StateIdle,
		CPU:          platform.ProcessCPUTimes{System: 1.25},
		Threads:      1,
		Owner:        "root",
	}
}

func snapshot(processes ...*platform.Process) *platform.Snapshot {
	return &platform.Snapshot{
		Time: now, Boot: now.Add(-time.Hour), Processes: processes,
		CPU: platform.CPU{PerCPU: []platform.LogicalCPU{{Number: 0}, {Number: 1}, {Number: 2}, {Number: 3}}},
	}
}

// scrape takes over what a host does with the request, and checks what comes
// out against metadata.yaml.
func scrape(t *testing.T, s *Scraper, processes ...*platform.Process) []string {
	catalog, err := emit.Parse(metadataYAML)
	require.NoError(t, err)
	for _, p := range processes {
		p.Selected = selects(s, p)
	}
	var lines []string
	require.NoError(t, s.Scrape(t.Context(), snapshot(processes...), func(md pmetric.Metrics) error {
		require.NoError(t, emittest.Check(md, catalog))
		lines = append(lines, emittest.Lines(md)...)
		return nil
	}))
	return lines
}

func newScraper(t testing.TB, cfg Config) *Scraper {
	s, err := New(nil, &cfg, "1.2.3")
	require.NoError(t, err)
	// What it would take of the host.
	s.sample.token = func(id platform.ID) string { return fmt.Sprintf("lx1.0123456789ab.%d.%d", id.PID, id.Start) }
	if s.memory != nil {
		s.memory = func(m *platform.Memory) error {
			m.Got, m.Total = platform.MemoryTotal, 2*postgres().RSS
			return nil
		}
	}
	return s
}

func TestScrape(t *testing.T) {
	assert.Equal(t, []string{
		"resource{process.command=postgres: app db password=***,process.creation.time=2023-11-21T09:25:34.853Z," +
			"process.executable.name=postgres,process.owner=postgres,process.pid=4194304}",
		"  process.cpu.time{cpu.mode=system} 0.5",
		"  process.cpu.time{cpu.mode=user} 12.34",
		"  process.disk.io{disk.io.direction=read} 4096",
		"  process.disk.io{disk.io.direction=write} 0",
		"  process.memory.usage 8192",
		"  process.memory.virtual 1099511627776",
		"  process.thread.count 3",
		"  process.unix.file_descriptor.count 17",
	}, scrape(t, newScraper(t, NewConfig()), postgres()))
}

func TestTimesAndScope(t *testing.T) {
	p := postgres()
	require.NoError(t, newScraper(t, NewConfig()).Scrape(t.Context(), snapshot(p), func(md pmetric.Metrics) error {
		rm := md.ResourceMetrics().At(0)
		assert.Empty(t, rm.SchemaUrl()) // the receiver sets it
		scope := rm.ScopeMetrics().At(0)
		assert.Equal(t, metadata.ScopeName, scope.Scope().Name())
		assert.Equal(t, "1.2.3", scope.Scope().Version())
		for _, m := range scope.Metrics().All() {
			for _, point := range m.Sum().DataPoints().All() {
				assert.True(t, p.Created.Equal(point.StartTimestamp().AsTime()), m.Name())
				assert.Equal(t, now, point.Timestamp().AsTime(), m.Name())
			}
		}
		return nil
	}))
}

func TestKernelThreads(t *testing.T) {
	assert.Empty(t, scrape(t, newScraper(t, NewConfig()), kworker()))

	cfg := NewConfig()
	cfg.KernelThreads = true
	assert.Equal(t, []string{
		"resource{process.creation.time=2026-03-01T08:00:00.010Z,process.executable.name=kworker/0:1,process.owner=root,process.pid=12}",
		"  process.cpu.time{cpu.mode=system} 1.25",
		"  process.cpu.time{cpu.mode=user} 0",
		"  process.thread.count 1",
	}, scrape(t, newScraper(t, cfg), kworker()))
}

// TestAbsentFields: whatever a process lacks is absent. What a Process holds
// of it from an earlier snapshot does not count.
func TestAbsentFields(t *testing.T) {
	for lacking, absent := range map[platform.Fields][]string{
		platform.FieldCPUTime:                         {"process.cpu.time"},
		platform.FieldMemory:                          {"process.memory.usage", "process.memory.virtual"},
		platform.FieldDiskIO:                          {"process.disk.io"},
		platform.FieldThreads:                         {"process.thread.count"},
		platform.FieldDescriptors:                     {"process.unix.file_descriptor.count"},
		platform.FieldCommand:                         {"process.command"},
		platform.FieldOwner:                           {"process.owner"},
		platform.FieldName | platform.FieldExecutable: {"process.executable.name"},
	} {
		p := postgres()
		p.Got &^= lacking
		out := fmt.Sprint(scrape(t, newScraper(t, NewConfig()), p))
		for _, name := range []string{
			"process.cpu.time", "process.memory.usage", "process.memory.virtual", "process.disk.io", "process.thread.count",
			"process.unix.file_descriptor.count", "process.command", "process.owner", "process.executable.name",
		} {
			if slices.Contains(absent, name) {
				assert.NotContains(t, out, name)
			} else {
				assert.Contains(t, out, name)
			}
		}
	}
}

func TestExecutableNameFallsBack(t *testing.T) {
	p := postgres()
	p.Name = "comm of it"
	p.Got &^= platform.FieldExecutable
	assert.Contains(t, scrape(t, newScraper(t, NewConfig()), p)[0], "process.executable.name=comm of it,")
}

// TestNoValues: a process of which no value is known has no resource.
func TestNoValues(t *testing.T) {
	p := postgres()
	p.Got = platform.FieldName | platform.FieldState | platform.FieldOwner
	assert.Empty(t, scrape(t, newScraper(t, NewConfig()), p))
}

func TestNotSelected(t *testing.T) {
	p := postgres()
	p.Selected = false
	require.NoError(t, newScraper(t, NewConfig()).Scrape(t.Context(), snapshot(p), func(pmetric.Metrics) error {
		t.Error("emitted")
		return nil
	}))
}

// TestPayForWhatIsEnabled: what is disabled is neither asked for nor emitted.
func TestPayForWhatIsEnabled(t *testing.T) {
	cfg := NewConfig()
	assert.Equal(t, platform.FieldName|platform.FieldCPUTime|platform.FieldThreads|platform.FieldMemory|platform.FieldDiskIO|platform.FieldDescriptors|
		platform.FieldExecutable|platform.FieldCommand|platform.FieldOwner, newScraper(t, cfg).Fields())

	cfg.Metrics.ProcessDiskIo.Enabled = false
	cfg.Metrics.ProcessMemoryUsage.Enabled = false
	cfg.ResourceAttributes.ProcessCommand.Enabled = false
	cfg.ResourceAttributes.ProcessExecutableName.Enabled = false
	s := newScraper(t, cfg)
	assert.Equal(t, platform.FieldCPUTime|platform.FieldMemory|platform.FieldThreads|platform.FieldDescriptors|platform.FieldOwner, s.Fields())
	assert.Equal(t, []string{
		"resource{process.creation.time=2023-11-21T09:25:34.853Z,process.owner=postgres,process.pid=4194304}",
		"  process.cpu.time{cpu.mode=system} 0.5",
		"  process.cpu.time{cpu.mode=user} 12.34",
		"  process.memory.virtual 1099511627776",
		"  process.thread.count 3",
		"  process.unix.file_descriptor.count 17",
	}, scrape(t, s, postgres()))

	cfg.Metrics = metadata.MetricsConfig{}
	s = newScraper(t, cfg)
	assert.Zero(t, s.Fields())
	assert.Empty(t, scrape(t, s, postgres()))
}

// TestIdentityIsFrozen: the creation time is formatted once per identity, so
// that it is the same in every scrape; another process with the same PID has
// its own. The command follows its argument.
func TestIdentityIsFrozen(t *testing.T) {
	s := newScraper(t, NewConfig())
	p := postgres()
	first := scrape(t, s, p)
	note := p.Note

	p.Created = p.Created.Add(time.Second)
	assert.Equal(t, first, scrape(t, s, p))
	assert.Same(t, note, p.Note)

	p.Command = "/bin/sh"
	assert.Contains(t, scrape(t, s, p)[0], "process.command=/bin/sh,process.creation.time=2023-11-21T09:25:34.853Z")

	next := postgres()
	next.Start, next.Created = 78, now
	assert.Contains(t, scrape(t, s, next)[0], "process.creation.time=2026-03-01T12:00:00.000Z")
}

func TestBatches(t *testing.T) {
	var processes []*platform.Process
	for range 600 {
		p := postgres()
		p.PID = int32(len(processes) + 1)
		processes = append(processes, p)
	}
	processes[0].Selected = false
	s := newScraper(t, NewConfig())

	var batches, pids []int
	require.NoError(t, s.Scrape(t.Context(), snapshot(processes...), func(md pmetric.Metrics) error {
		batches = append(batches, md.ResourceMetrics().Len())
		for _, rm := range md.ResourceMetrics().All() {
			pid, _ := rm.Resource().Attributes().Get("process.pid")
			pids = append(pids, int(pid.Int()))
		}
		return nil
	}))
	assert.Equal(t, []int{256, 256, 87}, batches)
	for i, pid := range pids {
		assert.Equal(t, i+2, pid)
	}

	calls := 0
	require.NoError(t, s.Scrape(t.Context(), snapshot(processes...), func(pmetric.Metrics) error {
		calls++
		return errors.New("refused")
	}))
	assert.Equal(t, 1, calls)

	// A timeout is one of the reading: what was read is handed over, however
	// long the pipeline takes.
	ctx, cancel := context.WithCancel(t.Context())
	calls = 0
	require.NoError(t, s.Scrape(ctx, snapshot(processes...), func(pmetric.Metrics) error {
		calls++
		cancel()
		return nil
	}))
	assert.Equal(t, len(batches), calls)

	// 257 of which the last is not selected: no empty batch follows.
	few := slices.Clone(processes[1:258])
	few[256].Selected = false
	calls = 0
	require.NoError(t, s.Scrape(t.Context(), snapshot(few...), func(pmetric.Metrics) error { calls++; return nil }))
	assert.Equal(t, 1, calls)
}

func TestNoProcessTable(t *testing.T) {
	snap := snapshot(postgres())
	snap.ProcessesErr = fmt.Errorf("/proc: %w", platform.ErrAccessDenied)
	require.ErrorIs(t, newScraper(t, NewConfig()).Scrape(t.Context(), snap, func(pmetric.Metrics) error {
		t.Error("emitted")
		return nil
	}), platform.ErrAccessDenied)
}

func TestMissingAndUses(t *testing.T) {
	cfg := NewConfig()
	s := newScraper(t, cfg)
	assert.Empty(t, s.Missing(platform.Linux))
	assert.Equal(t, []string{ // all that is not in the identity itself
		"process.cpu.time", "process.memory.usage", "process.memory.virtual", "process.disk.io", "process.thread.count",
		"process.unix.file_descriptor.count", "process.executable.name", "process.command", "process.owner",
	}, s.Missing(0))
	assert.Equal(t, []string{"process.memory.usage", "process.memory.virtual"}, s.Uses(platform.FieldMemory))
	assert.Equal(t, []string{"process.executable.name"}, s.Uses(platform.FieldExecutable))
	assert.Empty(t, s.Uses(platform.FieldParent))
	assert.Len(t, s.Uses(platform.FieldState), 6+5, "without it nothing is known")

	cfg.Metrics.ProcessMemoryUsage.Enabled = false
	cfg.ResourceAttributes.ProcessOwner.Enabled = false
	s = newScraper(t, cfg)
	assert.Equal(t, []string{"process.memory.virtual"}, s.Uses(platform.FieldMemory))
	assert.Empty(t, s.Uses(platform.FieldOwner))
	assert.NotContains(t, s.Missing(0), "process.owner")
}

// TestTables: all that metadata.yaml declares has a row, and only that.
func TestTables(t *testing.T) {
	catalog, err := emit.Parse(metadataYAML)
	require.NoError(t, err)
	require.Equal(t, metadata.ScopeName, catalog.Scope)
	var rows []string
	for _, m := range metrics {
		rows = append(rows, m.name)
		assert.NotEqual(t, m.fields == 0, m.plan == nil, m.name)
	}
	for name := range catalog.Metrics {
		assert.Contains(t, rows, name)
	}
	assert.Len(t, rows, len(catalog.Metrics))

	rows = nil
	for _, a := range attributes {
		rows = append(rows, a.name)
		assert.NotNil(t, a.value, a.name)
	}
	for name := range catalog.Resource {
		assert.Contains(t, rows, name)
	}
	assert.Len(t, rows, len(catalog.Resource))
}
