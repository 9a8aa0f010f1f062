// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// A process with everything set to something else, which named itself
// "a\nUid:\t9\\" as if that were a line.
func wantStatus() PIDStatus {
	return PIDStatus{
		Has:  1<<28 - 1,
		TGID: 17200, Umask: 0o027,
		UIDs: [4]uint32{1000, 1001, 1002, 1001}, GIDs: [4]uint32{10, 11, 12, 11},
		Groups: []uint32{4, 27, 1000, 4294967294}, VPID: 17200, CPUsAllowed: []int32{1},
		Size: 19252 << 10, Resident: 14808 << 10, Text: 4 << 10, Data: 10352 << 10, Stack: 132 << 10,
		PeakVirtual: 19252 << 10, Peak: 14808 << 10, Library: 4800 << 10,
		RSSAnon: 7760 << 10, RSSFile: 7048 << 10,
		Pending: 1, ProcessPending: 1 << 14, // SIGHUP by tkill, SIGTERM by kill
		Blocked: 1<<63 | 1<<33 | 1<<14 | 1, // 64, 34, SIGTERM, SIGHUP
		Ignored: 1<<24 | 1<<12 | 1<<11, Caught: 1<<9 | 1<<1,
		Voluntary: 40, Involuntary: 945,
	}
}

func TestStatus(t *testing.T) {
	var got PIDStatus
	require.NoError(t, Status(recorded(t, "status"), &got))
	assert.Equal(t, wantStatus(), got)

	in := "Umask:\t0000\nTgid:\t7\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t \nNSpid:\t7000\t70\t7\n" +
		"HugetlbPages:\t    2048 kB\nVmSwap:\t      12 kB\nRssShmem:\t       4 kB\nSigQ:\t3/96364\nCpus_allowed_list:\t0-2,5,8-9\n"
	require.NoError(t, Status([]byte(in), &got))
	assert.Equal(t, PIDStatus{
		Has:  StatusUmask | StatusTGID | StatusUIDs | StatusGIDs | StatusGroups | StatusVPID | StatusHugeTLB | StatusSwap | StatusRSSShmem | StatusSignalQueue | StatusCPUsAllowed,
		TGID: 7, VPID: 7, Groups: []uint32{}, HugeTLB: 2 << 20, Swap: 12 << 10, RSSShmem: 4 << 10, SignalsQueued: 3,
		CPUsAllowed: []int32{0, 1, 2, 5, 8, 9},
	}, got, "in a container, of what is read again nothing is left")

	// Linux 2.6.32 printed IDs as int.
	require.NoError(t, Status([]byte("Uid:\t-2\t-1\t0\t0\nGroups:\t-2 5 \nSigPnd:\t0000000000000000\n"), &got))
	assert.Equal(t, StatusUIDs|StatusGroups|StatusPending, got.Has)
	assert.Equal(t, [4]uint32{4294967294, 4294967295, 0, 0}, got.UIDs)
	assert.Equal(t, []uint32{4294967294, 5}, got.Groups)

	require.NoError(t, Status([]byte("Uid:\t1\t1\t1\t1\nCpus_allowed_list:\t\nSigQ:\t0/18446744073709551615\nno colon\n"), &got))
	assert.Equal(t, StatusUIDs|StatusCPUsAllowed|StatusSignalQueue, got.Has)
	assert.Empty(t, got.CPUsAllowed)
}

