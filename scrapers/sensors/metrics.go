// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"slices"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// metric is a row of the table of metrics: the name that metadata.yaml
// declares, what it takes, and how it is recorded. A row records nothing
// where the tick has no value.
type metric struct {
	name   string
	needs  need
	record func(*Scraper, *emit.Points, *tick)
}

// need is what a metric takes: readings of which any one will do, and what of
// them costs more than the rest.
type need struct {
	readings []platform.Reading
	power    platform.PowerFields
	sensors  platform.SensorRequest
}

// met tells whether a system can give it.
func (n *need) met(on platform.OS) bool {
	return slices.ContainsFunc(n.readings, func(r platform.Reading) bool { return platform.Supports(on, r) })
}

// tick is what one scrape has read. What could not be read is empty.
type tick struct {
	*platform.Snapshot
	power   []platform.PowerSupply
	sensors []platform.Sensor
	energy  []platform.EnergyZone
	missing []platform.PowerKind // of what feeds the host and did not answer

	attrs []emit.Attr            // of the point that is recorded
	names map[string]sensorNames // of sensors, by ID, that were seen before
}

// begin forgets the last scrape, but for the memory that it used.
func (t *tick) begin(snap *platform.Snapshot) {
	*t = tick{Snapshot: snap, power: t.power[:0], sensors: t.sensors[:0], energy: t.energy[:0], missing: t.missing[:0], attrs: t.attrs, names: t.names}
}

// metrics is the table, by topic.
var metrics = slices.Concat(batteryMetrics, supplyMetrics, totalMetrics, sensorMetrics, energyMetrics, hostMetrics)

// power is the need of a metric of power supplies.
func power(fields platform.PowerFields) need {
	return need{readings: []platform.Reading{platform.ReadingPowerSupplies}, power: fields}
}

// sensor is the need of a metric of sensors of a kind, and of power supplies
// where they measure that as well.
func sensor(kind platform.SensorKind, fields platform.SensorFields, also ...platform.Reading) need {
	n := need{readings: append(also, platform.ReadingSensors)}
	n.sensors[kind] = fields
	return n
}
