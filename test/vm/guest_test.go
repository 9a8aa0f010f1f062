// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build vm

// Package vm tests the sensors on a real kernel, in a virtual machine that
// run.sh makes: `make test-vm`.
package vm

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/platform"
	"github.com/hostscope/hostscope/scrapers/sensors"
)

// everything is a scraper of all that sensors tell.
func everything(t *testing.T, h *platform.Host) *sensors.Scraper {
	t.Helper()
	cfg := sensors.NewConfig()
	conf := confmap.New()
	require.NoError(t, conf.Marshal(cfg))
	metrics := map[string]any{}
	for name := range conf.Get("metrics").(map[string]any) {
		metrics[name] = map[string]any{"enabled": true}
	}
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"metrics": metrics}).Unmarshal(&cfg))
	s, err := sensors.New(h, &cfg, "vm")
	require.NoError(t, err)
	return s
}

// points is what one scrape emits: values by name and the attributes that tell
// one point from another.
func points(t *testing.T, h *platform.Host, s *sensors.Scraper) (map[string]float64, error) {
	t.Helper()
	snap, err := h.Snapshot(t.Context(), platform.Request{})
	require.NoError(t, err)
	all := map[string]float64{}
	err = s.Scrape(t.Context(), snap, func(md pmetric.Metrics) error {
		for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			var dps pmetric.NumberDataPointSlice
			if m.Type() == pmetric.MetricTypeSum {
				dps = m.Sum().DataPoints()
			} else {
				dps = m.Gauge().DataPoints()
			}
			for _, p := range dps.All() {
				key := m.Name()
				for _, a := range []string{"hw.id", "hw.limit_type", "hw.battery.state", "hw.state"} {
					if v, ok := p.Attributes().Get(a); ok && (a != "hw.state" || m.Name() == "hw.status") {
						key += " " + v.AsString()
					}
				}
				v := p.DoubleValue()
				if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
					v = float64(p.IntValue())
				}
				assert.NotContains(t, all, key)
				all[key] = v
			}
		}
		return nil
	})
	return all, err
}

// read is a file of sysfs, -1 where it holds no number.
func read(path string) float64 {
	b, err := os.ReadFile(path)
	n, perr := strconv.ParseFloat(strings.TrimSpace(string(b)), 64)
	if err != nil || perr != nil {
		return -1
	}
	return n
}

func TestGuest(t *testing.T) {
	version, err := os.ReadFile("/proc/sys/kernel/osrelease")
	require.NoError(t, err)
	t.Logf("Linux %s", version)
	for _, class := range []string{"power_supply", "hwmon", "thermal"} {
		names, _ := filepath.Glob("/sys/class/" + class + "/*")
		for _, name := range names {
			target, _ := os.Readlink(name)
			t.Log(name, "->", target)
		}
	}
	h, err := platform.Open(platform.Root{}, platform.Machine{})
	require.NoError(t, err)
	s := everything(t, h)
	got, err := points(t, h, s)
	require.NoError(t, err)
	for _, key := range slices.Sorted(maps.Keys(got)) {
		t.Logf("%-70s %v", key, got[key])
	}
	t.Logf("unread: %v", s.Unread())

	t.Run("firmware", func(t *testing.T) { firmware(t, got) })
	t.Run("sysfs", func(t *testing.T) { sysfs(t, got) })
	t.Run("rebind", func(t *testing.T) { rebind(t, h, s, got) })
	t.Run("mouse", func(t *testing.T) { mouse(t, h, s) })
	t.Run("cost", func(t *testing.T) { cost(t, h, s) })
}

