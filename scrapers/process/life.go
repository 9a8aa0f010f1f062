// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var lifeMetrics = []metric{
	{name: "process.status", fields: platform.FieldState, record: status},
	// The start is known of every process; the name stands in the same file.
	{name: "process.uptime", fields: platform.FieldName, record: func(to *emit.Points, s *sample) {
		to.Double(s.Age.Seconds())
	}},
	{name: "process.environment_variable.count", fields: platform.FieldEnvironment, record: func(to *emit.Points, s *sample) {
		to.Int(int64(s.More.EnvironmentCount))
	}},
}

var states = [platform.NumStates]emit.Attr{
	platform.StateUnknown:     state("unknown"),
	platform.StateRunning:     state("running"),
	platform.StateSleeping:    state("sleeping"),
	platform.StateDiskSleep:   state("disk_sleep"),
	platform.StateZombie:      state("defunct"), // the conventions' word
	platform.StateStopped:     state("stopped"),
	platform.StateTracingStop: state("tracing_stop"),
	platform.StateDead:        state("dead"),
	platform.StateWakeKill:    state("wake_kill"),
	platform.StateWaking:      state("waking"),
	platform.StateParked:      state("parked"),
	platform.StateIdle:        state("idle"),
	platform.StateLocked:      state("locked"),
	platform.StateWaiting:     state("waiting"),
	platform.StateSuspended:   state("suspended"),
}

func state(name string) emit.Attr { return emit.Str("process.state", name) }

// status records 1 for the state, and once 0 for the one before, so that its
// series ends. The states that a process is never in have no series.
func status(to *emit.Points, s *sample) {
	before, known := s.note.state, s.note.hasState
	s.note.state, s.note.hasState = s.State, true
	to.Int(1, states[s.State])
	if known && before != s.State {
		to.Int(0, states[before])
	}
}
