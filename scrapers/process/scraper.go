// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

//go:embed metadata.yaml
var metadataYAML []byte

// maxAttributes is room for the attributes of any point.
const maxAttributes = 12

// hostAttributes is room for those that the receiver adds to each resource.
const hostAttributes = 3

// Scraper emits the metrics of processes. Not for concurrent use.
type Scraper struct {
	scope         *emit.Scope
	kernelThreads bool
	minAge        time.Duration
	failDenied    bool // on_access_denied

	metrics    []enabledMetric
	attributes []*attribute // those that are emitted

	// What selects processes: metrics_include and metrics_exclude of
	// attributes, and include and exclude (nil for neither).
	filters []filter
	chosen  *processFilter

	variables int // how many of the environment are emitted

	sample sample // the process being looked at
	// memory reads that of the host; nil where no value depends on it.
	memory func(*platform.Memory) error
}

// enabledMetric is a row of the table with the recorder of its metric, and the
// fields that it takes with the attributes that are wanted.
type enabledMetric struct {
	*metric
	points       *emit.Points
	fields, also platform.Fields
}

// filter is a resource attribute by which processes are selected.
type filter struct {
	*attribute
	by emit.Selection
}

// New makes a scraper of what cfg enables. Of the host it reads the size of the
// memory, if a metric needs that. version is that of the instrumentation scope.
func New(host *platform.Host, cfg *Config, version string) (*Scraper, error) {
	catalog, err := emit.Parse(metadataYAML)
	if err != nil {
		return nil, err
	}
	s := &Scraper{
		scope:         emit.NewScope(catalog, cfg.Metrics, version),
		kernelThreads: cfg.KernelThreads,
		minAge:        cfg.MinAge,
		failDenied:    cfg.OnAccessDenied == Fail,
	}
	if s.chosen, err = newFilter(cfg.Include, cfg.Exclude); err != nil {
		return nil, err
	}
	redactor, err := newRedactor(&cfg.Redaction)
	if err != nil {
		return nil, err
	}
	s.sample = sample{token: host.Token, redactor: redactor, attrs: make([]emit.Attr, 0, maxAttributes), flags: flagLists{}}
	s.variables = len(cfg.EnvironmentVariables)
	for i := range metrics {
		m := &metrics[i]
		points := s.scope.Points(m.name)
		if !points.Enabled() {
			continue
		}
		fields, also := m.fields, m.also
		if m.plan != nil {
			fields, also = m.plan(points)
		}
		s.metrics = append(s.metrics, enabledMetric{m, points, fields, also})
		if m.host {
			s.memory = host.Memory
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
		if selection.Filters() {
			s.filters = append(s.filters, filter{a, selection})
		}
	}
	return s, nil
}

// Fields are those of selected processes that the scraper needs.
func (s *Scraper) Fields() platform.Fields {
	var f platform.Fields
	for _, m := range s.metrics {
		f |= m.fields | m.also
	}
	if f == 0 {
		return 0 // no metric, so no resource either
	}
	if s.variables > 0 {
		f |= platform.FieldEnvironment
	}
	for _, a := range s.attributes {
		f |= a.fields
	}
	return f | s.filterFields()
}

// Filter are those of Fields by which Select decides, so that they have to be
// read before.
func (s *Scraper) Filter() platform.Fields { return s.filterFields() & s.Fields() }

func (s *Scraper) filterFields() platform.Fields {
	var f platform.Fields
	for _, a := range s.filters {
		f |= a.fields
	}
	if s.chosen != nil {
		f |= s.chosen.fields
	}
	return f
}

// Ignore is the first filter for platform.Request: it decides by what is known
// of every process.
func (s *Scraper) Ignore(p *platform.Process) bool {
	return p.KernelThread && !s.kernelThreads || p.Age < s.minAge
}

// Select is the second: it decides by the fields of Filter, before anything
// else is read of a process.
func (s *Scraper) Select(p *platform.Process) bool {
	if s.chosen != nil && !s.chosen.selects(p, &noteOf(p).verdict) {
		return false
	}
	return s.pass(p)
}

// Scrape emits the metrics of the selected processes of a snapshot, in batches.
// It stops at the first error of consume, which is not an error of the scrape.
// What a process lacks is no error either; that of the process table is, and of
// the host's memory, without which the rest is emitted.
func (s *Scraper) Scrape(_ context.Context, snap *platform.Snapshot, consume func(pmetric.Metrics) error) error {
	if snap.ProcessesErr != nil {
		return snap.ProcessesErr
	}
	if s.failDenied && (snap.Hidden || snap.Tally.Denied(platform.FieldState) > 0) {
		return fmt.Errorf("%q: fail, and of a process not even the identity can be read: %w", "on_access_denied", platform.ErrAccessDenied)
	}
	err := s.begin(snap)
	if len(s.metrics) == 0 {
		return err
	}
	b := batches{left: len(snap.Processes)}
	for _, p := range snap.Processes {
		if b.left--; p.Selected && b.record(s, snap, p, consume) != nil {
			return err
		}
	}
	_ = b.flush(consume)
	return err
}

// begin takes what all processes of a scrape share.
func (s *Scraper) begin(snap *platform.Snapshot) (err error) {
	s.sample.time, s.sample.cpus, s.sample.memory = snap.Time, snap.CPU.PerCPU, 0
	if s.memory != nil {
		var m platform.Memory
		if err = s.memory(&m); m.Got.Has(platform.MemoryTotal) {
			s.sample.memory = m.Total
		}
	}
	return err
}

// of makes a process the one that is looked at.
func (s *Scraper) of(p *platform.Process) *sample {
	s.sample.Process, s.sample.note = p, noteOf(p)
	return &s.sample
}

// describe writes the resource attributes that are known.
func (s *Scraper) describe(to pcommon.Map, of *sample) {
	to.EnsureCapacity(len(s.attributes) + s.variables + hostAttributes)
	for _, a := range s.attributes {
		v := a.of(of)
		v.Put(to, a.name)
	}
	if s.variables > 0 {
		of.putEnvironment(to)
	}
}

// pass tells whether a process passes the filters of attributes.
func (s *Scraper) pass(p *platform.Process) bool {
	for _, f := range s.filters {
		v := f.of(s.of(p))
		if !f.by.Matches(v.Text()) {
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
		func(m *enabledMetric) bool {
			return !had.Has(m.fields) || m.host && !platform.Supports(on, platform.ReadingMemory)
		},
		func(a *attribute) bool { return a.fields != 0 && had&a.fields == 0 },
	)
}

// Uses names the enabled metrics and resource attributes that need a field. A
// process whose state is not known is not known at all.
func (s *Scraper) Uses(f platform.Fields) []string {
	all := f.Has(platform.FieldState)
	names := s.names(
		func(m *enabledMetric) bool { return all || (m.fields|m.also)&f != 0 },
		func(a *attribute) bool { return all || a.fields&f != 0 },
	)
	if s.variables > 0 && f.Has(platform.FieldEnvironment) {
		names = append(names, environmentVariables)
	}
	return names
}

// names lists the enabled rows that are wanted.
func (s *Scraper) names(wantMetric func(*enabledMetric) bool, wantAttribute func(*attribute) bool) []string {
	var names []string
	for i := range s.metrics {
		if m := &s.metrics[i]; wantMetric(m) {
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
