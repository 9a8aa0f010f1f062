// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// raplZone is what is known of a zone of RAPL.
type raplZone struct {
	EnergyZone
	got    bool
	energy []byte // the path of the file, ending in NUL
}

// EnergyZones appends the zones of the host of which energy is counted to dst
// (/sys/class/powercap): on x86 those of RAPL. Only root or who has
// CAP_DAC_READ_SEARCH may read the counters, since they tell what others
// compute (CVE-2020-8694); for anybody else there are none. What was read is
// answered also when the error, which names the files, is not nil.
func (h *Host) EnergyZones(ctx context.Context, dst []EnergyZone) ([]EnergyZone, error) {
	zones, err := askAll(ctx, h, &h.sensors.rapl, func(*raplZone) {})
	slept := len(zones) > 0 && h.slept()
	for _, m := range zones {
		if z := m.what.EnergyZone; m.what.got {
			if slept {
				z.Max = 0
			}
			dst = append(dst, z)
		}
	}
	return dst, err
}

// slept tells whether the host was suspended since the last call: that is how
// much further its uptime got than the time that it was awake.
func (h *Host) slept() bool {
	up, err := h.Uptime()
	if err != nil {
		return false
	}
	asleep := up - h.machine.Awake()
	before := h.sensors.asleep
	h.sensors.asleep = &asleep
	return before != nil && asleep-*before > time.Second
}

func askRAPL(m *member[raplZone]) {
	z := &m.what
	if !m.known {
		m.locate()
		*z = raplZone{energy: append([]byte(nil), m.file("energy_uj")...)}
		keep(&z.Name, m.line("name"))
		if parent := m.name[:strings.LastIndexByte(m.name, ':')]; strings.Contains(parent, ":") {
			// intel-rapl:0:1 is part of intel-rapl:0.
			path := append([]byte(filepath.Join(filepath.Dir(m.dir), parent, "name")), 0)
			if b, errno := m.readOnce(unix.AT_FDCWD, path, m.buffer()); errno == 0 {
				keep(&z.Parent, bytes.TrimSpace(b))
			}
		}
		if n, ok := m.value(m.file("max_energy_range_uj")); ok && n > 0 {
			z.Max = uint64(n)
		}
	}
	n, ok := m.value(z.energy)
	z.Energy, z.got = uint64(max(n, 0)), ok && n >= 0
}
