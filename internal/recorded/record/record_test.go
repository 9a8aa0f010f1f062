// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/internal/recorded"
)

// A recording of this machine, materialised and recorded again, is the same
// recording. Where there is no Linux to record, a recorded one stands in.
func TestRecordTwice(t *testing.T) {
	live := recorder{root: "/", name: "vm"}
	pids := []string{"self"}
	if runtime.GOOS == "linux" {
		child := exec.Command("sleep", "60")
		require.NoError(t, child.Start())
		defer func() {
			_ = child.Process.Kill()
			_ = child.Wait()
		}()
		pids = append(pids, strconv.Itoa(child.Process.Pid))
	} else {
		live.root, pids = materialise(t, "../../../testdata/hosts/vm.txtar"), []string{"2"}
	}
	first, err := live.record(pids)
	require.NoError(t, err)
	text, err := first.Format()
	require.NoError(t, err)

	file := filepath.Join(t.TempDir(), "vm.txtar")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	again := recorder{root: materialise(t, file), name: "vm"}
	if runtime.GOOS == "linux" {
		pids[0] = strconv.Itoa(os.Getpid())
	}
	second, err := again.record(pids)
	require.NoError(t, err)
	assert.Equal(t, runtime.GOOS == "linux", first.Awake > 0)
	assert.Zero(t, second.Awake, "another machine")
	second.Now, second.Awake, second.About, second.Filesystems = first.Now, first.Awake, first.About, first.Filesystems
	same, err := second.Format()
	require.NoError(t, err)
	assert.Equal(t, string(text), string(same))
}

func materialise(t *testing.T, file string) string {
	t.Helper()
	root, _ := recorded.Open(t, file)
	return root.Path
}

// Addresses are replaced, each by the same wherever it stands; which family
// and which of this machine's they are still shows.
func TestScrubAddresses(t *testing.T) {
	r := recorder{addresses: map[netip.Addr]netip.Addr{}}
	digits := func(text string) string {
		s := ""
		for b := netip.MustParseAddr(text).AsSlice(); len(b) > 0; b = b[4:] {
			s += fmt.Sprintf("%08X", binary.NativeEndian.Uint32(b))
		}
		return s
	}
	line := func(local, peer string) string {
		return "   0: " + digits(local) + ":0016 " + digits(peer) + ":E0A1 01 00000000:00000000 00:00000000 00000000  1000        0 77 1\n"
	}
	const heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	once := r.scrub("proc/1/net/tcp", []byte(heading+line("10.1.2.3", "0.0.0.0")+line("127.0.0.1", "203.0.113.9")+line("10.1.2.3", "203.0.113.9")))
	assert.Equal(t, heading+line("192.0.2.1", "0.0.0.0")+line("127.0.0.1", "192.0.2.2")+line("192.0.2.1", "192.0.2.2"), string(once))
	six := r.scrub("proc/1/net/udp6", []byte(heading+line("::", "fe80::1234")+line("::1", "::ffff:10.1.2.3")))
	assert.Equal(t, heading+line("::", "2001:db8::3")+line("::1", "::ffff:192.0.2.1"), string(six))

	assert.Equal(t, string(once), string(r.scrub("proc/1/net/tcp", once)), "twice")
	assert.Equal(t, string(six), string(r.scrub("proc/1/net/udp6", six)), "twice")
	assert.Equal(t, "   0: 1:2 xyz:3\n", string(r.scrub("proc/1/net/tcp", []byte("   0: 1:2 xyz:3\n"))), "no addresses")
	for i := range 300 {
		to := r.standIn(netip.AddrFrom4([4]byte{11, 0, byte(i >> 8), byte(i)}))
		assert.Contains(t, []string{"192.0", "198.18"}, strings.Join(strings.Split(to.String(), ".")[:2], "."))
	}
	seen := map[netip.Addr]bool{}
	for _, to := range r.addresses {
		assert.False(t, seen[to], to)
		seen[to] = true
	}

	assert.Equal(t, "Num       RefCount Protocol Flags    Type St Inode Path\n"+
		"0: 00000002 00000000 00010000 0001 01    77 /socket\n0: 00000002 00000000 00010000 0001 01    78\n0: 00000002 00000000 00000000 0002 01    79 @socket\n",
		string(r.scrub("proc/1/net/unix", []byte("Num       RefCount Protocol Flags    Type St Inode Path\n"+
			"0: 00000002 00000000 00010000 0001 01    77 /home/jane/s\n0: 00000002 00000000 00010000 0001 01    78\n0: 00000002 00000000 00000000 0002 01    79 @jane\n"))))
}

