// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"math"
	"strconv"
	"time"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var batteryMetrics = []metric{
	{"hw.battery.charge", power(0), recordBatteryCharge},
	{"hw.battery.charge.limit", power(platform.PowerChargeStart | platform.PowerChargeEnd), recordChargeLimit},
	{"hw.battery.charge_state", power(0), recordChargeState},
	{"hw.battery.cycle.count", power(0), recordCycles},
	{"hw.battery.energy.design_limit", power(0), batteryEnergy(platform.PowerDesignEnergy, func(p *platform.PowerSupply) float64 { return p.DesignEnergy })},
	{"hw.battery.energy.limit", power(0), batteryEnergy(platform.PowerEnergyFull, func(p *platform.PowerSupply) float64 { return p.EnergyFull })},
	{"hw.battery.energy.remaining", power(0), batteryEnergy(platform.PowerEnergy, func(p *platform.PowerSupply) float64 { return p.Energy })},
	{"hw.battery.power", power(0), recordBatteryPower},
	{"hw.battery.time_left", power(0), recordTimeLeft},
}

var supplyMetrics = []metric{
	{"hw.power_supply.online", power(0), recordSupplyOnline},
	{"system.power.ac.online", power(0), recordACOnline},
}

// chargeStates are the states of a battery by the values of hw.battery.state.
var chargeStates = [...]struct {
	state platform.ChargeState
	attr  emit.Attr
}{
	{platform.ChargeCharging, emit.Str("hw.battery.state", "charging")},
	{platform.ChargeDischarging, emit.Str("hw.battery.state", "discharging")},
	{platform.ChargeFull, emit.Str("hw.battery.state", "full")},
	{platform.ChargeUnknown, emit.Str("hw.battery.state", "unknown")},
}

// stateAttr is the attribute of a state.
func stateAttr(state platform.ChargeState) emit.Attr {
	for _, s := range chargeStates {
		if s.state == state {
			return s.attr
		}
	}
	return emit.Str("hw.battery.state", "unknown")
}

// batteries calls each with every battery that holds a value in a field, and
// whatever it is in 0.
func (t *tick) batteries(field platform.PowerFields, each func(*platform.PowerSupply)) {
	for i := range t.power {
		if p := &t.power[i]; isBattery(p) && p.Got.Has(field) {
			each(p)
		}
	}
}

// battery are the attributes of a point of a battery, and then more.
func (t *tick) battery(p *platform.PowerSupply, more ...emit.Attr) []emit.Attr {
	t.attrs = append(append(t.attrs[:0], emit.Str("hw.id", "battery/"+p.Name), emit.Str("hw.name", p.Name), parent(p)), more...)
	return t.attrs
}

// described are these with what the conventions have of batteries.
func (t *tick) described(p *platform.PowerSupply, more ...emit.Attr) []emit.Attr {
	t.attrs = append(append(t.attrs[:0], emit.Str("hw.id", "battery/"+p.Name), emit.Str("hw.name", p.Name),
		emit.Str("hw.model", p.Model), emit.Str("hw.vendor", p.Vendor),
		emit.Str("hw.battery.chemistry", p.Technology), emit.Str("hw.battery.capacity", capacity(p)), parent(p)), more...)
	return t.attrs
}

// parent marks what is no battery of the host.
func parent(p *platform.PowerSupply) emit.Attr {
	if p.Kind == platform.PowerPeripheral {
		return emit.Str("hw.parent", "peripheral")
	}
	return emit.Str("hw.parent", "")
}

func recordBatteryCharge(_ *Scraper, to *emit.Points, t *tick) {
	t.batteries(platform.PowerCharge, func(p *platform.PowerSupply) { to.Double(p.Charge, t.described(p)...) })
}

func recordChargeLimit(_ *Scraper, to *emit.Points, t *tick) {
	t.batteries(platform.PowerChargeStart, func(p *platform.PowerSupply) {
		to.Double(p.ChargeStart, t.described(p, emit.Str("hw.limit_type", "min"))...)
	})
	t.batteries(platform.PowerChargeEnd, func(p *platform.PowerSupply) {
		to.Double(p.ChargeEnd, t.described(p, emit.Str("hw.limit_type", "max"))...)
	})
}

func recordChargeState(_ *Scraper, to *emit.Points, t *tick) {
	t.batteries(0, func(p *platform.PowerSupply) {
		for _, s := range chargeStates {
			to.Int(flag(statusOf(p) == s.state), t.battery(p, s.attr)...)
		}
	})
}

