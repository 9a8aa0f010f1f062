// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Mapping is one mapping of memory, in bytes.
type Mapping struct {
	Start, End, Offset uint64
	Permissions        [4]byte // rwxp, - for none, s for shared
	Major, Minor       uint32  // of the device of the file, 0:0 for none
	Inode              uint64  // 0 for none
	// Name is the path of the file, or a name such as [heap], and [anon] where
	// there is none. Of a file that was deleted it ends in " (deleted)", as a
	// file's own name may too. It is valid until Each returns.
	Name []byte

	// Has tells which of the lines below there were: those of smaps and
	// smaps_rollup. maps has none.
	Has MappingLines

	Resident, PSS                                        uint64
	SharedClean, SharedDirty, PrivateClean, PrivateDirty uint64 // add up to Resident
	Referenced, Anonymous, Swap                          uint64
}

// MappingLines is a set of lines of /proc/PID/smaps.
type MappingLines uint16

// The lines that are read, with the kernel that has them first.
const (
	MappingResident     MappingLines = 1 << iota
	MappingPSS                       // 2.6.25
	MappingSharedClean               //
	MappingSharedDirty               //
	MappingPrivateClean              //
	MappingPrivateDirty              //
	MappingReferenced                // 2.6.22
	MappingAnonymous                 // 2.6.37
	MappingSwap                      // 2.6.26
)

// Mappings decodes /proc/PID/maps, smaps and smaps_rollup (one mapping that
// stands for all) from chunks of any size: the smaps of a process with 65,000
// mappings has 50 MB. Once its buffers have grown it does not allocate.
type Mappings struct {
	// Each is called with every mapping, which is valid until it returns.
	Each func(*Mapping)

	records parse.Records
	current Mapping
	name    []byte
	open    bool // current is a mapping whose lines are being read
	err     error
}

// maxMappingLine is longer than a path can well be. The name in a longer line
// is cut.
const maxMappingLine = 32 << 10

// Reset starts another file.
func (m *Mappings) Reset() {
	m.records.Reset()
	m.open, m.err = false, nil
}

// Feed decodes the next chunk. After an error it does nothing any more.
func (m *Mappings) Feed(chunk []byte) error {
	for m.err == nil {
		line, rest, ok := m.records.Next(chunk, '\n', maxMappingLine)
		if !ok {
			break
		}
		chunk = rest
		if !m.line(line) {
			m.err = parse.ErrSyntax
		}
	}
	return m.err
}

// End is to be called after the last chunk. A file that ends within a line
// was not read to its end.
func (m *Mappings) End() error {
	if m.err == nil && len(m.records.Tail()) > 0 {
		m.err = parse.ErrSyntax
	}
	if m.err == nil {
		m.flush()
	}
	return m.err
}

func (m *Mappings) flush() {
	if m.open {
		m.open = false
		m.Each(&m.current)
	}
}

// line reads one line: a heading starts with an address and so with a small
// letter or digit, the others with a capital letter.
func (m *Mappings) line(b []byte) bool {
	if len(b) > 0 && b[0] >= 'A' && b[0] <= 'Z' {
		return m.open && m.detail(b)
	}
	m.flush()
	m.open = m.heading(b)
	return m.open
}

// heading reads what show_vma_header_prefix of fs/proc/task_mmu.c prints:
//
//	559a2f433000-559a2f435000 r--p 00000000 fe:00 247278       /usr/bin/head
func (m *Mappings) heading(b []byte) bool {
	c := &m.current
	*c = Mapping{}
	var ok [6]bool
	var major, minor uint64
	c.Start, b, ok[0] = hexUntil(b, '-')
	c.End, b, ok[1] = hexUntil(b, ' ')
	if !ok[1] || len(b) < 5 || b[4] != ' ' || !permissions(b) {
		return false
	}
	copy(c.Permissions[:], b)
	c.Offset, b, ok[2] = hexUntil(b[5:], ' ')
	major, b, ok[3] = hexUntil(b, ':')
	minor, b, ok[4] = hexUntil(b, ' ')
	c.Inode, b, ok[5] = parse.Uint(b)
	if ok != [...]bool{true, true, true, true, true, true} || c.End < c.Start || major|minor >= 1<<32 || len(b) > 0 && b[0] != ' ' {
		return false
	}
	c.Major, c.Minor = uint32(major), uint32(minor)
	m.name = appendUnescaped(m.name[:0], parse.Space(b))
	if len(m.name) == 0 {
		m.name = append(m.name, "[anon]"...)
	}
	c.Name = m.name
	return true
}

// hexUntil reads a hexadecimal number that ends in a separator.
func hexUntil(b []byte, end byte) (n uint64, rest []byte, ok bool) {
	n, rest, ok = parse.Hex(b)
	if !ok || len(rest) == 0 || rest[0] != end {
		return 0, nil, false
	}
	return n, rest[1:], true
}

func permissions(b []byte) bool {
	for i, set := range []byte("rwx") {
		if b[i] != set && b[i] != '-' {
			return false
		}
	}
	return b[3] == 'p' || b[3] == 's'
}

// appendUnescaped undoes what the kernel does to a path here: a newline, and
// nothing else, is written as \012. A name that holds these four characters
// itself cannot be told from that.
func appendUnescaped(to, b []byte) []byte {
	for {
		before, after, found := bytes.Cut(b, escapedNewline)
		to = append(to, before...)
		if !found {
			return to
		}
		to, b = append(to, '\n'), after
	}
}

var escapedNewline = []byte(`\012`)

// detail reads a line such as "Pss:   12 kB". Those that are not used are
// passed over, whatever they are.
func (m *Mappings) detail(b []byte) bool {
	key, value, _ := parse.Split(b, ':')
	c := &m.current
	var at *uint64
	var line MappingLines
	switch string(key) {
	case "Rss":
		at, line = &c.Resident, MappingResident
	case "Pss":
		at, line = &c.PSS, MappingPSS
	case "Shared_Clean":
		at, line = &c.SharedClean, MappingSharedClean
	case "Shared_Dirty":
		at, line = &c.SharedDirty, MappingSharedDirty
	case "Private_Clean":
		at, line = &c.PrivateClean, MappingPrivateClean
	case "Private_Dirty":
		at, line = &c.PrivateDirty, MappingPrivateDirty
	case "Referenced":
		at, line = &c.Referenced, MappingReferenced
	case "Anonymous":
		at, line = &c.Anonymous, MappingAnonymous
	case "Swap":
		at, line = &c.Swap, MappingSwap
	default:
		return true
	}
	c.Has |= line
	return kilobytes(value, at)
}
