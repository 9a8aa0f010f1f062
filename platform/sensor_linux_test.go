// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// everySensor asks for all that sensors tell.
var everySensor = func() (r SensorRequest) {
	for k := range r {
		r[k] = SensorValue | SensorLimits | SensorHealth
	}
	return r
}()

// chip makes a hwmon device: its number, its folder below /sys, its files.
func (tr tree) chip(number int, device string, files map[string]string) {
	name := fmt.Sprintf("hwmon%d", number)
	dir := "sys/" + device + "/" + name + "/"
	for file, content := range files {
		tr.write(dir+file, content+"\n")
	}
	require.NoError(tr.t, os.MkdirAll(filepath.Join(tr.dir, "sys/class/hwmon"), 0o755))
	tr.link("sys/class/hwmon/"+name, "../../"+device+"/"+name)
}

func sensorsOf(t *testing.T, h *Host, want SensorRequest) []Sensor {
	t.Helper()
	got, err := h.Sensors(t.Context(), nil, want, nil)
	require.NoError(t, err)
	return got
}

// values are what sensors measure, by ID.
func values(sensors []Sensor) map[string]float64 {
	m := map[string]float64{}
	for _, s := range sensors {
		if s.Got.Has(SensorValue) {
			m[s.ID] = s.Value
		}
	}
	return m
}

func TestSensors(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	assert.Empty(t, sensorsOf(t, h, everySensor), "a machine without any")

	tr.chip(0, "devices/platform/coretemp.0/hwmon", map[string]string{
		"name": "coretemp", "temp1_input": "47000", "temp1_max": "80000", "temp1_crit": "100000", "temp1_crit_alarm": "0", "temp1_label": "Package id 0",
		"temp10_input": "-5500", "temp10_label": "Core 8",
		"temp2_input": "45125", "temp2_max": "80000", "temp2_crit": "100000", "temp2_crit_alarm": "1", "temp2_label": "Core 0", "temp2_crit_hyst": "1",
	})
	tr.chip(1, "devices/platform/nct6775.656/hwmon", map[string]string{
		"name": "nct6798", "in0_input": "1160", "in0_min": "0", "in0_max": "1744", "in0_alarm": "1", "in1_input": "-12", "in1_max": "0", "in1_alarm": "1", "in2_lcrit_alarm": "1",
		"fan1_input": "1250", "fan1_min": "300", "fan1_alarm": "0", "fan2_input": "0", "fan2_min": "0", "fan2_alarm": "1", "fan3_input": "0", "fan3_min": "200", "fan3_alarm": "1",
		"temp1_input": "-62000", "temp1_max": "0", "temp1_fault": "1", "temp3_alarm": "0", "intrusion0_alarm": "1", "pwm1": "128",
		"curr1_input": "-250", "power1_average": "25500000", "power2_input": "1", "power2_average": "2", "energy1_input": "98765432101", "humidity1_input": "40000",
	})
	static := func(chip, driver, name, label string, kind SensorKind) Sensor {
		return Sensor{ID: chip + "/" + name, Chip: chip, Driver: driver, Name: name, Label: label, Kind: kind}
	}
	with := func(s Sensor, got SensorFields, value float64, more func(*Sensor)) Sensor {
		s.Got, s.Value = got, value
		if more != nil {
			more(&s)
		}
		return s
	}
	cpu := func(name, label string) Sensor {
		return static("coretemp.0", "coretemp", name, label, SensorTemperature)
	}
	board := func(name string, kind SensorKind) Sensor {
		return static("nct6798-nct6775.656", "nct6798", name, "", kind)
	}
	want := []Sensor{
		with(cpu("temp1", "Package id 0"), SensorValue|SensorMax|SensorCritical|SensorHealth, 47, func(s *Sensor) { s.Max, s.Critical, s.Health = 80, 100, HealthGood }),
		with(cpu("temp2", "Core 0"), SensorValue|SensorMax|SensorCritical|SensorHealth, 45.125, func(s *Sensor) { s.Max, s.Critical, s.Health = 80, 100, HealthFailed }),
		with(cpu("temp10", "Core 8"), SensorValue, -5.5, nil),
		with(board("temp1", SensorTemperature), SensorHealth, 0, func(s *Sensor) { s.Health = HealthFailed }),
		with(board("temp3", SensorTemperature), SensorHealth, 0, func(s *Sensor) { s.Health = HealthGood }),
		with(board("fan1", SensorFan), SensorValue|SensorMin|SensorHealth, 1250, func(s *Sensor) { s.Min, s.Health = 300, HealthGood }),
		with(board("fan2", SensorFan), SensorValue, 0, nil), // its alarm is about nothing
		with(board("fan3", SensorFan), SensorValue|SensorMin|SensorHealth, 0, func(s *Sensor) { s.Min, s.Health = 200, HealthFailed }),
		with(board("in0", SensorVoltage), SensorValue|SensorMin|SensorMax|SensorHealth, 1.16, func(s *Sensor) { s.Max, s.Health = 1.744, HealthDegraded }),
		with(board("in1", SensorVoltage), SensorValue, -0.012, nil),
		with(board("in2", SensorVoltage), SensorHealth, 0, func(s *Sensor) { s.Health = HealthFailed }),
		with(board("curr1", SensorCurrent), SensorValue, -0.25, nil),
		with(board("power1", SensorPower), SensorValue, 25.5, nil),
		with(board("power2", SensorPower), SensorValue, 1e-6, nil),
		with(board("energy1", SensorEnergy), SensorValue, 98765.432101, nil),
	}
	for range 2 { // also of those that are known
		assert.Equal(t, want, sensorsOf(t, h, everySensor))
	}
	assert.Empty(t, h.Unread())

	// Only what is wanted.
	got := sensorsOf(t, h, SensorRequest{SensorFan: SensorValue, SensorTemperature: SensorMax})
	assert.Equal(t, map[string]float64{"nct6798-nct6775.656/fan1": 1250, "nct6798-nct6775.656/fan2": 0, "nct6798-nct6775.656/fan3": 0}, values(got))
	require.Len(t, got, 5)
	assert.Equal(t, SensorMax, got[0].Got)
	assert.InDelta(t, 80, got[0].Max, 0)
}

