// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package emit_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/filter"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/emittest"
)

const metadata = `
scope_name: example.org/scope
resource_attributes:
  host.name: {type: string}
  alias: {name_override: process.pid, type: int}
attributes:
  mode: {name_override: cpu.mode, type: string, requirement_level: recommended, enum: [user, system]}
  cpu: {type: int, requirement_level: opt_in}
  id: {type: string, requirement_level: required}
  parent: {type: string, requirement_level: conditionally_required}
metrics:
  a.time: {description: Time., unit: s, sum: {value_type: double, monotonic: true, aggregation_temporality: cumulative}, attributes: [mode, cpu]}
  b.count: {description: Count., unit: "{thing}", sum: {value_type: int, monotonic: false, aggregation_temporality: cumulative}, attributes: [id, mode, parent]}
  c.ratio: {description: Ratio., unit: "1", gauge: {value_type: double}}
`

// The types below are what mdatagen makes of such a file.
type (
	key      string
	detailed struct {
		Enabled             bool
		AggregationStrategy string
		EnabledAttributes   []key
	}
	plain  struct{ Enabled bool }
	config struct {
		Time  detailed `mapstructure:"a.time"`
		Count detailed `mapstructure:"b.count"`
		Ratio plain    `mapstructure:"c.ratio"`
	}
)

var (
	boot = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	now  = boot.Add(time.Hour)
)

func defaults() config {
	return config{
		Time:  detailed{true, "sum", []key{"cpu.mode"}},
		Count: detailed{true, "sum", []key{"id", "cpu.mode", "parent"}},
		Ratio: plain{true},
	}
}

func catalog(t testing.TB) *emit.Catalog {
	c, err := emit.Parse([]byte(metadata))
	require.NoError(t, err)
	return c
}

// record runs do for each of two resources, of which it gives the second, so
// that what one leaves behind shows in the other.
func record(t testing.TB, cfg config, metric string, do func(*emit.Points)) pmetric.Metrics {
	md := recordInto(t, cfg, metric, do, func(p *emit.Points) { p.End() })
	require.NoError(t, emittest.Check(md, catalog(t)))
	return md
}

func recordInto(t testing.TB, cfg config, metric string, do, end func(*emit.Points)) pmetric.Metrics {
	c := catalog(t)
	scope := emit.NewScope(c, cfg, "1.2.3")
	points := scope.Points(metric)
	require.True(t, points.Enabled())
	var md pmetric.Metrics
	for range 2 {
		md = pmetric.NewMetrics()
		r := scope.Resource(md.ResourceMetrics().AppendEmpty(), boot, now)
		points.Begin(r)
		do(points)
		end(points)
	}
	return md
}

