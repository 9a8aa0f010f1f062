// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package recorded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hostscope/hostscope/platform"
)

// Open materialises the machine of an archive in a folder that is removed
// with the test, and answers how to read it there.
//
// The folder is no procfs: the size of a fd folder is not the number of
// descriptors in it, and nothing in it changes by itself.
func Open(t testing.TB, file string) (platform.Root, platform.Machine) {
	t.Helper()
	host, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Cleanup(func() { unlock(dir) })
	if err := host.Materialise(dir); err != nil {
		t.Fatal(err)
	}
	now := host.Now
	return platform.Root{Path: dir}, platform.Machine{
		Now:      func() time.Time { return now },
		PageSize: host.PageSize,
		Awake:    func() time.Duration { return host.Awake },
		Statfs:   host.statfs,
	}
}

// statfs answers for a path what statfs(2) did.
func (h *Host) statfs(path string) (platform.Statfs, error) {
	for _, f := range h.Filesystems {
		if f.Path == path {
			return f.Statfs, nil
		}
	}
	return platform.Statfs{}, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
}

// Materialise writes the files of a machine below a folder that exists.
func (h *Host) Materialise(dir string) error {
	for _, f := range h.Files {
		at := filepath.Join(dir, filepath.FromSlash(f.Name))
		err := os.MkdirAll(filepath.Dir(at), 0o755)
		switch {
		case err != nil:
		case f.Mode.IsDir():
			err = os.MkdirAll(at, 0o755)
		case f.Mode.Type() == fs.ModeSymlink:
			err = os.Symlink(f.Target, at)
		default:
			err = os.WriteFile(at, f.Data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	// Permissions last, and those of a folder after those of its content.
	for _, f := range slices.Backward(h.Files) {
		if f.Mode.Type() == fs.ModeSymlink {
			continue
		}
		if err := os.Chmod(filepath.Join(dir, filepath.FromSlash(f.Name)), f.Mode.Perm()); err != nil {
			return err
		}
	}
	return nil
}

// unlock lets everything below a folder be removed again.
func unlock(dir string) {
	_ = filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(at, 0o755)
		}
		return nil
	})
}

// Scan reads everything below a folder, in the order of names: what
// Materialise would write.
func Scan(dir string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || at == dir {
			return err
		}
		name, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f := File{Name: filepath.ToSlash(name), Mode: info.Mode()}
		switch f.Mode.Type() {
		case 0:
			f.Data, err = os.ReadFile(at)
			if errors.Is(err, fs.ErrPermission) {
				err = nil
			}
		case fs.ModeSymlink:
			f.Mode = fs.ModeSymlink
			f.Target, err = os.Readlink(at)
		case fs.ModeDir:
			var entries []fs.DirEntry
			if entries, err = os.ReadDir(at); len(entries) > 0 && f.Mode == folderMode {
				return err // its content tells that it is there
			}
		default:
			return fmt.Errorf("%s: neither file, folder nor symbolic link", at)
		}
		files = append(files, f)
		return err
	})
	return files, err
}
