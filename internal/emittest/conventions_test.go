// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package emittest_test

import (
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/semconv/v1.43.0/hwconv"
	"go.opentelemetry.io/otel/semconv/v1.43.0/processconv"
	"go.opentelemetry.io/otel/semconv/v1.43.0/systemconv"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/emittest"
)

func catalogs(t *testing.T) []*emit.Catalog {
	files, err := filepath.Glob("../../scrapers/*/metadata.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var list []*emit.Catalog
	for _, file := range files {
		c, err := emittest.Load(file)
		require.NoError(t, err)
		list = append(list, c)
	}
	return list
}

// ownNames are those of ours that the conventions do not have.
var ownNames = []string{
	"hw.power_supply.online", "system.boot.timestamp", "system.power.ac.online",

	"hw.battery.charge_state", "hw.battery.cycle.count", "hw.battery.energy.design_limit", "hw.battery.energy.limit",
	"hw.battery.energy.remaining", "hw.battery.power", "hw.current", "system.power.battery.charge",
	"system.power.battery.charge_state", "system.power.battery.time_left",

	// Of the conventions 1.44, for which there is no package yet.
	"process.memory.utilization", "process.signals_pending",

	"process.cpu.affinity.count", "process.cpu.logical_number", "process.cpu.unix.children.time", "process.environment_variable.count",
	"process.linux.io.system_calls", "process.linux.io.transferred", "process.linux.io_priority", "process.linux.oom.score",
	"process.linux.oom.score_adjustment", "process.linux.scheduler.run_delay.time", "process.linux.signal.queued",
	"process.memory.linux.dirty", "process.memory.linux.hugetlb", "process.memory.linux.library", "process.memory.linux.peak_virtual",
	"process.memory.linux.pss", "process.memory.linux.resident.usage", "process.memory.linux.shared", "process.memory.linux.swap",
	"process.memory.linux.uss", "process.memory.mapping.count", "process.memory.mapping.linux.anonymous",
	"process.memory.mapping.linux.pss", "process.memory.mapping.linux.referenced", "process.memory.mapping.linux.swap",
	"process.memory.mapping.size", "process.memory.mapping.usage", "process.memory.unix.peak", "process.memory.unix.segment.size",
	"process.network.connection.count", "process.status", "process.thread.context_switches", "process.thread.cpu.time",
	"process.thread.disk.io", "process.thread.paging.faults", "process.unix.file_descriptor.file.link.count",
	"process.unix.file_descriptor.file.size", "process.unix.file_descriptor.info", "process.unix.file_descriptor.limit",
	"process.unix.file_descriptor.offset", "process.unix.file_descriptor.pending_event.count",
	"process.unix.file_descriptor.socket.queue.usage", "process.unix.file_descriptor.timer.interval",
	"process.unix.file_descriptor.timer.time_left", "process.unix.file_descriptor.watch.count", "process.unix.nice",
	"process.unix.resource_limit.count", "process.unix.resource_limit.priority", "process.unix.resource_limit.size",
	"process.unix.resource_limit.time", "process.unix.signal.count",

	"system.awake.time", "system.cpu.context_switches", "system.cpu.interrupts", "system.cpu.linux.guest.time",
	"system.cpu.linux.pressure.time", "system.cpu.load_average.15m", "system.cpu.load_average.1m", "system.cpu.load_average.5m",
	"system.cpu.soft_interrupts", "system.disk.linux.pressure.time", "system.file_descriptor.count",
	"system.file_descriptor.limit", "system.memory.linux.anonymous", "system.memory.linux.commit_limit",
	"system.memory.linux.committed", "system.memory.linux.dirty", "system.memory.linux.mapped", "system.memory.linux.oom_kills",
	"system.memory.linux.page_tables", "system.memory.linux.pressure.time", "system.memory.linux.writeback",
	"system.memory.page_size", "system.memory.unix.page_queue.usage", "system.paging.io", "system.process.limit",
	"system.process.linux.blocked.count", "system.process.linux.runnable.count", "system.thread.count",
	"system.disk.pending_operations", "system.disk.weighted_io_time", "system.filesystem.inode.usage",
	"system.network.linux.socket.count",
	"system.network.carrier_changes", "system.network.collisions", "system.network.conntrack.count", "system.network.conntrack.max",
	"system.network.interface.address.info", "system.network.interface.duplex", "system.network.interface.mtu", "system.network.multicast",
	"system.network.tcp.failed_attempts", "system.network.tcp.resets", "system.network.tcp.retransmissions", "system.network.udp.errors",
}

// TestConventions: what the semantic conventions have is named, measured and
// typed as they have it.
func TestConventions(t *testing.T) {
	type instrument interface {
		Name() string
		Unit() string
	}
	conventions := map[string]instrument{}
	for _, i := range []instrument{
		processconv.ContextSwitches{}, processconv.CPUTime{}, processconv.CPUUtilization{}, processconv.DiskIO{},
		processconv.MemoryUsage{}, processconv.MemoryVirtual{}, processconv.PagingFaults{}, processconv.ThreadCount{},
		processconv.UnixFileDescriptorCount{}, processconv.Uptime{},
		hwconv.CPUSpeedLimitObservable{}, systemconv.CPUFrequencyObservable{}, systemconv.CPULogicalCountObservable{},
		systemconv.CPUPhysicalCountObservable{}, systemconv.CPUTime{}, systemconv.CPUUtilizationObservable{},
		systemconv.MemoryLimitObservable{}, systemconv.MemoryLinuxAvailableObservable{},
		systemconv.MemoryLinuxHugepagesLimitObservable{}, systemconv.MemoryLinuxHugepagesPageSizeObservable{},
		systemconv.MemoryLinuxHugepagesReservedObservable{}, systemconv.MemoryLinuxHugepagesSurplusObservable{},
		systemconv.MemoryLinuxHugepagesUsageObservable{}, systemconv.MemoryLinuxHugepagesUtilizationObservable{},
		systemconv.MemoryLinuxSharedObservable{}, systemconv.MemoryLinuxSlabUsageObservable{}, systemconv.MemoryUsage{},
		systemconv.MemoryUtilization{}, systemconv.PagingFaultsObservable{}, systemconv.PagingOperationsObservable{},
		systemconv.PagingUsageObservable{}, systemconv.PagingUtilizationObservable{}, systemconv.ProcessCountObservable{},
		systemconv.ProcessCreatedObservable{}, systemconv.UptimeObservable{},
		systemconv.DiskIOObservable{}, systemconv.DiskIOTimeObservable{}, systemconv.DiskLimitObservable{}, systemconv.DiskMergedObservable{}, systemconv.DiskOperationTimeObservable{}, systemconv.DiskOperationsObservable{}, systemconv.FilesystemLimitObservable{}, systemconv.FilesystemUsageObservable{}, systemconv.FilesystemUtilizationObservable{},
		systemconv.NetworkConnectionCount{},
		systemconv.NetworkErrorsObservable{}, systemconv.NetworkIO{}, systemconv.NetworkPacketCountObservable{}, systemconv.NetworkPacketDroppedObservable{},
		hwconv.NetworkBandwidthLimitObservable{}, hwconv.NetworkBandwidthUtilizationObservable{}, hwconv.NetworkUpObservable{},
		hwconv.BatteryCharge{}, hwconv.BatteryChargeLimit{}, hwconv.BatteryTimeLeft{}, hwconv.Energy{}, hwconv.FanSpeed{}, hwconv.FanSpeedLimit{},
		hwconv.FanSpeedRatio{}, hwconv.HostAmbientTemperature{}, hwconv.HostEnergy{}, hwconv.HostHeatingMargin{}, hwconv.HostPower{},
		hwconv.Power{}, hwconv.Status{}, hwconv.Temperature{}, hwconv.TemperatureLimit{}, hwconv.Voltage{}, hwconv.VoltageLimit{},
	} {
		conventions[i.Name()] = i
	}
	own := map[string]bool{}
	for _, name := range ownNames {
		own[name] = true
	}

	for _, c := range catalogs(t) {
		for name, m := range c.Metrics {
			i, ok := conventions[name]
			if !ok {
				assert.True(t, own[name], "%s is neither in the conventions nor our own", name)
				continue
			}
			delete(conventions, name)
			assert.Equal(t, i.Unit(), m.Unit, name)
			sum, monotonic := kind(i)
			assert.Equal(t, sum, m.Sum, name)
			assert.Equal(t, monotonic, m.Monotonic, name)
		}
	}
	assert.Empty(t, conventions)
}

// kind tells whether an instrument is a sum, and a monotonic one. Each embeds
// the instrument of the API that it is, such as Float64ObservableCounter.
func kind(instrument any) (sum, monotonic bool) {
	api := reflect.TypeOf(instrument).Field(0).Name
	sum = strings.HasSuffix(api, "Counter")
	return sum, sum && !strings.HasSuffix(api, "UpDownCounter")
}

// TestNoNameIsAPrefix: no name is the namespace of another, among metrics and
// among attributes. Backends that make trees of names cannot have both. The
// conventions allow themselves some exceptions.
func TestNoNameIsAPrefix(t *testing.T) {
	metrics, attributes := map[string]bool{}, map[string]bool{}
	for _, c := range catalogs(t) {
		for name, m := range c.Metrics {
			assert.False(t, metrics[name], "%s is declared twice", name)
			metrics[name] = true
			for _, a := range m.Attributes {
				attributes[a.Key] = true
			}
		}
		for key := range c.Resource {
			attributes[key] = true
		}
	}
	for _, names := range []map[string]bool{metrics, attributes} {
		sorted := slices.Sorted(maps.Keys(names))
		for _, name := range sorted {
			for _, other := range sorted {
				if rest, below := strings.CutPrefix(other, name+"."); below {
					theirs := rest == "limit" && slices.Contains([]string{"hw.battery.charge", "hw.fan.speed", "hw.temperature", "hw.voltage"}, name)
					assert.True(t, theirs, "%s is a namespace: there is %s", name, other)
				}
			}
		}
	}
}
