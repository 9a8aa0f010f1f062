// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/hostmetricsreceiver"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/hostscope/hostscope"
	"github.com/hostscope/hostscope/platform"
)

// The peers.
const (
	ours        = "hostscope"
	snapshot    = "snapshot" // hostscope's reading alone, without metrics
	hostmetrics = "hostmetrics"
	floor       = "floor"
)

// scrapers makes each peer scrape again and again, and tell the meter.
var scrapers = map[string]func(set string, m *meter) error{
	ours:     func(set string, m *meter) error { return scrape(hostscope.NewFactory(), sets[set].hostscope, m) },
	snapshot: func(set string, m *meter) error { return scrapeSnapshots(sets[set], m) },
	hostmetrics: func(set string, m *meter) error {
		return scrape(hostmetricsreceiver.NewFactory(), sets[set].hostmetrics, m)
	},
	floor: func(set string, m *meter) error { return scrapeFloor(sets[set], m) },
}

// selection is what the peers are to tell: their configurations, and what the
// floor has to read for it.
type selection struct {
	hostscope, hostmetrics string
	fields                 platform.Fields // what that takes of a snapshot
	files                  []string        // what the floor reads of each process
	descriptors            bool            // it counts them
	perThread              bool            // it reads the status of each thread
	host                   bool            // it is of the host as a whole, which no floor is known of
}

// identity are the fields of the resource attributes where they are equal.
const identity = platform.FieldName | platform.FieldParent | platform.FieldExecutable | platform.FieldArguments | platform.FieldCommand | platform.FieldOwner

// Both tell the same things in the sets default and all, but that hostmetrics
// adds a time of waiting to those of the CPU, which is always 0 on Linux, and
// joins the arguments to a command line where hostscope lists them.
var sets = map[string]selection{
	"default": {
		hostscope: `
resource_attributes:
  host.name: {enabled: false}
  os.type: {enabled: false}
scrapers:
  process:
    resource_attributes:
      process.command_args: {enabled: true}
      process.creation.time: {enabled: false}
      process.executable.path: {enabled: true}
      process.parent_pid: {enabled: true}
    metrics:
      process.thread.count: {enabled: false}
      process.unix.file_descriptor.count: {enabled: false}
`,
		hostmetrics: `
scrapers:
  process:
    mute_process_all_errors: true
`,
		fields: identity | platform.FieldCPUTime | platform.FieldMemory | platform.FieldDiskIO,
		files:  []string{"stat", "statm", "io"},
	},
	"all": {
		hostscope: `
resource_attributes:
  host.name: {enabled: false}
  os.type: {enabled: false}
scrapers:
  process:
    resource_attributes:
      process.command_args: {enabled: true}
      process.creation.time: {enabled: false}
      process.executable.path: {enabled: true}
      process.parent_pid: {enabled: true}
    metrics:
      process.context_switches: {enabled: true}
      process.cpu.utilization: {enabled: true}
      process.linux.io.system_calls: {enabled: true}
      process.memory.utilization: {enabled: true}
      process.paging.faults: {enabled: true}
      process.signals_pending: {enabled: true}
      process.uptime: {enabled: true}
`,
		hostmetrics: `
scrapers:
  process:
    mute_process_all_errors: true
    metrics:
      process.context_switches: {enabled: true}
      process.cpu.utilization: {enabled: true}
      process.disk.operations: {enabled: true}
      process.memory.utilization: {enabled: true}
      process.open_file_descriptors: {enabled: true}
      process.paging.faults: {enabled: true}
      process.signals_pending: {enabled: true}
      process.threads: {enabled: true}
      process.uptime: {enabled: true}
`,
		fields: identity | platform.FieldCPUTime | platform.FieldMemory | platform.FieldDiskIO | platform.FieldLogicalIO | platform.FieldContextSwitches |
			platform.FieldFaults | platform.FieldSignalQueue | platform.FieldSignals | platform.FieldThreads | platform.FieldDescriptors,
		files: []string{"stat", "status", "io"}, descriptors: true, perThread: true, // status tells the memory, too
	},
	"own": {
		hostscope: `
scrapers:
  process:
`,
		hostmetrics: `
scrapers:
  process:
`,
		fields: platform.FieldName | platform.FieldExecutable | platform.FieldCommand | platform.FieldOwner |
			platform.FieldCPUTime | platform.FieldMemory | platform.FieldDiskIO | platform.FieldThreads | platform.FieldDescriptors,
		files: []string{"stat", "statm", "io"}, descriptors: true,
	},
	"system": {
		host: true,
		// Those that its scrapers of CPU, memory, paging, load, disks, filesystems,
		// network and processes have.
		hostscope: `
resource_attributes:
  host.name: {enabled: false}
  os.type: {enabled: false}
scrapers:
  system:
    metrics:
      hw.network.bandwidth.limit: {enabled: false}
      hw.network.up: {enabled: false}
      system.boot.timestamp: {enabled: false}
      system.cpu.context_switches: {enabled: false}
      system.cpu.frequency: {enabled: false}
      system.cpu.interrupts: {enabled: false}
      system.cpu.linux.pressure.time: {enabled: false}
      system.cpu.logical.count: {enabled: false}
      system.cpu.physical.count: {enabled: false}
      system.cpu.time: {attributes: [cpu.mode, cpu.logical_number]}
      system.disk.linux.pressure.time: {enabled: false}
      system.disk.pending_operations: {enabled: true}
      system.disk.weighted_io_time: {enabled: true}
      system.filesystem.utilization: {enabled: false}
      system.memory.limit: {enabled: false}
      system.memory.linux.available: {enabled: false}
      system.memory.linux.oom_kills: {enabled: false}
      system.memory.linux.pressure.time: {enabled: false}
      system.memory.unix.page_queue.usage: {enabled: true}
      system.memory.utilization: {enabled: false}
      system.network.tcp.retransmissions: {enabled: false}
      system.paging.io: {enabled: false}
      system.paging.utilization: {enabled: false}
      system.process.limit: {enabled: false}
      system.uptime: {enabled: false}
`,
		hostmetrics: `
scrapers:
  cpu:
  memory:
  paging:
  load:
  disk:
  filesystem:
  network:
  processes:
`,
	},
	// The sockets alone: of TCP, where ours adds one number of UDP and one of
	// Unix, and theirs has a state that is none.
	"connections": {
		host: true,
		hostscope: `
resource_attributes:
  host.name: {enabled: false}
  os.type: {enabled: false}
scrapers:
  system:
    metrics:
      hw.network.bandwidth.limit: {enabled: false}
      hw.network.up: {enabled: false}
      system.boot.timestamp: {enabled: false}
      system.cpu.context_switches: {enabled: false}
      system.cpu.frequency: {enabled: false}
      system.cpu.interrupts: {enabled: false}
      system.cpu.linux.pressure.time: {enabled: false}
      system.cpu.load_average.15m: {enabled: false}
      system.cpu.load_average.1m: {enabled: false}
      system.cpu.load_average.5m: {enabled: false}
      system.cpu.logical.count: {enabled: false}
      system.cpu.physical.count: {enabled: false}
      system.cpu.time: {enabled: false}
      system.disk.io: {enabled: false}
      system.disk.io_time: {enabled: false}
      system.disk.linux.pressure.time: {enabled: false}
      system.disk.merged: {enabled: false}
      system.disk.operation_time: {enabled: false}
      system.disk.operations: {enabled: false}
      system.filesystem.inode.usage: {enabled: false}
      system.filesystem.usage: {enabled: false}
      system.filesystem.utilization: {enabled: false}
      system.memory.limit: {enabled: false}
      system.memory.linux.available: {enabled: false}
      system.memory.linux.oom_kills: {enabled: false}
      system.memory.linux.pressure.time: {enabled: false}
      system.memory.linux.slab.usage: {enabled: false}
      system.memory.usage: {enabled: false}
      system.memory.utilization: {enabled: false}
      system.network.errors: {enabled: false}
      system.network.io: {enabled: false}
      system.network.packet.count: {enabled: false}
      system.network.packet.dropped: {enabled: false}
      system.network.tcp.retransmissions: {enabled: false}
      system.paging.faults: {enabled: false}
      system.paging.io: {enabled: false}
      system.paging.operations: {enabled: false}
      system.paging.usage: {enabled: false}
      system.paging.utilization: {enabled: false}
      system.process.count: {enabled: false}
      system.process.created: {enabled: false}
      system.process.limit: {enabled: false}
      system.uptime: {enabled: false}
`,
		hostmetrics: `
scrapers:
  network:
    metrics:
      system.network.dropped: {enabled: false}
      system.network.errors: {enabled: false}
      system.network.io: {enabled: false}
      system.network.packets: {enabled: false}
`,
	},
	"system own": {
		host: true,
		hostscope: `
scrapers:
  system:
`,
		hostmetrics: `
scrapers:
  cpu:
  memory:
  paging:
  load:
  disk:
  filesystem:
  network:
  processes:
  system:
`,
	},
}

