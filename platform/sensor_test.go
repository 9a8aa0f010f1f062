// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestChipID has places as kernels show them.
func TestChipID(t *testing.T) {
	const pci = "devices/pci0000:00/"
	for _, tt := range []struct{ driver, path, want string }{
		{"coretemp", "devices/platform/coretemp.0/hwmon/hwmon4", "coretemp.0"},
		{"coretemp", "devices/platform/coretemp.1/hwmon/hwmon5", "coretemp.1"},
		{"k10temp", pci + "0000:00:18.3/hwmon/hwmon1", "k10temp-0000:00:18.3"},
		{"nvme", pci + "0000:00:1d.0/0000:03:00.0/nvme/nvme0/hwmon2", "nvme-0000:03:00.0"},
		{"nvme", pci + "0000:00:1d.0/0000:03:00.0/nvme/nvme1/hwmon7", "nvme-0000:03:00.0"},
		{"nvme", pci + "0000:00:1d.0/0000:03:00.0/hwmon/hwmon2", "nvme-0000:03:00.0"}, // before Linux 5.18
		{"nvme", "devices/pci10000:e0/10000:e0:06.0/10000:e1:00.0/nvme/nvme0/hwmon3", "nvme-10000:e1:00.0"},
		{"nvme", "devices/platform/soc/393cc0000.nvme/nvme/nvme0/hwmon3", "nvme-393cc0000.nvme"},
		{"acpitz", "devices/virtual/thermal/thermal_zone0/hwmon0", "acpitz"},
		{"acpitz", "devices/virtual/hwmon/hwmon0", "acpitz"},
		{"cpu_thermal", "devices/virtual/thermal/thermal_zone0/hwmon1", "cpu_thermal"},
		{"iwlwifi_1", "devices/virtual/thermal/thermal_zone9/hwmon6", "iwlwifi_1"},
		{"mt7921_phy0", pci + "0000:00:02.3/0000:02:00.0/ieee80211/phy0/hwmon3", "mt7921_phy0-0000:02:00.0"},
		{"jc42", pci + "0000:00:1f.4/i2c-0/0-001a/hwmon/hwmon3", "jc42-0000:00:1f.4-001a"},
		{"jc42", pci + "0000:00:1f.4/i2c-12/12-001b/hwmon/hwmon4", "jc42-0000:00:1f.4-001b"},
		{"tmp75", "devices/platform/soc/fe804000.i2c/i2c-1/1-0070/channel-2/i2c-12/12-0048/hwmon/hwmon4", "tmp75-fe804000.i2c-0070-channel-2-0048"},
		{"nct6775", "devices/platform/nct6775.656/hwmon/hwmon2", "nct6775.656"},
		{"nct6779", "devices/platform/nct6775.656/hwmon/hwmon2", "nct6779-nct6775.656"},
		{"drivetemp", pci + "0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0/hwmon/hwmon0", "drivetemp-0000:00:17.0-ata3"},
		{"drivetemp", pci + "0000:01:00.0/host7/port-7:0/expander-7:0/port-7:0:3/end_device-7:0:3/target7:0:3/7:0:3:0/hwmon/hwmon0", "drivetemp-0000:01:00.0-0:3-0:3:0"},
		{"corsairpsu", pci + "0000:00:14.0/usb1/1-8/1-8:1.0/0003:1B1C:1C0A.0004/hwmon/hwmon5", "corsairpsu-1-8:1.0-0003:1B1C:1C0A"},
		{"thinkpad", "devices/platform/thinkpad_hwmon/hwmon/hwmon5", "thinkpad_hwmon"},
		{"think", "devices/platform/thinkpad_hwmon/hwmon/hwmon5", "think-thinkpad_hwmon"},
		{"dell_smm", "devices/platform/dell_smm_hwmon/hwmon/hwmon3", "dell_smm_hwmon"},
		{"applesmc", "devices/platform/applesmc.768/hwmon/hwmon2", "applesmc.768"},
		{"macsmc_hwmon", "devices/platform/soc/290400000.smc/macsmc-hwmon/hwmon/hwmon1", "macsmc-hwmon"},
		{"power_meter", "devices/LNXSYSTM:00/LNXSYBUS:00/ACPI000D:00/hwmon/hwmon0", "power_meter-ACPI000D:00"},
		{"amdgpu", pci + "0000:00:01.1/0000:01:00.0/0000:02:00.0/0000:03:00.0/hwmon/hwmon4", "amdgpu-0000:03:00.0"},
		{"enp5s0", pci + "0000:05:00.0/net/enp5s0/hwmon8", "enp5s0"},
		{"spd5118", "devices/pci0000:00/0000:00:1f.4/i2c-1/1-0051/hwmon/hwmon2", "spd5118-0000:00:1f.4-0051"},
		{"tps", "devices/platform/AMDI0010:00/i2c-0/i2c-TPS0001:00/hwmon/hwmon2", "tps-i2c-TPS0001:00"},
		{"cros_ec", "devices/platform/cros_ec_lpcs.0/cros-ec-hwmon.3.auto/hwmon/hwmon7", "cros-ec-hwmon"},
		{"cros", "devices/platform/.auto/hwmon/hwmon7", "cros-.auto"},
		{"lone", "", "lone"},
		{"odd", "devices/pci0000:00/1:2:3/12-1234x/hwmon9", "odd-12-1234x"},
	} {
		assert.Equal(t, tt.want, chipID(tt.driver, tt.path), tt.path)
	}
}

func TestSensorKinds(t *testing.T) {
	seen := map[string]bool{}
	for k := range NumSensorKinds {
		assert.NotEmpty(t, k.String())
		assert.False(t, seen[k.String()], k)
		seen[k.String()] = true
	}
	assert.Equal(t, "unknown", NumSensorKinds.String())
}
