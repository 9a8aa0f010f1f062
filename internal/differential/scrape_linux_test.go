// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package differential

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/emittest"
	"github.com/hostscope/hostscope/platform"
	"github.com/hostscope/hostscope/scrapers/process"
)

// scrape is the process scraper with every metric and resource attribute on.
type scrape struct {
	t       testing.TB
	host    *platform.Host
	scraper *process.Scraper
	catalog *emit.Catalog

	snap      *platform.Snapshot
	values    map[int32]map[string]float64
	resources map[int32]map[string]any
}

// newScrape opens the scraper; more changes its configuration.
func newScrape(t testing.TB, h *platform.Host, more ...func(*process.Config)) *scrape {
	cfg := process.NewConfig()
	enable(reflect.ValueOf(&cfg.Metrics).Elem())
	enable(reflect.ValueOf(&cfg.ResourceAttributes).Elem())
	for _, f := range more {
		f(&cfg)
	}
	s, err := process.New(h, &cfg, "test")
	require.NoError(t, err)
	catalog, err := emittest.Load("../../scrapers/process/metadata.yaml")
	require.NoError(t, err)
	return &scrape{t: t, host: h, scraper: s, catalog: catalog}
}

// enable sets Enabled in each field of a generated struct.
func enable(v reflect.Value) {
	for i := range v.NumField() {
		v.Field(i).FieldByName("Enabled").SetBool(true)
	}
}

// detailed turns every opt-in attribute of every metric on.
func detailed(t testing.TB) func(*process.Config) {
	catalog, err := emittest.Load("../../scrapers/process/metadata.yaml")
	require.NoError(t, err)
	return func(cfg *process.Config) {
		v := reflect.ValueOf(&cfg.Metrics).Elem()
		for i := range v.NumField() {
			attributes := v.Field(i).FieldByName("EnabledAttributes")
			if !attributes.IsValid() {
				continue
			}
			name := v.Type().Field(i).Tag.Get("mapstructure")
			attributes.SetZero()
			for _, a := range catalog.Metrics[name].Attributes {
				attributes.Set(reflect.Append(attributes, reflect.ValueOf(a.Key).Convert(attributes.Type().Elem())))
			}
		}
	}
}

// take scrapes these processes; all, if there are none.
func (s *scrape) take(pids ...int32) {
	s.snap = take(s.t, s.host, platform.Request{Fields: s.scraper.Fields(), Select: func(p *platform.Process) bool {
		return !s.scraper.Ignore(p) && s.scraper.Select(p) && (len(pids) == 0 || slices.Contains(pids, p.PID))
	}})
	s.values, s.resources = map[int32]map[string]float64{}, map[int32]map[string]any{}
	require.NoError(s.t, s.scraper.Scrape(s.t.Context(), s.snap, func(md pmetric.Metrics) error {
		require.NoError(s.t, emittest.Check(md, s.catalog))
		for _, rm := range md.ResourceMetrics().All() {
			resource := rm.Resource().Attributes().AsRaw()
			pid := int32(resource["process.pid"].(int64))
			values := s.values[pid]
			if values == nil {
				values = map[string]float64{}
			} else { // one of many points, in several batches
				assert.Equal(s.t, s.resources[pid], resource)
			}
			s.resources[pid], s.values[pid] = resource, values
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					points := m.Gauge().DataPoints
					if m.Type() == pmetric.MetricTypeSum {
						points = m.Sum().DataPoints
					}
					for _, p := range points().All() {
						v := p.DoubleValue()
						if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
							v = float64(p.IntValue())
						}
						values[m.Name()+labels(p.Attributes())] = v
					}
				}
			}
		}
		return nil
	}))
}

// points scrapes one process and answers its values, by metric and attributes.
func (s *scrape) points(pid int32) map[string]float64 {
	s.take(pid)
	return s.values[pid]
}

// labels is {a=1,b=2} in the order of names; empty for none.
func labels(m pcommon.Map) string {
	var all []string
	for k, v := range m.All() {
		all = append(all, k+"="+v.AsString())
	}
	if len(all) == 0 {
		return ""
	}
	slices.Sort(all)
	return "{" + strings.Join(all, ",") + "}"
}
