// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const allNetwork = NetworkAddresses<<1 - 1

func interfaces(t testing.TB, h *Host, want NetworkFields) map[string]NetworkInterface {
	t.Helper()
	list, err := h.NetworkInterfaces(nil, want, nil)
	require.NoError(t, err)
	all := map[string]NetworkInterface{}
	for _, i := range list {
		all[i.Name] = i
	}
	require.Len(t, all, len(list))
	return all
}

func openRoot(t testing.TB, root Root) *Host {
	h, err := Open(root, Machine{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

func (tr tree) netDev(lines ...string) {
	tr.write("proc/1/net/dev", "Inter-|   Receive                                                |  Transmit\n"+
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"+strings.Join(lines, ""))
}

func netDevLine(name string, n int) string {
	return fmt.Sprintf("%6s: %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d\n", name,
		n, n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8, n+9, n+10, n+11, n+12, n+13, n+14, n+15)
}

func (tr tree) net(name string, files map[string]string) {
	for file, text := range files {
		tr.write("sys/class/net/"+name+"/"+file, text+"\n")
	}
}

// TestNetworkFiles: what files tell of the interfaces.
func TestNetworkFiles(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	list, err := h.NetworkInterfaces(nil, allNetwork, nil)
	require.NoError(t, err, "a kernel without networks")
	assert.Empty(t, list)

	tr.netDev(netDevLine("lo", 1), netDevLine("eth0", 100), netDevLine("eth1", 200), netDevLine("tun0", 300))
	tr.net("lo", map[string]string{"operstate": "unknown", "mtu": "65536", "carrier_changes": "0", "flags": "0x9", "address": "00:00:00:00:00:00", "broadcast": "00:00:00:00:00:00"})
	tr.net("eth0", map[string]string{"operstate": "up", "mtu": "1500", "carrier_changes": "3", "flags": "0x1003", "speed": "25000", "duplex": "full", "address": "3c:ec:ef:10:20:0a", "broadcast": "ff:ff:ff:ff:ff:ff"})
	tr.net("eth1", map[string]string{"operstate": "down", "mtu": "9000", "carrier_changes": "4", "flags": "0x1003", "speed": "-1", "duplex": "unknown", "address": "", "broadcast": ""})
	counters := func(i NetworkInterface, n uint64) NetworkInterface {
		i.BytesRecv, i.PacketsRecv, i.ErrIn, i.DropIn, i.Multicast = n, n+1, n+2, n+3, n+7
		i.BytesSent, i.PacketsSent, i.ErrOut, i.DropOut, i.Collisions = n+8, n+9, n+10, n+11, n+13
		i.Got |= counted
		return i
	}
	const told = NetworkUp | NetworkMTU | NetworkCarrierChanges | NetworkDuplex | NetworkAddresses
	want := []NetworkInterface{
		counters(NetworkInterface{Name: "lo", Got: told, Up: true, MTU: 65536, Loopback: true}, 1),
		counters(NetworkInterface{
			Name: "eth0", Got: told | NetworkSpeed, Up: true, MTU: 1500, CarrierChanges: 3, Speed: 25_000_000_000, Duplex: DuplexFull,
			Addresses: []NetworkAddress{{Family: FamilyLink, Address: "3C-EC-EF-10-20-0A", Broadcast: "FF-FF-FF-FF-FF-FF"}},
		}, 100),
		counters(NetworkInterface{Name: "eth1", Got: told, MTU: 9000, CarrierChanges: 4}, 200),
		counters(NetworkInterface{Name: "tun0"}, 300), // which is not in /sys
	}
	list, err = h.NetworkInterfaces(nil, allNetwork, nil)
	require.NoError(t, err)
	assert.Equal(t, want, list)

	// What nobody wants is not read, of which nobody selects neither.
	before := h.calls
	list, err = h.NetworkInterfaces(list[:0], NetworkIO, nil)
	require.NoError(t, err)
	assert.Equal(t, 4, h.calls-before, "open, read, end, close")
	assert.Equal(t, counters(NetworkInterface{Name: "eth0"}, 100), list[1])
	before = h.calls
	list, err = h.NetworkInterfaces(list[:0], NetworkUp, func(i *NetworkInterface) bool { return i.Name == "eth0" })
	require.NoError(t, err)
	assert.Equal(t, 4+3, h.calls-before)
	assert.Equal(t, []NetworkInterface{counters(NetworkInterface{Name: "eth0", Got: NetworkUp, Up: true}, 100)}, list)

	// A link that comes up is asked at once, whichever of them it was.
	tr.net("eth1", map[string]string{"operstate": "up", "speed": "1000", "duplex": "half"})
	tr.net("eth0", map[string]string{"speed": "10"})
	list, err = h.NetworkInterfaces(list[:0], allNetwork, nil)
	require.NoError(t, err)
	assert.Equal(t, uint64(10_000_000), list[1].Speed)
	assert.True(t, list[2].Up)
	assert.Equal(t, uint64(1_000_000_000), list[2].Speed)
	assert.Equal(t, DuplexHalf, list[2].Duplex)

	// Otherwise each in its turn.
	tr.net("eth0", map[string]string{"speed": "100"})
	tr.net("eth1", map[string]string{"speed": "200"})
	seen := map[uint64]int{}
	for range rotation {
		list, err = h.NetworkInterfaces(list[:0], allNetwork, nil)
		require.NoError(t, err)
		seen[list[1].Speed]++
		seen[list[2].Speed]++
	}
	assert.Equal(t, uint64(100_000_000), list[1].Speed)
	assert.Equal(t, uint64(200_000_000), list[2].Speed)
	assert.Positive(t, seen[10_000_000]+seen[1_000_000_000])

	// One that goes down has none.
	tr.net("eth0", map[string]string{"operstate": "dormant"})
	list, err = h.NetworkInterfaces(list[:0], allNetwork, nil)
	require.NoError(t, err)
	assert.False(t, list[1].Up)
	assert.False(t, list[1].Got.Has(NetworkSpeed))
	assert.Equal(t, DuplexUnknown, list[1].Duplex)
	assert.True(t, list[1].Got.Has(NetworkDuplex))
}

func TestNetworkFilesMalformed(t *testing.T) {
	for file, text := range map[string]string{
		"mtu": "-1", "carrier_changes": "many", "flags": "49", "address": "3c:ec:ef:10:20:zz", "broadcast": "3c:ec:100:00:00:00", "speed": "fast",
	} {
		tr := newTree(t)
		h := tr.open()
		tr.netDev(netDevLine("eth0", 1))
		tr.net("eth0", map[string]string{"operstate": "up", "mtu": "1500", "flags": "0x1"})
		tr.net("eth0", map[string]string{file: text})
		list, err := h.NetworkInterfaces(nil, allNetwork, nil)
		assert.ErrorIs(t, err, ErrMalformed, file)
		assert.ErrorContains(t, err, tr.dir+"/sys/class/net/eth0/"+file)
		require.Len(t, list, 1)
		assert.True(t, list[0].Got.Has(counted|NetworkUp), "the rest is told")
	}
	tr := newTree(t)
	h := tr.open()
	tr.netDev("eth0 1 2 3\n")
	_, err := h.NetworkInterfaces(nil, allNetwork, nil)
	assert.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, tr.dir+"/proc/1/net/dev")
}

// TestNetworkNames: a name may be any bytes, and come twice.
func TestNetworkNames(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	tr.netDev(netDevLine("eth0:1", 1), netDevLine("a b", 2), netDevLine("eth0:1", 3), netDevLine("\xff", 4), netDevLine("\xfe", 5), netDevLine("\uFFFD", 6))
	for range 2 {
		list, err := h.NetworkInterfaces(nil, NetworkIO, nil)
		require.NoError(t, err)
		var got []string
		for _, i := range list {
			got = append(got, fmt.Sprint(i.Name, " ", i.BytesRecv))
		}
		assert.Equal(t, []string{"eth0:1 1", "a b 2", "\uFFFD 4"}, got)
	}
}

func TestProtocols(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	var p Protocols
	require.NoError(t, h.Protocols(&p, ProtocolTCP|ProtocolUDP))
	assert.Zero(t, p)
	tr.write("proc/1/net/snmp", "Tcp: RtoAlgorithm MaxConn AttemptFails EstabResets RetransSegs InErrs\nTcp: 1 -1 3 4 5 6\nUdp: InDatagrams InErrors\nUdp: 7 8\n")
	require.NoError(t, h.Protocols(&p, ProtocolTCP|ProtocolUDP))
	assert.Equal(t, Protocols{Got: ProtocolTCP | ProtocolUDP, Retransmitted: 5, FailedAttempts: 3, Resets: 4, UDPErrors: 8}, p, "no IPv6")
	tr.write("proc/1/net/snmp6", "Udp6NoPorts                     \t1\nUdp6InErrors                    \t100\n")
	require.NoError(t, h.Protocols(&p, ProtocolTCP|ProtocolUDP))
	assert.Equal(t, uint64(108), p.UDPErrors)
	before := h.calls
	require.NoError(t, h.Protocols(&p, ProtocolTCP))
	assert.Equal(t, 4, h.calls-before)
	assert.Equal(t, Protocols{Got: ProtocolTCP, Retransmitted: 5, FailedAttempts: 3, Resets: 4}, p)
	tr.write("proc/1/net/snmp6", "Udp6NoPorts 1\n")
	err := h.Protocols(&p, ProtocolUDP|ProtocolTCP)
	assert.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, tr.dir+"/proc/1/net/snmp6")
	assert.Equal(t, ProtocolTCP, p.Got, "half of the errors is none")
	tr.write("proc/1/net/snmp", "Tcp: 1 2\n")
	assert.ErrorIs(t, h.Protocols(&p, ProtocolTCP), ErrMalformed)
}

func TestConntrack(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	var c Conntrack
	require.NoError(t, h.Conntrack(&c, ConntrackCount|ConntrackMax))
	assert.Zero(t, c)
	tr.write("proc/sys/net/netfilter/nf_conntrack_count", "0\n")
	tr.write("proc/sys/net/netfilter/nf_conntrack_max", "262144\n")
	require.NoError(t, h.Conntrack(&c, ConntrackCount|ConntrackMax))
	assert.Equal(t, Conntrack{Got: ConntrackCount | ConntrackMax, Max: 262144}, c)
	require.NoError(t, h.Conntrack(&c, ConntrackMax))
	assert.Equal(t, Conntrack{Got: ConntrackMax, Max: 262144}, c)
	tr.write("proc/sys/net/netfilter/nf_conntrack_max", "0\n")
	require.NoError(t, h.Conntrack(&c, ConntrackMax))
	assert.Zero(t, c, "no limit")
	tr.write("proc/sys/net/netfilter/nf_conntrack_count", "-1\n")
	assert.ErrorIs(t, h.Conntrack(&c, ConntrackCount), ErrMalformed)
}

// TestNetworkNamespace makes interfaces, and reads them by system calls, by
// the files of the same network, and the network outside by its files.
func TestNetworkNamespace(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	root := namespaceRoot(t)
	// No solicitations of IPv6 between the frames that are counted.
	_ = os.WriteFile(root.Path+"/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
	const odd = "v\xff\"1"
	addVeth(t, "v0", odd)
	h := openRoot(t, root)
	files := openRoot(t, root)
	files.net = hostNetwork{looked: true, folder: "1/net/", sysfs: true}
	all := interfaces(t, h, allNetwork)
	require.Len(t, all, 3)
	v0, v1 := all["v0"], all["v\uFFFD\"1"]
	require.NotZero(t, v0.Index)
	require.NotZero(t, v1.Index)
	assert.True(t, h.net.own, "the first process is we")
	assert.False(t, v0.Up)
	assert.Equal(t, DuplexUnknown, v0.Duplex)
	assert.False(t, v0.Got.Has(NetworkSpeed))
	assert.True(t, all["lo"].Loopback)
	assert.Empty(t, all["lo"].Addresses)

	setLink(t, v0.Index, attr32(unix.IFLA_MTU, 1400), attr(unix.IFLA_ADDRESS, []byte{2, 0, 0, 0xab, 0xcd, 1}))
	setFlags(t, v0.Index, unix.IFF_UP)
	become := func(name string, up bool) { // the kernel takes its time
		t.Helper()
		require.Eventually(t, func() bool { return interfaces(t, h, allNetwork)[name].Up == up }, time.Minute, time.Millisecond)
	}
	become("v0", false) // no carrier: the other end is down
	setFlags(t, v1.Index, unix.IFF_UP)
	become("v0", true)
	become(v1.Name, true)
	addAddress(t, v0.Index, "10.9.0.1/24", netip.MustParseAddr("10.9.0.255"), netip.Addr{})
	addAddress(t, v0.Index, "10.9.1.1/32", netip.Addr{}, netip.MustParseAddr("10.9.1.2"))
	sendFrames(t, v0.Index, 5)

	v0 = interfaces(t, h, allNetwork)["v0"]
	assert.Equal(t, []NetworkAddress{
		{Family: FamilyLink, Address: "02-00-00-AB-CD-01", Broadcast: "FF-FF-FF-FF-FF-FF"},
		{Family: FamilyIPv4, Address: "10.9.0.1", Netmask: "255.255.255.0", Prefix: 24, Broadcast: "10.9.0.255"},
		{Family: FamilyIPv4, Address: "10.9.1.1", Netmask: "255.255.255.255", Prefix: 32, Peer: "10.9.1.2"},
	}, v0.Addresses)
	assert.True(t, v0.Up)
	assert.Equal(t, uint64(1400), v0.MTU)
	assert.Equal(t, uint64(10_000_000_000), v0.Speed)
	assert.Equal(t, DuplexFull, v0.Duplex)
	assert.Equal(t, [3]uint64{500, 5, 0}, [3]uint64{v0.BytesSent, v0.PacketsSent, v0.PacketsRecv})
	v1 = interfaces(t, h, allNetwork)[v1.Name]
	assert.Equal(t, [4]uint64{500, 5, 0, 5}, [4]uint64{v1.BytesRecv, v1.PacketsRecv, v1.PacketsSent, v1.DropIn})
	assert.Equal(t, allNetwork, v1.Got)

	// Every counter is that of sysfs, whose files tell one each.
	statistic := func(link, file string) uint64 {
		b, err := os.ReadFile(root.Path + "/sys/class/net/" + link + "/" + file)
		require.NoError(t, err)
		n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
		require.NoError(t, err)
		return n
	}
	for link, i := range map[string]NetworkInterface{"v0": v0, odd: v1} {
		for file, n := range map[string]uint64{
			"rx_bytes": i.BytesRecv, "tx_bytes": i.BytesSent, "rx_packets": i.PacketsRecv, "tx_packets": i.PacketsSent,
			"rx_errors": i.ErrIn, "tx_errors": i.ErrOut, "tx_dropped": i.DropOut, "multicast": i.Multicast, "collisions": i.Collisions,
		} {
			assert.Equal(t, statistic(link, "statistics/"+file), n, file)
		}
		assert.Equal(t, statistic(link, "carrier_changes"), i.CarrierChanges)
		assert.Equal(t, statistic(link, "ifindex"), uint64(i.Index))
		assert.Equal(t, statistic(link, "statistics/rx_dropped")+statistic(link, "statistics/rx_missed_errors"), i.DropIn)
	}

	// A kernel that tells statistics apart says the same, and so do the files,
	// which know no addresses but those of the hardware.
	byStats := openRoot(t, root)
	byStats.network.kernel.apart = true
	want := interfaces(t, h, allNetwork)
	assert.Equal(t, want, interfaces(t, byStats, allNetwork))
	for name, i := range interfaces(t, files, allNetwork) {
		w := want[name]
		w.Index, w.Addresses = 0, w.Addresses[:min(1, len(w.Addresses))]
		assert.Equal(t, w, i)
	}

	// Another name, the same interface; one that is gone; one that is new.
	setFlags(t, v0.Index, 0)
	setLink(t, v0.Index, attr(unix.IFLA_IFNAME, []byte("renamed\x00")))
	setFlags(t, v0.Index, unix.IFF_UP)
	become("renamed", true)
	renamed := interfaces(t, h, allNetwork)
	assert.NotContains(t, renamed, "v0")
	assert.Equal(t, v0.Index, renamed["renamed"].Index)
	assert.Equal(t, uint64(500), renamed["renamed"].BytesSent)
	assert.Equal(t, v0.CarrierChanges+2, renamed["renamed"].CarrierChanges)
	assert.Equal(t, uint64(10_000_000_000), renamed["renamed"].Speed)
	deleteLink(t, v0.Index)
	assert.Len(t, interfaces(t, h, allNetwork), 1)
	assert.Len(t, interfaces(t, files, allNetwork), 1)
	assert.Len(t, h.network.known, 1)
	addVeth(t, "v0", "v1")
	again := interfaces(t, h, allNetwork)["v0"]
	assert.NotEqual(t, v0.Index, again.Index)

	// With IPv6 it sends frames of its own.
	if os.WriteFile(root.Path+"/proc/sys/net/ipv6/conf/v0/disable_ipv6", []byte("0"), 0) == nil {
		addAddress(t, again.Index, "2001:db8::1/64", netip.Addr{}, netip.Addr{})
		assert.Contains(t, interfaces(t, h, allNetwork)["v0"].Addresses,
			NetworkAddress{Family: FamilyIPv6, Address: "2001:db8::1", Netmask: "ffff:ffff:ffff:ffff::", Prefix: 64})
	}

	// From here the host's network is another one, of which there are files.
	outside := openRoot(t, Root{})
	theirs := interfaces(t, outside, allNetwork)
	assert.False(t, outside.net.own)
	assert.NotContains(t, theirs, "v0")
	b, err := os.ReadFile("/proc/1/net/dev")
	require.NoError(t, err)
	assert.Len(t, theirs, strings.Count(string(b), "\n")-2)
	for name, i := range theirs {
		assert.Contains(t, string(b), name+":")
		assert.True(t, i.Got.Has(counted|NetworkUp|NetworkMTU), name)
	}
	var c Conntrack
	require.NoError(t, outside.Conntrack(&c, ConntrackCount|ConntrackMax))
	assert.Zero(t, c, "it would be ours")
	var p Protocols
	require.NoError(t, outside.Protocols(&p, ProtocolTCP|ProtocolUDP))
	assert.Equal(t, ProtocolTCP|ProtocolUDP, p.Got)

	// And this /sys is not theirs.
	mixed := openRoot(t, Root{Sys: root.Path + "/sys"})
	for name, i := range interfaces(t, mixed, allNetwork) {
		assert.Equal(t, counted, i.Got, name)
	}
}

// TestNetworkChurn: interfaces come and go while they are read, by each way.
// Those that stay are in every reading, once, and nothing is an error.
func TestNetworkChurn(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	root := namespaceRoot(t)
	for i := range 50 { // more than one part of a dump
		addVeth(t, fmt.Sprint("stay", i), fmt.Sprint("too", i))
	}
	end, ended := make(chan struct{}), make(chan error)
	go func() {
		for err := error(nil); ; {
			select {
			case <-end:
				ended <- err
				return
			default:
				x := attr(unix.IFLA_IFNAME, []byte("x\x00"))
				err = errors.Join(err, tryVeth("x", "y"), tryRTNL(unix.RTM_DELLINK, 0, linkHeader(0, 0, 0), x))
			}
		}
	}()
	ways := map[string]*Host{"rtnetlink": openRoot(t, root), "statistics apart": openRoot(t, root), "files": openRoot(t, root)}
	ways["statistics apart"].network.kernel.apart = true
	ways["files"].net = hostNetwork{looked: true, folder: "1/net/", sysfs: true}
	for round := range 50 {
		for way, h := range ways {
			stay := 0
			for name, i := range interfaces(t, h, allNetwork) {
				if name != "x" && name != "y" {
					stay++
					assert.True(t, i.Got.Has(counted|NetworkUp|NetworkMTU|NetworkAddresses), "%s: %s", way, name)
				}
			}
			assert.Equal(t, 101, stay, "%s, round %d", way, round)
		}
	}
	close(end)
	assert.NoError(t, <-ended)
}

// TestNetworkStuck: a driver that holds the kernel's lock costs no more than
// what the lock is for.
func TestNetworkStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTree(t)
		tr.netDev(netDevLine("eth0", 100))
		h := tr.open()
		n := &h.network
		h.net = hostNetwork{looked: true, folder: "1/net/", own: true, sysfs: true}
		hold, holdSettings := make(chan struct{}), make(chan struct{})
		close(hold)
		close(holdSettings)
		n.kernel.run = func() {
			<-hold
			l := kernelLink{NetworkInterface: NetworkInterface{Index: 7, Got: counted | NetworkUp, BytesRecv: 50, Up: true}}
			l.nameLen = uint8(copy(l.name[:], "eth0"))
			n.kernel.links, n.kernel.err = []kernelLink{l}, nil
		}
		n.settings.run = func() {
			<-holdSettings
			n.settings.links[0].Speed, n.settings.links[0].Duplex = 1e9, DuplexFull
		}
		read := func() (NetworkInterface, time.Duration, error) {
			start := time.Now()
			list, err := h.NetworkInterfaces(nil, NetworkUp|NetworkSpeed|NetworkDuplex, nil)
			require.Len(t, list, 1)
			return list[0], time.Since(start), err
		}
		whole := NetworkInterface{Name: "eth0", Index: 7, Got: counted | NetworkUp | NetworkSpeed | NetworkDuplex, BytesRecv: 50, Up: true, Speed: 1e9, Duplex: DuplexFull}
		i, took, err := read()
		require.NoError(t, err)
		assert.Equal(t, whole, i)
		assert.Zero(t, took)

		hold = make(chan struct{})
		for _, waits := range []time.Duration{networkPatience, 0} {
			i, took, err = read()
			assert.EqualError(t, err, "network links: timeout expired")
			assert.Equal(t, waits, took)
			assert.Equal(t, counted, i.Got)
			assert.Equal(t, uint64(100), i.BytesRecv)
			assert.Equal(t, int32(7), i.Index, "the same interface")
		}
		close(hold)
		synctest.Wait()

		holdSettings = make(chan struct{})
		n.known["eth0"].asked = false
		for _, waits := range []time.Duration{networkPatience, 0} {
			i, took, err = read()
			assert.EqualError(t, err, "network link settings: timeout expired")
			assert.Equal(t, waits, took)
			assert.Equal(t, counted|NetworkUp, i.Got)
		}
		close(holdSettings)
		synctest.Wait()
		i, _, err = read()
		require.NoError(t, err)
		assert.Equal(t, whole, i)
	})
}

