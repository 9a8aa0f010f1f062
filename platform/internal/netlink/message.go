// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package netlink decodes the messages of netlink(7): it opens no socket.
// Numbers are in the byte order of the machine.
package netlink

import (
	"encoding/binary"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Types of messages that every family has (include/uapi/linux/netlink.h).
const (
	Noop    = 1
	Error   = 2
	Done    = 3
	Overrun = 4
)

// Flags of a message.
const (
	Request         = 0x1
	DumpInterrupted = 0x10
	Dump            = 0x300
)

// Message is one message. Data is part of what was decoded.
type Message struct {
	Type     uint16
	Flags    uint16
	Sequence uint32
	Port     uint32
	Data     []byte
}

const headerSize = 16

// Next decodes the first message of a datagram.
func Next(b []byte, m *Message) (rest []byte, err error) {
	if len(b) < headerSize {
		return nil, parse.ErrSyntax
	}
	size := int(binary.NativeEndian.Uint32(b))
	if size < headerSize || size > len(b) {
		return nil, parse.ErrSyntax
	}
	m.Type = binary.NativeEndian.Uint16(b[4:])
	m.Flags = binary.NativeEndian.Uint16(b[6:])
	m.Sequence = binary.NativeEndian.Uint32(b[8:])
	m.Port = binary.NativeEndian.Uint32(b[12:])
	m.Data = b[headerSize:size]
	return b[min(aligned(size), len(b)):], nil
}

// Errno is what an Error or Done message answers: 0, or a positive errno.
func (m *Message) Errno() (int, error) {
	if len(m.Data) < 4 {
		return 0, parse.ErrSyntax
	}
	errno := -int(int32(binary.NativeEndian.Uint32(m.Data)))
	if errno < 0 {
		return 0, parse.ErrSyntax
	}
	return errno, nil
}

// NextAttribute decodes the first attribute of b (struct rtattr, struct
// nlattr). What marks one as nested or in network byte order is taken off.
func NextAttribute(b []byte) (kind uint16, value, rest []byte, err error) {
	if len(b) < 4 {
		return 0, nil, nil, parse.ErrSyntax
	}
	size := int(binary.NativeEndian.Uint16(b))
	if size < 4 || size > len(b) {
		return 0, nil, nil, parse.ErrSyntax
	}
	const marks = 1<<15 | 1<<14
	return binary.NativeEndian.Uint16(b[2:]) &^ marks, b[4:size], b[min(aligned(size), len(b)):], nil
}

// AppendRequest appends a request to dst.
func AppendRequest(dst []byte, kind, flags uint16, sequence uint32, data []byte) []byte {
	dst = binary.NativeEndian.AppendUint32(dst, uint32(headerSize+len(data)))
	dst = binary.NativeEndian.AppendUint16(dst, kind)
	dst = binary.NativeEndian.AppendUint16(dst, flags|Request)
	dst = binary.NativeEndian.AppendUint32(dst, sequence)
	dst = binary.NativeEndian.AppendUint32(dst, 0) // the kernel knows the port
	dst = append(dst, data...)
	for len(dst)%4 != 0 {
		dst = append(dst, 0)
	}
	return dst
}

func aligned(n int) int { return (n + 3) &^ 3 }
