// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var memoryMetrics = []metric{
	{name: "process.memory.usage", fields: platform.FieldMemory, record: count(func(s *sample) uint64 { return s.RSS })},
	{name: "process.memory.virtual", fields: platform.FieldMemory, record: count(func(s *sample) uint64 { return s.VMS })},
	{name: "process.memory.utilization", fields: platform.FieldMemory, host: true, record: func(to *emit.Points, s *sample) {
		if s.memory > 0 {
			to.Double(float64(s.RSS) / float64(s.memory))
		}
	}},
	{name: "process.memory.linux.shared", fields: platform.FieldShared, record: count(func(s *sample) uint64 { return s.Shared })},
	{name: "process.memory.linux.resident.usage", fields: platform.FieldResident, record: func(to *emit.Points, s *sample) {
		const of = "process.memory.linux.resident.type"
		to.Int(toInt(s.More.RSSAnon), emit.Str(of, "anon"))
		to.Int(toInt(s.More.RSSFile), emit.Str(of, "file"))
		to.Int(toInt(s.More.RSSShmem), emit.Str(of, "shmem"))
	}},
	{name: "process.memory.linux.swap", fields: platform.FieldSwap, record: count(func(s *sample) uint64 { return s.More.Swap })},
	{name: "process.memory.linux.hugetlb", fields: platform.FieldHugeTLB, record: count(func(s *sample) uint64 { return s.More.HugeTLB })},
	{name: "process.memory.linux.library", fields: platform.FieldLibrary, record: count(func(s *sample) uint64 { return s.More.Library })},
	{name: "process.memory.linux.pss", fields: platform.FieldFootprint, record: count(func(s *sample) uint64 { return s.More.Footprint.PSS })},
	{name: "process.memory.linux.uss", fields: platform.FieldFootprint, record: count(func(s *sample) uint64 { return s.More.Footprint.USS() })},
	{name: "process.memory.linux.dirty", fields: platform.FieldFootprint, record: count(func(s *sample) uint64 { return s.More.Footprint.Dirty() })},
	{name: "process.memory.unix.peak", fields: platform.FieldPeak, record: count(func(s *sample) uint64 { return s.More.Peak })},
	{name: "process.memory.linux.peak_virtual", fields: platform.FieldPeakVirtual, record: count(func(s *sample) uint64 { return s.More.PeakVirtual })},
	{name: "process.memory.unix.segment.size", fields: platform.FieldSegments, record: func(to *emit.Points, s *sample) {
		const segment = "process.memory.unix.segment.type"
		to.Int(toInt(s.Text), emit.Str(segment, "text"))
		to.Int(toInt(s.Data), emit.Str(segment, "data")) // Linux does not tell the stack apart
	}},
	{name: "process.paging.faults", fields: platform.FieldFaults, record: func(to *emit.Points, s *sample) {
		to.Int(toInt(s.MinorFaults), faultMinor)
		to.Int(toInt(s.MajorFaults), faultMajor)
	}},
	{name: "process.linux.oom.score", fields: platform.FieldOOM, record: func(to *emit.Points, s *sample) {
		to.Int(int64(s.OOMScore))
	}},
	{name: "process.linux.oom.score_adjustment", fields: platform.FieldOOM, record: func(to *emit.Points, s *sample) {
		to.Int(int64(s.OOMAdjustment))
	}},
}
