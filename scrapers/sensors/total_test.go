// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform"
)

// holding is a battery with an energy and a flow.
func holding(name string, status platform.ChargeState, now, full, watts float64) platform.PowerSupply {
	p := battery(name, status)
	p.Energy, p.EnergyFull, p.Power = now, full, watts
	p.Charge = now / full
	p.Got |= platform.PowerEnergy | platform.PowerEnergyFull | platform.PowerPower
	return p
}

func TestTotal(t *testing.T) {
	const (
		charging    = platform.ChargeCharging
		discharging = platform.ChargeDischarging
		full        = platform.ChargeFull
		unknown     = platform.ChargeUnknown
	)
	one := holding("BAT0", discharging, 50_000, 100_000, 10)
	one.Got |= platform.PowerTimeLeft
	one.TimeLeft = 4999
	mouse := holding("mouse", charging, 1, 2, 3)
	mouse.Kind = platform.PowerPeripheral
	bare := battery("BAT1", discharging)
	for name, tt := range map[string]struct {
		power               []platform.PowerSupply
		charge, state, left string
	}{
		"none":    {nil, "", "", ""},
		"a mouse": {[]platform.PowerSupply{mouse, supply("AC", true)}, "", "", ""},
		"one":     {[]platform.PowerSupply{one, mouse}, "0.5", "discharging", "4999"},
		"one of which nothing is known": {
			[]platform.PowerSupply{{Name: "BAT0", Kind: platform.PowerBattery}}, "", "unknown", "",
		},
		"discharging": {
			[]platform.PowerSupply{holding("BAT0", discharging, 30_000, 100_000, 5), holding("BAT1", discharging, 60_000, 80_000, 10)}, "0.5", "discharging", "6000",
		},
		"charging": {
			[]platform.PowerSupply{holding("BAT0", charging, 30_000, 100_000, 20), holding("BAT1", full, 80_000, 80_000, 0)}, "0.6111111111111112", "charging", "3500",
		},
		"full": {
			[]platform.PowerSupply{holding("BAT0", full, 100_000, 100_000, 0), holding("BAT1", full, 100_000, 100_000, 0)}, "1", "full", "",
		},
		"in turn": {
			[]platform.PowerSupply{holding("BAT0", discharging, 50_000, 100_000, 5), holding("BAT1", unknown, 50_000, 100_000, 0)}, "0.5", "unknown", "",
		},
		"against each other": {
			[]platform.PowerSupply{holding("BAT0", discharging, 50_000, 100_000, 5), holding("BAT1", charging, 50_000, 100_000, 5)}, "0.5", "unknown", "",
		},
		"no power": {
			[]platform.PowerSupply{holding("BAT0", discharging, 50_000, 100_000, 0), holding("BAT1", discharging, 50_000, 100_000, 0)}, "0.5", "discharging", "",
		},
		"without energy": {[]platform.PowerSupply{bare, bare}, "", "discharging", ""},
		"three": {
			[]platform.PowerSupply{
				holding("BAT0", discharging, 10_000, 40_000, 1), holding("BAT1", discharging, 10_000, 40_000, 2), holding("BAT2", discharging, 10_000, 40_000, 3),
			}, "0.25", "discharging", "5000",
		},
		"one without energy": {
			[]platform.PowerSupply{bare, holding("BAT1", discharging, 20_000, 40_000, 2)}, "0.5", "discharging", "10000",
		},
	} {
		lines, err := scrape(t, scraperOn(t, platform.Linux, &fakeHost{power: tt.power}, only("system.power.battery.charge", "system.power.battery.charge_state", "system.power.battery.time_left")))
		require.NoError(t, err)
		var want []string
		if tt.state != "" {
			want = append(want, "resource")
		}
		if tt.charge != "" {
			want = append(want, "  system.power.battery.charge "+tt.charge)
		}
		for _, s := range []string{"charging", "discharging", "full", "unknown"} {
			if tt.state != "" {
				want = append(want, "  system.power.battery.charge_state{hw.battery.state="+s+"} "+map[bool]string{true: "1", false: "0"}[s == tt.state])
			}
		}
		if tt.left != "" {
			want = append(want, "  system.power.battery.time_left{hw.battery.state="+tt.state+"} "+tt.left)
		}
		// Where a charge is in the list it sorts after its states.
		assert.ElementsMatch(t, want, lines, name)
	}
}

// TestSilentSupplies: what is told of the whole is not told while a part of it
// does not answer. A mouse is no part.
func TestSilentSupplies(t *testing.T) {
	full := func(name string, energy float64) platform.PowerSupply {
		b := battery(name, platform.ChargeDischarging)
		b.Got |= platform.PowerEnergy | platform.PowerEnergyFull
		b.Energy, b.EnergyFull = energy, 100
		return b
	}
	mouse := full("mouse", 1)
	mouse.Kind = platform.PowerPeripheral
	all := []platform.PowerSupply{supply("AC", false), full("BAT0", 20), full("BAT1", 40), mouse, supply("USB", false)}
	online := supply("USB", true)
	h := &fakeHost{power: all}
	s := scraperOn(t, platform.Linux, h, only("system.power.ac.online", "system.power.battery.charge"))
	for _, tt := range []struct {
		power []platform.PowerSupply
		err   error
		want  []string
	}{
		{all, nil, []string{"ac.online 0", "battery.charge 0.3"}},
		{all[:3], platform.ErrTimeoutExpired, []string{"battery.charge 0.3"}},
		{append(all[1:4:4], online), platform.ErrTimeoutExpired, []string{"ac.online 1", "battery.charge 0.3"}},
		{append(all[:2:2], all[3:]...), platform.ErrTimeoutExpired, nil},
		{append(all[:3:3], all[4:]...), platform.ErrTimeoutExpired, []string{"ac.online 0", "battery.charge 0.3"}},
		{all[:2], nil, []string{"ac.online 0", "battery.charge 0.5"}}, // the others were unplugged
		{all[:2], platform.ErrTimeoutExpired, []string{"ac.online 0", "battery.charge 0.5"}},
	} {
		h.power, h.err = tt.power, tt.err
		lines, err := scrape(t, s)
		require.ErrorIs(t, err, tt.err)
		var got []string
		for _, line := range lines[min(1, len(lines)):] {
			got = append(got, strings.TrimPrefix(line, "  system.power."))
		}
		assert.Equal(t, tt.want, got)
	}
}
