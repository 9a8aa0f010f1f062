// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"time"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

const threadName = "process.thread.name"

// The points of threads are of those alive: each is a series of its own, which
// begins and ends with the thread. The next one can have its ID.
var threadMetrics = []metric{
	{name: "process.thread.count", fields: platform.FieldThreads, record: func(to *emit.Points, s *sample) {
		to.Int(int64(s.Threads))
	}},
	threadMetric("process.thread.cpu.time", platform.FieldThreadList, func(to *emit.Points, t *platform.Thread, id, name emit.Attr) {
		to.Double(t.CPU.User, id, name, modeUser)
		to.Double(t.CPU.System, id, name, modeSystem)
	}),
	threadMetric("process.thread.paging.faults", platform.FieldThreadList, func(to *emit.Points, t *platform.Thread, id, name emit.Attr) {
		to.Int(toInt(t.MinorFaults), id, name, faultMinor)
		to.Int(toInt(t.MajorFaults), id, name, faultMajor)
	}),
	threadMetric("process.thread.context_switches", platform.FieldThreadSwitches, func(to *emit.Points, t *platform.Thread, id, name emit.Attr) {
		to.Int(toInt(t.Voluntary), id, name, voluntary)
		to.Int(toInt(t.Involuntary), id, name, involuntary)
	}),
	threadMetric("process.thread.disk.io", platform.FieldThreadIO, func(to *emit.Points, t *platform.Thread, id, name emit.Attr) {
		to.Int(toInt(t.ReadBytes), id, name, directionRead)
		to.Int(toInt(t.WriteBytes), id, name, directionWrite)
	}),
}

// threadMetric is a row that records the same of each thread. The name stands
// in the list of threads, which is read for it where it is wanted.
func threadMetric(name string, field platform.Fields, record func(*emit.Points, *platform.Thread, emit.Attr, emit.Attr)) metric {
	return metric{
		name: name,
		plan: func(to *emit.Points) (fields, also platform.Fields) {
			if to.Wants(threadName) {
				also = platform.FieldThreadList &^ field
			}
			return field, also
		},
		record: func(to *emit.Points, s *sample) {
			for i := range s.More.ThreadList {
				t := &s.More.ThreadList[i]
				if !t.Got.Has(field) {
					continue
				}
				var comm string
				var created time.Time
				if t.Got.Has(platform.FieldThreadList) {
					comm, created = t.Name, t.Created
				}
				to.Since(created)
				record(to, t, emit.Int("process.thread.id", int64(t.ID)), emit.Str(threadName, comm))
			}
		},
	}
}
