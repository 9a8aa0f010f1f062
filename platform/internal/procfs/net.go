// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// InetSocket is a line of /proc/net/tcp, tcp6, udp or udp6.
type InetSocket struct {
	Local, Peer netip.AddrPort // all zeros, of the family, where it has none
	State       uint8          // include/net/tcp_states.h
	// Bytes; of a listening socket Receive is how many connections wait to be
	// accepted.
	Transmit, Receive uint64
	Inode             uint64 // 0: of no process
}

// Inet decodes /proc/net/tcp, tcp6, udp and udp6 from chunks of any size.
type Inet struct {
	// Order is the byte order of the machine, in whose words the kernel prints
	// addresses.
	Order binary.ByteOrder
	// Each is called with every socket, which is valid until it returns.
	Each func(*InetSocket)

	records parse.Records
	socket  InetSocket
	address [16]byte
	headed  bool
	err     error
}

// maxInetLine is twice as long as a line is.
const maxInetLine = 512

// Reset starts another file.
func (n *Inet) Reset() {
	n.records.Reset()
	n.headed, n.err = false, nil
}

// Feed decodes the next chunk. After an error it does nothing any more.
func (n *Inet) Feed(chunk []byte) error {
	for n.err == nil {
		line, rest, ok := n.records.Next(chunk, '\n', maxInetLine)
		if !ok {
			break
		}
		chunk = rest
		switch {
		case !n.headed:
			n.headed = bytes.HasPrefix(parse.Space(line), inetHeading)
			ok = n.headed
		case n.line(line):
			n.Each(&n.socket)
		default:
			ok = false
		}
		if !ok || n.records.Cut {
			n.err = parse.ErrSyntax
		}
	}
	return n.err
}

// End is to be called after the last chunk.
func (n *Inet) End() error {
	if n.err == nil && (!n.headed || len(n.records.Tail()) > 0) {
		n.err = parse.ErrSyntax
	}
	return n.err
}

var inetHeading = []byte("sl  local_address ")

// line reads what get_tcp4_sock of net/ipv4/tcp_ipv4.c prints, and its
// siblings likewise:
//
//	0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 12345 …
func (n *Inet) line(b []byte) bool {
	s := &n.socket
	_, b, ok := parse.Uint(parse.Space(b))
	if !ok || len(b) < 2 || b[0] != ':' || b[1] != ' ' {
		return false
	}
	b = b[2:]
	if s.Local, b, ok = n.addrPort(b); !ok {
		return false
	}
	if s.Peer, b, ok = n.addrPort(b); !ok {
		return false
	}
	state, b, ok := hexUntil(b, ' ')
	if !ok || state > math.MaxUint8 {
		return false
	}
	s.State = uint8(state)
	if s.Transmit, b, ok = hexUntil(b, ':'); !ok || s.Transmit > math.MaxUint32 {
		return false
	}
	if s.Receive, b, ok = hexUntil(b, ' '); !ok || s.Receive > math.MaxUint32 {
		return false
	}
	for range 4 { // timer, retransmissions, user, timeout
		i := bytes.IndexByte(b, ' ')
		if i <= 0 {
			return false
		}
		b = parse.Space(b[i:])
	}
	s.Inode, b, ok = parse.Uint(b)
	return ok && (len(b) == 0 || b[0] == ' ')
}

// addrPort reads an address, printed as one or four words of the machine, and
// a port, printed as a number. Their lengths tell the family.
func (n *Inet) addrPort(b []byte) (a netip.AddrPort, rest []byte, ok bool) {
	digits := bytes.IndexByte(b, ':')
	if digits != 8 && digits != 32 {
		return a, nil, false
	}
	for i := 0; i < digits; i += 8 {
		word, rest, ok := parse.Hex(b[i : i+8])
		if !ok || len(rest) > 0 {
			return a, nil, false
		}
		n.Order.PutUint32(n.address[i/2:], uint32(word))
	}
	port, rest, ok := hexUntil(b[digits+1:], ' ')
	if !ok || port > math.MaxUint16 {
		return a, nil, false
	}
	addr := netip.AddrFrom16(n.address)
	if digits == 8 {
		addr = netip.AddrFrom4([4]byte(n.address[:]))
	}
	return netip.AddrPortFrom(addr, uint16(port)), rest, true
}

