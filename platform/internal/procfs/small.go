// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"math"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Schedstat decodes /proc/PID/schedstat: the nanoseconds that a thread waited
// for a CPU while it could run. In the folder of a process it is that of the
// main thread alone. Known is false where the kernel does not account it and
// prints zeros only; a thread that has run has none of them 0.
func Schedstat(b []byte) (waited uint64, known bool, err error) {
	var n [3]uint64 // ran, waited, how often it ran
	for i := range n {
		end := byte(' ')
		if i == len(n)-1 {
			end = '\n'
		}
		v, rest, ok := parse.Uint(b)
		if !ok || v > math.MaxInt64 || len(rest) == 0 || rest[0] != end {
			return 0, false, parse.ErrSyntax
		}
		n[i], b = v, rest[1:]
	}
	return n[1], n != [3]uint64{}, nil
}

// Number decodes a file that is one number in a line, such as oom_score and
// oom_score_adj.
func Number(b []byte) (int64, error) {
	line, rest, ok := parse.FullLine(b)
	if !ok || len(rest) > 0 {
		return 0, parse.ErrSyntax
	}
	n, rest, ok := parse.Int(line)
	if !ok || len(rest) > 0 {
		return 0, parse.ErrSyntax
	}
	return n, nil
}

// Unsigned is Number for what is never below 0.
func Unsigned(b []byte) (uint64, error) {
	n, err := Number(b)
	if n < 0 {
		return 0, parse.ErrSyntax
	}
	return uint64(n), err
}

// FileNr decodes /proc/sys/fs/file-nr: how many open files there are, how many
// of those are not in use (none since Linux 2.6), and how many there may be,
// which is [math.MaxInt64] for any number.
func FileNr(b []byte) (count, limit uint64, err error) {
	var n [3]uint64
	for i := range n {
		end := byte('\t')
		if i == len(n)-1 {
			end = '\n'
		}
		v, rest, ok := parse.Uint(b)
		if !ok || len(rest) == 0 || rest[0] != end {
			return 0, 0, parse.ErrSyntax
		}
		n[i], b = v, rest[1:]
	}
	if n[1] > n[0] || n[0] > math.MaxInt64 {
		return 0, 0, parse.ErrSyntax
	}
	return n[0] - n[1], min(n[2], math.MaxInt64), nil
}
