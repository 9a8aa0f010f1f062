// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const powerDir = "sys/class/power_supply/"

// supply writes the uevent file of a power supply: properties without prefix.
func (tr tree) supply(name string, properties ...string) {
	tr.write(powerDir+name+"/uevent", "DEVTYPE=power_supply\nPOWER_SUPPLY_NAME="+name+"\nPOWER_SUPPLY_"+strings.Join(properties, "\nPOWER_SUPPLY_")+"\n")
}

// supplyOf is what is read of one power supply.
func supplyOf(t *testing.T, want PowerFields, properties ...string) PowerSupply {
	t.Helper()
	tr := newTree(t)
	tr.supply("X", properties...)
	got, err := tr.open().PowerSupplies(t.Context(), nil, want, nil)
	require.NoError(t, err)
	require.Len(t, got, 1)
	return got[0]
}

func TestPowerSupplies(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	supplies, err := h.PowerSupplies(t.Context(), nil, 0, nil)
	require.NoError(t, err, "a machine without any")
	assert.Empty(t, supplies)

	tr.supply("BAT0", "TYPE=Battery", "STATUS=Discharging", "PRESENT=1", "TECHNOLOGY=Li-ion", "HEALTH=Good", "CYCLE_COUNT=77",
		"VOLTAGE_MIN_DESIGN=11400000", "VOLTAGE_NOW=12000000", "POWER_NOW=8000000", "ENERGY_FULL_DESIGN=50400000", "ENERGY_FULL=40000000", "ENERGY_NOW=10000000",
		"CAPACITY=24", "TEMP=-52", "MODEL_NAME=M ", "MANUFACTURER=V")
	tr.write(powerDir+"BAT1/uevent", "POWER_SUPPLY_NAME=BAT1\nPOWER_SUPPLY_STATUS=Not charging\nPOWER_SUPPLY_TECHNOLOGY=Unknown\nPOWER_SUPPLY_HEALTH=Unknown\nPOWER_SUPPLY_CYCLE_COUNT=0\nPOWER_SUPPLY_CHARGE_FULL_DESIGN=4500000\nPOWER_SUPPLY_CHARGE_FULL=4000000\nPOWER_SUPPLY_CHARGE_NOW=4040000\nPOWER_SUPPLY_CURRENT_NOW=0\nPOWER_SUPPLY_VOLTAGE_NOW=0\n")
	tr.write(powerDir+"BAT1/type", "Battery\n") // an older kernel
	tr.supply("BAT2", "TYPE=Battery", "STATUS=Full", "ENERGY_FULL=0", "ENERGY_NOW=0", "CAPACITY=100")
	tr.supply("BAT3", "TYPE=Battery", "PRESENT=0")
	tr.supply("AC", "TYPE=Mains", "ONLINE=0")
	tr.supply("ucsi-1", "TYPE=USB_PD_DRP", "ONLINE=2", "VOLTAGE_NOW=20000000", "CURRENT_NOW=3250000")
	tr.supply("ucsi-2", "TYPE=USB", "ONLINE=0", "VOLTAGE_NOW=0", "CURRENT_NOW=0")
	tr.supply("hid-mouse", "TYPE=Battery", "SCOPE=Device", "STATUS=Charging", "CAPACITY=71")
	tr.supply("hidpp_battery_0", "TYPE=Battery", "SCOPE=Device", "ONLINE=0", "STATUS=Unknown", "CAPACITY=71", "VOLTAGE_NOW=3800000", "MODEL_NAME=Mouse")
	tr.supply("hidpp_battery_1", "TYPE=Battery", "SCOPE=Device", "ONLINE=1", "STATUS=Discharging", "CAPACITY=72")
	tr.supply("ups", "TYPE=UPS", "ONLINE=1")
	tr.supply("wacom_battery_0", "TYPE=Battery", "SCOPE=Device", "PRESENT=0", "STATUS=Discharging", "CAPACITY=0")
	tr.supply("wacom_ac_0", "TYPE=Mains", "SCOPE=Device", "PRESENT=1", "ONLINE=1")
	tr.supply("ucsi-source-psy-0-00081", "TYPE=USB", "SCOPE=Device", "ONLINE=0", "STATUS=Not charging", "VOLTAGE_NOW=5000000", "CURRENT_NOW=0")
	require.NoError(t, os.MkdirAll(filepath.Join(tr.dir, powerDir, "unplugged"), 0o755))
	want := []PowerSupply{
		{Name: "AC", Kind: PowerMains, Got: PowerOnline},
		{
			Name: "BAT0", Kind: PowerBattery, Status: ChargeDischarging, Charge: 0.25, Energy: 36000, EnergyFull: 144000, DesignEnergy: 181440,
			Got: PowerStatus | PowerCharge | PowerEnergy | PowerEnergyFull | PowerDesignEnergy | PowerPower | PowerVoltage | PowerTemperature |
				PowerTimeLeft | PowerHealth | PowerCycles,
			Power: 8, Voltage: 12, Temperature: -5.2, TimeLeft: 4500, Health: HealthGood, Cycles: 77,
			Model: "M", Vendor: "V", Technology: "Li-ion",
		},
		// Without any voltage the charge gives no energy.
		{Name: "BAT1", Kind: PowerBattery, Got: PowerStatus | PowerCharge | PowerDesignCharge | PowerCurrent, Charge: 1.01, DesignCharge: 4.5},
		{Name: "BAT2", Kind: PowerBattery, Got: PowerStatus | PowerCharge, Status: ChargeFull, Charge: 1},
		{Name: "hid-mouse", Kind: PowerPeripheral, Got: PowerStatus | PowerCharge, Status: ChargeCharging, Charge: 0.71},
		// A mouse that is switched off.
		{Name: "hidpp_battery_0", Kind: PowerPeripheral, Got: PowerStatus | PowerOnline, Model: "Mouse"},
		{Name: "hidpp_battery_1", Kind: PowerPeripheral, Got: PowerStatus | PowerOnline | PowerCharge, Online: true, Status: ChargeDischarging, Charge: 0.72},
		{Name: "ucsi-1", Kind: PowerMains, Got: PowerOnline | PowerVoltage | PowerCurrent, Online: true, Voltage: 20, Current: 3.25},
		{Name: "ucsi-2", Kind: PowerMains, Got: PowerOnline | PowerVoltage | PowerCurrent},
	}
	for range 2 { // also of those that are known
		supplies, err = h.PowerSupplies(t.Context(), supplies[:0], 0, nil)
		require.NoError(t, err)
		assert.Equal(t, want, supplies)
	}
	assert.Empty(t, h.Unread())

	// What is unplugged is gone, and what comes is there.
	tr.remove(powerDir + "BAT0")
	tr.supply("BAT0", "TYPE=Battery", "STATUS=Full")
	tr.remove(powerDir + "hid-mouse")
	supplies, err = h.PowerSupplies(t.Context(), nil, 0, nil)
	require.NoError(t, err)
	want = append([]PowerSupply{want[0], {Name: "BAT0", Kind: PowerBattery, Got: PowerStatus, Status: ChargeFull}}, append(want[2:4:4], want[5:]...)...)
	assert.Equal(t, want, supplies)
}

