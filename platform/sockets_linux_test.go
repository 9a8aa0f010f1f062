// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	tcpHeading  = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	unixHeading = "Num       RefCount Protocol Flags    Type St Inode Path\n"
)

// inetLine is a line of /proc/net/tcp on this machine.
func inetLine(local, peer string, state uint8, inode int) string {
	end := func(text string) string {
		a := netip.MustParseAddrPort(text)
		words := ""
		for b := a.Addr().AsSlice(); len(b) > 0; b = b[4:] {
			words += fmt.Sprintf("%08X", binary.NativeEndian.Uint32(b))
		}
		return fmt.Sprintf("%s:%04X", words, a.Port())
	}
	return fmt.Sprintf("   0: %s %s %02X 00000000:00000000 00:00000000 00000000     0        0 %d 1 0\n", end(local), end(peer), state, inode)
}

func unixLine(kind, inode int, path string) string {
	if path != "" {
		path = " " + path
	}
	return fmt.Sprintf("0000000000000000: 00000002 00000000 00010000 %04X 01 %5d%s\n", kind, inode, path)
}

func (tr tree) sockets() {
	tr.write("proc/1/net/tcp", tcpHeading+
		inetLine("0.0.0.0:22", "0.0.0.0:0", 10, 101)+
		inetLine("192.0.2.1:22", "198.51.100.7:40000", 1, 102)+
		inetLine("192.0.2.1:22", "198.51.100.8:40000", 12, 0)+
		inetLine("192.0.2.1:22", "198.51.100.8:40001", 3, 0)+
		inetLine("192.0.2.1:22", "198.51.100.9:40000", 6, 0)+
		inetLine("192.0.2.1:22", "198.51.100.9:40001", 6, 0)+
		inetLine("192.0.2.1:5000", "0.0.0.0:0", 13, 103)+
		inetLine("192.0.2.1:5001", "0.0.0.0:0", 7, 104)+
		inetLine("192.0.2.1:5001", "198.51.100.7:1", 99, 105))
	tr.write("proc/1/net/tcp6", tcpHeading+
		inetLine("[::ffff:192.0.2.1]:80", "[::ffff:198.51.100.7]:40001", 8, 111))
	tr.write("proc/1/net/udp", tcpHeading+
		inetLine("0.0.0.0:68", "0.0.0.0:0", 7, 121)+
		inetLine("192.0.2.1:123", "198.51.100.7:123", 1, 122))
	tr.write("proc/1/net/unix", unixHeading+
		unixLine(1, 131, "/run/a")+unixLine(1, 132, "")+unixLine(2, 133, "@b")+unixLine(5, 134, "")+
		unixLine(1, 0, "/run/a")) // not accepted yet
}

var treeCounts = ConnectionCounts{
	Has: [NumTransports]bool{true, true, true},
	TCP: [2][NumTCPStates]int64{
		{TCPNone: 1, TCPListen: 1, TCPEstablished: 1, TCPSynRecv: 2, TCPTimeWait: 2, TCPClose: 2},
		{TCPCloseWait: 1},
	},
	UDP:  [2]int64{2, 0},
	Unix: [NumSocketTypes]int64{SocketStream: 2, SocketDatagram: 1, SocketSeqpacket: 1},
}

func TestConnectionCounts(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	var counts ConnectionCounts
	require.NoError(t, h.ConnectionCounts(&counts))
	assert.Equal(t, ConnectionCounts{}, counts, "a kernel without networking")

	tr.sockets()
	require.NoError(t, h.ConnectionCounts(&counts))
	assert.Equal(t, treeCounts, counts)

	tr.remove("proc/1/net/tcp6")
	tr.remove("proc/1/net/udp")
	tr.remove("proc/1/net/unix")
	require.NoError(t, h.ConnectionCounts(&counts))
	want := ConnectionCounts{Has: [NumTransports]bool{TCP: true}}
	want.TCP[0] = treeCounts.TCP[0]
	assert.Equal(t, want, counts)
}

