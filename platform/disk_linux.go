// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/parse"
	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// disks is what is known of the devices in /proc/diskstats, by name.
type disks struct {
	known map[string]*device
	round uint64 // number of the reading
	buf   [32]byte
}

// device is what a block device is, which is looked up when it comes.
type device struct {
	name         string
	major, minor uint32
	round        uint64 // of the last reading that it was in
	whole        bool   // a disk, if there is a medium in it
	medium       bool   // there is one, though nothing was read or written yet
	size         []byte // path of the file in sysfs, ending in NUL
}

// Disks appends the block devices of the host that selects wants, all if it is
// nil, to dst in the kernel's order (/proc/diskstats, /sys/class/block). All
// fields but the size are always read; that costs a file of each device. A
// kernel without block devices has none. An error names the files; of those of
// the sizes, all else is answered all the same.
func (h *Host) Disks(dst []Disk, want DiskFields, selects func(*Disk) bool) ([]Disk, error) {
	path := h.root.Proc + "/diskstats"
	text, err := h.readFile(path, &h.buf)
	if errors.Is(err, fs.ErrNotExist) {
		return dst, nil
	} else if err != nil {
		return dst, err
	}
	var (
		raw  procfs.Disk
		disk string // the one that partitions may follow
		here int
		errs []error

		before = len(dst)
	)
	h.disks.round++
	for len(text) > 0 {
		if text, err = procfs.NextDisk(text, &raw); err != nil {
			return dst[:before], fmt.Errorf("%s: %w: %w", path, ErrMalformed, err)
		}
		dev := h.device(&raw, disk)
		if !partitionOf(disk, dev.name) {
			disk = dev.name
		}
		if dev.round == h.disks.round {
			continue // its second line
		}
		dev.round = h.disks.round
		here++
		dst = append(dst, diskOf(&raw, dev))
		d := &dst[len(dst)-1]
		if selects != nil && !selects(d) {
			dst = dst[:len(dst)-1]
			continue
		}
		if want.Has(DiskSize) {
			if err := h.diskSize(dev, d); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if here < len(h.disks.known) {
		for name, dev := range h.disks.known {
			if dev.round != h.disks.round {
				delete(h.disks.known, name)
			}
		}
	}
	return dst, errors.Join(errs...)
}

func diskOf(raw *procfs.Disk, dev *device) Disk {
	d := Disk{
		Name: dev.name, Major: raw.Major, Minor: raw.Minor,
		Whole:     dev.whole && (dev.medium || raw.Reads > 0 || raw.Writes > 0),
		Got:       DiskIO | DiskOperations | DiskMerged | DiskTime | DiskBusyTime | DiskWeightedTime | DiskPending,
		ReadCount: raw.Reads, WriteCount: raw.Writes,
		ReadMerged: raw.ReadsMerged, WriteMerged: raw.WritesMerged,
		ReadBytes: raw.SectorsRead * procfs.SectorSize, WriteBytes: raw.SectorsWritten * procfs.SectorSize,
		ReadTime: raw.ReadTime, WriteTime: raw.WriteTime,
		BusyTime: raw.BusyTime, WeightedTime: raw.WeightedTime,
		Pending: raw.InFlight,
	}
	// Older kernels counted it down twice now and then: below zero, unsigned.
	if d.Pending >= 1<<31 {
		d.Pending, d.Got = 0, d.Got&^DiskPending
	}
	return d
}

// device is what a line of /proc/diskstats is about. disk is the last one
// before it that is no partition.
func (h *Host) device(raw *procfs.Disk, disk string) *device {
	dev := h.disks.known[string(raw.Name)]
	if dev != nil && dev.major == raw.Major && dev.minor == raw.Minor {
		return dev
	}
	before := dev
	if dev = (&device{major: raw.Major, minor: raw.Minor}); before != nil {
		dev.round = before.round
	}
	keep(&dev.name, raw.Name)
	// In sysfs the disk cciss/c0d0 is cciss!c0d0 (kobject_set_name_vargs).
	dir := filepath.Join(h.root.Sys, "class/block", strings.ReplaceAll(dev.name, "/", "!"))
	dev.size = append([]byte(dir+"/size"), 0)
	switch {
	case h.hasPath(dir + "/partition"):
	case !h.hasPath(dir) && partitionOf(disk, dev.name):
	case raw.Major == ramdiskMajor, raw.Major == loopMajor, strings.HasPrefix(dev.name, "zram"):
	case h.attribute(dir+"/hidden") == 1: // a path of a multipath NVMe disk
	default:
		dev.whole = true
	}
	// A drive for CDs or floppies tells a size whatever is in it. What is not
	// removable has been read once, for its partitions, or is brand-new.
	dev.medium = dev.whole && h.attribute(dir+"/removable") == 0 && h.attribute(dir+"/size") > 0
	if h.disks.known == nil {
		h.disks.known = map[string]*device{}
	}
	h.disks.known[string(raw.Name)] = dev
	return dev
}

// path is that of the size.
func (d *device) path() string { return string(d.size[:len(d.size)-1]) }

// Numbers of drivers, in include/uapi/linux/major.h.
const (
	ramdiskMajor = 1
	loopMajor    = 7
)

// partitionOf tells by its name whether a device is a partition of a disk,
// which is right before it in /proc/diskstats: a number is appended, after a p
// where the name of the disk ends in a digit (bdev_name of lib/vsprintf.c).
func partitionOf(disk, name string) bool {
	number, ok := strings.CutPrefix(name, disk)
	if !ok || disk == "" {
		return false
	}
	if last := disk[len(disk)-1]; '0' <= last && last <= '9' {
		if number, ok = strings.CutPrefix(number, "p"); !ok {
			return false
		}
	}
	return number != "" && strings.Trim(number, "0123456789") == ""
}

// hasPath tells whether there is something at a path.
func (h *Host) hasPath(path string) bool {
	var st unix.Statx_t
	return h.statx(unix.AT_FDCWD, append([]byte(path), 0), 0, 0, &st) == 0
}

// attribute is the number that stands in a file of sysfs, -1 for none.
func (h *Host) attribute(path string) int64 {
	var buf [32]byte
	b, errno := h.readOnce(unix.AT_FDCWD, append([]byte(path), 0), buf[:])
	if n, ok := parse.Only(b); errno == 0 && ok {
		return n
	}
	return -1
}

// diskSize reads the size of a device. A device that has gone has none.
func (h *Host) diskSize(dev *device, d *Disk) error {
	b, errno := h.readOnce(unix.AT_FDCWD, dev.size, h.disks.buf[:])
	switch {
	case errno == unix.ENOENT, errno == unix.ENODEV, errno == unix.ENXIO:
		return nil
	case errno != 0:
		return fileError(dev.path(), errno)
	}
	sectors, ok := parse.Only(b)
	if !ok || sectors < 0 || sectors > (1<<63-1)/procfs.SectorSize {
		return fmt.Errorf("%s: %w: %w", dev.path(), ErrMalformed, parse.ErrSyntax)
	}
	d.Size, d.Got = uint64(sectors)*procfs.SectorSize, d.Got|DiskSize
	return nil
}
