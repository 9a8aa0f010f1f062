// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import "github.com/hostscope/hostscope/platform/internal/parse"

// LoadAverage is /proc/loadavg (proc_loadavg(5)).
type LoadAverage struct {
	Average [3]float64 // over one, five and fifteen minutes
	Running uint64     // threads that run or wait to
	Threads uint64     // that there are
}

// Load decodes /proc/loadavg: "0.20 0.18 0.12 1/80 11206".
func Load(b []byte, l *LoadAverage) error {
	*l = LoadAverage{}
	for i := range l.Average {
		var ok bool
		if l.Average[i], b, ok = fixed(b); !ok || len(b) == 0 || b[0] != ' ' {
			return parse.ErrSyntax
		}
		b = b[1:]
	}
	var ok bool
	if l.Running, b, ok = parse.Uint(b); !ok || len(b) == 0 || b[0] != '/' {
		return parse.ErrSyntax
	}
	if l.Threads, b, ok = parse.Uint(b[1:]); !ok || len(b) == 0 || b[0] != ' ' || l.Threads > 1<<32 {
		return parse.ErrSyntax
	}
	return nil
}

// fixed reads a number with a point and digits after it.
func fixed(b []byte) (f float64, rest []byte, ok bool) {
	whole, rest, ok := parse.Uint(b)
	if !ok || len(rest) == 0 || rest[0] != '.' {
		return 0, rest, false
	}
	digits := rest[1:]
	frac, rest, ok := parse.Uint(digits)
	if !ok {
		return 0, rest, false
	}
	unit := 1.0
	for range len(digits) - len(rest) {
		unit *= 10
	}
	// One division, so that 0.29 is the number that is written so.
	if n := float64(whole)*unit + float64(frac); n < 1<<53 {
		return n / unit, rest, true
	}
	return 0, rest, false
}
