// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package emittest helps tests to look at emitted metrics: whether they are
// what metadata.yaml declares, and which values they have.
package emittest

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
)

// Load reads a metadata.yaml. The error names the file.
func Load(path string) (*emit.Catalog, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := emit.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Check reports whatever in md the catalogues do not declare: a metric that
// the catalogue of its scope does not have, or has with another unit,
// description, type or value type; an attribute that is not one of the
// metric's, is missing, empty or outside its enum; a resource attribute that
// no catalogue has. It also reports what no metrics should have: resources,
// scopes or metrics without points, two points with the same attributes, sums
// without a start time and gauges with one, points of different times, and
// values that are no number.
func Check(md pmetric.Metrics, catalogs ...*emit.Catalog) error {
	c := checker{catalogs: catalogs}
	for _, rm := range md.ResourceMetrics().All() {
		c.resource(rm)
	}
	return errors.Join(c.errs...)
}

type checker struct {
	catalogs []*emit.Catalog
	time     pcommon.Timestamp
	errs     []error
}

func (c *checker) report(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

func (c *checker) resource(rm pmetric.ResourceMetrics) {
	where := "resource " + labels(rm.Resource().Attributes())
	for key, v := range rm.Resource().Attributes().All() {
		if template(key) {
			c.attribute(where, emit.Attribute{Key: key, Type: pcommon.ValueTypeStr}, v)
			continue
		}
		i := slices.IndexFunc(c.catalogs, func(of *emit.Catalog) bool { _, ok := of.Resource[key]; return ok })
		if i < 0 {
			c.report("%s: %s is not declared", where, key)
			continue
		}
		c.attribute(where, c.catalogs[i].Resource[key], v)
	}
	if rm.ScopeMetrics().Len() == 0 {
		c.report("%s: no scope", where)
	}
	for _, sm := range rm.ScopeMetrics().All() {
		i := slices.IndexFunc(c.catalogs, func(of *emit.Catalog) bool { return of.Scope == sm.Scope().Name() })
		if i < 0 {
			c.report("scope %q is not declared", sm.Scope().Name())
			continue
		}
		if sm.Metrics().Len() == 0 {
			c.report("%s: scope %s: no metric", where, sm.Scope().Name())
		}
		seen := map[string]bool{}
		for _, m := range sm.Metrics().All() {
			if seen[m.Name()] {
				c.report("%s: %s: twice", where, m.Name())
			}
			seen[m.Name()] = true
			if declared := c.catalogs[i].Metrics[m.Name()]; declared != nil {
				c.metric(where+": "+m.Name(), declared, m)
			} else {
				c.report("%s: %s: not declared", where, m.Name())
			}
		}
	}
}

// template tells whether the conventions have the key as the beginning of keys
// and what the user calls for as the rest, which no metadata.yaml can declare.
func template(key string) bool {
	return strings.HasPrefix(key, "process.environment_variable.")
}

func (c *checker) metric(where string, declared *emit.Metric, m pmetric.Metric) {
	if m.Unit() != declared.Unit {
		c.report("%s: unit is %q, declared %q", where, m.Unit(), declared.Unit)
	}
	if m.Description() != declared.Description {
		c.report("%s: description is %q, declared %q", where, m.Description(), declared.Description)
	}
	switch {
	case m.Type() == pmetric.MetricTypeSum && declared.Sum:
		if m.Sum().IsMonotonic() != declared.Monotonic {
			c.report("%s: monotonic is %t, declared %t", where, m.Sum().IsMonotonic(), declared.Monotonic)
		}
		if t := m.Sum().AggregationTemporality(); t != pmetric.AggregationTemporalityCumulative {
			c.report("%s: temporality is %s, declared Cumulative", where, t)
		}
	case m.Type() == pmetric.MetricTypeGauge && !declared.Sum:
	default:
		c.report("%s: is a %s, declared otherwise", where, m.Type())
		return
	}
	if points(m).Len() == 0 {
		c.report("%s: no point", where)
	}
	seen := map[string]bool{}
	for _, p := range points(m).All() {
		where := where + labels(p.Attributes())
		if seen[where] {
			c.report("%s: twice", where)
		}
		seen[where] = true
		c.point(where, declared, p)
	}
}

func (c *checker) point(where string, declared *emit.Metric, p pmetric.NumberDataPoint) {
	want := pmetric.NumberDataPointValueTypeInt
	if declared.Double {
		want = pmetric.NumberDataPointValueTypeDouble
	}
	if p.ValueType() != want {
		c.report("%s: value is %s, declared %s", where, p.ValueType(), want)
	}
	if v := p.DoubleValue(); math.IsNaN(v) || math.IsInf(v, 0) {
		c.report("%s: value is %g", where, v)
	}
	if c.time == 0 {
		c.time = p.Timestamp()
	}
	if p.Timestamp() == 0 || p.Timestamp() != c.time {
		c.report("%s: time is %s, that of others %s", where, p.Timestamp(), c.time)
	}
	if (p.StartTimestamp() != 0) != declared.Sum || p.StartTimestamp() > p.Timestamp() {
		c.report("%s: start time is %s", where, p.StartTimestamp())
	}
	for key, v := range p.Attributes().All() {
		i := slices.IndexFunc(declared.Attributes, func(a emit.Attribute) bool { return a.Key == key })
		if i < 0 {
			c.report("%s: %s is not declared", where, key)
			continue
		}
		c.attribute(where, declared.Attributes[i], v)
	}
	for _, a := range declared.Attributes {
		if _, ok := p.Attributes().Get(a.Key); !ok && a.Level == emit.Required {
			c.report("%s: %s is missing", where, a.Key)
		}
	}
}

func (c *checker) attribute(where string, declared emit.Attribute, v pcommon.Value) {
	switch {
	case v.Type() != declared.Type:
		c.report("%s: %s is a %s, declared %s", where, declared.Key, v.Type(), declared.Type)
	case v.AsString() == "":
		c.report("%s: %s is empty", where, declared.Key)
	case len(declared.Enum) > 0 && !slices.Contains(declared.Enum, v.AsString()):
		c.report("%s: %s is %q, declared one of %q", where, declared.Key, v.AsString(), declared.Enum)
	}
}

// Lines lists the values in md, one line for each resource with its
// attributes, indented below it one for each point, such as
//
//	process.cpu.time{cpu.mode=user} 1.5
//
// Resources stay in their order, points are sorted.
func Lines(md pmetric.Metrics) []string {
	var lines []string
	for _, rm := range md.ResourceMetrics().All() {
		lines = append(lines, "resource"+labels(rm.Resource().Attributes()))
		var below []string
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				for _, p := range points(m).All() {
					below = append(below, "  "+m.Name()+labels(p.Attributes())+" "+value(p))
				}
			}
		}
		slices.Sort(below)
		lines = append(lines, below...)
	}
	return lines
}

// points are those of a sum or a gauge.
func points(m pmetric.Metric) pmetric.NumberDataPointSlice {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints()
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints()
	}
	return pmetric.NewNumberDataPointSlice()
}

func value(p pmetric.NumberDataPoint) string {
	if p.ValueType() == pmetric.NumberDataPointValueTypeDouble {
		return strconv.FormatFloat(p.DoubleValue(), 'f', -1, 64)
	}
	return strconv.FormatInt(p.IntValue(), 10)
}

// labels writes attributes sorted by their keys.
func labels(attrs pcommon.Map) string {
	var list []string
	for key, v := range attrs.All() {
		list = append(list, key+"="+v.AsString())
	}
	if list == nil {
		return ""
	}
	slices.Sort(list)
	return "{" + strings.Join(list, ",") + "}"
}
