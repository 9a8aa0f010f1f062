// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMemory(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	var m Memory
	assert.ErrorIs(t, h.Memory(&m), fs.ErrNotExist)

	meminfo, err := os.ReadFile("internal/procfs/testdata/meminfo")
	require.NoError(t, err)
	tr.write("proc/meminfo", string(meminfo))
	require.NoError(t, h.Memory(&m))
	assert.Equal(t, Memory{
		Got:   MemoryPageSize<<1 - 1,
		Total: 24684084 << 10, Available: 24274096 << 10, Free: 24246284 << 10, Buffers: 17532 << 10, Cached: 137064 << 10,
		Active: 98916 << 10, Inactive: 54768 << 10, Shared: 8872 << 10, SlabReclaimable: 168408 << 10, SlabUnreclaimable: 30020 << 10,
		Dirty: 1724 << 10, Writeback: 16 << 10, Anonymous: 15428 << 10, Mapped: 10852 << 10, PageTables: 2336 << 10,
		CommitLimit: 12342040 << 10, Committed: 61900 << 10, SwapTotal: 1048572 << 10, SwapFree: 1040380 << 10,
		HugePageSize: 2 << 20, HugePagesTotal: 8, HugePagesFree: 6, HugePagesReserved: 2, HugePagesSurplus: 1,
		PageSize: 4096,
	}, m)

	// A container whose MemTotal is its own and whose MemAvailable the host's.
	tr.write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 5000 kB\n")
	require.NoError(t, h.Memory(&m))
	assert.Equal(t, Memory{
		Got: MemoryPageSize | MemoryTotal | MemoryAvailable | MemoryFree, PageSize: 4096,
		Total: 1000 << 10, Available: 100 << 10, Free: 100 << 10,
	}, m)

	// Linux before 3.14.
	tr.write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\n")
	require.NoError(t, h.Memory(&m))
	assert.Equal(t, Memory{Got: MemoryPageSize | MemoryTotal | MemoryFree, PageSize: 4096, Total: 1000 << 10, Free: 100 << 10}, m)
}

func TestPaging(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	var p Paging
	require.NoError(t, h.Paging(&p), "a kernel that does not count")
	assert.Equal(t, Paging{PageSize: 4096}, p)

	tr.write("proc/vmstat", "nr_free_pages 1\npswpin 3\npswpout 2051\npgfault 900\npgmajfault 20\noom_kill 2\n")
	require.NoError(t, h.Paging(&p))
	assert.Equal(t, Paging{
		Got: PagingSwap | PagingFaults | PagingOOMKills, PageSize: 4096,
		SwappedIn: 3, SwappedOut: 2051, Faults: 900, MajorFaults: 20, OOMKills: 2,
	}, p)

	tr.write("proc/vmstat", "pswpin 3\npgfault 900\npgmajfault 20\n") // no swap, Linux before 4.13
	require.NoError(t, h.Paging(&p))
	assert.Equal(t, PagingFaults, p.Got)

	tr.write("proc/vmstat", "pgfault many\n")
	err := h.Paging(&p)
	assert.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, tr.dir+"/proc/vmstat: malformed")
	assert.Zero(t, p.Got)
}

func TestSwaps(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	swaps, err := h.Swaps(nil)
	require.NoError(t, err, "a kernel that cannot swap")
	assert.Empty(t, swaps)

	recorded, err := os.ReadFile("internal/procfs/testdata/swaps")
	require.NoError(t, err)
	// A file made in place of one that is still in use, and one that shrinks.
	tr.write("proc/swaps", string(recorded)+"/tmp/swapfile\\040(deleted) file\t\t1024\t\t24\t\t-4\n/odd\xff file\t\t8\t\t12\t\t-5\n")
	want := []Swap{
		{"/tmp/swapfile", (16380 + 1024) << 10, 424 << 10},
		{"/tmp/s w\\a\tp\n", 32764 << 10, 0},
		{"/dev/loop0", 65532 << 10, 0},
		{"/odd\uFFFD", 8 << 10, 8 << 10},
	}
	for range 2 { // the second time in the same memory
		swaps, err = h.Swaps(swaps[:0])
		require.NoError(t, err)
		assert.Equal(t, want, swaps)
	}

	tr.write("proc/swaps", "no heading\n")
	swaps, err = h.Swaps(swaps[:0])
	assert.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, "proc/swaps")
	assert.Empty(t, swaps)
}
