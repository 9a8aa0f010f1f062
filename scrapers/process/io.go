// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var ioMetrics = []metric{
	{name: "process.disk.io", fields: platform.FieldDiskIO, record: func(to *emit.Points, s *sample) {
		to.Int(toInt(s.ReadBytes), directionRead)
		to.Int(toInt(s.WriteBytes), directionWrite)
	}},
	{name: "process.linux.io.transferred", fields: platform.FieldLogicalIO, record: func(to *emit.Points, s *sample) {
		to.Int(toInt(s.ReadChars), directionRead)
		to.Int(toInt(s.WriteChars), directionWrite)
	}},
	{name: "process.linux.io.system_calls", fields: platform.FieldLogicalIO, record: func(to *emit.Points, s *sample) {
		to.Int(toInt(s.ReadCalls), directionRead)
		to.Int(toInt(s.WriteCalls), directionWrite)
	}},
	{name: "process.linux.io_priority", fields: platform.FieldIOPriority, record: func(to *emit.Points, s *sample) {
		if class := int(s.IOPriority.Class); class < len(ioClasses) {
			to.Int(int64(s.IOPriority.Level), ioClasses[class])
		}
	}},
}

var ioClasses = [...]emit.Attr{
	platform.IOClassNone:       emit.Str("process.linux.io_priority.class", "none"),
	platform.IOClassRealtime:   emit.Str("process.linux.io_priority.class", "realtime"),
	platform.IOClassBestEffort: emit.Str("process.linux.io_priority.class", "best_effort"),
	platform.IOClassIdle:       emit.Str("process.linux.io_priority.class", "idle"),
}
