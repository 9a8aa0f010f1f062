// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/emittest"
	"github.com/hostscope/hostscope/platform"
	"github.com/hostscope/hostscope/scrapers/sensors/internal/metadata"
)

var (
	boot = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	now  = boot.Add(time.Hour)
)

// fakeHost answers what it holds and counts how often it is asked.
type fakeHost struct {
	power   []platform.PowerSupply
	sensors []platform.Sensor
	energy  []platform.EnergyZone
	err     error
	asked   [3]int // for each of them
	fields  platform.PowerFields
	want    platform.SensorRequest
}

func (h *fakeHost) PowerSupplies(_ context.Context, dst []platform.PowerSupply, fields platform.PowerFields, selects func(string) bool) ([]platform.PowerSupply, error) {
	h.asked[0]++
	h.fields = fields
	for _, p := range h.power {
		if selects(p.Name) {
			dst = append(dst, p)
		}
	}
	return dst, h.err
}

func (h *fakeHost) Sensors(_ context.Context, dst []platform.Sensor, want platform.SensorRequest, selects func(*platform.Sensor) bool) ([]platform.Sensor, error) {
	h.asked[1]++
	h.want = want
	for i := range h.sensors {
		if selects(&h.sensors[i]) {
			dst = append(dst, h.sensors[i])
		}
	}
	return dst, nil
}

func (h *fakeHost) EnergyZones(_ context.Context, dst []platform.EnergyZone) ([]platform.EnergyZone, error) {
	h.asked[2]++
	return append(dst, h.energy...), nil
}

func (h *fakeHost) Unread() map[string]int { return map[string]int{"EIO": 2} }

func battery(name string, status platform.ChargeState) platform.PowerSupply {
	return platform.PowerSupply{Name: name, Kind: platform.PowerBattery, Got: platform.PowerStatus | platform.PowerCharge, Status: status, Charge: 0.5}
}

func supply(name string, online bool) platform.PowerSupply {
	return platform.PowerSupply{Name: name, Kind: platform.PowerMains, Got: platform.PowerOnline, Online: online}
}

// laptop has what laptops have.
func laptop() []platform.PowerSupply {
	full := battery("BAT0", platform.ChargeDischarging)
	full.Got |= platform.PowerEnergy | platform.PowerEnergyFull | platform.PowerDesignEnergy | platform.PowerPower | platform.PowerVoltage |
		platform.PowerCurrent | platform.PowerTemperature | platform.PowerTimeLeft | platform.PowerHealth | platform.PowerCycles | platform.PowerChargeEnd
	full.Charge, full.Energy, full.EnergyFull, full.DesignEnergy = 1.02, 153000, 150000, 180576
	full.Power, full.Voltage, full.Current, full.Temperature, full.TimeLeft = 12.5, 11.8, -1.0625, 31.5, 12240
	full.Health, full.Cycles, full.ChargeEnd = platform.HealthDegraded, 113, 0.8
	full.Model, full.Vendor, full.Technology = "DELL X", "SMP", "Li-ion"

	mouse := battery("hidpp_battery_0", platform.ChargeCharging)
	mouse.Kind, mouse.Charge, mouse.Model = platform.PowerPeripheral, 0.25, "MX Master"

	unknown := battery("BAT1", platform.ChargeUnknown)
	unknown.Got = platform.PowerStatus | platform.PowerDesignCharge
	unknown.DesignCharge = 4.5
	usb := supply("ucsi-source-psy-1", false)
	usb.Got |= platform.PowerVoltage
	return []platform.PowerSupply{supply("AC", false), full, unknown, mouse, usb}
}

func scraperOn(t *testing.T, on platform.OS, h host, yaml string) *Scraper {
	cfg, err := configured(t, yaml)
	require.NoError(t, err)
	s, err := newScraper(h, on, &cfg, "1.2.3")
	require.NoError(t, err)
	return s
}

