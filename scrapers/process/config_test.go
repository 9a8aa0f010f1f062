// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/scraper"

	"github.com/hostscope/hostscope/platform"
	"github.com/hostscope/hostscope/scrapers/process/internal/metadata"
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

func TestConfig(t *testing.T) {
	cfg, err := configured(t, `
kernel_threads: true
metrics:
  process.disk.io: {enabled: false}
resource_attributes:
  process.owner: {enabled: false}
`)
	require.NoError(t, err)
	s := newScraper(t, cfg)
	assert.True(t, s.Select(kworker()))
	assert.Zero(t, s.Fields()&(platform.FieldDiskIO|platform.FieldOwner))
}

func TestConfigRefuses(t *testing.T) {
	for yaml, want := range map[string]string{
		`kernel_thread: true`:                         "kernel_thread",
		`metrics: {process.cpu: {enabled: true}}`:     "process.cpu",
		`metrics: {process.cpu.time: {enable: true}}`: "enable",
		// All attributes of ours are required, so there is no list of them.
		`metrics: {process.cpu.time: {attributes: [cpu.mode]}}`:                             "attributes",
		`resource_attributes: {process.pids: {enabled: true}}`:                              "process.pids",
		`resource_attributes: {process.pid: {metrics_includes: []}}`:                        "metrics_includes",
		`resource_attributes: {process.pid: {metrics_include: [{}]}}`:                       "metrics_include",
		`resource_attributes: {process.owner: {metrics_exclude: [{regexp: "("}]}}`:          "metrics_exclude",
		`resource_attributes: {process.owner: {metrics_exclude: [{regexp: a, strict: a}]}}`: "metrics_exclude",
	} {
		_, err := configured(t, yaml)
		assert.ErrorContains(t, err, want, yaml)
	}
}

// TestFilters: each resource attribute selects processes by its value as it is
// or would be emitted, by the cheap ones before more is read.
func TestFilters(t *testing.T) {
	sshd := postgres()
	sshd.PID, sshd.Executable, sshd.Command, sshd.Owner = 22, "/usr/sbin/sshd", "/usr/sbin/sshd", "root"
	sshd.Created = now
	nameless := postgres()
	nameless.PID, nameless.Command, nameless.Got = 3, "", platform.AllFields&^platform.FieldCommand
	nameless.Owner = "0"

	for name, tt := range map[string]struct {
		yaml     string
		selected []int32 // by Select alone
		want     []int32
	}{
		"none":           {``, []int32{22, 3, 4194304}, []int32{22, 3, 4194304}},
		"pid strict":     {`process.pid: {metrics_include: [{strict: "22"}]}`, []int32{22}, []int32{22}},
		"pid excluded":   {`process.pid: {metrics_exclude: [{regexp: "^..$"}]}`, []int32{3, 4194304}, []int32{3, 4194304}},
		"creation time":  {`process.creation.time: {metrics_include: [{regexp: ^2023-11-21T09}]}`, []int32{3, 4194304}, []int32{3, 4194304}},
		"owner":          {`process.owner: {metrics_include: [{strict: root}, {strict: "0"}]}`, []int32{22, 3, 4194304}, []int32{22, 3}},
		"executable":     {`process.executable.name: {metrics_exclude: [{strict: sshd}]}`, []int32{22, 3, 4194304}, []int32{3, 4194304}},
		"redacted":       {`process.command: {metrics_include: [{regexp: hunter2}]}`, []int32{22, 3, 4194304}, nil},
		"as emitted":     {`process.command: {metrics_include: [{regexp: 'password=\*\*\*'}]}`, []int32{22, 3, 4194304}, []int32{4194304}},
		"unknown":        {`process.command: {metrics_exclude: [{regexp: .}]}`, []int32{22, 3, 4194304}, []int32{3}},
		"not emitted":    {`process.owner: {enabled: false, metrics_include: [{strict: root}]}`, []int32{22, 3, 4194304}, []int32{22}},
		"pid not either": {`process.pid: {enabled: false, metrics_include: [{strict: "22"}]}`, []int32{22}, []int32{22}},
		"both lists":     {`process.owner: {metrics_include: [{regexp: .}], metrics_exclude: [{strict: root}]}`, []int32{22, 3, 4194304}, []int32{3, 4194304}},
		"two attributes": {"process.owner: {metrics_exclude: [{strict: root}]}\n  process.pid: {metrics_exclude: [{strict: '3'}]}",
			[]int32{22, 4194304}, []int32{4194304}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := configured(t, "resource_attributes:\n  "+tt.yaml)
			require.NoError(t, err)
			s := newScraper(t, cfg)
			assert.True(t, s.Fields().Has(platform.FieldOwner|platform.FieldCommand|platform.FieldExecutable))

			var selected, want []int32
			for _, p := range []*platform.Process{sshd, nameless, postgres()} {
				p.Note = nil
				if s.Select(p) {
					selected = append(selected, p.PID)
				}
				if len(scrape(t, s, p)) > 0 {
					want = append(want, p.PID)
				}
			}
			assert.Equal(t, tt.selected, selected)
			assert.Equal(t, tt.want, want)
		})
	}
}