// TestCapacityOfBatteries: what a battery holds, by a gauge of energy or of charge.
func TestCapacityOfBatteries(t *testing.T) {
	type capacity struct{ Charge, Energy, Full, Design, DesignCharge float64 }
	for name, tt := range map[string]struct {
		properties []string
		want       capacity
	}{
		"energy":            {[]string{"ENERGY_NOW=31280000", "ENERGY_FULL=46000000", "ENERGY_FULL_DESIGN=57000000"}, capacity{0.68, 112608, 165600, 205200, 0}},
		"charge":            {[]string{"CHARGE_NOW=2000000", "CHARGE_FULL=4000000", "CHARGE_FULL_DESIGN=5000000", "VOLTAGE_MIN_DESIGN=7600000", "VOLTAGE_NOW=8000000"}, capacity{0.5, 54720, 109440, 136800, 5}},
		"voltage_min":       {[]string{"CHARGE_NOW=1000000", "VOLTAGE_MIN=3000000", "VOLTAGE_NOW=4000000"}, capacity{Energy: 10800}},
		"voltage_now":       {[]string{"CHARGE_NOW=1000000", "VOLTAGE_MIN_DESIGN=0", "VOLTAGE_NOW=4000000", "VOLTAGE_BOOT=5000000"}, capacity{Energy: 14400}},
		"voltage_boot":      {[]string{"CHARGE_NOW=1000000", "VOLTAGE_BOOT=5000000"}, capacity{Energy: 18000}},
		"no voltage":        {[]string{"CHARGE_NOW=1000000", "CHARGE_FULL=2000000", "CHARGE_FULL_DESIGN=2500000"}, capacity{Charge: 0.5, DesignCharge: 2.5}},
		"energy and charge": {[]string{"ENERGY_NOW=10000000", "ENERGY_FULL=20000000", "CHARGE_NOW=1", "CHARGE_FULL=1", "VOLTAGE_NOW=1000000"}, capacity{Charge: 0.5, Energy: 36000, Full: 72000}},
		"empty":             {[]string{"ENERGY_NOW=0", "ENERGY_FULL=20000000", "CAPACITY=0"}, capacity{Full: 72000}},
		"zeros":             {[]string{"ENERGY_NOW=0", "ENERGY_FULL=0", "ENERGY_FULL_DESIGN=0", "CAPACITY=55"}, capacity{Charge: 0.55}},
		"no full":           {[]string{"CHARGE_NOW=1000000", "CHARGE_FULL=0", "CAPACITY=33"}, capacity{Charge: 0.33}},
		"negative":          {[]string{"CHARGE_NOW=-5", "CHARGE_FULL=1000000", "CAPACITY=-1", "VOLTAGE_NOW=1000000"}, capacity{Full: 3600}},
		"more than full":    {[]string{"CHARGE_NOW=5010000", "CHARGE_FULL=5000000"}, capacity{Charge: 1.002}},
		"nothing":           {[]string{"PRESENT=1"}, capacity{}},
	} {
		p := supplyOf(t, 0, append(tt.properties, "TYPE=Battery")...)
		assert.Equal(t, tt.want, capacity{p.Charge, p.Energy, p.EnergyFull, p.DesignEnergy, p.DesignCharge}, name)
		for field, got := range map[PowerFields]bool{
			PowerCharge:       tt.want.Charge > 0 || name == "empty",
			PowerEnergy:       tt.want.Energy > 0 || name == "empty",
			PowerEnergyFull:   tt.want.Full > 0,
			PowerDesignEnergy: tt.want.Design > 0,
			PowerDesignCharge: tt.want.DesignCharge > 0,
		} {
			assert.Equal(t, got, p.Got.Has(field), "%s: %b", name, field)
		}
	}
}

