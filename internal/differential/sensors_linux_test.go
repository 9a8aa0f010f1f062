// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package differential

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emittest"
	"github.com/hostscope/hostscope/internal/recorded"
	"github.com/hostscope/hostscope/platform"
	"github.com/hostscope/hostscope/scrapers/sensors"
)

// theirSensors is what sensors.py tells.
type theirSensors struct {
	// Battery is the percentage, the seconds left and whether it is plugged in.
	Battery []any
	// Temperatures are label, current, high and critical, by name of the chip.
	Temperatures map[string][][]any
	// Fans are label and speed, by name of the chip.
	Fans map[string][][]any
}

func askSensors(t *testing.T, sys string) (theirs theirSensors) {
	t.Helper()
	cmd := exec.Command(python, "testdata/sensors.py", sys)
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok && strings.Contains(string(exit.Stderr), "Operation not permitted") {
		t.Skip("not permitted to mount")
	}
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(out, &theirs))
	return theirs
}

// list makes one line of each sensor.
func list(by map[string][][]any) (lines []string) {
	for name, sensors := range by {
		for _, s := range sensors {
			lines = append(lines, name+" "+fmt.Sprint(s...))
		}
	}
	slices.Sort(lines)
	return lines
}

// propertyFiles writes the properties of power supplies into files of their
// own, as the kernel does: psutil reads those.
func propertyFiles(t *testing.T, sys string) {
	t.Helper()
	supplies, err := filepath.Glob(filepath.Join(sys, "class/power_supply/*/uevent"))
	require.NoError(t, err)
	for _, uevent := range supplies {
		text, err := os.ReadFile(uevent)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			property, ok := strings.CutPrefix(line, "POWER_SUPPLY_")
			key, value, _ := strings.Cut(property, "=")
			if file := filepath.Join(filepath.Dir(uevent), strings.ToLower(key)); ok {
				require.NoError(t, os.WriteFile(file, []byte(value), 0o644))
			}
		}
	}
}

// TestSensors: psutil on the files of each recorded machine.
func TestSensors(t *testing.T) {
	needPsutil(t)
	if os.Getuid() != 0 {
		t.Skip("needs root to make namespaces")
	}
	machines, err := filepath.Glob("../../testdata/hosts/*.txtar")
	require.NoError(t, err)
	batteries, temperatures, fans := 0, 0, 0
	for _, machine := range machines {
		name := strings.TrimSuffix(filepath.Base(machine), ".txtar")
		t.Run(name, func(t *testing.T) {
			root, recording := recorded.Open(t, machine)
			sys := filepath.Join(root.Path, "sys")
			if _, err := os.Stat(sys); err != nil {
				return // it has none
			}
			propertyFiles(t, sys)
			theirs := askSensors(t, sys)
			h, err := platform.Open(root, recording)
			require.NoError(t, err)
			defer h.Close()
			b, tt, f := compareSensors(t, h, theirs)
			batteries, temperatures, fans = batteries+b, temperatures+tt, fans+f
			if name != "xps" {
				return
			}
			// Without chips psutil takes thermal zones.
			require.NoError(t, os.RemoveAll(filepath.Join(sys, "class/hwmon")))
			require.NoError(t, os.RemoveAll(filepath.Join(sys, "devices/platform/coretemp.0")))
			theirs = askSensors(t, sys)
			delete(theirs.Temperatures, "INT3400 Thermal") // it has no sensor: R-MISS
			require.Len(t, theirs.Temperatures["SEN1"], 2)
			compareSensors(t, h, theirs)
		})
	}
	t.Logf("%d batteries, %d temperatures, %d fans", batteries, temperatures, fans)
	assert.True(t, batteries >= 5 && temperatures >= 50 && fans >= 10)
}