// scrape checks what comes out against metadata.yaml. It scrapes twice: what
// the first leaves behind would show in the second.
func scrape(t *testing.T, s *Scraper) (lines []string, err error) {
	catalog, perr := emit.Parse(metadataYAML)
	require.NoError(t, perr)
	for range 2 {
		lines = nil
		err = s.Scrape(t.Context(), &platform.Snapshot{Time: now, Boot: boot}, func(md pmetric.Metrics) error {
			require.NoError(t, emittest.Check(md, catalog))
			lines = append(lines, emittest.Lines(md)...)
			return nil
		})
	}
	return lines, err
}

// TestScrape has what comes out of a laptop by default.
func TestScrape(t *testing.T) {
	lines, err := scrape(t, scraperOn(t, platform.Linux, &fakeHost{power: laptop()}, ""))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"resource",
		"  hw.battery.charge_state{hw.battery.state=charging,hw.id=battery/BAT0,hw.name=BAT0} 0",
		"  hw.battery.charge_state{hw.battery.state=charging,hw.id=battery/BAT1,hw.name=BAT1} 0",
		"  hw.battery.charge_state{hw.battery.state=charging,hw.id=battery/hidpp_battery_0,hw.name=hidpp_battery_0,hw.parent=peripheral} 1",
		"  hw.battery.charge_state{hw.battery.state=discharging,hw.id=battery/BAT0,hw.name=BAT0} 1",
		"  hw.battery.charge_state{hw.battery.state=discharging,hw.id=battery/BAT1,hw.name=BAT1} 0",
		"  hw.battery.charge_state{hw.battery.state=discharging,hw.id=battery/hidpp_battery_0,hw.name=hidpp_battery_0,hw.parent=peripheral} 0",
		"  hw.battery.charge_state{hw.battery.state=full,hw.id=battery/BAT0,hw.name=BAT0} 0",
		"  hw.battery.charge_state{hw.battery.state=full,hw.id=battery/BAT1,hw.name=BAT1} 0",
		"  hw.battery.charge_state{hw.battery.state=full,hw.id=battery/hidpp_battery_0,hw.name=hidpp_battery_0,hw.parent=peripheral} 0",
		"  hw.battery.charge_state{hw.battery.state=unknown,hw.id=battery/BAT0,hw.name=BAT0} 0",
		"  hw.battery.charge_state{hw.battery.state=unknown,hw.id=battery/BAT1,hw.name=BAT1} 1",
		"  hw.battery.charge_state{hw.battery.state=unknown,hw.id=battery/hidpp_battery_0,hw.name=hidpp_battery_0,hw.parent=peripheral} 0",
		"  hw.battery.charge{hw.battery.capacity=50.16Wh,hw.battery.chemistry=Li-ion,hw.id=battery/BAT0,hw.model=DELL X,hw.name=BAT0,hw.vendor=SMP} 1.02",
		"  hw.battery.charge{hw.id=battery/hidpp_battery_0,hw.model=MX Master,hw.name=hidpp_battery_0,hw.parent=peripheral} 0.25",
		"  hw.battery.energy.limit{hw.id=battery/BAT0,hw.name=BAT0} 150000",
		"  hw.battery.energy.remaining{hw.id=battery/BAT0,hw.name=BAT0} 153000",
		"  hw.battery.power{hw.battery.state=discharging,hw.id=battery/BAT0,hw.name=BAT0} 12.5",
		"  hw.battery.time_left{hw.battery.capacity=50.16Wh,hw.battery.chemistry=Li-ion,hw.battery.state=discharging,hw.id=battery/BAT0,hw.model=DELL X,hw.name=BAT0,hw.state=ok,hw.vendor=SMP} 12240",
		"  hw.power_supply.online{hw.id=power_supply/AC,hw.name=AC} 0",
		"  hw.power_supply.online{hw.id=power_supply/ucsi-source-psy-1,hw.name=ucsi-source-psy-1} 0",
		"  hw.status{hw.id=battery/BAT0,hw.name=BAT0,hw.state=charging,hw.type=battery} 0",
		"  hw.status{hw.id=battery/BAT0,hw.name=BAT0,hw.state=degraded,hw.type=battery} 1",
		"  hw.status{hw.id=battery/BAT0,hw.name=BAT0,hw.state=discharging,hw.type=battery} 1",
		"  hw.status{hw.id=battery/BAT0,hw.name=BAT0,hw.state=failed,hw.type=battery} 0",
		"  hw.status{hw.id=battery/BAT0,hw.name=BAT0,hw.state=ok,hw.type=battery} 0",
		"  hw.status{hw.id=battery/BAT1,hw.name=BAT1,hw.state=charging,hw.type=battery} 0",
		"  hw.status{hw.id=battery/BAT1,hw.name=BAT1,hw.state=degraded,hw.type=battery} 0",
		"  hw.status{hw.id=battery/BAT1,hw.name=BAT1,hw.state=discharging,hw.type=battery} 0",
		"  hw.status{hw.id=battery/BAT1,hw.name=BAT1,hw.state=failed,hw.type=battery} 0",
		"  hw.status{hw.id=battery/BAT1,hw.name=BAT1,hw.state=ok,hw.type=battery} 1",
		"  hw.status{hw.id=battery/hidpp_battery_0,hw.name=hidpp_battery_0,hw.parent=peripheral,hw.state=charging,hw.type=battery} 1",
		"  hw.status{hw.id=battery/hidpp_battery_0,hw.name=hidpp_battery_0,hw.parent=peripheral,hw.state=degraded,hw.type=battery} 0",
		"  hw.status{hw.id=battery/hidpp_battery_0,hw.name=hidpp_battery_0,hw.parent=peripheral,hw.state=discharging,hw.type=battery} 0",
		"  hw.status{hw.id=battery/hidpp_battery_0,hw.name=hidpp_battery_0,hw.parent=peripheral,hw.state=failed,hw.type=battery} 0",
		"  hw.status{hw.id=battery/hidpp_battery_0,hw.name=hidpp_battery_0,hw.parent=peripheral,hw.state=ok,hw.type=battery} 1",
		"  hw.temperature{hw.id=temperature/battery/BAT0,hw.name=BAT0,hw.parent=battery/BAT0,hw.sensor_location=battery} 31.5",
		"  system.power.ac.online 0",
	}, lines)
}

