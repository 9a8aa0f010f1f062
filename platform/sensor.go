// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"slices"
	"strings"
)

// SensorKind is what a sensor measures.
type SensorKind uint8

// The kinds of sensors.
const (
	SensorTemperature SensorKind = iota // degrees Celsius
	SensorFan                           // revolutions per minute
	SensorVoltage                       // volts
	SensorCurrent                       // amperes
	SensorPower                         // watts
	SensorEnergy                        // joules, all that was used since some time

	NumSensorKinds
)

// String is the name of what is measured.
func (k SensorKind) String() string {
	if k < NumSensorKinds {
		return [NumSensorKinds]string{"temperature", "fan", "voltage", "current", "power", "energy"}[k]
	}
	return "unknown"
}

// SensorFields is a set of fields of [Sensor].
type SensorFields uint8

// The fields of Sensor.
const (
	SensorValue SensorFields = 1 << iota
	SensorMin
	SensorMax
	SensorLowCritical
	SensorCritical
	SensorHealth

	// SensorLimits are all limits.
	SensorLimits = SensorMin | SensorMax | SensorLowCritical | SensorCritical
)

// Has tells whether every field of want is in the set.
func (f SensorFields) Has(want SensorFields) bool { return f&want == want }

// SensorRequest says what to read of the sensors of each kind.
type SensorRequest [NumSensorKinds]SensorFields

// Sensor is one sensor of the host. Its strings are valid UTF-8.
type Sensor struct {
	// ID is made of Chip and Name and unique among the sensors of the host. It
	// names the place of the chip, not the number that the kernel gave it:
	// nvme-0000:03:00.0/temp1.
	ID     string
	Chip   string // what it is a part of: nvme-0000:03:00.0
	Driver string // the kernel's name for chips of that kind: nvme
	Name   string // of the sensor in its chip: temp1
	Label  string // what it measures, where the driver knows: Composite
	Kind   SensorKind
	// Got is the set of fields that hold a value.
	Got   SensorFields
	Value float64
	// Min and Max are the limits of what is normal, LowCritical and Critical
	// those at which the hardware takes to drastic means. One that is not set
	// is not got.
	Min, Max, LowCritical, Critical float64
	// Health is what the chip says by its alarms, where it has any: degraded
	// outside what is normal, failed at a critical limit or without a reading.
	Health Health
}

// EnergyZone is a part of the host of which energy is counted (RAPL).
type EnergyZone struct {
	Name   string // package-0, dram, core, uncore, psys
	Parent string // the name of the zone that this one is part of, if any
	// Energy in microjoules was used since some time. After Max it begins at 0;
	// Max is 0 where that is not known, and where the host was suspended since
	// the last reading, from which processors begin at 0 as well.
	Energy, Max uint64
}

// chipID names a chip by its driver and by its place in the tree of devices,
// which is a path below /sys. What the kernel numbers as it comes is left out:
// hwmon3, nvme0, the number of an I²C bus; what remains is the nearest thing
// that has an address or a name, and addresses below it.
func chipID(driver, path string) string {
	var places []string
	for _, name := range slices.Backward(strings.Split(path, "/")) {
		part, whole := placeOf(name)
		if part != "" {
			places = append(places, part)
		}
		if whole {
			break
		}
	}
	slices.Reverse(places)
	where := strings.Join(places, "-")
	// Drivers have no dash in their names of chips.
	switch rest, same := strings.CutPrefix(strings.ReplaceAll(where, "-", "_"), strings.ReplaceAll(driver, "-", "_")); {
	case where == "":
		return driver
	case same && (rest == "" || strings.ContainsAny(rest[:1], "._:")):
		return where // coretemp.0 and not coretemp-coretemp.0
	}
	return driver + "-" + where
}

// placeOf is what the name of a folder in the tree of devices says of a place;
// whole if that is all there is to say.
func placeOf(name string) (part string, whole bool) {
	switch strings.TrimRight(name, "0123456789") {
	case "", "devices", "virtual", "hwmon", "thermal", "thermal_zone", "nvme", "nvme-subsystem", "ieee" /* 80211 */, "phy", "i2c-", "i2c-dev", "host", "usb", "hidraw":
		return "", false
	case "channel-", "ata": // of a multiplexer, of a controller
		return name, false
	}
	if rest, ok := strings.CutPrefix(name, "end_device-"); ok { // of a SAS host
		_, rest, _ = strings.Cut(rest, ":")
		return rest, false
	}
	if strings.HasPrefix(name, "port-") || strings.HasPrefix(name, "expander-") || strings.HasPrefix(name, "target") {
		return "", false
	}
	if stem, ok := strings.CutSuffix(name, ".auto"); ok { // cros-ec-hwmon.3.auto
		if i := strings.LastIndexByte(stem, '.'); i > 0 {
			return stem[:i], true
		}
	}
	switch shape(name) {
	case "9-hhhh": // an I²C device: its bus and its address there
		_, address, _ := strings.Cut(name, "-")
		return address, false
	case "hhhh:hhhh:hhhh.hhhh": // a HID device: its bus, vendor, product, and the how manieth it is
		id, _, _ := strings.Cut(name, ".")
		return id, false
	case "9:9:9:9": // a SCSI device: its host, channel, target and unit
		_, unit, _ := strings.Cut(name, ":")
		if unit == "0:0:0" {
			return "", false
		}
		return unit, false
	}
	return name, true
}

// shape tells the few forms of names apart that have to be.
func shape(name string) string {
	digits := func(s, of string) bool { return s != "" && strings.Trim(s, of) == "" }
	const decimal, hex = "0123456789", "0123456789abcdefABCDEF"
	if bus, address, ok := strings.Cut(name, "-"); ok && digits(bus, decimal) && len(address) == 4 && digits(address, hex) {
		return "9-hhhh"
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == ':' || r == '.' })
	if len(parts) != 4 {
		return ""
	}
	hid, scsi := strings.Count(name, ":") == 2, strings.Count(name, ":") == 3
	for _, p := range parts {
		hid = hid && len(p) == 4 && digits(p, hex)
		scsi = scsi && digits(p, decimal)
	}
	switch {
	case hid:
		return "hhhh:hhhh:hhhh.hhhh"
	case scsi:
		return "9:9:9:9"
	}
	return ""
}
