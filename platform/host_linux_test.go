// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHostReadings(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	s, err := h.Snapshot(t.Context(), Request{})
	require.NoError(t, err)
	assert.Equal(t, &Snapshot{
		Time: bootTime.Add(100 * time.Second),
		Boot: bootTime,
		CPU: CPU{
			Total: CPUTimes{User: 4, Nice: 0.1, System: 2, Idle: 90, IOWait: 0.5, IRQ: 0.03, SoftIRQ: 0.04, Steal: 0.05},
			PerCPU: []LogicalCPU{
				{0, CPUTimes{User: 1.5, Nice: 0.04, System: 1, Idle: 45, IOWait: 0.25, IRQ: 0.01, SoftIRQ: 0.02, Steal: 0.02}},
				{1, CPUTimes{User: 2.5, Nice: 0.06, System: 1, Idle: 45, IOWait: 0.25, IRQ: 0.02, SoftIRQ: 0.02, Steal: 0.03}},
			},
		},
	}, s)
	up, err := h.Uptime()
	require.NoError(t, err)
	assert.Equal(t, 100500*time.Millisecond, up)

	tr.write("proc/stat", "cpu 1 2 3\n")
	s, err = h.Snapshot(t.Context(), Request{Fields: FieldState})
	assert.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, tr.dir+"/proc/stat")
	assert.Equal(t, &Snapshot{Time: bootTime.Add(100 * time.Second), CPU: CPU{PerCPU: []LogicalCPU{}}}, s, "only the time is known")
	tr.remove("proc/uptime")
	_, err = h.Uptime()
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.EqualError(t, err, tr.dir+"/proc/uptime: file does not exist")
}

func TestNameAndID(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	_, err := h.Name()
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "etc/hostname")
	_, err = h.ID()
	assert.ErrorIs(t, err, fs.ErrNotExist)

	// Under another root the name in /proc is that of the reader's namespace.
	tr.write("proc/sys/kernel/hostname", "container\n")
	_, err = h.Name()
	assert.ErrorIs(t, err, fs.ErrNotExist)

	tr.write("etc/hostname", "# set by hand\n\nbox.example \n")
	name, err := h.Name()
	require.NoError(t, err)
	assert.Equal(t, "box.example", name)

	tr.write("var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n")
	id, err := h.ID()
	require.NoError(t, err)
	assert.Equal(t, "0123456789abcdef0123456789abcdef", id)
	tr.write("etc/machine-id", "fedcba9876543210fedcba9876543210\n")
	id, err = h.ID()
	require.NoError(t, err)
	assert.Equal(t, "fedcba9876543210fedcba9876543210", id)
}

func TestPowerSupplies(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	supplies, err := h.PowerSupplies(nil)
	require.NoError(t, err, "a machine without any")
	assert.Empty(t, supplies)

	const dir = "sys/class/power_supply/"
	tr.write(dir+"BAT0/uevent", "POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_STATUS=Discharging\nPOWER_SUPPLY_PRESENT=1\nPOWER_SUPPLY_TECHNOLOGY=Li-ion\nPOWER_SUPPLY_ENERGY_FULL_DESIGN=50400000\nPOWER_SUPPLY_ENERGY_FULL=40000000\nPOWER_SUPPLY_ENERGY_NOW=10000000\nPOWER_SUPPLY_CAPACITY=24\nPOWER_SUPPLY_MODEL_NAME=M\nPOWER_SUPPLY_MANUFACTURER=V\n")
	tr.write(dir+"BAT1/uevent", "POWER_SUPPLY_NAME=BAT1\nPOWER_SUPPLY_STATUS=Not charging\nPOWER_SUPPLY_TECHNOLOGY=Unknown\nPOWER_SUPPLY_CHARGE_FULL_DESIGN=4500000\nPOWER_SUPPLY_CHARGE_FULL=4000000\nPOWER_SUPPLY_CHARGE_NOW=4040000\n")
	tr.write(dir+"BAT1/type", "Battery\n") // an older kernel
	tr.write(dir+"BAT2/uevent", "POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_STATUS=Full\nPOWER_SUPPLY_ENERGY_FULL=0\nPOWER_SUPPLY_ENERGY_NOW=0\nPOWER_SUPPLY_CAPACITY=100\n")
	tr.write(dir+"BAT3/uevent", "POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_PRESENT=0\n")
	tr.write(dir+"AC/uevent", "POWER_SUPPLY_TYPE=Mains\nPOWER_SUPPLY_ONLINE=0\n")
	tr.write(dir+"ucsi-1/uevent", "POWER_SUPPLY_TYPE=USB_PD_DRP\nPOWER_SUPPLY_ONLINE=2\n")
	tr.write(dir+"hid-mouse/uevent", "POWER_SUPPLY_TYPE=Battery\nPOWER_SUPPLY_SCOPE=Device\nPOWER_SUPPLY_STATUS=Charging\nPOWER_SUPPLY_CAPACITY=71\n")
	tr.write(dir+"ups/uevent", "POWER_SUPPLY_TYPE=UPS\nPOWER_SUPPLY_ONLINE=1\n")
	tr.write(dir+"broken/uevent", "nothing of the kind\n")
	require.NoError(t, os.MkdirAll(filepath.Join(tr.dir, dir, "unplugged"), 0o755))
	supplies, err = h.PowerSupplies(nil)
	assert.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, "broken/uevent")
	assert.Equal(t, []PowerSupply{
		{Name: "AC", Kind: PowerMains, Got: PowerOnline},
		{
			Name: "BAT0", Kind: PowerBattery, Got: PowerStatus | PowerCharge | PowerDesignEnergy,
			Status: ChargeDischarging, Charge: 0.25, DesignEnergy: 50.4, Model: "M", Vendor: "V", Technology: "Li-ion",
		},
		{Name: "BAT1", Kind: PowerBattery, Got: PowerStatus | PowerCharge | PowerDesignCharge, Charge: 1.01, DesignCharge: 4.5},
		{Name: "BAT2", Kind: PowerBattery, Got: PowerStatus | PowerCharge, Status: ChargeFull, Charge: 1},
		{Name: "hid-mouse", Kind: PowerPeripheral, Got: PowerStatus | PowerCharge, Status: ChargeCharging, Charge: 0.71},
		{Name: "ucsi-1", Kind: PowerMains, Got: PowerOnline, Online: true},
	}, supplies)
}
