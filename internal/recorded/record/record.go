// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hostscope/hostscope/internal/recorded"
)

// recorder collects the files of one machine.
type recorder struct {
	root    string
	name    string // of the host
	private bool   // nothing is replaced

	users map[string]bool // UIDs that were seen
	files []recorded.File
}

// ofProcess are the files of one process, after its links.
var ofProcess = []string{"stat", "statm", "status", "io", "cmdline", "comm"}

// ofHost are the files of the host that need no second look.
var ofHost = []string{"proc/stat", "proc/meminfo", "proc/uptime", "proc/sys/kernel/hostname", "etc/hostname", "etc/machine-id"}

func (r *recorder) record(pids []string) (*recorded.Host, error) {
	r.users = map[string]bool{}
	host := &recorded.Host{OS: "linux", Now: time.Now().UTC(), PageSize: os.Getpagesize()}
	for _, name := range ofHost {
		if err := r.file(name); err != nil {
			return nil, err
		}
	}
	for _, pid := range pids {
		pid, err := r.pid(pid)
		if err == nil {
			err = r.process(pid)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := errors.Join(r.passwd(), r.power()); err != nil {
		return nil, err
	}
	host.Files = r.files
	version, _ := os.ReadFile(filepath.Join(r.root, "proc/sys/kernel/osrelease"))
	host.About = strings.TrimSpace("Recorded by internal/recorded/record, Linux "+string(version)) + "."
	if !r.private {
		host.About += "\nNames, arguments and paths were replaced."
	}
	return host, nil
}

func (r *recorder) path(name string) string { return filepath.Join(r.root, filepath.FromSlash(name)) }

// pid is the number behind "self", or the number itself.
func (r *recorder) pid(pid string) (string, error) {
	if pid == "self" {
		return os.Readlink(r.path("proc/self"))
	}
	if n, err := strconv.ParseUint(pid, 10, 31); err != nil || n == 0 {
		return "", fmt.Errorf("-pids: %q is no PID", pid)
	}
	return pid, nil
}

// file adds a file where there is one. One that may not be read becomes one
// of mode 000, without its content.
func (r *recorder) file(name string) error {
	f := recorded.File{Name: name, Mode: 0o644}
	var err error
	switch f.Data, err = os.ReadFile(r.path(name)); {
	case gone(err):
		return nil
	case errors.Is(err, fs.ErrPermission):
		f.Mode = 0
	case err != nil:
		return err
	}
	if !r.private {
		f.Data = r.scrub(name, f.Data)
	}
	r.files = append(r.files, f)
	return nil
}

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
	for _, name := range ofProcess {
		if err := r.file(dir + "/" + name); err != nil {
			return err
		}
		if last := r.files[len(r.files)-1]; path.Base(last.Name) == "status" {
			r.seen(last.Data)
		}
	}
	return r.descriptors(dir + "/fd")
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
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { // 2 before 10
		return cmp.Or(cmp.Compare(len(a.Name()), len(b.Name())), cmp.Compare(a.Name(), b.Name()))
	})
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

// power adds the power supplies. In sysfs each is a link to a folder.
func (r *recorder) power() error {
	const dir = "sys/class/power_supply"
	entries, err := os.ReadDir(r.path(dir))
	if gone(err) {
		return nil
	}
	if err == nil && len(entries) == 0 {
		r.files = append(r.files, recorded.File{Name: dir, Mode: fs.ModeDir | 0o755})
	}
	for _, e := range entries {
		if err == nil {
			// Kernels before 5.7 have the type in a file of its own only.
			err = errors.Join(r.file(dir+"/"+e.Name()+"/uevent"), r.file(dir+"/"+e.Name()+"/type"))
		}
	}
	return err
}

// gone tells whether what was to be read is not there, or no longer.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
}