// TestSensorHealth: what alarms say, the worst of it.
func TestSensorHealth(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  Health
	}{
		"no alarm":       {map[string]string{"temp1_input": "1000"}, HealthUnknown},
		"all is well":    {map[string]string{"temp1_input": "1000", "temp1_max_alarm": "0", "temp1_crit_alarm": "0", "temp1_fault": "0"}, HealthGood},
		"too low":        {map[string]string{"temp1_input": "1000", "temp1_min_alarm": "1", "temp1_crit_alarm": "0"}, HealthDegraded},
		"too high":       {map[string]string{"temp1_input": "1000", "temp1_max_alarm": "1"}, HealthDegraded},
		"something":      {map[string]string{"in1_input": "1000", "in1_alarm": "1"}, HealthDegraded},
		"critical":       {map[string]string{"temp1_input": "1000", "temp1_max_alarm": "1", "temp1_crit_alarm": "1"}, HealthFailed},
		"critically low": {map[string]string{"in1_input": "1000", "in1_lcrit_alarm": "1"}, HealthFailed},
		"without limits": {map[string]string{"temp1_input": "1000", "temp1_max": "0", "temp1_alarm": "1", "temp1_crit": "0", "temp1_crit_alarm": "1"}, HealthUnknown},
		"of one limit":   {map[string]string{"temp1_input": "1000", "temp1_max": "0", "temp1_max_alarm": "1", "temp1_crit": "90000", "temp1_crit_alarm": "0"}, HealthGood},
		"emergency":      {map[string]string{"temp1_input": "1000", "temp1_emergency_alarm": "1", "temp1_max_alarm": "0"}, HealthFailed},
		"fault":          {map[string]string{"fan1_input": "1000", "fan1_fault": "1"}, HealthFailed},
		"slow":           {map[string]string{"fan1_input": "100", "fan1_alarm": "1"}, HealthDegraded},
		"stands":         {map[string]string{"fan1_input": "0", "fan1_min_alarm": "1"}, HealthFailed},
		"rests":          {map[string]string{"fan1_input": "0", "fan1_alarm": "0"}, HealthGood},
	} {
		tr := newTree(t)
		tt.files["name"] = "chip"
		tr.chip(0, "devices/platform/chip.0/hwmon", tt.files)
		got := sensorsOf(t, tr.open(), everySensor)
		require.Len(t, got, 1, name)
		assert.Equal(t, tt.want, got[0].Health, name)
		assert.Equal(t, tt.want != HealthUnknown, got[0].Got.Has(SensorHealth), name)
		assert.Equal(t, name != "fault", got[0].Got.Has(SensorValue), name)
	}
}

// TestUnlikelySensors: numbers that stand for unknown, or for no limit.
func TestUnlikelySensors(t *testing.T) {
	tr := newTree(t)
	tr.chip(0, "devices/pci0000:00/0000:03:00.0/nvme/nvme0", map[string]string{
		"name": "nvme", "temp1_input": "36850", "temp1_max": "84850", "temp1_min": "-273150", "temp1_crit": "89850",
		"temp2_input": "-273150", "temp2_max": "65261850", "temp2_min": "-273150", "temp3_input": "-273200", "temp4_input": "-40000", "temp4_min": "-55000",
		"temp5_input": "0", "temp5_max": "0", "temp5_crit": "-1000", "temp5_lcrit": "0", "temp6_input": "5000", "temp6_min": "0", "temp6_lcrit": "0", "temp6_crit": "60000", "fan1_input": "-1", "fan1_max": "0", "fan3_input": "65535", "fan2_input": "12000", "fan2_max": "12500",
		"in1_input": "0", "in1_crit": "0", "in1_lcrit": "-100", "power1_average": "4294967295000", "power2_average": "4294967294000",
	})
	type limits struct{ value, lowCritical, low, high, critical any }
	got := map[string]limits{}
	for _, s := range sensorsOf(t, tr.open(), everySensor) {
		of := func(f SensorFields, v float64) any {
			if s.Got.Has(f) {
				return v
			}
			return nil
		}
		got[s.Name] = limits{of(SensorValue, s.Value), of(SensorLowCritical, s.LowCritical), of(SensorMin, s.Min), of(SensorMax, s.Max), of(SensorCritical, s.Critical)}
	}
	assert.Equal(t, map[string]limits{
		"temp1":  {36.85, nil, nil, 84.85, 89.85},
		"temp4":  {-40.0, nil, -55.0, nil, nil},
		"temp5":  {0.0, nil, nil, nil, nil},
		"temp6":  {5.0, 0.0, 0.0, nil, 60.0},
		"fan2":   {12000.0, nil, nil, 12500.0, nil},
		"in1":    {0.0, -0.1, nil, nil, nil},
		"power2": {4294967.294, nil, nil, nil, nil},
	}, got)
}

