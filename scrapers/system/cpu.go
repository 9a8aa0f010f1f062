// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// modes are the values of cpu.mode, and which systems count them. On Linux the
// time of guests is in user and nice already.
var modes = [...]struct {
	attr emit.Attr
	on   platform.OS
	of   func(*platform.CPUTimes) float64
}{
	{emit.Str("cpu.mode", "user"), everywhere, func(t *platform.CPUTimes) float64 { return t.User }},
	{emit.Str("cpu.mode", "nice"), everywhere, func(t *platform.CPUTimes) float64 { return t.Nice }},
	{emit.Str("cpu.mode", "system"), everywhere, func(t *platform.CPUTimes) float64 { return t.System }},
	{emit.Str("cpu.mode", "idle"), everywhere, func(t *platform.CPUTimes) float64 { return t.Idle }},
	{emit.Str("cpu.mode", "iowait"), platform.Linux, func(t *platform.CPUTimes) float64 { return t.IOWait }},
	{emit.Str("cpu.mode", "interrupt"), platform.Linux | bsd, func(t *platform.CPUTimes) float64 { return t.IRQ }},
	{emit.Str("cpu.mode", "softirq"), platform.Linux, func(t *platform.CPUTimes) float64 { return t.SoftIRQ }},
	{emit.Str("cpu.mode", "steal"), platform.Linux, func(t *platform.CPUTimes) float64 { return t.Steal }},
}

const (
	bsd        = platform.FreeBSD | platform.OpenBSD | platform.NetBSD
	everywhere = platform.Linux | platform.Darwin | bsd
)

// reset is by how many seconds a counter must fall to have been reset. On
// Linux idle and iowait of a CPU fall by small amounts (proc_stat(5)), and
// older kernels start them again when the CPU comes back online, as most do
// after a suspend. node_exporter draws the line here too.
const reset = 3

// steady is a counter that does not fall though its source does: it holds the
// last value over a small fall, and counts on from it after a reset.
type steady struct{ raw, offset float64 }

func (s *steady) next(raw float64) float64 {
	switch fall := s.raw - raw; {
	case fall <= 0:
		s.raw = raw
	case fall > reset:
		s.raw = raw
		s.offset += fall
	}
	return s.raw + s.offset
}

// steadyTimes is a steady counter for each of modes.
type steadyTimes [len(modes)]steady

func recordCPUCount(_ *Scraper, to *emit.Points, t *tick) {
	if n := len(t.CPU.PerCPU); n > 0 {
		to.Int(int64(n))
	}
}

// recordCPUTime records one point per mode, or per mode and CPU where the user
// wants the CPUs apart or something else than their sum.
func (s *Scraper) recordCPUTime(to *emit.Points, t *tick) {
	if !to.Wants("cpu.logical_number") {
		if t.CPU.Total != (platform.CPUTimes{}) {
			s.recordTimes(to, emit.Attr{}, &s.total, &t.CPU.Total)
		}
		return
	}
	for i := range t.CPU.PerCPU {
		cpu := &t.CPU.PerCPU[i]
		last := s.perCPU[cpu.Number]
		if last == nil {
			last = new(steadyTimes)
			s.perCPU[cpu.Number] = last
		}
		s.recordTimes(to, emit.Int("cpu.logical_number", int64(cpu.Number)), last, &cpu.CPUTimes)
	}
}

func (s *Scraper) recordTimes(to *emit.Points, cpu emit.Attr, last *steadyTimes, times *platform.CPUTimes) {
	for i := range modes {
		if mode := &modes[i]; mode.on&s.on != 0 {
			to.Double(last[i].next(mode.of(times)), mode.attr, cpu)
		}
	}
}
