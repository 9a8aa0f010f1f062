// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// hostNetwork is the network of the host: that which its first process is in.
type hostNetwork struct {
	looked bool
	folder string // with the files of it, below /proc
	own    bool   // system calls are of it, too
	sysfs  bool   // and so is /sys
}

// hostNetwork finds out, once, what tells of the host's network. A user who is
// not shown the first process (hidepid) is taken to be in the same.
func (h *Host) hostNetwork() *hostNetwork {
	n := &h.net
	if n.looked {
		return n
	}
	*n = hostNetwork{looked: true, folder: "1/net/", sysfs: true}
	if !h.procfs { // a recorded machine
		return n
	}
	// Each namespace has files of its own, whichever /proc shows them. The link
	// ns/net tells as well, but only those who may trace the process.
	var theirs, ours unix.Statx_t
	if h.statx(h.proc, []byte("1/net/dev\x00"), 0, unix.STATX_INO, &theirs) != 0 && h.ownPIDs {
		n.folder, n.own = "self/net/", true
	} else {
		errno := h.statx(unix.AT_FDCWD, []byte("/proc/thread-self/net/dev\x00"), 0, unix.STATX_INO, &ours)
		n.own = errno == 0 && ours.Ino == theirs.Ino
	}
	n.sysfs = h.sysfsIsHosts()
	return n
}

// sysfsIsHosts tells whether /sys shows the host's interfaces: it shows those
// of the network namespace in which it was mounted, and each has a filesystem
// of its own. The host's is what its first process has mounted.
func (h *Host) sysfsIsHosts() bool {
	var st unix.Statx_t
	text, err := h.readFile(h.root.Proc+"/1/mountinfo", &h.buf)
	if err != nil || h.statx(unix.AT_FDCWD, []byte(h.root.Sys+"/class/net\x00"), 0, 0, &st) != 0 {
		return true // hidden, or there is nothing to mistake
	}
	mounted := false
	var m procfs.Mount
	for len(text) > 0 && err == nil {
		if text, err = procfs.NextMount(text, &m); err == nil && string(m.Type) == "sysfs" {
			if m.Major == st.Dev_major && m.Minor == st.Dev_minor {
				return true
			}
			mounted = true
		}
	}
	return !mounted
}
