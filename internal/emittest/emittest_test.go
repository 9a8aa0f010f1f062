// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package emittest_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/emittest"
)

const metadata = `
scope_name: example.org/scope
resource_attributes:
  host.name: {type: string}
attributes:
  id: {type: int, requirement_level: required}
  mode: {type: string, requirement_level: recommended, enum: [user, system]}
metrics:
  a.time: {description: Time., unit: s, sum: {value_type: double, monotonic: true, aggregation_temporality: cumulative}, attributes: [id, mode]}
  b.size: {description: Size., unit: By, gauge: {value_type: int}}
`

// good makes metrics as metadata declares them.
func good() pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("host.name", "h")
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName("example.org/scope")
	sum := sm.Metrics().AppendEmpty()
	sum.SetName("a.time")
	sum.SetDescription("Time.")
	sum.SetUnit("s")
	sum.SetEmptySum().SetIsMonotonic(true)
	sum.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for id := range int64(2) {
		p := sum.Sum().DataPoints().AppendEmpty()
		p.SetStartTimestamp(1)
		p.SetTimestamp(2)
		p.SetDoubleValue(1.5)
		p.Attributes().PutStr("mode", "user")
		p.Attributes().PutInt("id", id)
	}
	gauge := sm.Metrics().AppendEmpty()
	gauge.SetName("b.size")
	gauge.SetDescription("Size.")
	gauge.SetUnit("By")
	p := gauge.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(2)
	p.SetIntValue(7)
	return md
}

func TestCheck(t *testing.T) {
	c, err := emit.Parse([]byte(metadata))
	require.NoError(t, err)
	require.NoError(t, emittest.Check(good(), c))

	type point = pmetric.NumberDataPoint
	onPoint := func(do func(point)) func(pmetric.ResourceMetrics) {
		return func(rm pmetric.ResourceMetrics) {
			do(rm.ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0))
		}
	}
	onMetric := func(do func(pmetric.Metric)) func(pmetric.ResourceMetrics) {
		return func(rm pmetric.ResourceMetrics) { do(rm.ScopeMetrics().At(0).Metrics().At(0)) }
	}
	for want, spoil := range map[string]func(pmetric.ResourceMetrics){
		`resource {host.name=h,x=y}: x is not declared`: func(rm pmetric.ResourceMetrics) { rm.Resource().Attributes().PutStr("x", "y") },
		`host.name is empty`:                            func(rm pmetric.ResourceMetrics) { rm.Resource().Attributes().PutStr("host.name", "") },
		`host.name is a Int, declared Str`:              func(rm pmetric.ResourceMetrics) { rm.Resource().Attributes().PutInt("host.name", 1) },
		`no scope`: func(rm pmetric.ResourceMetrics) {
			rm.ScopeMetrics().RemoveIf(func(pmetric.ScopeMetrics) bool { return true })
		},
		`scope "x" is not declared`:            func(rm pmetric.ResourceMetrics) { rm.ScopeMetrics().At(0).Scope().SetName("x") },
		`scope example.org/scope: no metric`:   func(rm pmetric.ResourceMetrics) { rm.ScopeMetrics().AppendEmpty().Scope().SetName("example.org/scope") },
		`x: not declared`:                      onMetric(func(m pmetric.Metric) { m.SetName("x") }),
		`b.size: twice`:                        onMetric(func(m pmetric.Metric) { m.SetName("b.size") }),
		`unit is "m", declared "s"`:            onMetric(func(m pmetric.Metric) { m.SetUnit("m") }),
		`description is "", declared "Time."`:  onMetric(func(m pmetric.Metric) { m.SetDescription("") }),
		`is a Gauge, declared otherwise`:       onMetric(func(m pmetric.Metric) { m.SetEmptyGauge() }),
		`is a Histogram, declared otherwise`:   onMetric(func(m pmetric.Metric) { m.SetEmptyHistogram() }),
		`monotonic is false, declared true`:    onMetric(func(m pmetric.Metric) { m.Sum().SetIsMonotonic(false) }),
		`temporality is Delta`:                 onMetric(func(m pmetric.Metric) { m.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta) }),
		`a.time: no point`:                     onMetric(func(m pmetric.Metric) { m.Sum().DataPoints().RemoveIf(func(point) bool { return true }) }),
		`value is Int, declared Double`:        onPoint(func(p point) { p.SetIntValue(1) }),
		`value is Empty, declared Double`:      onMetric(func(m pmetric.Metric) { m.Sum().DataPoints().AppendEmpty() }),
		`value is NaN`:                         onPoint(func(p point) { p.SetDoubleValue(math.NaN()) }),
		`value is -Inf`:                        onPoint(func(p point) { p.SetDoubleValue(math.Inf(-1)) }),
		`start time is 1970-01-01 00:00:00 +0`: onPoint(func(p point) { p.SetStartTimestamp(0) }),
		`000000003 +0000 UTC, that of others`:  onMetric(func(m pmetric.Metric) { m.Sum().DataPoints().At(1).SetTimestamp(3) }),
		`id is missing`:                        onPoint(func(p point) { p.Attributes().Remove("id") }),
		`{id=1,mode=user}: twice`:              onPoint(func(p point) { p.Attributes().PutInt("id", 1) }),
		`y is not declared`:                    onPoint(func(p point) { p.Attributes().PutInt("y", 1) }),
		`mode is "idle", declared one of`:      onPoint(func(p point) { p.Attributes().PutStr("mode", "idle") }),
	} {
		md := good()
		spoil(md.ResourceMetrics().At(0))
		assert.ErrorContains(t, emittest.Check(md, c), want)
	}

	md := good()
	md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(1).Gauge().DataPoints().At(0).SetStartTimestamp(5)
	require.ErrorContains(t, emittest.Check(md, c), "b.size: start time is")
}

func TestLines(t *testing.T) {
	assert.Equal(t, []string{
		"resource{host.name=h}",
		"  a.time{id=0,mode=user} 1.5",
		"  a.time{id=1,mode=user} 1.5",
		"  b.size 7",
	}, emittest.Lines(good()))
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metadata.yaml")
	_, err := emittest.Load(path)
	require.ErrorIs(t, err, os.ErrNotExist)

	require.NoError(t, os.WriteFile(path, []byte("metrics: 1"), 0o600))
	_, err = emittest.Load(path)
	require.ErrorContains(t, err, path)

	require.NoError(t, os.WriteFile(path, []byte(metadata), 0o600))
	c, err := emittest.Load(path)
	require.NoError(t, err)
	assert.Len(t, c.Metrics, 2)
}
