// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// mounted is a root with a mount table, where each mount point answers what
// statfs says of it.
func (tr tree) mounted(table string, statfs func(path string) (Statfs, error)) *Host {
	tr.write("proc/1/mountinfo", table)
	h, err := Open(Root{Path: tr.dir}, Machine{Statfs: statfs})
	require.NoError(tr.t, err)
	tr.t.Cleanup(func() { _ = h.Close() })
	return h
}

func ok(string) (Statfs, error) {
	return Statfs{BlockSize: 1024, Blocks: 100, FreeBlocks: 50, AvailableBlocks: 40, Files: 9, FreeFiles: 7}, nil
}

// points are the mount points of filesystems.
func mountPoints(all []Filesystem) (names []string) {
	for _, f := range all {
		names = append(names, f.Mountpoint)
	}
	return names
}

func TestFilesystems(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	all, err := h.Filesystems(t.Context(), nil, FilesystemRequest{All: true})
	require.NoError(t, err, "a host without a mount table")
	assert.Empty(t, all)

	tr.write("proc/filesystems", "nodev\tproc\n\text4\n")
	h = tr.mounted("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:4 / /proc rw - proc proc rw\n3 1 8:2 / /srv/a\\040b ro - ext4 /dev/sda2 rw\n4 1 0:9 / /none rw - tmpfs none rw\n", ok)
	all, err = h.Filesystems(t.Context(), nil, FilesystemRequest{})
	require.NoError(t, err)
	const got = FilesystemSpace | FilesystemInodes
	root := Filesystem{
		Device: "/dev/sda1", Type: "ext4", Mountpoint: "/", Got: got,
		Total: 102400, Used: 51200, Free: 40960, Reserved: 10240, UsedInodes: 2, FreeInodes: 7,
	}
	srv := root
	srv.Device, srv.Mountpoint, srv.ReadOnly = "/dev/sda2", "/srv/a b", true
	assert.Equal(t, []Filesystem{root, srv}, all)

	all, err = h.Filesystems(t.Context(), all[:0], FilesystemRequest{All: true, Select: func(f *Filesystem) bool { return f.Type != "ext4" }})
	require.NoError(t, err)
	assert.Equal(t, []string{"/proc", "/none"}, mountPoints(all))
	assert.Equal(t, []string{"proc", ""}, []string{all[0].Device, all[1].Device}, "none is no name")

	// A path is on the mount that it leads to, told under its own name.
	all, err = h.Filesystems(t.Context(), all[:0], FilesystemRequest{Select: func(f *Filesystem) bool { return f.Mountpoint == "/" }, Paths: []string{"/", "/srv/a b/c/", "/srv"}})
	require.NoError(t, err)
	assert.Equal(t, []string{"/", "/srv/a b/c/", "/srv"}, mountPoints(all))
	assert.Equal(t, []string{"/dev/sda1", "/dev/sda2", "/dev/sda1"}, []string{all[0].Device, all[1].Device, all[2].Device})

	// The table is decoded anew when it changes, and only then.
	before := h.calls
	_, err = h.Filesystems(t.Context(), all[:0], FilesystemRequest{})
	require.NoError(t, err)
	assert.Equal(t, 4, h.calls-before, "open, read, end, close")
	tr.write("proc/1/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
	all, err = h.Filesystems(t.Context(), all[:0], FilesystemRequest{})
	require.NoError(t, err)
	assert.Equal(t, []Filesystem{root}, all)

	tr.write("proc/1/mountinfo", "1 0 8:1 / / rw\n")
	_, err = h.Filesystems(t.Context(), nil, FilesystemRequest{})
	assert.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, tr.dir+"/proc/1/mountinfo")
}

