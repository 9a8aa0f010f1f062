// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"math"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Stall is a file of /proc/pressure (Documentation/accounting/psi.rst):
// microseconds since boot in which some tasks, or all that were not idle,
// stalled.
type Stall struct {
	Some, Full       uint64
	HasSome, HasFull bool
}

// Pressure decodes a file of /proc/pressure:
//
//	some avg10=0.00 avg60=0.00 avg300=0.00 total=0
//	full avg10=0.00 avg60=0.00 avg300=0.00 total=0
func Pressure(b []byte, s *Stall) error {
	*s = Stall{}
	for len(b) > 0 {
		var line []byte
		line, b = parse.Line(b)
		key, rest, _ := parse.Split(line, ' ')
		at, has := &s.Some, &s.HasSome
		switch string(key) {
		case "some":
		case "full":
			at, has = &s.Full, &s.HasFull
		default:
			continue
		}
		_, total, ok := bytes.Cut(rest, totalKey)
		if !ok {
			return parse.ErrSyntax
		}
		n, rest, ok := parse.Uint(total)
		if !ok || len(rest) > 0 || n > math.MaxInt64/1000 {
			return parse.ErrSyntax
		}
		*at, *has = n, true
	}
	if !s.HasSome && !s.HasFull {
		return parse.ErrSyntax
	}
	return nil
}

var totalKey = []byte(" total=")
