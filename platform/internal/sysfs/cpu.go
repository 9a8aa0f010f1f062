// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sysfs

import (
	"bytes"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// maxCPU is more than any kernel's NR_CPUS.
const maxCPU = 1 << 20

// CPUs decodes a list of logical CPUs, as the kernel prints a mask
// ("0-3,8\n") and cpufreq a policy ("0 1 2 3\n"), and calls each with every
// number. An empty list has none.
func CPUs(b []byte, each func(cpu int)) error {
	b = bytes.TrimRight(b, " \n")
	for len(b) > 0 {
		first, rest, ok := parse.Uint(b)
		last := first
		if ok && len(rest) > 0 && rest[0] == '-' {
			last, rest, ok = parse.Uint(rest[1:])
		}
		if !ok || last < first || last > maxCPU {
			return parse.ErrSyntax
		}
		if len(rest) > 0 {
			if rest[0] != ',' && rest[0] != ' ' || len(rest) == 1 {
				return parse.ErrSyntax
			}
			rest = rest[1:]
		}
		for cpu := first; cpu <= last; cpu++ {
			each(int(cpu))
		}
		b = rest
	}
	return nil
}

// Kilohertz decodes a file of cpufreq in Hz. Known is false where the driver
// does not know: it then says 0, or <unknown>.
func Kilohertz(b []byte) (hz uint64, known bool, err error) {
	b = bytes.TrimRight(b, "\n")
	if string(b) == "<unknown>" {
		return 0, false, nil
	}
	n, rest, ok := parse.Uint(b)
	if !ok || len(rest) > 0 || n > 1<<40 {
		return 0, false, parse.ErrSyntax
	}
	return n * 1000, n > 0, nil
}
