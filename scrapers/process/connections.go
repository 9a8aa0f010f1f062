// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"net/netip"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// The attributes that tell single connections apart.
const (
	localAddress = "network.local.address"
	localPort    = "network.local.port"
	peerAddress  = "network.peer.address"
	peerPort     = "network.peer.port"
	socketType   = "process.unix.socket.type"
)

var connectionDetail = []string{localAddress, localPort, peerAddress, peerPort, socketType, fdNumber}

var connectionMetrics = []metric{
	{name: "process.network.connection.count", fields: platform.FieldConnections, record: connectionCount},
	{name: "process.unix.file_descriptor.socket.queue.usage", fields: platform.FieldConnections, record: socketQueues},
}

var (
	transports = [...]emit.Attr{
		platform.TCP:  emit.Str("network.transport", "tcp"),
		platform.UDP:  emit.Str("network.transport", "udp"),
		platform.Unix: emit.Str("network.transport", "unix"),
	}
	networkTypes = [...]emit.Attr{emit.Str("network.type", "ipv4"), emit.Str("network.type", "ipv6"), emit.Str("network.type", "")}
	tcpStates    = [platform.NumTCPStates]emit.Attr{
		platform.TCPNone:        emit.Str("network.connection.state", ""),
		platform.TCPEstablished: emit.Str("network.connection.state", "established"),
		platform.TCPSynSent:     emit.Str("network.connection.state", "syn_sent"),
		platform.TCPSynRecv:     emit.Str("network.connection.state", "syn_received"),
		platform.TCPFinWait1:    emit.Str("network.connection.state", "fin_wait_1"),
		platform.TCPFinWait2:    emit.Str("network.connection.state", "fin_wait_2"),
		platform.TCPTimeWait:    emit.Str("network.connection.state", "time_wait"),
		platform.TCPClose:       emit.Str("network.connection.state", "closed"),
		platform.TCPCloseWait:   emit.Str("network.connection.state", "close_wait"),
		platform.TCPLastAck:     emit.Str("network.connection.state", "last_ack"),
		platform.TCPListen:      emit.Str("network.connection.state", "listen"),
		platform.TCPClosing:     emit.Str("network.connection.state", "closing"),
	}
	socketTypes = [...]emit.Attr{
		platform.SocketUnknown:   emit.Str(socketType, ""),
		platform.SocketStream:    emit.Str(socketType, "stream"),
		platform.SocketDatagram:  emit.Str(socketType, "dgram"),
		platform.SocketSeqpacket: emit.Str(socketType, "seqpacket"),
		platform.SocketRaw:       emit.Str(socketType, "raw"),
	}
	receive  = emit.Str("network.io.direction", "receive")
	transmit = emit.Str("network.io.direction", "transmit")
)

// family indexes networkTypes.
func family(c *platform.Connection) int {
	switch {
	case c.Transport == platform.Unix:
		return 2
	case c.IPv6:
		return 1
	}
	return 0
}

// connectionCount counts by transport, family and state, unless single
// connections are wanted.
func connectionCount(to *emit.Points, s *sample) {
	if wantsAny(to, connectionDetail) {
		connectionPoints(to, s)
		return
	}
	var count [len(transports)][len(networkTypes)][platform.NumTCPStates]int64
	for i := range s.More.Connections {
		c := &s.More.Connections[i]
		count[c.Transport][family(c)][c.State]++
	}
	for transport := range count {
		for family := range count[transport] {
			for state, n := range count[transport][family] {
				if n > 0 {
					to.Int(n, transports[transport], networkTypes[family], tcpStates[state])
				}
			}
		}
	}
}

// connectionPoints records each connection. Those that have all wanted
// attributes in common become one point.
func connectionPoints(to *emit.Points, s *sample) {
	local, peer := to.Wants(localAddress), to.Wants(peerAddress)
	for i := range s.More.Connections {
		c := &s.More.Connections[i]
		attrs := append(s.attrs[:0], transports[c.Transport], networkTypes[family(c)], tcpStates[c.State], socketTypes[c.Type])
		if c.FD >= 0 {
			attrs = append(attrs, emit.Int(fdNumber, int64(c.FD)))
		}
		if c.Transport == platform.Unix {
			attrs = append(attrs, emit.Str(localAddress, c.Path))
		} else {
			attrs = appendEnd(attrs, c.Local, local, localAddress, localPort)
			attrs = appendEnd(attrs, c.Peer, peer, peerAddress, peerPort)
		}
		to.Int(1, attrs...)
		s.attrs = attrs
	}
}

// appendEnd adds one end of a connection; nothing for one that it has not.
func appendEnd(attrs []emit.Attr, at netip.AddrPort, withAddress bool, address, port string) []emit.Attr {
	if !at.IsValid() || at.Port() == 0 && at.Addr().IsUnspecified() {
		return attrs
	}
	if withAddress {
		attrs = append(attrs, emit.Str(address, at.Addr().String()))
	}
	return append(attrs, emit.Int(port, int64(at.Port())))
}

// socketQueues adds up, unless single descriptors are wanted.
func socketQueues(to *emit.Points, s *sample) {
	each := to.Wants(fdNumber)
	some := len(s.More.Connections) == 0 // without a socket nothing waits
	var in, out uint64
	for i := range s.More.Connections {
		c := &s.More.Connections[i]
		switch {
		case !c.Queued:
		case each:
			number := emit.Attr{}
			if c.FD >= 0 {
				number = emit.Int(fdNumber, int64(c.FD))
			}
			to.Int(toInt(c.Receive), receive, number)
			to.Int(toInt(c.Transmit), transmit, number)
		default:
			in, out, some = in+c.Receive, out+c.Transmit, true
		}
	}
	if some && !each {
		to.Int(toInt(in), receive)
		to.Int(toInt(out), transmit)
	}
}
