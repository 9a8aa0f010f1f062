// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Root says where the host's files are: "/" for the machine that the code
// runs on, another folder for a container that reads its host or a test that
// reads a recorded machine.
type Root struct {
	// Path is the root folder; empty means "/". It also locates etc/passwd.
	Path string
	// Proc, Sys and Dev default to Path with proc, sys and dev appended.
	Proc, Sys, Dev string
}

// Resolve fills in the defaults.
func (r Root) Resolve() Root {
	if r.Path == "" {
		r.Path = "/"
	}
	for _, p := range []struct {
		at   *string
		name string
	}{{&r.Proc, "proc"}, {&r.Sys, "sys"}, {&r.Dev, "dev"}} {
		if *p.at == "" {
			*p.at = filepath.Join(r.Path, p.name)
		}
	}
	return r
}

// Check reports the paths that were set and are no folder. The key of the
// configuration that set it stands before each.
func (r Root) Check() error {
	var errs []error
	for _, p := range []struct{ key, path string }{
		{"root_path", r.Path}, {"procfs_path", r.Proc}, {"sysfs_path", r.Sys}, {"devfs_path", r.Dev},
	} {
		if p.path == "" {
			continue
		}
		switch info, err := os.Stat(p.path); {
		case errors.Is(err, fs.ErrNotExist):
			errs = append(errs, fmt.Errorf("%s: %s does not exist", p.key, p.path))
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", p.key, err))
		case !info.IsDir():
			errs = append(errs, fmt.Errorf("%s: %s is not a folder", p.key, p.path))
		}
	}
	return errors.Join(errs...)
}
