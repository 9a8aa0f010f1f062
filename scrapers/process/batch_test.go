// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
)

// A batch ends where its points are many, too.
func TestBatchesOfPoints(t *testing.T) {
	s := newScraper(t, only(t, "process.memory.mapping.size: {attributes: [process.memory.mapping.address.start]}"))
	var sizes []int
	snap := snapshot(crowded(emit.MaxPoints/2), crowded(emit.MaxPoints/2), crowded(emit.MaxPoints), crowded(1))
	require.NoError(t, s.Scrape(t.Context(), snap, func(md pmetric.Metrics) error {
		sizes = append(sizes, md.DataPointCount())
		return nil
	}))
	assert.Equal(t, []int{emit.MaxPoints, emit.MaxPoints, 1}, sizes)
}

// One process can have more than a batch holds.
func TestBatchesOfOneProcess(t *testing.T) {
	s := newScraper(t, only(t, "process.memory.mapping.size: {attributes: [process.memory.mapping.address.start]}",
		"process.memory.mapping.count: {attributes: [process.memory.mapping.address.start]}", "process.cpu.utilization", "process.uptime"))
	var batches [][]string
	require.NoError(t, s.Scrape(t.Context(), snapshot(rich(), crowded(emit.MaxPoints), rich()), func(md pmetric.Metrics) error {
		var batch []string
		assert.LessOrEqual(t, md.DataPointCount(), emit.MaxPoints)
		for _, rm := range md.ResourceMetrics().All() {
			created, _ := rm.Resource().Attributes().Get("process.creation.time")
			assert.Equal(t, "2023-11-21T09:25:34.853Z", created.Str())
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				batch = append(batch, m.Name())
			}
		}
		batches = append(batches, batch)
		return nil
	}))
	const size, count, uptime = "process.memory.mapping.size", "process.memory.mapping.count", "process.uptime"
	assert.Equal(t, [][]string{{count, size, uptime, count}, {count}, {size}, {uptime, count, size, uptime}}, batches)

	calls := 0
	require.NoError(t, s.Scrape(t.Context(), snapshot(crowded(emit.MaxPoints)), func(pmetric.Metrics) error {
		calls++
		return errors.New("refused")
	}))
	assert.Equal(t, 1, calls)
}
