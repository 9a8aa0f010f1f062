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

// Lines of Linux 6.18, of a kernel that put no space before a number (2.6), of
// a name with a colon and a space (before 4.0), and of one that is not UTF-8.
const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  331723     472    0    0    0     0          0         0   331723     472    0    0    0     0       0          0
  eth0:18446744073709551615       2    3    4    5     6          7         8 9 10 11 12 13 14 15 16
a b:1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
` + "v\xff: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n"

func TestNetDev(t *testing.T) {
	b, err := Interfaces([]byte(netDev))
	require.NoError(t, err)
	var all []Interface
	var i Interface
	for len(b) > 0 {
		b, err = NextInterface(b, &i)
		require.NoError(t, err)
		all = append(all, i)
	}
	assert.Equal(t, []Interface{
		{Name: []byte("lo"), RxBytes: 331723, RxPackets: 472, TxBytes: 331723, TxPackets: 472},
		{Name: []byte("eth0"), RxBytes: 18446744073709551615, RxPackets: 2, RxErrors: 3, RxDropped: 4, Multicast: 8, TxBytes: 9, TxPackets: 10, TxErrors: 11, TxDropped: 12, Collisions: 14},
		{Name: []byte("a b:1"), RxBytes: 1, RxPackets: 2, RxErrors: 3, RxDropped: 4, Multicast: 8, TxBytes: 9, TxPackets: 10, TxErrors: 11, TxDropped: 12, Collisions: 14},
		{Name: []byte("v\xff"), RxBytes: 1, RxPackets: 1, RxErrors: 1, RxDropped: 1, Multicast: 1, TxBytes: 1, TxPackets: 1, TxErrors: 1, TxDropped: 1, Collisions: 1},
	}, all)
}

func TestNetDevMalformed(t *testing.T) {
	heading := strings.Join(strings.SplitAfter(netDev, "\n")[:2], "")
	lines, err := Interfaces([]byte(heading))
	require.NoError(t, err)
	assert.Empty(t, lines)
	for _, in := range []string{
		"", "Inter-|", heading[:100], strings.Replace(heading, "errs drop", "drop errs", 1), strings.Replace(heading, "Receive", "Transmit", 1),
	} {
		_, err := Interfaces([]byte(in))
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}
	var i Interface
	for _, in := range []string{
		"", "\n", "eth0\n", "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13\n", ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
		"eth0: 1 2 3 4 5 6 7 8 9 10 11 -12 13 14 15 16\n", "eth0: 18446744073709551616 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
		"eth0: 1 2 3x 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
	} {
		_, err := NextInterface([]byte(in), &i)
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}
}

// A file of Linux 6.18, in the order of its columns.
const snmp = `Ip: Forwarding DefaultTTL InReceives
Ip: 2 64 13681
IcmpMsg: InType3
IcmpMsg: 1
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors
Tcp: 1 200 120000 -1 52 25 7 12 0 13754 10817 49 0 16 0
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 44 0 3 46 2 0 1 0 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 0 9 0 0 0 0 0 0
`

func TestSNMP(t *testing.T) {
	var s SNMP
	require.NoError(t, DecodeSNMP([]byte(snmp), &s))
	assert.Equal(t, SNMP{HasTCP: true, HasUDP: true, TCPAttemptFails: 7, TCPEstabResets: 12, TCPRetransSegs: 49, UDPInErrors: 3}, s)
	require.NoError(t, DecodeSNMP(nil, &s))
	assert.Zero(t, s)
	for _, in := range []string{
		"Tcp", "Tcp: RetransSegs\n", "Tcp: RetransSegs\nUdp: 1\n", "Tcp: AttemptFails EstabResets RetransSegs\nTcp: 1 2\n",
		"Tcp: AttemptFails EstabResets\nTcp: 1 2\n", "Tcp: AttemptFails EstabResets RetransSegs\nTcp: 1 2 3", "Udp: InErrors\nUdp: -1\n", "Udp: InErrors\nUdp: 1x\n",
		"Udp: InErrors\nUdp:\n", "Udp: InErrors InErrors\nUdp: 1 2\n",
	} {
		assert.ErrorIs(t, DecodeSNMP([]byte(in), &s), parse.ErrSyntax, "%q", in)
	}
}

func TestUDP6InErrors(t *testing.T) {
	n, err := UDP6InErrors([]byte("Udp6NoPorts                     \t1\nUdp6InErrors                    \t18446744073709551615\nUdpLite6InErrors \t3\n"))
	require.NoError(t, err)
	assert.Equal(t, uint64(18446744073709551615), n)
	for _, in := range []string{"", "Udp6InErrors\n", "Udp6InErrorsToo 1\n", "Udp6InErrors x\n", "Udp6InErrors 1 2\n"} {
		_, err := UDP6InErrors([]byte(in))
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}
}

func TestNetDevNoAllocation(t *testing.T) {
	dev, counters := []byte(netDev), []byte(snmp)
	var i Interface
	var s SNMP
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		for b, _ := Interfaces(dev); len(b) > 0; {
			b, _ = NextInterface(b, &i)
		}
		_ = DecodeSNMP(counters, &s)
	}))
}

func FuzzNetDev(f *testing.F) {
	f.Add([]byte(netDev))
	f.Add([]byte("eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if lines, err := Interfaces(b); err == nil {
			b = lines
		}
		var i Interface
		for len(b) > 0 {
			rest, err := NextInterface(b, &i)
			if err != nil {
				return
			}
			assert.NotEmpty(t, i.Name)
			assert.Less(t, len(rest), len(b))
			b = rest
		}
	})
}

func FuzzSNMP(f *testing.F) {
	f.Add([]byte(snmp))
	f.Add([]byte("Udp6InErrors \t1\n"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		var s SNMP
		_ = DecodeSNMP(b, &s)
		_, _ = UDP6InErrors(b)
	})
}
