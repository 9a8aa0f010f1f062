// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package parse

import "bytes"

// Records splits what is read chunk by chunk into records that end in one
// byte each, such as lines. Of a chunk it keeps no more than the record that
// was cut, in memory that is used again. The zero value is ready.
type Records struct {
	// Cut tells that the record that Next answered last was longer than Max:
	// it has only its start.
	Cut bool

	carry []byte
	over  bool // the record in carry has lost its end
}

// Next splits the first record off chunk. It answers false when the rest of
// the chunk holds no end; that is kept for the next chunk. Of a record longer
// than maximum only the start is answered. The record, without its end, is
// valid until the next call or the next chunk is read.
func (r *Records) Next(chunk []byte, end byte, maximum int) (record, rest []byte, ok bool) {
	i := bytes.IndexByte(chunk, end)
	part := chunk
	if i >= 0 {
		part, rest = chunk[:i], chunk[i+1:]
	}
	if i >= 0 && len(r.carry) == 0 {
		r.Cut = len(part) > maximum
		return part[:min(len(part), maximum)], rest, true
	}
	if room := maximum - len(r.carry); len(part) > room {
		part, r.over = part[:room], true
	}
	r.carry = append(r.carry, part...)
	if i < 0 {
		return nil, nil, false
	}
	record = r.carry
	r.Cut, r.over, r.carry = r.over, false, r.carry[:0]
	return record, rest, true
}

// Tail is what came after the last end.
func (r *Records) Tail() []byte { return r.carry }

// Reset forgets what was fed, but not its memory.
func (r *Records) Reset() { r.Cut, r.over, r.carry = false, false, r.carry[:0] }
