// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/emittest"
	"github.com/hostscope/hostscope/platform"
)

// measures is a sensor that has a value.
func measures(kind platform.SensorKind, driver, place, name, label string, value float64) platform.Sensor {
	return platform.Sensor{
		ID: driver + place + "/" + name, Chip: driver + place, Driver: driver, Name: name, Label: label, Kind: kind, Got: platform.SensorValue, Value: value,
	}
}

// board has sensors of all kinds.
func board() []platform.Sensor {
	const (
		temperature = platform.SensorTemperature
		fan         = platform.SensorFan
	)
	core := measures(temperature, "coretemp", ".0", "temp1", "Package id 0", 47)
	core.Got |= platform.SensorMax | platform.SensorCritical | platform.SensorHealth
	core.Max, core.Critical, core.Health = 80, 100, platform.HealthGood
	inlet := measures(temperature, "lm75", "-0048", "temp1", "Inlet", 24.5)
	inlet.Got |= platform.SensorMin | platform.SensorLowCritical | platform.SensorCritical | platform.SensorHealth
	inlet.Min, inlet.LowCritical, inlet.Critical, inlet.Health = 5, -10, 45, platform.HealthDegraded
	ambient := measures(temperature, "dell_smm", "_hwmon", "temp3", "Ambient", 27)
	cpu := measures(fan, "dell_smm", "_hwmon", "fan1", "Processor Fan", 2150)
	cpu.Got |= platform.SensorMin | platform.SensorMax
	cpu.Min, cpu.Max = 1000, 4300
	broken := platform.Sensor{ID: "nct6775.656/fan2", Chip: "nct6775.656", Driver: "nct6775", Name: "fan2", Kind: fan, Got: platform.SensorHealth, Health: platform.HealthFailed}
	vcore := measures(platform.SensorVoltage, "nct6775", ".656", "in0", "", 1.16)
	vcore.Got |= platform.SensorMin | platform.SensorMax | platform.SensorHealth
	vcore.Max, vcore.Health = 1.74, platform.HealthFailed
	return []platform.Sensor{
		core, inlet, ambient, cpu, broken, vcore,
		measures(fan, "nct6775", ".656", "fan1", "", 0),
		measures(platform.SensorCurrent, "ina219", "-0040", "curr1", "", -0.0625),
		measures(platform.SensorPower, "amdgpu", "-0000:03:00.0", "power1", "PPT", 33.5),
		measures(platform.SensorPower, "pmbus", "-0058", "power1", "pin", 120.25),
		measures(platform.SensorPower, "power_meter", "-ACPI000D:00", "power1", "", 211),
		measures(platform.SensorEnergy, "xe", "-0000:03:00.0", "energy1", "pkg", 12.5),
	}
}

func TestSensors(t *testing.T) {
	lines, err := scrape(t, scraperOn(t, platform.Linux, &fakeHost{sensors: board()}, only("hw.temperature", "hw.fan.speed", "hw.voltage", "hw.current", "hw.power")))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"resource",
		"  hw.current{hw.id=current/ina219-0040/curr1,hw.name=ina219 curr1,hw.parent=hwmon/ina219-0040} -0.0625",
		"  hw.fan.speed{hw.id=fan/dell_smm_hwmon/fan1,hw.name=dell_smm fan1,hw.parent=hwmon/dell_smm_hwmon,hw.sensor_location=Processor Fan} 2150",
		"  hw.fan.speed{hw.id=fan/nct6775.656/fan1,hw.name=nct6775 fan1,hw.parent=hwmon/nct6775.656} 0",
		"  hw.power{hw.id=power/amdgpu-0000:03:00.0/power1,hw.name=amdgpu power1,hw.parent=hwmon/amdgpu-0000:03:00.0,hw.sensor_location=PPT,hw.type=gpu} 33.5",
		"  hw.power{hw.id=power/pmbus-0058/power1,hw.name=pmbus power1,hw.parent=hwmon/pmbus-0058,hw.sensor_location=pin,hw.type=power} 120.25",
		"  hw.temperature{hw.id=temperature/coretemp.0/temp1,hw.name=coretemp temp1,hw.parent=hwmon/coretemp.0,hw.sensor_location=Package id 0} 47",
		"  hw.temperature{hw.id=temperature/dell_smm_hwmon/temp3,hw.name=dell_smm temp3,hw.parent=hwmon/dell_smm_hwmon,hw.sensor_location=Ambient} 27",
		"  hw.temperature{hw.id=temperature/lm75-0048/temp1,hw.name=lm75 temp1,hw.parent=hwmon/lm75-0048,hw.sensor_location=Inlet} 24.5",
		"  hw.voltage{hw.id=voltage/nct6775.656/in0,hw.name=nct6775 in0,hw.parent=hwmon/nct6775.656} 1.16",
	}, lines)
}