func TestConnections(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	tr.sockets()
	inet := func(inode uint64, transport Transport, ipv6 bool, state TCPState, local, peer string) Socket {
		s := Socket{inode, Connection{FD: -1, Transport: transport, IPv6: ipv6, Type: SocketStream, State: state}}
		if transport == UDP {
			s.Type = SocketDatagram
		}
		if local != "" {
			s.Local = netip.MustParseAddrPort(local)
		}
		if peer != "" {
			s.Peer = netip.MustParseAddrPort(peer)
		}
		return s
	}
	unix := func(inode uint64, kind SocketType, path string) Socket {
		return Socket{inode, Connection{FD: -1, Transport: Unix, Type: kind, Path: path}}
	}
	want := []Socket{
		inet(0, TCP, false, TCPSynRecv, "192.0.2.1:22", "198.51.100.8:40000"),
		inet(0, TCP, false, TCPSynRecv, "192.0.2.1:22", "198.51.100.8:40001"),
		inet(0, TCP, false, TCPTimeWait, "192.0.2.1:22", "198.51.100.9:40000"),
		inet(0, TCP, false, TCPTimeWait, "192.0.2.1:22", "198.51.100.9:40001"),
		inet(101, TCP, false, TCPListen, "0.0.0.0:22", ""),
		inet(102, TCP, false, TCPEstablished, "192.0.2.1:22", "198.51.100.7:40000"),
		inet(103, TCP, false, TCPClose, "192.0.2.1:5000", ""),
		inet(104, TCP, false, TCPClose, "192.0.2.1:5001", ""),
		inet(105, TCP, false, TCPNone, "192.0.2.1:5001", "198.51.100.7:1"),
		inet(111, TCP, true, TCPCloseWait, "[::ffff:192.0.2.1]:80", "[::ffff:198.51.100.7]:40001"),
		inet(121, UDP, false, TCPNone, "0.0.0.0:68", ""),
		inet(122, UDP, false, TCPNone, "192.0.2.1:123", "198.51.100.7:123"),
		unix(131, SocketStream, "/run/a"),
		unix(132, SocketStream, ""),
		unix(133, SocketDatagram, "@b"),
		unix(134, SocketSeqpacket, ""),
	}
	list, err := h.Connections([]Socket{{Inode: 1}}, true, nil)
	require.NoError(t, err)
	assert.Equal(t, append([]Socket{{Inode: 1}}, want...), list)

	// Without paths.
	for i := range want {
		want[i].Path = ""
	}
	list, err = h.Connections(list[:0], false, nil)
	require.NoError(t, err)
	assert.Equal(t, want, list)
}

// Sockets that come and go while they are walked along make others come twice;
// and a path may look like the line of another socket.
func TestConnectionsAreDistinct(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	tr.write("proc/1/net/tcp", tcpHeading+
		inetLine("192.0.2.1:22", "198.51.100.7:1", 1, 101)+
		inetLine("192.0.2.1:22", "198.51.100.7:2", 6, 0)+
		inetLine("192.0.2.1:22", "198.51.100.7:1", 8, 101)+
		inetLine("192.0.2.1:22", "198.51.100.7:2", 6, 0)+
		inetLine("192.0.2.1:22", "198.51.100.7:3", 6, 0))
	tr.write("proc/1/net/unix", unixHeading+
		unixLine(1, 101, "/made/up")+
		unixLine(1, 131, "/run/a")+unixLine(1, 131, "/run/a")+
		unixLine(1, 132, "/run/b")+unixLine(1, 132, "/made/up"))
	list, err := h.Connections(nil, true, nil)
	require.NoError(t, err)
	var got []string
	for _, s := range list {
		got = append(got, fmt.Sprintf("%d %d %v %s", s.Inode, s.Transport, s.Peer.Port(), s.Path))
	}
	assert.Equal(t, []string{"0 0 2 ", "0 0 3 ", "101 0 1 ", "131 2 0 /run/a", "132 2 0 "}, got)
}

