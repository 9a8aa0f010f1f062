// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"context"
	_ "embed"
	"fmt"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

//go:embed metadata.yaml
var metadataYAML []byte

// host is what is read, of a *platform.Host.
type host interface {
	PowerSupplies([]platform.PowerSupply) ([]platform.PowerSupply, error)
}

// Scraper emits the metrics of the hardware. Not for concurrent use.
type Scraper struct {
	host    host
	on      platform.OS
	scope   *emit.Scope
	metrics []enabledMetric
	tick    tick
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
	s := &Scraper{host: host, on: on, scope: emit.NewScope(catalog, cfg.Metrics, version)}
	for i := range metrics {
		if points := s.scope.Points(metrics[i].name); points.Enabled() {
			s.metrics = append(s.metrics, enabledMetric{&metrics[i], points})
		}
	}
	return s, nil
}

// Fields are none: no sensor is one of processes.
func (s *Scraper) Fields() platform.Fields { return 0 }

// Scrape emits what the sensors show. The error is that of all that could not
// be read; what could be read is emitted all the same. An error of consume is
// none of the scrape.
func (s *Scraper) Scrape(_ context.Context, snap *platform.Snapshot, consume func(pmetric.Metrics) error) error {
	err := s.read()
	md := pmetric.NewMetrics()
	resource := s.scope.Resource(md.ResourceMetrics().AppendEmpty(), snap.Boot, snap.Time)
	for _, m := range s.metrics {
		if platform.Supports(s.on, m.reading) {
			m.points.Begin(resource)
			m.record(m.points, &s.tick)
			m.points.End()
		}
	}
	if resource.Metrics.Len() > 0 {
		_ = consume(md)
	}
	return err
}

// read reads what the enabled metrics take.
func (s *Scraper) read() (err error) {
	s.tick.power = s.tick.power[:0]
	if s.needs(platform.ReadingPowerSupplies) {
		if s.tick.power, err = s.host.PowerSupplies(s.tick.power); err != nil {
			err = fmt.Errorf("power supplies: %w", err)
		}
	}
	return err
}

// needs tells whether an enabled metric that this system can give takes a
// reading.
func (s *Scraper) needs(r platform.Reading) bool {
	for _, m := range s.metrics {
		if m.reading == r && platform.Supports(s.on, r) {
			return true
		}
	}
	return false
}

// Missing names the enabled metrics that a system cannot give.
func (s *Scraper) Missing(on platform.OS) []string {
	var names []string
	for _, m := range s.metrics {
		if !platform.Supports(on, m.reading) {
			names = append(names, m.name)
		}
	}
	return names
}

// Uses names nothing: no sensor is one of processes.
func (s *Scraper) Uses(platform.Fields) []string { return nil }
