// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/platform"
)

// lines are those of one metric, with its name before each.
func lines(metric string, values ...string) (all []string) {
	for _, v := range values {
		all = append(all, metric+v)
	}
	return all
}

func counted() *fakeHost {
	c := platform.ConnectionCounts{Has: [platform.NumTransports]bool{true, true, true}, UDP: [2]int64{4, 3}}
	c.TCP[0][platform.TCPEstablished], c.TCP[1][platform.TCPEstablished] = 20, 5
	c.TCP[0][platform.TCPListen], c.TCP[1][platform.TCPTimeWait], c.TCP[1][platform.TCPSynRecv] = 2, 7, 1
	c.Unix[platform.SocketStream], c.Unix[platform.SocketDatagram], c.Unix[platform.SocketSeqpacket] = 30, 8, 1
	return &fakeHost{tick: tick{connections: c}}
}

func TestConnectionCount(t *testing.T) {
	for config, want := range map[string][]string{
		"enabled: true": {
			"{network.connection.state=close_wait,network.transport=tcp} 0",
			"{network.connection.state=closed,network.transport=tcp} 0",
			"{network.connection.state=closing,network.transport=tcp} 0",
			"{network.connection.state=established,network.transport=tcp} 25",
			"{network.connection.state=fin_wait_1,network.transport=tcp} 0",
			"{network.connection.state=fin_wait_2,network.transport=tcp} 0",
			"{network.connection.state=last_ack,network.transport=tcp} 0",
			"{network.connection.state=listen,network.transport=tcp} 2",
			"{network.connection.state=syn_received,network.transport=tcp} 1",
			"{network.connection.state=syn_sent,network.transport=tcp} 0",
			"{network.connection.state=time_wait,network.transport=tcp} 7",
			"{network.transport=udp} 7",
			"{network.transport=unix} 39",
		},
		"attributes: [network.transport]": {"{network.transport=tcp} 35", "{network.transport=udp} 7", "{network.transport=unix} 39"},
		"attributes: [network.transport, network.type]": {
			"{network.transport=tcp,network.type=ipv4} 22", "{network.transport=tcp,network.type=ipv6} 13",
			"{network.transport=udp,network.type=ipv4} 4", "{network.transport=udp,network.type=ipv6} 3", "{network.transport=unix} 39",
		},
		"attributes: [network.transport, process.unix.socket.type]": {
			"{network.transport=tcp,process.unix.socket.type=stream} 35", "{network.transport=udp,process.unix.socket.type=dgram} 7",
			"{network.transport=unix,process.unix.socket.type=dgram} 8", "{network.transport=unix,process.unix.socket.type=seqpacket} 1",
			"{network.transport=unix,process.unix.socket.type=stream} 30",
		},
		"attributes: []": {" 81"},
	} {
		assert.Equal(t, lines(connectionCount, want...), scraped(t, scraperOn(t, platform.Linux, counted(), only(connectionCount, config)), snapshot()), config)
	}
}

// What a kernel does not have has no points; what is not known of what it has
// has one.
func TestConnectionCountInPart(t *testing.T) {
	h := counted()
	h.connections.Has = [platform.NumTransports]bool{platform.UDP: true}
	assert.Equal(t, lines(connectionCount, "{network.transport=udp} 7"), scraped(t, scraperOn(t, platform.Linux, h, only(connectionCount, "enabled: true")), snapshot()))

	h.connections = platform.ConnectionCounts{Has: [platform.NumTransports]bool{platform.TCP: true, platform.Unix: true}}
	h.connections.TCP[0][platform.TCPNone], h.connections.Unix[platform.SocketUnknown] = 2, 3
	got := scraped(t, scraperOn(t, platform.Linux, h, only(connectionCount, "attributes: [network.transport, network.type, network.connection.state, process.unix.socket.type]")), snapshot())
	assert.Len(t, got, 2*11+1+3+1)
	assert.Contains(t, got, connectionCount+"{network.transport=tcp,network.type=ipv4,process.unix.socket.type=stream} 2")
	assert.Contains(t, got, connectionCount+"{network.transport=unix} 3")
	assert.Contains(t, got, connectionCount+"{network.transport=unix,process.unix.socket.type=seqpacket} 0")
}

