// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var energyMetrics = []metric{
	{"hw.energy", sensor(platform.SensorEnergy, platform.SensorValue, platform.ReadingEnergy), recordEnergy},
	{"hw.host.energy", need{readings: []platform.Reading{platform.ReadingEnergy}}, recordHostEnergy},
}

// meters are the counters of energy by hw.id. Those of RAPL wrap around many
// times a day, and have so before the first scrape: what is emitted is what was
// used since then.
type meters map[string]*meter

type meter struct {
	start time.Time // of the first scrape that had it
	raw   uint64
	used  uint64 // microjoules since start
	seen  time.Time
}

// read takes what a counter shows. After most it begins at 0; one that falls
// without a known most was reset to 0.
func (m meters) read(id string, now time.Time, raw, most uint64) *meter {
	c := m[id]
	switch {
	case c == nil:
		c = &meter{start: now}
		m[id] = c
	case raw >= c.raw:
		c.used += raw - c.raw
	case c.raw <= most:
		c.used += most - c.raw + raw
	default:
		c.used += raw
	}
	c.raw, c.seen = raw, now
	return c
}

// forget drops the counters that were not there in a scrape.
func (m meters) forget(now time.Time) {
	for id, c := range m {
		if !c.seen.Equal(now) {
			delete(m, id)
		}
	}
}

func (c *meter) record(to *emit.Points, attrs ...emit.Attr) {
	to.Since(c.start)
	to.Double(float64(c.used)/1e6, attrs...)
}

// recordEnergy tells of packages, and of memory, which is no part of them.
// What else RAPL has (core, uncore) is part of a package, or is the host.
func recordEnergy(s *Scraper, to *emit.Points, t *tick) {
	for i := range t.energy {
		z := &t.energy[i]
		kind, name := "cpu", z.Name
		switch {
		case isPackage(*z):
		case z.Name == "dram":
			kind = "memory"
			if z.Parent != "" {
				name = z.Parent + "-" + z.Name
			}
		default:
			continue
		}
		id := kind + "/" + name
		s.energy.read(id, t.Time, z.Energy, z.Max).record(to, emit.Str("hw.id", id), emit.Str("hw.name", name),
			emit.Str("hw.sensor_location", ""), emit.Str("hw.parent", ""), emit.Str("hw.type", kind))
	}
	t.of(platform.SensorEnergy, platform.SensorValue, func(sensor *platform.Sensor) {
		if t.countedElsewhere(sensor) {
			return
		}
		s.energy.read(sensor.ID, t.Time, uint64(math.Round(sensor.Value*1e6)), 0).record(to, t.sensor(sensor, emit.Str("hw.type", partOf(sensor)))...)
	})
}

// countedElsewhere tells whether what a sensor counts is part of what another
// one does.
func (t *tick) countedElsewhere(s *platform.Sensor) bool {
	switch {
	case s.Driver == "amd_energy": // cores, and the sockets that RAPL has as packages (amd_energy.c)
		return !strings.HasPrefix(s.Label, "Esocket") || slices.ContainsFunc(t.energy, isPackage)
	case strings.HasPrefix(s.Driver, "i915_gt"): // tiles of the graphics card (i915_hwmon.c)
		return true
	case s.Driver == "xe" && s.Label == "pkg": // the chip on the graphics card (xe_hwmon.c)
		return slices.ContainsFunc(t.sensors, func(o platform.Sensor) bool {
			return o.Chip == s.Chip && o.Kind == platform.SensorEnergy && o.Label == "card"
		})
	}
	return false
}

func isPackage(z platform.EnergyZone) bool { return strings.HasPrefix(z.Name, "package-") }

func recordHostEnergy(s *Scraper, to *emit.Points, t *tick) {
	for i := range t.energy {
		if z := &t.energy[i]; z.Name == "psys" {
			s.energy.read("host", t.Time, z.Energy, z.Max).record(to, hostAttr)
			return
		}
	}
}
