// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"cmp"
	"context"
	"math"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/sysfs"
)

// supply is what is known of a power supply.
type supply struct {
	PowerSupply
	want PowerFields
	raw  sysfs.PowerSupply
	all  []byte // what the fields of raw are part of
}

// PowerSupplies appends the batteries and sources of power of the host to dst
// in the order of their names (/sys/class/power_supply). A host without any
// has none. Those whose names selects does not want (nil wants all) are not
// read. Of the fields, PowerChargeStart and PowerChargeEnd are read only where
// they are wanted: they take files of their own. What can be read is answered
// also when the error, which names the files or the supplies, is not nil; see
// [Host.Unread] for what a supply does not tell.
func (h *Host) PowerSupplies(ctx context.Context, dst []PowerSupply, want PowerFields, selects func(name string) bool) ([]PowerSupply, error) {
	h.sensors.supplies.only = selects
	answered, err := askAll(ctx, h, &h.sensors.supplies, func(s *supply) { s.want = want })
	for _, m := range answered {
		if m.what.Kind != PowerOther {
			dst = append(dst, m.what.PowerSupply)
		}
	}
	return dst, err
}

// askSupply reads the uevent file, which has all properties at once. There is
// none to be had where a single property cannot be read: then each is read.
func askSupply(m *member[supply]) {
	s := &m.what
	if !m.known {
		m.locate()
	}
	s.PowerSupply = PowerSupply{Name: s.Name, Model: s.Model, Vendor: s.Vendor, Technology: s.Technology}
	keep(&s.Name, []byte(m.name))
	b, errno := m.readOnce(unix.AT_FDCWD, m.file("uevent"), m.buffer())
	switch {
	case errno == unix.ENOENT: // it was unplugged a moment ago
		m.failed(errno)
		return
	case errno != 0:
		m.failed(errno)
		b = nil
	}
	s.all = append(s.all[:0], b...)
	if !sysfs.Power(s.all, &s.raw) {
		readProperties(m, sysfs.PowerKeys...)
	}
	if s.raw.Text(sysfs.Type) == nil { // it is not in uevent before Linux 5.7
		readProperties(m, "TYPE")
	}
	// These mostly belong to a driver beside that of the battery, which adds
	// its files to those of the battery and nothing to uevent (battery_hook).
	if s.want&PowerChargeStart != 0 {
		readThreshold(m, sysfs.ChargeStart, "CHARGE_CONTROL_START_THRESHOLD", "charge_start_threshold")
	}
	if s.want&PowerChargeEnd != 0 {
		readThreshold(m, sysfs.ChargeEnd, "CHARGE_CONTROL_END_THRESHOLD", "charge_stop_threshold")
	}
	s.decode()
}

// readProperties reads properties from files of their own.
func readProperties(m *member[supply], keys ...string) {
	for _, key := range keys {
		b, errno := m.readOnce(unix.AT_FDCWD, m.file(string(bytes.ToLower([]byte(key)))), m.buffer())
		switch errno {
		case 0:
			start := len(m.what.all)
			m.what.all = append(m.what.all, b...)
			m.what.raw.Set([]byte(key), m.what.all[start:])
		case unix.ENOENT, unix.ENODEV: // it has none, or there is no battery in the slot
		default:
			m.failed(errno)
		}
	}
}

// readThreshold reads a threshold that uevent does not have; before Linux 5.9
// drivers had their own names for them.
func readThreshold(m *member[supply], n sysfs.PowerNumber, key, old string) {
	raw := &m.what.raw
	if _, ok := raw.Number(n); ok {
		return
	}
	readProperties(m, key)
	if _, ok := raw.Number(n); ok {
		return
	}
	if b, errno := m.readOnce(unix.AT_FDCWD, m.file(old), m.number[:]); errno == 0 {
		raw.Set([]byte(key), b)
	}
}

