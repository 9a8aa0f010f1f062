// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var cpuMetrics = []metric{
	{name: "process.cpu.time", fields: platform.FieldCPUTime, record: func(to *emit.Points, s *sample) {
		to.Double(s.CPU.User, modeUser)
		to.Double(s.CPU.System, modeSystem)
	}},
	{name: "process.cpu.utilization", fields: platform.FieldCPUTime, also: platform.FieldAffinity, record: utilization},
	{name: "process.cpu.unix.children.time", fields: platform.FieldChildrenTime, record: func(to *emit.Points, s *sample) {
		to.Double(s.ChildrenCPU.User, modeUser)
		to.Double(s.ChildrenCPU.System, modeSystem)
	}},
	{name: "process.cpu.logical_number", fields: platform.FieldLastCPU, record: func(to *emit.Points, s *sample) {
		if s.LastCPU >= 0 {
			to.Int(int64(s.LastCPU))
		}
	}},
	{name: "process.cpu.affinity.count", fields: platform.FieldAffinity, record: affinity},
	{name: "process.context_switches", fields: platform.FieldContextSwitches, record: func(to *emit.Points, s *sample) {
		to.Int(toInt(s.More.Voluntary), voluntary)
		to.Int(toInt(s.More.Involuntary), involuntary)
	}},
	{name: "process.linux.scheduler.run_delay.time", fields: platform.FieldRunDelay, record: func(to *emit.Points, s *sample) {
		to.Double(s.RunDelay)
	}},
	{name: "process.unix.nice", fields: platform.FieldNice, record: func(to *emit.Points, s *sample) {
		to.Int(int64(s.Nice))
	}},
}

// utilization is the CPU time since the scrape before, as a share of what the
// CPUs available had in that time. Without one before there is no value. A
// clock that went backwards gives none either.
func utilization(to *emit.Points, s *sample) {
	before, at := s.note.cpu, s.note.cpuAt
	s.note.cpu, s.note.cpuAt = s.CPU, s.time
	if at.IsZero() {
		return
	}
	had := s.time.Sub(at).Seconds() * float64(s.available())
	if had <= 0 {
		return
	}
	// Linux scales user and system time out of their sum; for one of them it
	// can take back a little of what it told before.
	to.Double(max(0, s.CPU.User-before.User)/had, modeUser)
	to.Double(max(0, s.CPU.System-before.System)/had, modeSystem)
}

// available is how many CPUs the process may run on. An affinity can have CPUs
// that are not online.
func (s *sample) available() (n int) {
	if !s.Got.Has(platform.FieldAffinity) {
		return len(s.cpus)
	}
	online := s.cpus
	for _, cpu := range s.More.Affinity { // both are ascending
		for len(online) > 0 && online[0].Number < int(cpu) {
			online = online[1:]
		}
		if len(online) > 0 && online[0].Number == int(cpu) {
			n++
		}
	}
	return n
}

func affinity(to *emit.Points, s *sample) {
	const cpu = "cpu.logical_number"
	if !to.Wants(cpu) {
		to.Int(int64(len(s.More.Affinity)))
		return
	}
	for _, number := range s.More.Affinity {
		to.Int(1, emit.Int(cpu, int64(number)))
	}
}
