// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// line is one of /proc/diskstats, of a device that has done n of everything.
func line(major, minor int, name string, n int) string {
	return fmt.Sprintf("%4d %7d %s%s\n", major, minor, name, strings.Repeat(" "+strconv.Itoa(n), 17))
}

func names(disks []Disk) (all []string) {
	for _, d := range disks {
		all = append(all, d.Name)
	}
	return all
}

func (tr tree) block(name, size string, more ...string) {
	dir := "sys/class/block/" + name + "/"
	tr.write(dir+"size", size+"\n")
	tr.write(dir+"removable", "0\n")
	for _, file := range more {
		tr.write(dir+file, "1\n")
	}
}

func TestDisks(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	disks, err := h.Disks(nil, DiskSize, nil)
	require.NoError(t, err, "a kernel without block devices")
	assert.Empty(t, disks)

	tr.write("proc/diskstats", "   8       0 sda 10 20 30 40 50 60 70 80 3 100 110 120 130 140 150 160 170\n"+
		" 104       0 cciss/c0d0 1 0 8 1 1 0 16 4294967295 4294967295 2 3\n")
	tr.block("sda", "2048")
	tr.block("cciss!c0d0", "4096")
	disks, err = h.Disks(nil, DiskSize, nil)
	require.NoError(t, err)
	all := DiskIO | DiskOperations | DiskMerged | DiskTime | DiskBusyTime | DiskWeightedTime | DiskPending | DiskSize
	want := []Disk{
		{
			Name: "sda", Major: 8, Whole: true, Got: all,
			ReadCount: 10, WriteCount: 50, ReadMerged: 20, WriteMerged: 60, ReadBytes: 30 * 512, WriteBytes: 70 * 512,
			ReadTime: 40, WriteTime: 80, BusyTime: 100, WeightedTime: 110, Pending: 3, Size: 2048 * 512,
		},
		{
			Name: "cciss/c0d0", Major: 104, Whole: true, Got: all &^ DiskPending,
			ReadCount: 1, WriteCount: 1, ReadBytes: 8 * 512, WriteBytes: 16 * 512,
			ReadTime: 1, WriteTime: 4294967295, BusyTime: 2, WeightedTime: 3, Size: 4096 * 512,
		},
	}
	assert.Equal(t, want, disks)

	// Nobody wants the size: it is not read.
	before := h.calls
	disks, err = h.Disks(disks[:0], 0, nil)
	require.NoError(t, err)
	assert.Equal(t, 4, h.calls-before, "open, read, end, close")
	assert.Equal(t, all&^DiskSize, disks[0].Got)
	assert.Zero(t, disks[0].Size)
	assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { disks, _ = h.Disks(disks[:0], DiskSize, nil) }), 2.0, "the path of the one file")

	// What the sizes are of is told where one of them cannot be read.
	tr.write("sys/class/block/sda/size", "many\n")
	disks, err = h.Disks(nil, DiskSize, nil)
	assert.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, tr.dir+"/sys/class/block/sda/size")
	assert.Len(t, disks, 2)
	assert.False(t, disks[0].Got.Has(DiskSize))
	tr.remove("sys/class/block/sda/size")
	_, err = h.Disks(nil, DiskSize, nil)
	require.NoError(t, err, "it has just gone")

	tr.write("proc/diskstats", "8 0 sda 1 2\n")
	_, err = h.Disks(nil, 0, nil)
	assert.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, tr.dir+"/proc/diskstats")
}

