// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Processor is a logical CPU of /proc/cpuinfo as far as it is used.
type Processor struct {
	// Has tells which lines were there.
	Has       ProcessorLines
	Number    int
	Package   uint64
	Core      uint64 // within its package
	Frequency uint64 // Hz
}

// ProcessorLines is a set of lines of a Processor.
type ProcessorLines uint8

// The lines that are read.
const (
	ProcessorPackage ProcessorLines = 1 << iota
	ProcessorCore
	ProcessorFrequency
)

// Processors decodes /proc/cpuinfo, which each architecture writes in its own
// way, and calls each with every logical CPU. What it does not know is absent.
func Processors(b []byte, each func(Processor)) {
	var p Processor
	begun := false
	flush := func() {
		if begun {
			each(p)
		}
	}
	for len(b) > 0 {
		var line []byte
		line, b = parse.Line(b)
		key, value, ok := parse.Split(line, ':')
		if !ok {
			continue
		}
		value = parse.Space(value)
		var at *uint64
		var has ProcessorLines
		switch string(bytes.TrimRight(key, " \t")) {
		case "processor", "cpu number": // the latter on s390
			flush()
			n, rest, ok := parse.Uint(value)
			begun = ok && len(rest) == 0 && n <= 1<<20
			p = Processor{Number: int(n)}
			continue
		case "physical id":
			at, has = &p.Package, ProcessorPackage
		case "core id":
			at, has = &p.Core, ProcessorCore
		case "cpu MHz", "CPU MHz", "cpu MHz dynamic", "clock": // x86, LoongArch, s390, PowerPC
			if hz, ok := megahertz(value); ok {
				p.Frequency = hz
				p.Has |= ProcessorFrequency
			}
			continue
		default:
			continue
		}
		if n, rest, ok := parse.Uint(value); ok && len(rest) == 0 {
			*at = n
			p.Has |= has
		}
	}
	flush()
}

// megahertz reads "2600.000", "5200" or "3425.000000MHz" in Hz. Zero is not
// known.
func megahertz(b []byte) (hz uint64, ok bool) {
	b = bytes.TrimSuffix(b, mhz)
	whole, rest, ok := parse.Uint(b)
	if !ok || whole > 1<<20 {
		return 0, false
	}
	hz = whole * 1e6
	if len(rest) > 0 && rest[0] == '.' {
		rest = rest[1:]
		for unit := uint64(1e5); len(rest) > 0 && rest[0]-'0' <= 9; unit /= 10 {
			hz += uint64(rest[0]-'0') * unit
			rest = rest[1:]
		}
	}
	return hz, len(rest) == 0 && hz > 0
}

var mhz = []byte("MHz")
