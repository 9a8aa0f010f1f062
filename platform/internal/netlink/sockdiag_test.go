// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package netlink

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// bytesOf are those of a dump in hexadecimal; what follows # is a remark. Its
// numbers in the machine's order are those of a little-endian one.
func bytesOf(t testing.TB, dump string) []byte {
	var digits strings.Builder
	for line := range strings.Lines(dump) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	require.NoError(t, err)
	return b
}

// little puts a number of the machine where the dump has one of a little-endian
// one.
func little(b []byte, at int) {
	binary.NativeEndian.PutUint32(b[at:], binary.LittleEndian.Uint32(b[at:]))
}

// Recorded on Linux 6.18, x86-64, of sockets made for it.
const (
	listening = `
		02 0a 00 00 # IPv4, LISTEN, no timer
		1f90 0000   # ports 8080, none
		7f000001 00000000 00000000 00000000 # 127.0.0.1
		00000000 00000000 00000000 00000000
		00000000 02000000 00000000          # interface, cookie
		00000000 01000000 00100000 00000000 # expires, queues: 1 of 4096, user
		c4fd0000                            # inode 64964
		0500 0800 00000000                  # INET_DIAG_SHUTDOWN
		0800 0f00 00000000                  # INET_DIAG_MARK
		0c00 1500 0100000000000000          # INET_DIAG_CGROUP_ID
		0600 1600 52000000                  # INET_DIAG_SOCKOPT`
	notAccepted = `
		02 01 00 00 # IPv4, ESTABLISHED
		1f90 9c2c
		7f000001 00000000 00000000 00000000
		7f000001 00000000 00000000 00000000
		00000000 03000000 00000000
		00000000 00000000 00000000 00000000
		00000000 # inode: none
		0500 0800 00000000`
	udp6 = `
		0a 07 00 00 # IPv6, CLOSE
		14e9 0000
		00000000 00000000 00000000 00000001 # ::1
		00000000 00000000 00000000 00000000
		00000000 05000000 00000000
		00000000 00000000 00000000 00000000
		c7fd0000 # inode 64967
		0500 0800 00000000`
	mapped = `
		0a 08 00 00 # IPv6, CLOSE_WAIT; made up
		01bb d431
		00000000 00000000 0000ffff c0000201 # ::ffff:192.0.2.1
		00000000 00000000 0000ffff c6336407 # ::ffff:198.51.100.7
		00000000 05000000 00000000
		00000000 00000000 00000000 00000000
		ffffffff`
)

func TestInet(t *testing.T) {
	for dump, want := range map[string]InetSocket{
		listening:   {State: 10, Local: netip.MustParseAddrPort("127.0.0.1:8080"), Peer: netip.MustParseAddrPort("0.0.0.0:0"), Inode: 64964},
		notAccepted: {State: 1, Local: netip.MustParseAddrPort("127.0.0.1:8080"), Peer: netip.MustParseAddrPort("127.0.0.1:39980")},
		udp6:        {IPv6: true, State: 7, Local: netip.MustParseAddrPort("[::1]:5353"), Peer: netip.MustParseAddrPort("[::]:0"), Inode: 64967},
		mapped: {
			IPv6: true, State: 8, Local: netip.MustParseAddrPort("[::ffff:192.0.2.1]:443"),
			Peer: netip.MustParseAddrPort("[::ffff:198.51.100.7]:54321"), Inode: math.MaxUint32,
		},
	} {
		b := bytesOf(t, dump)
		little(b, 68)
		var s InetSocket
		require.NoError(t, Inet(b, &s), dump)
		assert.Equal(t, want, s)
		assert.Zero(t, testing.AllocsPerRun(10, func() { _ = Inet(b, &s) }))
		assert.ErrorIs(t, Inet(b[:71], &s), parse.ErrSyntax, "cut short")
		b[0] = 3
		assert.ErrorIs(t, Inet(b, &s), parse.ErrSyntax, "of another family")
	}
}

