// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

// ConnectionCounts is how many sockets a host has. They are those of the
// network namespace that its process 1 is in, whoever they belong to: on the
// host itself the host's, in a container the container's.
type ConnectionCounts struct {
	// Has tells of which transports the counts below hold.
	Has [NumTransports]bool

	TCP  [2][NumTCPStates]int64 // first of IPv4, then of IPv6; of TCPNone are states that are not known
	UDP  [2]int64               // likewise
	Unix [NumSocketTypes]int64
}

// add counts a socket.
func (c *ConnectionCounts) add(s *Socket) {
	family := 0
	if s.IPv6 {
		family = 1
	}
	switch s.Transport {
	case TCP:
		c.TCP[family][s.State]++
	case UDP:
		c.UDP[family]++
	case Unix:
		c.Unix[s.Type]++
	}
}

// Socket is one socket of a host. Of the connection it has neither the
// descriptor, which is -1, nor what is queued.
type Socket struct {
	// Inode is that of the descriptors which refer to it ([FD.Inode]); 0 where
	// there is none: in TIME_WAIT, or before a process has accepted it.
	Inode uint64
	Connection
}

// SocketFields is a set of fields of [SocketStat].
type SocketFields uint8

// The fields of SocketStat.
const (
	SocketsTCP     SocketFields = 1 << iota // TCP, Orphans, TimeWait, Allocated
	SocketsUDP                              // UDP
	SocketsUDPLite                          // UDPLite
	SocketsRaw                              // Raw
)

// Has tells whether every field of want is in the set.
func (f SocketFields) Has(want SocketFields) bool { return f&want == want }

// SocketStat is how many sockets the kernel counts itself, which costs nothing
// however many there are. Those in use have a port (raw ones: exist) and are
// in the network namespace of process 1, as those in TIME_WAIT are, which are
// not in use. The others are of all namespaces.
type SocketStat struct {
	Got SocketFields

	TCP, UDP, UDPLite, Raw int64 // in use, of IPv4 and IPv6
	Orphans                int64 // of TCP, which no process has any more
	TimeWait               int64 // of TCP
	Allocated              int64 // of TCP, orphans and those without a port as well
}
