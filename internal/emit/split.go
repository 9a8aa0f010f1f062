// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package emit

import "go.opentelemetry.io/collector/pdata/pmetric"

// MaxPoints is how many are handed over at once. Backends take no more than so
// much: the OTLP receiver 4 MiB by gRPC, if it is not told otherwise. A point has
// some 100 bytes, one of a mapping with all attributes 370, and more where paths
// are long.
const MaxPoints = 10_000

// Split hands metrics over in batches of at most so many points. Each resource
// has one scope. It ends with the first error of consume. What md had belongs to
// consume.
func Split(md pmetric.Metrics, most int, consume func(pmetric.Metrics) error) error {
	if md.DataPointCount() <= most {
		return consume(md)
	}
	batches, room := []pmetric.Metrics{md}, most // in the last of them
	md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
		from := rm.ScopeMetrics().At(0)
		var to pmetric.MetricSlice // where those of rm go
		from.Metrics().RemoveIf(func(m pmetric.Metric) bool {
			points := pointsOf(m)
			var into pmetric.NumberDataPointSlice // where those of m go
			points.RemoveIf(func(p pmetric.NumberDataPoint) bool {
				if room == 0 {
					batches, room = append(batches, pmetric.NewMetrics()), most
					to, into = pmetric.MetricSlice{}, pmetric.NumberDataPointSlice{}
				}
				room--
				if len(batches) == 1 {
					return false // the first ones stay
				}
				if to == (pmetric.MetricSlice{}) {
					to = like(rm, batches[len(batches)-1].ResourceMetrics().AppendEmpty())
				}
				if into == (pmetric.NumberDataPointSlice{}) {
					into = without(m, to.AppendEmpty())
				}
				p.MoveTo(into.AppendEmpty())
				return true
			})
			return points.Len() == 0
		})
		return from.Metrics().Len() == 0
	})
	for _, b := range batches {
		if err := consume(b); err != nil {
			return err
		}
	}
	return nil
}

// like makes to the resource and scope that rm is, and answers where metrics go.
func like(rm, to pmetric.ResourceMetrics) pmetric.MetricSlice {
	rm.Resource().CopyTo(to.Resource())
	to.SetSchemaUrl(rm.SchemaUrl())
	from, scope := rm.ScopeMetrics().At(0), to.ScopeMetrics().AppendEmpty()
	from.Scope().CopyTo(scope.Scope())
	scope.SetSchemaUrl(from.SchemaUrl())
	return scope.Metrics()
}

func pointsOf(m pmetric.Metric) pmetric.NumberDataPointSlice {
	if m.Type() == pmetric.MetricTypeSum {
		return m.Sum().DataPoints()
	}
	return m.Gauge().DataPoints()
}

// without makes to what m is without its points, and answers where they go.
func without(m, to pmetric.Metric) pmetric.NumberDataPointSlice {
	to.SetName(m.Name())
	to.SetDescription(m.Description())
	to.SetUnit(m.Unit())
	if m.Type() != pmetric.MetricTypeSum {
		return to.SetEmptyGauge().DataPoints()
	}
	sum := to.SetEmptySum()
	sum.SetAggregationTemporality(m.Sum().AggregationTemporality())
	sum.SetIsMonotonic(m.Sum().IsMonotonic())
	return sum.DataPoints()
}
