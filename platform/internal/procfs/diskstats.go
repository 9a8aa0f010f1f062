// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"math"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Disk is one line of /proc/diskstats, of a disk or a partition
// (block/genhd.c, diskstats_show). Times are in milliseconds, of 32 bits.
type Disk struct {
	Major, Minor uint32
	Name         []byte // part of what was decoded; a slash in it is a ! in sysfs

	Reads, ReadsMerged, SectorsRead, ReadTime       uint64
	Writes, WritesMerged, SectorsWritten, WriteTime uint64
	InFlight, BusyTime, WeightedTime                uint64
}

// SectorSize is the unit of sectors in the kernel's statistics, whatever the
// device's own is (SECTOR_SHIFT of include/linux/blk_types.h).
const SectorSize = 512

// NextDisk decodes the first line of b. What Linux 4.18 and 5.5 have added
// after its eleven numbers, about discards and flushes, is not read.
func NextDisk(b []byte, d *Disk) (rest []byte, err error) {
	line, rest := parse.Line(b)
	var major, minor uint64
	for _, n := range [...]*uint64{&major, &minor} {
		var ok bool
		if *n, line, ok = number(line); !ok || *n > math.MaxUint32 {
			return nil, parse.ErrSyntax
		}
	}
	d.Major, d.Minor = uint32(major), uint32(minor)
	line = parse.Space(line)
	end := bytes.IndexByte(line, ' ')
	if end <= 0 {
		return nil, parse.ErrSyntax
	}
	d.Name, line = line[:end], line[end:]
	for _, n := range [...]*uint64{
		&d.Reads, &d.ReadsMerged, &d.SectorsRead, &d.ReadTime,
		&d.Writes, &d.WritesMerged, &d.SectorsWritten, &d.WriteTime,
		&d.InFlight, &d.BusyTime, &d.WeightedTime,
	} {
		var ok bool
		if *n, line, ok = number(line); !ok {
			return nil, parse.ErrSyntax
		}
	}
	return rest, nil
}

// number reads a number after spaces, up to a space or the end.
func number(b []byte) (n uint64, rest []byte, ok bool) {
	n, rest, ok = parse.Uint(parse.Space(b))
	return n, rest, ok && (len(rest) == 0 || rest[0] == ' ')
}
