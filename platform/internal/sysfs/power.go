// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package sysfs decodes the files of Linux's /sys.
package sysfs

import (
	"bytes"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// PowerNumber is a property of a power supply that is a number, in the units
// of Documentation/ABI/testing/sysfs-class-power: µV, µA, µW, µAh, µWh,
// percent, tenths of a degree Celsius, seconds.
type PowerNumber uint8

// The properties that are numbers.
const (
	Online    PowerNumber = iota
	Present               // 0: the slot of a battery is empty
	Capacity              // of what it holds when full
	EnergyNow             // beside the charge where a gauge counts both
	EnergyFull
	EnergyFullDesign // of a new one
	ChargeNow
	ChargeFull
	ChargeFullDesign
	PowerNow
	PowerAvg
	CurrentNow // below 0 where some drivers discharge
	CurrentAvg
	VoltageNow
	VoltageMinDesign // nominal
	VoltageMin
	VoltageBoot
	Temp
	CycleCount // 0: mostly unknown
	TimeToEmpty
	TimeToEmptyAvg
	TimeToFull
	TimeToFullAvg
	ChargeStart // it is charged when it has less
	ChargeEnd   // it is charged until it has so much

	numPowerNumbers
)

// PowerText is a property of a power supply that is a text.
type PowerText uint8

// The properties that are texts.
const (
	Type PowerText = iota
	Scope
	Status
	Health
	Technology
	ModelName
	Manufacturer

	numPowerTexts
)

// PowerKeys are the properties by the names that they have in a uevent file
// after POWER_SUPPLY_, and in lower case as files of their own.
var PowerKeys = []string{
	"ONLINE", "PRESENT", "CAPACITY",
	"ENERGY_NOW", "ENERGY_FULL", "ENERGY_FULL_DESIGN",
	"CHARGE_NOW", "CHARGE_FULL", "CHARGE_FULL_DESIGN",
	"POWER_NOW", "POWER_AVG", "CURRENT_NOW", "CURRENT_AVG",
	"VOLTAGE_NOW", "VOLTAGE_MIN_DESIGN", "VOLTAGE_MIN", "VOLTAGE_BOOT",
	"TEMP", "CYCLE_COUNT",
	"TIME_TO_EMPTY_NOW", "TIME_TO_EMPTY_AVG", "TIME_TO_FULL_NOW", "TIME_TO_FULL_AVG",
	"CHARGE_CONTROL_START_THRESHOLD", "CHARGE_CONTROL_END_THRESHOLD",

	"TYPE", "SCOPE", "STATUS", "HEALTH", "TECHNOLOGY", "MODEL_NAME", "MANUFACTURER",
}

// powerKey is the place of each key in PowerKeys.
var powerKey = func() map[string]int {
	m := make(map[string]int, len(PowerKeys))
	for i, key := range PowerKeys {
		m[key] = i
	}
	return m
}()

// PowerSupply is what a power supply tells, as far as it is used.
type PowerSupply struct {
	numbers [numPowerNumbers]int64
	has     uint32
	texts   [numPowerTexts][]byte
}

// Number is a property that is a number, and whether it was there.
func (p *PowerSupply) Number(n PowerNumber) (int64, bool) {
	return p.numbers[n], p.has&(1<<n) != 0
}

// Text is a property that is a text, part of the input; nil for none.
func (p *PowerSupply) Text(t PowerText) []byte { return p.texts[t] }

// Set decodes one property, by its name in PowerKeys; others are passed over.
// A number that is none is as good as absent: drivers answer what they like.
func (p *PowerSupply) Set(key, value []byte) {
	i, ok := powerKey[string(key)]
	value = bytes.TrimSpace(value)
	switch {
	case !ok:
	case i >= int(numPowerNumbers):
		p.texts[i-int(numPowerNumbers)] = value
	default:
		if n, ok := parse.Only(value); ok {
			p.numbers[i] = n
			p.has |= 1 << i
		}
	}
}

// Power decodes a uevent file of a power supply (power_supply_sysfs.c) and
// tells whether there was anything: the kernel shows an empty one where its
// driver fails to read a single property (uevent_show of drivers/base/core.c).
func Power(b []byte, p *PowerSupply) (found bool) {
	*p = PowerSupply{}
	for len(b) > 0 {
		var line []byte
		line, b = parse.Line(b)
		key, value, ok := bytes.Cut(line, equals)
		key, mine := bytes.CutPrefix(key, prefix)
		if !ok || !mine {
			continue
		}
		found = true
		p.Set(key, value)
	}
	return found
}

var (
	equals = []byte{'='}
	prefix = []byte("POWER_SUPPLY_")
)