// firmware: the points are what ssdt.asl says.
func firmware(t *testing.T, got map[string]float64) {
	for key, want := range map[string]float64{
		"hw.battery.charge battery/BAT0":                              30000. / 45000,
		"hw.battery.charge battery/BAT1":                              2000. / 3500,
		"hw.battery.energy.remaining battery/BAT0":                    30 * 3600,
		"hw.battery.energy.limit battery/BAT0":                        45 * 3600,
		"hw.battery.energy.design_limit battery/BAT0":                 50 * 3600,
		"hw.battery.energy.remaining battery/BAT1":                    2 * 7.6 * 3600,
		"hw.battery.energy.limit battery/BAT1":                        3.5 * 7.6 * 3600,
		"hw.battery.energy.design_limit battery/BAT1":                 4 * 7.6 * 3600,
		"hw.battery.power battery/BAT0 discharging":                   12,
		"hw.battery.power battery/BAT1 charging":                      7.7,
		"hw.battery.time_left battery/BAT0 discharging":               9000,
		"hw.battery.time_left battery/BAT1 charging":                  5400,
		"hw.battery.cycle.count battery/BAT0":                         123,
		"hw.battery.charge_state battery/BAT0 discharging":            1,
		"hw.battery.charge_state battery/BAT0 charging":               0,
		"hw.battery.charge_state battery/BAT1 charging":               1,
		"hw.status battery/BAT1 ok":                                   1,
		"hw.voltage voltage/battery/BAT0":                             11.8,
		"hw.current current/battery/BAT1":                             1,
		"hw.power_supply.online power_supply/ACAD":                    1,
		"system.power.ac.online":                                      1,
		"system.power.battery.charge":                                 (30 + 2*7.6) / (45 + 3.5*7.6),
		"system.power.battery.charge_state unknown":                   1,
		"hw.host.power host":                                          262,
		"hw.temperature.limit temperature/acpitz/temp1 high.critical": 100,
		"hw.temperature temperature/acpitz/temp1":                     50,
	} {
		v, ok := got[key]
		assert.True(t, ok, key)
		// A tenth of a kelvin: 273.15 K are 2732 or 2731.5 of them.
		assert.InDelta(t, want, v, 0.06, key)
	}
	assert.NotContains(t, got, "hw.battery.cycle.count battery/BAT1") // _BIF has none
}

// sysfs: the points are what single files say.
func sysfs(t *testing.T, got map[string]float64) {
	temperatures, chips := 0, map[string]int{}
	names, err := filepath.Glob("/sys/class/hwmon/*/name")
	require.NoError(t, err)
	for _, name := range names {
		dir := filepath.Dir(name)
		driver, err := os.ReadFile(name)
		require.NoError(t, err)
		chips[strings.TrimSpace(string(driver))]++
		inputs, _ := filepath.Glob(dir + "/temp*_input")
		for _, input := range inputs {
			temperatures++
			want := read(input) / 1000
			found := false
			for key, v := range got {
				found = found || strings.HasPrefix(key, "hw.temperature temperature/"+strings.TrimSpace(string(driver))) && v >= want-1 && v <= want+1
			}
			assert.True(t, found, "%s: %v", input, want)
		}
	}
	t.Log(chips)
	assert.Equal(t, 2, chips["nvme"])
	assert.Equal(t, 1, chips["lm75"])
	emitted := 0
	for key := range got {
		if strings.HasPrefix(key, "hw.temperature ") {
			emitted++
		}
	}
	assert.Equal(t, temperatures, emitted, "no zone twice, no chip left out")
	for key, v := range got {
		if strings.HasPrefix(key, "hw.temperature temperature/lm75") {
			assert.InDelta(t, 26.5, v, 0)
		}
	}
	for _, battery := range []string{"BAT0", "BAT1"} {
		dir := "/sys/class/power_supply/" + battery + "/"
		assert.InDelta(t, read(dir+"capacity"), 100*got["hw.battery.charge battery/"+battery], 1)
		assert.InDelta(t, read(dir+"voltage_now")/1e6, got["hw.voltage voltage/battery/"+battery], 0)
	}
	assert.InDelta(t, read("/sys/class/power_supply/BAT0/energy_now")*3.6e-3, got["hw.battery.energy.remaining battery/BAT0"], 1e-6)
	assert.InDelta(t, read("/sys/class/power_supply/BAT0/power_now")/1e6, got["hw.battery.power battery/BAT0 discharging"], 0)
}

