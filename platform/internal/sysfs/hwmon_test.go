// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sysfs

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSensorFile(t *testing.T) {
	type file struct {
		sensor, kind string
		number       uint64
		item         SensorItem
	}
	for name, want := range map[string]file{
		"temp1_input":           {"temp1", "temp", 1, SensorInput},
		"temp12_crit_alarm":     {"temp12", "temp", 12, SensorCritAlarm},
		"in0_lcrit":             {"in0", "in", 0, SensorLowCrit},
		"in10_min_alarm":        {"in10", "in", 10, SensorMinAlarm},
		"fan2_fault":            {"fan2", "fan", 2, SensorFault},
		"fan2_alarm":            {"fan2", "fan", 2, SensorAlarm},
		"curr1_max":             {"curr1", "curr", 1, SensorMax},
		"power1_average":        {"power1", "power", 1, SensorAverage},
		"energy129_input":       {"energy129", "energy", 129, SensorInput},
		"temp3_label":           {"temp3", "temp", 3, SensorLabel},
		"temp3_emergency_alarm": {"temp3", "temp", 3, SensorEmergencyAlarm},
		"humidity1_input":       {"humidity1", "humidity", 1, SensorInput},
	} {
		sensor, kind, number, item, ok := SensorFile([]byte(name))
		assert.True(t, ok, name)
		assert.Equal(t, want, file{string(sensor), string(kind), number, item}, name)
	}
	for _, name := range []string{
		"", "_", "name", "temp", "temp1", "temp_input", "1_input", "temp1x_input", "temp1_", "temp1_max_hyst", "temp1_input_highest",
		"temp1_crit_hyst", "power1_cap_max", "pwm1_enable", "temp1_auto_point1_pwm", "update_interval", "temp99999999999999999999_input",
	} {
		_, _, _, _, ok := SensorFile([]byte(name))
		assert.False(t, ok, name)
	}
}

func FuzzSensorFile(f *testing.F) {
	f.Add([]byte("temp1_input"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if sensor, kind, _, item, ok := SensorFile(b); ok {
			assert.Less(t, len(kind), len(sensor))
			assert.Less(t, item, NumSensorItems)
		}
	})
}