func unixMessage(kind uint8, inode uint32, attributes ...[]byte) []byte {
	b := binary.NativeEndian.AppendUint32([]byte{FamilyUnix, kind, 10, 0}, inode)
	b = append(b, 6, 0, 0, 0, 0, 0, 0, 0)
	for _, a := range attributes {
		b = append(b, a...)
		b = append(b, make([]byte, aligned(len(a))-len(a))...)
	}
	return b
}

func TestUnix(t *testing.T) {
	shutdown := attribute(6, "\x00")
	long := strings.Repeat("x", 108)
	for _, tt := range []struct {
		message []byte
		kind    uint8
		path    string
	}{
		{unixMessage(1, 7, shutdown), 1, ""},
		{unixMessage(1, 7, attribute(0, "/tmp/s.sock\x00"), shutdown), 1, "/tmp/s.sock"},
		{unixMessage(2, 7, attribute(0, "a path without end")), 2, "a path without end"},
		{unixMessage(5, 7, attribute(0, "\x00a\x00b"), shutdown), 5, "@a@b"},
		{unixMessage(5, 7, attribute(0, "\x00"), shutdown), 5, "@"},
		{unixMessage(5, 7, attribute(0, ""), shutdown), 5, ""},
		{unixMessage(1, 7, attribute(0, long+"\x00")), 1, long},
		{unixMessage(1, 7, attribute(0, "/two\nlines\x00")), 1, "/two\nlines"},
	} {
		s := UnixSocket{Inode: 1, Path: []byte("before")}
		require.NoError(t, Unix(tt.message, &s), "%x", tt.message)
		assert.Equal(t, tt.kind, s.Type)
		assert.Equal(t, uint32(7), s.Inode)
		assert.Equal(t, tt.path, string(s.Path))
		assert.Zero(t, testing.AllocsPerRun(10, func() { _ = Unix(tt.message, &s) }))
	}
	var s UnixSocket
	for _, bad := range [][]byte{
		nil,
		unixMessage(1, 7)[:15],
		unixMessage(1, 7, shutdown)[:19],
		unixMessage(1, 7, attribute(0, "\x00"+long)), // longer than any name
		append([]byte{FamilyIPv4}, unixMessage(1, 7)[1:]...),
	} {
		assert.ErrorIs(t, Unix(bad, &s), parse.ErrSyntax, "%x", bad)
	}
}

// The kernel takes what is at least as long as its structure.
func TestSocketRequests(t *testing.T) {
	n := binary.NativeEndian.AppendUint32
	assert.Equal(t, n(n(make([]byte, 52), 0x1ffe), 0), AppendTCPRequest(nil))
	assert.Equal(t, append(n([]byte{10, 17, 0, 0}, 0x1ffe), make([]byte, 48)...), AppendUDPRequest(nil, FamilyIPv6))
	assert.Equal(t, append(n(n(n([]byte{1, 0, 0, 0}, 0x1ffe), 0), 1), make([]byte, 8)...), AppendUnixRequest(nil, true))
	assert.Equal(t, append(n(n(n([]byte{1, 0, 0, 0}, 0x1ffe), 0), 0), make([]byte, 8)...), AppendUnixRequest(nil, false))
}

func FuzzSockets(f *testing.F) {
	f.Add(bytesOf(f, listening))
	f.Add(bytesOf(f, mapped))
	f.Add(unixMessage(5, 7, attribute(0, "\x00a\x00b"), attribute(6, "\x00")))
	f.Fuzz(func(t *testing.T, b []byte) {
		var inet InetSocket
		if Inet(b, &inet) == nil {
			assert.Equal(t, inet.IPv6, inet.Local.Addr().Is6())
			assert.Equal(t, inet.IPv6, inet.Peer.Addr().Is6())
		}
		var u UnixSocket
		if Unix(b, &u) == nil {
			assert.LessOrEqual(t, len(u.Path), maxUnixName)
			assert.NotContains(t, string(u.Path), "\x00")
		}
	})
}