// TestFilesystemErrors: what cannot be seen or asked is not told; what fails
// is an error, and the others are told.
func TestFilesystemErrors(t *testing.T) {
	tr := newTree(t)
	h := tr.mounted("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /gone rw - ext4 /dev/sda2 rw\n3 1 8:3 / /mine rw - ext4 /dev/sda3 rw\n4 1 8:4 / /broken rw - ext4 /dev/sda4 rw\n",
		func(path string) (Statfs, error) {
			if errno := map[string]unix.Errno{"/gone": unix.ENOENT, "/mine": unix.EACCES, "/broken": unix.ENOTCONN, "/nowhere": unix.ENOENT}[path]; errno != 0 {
				return Statfs{}, fileError(path, errno)
			}
			return ok(path)
		})
	all, err := h.Filesystems(t.Context(), nil, FilesystemRequest{})
	assert.EqualError(t, err, "/broken: transport endpoint is not connected")
	assert.Equal(t, []string{"/"}, mountPoints(all))

	none := func(*Filesystem) bool { return false }
	all, err = h.Filesystems(t.Context(), nil, FilesystemRequest{Select: none, Paths: []string{"/mine", "/", "/nowhere"}})
	assert.ErrorIs(t, err, ErrAccessDenied, "who asks for a path is told why there is none")
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, []string{"/"}, mountPoints(all))
	_, err = h.Filesystems(t.Context(), nil, FilesystemRequest{Paths: []string{"/mine"}})
	assert.ErrorIs(t, err, ErrAccessDenied, "also where it is a mount point")
}

// TestFilesystemNames: names that are not valid UTF-8 do not become the same.
func TestFilesystemNames(t *testing.T) {
	h := newTree(t).mounted("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /m\xff rw - ext4 /dev/sda2 rw\n3 1 8:3 / /m\xfe rw - ext4 /dev/sda3 rw\n4 1 8:4 / /m\uFFFD rw - ext4 /dev/sda4 rw\n", ok)
	all, err := h.Filesystems(t.Context(), nil, FilesystemRequest{})
	require.NoError(t, err)
	assert.Equal(t, []string{"/", "/m\uFFFD"}, mountPoints(all))
}

// TestFilesystemsSilent: mounts that do not answer are waited for together,
// told as errors, not asked again, and told again when they do answer.
func TestFilesystemsSilent(t *testing.T) {
	tr := newTree(t)
	tr.write("proc/1/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /slow rw - ext4 /dev/sda2 rw\n3 1 8:3 / /dead rw - ext4 /dev/sda3 rw\n")
	synctest.Test(t, func(t *testing.T) {
		answers := make(chan struct{})
		var mu sync.Mutex
		asked := map[string]int{}
		h, err := Open(Root{Path: tr.dir}, Machine{Statfs: func(path string) (Statfs, error) {
			mu.Lock()
			asked[path]++
			mu.Unlock()
			switch path {
			case "/slow":
				time.Sleep(2 * time.Second)
			case "/dead":
				<-answers
			}
			return ok(path)
		}})
		require.NoError(t, err)
		defer h.Close()
		read := func() ([]string, time.Duration, error) {
			start := time.Now()
			all, err := h.Filesystems(t.Context(), nil, FilesystemRequest{})
			return mountPoints(all), time.Since(start), err
		}
		points, took, err := read()
		assert.Equal(t, []string{"/", "/slow"}, points)
		assert.EqualError(t, err, "/dead: timeout expired")
		assert.ErrorIs(t, err, ErrTimeoutExpired)
		assert.Equal(t, 5*time.Second, took)

		points, took, err = read()
		assert.Equal(t, []string{"/", "/slow"}, points)
		assert.EqualError(t, err, "/dead: timeout expired")
		assert.Equal(t, 2*time.Second, took, "the dead one is waited for no more")
		assert.Equal(t, map[string]int{"/": 2, "/slow": 2, "/dead": 1}, asked)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		all, err := h.Filesystems(ctx, nil, FilesystemRequest{})
		assert.Equal(t, []string{"/"}, mountPoints(all))
		assert.EqualError(t, err, "/dead, /slow: timeout expired")
		assert.Equal(t, time.Second, time.Since(start), "a scrape that is given up")

		close(answers)
		time.Sleep(2 * time.Second)
		points, _, err = read()
		require.NoError(t, err)
		assert.Equal(t, []string{"/", "/dead", "/slow"}, points)
	})
}

