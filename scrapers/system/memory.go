// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var memoryMetrics = []metric{
	{"system.memory.limit", ofMemory, memory(platform.MemoryTotal, func(m *platform.Memory) uint64 { return m.Total })},
	{"system.memory.usage", ofMemory, recordMemoryUsage},
	{"system.memory.utilization", ofMemory, recordMemoryUtilization},
	{"system.memory.page_size", ofMemory, memory(platform.MemoryPageSize, func(m *platform.Memory) uint64 { return m.PageSize })},
	{"system.memory.unix.page_queue.usage", ofMemory, recordPageQueues},

	{"system.memory.linux.available", ofLinuxMemory, memory(platform.MemoryAvailable, func(m *platform.Memory) uint64 { return m.Available })},
	{"system.memory.linux.shared", ofLinuxMemory, memory(platform.MemoryShared, func(m *platform.Memory) uint64 { return m.Shared })},
	{"system.memory.linux.dirty", ofLinuxMemory, memory(platform.MemoryDirty, func(m *platform.Memory) uint64 { return m.Dirty })},
	{"system.memory.linux.writeback", ofLinuxMemory, memory(platform.MemoryWriteback, func(m *platform.Memory) uint64 { return m.Writeback })},
	{"system.memory.linux.anonymous", ofLinuxMemory, memory(platform.MemoryAnonymous, func(m *platform.Memory) uint64 { return m.Anonymous })},
	{"system.memory.linux.mapped", ofLinuxMemory, memory(platform.MemoryMapped, func(m *platform.Memory) uint64 { return m.Mapped })},
	{"system.memory.linux.page_tables", ofLinuxMemory, memory(platform.MemoryPageTables, func(m *platform.Memory) uint64 { return m.PageTables })},
	{"system.memory.linux.committed", ofLinuxMemory, memory(platform.MemoryCommitted, func(m *platform.Memory) uint64 { return m.Committed })},
	{"system.memory.linux.commit_limit", ofLinuxMemory, memory(platform.MemoryCommitLimit, func(m *platform.Memory) uint64 { return m.CommitLimit })},
	{"system.memory.linux.hugepages.limit", ofLinuxMemory, memory(platform.MemoryHugePagesTotal, func(m *platform.Memory) uint64 { return m.HugePagesTotal })},
	{"system.memory.linux.hugepages.page_size", ofLinuxMemory, memory(platform.MemoryHugePageSize, func(m *platform.Memory) uint64 { return m.HugePageSize })},
	{"system.memory.linux.hugepages.reserved", ofLinuxMemory, memory(platform.MemoryHugePagesReserved, func(m *platform.Memory) uint64 { return m.HugePagesReserved })},
	{"system.memory.linux.hugepages.surplus", ofLinuxMemory, memory(platform.MemoryHugePagesSurplus, func(m *platform.Memory) uint64 { return m.HugePagesSurplus })},
	{"system.memory.linux.hugepages.usage", ofLinuxMemory, recordHugePages},
	{"system.memory.linux.hugepages.utilization", ofLinuxMemory, recordHugePagesUtilization},
	{"system.memory.linux.slab.usage", ofLinuxMemory, recordSlab},
}

var (
	ofMemory      = need{reading: platform.ReadingMemory}
	ofLinuxMemory = need{reading: platform.ReadingMemory, on: platform.Linux}
)

// memory records one field.
func memory(field platform.MemoryFields, of func(*platform.Memory) uint64) func(*Scraper, *emit.Points, *tick) {
	return func(_ *Scraper, to *emit.Points, t *tick) {
		if t.memory.Got.Has(field) {
			to.Int(int64(of(&t.memory)))
		}
	}
}

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

var (
	activeQueue       = emit.Str("system.memory.unix.page_queue.name", "active")
	inactiveQueue     = emit.Str("system.memory.unix.page_queue.name", "inactive")
	reclaimableSlab   = emit.Str("system.memory.linux.slab.state", "reclaimable")
	unreclaimableSlab = emit.Str("system.memory.linux.slab.state", "unreclaimable")
	hugePagesUsed     = emit.Str("system.memory.linux.hugepages.state", "used")
	hugePagesFree     = emit.Str("system.memory.linux.hugepages.state", "free")
)

func recordPageQueues(_ *Scraper, to *emit.Points, t *tick) {
	if t.memory.Got.Has(platform.MemoryActive) {
		to.Int(int64(t.memory.Active), activeQueue)
	}
	if t.memory.Got.Has(platform.MemoryInactive) {
		to.Int(int64(t.memory.Inactive), inactiveQueue)
	}
}

func recordSlab(_ *Scraper, to *emit.Points, t *tick) {
	if t.memory.Got.Has(platform.MemorySlabReclaimable) {
		to.Int(int64(t.memory.SlabReclaimable), reclaimableSlab)
	}
	if t.memory.Got.Has(platform.MemorySlabUnreclaimable) {
		to.Int(int64(t.memory.SlabUnreclaimable), unreclaimableSlab)
	}
}

func hugePages(m *platform.Memory) (used, free uint64, ok bool) {
	if !m.Got.Has(platform.MemoryHugePagesTotal | platform.MemoryHugePagesFree) {
		return 0, 0, false
	}
	free = min(m.HugePagesFree, m.HugePagesTotal)
	return m.HugePagesTotal - free, free, true
}

func recordHugePages(_ *Scraper, to *emit.Points, t *tick) {
	if used, free, ok := hugePages(&t.memory); ok {
		to.Int(int64(used), hugePagesUsed)
		to.Int(int64(free), hugePagesFree)
	}
}

func recordHugePagesUtilization(_ *Scraper, to *emit.Points, t *tick) {
	if used, free, ok := hugePages(&t.memory); ok && used+free > 0 {
		total := float64(used + free)
		to.Double(float64(used)/total, hugePagesUsed)
		to.Double(float64(free)/total, hugePagesFree)
	}
}
