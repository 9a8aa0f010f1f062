// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	_ "embed"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

//go:embed metadata.yaml
var metadataYAML []byte

// batch is how many processes are handed over at once, so that the memory in
// use does not grow with the host.
const batch = 256

// hostAttributes is room for those that the receiver adds to each resource.
const hostAttributes = 3

// Scraper emits the metrics of processes. Not for concurrent use.
type Scraper struct {
	scope         *emit.Scope
	kernelThreads bool

	metrics    []enabledMetric
	attributes []*attribute // those that are emitted
	early      []filter     // those that need no reading of their own
	late       []filter
}

// enabledMetric is a row of the table with the recorder of its metric.
type enabledMetric struct {
	*metric
	points *emit.Points
}

// filter is a resource attribute by which processes are selected.
type filter struct {
	*attribute
	by emit.Selection
}

// New makes a scraper of what cfg enables. It reads nothing but snapshots, so
// it does without the host. version is that of the instrumentation scope.
func New(_ *platform.Host, cfg *Config, version string) (*Scraper, error) {
	catalog, err := emit.Parse(metadataYAML)
	if err != nil {
		return nil, err
	}
	s := &Scraper{scope: emit.NewScope(catalog, cfg.Metrics, version), kernelThreads: cfg.KernelThreads}
	for i := range metrics {
		if points := s.scope.Points(metrics[i].name); points.Enabled() {
			s.metrics = append(s.metrics, enabledMetric{&metrics[i], points})
		}
	}
	selections := emit.ResourceSettings(cfg.ResourceAttributes)
	for i := range attributes {
		a := &attributes[i]
		selection, ok := selections[a.name]
		if !ok {
			panic("process: metadata.yaml has no resource attribute " + a.name)
		}
		if selection.Enabled {
			s.attributes = append(s.attributes, a)
		}
		switch {
		case !selection.Filters():
		case a.fields == 0:
			s.early = append(s.early, filter{a, selection})
		default:
			s.late = append(s.late, filter{a, selection})
		}
	}
	return s, nil
}

// Fields are those of selected processes that the scraper needs.
func (s *Scraper) Fields() platform.Fields {
	var f platform.Fields
	for _, m := range s.metrics {
		f |= m.fields
	}
	if f == 0 {
		return 0 // no metric, so no resource either
	}
	for _, a := range s.attributes {
		f |= a.fields
	}
	for _, a := range s.late {
		f |= a.fields
	}
	return f
}

// Select is the filter for platform.Request: it decides by what is known of a
// process before more than its identity is read.
func (s *Scraper) Select(p *platform.Process) bool {
	if p.KernelThread && !s.kernelThreads {
		return false
	}
	return pass(s.early, p)
}

// Scrape emits the metrics of the selected processes of a snapshot, in batches.
// It stops at the first error of consume, which is not an error of the scrape.
// What a process lacks is no error either; that of the process table is.
func (s *Scraper) Scrape(_ context.Context, snap *platform.Snapshot, consume func(pmetric.Metrics) error) error {
	if snap.ProcessesErr != nil {
		return snap.ProcessesErr
	}
	for left := snap.Processes; len(left) > 0 && len(s.metrics) > 0; {
		var md pmetric.Metrics
		if md, left = s.batch(snap, left); md.ResourceMetrics().Len() > 0 && consume(md) != nil {
			return nil
		}
	}
	return nil
}

// batch records the first processes of a list and gives the rest of it.
func (s *Scraper) batch(snap *platform.Snapshot, left []*platform.Process) (pmetric.Metrics, []*platform.Process) {
	md := pmetric.NewMetrics()
	to := md.ResourceMetrics()
	to.EnsureCapacity(min(batch, len(left)))
	for i, p := range left {
		if to.Len() == batch {
			return md, left[i:]
		}
		if p.Selected && s.has(p) && pass(s.late, p) {
			s.record(to.AppendEmpty(), snap, p)
		}
	}
	return md, nil
}

// has tells whether a process has any value at all.
func (s *Scraper) has(p *platform.Process) bool {
	for _, m := range s.metrics {
		if p.Got.Has(m.fields) {
			return true
		}
	}
	return false
}

func (s *Scraper) record(rm pmetric.ResourceMetrics, snap *platform.Snapshot, p *platform.Process) {
	s.describe(rm.Resource().Attributes(), p)
	resource := s.scope.Resource(rm, p.Created, snap.Time)
	for _, m := range s.metrics {
		if p.Got.Has(m.fields) {
			m.points.Begin(resource)
			m.record(m.points, p)
			m.points.End()
		}
	}
}

// describe writes the resource attributes that are known.
func (s *Scraper) describe(to pcommon.Map, p *platform.Process) {
	n := noteOf(p)
	to.EnsureCapacity(len(s.attributes) + hostAttributes)
	for _, a := range s.attributes {
		if a.int != nil {
			to.PutInt(a.name, a.int(p))
		} else if v := a.str(p, n); v != "" {
			to.PutStr(a.name, v)
		}
	}
}

// pass tells whether a process passes filters.
func pass(filters []filter, p *platform.Process) bool {
	for _, f := range filters {
		var v string
		if f.int != nil {
			v = strconv.FormatInt(f.int(p), 10)
		} else {
			v = f.str(p, noteOf(p))
		}
		if !f.by.Matches(v) {
			return false
		}
	}
	return true
}

// Missing names the enabled metrics and resource attributes that a system
// cannot give.
func (s *Scraper) Missing(on platform.OS) []string {
	had := platform.Supported(on)
	return s.names(
		func(m *metric) bool { return !had.Has(m.fields) },
		func(a *attribute) bool { return a.fields != 0 && had&a.fields == 0 },
	)
}

// Uses names the enabled metrics and resource attributes that need a field.
// A process whose state is not known is not known at all.
func (s *Scraper) Uses(f platform.Fields) []string {
	all := f.Has(platform.FieldState)
	return s.names(
		func(m *metric) bool { return all || m.fields&f != 0 },
		func(a *attribute) bool { return all || a.fields&f != 0 },
	)
}

// names lists the enabled rows that are wanted.
func (s *Scraper) names(wantMetric func(*metric) bool, wantAttribute func(*attribute) bool) []string {
	var names []string
	for _, m := range s.metrics {
		if wantMetric(m.metric) {
			names = append(names, m.name)
		}
	}
	for _, a := range s.attributes {
		if wantAttribute(a) {
			names = append(names, a.name)
		}
	}
	return names
}
