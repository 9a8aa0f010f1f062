// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package netlink

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Kinds of requests of sock_diag(7), which are also those of their answers.
const (
	// TCPDiag is the older one, for TCP alone, which answers both IPv4 and
	// IPv6 in one walk through the kernel's table; the newer one takes two
	// (inet_diag_dump_compat of net/ipv4/inet_diag.c).
	TCPDiag = 18
	// SockDiag is for the sockets of one family (SOCK_DIAG_BY_FAMILY).
	SockDiag = 20
)

// Families of sockets.
const (
	FamilyUnix  = 1
	FamilyIPv4  = 2
	FamilyIPv6  = 10
	protocolUDP = 17
)

// states are those asked for: the ones that /proc/net/tcp has, 1 to 12 of
// include/net/tcp_states.h. To find the sockets in the one beyond,
// BOUND_INACTIVE, the kernel walks along all sockets of each local port, and
// keeps others from that port meanwhile.
const states = 1<<13 - 2

// Sizes of the structures in include/uapi/linux/inet_diag.h and unix_diag.h.
const (
	inetIDSize       = 48
	inetMessageSize  = 4 + inetIDSize + 5*4
	unixMessageSize  = 16
	maxUnixName      = 108
	unixShowName     = 1
	unixDiagNameAttr = 0
)

// AppendTCPRequest appends the request of all TCP sockets: struct
// inet_diag_req.
func AppendTCPRequest(dst []byte) []byte {
	dst = append(dst, make([]byte, 4+inetIDSize)...)
	dst = binary.NativeEndian.AppendUint32(dst, states)
	return binary.NativeEndian.AppendUint32(dst, 0)
}

// AppendUDPRequest appends the request of the UDP sockets of FamilyIPv4 or
// FamilyIPv6: struct inet_diag_req_v2.
func AppendUDPRequest(dst []byte, family uint8) []byte {
	dst = append(dst, family, protocolUDP, 0, 0)
	dst = binary.NativeEndian.AppendUint32(dst, states)
	return append(dst, make([]byte, inetIDSize)...)
}

// AppendUnixRequest appends the request of the Unix sockets, with their names
// or without: struct unix_diag_req.
func AppendUnixRequest(dst []byte, names bool) []byte {
	show := uint32(0)
	if names {
		show = unixShowName
	}
	dst = append(dst, FamilyUnix, 0, 0, 0)
	dst = binary.NativeEndian.AppendUint32(dst, states)
	dst = binary.NativeEndian.AppendUint32(dst, 0)
	dst = binary.NativeEndian.AppendUint32(dst, show)
	return append(dst, make([]byte, 8)...)
}

// InetSocket is a socket of IPv4 or IPv6.
type InetSocket struct {
	IPv6        bool
	State       uint8          // include/net/tcp_states.h
	Local, Peer netip.AddrPort // all zeros, of the family, where it has none
	Inode       uint32         // 0: of no process
}

// Inet decodes what answers a request of TCP or UDP sockets, struct
// inet_diag_msg.
func Inet(b []byte, s *InetSocket) error {
	if len(b) < inetMessageSize {
		return parse.ErrSyntax
	}
	s.State = b[1]
	id := b[4:]
	local, peer := binary.BigEndian.Uint16(id), binary.BigEndian.Uint16(id[2:])
	switch b[0] {
	case FamilyIPv4:
		s.IPv6 = false
		s.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte(id[4:])), local)
		s.Peer = netip.AddrPortFrom(netip.AddrFrom4([4]byte(id[20:])), peer)
	case FamilyIPv6:
		s.IPv6 = true
		s.Local = netip.AddrPortFrom(netip.AddrFrom16([16]byte(id[4:])), local)
		s.Peer = netip.AddrPortFrom(netip.AddrFrom16([16]byte(id[20:])), peer)
	default:
		return parse.ErrSyntax
	}
	s.Inode = binary.NativeEndian.Uint32(b[inetMessageSize-4:])
	return nil
}

// UnixSocket is a Unix socket.
type UnixSocket struct {
	Type  uint8 // SOCK_STREAM and so on, in the machine's own numbers
	Inode uint32
	// Path is as /proc/net/unix shows it: empty where there is none or it was
	// not asked for, starting with @ in the abstract namespace, where also
	// every NUL is shown as @. It is valid until the next one is decoded.
	Path []byte

	path [maxUnixName]byte
}

// Unix decodes what answers a request of Unix sockets, struct unix_diag_msg.
func Unix(b []byte, s *UnixSocket) error {
	if len(b) < unixMessageSize || b[0] != FamilyUnix {
		return parse.ErrSyntax
	}
	s.Type, s.Inode, s.Path = b[1], binary.NativeEndian.Uint32(b[4:]), nil
	for b = b[unixMessageSize:]; len(b) > 0; {
		kind, value, rest, err := NextAttribute(b)
		if err != nil {
			return err
		}
		b = rest
		if kind != unixDiagNameAttr || len(value) == 0 {
			continue
		}
		if value[0] != 0 { // a path, which ends in NUL
			value, _, _ = bytes.Cut(value, []byte{0})
		}
		if len(value) > maxUnixName {
			return parse.ErrSyntax
		}
		s.Path = s.path[:copy(s.path[:], value)]
		for i, c := range s.Path {
			if c == 0 {
				s.Path[i] = '@'
			}
		}
	}
	return nil
}
