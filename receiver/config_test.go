// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/hostscope/hostscope/scrapers/process"
	"github.com/hostscope/hostscope/scrapers/sensors"
	"github.com/hostscope/hostscope/scrapers/system"
)

// load does with a configuration what the collector does with it.
func load(t *testing.T, text string) (*Config, error) {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	cfg := NewFactory().CreateDefaultConfig().(*Config)
	if err := conf.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, confmap.Validate(cfg)
}

func TestConfigDefaults(t *testing.T) {
	cfg, err := load(t, "scrapers:\n  process:\n  sensors: {}\n")
	require.NoError(t, err)
	assert.Equal(t, time.Minute, cfg.CollectionInterval)
	assert.Equal(t, time.Second, cfg.InitialDelay)
	assert.Zero(t, cfg.Timeout)
	assert.Empty(t, cfg.RootPath+cfg.ProcfsPath+cfg.SysfsPath+cfg.DevfsPath)
	assert.True(t, cfg.ResourceAttributes.HostName.Enabled)
	assert.True(t, cfg.ResourceAttributes.OsType.Enabled)
	assert.False(t, cfg.ResourceAttributes.HostID.Enabled)
	assert.Equal(t, process.NewConfig(), *cfg.Scrapers.Process.Get(), "named without content: its defaults")
	assert.Equal(t, sensors.NewConfig(), *cfg.Scrapers.Sensors.Get(), "named with empty content: its defaults")
	assert.Nil(t, cfg.Scrapers.System.Get(), "not named: does not run")
}

func TestConfigKeys(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"procfs", "sysfs", "devfs"} {
		require.NoError(t, os.Mkdir(filepath.Join(root, dir), 0o755))
	}
	cfg, err := load(t, `
collection_interval: 10s
initial_delay: 0s
timeout: 5s
root_path: `+root+`
procfs_path: `+root+`/procfs
sysfs_path: `+root+`/sysfs
devfs_path: `+root+`/devfs
resource_attributes:
  host.name: {enabled: false}
  host.id: {enabled: true}
scrapers:
  process:
    kernel_threads: true
    metrics:
      process.cpu.time: {enabled: false}
  system: {enabled: false}
`)
	require.NoError(t, err)
	assert.Equal(t, 10*time.Second, cfg.CollectionInterval)
	assert.Zero(t, cfg.InitialDelay)
	assert.Equal(t, 5*time.Second, cfg.Timeout)
	assert.Equal(t, root, cfg.root().Path)
	assert.Equal(t, root+"/procfs", cfg.root().Proc)
	assert.Equal(t, root+"/sysfs", cfg.root().Sys)
	assert.Equal(t, root+"/devfs", cfg.root().Dev)
	assert.False(t, cfg.ResourceAttributes.HostName.Enabled)
	assert.True(t, cfg.ResourceAttributes.OsType.Enabled)
	assert.True(t, cfg.ResourceAttributes.HostID.Enabled)
	require.NotNil(t, cfg.Scrapers.Process.Get())
	assert.True(t, cfg.Scrapers.Process.Get().KernelThreads)
	assert.False(t, cfg.Scrapers.Process.Get().Metrics.ProcessCPUTime.Enabled)
	assert.True(t, cfg.Scrapers.Process.Get().Metrics.ProcessMemoryUsage.Enabled)
	assert.Nil(t, cfg.Scrapers.System.Get())

	again := NewFactory().CreateDefaultConfig().(*Config)
	assert.False(t, again.Scrapers.Process.HasValue(), "one configuration does not change the next one's defaults")
	assert.True(t, again.Scrapers.Process.GetOrInsertDefault().Metrics.ProcessCPUTime.Enabled)
	assert.Equal(t, system.NewConfig(), *again.Scrapers.System.GetOrInsertDefault())
}