// TestSensorsStay: two drives of one kind stay two, each with its own name,
// when all get other numbers; what comes is there, what goes is gone.
func TestSensorsStay(t *testing.T) {
	const first, second = "devices/pci0000:00/0000:01:00.0/nvme", "devices/pci0000:00/0000:02:00.0/nvme"
	drive := func(input string) map[string]string {
		return map[string]string{"name": "nvme", "temp1_input": input, "temp1_label": "Composite"}
	}
	tr := newTree(t)
	tr.chip(0, first+"/nvme0", drive("30000"))
	tr.chip(1, second+"/nvme1", drive("40000"))
	h := tr.open()
	want := map[string]float64{"nvme-0000:01:00.0/temp1": 30, "nvme-0000:02:00.0/temp1": 40}
	assert.Equal(t, want, values(sensorsOf(t, h, everySensor)))

	// The numbers are exchanged between two scrapes. The old folders are kept
	// until there are new ones: no inode is used again, as in sysfs.
	require.NoError(t, os.Rename(filepath.Join(tr.dir, "sys"), filepath.Join(tr.dir, "old")))
	tr.chip(1, first+"/nvme1", drive("31000"))
	tr.chip(0, second+"/nvme0", drive("41000"))
	want = map[string]float64{"nvme-0000:01:00.0/temp1": 31, "nvme-0000:02:00.0/temp1": 41}
	assert.Equal(t, want, values(sensorsOf(t, h, everySensor)))

	tr.remove("sys/class/hwmon/hwmon0")
	tr.remove("sys/" + second)
	tr.chip(7, "devices/pci0000:00/0000:00:18.3/hwmon", map[string]string{"name": "k10temp", "temp1_input": "55000"})
	want = map[string]float64{"nvme-0000:01:00.0/temp1": 31, "k10temp-0000:00:18.3/temp1": 55}
	assert.Equal(t, want, values(sensorsOf(t, h, everySensor)))

	// A driver that is loaded anew has other files in the same place.
	tr.remove("sys/" + first + "/nvme1/hwmon1/temp1_input")
	tr.write("sys/"+first+"/nvme1/hwmon1/temp2_input", "32000\n")
	delete(want, "nvme-0000:01:00.0/temp1")
	assert.Equal(t, want, values(sensorsOf(t, h, everySensor)), "it is noticed")
	want["nvme-0000:01:00.0/temp2"] = 32
	assert.Equal(t, want, values(sensorsOf(t, h, everySensor)))
	assert.Empty(t, h.Unread())
}

// TestSensorsOfOnePlace: chips that their names do not tell apart.
func TestSensorsOfOnePlace(t *testing.T) {
	tr := newTree(t)
	for i, dir := range []string{"devices/pci0000:00/0000:00:14.0/i2c-1/1-0018/hwmon", "devices/pci0000:00/0000:00:14.0/i2c-0/0-0018/hwmon"} {
		tr.chip(i, dir, map[string]string{"name": "jc42", "temp1_input": fmt.Sprint(20000 + i)})
	}
	tr.write("sys/class/hwmon/hwmon2/temp1_input", "30000\n") // no link
	tr.write("sys/class/hwmon/hwmon2/name", "odd\n")
	tr.write("sys/class/hwmon/hwmon3/device/name", "old\n") // before Linux 3.13
	tr.write("sys/class/hwmon/hwmon3/device/temp1_input", "40000\n")
	tr.write("sys/class/hwmon/hwmon3/device/temp1_label", "CPU \n")
	tr.write("sys/class/hwmon/hwmon4/temp1_input", "50000\n") // no name
	tr.write("sys/class/hwmon/hwmon5/temp1_input", "60000\n")
	tr.write("sys/class/hwmon/hwmon5/device/name", "older\n")
	h := tr.open()
	want := map[string]float64{
		"jc42-0000:00:14.0-0018/temp1":                    20.001,
		"jc42-pci0000:00/0000:00:14.0/i2c-1/1-0018/temp1": 20,
		"odd-hwmon2/temp1":                                30, "old-hwmon3/temp1": 40, "hwmon4/temp1": 50, "older-hwmon5/temp1": 60,
	}
	got := sensorsOf(t, h, everySensor)
	assert.Equal(t, want, values(got))
	assert.Equal(t, "CPU", got[3].Label)
}

// TestPowerSuppliesAreNoSensors: the kernel makes chips of batteries.
func TestPowerSuppliesAreNoSensors(t *testing.T) {
	tr := newTree(t)
	tr.chip(0, "devices/LNXSYSTM:00/PNP0C0A:00/power_supply/BAT0", map[string]string{"name": "BAT0", "in0_input": "12000"})
	h := tr.open()
	assert.Empty(t, sensorsOf(t, h, everySensor))
	before := h.calls
	assert.Empty(t, sensorsOf(t, h, SensorRequest{SensorVoltage: SensorValue}))
	assert.Equal(t, listing, h.calls-before)
}

