// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"net/netip"
	"slices"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

const connectionCount = "system.network.connection.count"

// The attributes that take single sockets.
const (
	localAddress = "network.local.address"
	localPort    = "network.local.port"
	peerAddress  = "network.peer.address"
	peerPort     = "network.peer.port"
	processPID   = "process.pid"
	fdNumber     = "process.unix.file_descriptor.number"
)

// Those of them that tell whose a socket is.
var socketOwner = []string{processPID, fdNumber}

var socketDetail = append([]string{localAddress, localPort, peerAddress, peerPort}, socketOwner...)

var connectionMetrics = []metric{
	{connectionCount, need{reading: platform.ReadingConnections, also: platform.FieldFDs, alsoBy: socketOwner}, (*Scraper).recordConnections},
	{"system.network.linux.socket.count", need{reading: platform.ReadingSocketStat, on: platform.Linux}, recordSocketStat},
}

const (
	socketType = "process.unix.socket.type"
	transport  = "network.transport"
	tcpState   = "network.connection.state"
	family     = "network.type"
)

var (
	transports = [platform.NumTransports]emit.Attr{
		platform.TCP:  emit.Str(transport, "tcp"),
		platform.UDP:  emit.Str(transport, "udp"),
		platform.Unix: emit.Str(transport, "unix"),
	}
	families  = [...]emit.Attr{emit.Str(family, "ipv4"), emit.Str(family, "ipv6"), noFamily: emit.Str(family, "")}
	tcpStates = [platform.NumTCPStates]emit.Attr{
		platform.TCPNone:        emit.Str(tcpState, ""),
		platform.TCPEstablished: emit.Str(tcpState, "established"),
		platform.TCPSynSent:     emit.Str(tcpState, "syn_sent"),
		platform.TCPSynRecv:     emit.Str(tcpState, "syn_received"),
		platform.TCPFinWait1:    emit.Str(tcpState, "fin_wait_1"),
		platform.TCPFinWait2:    emit.Str(tcpState, "fin_wait_2"),
		platform.TCPTimeWait:    emit.Str(tcpState, "time_wait"),
		platform.TCPClose:       emit.Str(tcpState, "closed"),
		platform.TCPCloseWait:   emit.Str(tcpState, "close_wait"),
		platform.TCPLastAck:     emit.Str(tcpState, "last_ack"),
		platform.TCPListen:      emit.Str(tcpState, "listen"),
		platform.TCPClosing:     emit.Str(tcpState, "closing"),
	}
	// socketTypes are those that TCP, UDP and Unix sockets have.
	socketTypes = [platform.NumSocketTypes]emit.Attr{
		platform.SocketStream:    emit.Str(socketType, "stream"),
		platform.SocketDatagram:  emit.Str(socketType, "dgram"),
		platform.SocketSeqpacket: emit.Str(socketType, "seqpacket"),
	}
)

// noFamily indexes families for Unix sockets; the others by whether they are
// of IPv6.
const noFamily = 2

// connectionState is what is kept of single sockets from one scrape to the
// next.
type connectionState struct {
	owners socketOwners
	groups socketGroups
	attrs  []emit.Attr
}

// readConnections counts, unless single sockets are wanted.
func (s *Scraper) readConnections(t *tick) (err error) {
	if to := s.points(connectionCount); slices.ContainsFunc(socketDetail, to.Lists) {
		t.sockets, err = s.host.Connections(t.sockets, to.Lists(localAddress), nil)
		return err
	}
	return s.host.ConnectionCounts(&t.connections)
}

// recordConnections has a point for each state of TCP, also where no connection
// is in it, so that its series goes on.
func (s *Scraper) recordConnections(to *emit.Points, t *tick) {
	if slices.ContainsFunc(socketDetail, to.Lists) {
		s.recordSockets(to, t)
		return
	}
	c := &t.connections
	for version := range noFamily {
		if c.Has[platform.TCP] {
			for state, n := range c.TCP[version] {
				if n > 0 || state != int(platform.TCPNone) {
					to.Int(n, transports[platform.TCP], tcpStates[state], families[version], socketTypes[platform.SocketStream])
				}
			}
		}
		if c.Has[platform.UDP] {
			to.Int(c.UDP[version], transports[platform.UDP], tcpStates[platform.TCPNone], families[version], socketTypes[platform.SocketDatagram])
		}
	}
	if c.Has[platform.Unix] {
		for kind, n := range c.Unix {
			if n > 0 || socketTypes[kind] != (emit.Attr{}) {
				to.Int(n, transports[platform.Unix], tcpStates[platform.TCPNone], families[noFamily], socketTypes[kind])
			}
		}
	}
}

// recordSockets has a point for each group of sockets that have all wanted
// attributes in common.
func (s *Scraper) recordSockets(to *emit.Points, t *tick) {
	c := &s.connections
	if slices.ContainsFunc(socketOwner, to.Lists) && t.ProcessesErr == nil {
		c.owners.update(t.Processes)
	}
	c.groups.begin(to)
	for i := range t.sockets {
		c.groups.add(&t.sockets[i], &c.owners)
	}
	for i := range c.groups.list {
		g := &c.groups.list[i]
		attrs := append(c.attrs[:0], transports[g.transport], tcpStates[g.state], families[g.family], socketTypes[g.kind],
			emit.Str(localAddress, g.path), emit.Attr{}, emit.Attr{}, emit.Attr{}, emit.Attr{}, emit.Attr{})
		if g.local.IsValid() {
			attrs[4] = emit.Str(localAddress, g.local.String())
		}
		if g.peer.IsValid() {
			attrs[5] = emit.Str(peerAddress, g.peer.String())
		}
		for j, n := range [...]struct {
			key   string
			value int64
			none  int64
		}{{localPort, int64(g.localPort), 0}, {peerPort, int64(g.peerPort), 0}, {processPID, int64(g.pid), none}, {fdNumber, int64(g.fd), none}} {
			if n.value != n.none {
				attrs[6+j] = emit.Int(n.key, n.value)
			}
		}
		to.Int(g.count, attrs...)
		c.attrs = attrs
	}
	c.groups.end()
}

