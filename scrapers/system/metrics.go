// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"context"
	"slices"
	"time"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// metric is a row of the table of metrics: the name that metadata.yaml
// declares, what it takes, and how it is recorded. A row records nothing
// where the tick has no value.
type metric struct {
	name   string
	needs  need
	record func(*Scraper, *emit.Points, *tick)
}

// need is what a metric takes: a reading of the host or a field of processes.
type need struct {
	reading platform.Reading
	fields  platform.Fields // if not 0, this instead of the reading
	on      platform.OS     // if not 0, only these systems have it
	// parts says what of the reading, where that is read in parts.
	parts uint8
	// each is the reading instead where the user wants detail by an attribute.
	each platform.Reading
	by   string
	// also are fields of processes on top of the reading, where the user wants
	// any of the attributes alsoBy.
	also   platform.Fields
	alsoBy []string
}

// met tells whether a system can give it.
func (n need) met(on platform.OS) bool {
	switch {
	case n.on != 0 && n.on&on == 0:
		return false
	case n.fields != 0:
		return platform.Supported(on).Has(n.fields)
	}
	return platform.Supports(on, n.reading)
}

// tick is what one scrape has read. What could not be read is zero.
type tick struct {
	*platform.Snapshot
	ctx         context.Context // of the scrape
	uptime      time.Duration
	awake       time.Duration
	cores       int
	frequencies []platform.CPUFrequency
	load        platform.Load
	pressure    platform.Pressure
	limits      platform.SystemLimits
	memory      platform.Memory
	paging      platform.Paging
	swaps       []platform.Swap
	disks       diskTick
	// filesystems is nil where they were not read.
	filesystems []platform.Filesystem
	connections platform.ConnectionCounts
	sockets     []platform.Socket
	socketStat  platform.SocketStat
	network     networkTick
	protocols   protocolTick
	conntrack   platform.Conntrack
}

// begin forgets the last scrape, but for the memory that it used.
func (t *tick) begin(ctx context.Context, snap *platform.Snapshot) {
	*t = tick{Snapshot: snap, ctx: ctx, frequencies: t.frequencies[:0], swaps: t.swaps[:0], sockets: t.sockets[:0]}
}

// metrics is the table, by topic.
var metrics = slices.Concat(
	timeMetrics, cpuMetrics, activityMetrics, loadMetrics, memoryMetrics, pagingMetrics, diskMetrics, filesystemMetrics,
	networkMetrics, protocolMetrics, connectionMetrics, processMetrics,
)

// readings say how what is not in the snapshot is read of the host, at most
// once per scrape, and only where an enabled metric needs it. What is not
// there at all, on this kernel or machine, is no error.
var readings = map[platform.Reading]func(*Scraper, *tick) error{
	platform.ReadingUptime:       func(s *Scraper, t *tick) (err error) { t.uptime, err = s.host.Uptime(); return err },
	platform.ReadingAwakeTime:    func(s *Scraper, t *tick) (err error) { t.awake, err = s.host.AwakeTime(); return err },
	platform.ReadingPhysicalCPUs: func(s *Scraper, t *tick) (err error) { t.cores, err = s.host.PhysicalCPUs(); return err },
	platform.ReadingCPUFrequency: func(s *Scraper, t *tick) (err error) {
		want := platform.FrequencyFields(s.parts(platform.ReadingCPUFrequency))
		t.frequencies, err = s.host.CPUFrequencies(t.frequencies, want)
		return err
	},
	platform.ReadingLoad: func(s *Scraper, t *tick) error { return s.host.Load(&t.load) },
	platform.ReadingPressure: func(s *Scraper, t *tick) error {
		return s.host.Pressure(&t.pressure, platform.PressureFields(s.parts(platform.ReadingPressure)))
	},
	platform.ReadingLimits: func(s *Scraper, t *tick) error {
		return s.host.Limits(&t.limits, platform.LimitFields(s.parts(platform.ReadingLimits)))
	},
	platform.ReadingMemory:            func(s *Scraper, t *tick) error { return s.host.Memory(&t.memory) },
	platform.ReadingPaging:            func(s *Scraper, t *tick) error { return s.host.Paging(&t.paging) },
	platform.ReadingSwaps:             func(s *Scraper, t *tick) (err error) { t.swaps, err = s.host.Swaps(t.swaps); return err },
	platform.ReadingDisks:             (*Scraper).readDisks,
	platform.ReadingFilesystems:       (*Scraper).readFilesystems,
	platform.ReadingNetworkInterfaces: (*Scraper).readNetwork,
	platform.ReadingProtocols: func(s *Scraper, t *tick) error {
		return s.host.Protocols(&t.protocols.Protocols, platform.ProtocolFields(s.parts(platform.ReadingProtocols)))
	},
	platform.ReadingConntrack: func(s *Scraper, t *tick) error {
		return s.host.Conntrack(&t.conntrack, platform.ConntrackFields(s.parts(platform.ReadingConntrack)))
	},
	platform.ReadingConnections: (*Scraper).readConnections,
	platform.ReadingSocketStat:  func(s *Scraper, t *tick) error { return s.host.SocketStat(&t.socketStat) },
}

var timeMetrics = []metric{
	{"system.boot.timestamp", need{reading: platform.ReadingBootTime}, recordBoot},
	{"system.uptime", need{reading: platform.ReadingUptime}, recordUptime},
	{"system.awake.time", need{reading: platform.ReadingAwakeTime}, recordAwake},
}

func recordBoot(_ *Scraper, to *emit.Points, t *tick) {
	if !t.Boot.IsZero() {
		to.Double(float64(t.Boot.UnixNano()) / 1e9)
	}
}

func recordUptime(_ *Scraper, to *emit.Points, t *tick) {
	if t.uptime > 0 {
		to.Double(t.uptime.Seconds())
	}
}

func recordAwake(_ *Scraper, to *emit.Points, t *tick) {
	if t.awake > 0 {
		to.Double(t.awake.Seconds())
	}
}
