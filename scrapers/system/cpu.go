// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"strconv"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var cpuMetrics = []metric{
	{"system.cpu.logical.count", need{reading: platform.ReadingCPUCount}, recordCPUCount},
	{"system.cpu.physical.count", need{reading: platform.ReadingPhysicalCPUs}, recordPhysicalCPUs},
	{"system.cpu.time", need{reading: platform.ReadingCPUTimes}, (*Scraper).recordCPUTime},
	{"system.cpu.utilization", need{reading: platform.ReadingCPUTimes}, (*Scraper).recordUtilization},
	{"system.cpu.linux.guest.time", need{reading: platform.ReadingCPUTimes, on: platform.Linux}, (*Scraper).recordGuestTime},
	{"system.cpu.frequency", need{reading: platform.ReadingCPUFrequency, parts: uint8(platform.FrequencyCurrent)}, recordFrequency},
	{"hw.cpu.speed.limit", need{reading: platform.ReadingCPUFrequency, parts: uint8(platform.FrequencyMin | platform.FrequencyMax)}, (*Scraper).recordSpeedLimit},
}

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
	if !to.Wants(logicalNumber) {
		if t.CPU.Total != (platform.CPUTimes{}) {
			s.recordTimes(to, emit.Attr{}, &s.cpu.total, &t.CPU.Total)
		}
		return
	}
	for i := range t.CPU.PerCPU {
		cpu := &t.CPU.PerCPU[i]
		s.recordTimes(to, cpuNumber(cpu.Number), of(s.cpu.perCPU, cpu.Number), &cpu.CPUTimes)
	}
}

func (s *Scraper) recordTimes(to *emit.Points, cpu emit.Attr, last *steadyTimes, times *platform.CPUTimes) {
	for i := range modes {
		if mode := &modes[i]; mode.on&s.on != 0 {
			to.Double(last[i].next(mode.of(times)), mode.attr, cpu)
		}
	}
}

// cpuState is what must not be forgotten of CPUs from one scrape to the next.
// What is kept of one by its number stays while it is offline.
type cpuState struct {
	total  steadyTimes
	perCPU map[int]*steadyTimes

	guest       guestTimes
	guestPerCPU map[int]*guestTimes

	scrapes      uint64 // that had CPU times
	shares       shares
	sharesPerCPU map[int]*shares

	names map[int]*cpuName
}

func newCPUState() cpuState {
	return cpuState{
		perCPU:       map[int]*steadyTimes{},
		guestPerCPU:  map[int]*guestTimes{},
		sharesPerCPU: map[int]*shares{},
		names:        map[int]*cpuName{},
	}
}

// of is what is kept of a CPU, at first the zero value.
func of[T any](kept map[int]*T, cpu int) *T {
	v := kept[cpu]
	if v == nil {
		v = new(T)
		kept[cpu] = v
	}
	return v
}

const logicalNumber = "cpu.logical_number"

func cpuNumber(n int) emit.Attr { return emit.Int(logicalNumber, int64(n)) }

func recordPhysicalCPUs(_ *Scraper, to *emit.Points, t *tick) {
	if t.cores > 0 {
		to.Int(int64(t.cores))
	}
}

// guestTimes are steady counters of the time of guests.
type guestTimes struct{ user, nice steady }

var (
	guestUser = emit.Str("cpu.mode", "user")
	guestNice = emit.Str("cpu.mode", "nice")
)

func (g *guestTimes) record(to *emit.Points, times *platform.CPUTimes, cpu emit.Attr) {
	to.Double(g.user.next(times.Guest), guestUser, cpu)
	to.Double(g.nice.next(times.GuestNice), guestNice, cpu)
}

func (s *Scraper) recordGuestTime(to *emit.Points, t *tick) {
	if !to.Wants(logicalNumber) {
		if t.CPU.Total != (platform.CPUTimes{}) {
			s.cpu.guest.record(to, &t.CPU.Total, emit.Attr{})
		}
		return
	}
	for i := range t.CPU.PerCPU {
		cpu := &t.CPU.PerCPU[i]
		of(s.cpu.guestPerCPU, cpu.Number).record(to, &cpu.CPUTimes, cpuNumber(cpu.Number))
	}
}

// shares tells what the time between two scrapes was spent on.
type shares struct {
	times  steadyTimes
	last   [len(modes)]float64
	scrape uint64 // that last is of; 0 for none
}

// next answers the share of each mode since last, and false where it is not
// known or nothing passed.
func (s *shares) next(on platform.OS, times *platform.CPUTimes) (share [len(modes)]float64, ok bool) {
	total := 0.0
	for i := range modes {
		if mode := &modes[i]; mode.on&on != 0 {
			now := s.times[i].next(mode.of(times))
			share[i] = now - s.last[i]
			s.last[i] = now
			total += share[i]
		}
	}
	for i := range share {
		share[i] /= total
	}
	return share, total > 0
}

// recordUtilization records the shares of the host, or of each CPU that was
// online at the scrape before too.
func (s *Scraper) recordUtilization(to *emit.Points, t *tick) {
	if t.CPU.Total == (platform.CPUTimes{}) {
		return
	}
	s.cpu.scrapes++
	record := func(of *shares, times *platform.CPUTimes, cpu emit.Attr) {
		known := of.scrape > 0 && of.scrape == s.cpu.scrapes-1
		of.scrape = s.cpu.scrapes
		share, ok := of.next(s.on, times)
		if !known || !ok {
			return
		}
		for i := range modes {
			if mode := &modes[i]; mode.on&s.on != 0 {
				to.Double(share[i], mode.attr, cpu)
			}
		}
	}
	if !to.WantsEach(logicalNumber) {
		record(&s.cpu.shares, &t.CPU.Total, emit.Attr{})
		return
	}
	for i := range t.CPU.PerCPU {
		cpu := &t.CPU.PerCPU[i]
		record(of(s.cpu.sharesPerCPU, cpu.Number), &cpu.CPUTimes, cpuNumber(cpu.Number))
	}
}

func recordFrequency(_ *Scraper, to *emit.Points, t *tick) {
	for i := range t.frequencies {
		if f := &t.frequencies[i]; f.Got.Has(platform.FrequencyCurrent) {
			to.Int(int64(f.Current), cpuNumber(f.Number))
		}
	}
}

// cpuName is what a CPU is called as a piece of hardware.
type cpuName struct{ id, name emit.Attr }

var (
	minLimit = emit.Str("hw.limit_type", "min")
	maxLimit = emit.Str("hw.limit_type", "max")
)

func (s *Scraper) recordSpeedLimit(to *emit.Points, t *tick) {
	for i := range t.frequencies {
		f := &t.frequencies[i]
		name := of(s.cpu.names, f.Number)
		if *name == (cpuName{}) {
			n := strconv.Itoa(f.Number)
			*name = cpuName{emit.Str("hw.id", "cpu/"+n), emit.Str("hw.name", "cpu"+n)}
		}
		if f.Got.Has(platform.FrequencyMin) {
			to.Int(int64(f.Min), name.id, minLimit, name.name)
		}
		if f.Got.Has(platform.FrequencyMax) {
			to.Int(int64(f.Max), name.id, maxLimit, name.name)
		}
	}
}
