// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/sysfs"
)

// sensors are the classes of devices that measure something.
type sensors struct {
	supplies deviceClass[supply]
	chips    deviceClass[chip]
	zones    deviceClass[zone]
	rapl     deviceClass[raplZone]
	unread   map[string]int
	asleep   *time.Duration // see slept
}

func newSensors() sensors {
	return sensors{
		supplies: deviceClass[supply]{name: "power_supply", ask: askSupply},
		chips:    deviceClass[chip]{name: "hwmon", prefix: "hwmon", ask: askChip},
		zones:    deviceClass[zone]{name: "thermal", prefix: "thermal_zone", ask: askZone},
		rapl:     deviceClass[raplZone]{name: "powercap", prefix: "intel-rapl:", ask: askRAPL},
		unread:   map[string]int{},
	}
}

// count counts what a device did not tell.
func (s *sensors) count(errno unix.Errno, n int) {
	name := unix.ErrnoName(errno)
	if c := class(errno); c != 0 {
		name = c.Class()
	}
	s.unread[name] += n
}

// Unread takes what devices that were there did not tell since the last call:
// the number of their files by class of error, or by the name of an errno that
// has none, such as EIO or ENODATA. A sensor that is switched off and a
// device that sleeps answer so; no value of theirs was got.
func (h *Host) Unread() map[string]int {
	if len(h.sensors.unread) == 0 {
		return nil
	}
	unread := h.sensors.unread
	h.sensors.unread = map[string]int{}
	return unread
}

// Sensors appends what the sensors of the host measure, as far as it is wanted,
// to dst: those of hwmon chips (/sys/class/hwmon), and thermal zones
// (/sys/class/thermal) that no chip tells of. The chips of power supplies are
// left out: see [Host.PowerSupplies]. Sensors that selects does not want (nil
// wants all) are not read. It is asked when a sensor comes, of which all that
// names it is known, and its answer holds for as long as the sensor is there.
// Sensors of which nothing was got are left out. What was read is answered also
// when the error, which names the files or the devices, is not nil; see
// [Host.Unread] for what a device does not tell.
func (h *Host) Sensors(ctx context.Context, dst []Sensor, want SensorRequest, selects func(*Sensor) bool) ([]Sensor, error) {
	s := &h.sensors
	err := s.chips.update(h)
	// What comes is looked up and named before anything is measured.
	if s.chips.unknown(h) {
		found, _ := ask(ctx, h, &s.chips, func(c *chip) { c.want = SensorRequest{} })
		nameChips(s.chips.members, found, selects)
	}
	chips, cerr := ask(ctx, h, &s.chips, func(c *chip) { c.want = want })
	nameChips(s.chips.members, chips, selects) // those that were looked up late
	err = errors.Join(err, cerr)
	for _, m := range chips {
		for i := range m.what.channels {
			if c := &m.what.channels[i]; c.Got != 0 {
				dst = append(dst, c.Sensor)
			}
		}
	}
	if want[SensorTemperature] == 0 {
		return dst, err
	}
	err = errors.Join(err, s.zones.update(h))
	if s.zones.unknown(h) {
		found, _ := ask(ctx, h, &s.zones, func(z *zone) { z.want = 0 })
		nameZones(s.zones.members, found, selects)
	}
	zones, zerr := ask(ctx, h, &s.zones, func(z *zone) {
		if z.want = want[SensorTemperature]; z.toldBy(s.chips.members) {
			z.want = 0
		}
	})
	nameZones(s.zones.members, zones, selects)
	for _, m := range zones {
		if z := &m.what; z.Got != 0 {
			dst = append(dst, z.Sensor)
		}
	}
	return dst, errors.Join(err, zerr)
}

// chip is what is known of a hwmon device.
type chip struct {
	driver   string
	path     string // in the tree of devices
	id       string
	channels []channel
	sleeps   bool // it is on a bus whose devices power management puts to sleep
	want     SensorRequest
}

// channel is one sensor of a chip, and its files by what they tell, which end
// in NUL; nil for those that it has not.
type channel struct {
	Sensor
	number uint64
	files  [sysfs.NumSensorItems][]byte
}

