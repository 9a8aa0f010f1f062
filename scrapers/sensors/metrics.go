// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// metric is a row of the table of metrics: the name that metadata.yaml
// declares, the reading it takes, and how it is recorded. A row records
// nothing where the tick has no value.
type metric struct {
	name    string
	reading platform.Reading
	record  func(*emit.Points, *tick)
}

// tick is what one scrape has read.
type tick struct {
	power []platform.PowerSupply
}

var metrics = [...]metric{
	{"hw.battery.charge", platform.ReadingPowerSupplies, recordBatteryCharge},
	{"hw.power_supply.online", platform.ReadingPowerSupplies, recordSupplyOnline},
	{"system.power.ac.online", platform.ReadingPowerSupplies, recordACOnline},
}
