// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package prometheusremotewrite stands in for Prometheus' package of that name
// when otelcol-hostscope is built.
//
// The Collector's Prometheus exporter calls one function of it. The real
// package brings the configuration of Prometheus' remote write along, and with
// it the SDKs of three clouds.
package prometheusremotewrite

import (
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// TranslatorMetricFromOtelMetric says of a metric what its name in Prometheus
// depends on.
func TranslatorMetricFromOtelMetric(metric pmetric.Metric) otlptranslator.Metric {
	var kind otlptranslator.MetricType // unknown
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		kind = otlptranslator.MetricTypeGauge
	case pmetric.MetricTypeSum:
		kind = otlptranslator.MetricTypeNonMonotonicCounter
		if metric.Sum().IsMonotonic() {
			kind = otlptranslator.MetricTypeMonotonicCounter
		}
	case pmetric.MetricTypeHistogram:
		kind = otlptranslator.MetricTypeHistogram
	case pmetric.MetricTypeExponentialHistogram:
		kind = otlptranslator.MetricTypeExponentialHistogram
	case pmetric.MetricTypeSummary:
		kind = otlptranslator.MetricTypeSummary
	}
	return otlptranslator.Metric{Name: metric.Name(), Unit: metric.Unit(), Type: kind}
}