// TestOptionalOfBatteries has what must be switched on.
func TestOptionalOfBatteries(t *testing.T) {
	h := &fakeHost{power: laptop()}
	s := scraperOn(t, platform.Linux, h, only("hw.battery.charge.limit", "hw.battery.cycle.count", "hw.battery.energy.design_limit", "hw.current", "hw.voltage"))
	lines, err := scrape(t, s)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"resource",
		"  hw.battery.charge.limit{hw.battery.capacity=50.16Wh,hw.battery.chemistry=Li-ion,hw.id=battery/BAT0,hw.limit_type=max,hw.model=DELL X,hw.name=BAT0,hw.vendor=SMP} 0.8",
		"  hw.battery.cycle.count{hw.id=battery/BAT0,hw.name=BAT0} 113",
		"  hw.battery.energy.design_limit{hw.id=battery/BAT0,hw.name=BAT0} 180576",
		"  hw.current{hw.id=current/battery/BAT0,hw.name=BAT0,hw.parent=battery/BAT0,hw.sensor_location=battery} -1.0625",
		"  hw.voltage{hw.id=voltage/battery/BAT0,hw.name=BAT0,hw.parent=battery/BAT0,hw.sensor_location=battery} 11.8",
		"  hw.voltage{hw.id=voltage/power_supply/ucsi-source-psy-1,hw.name=ucsi-source-psy-1,hw.parent=power_supply/ucsi-source-psy-1,hw.sensor_location=power_supply} 0",
	}, lines)
	assert.Equal(t, platform.PowerChargeStart|platform.PowerChargeEnd, h.fields)
	assert.Equal(t, platform.SensorRequest{platform.SensorVoltage: platform.SensorValue, platform.SensorCurrent: platform.SensorValue}, h.want)
	assert.Equal(t, map[string]int{"EIO": 2}, s.Unread())
}

