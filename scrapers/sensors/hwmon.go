// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"slices"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var sensorMetrics = []metric{
	{"hw.temperature", sensor(platform.SensorTemperature, platform.SensorValue, platform.ReadingPowerSupplies), recordTemperature},
	{"hw.temperature.limit", sensor(platform.SensorTemperature, platform.SensorLimits), limitsOf(platform.SensorTemperature)},
	{"hw.fan.speed", sensor(platform.SensorFan, platform.SensorValue), recordFanSpeed},
	{"hw.fan.speed.limit", sensor(platform.SensorFan, platform.SensorMin|platform.SensorMax), recordFanLimit},
	{"hw.fan.speed_ratio", sensor(platform.SensorFan, platform.SensorValue|platform.SensorMax), recordFanRatio},
	{"hw.voltage", sensor(platform.SensorVoltage, platform.SensorValue, platform.ReadingPowerSupplies), recordVoltage},
	{"hw.voltage.limit", sensor(platform.SensorVoltage, platform.SensorLimits), limitsOf(platform.SensorVoltage)},
	{"hw.current", sensor(platform.SensorCurrent, platform.SensorValue, platform.ReadingPowerSupplies), recordCurrent},
	{"hw.power", sensor(platform.SensorPower, platform.SensorValue), recordPower},
	{"hw.status", power(0), recordStatus},
}

// statusWith are the metrics that hw.status tells of sensors with, the limits
// that an alarm is about: chips with alarms have three or more for each sensor.
var statusWith = map[string]platform.SensorKind{
	"hw.temperature.limit": platform.SensorTemperature,
	"hw.fan.speed.limit":   platform.SensorFan,
	"hw.voltage.limit":     platform.SensorVoltage,
}

// of calls each with every sensor of a kind that holds values in fields.
func (t *tick) of(kind platform.SensorKind, fields platform.SensorFields, each func(*platform.Sensor)) {
	for i := range t.sensors {
		if s := &t.sensors[i]; s.Kind == kind && s.Got.Has(fields) {
			each(s)
		}
	}
}

// sensor are the attributes of a point of a sensor, and then more.
func (t *tick) sensor(s *platform.Sensor, more ...emit.Attr) []emit.Attr {
	n, ok := t.names[s.ID]
	if !ok || n.of != s.Label {
		if len(t.names) > 2*len(t.sensors) { // of which half are gone
			t.names = nil
		}
		if t.names == nil {
			t.names = map[string]sensorNames{}
		}
		n = sensorNames{
			of:     s.Label,
			id:     emit.Str("hw.id", s.Kind.String()+"/"+s.ID),
			name:   emit.Str("hw.name", s.Driver+" "+s.Name),
			label:  emit.Str("hw.sensor_location", s.Label),
			parent: emit.Str("hw.parent", "hwmon/"+s.Chip),
		}
		t.names[s.ID] = n
	}
	t.attrs = append(append(t.attrs[:0], n.id, n.name, n.label, n.parent), more...)
	return t.attrs
}

// sensorNames are the attributes that tell one sensor from another.
type sensorNames struct {
	of                      string // its label
	id, name, label, parent emit.Attr
}

// supplies calls each with every power supply that holds a value in a field,
// and the attributes of it as a sensor of a kind.
func (t *tick) supplies(kind platform.SensorKind, field platform.PowerFields, each func(*platform.PowerSupply, []emit.Attr)) {
	for i := range t.power {
		p := &t.power[i]
		if !p.Got.Has(field) {
			continue
		}
		location := "battery"
		if !isBattery(p) {
			location = "power_supply"
		}
		parent := location + "/" + p.Name
		t.attrs = append(t.attrs[:0], emit.Str("hw.id", kind.String()+"/"+parent), emit.Str("hw.name", p.Name),
			emit.Str("hw.sensor_location", location), emit.Str("hw.parent", parent))
		each(p, t.attrs)
	}
}

func recordTemperature(_ *Scraper, to *emit.Points, t *tick) {
	t.supplies(platform.SensorTemperature, platform.PowerTemperature, func(p *platform.PowerSupply, attrs []emit.Attr) { to.Double(p.Temperature, attrs...) })
	t.of(platform.SensorTemperature, platform.SensorValue, func(s *platform.Sensor) { to.Double(s.Value, t.sensor(s)...) })
}

func recordVoltage(_ *Scraper, to *emit.Points, t *tick) {
	t.supplies(platform.SensorVoltage, platform.PowerVoltage, func(p *platform.PowerSupply, attrs []emit.Attr) { to.Double(p.Voltage, attrs...) })
	t.of(platform.SensorVoltage, platform.SensorValue, func(s *platform.Sensor) { to.Double(s.Value, t.sensor(s)...) })
}