// interval keeps scrapes from waiting long for their turn, which is no CPU
// time. A large population takes longer, so that they come back to back.
const interval = 10 * time.Millisecond

// scrape starts a receiver with a consumer that tells the meter.
func scrape(factory receiver.Factory, config string, m *meter) error {
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(fmt.Sprintf("collection_interval: %v\ninitial_delay: %v\n", interval, interval) + config))
	if err != nil {
		return err
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		return err
	}
	cfg := factory.CreateDefaultConfig()
	if err := conf.Unmarshal(cfg); err != nil {
		return err
	}
	if err := confmap.Validate(cfg); err != nil {
		return err
	}

	// A scrape may come in several batches, which then have the same time.
	var last pcommon.Timestamp
	next, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		if t := timeOf(md); t != last {
			last = t
			m.scraped()
		}
		if m.watching() {
			attributes := 0
			for _, rm := range md.ResourceMetrics().All() {
				attributes += rm.Resource().Attributes().Len()
			}
			m.saw(md.ResourceMetrics().Len(), md.DataPointCount(), attributes)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r, err := factory.CreateMetrics(context.Background(), receivertest.NewNopSettings(factory.Type()), cfg, next)
	if err != nil {
		return err
	}
	return r.Start(context.Background(), componenttest.NewNopHost())
}

// timeOf is the time of the first point.
func timeOf(md pmetric.Metrics) pcommon.Timestamp {
	m := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
	if m.Type() == pmetric.MetricTypeGauge {
		return m.Gauge().DataPoints().At(0).Timestamp()
	}
	return m.Sum().DataPoints().At(0).Timestamp()
}

// scrapeSnapshots reads what the scraper would and makes nothing of it.
func scrapeSnapshots(set selection, m *meter) error {
	host, err := platform.Open(platform.Root{}, platform.Machine{})
	if err != nil {
		return err
	}
	go func() {
		for range time.Tick(interval) {
			m.scraped()
			snap, err := host.Snapshot(context.Background(), platform.Request{Fields: set.fields, Keep: true})
			if err = errors.Join(err, snap.ProcessesErr); err != nil {
				panic(err)
			}
			if m.watching() {
				m.saw(len(snap.Processes), 0, 0)
			}
		}
	}()
	return nil
}