// TestOtherBattery: the cycles of another battery in the slot are no fall of
// those of the first.
func TestOtherBattery(t *testing.T) {
	h := &fakeHost{}
	s := scraperOn(t, platform.Linux, h, only("hw.battery.cycle.count"))
	at := func(minute int) time.Time { return now.Add(time.Duration(minute) * time.Minute) }
	for i, tt := range []struct {
		cycles int64 // 0: the slot is empty
		start  time.Time
	}{{113, boot}, {114, boot}, {0, boot}, {114, boot}, {9, at(3)}, {10, at(3)}, {0, boot}, {0, boot}, {3, at(7)}} {
		h.power = nil
		if tt.cycles > 0 {
			b := battery("BAT0", platform.ChargeFull)
			b.Got |= platform.PowerCycles
			b.Cycles = tt.cycles
			h.power = []platform.PowerSupply{b}
		}
		points := 0
		require.NoError(t, s.Scrape(t.Context(), &platform.Snapshot{Time: at(i), Boot: boot}, func(md pmetric.Metrics) error {
			p := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0)
			assert.Equal(t, tt.cycles, p.IntValue(), i)
			assert.Equal(t, tt.start, p.StartTimestamp().AsTime(), i)
			points++
			return nil
		}))
		assert.Equal(t, tt.cycles > 0, points == 1, i)
	}
}

// only is a configuration in which these metrics are enabled and no others.
// After its name may stand what else is said of one.
func only(enabled ...string) string {
	settings := map[string]string{}
	for _, e := range enabled {
		name, more, _ := strings.Cut(e, " ")
		settings[name] = ", " + more
	}
	yaml := "metrics:\n"
	for _, m := range metrics {
		more, on := settings[m.name]
		yaml += fmt.Sprintf("  %s: {enabled: %t%s}\n", m.name, on, strings.TrimSuffix(more, ", "))
	}
	return yaml
}

func TestTimesAndScope(t *testing.T) {
	s := scraperOn(t, platform.Linux, &fakeHost{power: laptop()}, "")
	require.NoError(t, s.Scrape(t.Context(), &platform.Snapshot{Time: now, Boot: boot}, func(md pmetric.Metrics) error {
		scope := md.ResourceMetrics().At(0).ScopeMetrics().At(0)
		assert.Equal(t, metadata.ScopeName, scope.Scope().Name())
		assert.Equal(t, "1.2.3", scope.Scope().Version())
		assert.Equal(t, "hw.battery.charge", scope.Metrics().At(0).Name())
		assert.Equal(t, now, scope.Metrics().At(0).Gauge().DataPoints().At(0).Timestamp().AsTime())
		assert.Equal(t, boot, scope.Metrics().At(1).Sum().DataPoints().At(0).StartTimestamp().AsTime())
		return errors.New("refused") // not an error of the scrape
	}))
}

func TestAttributes(t *testing.T) {
	lines, err := scrape(t, scraperOn(t, platform.Linux, &fakeHost{power: laptop()}, only(
		"hw.battery.charge attributes: [hw.id, hw.vendor]", "hw.power_supply.online attributes: [hw.id]", "hw.temperature attributes: [hw.id]")))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"resource",
		"  hw.battery.charge{hw.id=battery/BAT0,hw.vendor=SMP} 1.02",
		"  hw.battery.charge{hw.id=battery/hidpp_battery_0,hw.parent=peripheral} 0.25", // known, so required
		"  hw.power_supply.online{hw.id=power_supply/AC} 0",
		"  hw.power_supply.online{hw.id=power_supply/ucsi-source-psy-1} 0",
		"  hw.temperature{hw.id=temperature/battery/BAT0,hw.parent=battery/BAT0} 31.5",
	}, lines)
}

