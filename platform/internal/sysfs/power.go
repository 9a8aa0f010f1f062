// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package sysfs decodes the files of Linux's /sys.
package sysfs

import (
	"bytes"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// PowerSupply is /sys/class/power_supply/NAME/uevent as far as it is used
// (Documentation/ABI/testing/sysfs-class-power). Text is part of the input.
type PowerSupply struct {
	Type, Scope, Status             []byte
	Model, Manufacturer, Technology []byte
	// Has tells which of the numbers were there.
	Has      PowerNumbers
	Online   int64
	Present  int64 // 0: the slot of a battery is empty
	Capacity int64 // percent
	// Energy in µWh, charge in µAh.
	EnergyNow, EnergyFull, EnergyFullDesign int64
	ChargeNow, ChargeFull, ChargeFullDesign int64
}

// PowerNumbers is a set of the numbers of a PowerSupply.
type PowerNumbers uint16

// The numbers of a PowerSupply.
const (
	Online PowerNumbers = 1 << iota
	Present
	Capacity
	EnergyNow
	EnergyFull
	EnergyFullDesign
	ChargeNow
	ChargeFull
	ChargeFullDesign
)

// Power decodes a uevent file of a power supply. A number that is none is
// as good as absent: drivers answer what they like.
func Power(b []byte, p *PowerSupply) error {
	*p = PowerSupply{}
	found := false
	for len(b) > 0 {
		var line []byte
		line, b = parse.Line(b)
		key, value, ok := bytes.Cut(line, equals)
		key, mine := bytes.CutPrefix(key, prefix)
		if !ok || !mine {
			continue
		}
		found = true
		var at *int64
		var number PowerNumbers
		switch string(key) {
		case "TYPE":
			p.Type = value
		case "SCOPE":
			p.Scope = value
		case "STATUS":
			p.Status = value
		case "MODEL_NAME":
			p.Model = bytes.TrimSpace(value)
		case "MANUFACTURER":
			p.Manufacturer = bytes.TrimSpace(value)
		case "TECHNOLOGY":
			p.Technology = value
		case "ONLINE":
			at, number = &p.Online, Online
		case "PRESENT":
			at, number = &p.Present, Present
		case "CAPACITY":
			at, number = &p.Capacity, Capacity
		case "ENERGY_NOW":
			at, number = &p.EnergyNow, EnergyNow
		case "ENERGY_FULL":
			at, number = &p.EnergyFull, EnergyFull
		case "ENERGY_FULL_DESIGN":
			at, number = &p.EnergyFullDesign, EnergyFullDesign
		case "CHARGE_NOW":
			at, number = &p.ChargeNow, ChargeNow
		case "CHARGE_FULL":
			at, number = &p.ChargeFull, ChargeFull
		case "CHARGE_FULL_DESIGN":
			at, number = &p.ChargeFullDesign, ChargeFullDesign
		}
		if at != nil {
			if n, ok := parse.Only(value); ok {
				*at = n
				p.Has |= number
			}
		}
	}
	if !found {
		return parse.ErrSyntax
	}
	return nil
}

var (
	equals = []byte{'='}
	prefix = []byte("POWER_SUPPLY_")
)
