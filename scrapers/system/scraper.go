// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

//go:embed metadata.yaml
var metadataYAML []byte

// host is what is read beyond the snapshot, of a *platform.Host.
type host interface {
	Uptime() (time.Duration, error)
	Memory(*platform.Memory) error
}

// Scraper emits the metrics of the host as a whole. Not for concurrent use.
type Scraper struct {
	host    host
	on      platform.OS
	scope   *emit.Scope
	metrics []enabledMetric

	// What must not be forgotten from one scrape to the next.
	total  steadyTimes
	perCPU map[int]*steadyTimes
	seen   [platform.NumStates]bool
}

// enabledMetric is a row of the table with the recorder of its metric.
type enabledMetric struct {
	*metric
	points *emit.Points
}

// New makes a scraper of what cfg enables. version is that of the
// instrumentation scope.
func New(host *platform.Host, cfg *Config, version string) (*Scraper, error) {
	return newScraper(host, platform.ThisOS(), cfg, version)
}

func newScraper(host host, on platform.OS, cfg *Config, version string) (*Scraper, error) {
	catalog, err := emit.Parse(metadataYAML)
	if err != nil {
		return nil, err
	}
	s := &Scraper{
		host:   host,
		on:     on,
		scope:  emit.NewScope(catalog, cfg.Metrics, version),
		perCPU: map[int]*steadyTimes{},
	}
	for i := range metrics {
		if points := s.scope.Points(metrics[i].name); points.Enabled() {
			s.metrics = append(s.metrics, enabledMetric{&metrics[i], points})
		}
	}
	return s, nil
}

// Fields are those of every process that the scraper needs.
func (s *Scraper) Fields() platform.Fields {
	var f platform.Fields
	for _, m := range s.metrics {
		f |= m.needs.fields
	}
	return f
}

// Scrape emits the metrics of the host at a snapshot. The error is that of all
// that could not be read; what could be read is emitted all the same. An error
// of consume is none of the scrape.
func (s *Scraper) Scrape(_ context.Context, snap *platform.Snapshot, consume func(pmetric.Metrics) error) error {
	t, err := s.read(snap)
	md := pmetric.NewMetrics()
	resource := s.scope.Resource(md.ResourceMetrics().AppendEmpty(), snap.Boot, snap.Time)
	for _, m := range s.metrics {
		if m.needs.met(s.on) {
			m.points.Begin(resource)
			m.record(s, m.points, t)
			m.points.End()
		}
	}
	if resource.Metrics.Len() > 0 {
		_ = consume(md)
	}
	return err
}

// read reads what the enabled metrics take and the snapshot does not have.
func (s *Scraper) read(snap *platform.Snapshot) (*tick, error) {
	t := &tick{Snapshot: snap}
	var errs []error
	if s.needs(platform.ReadingUptime) {
		var err error
		if t.uptime, err = s.host.Uptime(); err != nil {
			errs = append(errs, fmt.Errorf("uptime: %w", err))
		}
		t.uptimeOK = err == nil
	}
	if s.needs(platform.ReadingMemory) {
		if err := s.host.Memory(&t.memory); err != nil {
			errs = append(errs, fmt.Errorf("memory: %w", err))
			t.memory = platform.Memory{}
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
	for _, m := range s.metrics {
		if m.needs.fields == 0 && m.needs.reading == r && m.needs.met(s.on) {
			return true
		}
	}
	return false
}

// Missing names the enabled metrics that a system cannot give.
func (s *Scraper) Missing(on platform.OS) []string {
	return s.names(func(n need) bool { return !n.met(on) })
}

// Uses names the enabled metrics that need a field of processes.
func (s *Scraper) Uses(f platform.Fields) []string {
	return s.names(func(n need) bool { return n.fields&f != 0 })
}

func (s *Scraper) names(want func(need) bool) []string {
	var names []string
	for _, m := range s.metrics {
		if want(m.needs) {
			names = append(names, m.name)
		}
	}
	return names
}
