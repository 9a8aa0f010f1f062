// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/scraper"

	"github.com/hostscope/hostscope/internal/match"
	"github.com/hostscope/hostscope/scrapers/system/internal/metadata"
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
func configured(t testing.TB, yaml string) (Config, error) {
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
		`metric: {}`:                                                    "metric",
		`metrics: {system.cpu: {enabled: true}}`:                        "system.cpu",
		`metrics: {system.cpu.time: {attribute: [cpu.mode]}}`:           "attribute",
		`metrics: {system.cpu.time: {attributes: [cpu.number]}}`:        "cpu.number",
		`metrics: {system.cpu.time: {aggregation_strategy: median}}`:    "median",
		`metrics: {system.uptime: {attributes: [cpu.mode]}}`:            "attributes",
		`resource_attributes: {host.name: {enabled: true}}`:             "resource_attributes",
		`metrics: {system.memory.usage: {attributes: [process.state]}}`: "process.state",
		`metrics: {system.process.count: {attributes: [cpu.mode]}}`:     "cpu.mode",
	} {
		_, err := configured(t, yaml)
		assert.ErrorContains(t, err, want, yaml)
	}
}

// TestFilterRefuses: an error names the key.
func TestFilterRefuses(t *testing.T) {
	for yaml, want := range map[string]string{
		`disk: {include: {devices: [sda]}}`:                                  `disk::include::0: "match_type": "" is neither strict nor regexp`,
		`disk: {include: []}`:                                                `disk::include: must not be empty`,
		`disk: {exclude: {match_type: regexp, devices: ['(']}}`:              `disk::exclude::0: "devices": error parsing regexp`,
		`filesystem: {include: [{match_type: strict}]}`:                      `filesystem::include::0: give at least one of devices, types, mount_points`,
		`filesystem: {exclude: {match_type: strict, types: []}}`:             `filesystem::exclude::0: "types": must not be empty`,
		`network: {exclude: {match_type: regexp, interfaces: [^veth, '[']}}`: `network::exclude::0: "interfaces": error parsing regexp`,
		`network: {include: [{match_type: strict, devices: [eth0]}]}`:        `devices`,
		`network: {include: [{match_type: strict}]}`:                         `network::include::0: give at least one of interfaces`,
		`filesystem: {paths: [data]}`:                                        `"filesystem::paths": "data" is not an absolute path`,
	} {
		_, err := configured(t, yaml)
		assert.ErrorContains(t, err, want, yaml)
	}
	cfg := NewConfig() // by hand, and not validated
	cfg.Disk.Include = match.Blocks[DiskBlock]{}
	cfg.Filesystem.Include = match.Blocks[FilesystemBlock]{}
	cfg.Network.Include = match.Blocks[NetworkBlock]{}
	_, err := New(nil, &cfg, "")
	assert.EqualError(t, err, "disk::include: must not be empty\nfilesystem::include: must not be empty\nnetwork::include: must not be empty")
}

func TestFilter(t *testing.T) {
	cfg, err := configured(t, `filesystem: {include: [{match_type: regexp, devices: [^/dev/], types: [^ext]}, {match_type: strict, mount_points: [/tmp]}], exclude: {match_type: strict, types: [ext2]}}`)
	require.NoError(t, err)
	f, err := match.NewFilter("filesystem", cfg.Filesystem.Include, cfg.Filesystem.Exclude)
	require.NoError(t, err)
	assert.True(t, f.Chooses())
	for _, tt := range []struct {
		device, kind, mount string
		want                bool
	}{
		{"/dev/sda1", "ext4", "/", true},
		{"/dev/sda1", "xfs", "/", false},
		{"tmpfs", "tmpfs", "/tmp", true},
		{"/dev/sda1", "ext2", "/tmp", false},
	} {
		assert.Equal(t, tt.want, f.Selects(tt.device, tt.kind, tt.mount), tt)
	}
	var all match.Filter
	assert.True(t, all.Selects("sda"))
	assert.False(t, all.Chooses())
}
