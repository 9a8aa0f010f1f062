// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

const allMappingLines = 1<<9 - 1

// The mappings of smaps: code and data of a library, memory, a shared mapping
// of a deleted file called "map \012 \nx", the stack, and the one page that is
// above what an int64 holds.
func wantMappings() []Mapping {
	return []Mapping{
		{
			Start: 0x7fed1ac3b000, End: 0x7fed1ad91000, Offset: 0x26000, Permissions: [4]byte([]byte("r-xp")),
			Major: 0xfe, Inode: 326269, Name: []byte("/usr/lib/x86_64-linux-gnu/libc.so.6"), Has: allMappingLines,
			Resident: 1044 << 10, PSS: 13 << 10, SharedClean: 1044 << 10, Referenced: 1044 << 10,
		}, {
			Start: 0x7fed1ade8000, End: 0x7fed1adea000, Offset: 0x1d3000, Permissions: [4]byte([]byte("rw-p")),
			Major: 0xfe, Inode: 326269, Name: []byte("/usr/lib/x86_64-linux-gnu/libc.so.6"), Has: allMappingLines,
			Resident: 8 << 10, PSS: 8 << 10, PrivateDirty: 8 << 10, Referenced: 8 << 10, Anonymous: 8 << 10,
		}, {
			Start: 0x7fed1adea000, End: 0x7fed1adf7000, Permissions: [4]byte([]byte("rw-p")),
			Name: []byte("[anon]"), Has: allMappingLines,
			Resident: 20 << 10, PSS: 20 << 10, PrivateDirty: 20 << 10, Referenced: 20 << 10, Anonymous: 20 << 10,
		}, {
			Start: 0x7fed1adf7000, End: 0x7fed1adf9000, Permissions: [4]byte([]byte("rw-s")),
			Major: 0xfe, Inode: 10168679, Name: []byte("/tmp/map \n \nx (deleted)"), Has: allMappingLines,
			Resident: 4 << 10, PSS: 4 << 10, PrivateDirty: 4 << 10, Referenced: 4 << 10,
		}, {
			Start: 0x7fff4941d000, End: 0x7fff4943e000, Permissions: [4]byte([]byte("rw-p")),
			Name: []byte("[stack]"), Has: allMappingLines,
			Resident: 60 << 10, PSS: 60 << 10, PrivateDirty: 60 << 10, Referenced: 60 << 10, Anonymous: 60 << 10,
		}, {
			Start: 0xffffffffff600000, End: 0xffffffffff601000, Permissions: [4]byte([]byte("--xp")),
			Name: []byte("[vsyscall]"), Has: allMappingLines,
		},
	}
}

// mappings collects what a file has, read in chunks of n bytes.
func mappings(b []byte, n int) (all []Mapping, err error) {
	m := Mappings{Each: func(m *Mapping) {
		one := *m
		one.Name = slices.Clone(m.Name)
		all = append(all, one)
	}}
	if err := chunks(b, n, m.Feed); err != nil {
		return all, err
	}
	return all, m.End()
}

func TestMappings(t *testing.T) {
	smaps := recorded(t, "smaps")
	for _, n := range []int{1, 2, 3, 5, 7, 64, 100, 1000, len(smaps) - 1, len(smaps)} {
		got, err := mappings(smaps, n)
		require.NoError(t, err, n)
		assert.Equal(t, wantMappings(), got, n)
	}

	got, err := mappings(recorded(t, "maps"), 64)
	require.NoError(t, err)
	want := wantMappings()
	for i := range want {
		want[i] = Mapping{
			Start: want[i].Start, End: want[i].End, Offset: want[i].Offset, Permissions: want[i].Permissions,
			Major: want[i].Major, Minor: want[i].Minor, Inode: want[i].Inode, Name: want[i].Name,
		}
	}
	assert.Equal(t, want, got)

	got, err = mappings(recorded(t, "smaps_rollup"), 64)
	require.NoError(t, err)
	assert.Equal(t, []Mapping{{
		Start: 0x5577967ef000, End: 0x7fff4943e000, Permissions: [4]byte([]byte("---p")), Name: []byte("[rollup]"), Has: allMappingLines,
		Resident: 14900 << 10, PSS: 13190 << 10, SharedClean: 1740 << 10, PrivateClean: 5304 << 10, PrivateDirty: 7856 << 10,
		Referenced: 14900 << 10, Anonymous: 7852 << 10,
	}}, got)
	assert.Equal(t, got[0].Resident, got[0].SharedClean+got[0].SharedDirty+got[0].PrivateClean+got[0].PrivateDirty)

	got, err = mappings(nil, 1)
	require.NoError(t, err, "a process without memory has an empty file")
	assert.Empty(t, got)
}

