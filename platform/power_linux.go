// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/sysfs"
)

// PowerSupplies appends the batteries and sources of power of the host to dst
// in the order of their names (/sys/class/power_supply). A host without any
// has none. What can be read is answered also when the error, which names the
// files, is not nil.
func (h *Host) PowerSupplies(dst []PowerSupply) ([]PowerSupply, error) {
	dir := filepath.Join(h.root.Sys, "class/power_supply")
	fd, err := h.openPath(dir, unix.O_DIRECTORY)
	if errors.Is(err, fs.ErrNotExist) {
		return dst, nil
	} else if err != nil {
		return dst, err
	}
	var names []string
	errno := h.listdir(fd, h.table.dirents[:], func(name []byte) { names = append(names, string(name)) })
	h.close(fd)
	if errno != 0 {
		return dst, fileError(dir, errno)
	}
	slices.Sort(names)

	var errs []error
	for _, name := range names {
		p, err := h.powerSupply(filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV):
			// It was unplugged a moment ago.
		case err != nil:
			errs = append(errs, err)
		case p.Kind != PowerOther:
			keep(&p.Name, []byte(name))
			dst = append(dst, p)
		}
	}
	return dst, errors.Join(errs...)
}

func (h *Host) powerSupply(dir string) (p PowerSupply, err error) {
	path := filepath.Join(dir, "uevent")
	b, err := h.readFile(path, &h.buf)
	if err != nil {
		return p, err
	}
	var raw sysfs.PowerSupply
	if err := sysfs.Power(b, &raw); err != nil {
		return p, fmt.Errorf("%s: %w: %w", path, ErrMalformed, err)
	}
	var typeBuf []byte
	if raw.Type == nil { // it is not in uevent of kernels before 5.7
		b, err := h.readFile(filepath.Join(dir, "type"), &typeBuf)
		if err != nil {
			return p, err
		}
		raw.Type = bytes.TrimSpace(b)
	}

	p.Kind = powerKind(raw.Type, raw.Scope)
	if p.Kind == PowerBattery && raw.Has&sysfs.Present != 0 && raw.Present == 0 {
		p.Kind = PowerOther
	}
	if raw.Has&sysfs.Online != 0 {
		// 2 is a programmable supply, online as well.
		p.Online = raw.Online != 0
		p.Got |= PowerOnline
	}
	if raw.Status != nil {
		p.Status = chargeState(raw.Status)
		p.Got |= PowerStatus
	}
	if charge, ok := powerCharge(&raw); ok {
		p.Charge = charge
		p.Got |= PowerCharge
	}
	if raw.Has&sysfs.EnergyFullDesign != 0 && raw.EnergyFullDesign > 0 {
		p.DesignEnergy = float64(raw.EnergyFullDesign) / 1e6
		p.Got |= PowerDesignEnergy
	}
	if raw.Has&sysfs.ChargeFullDesign != 0 && raw.ChargeFullDesign > 0 {
		p.DesignCharge = float64(raw.ChargeFullDesign) / 1e6
		p.Got |= PowerDesignCharge
	}
	keep(&p.Model, raw.Model)
	keep(&p.Vendor, raw.Manufacturer)
	if string(raw.Technology) != "Unknown" {
		keep(&p.Technology, raw.Technology)
	}
	return p, nil
}

// powerKind sorts the types of power_supply_sysfs.c. Scope tells what belongs
// to a device, such as a mouse, and does not feed the host.
func powerKind(kind, scope []byte) PowerKind {
	switch {
	case string(scope) == "Device":
		return PowerPeripheral
	case string(kind) == "Battery":
		return PowerBattery
	case string(kind) == "Mains", string(kind) == "Wireless", bytes.HasPrefix(kind, []byte("USB")):
		return PowerMains
	}
	return PowerOther
}

func chargeState(status []byte) ChargeState {
	switch string(status) {
	case "Charging":
		return ChargeCharging
	case "Discharging":
		return ChargeDischarging
	case "Full":
		return ChargeFull
	}
	return ChargeUnknown // also "Not charging": a threshold was reached
}

// powerCharge is what is left of a full battery: 0 … 1, or a little more as
// some gauges have it. capacity, in whole percent, is the last resort.
func powerCharge(p *sysfs.PowerSupply) (float64, bool) {
	for _, of := range [...]struct {
		has       sysfs.PowerNumbers
		now, full int64
	}{
		{sysfs.EnergyNow | sysfs.EnergyFull, p.EnergyNow, p.EnergyFull},
		{sysfs.ChargeNow | sysfs.ChargeFull, p.ChargeNow, p.ChargeFull},
		{sysfs.Capacity, p.Capacity, 100},
	} {
		if p.Has&of.has == of.has && of.full > 0 && of.now >= 0 {
			return float64(of.now) / float64(of.full), true
		}
	}
	return 0, false
}