// TestFilesystemsManySilent: a server is away with all that is mounted of it.
// What is on devices is told as ever, and the error stays short.
func TestFilesystemsManySilent(t *testing.T) {
	tr := newTree(t)
	tr.write("proc/filesystems", "nodev\tnfs4\n\text4\n")
	table := "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
	const away = 2 * maxStuck
	for i := range away {
		table += fmt.Sprintf("%d 1 0:%d / /nfs/%03d rw - nfs4 server:/%d rw\n", i+2, i+100, i, i)
	}
	tr.write("proc/1/mountinfo", table+"999 1 8:2 / /srv rw - ext4 /dev/sda2 rw\n")
	synctest.Test(t, func(t *testing.T) {
		answers := make(chan struct{})
		h, err := Open(Root{Path: tr.dir}, Machine{Statfs: func(path string) (Statfs, error) {
			if strings.HasPrefix(path, "/nfs/") {
				<-answers
			}
			return ok(path)
		}})
		require.NoError(t, err)
		defer h.Close()
		var all []Filesystem
		for range 4 { // already the first one comes to the end of the table
			all, err = h.Filesystems(t.Context(), nil, FilesystemRequest{All: true})
			assert.ErrorIs(t, err, ErrTimeoutExpired)
			assert.ErrorContains(t, err, "/nfs/008, /nfs/009, and ")
			assert.Less(t, len(err.Error()), 200)
			assert.Equal(t, []string{"/", "/srv"}, mountPoints(all))
		}
		assert.NoError(t, h.bounded.try("a driver", time.Second, func() {}), "nor is anything else in the way of")
		close(answers)
		synctest.Wait()
		all, err = h.Filesystems(t.Context(), nil, FilesystemRequest{All: true})
		require.NoError(t, err)
		assert.Len(t, all, away+2)
	})
}

// TestFilesystemsHangAgain: mounts that hang and are replaced by others that do
// are waited for once. What is only slow is told all the same, if it is new
// then in the reading after.
func TestFilesystemsHangAgain(t *testing.T) {
	tr := newTree(t)
	tr.write("proc/filesystems", "nodev\tfuse\n\text4\n")
	synctest.Test(t, func(t *testing.T) {
		answers := make(chan struct{})
		defer close(answers)
		h, err := Open(Root{Path: tr.dir}, Machine{Statfs: func(path string) (Statfs, error) {
			switch {
			case strings.HasPrefix(path, "/hung"):
				<-answers
			case strings.HasPrefix(path, "/slow"):
				time.Sleep(time.Second)
			}
			return ok(path)
		}})
		require.NoError(t, err)
		defer h.Close()
		read := func(i int, more string) ([]string, time.Duration) {
			tr.write("proc/1/mountinfo", fmt.Sprintf("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:2 / /slow rw - fuse.s slow rw\n"+
				"%d 1 0:%d / /hung%d rw - fuse.h h rw\n", i+10, i+10, i)+more)
			start := time.Now()
			all, err := h.Filesystems(t.Context(), nil, FilesystemRequest{All: true})
			assert.EqualError(t, err, fmt.Sprintf("/hung%d: timeout expired", i))
			took := time.Since(start)
			time.Sleep(10 * time.Second)
			return mountPoints(all), took
		}
		points, took := read(0, "")
		assert.Equal(t, []string{"/", "/slow"}, points)
		assert.Equal(t, 5*time.Second, took)
		for i := range maxStuck - 2 {
			points, took = read(1+i, "")
			assert.Equal(t, []string{"/", "/slow"}, points)
			assert.Equal(t, time.Second, took, "that is the slow one")
		}
		const more = "999 1 0:999 / /slower rw - fuse.s slower rw\n"
		start := time.Now()
		tr.write("proc/1/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"+more)
		all, err := h.Filesystems(t.Context(), nil, FilesystemRequest{All: true})
		assert.EqualError(t, err, "/slower: timeout expired")
		assert.Equal(t, []string{"/"}, mountPoints(all))
		assert.Equal(t, statfsPatience, time.Since(start))
		assert.Len(t, h.mounts.answered, 2, "nothing is known of what has gone")
		time.Sleep(time.Second)
		all, err = h.Filesystems(t.Context(), nil, FilesystemRequest{All: true})
		require.NoError(t, err)
		assert.Equal(t, []string{"/", "/slower"}, mountPoints(all))
	})
}