// none is no number of a process or a descriptor.
const none = -1

// socketGroup is what sockets have in common as far as it is wanted; the zero
// value of a field, or none, stands for what is not wanted or not known.
type socketGroup struct {
	transport           platform.Transport
	state               platform.TCPState
	family              uint8
	kind                platform.SocketType
	local, peer         netip.Addr
	localPort, peerPort uint16
	path                string
	pid, fd             int32
}

// socketGroups counts sockets by what they have in common.
type socketGroups struct {
	index map[socketGroup]int // in list
	list  []struct {
		socketGroup
		count int64
	}
	transport, state, family, kind bool // are wanted, as are the following
	local, localPort               bool
	peer, peerPort                 bool
	pid, fd                        bool
}

func (g *socketGroups) begin(to *emit.Points) {
	if g.index == nil {
		g.index = map[socketGroup]int{}
	}
	for key, wanted := range map[string]*bool{
		transport: &g.transport, tcpState: &g.state, family: &g.family, socketType: &g.kind,
		localAddress: &g.local, localPort: &g.localPort, peerAddress: &g.peer, peerPort: &g.peerPort, processPID: &g.pid, fdNumber: &g.fd,
	} {
		*wanted = to.Lists(key)
	}
}

func (g *socketGroups) add(s *platform.Socket, owners *socketOwners) {
	key := socketGroup{pid: none, fd: none}
	if g.transport {
		key.transport = s.Transport
	}
	if g.state {
		key.state = s.State
	}
	if g.family {
		switch {
		case s.Transport == platform.Unix:
			key.family = noFamily
		case s.IPv6:
			key.family = 1
		}
	}
	if g.kind {
		key.kind = s.Type
	}
	if g.local {
		key.local, key.path = s.Local.Addr(), s.Path
	}
	if g.localPort {
		key.localPort = s.Local.Port()
	}
	if g.peer {
		key.peer = s.Peer.Addr()
	}
	if g.peerPort {
		key.peerPort = s.Peer.Port()
	}
	if g.pid || g.fd {
		if owner, ok := owners.of[s.Inode]; ok {
			if g.pid {
				key.pid = owner.pid
			}
			if g.fd {
				key.fd = owner.fd
			}
		}
	}
	i, ok := g.index[key]
	if !ok {
		i = len(g.list)
		g.index[key] = i
		g.list = append(g.list, struct {
			socketGroup
			count int64
		}{socketGroup: key})
	}
	g.list[i].count++
}

// keptGroups is how many groups their memory is kept for: a map does not give
// back what it has once had.
const keptGroups = 1024

func (g *socketGroups) end() {
	if len(g.list) > keptGroups {
		g.index, g.list = nil, nil
		return
	}
	clear(g.index)
	clear(g.list)
	g.list = g.list[:0]
}

// socketOwners knows whose sockets are. Descriptors are not read of every
// process in every scrape: those that a process had hold until they are read
// again, or it has ended.
type socketOwners struct {
	held map[platform.ID][]heldSocket
	of   map[uint64]owner // by inode
}

type heldSocket struct {
	inode uint64
	fd    int32
}

type owner struct{ pid, fd int32 }

// update takes over the descriptors of processes, in ascending order of their
// numbers: of a socket that several have the first counts.
func (o *socketOwners) update(processes []*platform.Process) {
	before := o.held
	o.held, o.of = make(map[platform.ID][]heldSocket, len(before)), make(map[uint64]owner, len(o.of))
	for _, p := range processes {
		list := before[p.ID]
		if p.Got.Has(platform.FieldFDs) {
			list = list[:0]
			for i := range p.More.FDs {
				if fd := &p.More.FDs[i]; fd.Type == platform.FDSocket {
					list = append(list, heldSocket{fd.Inode, fd.Number})
				}
			}
		}
		if len(list) == 0 {
			continue
		}
		o.held[p.ID] = list
		for _, s := range list {
			if _, known := o.of[s.inode]; !known {
				o.of[s.inode] = owner{p.PID, s.fd}
			}
		}
	}
}

// recordSocketStat records what the kernel counts.
func recordSocketStat(_ *Scraper, to *emit.Points, t *tick) {
	s := &t.socketStat
	for _, c := range [...]struct {
		field            platform.SocketFields
		transport, state string
		n                int64
	}{
		{platform.SocketsTCP, "tcp", "inuse", s.TCP},
		{platform.SocketsTCP, "tcp", "orphan", s.Orphans},
		{platform.SocketsTCP, "tcp", "tw", s.TimeWait},
		{platform.SocketsTCP, "tcp", "alloc", s.Allocated},
		{platform.SocketsUDP, "udp", "inuse", s.UDP},
		{platform.SocketsUDPLite, "udplite", "inuse", s.UDPLite},
		{platform.SocketsRaw, "raw", "inuse", s.Raw},
	} {
		if s.Got.Has(c.field) {
			to.Int(c.n, emit.Str(transport, c.transport), emit.Str("system.network.linux.socket.state", c.state))
		}
	}
}
