// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"strconv"
	"testing"

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

// maxAllocations is the budget for one process with the default metrics, the
// eight points and five resource attributes in pdata included.
const maxAllocations = 60

func TestAllocations(t *testing.T) {
	const n = 1000
	s, snap := newScraper(t, NewConfig()), snapshot(crowd(n)...)
	perProcess := testing.AllocsPerRun(10, func() {
		require.NoError(t, s.Scrape(t.Context(), snap, func(pmetric.Metrics) error { return nil }))
	}) / n
	assert.LessOrEqual(t, perProcess, float64(maxAllocations))
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
