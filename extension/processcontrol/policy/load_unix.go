// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package policy

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Load reads the policy of a file that only root and we can have written. It
// is looked at through the one descriptor that it is read from.
func Load(path string) (*Policy, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s: is a symbolic link", path)
	} else if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case st.Mode&syscall.S_IFMT != syscall.S_IFREG:
		return nil, fmt.Errorf("%s: is no regular file", path)
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return nil, fmt.Errorf("%s: belongs to user %d, who is neither root nor the collector's", path, st.Uid)
	case st.Mode&0o022 != 0:
		return nil, fmt.Errorf("%s: others may write it (mode %#o)", path, st.Mode&0o777)
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, err
	}
	p, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}
