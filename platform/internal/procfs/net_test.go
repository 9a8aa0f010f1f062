// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

func inet(b []byte, order binary.ByteOrder, n int) (all []InetSocket, err error) {
	i := Inet{Order: order, Each: func(s *InetSocket) { all = append(all, *s) }}
	if err := chunks(b, n, i.Feed); err != nil {
		return all, err
	}
	return all, i.End()
}

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// The sockets of tcp and its siblings, in the order of the kernel's hash.
var wantInet = map[string][]InetSocket{
	"tcp": {
		{at("127.0.0.1:8080"), at("0.0.0.0:0"), 10, 0, 0, 524556},
		{at("127.0.0.1:8080"), at("127.0.0.1:35224"), 4, 1, 0, 0},
		{at("127.0.0.1:35216"), at("127.0.0.1:8080"), 1, 0, 0, 524558},
		{at("127.0.0.1:35224"), at("127.0.0.1:8080"), 8, 0, 1, 524560},
		{at("127.0.0.1:35236"), at("127.0.0.1:8080"), 6, 0, 0, 0},
		{at("127.0.0.1:35054"), at("127.0.0.1:8081"), 1, 0, 0, 524563},
		{at("127.0.0.1:8080"), at("127.0.0.1:35216"), 1, 0, 100, 524559},
	},
	"tcp6": {
		{at("[::]:8081"), at("[::]:0"), 10, 0, 0, 524557},
		{at("[::1]:8081"), at("[::1]:36630"), 1, 0, 0, 524562},
		{at("[::ffff:127.0.0.1]:8081"), at("[::ffff:127.0.0.1]:35054"), 1, 0, 0, 524564},
		{at("[::1]:36630"), at("[::1]:8081"), 1, 0, 0, 524561},
	},
	"udp": {
		{at("127.0.0.1:60324"), at("127.0.0.1:5353"), 1, 0, 0, 524569},
		{at("0.0.0.0:5353"), at("0.0.0.0:0"), 7, 0, 0x340, 524568},
	},
	"udp6": {
		{at("[::1]:5353"), at("[::]:0"), 7, 0, 0, 524570},
	},
}

func TestInet(t *testing.T) {
	for name, want := range wantInet {
		in := recorded(t, name)
		for _, n := range []int{1, 2, 3, 7, 64, 149, 150, 151, 1000, len(in)} {
			got, err := inet(in, binary.LittleEndian, n)
			require.NoError(t, err, "%s by %d", name, n)
			assert.Equal(t, want, got, "%s by %d", name, n)
		}
	}
}

// swapWords turns a file of a little-endian machine into that of a big-endian
// one: ports are numbers on both.
func swapWords(b []byte) []byte {
	fields := bytes.SplitAfter(b, []byte{' '})
	for _, f := range fields {
		if i := bytes.IndexByte(f, ':'); i == 8 && len(f) == 14 || i == 32 {
			for ; i > 0; i -= 8 {
				w := f[i-8 : i]
				copy(w, slices.Concat(w[6:8], w[4:6], w[2:4], w[0:2]))
			}
		}
	}
	return bytes.Join(fields, nil)
}

func TestInetBigEndian(t *testing.T) {
	got, err := inet([]byte("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"+
		"   0: 7F000001:1F90 C0000201:0050 01 0000000A:0000000B 00:00000000 00000000     0        0 77\n"), binary.BigEndian, 1000)
	require.NoError(t, err)
	assert.Equal(t, []InetSocket{{at("127.0.0.1:8080"), at("192.0.2.1:80"), 1, 10, 11, 77}}, got)
	for name, want := range wantInet {
		got, err := inet(swapWords(recorded(t, name)), binary.BigEndian, 50)
		require.NoError(t, err, name)
		assert.Equal(t, want, got, name)
	}
}

const (
	tcpHeading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	tcpLine    = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 524556 1 0 100 0 0 10 0\n"
)