func end(text string) (a netip.AddrPort) {
	if text != "" {
		a = netip.MustParseAddrPort(text)
	}
	return a
}

func inet(inode uint64, transport platform.Transport, ipv6 bool, state platform.TCPState, local, peer string) platform.Socket {
	kind := platform.SocketStream
	if transport == platform.UDP {
		kind = platform.SocketDatagram
	}
	return platform.Socket{Inode: inode, Connection: platform.Connection{
		FD: -1, Transport: transport, IPv6: ipv6, Type: kind, State: state, Local: end(local), Peer: end(peer),
	}}
}

func unix(inode uint64, kind platform.SocketType, path string) platform.Socket {
	return platform.Socket{Inode: inode, Connection: platform.Connection{FD: -1, Transport: platform.Unix, Type: kind, Path: path}}
}

// has makes a process that has sockets, by descriptor and inode.
func has(pid int32, start uint64, fds ...uint64) *platform.Process {
	p := &platform.Process{ID: platform.ID{PID: pid, Start: start}, Got: platform.FieldFDs, More: &platform.More{FDs: []platform.FD{{Type: platform.FDFile, Inode: 1}}}}
	for i := 0; i < len(fds); i += 2 {
		p.More.FDs = append(p.More.FDs, platform.FD{Number: int32(fds[i]), Type: platform.FDSocket, Inode: fds[i+1]})
	}
	return p
}

func listed() (*fakeHost, *platform.Snapshot) {
	h := &fakeHost{tick: tick{sockets: []platform.Socket{
		inet(0, platform.TCP, false, platform.TCPTimeWait, "192.0.2.1:22", "198.51.100.9:40000"),
		inet(101, platform.TCP, false, platform.TCPListen, "0.0.0.0:22", ""),
		inet(102, platform.TCP, false, platform.TCPEstablished, "192.0.2.1:22", "198.51.100.7:40000"),
		inet(103, platform.TCP, true, platform.TCPCloseWait, "[::ffff:192.0.2.1]:80", "[::ffff:198.51.100.7]:40001"),
		inet(104, platform.UDP, true, platform.TCPNone, "[::]:68", ""),
		inet(105, platform.UDP, false, platform.TCPNone, "192.0.2.1:0", "198.51.100.7:0"), // not a port
		unix(106, platform.SocketStream, "/run/a"),
		unix(107, platform.SocketStream, ""),
		unix(108, platform.SocketStream, ""),
		unix(109, platform.SocketSeqpacket, "@b"),
	}}}
	snap := snapshot()
	snap.Processes = []*platform.Process{
		has(1, 5, 3, 101, 4, 106, 7, 106),
		has(20, 6, 5, 102),
		has(30, 7, 3, 101, 6, 102, 9, 109), // inherited
		{ID: platform.ID{PID: 40}},         // not readable
	}
	return h, snap
}

const everything = "attributes: [network.transport, network.connection.state, network.type, process.pid, network.local.address, network.local.port, network.peer.address, network.peer.port, process.unix.socket.type, process.unix.file_descriptor.number]"