// TestFlowOfBatteries: what goes in or out, and how long that goes on.
func TestFlowOfBatteries(t *testing.T) {
	const ( // nothing is got
		no  = -1e9
		now = "ENERGY_NOW=20000000"
		all = "ENERGY_FULL=50000000"
	)
	for name, tt := range map[string]struct {
		properties            string
		power, current, after float64
	}{
		"discharging":         {"STATUS=Discharging " + now + " " + all + " POWER_NOW=10000000", 10, no, 7200},
		"charging":            {"STATUS=Charging " + now + " " + all + " POWER_NOW=10000000", 10, no, 10800},
		"negative power":      {"STATUS=Discharging " + now + " POWER_NOW=-10000000", 10, no, 7200},
		"full":                {"STATUS=Full " + now + " POWER_NOW=10000000", no, no, no},
		"not charging":        {"STATUS=Not\u00a0charging " + now + " POWER_NOW=0", no, no, no},
		"unknown":             {"STATUS=Unknown " + now + " POWER_NOW=5", no, no, no},
		"no status":           {now + " POWER_NOW=5 CURRENT_NOW=-7000000", no, -7, no},
		"nothing flows":       {"STATUS=Discharging " + now + " POWER_NOW=0", 0, no, no},
		"charged":             {"STATUS=Charging ENERGY_NOW=50000000 " + all + " POWER_NOW=100000", 0.1, no, no},
		"full is not known":   {"STATUS=Charging " + now + " POWER_NOW=10000000", 10, no, no},
		"charge":              {"STATUS=Discharging CHARGE_NOW=3000000 CURRENT_NOW=1500000 VOLTAGE_NOW=8000000", 12, -1.5, 7200},
		"negative current":    {"STATUS=Discharging CHARGE_NOW=3000000 CURRENT_NOW=-1500000 VOLTAGE_NOW=8000000", 12, -1.5, 7200},
		"negative, charging":  {"STATUS=Charging CHARGE_NOW=3000000 CHARGE_FULL=3750000 CURRENT_NOW=-1500000 VOLTAGE_NOW=8000000", 12, 1.5, 1800},
		"no voltage":          {"STATUS=Discharging CHARGE_NOW=3000000 CURRENT_NOW=1500000", no, -1.5, 7200},
		"average":             {"STATUS=Discharging CHARGE_NOW=3000000 CURRENT_AVG=-1000000 VOLTAGE_NOW=4000000", 4, -1, 10800},
		"energy and current":  {"STATUS=Discharging " + now + " CURRENT_NOW=2000000 VOLTAGE_NOW=10000000", 20, -2, 3600},
		"charge and power":    {"STATUS=Discharging CHARGE_NOW=3000000 VOLTAGE_NOW=8000000 POWER_NOW=12000000", 12, no, 7200},
		"the same, charging":  {"STATUS=Charging CHARGE_NOW=3000000 CHARGE_FULL=3750000 VOLTAGE_NOW=8000000 POWER_NOW=12000000", 12, no, 1800},
		"told":                {"STATUS=Discharging CAPACITY=40 TIME_TO_EMPTY_NOW=5400 TIME_TO_FULL_NOW=1", no, no, 5400},
		"told on average":     {"STATUS=Charging CAPACITY=40 TIME_TO_FULL_NOW=0 TIME_TO_FULL_AVG=1234", no, no, 1234},
		"told, but it is not": {"STATUS=Full TIME_TO_EMPTY_NOW=5400", no, no, no},
	} {
		p := supplyOf(t, 0, append(strings.Split(strings.ReplaceAll(tt.properties, " ", "|"), "|"), "TYPE=Battery")...)
		for what, v := range map[string]struct {
			field     PowerFields
			got, want float64
		}{"power": {PowerPower, p.Power, tt.power}, "current": {PowerCurrent, p.Current, tt.current}, "time": {PowerTimeLeft, p.TimeLeft, tt.after}} {
			assert.Equal(t, v.want != no, p.Got.Has(v.field), "%s: %s", name, what)
			if v.want != no {
				assert.InDelta(t, v.want, v.got, 0, "%s: %s", name, what)
			}
		}
	}
}

