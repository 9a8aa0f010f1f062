// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/hostscope/hostscope/internal/metadata"
	"github.com/hostscope/hostscope/platform"
	"github.com/hostscope/hostscope/scrapers/process"
	"github.com/hostscope/hostscope/scrapers/sensors"
	"github.com/hostscope/hostscope/scrapers/system"
)

// Config is the configuration of the receiver. It is not changed after Start:
// for two hosts, or two sets of paths, there are two receivers.
type Config struct {
	// ControllerConfig has the keys collection_interval (time between two
	// scrapes), initial_delay (before the first one) and timeout (of one
	// reading of the host; 0 is none).
	scraperhelper.ControllerConfig `mapstructure:",squash"`

	// RootPath is the folder that the host's file system is mounted on, for a
	// receiver that runs in a container. Empty means "/".
	RootPath string `mapstructure:"root_path"`
	// ProcfsPath, SysfsPath and DevfsPath stand in for proc, sys and dev below
	// RootPath. A system that has no such folder accepts and ignores them.
	ProcfsPath string `mapstructure:"procfs_path"`
	SysfsPath  string `mapstructure:"sysfs_path"`
	DevfsPath  string `mapstructure:"devfs_path"`

	// ResourceAttributes says what of the host each resource carries.
	ResourceAttributes metadata.ResourceAttributesConfig `mapstructure:"resource_attributes"`

	// Scrapers are the ones to run, each with its own configuration.
	Scrapers Scrapers `mapstructure:"scrapers"`
}

// Scrapers names the scrapers to run. One that is named without content runs
// with its defaults, one that is not named does not run.
type Scrapers struct {
	Process configoptional.Optional[process.Config] `mapstructure:"process"`
	System  configoptional.Optional[system.Config]  `mapstructure:"system"`
	Sensors configoptional.Optional[sensors.Config] `mapstructure:"sensors"`
}

func newDefaultConfig() component.Config {
	return &Config{
		ControllerConfig:   scraperhelper.NewDefaultControllerConfig(),
		ResourceAttributes: metadata.DefaultResourceAttributesConfig(),
		Scrapers: Scrapers{
			Process: configoptional.Default(process.NewConfig()),
			System:  configoptional.Default(system.NewConfig()),
			Sensors: configoptional.Default(sensors.NewConfig()),
		},
	}
}

// Validate reports what cannot work, with the key that says so. The embedded
// ControllerConfig and the scrapers validate themselves.
func (c *Config) Validate() error {
	var errs []error
	if c.InitialDelay < 0 {
		errs = append(errs, errors.New(`"initial_delay": must not be negative`))
	}
	// A number without a unit is one of nanoseconds.
	for _, d := range []struct {
		key string
		time.Duration
	}{{"collection_interval", c.CollectionInterval}, {"initial_delay", c.InitialDelay}, {"timeout", c.Timeout}} {
		if 0 < d.Duration && d.Duration < time.Millisecond {
			errs = append(errs, fmt.Errorf("%q: %v is too short; give a unit, as in 10s", d.key, d.Duration))
		}
	}
	return errors.Join(append(errs, c.root().Check(platform.ThisOS()))...)
}

// Validate asks for at least one scraper.
func (s *Scrapers) Validate() error {
	if s.Process.HasValue() || s.System.HasValue() || s.Sensors.HasValue() {
		return nil
	}
	return errors.New("name at least one of process, system, sensors")
}

func (c *Config) root() platform.Root {
	return platform.Root{Path: c.RootPath, Proc: c.ProcfsPath, Sys: c.SysfsPath, Dev: c.DevfsPath}
}
