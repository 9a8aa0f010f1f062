// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var processMetrics = []metric{
	{"system.process.count", need{fields: platform.FieldState}, (*Scraper).recordProcessCount},
}

// states are the values of process.state, and on which systems each has a
// point even where no process is in it, so that its series goes on. The others
// have one from when they are first seen.
var states = [platform.NumStates]struct {
	name string
	on   platform.OS
}{
	platform.StateUnknown:     {"unknown", 0},
	platform.StateRunning:     {"running", everywhere},
	platform.StateSleeping:    {"sleeping", everywhere},
	platform.StateDiskSleep:   {"disk_sleep", platform.Linux},
	platform.StateZombie:      {"defunct", everywhere}, // the conventions' word
	platform.StateStopped:     {"stopped", everywhere},
	platform.StateTracingStop: {"tracing_stop", platform.Linux},
	platform.StateDead:        {"dead", platform.Linux},
	platform.StateWakeKill:    {"wake_kill", 0}, // Linux 2.6.33 to 3.13
	platform.StateWaking:      {"waking", 0},    // likewise
	platform.StateParked:      {"parked", platform.Linux},
	platform.StateIdle:        {"idle", everywhere},
	platform.StateLocked:      {"locked", platform.FreeBSD},
	platform.StateWaiting:     {"waiting", platform.FreeBSD},
	platform.StateSuspended:   {"suspended", platform.NetBSD},
}

// recordProcessCount counts all processes, threads of the kernel too, whatever
// the process scraper selects.
func (s *Scraper) recordProcessCount(to *emit.Points, t *tick) {
	// The table was not read, or does not show everybody: a part of them would
	// pass for all.
	if t.ProcessesErr != nil || t.Boot.IsZero() || t.Hidden {
		return
	}
	var count [platform.NumStates]int64
	count[platform.StateUnknown] = int64(t.Tally.Denied(platform.FieldState))
	for _, p := range t.Processes {
		if p.Got.Has(platform.FieldState) {
			count[p.State]++
		}
	}
	for state, n := range count {
		s.seen[state] = s.seen[state] || n > 0
		if s.seen[state] || states[state].on&s.on != 0 {
			to.Int(n, emit.Str("process.state", states[state].name))
		}
	}
}
