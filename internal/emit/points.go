// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package emit

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Scope is one scraper's instrumentation scope. Not for concurrent use.
type Scope struct {
	catalog  *Catalog
	settings map[string]settings
	version  string
	enabled  int // number of Points handed out that are enabled

	boot, last time.Time // of the host, and of the last that was told of it
}

// NewScope makes a scope of a catalogue and the MetricsConfig that mdatagen
// generated from the same file. It panics where the two differ.
func NewScope(catalog *Catalog, config any, version string) *Scope {
	s := &Scope{catalog: catalog, settings: metricSettings(config), version: version}
	for name := range catalog.Metrics {
		if _, ok := s.settings[name]; !ok {
			panic("emit: metadata.yaml has " + name + ", the generated configuration has not")
		}
	}
	return s
}

// Points gives the recorder of a metric. It panics if the catalogue has no
// such metric.
func (s *Scope) Points(name string) *Points {
	m, set := s.catalog.Metrics[name], s.settings[name]
	if m == nil {
		panic("emit: metadata.yaml has no metric " + name)
	}
	p := &Points{metric: m, enabled: set.enabled, strategy: set.strategy}
	if set.enabled {
		s.enabled++
	}
	for _, a := range m.Attributes {
		if set.removable && a.Level.removable() && !slices.Contains(set.attributes, a.Key) {
			p.removed = append(p.removed, a.Key)
		}
	}
	if p.removed != nil {
		p.index = map[string]int{}
	}
	return p
}

// Resource is where points of one resource go, and the times that they carry.
type Resource struct {
	// Metrics has the metrics recorded so far.
	Metrics     pmetric.MetricSlice
	start, time pcommon.Timestamp
}

// Resource adds the scope to a resource. start is when its sums began to
// count; the zero time for unknown.
func (s *Scope) Resource(rm pmetric.ResourceMetrics, start, now time.Time) Resource {
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(s.catalog.Scope)
	sm.Scope().SetVersion(s.version)
	sm.Metrics().EnsureCapacity(s.enabled)
	r := Resource{Metrics: sm.Metrics(), time: pcommon.NewTimestampFromTime(now)}
	if !start.IsZero() {
		// A process forked since the clock was read is younger than its points.
		r.start = min(pcommon.NewTimestampFromTime(start), r.time)
	}
	return r
}

// Host is Resource for the host. Its sums began at its boot, whose time moves
// with each step of the clock. Their start does not, because a sum with another
// start is another sum, which backends add to the one before: it stays as it
// was first told, unless the boot is after all that was, as on a machine that
// has begun without the time.
func (s *Scope) Host(rm pmetric.ResourceMetrics, boot, now time.Time) Resource {
	if s.boot.IsZero() || boot.After(s.last) || s.boot.After(now) {
		s.boot = boot
	}
	s.last = now
	return s.Resource(rm, s.boot, now)
}

// Points records the points of one metric, resource after resource: Begin, any
// number of Int or Double, End. The metric appears in the resource with its
// first point, so that one without points is never emitted.
type Points struct {
	metric   *Metric
	enabled  bool
	strategy Strategy

	resource Resource
	start    pcommon.Timestamp // of the next points of a sum
	points   pmetric.NumberDataPointSlice
	most     int // the most points that one resource had, up to maxRoom

	// Where the user has removed attributes, the points that then have the
	// same ones are merged: there is a cell for each that remains, which index
	// finds by the remaining attributes. Cells stay from resource to resource,
	// because most have points with the same attributes; live are those in use.
	removed []string
	index   map[string]int
	cells   []cell
	live    []int
	key     []byte
}

// maxRoom is the most points that room is made for before they come. What has
// more of them differs too much from one resource to the next.
const maxRoom = 32

// keptCells is how many cells are kept for the next resource. Where there are
// more, what they stand for is hardly in common.
const keptCells = 1024

// cell is a point that others are merged into.
type cell struct {
	point  pmetric.NumberDataPoint // the zero value where not in use
	int    int64
	double float64
	count  int64
	over   bool // their sum is no int64, so that there is none
}

// Enabled tells whether the user wants the metric.
func (p *Points) Enabled() bool { return p.enabled }

// Wants tells whether detail by an attribute would show in what is emitted:
// the user wants the attribute, or something else than the sum over it.
func (p *Points) Wants(key string) bool {
	return p.strategy != Sum || p.Lists(key)
}

// WantsEach is Wants, but that the mean of a gauge, which is what it has by
// default, is taken to be that of the whole: of ratios, where the mean of the
// parts would say something else.
func (p *Points) WantsEach(key string) bool {
	if p.strategy == Avg && !p.metric.Sum {
		return p.Lists(key)
	}
	return p.Wants(key)
}

// Lists tells whether points keep an attribute.
func (p *Points) Lists(key string) bool { return !slices.Contains(p.removed, key) }

// Begin starts a resource.
func (p *Points) Begin(r Resource) {
	p.resource, p.start, p.points = r, r.start, pmetric.NumberDataPointSlice{}
}