func TestCapacity(t *testing.T) {
	for want, p := range map[string]platform.PowerSupply{
		"":         {DesignEnergy: 50},
		"50Wh":     {Got: platform.PowerDesignEnergy, DesignEnergy: 180000},
		"50.16Wh":  {Got: platform.PowerDesignEnergy, DesignEnergy: 180576.00000000003},
		"57.021Wh": {Got: platform.PowerDesignEnergy, DesignEnergy: 205275.24, DesignCharge: 5},
		"4.5Ah":    {Got: platform.PowerDesignEnergy | platform.PowerDesignCharge, DesignEnergy: 50, DesignCharge: 4.5},
	} {
		assert.Equal(t, want, capacity(&p))
	}
}

func TestOnACPower(t *testing.T) {
	const (
		unknown     = platform.ChargeUnknown
		charging    = platform.ChargeCharging
		discharging = platform.ChargeDischarging
		full        = platform.ChargeFull
	)
	silent := supply("AC", true)
	silent.Got = 0
	mute := battery("BAT0", charging)
	mute.Got = 0
	mouse := battery("mouse", charging)
	mouse.Kind = platform.PowerPeripheral
	type list = []platform.PowerSupply
	for name, tt := range map[string]struct {
		power list
		want  string
	}{
		"nothing":                        {nil, "unknown"},
		"online":                         {list{supply("AC", true)}, "yes"},
		"offline":                        {list{supply("AC", false)}, "no"},
		"one of two online":              {list{supply("AC", false), supply("USB", true)}, "yes"},
		"online, whatever batteries say": {list{battery("BAT0", discharging), supply("AC", true)}, "yes"},
		"charging":                       {list{battery("BAT0", charging)}, "yes"},
		"discharging":                    {list{battery("BAT0", discharging)}, "no"},
		"offline yet charging":           {list{supply("AC", false), battery("BAT0", charging)}, "yes"},
		"the first of two":               {list{battery("BAT0", discharging), battery("BAT1", charging)}, "no"},
		"the first that does either":     {list{battery("BAT0", full), battery("BAT1", unknown), battery("BAT2", charging), battery("BAT3", discharging)}, "yes"},
		"full":                           {list{battery("BAT0", full), battery("BAT1", full)}, "yes"},
		"full, offline":                  {list{battery("BAT0", full), supply("AC", false)}, "yes"},
		"full and unknown":               {list{battery("BAT0", full), battery("BAT1", unknown)}, "unknown"},
		"full and unknown, offline":      {list{battery("BAT0", full), battery("BAT1", unknown), supply("AC", false)}, "no"},
		"unknown":                        {list{battery("BAT0", unknown)}, "unknown"},
		"a status that was not got":      {list{mute}, "unknown"},
		"a supply that does not tell":    {list{silent}, "unknown"},
		"a mouse that charges":           {list{mouse}, "unknown"},
		"a mouse that charges, offline":  {list{mouse, supply("AC", false)}, "no"},
		"other things":                   {list{{Name: "x", Kind: platform.PowerOther, Got: platform.PowerOnline, Online: true}}, "unknown"},
	} {
		online, known := onACPower(tt.power)
		got := map[bool]string{true: "yes", false: "no"}[online]
		if !known {
			got = "unknown"
			assert.False(t, online, name)
		}
		assert.Equal(t, tt.want, got, name)
	}
}

// TestNothing: a host without any power supply emits nothing.
func TestNothing(t *testing.T) {
	lines, err := scrape(t, scraperOn(t, platform.Linux, &fakeHost{}, ""))
	require.NoError(t, err)
	assert.Empty(t, lines)
}

// TestErrors: what cannot be read is told, and the rest is emitted.
func TestErrors(t *testing.T) {
	h := &fakeHost{power: []platform.PowerSupply{supply("AC", true)}, err: fmt.Errorf("BAT0/uevent: %w", platform.ErrMalformed)}
	lines, err := scrape(t, scraperOn(t, platform.Linux, h, ""))
	require.ErrorIs(t, err, platform.ErrMalformed)
	require.EqualError(t, err, "power supplies: BAT0/uevent: malformed")
	assert.Equal(t, []string{
		"resource",
		"  hw.power_supply.online{hw.id=power_supply/AC,hw.name=AC} 1",
		"  system.power.ac.online 1",
	}, lines)
}

