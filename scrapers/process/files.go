// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"runtime"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/hostscope/hostscope/platform"
)

// File types of st_mode, inode(7). They are the same everywhere.
const (
	modeType   = 0o170000
	modeChar   = 0o020000
	modeBlock  = 0o060000
	modeFIFO   = 0o010000
	modeFolder = 0o040000
	modeFile   = 0o100000
	modeLink   = 0o120000
	modeSocket = 0o140000
)

// fileType names the type of a file; empty for one that is not known.
func fileType(mode uint32) string {
	switch mode & modeType {
	case modeFile:
		return "regular"
	case modeFolder:
		return "directory"
	case modeBlock:
		return "block_device"
	case modeChar:
		return "char_device"
	case modeLink:
		return "symlink"
	case modeFIFO:
		return "fifo"
	case modeSocket:
		return "socket"
	}
	return ""
}

// rdev is the device that a file is; empty if it is none.
func rdev(f *platform.FD) string {
	if t := f.Mode & modeType; t != modeChar && t != modeBlock {
		return ""
	}
	return deviceName(f.Rdev)
}

// octal writes permissions as chmod(1) and umask(1) take them: 0644.
func octal(mode uint32) string {
	var room [16]byte
	b := strconv.AppendUint(room[:4], uint64(mode), 8)
	copy(room[:4], "0000")
	return string(b[min(4, len(b)-4):])
}

// Flags of open(2) that are the same on every architecture.
const (
	accessMode = 0o3
	writeOnly  = 0o1
	readWrite  = 0o2
	noAtime    = 0o1000000
	closeExec  = 0o2000000
	pathOnly   = 0o10000000
	tmpFile    = 0o20000000
)

// openFlags are the flags that differ between architectures
// (include/uapi/asm-generic/fcntl.h, arch/*/include/uapi/asm/fcntl.h). Those
// which only matter when a file is opened are not kept by the kernel.
type openFlags struct{ append, nonblock, dsync, async, sync, direct, directory, nofollow uint64 }

var (
	genericFlags = openFlags{
		append: 0o2000, nonblock: 0o4000, dsync: 0o10000, async: 0o20000, sync: 0o4000000,
		direct: 0o40000, directory: 0o200000, nofollow: 0o400000,
	}
	armFlags = openFlags{
		append: 0o2000, nonblock: 0o4000, dsync: 0o10000, async: 0o20000, sync: 0o4000000,
		direct: 0o200000, directory: 0o40000, nofollow: 0o100000,
	}
	powerFlags = openFlags{
		append: 0o2000, nonblock: 0o4000, dsync: 0o10000, async: 0o20000, sync: 0o4000000,
		direct: 0o400000, directory: 0o40000, nofollow: 0o100000,
	}
	mipsFlags = openFlags{
		append: 0o10, nonblock: 0o200, dsync: 0o20, async: 0o10000, sync: 0o40000,
		direct: 0o100000, directory: 0o200000, nofollow: 0o400000,
	}
)

// flagsOf gives those of an architecture as Go names it.
func flagsOf(arch string) *openFlags {
	switch {
	case strings.HasPrefix(arch, "arm"):
		return &armFlags
	case strings.HasPrefix(arch, "ppc"):
		return &powerFlags
	case strings.HasPrefix(arch, "mips"):
		return &mipsFlags
	}
	return &genericFlags
}

var thisFlags = flagsOf(runtime.GOARCH)

// openMode is the mode that fopen(3) would have for the flags.
func openMode(flags uint64) string {
	appends := flags&thisFlags.append != 0
	switch {
	case flags&accessMode == readWrite && appends:
		return "a+"
	case flags&accessMode == readWrite:
		return "r+"
	case flags&accessMode == writeOnly && appends:
		return "a"
	case flags&accessMode == writeOnly:
		return "w"
	}
	return "r"
}

// names lists flags by their names, sorted.
func (o *openFlags) names(flags uint64) []string {
	names := []string{"O_RDONLY"}
	switch flags & accessMode {
	case writeOnly:
		names[0] = "O_WRONLY"
	case readWrite:
		names[0] = "O_RDWR"
	}
	for _, f := range []struct {
		bits uint64
		name string
		by   string // the flag that has these bits and more
	}{
		{o.append, "O_APPEND", ""},
		{o.async, "O_ASYNC", ""},
		{closeExec, "O_CLOEXEC", ""},
		{o.direct, "O_DIRECT", ""},
		{o.sync | o.dsync, "O_SYNC", ""},
		{o.dsync, "O_DSYNC", "O_SYNC"},
		{noAtime, "O_NOATIME", ""},
		{o.nofollow, "O_NOFOLLOW", ""},
		{o.nonblock, "O_NONBLOCK", ""},
		{pathOnly, "O_PATH", ""},
		{tmpFile | o.directory, "O_TMPFILE", ""},
		{o.directory, "O_DIRECTORY", "O_TMPFILE"},
	} {
		if flags&f.bits == f.bits && !slices.Contains(names, f.by) {
			names = append(names, f.name)
		}
	}
	slices.Sort(names)
	return names
}

// flagLists keeps the lists of names: few sets of flags are ever in use.
type flagLists map[uint64]pcommon.Slice

func (l flagLists) of(flags uint64) pcommon.Slice {
	list, ok := l[flags]
	if !ok {
		list = listOf(thisFlags.names(flags))
		l[flags] = list
	}
	return list
}

// listOf is a list of strings as pdata has it.
func listOf(values []string) pcommon.Slice {
	list := pcommon.NewSlice()
	list.EnsureCapacity(len(values))
	for _, v := range values {
		list.AppendEmpty().SetStr(v)
	}
	return list
}
