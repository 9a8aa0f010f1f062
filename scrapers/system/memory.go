// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// memoryStates are the values of system.memory.state. Used is what cannot be
// had: the kernel reclaims buffers and most of the cache when it must, so the
// states overlap.
var memoryStates = [...]struct {
	attr emit.Attr
	need platform.MemoryFields
	of   func(*platform.Memory) uint64
}{
	{emit.Str("system.memory.state", "used"), platform.MemoryTotal | platform.MemoryAvailable,
		func(m *platform.Memory) uint64 { return m.Total - min(m.Available, m.Total) }},
	{emit.Str("system.memory.state", "free"), platform.MemoryFree, func(m *platform.Memory) uint64 { return m.Free }},
	{emit.Str("system.memory.state", "buffers"), platform.MemoryBuffers, func(m *platform.Memory) uint64 { return m.Buffers }},
	{emit.Str("system.memory.state", "cached"), platform.MemoryCached, func(m *platform.Memory) uint64 { return m.Cached }},
}

func recordMemoryLimit(_ *Scraper, to *emit.Points, t *tick) {
	if t.memory.Got.Has(platform.MemoryTotal) {
		to.Int(int64(t.memory.Total))
	}
}

func recordMemoryAvailable(_ *Scraper, to *emit.Points, t *tick) {
	if t.memory.Got.Has(platform.MemoryAvailable) {
		to.Int(int64(t.memory.Available))
	}
}

func recordMemoryUsage(_ *Scraper, to *emit.Points, t *tick) {
	for i := range memoryStates {
		if state := &memoryStates[i]; t.memory.Got.Has(state.need) {
			to.Int(int64(state.of(&t.memory)), state.attr)
		}
	}
}

func recordMemoryUtilization(_ *Scraper, to *emit.Points, t *tick) {
	if !t.memory.Got.Has(platform.MemoryTotal) || t.memory.Total == 0 {
		return
	}
	for i := range memoryStates {
		if state := &memoryStates[i]; t.memory.Got.Has(state.need) {
			to.Double(float64(state.of(&t.memory))/float64(t.memory.Total), state.attr)
		}
	}
}
