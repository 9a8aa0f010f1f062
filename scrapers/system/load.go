// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"time"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var loadMetrics = []metric{
	{"system.cpu.load_average.1m", need{reading: platform.ReadingLoad}, loadAverage(0)},
	{"system.cpu.load_average.5m", need{reading: platform.ReadingLoad}, loadAverage(1)},
	{"system.cpu.load_average.15m", need{reading: platform.ReadingLoad}, loadAverage(2)},
	{"system.thread.count", need{reading: platform.ReadingLoad}, recordThreads},

	{"system.cpu.linux.pressure.time", pressure(platform.PressureCPU), stall(func(p *platform.Pressure) *platform.Stall { return &p.CPU })},
	{"system.memory.linux.pressure.time", pressure(platform.PressureMemory), stall(func(p *platform.Pressure) *platform.Stall { return &p.Memory })},
	{"system.disk.linux.pressure.time", pressure(platform.PressureIO), stall(func(p *platform.Pressure) *platform.Stall { return &p.IO })},

	{"system.process.limit", limits(platform.LimitsTasks),
		limit(platform.LimitsTasks, func(l *platform.SystemLimits) uint64 { return l.Tasks })},
	{"system.file_descriptor.count", limits(platform.LimitsOpenFiles),
		limit(platform.LimitsOpenFiles, func(l *platform.SystemLimits) uint64 { return l.OpenFiles })},
	{"system.file_descriptor.limit", limits(platform.LimitsFiles),
		limit(platform.LimitsFiles, func(l *platform.SystemLimits) uint64 { return l.Files })},
}

func loadAverage(i int) func(*Scraper, *emit.Points, *tick) {
	return func(_ *Scraper, to *emit.Points, t *tick) {
		if t.load.Got.Has(platform.LoadAverages) {
			to.Double(t.load.Averages[i])
		}
	}
}

func recordThreads(_ *Scraper, to *emit.Points, t *tick) {
	if t.load.Got.Has(platform.LoadThreads) {
		to.Int(int64(t.load.Threads))
	}
}

func pressure(of platform.PressureFields) need {
	return need{reading: platform.ReadingPressure, on: platform.Linux, parts: uint8(of)}
}

var someWaited, allWaited = emit.Str("system.linux.pressure.scope", "some"), emit.Str("system.linux.pressure.scope", "full")

func stall(of func(*platform.Pressure) *platform.Stall) func(*Scraper, *emit.Points, *tick) {
	return func(_ *Scraper, to *emit.Points, t *tick) {
		s := of(&t.pressure)
		for _, p := range [...]struct {
			field platform.StallFields
			value time.Duration
			attr  emit.Attr
		}{{platform.StallSome, s.Some, someWaited}, {platform.StallFull, s.Full, allWaited}} {
			if s.Got.Has(p.field) {
				to.Double(p.value.Seconds(), p.attr)
			}
		}
	}
}

func limits(of platform.LimitFields) need {
	return need{reading: platform.ReadingLimits, parts: uint8(of)}
}

func limit(field platform.LimitFields, of func(*platform.SystemLimits) uint64) func(*Scraper, *emit.Points, *tick) {
	return func(_ *Scraper, to *emit.Points, t *tick) {
		if t.limits.Got.Has(field) {
			to.Int(int64(of(&t.limits)))
		}
	}
}
