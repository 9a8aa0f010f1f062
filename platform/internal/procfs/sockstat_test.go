// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Recorded on Linux 6.18.
const (
	sockstat = "sockets: used 13\nTCP: inuse 5 orphan 2 tw 31 alloc 9 mem 239\nUDP: inuse 4 mem 0\n" +
		"UDPLITE: inuse 0\nRAW: inuse 1\nFRAG: inuse 0 memory 0\n"
	sockstat6 = "TCP6: inuse 3\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 1\nFRAG6: inuse 0 memory 0\n"
)

func TestSockStat(t *testing.T) {
	read := func(text string) (all []string, err error) {
		err = SockStat([]byte(text), func(protocol, key []byte, n int64) {
			all = append(all, fmt.Sprintf("%s %s %d", protocol, key, n))
		})
		return all, err
	}
	all, err := read(sockstat)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"sockets used 13", "TCP inuse 5", "TCP orphan 2", "TCP tw 31", "TCP alloc 9", "TCP mem 239", "UDP inuse 4", "UDP mem 0",
		"UDPLITE inuse 0", "RAW inuse 1", "FRAG inuse 0", "FRAG memory 0",
	}, all)
	all, err = read(sockstat6)
	require.NoError(t, err)
	assert.Equal(t, []string{"TCP6 inuse 3", "UDP6 inuse 0", "UDPLITE6 inuse 0", "RAW6 inuse 1", "FRAG6 inuse 0", "FRAG6 memory 0"}, all)

	all, err = read("TCP: inuse -3 tw 1\nNEW:\n\x43: a 1")
	require.NoError(t, err)
	assert.Equal(t, []string{"TCP inuse 0", "TCP tw 1", "C a 1"}, all)
	all, err = read("")
	require.NoError(t, err)
	assert.Empty(t, all)

	for _, bad := range []string{"TCP inuse 5\n", "TCP: inuse\n", "TCP: inuse x\n", "TCP: inuse 5x\n", "TCP: inuse 99999999999999999999\n", "\n", "TCP: inuse 5 tw\n", "TCP: 5 tw 1\n"} {
		_, err := read(bad)
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", bad)
	}
	text := []byte(sockstat)
	assert.Zero(t, testing.AllocsPerRun(10, func() { _ = SockStat(text, func(_, _ []byte, _ int64) {}) }))
}

func FuzzSockStat(f *testing.F) {
	f.Add([]byte(sockstat))
	f.Add([]byte(sockstat6))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = SockStat(b, func(_, _ []byte, n int64) { assert.GreaterOrEqual(t, n, int64(0)) })
	})
}
