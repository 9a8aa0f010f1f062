// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import (
	"errors"
	"fmt"
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
	power []platform.PowerSupply
	err   error
	asked int
}

func (h *fakeHost) PowerSupplies(dst []platform.PowerSupply) ([]platform.PowerSupply, error) {
	h.asked++
	return append(dst, h.power...), h.err
}

func battery(name string, status platform.ChargeState) platform.PowerSupply {
	return platform.PowerSupply{Name: name, Kind: platform.PowerBattery, Got: platform.PowerStatus | platform.PowerCharge, Status: status, Charge: 0.5}
}

func supply(name string, online bool) platform.PowerSupply {
	return platform.PowerSupply{Name: name, Kind: platform.PowerMains, Got: platform.PowerOnline, Online: online}
}

// laptop has what laptops have.
func laptop() []platform.PowerSupply {
	full := battery("BAT0", platform.ChargeDischarging)
	full.Got |= platform.PowerDesignEnergy | platform.PowerDesignCharge
	full.Charge, full.DesignEnergy, full.DesignCharge = 1.02, 50.16, 4.4
	full.Model, full.Vendor, full.Technology = "DELL X", "SMP", "Li-ion"

	mouse := battery("hidpp_battery_0", platform.ChargeCharging)
	mouse.Kind, mouse.Charge, mouse.Model = platform.PowerPeripheral, 0.25, "MX Master"

	unknown := battery("BAT1", platform.ChargeUnknown)
	unknown.Got = platform.PowerStatus | platform.PowerDesignCharge
	unknown.DesignCharge = 4.5
	return []platform.PowerSupply{supply("AC", false), full, unknown, mouse, supply("ucsi-source-psy-1", false)}
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

func TestScrape(t *testing.T) {
	lines, err := scrape(t, scraperOn(t, platform.Linux, &fakeHost{power: laptop()}, ""))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"resource",
		"  hw.battery.charge{hw.battery.capacity=50.16Wh,hw.battery.chemistry=Li-ion,hw.id=battery/BAT0,hw.model=DELL X,hw.name=BAT0,hw.vendor=SMP} 1.02",
		"  hw.battery.charge{hw.id=battery/hidpp_battery_0,hw.model=MX Master,hw.name=hidpp_battery_0,hw.parent=peripheral} 0.25",
		"  hw.power_supply.online{hw.id=power_supply/AC,hw.name=AC} 0",
		"  hw.power_supply.online{hw.id=power_supply/ucsi-source-psy-1,hw.name=ucsi-source-psy-1} 0",
		"  system.power.ac.online 0",
	}, lines)
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
	h := &fakeHost{power: laptop()}
	lines, err := scrape(t, scraperOn(t, platform.Linux, h, `
metrics:
  hw.battery.charge: {attributes: [hw.id, hw.vendor]}
  hw.power_supply.online: {attributes: [hw.id]}
  system.power.ac.online: {enabled: false}
`))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"resource",
		"  hw.battery.charge{hw.id=battery/BAT0,hw.vendor=SMP} 1.02",
		"  hw.battery.charge{hw.id=battery/hidpp_battery_0,hw.parent=peripheral} 0.25", // known, so required
		"  hw.power_supply.online{hw.id=power_supply/AC} 0",
		"  hw.power_supply.online{hw.id=power_supply/ucsi-source-psy-1} 0",
	}, lines)
}

func TestCapacity(t *testing.T) {
	for want, p := range map[string]platform.PowerSupply{
		"":         {DesignEnergy: 50},
		"50Wh":     {Got: platform.PowerDesignEnergy, DesignEnergy: 50},
		"50.16Wh":  {Got: platform.PowerDesignEnergy, DesignEnergy: 50.160000000000004},
		"57.021Wh": {Got: platform.PowerDesignEnergy | platform.PowerDesignCharge, DesignEnergy: 57.0209, DesignCharge: 5},
		"4.5Ah":    {Got: platform.PowerDesignCharge, DesignEnergy: 50, DesignCharge: 4.5},
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
	off := "metrics: {hw.battery.charge: {enabled: false}, hw.power_supply.online: {enabled: false}, system.power.ac.online: {enabled: false}}"
	for _, tt := range []struct {
		on    platform.OS
		yaml  string
		asked int
	}{{platform.Linux, "", 2}, {platform.Linux, off, 0}, {0, "", 0}} {
		h := &fakeHost{power: laptop()}
		_, err := scrape(t, scraperOn(t, tt.on, h, tt.yaml))
		require.NoError(t, err)
		assert.Equal(t, tt.asked, h.asked)
	}
}

func TestMissingAndUses(t *testing.T) {
	s := scraperOn(t, platform.Linux, &fakeHost{}, "metrics: {hw.battery.charge: {enabled: false}}")
	assert.Empty(t, s.Missing(platform.Linux))
	assert.Equal(t, []string{"hw.power_supply.online", "system.power.ac.online"}, s.Missing(0))
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
	assert.Len(t, s.metrics, len(metrics))
}