// UnixSocket is a line of /proc/net/unix.
type UnixSocket struct {
	Type  uint16 // SOCK_STREAM and so on, in the machine's own numbers
	Inode uint64 // 0: of no process
	// Path is empty where there is none, and starts with @ in the abstract
	// namespace, where also every NUL is shown as @. It is valid until Each
	// returns.
	Path []byte
}

// Unix decodes /proc/net/unix from chunks of any size.
//
// Nothing in a path is escaped, so that a process can bind a socket to one
// that holds a newline and what looks like another line. A line that does not
// look so is taken as the rest of the path before it. But where two sockets
// have the same inode, one of them is made up, and either may be.
type Unix struct {
	// Each is called with every socket, which is valid until it returns.
	Each func(*UnixSocket)

	records parse.Records
	socket  UnixSocket
	path    []byte
	headed  bool
	seen    bool // a socket has been read
	open    bool // socket is not given out yet
	bound   bool // and has a path, of which there may be more
	err     error
}

// maxUnixPath is how long a path can be: sun_path and the @ before it.
const (
	maxUnixPath = 109
	maxUnixLine = 256 // with all before it
)

// Reset starts another file.
func (u *Unix) Reset() {
	u.records.Reset()
	u.headed, u.seen, u.open, u.err = false, false, false, nil
}

// Feed decodes the next chunk. After an error it does nothing any more.
func (u *Unix) Feed(chunk []byte) error {
	for u.err == nil {
		line, rest, ok := u.records.Next(chunk, '\n', maxUnixLine)
		if !ok {
			break
		}
		chunk = rest
		if !u.headed {
			if u.headed = bytes.HasPrefix(line, unixHeading); !u.headed {
				u.err = parse.ErrSyntax
			}
		} else if !u.line(line) && !u.seen {
			// After a first socket it is part of a path that somebody made up.
			u.err = parse.ErrSyntax
		}
	}
	return u.err
}

// End is to be called after the last chunk: only then the last socket is
// known to be complete.
func (u *Unix) End() error {
	if u.err == nil && (!u.headed || len(u.records.Tail()) > 0) {
		u.err = parse.ErrSyntax
	}
	if u.err == nil {
		u.flush()
	}
	return u.err
}

func (u *Unix) flush() {
	if u.open {
		u.open = false
		u.socket.Path = u.path
		u.Each(&u.socket)
	}
}

var unixHeading = []byte("Num       RefCount Protocol Flags    Type St Inode")

// line reads what unix_seq_show of net/unix/af_unix.c prints, "%pK: %08X %08X
// %08X %04X %02X %5lu", and then " path" if there is one; or the rest of the
// path of the line before.
func (u *Unix) line(b []byte) bool {
	kind, inode, rest, ok := unixLine(b)
	if ok {
		u.flush()
		u.socket.Type, u.socket.Inode = kind, inode
		u.path, u.seen, u.open, u.bound = u.path[:0], true, true, len(rest) > 0
		if u.bound {
			u.path = append(u.path, rest[1:]...)
		}
		return true
	}
	// More than fits is no path: the format is not the one that we know.
	if !u.open || !u.bound || len(u.path)+1+len(b) > maxUnixPath {
		return false
	}
	u.path = append(append(u.path, '\n'), b...)
	return true
}

// unixLine reads a line up to the path, which rest is, with a space before it
// if there is one.
func unixLine(b []byte) (kind uint16, inode uint64, rest []byte, ok bool) {
	// The number is an address, which the kernel may hide in several ways.
	i := bytes.IndexByte(b, ' ')
	if i < 2 || b[i-1] != ':' {
		return 0, 0, nil, false
	}
	b = b[i+1:]
	for _, width := range [...]int{8, 8, 8, 4, 2} {
		if len(b) <= width || b[width] != ' ' {
			return 0, 0, nil, false
		}
		n, after, ok := parse.Hex(b[:width])
		if !ok || len(after) > 0 {
			return 0, 0, nil, false
		}
		if width == 4 {
			kind = uint16(n)
		}
		b = b[width+1:]
	}
	inode, rest, ok = parse.Uint(parse.Space(b))
	return kind, inode, rest, ok && (len(rest) == 0 || rest[0] == ' ') && len(rest) <= 1+maxUnixPath
}
