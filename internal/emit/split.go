// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package emit

import "go.opentelemetry.io/collector/pdata/pmetric"

// Split hands the metrics of one resource and scope over in batches of at most
// so many points. Backends take no more than so much at once: the OTLP receiver
// 4 MiB by gRPC, if it is not told otherwise. It ends with the first error of
// consume. What md had belongs to consume.
func Split(md pmetric.Metrics, most int, consume func(pmetric.Metrics) error) error {
	if md.DataPointCount() <= most {
		return consume(md)
	}
	from := md.ResourceMetrics().At(0)
	scope := from.ScopeMetrics().At(0)
	batch, room := pmetric.Metrics{}, 0
	var to pmetric.MetricSlice
	for _, m := range scope.Metrics().All() {
		points := pointsOf(m)
		for i := 0; i < points.Len(); {
			if room == 0 {
				if to != (pmetric.MetricSlice{}) {
					if err := consume(batch); err != nil {
						return err
					}
				}
				batch, room = pmetric.NewMetrics(), most
				rm := batch.ResourceMetrics().AppendEmpty()
				from.Resource().CopyTo(rm.Resource())
				sm := rm.ScopeMetrics().AppendEmpty()
				scope.Scope().CopyTo(sm.Scope())
				to = sm.Metrics()
			}
			n := min(room, points.Len()-i)
			room -= n
			into := without(m, to.AppendEmpty())
			into.EnsureCapacity(n)
			for ; n > 0; n-- {
				points.At(i).MoveTo(into.AppendEmpty())
				i++
			}
		}
	}
	return consume(batch)
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