// Since says when what the following points of a sum count began, where that
// is not when the resource did: a device that came later, a counter that was
// reset. The zero time is the resource's. Points that are merged have the
// earliest.
func (p *Points) Since(start time.Time) {
	if p.start = p.resource.start; !start.IsZero() {
		p.start = min(pcommon.NewTimestampFromTime(start), p.resource.time)
	}
}

// Int records a value of a metric of ints. Attributes without a value are left
// out; all points of a metric give theirs in the same order.
func (p *Points) Int(v int64, attrs ...Attr) {
	if p.removed == nil {
		p.add(attrs).SetIntValue(v)
		return
	}
	c := p.cell(attrs)
	adds := p.strategy == Sum || p.strategy == Avg
	c.over = c.over || adds && (c.int+v < c.int) != (v < 0)
	c.int = fold(p.strategy, c.int, v, c.count)
	c.count++
}

// Double records a value of a metric of doubles, as Int does.
func (p *Points) Double(v float64, attrs ...Attr) {
	if p.removed == nil {
		p.add(attrs).SetDoubleValue(v)
		return
	}
	c := p.cell(attrs)
	c.double = fold(p.strategy, c.double, v, c.count)
	c.count++
}

// End completes the resource and tells how many points the metric has in it.
func (p *Points) End() (points int) {
	over := false
	for _, i := range p.live {
		c := &p.cells[i]
		if p.strategy == Avg {
			c.int /= c.count
			c.double /= float64(c.count)
		}
		switch {
		case c.over: // and has no value
			over = true
		case p.metric.Double:
			c.point.SetDoubleValue(c.double)
		default:
			c.point.SetIntValue(c.int)
		}
		*c = cell{}
	}
	p.live = p.live[:0]
	if over {
		p.points.RemoveIf(func(d pmetric.NumberDataPoint) bool { return d.ValueType() == pmetric.NumberDataPointValueTypeEmpty })
	}
	if p.points != (pmetric.NumberDataPointSlice{}) {
		if points = p.points.Len(); points == 0 {
			p.resource.Metrics.RemoveIf(func(m pmetric.Metric) bool { return m.Name() == p.metric.Name })
		}
	}
	if len(p.cells) > keptCells {
		p.index, p.cells, p.live = map[string]int{}, nil, nil
	}
	p.resource, p.points = Resource{}, pmetric.NumberDataPointSlice{}
	return points
}

// add appends a point without a value, and before the first one the metric.
func (p *Points) add(attrs []Attr) pmetric.NumberDataPoint {
	if p.points == (pmetric.NumberDataPointSlice{}) {
		m := p.resource.Metrics.AppendEmpty()
		m.SetName(p.metric.Name)
		m.SetDescription(p.metric.Description)
		m.SetUnit(p.metric.Unit)
		if p.metric.Sum {
			sum := m.SetEmptySum()
			sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			sum.SetIsMonotonic(p.metric.Monotonic)
			p.points = sum.DataPoints()
		} else {
			p.points = m.SetEmptyGauge().DataPoints()
		}
		p.points.EnsureCapacity(p.most)
	}
	point := p.points.AppendEmpty()
	point.SetTimestamp(p.resource.time)
	if p.metric.Sum {
		point.SetStartTimestamp(p.start)
	}
	if len(attrs) > 0 {
		to := point.Attributes()
		to.EnsureCapacity(len(attrs))
		for i := range attrs {
			if p.keeps(&attrs[i]) {
				attrs[i].value.Put(to, attrs[i].key)
			}
		}
	}
	p.most = min(max(p.most, p.points.Len()), maxRoom)
	return point
}

// cell finds the point with the attributes that remain of attrs, or adds it.
func (p *Points) cell(attrs []Attr) *cell {
	p.key = p.key[:0]
	for i := range attrs {
		if p.keeps(&attrs[i]) {
			p.key = attrs[i].append(p.key)
		}
	}
	i, ok := p.index[string(p.key)]
	if !ok {
		i = len(p.cells)
		p.index[string(p.key)] = i
		p.cells = append(p.cells, cell{})
	}
	c := &p.cells[i]
	if c.point == (pmetric.NumberDataPoint{}) {
		c.point = p.add(attrs)
		p.live = append(p.live, i)
	} else if p.metric.Sum && p.start < c.point.StartTimestamp() {
		c.point.SetStartTimestamp(p.start)
	}
	return c
}

// keeps tells whether an attribute is emitted.
func (p *Points) keeps(a *Attr) bool {
	return a.value.Known() && (p.removed == nil || !slices.Contains(p.removed, a.key))
}

// fold merges a value into what count values before it came to.
func fold[N int64 | float64](by Strategy, sofar, v N, count int64) N {
	switch {
	case count == 0:
		return v
	case by == Min:
		return min(sofar, v)
	case by == Max:
		return max(sofar, v)
	}
	return sofar + v
}
