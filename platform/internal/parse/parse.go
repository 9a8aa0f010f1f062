// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package parse holds what the decoders share: numbers, fields and lines of
// text that a kernel printed, read in place. Nothing here allocates.
package parse

import (
	"bytes"
	"errors"
	"math"
)

// ErrSyntax is what a decoder answers to text that is not as documented.
var ErrSyntax = errors.New("unexpected format")

// Uint reads the decimal digits at the start of b. It answers what follows
// them, and false if there is none or the number does not fit.
func Uint(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b); i++ {
		d := uint64(b[i] - '0')
		if d > 9 {
			break
		}
		// A division per digit would be a tenth of the whole reading.
		if n >= math.MaxUint64/10 && (n > math.MaxUint64/10 || d > math.MaxUint64%10) {
			return 0, b, false
		}
		n = n*10 + d
	}
	return n, b[i:], i > 0
}

// Int reads a decimal number with an optional minus sign at the start of b.
func Int(b []byte) (n int64, rest []byte, ok bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	u, rest, ok := Uint(b)
	switch {
	case !ok:
		return 0, rest, false
	case neg && u <= -math.MinInt64:
		return -int64(u), rest, true
	case u > math.MaxInt64:
		return 0, rest, false
	}
	return int64(u), rest, true
}

// Only is the number that b is, nothing before or after it but white space.
func Only(b []byte) (int64, bool) {
	n, rest, ok := Int(bytes.TrimSpace(b))
	return n, ok && len(rest) == 0
}

// Space drops spaces and tabs from the start of b.
func Space(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

// Line splits off the first line, without its newline.
func Line(b []byte) (line, rest []byte) {
	if line, rest, ok := FullLine(b); ok {
		return line, rest
	}
	return b, nil
}

// KeyUint reads lines of "key:   number unit" from b and calls each with
// every key and number. Lines of another form are passed over: kernels add
// lines that are no numbers. It answers how many lines were of the form.
func KeyUint(b []byte, each func(key []byte, n uint64)) (found int) {
	for len(b) > 0 {
		var line []byte
		line, b = Line(b)
		colon := bytes.IndexByte(line, ':')
		if colon < 0 {
			continue
		}
		if n, _, ok := Uint(Space(line[colon+1:])); ok {
			each(line[:colon], n)
			found++
		}
	}
	return found
}

// FullLine splits off the first line, without its newline. It answers false
// where there is no newline: a line that was cut says nothing.
func FullLine(b []byte) (line, rest []byte, ok bool) {
	return Split(b, '\n')
}

// Split splits b at the first end, as [bytes.Cut] does, in half the time.
func Split(b []byte, end byte) (before, after []byte, ok bool) {
	if i := bytes.IndexByte(b, end); i >= 0 {
		return b[:i], b[i+1:], true
	}
	return b, nil, false
}

// Hex reads the hexadecimal digits at the start of b, as Uint does decimal.
func Hex(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b); i++ {
		d := uint64(b[i])
		switch {
		case d-'0' <= 9:
			d -= '0'
		case d-'a' <= 5:
			d -= 'a' - 10
		case d-'A' <= 5:
			d -= 'A' - 10
		default:
			return n, b[i:], i > 0
		}
		if n >= 1<<60 {
			return 0, b, false
		}
		n = n<<4 | d
	}
	return n, b[i:], i > 0
}

// Octal reads the octal digits at the start of b, as Uint does decimal.
func Octal(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b); i++ {
		d := uint64(b[i] - '0')
		if d > 7 {
			break
		}
		if n >= 1<<61 {
			return 0, b, false
		}
		n = n<<3 | d
	}
	return n, b[i:], i > 0
}
