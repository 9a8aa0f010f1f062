// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package netlink

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Requests of rtnetlink(7), each for all there is (include/uapi/linux/rtnetlink.h).
const (
	GetLink      = 18
	GetAddress   = 22
	GetLinkStats = 94 // since Linux 4.7
)

// Attributes of include/uapi/linux/if_link.h and if_addr.h.
const (
	linkAddress        = 1
	linkBroadcast      = 2
	linkName           = 3
	linkMTU            = 4
	linkStats64        = 23
	linkExtendedMask   = 29
	linkCarrierChanges = 35

	statsLink64 = 1

	interfaceAddress   = 1
	interfaceLocal     = 2
	interfaceBroadcast = 4
)

// Flags of a link (include/uapi/linux/if.h).
const (
	Up       = 1 << 0
	Loopback = 1 << 3
	Running  = 1 << 6
)

// Families of addresses (include/linux/socket.h).
const (
	familyIPv4 = 2
	familyIPv6 = 10
)

// LinkRequest is the content of a GetLink request (struct ifinfomsg). Without
// statistics is without those of IPv6, which the kernel adds up over all CPUs
// and nobody reads here. Since Linux 6.19 the links' own are left out with
// them, and are to be asked for by GetLinkStats.
func LinkRequest() []byte {
	const skipStatistics = 1 << 3 // RTEXT_FILTER_SKIP_STATS
	b := make([]byte, linkHeader, linkHeader+8)
	b = binary.NativeEndian.AppendUint16(b, 8)
	b = binary.NativeEndian.AppendUint16(b, linkExtendedMask)
	return binary.NativeEndian.AppendUint32(b, skipStatistics)
}

// LinkStatsRequest is the content of a GetLinkStats request for LinkStats
// alone (struct if_stats_msg).
func LinkStatsRequest() []byte {
	b := make([]byte, statsHeader)
	binary.NativeEndian.PutUint32(b[8:], 1<<(statsLink64-1))
	return b
}

// AddressRequest is the content of a GetAddress request of all families
// (struct ifaddrmsg).
func AddressRequest() []byte { return make([]byte, addressHeader) }

const (
	linkHeader    = 16
	statsHeader   = 12
	addressHeader = 8
)

// Link is one network interface. Its bytes are part of what was decoded.
type Link struct {
	Index              int32
	Flags              uint32
	Name               []byte
	Address, Broadcast []byte // of the hardware, or what a tunnel has for one
	MTU                uint32
	// CarrierChanges are known since Linux 3.15.
	CarrierChanges    uint32
	HasCarrierChanges bool
	Stats             LinkStats
	HasStats          bool
}

// LinkStats is the part that is used of struct rtnl_link_stats64.
type LinkStats struct {
	RxPackets, TxPackets  uint64
	RxBytes, TxBytes      uint64
	RxErrors, TxErrors    uint64
	RxDropped, TxDropped  uint64
	Multicast, Collisions uint64
	RxMissed              uint64 // for want of room in the device
}

// DecodeLink decodes the answer to GetLink.
func DecodeLink(b []byte, l *Link) error {
	if len(b) < linkHeader {
		return parse.ErrSyntax
	}
	*l = Link{Index: int32(binary.NativeEndian.Uint32(b[4:])), Flags: binary.NativeEndian.Uint32(b[8:])}
	for b = b[linkHeader:]; len(b) > 0; {
		kind, value, rest, err := NextAttribute(b)
		if err != nil {
			return err
		}
		b = rest
		ok := true
		switch kind {
		case linkAddress:
			l.Address = value
		case linkBroadcast:
			l.Broadcast = value
		case linkName:
			l.Name = untilNUL(value)
		case linkMTU:
			l.MTU, ok = number(value)
		case linkCarrierChanges:
			l.CarrierChanges, ok = number(value)
			l.HasCarrierChanges = true
		case linkStats64:
			ok = l.Stats.decode(value)
			l.HasStats = true
		}
		if !ok {
			return parse.ErrSyntax
		}
	}
	if l.Index <= 0 || len(l.Name) == 0 {
		return parse.ErrSyntax
	}
	return nil
}

// DecodeLinkStats decodes the answer to GetLinkStats.
func DecodeLinkStats(b []byte) (index int32, s LinkStats, err error) {
	if len(b) < statsHeader {
		return 0, s, parse.ErrSyntax
	}
	index = int32(binary.NativeEndian.Uint32(b[4:]))
	found := false
	for b = b[statsHeader:]; len(b) > 0; {
		kind, value, rest, err := NextAttribute(b)
		if err != nil {
			return 0, s, err
		}
		b = rest
		if kind == statsLink64 {
			if found = s.decode(value); !found {
				break
			}
		}
	}
	if !found {
		return 0, s, parse.ErrSyntax
	}
	return index, s, nil
}

// decode reads struct rtnl_link_stats64, which has grown at its end and may
// grow on.
func (s *LinkStats) decode(b []byte) bool {
	const missed = 15 // the last one that is read
	if len(b) < 8*(missed+1) {
		return false
	}
	for i, n := range [...]*uint64{
		&s.RxPackets, &s.TxPackets, &s.RxBytes, &s.TxBytes, &s.RxErrors, &s.TxErrors,
		&s.RxDropped, &s.TxDropped, &s.Multicast, &s.Collisions,
	} {
		*n = binary.NativeEndian.Uint64(b[8*i:])
	}
	s.RxMissed = binary.NativeEndian.Uint64(b[8*missed:])
	return true
}

// Address is one address of a network interface. Broadcast and Peer are
// invalid where there is none, and at least one of them is.
type Address struct {
	Index     int32
	Bits      int // of the prefix
	Address   netip.Addr
	Broadcast netip.Addr
	Peer      netip.Addr // the other end of a point-to-point link
}

// DecodeAddress decodes the answer to GetAddress. Of another family than IPv4
// and IPv6 there is no Address.
func DecodeAddress(b []byte, a *Address) error {
	if len(b) < addressHeader {
		return parse.ErrSyntax
	}
	*a = Address{Index: int32(binary.NativeEndian.Uint32(b[4:])), Bits: int(b[1])}
	size := 0
	switch b[0] {
	case familyIPv4:
		size = 4
	case familyIPv6:
		size = 16
	default:
		return nil
	}
	var address, local netip.Addr
	for b = b[addressHeader:]; len(b) > 0; {
		kind, value, rest, err := NextAttribute(b)
		if err != nil {
			return err
		}
		b = rest
		var to *netip.Addr
		switch kind {
		case interfaceAddress:
			to = &address
		case interfaceLocal:
			to = &local
		case interfaceBroadcast:
			to = &a.Broadcast
		default:
			continue
		}
		if len(value) != size {
			return parse.ErrSyntax
		}
		*to, _ = netip.AddrFromSlice(value)
	}
	// The address of a point-to-point link is that of the other end, where
	// its own is told apart (IFA_LOCAL).
	a.Address = address
	if local.IsValid() {
		a.Address = local
		if address.IsValid() && address != local && !a.Broadcast.IsValid() {
			a.Peer = address
		}
	}
	if a.Index <= 0 || !a.Address.IsValid() || a.Bits > 8*size {
		return parse.ErrSyntax
	}
	return nil
}

func number(b []byte) (uint32, bool) {
	if len(b) != 4 {
		return 0, false
	}
	return binary.NativeEndian.Uint32(b), true
}

func untilNUL(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
