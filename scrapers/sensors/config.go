// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"errors"

	"github.com/hostscope/hostscope/internal/match"
	"github.com/hostscope/hostscope/scrapers/sensors/internal/metadata"
)

// Config selects what the scraper emits.
type Config struct {
	// Metrics says of each metric whether and how it is emitted.
	Metrics metadata.MetricsConfig `mapstructure:"metrics"`

	Chip        ChipConfig        `mapstructure:"chip"`
	PowerSupply PowerSupplyConfig `mapstructure:"power_supply"`
}

// ChipConfig selects the sensors of chips and thermal zones: those that any
// block of Include matches, and none of Exclude. Without Include they are all.
type ChipConfig struct {
	Include match.Blocks[ChipBlock] `mapstructure:"include"`
	Exclude match.Blocks[ChipBlock] `mapstructure:"exclude"`
}

// ChipBlock is a set of criteria. A sensor matches it if it meets each that is
// given, by any one of the values in its list.
type ChipBlock struct {
	MatchType match.Type `mapstructure:"match_type"`

	Chips   []string `mapstructure:"chips"`   // as in hw.parent after hwmon/
	Sensors []string `mapstructure:"sensors"` // as at the end of hw.id, such as temp1
}

// Criteria implements [match.Block].
func (b ChipBlock) Criteria() (match.Type, []match.Criterion) {
	return b.MatchType, []match.Criterion{{Key: "chips", Values: b.Chips}, {Key: "sensors", Values: b.Sensors}}
}

// PowerSupplyConfig selects the batteries and supplies: those that any block of
// Include matches, and none of Exclude. Without Include they are all.
type PowerSupplyConfig struct {
	Include match.Blocks[PowerSupplyBlock] `mapstructure:"include"`
	Exclude match.Blocks[PowerSupplyBlock] `mapstructure:"exclude"`
}

// PowerSupplyBlock is a set of criteria for batteries and supplies.
type PowerSupplyBlock struct {
	MatchType match.Type `mapstructure:"match_type"`
	// Names are as in hw.name, such as BAT0.
	Names []string `mapstructure:"names"`
}

// Criteria implements [match.Block].
func (b PowerSupplyBlock) Criteria() (match.Type, []match.Criterion) {
	return b.MatchType, []match.Criterion{{Key: "names", Values: b.Names}}
}

// NewConfig gives the defaults.
func NewConfig() Config {
	return Config{Metrics: metadata.DefaultMetricsConfig()}
}

// Validate reports what cannot work, with the key that says so.
func (c *Config) Validate() error {
	_, _, err := c.filters()
	return err
}

// filters are what selects sensors and power supplies.
func (c *Config) filters() (chip, supply match.Filter, err error) {
	chip, cerr := match.NewFilter("chip", c.Chip.Include, c.Chip.Exclude)
	supply, serr := match.NewFilter("power_supply", c.PowerSupply.Include, c.PowerSupply.Exclude)
	return chip, supply, errors.Join(cerr, serr)
}
