// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Recorded on Linux 6.18.44, x86_64: a shell read by its own user, the same
// kernel's kthreadd, and a process that named itself "a\nb\\c) (\xff x" with
// prctl(PR_SET_NAME).
const (
	shellStat    = "996 (bash) S 995 996 996 0 -1 4194560 12443 5122710 0 729 3 6 6985 1746 20 0 1 0 2398 5529600 1102 18446744073709551615 94293219803136 94293220592541 140720330989904 0 0 0 65536 4 1132560123 1 0 0 17 1 0 0 0 0 0 94293220825840 94293220874084 94293879037952 140720330996574 140720330996589 140720330996589 140720330997738 0\n"
	kthreaddStat = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 22 0 0 18446744073709551615 0 0 0 0 0 0 0 2147483647 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
	nastyStat    = "22255 (a\nb\\c) (\xff x) R 22233 22233 996 0 -1 4194304 2899 6534 2 0 2 1 4 0 20 0 1 0 149976 17145856 3413 18446744073709551615 94266199912448 94266199912789 140728842878352 0 0 0 0 16781312 2 0 0 0 17 0 0 0 0 0 0 94266199924144 94266199924760 94267116453888 140728842881238 140728842881281 140728842881281 140728842883023 0\n"
)

func TestStat(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want PIDStat
	}{
		"shell": {shellStat, PIDStat{
			PID: 996, Comm: []byte("bash"), State: 'S', PPID: 995, Flags: 4194560,
			UserTime: 3, SysTime: 6, Threads: 1, Start: 2398, ArgStart: 140720330996574,
		}},
		"kernel thread": {kthreaddStat, PIDStat{
			PID: 2, Comm: []byte("kthreadd"), State: 'S', Flags: 2129984, Threads: 1, Start: 22,
		}},
		"a name with all that breaks parsers": {nastyStat, PIDStat{
			PID: 22255, Comm: []byte("a\nb\\c) (\xff x"), State: 'R', PPID: 22233, Flags: 4194304,
			UserTime: 2, SysTime: 1, Threads: 1, Start: 149976, ArgStart: 140728842881238,
		}},
		"empty name": {strings.Replace(kthreaddStat, "(kthreadd)", "()", 1), PIDStat{
			PID: 2, Comm: []byte{}, State: 'S', Flags: 2129984, Threads: 1, Start: 22,
		}},
		"Linux 2.6 has 44 fields": {strings.Join(strings.Fields(kthreaddStat)[:44], " ") + "\n", PIDStat{
			PID: 2, Comm: []byte("kthreadd"), State: 'S', Flags: 2129984, Threads: 1, Start: 22,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var got PIDStat
			require.NoError(t, Stat([]byte(c.in), &got))
			assert.Equal(t, c.want, got)
		})
	}
	assert.NotZero(t, uint64(2129984)&FlagKernelThread, "kthreadd")
	assert.Zero(t, uint64(4194560)&FlagKernelThread, "bash")
}

func TestStatMalformed(t *testing.T) {
	for _, in := range []string{
		"", "\n", "garbage", "12", "12 ", "12 (", "12 (a", "12 (a)", "12 (a) ", "12 (a) S", "12 (a) S ",
		"(a) S 1", "-1 (a) S 1", "99999999999 (a) S 1",
		shellStat[:60], // cut off before the start time
		strings.Replace(shellStat, " 2398 ", " x ", 1),
		strings.Replace(shellStat, " 2398 ", " -2398 ", 1),
		strings.Replace(shellStat, " 2398 ", " 23985529600110218446744073709551615 ", 1),
		strings.Replace(shellStat, " 2398 ", "  2398 ", 1),
		strings.Replace(shellStat, " 2398 ", " 274877906945 ", 1), // in 87 years
		strings.Replace(shellStat, " 1 0 2398 ", " 4294967295 0 2398 ", 1),
		strings.Replace(shellStat, " 995 996 ", " 4294967295 996 ", 1),
	} {
		var s PIDStat
		assert.ErrorIs(t, Stat([]byte(in), &s), parse.ErrSyntax, "%q", in)
	}
}

func TestStatm(t *testing.T) {
	size, resident, err := Statm([]byte("765 440 412 5 0 123 0\n"))
	require.NoError(t, err)
	assert.EqualValues(t, 765, size)
	assert.EqualValues(t, 440, resident)
	for _, in := range []string{"", "1", "1\n", "1 2", "a 2 ", "1 a ", "-1 2 "} {
		_, _, err := Statm([]byte(in))
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}
}

