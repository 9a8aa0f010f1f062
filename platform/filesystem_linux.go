// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// How long statfs(2) may take. It answers in microseconds, or waits for a
// server: those that do not answer at once are waited for together, so that
// one reading takes no longer than the deadline however many of them there are.
const (
	statfsPatience = 200 * time.Millisecond
	statfsDeadline = 5 * time.Second
)

// Filesystems appends the filesystems that req asks for to dst: where and what
// they are by the mount table of the host's first process, which is read anew
// in full where it has changed, and the space by statfs(2). What is mounted
// where this process cannot see it, and what this user may not ask, is not
// told, unless it was asked for by its path: then it is an error. What was read is answered also when the error is not nil: that is
// ErrTimeoutExpired, naming the mount points, for those that did not answer
// before ctx has ended, or in five seconds. These are not asked again until
// they do.
func (h *Host) Filesystems(ctx context.Context, dst []Filesystem, req FilesystemRequest) ([]Filesystem, error) {
	ctx, cancel := context.WithTimeout(ctx, statfsDeadline)
	defer cancel()
	if err := h.readMounts(); err != nil {
		return dst, err
	}
	var silent []string
	var errs []error
	told := func(m *mount) {
		h.calls += m.space.calls
		m.space.calls = 0
		switch err := m.space.err; {
		case err == nil:
			dst = append(dst, m.Filesystem)
			dst[len(dst)-1].fill(m.space.stat)
		case m.space.asked || !unseen(err):
			errs = append(errs, err)
		}
	}
	late := h.mounts.late[:0]
	for _, m := range h.chosen(req) {
		switch {
		case ctx.Err() != nil, h.bounded.under(m.space.key):
			silent = append(silent, m.Mountpoint)
		case h.bounded.try(m.space.key, statfsPatience, m.space.run) == nil:
			told(m)
		default:
			late = append(late, m)
		}
	}
	h.mounts.late = late
	for _, m := range late {
		if h.bounded.wait(ctx, m.space.key) == nil {
			told(m)
		} else {
			silent = append(silent, m.Mountpoint)
		}
	}
	if silent != nil {
		errs = append(errs, fmt.Errorf("%s: %w", strings.Join(silent, ", "), ErrTimeoutExpired))
	}
	return dst, errors.Join(errs...)
}

// unseen tells whether an error of statfs(2) is what a mount answers that we
// do not see: it is in another mount namespace, below a folder of others, or
// its server serves one user only, as sshfs does.
func unseen(err error) bool {
	return errors.Is(err, ErrAccessDenied) || errors.Is(err, fs.ErrNotExist)
}

// chosen are the mounts and paths of a request.
func (h *Host) chosen(req FilesystemRequest) []*mount {
	table := &h.mounts
	table.chosen = table.chosen[:0]
	for i := range table.seen {
		m := &table.seen[i]
		if (req.All || m.first) && (req.Select == nil || req.Select(&m.Filesystem)) {
			table.chosen = append(table.chosen, m)
		}
	}
	mounted := table.chosen
	for _, path := range req.Paths {
		told := false
		for _, m := range mounted {
			told = told || m.Mountpoint == path
		}
		if !told {
			table.chosen = append(table.chosen, h.atPath(path))
			mounted = table.chosen
		}
	}
	return table.chosen
}

// atPath is the space at a path: that of the mount that it lies on.
func (h *Host) atPath(path string) *mount {
	m := h.mounts.paths[path]
	if m == nil {
		m = new(mount)
		if on := h.mounts.tree.at(filepath.Clean(path)); on != nil {
			m.Filesystem = on.Filesystem
		}
		keep(&m.Mountpoint, []byte(path))
		m.space = h.newSpace("path "+path, path, nil)
		h.mounts.paths[path] = m
	}
	return m
}

// space is one question for the space of a filesystem. While it is under way
// it belongs to the goroutine that has asked it.
type space struct {
	access
	key   string
	path  string // in the view of this process
	asked bool   // for a path, not for what is mounted there
	run   func()
	stat  Statfs
	err   error
}

// newSpace asks at a path of the host; if on is not nil, the mount there.
func (h *Host) newSpace(key, path string, on *mount) *space {
	s := &space{key: key, path: path, asked: on == nil}
	if recorded := h.machine.Statfs; recorded != nil {
		s.run = func() { s.stat, s.err = recorded(path) }
		return s
	}
	if h.root.Path != "/" {
		s.path = filepath.Join(h.root.Path, path)
	}
	var expected *mount
	if on != nil {
		expected = &mount{major: on.major, minor: on.minor}
	}
	s.run = func() { s.stat, s.err = s.statfs(expected) }
	return s
}

// statfs is statfs(2), or fs.ErrNotExist where the path is not that mount:
// below a root that is bound without what is mounted in it, and in another
// mount namespace, the folder is there, and on another filesystem.
func (s *space) statfs(on *mount) (Statfs, error) {
	if on != nil {
		var st unix.Statx_t
		// No field is asked for, so that no server is either.
		const flags = unix.AT_STATX_DONT_SYNC | unix.AT_NO_AUTOMOUNT
		if s.statx(unix.AT_FDCWD, append([]byte(s.path), 0), flags, 0, &st) == 0 {
			const root = unix.STATX_ATTR_MOUNT_ROOT // since Linux 5.8
			beside := st.Attributes_mask&root != 0 && st.Attributes&root == 0
			// Filesystems without a device, Btrfs among them, may show others.
			other := on.major != 0 && (st.Dev_major != on.major || st.Dev_minor != on.minor)
			if beside || other {
				return Statfs{}, fileError(s.path, unix.ENOENT)
			}
		}
	}
	var st unix.Statfs_t
	for {
		s.calls++
		err := unix.Statfs(s.path, &st)
		if err == nil {
			break
		}
		if errno := errnoOf(err); errno != unix.EINTR {
			return Statfs{}, fileError(s.path, errno)
		}
	}
	size := uint64(st.Frsize)
	if size == 0 {
		size = uint64(st.Bsize)
	}
	return Statfs{
		BlockSize: size, Blocks: st.Blocks, FreeBlocks: st.Bfree, AvailableBlocks: st.Bavail,
		Files: st.Files, FreeFiles: st.Ffree,
	}, nil
}
