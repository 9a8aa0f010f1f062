// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestSelectedSensors: what is not selected is never read, not even when it
// comes, and keeps its name and its place before a thermal zone.
func TestSelectedSensors(t *testing.T) {
	tr := newTree(t)
	const first, second = "devices/pci0000:00/0000:00:14.0/i2c-0/0-0018/hwmon", "devices/pci0000:00/0000:00:14.0/i2c-1/1-0018/hwmon"
	tr.chip(0, first, map[string]string{"name": "jc42", "temp1_input": "20000"})
	tr.chip(1, second, map[string]string{"name": "jc42", "temp1_input": "21000"})
	tr.chip(2, "devices/platform/coretemp.0/hwmon", map[string]string{"name": "coretemp", "temp1_input": "51000"})
	tr.chip(3, "devices/platform/board.0/hwmon", map[string]string{"name": "board", "temp1_input": "30000", "temp2_input": "31000", "temp2_label": "CPUTIN", "fan1_input": "900"})
	tr.thermal(3, "x86_pkg_temp", "51000")
	tr.thermal(5, "SEN1", "38000")
	tr.thermal(10, "SEN1", "39000")
	// To read one of these waits for ever.
	for _, file := range []string{
		first + "/hwmon0/temp1_input", "devices/platform/coretemp.0/hwmon/hwmon2/temp1_input", "devices/platform/board.0/hwmon/hwmon3/temp2_input",
		"class/thermal/thermal_zone3/temp", "class/thermal/thermal_zone5/temp",
	} {
		require.NoError(t, os.Remove(tr.dir+"/sys/"+file))
		require.NoError(t, unix.Mkfifo(tr.dir+"/sys/"+file, 0o644))
	}
	h := tr.open()
	asked := map[string]int{}
	selects := func(s *Sensor) bool {
		asked[s.Chip+" "+s.Driver+" "+s.Name+" "+s.Label+" "+s.Kind.String()]++
		return s.Chip != "jc42-0000:00:14.0-0018" && s.Driver != "coretemp" && s.ID != "board.0/temp2" && s.Chip != "thermal-SEN1"
	}
	for range 2 {
		got, err := h.Sensors(t.Context(), nil, everySensor, selects)
		require.NoError(t, err)
		assert.Equal(t, map[string]float64{"jc42-pci0000:00/0000:00:14.0/i2c-1/1-0018/temp1": 21, "board.0/temp1": 30, "board.0/fan1": 900, "thermal-SEN1-10/temp": 39}, values(got))
	}
	assert.Equal(t, map[string]int{
		"jc42-0000:00:14.0-0018 jc42 temp1  temperature": 1, "jc42-pci0000:00/0000:00:14.0/i2c-1/1-0018 jc42 temp1  temperature": 1,
		"coretemp.0 coretemp temp1  temperature": 1, "board.0 board temp1  temperature": 1, "board.0 board temp2 CPUTIN temperature": 1, "board.0 board fan1  fan": 1,
		"thermal-x86_pkg_temp x86_pkg_temp temp  temperature": 1, "thermal-SEN1 SEN1 temp  temperature": 1, "thermal-SEN1-10 SEN1 temp  temperature": 1,
	}, asked, "each when it comes")
}

// TestSelectedSupplies: what is not selected is never read.
func TestSelectedSupplies(t *testing.T) {
	tr := newTree(t)
	tr.supply("AC", "TYPE=Mains", "ONLINE=1")
	tr.supply("BAT0", "TYPE=Battery", "CAPACITY=40")
	tr.supply("BAT1", "TYPE=Battery", "CAPACITY=60")
	require.NoError(t, os.Remove(tr.dir+"/"+powerDir+"BAT0/uevent"))
	require.NoError(t, unix.Mkfifo(tr.dir+"/"+powerDir+"BAT0/uevent", 0o644)) // to read it waits for ever
	h := tr.open()
	for range 2 {
		got, err := h.PowerSupplies(t.Context(), nil, 0, func(name string) bool { return name != "BAT0" })
		require.NoError(t, err)
		require.Len(t, got, 2)
		assert.Equal(t, "AC", got[0].Name)
		assert.Equal(t, "BAT1", got[1].Name)
		assert.InDelta(t, 0.6, got[1].Charge, 0)
	}
	got, err := h.PowerSupplies(t.Context(), nil, 0, func(string) bool { return false })
	require.NoError(t, err)
	assert.Empty(t, got)
}

// TestLookedUpLate: what took too long to be looked up is asked when that is done.
func TestLookedUpLate(t *testing.T) {
	tr := newTree(t)
	tr.chip(0, "devices/platform/late.0/hwmon", map[string]string{"name": "late", "temp1_input": "1000", "temp1_label": "One"})
	tr.chip(1, "devices/platform/chip.0/hwmon", map[string]string{"name": "chip", "temp1_input": "2000"})
	tr.thermal(0, "SEN1", "38000")
	h := tr.open()
	resume := []func(){
		tr.hang(h, "sys/class/hwmon/hwmon0", "sys/devices/platform/late.0/hwmon/hwmon0/temp1_label", "One\n"),
		tr.hang(h, "sys/class/thermal/thermal_zone0", "sys/class/thermal/thermal_zone0/type", "SEN1\n"),
	}
	got, err := h.Sensors(t.Context(), nil, everySensor, nil)
	require.ErrorIs(t, err, ErrTimeoutExpired)
	assert.Equal(t, map[string]float64{"chip.0/temp1": 2}, values(got))
	for _, f := range resume {
		f()
	}
	sensorsOf(t, h, everySensor) // which names them
	got = sensorsOf(t, h, everySensor)
	assert.Equal(t, map[string]float64{"late.0/temp1": 1, "chip.0/temp1": 2, "thermal-SEN1/temp": 38}, values(got))
	assert.Equal(t, "One", got[0].Label)
}
