// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var activityMetrics = []metric{
	{"system.cpu.context_switches", need{reading: platform.ReadingActivity},
		activity(platform.ActivityContextSwitches, func(a *platform.Activity) uint64 { return a.ContextSwitches })},
	{"system.cpu.interrupts", need{reading: platform.ReadingActivity}, (*Scraper).recordInterrupts},
	{"system.cpu.soft_interrupts", need{reading: platform.ReadingActivity}, (*Scraper).recordSoftInterrupts},
	{"system.process.created", need{reading: platform.ReadingActivity},
		activity(platform.ActivityCreated, func(a *platform.Activity) uint64 { return a.Created })},
	{"system.process.linux.runnable.count", need{reading: platform.ReadingActivity, on: platform.Linux},
		activity(platform.ActivityRunnable, func(a *platform.Activity) uint64 { return a.Runnable })},
	{"system.process.linux.blocked.count", need{reading: platform.ReadingActivity, on: platform.Linux},
		activity(platform.ActivityBlocked, func(a *platform.Activity) uint64 { return a.Blocked })},
}

func activity(field platform.ActivityFields, of func(*platform.Activity) uint64) func(*Scraper, *emit.Points, *tick) {
	return func(_ *Scraper, to *emit.Points, t *tick) {
		if t.Activity.Got.Has(field) {
			to.Int(int64(of(&t.Activity)))
		}
	}
}

func (s *Scraper) recordInterrupts(to *emit.Points, t *tick) {
	if t.Activity.Got.Has(platform.ActivityInterrupts) {
		to.Int(int64(s.hard.next(t.Activity.Interrupts)))
	}
}

func (s *Scraper) recordSoftInterrupts(to *emit.Points, t *tick) {
	if t.Activity.Got.Has(platform.ActivitySoftInterrupts) {
		to.Int(int64(s.soft.next(t.Activity.SoftInterrupts)))
	}
}

// wrapping is a counter that does not fall though parts of its source wrap at
// 32 bits: on Linux each kind of soft interrupt on each CPU (kernel/softirq.c),
// and on x86 those of timers and between CPUs likewise (arch_irq_stat_cpu of
// arch/x86/kernel/irq.c).
type wrapping struct{ last, offset uint64 }

func (w *wrapping) next(raw uint64) uint64 {
	const wrap = 1 << 32
	if now := raw + w.offset; now < w.last {
		w.offset += (w.last - now + wrap - 1) / wrap * wrap
	}
	w.last = raw + w.offset
	return w.last
}
