// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"encoding/binary"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Entries walks what getdents64(2) answered and calls each with every name
// but . and .., part of the input. Order is the byte order of the machine
// that answered.
//
//	struct linux_dirent64 {
//		u64 d_ino; s64 d_off; unsigned short d_reclen; unsigned char d_type; char d_name[];
//	};
func Entries(b []byte, order binary.ByteOrder, each func(name []byte)) error {
	return Nodes(b, order, func(_ uint64, name []byte) { each(name) })
}

// Nodes is Entries with the number of the inode of each name.
func Nodes(b []byte, order binary.ByteOrder, each func(inode uint64, name []byte)) error {
	const reclen, name = 16, 19
	for len(b) > 0 {
		if len(b) < name {
			return parse.ErrSyntax
		}
		n := int(order.Uint16(b[reclen:]))
		if n < name || n > len(b) {
			return parse.ErrSyntax
		}
		entry, _, terminated := bytes.Cut(b[name:n], nul)
		if !terminated {
			return parse.ErrSyntax
		}
		if s := string(entry); s != "." && s != ".." {
			each(order.Uint64(b), entry)
		}
		b = b[n:]
	}
	return nil
}

// PID is the number that a name in /proc is, and false for any other name.
func PID(name []byte) (int32, bool) {
	n, rest, ok := parse.Uint(name)
	return int32(n), ok && len(rest) == 0 && n > 0 && n < 1<<31 && name[0] != '0'
}
