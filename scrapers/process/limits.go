// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// limitMetrics are several because the units of the resources differ.
var limitMetrics = []metric{
	{name: "process.unix.resource_limit.size", fields: platform.FieldLimits, record: eachLimit(inBytes, recordLimit)},
	{name: "process.unix.resource_limit.count", fields: platform.FieldLimits, record: eachLimit(number, recordLimit)},
	{name: "process.unix.resource_limit.time", fields: platform.FieldLimits, record: eachLimit(inTime, func(to *emit.Points, kind platform.LimitKind, v uint64, attrs [2]emit.Attr) {
		seconds := float64(v)
		if kind == platform.LimitRealtimeTimeout {
			seconds /= 1e6
		}
		to.Double(seconds, attrs[0], attrs[1])
	})},
	{name: "process.unix.resource_limit.priority", fields: platform.FieldLimits, record: eachLimit(priority, func(to *emit.Points, kind platform.LimitKind, v uint64, attrs [2]emit.Attr) {
		value := toInt(v)
		if kind == platform.LimitNice {
			value = 20 - min(value, 40) // -20 is the lowest nice value
		}
		to.Int(value, attrs[0], attrs[1])
	})},
}

// limitUnit is what a resource is measured in.
type limitUnit uint8

const (
	inBytes limitUnit = iota
	number
	inTime
	priority
)

// resource is a value of process.unix.resource_limit.resource.
func resource(name string) emit.Attr {
	return emit.Str("process.unix.resource_limit.resource", name)
}

var limits = [platform.NumLimits]struct {
	unit limitUnit
	attr emit.Attr
}{
	platform.LimitCPU:              {inTime, resource("cpu")},
	platform.LimitFileSize:         {inBytes, resource("file_size")},
	platform.LimitData:             {inBytes, resource("data")},
	platform.LimitStack:            {inBytes, resource("stack")},
	platform.LimitCore:             {inBytes, resource("core")},
	platform.LimitResidentSet:      {inBytes, resource("resident_set")},
	platform.LimitProcesses:        {number, resource("processes")},
	platform.LimitOpenFiles:        {number, resource("open_files")},
	platform.LimitLockedMemory:     {inBytes, resource("locked_memory")},
	platform.LimitAddressSpace:     {inBytes, resource("address_space")},
	platform.LimitFileLocks:        {number, resource("file_locks")},
	platform.LimitPendingSignals:   {number, resource("pending_signals")},
	platform.LimitMessageQueue:     {inBytes, resource("message_queue")},
	platform.LimitNice:             {priority, resource("nice")},
	platform.LimitRealtimePriority: {priority, resource("realtime_priority")},
	platform.LimitRealtimeTimeout:  {inTime, resource("realtime_timeout")},
}

var (
	soft = emit.Str("process.unix.resource_limit.type", "soft")
	hard = emit.Str("process.unix.resource_limit.type", "hard")
)

// limit is a limit, if there is one.
func limit(of *platform.Limits, kind platform.LimitKind, hard bool) (v uint64, ok bool) {
	v = of.Of[kind].Soft
	if hard {
		v = of.Of[kind].Hard
	}
	return v, of.Has&(1<<kind) != 0 && v != platform.Unlimited
}

// eachLimit records the limits of the resources in a unit.
func eachLimit(unit limitUnit, record func(*emit.Points, platform.LimitKind, uint64, [2]emit.Attr)) func(*emit.Points, *sample) {
	return func(to *emit.Points, s *sample) {
		for i := range limits {
			if kind := platform.LimitKind(i); limits[i].unit == unit {
				if v, ok := limit(&s.More.Limits, kind, false); ok {
					record(to, kind, v, [2]emit.Attr{limits[i].attr, soft})
				}
				if v, ok := limit(&s.More.Limits, kind, true); ok {
					record(to, kind, v, [2]emit.Attr{limits[i].attr, hard})
				}
			}
		}
	}
}

func recordLimit(to *emit.Points, _ platform.LimitKind, v uint64, attrs [2]emit.Attr) {
	to.Int(toInt(v), attrs[0], attrs[1])
}
