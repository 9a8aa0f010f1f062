// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"encoding/binary"
	"math"
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
			PID: 996, Comm: []byte("bash"), State: 'S', PPID: 995, PGID: 996, SID: 996, Flags: 4194560,
			MinorFaults: 12443, MajorFaults: 0, UserTime: 3, SysTime: 6, ChildrenUserTime: 6985, ChildrenSysTime: 1746,
			Threads: 1, Start: 2398, LastCPU: 1, ArgStart: 140720330996574,
		}},
		"kernel thread": {kthreaddStat, PIDStat{
			PID: 2, Comm: []byte("kthreadd"), State: 'S', Flags: 2129984, Threads: 1, Start: 22,
		}},
		"a name with all that breaks parsers": {nastyStat, PIDStat{
			PID: 22255, Comm: []byte("a\nb\\c) (\xff x"), State: 'R', PPID: 22233, PGID: 22233, SID: 996, Flags: 4194304,
			MinorFaults: 2899, MajorFaults: 2, UserTime: 2, SysTime: 1, ChildrenUserTime: 4,
			Threads: 1, Start: 149976, ArgStart: 140728842881238,
		}},
		"empty name": {strings.Replace(kthreaddStat, "(kthreadd)", "()", 1), PIDStat{
			PID: 2, Comm: []byte{}, State: 'S', Flags: 2129984, Threads: 1, Start: 22,
		}},
		"all that the other fields can be": {strings.Replace(shellStat, " 995 996 996 0 -1 4194560 12443 5122710 0 729 3 6 6985 1746 20 0 ", " 995 0 0 34817 996 4194560 1 2 9223372036854775807 4 5 6 7 8 0 -20 ", 1), PIDStat{
			PID: 996, Comm: []byte("bash"), State: 'S', PPID: 995, TTY: 34817, Flags: 4194560,
			MinorFaults: 1, MajorFaults: math.MaxInt64, UserTime: 5, SysTime: 6, ChildrenUserTime: 7, ChildrenSysTime: 8,
			Nice: -20, Threads: 1, Start: 2398, LastCPU: 1, ArgStart: 140720330996574,
		}},
		// lock_task_sighand failed in do_task_stat: it is being reaped.
		"no group any more": {strings.Replace(kthreaddStat, " S 0 0 0 0 -1 ", " X 0 -1 -1 -2147483648 -1 ", 1), PIDStat{
			PID: 2, Comm: []byte("kthreadd"), State: 'X', PGID: -1, SID: -1, TTY: 0x80000000, Flags: 2129984, Threads: 1, Start: 22,
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
		strings.Join(strings.Fields(shellStat)[:38], " ") + "\n",
		strings.TrimSuffix(strings.Join(strings.Fields(shellStat)[:44], " "), "\n"),
		strings.Replace(shellStat, " 2398 ", " x ", 1),
		strings.Replace(shellStat, " 2398 ", " -2398 ", 1),
		strings.Replace(shellStat, " 2398 ", " 23985529600110218446744073709551615 ", 1),
		strings.Replace(shellStat, " 2398 ", "  2398 ", 1),
		strings.Replace(shellStat, " 2398 ", " 274877906945 ", 1), // in 87 years
		strings.Replace(shellStat, " 1 0 2398 ", " 4294967295 0 2398 ", 1),
		strings.Replace(shellStat, " 995 996 996 ", " 4294967295 996 996 ", 1),
		strings.Replace(shellStat, " 995 996 996 ", " -1 996 996 ", 1),
		strings.Replace(shellStat, " 995 996 996 ", " 995 2147483648 996 ", 1),
		strings.Replace(shellStat, " 995 996 996 ", " 995 996 -2147483649 ", 1),
		strings.Replace(shellStat, " 996 0 -1 ", " 996 4294967296 -1 ", 1),
		strings.Replace(shellStat, " 12443 ", " 9223372036854775808 ", 1),
		strings.Replace(shellStat, " 6985 ", " -6985 ", 1),
		strings.Replace(shellStat, " 17 1 0 0 ", " 17 -1 0 0 ", 1),
	} {
		var s PIDStat
		assert.ErrorIs(t, Stat([]byte(in), &s), parse.ErrSyntax, "%q", in)
	}
}

// Cut anywhere, stat is not taken for a whole one, until all that is used of
// it is there.
func TestStatCut(t *testing.T) {
	var want PIDStat
	require.NoError(t, Stat([]byte(nastyStat), &want))
	whole := strings.Index(nastyStat, " 140728842881281")
	for n := range len(nastyStat) {
		var got PIDStat
		err := Stat([]byte(nastyStat)[:n], &got)
		if n <= whole {
			assert.ErrorIs(t, err, parse.ErrSyntax, "%q", nastyStat[:n])
		} else if assert.NoError(t, err, "%q", nastyStat[:n]) {
			assert.Equal(t, want, got)
		}
	}
}

