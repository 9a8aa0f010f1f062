// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPeerCredentials(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	defer l.Close()
	client, err := net.Dial("unix", l.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	server, err := l.Accept()
	require.NoError(t, err)
	defer server.Close()
	raw, err := server.(*net.UnixConn).SyscallConn()
	require.NoError(t, err)
	got, err := PeerCredentials(raw)
	require.NoError(t, err)
	groups, err := os.Getgroups()
	require.NoError(t, err)
	assert.EqualValues(t, os.Getpid(), got.PID)
	assert.EqualValues(t, os.Geteuid(), got.UID)
	assert.EqualValues(t, os.Getegid(), got.GID)
	assert.Len(t, got.Groups, len(groups))
	for i, g := range groups {
		assert.EqualValues(t, g, got.Groups[i])
	}

	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer tcp.Close()
	raw, err = tcp.(*net.TCPListener).SyscallConn()
	require.NoError(t, err)
	got, err = PeerCredentials(raw)
	if err == nil { // the kernel answers, with nobody
		assert.Equal(t, Credentials{PID: 0, UID: 1<<32 - 1, GID: 1<<32 - 1}, got)
	}
}

func TestMountNamespace(t *testing.T) {
	h := live(t)
	self, err := h.OpenSelf()
	require.NoError(t, err)
	defer self.Close()
	child := open(t, h, sleeper(t))
	want, err := self.MountNamespace()
	require.NoError(t, err)
	assert.NotZero(t, want)
	got, err := child.MountNamespace()
	require.NoError(t, err)
	assert.Equal(t, want, got)
}