// TestFilesystemsHangOnce: a filesystem takes one thread, however often it is
// mounted. That of a network counts in the load of the host.
func TestFilesystemsHangOnce(t *testing.T) {
	tr := newTree(t)
	tr.write("proc/filesystems", "nodev\tnfs4\n\text4\n")
	table := "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
	const mounted = 40
	for i := range mounted {
		table += fmt.Sprintf("%d 1 0:99 /%d /nfs/%02d rw - nfs4 server:/ rw\n", i+2, i, i)
	}
	tr.write("proc/1/mountinfo", table)
	synctest.Test(t, func(t *testing.T) {
		takes, others := time.Second, time.Duration(0)
		h, err := Open(Root{Path: tr.dir}, Machine{Statfs: func(path string) (Statfs, error) {
			switch {
			case path == "/nfs/00":
				time.Sleep(takes)
			case path != "/":
				time.Sleep(others)
			}
			return ok(path)
		}})
		require.NoError(t, err)
		defer h.Close()
		all, err := h.Filesystems(t.Context(), nil, FilesystemRequest{All: true})
		require.NoError(t, err)
		assert.Len(t, all, 1+mounted, "it is only slow")

		others = statfsPatience - time.Millisecond
		start := time.Now()
		_, err = h.Filesystems(t.Context(), nil, FilesystemRequest{All: true})
		assert.ErrorContains(t, err, "/nfs/31, and 8 more: timeout expired")
		assert.Less(t, time.Since(start), statfsDeadline+statfsPatience, "all of them together take no longer")

		takes = time.Hour
		for range 3 {
			all, err = h.Filesystems(t.Context(), nil, FilesystemRequest{All: true})
			assert.ErrorContains(t, err, "/nfs/09, and 30 more: timeout expired")
			assert.Equal(t, []string{"/"}, mountPoints(all))
			assert.Len(t, h.mounts.remote.stuck, 1)
		}
		time.Sleep(takes)
	})
}

// TestFilesystemLinks: a path leads where it does on the host, whatever is in
// the same place here, and is told as on what is mounted there.
func TestFilesystemLinks(t *testing.T) {
	tr := newTree(t)
	require.NoError(t, os.MkdirAll(filepath.Join(tr.dir, "srv/hostscope/data"), 0o755))
	require.NoError(t, os.Symlink("/srv/hostscope", filepath.Join(tr.dir, "link")))
	require.NoError(t, os.Symlink(tr.dir, filepath.Join(tr.dir, "root")))
	table := func(device string) {
		tr.write("proc/1/mountinfo", "1 0 0:99 / / rw - btrfs /dev/sda1 rw\n2 1 "+device+" / /srv/hostscope ro - ext4 /dev/sdb1 rw\n")
	}
	for _, root := range []string{tr.dir, filepath.Join(tr.dir, "root")} {
		h, err := Open(Root{Path: root}, Machine{})
		require.NoError(t, err)
		defer h.Close()
		read := func() ([]Filesystem, error) {
			return h.Filesystems(t.Context(), nil, FilesystemRequest{Select: func(*Filesystem) bool { return false }, Paths: []string{"/link/data", "/proc"}})
		}
		table("0:98")
		all, err := read()
		require.NoError(t, err)
		require.Len(t, all, 2)
		assert.Equal(t, []string{"/link/data", "/dev/sdb1", "ext4"}, []string{all[0].Mountpoint, all[0].Device, all[0].Type})
		assert.True(t, all[0].ReadOnly)
		assert.NotZero(t, all[0].Total)
		assert.Equal(t, []string{"/proc", "/dev/sda1"}, []string{all[1].Mountpoint, all[1].Device})

		table("7:99") // what is mounted there is not seen here
		all, err = read()
		assert.ErrorIs(t, err, fs.ErrNotExist)
		assert.ErrorContains(t, err, "/link/data")
		assert.Equal(t, []string{"/proc"}, mountPoints(all))
	}

	// And on the host itself.
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink("/proc/1", link))
	all, err := live(t).Filesystems(t.Context(), nil, FilesystemRequest{Select: func(*Filesystem) bool { return false }, Paths: []string{link}})
	require.NoError(t, err)
	assert.Equal(t, []Filesystem{{Device: "proc", Type: "proc", Mountpoint: link}}, all)
}