func TestHealthOfBatteries(t *testing.T) {
	for in, want := range map[string]Health{
		"Good": HealthGood, "Dead": HealthFailed, "Over voltage": HealthFailed, "Over current": HealthFailed, "Blown fuse": HealthFailed, "Cell imbalance": HealthFailed, "Unspecified failure": HealthFailed,
		"Overheat": HealthDegraded, "Cold": HealthDegraded, "Warm": HealthDegraded, "Calibration required": HealthDegraded,
		"Watchdog timer expire": HealthDegraded, "something new": HealthDegraded, "Unknown": HealthUnknown, "No battery": HealthUnknown, "": HealthUnknown,
	} {
		p := supplyOf(t, 0, "TYPE=Battery", "HEALTH="+in)
		assert.Equal(t, want, p.Health, in)
		assert.Equal(t, want != HealthUnknown, p.Got.Has(PowerHealth), in)
	}
}

// TestTypesOfSupplies: those of power_supply_sysfs.c.
func TestTypesOfSupplies(t *testing.T) {
	for in, want := range map[string]PowerKind{
		"Mains": PowerMains, "USB": PowerMains, "USB_DCP": PowerMains, "USB_CDP": PowerMains, "USB_ACA": PowerMains, "USB_C": PowerMains,
		"USB_PD": PowerMains, "USB_PD_DRP": PowerMains, "BrickID": PowerMains, "Wireless": PowerMains,
		"Battery": PowerBattery, "UPS": PowerOther, "Unknown": PowerOther, "": PowerOther,
	} {
		assert.Equal(t, want, powerKind([]byte(in), nil), in)
		assert.Equal(t, want, powerKind([]byte(in), []byte("System")), in)
		if want == PowerBattery {
			want = PowerPeripheral
		} else {
			want = PowerOther // it does not feed the host
		}
		assert.Equal(t, want, powerKind([]byte(in), []byte("Device")), in)
	}
}

