// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

// PowerFields is a set of fields of [PowerSupply].
type PowerFields uint32

// The fields of PowerSupply.
const (
	PowerOnline PowerFields = 1 << iota
	PowerStatus
	PowerCharge
	PowerEnergy
	PowerEnergyFull
	PowerDesignEnergy
	PowerDesignCharge
	PowerPower
	PowerVoltage
	PowerCurrent
	PowerTemperature
	PowerTimeLeft
	PowerHealth
	PowerCycles
	PowerChargeStart
	PowerChargeEnd
)

// Has tells whether every field of want is in the set.
func (f PowerFields) Has(want PowerFields) bool { return f&want == want }

// PowerKind is what a power supply is.
type PowerKind uint8

// The kinds of power supplies.
const (
	PowerOther      PowerKind = iota
	PowerBattery              // a battery that the host runs on
	PowerMains                // power from outside: an AC adapter, USB, wireless
	PowerPeripheral           // the battery of a mouse, a keyboard, …
)

// ChargeState is what a battery is doing, as psutil names it.
type ChargeState uint8

// The states of a battery.
const (
	ChargeUnknown ChargeState = iota
	ChargeCharging
	ChargeDischarging
	ChargeFull
)

// Health is how a battery or a sensor is.
type Health uint8

// The states of health.
const (
	HealthUnknown Health = iota
	HealthGood
	HealthDegraded
	HealthFailed
)

// PowerSupply is one battery or one source of power. What is said of a battery
// is what its gauge says, rounded and late as that may be.
type PowerSupply struct {
	Name string // the kernel's name, unique on the host
	Kind PowerKind
	// Got is the set of fields that hold a value.
	Got PowerFields

	Online bool        // power comes in
	Status ChargeState // of a battery
	Charge float64     // of a battery: 0 … 1, some gauges report a little more

	// What a battery holds in joules: now, when full, and when full and new.
	// Where its gauge counts charge it is that by the nominal voltage.
	Energy, EnergyFull, DesignEnergy float64
	// DesignCharge is that of a new battery in ampere-hours, where the gauge
	// counts charge and not energy.
	DesignCharge float64

	// Power in watts goes into a battery that charges, out of one that
	// discharges, and is positive. Only these have it.
	Power   float64
	Voltage float64 // in volts
	// Current in amperes: of a battery above 0 when it charges, below when it
	// discharges, whatever sign its driver gives.
	Current     float64
	Temperature float64 // in degrees Celsius
	// TimeLeft in seconds is until a battery that discharges is empty, or one
	// that charges is full. Only these have it.
	TimeLeft float64
	Health   Health
	Cycles   int64 // of charging and discharging; more than 0

	// A battery is charged once it has less than ChargeStart, until it has
	// ChargeEnd: 0 … 1.
	ChargeStart, ChargeEnd float64

	// What a battery tells of itself, valid UTF-8; empty where it does not.
	Model, Vendor, Technology string
}
