// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

func TestMemory(t *testing.T) {
	meminfo := string(recorded(t, "meminfo"))
	var got Meminfo
	require.NoError(t, Memory([]byte(meminfo), &got))
	want := Meminfo{Has: 1<<NumMeminfo - 1, Value: [NumMeminfo]uint64{
		MemTotal: 24684084 << 10, MemAvailable: 24274096 << 10, MemFree: 24246284 << 10, MemBuffers: 17532 << 10, MemCached: 137064 << 10,
		MemActive: 98916 << 10, MemInactive: 54768 << 10, MemShared: 8872 << 10, MemSlabReclaimable: 168408 << 10, MemSlabUnreclaimable: 30020 << 10,
		MemDirty: 1724 << 10, MemWriteback: 16 << 10, MemAnonymous: 15428 << 10, MemMapped: 10852 << 10, MemPageTables: 2336 << 10,
		MemCommitLimit: 12342040 << 10, MemCommitted: 61900 << 10, MemSwapTotal: 1048572 << 10, MemSwapFree: 1040380 << 10,
		MemHugePageSize: 2048 << 10, MemHugePagesTotal: 8, MemHugePagesFree: 6, MemHugePagesReserved: 2, MemHugePagesSurplus: 1,
	}}
	assert.Equal(t, want, got)

	// Linux before 3.14 does not know what is available.
	require.NoError(t, Memory([]byte(strings.Replace(meminfo, "MemAvailable", "Other", 1)), &got))
	assert.EqualValues(t, 1<<NumMeminfo-1-1<<MemAvailable, got.Has)
	assert.Zero(t, got.Value[MemAvailable])

	for _, in := range []string{"", "MemFree: 1 kB\n", "MemTotal: x kB\n", "MemTotal: 9007199254740992 kB\n"} {
		assert.ErrorIs(t, Memory([]byte(in), &got), parse.ErrSyntax, "%q", in)
	}
}

func FuzzMemory(f *testing.F) {
	f.Add(recorded(f, "meminfo"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Meminfo
		if Memory(b, &m) == nil {
			assert.NotZero(t, m.Has&(1<<MemTotal))
		}
		for line, v := range m.Value {
			assert.LessOrEqual(t, v, uint64(1<<63-1))
			assert.False(t, v > 0 && m.Has&(1<<line) == 0)
		}
	})
}