// thermal makes a thermal zone.
func (tr tree) thermal(number int, kind, temp string, trips ...string) {
	dir := fmt.Sprintf("sys/class/thermal/thermal_zone%d/", number)
	tr.write(dir+"type", kind+"\n")
	tr.write(dir+"temp", temp+"\n")
	for i := 0; i+1 < len(trips); i += 2 {
		tr.write(fmt.Sprintf("%strip_point_%d_type", dir, i/2), trips[i]+"\n")
		tr.write(fmt.Sprintf("%strip_point_%d_temp", dir, i/2), trips[i+1]+"\n")
	}
}

// TestThermalZones: those that no chip tells of.
func TestThermalZones(t *testing.T) {
	tr := newTree(t)
	tr.thermal(0, "acpitz", "27800", "critical", "128000")
	tr.thermal(1, "INT3400 Thermal", "20000")
	tr.thermal(2, "x86_pkg_temp", "51000")
	tr.thermal(3, "soc-thermal", "45500", "passive", "70000", "active", "75000", "critical", "115000", "hot", "90000")
	tr.thermal(4, "gpu-thermal", "-274000", "critical", "0")
	tr.thermal(5, "SEN1", "38050")
	tr.thermal(10, "SEN1", "39050")
	tr.write("sys/class/thermal/cooling_device0/type", "Processor\n")
	h := tr.open()
	want := map[string]float64{
		"thermal-acpitz/temp": 27.8, "thermal-x86_pkg_temp/temp": 51, "thermal-soc-thermal/temp": 45.5, "thermal-SEN1/temp": 38.05, "thermal-SEN1-10/temp": 39.05,
	}
	for range 2 {
		assert.Equal(t, want, values(sensorsOf(t, h, everySensor)))
	}
	got := sensorsOf(t, h, everySensor)
	assert.Equal(t, Sensor{
		ID: "thermal-soc-thermal/temp", Chip: "thermal-soc-thermal", Driver: "soc-thermal", Name: "temp",
		Got: SensorValue | SensorCritical, Value: 45.5, Critical: 115,
	}, got[2])

	tr.chip(0, "devices/virtual/thermal/thermal_zone0", map[string]string{"name": "acpitz", "temp1_input": "27800"})
	tr.chip(1, "devices/platform/coretemp.0/hwmon", map[string]string{"name": "coretemp", "temp1_input": "51000"})
	tr.chip(2, "devices/virtual/thermal/thermal_zone3", map[string]string{"name": "soc_thermal", "temp1_input": "45500"})
	tr.chip(3, "devices/virtual/thermal/thermal_zone5", map[string]string{"name": "whatever", "temp1_input": "38050"})
	want = map[string]float64{
		"acpitz/temp1": 27.8, "coretemp.0/temp1": 51, "soc_thermal/temp1": 45.5, "whatever/temp1": 38.05, "thermal-SEN1-10/temp": 39.05,
	}
	for range 2 {
		assert.Equal(t, want, values(sensorsOf(t, h, everySensor)))
	}
	before := h.calls
	sensorsOf(t, h, SensorRequest{SensorTemperature: SensorValue})
	// Of zones that a chip tells of nothing is read.
	assert.Equal(t, listing+4*3+listing+2*3, h.calls-before)
	assert.Empty(t, h.Unread())

	// They are there at once when the chip goes.
	tr.remove("sys/class/hwmon/hwmon1")
	delete(want, "coretemp.0/temp1")
	want["thermal-x86_pkg_temp/temp"] = 51
	assert.Equal(t, want, values(sensorsOf(t, h, everySensor)))
}

// TestSensorsFail: what a device does not tell is absent and counted, what
// makes no sense is an error that names the file; the rest goes on.
func TestSensorsFail(t *testing.T) {
	tr := newTree(t)
	tr.chip(0, "devices/platform/chip.0/hwmon", map[string]string{"name": "chip", "temp1_input": "1000", "temp2_input": "hot", "temp3_input": "", "temp4_input": "", "temp5_input": "5000"})
	dir := filepath.Join(tr.dir, "sys/devices/platform/chip.0/hwmon/hwmon0")
	require.NoError(t, os.Remove(filepath.Join(dir, "temp3_input")))
	require.NoError(t, os.Symlink("/proc/self/mem", filepath.Join(dir, "temp3_input"))) // EIO
	require.NoError(t, os.Remove(filepath.Join(dir, "temp4_input")))
	require.NoError(t, os.Symlink("/proc/self/task", filepath.Join(dir, "temp4_input"))) // EISDIR
	h := tr.open()
	for range 2 {
		got, err := h.Sensors(t.Context(), nil, everySensor, nil)
		require.ErrorIs(t, err, ErrMalformed)
		assert.ErrorContains(t, err, "/hwmon0/temp2_input: malformed")
		assert.Equal(t, map[string]float64{"chip.0/temp1": 1, "chip.0/temp5": 5}, values(got))
		assert.Equal(t, map[string]int{"EIO": 1, "EISDIR": 1}, h.Unread())
		assert.Nil(t, h.Unread())
	}
	for errno, want := range map[unix.Errno]string{
		unix.ENODATA: "ENODATA", unix.EAGAIN: "EAGAIN", unix.EACCES: "access_denied", unix.ETIMEDOUT: "timeout_expired", unix.EOPNOTSUPP: "not_supported",
	} {
		h.sensors.count(errno, 3)
		assert.Equal(t, map[string]int{want: 3}, h.Unread())
	}
}