// decode makes fields of properties.
func (s *supply) decode() {
	raw := &s.raw
	s.Kind = powerKind(raw.Text(sysfs.Type), raw.Text(sysfs.Scope))
	if present, ok := raw.Number(sysfs.Present); ok && present == 0 && s.Kind != PowerMains {
		s.Kind = PowerOther // an empty slot, a tablet without its battery
		return
	}
	if n, ok := raw.Number(sysfs.Online); ok {
		s.Online = n != 0 // 2 is a programmable supply, online as well
		s.Got |= PowerOnline
	}
	if status := raw.Text(sysfs.Status); status != nil {
		s.Status = chargeState(status)
		s.Got |= PowerStatus
	}
	s.Health = powerHealth(raw.Text(sysfs.Health))
	s.set(PowerHealth, s.Health != HealthUnknown)
	if s.Kind != PowerPeripheral || s.Online || !s.Got.Has(PowerOnline) {
		// One that is away tells what it told last, or 0 (hid-logitech-hidpp.c).
		s.capacity()
		s.flow()
		s.timeLeft()
	}

	const tenth, absoluteZero = 10, -273
	if n, ok := raw.Number(sysfs.Temp); ok && n > absoluteZero*tenth {
		s.Temperature = float64(n) / tenth
		s.Got |= PowerTemperature
	}
	if n, ok := raw.Number(sysfs.CycleCount); ok && n > 0 { // ACPI says 0 where it does not count
		s.Cycles = n
		s.Got |= PowerCycles
	}
	for _, t := range [...]struct {
		number sysfs.PowerNumber
		field  PowerFields
		at     *float64
	}{{sysfs.ChargeStart, PowerChargeStart, &s.ChargeStart}, {sysfs.ChargeEnd, PowerChargeEnd, &s.ChargeEnd}} {
		if n, ok := raw.Number(t.number); ok && s.want&t.field != 0 && n >= 0 && n <= 100 {
			*t.at = float64(n) / 100
			s.Got |= t.field
		}
	}
	keep(&s.Model, raw.Text(sysfs.ModelName))
	keep(&s.Vendor, raw.Text(sysfs.Manufacturer))
	technology := raw.Text(sysfs.Technology)
	if string(technology) == "Unknown" {
		technology = nil
	}
	keep(&s.Technology, technology)
}

func (s *supply) set(f PowerFields, got bool) {
	if got {
		s.Got |= f
	}
}

// positive is a property that is a number above 0, else 0.
func (s *supply) positive(n sysfs.PowerNumber) float64 {
	v, _ := s.raw.Number(n)
	return float64(max(v, 0))
}

// capacity is what a battery holds. The capacity in whole percent is the last
// resort.
func (s *supply) capacity() {
	for _, of := range [...]struct{ now, full sysfs.PowerNumber }{{sysfs.EnergyNow, sysfs.EnergyFull}, {sysfs.ChargeNow, sysfs.ChargeFull}} {
		if now, ok := s.raw.Number(of.now); ok && now >= 0 && s.positive(of.full) > 0 && !s.Got.Has(PowerCharge) {
			s.Charge = float64(now) / s.positive(of.full)
			s.Got |= PowerCharge
		}
	}
	if percent, ok := s.raw.Number(sysfs.Capacity); ok && percent >= 0 && !s.Got.Has(PowerCharge) {
		s.Charge = float64(percent) / 100
		s.Got |= PowerCharge
	}
	// Nominal voltage, of which all that the battery holds is told.
	volts := cmp.Or(s.positive(sysfs.VoltageMinDesign), s.positive(sysfs.VoltageMin), s.positive(sysfs.VoltageNow), s.positive(sysfs.VoltageBoot))
	for _, of := range [...]struct {
		energy, charge sysfs.PowerNumber
		field          PowerFields
		at             *float64
	}{
		{sysfs.EnergyNow, sysfs.ChargeNow, PowerEnergy, &s.Energy},
		{sysfs.EnergyFull, sysfs.ChargeFull, PowerEnergyFull, &s.EnergyFull},
		{sysfs.EnergyFullDesign, sysfs.ChargeFullDesign, PowerDesignEnergy, &s.DesignEnergy},
	} {
		*of.at = cmp.Or(s.positive(of.energy)*36/1e4, s.positive(of.charge)*volts*36/1e10)
		s.set(of.field, *of.at > 0)
	}
	if s.positive(sysfs.EnergyFullDesign) == 0 && s.positive(sysfs.ChargeFullDesign) > 0 {
		s.DesignCharge = s.positive(sysfs.ChargeFullDesign) / 1e6
		s.Got |= PowerDesignCharge
	}
	// Nothing left is a value of a battery that could hold something.
	_, energy := s.raw.Number(sysfs.EnergyNow)
	_, charge := s.raw.Number(sysfs.ChargeNow)
	s.set(PowerEnergy, s.Got.Has(PowerEnergyFull|PowerCharge) && s.Charge == 0 && (energy || charge))
}