// cycles is what the battery in a slot counts, and since when it is in it; the
// zero time for as long as the host runs.
type cycles struct {
	count int64
	since time.Time
}

// recordCycles: where there are fewer than before is another battery.
func recordCycles(s *Scraper, to *emit.Points, t *tick) {
	t.batteries(platform.PowerCycles, func(p *platform.PowerSupply) {
		c := s.cycles[p.Name]
		if p.Cycles < c.count {
			c.since = s.last
		}
		c.count = p.Cycles
		s.cycles[p.Name] = c
		to.Since(c.since)
		to.Int(p.Cycles, t.battery(p)...)
	})
}

// batteryEnergy records an energy of each battery.
func batteryEnergy(field platform.PowerFields, of func(*platform.PowerSupply) float64) func(*Scraper, *emit.Points, *tick) {
	return func(_ *Scraper, to *emit.Points, t *tick) {
		t.batteries(field, func(p *platform.PowerSupply) { to.Double(of(p), t.battery(p)...) })
	}
}

func recordBatteryPower(_ *Scraper, to *emit.Points, t *tick) {
	t.batteries(platform.PowerPower, func(p *platform.PowerSupply) { to.Double(p.Power, t.battery(p, stateAttr(p.Status))...) })
}

// recordTimeLeft says ok in hw.state: the conventions demand that attribute,
// and have no member of it for what they say that it should tell.
func recordTimeLeft(_ *Scraper, to *emit.Points, t *tick) {
	t.batteries(platform.PowerTimeLeft, func(p *platform.PowerSupply) {
		to.Double(p.TimeLeft, t.described(p, emit.Str("hw.state", "ok"), stateAttr(p.Status))...)
	})
}

func recordSupplyOnline(_ *Scraper, to *emit.Points, t *tick) {
	for i := range t.power {
		if p := &t.power[i]; isSupply(p) {
			to.Int(flag(p.Online),
				emit.Str("hw.id", "power_supply/"+p.Name),
				emit.Str("hw.name", p.Name))
		}
	}
}

func recordACOnline(_ *Scraper, to *emit.Points, t *tick) {
	// What does not answer could be what power comes in by.
	if online, known := onACPower(t.power); known && (online || len(t.missing) == 0) {
		to.Int(flag(online))
	}
}

// onACPower tells whether the host runs on power from outside. What decides is,
// in this order, a supply that is online, the first battery that charges or
// discharges, batteries that are all full, supplies that are all offline.
// Batteries of peripherals have no say.
func onACPower(power []platform.PowerSupply) (online, known bool) {
	supplies, batteries, full := 0, 0, 0
	battery := platform.ChargeUnknown // what the first that does either does
	for i := range power {
		p := &power[i]
		switch {
		case isSupply(p):
			if p.Online {
				return true, true
			}
			supplies++
		case p.Kind == platform.PowerBattery:
			batteries++
			switch status := statusOf(p); status {
			case platform.ChargeFull:
				full++
			case platform.ChargeCharging, platform.ChargeDischarging:
				if battery == platform.ChargeUnknown {
					battery = status
				}
			}
		}
	}
	switch {
	case battery != platform.ChargeUnknown:
		return battery == platform.ChargeCharging, true
	case batteries > 0 && full == batteries:
		return true, true
	}
	return false, supplies > 0
}

// isBattery tells whether p is a battery, be it that of a peripheral.
func isBattery(p *platform.PowerSupply) bool {
	return p.Kind == platform.PowerBattery || p.Kind == platform.PowerPeripheral
}

// isSupply tells whether p is a source of power that tells if it is online.
func isSupply(p *platform.PowerSupply) bool {
	return p.Kind == platform.PowerMains && p.Got.Has(platform.PowerOnline)
}

func statusOf(p *platform.PowerSupply) platform.ChargeState {
	if !p.Got.Has(platform.PowerStatus) {
		return platform.ChargeUnknown
	}
	return p.Status
}

// capacity is the design capacity with its unit, such as 50Wh or 4.5Ah, or
// empty where it is not known.
func capacity(p *platform.PowerSupply) string {
	switch {
	case p.Got.Has(platform.PowerDesignCharge):
		return decimal(p.DesignCharge) + "Ah"
	case p.Got.Has(platform.PowerDesignEnergy):
		return decimal(p.DesignEnergy/3600) + "Wh"
	}
	return ""
}

// decimal writes v with at most three decimals.
func decimal(v float64) string {
	return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64)
}

func flag(on bool) int64 {
	if on {
		return 1
	}
	return 0
}
