// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/platform"
)

// many are n temperatures.
func many(n int) []platform.Sensor {
	var list []platform.Sensor
	for i := range n {
		list = append(list, measures(platform.SensorTemperature, "coretemp", fmt.Sprint(".", i/10), fmt.Sprint("temp", i%10+1), fmt.Sprint("Core ", i%10), 40))
	}
	return list
}

// scrapeMany gives a function that scrapes n temperatures, and the last result.
func scrapeMany(t testing.TB, n int) (scrape func(), last *pmetric.Metrics) {
	cfg := NewConfig()
	s, err := newScraper(&fakeHost{sensors: many(n)}, platform.Linux, &cfg, "")
	require.NoError(t, err)
	last = new(pmetric.Metrics)
	snap := &platform.Snapshot{Time: now, Boot: boot}
	return func() {
		require.NoError(t, s.Scrape(t.Context(), snap, func(md pmetric.Metrics) error {
			*last = md
			return nil
		}))
	}, last
}

// TestAllocations: a point costs what pdata costs, and its attributes nothing.
func TestAllocations(t *testing.T) {
	const n = 200
	scrape, last := scrapeMany(t, n)
	scrape()
	require.Equal(t, n, last.DataPointCount())
	ours := testing.AllocsPerRun(10, scrape) / n
	pdata := testing.AllocsPerRun(10, func() { last.CopyTo(pmetric.NewMetrics()) }) / n
	t.Logf("%.2f allocations per point, of which a copy has %.2f", ours, pdata)
	assert.Less(t, ours-pdata, 0.2)
}

func BenchmarkScrape(b *testing.B) {
	const n = 200
	scrape, _ := scrapeMany(b, n)
	b.ReportAllocs()
	for b.Loop() {
		scrape()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/point")
}
