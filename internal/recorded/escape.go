// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package recorded

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// escapeError is an escape that is none, and where.
type escapeError struct {
	offset int
	what   string
}

func (e *escapeError) Error() string { return e.what }

// maxRepeated bounds what one repetition may unfold to.
const maxRepeated = 64 << 20

// unescape is the content that an escaped text stands for.
func unescape(text []byte) ([]byte, error) {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			out = append(out, text[i])
			i++
			continue
		}
		bad := func(what string) ([]byte, error) {
			end := min(i+8, len(text))
			return nil, &escapeError{i, fmt.Sprintf("%s at %q", what, text[i:end])}
		}
		if bytes.HasPrefix(text[i:], []byte(`\{`)) {
			number, unit, n, ok := repetition(text[i:])
			if !ok {
				return bad("no repetition \\{N*TEXT}")
			}
			raw, err := unescape(unit)
			if err != nil {
				return bad("wrong escape in the repetition")
			}
			if number*max(len(raw), 1) > maxRepeated {
				return bad("repetition of more than 64 MiB")
			}
			out = append(out, bytes.Repeat(raw, number)...)
			i += n
			continue
		}
		c, n := escapedByte(text[i:])
		switch {
		case n == 0:
			return bad("unknown escape")
		case c >= 0:
			out = append(out, byte(c))
		}
		i += n
	}
	return out, nil
}

// escapedByte reads one escape of a single byte at the start of text: the
// byte, -1 for none, and the length of the escape, 0 if it is none.
func escapedByte(text []byte) (c, length int) {
	if len(text) < 2 {
		return 0, 0
	}
	switch text[1] {
	case '\n':
		return -1, 2
	case '0':
		return 0, 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case '\\', '}':
		return int(text[1]), 2
	case 'x':
		if len(text) >= 4 {
			if v, err := strconv.ParseUint(string(text[2:4]), 16, 8); err == nil {
				return int(v), 4
			}
		}
	}
	return 0, 0
}

// repetition reads \{N*UNIT} at the start of text and its length there.
func repetition(text []byte) (number int, unit []byte, length int, ok bool) {
	star := bytes.IndexByte(text, '*')
	if star < 3 {
		return 0, nil, 0, false
	}
	n, err := strconv.ParseUint(string(text[2:star]), 10, 31)
	if err != nil {
		return 0, nil, 0, false
	}
	for i := star + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '}':
			return int(n), text[star+1 : i], i + 1, true
		}
	}
	return 0, nil, 0, false
}

// verbatim tells whether content can stand in an archive as it is.
func verbatim(data []byte) bool {
	if len(data) > 0 && data[len(data)-1] != '\n' {
		return false
	}
	for line := range bytes.Lines(data) {
		if bytes.HasPrefix(line, marker) {
			return false
		}
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 || r != '\n' && r != '\t' && !strconv.IsPrint(r) {
			return false
		}
		if _, count := run(data[i:]); count > 0 || trailing(data[i:]) {
			return false
		}
		i += n
	}
	return true
}

// trailing tells whether text begins with the white space at the end of a
// line, which nobody sees and editors take away.
func trailing(text []byte) bool {
	return bytes.HasPrefix(text, []byte(" \n")) || bytes.HasPrefix(text, []byte("\t\n"))
}

// escape writes content so that unescape gives it back: newlines and tabs as
// they are, an argument a line, long repetitions once.
func escape(data []byte) []byte {
	var out []byte
	for i := 0; i < len(data); {
		if unit, count := run(data[i:]); count > 0 {
			out = fmt.Appendf(out, `\{%d*`, count)
			for j := range unit {
				out = appendByte(out, unit[j])
			}
			out = append(out, '}')
			i += len(unit) * count
			continue
		}
		start := len(out) == 0 || out[len(out)-1] == '\n'
		r, n := utf8.DecodeRune(data[i:])
		switch {
		case start && bytes.HasPrefix(data[i:], marker):
			out = append(out, `\x2d`...)
		case r == 0:
			out = append(out, "\\0\\\n"...)
		case r == ' ' && trailing(data[i:]):
			out = append(out, `\x20`...)
		case r == '\t' && trailing(data[i:]):
			out = append(out, `\t`...)
		case r == '\n' || r == '\t':
			out = append(out, byte(r))
		case r == utf8.RuneError && n == 1 || r == '\\' || !strconv.IsPrint(r):
			for _, c := range data[i : i+n] {
				out = appendByte(out, c)
			}
		default:
			out = append(out, data[i:i+n]...)
		}
		i += n
	}
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, "\\\n"...)
	}
	return out
}

// escapeLine is escape for what has to stay in one line.
func escapeLine(s string) string {
	var out []byte
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || r == '\\' || !strconv.IsPrint(r) {
			for j := range n {
				out = appendByte(out, s[i+j])
			}
		} else {
			out = append(out, s[i:i+n]...)
		}
		i += n
	}
	if before, ok := bytes.CutSuffix(out, []byte(" ")); ok {
		out = append(before, `\x20`...)
	}
	return string(out)
}

func appendByte(out []byte, c byte) []byte {
	switch {
	case c == 0:
		return append(out, `\0`...)
	case c == '\n':
		return append(out, `\n`...)
	case c == '\r':
		return append(out, `\r`...)
	case c == '\t':
		return append(out, `\t`...)
	case c == '\\' || c == '}':
		return append(out, '\\', c)
	case c < ' ' || c >= 0x7f:
		return fmt.Appendf(out, `\x%02x`, c)
	}
	return append(out, c)
}

// run is the shortest unit that the data begins with many times over, and
// how many; 0 where writing it once would not be shorter by far.
func run(data []byte) (unit []byte, count int) {
	const longest, worth = 4, 128
	if len(data) < worth {
		return nil, 0
	}
	for u := 1; u <= longest; u++ {
		n := u
		for n < len(data) && data[n] == data[n-u] {
			n++
		}
		if n >= worth {
			return data[:u], n / u
		}
	}
	return nil, 0
}
