// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

//go:embed metadata.yaml
var metadataYAML []byte

// Scraper emits the metrics of the host as a whole. Not for concurrent use.
type Scraper struct {
	host    *platform.Host
	on      platform.OS
	scope   *emit.Scope
	metrics []enabledMetric
	plan    []platform.Reading // what they take that is not in the snapshot
	tick    tick
	// read reads one row of readings; tests have another.
	read func(platform.Reading, *tick) error

	// What must not be forgotten from one scrape to the next.
	cpu         cpuState
	hard, soft  wrapping
	faults      minorFaults
	seen        [platform.NumStates]bool
	disk        diskState
	filesystems filesystemState
	connections connectionState
	network     networkState
	protocols   counters[struct{}, protocolCounts]
}

// enabledMetric is a row of the table with the recorder of its metric.
type enabledMetric struct {
	*metric
	points *emit.Points
}

// New makes a scraper of what cfg enables. version is that of the
// instrumentation scope.
func New(host *platform.Host, cfg *Config, version string) (*Scraper, error) {
	s, err := newScraper(platform.ThisOS(), cfg, version)
	if err == nil {
		s.host = host
	}
	return s, err
}

func newScraper(on platform.OS, cfg *Config, version string) (*Scraper, error) {
	catalog, err := emit.Parse(metadataYAML)
	if err != nil {
		return nil, err
	}
	s := &Scraper{
		on:        on,
		scope:     emit.NewScope(catalog, cfg.Metrics, version),
		cpu:       newCPUState(),
		protocols: newProtocolCounters(),
	}
	disk, err1 := newDiskState(cfg)
	filesystems, err2 := newFilesystemState(cfg)
	network, err3 := newNetworkState(cfg)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	s.disk, s.filesystems, s.network = disk, filesystems, network
	s.read = func(r platform.Reading, t *tick) error { return readings[r](s, t) }
	for i := range metrics {
		if points := s.scope.Points(metrics[i].name); points.Enabled() {
			s.metrics = append(s.metrics, enabledMetric{&metrics[i], points})
		}
	}
	for _, r := range slices.Sorted(maps.Keys(readings)) {
		if s.needs(r) {
			s.plan = append(s.plan, r)
		}
	}
	s.network.wantAddresses(s.metrics)
	return s, nil
}

// Fields are those of every process that the scraper needs.
func (s *Scraper) Fields() platform.Fields {
	var f platform.Fields
	for i := range s.metrics {
		f |= s.metrics[i].fields()
	}
	return f
}

// fields are those of processes that the metric takes as the user wants it.
func (m *enabledMetric) fields() platform.Fields {
	if slices.ContainsFunc(m.needs.alsoBy, m.points.Lists) {
		return m.needs.fields | m.needs.also
	}
	return m.needs.fields
}

// Scrape emits the metrics of the host at a snapshot, in batches where they are
// many. The error is that of all that could not be read; what could be read is
// emitted all the same. An error of consume is none of the scrape: what follows
// in it is dropped.
func (s *Scraper) Scrape(ctx context.Context, snap *platform.Snapshot, consume func(pmetric.Metrics) error) error {
	t, err := s.readAll(ctx, snap)
	md := pmetric.NewMetrics()
	resource := s.scope.Host(md.ResourceMetrics().AppendEmpty(), snap.Boot, snap.Time)
	for _, m := range s.metrics {
		if m.needs.met(s.on) {
			m.points.Begin(resource)
			m.record(s, m.points, t)
			m.points.End()
		}
	}
	if resource.Metrics.Len() > 0 {
		_ = emit.Split(md, emit.MaxPoints, consume)
	}
	return err
}

// readAll reads what is planned.
func (s *Scraper) readAll(ctx context.Context, snap *platform.Snapshot) (*tick, error) {
	t := &s.tick
	t.begin(ctx, snap)
	var errs []error
	for _, r := range s.plan {
		if err := s.read(r, t); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r, err))
		}
	}
	if s.Fields() != 0 && snap.ProcessesErr != nil {
		errs = append(errs, fmt.Errorf("processes: %w", snap.ProcessesErr))
	}
	return t, errors.Join(errs...)
}

// needs tells whether an enabled metric that this system can give takes a
// reading.
func (s *Scraper) needs(r platform.Reading) bool {
	for i := range s.metrics {
		m := &s.metrics[i]
		if m.needs.fields == 0 && m.reading() == r && m.needs.met(s.on) {
			return true
		}
	}
	return false
}

// points is the recorder of a metric that is enabled.
func (s *Scraper) points(name string) *emit.Points {
	i := slices.IndexFunc(s.metrics, func(m enabledMetric) bool { return m.name == name })
	return s.metrics[i].points
}

// reading is what the metric takes as the user wants it.
func (m *enabledMetric) reading() platform.Reading {
	if m.needs.by != "" && m.points.WantsEach(m.needs.by) {
		return m.needs.each
	}
	return m.needs.reading
}

// parts are those of a reading that the enabled metrics take.
func (s *Scraper) parts(r platform.Reading) (parts uint8) {
	for i := range s.metrics {
		if m := &s.metrics[i]; m.reading() == r {
			parts |= m.needs.parts
		}
	}
	return parts
}

// Missing names the enabled metrics that a system cannot give.
func (s *Scraper) Missing(on platform.OS) []string {
	return s.names(func(m *enabledMetric) bool { return !m.needs.met(on) })
}

// Uses names the enabled metrics that need a field of processes.
func (s *Scraper) Uses(f platform.Fields) []string {
	return s.names(func(m *enabledMetric) bool { return m.fields()&f != 0 })
}

func (s *Scraper) names(want func(*enabledMetric) bool) []string {
	var names []string
	for i := range s.metrics {
		if m := &s.metrics[i]; want(m) {
			names = append(names, m.name)
		}
	}
	return names
}
