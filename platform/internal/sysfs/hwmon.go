// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sysfs

import (
	"bytes"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// SensorItem is what a file of a sensor tells, by the end of its name.
type SensorItem uint8

// The items of a sensor (Documentation/hwmon/sysfs-interface.rst).
const (
	SensorInput SensorItem = iota
	SensorAverage
	SensorMin
	SensorMax
	SensorLowCrit
	SensorCrit
	SensorLabel
	SensorFault
	SensorAlarm
	SensorMinAlarm
	SensorMaxAlarm
	SensorLowCritAlarm
	SensorCritAlarm
	SensorEmergencyAlarm

	NumSensorItems
)

var sensorItems = map[string]SensorItem{
	"input": SensorInput, "average": SensorAverage,
	"min": SensorMin, "max": SensorMax, "lcrit": SensorLowCrit, "crit": SensorCrit,
	"label": SensorLabel, "fault": SensorFault,
	"alarm": SensorAlarm, "min_alarm": SensorMinAlarm, "max_alarm": SensorMaxAlarm,
	"lcrit_alarm": SensorLowCritAlarm, "crit_alarm": SensorCritAlarm, "emergency_alarm": SensorEmergencyAlarm,
}

// SensorFile takes the name of a file of a hwmon device, such as
// temp1_crit_alarm, apart: the sensor (temp1), the kind of it (temp), its number
// (1), and what the file tells of it. False for all other files.
func SensorFile(name []byte) (sensor, kind []byte, number uint64, item SensorItem, ok bool) {
	sensor, end, ok := bytes.Cut(name, underscore)
	if !ok {
		return nil, nil, 0, 0, false
	}
	if item, ok = sensorItems[string(end)]; !ok {
		return nil, nil, 0, 0, false
	}
	digits := bytes.IndexAny(sensor, "0123456789")
	if digits <= 0 {
		return nil, nil, 0, 0, false
	}
	number, rest, ok := parse.Uint(sensor[digits:])
	return sensor, sensor[:digits], number, item, ok && len(rest) == 0
}

var underscore = []byte{'_'}
