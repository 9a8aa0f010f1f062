// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// basic are the fields of Process itself that users have by default.
const basic = FieldSession - 1

// bootTime is the btime of every tree.
var bootTime = time.Unix(1_700_000_000, 0).UTC()

const treeStat = "cpu  400 10 200 9000 50 3 4 5 0 0\ncpu0 150 4 100 4500 25 1 2 2 0 0\ncpu1 250 6 100 4500 25 2 2 3 0 0\nbtime 1700000000\n"

// tree is a root with a /proc of plain files.
type tree struct {
	t   testing.TB
	dir string
}

func newTree(t testing.TB) tree {
	tr := tree{t, t.TempDir()}
	tr.write("proc/stat", treeStat)
	tr.write("proc/uptime", "100.50 300.00\n")
	tr.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n")
	return tr
}

func (tr tree) write(name, content string) {
	path := filepath.Join(tr.dir, name)
	require.NoError(tr.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(tr.t, os.WriteFile(path, []byte(content), 0o644))
}

func (tr tree) remove(name string) {
	require.NoError(tr.t, os.RemoveAll(filepath.Join(tr.dir, name)))
}

func (tr tree) link(name, target string) {
	tr.remove(name)
	require.NoError(tr.t, os.Symlink(target, filepath.Join(tr.dir, name)))
}

// fake is one process of a tree.
type fake struct {
	pid             int
	comm            string
	state           byte
	flags           uint64
	start, argStart uint64
	uid             int
	exe, cmdline    string
	fds             int
	threads         int // 0: three, negative: none
}

func (tr tree) process(f fake) string {
	dir := "proc/" + strconv.Itoa(f.pid) + "/"
	tr.stat(f)
	tr.write(dir+"statm", "1000 250 100 5 0 123 0\n")
	tr.write(dir+"io", "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 8192\nwrite_bytes: 4096\ncancelled_write_bytes: 0\n")
	tr.write(dir+"status", fmt.Sprintf("Name:\tx\nUid:\t%d\t7\t8\t9\n", f.uid))
	tr.write(dir+"cmdline", f.cmdline)
	if f.exe != "" {
		tr.link(dir+"exe", f.exe)
	}
	require.NoError(tr.t, os.MkdirAll(filepath.Join(tr.dir, dir, "fd"), 0o755))
	for fd := range f.fds {
		tr.link(dir+"fd/"+strconv.Itoa(fd), "/dev/null")
	}
	return dir
}

func (tr tree) stat(f fake) {
	if f.state == 0 {
		f.state = 'S'
	}
	if f.threads == 0 {
		f.threads = 3
	}
	f.threads = max(f.threads, 0)
	tr.write(fmt.Sprintf("proc/%d/stat", f.pid), fmt.Sprintf("%d (%s) %c 1 2 3 0 -1 %d 10 11 12 13 150 25 16 17 20 0 %d 0 %d 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 17 39 40 41 42 43 44 45 46 47 %d 49 50 51 0\n",
		f.pid, f.comm, f.state, f.flags, f.threads, f.start, f.argStart))
}

func (tr tree) open() *Host {
	h, err := Open(Root{Path: tr.dir}, Machine{
		Now:      func() time.Time { return bootTime.Add(100 * time.Second) },
		PageSize: 4096,
	})
	require.NoError(tr.t, err)
	tr.t.Cleanup(func() { require.NoError(tr.t, h.Close()) })
	return h
}

// snap takes a snapshot of every field and every process.
func snap(t testing.TB, h *Host) *Snapshot {
	s, err := h.Snapshot(context.Background(), Request{Fields: basic})
	require.NoError(t, err)
	require.NoError(t, s.ProcessesErr)
	return s
}