// TestSensorHangs: a bus that does not answer delays one reading, and costs
// that chip only.
func TestSensorHangs(t *testing.T) {
	tr := newTree(t)
	tr.chip(0, "devices/platform/stuck.0/hwmon", map[string]string{"name": "stuck", "temp1_input": "1"})
	tr.chip(1, "devices/platform/chip.0/hwmon", map[string]string{"name": "chip", "temp1_input": "1000"})
	h := tr.open()
	assert.Len(t, sensorsOf(t, h, everySensor), 2)
	fifo := filepath.Join(tr.dir, "sys/devices/platform/stuck.0/hwmon/hwmon0/temp1_input")
	require.NoError(t, os.Remove(fifo))
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	key := filepath.Join(tr.dir, "sys/class/hwmon/hwmon0")
	for range 2 {
		got, err := h.Sensors(t.Context(), nil, everySensor, nil)
		require.ErrorIs(t, err, ErrTimeoutExpired)
		assert.EqualError(t, err, key+": timeout expired")
		assert.Equal(t, map[string]float64{"chip.0/temp1": 1}, values(got))
	}
	done := h.bounded.stuck[key]
	w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = w.WriteString("2000\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	<-done
	require.NoError(t, os.Remove(fifo))
	require.NoError(t, os.WriteFile(fifo, []byte("3000\n"), 0o600))
	assert.Equal(t, map[string]float64{"stuck.0/temp1": 3, "chip.0/temp1": 1}, values(sensorsOf(t, h, everySensor)))
}

// TestCostOfSensors: what a chip has is looked up once. Then a reading takes
// listing the class, one call for each chip, and three for each value; it
// allocates nothing for a value.
func TestCostOfSensors(t *testing.T) {
	tr := newTree(t)
	const chips, each = 10, 20
	for i := range chips {
		files := map[string]string{"name": "chip"}
		for k := range each {
			files[fmt.Sprintf("temp%d_input", k+1)] = "30000"
			files[fmt.Sprintf("temp%d_label", k+1)] = fmt.Sprint("Sensor ", k)
			files[fmt.Sprintf("temp%d_crit", k+1)] = "90000"
			files[fmt.Sprintf("in%d_input", k+1)] = "1000"
		}
		tr.chip(i, fmt.Sprintf("devices/platform/chip.%d/hwmon", i), files)
	}
	h := tr.open()
	var dst []Sensor
	read := func(want SensorRequest) {
		var err error
		dst, err = h.Sensors(t.Context(), dst[:0], want, nil)
		require.NoError(t, err)
	}
	calls := func(want SensorRequest) int {
		before := h.calls
		read(want)
		return h.calls - before
	}
	value := SensorRequest{SensorTemperature: SensorValue}
	read(value)
	const noZones = 1 // there is no such folder
	assert.Equal(t, listing+chips*3*each+noZones, calls(value))
	require.Len(t, dst, chips*each)
	assert.Equal(t, listing+chips*2*3*each+noZones, calls(SensorRequest{SensorTemperature: SensorValue | SensorLimits}))
	assert.Equal(t, listing+chips*3*each, calls(SensorRequest{SensorVoltage: SensorValue}))
	assert.Equal(t, listing, calls(SensorRequest{SensorFan: SensorValue}))
	allocs := testing.AllocsPerRun(20, func() { read(value) })
	t.Logf("%d chips, %d values: %d system calls, %.0f allocations", chips, chips*each, listing+chips*3*each+noZones, allocs)
	assert.Less(t, allocs, 10.0*chips)
}

func TestEnergyZones(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	zones, err := h.EnergyZones(t.Context(), nil)
	require.NoError(t, err)
	assert.Empty(t, zones)
	const dir = "sys/class/powercap/"
	zone := func(name, kind, energy, most string) {
		tr.write(dir+name+"/name", kind+"\n")
		tr.write(dir+name+"/max_energy_range_uj", most+"\n")
		if energy != "" {
			tr.write(dir+name+"/energy_uj", energy+"\n")
		}
	}
	tr.write(dir+"intel-rapl/enabled", "1\n")
	zone("intel-rapl:0", "package-0", "166457000000", "262143328850")
	zone("intel-rapl:0:0", "core", "66457000000", "262143328850")
	zone("intel-rapl:0:1", "dram", "457", "65712999613")
	zone("intel-rapl:1", "psys", "", "262143328850")
	zone("intel-rapl-mmio:0", "package-0", "166457000000", "262143328850") // the same counter by another way
	for range 2 {
		zones, err = h.EnergyZones(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, []EnergyZone{
			{"package-0", "", 166457000000, 262143328850},
			{"core", "package-0", 66457000000, 262143328850},
			{"dram", "package-0", 457, 65712999613},
		}, zones)
	}
	assert.Empty(t, h.Unread())
}

// TestEnergyIsForRoot: what others may not read is absent, and only counted.
func TestEnergyIsForRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	tr := newTree(t)
	const dir = "sys/class/powercap/intel-rapl:0/"
	tr.write(dir+"name", "package-0\n")
	tr.write(dir+"max_energy_range_uj", "262143328850\n")
	tr.write(dir+"energy_uj", "1\n")
	require.NoError(t, os.Chmod(filepath.Join(tr.dir, dir, "energy_uj"), 0o400))
	for _, open := range []string{filepath.Dir(tr.dir), tr.dir} {
		require.NoError(t, os.Chmod(open, 0o755))
	}
	h := tr.open()
	zones, err := h.EnergyZones(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, zones, 1)
	m := h.sensors.rapl.members[0]
	unprivileged(t, func() { askRAPL(m) })
	assert.False(t, m.what.got)
	assert.Empty(t, m.errs)
	assert.Equal(t, map[unix.Errno]int{unix.EACCES: 1}, m.unread)
}

