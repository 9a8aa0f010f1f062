// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"math"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Mount is one line of /proc/PID/mountinfo (proc_pid_mountinfo(5)). Its texts
// are parts of what was decoded, still with their escapes: see Unescape.
type Mount struct {
	ID, Parent   uint64
	Major, Minor uint32
	Root         []byte // the folder of the filesystem that is mounted
	Point        []byte // where
	Type         []byte // with a subtype after a dot, as in fuse.sshfs
	Source       []byte // the device, or whatever the filesystem calls it
	ReadOnly     bool   // the mount is, or the whole filesystem
}

// NextMount decodes the first line of b.
func NextMount(b []byte, m *Mount) (rest []byte, err error) {
	line, rest := parse.Line(b)
	var ok [8]bool
	var device, options, super []byte
	m.ID, line, ok[0] = number(line)
	m.Parent, line, ok[1] = number(line)
	line = parse.Space(line)
	device, line, ok[2] = parse.Split(line, ' ')
	m.Root, line, ok[3] = parse.Split(line, ' ')
	m.Point, line, ok[4] = parse.Split(line, ' ')
	options, line, ok[5] = parse.Split(line, ' ')
	for field := []byte(nil); len(field) != 1 || field[0] != '-'; {
		var more bool
		if field, line, more = parse.Split(line, ' '); !more {
			return nil, parse.ErrSyntax
		}
	}
	// A source may be empty: then there are two spaces.
	m.Type, line, ok[6] = parse.Split(line, ' ')
	m.Source, super, ok[7] = parse.Split(line, ' ')
	if ok != [8]bool{true, true, true, true, true, true, true, true} || len(m.Point) == 0 || len(m.Type) == 0 {
		return nil, parse.ErrSyntax
	}
	major, minor, _ := parse.Split(device, ':')
	M, after, ok1 := parse.Uint(major)
	n, end, ok2 := parse.Uint(minor)
	if !ok1 || !ok2 || len(after)+len(end) > 0 || max(M, n) > math.MaxUint32 {
		return nil, parse.ErrSyntax
	}
	m.Major, m.Minor = uint32(M), uint32(n)
	m.ReadOnly = readOnly(options) || readOnly(super)
	return rest, nil
}

// readOnly tells it of options, the first of which is ro or rw.
func readOnly(options []byte) bool {
	first, _, _ := parse.Split(options, ',')
	return string(first) == "ro"
}

// Unescape appends text to dst, what the kernel wrote as a backslash and three
// octal digits as the byte that it is.
func Unescape(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(dst, text...)
		}
		dst, text = append(dst, text[:i]...), text[i:]
		n, rest, ok := uint64(0), []byte(nil), false
		if len(text) >= 4 {
			n, rest, ok = parse.Octal(text[1:4])
		}
		if ok && len(rest) == 0 && n <= math.MaxUint8 {
			dst, text = append(dst, byte(n)), text[4:]
		} else {
			dst, text = append(dst, '\\'), text[1:]
		}
	}
}

// Filesystems decodes /proc/filesystems: it calls each with every type that
// the kernel knows, and whether it takes no device.
func Filesystems(b []byte, each func(name []byte, nodev bool)) error {
	for len(b) > 0 {
		var line []byte
		line, b = parse.Line(b)
		mark, name, ok := parse.Split(line, '\t')
		nodev := string(mark) == "nodev"
		if !ok || len(name) == 0 || !nodev && len(mark) > 0 {
			return parse.ErrSyntax
		}
		each(name, nodev)
	}
	return nil
}