// What is private is replaced, unless it is asked for.
func TestScrub(t *testing.T) {
	file := filepath.Join(t.TempDir(), "m.txtar")
	require.NoError(t, os.WriteFile(file, []byte(`os: linux
now: 2026-11-23T10:00:00Z
pagesize: 4096
-- etc/hostname --
fort-knox
-- etc/machine-id --
86a91de13f35414dbd3ad7d34b5c1b4e
-- proc/sys/kernel/random/boot_id --
d7f3f9a2-1111-4222-8333-444455556666
-- etc/passwd --
root:x:0:0:The boss:/root:/bin/bash
nobody:x:65534:65534:nobody:/:/bin/false
jane:x:1000:1000:Jane Doe:/home/jane:/bin/zsh
joe:x:1001:1001:Joe Doe:/home/joe:/bin/zsh
-- proc/cpuinfo --
processor	: 0
Serial		: 10000000a1b2c3d4
-- proc/swaps --
Filename				Type		Size		Used		Priority
/dev/sda2                               partition	8		0		-2
/home/jane/swap                         file		8		0		-3
-- proc/1/mountinfo --
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
22 21 0:40 / /home/jane/film\040s rw - cifs //nas/jane rw,username=jane,password=secret
23 22 0:41 /jane /home/jane/film\040s/old rw - nfs4 nas.example:/tank/jane rw,addr=10.0.0.7
24 21 0:42 / /var/lib/jane rw - zfs tank/jane rw
25 21 0:5 / /dev/shm rw - tmpfs tmpfs rw
-- proc/7/ --
exe -> /home/jane/bin/tool (deleted)
cwd -> /home/jane/bin
root -> /
-- proc/7/environ ;escaped --
HOME=/home/jane\0\
garbage\0\
-- proc/7/smaps --
00400000-00500000 r-xp 00001000 fd:02 173521 /home/jane/bin/tool (deleted)
Rss: 40 kB
00500000-00600000 r-xp 00001000 fd:02 173522 /usr/lib/libc.so.6
00600000-00601000 rw-s 00000000 00:00 0 [heap]
-- proc/7/fdinfo/3 --
pos:	0
-- proc/7/task/7/stat --
7 (tool) S
-- proc/7/task/10/stat --
10 (tool) S
-- proc/7/cgroup --
12:name=systemd:/user.slice/user-1001.slice/jane's tool.scope
3:cpu,cpuacct:/docker/86a91de13f35414dbd3ad7d34b5c1b4e86a91de13f35414dbd3ad7d34b5c1b4e
0::/system.slice/jane.service (deleted)
-- proc/7/net/unix --
Num       RefCount Protocol Flags    Type St Inode Path
0: 00000002 00000000 00010000 0001 01    77 /home/jane/s
-- proc/7/status --
Name:	tool
Uid:	1001	0	0	65534
-- proc/7/cmdline ;escaped --
/home/jane/bin/tool of: jane\0\
--password\0\
secret\0\
-- proc/7/fd/ --
0 -> /dev/pts/3
10 -> /home/jane/diary.txt
2 -> /dev/shm/jane
3 -> socket:[77]
4 -> /home/jane/gone (deleted)
-- sys/class/power_supply/BAT0/uevent --
POWER_SUPPLY_NAME=BAT0
POWER_SUPPLY_SERIAL_NUMBER=31337
POWER_SUPPLY_TYPE=Battery
-- sys/class/net/eth0/address --
3c:ec:ef:10:20:0a
-- sys/class/net/lo/address --
00:00:00:00:00:00
`), 0o600))
	r := recorder{root: materialise(t, file), name: "m"}
	host, err := r.record([]string{"7"})
	require.NoError(t, err)
	text, err := host.Format()
	require.NoError(t, err)
	_, files, _ := strings.Cut(string(text), "pagesize: "+strconv.Itoa(host.PageSize)+"\n")
	assert.Equal(t, `-- proc/swaps --
Filename				Type		Size		Used		Priority
/dev/sda2                               partition	8		0		-2
/path/swap                         file		8		0		-3
-- proc/cpuinfo --
processor	: 0
Serial		: 0
-- proc/1/mountinfo --
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:40 / /home/folder1/folder2 rw - cifs //server/share rw
23 22 0:41 /folder1 /home/folder1/folder2/folder3 rw - nfs4 server:/export rw
24 21 0:42 / /var/lib/folder1 rw - zfs folder4/folder1 rw
25 21 0:5 / /dev/shm rw - tmpfs tmpfs rw
-- proc/sys/kernel/random/boot_id --
01234567-89ab-4def-8123-456789abcdef
-- etc/hostname --
m
-- etc/machine-id --
0123456789abcdef0123456789abcdef
-- proc/7/ --
exe -> /path/tool (deleted)
cwd -> /folder
root -> /
-- proc/7/status --
Name:	tool
Uid:	1001	0	0	65534
-- proc/7/cmdline ;escaped --
/path/tool\0\
arg1\0\
arg2\0\
-- proc/7/cgroup --
12:name=systemd:/user.slice/folder5.slice/folder6.scope
3:cpu,cpuacct:/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
0::/system.slice/folder1.service (deleted)
-- proc/7/environ ;escaped --
HOME=value\0\
-- proc/7/smaps --
00400000-00500000 r-xp 00001000 fd:02 173521 /path/tool (deleted)
Rss: 40 kB
00500000-00600000 r-xp 00001000 fd:02 173522 /usr/lib/libc.so.6
00600000-00601000 rw-s 00000000 00:00 0 [heap]
-- proc/7/fd/ --
0 -> /dev/pts/3
2 -> /file
3 -> socket:[77]
4 -> /file (deleted)
10 -> /file
-- proc/7/fdinfo/3 --
pos:	0
-- proc/7/task/7/stat --
7 (tool) S
-- proc/7/task/10/stat --
10 (tool) S
-- proc/7/net/unix --
Num       RefCount Protocol Flags    Type St Inode Path
0: 00000002 00000000 00010000 0001 01    77 /socket
-- etc/passwd --
root:x:0:0:::
nobody:x:65534:65534:::
user1:x:1001:1001:::
-- sys/class/power_supply/BAT0/uevent --
POWER_SUPPLY_NAME=BAT0
POWER_SUPPLY_SERIAL_NUMBER=0
POWER_SUPPLY_TYPE=Battery
-- sys/class/net/eth0/address --
02:00:00:00:00:01
-- sys/class/net/lo/address --
00:00:00:00:00:00
`, files)

	r = recorder{root: r.root, name: "m", private: true}
	host, err = r.record([]string{"7"})
	require.NoError(t, err)
	text, err = host.Format()
	require.NoError(t, err)
	for _, own := range []string{"fort-knox", "86a91de1", "d7f3f9a2", "jane's tool.scope", "jane.service", "Joe Doe", "secret", "diary.txt", "31337", "3c:ec:ef"} {
		assert.Contains(t, string(text), own)
	}
}

