// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// The decoders cannot import this package: limits are taken over by position.
func TestLimitOrder(t *testing.T) {
	kinds := map[LimitKind]int{
		LimitCPU: procfs.LimitCPU, LimitFileSize: procfs.LimitFileSize, LimitData: procfs.LimitData, LimitStack: procfs.LimitStack,
		LimitCore: procfs.LimitCore, LimitResidentSet: procfs.LimitResidentSet, LimitProcesses: procfs.LimitProcesses,
		LimitOpenFiles: procfs.LimitOpenFiles, LimitLockedMemory: procfs.LimitLockedMemory, LimitAddressSpace: procfs.LimitAddressSpace,
		LimitFileLocks: procfs.LimitFileLocks, LimitPendingSignals: procfs.LimitPendingSignals, LimitMessageQueue: procfs.LimitMessageQueue,
		LimitNice: procfs.LimitNice, LimitRealtimePriority: procfs.LimitRealtimePriority, LimitRealtimeTimeout: procfs.LimitRealtimeTimeout,
	}
	assert.Len(t, kinds, NumLimits)
	for kind, decoded := range kinds {
		assert.EqualValues(t, kind, decoded)
	}
	assert.Equal(t, procfs.NumLimits, NumLimits)
	assert.EqualValues(t, uint64(procfs.Unlimited), uint64(Unlimited))
}

// So are the fields of the memory.
func TestMemoryOrder(t *testing.T) {
	lines := map[MemoryFields]int{
		MemoryTotal:             procfs.MemTotal,
		MemoryAvailable:         procfs.MemAvailable,
		MemoryFree:              procfs.MemFree,
		MemoryBuffers:           procfs.MemBuffers,
		MemoryCached:            procfs.MemCached,
		MemoryActive:            procfs.MemActive,
		MemoryInactive:          procfs.MemInactive,
		MemoryShared:            procfs.MemShared,
		MemorySlabReclaimable:   procfs.MemSlabReclaimable,
		MemorySlabUnreclaimable: procfs.MemSlabUnreclaimable,
		MemoryDirty:             procfs.MemDirty,
		MemoryWriteback:         procfs.MemWriteback,
		MemoryAnonymous:         procfs.MemAnonymous,
		MemoryMapped:            procfs.MemMapped,
		MemoryPageTables:        procfs.MemPageTables,
		MemoryCommitLimit:       procfs.MemCommitLimit,
		MemoryCommitted:         procfs.MemCommitted,
		MemorySwapTotal:         procfs.MemSwapTotal,
		MemorySwapFree:          procfs.MemSwapFree,
		MemoryHugePageSize:      procfs.MemHugePageSize,
		MemoryHugePagesTotal:    procfs.MemHugePagesTotal,
		MemoryHugePagesFree:     procfs.MemHugePagesFree,
		MemoryHugePagesReserved: procfs.MemHugePagesReserved,
		MemoryHugePagesSurplus:  procfs.MemHugePagesSurplus,
	}
	assert.Len(t, lines, procfs.NumMeminfo)
	for field, line := range lines {
		assert.Equal(t, field, MemoryFields(1)<<line)
	}
	assert.Equal(t, MemoryPageSize, MemoryFields(1)<<procfs.NumMeminfo)
}