func TestStatm(t *testing.T) {
	const in = "765 440 412 5 0 123 0\n" // Linux 6.18
	var got PIDStatm
	require.NoError(t, Statm([]byte(in), &got))
	assert.Equal(t, PIDStatm{Size: 765, Resident: 440, Shared: 412, Text: 5, Data: 123}, got)
	require.NoError(t, Statm([]byte("0 0 0 0 0 0 0\n"), &got))
	assert.Equal(t, PIDStatm{}, got)
	for n := range len(in) - len(" 0\n") {
		assert.ErrorIs(t, Statm([]byte(in)[:n], &got), parse.ErrSyntax, "%q", in[:n])
	}
	for _, in := range []string{"", "1\n", "a 2 3 4 5 6 7\n", "1 a 3 4 5 6 7\n", "-1 2 3 4 5 6 7\n", "1  2 3 4 5 6 7\n", "9223372036854775808 2 3 4 5 6 7\n"} {
		assert.ErrorIs(t, Statm([]byte(in), &got), parse.ErrSyntax, "%q", in)
	}
}

func TestIO(t *testing.T) {
	// rchar and wchar are not disk I/O: most of them never leave the cache.
	const in = "rchar: 6998\nwchar: 145399390208\nsyscr: 12\nsyscw: 1\nread_bytes: 8192\nwrite_bytes: 4096\ncancelled_write_bytes: 77\n"
	want := PIDIO{ReadChars: 6998, WriteChars: 145399390208, ReadCalls: 12, WriteCalls: 1, ReadBytes: 8192, WriteBytes: 4096}
	var got PIDIO
	require.NoError(t, IO([]byte(in), &got))
	assert.Equal(t, want, got)
	for n := range len(in) {
		var got PIDIO
		if IO([]byte(in)[:n], &got) == nil {
			assert.Equal(t, want, got, "%q", in[:n])
			assert.Greater(t, n, strings.Index(in, "4096\n")+4)
		}
	}
	for _, bad := range []string{"", "rchar: 1\n", strings.Replace(in, "8192", "x", 1), strings.Replace(in, "8192", "-1", 1), strings.Replace(in, "8192", "9223372036854775808", 1), strings.Replace(in, "syscw", "rchar", 1)} {
		assert.ErrorIs(t, IO([]byte(bad), &got), parse.ErrSyntax, "%q", bad)
	}
}

func TestExitCode(t *testing.T) {
	// A zombie that called exit(7), and what its end may be instead.
	const zombie = "23298 (sh) 5) Z 23292 23254 18750 0 -1 4227084 63 75 1 0 0 0 0 0 20 0 1 0 77943 0 0 18446744073709551615 0 0 0 0 0 0 0 0 65538 1 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 1792\n"
	for end, want := range map[string]uint32{"1792": 7 << 8, "0": 0, "9": 9, "134": 6 | 0x80, "65535": 65535} {
		got, err := ExitCode([]byte(strings.Replace(zombie, " 1792\n", " "+end+"\n", 1)))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, in := range []string{
		"", "\n", "1", "1 (a) Z\n", strings.TrimSuffix(zombie, "\n"), strings.Replace(zombie, " 1792", " 65536", 1), strings.Replace(zombie, " 1792", " -1", 1),
		strings.Replace(zombie, " 1792", " ", 1), strings.Replace(zombie, " 1792", "", 1), strings.Replace(zombie, " 1792", " x", 1), strings.ReplaceAll(zombie, ")", ""),
	} {
		_, err := ExitCode([]byte(in))
		assert.ErrorIs(t, err, parse.ErrSyntax, in)
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
	stat, statm, io := []byte(nastyStat), []byte("765 440 412 5 0 123 0\n"), []byte("rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\n")
	dir := dirents(binary.LittleEndian, "1", "2", "3")
	n := 0
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		var s PIDStat
		_ = Stat(stat, &s)
		var m PIDStatm
		_ = Statm(statm, &m)
		var x PIDIO
		_ = IO(io, &x)
		_ = Entries(dir, binary.LittleEndian, func(name []byte) { n += len(name) })
	}))
}

func FuzzPID(f *testing.F) {
	for _, s := range []string{shellStat, kthreaddStat, nastyStat, "765 440 412 5 0 123 0\n", "read_bytes: 1\nwrite_bytes: 2\n", string(dirents(binary.LittleEndian, "1", "self"))} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s PIDStat
		if Stat(b, &s) == nil {
			assert.GreaterOrEqual(t, s.PID, int32(0))
			assert.LessOrEqual(t, len(s.Comm), len(b))
		}
		var m PIDStatm
		if Statm(b, &m) == nil {
			assert.LessOrEqual(t, m.Data, uint64(math.MaxInt64))
		}
		var io PIDIO
		if IO(b, &io) == nil {
			assert.LessOrEqual(t, max(io.ReadChars, io.WriteChars, io.ReadCalls, io.WriteCalls, io.ReadBytes, io.WriteBytes), uint64(math.MaxInt64))
		}
		if status, err := ExitCode(b); err == nil {
			assert.LessOrEqual(t, status, uint32(math.MaxUint16))
		}
		_ = Arg0(b)
		_ = Entries(b, binary.LittleEndian, func(name []byte) {
			assert.NotContains(t, string(name), "\x00")
			PID(name)
		})
	})
}