func TestInetOfOtherKernels(t *testing.T) {
	for name, c := range map[string]struct {
		line string
		want InetSocket
	}{
		"no more than the inode":     {"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 524556\n", InetSocket{at("127.0.0.1:8080"), at("0.0.0.0:0"), 10, 0, 0, 524556}},
		"number of many digits":      {"1234567: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 4294967294        0 18446744073709551615 1\n", InetSocket{at("127.0.0.1:8080"), at("0.0.0.0:0"), 10, 0, 0, math.MaxUint64}},
		"timer that is long over":    {"   0: 0100007F:1F90 00000000:0000 0C 00000000:00000000 01:FFFFFFFFFFFFFFFD 00000003     0       -1 5 1\n", InetSocket{at("127.0.0.1:8080"), at("0.0.0.0:0"), 12, 0, 0, 5}},
		"BOUND_INACTIVE, full queue": {"   0: 0100007F:FFFF FFFFFFFF:FFFF 0D FFFFFFFF:FFFFFFFF 00:00000000 00000000     0        0 5 1\n", InetSocket{at("127.0.0.1:65535"), at("255.255.255.255:65535"), 13, math.MaxUint32, math.MaxUint32, 5}},
	} {
		got, err := inet([]byte(tcpHeading+c.line), binary.LittleEndian, 100)
		require.NoError(t, err, name)
		assert.Equal(t, []InetSocket{c.want}, got, name)
	}
	got, err := inet([]byte(tcpHeading), binary.LittleEndian, 100)
	require.NoError(t, err, "no socket at all")
	assert.Empty(t, got)
}

func TestInetMalformed(t *testing.T) {
	_, err := inet([]byte(tcpHeading+tcpLine), binary.LittleEndian, 100)
	require.NoError(t, err)
	for _, in := range []string{
		"", tcpLine, "sl\n" + tcpLine, tcpHeading + "\n", tcpHeading + strings.TrimSuffix(tcpLine, "\n"),
		tcpHeading + strings.Replace(tcpLine, "0:", "0", 1), tcpHeading + strings.Replace(tcpLine, "0:", "x:", 1),
		tcpHeading + strings.Replace(tcpLine, "0100007F:", "0100007:", 1), tcpHeading + strings.Replace(tcpLine, "0100007F:", "0100007G:", 1),
		tcpHeading + strings.Replace(tcpLine, "1F90", "1F90F", 1), tcpHeading + strings.Replace(tcpLine, "1F90 ", "1F90", 1),
		tcpHeading + strings.Replace(tcpLine, "00000000:0000 ", "00000000 ", 1), tcpHeading + strings.Replace(tcpLine, " 0A ", " 100 ", 1),
		tcpHeading + strings.Replace(tcpLine, " 0A ", " ", 1), tcpHeading + strings.Replace(tcpLine, "0A 00000000:", "0A 100000000:", 1),
		tcpHeading + strings.Replace(tcpLine, "0A 00000000:00000000", "0A 00000000:100000000", 1), tcpHeading + strings.Replace(tcpLine, "524556", "x", 1),
		tcpHeading + strings.Replace(tcpLine, "524556", "-1", 1), tcpHeading + strings.Replace(tcpLine, "524556", "18446744073709551616", 1),
		tcpHeading + strings.Replace(tcpLine, "524556", "524556x", 1), tcpHeading + tcpLine[:90] + "\n",
		tcpHeading + strings.Replace(tcpLine, "\n", strings.Repeat(" ", 500)+"\n", 1),
	} {
		_, err := inet([]byte(in), binary.LittleEndian, 100)
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}

	i := Inet{Order: binary.LittleEndian, Each: func(*InetSocket) {}}
	assert.ErrorIs(t, i.Feed([]byte("x\n")), parse.ErrSyntax)
	assert.ErrorIs(t, i.Feed([]byte(tcpHeading)), parse.ErrSyntax, "and so it stays")
	i.Reset()
	assert.NoError(t, i.Feed([]byte(tcpHeading)))
	assert.NoError(t, i.End())
}

func TestInetCut(t *testing.T) {
	for name, want := range wantInet {
		in := recorded(t, name)
		for n := range in {
			got, err := inet(in[:n], binary.LittleEndian, 64)
			if n == 0 || in[n-1] != '\n' {
				assert.ErrorIs(t, err, parse.ErrSyntax)
			} else {
				assert.NoError(t, err)
			}
			assert.Equal(t, want[:len(got)], append([]InetSocket{}, got...))
		}
	}
}

