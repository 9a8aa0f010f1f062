// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/scraper"

	"github.com/hostscope/hostscope/platform"
	"github.com/hostscope/hostscope/scrapers/sensors/internal/metadata"
)

// NewFactory is what the generated test looks for: it checks the type and the
// structure of Config. The receiver makes its scrapers with New.
func NewFactory() scraper.Factory {
	return scraper.NewFactory(metadata.Type, func() component.Config {
		cfg := NewConfig()
		return &cfg
	})
}

// configured decodes a configuration as the collector does.
func configured(t *testing.T, yaml string) (Config, error) {
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(yaml))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	cfg := NewConfig()
	if err := conf.Unmarshal(&cfg); err != nil {
		return cfg, err
	}
	return cfg, confmap.Validate(&cfg)
}

func TestConfigRefuses(t *testing.T) {
	for yaml, want := range map[string]string{
		`power: {}`:                               "power",
		`chip: {exclude: {chips: [nvme]}}`:        `chip::exclude::0: "match_type": "" is neither strict nor regexp`,
		`chip: {exclude: [{match_type: strict}]}`: `chip::exclude::0: give at least one of chips, sensors`,
		`chip: {include: []}`:                     `chip::include: must not be empty`,
		`chip: {include: [{match_type: strict, sensors: [a]}, {match_type: regexp, sensors: ["("]}]}`: `chip::include::1: "sensors": error parsing regexp`,
		`chip: {exclude: {match_type: strict, labels: [x]}}`:                                          "labels",
		`power_supply: {include: {match_type: strict, names: []}}`:                                    `power_supply::include::0: "names": must not be empty`,
		`power_supply: {exclude: {match_type: strict, devices: [BAT0]}}`:                              "devices",
		`metrics: {hw.battery: {enabled: true}}`:                                                      "hw.battery",
		`metrics: {hw.battery.charge: {attributes: [hw.id, hw.state]}}`:                               "hw.state",
		`metrics: {hw.battery.charge: {attributes: [hw.name]}}`:                                       "hw.id is a required attribute",
		`metrics: {hw.power_supply.online: {aggregation_strategy: last}}`:                             "last",
		`metrics: {system.power.ac.online: {enabled: true, attributes: [hw.id]}}`:                     "attributes",
	} {
		_, err := configured(t, yaml)
		assert.ErrorContains(t, err, want, yaml)
	}
}

// TestFilters: what is left out has no part in what is told of the whole.
func TestFilters(t *testing.T) {
	h := &fakeHost{sensors: board(), power: laptop()}
	names := only("hw.temperature attributes: [hw.id]", "hw.fan.speed attributes: [hw.id]", "hw.host.heating_margin", "hw.battery.charge attributes: [hw.id]", "hw.power_supply.online attributes: [hw.id]", "system.power.battery.charge")
	for filter, want := range map[string][]string{
		`chip: {exclude: [{match_type: regexp, chips: ["^dell_smm"], sensors: ["^temp"]}, {match_type: strict, chips: [lm75-0048, nct6775]}]}`: {
			"hw.battery.charge{hw.id=battery/BAT0} 1.02", "hw.battery.charge{hw.id=battery/hidpp_battery_0,hw.parent=peripheral} 0.25",
			"hw.fan.speed{hw.id=fan/dell_smm_hwmon/fan1,hw.parent=hwmon/dell_smm_hwmon} 2150", "hw.fan.speed{hw.id=fan/nct6775.656/fan1,hw.parent=hwmon/nct6775.656} 0",
			"hw.host.heating_margin{hw.id=host} 33",
			"hw.power_supply.online{hw.id=power_supply/AC} 0", "hw.power_supply.online{hw.id=power_supply/ucsi-source-psy-1} 0",
			"hw.temperature{hw.id=temperature/battery/BAT0,hw.parent=battery/BAT0} 31.5",
			"hw.temperature{hw.id=temperature/coretemp.0/temp1,hw.parent=hwmon/coretemp.0} 47",
			"system.power.battery.charge 1.02", // the other does not say how much it holds
		},
		`chip: {include: {match_type: strict, sensors: [temp3]}}
power_supply: {exclude: {match_type: regexp, names: [^BAT, hidpp, ucsi]}}`: {
			"hw.power_supply.online{hw.id=power_supply/AC} 0", "hw.temperature{hw.id=temperature/dell_smm_hwmon/temp3,hw.parent=hwmon/dell_smm_hwmon} 27",
		},
		`power_supply: {include: {match_type: strict, names: [hidpp_battery_0]}, exclude: {match_type: strict, names: [BAT0]}}
chip: {include: {match_type: strict, chips: [none]}}`: {"hw.battery.charge{hw.id=battery/hidpp_battery_0,hw.parent=peripheral} 0.25"},
	} {
		lines, err := scrape(t, scraperOn(t, platform.Linux, h, names+filter))
		require.NoError(t, err)
		var got []string
		for _, line := range lines[1:] {
			got = append(got, strings.TrimPrefix(line, "  "))
		}
		assert.Equal(t, want, got, filter)
	}
}
