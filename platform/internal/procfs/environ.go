// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import "github.com/hostscope/hostscope/platform/internal/parse"

// MaxVariable is how much is kept of a variable, its name and = included, and
// of an argument.
const MaxVariable = 8 << 10

// Environ decodes /proc/PID/environ from chunks of any size: the variables as
// they were at the exec, unless the process wrote over them. What has no name
// and no = is no variable.
type Environ struct {
	// Each is called with every variable, in order; a name may come twice, and
	// getenv(3) finds the first. Both are valid until it returns. Of a value
	// that does not fit MaxVariable only the start is there.
	Each func(name, value []byte)

	records parse.Records
}

// Reset starts another file.
func (e *Environ) Reset() { e.records.Reset() }

// Feed decodes the next chunk.
func (e *Environ) Feed(chunk []byte) {
	for {
		variable, rest, ok := e.records.Next(chunk, 0, MaxVariable)
		if !ok {
			return
		}
		chunk = rest
		if name, value, ok := parse.Split(variable, '='); ok && len(name) > 0 {
			e.Each(name, value)
		}
	}
}

// End is to be called after the last chunk. What does not end in NUL is no
// variable of an exec, and is dropped.
func (e *Environ) End() { e.Reset() }

// Arguments decodes /proc/PID/cmdline from chunks of any size. A process can
// write over it (setproctitle(3)): then it often is one argument without its
// end, or with the rest of the memory filled up with NULs, which are not
// taken as arguments.
type Arguments struct {
	// Each is called with every argument, which is valid until it returns. Of
	// one that does not fit MaxVariable only the start is there.
	Each func(argument []byte)

	records parse.Records
	seen    int // arguments so far, the empty ones held back not among them
	empty   int // held back: they are the last ones so far
}

// Reset starts another file.
func (a *Arguments) Reset() {
	a.records.Reset()
	a.seen, a.empty = 0, 0
}

// Feed decodes the next chunk.
func (a *Arguments) Feed(chunk []byte) {
	for {
		argument, rest, ok := a.records.Next(chunk, 0, MaxVariable)
		if !ok {
			return
		}
		chunk = rest
		a.add(argument)
	}
}

// End is to be called after the last chunk.
func (a *Arguments) End() {
	if tail := a.records.Tail(); len(tail) > 0 {
		a.add(tail)
	}
	if a.seen > 1 {
		a.flush()
	}
	a.Reset()
}

func (a *Arguments) add(argument []byte) {
	if len(argument) == 0 {
		a.empty++
		return
	}
	a.flush()
	a.seen++
	a.Each(argument)
}

// flush gives out the empty arguments that were held back.
func (a *Arguments) flush() {
	for ; a.empty > 0; a.empty-- {
		a.seen++
		a.Each(nil)
	}
}