// Half of the sockets of a transport would say nothing; those of the others are
// told all the same.
func TestConnectionsMalformed(t *testing.T) {
	for file, transport := range map[string]Transport{"tcp": TCP, "tcp6": TCP, "udp": UDP, "udp6": UDP, "unix": Unix} {
		tr := newTree(t)
		h := tr.open()
		tr.sockets()
		whole, err := h.Connections([]Socket{{Inode: 1}}, true, nil)
		require.NoError(t, err)
		rest := slices.DeleteFunc(whole, func(s Socket) bool {
			return s.Inode > 1 && s.Transport == transport || s.Inode == 0 && transport == TCP
		})
		has := [NumTransports]bool{true, true, true}
		has[transport] = false
		path := filepath.Join(tr.dir, "proc/1/net", file)
		for _, content := range []string{"", "something else\n", tcpHeading + "   0: 0100007F\n", unixHeading + "x\n"} {
			tr.write("proc/1/net/"+file, content)
			var counts ConnectionCounts
			err := h.ConnectionCounts(&counts)
			require.ErrorIs(t, err, ErrMalformed, file)
			require.ErrorContains(t, err, path)
			assert.Equal(t, has, counts.Has)
			list, err := h.Connections([]Socket{{Inode: 1}}, true, nil)
			require.ErrorIs(t, err, ErrMalformed, file)
			assert.Equal(t, rest, list)
		}
		tr.remove("proc/1/net/" + file)
		require.NoError(t, os.Mkdir(path, 0o755))
		assert.ErrorContains(t, h.ConnectionCounts(&ConnectionCounts{}), path+": is a directory")
	}
}

// A walk that takes too long ends with nothing, and is not begun again soon.
func TestTooManySockets(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	tr.write("proc/1/net/tcp", tcpHeading+strings.Repeat(inetLine("192.0.2.1:22", "198.51.100.7:1", 1, 101), 1000))
	h.sockets.patience = 1
	var counts ConnectionCounts
	err := h.ConnectionCounts(&counts)
	require.ErrorIs(t, err, ErrTimeoutExpired)
	require.NotErrorIs(t, err, ErrMalformed)
	assert.EqualError(t, err, "timeout expired: more sockets than can be walked along in 2s")
	assert.Equal(t, [NumTransports]bool{}, counts.Has)
	assert.Equal(t, 256, h.sockets.walked)
	list, err := h.Connections([]Socket{{Inode: 1}}, true, nil)
	require.ErrorIs(t, err, ErrTimeoutExpired)
	assert.Equal(t, []Socket{{Inode: 1}}, list)

	// What counts is CPU time, not how long it takes.
	h.sockets.patience, h.sockets.rest = 200*time.Millisecond, time.Time{}
	first := sync.OnceFunc(func() { time.Sleep(h.sockets.patience) })
	list, err = h.Connections(nil, false, func(*Socket) bool { first(); return true })
	require.NoError(t, err)
	assert.Len(t, list, 1)
	start := time.Now()
	first = sync.OnceFunc(func() {
		for begin := cpuTime(); cpuTime() <= begin+h.sockets.patience; {
		}
	})
	_, err = h.Connections(nil, false, func(*Socket) bool { first(); return true })
	require.ErrorIs(t, err, ErrTimeoutExpired)
	assert.GreaterOrEqual(t, h.sockets.rest.Sub(start), walkRest*h.sockets.patience)

	h.sockets.patience = time.Hour
	h.sockets.rest = time.Now().Add(time.Hour)
	before := h.calls
	require.ErrorIs(t, h.ConnectionCounts(&counts), ErrTimeoutExpired)
	assert.Equal(t, before, h.calls)
	h.sockets.rest = time.Now()
	require.NoError(t, h.ConnectionCounts(&counts))
	assert.Equal(t, int64(1000), counts.TCP[0][TCPEstablished])
}

// A recorded machine, or another root, has nothing to do with the namespace
// that this program is in.
func TestOtherRootIsNotAsked(t *testing.T) {
	tr := newTree(t)
	tr.sockets()
	tr.write("proc/1/net/dev", "")
	assert.Equal(t, hostNetwork{looked: true, folder: "1/net/", sysfs: true}, *tr.open().hostNetwork())
}