// TestHostileSensors: whatever files say, what is told is valid text and finite
// numbers, and nothing is read for ever.
func TestHostileSensors(t *testing.T) {
	tr := newTree(t)
	const huge = "99999999999999999999"
	tr.chip(0, "devices/platform/\xff\xfe.0/hwmon", map[string]string{
		"name": "bad\xffname\nnext", "temp1_input": "20000", "temp1_label": "\xc3(\x00", "temp2_input": "-9223372036854775808", "temp3_input": "9223372036854775807",
		"temp4_input": "20000", "temp4_max": huge, "temp4_fault": "perhaps", "fan1_input": huge, "in0_input": "1e3", "curr1_input": "", "power1_input": " 7 ", "energy1_input": "-1",
		"temp18446744073709551615_input": "1000", "temp5_input": "1000\n" + strings.Repeat("x", 1<<20),
	})
	require.NoError(t, os.Mkdir(filepath.Join(tr.dir, "sys/devices/platform/\xff\xfe.0/hwmon/hwmon0/temp6_input"), 0o755))
	tr.link("sys/class/hwmon/hwmon1", "../../devices/nowhere")
	tr.link("sys/class/hwmon/hwmon2", "hwmon2")
	tr.link("sys/class/hwmon/hwmon3", "../../../../../../../../../../etc")
	tr.write("sys/class/hwmon/hwmon", "a file\n")
	tr.write("sys/class/thermal/thermal_zone0/type", strings.Repeat("\xf0", 100)+"\n")
	tr.write("sys/class/thermal/thermal_zone0/temp", "1000\n")
	tr.supply("\xff", "TYPE=Battery", "STATUS=\xff", "MODEL_NAME=\xff", "MANUFACTURER="+strings.Repeat("m", 5000))
	tr.supply("BAT0", "TYPE=Battery", "STATUS=Charging", "ENERGY_NOW=9223372036854775807", "ENERGY_FULL=1", "ENERGY_FULL_DESIGN="+huge, "POWER_NOW=-9223372036854775808",
		"CURRENT_NOW=-9223372036854775808", "VOLTAGE_NOW=9223372036854775807", "TEMP=-9223372036854775808", "CAPACITY=-1", "CYCLE_COUNT=-5", "TIME_TO_FULL_NOW=-1")
	tr.supply("BAT1", "TYPE=Battery", "STATUS=Discharging", "CHARGE_NOW=9223372036854775807", "CHARGE_FULL=9223372036854775807", "VOLTAGE_NOW=9223372036854775807", "CURRENT_NOW=1")
	h := tr.open()
	for range 2 {
		got, err := h.Sensors(t.Context(), nil, everySensor, nil)
		require.ErrorIs(t, err, ErrMalformed)
		assert.Equal(t, 1, strings.Count(err.Error(), "temp4_max: malformed"))
		for _, s := range got {
			for _, text := range []string{s.ID, s.Chip, s.Driver, s.Name, s.Label} {
				assert.True(t, utf8.ValidString(text), "%q", text)
			}
			assert.False(t, math.IsNaN(s.Value) || math.IsInf(s.Value, 0))
		}
		v := values(got)
		assert.InDelta(t, 20, v["bad\uFFFDname-\uFFFD.0/temp1"], 0, "%v", v)
		assert.InDelta(t, 7e-6, v["bad\uFFFDname-\uFFFD.0/power1"], 0)
		assert.NotContains(t, v, "bad\uFFFDname-\uFFFD.0/temp2")
		assert.Equal(t, map[string]int{"EISDIR": 1}, h.Unread())

		supplies, err := h.PowerSupplies(t.Context(), nil, PowerChargeStart|PowerChargeEnd, nil)
		require.NoError(t, err)
		require.Len(t, supplies, 3)
		for _, p := range supplies {
			for _, text := range []string{p.Name, p.Model, p.Vendor, p.Technology} {
				assert.True(t, utf8.ValidString(text), "%q", text)
			}
			for _, n := range []float64{p.Charge, p.Energy, p.EnergyFull, p.DesignEnergy, p.Power, p.Current, p.Voltage, p.Temperature, p.TimeLeft} {
				assert.False(t, math.IsNaN(n) || math.IsInf(n, 0), "%s: %v", p.Name, n)
			}
			assert.Zero(t, p.Got&(PowerCycles|PowerTemperature|PowerDesignEnergy))
		}
	}
}

// TestSensorsOfOneFolder: not even the whole path tells these apart.
func TestSensorsOfOneFolder(t *testing.T) {
	tr := newTree(t)
	for i := range 12 {
		tr.chip(i, "devices/virtual/hwmon", map[string]string{"name": "psu", "temp1_input": fmt.Sprint(i * 1000)})
	}
	h := tr.open()
	for range 2 {
		got := values(sensorsOf(t, h, everySensor))
		require.Len(t, got, 12)
		for id, of := range map[string]float64{"psu": 0, "psu-virtual": 1, "psu-hwmon2": 2, "psu-hwmon11": 11} {
			assert.InDelta(t, of, got[id+"/temp1"], 0, id)
		}
	}
	// Each keeps its name when the first of them goes.
	tr.remove("sys/class/hwmon/hwmon0")
	tr.chip(12, "devices/virtual/hwmon", map[string]string{"name": "psu", "temp1_input": "12000"})
	got := values(sensorsOf(t, h, everySensor))
	require.Len(t, got, 12)
	assert.InDelta(t, 1, got["psu-virtual/temp1"], 0)
	assert.InDelta(t, 11, got["psu-hwmon11/temp1"], 0)
	assert.InDelta(t, 12, got["psu/temp1"], 0)
}