func TestWholeDisks(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	tr.block("sda", "1000")
	tr.block("sda1", "999", "partition")
	tr.block("xvda1", "999") // a disk, for all its name
	tr.block("nvme0n1", "1000")
	tr.block("nvme0c0n1", "1000", "hidden")
	tr.block("nvme0n1p1", "999", "partition")
	tr.block("loop0", "1000")
	tr.block("ram0", "1000")
	tr.block("zram0", "1000")
	tr.block("dm-0", "999")
	tr.block("md127", "999")
	tr.block("sdb", "1000") // brand-new
	tr.block("sdc", "0")    // a reader without a card
	tr.block("sr0", "2097151", "removable")
	tr.block("fd0", "8", "removable")
	tr.block("nbd0", "0")
	diskstats := line(1, 0, "ram0", 1) + line(7, 0, "loop0", 1) + line(253, 0, "zram0", 1) +
		line(8, 0, "sda", 1) + line(8, 1, "sda1", 1) + line(8, 16, "sdb", 0) + line(8, 32, "sdc", 0) +
		line(11, 0, "sr0", 0) + line(2, 0, "fd0", 0) + line(43, 0, "nbd0", 0) + line(202, 1, "xvda1", 1) +
		line(259, 0, "nvme0c0n1", 1) + line(259, 1, "nvme0n1", 1) + line(259, 2, "nvme0n1p1", 1) +
		line(252, 0, "dm-0", 1) + line(9, 127, "md127", 1)
	tr.write("proc/diskstats", diskstats)
	whole := func(d *Disk) bool { return d.Whole }
	disks, err := h.Disks(nil, 0, whole)
	require.NoError(t, err)
	assert.Equal(t, []string{"sda", "sdb", "xvda1", "nvme0n1", "dm-0", "md127"}, names(disks))
	disks, err = h.Disks(nil, 0, nil)
	require.NoError(t, err)
	assert.Len(t, disks, 16)

	// What they are is looked up once; a medium shows by what is read of it.
	before := h.calls
	tr.write("proc/diskstats", strings.Replace(diskstats, line(11, 0, "sr0", 0), line(11, 0, "sr0", 1), 1))
	disks, err = h.Disks(nil, 0, whole)
	require.NoError(t, err)
	assert.Equal(t, 4, h.calls-before)
	assert.Equal(t, []string{"sda", "sdb", "sr0", "xvda1", "nvme0n1", "dm-0", "md127"}, names(disks))

	// One that has gone is forgotten, and another under its name is new.
	tr.write("proc/diskstats", line(8, 0, "sda", 1)+line(8, 0, "sda", 1))
	disks, err = h.Disks(nil, 0, whole)
	require.NoError(t, err)
	assert.Equal(t, []string{"sda"}, names(disks), "once")
	assert.Len(t, h.disks.known, 1)
	tr.write("sys/class/block/sda/partition", "1\n")
	tr.write("proc/diskstats", line(8, 16, "sda", 1))
	disks, err = h.Disks(nil, 0, whole)
	require.NoError(t, err)
	assert.Empty(t, disks)
}

// Without /sys the names tell, which are in the kernel's order.
func TestWholeDisksWithoutSysfs(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	text := ""
	for i, name := range []string{"sda", "sda1", "sda2", "sdaa", "sdaa1", "xvda1", "nvme0n1", "nvme0n1p1", "nvme0n10", "dm-1", "dm-10", "mmcblk0", "mmcblk0p1", "mmcblk0boot0"} {
		text += line(8, i, name, 1)
	}
	tr.write("proc/diskstats", text)
	disks, err := h.Disks(nil, DiskSize, func(d *Disk) bool { return d.Whole })
	require.NoError(t, err)
	assert.Equal(t, []string{"sda", "sdaa", "xvda1", "nvme0n1", "nvme0n10", "dm-1", "dm-10", "mmcblk0", "mmcblk0boot0"}, names(disks))
}

// TestLiveDisks compares with the kernel's file, before and after.
func TestLiveDisks(t *testing.T) {
	h, err := Open(Root{}, Machine{})
	require.NoError(t, err)
	defer func() { require.NoError(t, h.Close()) }()
	read := func() map[string][]string {
		b, err := os.ReadFile("/proc/diskstats")
		if os.IsNotExist(err) {
			t.Skip("a kernel without block devices")
		}
		require.NoError(t, err)
		all := map[string][]string{}
		for l := range strings.Lines(string(b)) {
			f := strings.Fields(l)
			all[f[2]] = f[3:]
		}
		return all
	}
	before := read()
	disks, err := h.Disks(nil, DiskSize, nil)
	require.NoError(t, err)
	after := read()
	require.Len(t, disks, len(after))
	for _, d := range disks {
		for i, v := range []uint64{
			d.ReadCount, d.ReadMerged, d.ReadBytes / 512, d.ReadTime,
			d.WriteCount, d.WriteMerged, d.WriteBytes / 512, d.WriteTime,
		} {
			least, err1 := strconv.ParseUint(before[d.Name][i], 10, 64)
			most, err2 := strconv.ParseUint(after[d.Name][i], 10, 64)
			require.NoError(t, err1)
			require.NoError(t, err2)
			assert.GreaterOrEqual(t, v, least, "%s %d", d.Name, i)
			assert.LessOrEqual(t, v, most, "%s %d", d.Name, i)
		}
		_, err := os.Stat("/sys/class/block/" + d.Name + "/partition")
		assert.False(t, d.Whole && err == nil, d.Name)
		size, err := os.ReadFile("/sys/class/block/" + d.Name + "/size")
		require.NoError(t, err)
		assert.Equal(t, strings.TrimSpace(string(size)), strconv.FormatUint(d.Size/512, 10), d.Name)
	}
}

func FuzzPartitionOf(f *testing.F) {
	f.Add("sda", "sda1")
	f.Add("nvme0n1", "nvme0n1p1")
	f.Fuzz(func(t *testing.T, disk, name string) {
		if partitionOf(disk, name) {
			assert.Greater(t, len(name), len(disk))
			assert.False(t, partitionOf(name, disk))
		}
	})
}
