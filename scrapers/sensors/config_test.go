// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/scraper"

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
		`power: {}`:                              "power",
		`metrics: {hw.battery: {enabled: true}}`: "hw.battery",
		`metrics: {hw.battery.charge: {attributes: [hw.id, hw.state]}}`:           "hw.state",
		`metrics: {hw.battery.charge: {attributes: [hw.name]}}`:                   "hw.id is a required attribute",
		`metrics: {hw.power_supply.online: {aggregation_strategy: last}}`:         "last",
		`metrics: {system.power.ac.online: {enabled: true, attributes: [hw.id]}}`: "attributes",
	} {
		_, err := configured(t, yaml)
		assert.ErrorContains(t, err, want, yaml)
	}
}