// TestDocumentedConfigs loads what the README and the examples show, of which
// the README has every key of the receiver and its scrapers.
func TestDocumentedConfigs(t *testing.T) {
	hostfs := t.TempDir()
	for _, dir := range []string{"proc", "sys", "dev"} {
		require.NoError(t, os.Mkdir(filepath.Join(hostfs, dir), 0o755))
	}
	read := func(file string) string {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		return strings.ReplaceAll(string(text), "/hostfs", hostfs)
	}
	examples, err := filepath.Glob("../examples/*.yaml")
	require.NoError(t, err)
	texts := map[string]string{}
	for _, file := range examples {
		texts[file] = read(file)
	}
	var documented map[string]any
	for i, text := range strings.Split(read("../README.md"), "```yaml\n")[1:] {
		texts[fmt.Sprint("README.md, block ", i)], _, _ = strings.Cut(text, "```")
	}
	loaded := 0
	for name, text := range texts {
		retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
		require.NoError(t, err, name)
		conf, err := retrieved.AsConf()
		require.NoError(t, err, name)
		receivers, err := conf.Sub("receivers")
		if err != nil || !receivers.IsSet("hostscope") {
			continue // another file, or the manifest of a distribution
		}
		loaded++
		sub, err := receivers.Sub("hostscope")
		require.NoError(t, err, name)
		cfg := NewFactory().CreateDefaultConfig().(*Config)
		require.NoError(t, sub.Unmarshal(cfg), name)
		require.NoError(t, confmap.Validate(cfg), name)
		if strings.HasPrefix(name, "README") {
			documented = sub.ToStringMap()
		}
	}
	assert.GreaterOrEqual(t, loaded, 2)
	scrapers := documented["scrapers"].(map[string]any)
	for what, keys := range map[string][]string{
		"receiver": without(keysOf(documented), "scrapers"), "process": keysOf(scrapers["process"]), "system": keysOf(scrapers["system"]), "sensors": keysOf(scrapers["sensors"]),
	} {
		of := map[string]reflect.Type{
			"receiver": reflect.TypeFor[Config](), "process": reflect.TypeFor[process.Config](), "system": reflect.TypeFor[system.Config](), "sensors": reflect.TypeFor[sensors.Config](),
		}[what]
		assert.Subset(t, append(keys, "metrics"), without(keysOfType(of), "scrapers"), what)
	}
}

func keysOf(m any) []string { return slices.Collect(maps.Keys(m.(map[string]any))) }

func without(keys []string, key string) []string {
	return slices.DeleteFunc(keys, func(k string) bool { return k == key })
}

// keysOfType are the keys of a configuration.
func keysOfType(t reflect.Type) (keys []string) {
	for i := range t.NumField() {
		switch key, squash := strings.CutSuffix(t.Field(i).Tag.Get("mapstructure"), ",squash"); {
		case squash:
			keys = append(keys, keysOfType(t.Field(i).Type)...)
		case key != "":
			key, _, _ = strings.Cut(key, ",")
			keys = append(keys, key)
		}
	}
	return keys
}