// sensorKinds are the kinds by the beginning of the names of their files, and
// the parts of a unit that the files count.
var sensorKinds = map[string]struct {
	kind SensorKind
	unit float64
}{
	"temp": {SensorTemperature, 1e3}, "fan": {SensorFan, 1}, "in": {SensorVoltage, 1e3},
	"curr": {SensorCurrent, 1e3}, "power": {SensorPower, 1e6}, "energy": {SensorEnergy, 1e6},
}

var units = func() (u [NumSensorKinds]float64) {
	for _, k := range sensorKinds {
		u[k.kind] = k.unit
	}
	return u
}()

func askChip(m *member[chip]) {
	if !m.known {
		findChannels(m)
	}
	awake := -1 // not looked for
	for i := range m.what.channels {
		c := &m.what.channels[i]
		c.Got = 0
		want := m.what.want[c.Kind]
		if want == 0 || c.ID == "" {
			continue
		}
		if awake < 0 {
			awake = 1
			// To be asked wakes a disk, and a graphics card on older kernels
			// (amdgpu_pm.c).
			if m.what.sleeps && string(m.line("device/power/runtime_status")) == "suspended" {
				awake = 0
			}
		}
		if awake > 0 {
			m.measure(c, want)
		}
	}
}

// findChannels looks for what a chip has. Before Linux 3.13 or so its files
// were those of the device that it is on.
func findChannels(m *member[chip]) {
	c := &m.what
	*c = chip{want: c.want, path: m.locate()}
	if strings.Contains(c.path, "/power_supply/") || strings.Contains(c.path, "/thermal_zone") && m.isSupply(string(m.line("device/type"))) {
		return // of which another reading tells the same (power_supply_hwmon.c)
	}
	dir, at := m.home, map[string]int{}
	m.names(dir, func(name []byte) { c.add(dir, name, at) })
	folder := ""
	if len(c.channels) == 0 {
		folder = "device/"
		dir += "/device"
		m.names(dir, func(name []byte) { c.add(dir, name, at) })
	}
	for _, file := range [...]string{folder + "name", "device/name"} {
		if c.driver == "" {
			keep(&c.driver, bytes.TrimSpace(m.line(file)))
		}
	}
	c.driver = cmp.Or(c.driver, m.name)
	if bus, errno := m.readlinkat(unix.AT_FDCWD, m.file("device/subsystem"), m.buffer()); errno == 0 {
		c.sleeps = bytes.HasSuffix(bus, []byte("/pci")) || bytes.HasSuffix(bus, []byte("/scsi"))
	}
	defer func() {
		if !m.known {
			c.channels = nil // half of it would be another chip
		}
	}()
	c.channels = slices.DeleteFunc(c.channels, func(c channel) bool { return !c.tells() })
	slices.SortFunc(c.channels, func(a, b channel) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.number, b.number), strings.Compare(a.Name, b.Name))
	})
	for i := range c.channels {
		ch := &c.channels[i]
		ch.Driver = c.driver
		if ch.files[sysfs.SensorLabel] != nil {
			keep(&ch.Label, m.line(folder+ch.Name+"_label"))
			ch.Label = strings.TrimSpace(ch.Label)
		}
	}
}

// tells tells whether a channel has a value or an alarm: one may have the alarm
// only, as that of the Raspberry Pi for too low a voltage has.
func (c *channel) tells() bool {
	for item := range sysfs.NumSensorItems {
		if c.files[item] != nil && (item == sysfs.SensorInput || item == sysfs.SensorAverage || alarms[item] != HealthUnknown) {
			return true
		}
	}
	return false
}

// add takes a name in the folder of a chip; at is where the channels are.
func (c *chip) add(dir string, name []byte, at map[string]int) {
	sensor, prefix, number, item, ok := sysfs.SensorFile(name)
	k, known := sensorKinds[string(prefix)]
	if !ok || !known {
		return
	}
	i, seen := at[string(sensor)]
	if !seen {
		i = len(c.channels)
		at[string(sensor)] = i
		c.channels = append(c.channels, channel{number: number, Sensor: Sensor{Name: string(sensor), Kind: k.kind}})
	}
	c.channels[i].files[item] = append([]byte(dir+"/"+string(name)), 0)
}

