// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"math"
	"strings"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var hostMetrics = []metric{
	{"hw.host.ambient_temperature", sensor(platform.SensorTemperature, platform.SensorValue), recordAmbient},
	{"hw.host.heating_margin", sensor(platform.SensorTemperature, platform.SensorValue|platform.SensorMax|platform.SensorCritical), recordHeatingMargin},
	{"hw.host.power", sensor(platform.SensorPower, platform.SensorValue), recordHostPower},
}

// hostAttr is the attribute of what is told of the host as a whole.
var hostAttr = emit.Str("hw.id", "host")

// recordAmbient: of several sensors in the stream of air the coolest is the
// nearest to where it comes from.
func recordAmbient(_ *Scraper, to *emit.Points, t *tick) {
	coolest := math.Inf(1)
	t.of(platform.SensorTemperature, platform.SensorValue, func(s *platform.Sensor) {
		label := strings.ToLower(s.Label)
		if strings.Contains(label, "ambient") || strings.Contains(label, "inlet") {
			coolest = min(coolest, s.Value)
		}
	})
	if !math.IsInf(coolest, 0) {
		to.Double(coolest, hostAttr)
	}
}

func recordHeatingMargin(_ *Scraper, to *emit.Points, t *tick) {
	margin := math.Inf(1)
	t.of(platform.SensorTemperature, platform.SensorValue, func(s *platform.Sensor) {
		switch {
		case s.Got.Has(platform.SensorMax):
			margin = min(margin, s.Max-s.Value)
		case s.Got.Has(platform.SensorCritical):
			margin = min(margin, s.Critical-s.Value)
		}
	})
	if !math.IsInf(margin, 0) {
		to.Double(math.Round(margin*1000)/1000, hostAttr) // as exact as sensors are
	}
}

func recordHostPower(_ *Scraper, to *emit.Points, t *tick) {
	sum, known := 0.0, false
	t.of(platform.SensorPower, platform.SensorValue, func(s *platform.Sensor) {
		if ofHost(s) {
			sum, known = sum+s.Value, true
		}
	})
	if known {
		to.Double(sum, hostAttr)
	}
}

// ofHost tells whether a sensor measures what the whole host takes, which the
// conventions keep apart from what its components do: that of the ACPI power
// meter (acpi_power_meter.c), and one on Apple silicon (macsmc-hwmon).
func ofHost(s *platform.Sensor) bool {
	return s.Driver == "power_meter" || s.Driver == "macsmc_hwmon" && s.Label == "Total System Power"
}