// Who is in the network namespace of the first process has its sockets.
func TestRecordNamespaces(t *testing.T) {
	file := filepath.Join(t.TempDir(), "m.txtar")
	require.NoError(t, os.WriteFile(file, []byte(`os: linux
now: 2026-11-23T10:00:00Z
pagesize: 4096
-- proc/1/net/dev --
devices
-- proc/1/net/tcp --
heading
-- proc/7/ --
net -> ../1/net
-- proc/8/net/dev --
devices
-- proc/8/net/tcp --
heading
`), 0o600))
	r := recorder{root: materialise(t, file), name: "m"}
	host, err := r.record([]string{"1", "7", "8"})
	require.NoError(t, err)
	text, err := host.Format()
	require.NoError(t, err)
	assert.Contains(t, string(text), "-- proc/1/net/tcp --\nheading\n")
	assert.Contains(t, string(text), "-- proc/7/ --\nnet -> ../1/net\n")
	assert.Contains(t, string(text), "-- proc/8/net/tcp --\nheading\n")
	assert.NotContains(t, string(text), "proc/7/net")
}

// TestRecordSensors: what measures something is recorded with its place, and
// nothing else of it.
func TestRecordSensors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "m.txtar")
	require.NoError(t, os.WriteFile(file, []byte(`os: linux
now: 2026-11-23T10:00:00Z
pagesize: 4096
-- proc/stat --
btime 1
-- sys/class/hwmon/ --
hwmon0 -> ../../devices/platform/coretemp.0/hwmon/hwmon0
hwmon1 -> ../../devices/LNXSYSTM:00/ACPI000D:00/hwmon/hwmon1
-- sys/devices/platform/coretemp.0/hwmon/hwmon0/name --
coretemp
-- sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_crit_alarm --
0
-- sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_input --
47000
-- sys/devices/platform/coretemp.0/hwmon/hwmon0/uevent --
secret
-- sys/devices/platform/coretemp.0/hwmon/hwmon0/device/serial --
secret
-- sys/devices/LNXSYSTM:00/ACPI000D:00/hwmon/hwmon1/device/name --
power_meter
-- sys/devices/LNXSYSTM:00/ACPI000D:00/hwmon/hwmon1/device/power1_average --
262000000
-- sys/devices/LNXSYSTM:00/ACPI000D:00/hwmon/hwmon1/device/power1_serial_number --
secret
-- sys/class/powercap/ --
intel-rapl -> ../../devices/virtual/powercap/intel-rapl
-- sys/devices/virtual/powercap/intel-rapl/enabled --
1
-- sys/class/thermal/thermal_zone0/temp --
27800
-- sys/class/thermal/thermal_zone0/trip_point_0_type --
critical
-- sys/class/thermal/thermal_zone0/policy --
step_wise
`), 0o600))
	r := recorder{root: materialise(t, file), name: "m"}
	host, err := r.record(nil)
	require.NoError(t, err)
	text, err := host.Format()
	require.NoError(t, err)
	_, files, _ := strings.Cut(string(text), "btime 1\n")
	assert.Equal(t, `-- sys/class/hwmon/ --
hwmon0 -> ../../devices/platform/coretemp.0/hwmon/hwmon0
hwmon1 -> ../../devices/LNXSYSTM:00/ACPI000D:00/hwmon/hwmon1
-- sys/devices/platform/coretemp.0/hwmon/hwmon0/name --
coretemp
-- sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_crit_alarm --
0
-- sys/devices/platform/coretemp.0/hwmon/hwmon0/temp1_input --
47000
-- sys/devices/LNXSYSTM:00/ACPI000D:00/hwmon/hwmon1/device/name --
power_meter
-- sys/devices/LNXSYSTM:00/ACPI000D:00/hwmon/hwmon1/device/power1_average --
262000000
-- sys/class/thermal/thermal_zone0/temp --
27800
-- sys/class/thermal/thermal_zone0/trip_point_0_type --
critical
`, files)
}

func TestRecordErrors(t *testing.T) {
	root := t.TempDir()
	for pid, want := range map[string]string{
		"7":    filepath.Join(root, "proc/7") + ": no such file",
		"self": filepath.Join(root, "proc/self") + ": no such file",
		"-1":   `-pids: "-1" is no PID`,
		"":     `-pids: "" is no PID`,
	} {
		r := recorder{root: root}
		_, err := r.record([]string{pid})
		assert.ErrorContains(t, err, want, "PID %q", pid)
	}
}