func unixSockets(b []byte, n int) (all []UnixSocket, err error) {
	u := Unix{Each: func(s *UnixSocket) {
		one := *s
		one.Path = append([]byte{}, s.Path...)
		all = append(all, one)
	}}
	if err := chunks(b, n, u.Feed); err != nil {
		return all, err
	}
	return all, u.End()
}

func socket(kind uint16, inode uint64, path string) UnixSocket {
	return UnixSocket{Type: kind, Inode: inode, Path: []byte(path)}
}

// What one process can bind: nothing, a name with spaces, one that starts with
// a newline, one that the kernel chose, one that looks like a socket of
// somebody else, one of three lines, one with a NUL.
func wantUnix() []UnixSocket {
	return []UnixSocket{
		socket(2, 524572, ""),
		socket(1, 524571, "sock with space"),
		socket(1, 524574, "\nnl"),
		socket(1, 524575, "@"),
		socket(2, 524576, "@evil"),
		socket(1, 4711, "/run/fake"), // made up
		socket(1, 524577, "@two\nlines here\n"),
		socket(5, 524573, "@abs@tract x"),
	}
}

func TestUnix(t *testing.T) {
	in := recorded(t, "unix")
	for _, n := range []int{1, 2, 3, 7, 64, 100, 1000} {
		got, err := unixSockets(in, n)
		require.NoError(t, err, n)
		assert.Equal(t, wantUnix(), got, n)
	}

	// Linux 2.6.32, with addresses of 32 bits and before they can be hashed.
	got, err := unixSockets([]byte(unixHeadingLine+
		"f6b1d2c0: 00000002 00000000 00010000 0001 01  4711 /dev/log\n"+
		"(____ptrval____): 00000003 00000000 00000000 0005 03     0\n"+
		"0000000000000000: 00000002 00000000 00000000 0003 07 18446744073709551615 "+strings.Repeat("x", 108)+"\n"), 10)
	require.NoError(t, err)
	assert.Equal(t, []UnixSocket{
		socket(1, 4711, "/dev/log"), socket(5, 0, ""), socket(3, math.MaxUint64, strings.Repeat("x", 108)),
	}, got)

	got, err = unixSockets([]byte(unixHeadingLine), 10)
	require.NoError(t, err)
	assert.Empty(t, got)
}

const (
	unixHeadingLine = "Num       RefCount Protocol Flags    Type St Inode Path\n"
	bound           = "0000000000000000: 00000002 00000000 00010000 0001 01 12 /a\n"
	unbound         = "0000000000000000: 00000002 00000000 00010000 0001 01 12\n"
)

// Whoever may bind a socket may print what he likes, and must not hide the
// sockets of others by it.
func TestUnixForged(t *testing.T) {
	for _, forged := range []string{
		unbound + "rest of nothing\n",
		bound + strings.Repeat("y", 107) + "\n",
		bound + strings.Repeat("\n", 108),
		strings.Replace(bound, "/a", "@x", 1) + strings.Replace(unbound, " 12", " 13", 1) + "junk\n",
	} {
		got, err := unixSockets([]byte(unixHeadingLine+forged+strings.Replace(bound, " 12 ", " 77 ", 1)), 100)
		require.NoError(t, err, "%q", forged)
		assert.EqualValues(t, 12, got[0].Inode)
		last := got[len(got)-1]
		assert.EqualValues(t, 77, last.Inode)
		assert.Equal(t, "/a", string(last.Path))
	}
}