// compareSensors compares all that psutil has, and tells how much that is.
func compareSensors(t *testing.T, h *platform.Host, theirs theirSensors) (batteries, temperatures, fans int) {
	t.Helper()
	supplies, err := h.PowerSupplies(t.Context(), nil, 0, nil)
	require.NoError(t, err)
	all := platform.SensorRequest{platform.SensorTemperature: platform.SensorValue | platform.SensorLimits, platform.SensorFan: platform.SensorValue}
	measured, err := h.Sensors(t.Context(), nil, all, nil)
	require.NoError(t, err)

	hasChips := slices.ContainsFunc(measured, func(s platform.Sensor) bool {
		return s.Kind == platform.SensorTemperature && !strings.HasPrefix(s.Chip, "thermal-")
	})
	ours := theirSensors{Temperatures: map[string][][]any{}, Fans: map[string][][]any{}}
	for i := range measured {
		s := &measured[i]
		if !s.Got.Has(platform.SensorValue) {
			continue
		}
		if s.Kind == platform.SensorFan {
			ours.Fans[s.Driver] = append(ours.Fans[s.Driver], []any{s.Label, s.Value})
			fans++
			continue
		}
		limit := func(f platform.SensorFields, v float64) any {
			if s.Got.Has(f) {
				return v
			}
			return nil
		}
		if strings.HasPrefix(s.Chip, "thermal-") && hasChips {
			continue // psutil has no zones then
		}
		ours.Temperatures[s.Driver] = append(ours.Temperatures[s.Driver], []any{s.Label, s.Value, limit(platform.SensorMax, s.Max), limit(platform.SensorCritical, s.Critical)})
		temperatures++
	}
	// R-MISS: limits that nobody has set, and temperatures of a battery, which
	// are told with it.
	for chip, sensors := range theirs.Temperatures {
		for _, s := range sensors {
			for i := 2; i <= 3; i++ {
				if v, ok := s[i].(float64); ok && (v <= 0 || v > 65_000) {
					s[i] = nil
				}
			}
		}
		if slices.ContainsFunc(supplies, func(p platform.PowerSupply) bool { return strings.ReplaceAll(p.Name, "-", "_") == chip }) {
			delete(theirs.Temperatures, chip)
		}
	}
	// R-MISS: what a fan that is broken measures.
	for chip, sensors := range theirs.Fans {
		theirs.Fans[chip] = slices.DeleteFunc(sensors, func(s []any) bool { return chip == "pmbus" && s[1] == 0.0 })
	}
	assert.Equal(t, list(theirs.Temperatures), list(ours.Temperatures))
	assert.Equal(t, list(theirs.Fans), list(ours.Fans))
	return compareBattery(t, h, supplies, theirs.Battery), temperatures, fans
}

// compareBattery compares the one battery that psutil takes: the first whose
// name begins with BAT or has battery in it.
func compareBattery(t *testing.T, h *platform.Host, supplies []platform.PowerSupply, theirs []any) int {
	t.Helper()
	slices.SortFunc(supplies, func(a, b platform.PowerSupply) int { return strings.Compare(a.Name, b.Name) })
	i := slices.IndexFunc(supplies, func(p platform.PowerSupply) bool {
		return strings.HasPrefix(p.Name, "BAT") || strings.Contains(strings.ToLower(p.Name), "battery")
	})
	if i < 0 || theirs == nil {
		assert.Nil(t, theirs)
		assert.True(t, i < 0 || !supplies[i].Got.Has(platform.PowerCharge))
		return 0
	}
	p := &supplies[i]
	assert.InEpsilon(t, theirs[0].(float64)+1, p.Charge*100+1, 1e-12, p.Name)

	const unlimited, unknown = -2, -1
	switch left := theirs[1].(float64); {
	case left == unlimited, left == unknown, p.Status != platform.ChargeDischarging:
	default: // N014: some drivers give a negative power when discharging
		assert.InDelta(t, math.Abs(left), math.Trunc(p.TimeLeft), 0, p.Name)
	}
	if p.Kind == platform.PowerPeripheral {
		return 1 // N002: it says nothing of the host
	}
	cfg := sensors.NewConfig()
	s, err := sensors.New(h, &cfg, "")
	require.NoError(t, err)
	snap, err := h.Snapshot(t.Context(), platform.Request{})
	require.NoError(t, err)
	var online string
	require.NoError(t, s.Scrape(t.Context(), snap, func(md pmetric.Metrics) error {
		for _, line := range emittest.Lines(md) {
			if v, ok := strings.CutPrefix(line, "  system.power.ac.online "); ok {
				online = v
			}
		}
		return nil
	}))
	if plugged, known := theirs[2].(bool); known {
		assert.Equal(t, map[bool]string{true: "1", false: "0"}[plugged], online, p.Name)
	}
	return 1
}
