// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/scraper"

	"github.com/hostscope/hostscope/internal/match"
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
	cfg := NewConfig()
	err := decode(t, yaml, &cfg)
	return cfg, err
}

// decode decodes on top of a configuration.
func decode(t testing.TB, yaml string, cfg *Config) error {
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(yaml))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	if err := conf.Unmarshal(cfg); err != nil {
		return err
	}
	return confmap.Validate(cfg)
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
	assert.True(t, selects(s, kworker()))
	assert.Zero(t, s.Fields()&(platform.FieldDiskIO|platform.FieldOwner))
}

func TestConfigDefaults(t *testing.T) {
	cfg, err := configured(t, ``)
	require.NoError(t, err)
	assert.Equal(t, NewConfig(), cfg)
	assert.Nil(t, cfg.Include)
	assert.Nil(t, cfg.Exclude)
	assert.Zero(t, cfg.MinAge)
	assert.False(t, cfg.KernelThreads)
	assert.Equal(t, Skip, cfg.OnAccessDenied)
	assert.Equal(t, time.Minute, cfg.DetailInterval)
	assert.Nil(t, cfg.EnvironmentVariables)
	assert.Nil(t, cfg.Redaction.Patterns)
}

func TestConfigOptions(t *testing.T) {
	cfg, err := configured(t, `
include:
  match_type: strict
  executable_names: [postgres, nginx]
  executable_paths: [/usr/bin/x]
  commands: [y]
  command_lines: [y --z]
  owners: postgres
  cgroups: [/system.slice/nginx.service]
exclude:
  - match_type: regexp
    owners: ["^app-"]
  - {match_type: strict, commands: [sleep]}
min_age: 30s
kernel_threads: true
on_access_denied: fail
detail_interval: 0s
environment_variables: [LANG, PATH]
redaction:
  patterns: ['\d{4}']
`)
	require.NoError(t, err)
	assert.Equal(t, Blocks{{
		MatchType: match.Strict, ExecutableNames: []string{"postgres", "nginx"}, ExecutablePaths: []string{"/usr/bin/x"},
		Commands: []string{"y"}, CommandLines: []string{"y --z"}, Owners: []string{"postgres"}, Cgroups: []string{"/system.slice/nginx.service"},
	}}, cfg.Include)
	assert.Equal(t, Blocks{{MatchType: match.Regexp, Owners: []string{"^app-"}}, {MatchType: match.Strict, Commands: []string{"sleep"}}}, cfg.Exclude)
	assert.Equal(t, 30*time.Second, cfg.MinAge)
	assert.True(t, cfg.KernelThreads)
	assert.Equal(t, Fail, cfg.OnAccessDenied)
	assert.Zero(t, cfg.DetailInterval)
	assert.Equal(t, []string{"LANG", "PATH"}, cfg.EnvironmentVariables)
	assert.Equal(t, []string{`\d{4}`}, cfg.Redaction.Patterns)
}