// hang has a file block until the function that it answers is called, after
// which it has the content.
func (tr tree) hang(h *Host, key, name, content string) (resume func()) {
	fifo := filepath.Join(tr.dir, name)
	require.NoError(tr.t, os.Remove(fifo))
	require.NoError(tr.t, unix.Mkfifo(fifo, 0o600))
	return func() {
		done := h.bounded.stuck[filepath.Join(tr.dir, key)]
		w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		require.NoError(tr.t, err)
		require.NoError(tr.t, os.Remove(fifo))
		tr.write(name, content)
		_, err = w.WriteString(content)
		require.NoError(tr.t, err)
		require.NoError(tr.t, w.Close())
		<-done
	}
}

// TestSilentKeepTheirNames: nobody takes the name of a chip or a zone that
// does not answer for once, and no zone stands in for such a chip.
func TestSilentKeepTheirNames(t *testing.T) {
	tr := newTree(t)
	const first, second = "devices/pci0000:00/0000:00:14.0/i2c-0/0-0018/hwmon", "devices/pci0000:00/0000:00:14.0/i2c-1/1-0018/hwmon"
	tr.chip(0, first, map[string]string{"name": "jc42", "temp1_input": "20000"})
	tr.chip(1, second, map[string]string{"name": "jc42", "temp1_input": "21000"})
	tr.chip(2, "devices/platform/coretemp.0/hwmon", map[string]string{"name": "coretemp", "temp1_input": "51000"})
	tr.thermal(3, "x86_pkg_temp", "51000")
	tr.thermal(5, "SEN1", "38000")
	tr.thermal(10, "SEN1", "39000")
	h := tr.open()
	want := map[string]float64{
		"jc42-0000:00:14.0-0018/temp1": 20, "jc42-pci0000:00/0000:00:14.0/i2c-1/1-0018/temp1": 21, "coretemp.0/temp1": 51,
		"thermal-SEN1/temp": 38, "thermal-SEN1-10/temp": 39,
	}
	assert.Equal(t, want, values(sensorsOf(t, h, everySensor)))

	resume := []func(){
		tr.hang(h, "sys/class/hwmon/hwmon0", "sys/"+first+"/hwmon0/temp1_input", "20000\n"),
		tr.hang(h, "sys/class/hwmon/hwmon2", "sys/devices/platform/coretemp.0/hwmon/hwmon2/temp1_input", "51000\n"),
		tr.hang(h, "sys/class/thermal/thermal_zone5", "sys/class/thermal/thermal_zone5/temp", "38000\n"),
	}
	tr.chip(3, "devices/platform/new.0/hwmon", map[string]string{"name": "new", "temp1_input": "1000"}) // all are named anew
	got, err := h.Sensors(t.Context(), nil, everySensor, nil)
	require.ErrorIs(t, err, ErrTimeoutExpired)
	assert.Equal(t, map[string]float64{"jc42-pci0000:00/0000:00:14.0/i2c-1/1-0018/temp1": 21, "thermal-SEN1-10/temp": 39, "new.0/temp1": 1}, values(got))
	for _, f := range resume {
		f()
	}
	want["new.0/temp1"] = 1
	assert.Equal(t, want, values(sensorsOf(t, h, everySensor)))
}

// TestTemperatureOfSupplies: the kernel makes a zone of a power supply that
// tells its temperature, and older ones a chip of the zone.
func TestTemperatureOfSupplies(t *testing.T) {
	tr := newTree(t)
	tr.supply("sbs-5-000b", "TYPE=Battery", "TEMP=312")
	tr.write(powerDir+"sbs-5-000b/temp", "312\n")
	tr.supply("BAT0", "TYPE=Battery")
	tr.thermal(0, "sbs-5-000b", "31200")
	tr.thermal(1, "BAT0", "30000") // has nothing to do with it
	tr.thermal(2, "", "29000")
	tr.chip(0, "devices/virtual/thermal/thermal_zone0", map[string]string{"name": "sbs_5_000b", "temp1_input": "31200", "device/type": "sbs-5-000b"})
	h := tr.open()
	for range 2 {
		assert.Equal(t, map[string]float64{"thermal-BAT0/temp": 30, "thermal-thermal_zone2/temp": 29}, values(sensorsOf(t, h, everySensor)))
	}
	supplies, err := h.PowerSupplies(t.Context(), nil, 0, nil)
	require.NoError(t, err)
	assert.InDelta(t, 31.2, supplies[1].Temperature, 0)
}

