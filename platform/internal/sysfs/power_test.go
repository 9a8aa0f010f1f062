// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sysfs

import (
	"testing"

	"github.com/stretchr/testify/assert"
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
POWER_SUPPLY_CURRENT_NOW=-1500000
POWER_SUPPLY_CAPACITY=50
POWER_SUPPLY_CHARGE_CONTROL_END_THRESHOLD=80
POWER_SUPPLY_MODEL_NAME=01AV421 
POWER_SUPPLY_MANUFACTURER=LGC
`

// told is all that a power supply tells, by key.
func told(p *PowerSupply) (numbers map[string]int64, texts map[string]string) {
	numbers, texts = map[string]int64{}, map[string]string{}
	for i := range numPowerNumbers {
		if n, ok := p.Number(i); ok {
			numbers[PowerKeys[i]] = n
		}
	}
	for i := range numPowerTexts {
		if t := p.Text(i); t != nil {
			texts[PowerKeys[int(numPowerNumbers)+int(i)]] = string(t)
		}
	}
	return numbers, texts
}

func TestPower(t *testing.T) {
	var got PowerSupply
	assert.True(t, Power([]byte(battery), &got))
	numbers, texts := told(&got)
	assert.Equal(t, map[string]int64{
		"PRESENT": 1, "CYCLE_COUNT": 0, "ENERGY_FULL_DESIGN": 50400000, "ENERGY_FULL": 44100000, "ENERGY_NOW": 22050000,
		"CURRENT_NOW": -1500000, "CAPACITY": 50, "CHARGE_CONTROL_END_THRESHOLD": 80,
	}, numbers)
	assert.Equal(t, map[string]string{
		"TYPE": "Battery", "STATUS": "Discharging", "TECHNOLOGY": "Li-poly", "MODEL_NAME": "01AV421", "MANUFACTURER": "LGC",
	}, texts)

	assert.True(t, Power([]byte("POWER_SUPPLY_TYPE=Mains\nPOWER_SUPPLY_ONLINE=0\nPOWER_SUPPLY_CAPACITY=x\n"), &got))
	numbers, texts = told(&got)
	assert.Equal(t, map[string]int64{"ONLINE": 0}, numbers)
	assert.Equal(t, map[string]string{"TYPE": "Mains"}, texts)
	got.Set([]byte("ONLINE"), []byte("1\n"))
	got.Set([]byte("SCOPE"), []byte("System\n"))
	got.Set([]byte("online"), []byte("2\n"))
	numbers, texts = told(&got)
	assert.Equal(t, map[string]int64{"ONLINE": 1}, numbers)
	assert.Equal(t, map[string]string{"TYPE": "Mains", "SCOPE": "System"}, texts)

	for _, in := range []string{"", "\n", "DEVTYPE=power_supply\n", "POWER_SUPPLY_ONLINE\n"} {
		assert.False(t, Power([]byte(in), &got), "%q", in)
		numbers, texts = told(&got)
		assert.Empty(t, numbers)
		assert.Empty(t, texts)
	}
}

// TestPowerKeys: every property is in the table, at its place.
func TestPowerKeys(t *testing.T) {
	assert.Len(t, PowerKeys, int(numPowerNumbers)+int(numPowerTexts))
	for n, key := range map[PowerNumber]string{
		Online: "ONLINE", Capacity: "CAPACITY", EnergyFullDesign: "ENERGY_FULL_DESIGN", ChargeFullDesign: "CHARGE_FULL_DESIGN",
		PowerNow: "POWER_NOW", CurrentNow: "CURRENT_NOW", VoltageNow: "VOLTAGE_NOW", VoltageBoot: "VOLTAGE_BOOT", Temp: "TEMP",
		CycleCount: "CYCLE_COUNT", TimeToEmpty: "TIME_TO_EMPTY_NOW", TimeToFullAvg: "TIME_TO_FULL_AVG",
		ChargeStart: "CHARGE_CONTROL_START_THRESHOLD", ChargeEnd: "CHARGE_CONTROL_END_THRESHOLD",
	} {
		assert.Equal(t, key, PowerKeys[n])
	}
	for n, key := range map[PowerText]string{Type: "TYPE", Scope: "SCOPE", Status: "STATUS", Health: "HEALTH", Technology: "TECHNOLOGY", Manufacturer: "MANUFACTURER"} {
		assert.Equal(t, key, PowerKeys[int(numPowerNumbers)+int(n)])
	}
}

func TestPowerNoAllocation(t *testing.T) {
	in, p := []byte(battery), new(PowerSupply)
	assert.Zero(t, testing.AllocsPerRun(100, func() { Power(in, p) }))
}

func FuzzPower(f *testing.F) {
	f.Add([]byte(battery))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p PowerSupply
		found := Power(b, &p)
		numbers, texts := told(&p)
		assert.True(t, found || len(numbers)+len(texts) == 0)
	})
}
