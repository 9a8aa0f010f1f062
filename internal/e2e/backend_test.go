// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// backend is a second collector, which receives OTLP and writes it to a file.
type backend struct {
	grpc, http string // its addresses
	file       string
	read       int // bytes of the file
	resources  []pmetric.ResourceMetrics
}

func startBackend(t *testing.T) *backend {
	b := &backend{grpc: freeAddress(t), http: freeAddress(t), file: filepath.Join(t.TempDir(), "received.json")}
	newCollector(t, fmt.Sprintf(`yaml:
receivers: {otlp: {protocols: {grpc: {endpoint: %q}, http: {endpoint: %q}}}}
exporters: {file: {path: %q, flush_interval: 100ms}}
service:
  pipelines: {metrics: {receivers: [otlp], exporters: [file]}}
  telemetry: {metrics: {level: none}}
`, b.grpc, b.http, b.file)).start(t)
	return b
}

// received are all the resources so far, in the order of their arrival.
func (b *backend) received(t *testing.T) []pmetric.ResourceMetrics {
	content, err := os.ReadFile(b.file)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	whole := bytes.LastIndexByte(content, '\n') + 1 // each line is one request
	for line := range bytes.Lines(content[b.read:whole]) {
		metrics, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(line)
		require.NoError(t, err)
		for _, resource := range metrics.ResourceMetrics().All() {
			b.resources = append(b.resources, resource)
		}
	}
	b.read = whole
	return b.resources
}

// scrapes counts the different times of the points of a metric.
func (b *backend) scrapes(t *testing.T, metric string) int {
	times := map[time.Time]bool{}
	for _, resource := range b.received(t) {
		for series, sample := range samples(resource) {
			if series == metric {
				times[sample.time] = true
			}
		}
	}
	return len(times)
}

// sample is a data point.
type sample struct {
	value       float64
	start, time time.Time
}

// samples are the data points of a resource, by metric{attribute=value,…}.
func samples(resource pmetric.ResourceMetrics) map[string]sample {
	all := map[string]sample{}
	for _, scope := range resource.ScopeMetrics().All() {
		for _, metric := range scope.Metrics().All() {
			var points pmetric.NumberDataPointSlice
			if metric.Type() == pmetric.MetricTypeSum {
				points = metric.Sum().DataPoints()
			} else {
				points = metric.Gauge().DataPoints()
			}
			for _, point := range points.All() {
				value := point.DoubleValue()
				if point.ValueType() == pmetric.NumberDataPointValueTypeInt {
					value = float64(point.IntValue())
				}
				all[series(metric.Name(), point.Attributes())] = sample{value, point.StartTimestamp().AsTime(), point.Timestamp().AsTime()}
			}
		}
	}
	return all
}

func series(name string, attributes pcommon.Map) string {
	for key, value := range attributes.All() {
		name += fmt.Sprintf("{%s=%s}", key, value.AsString())
	}
	return name
}