func recordCurrent(_ *Scraper, to *emit.Points, t *tick) {
	t.supplies(platform.SensorCurrent, platform.PowerCurrent, func(p *platform.PowerSupply, attrs []emit.Attr) { to.Double(p.Current, attrs...) })
	t.of(platform.SensorCurrent, platform.SensorValue, func(s *platform.Sensor) { to.Double(s.Value, t.sensor(s)...) })
}

func recordPower(_ *Scraper, to *emit.Points, t *tick) {
	t.of(platform.SensorPower, platform.SensorValue, func(s *platform.Sensor) {
		if !ofHost(s) {
			to.Double(s.Value, t.sensor(s, emit.Str("hw.type", partOf(s)))...)
		}
	})
}

func recordFanSpeed(_ *Scraper, to *emit.Points, t *tick) {
	t.of(platform.SensorFan, platform.SensorValue, func(s *platform.Sensor) { to.Int(int64(s.Value), t.sensor(s)...) })
}

func recordFanRatio(_ *Scraper, to *emit.Points, t *tick) {
	t.of(platform.SensorFan, platform.SensorValue|platform.SensorMax, func(s *platform.Sensor) { to.Double(s.Value/s.Max, t.sensor(s)...) })
}

func recordFanLimit(_ *Scraper, to *emit.Points, t *tick) {
	t.of(platform.SensorFan, platform.SensorMin, func(s *platform.Sensor) {
		to.Int(int64(s.Min), t.sensor(s, emit.Str("hw.limit_type", "low.degraded"))...)
	})
	t.of(platform.SensorFan, platform.SensorMax, func(s *platform.Sensor) {
		to.Int(int64(s.Max), t.sensor(s, emit.Str("hw.limit_type", "max"))...)
	})
}

// limitsOf records the limits of the sensors of a kind.
func limitsOf(kind platform.SensorKind) func(*Scraper, *emit.Points, *tick) {
	return func(_ *Scraper, to *emit.Points, t *tick) {
		for _, l := range [...]struct {
			field platform.SensorFields
			name  string
			of    func(*platform.Sensor) float64
		}{
			{platform.SensorLowCritical, "low.critical", func(s *platform.Sensor) float64 { return s.LowCritical }},
			{platform.SensorMin, "low.degraded", func(s *platform.Sensor) float64 { return s.Min }},
			{platform.SensorMax, "high.degraded", func(s *platform.Sensor) float64 { return s.Max }},
			{platform.SensorCritical, "high.critical", func(s *platform.Sensor) float64 { return s.Critical }},
		} {
			t.of(kind, l.field, func(s *platform.Sensor) { to.Double(l.of(s), t.sensor(s, emit.Str("hw.limit_type", l.name))...) })
		}
	}
}

// healths are the states of health by the values of hw.state.
var healths = [...]struct {
	health platform.Health
	attr   emit.Attr
}{
	{platform.HealthGood, emit.Str("hw.state", "ok")},
	{platform.HealthDegraded, emit.Str("hw.state", "degraded")},
	{platform.HealthFailed, emit.Str("hw.state", "failed")},
}

// recordStatus tells the health of batteries, which are well where they do not
// say, and whether they charge or discharge; and the health of sensors.
func recordStatus(_ *Scraper, to *emit.Points, t *tick) {
	status := func(p *platform.PowerSupply, on bool, state emit.Attr) {
		to.Int(flag(on), emit.Str("hw.id", "battery/"+p.Name), emit.Str("hw.name", p.Name), emit.Str("hw.sensor_location", ""), parent(p),
			emit.Str("hw.type", "battery"), state)
	}
	t.batteries(0, func(p *platform.PowerSupply) {
		health := p.Health
		if health == platform.HealthUnknown {
			health = platform.HealthGood
		}
		for _, h := range healths {
			status(p, health == h.health, h.attr)
		}
		if p.Got.Has(platform.PowerStatus) {
			status(p, p.Status == platform.ChargeCharging, emit.Str("hw.state", "charging"))
			status(p, p.Status == platform.ChargeDischarging, emit.Str("hw.state", "discharging"))
		}
	})
	for i := range t.sensors {
		s := &t.sensors[i]
		if !s.Got.Has(platform.SensorHealth) {
			continue
		}
		for _, h := range healths {
			to.Int(flag(s.Health == h.health), t.sensor(s, emit.Str("hw.type", s.Kind.String()), h.attr)...)
		}
	}
}

// partOf is the type of the component that uses the power or the energy
// that a sensor measures, where its driver is one for such components.
func partOf(s *platform.Sensor) string {
	switch {
	case slices.Contains([]string{"amdgpu", "i915", "nouveau", "radeon", "xe"}, s.Driver):
		return "gpu"
	case slices.Contains([]string{"amd_energy", "fam15h_power", "zenpower"}, s.Driver):
		return "cpu"
	}
	return s.Kind.String()
}
