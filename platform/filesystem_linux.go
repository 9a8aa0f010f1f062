// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// How long statfs(2) may take. It answers in microseconds, or waits for a
// server: those that do not answer at once are waited for together, so that
// one reading takes no longer than the deadline however many of them there are.
// Once that was in vain, what has never answered is not waited for again: where
// mounts that hang come and go, each reading would take the whole time.
const (
	statfsPatience = 200 * time.Millisecond
	statfsDeadline = 5 * time.Second
)

// Filesystems appends the filesystems that req asks for to dst: where and what
// they are by the mount table of the host's first process, which is read anew
// in full where it has changed, and the space by statfs(2). What is mounted
// where this process cannot see it, and what this user may not ask, is not
// told, unless it was asked for by its path: then it is an error. What was read
// is answered also when the error is not nil: that is ErrTimeoutExpired, naming
// the mount points, for those that did not answer before ctx has ended, or in
// five seconds. These are not asked again until they do.
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
		err := m.space.err
		if err == nil && m.space.asked {
			err = h.identify(m)
		}
		switch {
		case err == nil:
			dst = append(dst, m.Filesystem)
			dst[len(dst)-1].fill(m.space.stat)
		case m.space.asked || slices.Contains(req.Paths, m.Mountpoint) || !unseen(err):
			errs = append(errs, err)
		}
	}
	table := &h.mounts
	late, behind := table.late[:0], table.behind[:0]
	for _, m := range h.chosen(req) {
		if ctx.Err() != nil {
			silent = append(silent, m.Mountpoint)
			continue
		}
		switch table.ask(m, statfsPatience/time.Duration(1+len(late))) {
		case nil:
			told(m)
		case errNotBegun:
			if slices.ContainsFunc(late, func(l *mount) bool { return l.space.key == m.space.key }) {
				behind = append(behind, m) // another mount of what is late
			} else {
				silent = append(silent, m.Mountpoint)
			}
		default:
			late = append(late, m)
		}
	}
	table.late, table.behind = late, behind
	for _, m := range late {
		if table.await(ctx, m) == nil {
			told(m)
		} else {
			silent = append(silent, m.Mountpoint)
		}
	}
	for _, m := range behind {
		if ctx.Err() == nil && table.ask(m, statfsPatience) == nil {
			told(m)
		} else {
			silent = append(silent, m.Mountpoint)
		}
	}
	if table.vain = silent != nil; table.vain {
		errs = append(errs, fmt.Errorf("%s: %w", some(silent), ErrTimeoutExpired))
	}
	return dst, errors.Join(errs...)
}

// bounds is what bounds the question for the space of a mount. A server that
// is away takes all of its filesystems with it, which may be hundreds: those
// on devices do not share with them.
func (t *mounts) bounds(m *mount) *bounded {
	if m.first || m.space.asked {
		return &t.local
	}
	return &t.remote
}

// ask asks for the space of a mount.
func (t *mounts) ask(m *mount, patience time.Duration) error {
	b, key := t.bounds(m), m.space.key
	if t.answered == nil {
		t.answered = map[string]bool{}
	}
	if answered, known := t.answered[key]; known && !answered && !b.under(key) {
		t.answered[key] = true // after the reading that has asked
	}
	err := b.try(key, patience, m.space.run)
	if err == nil {
		t.answered[key] = true
	}
	return err
}

// await waits for an answer that is late.
func (t *mounts) await(ctx context.Context, m *mount) error {
	key := m.space.key
	if t.vain && !t.answered[key] {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		cancel()
	}
	err := t.bounds(m).wait(ctx, key)
	t.answered[key] = t.answered[key] || err == nil
	return err
}