// measure reads a sensor.
func (m *member[T]) measure(c *channel, want SensorFields) {
	unit := units[c.Kind]
	// What a sensor without a connection measures is not to be trusted.
	fault := -1
	if want&(SensorValue|SensorHealth) != 0 {
		fault = m.flag(c.files[sysfs.SensorFault])
	}
	file := c.files[sysfs.SensorInput]
	if file == nil {
		file = c.files[sysfs.SensorAverage]
	}
	if want&SensorValue != 0 && fault <= 0 && file != nil {
		if n, ok := m.value(file); ok && measured(c.Kind, n) {
			c.Value = float64(n) / unit
			c.Got |= SensorValue
		}
	}
	if want&SensorHealth != 0 {
		want |= SensorLimits // which the alarms are about
	}
	for _, l := range [...]struct {
		field SensorFields
		item  sysfs.SensorItem
		at    *float64
	}{
		{SensorMin, sysfs.SensorMin, &c.Min},
		{SensorMax, sysfs.SensorMax, &c.Max},
		{SensorLowCritical, sysfs.SensorLowCrit, &c.LowCritical},
		{SensorCritical, sysfs.SensorCrit, &c.Critical},
	} {
		if file := c.files[l.item]; file != nil && want&l.field != 0 {
			if n, ok := m.value(file); ok && limits(c.Kind, l.field, n) {
				*l.at = float64(n) / unit
				c.Got |= l.field
			}
		}
	}
	// With no upper limit set a lower one of 0 is not either.
	for _, l := range [...]struct {
		low, high SensorFields
		item      sysfs.SensorItem
		at        float64
	}{{SensorMin, SensorMax, sysfs.SensorMax, c.Min}, {SensorLowCritical, SensorCritical, sysfs.SensorCrit, c.LowCritical}} {
		if c.Got.Has(l.low) && l.at == 0 && want&l.high != 0 && c.files[l.item] != nil && !c.Got.Has(l.high) {
			c.Got &^= l.low
		}
	}
	if want&SensorHealth != 0 {
		m.health(c, fault)
	}
}

// health is what the alarms of a chip say of a sensor.
func (m *member[T]) health(c *channel, fault int) {
	worst := HealthUnknown
	if fault == 0 {
		worst = HealthGood
	} else if fault > 0 {
		worst = HealthFailed
	}
	for item, bad := range alarms {
		if bad == HealthUnknown || c.idle(sysfs.SensorItem(item)) {
			continue
		}
		switch m.flag(c.files[item]) {
		case 1:
			worst = max(worst, bad)
		case 0:
			worst = max(worst, HealthGood)
		}
	}
	if c.Kind == SensorFan && worst == HealthDegraded && c.Got.Has(SensorValue) && c.Value == 0 {
		worst = HealthFailed // it should turn and does not
	}
	if c.Health = worst; worst != HealthUnknown {
		c.Got |= SensorHealth
	}
}

// alarms are the files that say that something is wrong, and how bad that is;
// a fault is none, it is told apart.
var alarms = [sysfs.NumSensorItems]Health{
	sysfs.SensorAlarm: HealthDegraded, sysfs.SensorMinAlarm: HealthDegraded, sysfs.SensorMaxAlarm: HealthDegraded,
	sysfs.SensorLowCritAlarm: HealthFailed, sysfs.SensorCritAlarm: HealthFailed, sysfs.SensorEmergencyAlarm: HealthFailed,
}

