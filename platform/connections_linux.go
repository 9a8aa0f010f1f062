// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// sockets are the sockets of the network namespaces that processes were met
// in, by inode, read once per namespace and snapshot; seen are those that the
// process being read has.
type sockets struct {
	namespaces map[uint64]map[uint64]Connection
	seen       map[uint64]bool
	only       map[uint64]bool // those that are kept of a namespace; nil: all
}

// keeps tells whether a socket is one that is looked for.
func (s *sockets) keeps(inode uint64) bool { return s.only == nil || s.only[inode] }

// readConnections finds the sockets among the descriptors of a process, each
// once, under its lowest number. The folder of the process shows those of its
// network namespace, whichever we are in.
func (h *Host) readConnections(_ context.Context, p *Process, _ Fields) unix.Errno {
	m := p.More
	if !p.Got.Has(FieldFDs) { // whatever that was for, it is why
		if p.cache.denied.Has(FieldFDs) {
			return unix.EACCES
		}
		return unix.ENOENT
	}
	sockets := &h.table.sockets
	clear(sockets.seen)
	m.Connections = m.Connections[:0]
	sockets.only = nil
	if h.table.page.Size > 0 { // of one process: others can have millions
		sockets.only = make(map[uint64]bool)
		for i := range m.FDs {
			if m.FDs[i].Type == FDSocket {
				sockets.only[m.FDs[i].Inode] = true
			}
		}
	}
	var all map[uint64]Connection
	for i := range m.FDs {
		if m.FDs[i].Type != FDSocket || sockets.seen[m.FDs[i].Inode] {
			continue
		}
		if sockets.seen == nil {
			sockets.seen = make(map[uint64]bool)
		}
		sockets.seen[m.FDs[i].Inode] = true
		if all == nil {
			var errno unix.Errno
			if all, errno = h.socketsOf(); errno != 0 {
				return errno
			}
		}
		// Sockets of other kinds, such as netlink's, are no connections.
		if c, ok := all[m.FDs[i].Inode]; ok {
			c.FD = m.FDs[i].Number
			m.Connections = append(m.Connections, c)
		}
	}
	return 0
}

// socketsOf are the sockets of the network namespace of the process being
// read.
func (h *Host) socketsOf() (map[uint64]Connection, unix.Errno) {
	t := &h.table
	var ns unix.Statx_t
	if errno := h.statx(t.at, t.file("ns/net"), 0, unix.STATX_INO, &ns); errno != 0 {
		ns.Ino = uint64(t.pid) << 32 // not told apart: a namespace of its own
	}
	if all, ok := t.sockets.namespaces[ns.Ino]; ok {
		return all, 0
	}
	all := make(map[uint64]Connection)
	for _, file := range [...]struct {
		name      string
		transport Transport
		ipv6      bool
	}{{"net/tcp", TCP, false}, {"net/tcp6", TCP, true}, {"net/udp", UDP, false}, {"net/udp6", UDP, true}} {
		lines := &t.inet
		lines.Reset()
		lines.Order, lines.Each = binary.NativeEndian, func(s *procfs.InetSocket) {
			if s.Inode == 0 || !t.sockets.keeps(s.Inode) {
				return // 0 is TIME_WAIT, or not accepted yet: nobody's
			}
			c := inetConnection(file.transport, file.ipv6, s.State, s.Local, s.Peer)
			if c.State != TCPListen {
				c.Queued, c.Receive, c.Transmit = true, s.Receive, s.Transmit
			}
			all[s.Inode] = c
		}
		if errno := h.stream(file.name, func(b []byte) bool { return lines.Feed(b) == nil }); errno != 0 {
			if errno == unix.ENOENT { // a kernel without IPv6
				continue
			}
			return nil, errno
		}
		if lines.End() != nil {
			return nil, errMalformed
		}
	}
	lines := &t.unix
	lines.Reset()
	lines.Each = func(s *procfs.UnixSocket) {
		if !t.sockets.keeps(s.Inode) {
			return
		}
		c := Connection{Transport: Unix, Type: socketType(s.Type)}
		h.keep(&c.Path, s.Path)
		// A path is printed as it is, and can look like another line. So no
		// line here stands for a socket of another kind, and where an inode
		// comes twice the path of neither is believed.
		switch other, twice := all[s.Inode]; {
		case !twice:
			all[s.Inode] = c
		case other.Transport == Unix:
			other.Path = ""
			all[s.Inode] = other
		}
	}
	switch errno := h.stream("net/unix", func(b []byte) bool { return lines.Feed(b) == nil }); {
	case errno == unix.ENOENT:
	case errno != 0:
		return nil, errno
	case lines.End() != nil:
		return nil, errMalformed
	}
	if t.sockets.namespaces == nil {
		t.sockets.namespaces = make(map[uint64]map[uint64]Connection)
	}
	t.sockets.namespaces[ns.Ino] = all
	return all, 0
}

// inetConnection is a connection of TCP or UDP whose descriptor is not known.
func inetConnection(transport Transport, ipv6 bool, state uint8, local, peer netip.AddrPort) Connection {
	c := Connection{FD: -1, Transport: transport, IPv6: ipv6, Type: SocketDatagram, Local: known(local), Peer: known(peer)}
	if transport == TCP {
		c.Type, c.State = SocketStream, tcpState(state)
	}
	return c
}

// known is the zero value for an address that is not set.
func known(a netip.AddrPort) netip.AddrPort {
	if a.Port() == 0 && a.Addr().IsUnspecified() {
		return netip.AddrPort{}
	}
	return a
}

// tcpState translates include/net/tcp_states.h.
func tcpState(code uint8) TCPState {
	switch code {
	case 1:
		return TCPEstablished
	case 2:
		return TCPSynSent
	case 3, 12: // 12 is NEW_SYN_RECV
		return TCPSynRecv
	case 4:
		return TCPFinWait1
	case 5:
		return TCPFinWait2
	case 6:
		return TCPTimeWait
	case 7, 13: // 13 is BOUND_INACTIVE
		return TCPClose
	case 8:
		return TCPCloseWait
	case 9:
		return TCPLastAck
	case 10:
		return TCPListen
	case 11:
		return TCPClosing
	}
	return TCPNone
}

// socketType translates include/linux/net.h.
func socketType(code uint16) SocketType {
	switch code {
	case unix.SOCK_STREAM:
		return SocketStream
	case unix.SOCK_DGRAM:
		return SocketDatagram
	case unix.SOCK_SEQPACKET:
		return SocketSeqpacket
	case unix.SOCK_RAW:
		return SocketRaw
	}
	return SocketUnknown
}