// rebind: when a drive goes, its points go; when both come again the other way
// round, each has its name.
func rebind(t *testing.T, h *platform.Host, s *sensors.Scraper, before map[string]float64) {
	const driver = "/sys/bus/pci/drivers/nvme/"
	drives, _ := filepath.Glob(driver + "0000:*")
	require.Len(t, drives, 2)
	ids := func(got map[string]float64) (ids []string) {
		for key := range got {
			if strings.HasPrefix(key, "hw.temperature temperature/nvme") {
				ids = append(ids, key)
			}
		}
		slices.Sort(ids)
		return ids
	}
	numbers := func() string {
		links, _ := filepath.Glob("/sys/bus/pci/devices/0000:*/nvme/nvme*/hwmon*")
		return fmt.Sprint(links)
	}
	require.Len(t, ids(before), 2)
	old := numbers()
	for i, d := range drives {
		require.NoError(t, os.WriteFile(driver+"unbind", []byte(filepath.Base(d)), 0o200))
		got, err := points(t, h, s)
		require.NoError(t, err)
		assert.Len(t, ids(got), 1-i)
	}
	for _, d := range slices.Backward(drives) {
		require.NoError(t, os.WriteFile(driver+"bind", []byte(filepath.Base(d)), 0o200))
		time.Sleep(2 * time.Second)
	}
	got, err := points(t, h, s)
	require.NoError(t, err)
	assert.Equal(t, ids(before), ids(got))
	t.Log(old, "became", numbers())
	assert.NotEqual(t, old, numbers())
}

// mouse: the battery of one is kept apart, and one that does not answer delays
// no more than itself.
func mouse(t *testing.T, h *platform.Host, s *sensors.Scraper) {
	m := newMouse(t, 42)
	var key string
	require.Eventually(t, func() bool {
		names, _ := filepath.Glob("/sys/class/power_supply/hid-*")
		if len(names) == 1 {
			key = filepath.Base(names[0])
		}
		return key != ""
	}, 10*time.Second, 100*time.Millisecond)
	got, err := points(t, h, s)
	require.NoError(t, err)
	assert.InDelta(t, 0.42, got["hw.battery.charge battery/"+key], 0, "%v", got)
	assert.InDelta(t, 1, got["hw.battery.charge_state battery/"+key+" discharging"], 0)
	assert.InDelta(t, (30+2*7.6)/(45+3.5*7.6), got["system.power.battery.charge"], 1e-9)
	assert.InDelta(t, 1, got["system.power.ac.online"], 0)

	m.silent.Store(true) // the kernel waits for 5 s, each time it asks
	start := time.Now()
	got, err = points(t, h, s)
	t.Log(err, "after", time.Since(start))
	require.ErrorIs(t, err, platform.ErrTimeoutExpired)
	assert.ErrorContains(t, err, key)
	assert.Less(t, time.Since(start), 4*time.Second)
	assert.NotContains(t, got, "hw.battery.charge battery/"+key)
	assert.Contains(t, got, "hw.battery.charge battery/BAT0")
	start = time.Now()
	_, err = points(t, h, s)
	require.ErrorIs(t, err, platform.ErrTimeoutExpired)
	assert.Less(t, time.Since(start), time.Second, "it is not asked again")

	m.silent.Store(false)
	require.Eventually(t, func() bool {
		got, err = points(t, h, s)
		return err == nil && got["hw.battery.charge battery/"+key] == 0.42
	}, 60*time.Second, time.Second)
	m.close()
	require.Eventually(t, func() bool {
		got, err = points(t, h, s)
		_, there := got["hw.battery.charge_state battery/"+key+" discharging"]
		return err == nil && !there
	}, 20*time.Second, time.Second)
}

// cost: what a scrape of these devices takes.
func cost(t *testing.T, h *platform.Host, s *sensors.Scraper) {
	const n = 20
	start := time.Now()
	for range n {
		_, err := points(t, h, s)
		require.NoError(t, err)
	}
	t.Logf("%v for a scrape of everything, all software emulation included", time.Since(start)/n)
}
