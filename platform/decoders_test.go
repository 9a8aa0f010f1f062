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
