// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform"
)

func TestFilesystemMetrics(t *testing.T) {
	h := machine()
	const space, inodes = platform.FilesystemSpace, platform.FilesystemInodes
	h.filesystems = []platform.Filesystem{
		{
			Device: "/dev/sda1", Type: "ext4", Mountpoint: "/", Got: space | inodes,
			Total: 100, Used: 60, Free: 20, Reserved: 20, UsedInodes: 30, FreeInodes: 70,
		},
		{Device: "/dev/sdb", Type: "btrfs", Mountpoint: "/srv", ReadOnly: true, Got: space, Total: 10, Free: 10},
		{Type: "tmpfs", Mountpoint: "/odd", Got: inodes, UsedInodes: 1},
		{Device: "/dev/sdc", Type: "xfs", Mountpoint: "/full", Got: space, Total: 7, Reserved: 7},
		{Device: "proc", Type: "proc", Mountpoint: "/proc"},
	}
	const (
		root = "system.device=/dev/sda1,system.filesystem.mode=rw,system.filesystem.mountpoint=/,"
		srv  = "system.device=/dev/sdb,system.filesystem.mode=ro,system.filesystem.mountpoint=/srv,"
		odd  = "system.filesystem.mode=rw,system.filesystem.mountpoint=/odd,"
		full = "system.device=/dev/sdc,system.filesystem.mode=rw,system.filesystem.mountpoint=/full,"
		free = "system.filesystem.state=free,"
		used = "system.filesystem.state=used,"
		kept = "system.filesystem.state=reserved,"
		ext4 = "system.filesystem.type=ext4} "
		xfs  = "system.filesystem.type=xfs} "
		bt   = "system.filesystem.type=btrfs} "
	)
	for _, tt := range []struct {
		metric, config string
		want           []string
	}{
		{"system.filesystem.usage", "enabled: true", []string{
			"{" + root + free + ext4 + "20", "{" + root + kept + ext4 + "20", "{" + root + used + ext4 + "60",
			"{" + srv + free + bt + "10", "{" + srv + kept + bt + "0", "{" + srv + used + bt + "0",
			"{" + full + free + xfs + "0", "{" + full + kept + xfs + "7", "{" + full + used + xfs + "0",
		}},
		{"system.filesystem.usage", "attributes: [system.filesystem.state]", []string{
			"{system.filesystem.state=free} 30", "{system.filesystem.state=reserved} 27", "{system.filesystem.state=used} 60",
		}},
		// As df(1) has it: what is reserved is out of users' reach.
		{"system.filesystem.utilization", "enabled: true", []string{"{" + root + used + ext4 + "0.75", "{" + srv + used + bt + "0"}},
		{"system.filesystem.limit", "enabled: true", []string{"{" + root + ext4 + "100", "{" + srv + bt + "10", "{" + full + xfs + "7"}},
		{"system.filesystem.inode.usage", "enabled: true", []string{
			"{" + root + free + ext4 + "70", "{" + root + used + ext4 + "30",
			"{" + odd + free + "system.filesystem.type=tmpfs} 0", "{" + odd + used + "system.filesystem.type=tmpfs} 1",
		}},
	} {
		for i := range tt.want {
			tt.want[i] = tt.metric + tt.want[i]
		}
		assert.ElementsMatch(t, tt.want, scraped(t, scraperOn(t, platform.Linux, h, only(tt.metric, tt.config)), snapshot()), tt.config)
	}
	h.filesystems = nil
	assert.Empty(t, scraped(t, scraperOn(t, platform.Linux, h, only("system.filesystem.usage", "enabled: true")), snapshot()))
}

// TestFilesystemsWithoutBounds: some filesystems, of object stores for one, say
// that there is more space and more inodes than there can be. Two of them have
// no sum, which would fall below zero.
func TestFilesystemsWithoutBounds(t *testing.T) {
	h := machine()
	for _, at := range []string{"/a", "/b"} {
		h.filesystems = append(h.filesystems, platform.Filesystem{
			Type: "fuse.s3", Mountpoint: at, Got: platform.FilesystemSpace | platform.FilesystemInodes,
			Total: math.MaxInt64, Used: 1, Free: math.MaxInt64 - 1, FreeInodes: math.MaxInt64,
		})
	}
	for _, tt := range []struct {
		metric, config string
		want           []string
	}{
		{"system.filesystem.usage", "attributes: [system.filesystem.state]", []string{"{system.filesystem.state=reserved} 0", "{system.filesystem.state=used} 2"}},
		{"system.filesystem.usage", "attributes: [system.filesystem.mountpoint]", []string{
			"{system.filesystem.mountpoint=/a} 9223372036854775807", "{system.filesystem.mountpoint=/b} 9223372036854775807",
		}},
		{"system.filesystem.limit", "enabled: true, attributes: []", nil},
		{"system.filesystem.limit", "enabled: true, attributes: [], aggregation_strategy: max", []string{" 9223372036854775807"}},
		{"system.filesystem.inode.usage", "attributes: [system.filesystem.state]", []string{"{system.filesystem.state=used} 0"}},
	} {
		for i := range tt.want {
			tt.want[i] = tt.metric + tt.want[i]
		}
		assert.Equal(t, tt.want, scraped(t, scraperOn(t, platform.Linux, h, only(tt.metric, tt.config)), snapshot()), tt.config)
	}
}

// TestFilesystemFilter: without an include those on a device are told, each
// once; with one, whatever can be seen is a candidate.
func TestFilesystemFilter(t *testing.T) {
	odd := "/srv/tab\tand line\\"
	for filter, want := range map[string][]string{
		``: {"/", "/boot/efi", "/mnt/usb", "/srv/btrfs", "/srv/docker", odd, "/tank", "/tank/home"},
		`filesystem: {exclude: [{match_type: strict, types: [vfat, zfs]}, {match_type: regexp, devices: ['^/dev/vd']}]}`: {"/srv/docker", odd},
		`filesystem: {include: {match_type: regexp, mount_points: ['^/srv']}}`:                                           {"/srv/btrfs", "/srv/docker", odd},
		`filesystem: {include: {match_type: strict, devices: [/dev/mapper/vg0-docker]}}`:                                 {"/srv/docker", "/var/lib/docker"},
	} {
		s := on(t, "docker", only("system.filesystem.limit", "enabled: true")+filter)
		assert.ElementsMatch(t, want, seen(t, s, "system.filesystem.mountpoint"), filter)
	}
}

// TestFilesystemPaths: a path is told under its own name, with what it lies
// on, whatever the filters say; a mount point that is told anyway once.
func TestFilesystemPaths(t *testing.T) {
	s := on(t, "docker", only("system.filesystem.limit", "enabled: true")+
		`filesystem: {include: {match_type: strict, mount_points: [/tank]}, paths: [/tank, /boot/efi, /srv/btrfs/nowhere]}`)
	lines, err := scrape(t, s, snapshot())
	assert.EqualError(t, err, "filesystems: /srv/btrfs/nowhere: file does not exist")
	assert.Equal(t, []string{
		"resource",
		"  system.filesystem.limit{system.device=/dev/vda15,system.filesystem.mode=rw,system.filesystem.mountpoint=/boot/efi,system.filesystem.type=vfat} 100202496",
		"  system.filesystem.limit{system.device=tank,system.filesystem.mode=rw,system.filesystem.mountpoint=/tank,system.filesystem.type=zfs} 10485760000",
	}, lines)
	require.NotNil(t, s)
}
