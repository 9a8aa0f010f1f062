// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/match"
	"github.com/hostscope/hostscope/platform"
)

//go:embed metadata.yaml
var metadataYAML []byte

// host is what is read, of a *platform.Host.
type host interface {
	PowerSupplies(context.Context, []platform.PowerSupply, platform.PowerFields, func(name string) bool) ([]platform.PowerSupply, error)
	Sensors(context.Context, []platform.Sensor, platform.SensorRequest, func(*platform.Sensor) bool) ([]platform.Sensor, error)
	EnergyZones(context.Context, []platform.EnergyZone) ([]platform.EnergyZone, error)
	Unread() map[string]int
}

// Scraper emits the metrics of the hardware. Not for concurrent use.
type Scraper struct {
	host    host
	on      platform.OS
	scope   *emit.Scope
	metrics []enabledMetric
	needs   need // of all that are enabled
	chips   match.Filter
	supply  match.Filter
	tick    tick
	last    time.Time // of a scrape
	energy  meters
	cycles  map[string]cycles             // by name of the battery
	feeds   map[string]platform.PowerKind // what feeds the host, by name, when all last answered
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
	s := &Scraper{host: host, on: on, scope: emit.NewScope(catalog, cfg.Metrics, version), energy: meters{}, cycles: map[string]cycles{}}
	if s.chips, s.supply, err = cfg.filters(); err != nil {
		return nil, err
	}
	enabled := map[string]bool{}
	for i := range metrics {
		m := &metrics[i]
		points := s.scope.Points(m.name)
		if !points.Enabled() {
			continue
		}
		enabled[m.name] = true
		s.metrics = append(s.metrics, enabledMetric{m, points})
		s.needs.readings = append(s.needs.readings, m.needs.readings...)
		s.needs.power |= m.needs.power
		for kind, fields := range m.needs.sensors {
			s.needs.sensors[kind] |= fields
		}
	}
	for name, kind := range statusWith {
		if enabled["hw.status"] && enabled[name] {
			s.needs.sensors[kind] |= platform.SensorHealth
		}
	}
	return s, nil
}

// Fields are none: no sensor is one of processes.
func (s *Scraper) Fields() platform.Fields { return 0 }

// Scrape emits what the sensors show. The error is that of all that could not
// be read; what could be read is emitted all the same. An error of consume is
// none of the scrape.
func (s *Scraper) Scrape(ctx context.Context, snap *platform.Snapshot, consume func(pmetric.Metrics) error) error {
	t, err := s.read(ctx, snap)
	md := pmetric.NewMetrics()
	resource := s.scope.Host(md.ResourceMetrics().AppendEmpty(), snap.Boot, snap.Time)
	for _, m := range s.metrics {
		if m.needs.met(s.on) {
			m.points.Begin(resource)
			m.record(s, m.points, t)
			m.points.End()
		}
	}
	s.energy.forget(snap.Time)
	s.last = snap.Time
	if resource.Metrics.Len() > 0 {
		_ = emit.Split(md, emit.MaxPoints, consume)
	}
	return err
}

// read reads what the enabled metrics take.
func (s *Scraper) read(ctx context.Context, snap *platform.Snapshot) (*tick, error) {
	t := &s.tick
	t.begin(snap)
	var errs [3]error
	if s.reads(platform.ReadingPowerSupplies) {
		t.power, errs[0] = s.host.PowerSupplies(ctx, t.power, s.needs.power, func(name string) bool { return s.supply.Selects(name) })
		s.miss(t, errs[0])
	}
	if s.reads(platform.ReadingSensors) {
		t.sensors, errs[1] = s.host.Sensors(ctx, t.sensors, s.needs.sensors, func(sensor *platform.Sensor) bool { return s.chips.Selects(sensor.Chip, sensor.Name) })
	}
	if s.reads(platform.ReadingEnergy) {
		t.energy, errs[2] = s.host.EnergyZones(ctx, t.energy)
	}
	for i, what := range [...]string{"power supplies", "sensors", "energy"} {
		if errs[i] != nil {
			errs[i] = fmt.Errorf("%s: %w", what, errs[i])
		}
	}
	return t, errors.Join(errs[:]...)
}

// miss finds which kinds of what feeds the host did not all answer: without
// them nothing is known of the whole.
func (s *Scraper) miss(t *tick, err error) {
	if !errors.Is(err, platform.ErrTimeoutExpired) {
		s.feeds = map[string]platform.PowerKind{}
		for i := range t.power {
			if p := &t.power[i]; p.Kind != platform.PowerPeripheral {
				s.feeds[p.Name] = p.Kind
			}
		}
		return
	}
	for name, kind := range s.feeds {
		if !slices.ContainsFunc(t.power, func(p platform.PowerSupply) bool { return p.Name == name }) {
			t.missing = append(t.missing, kind)
		}
	}
}

// reads tells whether an enabled metric takes a reading that this system has.
func (s *Scraper) reads(r platform.Reading) bool {
	return platform.Supports(s.on, r) && slices.Contains(s.needs.readings, r)
}

// Unread takes what devices did not tell in the scrapes since the last call, as
// [platform.Host.Unread] does.
func (s *Scraper) Unread() map[string]int { return s.host.Unread() }

// Missing names the enabled metrics that a system cannot give.
func (s *Scraper) Missing(on platform.OS) []string {
	var names []string
	for _, m := range s.metrics {
		if !m.needs.met(on) {
			names = append(names, m.name)
		}
	}
	return names
}

// Uses names nothing: no sensor is one of processes.
func (s *Scraper) Uses(platform.Fields) []string { return nil }