func TestMappingsOfOtherKernels(t *testing.T) {
	// Linux 2.6.24 on a machine of 32 bits: no Pss, no Swap; a device with
	// large numbers; names that begin and end in blanks cannot be.
	got, err := mappings([]byte("08048000-0804c000 r-xp 00001000 103:fffff 18446744073709551615 /a b  c \\134\\040 (deleted)  \n"+
		"Size:                 16 kB\nRss:                  12 kB\nShared_Clean:          0 kB\nShared_Dirty:          4 kB\nPrivate_Clean:        8 kB\nPrivate_Dirty:         0 kB\nSwap:                  4 kB\nNew_In_7:  whatever\n"+
		"b7f0d000-b7f0e000 rw-p b7f0d000 00:00 0\n"), 10)
	require.NoError(t, err)
	assert.Equal(t, []Mapping{{
		Start: 0x8048000, End: 0x804c000, Offset: 0x1000, Permissions: [4]byte([]byte("r-xp")), Major: 0x103, Minor: 0xfffff, Inode: math.MaxUint64,
		Name:     []byte(`/a b  c \134\040 (deleted)  `),
		Has:      MappingResident | MappingSharedClean | MappingSharedDirty | MappingPrivateClean | MappingPrivateDirty | MappingSwap,
		Resident: 12 << 10, SharedDirty: 4 << 10, PrivateClean: 8 << 10, Swap: 4 << 10,
	}, {
		Start: 0xb7f0d000, End: 0xb7f0e000, Offset: 0xb7f0d000, Permissions: [4]byte([]byte("rw-p")), Name: []byte("[anon]"),
	}}, got)

	// The name in a line longer than any path is cut, no more.
	got, err = mappings([]byte("1000-2000 r--p 0 0:0 0 /"+strings.Repeat("x", 100_000)+"\nRss: 4 kB\n2000-3000 r--p 0 0:0 0\n"), 4096)
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.Len(t, got[0].Name, maxMappingLine-len("1000-2000 r--p 0 0:0 0 "))
	assert.EqualValues(t, 4096, got[0].Resident)
}

func TestMappingsMalformed(t *testing.T) {
	const good = "1000-2000 r--p 00000000 00:00 0 \n"
	_, err := mappings([]byte(good), 8)
	require.NoError(t, err)
	for _, in := range []string{
		"\n", "x\n", "Rss: 4 kB\n", good + "\n", good + "Rss: 4\n", good + "Rss: x kB\n", good + "Rss: -4 kB\n", good + "Pss: 9007199254740992 kB\n", good + "Rss\n",
		"1000 2000 r--p 00000000 00:00 0 \n", "1000-2000 r--x 00000000 00:00 0 \n", "1000-2000 rr-p 00000000 00:00 0 \n",
		"1000-2000 r--p00000000 00:00 0 \n", "1000-2000 r--p 00000000 0000 0 \n", "1000-2000 r--p 00000000 00:00 x \n",
		"1000-2000 r--p 00000000 00:00 \n", "1000-2000 r--p \n", "1000-2000 \n", "1000-\n", "2000-1000 r--p 00000000 00:00 0 \n",
		"10000000000000000-2000 r--p 00000000 00:00 0 \n", "1000-2000 r--p 00000000 100000000:00 0 \n", "1000-2000 r--p 00000000 00:00 18446744073709551616 \n",
		"1000-2000 r--p 00000000 00:00 0/x\n",
	} {
		_, err := mappings([]byte(in), 8)
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}

	n := 0
	m := Mappings{Each: func(*Mapping) { n++ }}
	assert.ErrorIs(t, m.Feed([]byte("x\n"+good)), parse.ErrSyntax)
	assert.ErrorIs(t, m.Feed([]byte(good)), parse.ErrSyntax, "and so it stays")
	assert.ErrorIs(t, m.End(), parse.ErrSyntax)
	assert.Zero(t, n)
	m.Reset()
	assert.NoError(t, m.Feed([]byte(good)))
	assert.NoError(t, m.End())
	assert.Equal(t, 1, n)
}

// Cut within a line, a file is not taken for a whole one; cut between lines,
// what was given out is right.
func TestMappingsCut(t *testing.T) {
	in := recorded(t, "smaps")
	want := wantMappings()
	for n := range in {
		got, err := mappings(in[:n], 64)
		if n > 0 && in[n-1] != '\n' {
			assert.ErrorIs(t, err, parse.ErrSyntax)
		} else {
			require.NoError(t, err)
			if len(got) > 0 {
				got = got[:len(got)-1] // may lack lines, and says so in Has
			}
		}
		assert.Equal(t, want[:len(got)], append([]Mapping{}, got...))
	}
}

func TestMappingsNoAllocation(t *testing.T) {
	in := recorded(t, "smaps")
	sum := uint64(0)
	m := Mappings{Each: func(m *Mapping) { sum += m.PSS + uint64(len(m.Name)) }}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		m.Reset()
		for b := in; len(b) > 0; {
			n := min(1000, len(b))
			_ = m.Feed(b[:n])
			b = b[n:]
		}
		_ = m.End()
	}))
	assert.NotZero(t, sum)
}

func FuzzMappings(f *testing.F) {
	f.Add(recorded(f, "smaps")[:1000], 100)
	f.Add(recorded(f, "maps"), 10)
	f.Add(recorded(f, "smaps_rollup"), 100)
	f.Add([]byte("1000-2000 r--p 00000000 00:00 0 \nRss: 4 kB\n"), 3)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		whole, err := mappings(b, len(b)+1)
		if err == nil {
			lines := bytes.Count(b, []byte{'\n'})
			assert.LessOrEqual(t, len(whole), lines)
		}
		for _, m := range whole {
			assert.LessOrEqual(t, m.Start, m.End)
			assert.NotEmpty(t, m.Name)
			assert.LessOrEqual(t, max(m.Resident, m.PSS, m.SharedClean, m.SharedDirty, m.PrivateClean, m.PrivateDirty, m.Referenced, m.Anonymous, m.Swap), uint64(math.MaxInt64))
		}
		parts, partsErr := mappings(b, 1+n&0xff)
		assert.Equal(t, whole, parts, "chunks make no difference")
		assert.Equal(t, err, partsErr)
	})
}

func BenchmarkMappings(b *testing.B) {
	in := recorded(b, "smaps")
	m := Mappings{Each: func(*Mapping) {}}
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		m.Reset()
		_ = m.Feed(in)
		_ = m.End()
	}
}
