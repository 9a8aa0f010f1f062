// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"math"
	"net/netip"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/platform"
)

// crowd makes n processes that have everything.
func crowd(n int) []*platform.Process {
	var processes []*platform.Process
	for i := range n {
		p := postgres()
		p.PID = int32(i + 1)
		p.Command = "/usr/bin/worker-" + strconv.Itoa(i)
		processes = append(processes, p)
	}
	return processes
}

// riches are n processes with all that there is.
func riches(n int) []*platform.Process {
	var processes []*platform.Process
	for i := range n {
		p := rich()
		p.PID = int32(i + 1)
		processes = append(processes, p)
	}
	return processes
}

// allocations is how many there are per process and scrape of processes that
// were seen before, and how many of them pdata takes: as many as a copy.
func allocations(t testing.TB, cfg Config, processes []*platform.Process) (all, pdata float64) {
	s, snap := newScraper(t, cfg), snapshot(processes...)
	var last []pmetric.Metrics
	scrape := func() {
		last = last[:0]
		snap.Time = snap.Time.Add(time.Second) // cpu.utilization needs that
		require.NoError(t, s.Scrape(t.Context(), snap, func(md pmetric.Metrics) error {
			last = append(last, md)
			return nil
		}))
	}
	scrape()
	n := float64(len(processes))
	all = testing.AllocsPerRun(5, scrape) / n
	pdata = testing.AllocsPerRun(5, func() {
		for _, md := range last {
			md.CopyTo(pmetric.NewMetrics())
		}
	}) / n
	return all, pdata
}

// undetailed are the metrics of which a process has a fixed number of points.
func undetailed() (names []string) {
	for _, m := range metrics {
		if m.plan == nil && (m.fields|m.also)&platform.DetailFields == 0 {
			names = append(names, m.name)
		}
	}
	return append(names, "process.unix.file_descriptor.count")
}

// TestAllocations: recording costs what pdata costs, and that stays within the
// budget: eight points and five resource attributes by default, and all that
// hostmetrics has (process.disk.operations apart, which Linux does not count).
func TestAllocations(t *testing.T) {
	hostmetrics := only(t,
		"process.context_switches", "process.cpu.time", "process.cpu.utilization", "process.disk.io", "process.linux.io.system_calls",
		"process.memory.usage", "process.memory.utilization", "process.memory.virtual", "process.paging.faults", "process.signals_pending",
		"process.thread.count", "process.unix.file_descriptor.count", "process.uptime")
	for _, tt := range []struct {
		name string
		cfg  Config
		most float64
	}{
		{"default", NewConfig(), 60},
		{"all of hostmetrics", hostmetrics, 150},
		{"without detail", only(t, undetailed()...), math.Inf(1)},
		{"attributes", allAttributes(t), math.Inf(1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all, pdata := allocations(t, tt.cfg, riches(500))
			t.Logf("%.2f, of which pdata %.2f", all, pdata)
			assert.LessOrEqual(t, all, tt.most)
			assert.LessOrEqual(t, all, pdata+1)
		})
	}
}

// crowded is one process with n of all that there can be many of.
func crowded(n int) *platform.Process {
	p := rich()
	p.More.Mappings, p.More.FDs, p.More.Connections, p.More.ThreadList = nil, nil, nil, nil
	for i := range n {
		m := rich().More.Mappings[0]
		m.Start, m.End = uint64(i)*8192, uint64(i)*8192+4096
		m.Name = "/lib/" + strconv.Itoa(i%100)
		p.More.Mappings = append(p.More.Mappings, m)
		f := descriptors()[i%12]
		f.Number = int32(i)
		p.More.FDs = append(p.More.FDs, f)
		c := connections()[1]
		c.FD, c.Peer = int32(i), netip.AddrPortFrom(c.Peer.Addr(), uint16(i))
		p.More.Connections = append(p.More.Connections, c)
		p.More.ThreadList = append(p.More.ThreadList, platform.Thread{ID: int32(i), Got: platform.AllFields, Name: "worker"})
	}
	return p
}

