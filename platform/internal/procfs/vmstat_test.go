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

func TestVM(t *testing.T) {
	vmstat := string(recorded(t, "vmstat"))
	want := VMStat{Has: allVMStat, SwapIn: 3, SwapOut: 2051, Faults: 24871896, MajorFaults: 4839, OOMKills: 2}
	var got VMStat
	require.NoError(t, VM([]byte(vmstat), &got))
	assert.Equal(t, want, got)

	// Linux before 4.13 does not count who was killed; some cannot swap.
	require.NoError(t, VM([]byte(strings.NewReplacer("oom_kill", "a", "pswpin", "b", "pswpout", "c").Replace(vmstat)), &got))
	assert.Equal(t, VMStat{Has: VMFaults | VMMajorFaults, Faults: 24871896, MajorFaults: 4839}, got)

	for _, in := range []string{"", "nr_free_pages 1\n", "pgfault\n", "pgfault x\n", "pgfault 1 2\n", "pgfault 9223372036854775808\n"} {
		assert.ErrorIs(t, VM([]byte(in), &got), parse.ErrSyntax, "%q", in)
	}
}

func FuzzVM(f *testing.F) {
	f.Add(recorded(f, "vmstat"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v VMStat
		if VM(b, &v) == nil {
			assert.NotZero(t, v.Has)
		}
	})
}

func TestSwaps(t *testing.T) {
	read := func(in string) (got []Swap, err error) {
		err = Swaps([]byte(in), func(s Swap) {
			got = append(got, Swap{[]byte(string(s.Name)), s.Total, s.Used})
		})
		return got, err
	}
	const head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
	for in, want := range map[string][]Swap{
		head: nil,
		string(recorded(t, "swaps")): {
			{[]byte("/tmp/swapfile"), 16380 << 10, 400 << 10},
			{[]byte("/tmp/s w\\a\tp\n"), 32764 << 10, 0},
			{[]byte("/dev/loop0"), 65532 << 10, 0},
		},
		// Before Linux 5.7 there is one tab where now there are two.
		"Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n/dev/sda2                               partition\t16777212\t1048576\t-2\n": {
			{[]byte("/dev/sda2"), 16777212 << 10, 1048576 << 10},
		},
		head + "/a-path-that-is-longer-than-the-forty-columns-of-it file\t\t4\t\t4\t\t-2\n": {
			{[]byte("/a-path-that-is-longer-than-the-forty-columns-of-it"), 4096, 4096},
		},
		head + "/swap\\040(deleted)                          file\t\t4\t\t4\t\t-2\n": {{[]byte("/swap"), 4096, 4096}},
		head + "/odd\\0401\\04 file\t\t4\t\t4\t\t-2\n":                               {{[]byte("/odd 1\\04"), 4096, 4096}},
	} {
		got, err := read(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{
		"", "Filename", "nothing\n", head + "/a", head + "\n", head + " file\t4\t4\t1\n", head + "/a\n", head + "/a file\n",
		head + "/a file\tx\t4\t-2\n", head + "/a file\t4\t-4\t-2\n", head + "/a file\t9007199254740992\t4\t-2\n",
	} {
		_, err := read(in)
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}
}

func FuzzSwaps(f *testing.F) {
	f.Add(recorded(f, "swaps"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = Swaps(b, func(s Swap) { assert.LessOrEqual(t, s.Used, uint64(1<<63)) })
	})
}

func TestProcessors(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want []Processor
	}{
		"x86": {string(recorded(t, "cpuinfo")), []Processor{
			{ProcessorPackage | ProcessorCore | ProcessorFrequency, 0, 0, 0, 2_600_000_000},
			{ProcessorPackage | ProcessorCore | ProcessorFrequency, 1, 0, 1, 2_599_998_123},
		}},
		"arm64": {"processor\t: 0\nBogoMIPS\t: 50.00\nCPU part\t: 0xd0c\n\nprocessor\t: 1\nBogoMIPS\t: 50.00\n", []Processor{{Number: 0}, {Number: 1}}},
		"s390": {
			"vendor_id       : IBM/S390\nprocessor 0: version = FF,  identification = 000001,  machine = 3906\n\ncpu number      : 0\nphysical id     : 1\ncore id         : 2\ncpu MHz dynamic : 5208\ncpu MHz static  : 5000\n",
			[]Processor{{ProcessorPackage | ProcessorCore | ProcessorFrequency, 0, 1, 2, 5_208_000_000}},
		},
		"powerpc":   {"processor\t: 8\ncpu\t\t: POWER9\nclock\t\t: 3425.000000MHz\n", []Processor{{ProcessorFrequency, 8, 0, 0, 3_425_000_000}}},
		"loongarch": {"processor\t\t: 1\nCPU MHz\t\t\t: 2500.05\n", []Processor{{ProcessorFrequency, 1, 0, 0, 2_500_050_000}}},
		"unknown":   {"processor : 1\ncpu MHz : Unknown\nphysical id : -1\ncore id : x\n", []Processor{{Number: 1}}},
		"zero":      {"processor : 1\ncpu MHz : 0.000\n", []Processor{{Number: 1}}},
		"too much":  {"processor : 1\ncpu MHz : 9999999.0\n", []Processor{{Number: 1}}},
		"no number": {"processor : ARMv7\ncpu MHz : 1.0\nprocessor : 1048577\n", nil},
		"empty":     {"", nil},
	} {
		var got []Processor
		Processors([]byte(tt.in), func(p Processor) { got = append(got, p) })
		assert.Equal(t, tt.want, got, name)
	}
}

func FuzzProcessors(f *testing.F) {
	f.Add(recorded(f, "cpuinfo"))
	f.Fuzz(func(t *testing.T, b []byte) {
		Processors(b, func(p Processor) {
			assert.Equal(t, p.Frequency > 0, p.Has&ProcessorFrequency != 0)
			assert.LessOrEqual(t, p.Frequency, uint64(1<<20+1)*1e6)
		})
	})
}

// What is read in every scrape is read without allocating.
func TestSystemNoAllocation(t *testing.T) {
	mem, vm, info := recorded(t, "meminfo"), recorded(t, "vmstat"), recorded(t, "cpuinfo")
	swaps, load := recorded(t, "swaps"), []byte("0.29 0.19 0.22 1/87 4401\n")
	stall := []byte("some avg10=0.26 avg60=0.23 avg300=0.13 total=5642240\n")
	var m Meminfo
	var v VMStat
	var l LoadAverage
	var s Stall
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_ = Memory(mem, &m)
		_ = VM(vm, &v)
		_ = Load(load, &l)
		_ = Pressure(stall, &s)
		_, _, _ = FileNr([]byte("449\t0\t2466170\n"))
		_ = Swaps(swaps, func(Swap) {})
		Processors(info, func(Processor) {})
	}))
}
