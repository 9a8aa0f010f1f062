// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"slices"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var totalMetrics = []metric{
	{"system.power.battery.charge", power(0), recordTotalCharge},
	{"system.power.battery.charge_state", power(0), recordTotalState},
	{"system.power.battery.time_left", power(0), recordTotalTimeLeft},
}

// total is the batteries of the host together, if all have answered.
func (t *tick) total() (sum platform.PowerSupply, ok bool) {
	if slices.Contains(t.missing, platform.PowerBattery) {
		return sum, false
	}
	return total(t.power)
}

// total is batteries together, as pypsutil adds them up; of a single one it is
// what that tells.
func total(power []platform.PowerSupply) (sum platform.PowerSupply, ok bool) {
	var n, full, charging, discharging int
	var into, outOf float64
	for i := range power {
		p := &power[i]
		if p.Kind != platform.PowerBattery {
			continue
		}
		if n++; n == 1 {
			sum = *p
		} else if n == 2 {
			first := sum
			sum = platform.PowerSupply{Kind: platform.PowerBattery}
			sum.Energy, sum.EnergyFull = first.Energy, first.EnergyFull
		}
		if n > 1 {
			sum.Energy += p.Energy
			sum.EnergyFull += p.EnergyFull
		}
		switch statusOf(p) {
		case platform.ChargeFull:
			full++
		case platform.ChargeCharging:
			charging++
			into += p.Power
		case platform.ChargeDischarging:
			discharging++
			outOf += p.Power
		}
	}
	if n < 2 {
		return sum, n == 1
	}
	if sum.EnergyFull > 0 {
		sum.Charge = sum.Energy / sum.EnergyFull
		sum.Got |= platform.PowerCharge
	}
	sum.Got |= platform.PowerStatus
	left, rate := 0.0, 0.0
	switch {
	case full == n:
		sum.Status = platform.ChargeFull
	case charging > 0 && charging+full == n:
		sum.Status = platform.ChargeCharging
		left, rate = sum.EnergyFull-sum.Energy, into
	case discharging > 0 && discharging+full == n:
		sum.Status = platform.ChargeDischarging
		left, rate = sum.Energy, outOf
	}
	if left > 0 && rate > 0 && sum.EnergyFull > 0 {
		sum.TimeLeft = left / rate
		sum.Got |= platform.PowerTimeLeft
	}
	return sum, true
}

func recordTotalCharge(_ *Scraper, to *emit.Points, t *tick) {
	if sum, ok := t.total(); ok && sum.Got.Has(platform.PowerCharge) {
		to.Double(sum.Charge)
	}
}

func recordTotalState(_ *Scraper, to *emit.Points, t *tick) {
	sum, ok := t.total()
	if !ok {
		return
	}
	for _, s := range chargeStates {
		to.Int(flag(statusOf(&sum) == s.state), s.attr)
	}
}

func recordTotalTimeLeft(_ *Scraper, to *emit.Points, t *tick) {
	if sum, ok := t.total(); ok && sum.Got.Has(platform.PowerTimeLeft) {
		to.Double(sum.TimeLeft, stateAttr(sum.Status))
	}
}