func TestUnixMalformed(t *testing.T) {
	_, err := unixSockets([]byte(unixHeadingLine+bound+unbound), 100)
	require.NoError(t, err)
	for _, in := range []string{
		"", bound, "Num\n" + bound, unixHeadingLine + "garbage\n", unixHeadingLine + strings.TrimSuffix(bound, "\n"),
		unixHeadingLine + strings.Replace(bound, "/a", strings.Repeat("y", 110), 1),
		unixHeadingLine + strings.Replace(bound, ": ", " ", 1), unixHeadingLine + strings.Replace(bound, "00000002", "0000002", 1),
		unixHeadingLine + strings.Replace(bound, "00000002", "0000000x", 1), unixHeadingLine + strings.Replace(bound, "0001 01", "0001  01", 1),
		unixHeadingLine + strings.Replace(bound, " 12 ", " x ", 1), unixHeadingLine + strings.Replace(bound, " 12 ", " 12x ", 1),
		unixHeadingLine + strings.Replace(bound, " 12 ", " 18446744073709551616 ", 1), unixHeadingLine + ": 00000002\n",
	} {
		_, err := unixSockets([]byte(in), 100)
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}

	u := Unix{Each: func(*UnixSocket) {}}
	assert.ErrorIs(t, u.Feed([]byte("x\n")), parse.ErrSyntax)
	assert.ErrorIs(t, u.Feed([]byte(unixHeadingLine)), parse.ErrSyntax, "and so it stays")
	u.Reset()
	assert.NoError(t, u.Feed([]byte(unixHeadingLine+bound)))
	assert.NoError(t, u.End())
}

func TestUnixCut(t *testing.T) {
	in := recorded(t, "unix")
	want := wantUnix()
	for n := range in {
		got, err := unixSockets(in[:n], 64)
		if n == 0 || in[n-1] != '\n' {
			assert.ErrorIs(t, err, parse.ErrSyntax)
		} else {
			require.NoError(t, err)
			if len(got) > 0 {
				got = got[:len(got)-1] // its path may go on
			}
		}
		assert.Equal(t, want[:len(got)], append([]UnixSocket{}, got...))
	}
}

func TestNetNoAllocation(t *testing.T) {
	tcp6, unix := recorded(t, "tcp6"), recorded(t, "unix")
	n := 0
	i := Inet{Order: binary.LittleEndian, Each: func(*InetSocket) { n++ }}
	u := Unix{Each: func(*UnixSocket) { n++ }}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		i.Reset()
		_ = i.Feed(tcp6[:200])
		_ = i.Feed(tcp6[200:])
		_ = i.End()
		u.Reset()
		_ = u.Feed(unix[:200])
		_ = u.Feed(unix[200:])
		_ = u.End()
	}))
	assert.Equal(t, 101*(4+8), n)
}

func FuzzNet(f *testing.F) {
	for _, name := range []string{"tcp", "tcp6", "udp", "udp6", "unix"} {
		b := recorded(f, name)
		f.Add(b[:min(len(b), 602)], 100)
	}
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		n = 1 + n&0xff
		whole, err := inet(b, binary.LittleEndian, len(b)+1)
		parts, partsErr := inet(b, binary.LittleEndian, n)
		assert.Equal(t, whole, parts, "chunks make no difference")
		assert.Equal(t, err, partsErr)
		for _, s := range whole {
			assert.True(t, s.Local.IsValid())
			assert.True(t, s.Peer.IsValid())
			assert.LessOrEqual(t, max(s.Transmit, s.Receive), uint64(math.MaxUint32))
		}
		big, bigErr := inet(b, binary.BigEndian, n)
		assert.Equal(t, err, bigErr)
		assert.Len(t, big, len(whole))

		sockets, err := unixSockets(b, len(b)+1)
		again, partsErr := unixSockets(b, n)
		assert.Equal(t, sockets, again)
		assert.Equal(t, err, partsErr)
		for _, s := range sockets {
			assert.LessOrEqual(t, len(s.Path), maxUnixPath)
		}
	})
}

func BenchmarkInet(b *testing.B) {
	in := []byte(tcpHeading)
	for n := range 1000 {
		in = fmt.Appendf(in, "%4d: 0100007F:%04X 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 %d 1 00000000e4d91085 20 4 30 10 -1                   \n", n, 1024+n, 500_000+n)
	}
	i := Inet{Order: binary.NativeEndian, Each: func(*InetSocket) {}}
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		i.Reset()
		_ = i.Feed(in)
		_ = i.End()
	}
}
