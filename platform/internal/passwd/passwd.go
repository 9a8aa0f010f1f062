// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package passwd decodes passwd(5).
package passwd

import (
	"bytes"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Each calls each with the name and number of every user. Lines of another
// form, as NIS has them, are passed over. Names are part of the input.
func Each(b []byte, each func(name []byte, uid uint32)) {
	for len(b) > 0 {
		var line []byte
		line, b = parse.Line(b)
		name, rest, _ := bytes.Cut(line, colon)
		_, rest, _ = bytes.Cut(rest, colon)
		number, _, ok := bytes.Cut(rest, colon)
		if !ok || len(name) == 0 {
			continue
		}
		if uid, rest, ok := parse.Uint(number); ok && len(rest) == 0 && uid < 1<<32 {
			each(name, uint32(uid))
		}
	}
}

var colon = []byte{':'}
