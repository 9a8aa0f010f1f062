// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sysfs

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Composed after Documentation/ABI/testing/sysfs-class-power and
// power_supply_sysfs.c.
const battery = `DEVTYPE=power_supply
POWER_SUPPLY_NAME=BAT0
POWER_SUPPLY_TYPE=Battery
POWER_SUPPLY_STATUS=Discharging
POWER_SUPPLY_PRESENT=1
POWER_SUPPLY_TECHNOLOGY=Li-poly
POWER_SUPPLY_CYCLE_COUNT=0
POWER_SUPPLY_ENERGY_FULL_DESIGN=50400000
POWER_SUPPLY_ENERGY_FULL=44100000
POWER_SUPPLY_ENERGY_NOW=22050000
POWER_SUPPLY_CAPACITY=50
POWER_SUPPLY_MODEL_NAME=01AV421 
POWER_SUPPLY_MANUFACTURER=LGC
`

func TestPower(t *testing.T) {
	var got PowerSupply
	require.NoError(t, Power([]byte(battery), &got))
	assert.Equal(t, PowerSupply{
		Type: []byte("Battery"), Status: []byte("Discharging"), Technology: []byte("Li-poly"),
		Model: []byte("01AV421"), Manufacturer: []byte("LGC"),
		Has:     Present | Capacity | EnergyNow | EnergyFull | EnergyFullDesign,
		Present: 1, Capacity: 50, EnergyNow: 22050000, EnergyFull: 44100000, EnergyFullDesign: 50400000,
	}, got)

	require.NoError(t, Power([]byte("POWER_SUPPLY_TYPE=Mains\nPOWER_SUPPLY_ONLINE=0\nPOWER_SUPPLY_CAPACITY=x\n"), &got))
	assert.Equal(t, PowerSupply{Type: []byte("Mains"), Has: Online}, got)

	for _, in := range []string{"", "\n", "DEVTYPE=power_supply\n", "POWER_SUPPLY_ONLINE\n"} {
		assert.ErrorIs(t, Power([]byte(in), &got), parse.ErrSyntax, "%q", in)
	}
}

func FuzzPower(f *testing.F) {
	f.Add([]byte(battery))
	f.Fuzz(func(_ *testing.T, b []byte) {
		var p PowerSupply
		_ = Power(b, &p)
	})
}