// inMounts is set in the environment of this test binary where it runs again
// in a user and a mount namespace of its own.
const inMounts = "HOSTSCOPE_TEST_MOUNTS"

// TestFilesystemsHang: a FUSE server that never answers, as that of a user who
// has suspended it, with the kernel's own calls.
func TestFilesystemsHang(t *testing.T) {
	if dir := os.Getenv(inMounts); dir != "" {
		hang(t, tree{t, dir})
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestFilesystemsHang$", "-test.v")
	cmd.Env = append(os.Environ(), inMounts+"="+newTree(t).dir)
	id := func(own int) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{{ContainerID: 0, HostID: own, Size: 1}}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, UidMappings: id(os.Getuid()), GidMappings: id(os.Getgid())}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("user namespaces are forbidden here")
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skip(string(out))
	}
	require.NoError(t, err, string(out))
}

func hang(t *testing.T, tr tree) {
	server, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	for _, dir := range []string{"srv/hung", "srv/fine"} {
		require.NoError(t, os.MkdirAll(filepath.Join(tr.dir, dir), 0o755))
	}
	hung, fine := filepath.Join(tr.dir, "srv/hung"), filepath.Join(tr.dir, "srv/fine")
	require.NoError(t, unix.Mount("server", hung, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", server.Fd())))
	require.NoError(t, unix.Mount("none", fine, "tmpfs", 0, "size=1M,nr_inodes=10"))
	dev := func(path string) string {
		var st unix.Statx_t
		require.NoError(t, unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC, 0, &st))
		return fmt.Sprintf("%d:%d", st.Dev_major, st.Dev_minor)
	}
	tr.write("proc/1/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"+
		"2 1 "+dev(hung)+" / /srv/hung rw - fuse.x server rw\n3 1 "+dev(fine)+" / /srv/fine rw - tmpfs none rw\n")
	h := tr.open()
	read := func() ([]Filesystem, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return h.Filesystems(ctx, nil, FilesystemRequest{Select: func(f *Filesystem) bool { return f.Mountpoint != "/" }, All: true})
	}
	want := []Filesystem{{
		Type: "tmpfs", Mountpoint: "/srv/fine", Got: FilesystemSpace | FilesystemInodes, Total: 1 << 20, Free: 1 << 20, UsedInodes: 1, FreeInodes: 9,
	}}
	for range 3 {
		all, err := read()
		assert.EqualError(t, err, "/srv/hung: timeout expired")
		assert.Equal(t, want, all)
		assert.Len(t, h.mounts.remote.stuck, 1, "one thread, however often")
	}
	require.NoError(t, unix.Mount("none", fine, "tmpfs", 0, "size=2M"))
	all, err := read()
	assert.ErrorIs(t, err, ErrTimeoutExpired)
	assert.Empty(t, all, "what covers it here is not what the host has")
	require.NoError(t, unix.Unmount(fine, 0))
	require.NoError(t, h.Close(), "it does not wait")

	// The server goes: what was left behind comes back.
	require.NoError(t, server.Close())
	h = tr.open()
	all, err = read()
	assert.ErrorContains(t, err, "/srv/hung: transport endpoint is not connected")
	assert.Equal(t, want, all)
}

// TestMountedElsewhere: where a mount of the host should be is another one here,
// unless it is of Btrfs, which shows devices that the mount table does not have.
func TestMountedElsewhere(t *testing.T) {
	var st unix.Statx_t
	require.NoError(t, unix.Statx(unix.AT_FDCWD, "/proc", 0, 0, &st))
	for _, tt := range []struct {
		kind  string
		minor uint32
		want  error
	}{
		{"proc", st.Dev_minor, nil},
		{"proc", st.Dev_minor + 1, fs.ErrNotExist},
		{"btrfs", st.Dev_minor + 1, nil},
	} {
		on := &mount{major: st.Dev_major, minor: tt.minor}
		on.Type = tt.kind
		_, err := (&space{path: "/proc"}).statfs(on)
		assert.ErrorIs(t, err, tt.want, tt)
	}
}

// TestMountTree: what a path leads to.
func TestMountTree(t *testing.T) {
	tree := newMountTree([]mount{
		{id: 1, parent: 1, point: "/"},
		{id: 2, parent: 1, point: "/"}, // over the root of the kernel
		{id: 3, parent: 2, point: "/srv"},
		{id: 4, parent: 3, point: "/srv/a/b"},
		{id: 5, parent: 2, point: "/srv/a"}, // before /srv was mounted: hidden
		{id: 6, parent: 4, point: "/srv/a/b"},
		{id: 7, parent: 99, point: "/elsewhere"},
		{id: 8, parent: 9, point: "/loop"}, {id: 9, parent: 8, point: "/loop"},
	})
	for path, id := range map[string]uint64{
		"/": 2, "/srv": 3, "/srv/a": 3, "/srv/a/b": 6, "/srv/a/b/c": 6, "/srv/a/bc": 3, "/srvx": 2, "/usr": 2, "/loop/x": 2,
	} {
		if on := tree.at(path); assert.NotNil(t, on, path) {
			assert.Equal(t, id, on.id, path)
		}
	}
	assert.Nil(t, mountTree{}.at("/"))
}

// TestLiveDf compares with df(1), which is another reader of the same calls:
// what it lists we do, with the same numbers.
func TestLiveDf(t *testing.T) {
	df := tool(t, "df", "-B1", "--output=size,used,avail,itotal,iused,iavail,pcent,fstype,target")
	first, err := os.Readlink("/proc/1/ns/mnt") // which is not shown to everybody
	if own, _ := os.Readlink("/proc/self/ns/mnt"); err == nil && first != own {
		t.Skip("df has another mount table than the first process")
	}
	h := live(t)
	all, err := h.Filesystems(t.Context(), nil, FilesystemRequest{All: true})
	require.NoError(t, err)
	ours := map[string]Filesystem{}
	for _, f := range all {
		ours[f.Mountpoint] = f
	}
	compared := 0
	for line := range strings.Lines(df()) {
		field := strings.Fields(line)
		if field[0] == "1B-blocks" || len(field) != 9 {
			continue
		}
		f, ok := ours[field[8]]
		if !assert.True(t, ok, line) {
			continue
		}
		number := func(i int) float64 {
			n, err := strconv.ParseFloat(strings.TrimSuffix(field[i], "%"), 64)
			require.NoError(t, err, line)
			return n
		}
		some := float64(f.Total) / 64 // others write meanwhile
		assert.Equal(t, number(0), float64(f.Total), line)
		assert.InDelta(t, number(1), float64(f.Used), some, line)
		assert.InDelta(t, number(2), float64(f.Free), some, line)
		assert.Equal(t, f.Total, f.Used+f.Free+f.Reserved, line)
		if f.Got.Has(FilesystemInodes) {
			assert.InDelta(t, number(3), float64(f.UsedInodes+f.FreeInodes), some, line)
			assert.InDelta(t, number(4), float64(f.UsedInodes), 1e5, line)
			assert.InDelta(t, number(5), float64(f.FreeInodes), 1e5, line)
		}
		if f.Used+f.Free > 0 { // rounded up
			assert.InDelta(t, number(6)-0.5, 100*float64(f.Used)/float64(f.Used+f.Free), 1.5, line)
		}
		assert.Equal(t, field[7], f.Type, line)
		compared++
	}
	assert.NotZero(t, compared, "of the root at the least")
}