func TestSockets(t *testing.T) {
	for config, want := range map[string][]string{
		everything: {
			"{network.connection.state=close_wait,network.local.address=::ffff:192.0.2.1,network.local.port=80,network.peer.address=::ffff:198.51.100.7,network.peer.port=40001,network.transport=tcp,network.type=ipv6,process.unix.socket.type=stream} 1",
			"{network.connection.state=established,network.local.address=192.0.2.1,network.local.port=22,network.peer.address=198.51.100.7,network.peer.port=40000,network.transport=tcp,network.type=ipv4,process.pid=20,process.unix.file_descriptor.number=5,process.unix.socket.type=stream} 1",
			"{network.connection.state=listen,network.local.address=0.0.0.0,network.local.port=22,network.transport=tcp,network.type=ipv4,process.pid=1,process.unix.file_descriptor.number=3,process.unix.socket.type=stream} 1",
			"{network.connection.state=time_wait,network.local.address=192.0.2.1,network.local.port=22,network.peer.address=198.51.100.9,network.peer.port=40000,network.transport=tcp,network.type=ipv4,process.unix.socket.type=stream} 1",
			"{network.local.address=/run/a,network.transport=unix,process.pid=1,process.unix.file_descriptor.number=4,process.unix.socket.type=stream} 1",
			"{network.local.address=192.0.2.1,network.peer.address=198.51.100.7,network.transport=udp,network.type=ipv4,process.unix.socket.type=dgram} 1",
			"{network.local.address=::,network.local.port=68,network.transport=udp,network.type=ipv6,process.unix.socket.type=dgram} 1",
			"{network.local.address=@b,network.transport=unix,process.pid=30,process.unix.file_descriptor.number=9,process.unix.socket.type=seqpacket} 1",
			"{network.transport=unix,process.unix.socket.type=stream} 2",
		},
		"attributes: [process.pid]":                                      {"{process.pid=1} 2", "{process.pid=20} 1", "{process.pid=30} 1", " 6"},
		"attributes: [process.unix.file_descriptor.number]":              {"{process.unix.file_descriptor.number=3} 1", "{process.unix.file_descriptor.number=4} 1", "{process.unix.file_descriptor.number=5} 1", "{process.unix.file_descriptor.number=9} 1", " 6"},
		"attributes: [network.local.port]":                               {"{network.local.port=22} 3", "{network.local.port=68} 1", "{network.local.port=80} 1", " 5"},
		"attributes: [network.peer.address]":                             {"{network.peer.address=198.51.100.7} 2", "{network.peer.address=198.51.100.9} 1", "{network.peer.address=::ffff:198.51.100.7} 1", " 6"},
		"attributes: [network.peer.port, network.transport]":             {"{network.peer.port=40000,network.transport=tcp} 2", "{network.peer.port=40001,network.transport=tcp} 1", "{network.transport=tcp} 1", "{network.transport=udp} 2", "{network.transport=unix} 4"},
		"attributes: [network.local.address], aggregation_strategy: max": {"{network.local.address=/run/a} 1", "{network.local.address=0.0.0.0} 1", "{network.local.address=192.0.2.1} 3", "{network.local.address=::ffff:192.0.2.1} 1", "{network.local.address=::} 1", "{network.local.address=@b} 1", " 2"},
	} {
		h, snap := listed()
		s := scraperOn(t, platform.Linux, h, only(connectionCount, config))
		assert.ElementsMatch(t, lines(connectionCount, want...), scraped(t, s, snap), config)
		assert.ElementsMatch(t, lines(connectionCount, want...), scraped(t, s, snap), "again: %s", config)
	}
}

// TestSocketOwners: descriptors hold until they are read again, or the process
// has ended.
func TestSocketOwners(t *testing.T) {
	h, snap := listed()
	s := scraperOn(t, platform.Linux, h, only(connectionCount, "attributes: [process.pid]"))
	scrape := func(processes ...*platform.Process) []string {
		snap.Processes = processes
		return scraped(t, s, snap)
	}
	unread := func(pid int32, start uint64) *platform.Process {
		return &platform.Process{ID: platform.ID{PID: pid, Start: start}, More: &platform.More{}}
	}
	want := func(values ...string) []string { return lines(connectionCount, values...) }
	assert.ElementsMatch(t, want("{process.pid=5} 2", "{process.pid=9} 1", " 7"), scrape(has(5, 1, 3, 101, 4, 102), has(9, 1, 3, 102, 4, 103)))
	assert.ElementsMatch(t, want("{process.pid=5} 2", "{process.pid=9} 1", " 7"), scrape(unread(5, 1), unread(9, 1)))
	assert.ElementsMatch(t, want("{process.pid=5} 1", "{process.pid=9} 2", " 7"), scrape(has(5, 1, 3, 101), unread(9, 1)), "5 has closed one")
	assert.ElementsMatch(t, want("{process.pid=9} 2", " 8"), scrape(unread(5, 2), unread(9, 1)), "5 is another process now")
	snap.ProcessesErr = platform.ErrTimeoutExpired
	got, err := scrape2(t, s, snap)
	require.ErrorIs(t, err, platform.ErrTimeoutExpired)
	assert.ElementsMatch(t, want("{process.pid=9} 2", " 8"), got, "what was known holds")
	snap.ProcessesErr = nil
	assert.ElementsMatch(t, want("{process.pid=5} 1", " 9"), scrape(has(5, 2, 3, 106)))
	assert.ElementsMatch(t, want(" 10"), scrape())
	assert.Empty(t, s.connections.owners.held)
}