// TestSplit: each batch has as many points as it may, with all that is said of
// them, and none is lost.
func TestSplit(t *testing.T) {
	c := catalog(t)
	full := func() pmetric.Metrics {
		scope := emit.NewScope(c, defaults(), "1.2.3")
		md := pmetric.NewMetrics()
		rm := md.ResourceMetrics().AppendEmpty()
		rm.Resource().Attributes().PutStr("host.name", "h")
		r := scope.Resource(rm, boot, now)
		for metric, n := range map[string]int{"a.time": 1, "b.count": 7, "c.ratio": 1} {
			p := scope.Points(metric)
			p.Begin(r)
			for i := range n {
				if metric == "b.count" {
					p.Int(int64(i), emit.Str("id", strconv.Itoa(i)))
				} else {
					p.Double(1)
				}
			}
			p.End()
		}
		return md
	}
	want := emittest.Lines(full())
	for most, sizes := range map[int][]int{1: {1, 1, 1, 1, 1, 1, 1, 1, 1}, 2: {2, 2, 2, 2, 1}, 3: {3, 3, 3}, 5: {5, 4}, 8: {8, 1}, 9: {9}, 10: {9}} {
		var got []int
		lines := want[:1:1]
		require.NoError(t, emit.Split(full(), most, func(md pmetric.Metrics) error {
			require.NoError(t, emittest.Check(md, c))
			got = append(got, md.DataPointCount())
			assert.Equal(t, "1.2.3", md.ResourceMetrics().At(0).ScopeMetrics().At(0).Scope().Version())
			part := emittest.Lines(md)
			assert.Equal(t, want[0], part[0])
			lines = append(lines, part[1:]...)
			return nil
		}))
		slices.Sort(lines[1:])
		assert.Equal(t, sizes, got)
		assert.Equal(t, want, lines)
	}

	// Of several resources, whose points are told apart by theirs.
	several := func() pmetric.Metrics {
		md := pmetric.NewMetrics()
		for i := range 3 {
			full().ResourceMetrics().MoveAndAppendTo(md.ResourceMetrics())
			rm := md.ResourceMetrics().At(i)
			rm.Resource().Attributes().PutStr("host.name", strconv.Itoa(i))
			rm.SetSchemaUrl("of the resource")
			rm.ScopeMetrics().At(0).SetSchemaUrl("of the scope")
		}
		return md
	}
	told := func(md pmetric.Metrics) (lines []string) {
		for _, rm := range md.ResourceMetrics().All() {
			assert.Equal(t, "of the resource", rm.SchemaUrl())
			assert.Equal(t, "of the scope", rm.ScopeMetrics().At(0).SchemaUrl())
			one := pmetric.NewMetrics()
			rm.CopyTo(one.ResourceMetrics().AppendEmpty())
			part := emittest.Lines(one)
			for _, line := range part[1:] {
				lines = append(lines, part[0]+line)
			}
		}
		return lines
	}
	want = told(several())
	slices.Sort(want)
	for most, sizes := range map[int][]int{9: {9, 9, 9}, 13: {13, 13, 1}, 20: {20, 7}, 26: {26, 1}, 27: {27}} {
		var got []int
		var lines []string
		require.NoError(t, emit.Split(several(), most, func(md pmetric.Metrics) error {
			require.NoError(t, emittest.Check(md, c))
			got, lines = append(got, md.DataPointCount()), append(lines, told(md)...)
			return nil
		}))
		slices.Sort(lines)
		assert.Equal(t, sizes, got)
		assert.Equal(t, want, lines)
	}

	batches := 0
	assert.EqualError(t, emit.Split(full(), 2, func(pmetric.Metrics) error { batches++; return errors.New("refused") }), "refused")
	assert.Equal(t, 1, batches)
	require.NoError(t, emit.Split(pmetric.NewMetrics(), 2, func(md pmetric.Metrics) error { assert.Zero(t, md.DataPointCount()); return nil }))
}

func TestParse(t *testing.T) {
	c := catalog(t)
	assert.Equal(t, "example.org/scope", c.Scope)
	assert.Equal(t, &emit.Metric{
		Name: "a.time", Description: "Time.", Unit: "s", Sum: true, Monotonic: true, Double: true,
		Attributes: []emit.Attribute{
			{Key: "cpu.mode", Type: pcommon.ValueTypeStr, Enum: []string{"user", "system"}, Level: emit.Recommended},
			{Key: "cpu", Type: pcommon.ValueTypeInt, Level: emit.OptIn},
		},
	}, c.Metrics["a.time"])
	assert.Equal(t, &emit.Metric{Name: "c.ratio", Description: "Ratio.", Unit: "1", Double: true}, c.Metrics["c.ratio"])
	assert.Equal(t, map[string]emit.Attribute{
		"host.name":   {Key: "host.name", Type: pcommon.ValueTypeStr},
		"process.pid": {Key: "process.pid", Type: pcommon.ValueTypeInt},
	}, c.Resource)
}

func TestParseRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ yaml, want string }{
		"no yaml":          {"\t", "metadata.yaml: "},
		"no kind":          {`metrics: {a: {unit: s}}`, "metrics::a: must be either a sum or a gauge"},
		"two kinds":        {`metrics: {a: {sum: {}, gauge: {}}}`, "metrics::a: must be either a sum or a gauge"},
		"value type":       {`metrics: {a: {gauge: {value_type: float}}}`, `metrics::a: unknown value_type "float"`},
		"temporality":      {`metrics: {a: {sum: {value_type: int, aggregation_temporality: delta}}}`, "metrics::a: aggregation_temporality must be cumulative"},
		"no such":          {`metrics: {a: {gauge: {value_type: int}, attributes: [b]}}`, `attribute b: unknown type ""`},
		"no level":         {`{attributes: {b: {type: int}}, metrics: {a: {gauge: {value_type: int}, attributes: [b]}}}`, `attributes::b: unknown requirement_level ""`},
		"type":             {`{attributes: {b: {type: text}}, metrics: {a: {gauge: {value_type: int}, attributes: [b]}}}`, `attribute b: unknown type "text"`},
		"type of resource": {`resource_attributes: {b: {type: text}}`, `attribute b: unknown type "text"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := emit.Parse([]byte(tt.yaml))
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestUnknownNamesPanic(t *testing.T) {
	assert.PanicsWithValue(t, "emit: metadata.yaml has no metric d.none", func() {
		emit.NewScope(catalog(t), defaults(), "").Points("d.none")
	})
	assert.PanicsWithValue(t, "emit: metadata.yaml has c.ratio, the generated configuration has not", func() {
		emit.NewScope(catalog(t), struct {
			Time  detailed `mapstructure:"a.time"`
			Count detailed `mapstructure:"b.count"`
		}{}, "")
	})
}

func TestPoints(t *testing.T) {
	md := record(t, defaults(), "b.count", func(p *emit.Points) {
		p.Int(3, emit.Str("id", "x"), emit.Str("cpu.mode", "user"), emit.Str("parent", ""))
		p.Int(-4, emit.Str("id", "x"), emit.Str("cpu.mode", "system"), emit.Str("parent", "y"))
	})
	assert.Equal(t, []string{
		"resource",
		"  b.count{cpu.mode=system,id=x,parent=y} -4",
		"  b.count{cpu.mode=user,id=x} 3",
	}, emittest.Lines(md))

	scope := md.ResourceMetrics().At(0).ScopeMetrics().At(0)
	assert.Equal(t, "example.org/scope", scope.Scope().Name())
	assert.Equal(t, "1.2.3", scope.Scope().Version())
	point := scope.Metrics().At(0).Sum().DataPoints().At(0)
	assert.Equal(t, boot, point.StartTimestamp().AsTime())
	assert.Equal(t, now, point.Timestamp().AsTime())
}

func TestGaugeHasNoStart(t *testing.T) {
	md := record(t, defaults(), "c.ratio", func(p *emit.Points) { p.Double(0.25) })
	point := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0)
	assert.InDelta(t, 0.25, point.DoubleValue(), 0)
	assert.Zero(t, point.StartTimestamp())
	assert.Equal(t, now, point.Timestamp().AsTime())
}

func TestUnknownStart(t *testing.T) {
	scope := emit.NewScope(catalog(t), defaults(), "")
	md := pmetric.NewMetrics()
	p := scope.Points("a.time")
	p.Begin(scope.Resource(md.ResourceMetrics().AppendEmpty(), time.Time{}, now))
	p.Double(1)
	p.End()
	assert.Zero(t, md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0).StartTimestamp())
}

// TestStartOfHost: a clock that is stepped does not give the sums of a host
// another start, unless they would have begun after all that was told.
func TestStartOfHost(t *testing.T) {
	scope := emit.NewScope(catalog(t), defaults(), "")
	p := scope.Points("a.time")
	unknown := time.Time{}
	for i, tt := range []struct{ boot, now, want time.Time }{
		{unknown, now, time.Unix(0, 0).UTC()},
		{boot, now, boot},
		{boot.Add(time.Second), now.Add(time.Minute), boot},
		{boot.Add(-time.Hour), now.Add(-time.Hour + 2*time.Minute), boot},
		{unknown, now.Add(-time.Hour + 3*time.Minute), boot},
		{boot.AddDate(30, 0, 0), now.AddDate(30, 0, 0), boot.AddDate(30, 0, 0)}, // it had begun in 1996
		{boot.Add(time.Second), now.Add(time.Second), boot.Add(time.Second)},    // that was wrong
		{boot.Add(time.Second), now.Add(2 * time.Second), boot.Add(time.Second)},
	} {
		md := pmetric.NewMetrics()
		p.Begin(scope.Host(md.ResourceMetrics().AppendEmpty(), tt.boot, tt.now))
		p.Double(1)
		p.End()
		point := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0)
		assert.Equal(t, tt.want, point.StartTimestamp().AsTime(), i)
		assert.Equal(t, tt.now, point.Timestamp().AsTime(), i)
	}
}

// TestSince: a point starts when what it counts began, never after itself; one
// that stands for several starts with the earliest.
func TestSince(t *testing.T) {
	later := boot.Add(time.Minute)
	starts := func(attributes []key) (starts []time.Time) {
		cfg := defaults()
		cfg.Time.EnabledAttributes = attributes
		md := record(t, cfg, "a.time", func(p *emit.Points) {
			for i, start := range []time.Time{later, {}, now.Add(time.Hour)} {
				p.Since(start)
				p.Double(1, emit.Int("cpu", int64(i)))
			}
		})
		for _, point := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().All() {
			starts = append(starts, point.StartTimestamp().AsTime())
		}
		return starts
	}
	assert.Equal(t, []time.Time{later, boot, now}, starts([]key{"cpu.mode", "cpu"}))
	assert.Equal(t, []time.Time{boot}, starts([]key{"cpu.mode"}))
}

func TestMetricWithoutPointsIsNotThere(t *testing.T) {
	for _, attributes := range [][]key{{"id", "cpu.mode"}, {"id"}} {
		cfg := defaults()
		cfg.Count.EnabledAttributes = attributes
		scope := emit.NewScope(catalog(t), cfg, "")
		md := pmetric.NewMetrics()
		r := scope.Resource(md.ResourceMetrics().AppendEmpty(), boot, now)
		p := scope.Points("b.count")
		p.Begin(r)
		p.End()
		assert.Zero(t, r.Metrics.Len())
	}
}

func TestDisabled(t *testing.T) {
	cfg := defaults()
	cfg.Ratio.Enabled = false
	assert.False(t, emit.NewScope(catalog(t), cfg, "").Points("c.ratio").Enabled())
}

// TestRemovedAttributes: points that differ in removed attributes only become
// one, by the strategy; those that are required stay whatever the list says.
func TestRemovedAttributes(t *testing.T) {
	ints := func(p *emit.Points) {
		for i, v := range []int64{5, -2, 6} {
			mode := emit.Str("cpu.mode", []string{"user", "system", ""}[i])
			p.Int(v, emit.Str("id", "x"), mode)
			p.Int(v*10, emit.Str("id", "x"), mode, emit.Str("parent", "z"))
		}
		p.Int(7, emit.Str("id", "y"), emit.Str("cpu.mode", "user"))
	}
	for strategy, want := range map[string][2]int64{"sum": {9, 90}, "avg": {3, 30}, "min": {-2, -20}, "max": {6, 60}} {
		cfg := defaults()
		cfg.Count = detailed{true, strategy, []key{}}
		assert.Equal(t, []string{
			"resource",
			fmt.Sprintf("  b.count{id=x,parent=z} %d", want[1]),
			fmt.Sprintf("  b.count{id=x} %d", want[0]),
			"  b.count{id=y} 7",
		}, emittest.Lines(record(t, cfg, "b.count", ints)), strategy)
	}

	doubles := func(p *emit.Points) {
		for cpu, v := range []float64{1.5, 0.5, -1.25, 0.25} {
			p.Double(v, emit.Str("cpu.mode", "user"), emit.Int("cpu", int64(cpu)))
			p.Double(v*2, emit.Str("cpu.mode", "system"), emit.Int("cpu", int64(cpu)))
		}
	}
	for strategy, want := range map[string][2]string{"sum": {"2", "1"}, "avg": {"0.5", "0.25"}, "min": {"-2.5", "-1.25"}, "max": {"3", "1.5"}} {
		cfg := defaults()
		cfg.Time.AggregationStrategy = strategy
		assert.Equal(t, []string{
			"resource",
			"  a.time{cpu.mode=system} " + want[0],
			"  a.time{cpu.mode=user} " + want[1],
		}, emittest.Lines(record(t, cfg, "a.time", doubles)), strategy)
	}
	cfg := defaults()
	cfg.Time.EnabledAttributes = []key{"cpu"}
	assert.Equal(t, []string{
		"resource",
		"  a.time{cpu=0} 4.5",
		"  a.time{cpu=1} 1.5",
		"  a.time{cpu=2} -3.75",
		"  a.time{cpu=3} 0.75",
	}, emittest.Lines(record(t, cfg, "a.time", doubles)))
}

// TestSumsThatDoNotFit: what an int64 does not hold is not there; the points
// beside it are, and what is no sum.
func TestSumsThatDoNotFit(t *testing.T) {
	const most, least = math.MaxInt64, math.MinInt64
	for _, tt := range []struct {
		strategy string
		values   []int64
		want     []string
	}{
		{"sum", []int64{most, 1}, nil},
		{"sum", []int64{most, 1, -1}, nil}, // it is not known in which order they are
		{"sum", []int64{most - 1, 1}, []string{"  b.count{id=x} 9223372036854775807"}},
		{"sum", []int64{most, most, most}, nil},
		{"sum", []int64{least, -1}, nil},
		{"sum", []int64{least, most, 0}, []string{"  b.count{id=x} -1"}},
		{"avg", []int64{most, most}, nil},
		{"max", []int64{most, 1}, []string{"  b.count{id=x} 9223372036854775807"}},
		{"min", []int64{1, most}, []string{"  b.count{id=x} 1"}},
	} {
		cfg := defaults()
		cfg.Count = detailed{true, tt.strategy, nil}
		for _, other := range []bool{true, false} {
			want := append([]string{"resource"}, tt.want...)
			points := len(tt.want)
			if other {
				want, points = append(want, "  b.count{id=y} 7"), points+1
			}
			if len(want) == 1 {
				want = nil
			}
			var got int
			md := recordInto(t, cfg, "b.count", func(p *emit.Points) {
				for i, v := range tt.values {
					p.Int(v, emit.Str("id", "x"), emit.Str("cpu.mode", []string{"user", "system", ""}[i]))
				}
				if other {
					p.Int(7, emit.Str("id", "y"))
				}
			}, func(p *emit.Points) { got = p.End() })
			assert.Equal(t, points, got, tt)
			if want == nil {
				assert.Zero(t, md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().Len(), tt)
			} else {
				assert.Equal(t, want, emittest.Lines(md), tt)
			}
		}
	}
}

// TestRemainingAttributesAreKeptApart: no two lists of attributes give the
// same key.
func TestRemainingAttributesAreKeptApart(t *testing.T) {
	cfg := defaults()
	cfg.Count.EnabledAttributes = nil
	md := record(t, cfg, "b.count", func(p *emit.Points) {
		p.Int(1, emit.Str("id", "x"), emit.Str("parent", "y"))
		p.Int(1, emit.Str("id", "x\x06parent\x01y"))
		p.Int(1, emit.Str("id", "xparenty"))
		p.Int(1, emit.Str("id", "x"), emit.Str("parent", ""))
	})
	assert.Equal(t, 4, md.DataPointCount())
}

func TestWants(t *testing.T) {
	for _, tt := range []struct {
		attributes []key
		strategy   string
		want       bool
	}{
		{[]key{"cpu.mode"}, "sum", false},
		{[]key{"cpu.mode"}, "max", true},
		{[]key{"cpu.mode", "cpu"}, "sum", true},
	} {
		cfg := defaults()
		cfg.Time = detailed{true, tt.strategy, tt.attributes}
		assert.Equal(t, tt.want, emit.NewScope(catalog(t), cfg, "").Points("a.time").Wants("cpu"), tt)
	}
}

// TestWantsEach: the mean of a gauge is that of the whole, that of a sum is not.
func TestWantsEach(t *testing.T) {
	c, err := emit.Parse([]byte(`
scope_name: x
attributes:
  cpu: {type: int, requirement_level: opt_in}
metrics:
  gauge: {description: G., unit: "1", gauge: {value_type: double}, attributes: [cpu]}
  sum: {description: S., unit: s, sum: {value_type: double, monotonic: true, aggregation_temporality: cumulative}, attributes: [cpu]}
`))
	require.NoError(t, err)
	for _, tt := range []struct {
		attributes []key
		strategy   string
		gauge, sum bool
	}{
		{nil, "sum", false, false},
		{nil, "avg", false, true},
		{nil, "min", true, true},
		{nil, "max", true, true},
		{[]key{"cpu"}, "avg", true, true},
		{[]key{"cpu"}, "sum", true, true},
	} {
		scope := emit.NewScope(c, struct {
			Gauge detailed `mapstructure:"gauge"`
			Sum   detailed `mapstructure:"sum"`
		}{detailed{true, tt.strategy, tt.attributes}, detailed{true, tt.strategy, tt.attributes}}, "")
		assert.Equal(t, tt.gauge, scope.Points("gauge").WantsEach("cpu"), tt)
		assert.Equal(t, tt.sum, scope.Points("sum").WantsEach("cpu"), tt)
	}
}

func TestResourceSettings(t *testing.T) {
	type attribute struct {
		Enabled                        bool
		MetricsInclude, MetricsExclude []filter.Config
	}
	of := func(values ...string) (list []filter.Config) {
		for _, v := range values {
			list = append(list, filter.Config{Regex: v})
		}
		return list
	}
	settings := emit.ResourceSettings(struct {
		None    attribute `mapstructure:"none"`
		Include attribute `mapstructure:"include"`
		Exclude attribute `mapstructure:"exclude"`
		Both    attribute `mapstructure:"both"`
	}{
		None:    attribute{Enabled: true},
		Include: attribute{MetricsInclude: of("^a", "^b")},
		Exclude: attribute{MetricsExclude: of("^a")},
		Both:    attribute{MetricsInclude: of("^a"), MetricsExclude: of("z$")},
	})
	assert.True(t, settings["none"].Enabled)
	assert.False(t, settings["none"].Filters())
	assert.False(t, settings["include"].Enabled)
	for name, want := range map[string]map[string]bool{
		"none":    {"": true, "a": true, "c": true},
		"include": {"": false, "a": true, "b": true, "c": false},
		"exclude": {"": true, "a": false, "c": true},
		"both":    {"": false, "a": true, "az": false, "z": false},
	} {
		for value, pass := range want {
			assert.Equal(t, pass, settings[name].Matches(value), "%s: %q", name, value)
			assert.Equal(t, name != "none", settings[name].Filters())
		}
	}
}

// byHand is what TestAllocations records, in pdata alone.
func byHand(rm pmetric.ResourceMetrics) {
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName("example.org/scope")
	sm.Metrics().EnsureCapacity(3)
	m := sm.Metrics().AppendEmpty()
	m.SetName("b.count")
	m.SetEmptySum().DataPoints().EnsureCapacity(2)
	for _, mode := range []string{"user", "system"} {
		p := m.Sum().DataPoints().AppendEmpty()
		p.SetIntValue(1)
		p.Attributes().EnsureCapacity(2)
		p.Attributes().PutStr("id", "x")
		p.Attributes().PutStr("cpu.mode", mode)
	}
}

// TestAllocations: where nothing is removed, recording costs what pdata costs
// and not one allocation more.
func TestAllocations(t *testing.T) {
	scope := emit.NewScope(catalog(t), defaults(), "")
	for _, name := range []string{"a.time", "c.ratio"} {
		scope.Points(name) // makes room for it
	}
	points := scope.Points("b.count")
	recorded := testing.AllocsPerRun(100, func() {
		md := pmetric.NewMetrics()
		points.Begin(scope.Resource(md.ResourceMetrics().AppendEmpty(), boot, now))
		points.Int(1, emit.Str("id", "x"), emit.Str("cpu.mode", "user"))
		points.Int(1, emit.Str("id", "x"), emit.Str("cpu.mode", "system"))
		points.End()
	})
	handmade := testing.AllocsPerRun(100, func() {
		md := pmetric.NewMetrics()
		byHand(md.ResourceMetrics().AppendEmpty())
	})
	assert.InDelta(t, handmade, recorded, 0)
}

// BenchmarkMerge shows that merging is linear: ns/point stays the same.
func BenchmarkMerge(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			scope := emit.NewScope(catalog(b), defaults(), "")
			p := scope.Points("a.time")
			ids := make([]string, n/2) // each takes two points
			for i := range ids {
				ids[i] = fmt.Sprint(i)
			}
			b.ReportAllocs()
			for b.Loop() {
				md := pmetric.NewMetrics()
				p.Begin(scope.Resource(md.ResourceMetrics().AppendEmpty(), boot, now))
				for i := range n {
					p.Double(1, emit.Str("cpu.mode", ids[i/2]), emit.Int("cpu", int64(i)))
				}
				p.End()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/point")
		})
	}
}
