// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package emit

import (
	"encoding/binary"
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

// Points records the points of one metric, resource after resource: Begin, any
// number of Int or Double, End. The metric appears in the resource with its
// first point, so that one without points is never emitted.
type Points struct {
	metric   *Metric
	enabled  bool
	strategy Strategy

	resource Resource
	points   pmetric.NumberDataPointSlice
	most     int // the most points that one resource had, to make room for

	// Where the user has removed attributes, the points that then have the
	// same ones are merged: cells has one for each that remains, index finds
	// it by the remaining attributes.
	removed []string
	index   map[string]int
	cells   []cell
	key     []byte
}

// cell is a point that others are merged into.
type cell struct {
	point  pmetric.NumberDataPoint
	int    int64
	double float64
	count  int64
}

// Enabled tells whether the user wants the metric.
func (p *Points) Enabled() bool { return p.enabled }

// Wants tells whether detail by an attribute would show in what is emitted:
// the user wants the attribute, or something else than the sum over it.
func (p *Points) Wants(key string) bool {
	return p.strategy != Sum || !slices.Contains(p.removed, key)
}

// Begin starts a resource.
func (p *Points) Begin(r Resource) {
	p.resource, p.points = r, pmetric.NumberDataPointSlice{}
}

// Int records a value of a metric of ints. Attributes without a value are left
// out; all points of a metric give theirs in the same order.
func (p *Points) Int(v int64, attrs ...Attr) {
	if p.removed == nil {
		p.add(attrs).SetIntValue(v)
		return
	}
	c := p.cell(attrs)
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

// End completes the resource.
func (p *Points) End() {
	for i := range p.cells {
		c := &p.cells[i]
		if p.strategy == Avg {
			c.int /= c.count
			c.double /= float64(c.count)
		}
		if p.metric.Double {
			c.point.SetDoubleValue(c.double)
		} else {
			c.point.SetIntValue(c.int)
		}
	}
	if p.removed != nil {
		clear(p.index)
		clear(p.cells)
		p.cells = p.cells[:0]
	}
	p.resource, p.points = Resource{}, pmetric.NumberDataPointSlice{}
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
		point.SetStartTimestamp(p.resource.start)
	}
	if len(attrs) > 0 {
		to := point.Attributes()
		to.EnsureCapacity(len(attrs))
		for i := range attrs {
			if p.keeps(&attrs[i]) {
				attrs[i].put(to)
			}
		}
	}
	p.most = max(p.most, p.points.Len())
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
		p.cells = append(p.cells, cell{point: p.add(attrs)})
	}
	return &p.cells[i]
}

// keeps tells whether an attribute is emitted.
func (p *Points) keeps(a *Attr) bool {
	return !a.unknown() && (p.removed == nil || !slices.Contains(p.removed, a.key))
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

// Attr is an attribute of a point.
type Attr struct {
	key, str string
	int      int64
	isInt    bool
}

// Str is an attribute with a string; the empty string for unknown.
func Str(key, value string) Attr { return Attr{key: key, str: value} }

// Int is an attribute with an int.
func Int(key string, value int64) Attr { return Attr{key: key, int: value, isInt: true} }

// unknown tells that the attribute has no value and is left out.
func (a *Attr) unknown() bool { return !a.isInt && a.str == "" }

// put writes the attribute.
func (a *Attr) put(to pcommon.Map) {
	if a.isInt {
		to.PutInt(a.key, a.int)
	} else {
		to.PutStr(a.key, a.str)
	}
}

// append adds the attribute to a key, such that different attributes give
// different keys.
func (a *Attr) append(key []byte) []byte {
	key = append(binary.AppendUvarint(key, uint64(len(a.key))), a.key...)
	if a.isInt {
		return binary.AppendVarint(key, a.int)
	}
	return append(binary.AppendUvarint(key, uint64(len(a.str))), a.str...)
}