func TestLimits(t *testing.T) {
	lines, err := scrape(t, scraperOn(t, platform.Linux, &fakeHost{sensors: board()}, only(
		"hw.temperature.limit attributes: [hw.id, hw.limit_type]", "hw.fan.speed.limit attributes: [hw.id, hw.limit_type]",
		"hw.voltage.limit attributes: [hw.id, hw.limit_type]", "hw.fan.speed_ratio attributes: [hw.id]", "hw.status attributes: [hw.id, hw.type, hw.state]")))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"resource",
		"  hw.fan.speed.limit{hw.id=fan/dell_smm_hwmon/fan1,hw.limit_type=low.degraded,hw.parent=hwmon/dell_smm_hwmon} 1000",
		"  hw.fan.speed.limit{hw.id=fan/dell_smm_hwmon/fan1,hw.limit_type=max,hw.parent=hwmon/dell_smm_hwmon} 4300",
		"  hw.fan.speed_ratio{hw.id=fan/dell_smm_hwmon/fan1,hw.parent=hwmon/dell_smm_hwmon} 0.5",
		"  hw.status{hw.id=fan/nct6775.656/fan2,hw.parent=hwmon/nct6775.656,hw.state=degraded,hw.type=fan} 0",
		"  hw.status{hw.id=fan/nct6775.656/fan2,hw.parent=hwmon/nct6775.656,hw.state=failed,hw.type=fan} 1",
		"  hw.status{hw.id=fan/nct6775.656/fan2,hw.parent=hwmon/nct6775.656,hw.state=ok,hw.type=fan} 0",
		"  hw.status{hw.id=temperature/coretemp.0/temp1,hw.parent=hwmon/coretemp.0,hw.state=degraded,hw.type=temperature} 0",
		"  hw.status{hw.id=temperature/coretemp.0/temp1,hw.parent=hwmon/coretemp.0,hw.state=failed,hw.type=temperature} 0",
		"  hw.status{hw.id=temperature/coretemp.0/temp1,hw.parent=hwmon/coretemp.0,hw.state=ok,hw.type=temperature} 1",
		"  hw.status{hw.id=temperature/lm75-0048/temp1,hw.parent=hwmon/lm75-0048,hw.state=degraded,hw.type=temperature} 1",
		"  hw.status{hw.id=temperature/lm75-0048/temp1,hw.parent=hwmon/lm75-0048,hw.state=failed,hw.type=temperature} 0",
		"  hw.status{hw.id=temperature/lm75-0048/temp1,hw.parent=hwmon/lm75-0048,hw.state=ok,hw.type=temperature} 0",
		"  hw.status{hw.id=voltage/nct6775.656/in0,hw.parent=hwmon/nct6775.656,hw.state=degraded,hw.type=voltage} 0",
		"  hw.status{hw.id=voltage/nct6775.656/in0,hw.parent=hwmon/nct6775.656,hw.state=failed,hw.type=voltage} 1",
		"  hw.status{hw.id=voltage/nct6775.656/in0,hw.parent=hwmon/nct6775.656,hw.state=ok,hw.type=voltage} 0",
		"  hw.temperature.limit{hw.id=temperature/coretemp.0/temp1,hw.limit_type=high.critical,hw.parent=hwmon/coretemp.0} 100",
		"  hw.temperature.limit{hw.id=temperature/coretemp.0/temp1,hw.limit_type=high.degraded,hw.parent=hwmon/coretemp.0} 80",
		"  hw.temperature.limit{hw.id=temperature/lm75-0048/temp1,hw.limit_type=high.critical,hw.parent=hwmon/lm75-0048} 45",
		"  hw.temperature.limit{hw.id=temperature/lm75-0048/temp1,hw.limit_type=low.critical,hw.parent=hwmon/lm75-0048} -10",
		"  hw.temperature.limit{hw.id=temperature/lm75-0048/temp1,hw.limit_type=low.degraded,hw.parent=hwmon/lm75-0048} 5",
		"  hw.voltage.limit{hw.id=voltage/nct6775.656/in0,hw.limit_type=high.degraded,hw.parent=hwmon/nct6775.656} 1.74",
		"  hw.voltage.limit{hw.id=voltage/nct6775.656/in0,hw.limit_type=low.degraded,hw.parent=hwmon/nct6775.656} 0",
	}, lines)
}