// Who is not shown process 1 is taken to be where it is, if at all on this
// machine.
func TestHiddenProcess1(t *testing.T) {
	h := newTree(t).open()
	h.procfs = true
	assert.Equal(t, hostNetwork{looked: true, folder: "1/net/", sysfs: true}, *h.hostNetwork())
	h.net.looked, h.ownPIDs = false, true
	assert.Equal(t, hostNetwork{looked: true, folder: "self/net/", own: true, sysfs: true}, *h.hostNetwork())
}

// Modules are not loaded by asking: only what is loaded, part of the kernel, or
// of one that loads none is asked.
func TestAnswersDiag(t *testing.T) {
	answers := func(tr tree) (all [NumTransports]bool) {
		h := tr.open()
		for transport := range Transport(NumTransports) {
			all[transport] = h.answersDiag(transport)
		}
		return all
	}
	tr := newTree(t)
	assert.Equal(t, [NumTransports]bool{true, true, true}, answers(tr), "without /proc/modules none can be loaded")

	tr.write("proc/modules", "ext4 1 0 - Live 0x0\n")
	assert.Equal(t, [NumTransports]bool{}, answers(tr))
	tr.write("proc/sys/kernel/modules_disabled", "0\n")
	assert.Equal(t, [NumTransports]bool{}, answers(tr))
	tr.write("sys/module/tcp_diag/initstate", "live\n")
	assert.Equal(t, [NumTransports]bool{TCP: true}, answers(tr))
	tr.write("proc/sys/kernel/osrelease", "6.12.0-test\n")
	tr.write("lib/modules/6.12.0-test/modules.builtin", "kernel/net/unix/unix_diag.ko\nkernel/net/ipv4/udp_diag.ko.zst\nkernel/net/my_udp_diag.ko\n")
	assert.Equal(t, [NumTransports]bool{TCP: true, Unix: true}, answers(tr))
	tr.write("proc/sys/kernel/modules_disabled", "1\n")
	assert.Equal(t, [NumTransports]bool{true, true, true}, answers(tr))

	// Somebody else may load one, and unload it.
	tr.write("proc/sys/kernel/modules_disabled", "0\n")
	h := tr.open()
	assert.False(t, h.answersDiag(UDP))
	tr.write("sys/module/udp_diag/initstate", "live\n")
	assert.True(t, h.answersDiag(UDP))
	tr.remove("sys/module/udp_diag")
	assert.False(t, h.answersDiag(UDP))
}

func TestSocketStat(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	stat := SocketStat{TCP: 1}
	require.NoError(t, h.SocketStat(&stat))
	assert.Equal(t, SocketStat{}, stat)

	tr.write("proc/1/net/sockstat", "sockets: used 13\nTCP: inuse 5 orphan 2 tw 31 alloc 9 mem 239\nUDP: inuse 4 mem 0\nUDPLITE: inuse 0\nRAW: inuse 1\nFRAG: inuse 7 memory 0\n")
	require.NoError(t, h.SocketStat(&stat))
	assert.Equal(t, SocketStat{Got: SocketsTCP | SocketsUDP | SocketsUDPLite | SocketsRaw, TCP: 5, Orphans: 2, TimeWait: 31, Allocated: 9, UDP: 4, Raw: 1}, stat)
	tr.write("proc/1/net/sockstat6", "TCP6: inuse 3\nUDP6: inuse 2\nRAW6: inuse 1\nFRAG6: inuse 7 memory 0\n")
	require.NoError(t, h.SocketStat(&stat))
	assert.Equal(t, SocketStat{Got: SocketsTCP | SocketsUDP | SocketsUDPLite | SocketsRaw, TCP: 8, Orphans: 2, TimeWait: 31, Allocated: 9, UDP: 6, Raw: 2}, stat)

	tr.write("proc/1/net/sockstat", "UDP: inuse 4 mem 0\n") // none of the others
	tr.remove("proc/1/net/sockstat6")
	require.NoError(t, h.SocketStat(&stat))
	assert.Equal(t, SocketStat{Got: SocketsUDP, UDP: 4}, stat)

	tr.write("proc/1/net/sockstat6", "TCP6: inuse three\n")
	err := h.SocketStat(&stat)
	require.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, filepath.Join(tr.dir, "proc/1/net/sockstat6"))
	assert.Equal(t, SocketStat{}, stat)
}
