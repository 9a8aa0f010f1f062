// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package netlink

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

func TestMessages(t *testing.T) {
	b := AppendRequest(nil, 20, Dump, 7, []byte("abcde"))
	require.Len(t, b, 24)
	b = AppendRequest(b, Done, 0, 8, binary.NativeEndian.AppendUint32(nil, 0xffffffff))
	var m Message
	rest, err := Next(b, &m)
	require.NoError(t, err)
	assert.Equal(t, Message{Type: 20, Flags: Dump | Request, Sequence: 7, Data: []byte("abcde")}, m)
	_, err = m.Errno()
	assert.ErrorIs(t, err, parse.ErrSyntax, "it is above zero")
	rest, err = Next(rest, &m)
	require.NoError(t, err)
	assert.Empty(t, rest)
	assert.Equal(t, uint16(Done), m.Type)
	errno, err := m.Errno()
	require.NoError(t, err)
	assert.Equal(t, 1, errno)
}

func TestMessagesCutShort(t *testing.T) {
	whole := AppendRequest(nil, 20, 0, 1, []byte("abcd"))
	var m Message
	for n := range whole {
		_, err := Next(whole[:n], &m)
		assert.ErrorIs(t, err, parse.ErrSyntax, n)
	}
	binary.NativeEndian.PutUint32(whole, 15)
	_, err := Next(whole, &m)
	assert.ErrorIs(t, err, parse.ErrSyntax, "shorter than its header")
	m.Data = []byte{1, 2, 3}
	_, err = m.Errno()
	assert.ErrorIs(t, err, parse.ErrSyntax)
}

func attribute(kind uint16, value string) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	return append(binary.NativeEndian.AppendUint16(b, kind), value...)
}

func TestAttributes(t *testing.T) {
	b := append(attribute(0x8003, "eth0\x00"), 0, 0, 0)
	b = append(b, attribute(4, "x")...)
	kind, value, rest, err := NextAttribute(b)
	require.NoError(t, err)
	assert.Equal(t, uint16(3), kind)
	assert.Equal(t, "eth0\x00", string(value))
	kind, value, rest, err = NextAttribute(rest)
	require.NoError(t, err)
	assert.Equal(t, uint16(4), kind)
	assert.Equal(t, "x", string(value))
	assert.Empty(t, rest, "the last one may lack its padding")

	for _, bad := range [][]byte{nil, b[:3], b[:8], {3, 3, 0, 0}} {
		_, _, _, err = NextAttribute(bad)
		assert.ErrorIs(t, err, parse.ErrSyntax)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(AppendRequest(nil, 20, Dump, 7, attribute(1, "eth0")))
	f.Fuzz(func(_ *testing.T, b []byte) {
		var m Message
		for err := error(nil); err == nil; {
			if b, err = Next(b, &m); err != nil {
				break
			}
			for d, err := m.Data, error(nil); err == nil; {
				_, _, d, err = NextAttribute(d)
			}
		}
	})
}
