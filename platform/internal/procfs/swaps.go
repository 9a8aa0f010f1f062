// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Swap is a line of /proc/swaps (proc_swaps(5)).
type Swap struct {
	// Name is the path, and is valid until the next line is read. The mark of
	// a file that was deleted is not part of it.
	Name        []byte
	Total, Used uint64 // bytes
}

// Swaps decodes /proc/swaps, in place: names are unescaped within b. What
// swap_show of mm/swapfile.c prints is "%*s%s\t%lu\t%s%lu\t%s%d\n" after the
// name, in which space, tab, newline and backslash are octal:
//
//	Filename				Type		Size		Used		Priority
//	/swap\040file                           file		1048572		0		-2
func Swaps(b []byte, each func(Swap)) error {
	head, b, ok := parse.FullLine(b)
	if !ok || !bytes.HasPrefix(head, swapsHeading) {
		return parse.ErrSyntax
	}
	for len(b) > 0 {
		var line []byte
		if line, b, ok = parse.FullLine(b); !ok {
			return parse.ErrSyntax
		}
		var s Swap
		end := bytes.IndexAny(line, " \t")
		if end <= 0 {
			return parse.ErrSyntax
		}
		s.Name = bytes.TrimSuffix(unescapeOctal(line[:end]), deletedMark)
		kind := parse.Space(line[end:])
		if end = bytes.IndexByte(kind, '\t'); end <= 0 {
			return parse.ErrSyntax
		}
		var rest []byte
		if s.Total, rest, ok = parse.Uint(parse.Space(kind[end:])); !ok || s.Total >= 1<<53 {
			return parse.ErrSyntax
		}
		if s.Used, _, ok = parse.Uint(parse.Space(rest)); !ok || s.Used >= 1<<53 {
			return parse.ErrSyntax
		}
		s.Total, s.Used = s.Total<<10, s.Used<<10
		each(s)
	}
	return nil
}

var (
	swapsHeading = []byte("Filename")
	deletedMark  = []byte(" (deleted)")
)

// unescapeOctal turns \ooo, as mangle_path of fs/seq_file.c writes it, into
// the byte that it stands for, in place.
func unescapeOctal(b []byte) []byte {
	n := bytes.IndexByte(b, '\\')
	if n < 0 {
		return b
	}
	for i := n; i < len(b); n++ {
		if i+3 < len(b) && b[i] == '\\' {
			if c, rest, ok := parse.Octal(b[i+1 : i+4]); ok && len(rest) == 0 && c <= 0xff {
				b[n] = byte(c)
				i += 4
				continue
			}
		}
		b[n] = b[i]
		i++
	}
	return b[:n]
}
