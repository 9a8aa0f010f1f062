// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"fmt"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/match"
	"github.com/hostscope/hostscope/platform"
)

var diskMetrics = []metric{
	{"system.disk.io", need{reading: platform.ReadingDisks}, diskIO.record},
	{"system.disk.io_time", need{reading: platform.ReadingDisks, on: everywhere &^ platform.Darwin}, diskIOTime.record},
	{"system.disk.limit", need{reading: platform.ReadingDisks}, recordDiskLimit},
	{"system.disk.merged", need{reading: platform.ReadingDisks, on: platform.Linux}, diskMerged.record},
	{"system.disk.operation_time", need{reading: platform.ReadingDisks, on: platform.Linux | platform.Darwin | platform.FreeBSD}, diskOperationTime.record},
	{"system.disk.operations", need{reading: platform.ReadingDisks}, diskOperations.record},
	{"system.disk.pending_operations", need{reading: platform.ReadingDisks, on: platform.Linux | platform.FreeBSD}, recordDiskPending},
	{"system.disk.weighted_io_time", need{reading: platform.ReadingDisks, on: platform.Linux}, diskWeightedIO.record},
}

// diskCounter is one thing that is counted of a disk.
type diskCounter int

const (
	diskReadBytes diskCounter = iota
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

func countsOf(d *platform.Disk) diskCounts {
	return diskCounts{
		diskReadBytes: d.ReadBytes, diskWriteBytes: d.WriteBytes,
		diskReads: d.ReadCount, diskWrites: d.WriteCount,
		diskReadsMerged: d.ReadMerged, diskWritesMerged: d.WriteMerged,
		diskReadTime: d.ReadTime, diskWriteTime: d.WriteTime,
		diskBusyTime: d.BusyTime, diskWeightedTime: d.WeightedTime,
	}
}

// diskState selects disks, and has what must not be forgotten of them from one
// scrape to the next.
type diskState struct {
	filter   match.Filter
	want     platform.DiskFields
	counters counters[string, diskCounts]
	buf      []platform.Disk
	series   []*series[diskCounts]
}

// diskTick are the disks of one scrape. The list is nil where it was not read.
type diskTick struct {
	list []platform.Disk
	// series are those of the disks in the list; the first metric that takes
	// them has them counted.
	series []*series[diskCounts]
}

func newDiskState(cfg *Config) (diskState, error) {
	f, err := match.NewFilter("disk", cfg.Disk.Include, cfg.Disk.Exclude)
	if err != nil {
		err = fmt.Errorf("disk::%w", err)
	}
	s := diskState{filter: f}
	s.counters.nowrap = true
	s.counters.values = func(c *diskCounts) []uint64 { return c[:] }
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
	if list != nil {
		s.disk.buf = list
	}
	if t.disks.list = list; err != nil && len(list) == 0 {
		t.disks.list = nil // they are not gone
	}
	return err
}

// diskSeries counts each disk once in a scrape.
func (s *Scraper) diskSeries(t *tick) []*series[diskCounts] {
	if t.disks.series == nil && t.disks.list != nil {
		t.disks.series = s.disk.series[:0]
		c := &s.disk.counters
		c.begin()
		for i := range t.disks.list {
			d := &t.disks.list[i]
			counts := countsOf(d)
			t.disks.series = append(t.disks.series, c.update(d.Name, t.Time, &counts))
		}
		c.end(t.Time)
		s.disk.series = t.disks.series
	}
	return t.disks.series
}

// diskMetric says what of a disk a metric counts.
type diskMetric struct {
	need       platform.DiskFields
	directions []direction
	seconds    bool // it is a time
}

// direction is a value of disk.io.direction and what is counted in it.
type direction struct {
	attr emit.Attr
	of   diskCounter
}

func directions(read, write diskCounter) []direction {
	return []direction{{emit.Str("disk.io.direction", "read"), read}, {emit.Str("disk.io.direction", "write"), write}}
}

var (
	diskIO            = diskMetric{platform.DiskIO, directions(diskReadBytes, diskWriteBytes), false}
	diskOperations    = diskMetric{platform.DiskOperations, directions(diskReads, diskWrites), false}
	diskMerged        = diskMetric{platform.DiskMerged, directions(diskReadsMerged, diskWritesMerged), false}
	diskOperationTime = diskMetric{platform.DiskTime, directions(diskReadTime, diskWriteTime), true}
	diskIOTime        = diskMetric{platform.DiskBusyTime, []direction{{of: diskBusyTime}}, true}
	diskWeightedIO    = diskMetric{platform.DiskWeightedTime, []direction{{of: diskWeightedTime}}, true}
)

// record records what each disk has counted. In a sum over the disks those
// count on that are gone, so that it does not fall.
func (m *diskMetric) record(s *Scraper, to *emit.Points, t *tick) {
	each := to.Wants("system.device")
	for i, counted := range s.diskSeries(t) {
		d := &t.disks.list[i]
		if !d.Got.Has(m.need) {
			continue
		}
		if each {
			to.Since(counted.start)
		}
		m.counted(to, d.Name, &counted.Total)
	}
	if gone := &s.disk.counters.gone; !each && t.disks.list != nil && *gone != (diskCounts{}) {
		m.counted(to, "", gone)
	}
}

func (m *diskMetric) counted(to *emit.Points, device string, counts *diskCounts) {
	for _, dir := range m.directions {
		v, device := counts[dir.of], emit.Str("system.device", device)
		if m.seconds {
			to.Double(float64(v)/1000, device, dir.attr)
		} else {
			to.Int(int64(v), device, dir.attr)
		}
	}
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
