// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"math"
	"strconv"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

func recordBatteryCharge(to *emit.Points, t *tick) {
	for i := range t.power {
		p := &t.power[i]
		if !isBattery(p) || !p.Got.Has(platform.PowerCharge) {
			continue
		}
		parent := ""
		if p.Kind == platform.PowerPeripheral {
			parent = "peripheral"
		}
		to.Double(p.Charge,
			emit.Str("hw.id", "battery/"+p.Name),
			emit.Str("hw.name", p.Name),
			emit.Str("hw.model", p.Model),
			emit.Str("hw.vendor", p.Vendor),
			emit.Str("hw.battery.chemistry", p.Technology),
			emit.Str("hw.battery.capacity", capacity(p)),
			emit.Str("hw.parent", parent))
	}
}

func recordSupplyOnline(to *emit.Points, t *tick) {
	for i := range t.power {
		if p := &t.power[i]; isSupply(p) {
			to.Int(flag(p.Online),
				emit.Str("hw.id", "power_supply/"+p.Name),
				emit.Str("hw.name", p.Name))
		}
	}
}

func recordACOnline(to *emit.Points, t *tick) {
	if online, known := onACPower(t.power); known {
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
	case p.Got.Has(platform.PowerDesignEnergy):
		return decimal(p.DesignEnergy) + "Wh"
	case p.Got.Has(platform.PowerDesignCharge):
		return decimal(p.DesignCharge) + "Ah"
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
