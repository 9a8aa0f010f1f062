// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/match"
	"github.com/hostscope/hostscope/platform"
)

var diskMetrics = []metric{
	{"system.disk.io", need{reading: platform.ReadingDisks}, countDisks(platform.DiskIO, false, diskReadBytes, diskWriteBytes)},
	{"system.disk.io_time", need{reading: platform.ReadingDisks, on: everywhere &^ platform.Darwin}, countDisks(platform.DiskBusyTime, true, diskBusyTime)},
	{"system.disk.limit", need{reading: platform.ReadingDisks}, recordDiskLimit},
	{"system.disk.merged", need{reading: platform.ReadingDisks, on: platform.Linux}, countDisks(platform.DiskMerged, false, diskReadsMerged, diskWritesMerged)},
	{"system.disk.operation_time", need{reading: platform.ReadingDisks, on: platform.Linux | platform.Darwin | platform.FreeBSD}, countDisks(platform.DiskTime, true, diskReadTime, diskWriteTime)},
	{"system.disk.operations", need{reading: platform.ReadingDisks}, countDisks(platform.DiskOperations, false, diskReads, diskWrites)},
	{"system.disk.pending_operations", need{reading: platform.ReadingDisks, on: platform.Linux | platform.FreeBSD}, recordDiskPending},
	{"system.disk.weighted_io_time", need{reading: platform.ReadingDisks, on: platform.Linux}, countDisks(platform.DiskWeightedTime, true, diskWeightedTime)},
}

// What is counted of a disk.
const (
	diskReadBytes = iota
	diskWriteBytes
	diskReads
	diskWrites
	diskReadsMerged
	diskWritesMerged
	diskReadTime
	diskWriteTime
	diskBusyTime
	diskWeightedTime

	numDiskCounters
)

type diskCounts [numDiskCounters]uint64

type diskTick = deviceTick[platform.Disk, diskCounts]

// diskState selects disks, and counts them by their names.
type diskState struct {
	devices[platform.Disk, string, diskCounts]
	filter match.Filter
	want   platform.DiskFields
}

func newDiskState(cfg *Config) (diskState, error) {
	f, err := match.NewFilter("disk", cfg.Disk.Include, cfg.Disk.Exclude)
	s := diskState{filter: f, devices: devices[platform.Disk, string, diskCounts]{
		counters: counters[string, diskCounts]{nowrap: true, values: func(c *diskCounts) []uint64 { return c[:] }},
		at:       func(t *tick) *diskTick { return &t.disks },
		name:     func(d *platform.Disk) string { return d.Name },
		got:      func(d *platform.Disk) uint16 { return uint16(d.Got) },
		count: func(_ *counters[string, diskCounts], d *platform.Disk) (string, diskCounts) {
			return d.Name, diskCounts{
				diskReadBytes: d.ReadBytes, diskWriteBytes: d.WriteBytes,
				diskReads: d.ReadCount, diskWrites: d.WriteCount,
				diskReadsMerged: d.ReadMerged, diskWritesMerged: d.WriteMerged,
				diskReadTime: d.ReadTime, diskWriteTime: d.WriteTime,
				diskBusyTime: d.BusyTime, diskWeightedTime: d.WeightedTime,
			}
		},
	}}
	if cfg.Metrics.SystemDiskLimit.Enabled {
		s.want = platform.DiskSize
	}
	return s, err
}

// selects tells whether a disk is wanted: without an include, real ones.
func (s *diskState) selects(d *platform.Disk) bool {
	return (d.Whole || s.filter.Chooses()) && s.filter.Selects(d.Name)
}

func (s *Scraper) readDisks(t *tick) error {
	list, err := s.host.Disks(s.disk.buf[:0], s.disk.want, s.disk.selects)
	return s.disk.take(t, list, err)
}

func countDisks(need platform.DiskFields, seconds bool, of ...int) func(*Scraper, *emit.Points, *tick) {
	m := deviceMetric{names: []string{"system.device"}, seconds: seconds}
	for i, counter := range of {
		f := flow{need: uint16(need), of: counter}
		if len(of) > 1 {
			f.attr = emit.Str("disk.io.direction", [...]string{"read", "write"}[i])
		}
		m.flows = append(m.flows, f)
	}
	return func(s *Scraper, to *emit.Points, t *tick) { s.disk.record(&m, to, t) }
}

func recordDiskLimit(_ *Scraper, to *emit.Points, t *tick) {
	for i := range t.disks.list {
		if d := &t.disks.list[i]; d.Got.Has(platform.DiskSize) && d.Size > 0 {
			to.Int(int64(d.Size), emit.Str("system.device", d.Name))
		}
	}
}

func recordDiskPending(_ *Scraper, to *emit.Points, t *tick) {
	for i := range t.disks.list {
		if d := &t.disks.list[i]; d.Got.Has(platform.DiskPending) {
			to.Int(int64(d.Pending), emit.Str("system.device", d.Name))
		}
	}
}
