// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/hostscope/hostscope/internal/recorded"
)

// ofProcess are the files of one process, after its links.
var ofProcess = []string{
	"stat", "statm", "status", "io", "cmdline", "comm", "schedstat", "cgroup", "limits", "oom_score", "oom_score_adj",
	"environ", "smaps", "smaps_rollup",
}

// ofThread are those of each of its threads.
var ofThread = []string{"stat", "status", "io", "schedstat"}

// process adds one process, which has to be there.
func (r *recorder) process(pid string) error {
	dir := "proc/" + pid
	if _, err := os.Stat(r.path(dir)); err != nil {
		return err
	}
	folder := recorded.File{Name: dir, Mode: fs.ModeDir | 0o755}
	exe, err := os.Readlink(r.path(dir + "/exe"))
	switch {
	case errors.Is(err, fs.ErrPermission):
		folder.Note = "exe: permission denied"
	case gone(err):
	case err != nil:
		return err
	}
	r.files = append(r.files, folder)
	if exe != "" {
		r.link(dir+"/exe", exe, program)
	}
	for _, name := range []string{"cwd", "root"} {
		switch target, err := os.Readlink(r.path(dir + "/" + name)); {
		case err == nil:
			r.link(dir+"/"+name, target, folderPath)
		case !gone(err) && !errors.Is(err, fs.ErrPermission):
			return err
		}
	}
	for _, name := range ofProcess {
		if err := r.file(dir + "/" + name); err != nil {
			return err
		}
		if last := r.files[len(r.files)-1]; path.Base(last.Name) == "status" {
			r.seen(last.Data)
		}
	}
	return errors.Join(r.descriptors(dir+"/fd"), r.each(dir+"/fdinfo", ""), r.each(dir+"/task", ofThread...), r.sockets(dir))
}

// ofNetwork are the files with the sockets of a network namespace.
var ofNetwork = []string{"tcp", "tcp6", "udp", "udp6", "unix"}

// sockets adds those of the network namespace that a process is in. Most are in
// that of the first process, whose files stand for theirs.
func (r *recorder) sockets(dir string) error {
	const first = "proc/1"
	if dir == first {
		return nil // they are among those of the host
	}
	// Each namespace has files of its own, whichever process shows them.
	own, err1 := os.Stat(r.path(dir + "/net/dev"))
	firsts, err2 := os.Stat(r.path(first + "/net/dev"))
	if err1 == nil && err2 == nil && os.SameFile(own, firsts) {
		r.files = append(r.files, recorded.File{Name: dir + "/net", Mode: fs.ModeSymlink, Target: "../1/net"})
		return nil
	}
	var errs []error
	for _, name := range ofNetwork {
		errs = append(errs, r.file(dir+"/net/"+name))
	}
	return errors.Join(errs...)
}

// each adds the files of a folder of numbers: those that are named by number,
// or those that each of its folders has.
func (r *recorder) each(dir string, files ...string) error {
	entries, err := os.ReadDir(r.path(dir))
	if gone(err) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	slices.SortFunc(entries, byNumber)
	for _, e := range entries {
		for _, name := range files {
			err = errors.Join(err, r.file(path.Join(dir, e.Name(), name)))
		}
	}
	return err
}

// byNumber puts 2 before 10.
func byNumber(a, b fs.DirEntry) int {
	return cmp.Or(cmp.Compare(len(a.Name()), len(b.Name())), cmp.Compare(a.Name(), b.Name()))
}

// descriptors adds the folder of the open files of a process.
func (r *recorder) descriptors(dir string) error {
	entries, err := os.ReadDir(r.path(dir))
	folder := recorded.File{Name: dir, Mode: fs.ModeDir | 0o755}
	switch {
	case errors.Is(err, fs.ErrPermission):
		folder.Mode = fs.ModeDir
	case gone(err):
		if _, err := os.Stat(r.path(dir)); err != nil {
			return nil
		}
		folder.Note = "a listing fails as if it were not there"
	case err != nil:
		return err
	}
	r.files = append(r.files, folder)
	slices.SortFunc(entries, byNumber)
	for _, e := range entries {
		target, err := os.Readlink(r.path(dir + "/" + e.Name()))
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		r.link(dir+"/"+e.Name(), target, openFile)
	}
	return nil
}

func (r *recorder) link(name, target string, scrub func(string) string) {
	if !r.private {
		target = scrub(target)
	}
	r.files = append(r.files, recorded.File{Name: name, Mode: fs.ModeSymlink, Target: target})
}

// seen notes the users of a status file.
func (r *recorder) seen(status []byte) {
	for line := range bytes.Lines(status) {
		if uids, ok := bytes.CutPrefix(line, []byte("Uid:")); ok {
			for _, uid := range bytes.Fields(uids) {
				r.users[string(uid)] = true
			}
		}
	}
}
