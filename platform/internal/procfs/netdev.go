// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Interface is one line of /proc/net/dev (net/core/net-procfs.c,
// dev_seq_printf_stats).
type Interface struct {
	Name []byte // part of what was decoded, byte for byte

	RxBytes, RxPackets, RxErrors uint64
	RxDropped                    uint64 // those that the device had no room for too
	Multicast                    uint64 // received
	TxBytes, TxPackets, TxErrors uint64
	TxDropped                    uint64
	Collisions                   uint64
}

// Interfaces splits the two lines of the heading off /proc/net/dev. They tell
// which column is what; another heading is another format.
func Interfaces(b []byte) (lines []byte, err error) {
	for _, start := range [...]string{"Inter-|   Receive ", " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "} {
		line, rest, ok := parse.FullLine(b)
		if !ok || !bytes.HasPrefix(line, []byte(start)) {
			return nil, parse.ErrSyntax
		}
		b = rest
	}
	return b, nil
}

// NextInterface decodes the first line of b. A name may hold anything: before
// Linux 4.0 even a colon, of which the last one ends it.
func NextInterface(b []byte, i *Interface) (rest []byte, err error) {
	line, rest := parse.Line(b)
	colon := bytes.LastIndexByte(line, ':')
	if colon < 0 {
		return nil, parse.ErrSyntax
	}
	i.Name = bytes.TrimLeft(line[:colon], " ") // the name is padded to six bytes
	line = line[colon+1:]
	var unused uint64
	for _, n := range [...]*uint64{
		&i.RxBytes, &i.RxPackets, &i.RxErrors, &i.RxDropped, &unused, &unused, &unused, &i.Multicast,
		&i.TxBytes, &i.TxPackets, &i.TxErrors, &i.TxDropped, &unused, &i.Collisions,
	} {
		var ok bool
		if *n, line, ok = number(line); !ok {
			return nil, parse.ErrSyntax
		}
	}
	if len(i.Name) == 0 {
		return nil, parse.ErrSyntax
	}
	return rest, nil
}
