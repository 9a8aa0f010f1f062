// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package platform

import (
	"context"
	"time"
)

// Host is a host that cannot be read: this system has no backend yet, and
// every reading answers ErrNotSupported.
type Host struct{ now func() time.Time }

type processCache struct{}

// Open gives a Host that can be read nothing of.
func Open(_ Root, m Machine) (*Host, error) {
	h := &Host{now: m.Now}
	if h.now == nil {
		h.now = time.Now
	}
	return h, nil
}

// Close does nothing.
func (*Host) Close() error { return nil }

// Snapshot answers ErrNotSupported.
func (h *Host) Snapshot(context.Context, Request) (*Snapshot, error) { return nil, ErrNotSupported }

// Uptime answers ErrNotSupported.
func (*Host) Uptime() (time.Duration, error) { return 0, ErrNotSupported }

// AwakeTime answers ErrNotSupported.
func (*Host) AwakeTime() (time.Duration, error) { return 0, ErrNotSupported }

// PhysicalCPUs answers ErrNotSupported.
func (*Host) PhysicalCPUs() (int, error) { return 0, ErrNotSupported }

// CPUFrequencies answers ErrNotSupported.
func (*Host) CPUFrequencies(dst []CPUFrequency, _ FrequencyFields) ([]CPUFrequency, error) {
	return dst, ErrNotSupported
}

// Load answers ErrNotSupported.
func (*Host) Load(*Load) error { return ErrNotSupported }

// Pressure answers ErrNotSupported.
func (*Host) Pressure(*Pressure, PressureFields) error { return ErrNotSupported }

// Limits answers ErrNotSupported.
func (*Host) Limits(*SystemLimits, LimitFields) error { return ErrNotSupported }

// Paging answers ErrNotSupported.
func (*Host) Paging(*Paging) error { return ErrNotSupported }

// Swaps answers ErrNotSupported.
func (*Host) Swaps(dst []Swap) ([]Swap, error) { return dst, ErrNotSupported }

// Memory answers ErrNotSupported.
func (*Host) Memory(*Memory) error { return ErrNotSupported }

// Disks answers ErrNotSupported.
func (*Host) Disks([]Disk, DiskFields, func(*Disk) bool) ([]Disk, error) { return nil, ErrNotSupported }

// Filesystems answers ErrNotSupported.
func (*Host) Filesystems(context.Context, []Filesystem, FilesystemRequest) ([]Filesystem, error) {
	return nil, ErrNotSupported
}

// ConnectionCounts answers ErrNotSupported.
func (*Host) ConnectionCounts(*ConnectionCounts) error { return ErrNotSupported }

// Connections answers ErrNotSupported.
func (*Host) Connections(dst []Socket, _ bool, _ func(*Socket) bool) ([]Socket, error) {
	return dst, ErrNotSupported
}

// SocketStat answers ErrNotSupported.
func (*Host) SocketStat(*SocketStat) error { return ErrNotSupported }

// NetworkInterfaces answers ErrNotSupported.
func (*Host) NetworkInterfaces([]NetworkInterface, NetworkFields, func(*NetworkInterface) bool) ([]NetworkInterface, error) {
	return nil, ErrNotSupported
}

// Protocols answers ErrNotSupported.
func (*Host) Protocols(*Protocols, ProtocolFields) error { return ErrNotSupported }

// Conntrack answers ErrNotSupported.
func (*Host) Conntrack(*Conntrack, ConntrackFields) error { return ErrNotSupported }

// PowerSupplies answers ErrNotSupported.
func (*Host) PowerSupplies(context.Context, []PowerSupply, PowerFields, func(string) bool) ([]PowerSupply, error) {
	return nil, ErrNotSupported
}

// Sensors answers ErrNotSupported.
func (*Host) Sensors(context.Context, []Sensor, SensorRequest, func(*Sensor) bool) ([]Sensor, error) {
	return nil, ErrNotSupported
}

// EnergyZones answers ErrNotSupported.
func (*Host) EnergyZones(context.Context, []EnergyZone) ([]EnergyZone, error) {
	return nil, ErrNotSupported
}

// Unread answers nil.
func (*Host) Unread() map[string]int { return nil }

// Name answers ErrNotSupported.
func (*Host) Name() (string, error) { return "", ErrNotSupported }

// ID answers ErrNotSupported.
func (*Host) ID() (string, error) { return "", ErrNotSupported }

// Token answers "".
func (*Host) Token(ID) string { return "" }
