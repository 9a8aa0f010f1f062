// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/recorded"
	"github.com/hostscope/hostscope/platform"
)

const allOfDisk = platform.DiskIO | platform.DiskOperations | platform.DiskMerged | platform.DiskTime | platform.DiskBusyTime |
	platform.DiskWeightedTime | platform.DiskPending | platform.DiskSize

// disk is a disk that has done n of everything.
func disk(name string, n uint64) platform.Disk {
	return platform.Disk{
		Name: name, Whole: true, Got: allOfDisk,
		ReadBytes: n, WriteBytes: 2 * n, ReadCount: 3 * n, WriteCount: 4 * n, ReadMerged: 5 * n, WriteMerged: 6 * n,
		ReadTime: 7 * n, WriteTime: 8 * n, BusyTime: 9 * n, WeightedTime: 10 * n, Pending: n, Size: 1000 * n,
	}
}

func TestDiskMetrics(t *testing.T) {
	h := machine()
	h.disks.list = []platform.Disk{disk("sda", 500), {Name: "fresh"}}
	for metric, want := range map[string][]string{
		"system.disk.io":                 {"{disk.io.direction=read,system.device=sda} 500", "{disk.io.direction=write,system.device=sda} 1000"},
		"system.disk.operations":         {"{disk.io.direction=read,system.device=sda} 1500", "{disk.io.direction=write,system.device=sda} 2000"},
		"system.disk.merged":             {"{disk.io.direction=read,system.device=sda} 2500", "{disk.io.direction=write,system.device=sda} 3000"},
		"system.disk.operation_time":     {"{disk.io.direction=read,system.device=sda} 3.5", "{disk.io.direction=write,system.device=sda} 4"},
		"system.disk.io_time":            {"{system.device=sda} 4.5"},
		"system.disk.weighted_io_time":   {"{system.device=sda} 5"},
		"system.disk.pending_operations": {"{system.device=sda} 500"},
		"system.disk.limit":              {"{system.device=sda} 500000"},
	} {
		for i := range want {
			want[i] = metric + want[i]
		}
		assert.Equal(t, want, scraped(t, scraperOn(t, platform.Linux, h, only(metric, "enabled: true")), snapshot()))
	}
	assert.Equal(t, []string{"system.disk.io{disk.io.direction=read} 500", "system.disk.io{disk.io.direction=write} 1000"},
		scraped(t, scraperOn(t, platform.Linux, h, only("system.disk.io", "attributes: [disk.io.direction]")), snapshot()))
}

// points are the values and the starts of the points of the one metric that is
// scraped, by the value of an attribute.
func points(t *testing.T, s *Scraper, at time.Time, key string) map[string]point {
	t.Helper()
	got := map[string]point{}
	require.NoError(t, s.Scrape(t.Context(), &platform.Snapshot{Time: at, Boot: boot}, func(md pmetric.Metrics) error {
		all := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints()
		for _, p := range all.All() {
			device := ""
			if value, ok := p.Attributes().Get(key); ok {
				device = value.Str()
			}
			v := p.DoubleValue()
			if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
				v = float64(p.IntValue())
			}
			got[device] = point{v, p.StartTimestamp().AsTime().Sub(boot).Minutes()}
		}
		return nil
	}))
	return got
}

// point is a value, and when it began, in minutes since boot.
type point struct{ value, start float64 }

// TestDiskCountersNeverFall: the kernel's milliseconds wrap after 49 days of
// them, a disk that is taken out and put back counts from zero, and one that
// comes later has its own start.
func TestDiskCountersNeverFall(t *testing.T) {
	h := machine()
	each := scraperOn(t, platform.Linux, h, only("system.disk.io_time", "enabled: true"))
	sum := scraperOn(t, platform.Linux, h, only("system.disk.io_time", "attributes: []"))
	busy := func(name string, ms uint64) platform.Disk {
		return platform.Disk{Name: name, Got: platform.DiskBusyTime, BusyTime: ms}
	}
	for i, tt := range []struct {
		disks []platform.Disk
		each  map[string]point
		sum   float64
	}{
		{[]platform.Disk{busy("sda", 1<<32-1000), busy("sdb", 2000)}, map[string]point{"sda": {4294966.296, 0}, "sdb": {2, 0}}, 4294968.296},
		{[]platform.Disk{busy("sda", 500), busy("sdb", 3000)}, map[string]point{"sda": {4294966.796, 0}, "sdb": {3, 0}}, 4294969.796},
		{[]platform.Disk{busy("sda", 1500)}, map[string]point{"sda": {4294967.796, 0}}, 4294970.796},
		{[]platform.Disk{busy("sda", 1500), busy("sdb", 100)}, map[string]point{"sda": {4294967.796, 0}, "sdb": {0.1, 2}}, 4294970.896},
		{nil, map[string]point{}, 4294970.896},
	} {
		// A list without disks is another thing than none that was read.
		h.disks.list = append([]platform.Disk{}, tt.disks...)
		at := boot.Add(time.Duration(i) * time.Minute)
		if len(tt.each) > 0 {
			assert.Equal(t, tt.each, points(t, each, at, "system.device"), i)
		}
		assert.InDelta(t, tt.sum, points(t, sum, at, "system.device")[""].value, 1e-6, i)
	}
	h.disks.list = nil
	lines, err := scrape(t, sum, snapshot())
	require.NoError(t, err)
	assert.Empty(t, lines, "nothing was read")
}

// on is a scraper of a recorded machine.
func on(t *testing.T, name, yaml string) *Scraper {
	t.Helper()
	host, err := platform.Open(recorded.Open(t, "../../testdata/hosts/"+name+".txtar"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = host.Close() })
	cfg, err := configured(t, yaml)
	require.NoError(t, err)
	s, err := New(host, &cfg, "1.2.3")
	require.NoError(t, err)
	return s
}

// seen are the values of an attribute that come out, in their order.
func seen(t *testing.T, s *Scraper, key string) []string {
	var values []string
	for _, line := range scraped(t, s, snapshot()) {
		_, value, _ := strings.Cut(line, key+"=")
		value, _, _ = strings.Cut(value, "}")
		value, _, _ = strings.Cut(value, ",system.")
		if len(values) == 0 || values[len(values)-1] != value {
			values = append(values, value)
		}
	}
	return values
}

func TestDiskFilter(t *testing.T) {
	for filter, want := range map[string][]string{
		``: {"dm-0", "nvme0n1", "vda"},
		`disk: {exclude: {match_type: regexp, devices: ['^dm-']}}`:                                                                                        {"nvme0n1", "vda"},
		`disk: {include: {match_type: strict, devices: [vda15, sr0]}}`:                                                                                    {"sr0", "vda15"},
		`disk: {include: [{match_type: regexp, devices: [^vda]}, {match_type: strict, devices: [loop1]}], exclude: {match_type: strict, devices: [vda]}}`: {"loop1", "vda15", "vda1"},
	} {
		s := on(t, "docker", only("system.disk.io_time", "enabled: true")+filter)
		assert.Equal(t, want, seen(t, s, "system.device"), filter)
	}
}

// TestDiskSize: it costs a file of each disk, and is read only for its metric.
func TestDiskSize(t *testing.T) {
	for metric, want := range map[string]platform.DiskFields{"system.disk.io": 0, "system.disk.limit": platform.DiskSize} {
		assert.Equal(t, want, scraperOn(t, platform.Linux, machine(), only(metric, "enabled: true")).disk.want, metric)
	}
}