// TestLiveNetwork compares with the standard library.
func TestLiveNetwork(t *testing.T) {
	h := live(t)
	list, err := h.NetworkInterfaces(nil, allNetwork, nil)
	require.NoError(t, err)
	theirs, err := net.Interfaces()
	require.NoError(t, err)
	require.Len(t, list, len(theirs))
	for n, i := range list {
		o := theirs[n]
		assert.Equal(t, o.Name, i.Name)
		assert.EqualValues(t, o.Index, i.Index)
		assert.EqualValues(t, o.MTU, i.MTU)
		assert.Equal(t, o.Flags&net.FlagLoopback != 0, i.Loopback)
		assert.Equal(t, o.Flags&net.FlagRunning != 0 && o.Flags&net.FlagUp != 0, i.Up)
		addrs, err := o.Addrs()
		require.NoError(t, err)
		var want, got []string
		if len(o.HardwareAddr) > 0 {
			want = append(want, strings.ToUpper(strings.ReplaceAll(o.HardwareAddr.String(), ":", "-")))
		}
		for _, a := range addrs {
			want = append(want, a.String())
		}
		for _, a := range i.Addresses {
			if a.Family == FamilyLink {
				got = append(got, a.Address)
			} else {
				got = append(got, a.Address+"/"+strconv.Itoa(a.Prefix))
			}
			assert.False(t, a.Broadcast != "" && a.Peer != "")
		}
		assert.Equal(t, want, got)
	}
}