func TestStatusMalformed(t *testing.T) {
	for _, in := range []string{
		"", "Name:\tx\n", "Uid:\t1\t2\t3\t4",
		"Uid:\t1\t2\t3\n", "Uid:\t1\t2\t3\t4294967296\n", "Uid:\t1\t2\t3\t-2147483649\n", "Uid:\t1\t2\t3\tx\n", "Uid:\t1\t2\t3\t4\t5\n", "Gid:\t\n",
		"Groups:\t1 x\n", "Groups:\t4294967296 \n",
		"Umask:\t0028\n", "Umask:\t\n", "Umask:\t10000\n", "Umask:\t22 2\n",
		"Tgid:\t-1\n", "Tgid:\t2147483648\n", "NSpid:\t1\t\n", "NSpid:\t\n", "NSpid:\t2147483648\n",
		"VmHWM:\t 1 MB\n", "VmHWM:\t 1\n", "VmHWM:\t -1 kB\n", "VmHWM:\t 9007199254740992 kB\n",
		"SigQ:\t1\n", "SigQ:\t9223372036854775808/1\n", "SigQ:\t/1\n",
		"SigPnd:\tg\n", "SigPnd:\t\n", "SigPnd:\t10000000000000000\n", "SigCgt:\t0 0\n",
		"Cpus_allowed_list:\t1-\n", "Cpus_allowed_list:\t1,\n", "Cpus_allowed_list:\t,1\n", "Cpus_allowed_list:\t3-1\n",
		"Cpus_allowed_list:\t1,1\n", "Cpus_allowed_list:\t1 2\n", "Cpus_allowed_list:\t0-65536\n", "Cpus_allowed_list:\t0-18446744073709551615\n",
		"voluntary_ctxt_switches:\t-1\n", "voluntary_ctxt_switches:\t9223372036854775808\n", "nonvoluntary_ctxt_switches:\tx\n",
	} {
		var s PIDStatus
		assert.ErrorIs(t, Status([]byte(in), &s), parse.ErrSyntax, "%q", in)
	}
}

// sameWhereHas holds got, from a part of a file, to what the whole one has.
func sameWhereHas(t *testing.T, want, got PIDStatus) {
	line := reflect.ValueOf(got)
	whole := reflect.ValueOf(want)
	for i := range line.NumField() {
		if f := line.Field(i); line.Type().Field(i).Name != "Has" && !f.IsZero() && (f.Kind() != reflect.Slice || f.Len() > 0) {
			require.Equal(t, whole.Field(i).Interface(), f.Interface(), line.Type().Field(i).Name)
		}
	}
	require.Zero(t, got.Has&^want.Has)
}

func TestStatusCut(t *testing.T) {
	in := recorded(t, "status")
	last := StatusLines(0)
	for n := range in {
		var got PIDStatus
		if Status(in[:n], &got) == nil {
			sameWhereHas(t, wantStatus(), got)
			assert.Equal(t, last, last&got.Has, "more of the file has no fewer lines")
			last = got.Has
		}
	}
	assert.Equal(t, wantStatus().Has&^StatusInvoluntary, last)
}

func TestStatusNoAllocation(t *testing.T) {
	in := recorded(t, "status")
	many := []byte("Uid:\t1\t1\t1\t1\nGroups:\t" + strings.Repeat("12345 ", 2000) + "\nCpus_allowed_list:\t0-4095\n")
	var s PIDStatus
	require.NoError(t, Status(many, &s)) // makes room once
	assert.Len(t, s.Groups, 2000)
	assert.Len(t, s.CPUsAllowed, 4096)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_ = Status(in, &s)
		_ = Status(many, &s)
	}))
}

func FuzzStatus(f *testing.F) {
	f.Add(recorded(f, "status"))
	f.Add([]byte("Uid:\t-2\t-1\t0\t0\nGroups:\t-2 5 \nCpus_allowed_list:\t0-2,5,8-9\nNSpid:\t1\t2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s PIDStatus
		if Status(b, &s) != nil {
			return
		}
		assert.NotZero(t, s.Has)
		assert.LessOrEqual(t, len(s.Groups), len(b))
		assert.LessOrEqual(t, len(s.CPUsAllowed), maxCPUs)
		assert.True(t, slices.IsSorted(s.CPUsAllowed))
		assert.LessOrEqual(t, max(s.Size, s.Resident, s.Text, s.Data, s.Stack, s.PeakVirtual, s.Peak, s.Library, s.RSSAnon, s.RSSFile, s.RSSShmem, s.Swap, s.HugeTLB, s.SignalsQueued, s.Voluntary, s.Involuntary), uint64(math.MaxInt64))
	})
}

func BenchmarkStatus(b *testing.B) {
	in := recorded(b, "status")
	var s PIDStatus
	b.ReportAllocs()
	for b.Loop() {
		_ = Status(in, &s)
	}
}
