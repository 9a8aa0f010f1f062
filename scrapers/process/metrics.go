// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"slices"
	"time"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/redact"
	"github.com/hostscope/hostscope/platform"
)

// metric is a row of the table of metrics: the name that metadata.yaml
// declares, the fields that a process must have, and how they are recorded.
type metric struct {
	name   string
	fields platform.Fields
	// also are fields that are used where a process has them.
	also platform.Fields
	// plan replaces both where they depend on which attributes are wanted.
	plan   func(*emit.Points) (fields, also platform.Fields)
	record func(*emit.Points, *sample)
	// host: the value depends on how much memory the host has.
	host bool
}

// metrics is the table, by topic.
var metrics = slices.Concat(
	cpuMetrics, memoryMetrics, mappingMetrics, ioMetrics, threadMetrics,
	descriptorMetrics, connectionMetrics, signalMetrics, limitMetrics, lifeMetrics,
)

// sample is one process in one scrape: all that the values of a row can
// depend on.
type sample struct {
	*platform.Process
	note *note

	// Of the scrape.
	time   time.Time
	cpus   []platform.LogicalCPU // those online
	memory uint64                // of the host, in bytes; 0 for unknown

	token    func(platform.ID) string
	redactor *redact.Redactor

	attrs []emit.Attr // room for those of a point
	flags flagLists
}

// wants gives a plan: more is needed in place of fields if one of the keys is.
func wants(fields, more platform.Fields, keys ...string) func(*emit.Points) (_, _ platform.Fields) {
	return func(to *emit.Points) (_, _ platform.Fields) {
		if wantsAny(to, keys) {
			return more, 0
		}
		return fields, 0
	}
}

func wantsAny(to *emit.Points, keys []string) bool {
	return slices.ContainsFunc(keys, to.Wants)
}

// count records one number of bytes, or of whatever else the unit says.
func count(get func(*sample) uint64) func(*emit.Points, *sample) {
	return func(to *emit.Points, s *sample) { to.Int(toInt(get(s))) }
}

// toInt is a number of the kernel as points have it. None that is real is too
// large.
func toInt(v uint64) int64 { return int64(min(v, 1<<63-1)) }

var (
	modeUser       = emit.Str("cpu.mode", "user")
	modeSystem     = emit.Str("cpu.mode", "system")
	directionRead  = emit.Str("disk.io.direction", "read")
	directionWrite = emit.Str("disk.io.direction", "write")
	faultMinor     = emit.Str("system.paging.fault.type", "minor")
	faultMajor     = emit.Str("system.paging.fault.type", "major")
	voluntary      = emit.Str("process.context_switch.type", "voluntary")
	involuntary    = emit.Str("process.context_switch.type", "involuntary")
)