func TestIO(t *testing.T) {
	// rchar and wchar are not disk I/O: most of them never leave the cache.
	const in = "rchar: 6998\nwchar: 145399390208\nsyscr: 12\nsyscw: 1\nread_bytes: 8192\nwrite_bytes: 4096\ncancelled_write_bytes: 77\n"
	read, written, err := IO([]byte(in))
	require.NoError(t, err)
	assert.EqualValues(t, 8192, read)
	assert.EqualValues(t, 4096, written)
	for _, bad := range []string{"", "rchar: 1\n", strings.Replace(in, "8192", "x", 1), strings.Replace(in, "8192", "18446744073709551615", 1), in[:60]} {
		_, _, err := IO([]byte(bad))
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", bad)
	}
}

func TestRealUID(t *testing.T) {
	uid, err := RealUID([]byte("Name:\tUid:\\n7\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t1000\t1001\t1002\t1003\nGid:\t5\t5\t5\t5\n"))
	require.NoError(t, err)
	assert.EqualValues(t, 1000, uid)
	uid, err = RealUID([]byte("Uid:\t4294967294\t0\t0\t0\n"))
	require.NoError(t, err)
	assert.EqualValues(t, 4294967294, uid)
	for _, bad := range []string{"", "Gid:\t1\n", "Uid:\tx\n", "Uid:\t4294967296\n"} {
		_, err := RealUID([]byte(bad))
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", bad)
	}
}

func TestArg0(t *testing.T) {
	assert.Equal(t, "sh", string(Arg0([]byte("sh\x00-c\x00true\x00"))))
	assert.Equal(t, "postgres: writer", string(Arg0([]byte("postgres: writer"))))
	assert.Empty(t, Arg0([]byte("\x00\x00")))
	assert.Empty(t, Arg0(nil))
}

// dirents writes what getdents64 would answer on a machine of this order.
func dirents(order binary.AppendByteOrder, names ...string) (b []byte) {
	for i, name := range names {
		n := (19 + len(name) + 1 + 7) &^ 7
		b = order.AppendUint64(b, uint64(100+i))
		b = order.AppendUint64(b, uint64(i))
		b = order.AppendUint16(b, uint16(n))
		b = append(b, 4)
		b = append(b, name...)
		b = append(b, make([]byte, n-19-len(name))...)
	}
	return b
}

func TestEntries(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		b := dirents(order, ".", "..", "1", "self", "4194304")
		var got []string
		require.NoError(t, Entries(b, order.(binary.ByteOrder), func(name []byte) { got = append(got, string(name)) }))
		assert.Equal(t, []string{"1", "self", "4194304"}, got, "%v", order)
		assert.ErrorIs(t, Entries(b[:len(b)-1], order.(binary.ByteOrder), func([]byte) {}), parse.ErrSyntax)
	}
	assert.ErrorIs(t, Entries(make([]byte, 24), binary.LittleEndian, func([]byte) {}), parse.ErrSyntax, "a length of 0 would never end")
}

func TestPID(t *testing.T) {
	for name, want := range map[string]int32{"1": 1, "4194304": 4194304, "2147483647": 2147483647} {
		pid, ok := PID([]byte(name))
		assert.True(t, ok)
		assert.Equal(t, want, pid)
	}
	for _, name := range []string{"", "0", "01", "self", "1a", "-1", "2147483648", "99999999999999999999"} {
		_, ok := PID([]byte(name))
		assert.False(t, ok, name)
	}
}

func TestNoAllocation(t *testing.T) {
	stat, statm, io, status := []byte(nastyStat), []byte("765 440 412 5 0 123 0\n"), []byte("read_bytes: 1\nwrite_bytes: 2\n"), []byte("Uid:\t1\t1\t1\t1\n")
	dir := dirents(binary.LittleEndian, "1", "2", "3")
	n := 0
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		var s PIDStat
		_ = Stat(stat, &s)
		_, _, _ = Statm(statm)
		_, _, _ = IO(io)
		_, _ = RealUID(status)
		_ = Entries(dir, binary.LittleEndian, func(name []byte) { n += len(name) })
	}))
}

func FuzzPID(f *testing.F) {
	for _, s := range []string{shellStat, kthreaddStat, nastyStat, "765 440 412 5 0 123 0\n", "read_bytes: 1\nwrite_bytes: 2\n", "Uid:\t1\t1\t1\t1\n", string(dirents(binary.LittleEndian, "1", "self"))} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s PIDStat
		if Stat(b, &s) == nil {
			assert.GreaterOrEqual(t, s.PID, int32(0))
			assert.LessOrEqual(t, len(s.Comm), len(b))
		}
		_, _, _ = Statm(b)
		_, _, _ = IO(b)
		_, _ = RealUID(b)
		_ = Arg0(b)
		_ = Entries(b, binary.LittleEndian, func(name []byte) {
			assert.NotContains(t, string(name), "\x00")
			PID(name)
		})
	})
}
