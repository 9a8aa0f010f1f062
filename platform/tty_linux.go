// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ttys names terminals by their device number: the devices tty* and pts/*
// below the folder of devices.
type ttys struct {
	names   map[Device]string
	scanned bool // in this snapshot
}

// tty is the terminal with the number that stat shows, 0 for none.
func (h *Host) tty(number uint64) TTY {
	if number == 0 {
		return TTY{}
	}
	t := &h.table.ttys
	// new_encode_dev of include/linux/kdev_t.h
	device := Device{Major: uint32(number >> 8 & 0xfff), Minor: uint32(number&0xff | number>>12&0xfff00)}
	name, ok := t.names[device]
	if !ok && !t.scanned {
		t.scanned = true
		h.scanTTYs()
		name = t.names[device]
	}
	return TTY{Attached: true, Name: name}
}

// scanTTYs looks at every terminal there is. What cannot be read has no name,
// which is no error: a container often has no folder of devices.
func (h *Host) scanTTYs() {
	t := &h.table.ttys
	t.names = make(map[Device]string)
	for _, dir := range [...]struct{ name, prefix string }{{"", "tty"}, {"pts", ""}} {
		path := filepath.Join(h.root.Dev, dir.name)
		fd, err := h.openPath(path, unix.O_DIRECTORY)
		if err != nil {
			continue
		}
		var names []string
		_ = h.listdir(fd, h.table.dirents[:], func(name []byte) {
			if strings.HasPrefix(string(name), dir.prefix) && string(name) != "tty" && string(name) != "ptmx" {
				names = append(names, string(name))
			}
		})
		for _, name := range names {
			var st unix.Statx_t
			if h.statx(fd, append([]byte(name), 0), unix.AT_SYMLINK_NOFOLLOW, unix.STATX_TYPE, &st) == 0 && st.Mode&unix.S_IFMT == unix.S_IFCHR {
				var clean string
				keep(&clean, []byte(filepath.Join("/dev", dir.name, name)))
				t.names[Device{st.Rdev_major, st.Rdev_minor}] = clean
			}
		}
		h.close(fd)
	}
}