// TestConfigSays: the errors name the key and what is wrong.
func TestConfigSays(t *testing.T) {
	for yaml, want := range map[string]string{
		`include: []`:            `"include": must not be empty`,
		`exclude: []`:            `"exclude": must not be empty`,
		`include: {owners: [a]}`: `include::0: "match_type": "" is neither strict nor regexp`,
		`exclude: {match_type: glob, owners: [a]}`:                                         `exclude::0: "match_type": "glob" is neither strict nor regexp`,
		`exclude: [{match_type: strict, owners: [a]}, {match_type: strict, commands: []}]`: `exclude::1: "commands": must not be empty`,
		`include: {match_type: strict}`:                                                    `include::0: give at least one of executable_names, executable_paths, owners, cgroups, commands, command_lines`,
		`include: {match_type: strict, cgroups: [""]}`:                                     `include::0: "cgroups": a value must not be empty`,
		`include: {match_type: regexp, command_lines: [a, "("]}`:                           "include::0: \"command_lines\": error parsing regexp: missing closing ): `(`",
		`min_age: -1s`:                     `"min_age": must not be negative`,
		`min_age: 10`:                      `"min_age": 10ns is too short; give a unit, as in 10s`,
		`detail_interval: -1s`:             `"detail_interval": must not be negative`,
		`detail_interval: 60`:              `"detail_interval": 60ns is too short; give a unit, as in 10s`,
		`on_access_denied: ignore`:         `"on_access_denied": "ignore" is neither skip nor fail`,
		`on_access_denied: ""`:             `"on_access_denied": "" is neither skip nor fail`,
		`environment_variables: [A=b]`:     `"environment_variables": "A=b" is no name of a variable`,
		`environment_variables: ["*"]`:     `"environment_variables": "*" is no name of a variable`,
		`environment_variables: [AWS_*]`:   `"environment_variables": "AWS_*" is no name of a variable`,
		`environment_variables: [""]`:      `"environment_variables": a name must not be empty`,
		`environment_variables: [A, B, A]`: `"environment_variables": "A" is there twice`,
		`redaction: {patterns: ["["]}`:     "\"redaction::patterns\": \"[\": error parsing regexp: missing closing ]: `[`",
		`redaction: {patterns: ["x*"]}`:    `"redaction::patterns": "x*": matches nothing at all, and so everywhere`,
	} {
		_, err := configured(t, yaml)
		assert.EqualError(t, err, want, yaml)
	}
	for yaml, want := range map[string]string{
		`include: {match_type: strict, names: [a]}`:   "names",
		`exclude: [{match_type: strict, owner: [a]}]`: "owner",
		`include: sshd`:                 "include",
		`redaction: {pattern: [a]}`:     "pattern",
		`scrape_process_delay: 1s`:      "scrape_process_delay",
		`mute_process_all_errors: true`: "mute_process_all_errors",
	} {
		_, err := configured(t, yaml)
		assert.ErrorContains(t, err, want, yaml)
	}
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
// or would be emitted, before more is read of them.
func TestFilters(t *testing.T) {
	sshd := postgres()
	sshd.PID, sshd.Executable, sshd.Command, sshd.Owner = 22, "/usr/sbin/sshd", "/usr/sbin/sshd", "root"
	sshd.Created = now
	nameless := postgres()
	nameless.PID, nameless.Command, nameless.Got = 3, "", platform.AllFields&^platform.FieldCommand
	nameless.Owner = "0"

	for name, tt := range map[string]struct {
		yaml   string
		filter platform.Fields
		want   []int32
	}{
		"none":           {``, 0, []int32{22, 3, 4194304}},
		"pid strict":     {`process.pid: {metrics_include: [{strict: "22"}]}`, 0, []int32{22}},
		"pid excluded":   {`process.pid: {metrics_exclude: [{regexp: "^..$"}]}`, 0, []int32{3, 4194304}},
		"creation time":  {`process.creation.time: {metrics_include: [{regexp: ^2023-11-21T09}]}`, 0, []int32{3, 4194304}},
		"owner":          {`process.owner: {metrics_include: [{strict: root}, {strict: "0"}]}`, platform.FieldOwner, []int32{22, 3}},
		"executable":     {`process.executable.name: {metrics_exclude: [{strict: sshd}]}`, platform.FieldExecutable | platform.FieldName, []int32{3, 4194304}},
		"redacted":       {`process.command: {metrics_include: [{regexp: hunter2}]}`, platform.FieldCommand, nil},
		"as emitted":     {`process.command: {metrics_include: [{regexp: 'password=\*\*\*'}]}`, platform.FieldCommand, []int32{4194304}},
		"unknown":        {`process.command: {metrics_exclude: [{regexp: .}]}`, platform.FieldCommand, []int32{3}},
		"not emitted":    {`process.owner: {enabled: false, metrics_include: [{strict: root}]}`, platform.FieldOwner, []int32{22}},
		"pid not either": {`process.pid: {enabled: false, metrics_include: [{strict: "22"}]}`, 0, []int32{22}},
		"both lists":     {`process.owner: {metrics_include: [{regexp: .}], metrics_exclude: [{strict: root}]}`, platform.FieldOwner, []int32{3, 4194304}},
		"two attributes": {"process.owner: {metrics_exclude: [{strict: root}]}\n  process.pid: {metrics_exclude: [{strict: '3'}]}",
			platform.FieldOwner, []int32{4194304}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := configured(t, "resource_attributes:\n  "+tt.yaml)
			require.NoError(t, err)
			s := newScraper(t, cfg)
			assert.True(t, s.Fields().Has(platform.FieldOwner|platform.FieldCommand|platform.FieldExecutable))
			assert.Equal(t, tt.filter, s.Filter())

			var selected, emitted []int32
			for _, p := range []*platform.Process{sshd, nameless, postgres()} {
				p.Note = nil
				if selects(s, p) {
					selected = append(selected, p.PID)
				}
				if len(scrape(t, s, p)) > 0 {
					emitted = append(emitted, p.PID)
				}
			}
			assert.Equal(t, tt.want, selected)
			assert.Equal(t, tt.want, emitted)
		})
	}
}

// TestNothingEnabled: without a metric nothing is read, for filters neither.
func TestNothingEnabled(t *testing.T) {
	cfg, err := configured(t, "include: {match_type: strict, owners: [root]}")
	require.NoError(t, err)
	cfg.Metrics = metadata.MetricsConfig{}
	s := newScraper(t, cfg)
	assert.Zero(t, s.Fields())
	assert.Zero(t, s.Filter())
}
