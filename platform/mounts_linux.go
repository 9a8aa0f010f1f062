// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// mounts is the mount table, and what came of its text.
type mounts struct {
	text  []byte // as it was last decoded
	seen  []mount
	tree  mountTree
	paths map[string]*mount // that were asked for

	buf                  []byte
	chosen, late, behind []*mount

	local, remote bounded // see bounds
	// answered tells of what was asked whether it has ever answered, by key;
	// vain, that the last reading has waited for some that have not.
	answered map[string]bool
	vain     bool
}

// mount is one mount of the host.
type mount struct {
	Filesystem
	id, parent   uint64
	major, minor uint32
	point        string // the mount point byte for byte
	top          bool   // the top folder of the filesystem is mounted
	first        bool   // the mount that stands for a filesystem on a device
	space        *space
}

// readMounts reads the mount table, and decodes it where it has changed. A
// host without one has no mounts.
func (h *Host) readMounts() error {
	m := &h.mounts
	name := h.root.Proc + "/1/mountinfo"
	text, err := h.readFile(name, &m.buf)
	if err != nil && h.root.Path == "/" { // /proc with hidepid: ours is as good
		own := h.root.Proc + "/self/mountinfo"
		if b, err2 := h.readFile(own, &m.buf); err2 == nil {
			name, text, err = own, b, nil
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m.text, m.seen, m.tree, m.paths = nil, nil, nil, map[string]*mount{}
		return nil
	case err != nil:
		return err
	case m.paths != nil && bytes.Equal(text, m.text):
		return nil
	}
	all, err := h.decodeMounts(text)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", name, ErrMalformed, err)
	}
	m.tree = newMountTree(all)
	m.seen = m.seen[:0:0] // what is under way has the old ones
	odd, here := map[string]bool{}, map[string]bool{}
	for i := range all {
		on := &all[i]
		// A direct map of autofs has no space, and asking would mount it.
		if m.tree.at(on.point) != on || on.Type == "autofs" {
			continue
		}
		if strings.ContainsRune(on.Mountpoint, utf8.RuneError) { // another may go by that name
			if odd[on.Mountpoint] {
				continue
			}
			odd[on.Mountpoint] = true
		}
		on.space = h.newSpace(fmt.Sprintf("%d:%d %s %s", on.major, on.minor, on.Type, on.Device), on.point, on)
		m.seen = append(m.seen, *on)
		here[on.space.key] = true
	}
	if err := h.findFirst(m.seen); err != nil {
		return err
	}
	m.text = append(m.text[:0], text...)
	maps.DeleteFunc(m.answered, func(key string, _ bool) bool { return !here[key] && !strings.HasPrefix(key, pathKey) })
	m.paths = map[string]*mount{}
	return nil
}

func (h *Host) decodeMounts(text []byte) ([]mount, error) {
	all := make([]mount, 0, bytes.Count(text, []byte{'\n'}))
	var raw procfs.Mount
	var plain []byte
	for len(text) > 0 {
		var err error
		if text, err = procfs.NextMount(text, &raw); err != nil {
			return nil, err
		}
		m := mount{id: raw.ID, parent: raw.Parent, major: raw.Major, minor: raw.Minor, top: string(raw.Root) == "/"}
		m.ReadOnly = raw.ReadOnly
		plain = procfs.Unescape(plain[:0], raw.Point)
		m.point = string(plain)
		keep(&m.Mountpoint, plain)
		plain = procfs.Unescape(plain[:0], raw.Type)
		keep(&m.Type, plain)
		plain = procfs.Unescape(plain[:0], raw.Source)
		if m.Device = h.rootDevice(&raw); m.Device == "" && string(plain) != "none" {
			keep(&m.Device, plain)
		}
		all = append(all, m)
	}
	return all, nil
}

// rootDevice is the name of the device that a kernel without an initial RAM
// disk has mounted as /dev/root, which is none.
func (h *Host) rootDevice(raw *procfs.Mount) string {
	if string(raw.Source) != "/dev/root" || raw.Major == 0 {
		return ""
	}
	link := fmt.Appendf(nil, "%s/dev/block/%d:%d\x00", h.root.Sys, raw.Major, raw.Minor)
	var buf [unix.PathMax]byte
	target, errno := h.readlinkat(unix.AT_FDCWD, link, buf[:])
	if errno != 0 || len(target) == 0 {
		return ""
	}
	var name string
	keep(&name, []byte(path.Base(string(target))))
	return "/dev/" + strings.ReplaceAll(name, "!", "/")
}

// findFirst marks of each filesystem that is on a device the one mount that
// stands for it: its top folder rather than one in it, then the shortest path.
func (h *Host) findFirst(seen []mount) error {
	name := h.root.Proc + "/filesystems"
	nodev := map[string]bool{}
	b, err := h.readFile(name, &h.buf)
	if err == nil {
		if err := procfs.Filesystems(b, func(name []byte, no bool) { nodev[string(name)] = no }); err != nil {
			return fmt.Errorf("%s: %w: %w", name, ErrMalformed, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	first := map[[2]uint32]*mount{}
	for i := range seen {
		m := &seen[i]
		if !m.onDevice(nodev) {
			continue
		}
		device := [2]uint32{m.major, m.minor}
		best := first[device]
		if best == nil || m.top && !best.top || m.top == best.top && len(m.point) < len(best.point) {
			first[device] = m
		}
	}
	for _, m := range first {
		m.first = true
	}
	return nil
}

// onDevice tells whether a filesystem is on a device of its own: its type
// takes one, or a pool or flash memory. What is on a loop device is a file of
// another filesystem: the images of snaps, always full.
func (m *mount) onDevice(nodev map[string]bool) bool {
	if m.major == loopMajor || strings.HasPrefix(m.Device, "/dev/loop") {
		return false
	}
	kind, _, _ := strings.Cut(m.Type, ".") // of fuse.sshfs, fuse
	switch kind {
	case "zfs", "ubifs":
		return true
	}
	no, known := nodev[kind]
	if !known {
		return strings.HasPrefix(m.Device, "/dev/")
	}
	return !no
}

// mountTree finds what a path leads to, as the kernel does: from the root down,
// crossing into what is mounted on each folder, and on that again.
type mountTree map[place]*mount

// place is a folder of a mount.
type place struct {
	parent uint64
	point  string
}

// outside is the parent of the mounts whose own is not in the table.
const outside = math.MaxUint64

func newMountTree(all []mount) mountTree {
	ids := make(map[uint64]bool, len(all))
	for i := range all {
		ids[all[i].id] = true
	}
	tree := make(mountTree, len(all))
	for i := range all {
		m := &all[i]
		parent := m.parent
		if !ids[parent] || parent == m.id {
			parent = outside
		}
		tree[place{parent, m.point}] = m
	}
	return tree
}

// at is the mount that an absolute, clean path is on; nil for none.
func (t mountTree) at(name string) *mount {
	var on *mount
	parent := uint64(outside)
	descend := func(point string) {
		for range t { // each at most once, whatever the table says
			m := t[place{parent, point}]
			if m == nil {
				return
			}
			on, parent = m, m.id
		}
	}
	descend("/")
	for i := 1; i < len(name); i++ {
		if name[i] == filepath.Separator {
			descend(name[:i])
		}
	}
	if name != "/" {
		descend(name)
	}
	return on
}