// TestHost: of the host as a whole, and apart from its components.
func TestHost(t *testing.T) {
	all := only("hw.host.ambient_temperature", "hw.host.heating_margin", "hw.host.power", "hw.host.energy")
	lines, err := scrape(t, scraperOn(t, platform.Linux, &fakeHost{sensors: board(), energy: []platform.EnergyZone{{Name: "psys", Energy: 5}}}, all))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"resource",
		"  hw.host.ambient_temperature{hw.id=host} 24.5",
		"  hw.host.energy{hw.id=host} 0",
		"  hw.host.heating_margin{hw.id=host} 20.5", // 45 − 24.5, and not 80 − 47
		"  hw.host.power{hw.id=host} 211",
	}, lines)
	lines, err = scrape(t, scraperOn(t, platform.Linux, &fakeHost{sensors: []platform.Sensor{measures(platform.SensorTemperature, "x", "", "temp1", "", 20)}}, all))
	require.NoError(t, err)
	assert.Empty(t, lines)

	mac := measures(platform.SensorPower, "macsmc_hwmon", "-smc", "power1", "Total System Power", 9.5)
	rail := measures(platform.SensorPower, "macsmc_hwmon", "-smc", "power2", "3.8 V Rail Power", 1.5)
	lines, err = scrape(t, scraperOn(t, platform.Linux, &fakeHost{sensors: []platform.Sensor{mac, rail}}, only("hw.host.power", "hw.power attributes: [hw.id, hw.type]")))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"resource",
		"  hw.host.power{hw.id=host} 9.5",
		"  hw.power{hw.id=power/macsmc_hwmon-smc/power2,hw.parent=hwmon/macsmc_hwmon-smc,hw.type=power} 1.5",
	}, lines)
}