// detailed are configurations by what there can be many of: each at its most
// detailed, and with points that become one.
func detailed(t testing.TB) map[string]Config {
	return map[string]Config{
		"descriptors": only(t, "process.unix.file_descriptor.info", "process.unix.file_descriptor.offset", "process.unix.file_descriptor.file.size",
			"process.unix.file_descriptor.file.link.count", "process.unix.file_descriptor.timer.time_left",
			"process.unix.file_descriptor.watch.count: {attributes: [process.unix.file_descriptor.number]}",
			"process.unix.file_descriptor.count: {attributes: [process.unix.file_descriptor.type]}"),
		"mappings": only(t, "process.memory.mapping.count: {attributes: ["+mappingSet+"]}",
			"process.memory.mapping.usage: {attributes: [process.memory.mapping.state, "+mappingSet+"]}",
			"process.memory.mapping.linux.pss: {attributes: ["+mappingSet+"]}"),
		"mappings by address": only(t, "process.memory.mapping.usage: {attributes: [process.memory.mapping.address.start]}"),
		"mappings by file":    only(t, "process.memory.mapping.usage: {attributes: [process.memory.mapping.name]}"),
		"connections": only(t, "process.network.connection.count: {attributes: [network.local.address, network.peer.port, process.unix.file_descriptor.number]}",
			"process.unix.file_descriptor.socket.queue.usage: {attributes: [network.io.direction, process.unix.file_descriptor.number]}"),
		"threads": only(t, "process.thread.cpu.time", "process.thread.paging.faults: {attributes: [process.thread.id]}"),
	}
}

// TestDetailIsLinear: ten times as much takes ten times the memory and the
// allocations, and leaves nothing behind that the next process would pay for.
func TestDetailIsLinear(t *testing.T) {
	const n = 1500
	for name, cfg := range detailed(t) {
		t.Run(name, func(t *testing.T) {
			s := newScraper(t, cfg)
			measure := func(p *platform.Process) (allocs, bytes float64) {
				snap := snapshot(p)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				require.NoError(t, s.Scrape(t.Context(), snap, func(pmetric.Metrics) error { return nil }))
				runtime.ReadMemStats(&after)
				return float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc)
			}
			few, small := crowded(n), crowded(1)
			measure(small)
			_, alone := measure(small)
			allocs, bytes := measure(few)
			manyAllocs, manyBytes := measure(crowded(10 * n))
			assert.LessOrEqual(t, manyAllocs, 11*allocs)
			assert.LessOrEqual(t, manyBytes, 15*bytes) // what grows, doubles
			_, after := measure(small)
			assert.LessOrEqual(t, after, alone+8192)
		})
	}
}

// BenchmarkDetail shows the same in time: ns/item stays as it is.
func BenchmarkDetail(b *testing.B) {
	for name, cfg := range detailed(b) {
		for _, n := range []int{1_000, 15_000, 75_000} {
			b.Run(name+"/"+strconv.Itoa(n), func(b *testing.B) {
				s, snap := newScraper(b, cfg), snapshot(crowded(n))
				points := 0
				b.ReportAllocs()
				for b.Loop() {
					require.NoError(b, s.Scrape(b.Context(), snap, func(md pmetric.Metrics) error {
						points = md.DataPointCount()
						return nil
					}))
				}
				b.ReportMetric(float64(points), "points")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/item")
			})
		}
	}
}

// BenchmarkScrape is what it costs to emit processes that were seen before.
func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s, snap := newScraper(b, NewConfig()), snapshot(crowd(n)...)
			scrape := func() {
				require.NoError(b, s.Scrape(b.Context(), snap, func(pmetric.Metrics) error { return nil }))
			}
			scrape()
			allocations := testing.AllocsPerRun(1, scrape)
			for b.Loop() {
				scrape()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/process")
			b.ReportMetric(allocations/float64(n), "allocs/process")
		})
	}
}

// BenchmarkFirstSight adds what is computed once for a process.
func BenchmarkFirstSight(b *testing.B) {
	const n = 1000
	s, snap := newScraper(b, NewConfig()), snapshot(crowd(n)...)
	for b.Loop() {
		for _, p := range snap.Processes {
			p.Note = nil
		}
		require.NoError(b, s.Scrape(b.Context(), snap, func(pmetric.Metrics) error { return nil }))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/process")
}
