// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package netlink

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// padded is an attribute with its padding.
func padded(kind uint16, value []byte) []byte {
	b := attribute(kind, string(value))
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func u32(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

// stats is a struct rtnl_link_stats64 of n numbers that count from 100.
func stats(n int) []byte {
	var b []byte
	for i := range n {
		b = binary.NativeEndian.AppendUint64(b, uint64(100+i))
	}
	return b
}

var statsWant = LinkStats{
	RxPackets: 100, TxPackets: 101, RxBytes: 102, TxBytes: 103, RxErrors: 104, TxErrors: 105, RxDropped: 106, TxDropped: 107,
	Multicast: 108, Collisions: 109, RxMissed: 115,
}

// message joins a header and attributes.
func message(header []byte, attributes ...[]byte) []byte {
	b := append([]byte{}, header...)
	for _, a := range attributes {
		b = append(b, a...)
	}
	return b
}

func linkOf(index int32, flags uint32, attributes ...[]byte) []byte {
	return message(message([]byte{0, 0, 1, 0}, u32(uint32(index)), u32(flags), u32(0)), attributes...)
}

func TestDecodeLink(t *testing.T) {
	b := linkOf(4, 0x11043,
		padded(3, []byte("v\xff\x00")), padded(4, u32(1500)), padded(1, []byte{2, 0xfc, 0, 0, 0, 1}), padded(2, []byte{255, 255, 255, 255, 255, 255}),
		padded(35, u32(7)), padded(23, stats(25)), padded(0x8012, []byte("nested")), padded(7, stats(11)))
	var l Link
	require.NoError(t, DecodeLink(b, &l))
	assert.Equal(t, Link{
		Index: 4, Flags: 0x11043, Name: []byte("v\xff"), Address: []byte{2, 0xfc, 0, 0, 0, 1}, Broadcast: []byte{255, 255, 255, 255, 255, 255},
		MTU: 1500, CarrierChanges: 7, HasCarrierChanges: true, Stats: statsWant, HasStats: true,
	}, l)

	require.NoError(t, DecodeLink(linkOf(1, 0, padded(3, []byte("lo\x00"))), &l))
	assert.Equal(t, Link{Index: 1, Name: []byte("lo")}, l, "nothing of the one before")
	for name, bad := range map[string][]byte{
		"no name":     linkOf(1, 0),
		"empty name":  linkOf(1, 0, padded(3, []byte{0})),
		"no index":    linkOf(0, 0, padded(3, []byte("lo\x00"))),
		"index":       linkOf(-1, 0, padded(3, []byte("lo\x00"))),
		"header":      b[:15],
		"cut":         b[:len(b)-1],
		"mtu":         linkOf(1, 0, padded(3, []byte("lo\x00")), padded(4, []byte{1, 2})),
		"short stats": linkOf(1, 0, padded(3, []byte("lo\x00")), padded(23, stats(15))),
	} {
		assert.ErrorIs(t, DecodeLink(bad, &l), parse.ErrSyntax, name)
	}
}

func TestDecodeLinkStats(t *testing.T) {
	header := message([]byte{0, 0, 0, 0}, u32(9), u32(1))
	index, s, err := DecodeLinkStats(message(header, padded(99, nil), padded(1, stats(24))))
	require.NoError(t, err)
	assert.EqualValues(t, 9, index)
	assert.Equal(t, statsWant, s)
	for _, bad := range [][]byte{nil, header, message(header, padded(1, stats(15))), message(header, []byte{1}), message(header, padded(2, stats(24)))} {
		_, _, err := DecodeLinkStats(bad)
		assert.ErrorIs(t, err, parse.ErrSyntax)
	}
}

func TestDecodeAddress(t *testing.T) {
	address := func(family, bits byte, attributes ...[]byte) []byte {
		return message(message([]byte{family, bits, 0x80, 0}, u32(4)), attributes...)
	}
	ip := netip.MustParseAddr
	raw := func(s string) []byte { return ip(s).AsSlice() }
	for name, tt := range map[string]struct {
		in   []byte
		want Address
	}{
		"IPv4":                {address(2, 24, padded(1, raw("10.0.0.7")), padded(2, raw("10.0.0.7")), padded(4, raw("10.0.0.255")), padded(3, []byte("eth0:1\x00"))), Address{4, 24, ip("10.0.0.7"), ip("10.0.0.255"), netip.Addr{}}},
		"point to point":      {address(2, 32, padded(1, raw("10.0.0.2")), padded(2, raw("10.0.0.1"))), Address{4, 32, ip("10.0.0.1"), netip.Addr{}, ip("10.0.0.2")}},
		"broadcast wins":      {address(2, 32, padded(1, raw("10.0.0.2")), padded(2, raw("10.0.0.1")), padded(4, raw("10.0.0.3"))), Address{4, 32, ip("10.0.0.1"), ip("10.0.0.3"), netip.Addr{}}},
		"IPv6":                {address(10, 64, padded(1, raw("fe80::1")), padded(8, u32(0x80))), Address{4, 64, ip("fe80::1"), netip.Addr{}, netip.Addr{}}},
		"IPv6 point to point": {address(10, 128, padded(1, raw("2001:db8::2")), padded(2, raw("2001:db8::1"))), Address{4, 128, ip("2001:db8::1"), netip.Addr{}, ip("2001:db8::2")}},
		"another family":      {address(45, 8, padded(2, []byte{8})), Address{Index: 4, Bits: 8}},
	} {
		var a Address
		require.NoError(t, DecodeAddress(tt.in, &a), name)
		assert.Equal(t, tt.want, a, name)
	}
	var a Address
	for name, bad := range map[string][]byte{
		"none":   address(2, 24),
		"header": address(2, 24)[:7],
		"length": address(2, 24, padded(2, raw("fe80::1"))),
		"bits":   address(2, 33, padded(2, raw("10.0.0.1"))),
		"cut":    address(2, 24, padded(2, raw("10.0.0.1")))[:11],
		"index":  message([]byte{2, 8, 0, 0}, u32(0), padded(2, raw("10.0.0.1"))),
	} {
		assert.ErrorIs(t, DecodeAddress(bad, &a), parse.ErrSyntax, name)
	}
}

// TestRouteRequests has the requests as the kernel's headers define them.
func TestRouteRequests(t *testing.T) {
	assert.Equal(t, message(make([]byte, 16), padded(29, u32(8))), LinkRequest())
	assert.Equal(t, message(make([]byte, 8), u32(1)), LinkStatsRequest())
	assert.Equal(t, make([]byte, 8), AddressRequest())
}

func FuzzRoute(f *testing.F) {
	f.Add(linkOf(4, 0x11043, padded(3, []byte("eth0\x00")), padded(23, stats(25))))
	f.Add(message([]byte{0, 0, 0, 0}, u32(9), u32(1), padded(1, stats(24))))
	f.Add(message([]byte{2, 24, 0, 0}, u32(4), padded(2, []byte{10, 0, 0, 1})))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l Link
		if DecodeLink(b, &l) == nil {
			assert.Positive(t, l.Index)
			assert.NotEmpty(t, l.Name)
		}
		_, _, _ = DecodeLinkStats(b)
		var a Address
		if DecodeAddress(b, &a) == nil && a.Address.IsValid() {
			assert.LessOrEqual(t, a.Bits, a.Address.BitLen())
			assert.False(t, a.Broadcast.IsValid() && a.Peer.IsValid())
		}
	})
}
