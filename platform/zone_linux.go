// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/hostscope/hostscope/platform/internal/sysfs"
)

// zone is what is known of a thermal zone: a channel that has at most an input
// and a critical limit.
type zone struct {
	channel
	folder string // as it stands in a path: /thermal_zone0/
	supply bool   // it shows the temperature of a power supply
	want   SensorFields
	out    bool // it is not selected
}

func askZone(m *member[zone]) {
	z := &m.what
	if !m.known {
		m.locate()
		z.channel, z.folder = channel{Sensor: Sensor{Name: "temp"}}, "/"+m.name+"/"
		keep(&z.Driver, m.line("type"))
		z.supply = m.isSupply(z.Driver)
		z.Driver = cmp.Or(z.Driver, m.name)
		z.files[sysfs.SensorInput] = append([]byte(m.home+"/temp"), 0)
		if trip := criticalTrip(m); trip != "" {
			z.files[sysfs.SensorCrit] = append([]byte(m.home+"/"+trip+"_temp"), 0)
		}
		if !m.known {
			z.Driver = "" // half of it would be another zone
		}
	}
	if z.Got = 0; z.want != 0 && z.ID != "" && !z.out {
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

// nameZones gives each zone that answers for the first time its ID, which it
// keeps, and asks whether it is selected. Of zones of one type the first is
// named for it, the others have their number.
func nameZones(all, answered []*member[zone], selects func(*Sensor) bool) {
	for _, m := range answered {
		z := &m.what
		if z.Driver == "" {
			continue
		}
		if m.id == "" || m.driver != z.Driver {
			m.driver, m.id = z.Driver, ""
			id := "thermal-" + z.Driver
			if slices.ContainsFunc(all, func(o *member[zone]) bool { return o.id == id }) {
				id += strings.Replace(m.name, "thermal_zone", "-", 1)
			}
			m.id = id
		}
		if z.Chip != m.id {
			z.Chip, z.ID = m.id, m.id+"/"+z.Name
			z.out = selects != nil && !selects(&z.Sensor)
		}
	}
}

// toldBy tells whether a chip shows the temperature of a zone, be it that it
// does not answer now or is not selected, or a power supply does, or the zone
// shows none. The kernel makes a chip of most zones, one for all of a type, with
// the name of the type in which a dash is an underscore (thermal_hwmon.c). The
// sensor of x86_pkg_temp is that of coretemp. INT3400 has no sensor and always
// says 20 °C (int3400_thermal.c).
func (z *zone) toldBy(chips []*member[chip]) bool {
	kind := z.Driver
	switch {
	case kind == "": // it was not looked up yet
		return false
	case kind == "INT3400 Thermal", z.supply:
		return true
	}
	name := strings.ReplaceAll(kind, "-", "_")
	return slices.ContainsFunc(chips, func(c *member[chip]) bool {
		return c.driver == name || kind == "x86_pkg_temp" && c.driver == "coretemp" ||
			strings.Contains(c.path, z.folder)
	})
}
