// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var pagingMetrics = []metric{
	{"system.memory.linux.oom_kills", need{reading: platform.ReadingPaging, on: platform.Linux}, recordOOMKills},
	{"system.paging.faults", need{reading: platform.ReadingPaging}, (*Scraper).recordFaults},
	{"system.paging.io", need{reading: platform.ReadingPaging}, recordPagingIO},
	{"system.paging.operations", need{reading: platform.ReadingPaging}, recordPagingOperations},
	{"system.paging.usage", swapSpace, recordSwapUsage},
	{"system.paging.utilization", swapSpace, recordSwapUtilization},
}

// swapSpace is in the reading of memory, unless the devices are wanted apart.
var swapSpace = need{reading: platform.ReadingMemory, each: platform.ReadingSwaps, by: swapDevice}

const swapDevice = "system.device"

var (
	majorFault = emit.Str("system.paging.fault.type", "major")
	minorFault = emit.Str("system.paging.fault.type", "minor")
	swappedIn  = emit.Str("system.paging.direction", "in")
	swappedOut = emit.Str("system.paging.direction", "out")
	swapUsed   = emit.Str("system.paging.state", "used")
	swapFree   = emit.Str("system.paging.state", "free")
)

func recordOOMKills(_ *Scraper, to *emit.Points, t *tick) {
	if t.paging.Got.Has(platform.PagingOOMKills) {
		to.Int(int64(t.paging.OOMKills))
	}
}

func (s *Scraper) recordFaults(to *emit.Points, t *tick) {
	if t.paging.Got.Has(platform.PagingFaults) {
		to.Int(int64(s.faults.next(t.paging.Faults, t.paging.MajorFaults)), minorFault)
		to.Int(int64(t.paging.MajorFaults), majorFault)
	}
}

// minorFaults is a counter of those faults that are no major ones. A major
// fault counts as such before it counts as one at all, and only as such if the
// process is killed meanwhile: what is left of all can fall a little.
type minorFaults struct{ all, minor uint64 }

func (m *minorFaults) next(all, major uint64) uint64 {
	minor := all - min(major, all)
	if all >= m.all {
		minor = max(minor, m.minor)
	}
	m.all, m.minor = all, minor
	return minor
}

func recordPagingIO(_ *Scraper, to *emit.Points, t *tick) {
	if t.paging.Got.Has(platform.PagingSwap) {
		to.Int(int64(t.paging.SwappedIn*t.paging.PageSize), swappedIn)
		to.Int(int64(t.paging.SwappedOut*t.paging.PageSize), swappedOut)
	}
}

// recordPagingOperations: a page is swapped in for a fault that is major, and
// whoever needs the room of one that is swapped out waits likewise.
func recordPagingOperations(_ *Scraper, to *emit.Points, t *tick) {
	if t.paging.Got.Has(platform.PagingSwap) {
		to.Int(int64(t.paging.SwappedIn), swappedIn, majorFault)
		to.Int(int64(t.paging.SwappedOut), swappedOut, majorFault)
	}
}

// eachSwap calls do with the swap space as a whole, or with each part of it
// where the user wants them apart.
func eachSwap(to *emit.Points, t *tick, do func(total, used uint64, device emit.Attr)) {
	if to.WantsEach(swapDevice) {
		for i := range t.swaps {
			do(t.swaps[i].Total, t.swaps[i].Used, emit.Str(swapDevice, t.swaps[i].Name))
		}
		return
	}
	if m := &t.memory; m.Got.Has(platform.MemorySwapTotal | platform.MemorySwapFree) {
		do(m.SwapTotal, m.SwapTotal-min(m.SwapFree, m.SwapTotal), emit.Attr{})
	}
}

func recordSwapUsage(_ *Scraper, to *emit.Points, t *tick) {
	eachSwap(to, t, func(total, used uint64, device emit.Attr) {
		to.Int(int64(used), swapUsed, device)
		to.Int(int64(total-used), swapFree, device)
	})
}

func recordSwapUtilization(_ *Scraper, to *emit.Points, t *tick) {
	eachSwap(to, t, func(total, used uint64, device emit.Attr) {
		if total > 0 {
			to.Double(float64(used)/float64(total), swapUsed, device)
			to.Double(float64(total-used)/float64(total), swapFree, device)
		}
	})
}