// idle tells whether an alarm is about a limit that nobody has set. Chips on
// mainboards ring for ever where the voltage or the temperature is above 0.
func (c *channel) idle(alarm sysfs.SensorItem) bool {
	unset := func(item sysfs.SensorItem, field SensorFields) bool { return c.files[item] != nil && !c.Got.Has(field) }
	switch alarm {
	case sysfs.SensorAlarm, sysfs.SensorMaxAlarm:
		if c.Kind == SensorFan && alarm == sysfs.SensorAlarm {
			return unset(sysfs.SensorMin, SensorMin)
		}
		return unset(sysfs.SensorMax, SensorMax)
	case sysfs.SensorMinAlarm:
		return unset(sysfs.SensorMin, SensorMin)
	case sysfs.SensorCritAlarm:
		return unset(sysfs.SensorCrit, SensorCritical)
	case sysfs.SensorLowCritAlarm:
		return unset(sysfs.SensorLowCrit, SensorLowCritical)
	}
	return false
}

// flag reads a file that says yes, 1, or no, 0. Where it does not or there is
// none, it is -1.
func (m *member[T]) flag(file []byte) int {
	if file == nil {
		return -1
	}
	n, ok := m.value(file)
	switch {
	case !ok:
		return -1
	case n != 0:
		return 1
	}
	return 0
}

// absoluteZero in millidegrees, as far as those who round kelvins agree.
const absoluteZero = -273_000

// measured tells whether a number can have been measured.
func measured(kind SensorKind, n int64) bool {
	switch kind {
	case SensorTemperature:
		return n > absoluteZero // firmware says 0 K for unknown
	case SensorFan:
		return n >= 0 && n != 0xffff // a register of 16 bits that says -1
	case SensorEnergy:
		return n >= 0
	case SensorPower:
		const acpiUnknown = 0xffffffff // mW, of a power meter of ACPI 6.5, 10.4.1
		return n != acpiUnknown*1000
	}
	return true
}

// limits tells whether a number can be a limit that somebody has set. An
// upper one of 0 is that of a chip that nobody has programmed; NVMe drives say
// 0 K for no lower and 65,535 K for no upper limit.
func limits(kind SensorKind, field SensorFields, n int64) bool {
	const most = 65_000_000
	upper := field&(SensorMax|SensorCritical) != 0
	switch kind {
	case SensorTemperature:
		return n > absoluteZero && n < most && (!upper || n > 0)
	case SensorFan:
		return n > 0
	}
	return !upper || n != 0
}

// nameChips gives each chip that answers for the first time its ID, which it
// keeps, and leaves it the sensors that are selected. Of those that would have
// the same ID, all but the first have the whole path in it, and where even that
// is the same, the number.
func nameChips(all, answered []*member[chip], selects func(*Sensor) bool) {
	unnamed := func(m *member[chip]) bool { return m.what.id == "" && len(m.what.channels) > 0 }
	if !slices.ContainsFunc(answered, unnamed) {
		return
	}
	taken := map[string]bool{}
	for _, m := range all {
		taken[m.id] = true
	}
	sorted := slices.SortedFunc(slices.Values(answered), func(a, b *member[chip]) int {
		return cmp.Or(strings.Compare(a.what.path, b.what.path), cmp.Compare(len(a.name), len(b.name)), strings.Compare(a.name, b.name))
	})
	for _, m := range sorted {
		c := &m.what
		if !unnamed(m) {
			continue
		}
		if m.id == "" || m.driver != c.driver || m.path != c.path {
			m.driver, m.path = c.driver, c.path
			for _, id := range chipIDs(m) {
				if keep(&m.id, []byte(id)); !taken[m.id] {
					break
				}
			}
			taken[m.id] = true
		}
		c.id = m.id
		for i := range c.channels {
			ch := &c.channels[i]
			ch.Chip, ch.ID = c.id, c.id+"/"+ch.Name
		}
		if selects != nil {
			c.channels = slices.DeleteFunc(c.channels, func(ch channel) bool { return !selects(&ch.Sensor) })
		}
	}
}

// chipIDs are the IDs that a chip may have, the best first.
func chipIDs(m *member[chip]) [3]string {
	id := chipID(m.driver, m.path)
	if m.path == "" && m.driver != m.name {
		id += "-" + m.name // it has no place
	}
	place := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(m.path, "devices/"), "/"+m.name), "/hwmon")
	return [...]string{id, m.driver + "-" + place, id + "-" + m.name}
}
