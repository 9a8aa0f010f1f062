// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

// NetworkFields is a set of fields of [NetworkInterface].
type NetworkFields uint16

// The fields of NetworkInterface.
const (
	NetworkIO      NetworkFields = 1 << iota // BytesSent, BytesRecv
	NetworkPackets                           // PacketsSent, PacketsRecv
	NetworkErrors                            // ErrIn, ErrOut
	NetworkDropIn
	NetworkDropOut
	NetworkMulticast
	NetworkCollisions
	NetworkCarrierChanges
	NetworkUp
	NetworkSpeed
	NetworkDuplex
	NetworkMTU
	NetworkAddresses // and Loopback
)

// Has tells whether every field of want is in the set.
func (f NetworkFields) Has(want NetworkFields) bool { return f&want == want }

// NetworkInterface is one network interface. The counters are since it was
// made, and each may be reset or wrap.
type NetworkInterface struct {
	Name string // the kernel's, made valid UTF-8
	// Index is the kernel's number of it, which it keeps under another name
	// and which no later one has; 0 where it is not known.
	Index    int32
	Loopback bool
	// Got is the set of fields that hold a value.
	Got NetworkFields

	BytesSent, BytesRecv     uint64
	PacketsSent, PacketsRecv uint64
	ErrIn, ErrOut            uint64
	// Packets without fault that were dropped, for want of room or of somebody
	// who wanted them.
	DropIn, DropOut uint64
	Multicast       uint64 // packets received
	Collisions      uint64
	CarrierChanges  uint64 // how often the link came or went
	// Up tells that it is switched on and has a link.
	Up     bool
	Speed  uint64 // bits per second; never 0 where there is one
	Duplex Duplex
	MTU    uint64 // bytes
	// Addresses are that of the hardware, if there is one, and then those of
	// the protocols. They are valid until the next reading.
	Addresses []NetworkAddress
}

// Duplex tells whether a link sends and receives at a time.
type Duplex uint8

// What the duplex of a link is.
const (
	DuplexUnknown Duplex = iota
	DuplexHalf
	DuplexFull
)

// NetworkAddress is an address of an interface. What it has not is empty.
type NetworkAddress struct {
	Family AddressFamily
	// Address is in the notation of RFC 5952, without a zone; that of hardware
	// is its octets in upper-case hexadecimal with hyphens between them.
	Address string
	Netmask string // of IPv4 and IPv6, as an address
	Prefix  int    // its length in bits
	// Broadcast, or Peer, the other end of a point-to-point link: never both.
	Broadcast, Peer string
}

// AddressFamily is what an address is of.
type AddressFamily uint8

// The families of addresses.
const (
	FamilyLink AddressFamily = iota // hardware
	FamilyIPv4
	FamilyIPv6
)

// ProtocolFields is a set of fields of [Protocols].
type ProtocolFields uint8

// The fields of Protocols.
const (
	ProtocolTCP ProtocolFields = 1 << iota // Retransmitted, FailedAttempts, Resets
	ProtocolUDP                            // UDPErrors
)

// Has tells whether every field of want is in the set.
func (f ProtocolFields) Has(want ProtocolFields) bool { return f&want == want }

// Protocols is what TCP and UDP have counted, over IPv4 and IPv6.
type Protocols struct {
	// Got is the set of fields that hold a value.
	Got ProtocolFields

	Retransmitted  uint64 // segments sent again
	FailedAttempts uint64 // connections that failed before they were established
	Resets         uint64 // established connections that ended in a reset
	UDPErrors      uint64 // datagrams received that could not be delivered
}

// ConntrackFields is a set of fields of [Conntrack].
type ConntrackFields uint8

// The fields of Conntrack.
const (
	ConntrackCount ConntrackFields = 1 << iota
	ConntrackMax
)

// Has tells whether every field of want is in the set.
func (f ConntrackFields) Has(want ConntrackFields) bool { return f&want == want }

// Conntrack is the table in which a firewall follows connections.
type Conntrack struct {
	// Got is the set of fields that hold a value.
	Got ConntrackFields

	Count uint64 // entries
	Max   uint64 // the most that there may be
}