// TestThresholds: in uevent, in files of their own, under their old names; and
// not opened where nobody wants them.
func TestThresholds(t *testing.T) {
	const both = PowerChargeStart | PowerChargeEnd
	tr := newTree(t)
	tr.supply("BAT0", "TYPE=Battery", "CHARGE_CONTROL_START_THRESHOLD=0", "CHARGE_CONTROL_END_THRESHOLD=100")
	tr.supply("BAT1", "TYPE=Battery")
	tr.write(powerDir+"BAT1/charge_control_start_threshold", "75\n")
	tr.write(powerDir+"BAT1/charge_control_end_threshold", "80\n")
	tr.supply("BAT2", "TYPE=Battery")
	tr.write(powerDir+"BAT2/charge_start_threshold", "40\n")
	tr.write(powerDir+"BAT2/charge_stop_threshold", "85\n")
	tr.supply("BAT3", "TYPE=Battery")
	tr.write(powerDir+"BAT3/charge_control_end_threshold", "101\n")
	h := tr.open()
	got, err := h.PowerSupplies(t.Context(), nil, both, nil)
	require.NoError(t, err)
	assert.Equal(t, []PowerSupply{
		{Name: "BAT0", Kind: PowerBattery, Got: both, ChargeStart: 0, ChargeEnd: 1},
		{Name: "BAT1", Kind: PowerBattery, Got: both, ChargeStart: 0.75, ChargeEnd: 0.8},
		{Name: "BAT2", Kind: PowerBattery, Got: both, ChargeStart: 0.4, ChargeEnd: 0.85},
		{Name: "BAT3", Kind: PowerBattery},
	}, got)
	before := h.calls
	got, err = h.PowerSupplies(t.Context(), nil, 0, nil)
	require.NoError(t, err)
	assert.Zero(t, got[0].Got|got[1].Got)
	assert.Equal(t, listing+4*3, h.calls-before)
}

// listing is what it takes to list a class: open, lseek, getdents twice, close.
const listing = 5

// TestEmptyUevent: the kernel shows an empty uevent where a single property
// cannot be read; the others are to be had from files of their own.
func TestEmptyUevent(t *testing.T) {
	tr := newTree(t)
	for name, content := range map[string]string{
		"uevent": "DEVTYPE=power_supply\n", "type": "Battery\n", "status": "Discharging\n", "present": "1\n", "scope": "System\n",
		"energy_now": "10000000\n", "energy_full": "20000000\n", "power_now": "5000000\n", "manufacturer": "ACME\n", "technology": "Li-ion\n",
	} {
		tr.write(powerDir+"BAT0/"+name, content)
	}
	h := tr.open()
	fails := filepath.Join(tr.dir, powerDir, "BAT0", "temp")
	require.NoError(t, os.Symlink("/proc/self/mem", fails)) // answers EIO at 0
	for range 2 {
		got, err := h.PowerSupplies(t.Context(), nil, 0, nil)
		require.NoError(t, err)
		assert.Equal(t, []PowerSupply{{
			Name: "BAT0", Kind: PowerBattery, Got: PowerStatus | PowerCharge | PowerEnergy | PowerEnergyFull | PowerPower | PowerTimeLeft,
			Status: ChargeDischarging, Charge: 0.5, Energy: 36000, EnergyFull: 72000, Power: 5, TimeLeft: 7200, Vendor: "ACME", Technology: "Li-ion",
		}}, got)
		assert.Equal(t, map[string]int{"EIO": 1}, h.Unread())
	}
}

// TestSupplyHangs: firmware that does not answer delays one reading, and costs
// that supply only.
func TestSupplyHangs(t *testing.T) {
	tr := newTree(t)
	tr.supply("AC", "TYPE=Mains", "ONLINE=1")
	fifo := powerDir + "BAT0/uevent"
	tr.supply("BAT0", "TYPE=Battery")
	tr.remove(fifo)
	require.NoError(t, unix.Mkfifo(filepath.Join(tr.dir, fifo), 0o600))
	h := tr.open()
	for range 3 {
		got, err := h.PowerSupplies(t.Context(), nil, 0, nil)
		require.ErrorIs(t, err, ErrTimeoutExpired)
		assert.EqualError(t, err, tr.dir+"/"+powerDir+"BAT0: timeout expired")
		assert.Equal(t, []PowerSupply{{Name: "AC", Kind: PowerMains, Got: PowerOnline, Online: true}}, got)
	}
	require.Len(t, h.bounded.stuck, 1)
	done := h.bounded.stuck[filepath.Join(tr.dir, powerDir, "BAT0")]
	w, err := os.OpenFile(filepath.Join(tr.dir, fifo), os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = w.WriteString("POWER_SUPPLY_TYPE=Battery\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	<-done
	tr.remove(fifo)
	tr.supply("BAT0", "TYPE=Battery", "STATUS=Charging")
	got, err := h.PowerSupplies(t.Context(), nil, 0, nil)
	require.NoError(t, err)
	assert.Equal(t, PowerSupply{Name: "BAT0", Kind: PowerBattery, Got: PowerStatus, Status: ChargeCharging}, got[1])
}