// some names the first of many, in an order that does not change.
func some(names []string) string {
	const most = 10
	slices.Sort(names)
	if more := len(names) - most; more > 0 {
		names = append(names[:most:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
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

// pathKey begins the keys of what is asked for by its path.
const pathKey = "path "

// atPath is the space at a path.
func (h *Host) atPath(path string) *mount {
	m := h.mounts.paths[path]
	if m == nil {
		m = &mount{point: path}
		keep(&m.Mountpoint, []byte(path))
		m.space = h.newSpace(pathKey+path, path, nil)
		h.mounts.paths[path] = m
	}
	return m
}

// identify finds the mount that a path has turned out to lie on. It is
// fs.ErrNotExist where that is on the host and not here, where the folder that
// it is mounted on shows.
func (h *Host) identify(m *mount) error {
	s := m.space
	on := h.mounts.tree.at(cmp.Or(s.leads, filepath.Clean(m.point)))
	if on == nil {
		return nil
	}
	// Filesystems without a device, Btrfs among them, may show others.
	if s.leads != "" && on.major != 0 && (s.major != on.major || s.minor != on.minor) {
		return fileError(s.path, unix.ENOENT)
	}
	m.Device, m.Type, m.ReadOnly = on.Device, on.Type, on.ReadOnly
	return nil
}

// space is one question for the space of a filesystem. While it is under way
// it belongs to the goroutine that has asked it.
type space struct {
	access
	// key is the filesystem: one that is silent is so wherever it is mounted.
	key   string
	path  string // in the view of this process
	asked bool   // for a path, not for what is mounted there
	run   func()
	stat  Statfs
	err   error

	// Of a path: where it leads to, if that is known, and the device there.
	leads        string
	major, minor uint32
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
	if on == nil {
		root := h.root.Path
		s.run = func() { s.stat, s.err = s.follow(root, path) }
		return s
	}
	expected := &mount{major: on.major, minor: on.minor}
	expected.Type = on.Type
	s.run = func() { s.stat, s.err = s.statfs(expected) }
	return s
}

// follow is statfs(2) of what a path of the host leads to, and finds where that
// is. Symbolic links lead where they do on the host, whatever the root.
func (s *space) follow(root, path string) (Statfs, error) {
	s.leads, s.major, s.minor = "", 0, 0
	dir, err := s.openPath(root, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return Statfs{}, err
	}
	defer s.close(dir)
	fd, errno := -1, unix.ENOSYS
	if root != "/" {
		fd, errno = s.openInRoot(dir, path)
	}
	if errno == unix.ENOSYS || errno == unix.EPERM { // before Linux 5.6, or a sandbox
		fd, err = s.openPath(s.path, unix.O_PATH)
	} else if errno != 0 {
		err = fileError(s.path, errno)
	}
	if err != nil {
		return Statfs{}, err
	}
	defer s.close(fd)
	var here unix.Statx_t
	const flags = unix.AT_EMPTY_PATH | unix.AT_STATX_DONT_SYNC
	if top, target := s.pathOf(dir), s.pathOf(fd); target != "" && s.statx(fd, []byte{0}, flags, 0, &here) == 0 {
		if rest, ok := strings.CutPrefix(target+"/", strings.TrimSuffix(top, "/")+"/"); ok {
			s.leads, s.major, s.minor = filepath.Clean("/"+rest), here.Dev_major, here.Dev_minor
		}
	}
	return s.ask(func(st *unix.Statfs_t) error { return unix.Fstatfs(fd, st) })
}

// openInRoot opens what a path leads to below the folder dir, as if that were
// the root (openat2(2)).
func (s *space) openInRoot(dir int, path string) (fd int, errno unix.Errno) {
	for range 8 { // EAGAIN: something on the way was moved meanwhile
		s.calls++
		fd, err := unix.Openat2(dir, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
		if err == nil {
			return fd, 0
		}
		if errno = errnoOf(err); errno != unix.EAGAIN && errno != unix.EINTR {
			break
		}
	}
	return -1, errno
}

// pathOf is the path of what is open, in our view; "" where it has none.
func (s *space) pathOf(fd int) string {
	var buf [unix.PathMax]byte
	b, errno := s.readlinkat(unix.AT_FDCWD, fmt.Appendf(nil, "/proc/self/fd/%d\x00", fd), buf[:])
	if errno != 0 || len(b) == len(buf) || len(b) == 0 || b[0] != '/' {
		return ""
	}
	return string(b)
}

// statfs is statfs(2), or fs.ErrNotExist where the path is not that mount:
// below a root that is bound without what is mounted in it, and in another
// mount namespace, the folder is there, and on another filesystem, or something
// else is mounted on it.
func (s *space) statfs(on *mount) (Statfs, error) {
	if on != nil {
		var st unix.Statx_t
		// No field is asked for, so that no server is either.
		const flags = unix.AT_STATX_DONT_SYNC | unix.AT_NO_AUTOMOUNT
		if s.statx(unix.AT_FDCWD, append([]byte(s.path), 0), flags, 0, &st) == 0 {
			const root = unix.STATX_ATTR_MOUNT_ROOT // since Linux 5.8
			beside := st.Attributes_mask&root != 0 && st.Attributes&root == 0
			// Btrfs shows a device of its own for each subvolume (btrfs_getattr).
			other := on.Type != "btrfs" && (st.Dev_major != on.major || st.Dev_minor != on.minor)
			if beside || other {
				return Statfs{}, fileError(s.path, unix.ENOENT)
			}
		}
	}
	return s.ask(func(st *unix.Statfs_t) error { return unix.Statfs(s.path, st) })
}

func (s *space) ask(call func(*unix.Statfs_t) error) (Statfs, error) {
	var st unix.Statfs_t
	for {
		s.calls++
		err := call(&st)
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