// TestConfigErrors holds that each error leads to the key that caused it. The
// collector puts "receivers::hostscope" before the messages.
func TestConfigErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	const all = "scrapers: {process: , system: , sensors: }\n"
	for _, c := range []struct {
		name, text string
		want       []string // parts of the message
	}{
		{"nothing", "", []string{"scrapers: name at least one of process, system, sensors"}},
		{"no scrapers", "scrapers:", []string{"scrapers: name at least one of process, system, sensors"}},
		{"only disabled", "scrapers: {process: {enabled: false}}", []string{"scrapers: name at least one of process, system, sensors"}},

		{"unknown key", all + "scrape: 1", []string{"invalid keys: scrape"}},
		{"unknown scraper", "scrapers: {process: , disk: }", []string{"'scrapers' has invalid keys: disk"}},
		{"unknown key of a scraper", "scrapers: {process: {includes: 1}}", []string{"'scrapers.process'", "invalid keys: includes"}},
		{"unknown metric", "scrapers: {process: {metrics: {process.cpu: {enabled: true}}}}", []string{"'scrapers.process'", "'metrics' has invalid keys: process.cpu"}},
		{"unknown key of a metric", "scrapers: {sensors: {metrics: {hw.battery.charge: {enable: true}}}}", []string{"'scrapers.sensors'", "'metrics.hw.battery.charge'", "invalid keys: enable"}},
		{"unknown attribute of a metric", "scrapers: {system: {metrics: {system.cpu.time: {attributes: [cpu]}}}}", []string{"scrapers::system", "system.cpu.time: metric system.cpu.time doesn't have an attribute cpu, valid attributes: [cpu.mode, cpu.logical_number]"}},
		{"unknown resource attribute of a scraper", "scrapers: {process: {resource_attributes: {process.user: {enabled: true}}}}", []string{"'scrapers.process'", "'resource_attributes' has invalid keys: process.user"}},
		{"unknown resource attribute", all + "resource_attributes: {host.arch: {enabled: true}}", []string{"'resource_attributes' has invalid keys: host.arch"}},
		{"unknown key of a resource attribute", all + "resource_attributes: {host.id: {enable: true}}", []string{"'resource_attributes.host.id'", "invalid keys: enable"}},

		{"scrapers is a list", "scrapers: [process]", []string{"'scrapers' expected a map or struct"}},
		{"scraper is a number", "scrapers: {process: 5}", []string{"'scrapers.process'", "expected a map or struct"}},
		{"option is no bool", "scrapers: {process: {kernel_threads: maybe}}", []string{"'scrapers.process'", "'kernel_threads' expected type 'bool'"}},
		{"enabled is no bool", "scrapers: {system: {metrics: {system.uptime: {enabled: 5}}}}", []string{"'scrapers.system'", "'metrics.system.uptime'", "'enabled' expected type 'bool'"}},
		{"path is a map", all + "root_path: {a: b}", []string{"'root_path' expected type 'string'"}},
		{"no duration", all + "timeout: soon", []string{"'timeout' time: invalid duration"}},

		{"interval of zero", all + "collection_interval: 0s", []string{`"collection_interval": requires positive value`}},
		{"negative interval", all + "collection_interval: -1s", []string{`"collection_interval": requires positive value`}},
		{"negative delay", all + "initial_delay: -1s", []string{`"initial_delay": must not be negative`}},
		{"negative timeout", all + "timeout: -1s", []string{`"timeout": requires positive value`}},
		{"interval without a unit", all + "collection_interval: 10", []string{`"collection_interval": 10ns is too short; give a unit, as in 10s`}},
		{"delay without a unit", all + "initial_delay: 5", []string{`"initial_delay": 5ns is too short; give a unit, as in 10s`}},
		{"timeout without a unit", all + "timeout: 10", []string{`"timeout": 10ns is too short; give a unit, as in 10s`}},

		{"several in blocks", `scrapers:
  sensors: {chip: {include: {match_type: strict, sensors: ['']}, exclude: [{match_type: regexp, chips: ['(']}, {chips: []}]}}
  system: {network: {exclude: {interfaces: ['']}}, disk: {include: []}}`, []string{
			`scrapers::sensors: chip::include::0: "sensors": a value must not be empty`, `chip::exclude::0: "chips": error parsing regexp`,
			`chip::exclude::1: "match_type": "" is neither strict nor regexp`, `chip::exclude::1: "chips": must not be empty`,
			`scrapers::system: disk::include: must not be empty`, `network::exclude::0: "match_type"`, `network::exclude::0: "interfaces": a value must not be empty`,
		}},

		{"no root", all + "root_path: /no/such/folder", []string{"root_path: /no/such/folder does not exist"}},
		{"file as root", all + "root_path: " + file, []string{"root_path: " + file + " is not a folder"}},
		{"no procfs, sysfs, devfs", all + "procfs_path: /no/proc\nsysfs_path: /no/sys\ndevfs_path: /no/dev", []string{
			"procfs_path: /no/proc does not exist", "sysfs_path: /no/sys does not exist", "devfs_path: /no/dev does not exist",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.text)
			for _, part := range c.want {
				require.ErrorContains(t, err, part)
			}
		})
	}
}
