// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// SockStat decodes /proc/net/sockstat and sockstat6 (sockstat_seq_show of
// net/ipv4/proc.c) and calls each with every number:
//
//	TCP: inuse 5 orphan 0 tw 1 alloc 7 mem 2
//
// The kernel adds up counts of its CPUs while they change; a sum below zero
// is none.
func SockStat(b []byte, each func(protocol, key []byte, n int64)) error {
	for len(b) > 0 {
		var line []byte
		line, b = parse.Line(b)
		i := bytes.IndexByte(line, ':')
		if i < 0 {
			return parse.ErrSyntax
		}
		protocol := line[:i]
		for line = parse.Space(line[i+1:]); len(line) > 0; line = parse.Space(line) {
			i := max(bytes.IndexByte(line, ' '), 0)
			n, rest, ok := parse.Int(parse.Space(line[i:]))
			if !ok || len(rest) > 0 && rest[0] != ' ' {
				return parse.ErrSyntax
			}
			each(protocol, line[:i], max(n, 0))
			line = rest
		}
	}
	return nil
}