// TestPayForWhatIsEnabled: nothing is read for metrics that are disabled or
// that the system does not have.
func TestPayForWhatIsEnabled(t *testing.T) {
	for name, tt := range map[string]struct {
		on    platform.OS
		yaml  string
		asked [3]int
		want  platform.SensorRequest
	}{
		"defaults":          {platform.Linux, "", [3]int{2, 2, 0}, platform.SensorRequest{platform.SensorTemperature: platform.SensorValue, platform.SensorFan: platform.SensorValue}},
		"nothing":           {platform.Linux, only(), [3]int{}, platform.SensorRequest{}},
		"another system":    {0, "", [3]int{}, platform.SensorRequest{}},
		"supplies":          {platform.Linux, only("hw.power_supply.online"), [3]int{2, 0, 0}, platform.SensorRequest{}},
		"fans":              {platform.Linux, only("hw.fan.speed_ratio"), [3]int{0, 2, 0}, platform.SensorRequest{platform.SensorFan: platform.SensorValue | platform.SensorMax}},
		"limits":            {platform.Linux, only("hw.voltage.limit"), [3]int{0, 2, 0}, platform.SensorRequest{platform.SensorVoltage: platform.SensorLimits}},
		"limits and status": {platform.Linux, only("hw.voltage.limit", "hw.status"), [3]int{2, 2, 0}, platform.SensorRequest{platform.SensorVoltage: platform.SensorLimits | platform.SensorHealth}},
		"status":            {platform.Linux, only("hw.status", "hw.temperature"), [3]int{2, 2, 0}, platform.SensorRequest{platform.SensorTemperature: platform.SensorValue}},
		"energy":            {platform.Linux, only("hw.energy"), [3]int{0, 2, 2}, platform.SensorRequest{platform.SensorEnergy: platform.SensorValue}},
		"energy of host":    {platform.Linux, only("hw.host.energy"), [3]int{0, 0, 2}, platform.SensorRequest{}},
		"power of host":     {platform.Linux, only("hw.host.power"), [3]int{0, 2, 0}, platform.SensorRequest{platform.SensorPower: platform.SensorValue}},
		"margin": {platform.Linux, only("hw.host.heating_margin", "hw.status"), [3]int{2, 2, 0},
			platform.SensorRequest{platform.SensorTemperature: platform.SensorValue | platform.SensorMax | platform.SensorCritical}},
	} {
		h := &fakeHost{power: laptop()}
		_, err := scrape(t, scraperOn(t, tt.on, h, tt.yaml))
		require.NoError(t, err)
		assert.Equal(t, tt.asked, h.asked, name)
		assert.Equal(t, tt.want, h.want, name)
	}
}

func TestMissingAndUses(t *testing.T) {
	s := scraperOn(t, platform.Linux, &fakeHost{}, only("hw.power_supply.online", "hw.temperature", "hw.energy"))
	assert.Empty(t, s.Missing(platform.Linux))
	assert.Equal(t, []string{"hw.power_supply.online", "hw.temperature", "hw.energy"}, s.Missing(0))
	assert.Empty(t, s.Uses(platform.AllFields))
	assert.Zero(t, s.Fields())
}

// TestTable: all that metadata.yaml declares has a row, and only that.
func TestTable(t *testing.T) {
	catalog, err := emit.Parse(metadataYAML)
	require.NoError(t, err)
	require.Equal(t, metadata.ScopeName, catalog.Scope)
	var rows []string
	for _, m := range metrics {
		rows = append(rows, m.name)
	}
	for name := range catalog.Metrics {
		assert.Contains(t, rows, name)
	}
	assert.Len(t, rows, len(catalog.Metrics))
}

// TestNew makes a scraper of the defaults as the receiver does.
func TestNew(t *testing.T) {
	cfg := NewConfig()
	s, err := New(nil, &cfg, "")
	require.NoError(t, err)
	on := 0
	for _, m := range metrics {
		if s.scope.Points(m.name).Enabled() {
			on++
		}
	}
	assert.Len(t, s.metrics, on)
	assert.Equal(t, 11, on)
}