// TestEnergy: what was used since the first scrape, over wraps and resets.
func TestEnergy(t *testing.T) {
	h := &fakeHost{}
	s := scraperOn(t, platform.Linux, h, only("hw.energy attributes: [hw.id, hw.type]"))
	catalog, err := emit.Parse(metadataYAML)
	require.NoError(t, err)
	start := now
	tick := func(zones []platform.EnergyZone, sensors ...platform.Sensor) (lines []string, starts []time.Time) {
		h.energy, h.sensors = zones, sensors
		start = start.Add(time.Minute)
		require.NoError(t, s.Scrape(t.Context(), &platform.Snapshot{Time: start, Boot: boot}, func(md pmetric.Metrics) error {
			require.NoError(t, emittest.Check(md, catalog))
			lines = emittest.Lines(md)[1:]
			for _, p := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().All() {
				starts = append(starts, p.StartTimestamp().AsTime())
			}
			return nil
		}))
		return lines, starts
	}
	const most = 262_143_328_850
	zones := func(pkg, dram uint64) []platform.EnergyZone {
		return []platform.EnergyZone{
			{Name: "package-0", Energy: pkg, Max: most},
			{Name: "core", Parent: "package-0", Energy: pkg, Max: most},
			{Name: "dram", Parent: "package-0", Energy: dram, Max: most},
			{Name: "uncore", Parent: "package-0", Energy: dram, Max: most},
			{Name: "psys", Energy: pkg, Max: most},
		}
	}
	xe := func(joules float64) platform.Sensor {
		return measures(platform.SensorEnergy, "xe", "-0000:03:00.0", "energy1", "pkg", joules)
	}
	want := func(of map[string]string) (lines []string) {
		for _, id := range []string{"cpu/package-0,hw.type=cpu", "energy/xe-0000:03:00.0/energy1,hw.parent=hwmon/xe-0000:03:00.0,hw.type=gpu", "memory/package-0-dram,hw.type=memory"} {
			kind, _, _ := strings.Cut(id, "/")
			if v, ok := of[kind]; ok {
				lines = append(lines, "  hw.energy{hw.id="+id+"} "+v)
			}
		}
		return lines
	}
	lines, starts := tick(zones(262_000_000_000, 1_000_000))
	assert.Equal(t, want(map[string]string{"cpu": "0", "memory": "0"}), lines)
	assert.Equal(t, []time.Time{start, start}, starts)
	first := start

	lines, starts = tick(zones(262_100_000_000, 1_500_000))
	assert.Equal(t, want(map[string]string{"cpu": "100", "memory": "0.5"}), lines)
	assert.Equal(t, []time.Time{first, first}, starts)

	// 43.32885 J up to the end, 6.67115 J after it. Another sensor comes.
	lines, starts = tick(zones(6_671_150, 1_500_000), xe(3.25))
	assert.Equal(t, want(map[string]string{"cpu": "150", "memory": "0.5", "energy": "0"}), lines)
	assert.Equal(t, []time.Time{first, first, start}, starts)

	// What has no end that is known was reset.
	lines, _ = tick(zones(16_671_150, 1_500_000), xe(1.5))
	assert.Equal(t, want(map[string]string{"cpu": "160", "memory": "0.5", "energy": "1.5"}), lines)

	// What is not there counts anew.
	lines, _ = tick(nil, xe(2.5))
	assert.Equal(t, want(map[string]string{"energy": "2.5"}), lines)
	lines, starts = tick(zones(26_671_150, 1_500_000), xe(2.5))
	assert.Equal(t, want(map[string]string{"cpu": "0", "memory": "0", "energy": "2.5"}), lines)
	assert.Equal(t, start, starts[0])
}

// TestEnergyIsCountedOnce: what is part of something else that is told is not.
func TestEnergyIsCountedOnce(t *testing.T) {
	energy := func(driver, name, label string) platform.Sensor {
		return measures(platform.SensorEnergy, driver, "-0", name, label, 1)
	}
	amd := []platform.Sensor{energy("amd_energy", "energy1", "Ecore000"), energy("amd_energy", "energy2", "Ecore001"), energy("amd_energy", "energy3", "Esocket0")}
	for i, tt := range []struct {
		zones   []platform.EnergyZone
		sensors []platform.Sensor
		want    []string
	}{
		{nil, amd, []string{"energy/amd_energy-0/energy3"}},
		{[]platform.EnergyZone{{Name: "package-0"}}, amd, []string{"cpu/package-0"}},
		{[]platform.EnergyZone{{Name: "psys"}}, amd, []string{"energy/amd_energy-0/energy3"}},
		{nil, []platform.Sensor{energy("xe", "energy1", "card"), energy("xe", "energy2", "pkg")}, []string{"energy/xe-0/energy1"}},
		{nil, []platform.Sensor{energy("xe", "energy2", "pkg")}, []string{"energy/xe-0/energy2"}},
		{nil, []platform.Sensor{energy("i915", "energy1", ""), energy("i915_gt0", "energy1", ""), energy("i915_gt1", "energy1", "")}, []string{"energy/i915-0/energy1"}},
		{nil, []platform.Sensor{energy("ina238", "energy1", "")}, []string{"energy/ina238-0/energy1"}},
	} {
		lines, err := scrape(t, scraperOn(t, platform.Linux, &fakeHost{energy: tt.zones, sensors: tt.sensors}, only("hw.energy attributes: [hw.id, hw.type]")))
		require.NoError(t, err)
		var got []string
		for _, line := range lines[1:] {
			_, id, _ := strings.Cut(line, "hw.id=")
			id, _, _ = strings.Cut(id, ",")
			got = append(got, id)
		}
		assert.Equal(t, tt.want, got, i)
	}
}
