// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"cmp"
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

// Resolve fills in the defaults, and writes all paths in one way.
func (r Root) Resolve() Root {
	r.Path = filepath.Clean(cmp.Or(r.Path, "/"))
	for _, p := range []struct {
		at   *string
		name string
	}{{&r.Proc, "proc"}, {&r.Sys, "sys"}, {&r.Dev, "dev"}} {
		*p.at = filepath.Clean(cmp.Or(*p.at, filepath.Join(r.Path, p.name)))
	}
	return r
}

// Check reports the paths that a system reads and that are not as they must
// be, each with the key of the configuration that set it. A key that the
// system has no use for is accepted, so that one configuration serves many.
func (r Root) Check(on OS) error {
	var errs []error
	add := func(key, path string) {
		switch info, err := os.Stat(path); {
		case errors.Is(err, fs.ErrNotExist):
			errs = append(errs, fmt.Errorf("%s: %s does not exist", key, path))
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		case !info.IsDir():
			errs = append(errs, fmt.Errorf("%s: %s is not a folder", key, path))
		}
	}
	full := r.Resolve()
	if r.Path != "" {
		add("root_path", r.Path)
	}
	if on == Linux {
		switch {
		case r.Proc != "":
			add("procfs_path", r.Proc)
		case r.Path != "" && len(errs) == 0:
			add("root_path", full.Proc)
		}
		if r.Sys != "" {
			add("sysfs_path", r.Sys)
		}
	}
	if on == NetBSD && r.Proc != "" {
		add("procfs_path", r.Proc)
	}
	if r.Dev != "" {
		add("devfs_path", r.Dev)
	}
	return errors.Join(errs...)
}
