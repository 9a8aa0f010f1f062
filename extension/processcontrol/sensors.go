// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"slices"

	"github.com/hostscope/hostscope/platform"
)

// battery is one battery, or all together, in psutil's units: µWh, µW, seconds
// and °C. What is not known is null.
type battery struct {
	Name         string   `json:"name"`
	Status       string   `json:"status"`
	Percent      *float64 `json:"percent"`
	PowerPlugged *bool    `json:"power_plugged"`
	EnergyFull   *float64 `json:"energy_full"`
	EnergyNow    *float64 `json:"energy_now"`
	PowerNow     *float64 `json:"power_now"`
	SecsLeft     any      `json:"secsleft"` // "unlimited" if it does not discharge
	SecsLeftFull *float64 `json:"secsleft_full"`
	Temperature  *float64 `json:"temperature"`
	Fahrenheit   *float64 `json:"temperature_fahrenheit"`
}

type power struct {
	Batteries []battery        `json:"batteries"`
	Supplies  []map[string]any `json:"ac_supplies"`
	OnAC      *bool            `json:"is_on_ac_power"`
}

var chargeStates = map[platform.ChargeState]string{
	platform.ChargeUnknown: "unknown", platform.ChargeCharging: "charging", platform.ChargeDischarging: "discharging", platform.ChargeFull: "full",
}

// microwattHours are in a joule.
const microwattHours = 1e6 / 3600

func (q *request) supplies(h *platform.Host) (*power, error) {
	const wanted = platform.PowerOnline | platform.PowerStatus | platform.PowerCharge | platform.PowerEnergy | platform.PowerEnergyFull |
		platform.PowerPower | platform.PowerTemperature | platform.PowerTimeLeft
	list, err := h.PowerSupplies(q.ctx, nil, wanted, nil)
	if err != nil {
		return nil, err
	}
	return powerOf(list), nil
}

// powerOf: on mains is a host when one of them is online; without any that
// tells, it is not if a battery discharges.
func powerOf(list []platform.PowerSupply) *power {
	p := &power{Batteries: []battery{}, Supplies: []map[string]any{}}
	mains, online, discharging := false, false, false
	for i := range list {
		s := &list[i]
		switch s.Kind {
		case platform.PowerMains:
			if s.Got.Has(platform.PowerOnline) {
				mains, online = true, online || s.Online
				p.Supplies = append(p.Supplies, map[string]any{"name": s.Name, "is_online": s.Online})
			}
		case platform.PowerBattery:
			b := batteryOf(s)
			discharging = discharging || s.Status == platform.ChargeDischarging
			p.Batteries = append(p.Batteries, b)
		}
	}
	switch {
	case mains:
		p.OnAC = &online
	case discharging:
		p.OnAC = ptr(false)
	}
	return p
}

func batteryOf(s *platform.PowerSupply) battery {
	b := battery{Name: s.Name, Status: chargeStates[s.Status]}
	for _, of := range []struct {
		is    platform.PowerFields
		to    **float64
		value float64
	}{
		{platform.PowerCharge, &b.Percent, 100 * s.Charge},
		{platform.PowerEnergyFull, &b.EnergyFull, s.EnergyFull * microwattHours},
		{platform.PowerEnergy, &b.EnergyNow, s.Energy * microwattHours},
		{platform.PowerPower, &b.PowerNow, s.Power * 1e6},
		{platform.PowerTemperature, &b.Temperature, s.Temperature},
		{platform.PowerTemperature, &b.Fahrenheit, s.Temperature*1.8 + 32},
	} {
		if s.Got.Has(of.is) {
			*of.to = &of.value
		}
	}
	left := s.Got.Has(platform.PowerTimeLeft)
	switch s.Status {
	case platform.ChargeCharging:
		b.PowerPlugged, b.SecsLeft = ptr(true), "unlimited"
		if left {
			b.SecsLeftFull = &s.TimeLeft
		}
	case platform.ChargeDischarging:
		b.PowerPlugged = ptr(false)
		if left {
			b.SecsLeft = s.TimeLeft
		}
	case platform.ChargeFull:
		b.SecsLeft, b.SecsLeftFull = "unlimited", ptr(0.0)
	}
	return b
}

func (q *request) power() (any, error) {
	return q.ofHost(func(q *request, h *platform.Host) (any, error) { return q.supplies(h) })
}

// battery is the first one; null where there is none.
func (q *request) battery() (any, error) {
	return q.ofBatteries(func(p *power) battery { return p.Batteries[0] })
}

func (q *request) batteryTotal() (any, error) { return q.ofBatteries(totalOf) }

// totalOf is all batteries as if they were one. What is not known of each is
// not known of all.
func totalOf(p *power) battery {
	if len(p.Batteries) == 1 {
		return p.Batteries[0]
	}
	total := battery{Name: "total", Status: p.Batteries[0].Status}
	has := func(status string) bool {
		return slices.ContainsFunc(p.Batteries, func(b battery) bool { return b.Status == status })
	}
	if slices.ContainsFunc(p.Batteries, func(b battery) bool { return b.Status != total.Status }) {
		switch { // what one does, while others rest, all do together
		case has("discharging") == has("charging"):
			total.Status = "unknown"
		case has("discharging"):
			total.Status = "discharging"
		default:
			total.Status = "charging"
		}
	}
	sum := func(of func(*battery) *float64) *float64 {
		s := 0.0
		for i := range p.Batteries {
			one := of(&p.Batteries[i])
			if one == nil {
				return nil
			}
			s += *one
		}
		return &s
	}
	total.EnergyFull = sum(func(b *battery) *float64 { return b.EnergyFull })
	total.EnergyNow = sum(func(b *battery) *float64 { return b.EnergyNow })
	if total.EnergyFull != nil && total.EnergyNow != nil && *total.EnergyFull > 0 {
		total.Percent = ptr(100 * *total.EnergyNow / *total.EnergyFull)
	} else if s := sum(func(b *battery) *float64 { return b.Percent }); s != nil {
		total.Percent = ptr(*s / float64(len(p.Batteries)))
	}
	power := 0.0 // of those that charge or discharge, of which only one kind does
	for i := range p.Batteries {
		if b := &p.Batteries[i]; b.Status == total.Status && b.PowerNow != nil {
			power += *b.PowerNow
		}
	}
	const hour = 3600
	switch total.Status {
	case "discharging":
		total.PowerPlugged = ptr(false)
		if total.EnergyNow != nil && power > 0 {
			total.PowerNow, total.SecsLeft = &power, *total.EnergyNow/power*hour
		}
	case "charging":
		total.PowerPlugged, total.SecsLeft = ptr(true), "unlimited"
		if total.EnergyNow != nil && total.EnergyFull != nil && power > 0 {
			total.PowerNow, total.SecsLeftFull = &power, ptr(max(0, *total.EnergyFull-*total.EnergyNow)/power*hour)
		}
	case "full":
		total.SecsLeft, total.SecsLeftFull = "unlimited", ptr(0.0)
	}
	return total
}

func (q *request) ofBatteries(choose func(p *power) battery) (any, error) {
	return q.ofHost(func(q *request, h *platform.Host) (any, error) {
		p, err := q.supplies(h)
		if err != nil {
			return nil, err
		}
		if len(p.Batteries) == 0 {
			return map[string]any{"battery": nil}, nil
		}
		b := choose(p)
		if b.PowerPlugged == nil {
			b.PowerPlugged = p.OnAC
		}
		return map[string]any{"battery": b}, nil
	})
}