// TestSensorsWithoutDescriptors: what could not be looked up for want of
// descriptors is looked up again, and is nothing else until then.
func TestSensorsWithoutDescriptors(t *testing.T) {
	tr := newTree(t)
	tr.chip(0, "devices/platform/chip.0/hwmon", map[string]string{"name": "chip", "temp1_input": "1000"})
	tr.thermal(0, "SEN1", "38000")
	h := tr.open()
	require.NoError(t, h.sensors.chips.update(h))
	require.NoError(t, h.sensors.zones.update(h))
	c, z := h.sensors.chips.members[0], h.sensors.zones.members[0]
	c.what.want, z.what.want = everySensor, SensorValue

	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	none := limit
	none.Cur = 0
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &none))
	askChip(c)
	askZone(z)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	assert.Empty(t, c.what.channels)
	assert.Zero(t, z.what.Got)
	assert.NotZero(t, c.unread[unix.EMFILE])
	assert.NotZero(t, z.unread[unix.EMFILE])
	assert.Equal(t, map[string]float64{"chip.0/temp1": 1, "thermal-SEN1/temp": 38}, values(sensorsOf(t, h, everySensor)))
}

// TestEnergyOfSilentPackage: memory is that of its package, also when that does
// not answer.
func TestEnergyOfSilentPackage(t *testing.T) {
	tr := newTree(t)
	const dir = "sys/devices/virtual/powercap/intel-rapl/intel-rapl:0/"
	for zone, name := range map[string]string{"": "package-0", "intel-rapl:0:0/": "dram"} {
		tr.write(dir+zone+"name", name+"\n")
		tr.write(dir+zone+"max_energy_range_uj", "65712999613\n")
		tr.write(dir+zone+"energy_uj", "7\n")
	}
	require.NoError(t, os.MkdirAll(filepath.Join(tr.dir, "sys/class/powercap"), 0o755))
	tr.link("sys/class/powercap/intel-rapl:0", "../../devices/virtual/powercap/intel-rapl/intel-rapl:0")
	tr.link("sys/class/powercap/intel-rapl:0:0", "../../devices/virtual/powercap/intel-rapl/intel-rapl:0/intel-rapl:0:0")
	h := tr.open()
	resume := tr.hang(h, "sys/class/powercap/intel-rapl:0", dir+"energy_uj", "7\n")
	zones, err := h.EnergyZones(t.Context(), nil)
	require.ErrorIs(t, err, ErrTimeoutExpired)
	assert.Equal(t, []EnergyZone{{"dram", "package-0", 7, 65712999613}}, zones)
	resume()
}

// TestEnergyAfterSuspend: a counter that fell while the host was suspended has
// not wrapped around.
func TestEnergyAfterSuspend(t *testing.T) {
	tr := newTree(t)
	const dir = "sys/class/powercap/intel-rapl:0/"
	tr.write(dir+"name", "package-0\n")
	tr.write(dir+"max_energy_range_uj", "262143328850\n")
	tr.write(dir+"energy_uj", "9\n")
	awake := 100 * time.Second
	h, err := Open(Root{Path: tr.dir}, Machine{Awake: func() time.Duration { return awake }})
	require.NoError(t, err)
	defer h.Close()
	for i, tt := range []struct {
		uptime string
		awake  time.Duration
		most   uint64
	}{
		{"100.00 1.00\n", 100 * time.Second, 262143328850},
		{"160.00 1.00\n", 160 * time.Second, 262143328850},
		{"4000.00 1.00\n", 220 * time.Second, 0},
		{"4060.00 1.00\n", 280 * time.Second, 262143328850},
		{"", 340 * time.Second, 262143328850},
	} {
		tr.write("proc/uptime", tt.uptime)
		awake = tt.awake
		zones, err := h.EnergyZones(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, []EnergyZone{{"package-0", "", 9, tt.most}}, zones, i)
	}
}

// TestSleepersAreNotWoken: a device that power management has put to sleep is
// left alone; one on a bus whose drivers wake it as they go is asked.
func TestSleepersAreNotWoken(t *testing.T) {
	tr := newTree(t)
	for i, bus := range []string{"pci", "scsi", "i2c"} {
		tr.chip(i, fmt.Sprintf("devices/%s/dev%d/hwmon", bus, i), map[string]string{
			"name": bus, "temp1_input": "1000", "fan1_input": "2000", "device/power/runtime_status": "active",
		})
		tr.link(fmt.Sprintf("sys/devices/%s/dev%d/hwmon/hwmon%d/device/subsystem", bus, i, i), "../../../../../bus/"+bus)
	}
	h := tr.open()
	all := map[string]float64{"pci-dev0/temp1": 1, "pci-dev0/fan1": 2000, "scsi-dev1/temp1": 1, "scsi-dev1/fan1": 2000, "i2c-dev2/temp1": 1, "i2c-dev2/fan1": 2000}
	assert.Equal(t, all, values(sensorsOf(t, h, everySensor)))
	status := func(s string) {
		for i, bus := range []string{"pci", "scsi", "i2c"} {
			tr.write(fmt.Sprintf("sys/devices/%s/dev%d/hwmon/hwmon%d/device/power/runtime_status", bus, i, i), s+"\n")
		}
	}
	status("suspended")
	before := h.calls
	assert.Equal(t, map[string]float64{"i2c-dev2/temp1": 1, "i2c-dev2/fan1": 2000}, values(sensorsOf(t, h, SensorRequest{SensorTemperature: SensorValue, SensorFan: SensorValue})))
	assert.Equal(t, listing+2*3+2*3+1, h.calls-before, "a state for each that can sleep, two values, no zones")
	status("active")
	assert.Equal(t, all, values(sensorsOf(t, h, everySensor)))
	assert.Empty(t, h.Unread())
}