// flow is the electricity that goes in or out.
func (s *supply) flow() {
	battery := s.Kind != PowerMains
	if n, ok := s.raw.Number(sysfs.VoltageNow); ok && (n > 0 || n == 0 && !battery) {
		s.Voltage = float64(n) / 1e6
		s.Got |= PowerVoltage
	}
	if n, ok := s.number(sysfs.CurrentNow, sysfs.CurrentAvg); ok {
		s.Current = float64(n) / 1e6
		if battery && s.moves() {
			s.Current = math.Abs(s.Current)
			if s.Status == ChargeDischarging {
				s.Current = -s.Current
			}
		}
		s.Got |= PowerCurrent
	}
	if !battery || !s.moves() {
		return
	}
	if n, ok := s.number(sysfs.PowerNow, sysfs.PowerAvg); ok {
		s.Power = math.Abs(float64(n)) / 1e6
		s.Got |= PowerPower
	} else if n, ok := s.number(sysfs.CurrentNow, sysfs.CurrentAvg); ok && s.Got.Has(PowerVoltage) {
		s.Power = math.Abs(float64(n)) * s.positive(sysfs.VoltageNow) / 1e12
		s.Got |= PowerPower
	}
}

// moves tells whether a battery charges or discharges.
func (s *supply) moves() bool { return s.Status == ChargeCharging || s.Status == ChargeDischarging }

// number is the first of two properties that is there.
func (s *supply) number(first, second sysfs.PowerNumber) (int64, bool) {
	if n, ok := s.raw.Number(first); ok {
		return n, true
	}
	return s.raw.Number(second)
}

// timeLeft is what is to come or to go by how fast that goes: energy by power,
// else charge by current, which the voltage has no part in. What the gauge says
// itself is the last resort.
func (s *supply) timeLeft() {
	told := [...]sysfs.PowerNumber{sysfs.TimeToEmpty, sysfs.TimeToEmptyAvg}
	if s.Status == ChargeCharging {
		told = [...]sysfs.PowerNumber{sysfs.TimeToFull, sysfs.TimeToFullAvg}
	}
	power, _ := s.number(sysfs.PowerNow, sysfs.PowerAvg)
	current, _ := s.number(sysfs.CurrentNow, sysfs.CurrentAvg)
	for _, by := range [...]struct{ now, full, rate, unit float64 }{
		{s.positive(sysfs.EnergyNow), s.positive(sysfs.EnergyFull), math.Abs(float64(power)), 3600},
		{s.positive(sysfs.ChargeNow), s.positive(sysfs.ChargeFull), math.Abs(float64(current)), 3600},
		// One counts energy and tells a current, or the other way round.
		{s.Energy, s.EnergyFull, s.Power, 1},
	} {
		much := by.now
		if s.Status == ChargeCharging {
			much = by.full - much
		}
		if s.moves() && by.rate > 0 && much > 0 && by.now > 0 {
			s.TimeLeft = much * by.unit / by.rate
			s.Got |= PowerTimeLeft
			return
		}
	}
	if left := cmp.Or(s.positive(told[0]), s.positive(told[1])); s.moves() && left > 0 {
		s.TimeLeft = left
		s.Got |= PowerTimeLeft
	}
}

// powerKind sorts the types of power_supply_sysfs.c. Scope tells what belongs
// to a device and does not feed the host: the battery of a mouse, the adapter
// of a tablet (wacom_sys.c), the USB-C port of a graphics card (ucsi/psy.c).
func powerKind(kind, scope []byte) PowerKind {
	device := string(scope) == "Device"
	switch {
	case string(kind) == "Battery" && device:
		return PowerPeripheral
	case string(kind) == "Battery":
		return PowerBattery
	case device:
	case string(kind) == "Mains", string(kind) == "Wireless", string(kind) == "BrickID", bytes.HasPrefix(kind, []byte("USB")):
		return PowerMains
	}
	return PowerOther
}

func chargeState(status []byte) ChargeState {
	switch string(status) {
	case "Charging":
		return ChargeCharging
	case "Discharging":
		return ChargeDischarging
	case "Full":
		return ChargeFull
	}
	return ChargeUnknown // also "Not charging": a threshold was reached
}

// powerHealth sorts the states of power_supply_sysfs.c: what is no more than
// too warm or due for calibration goes on working.
func powerHealth(health []byte) Health {
	switch string(health) {
	case "", "Unknown", "No battery":
		return HealthUnknown
	case "Good":
		return HealthGood
	case "Dead", "Over voltage", "Over current", "Blown fuse", "Cell imbalance", "Unspecified failure":
		return HealthFailed
	}
	return HealthDegraded
}
