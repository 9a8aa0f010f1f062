// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"math/bits"
	"runtime"
	"strconv"
	"strings"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

const signalName = "process.unix.signal.name"

var signalMetrics = []metric{
	{name: "process.signals_pending", fields: platform.FieldSignals, record: func(to *emit.Points, s *sample) {
		to.Int(members(s.More.Signals.Pending | s.More.Signals.ProcessPending))
	}},
	{name: "process.unix.signal.count", fields: platform.FieldSignals, record: signalSets},
	{name: "process.linux.signal.queued", fields: platform.FieldSignalQueue, record: func(to *emit.Points, s *sample) {
		to.Int(toInt(s.More.SignalsQueued))
	}},
}

// internalSignals are 32 and 33, with which glibc cancels threads and sets
// their users. No program sees them.
const internalSignals = 1<<31 | 1<<32

// members is how many signals are in a set.
func members(set uint64) int64 { return int64(bits.OnesCount64(set &^ internalSignals)) }

func signalSets(to *emit.Points, s *sample) {
	named := to.Wants(signalName)
	signals := &s.More.Signals
	for _, of := range [...]struct {
		name string
		set  uint64
	}{
		{"pending", signals.Pending},
		{"process_pending", signals.ProcessPending},
		{"blocked", signals.Blocked},
		{"ignored", signals.Ignored},
		{"caught", signals.Caught},
	} {
		set := emit.Str("process.unix.signal.set", of.name)
		if !named {
			to.Int(members(of.set), set)
			continue
		}
		for left := of.set &^ internalSignals; left != 0; left &= left - 1 {
			to.Int(1, set, signalNames[bits.TrailingZeros64(left)])
		}
	}
}

// signalNames are those of the signals 1 to 64 (signal(7)) as attributes.
var signalNames = namesOfSignals(runtime.GOARCH)

func namesOfSignals(arch string) (names [64]emit.Attr) {
	list := "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU " +
		"URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
	if strings.HasPrefix(arch, "mips") {
		list = "HUP INT QUIT ILL TRAP ABRT EMT FPE KILL BUS SEGV SYS PIPE ALRM TERM USR1 USR2 CHLD PWR WINCH URG IO STOP " +
			"TSTP CONT TTIN TTOU VTALRM PROF XCPU XFSZ"
	}
	for i, name := range strings.Fields(list) {
		names[i] = emit.Str(signalName, "SIG"+name)
	}
	names[33] = emit.Str(signalName, "SIGRTMIN")
	for i := 34; i < len(names); i++ {
		names[i] = emit.Str(signalName, "SIGRTMIN+"+strconv.Itoa(i-33))
	}
	return names
}
