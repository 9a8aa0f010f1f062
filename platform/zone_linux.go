// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"slices"
	"strings"

	"github.com/hostscope/hostscope/platform/internal/sysfs"
)

// zone is what is known of a thermal zone: a channel that has at most an input
// and a critical limit.
type zone struct {
	channel
	folder string // thermal_zone0
	want   SensorFields
	told   bool // a hwmon chip tells it, or there is nothing to tell
}

func askZone(m *member[zone]) {
	z := &m.what
	if !m.known {
		m.locate()
		z.channel, z.folder = channel{Sensor: Sensor{Name: "temp"}}, m.name
		keep(&z.Driver, m.line("type"))
		z.files[sysfs.SensorInput] = append([]byte(m.home+"/temp"), 0)
		if trip := criticalTrip(m); trip != "" {
			z.files[sysfs.SensorCrit] = append([]byte(m.home+"/"+trip+"_temp"), 0)
		}
	}
	z.Got = 0
	if !z.told {
		m.measure(&z.channel, z.want)
	}
}

// criticalTrip is the trip point of a zone at which the host is shut down, as
// its files begin: trip_point_0; "" for none.
func criticalTrip(m *member[zone]) string {
	var trips []string
	m.names(m.home, func(name []byte) {
		if trip, ok := bytes.CutSuffix(name, []byte("_type")); ok && bytes.HasPrefix(trip, []byte("trip_point_")) {
			trips = append(trips, string(trip))
		}
	})
	slices.Sort(trips)
	for _, trip := range trips {
		if string(m.line(trip+"_type")) == "critical" {
			return trip
		}
	}
	return ""
}

// nameZones gives each zone its ID, and finds those that a chip tells of. Of
// zones of one type the first is named for it, the others have their number.
func nameZones(zones []*member[zone], chips []*member[chip]) {
	for i, m := range zones {
		z := &m.what
		z.told = z.toldBy(chips)
		id := "thermal-" + z.Driver
		if slices.ContainsFunc(zones[:i], func(o *member[zone]) bool { return o.what.Driver == z.Driver }) {
			id += strings.Replace(m.name, "thermal_zone", "-", 1)
		}
		if z.Chip != id {
			z.Chip, z.ID = id, id+"/"+z.Name
		}
	}
}

// toldBy tells whether a chip shows the temperature of a zone, or the zone
// shows none. The kernel makes a chip of most zones, one for all of a type,
// with the name of the type in which a dash is an underscore
// (thermal_hwmon.c). The sensor of x86_pkg_temp is that of coretemp.
// INT3400 has no sensor and always says 20 °C (int3400_thermal.c).
func (z *zone) toldBy(chips []*member[chip]) bool {
	kind := z.Driver
	switch kind {
	case "": // it was not looked up yet
		return false
	case "INT3400 Thermal":
		return true
	}
	name := strings.ReplaceAll(kind, "-", "_")
	return slices.ContainsFunc(chips, func(c *member[chip]) bool {
		return c.what.driver == name || kind == "x86_pkg_temp" && c.what.driver == "coretemp" ||
			strings.Contains(c.what.path, "/"+z.folder+"/")
	})
}
