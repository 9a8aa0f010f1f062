// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// batch is how many processes are handed over at once, so that the memory in
// use does not grow with the host. Where they have more points than fit in one,
// a batch ends before, also in the middle of a process.
const batch = 256

// batches hands over what is recorded, one batch after the other.
type batches struct {
	left   int // processes that may still come
	md     pmetric.Metrics
	to     pmetric.ResourceMetricsSlice // of md; the zero value before there is one
	points int                          // in md
	empty  bool                         // md has resources without a point
}

// record adds a process. Where it is in several batches, its resource is the
// same in each. An error is that of consume.
func (b *batches) record(s *Scraper, snap *platform.Snapshot, p *platform.Process, consume func(pmetric.Metrics) error) error {
	sample := s.of(p)
	var resource emit.Resource
	for i := range s.metrics {
		m := &s.metrics[i]
		if !p.Got.Has(m.fields) {
			continue
		}
		if resource == (emit.Resource{}) {
			rm := b.resource()
			s.describe(rm.Resource().Attributes(), sample)
			resource = s.scope.Resource(rm, p.Created, snap.Time)
		}
		m.points.Begin(resource)
		m.record(m.points, sample)
		if b.points += m.points.End(); b.points >= emit.MaxPoints {
			if err := b.flush(consume); err != nil {
				return err
			}
			resource = emit.Resource{}
		}
	}
	// A metric that needs two scrapes has no points at first.
	b.empty = b.empty || resource != (emit.Resource{}) && resource.Metrics.Len() == 0
	if b.to != (pmetric.ResourceMetricsSlice{}) && b.to.Len() == batch {
		return b.flush(consume)
	}
	return nil
}

// resource begins one.
func (b *batches) resource() pmetric.ResourceMetrics {
	if b.to == (pmetric.ResourceMetricsSlice{}) {
		b.md = pmetric.NewMetrics()
		b.to = b.md.ResourceMetrics()
		b.to.EnsureCapacity(min(batch, 1+b.left))
	}
	return b.to.AppendEmpty()
}

// flush hands over what there is.
func (b *batches) flush(consume func(pmetric.Metrics) error) error {
	md, to, points, empty := b.md, b.to, b.points, b.empty
	b.md, b.to, b.points, b.empty = pmetric.Metrics{}, pmetric.ResourceMetricsSlice{}, 0, false
	if empty {
		to.RemoveIf(func(rm pmetric.ResourceMetrics) bool { return rm.ScopeMetrics().At(0).Metrics().Len() == 0 })
	}
	if to == (pmetric.ResourceMetricsSlice{}) || to.Len() == 0 {
		return nil
	}
	if points > emit.MaxPoints { // with the last metric
		return emit.Split(md, emit.MaxPoints, consume)
	}
	return consume(md)
}