// scrape2 is scraped with the error.
func scrape2(t *testing.T, s *Scraper, snap *platform.Snapshot) ([]string, error) {
	all, err := scrape(t, s, snap)
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all[1:], err
}

func TestSocketStat(t *testing.T) {
	const metric = "system.network.linux.socket.count"
	h := &fakeHost{tick: tick{socketStat: platform.SocketStat{
		Got: platform.SocketsTCP | platform.SocketsUDP | platform.SocketsUDPLite | platform.SocketsRaw,
		TCP: 8, Orphans: 2, TimeWait: 31, Allocated: 9, UDP: 6, UDPLite: 0, Raw: 3,
	}}}
	scrape := func(config string) []string {
		return scraped(t, scraperOn(t, platform.Linux, h, only(metric, config)), snapshot())
	}
	assert.Equal(t, lines(metric,
		"{network.transport=raw,system.network.linux.socket.state=inuse} 3",
		"{network.transport=tcp,system.network.linux.socket.state=alloc} 9",
		"{network.transport=tcp,system.network.linux.socket.state=inuse} 8",
		"{network.transport=tcp,system.network.linux.socket.state=orphan} 2",
		"{network.transport=tcp,system.network.linux.socket.state=tw} 31",
		"{network.transport=udp,system.network.linux.socket.state=inuse} 6",
		"{network.transport=udplite,system.network.linux.socket.state=inuse} 0",
	), scrape("enabled: true"))
	assert.Equal(t, lines(metric,
		"{system.network.linux.socket.state=alloc} 9", "{system.network.linux.socket.state=inuse} 17",
		"{system.network.linux.socket.state=orphan} 2", "{system.network.linux.socket.state=tw} 31",
	), scrape("enabled: true, attributes: [system.network.linux.socket.state]"))
	h.socketStat = platform.SocketStat{Got: platform.SocketsUDP, UDP: 1}
	assert.Equal(t, lines(metric, "{network.transport=udp,system.network.linux.socket.state=inuse} 1"), scrape("enabled: true"))
}

// manySockets are n connections of as many peers to one server.
func manySockets(n int) (*fakeHost, *platform.Snapshot) {
	h, snap := &fakeHost{}, snapshot()
	server := has(7, 1)
	for i := range n {
		peer := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 40000)
		h.sockets = append(h.sockets, inet(uint64(1000+i), platform.TCP, false, platform.TCPEstablished, "192.0.2.1:443", peer.String()))
		server.More.FDs = append(server.More.FDs, platform.FD{Number: int32(i), Type: platform.FDSocket, Inode: uint64(1000 + i)})
	}
	snap.Processes = []*platform.Process{server}
	return h, snap
}

// TestSocketsAreLinear: ten times the sockets take ten times the allocations,
// and nothing of them stays.
func TestSocketsAreLinear(t *testing.T) {
	each := map[string]float64{}
	for _, n := range []int{1_000, 10_000} {
		for _, config := range []string{everything, "attributes: [network.local.port, process.pid]"} {
			h, snap := manySockets(n)
			s := scraperOn(t, platform.Linux, h, only(connectionCount, config))
			allocs := testing.AllocsPerRun(3, func() {
				require.NoError(t, s.Scrape(t.Context(), snap, func(md pmetric.Metrics) error { return nil }))
			}) / float64(n)
			t.Logf("%d, %s: %.2f allocations per socket", n, config, allocs)
			if before, ok := each[config]; ok {
				assert.InDelta(t, before, allocs, 0.2*before+0.1, config)
			}
			each[config] = allocs
			assert.LessOrEqual(t, len(s.connections.groups.index), keptGroups)
		}
	}
	assert.Less(t, each["attributes: [network.local.port, process.pid]"], 0.2)
}

// BenchmarkSockets shows that the time per socket stays the same.
func BenchmarkSockets(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h, snap := manySockets(n)
			s := scraperOn(b, platform.Linux, h, only(connectionCount, everything))
			b.ReportAllocs()
			for b.Loop() {
				_ = s.Scrape(b.Context(), snap, func(pmetric.Metrics) error { return nil })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/socket")
		})
	}
}
