// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// manyFiles raises the limit of open files as far as it goes, and tells it.
func manyFiles(t testing.TB) int {
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	limit.Cur = limit.Max
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	return int(min(limit.Max, 1<<30))
}

// makeSockets makes n sockets of a transport: of TCP a listening one and the
// ends of connections.
func makeSockets(t testing.TB, transport Transport, n int) (closeAll func()) {
	var all []io.Closer
	switch transport {
	case TCP:
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		require.NoError(t, err)
		all = append(all, l)
		for len(all)+1 < n {
			c, err := net.Dial("tcp4", l.Addr().String())
			require.NoError(t, err)
			require.NoError(t, c.(*net.TCPConn).SetLinger(0)) // no TIME_WAIT
			s, err := l.Accept()
			require.NoError(t, err)
			all = append(all, c, s)
		}
	case UDP:
		for len(all) < n {
			c, err := net.ListenPacket("udp4", "127.0.0.1:0")
			require.NoError(t, err)
			all = append(all, c)
		}
	case Unix:
		for len(all) < n {
			c, err := net.Listen("unix", fmt.Sprintf("@hostscope-test-socket-%d", len(all)))
			require.NoError(t, err)
			all = append(all, c)
		}
	}
	return func() {
		for _, c := range all {
			_ = c.Close()
		}
	}
}

// fromFiles makes a host read sockets from files.
func fromFiles(h *Host) { h.sockets.refused = [NumTransports]bool{true, true, true} }

// deaf makes a socket drop whatever arrives, until it hears again.
func deaf(t testing.TB, fd int) {
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	require.NoError(t, unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop[0]}))
}

func hear(t testing.TB, fd int) {
	require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0))
}

// loopback is an address of this machine, of either family.
func loopback(ipv6 bool, port int) (family int, addr unix.Sockaddr) {
	if ipv6 {
		a := &unix.SockaddrInet6{Port: port}
		a.Addr[15] = 1
		return unix.AF_INET6, a
	}
	return unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
}

// listener is a socket that listens on a port of the loopback.
type listener struct {
	t    testing.TB
	fd   int
	ipv6 bool
	port int
}

func listen(t testing.TB, ipv6 bool, port int) listener {
	family, addr := loopback(ipv6, port)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	require.NoError(t, unix.Bind(fd, addr))
	require.NoError(t, unix.Listen(fd, 16))
	return listener{t, fd, ipv6, port}
}

// dial begins a connection from a port.
func (l listener) dial(from int, prepare func(fd int)) (client int) {
	family, addr := loopback(l.ipv6, from)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	require.NoError(l.t, err)
	require.NoError(l.t, unix.Bind(fd, addr))
	if prepare != nil {
		prepare(fd)
	}
	_, to := loopback(l.ipv6, l.port)
	if err := unix.Connect(fd, to); err != unix.EINPROGRESS {
		require.NoError(l.t, err)
	}
	return fd
}

// pair is a connection from a port.
func (l listener) pair(from int) (client, server int) {
	client = l.dial(from, nil)
	server, _, err := unix.Accept4(l.fd, unix.SOCK_CLOEXEC)
	require.NoError(l.t, err)
	return client, server
}

// inodeOf is the one that the links of descriptors show.
func inodeOf(t testing.TB, fd int) uint64 {
	var st unix.Stat_t
	require.NoError(t, unix.Fstat(fd, &st))
	return st.Ino
}

// everyState makes sockets of TCP in each state that one can be in for a while,
// with ports from the listener's on, and tells what is to be read of them.
func everyState(t testing.TB, ipv6 bool, port int) (want []Socket) {
	l := listen(t, ipv6, port)
	_, addr := loopback(ipv6, 0)
	at := netip.MustParseAddr("127.0.0.1")
	if _, is := addr.(*unix.SockaddrInet6); is {
		at = netip.MustParseAddr("::1")
	}
	add := func(fd int, state TCPState, from, to int) {
		s := Socket{Connection: Connection{FD: -1, Transport: TCP, IPv6: ipv6, Type: SocketStream, State: state}}
		if fd >= 0 {
			s.Inode = inodeOf(t, fd)
		}
		s.Local = netip.AddrPortFrom(at, uint16(from))
		if to > 0 {
			s.Peer = netip.AddrPortFrom(at, uint16(to))
		}
		want = append(want, s)
	}
	const none = -1
	shut := func(fd int) { require.NoError(t, unix.Shutdown(fd, unix.SHUT_WR)) }
	gone := func(fd int) { require.NoError(t, unix.Close(fd)) }
	add(l.fd, TCPListen, port, 0)

	// Both ends know each other.
	client, server := l.pair(port + 1)
	add(client, TCPEstablished, port+1, port)
	add(server, TCPEstablished, port, port+1)

	// The client does not hear that it is expected.
	client = l.dial(port+2, func(fd int) { deaf(t, fd) })
	add(client, TCPSynSent, port+2, port)
	add(none, TCPSynRecv, port, port+2)

	// The server does not hear that the client has ended.
	client, server = l.pair(port + 3)
	deaf(t, server)
	shut(client)
	add(client, TCPFinWait1, port+3, port)
	add(server, TCPEstablished, port, port+3)

	// It hears and goes on.
	client, server = l.pair(port + 4)
	shut(client)
	add(client, TCPFinWait2, port+4, port)
	add(server, TCPCloseWait, port, port+4)

	// It ends too, and the client does not hear of it.
	client, server = l.pair(port + 5)
	shut(client)
	for {
		info, err := unix.GetsockoptTCPInfo(client, unix.IPPROTO_TCP, unix.TCP_INFO)
		require.NoError(t, err)
		if tcpState(info.State) == TCPFinWait2 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	deaf(t, client)
	shut(server)
	add(client, TCPFinWait2, port+5, port)
	add(server, TCPLastAck, port, port+5)

	// The client hears of it. What is closed by both has no inode.
	client, server = l.pair(port + 6)
	shut(client)
	gone(server)
	gone(client)
	add(none, TCPTimeWait, port+6, port)

	// Closed without waiting for the other end, which is still there: nobody's,
	// and kept small by the kernel like one in TIME_WAIT, which it is not.
	client, server = l.pair(port + 7)
	gone(client)
	add(none, TCPFinWait2, port+7, port)
	add(server, TCPCloseWait, port, port+7)

	// Both end at once; then the client hears of it, and the server never that
	// it has.
	client, server = l.pair(port + 8)
	deaf(t, client)
	deaf(t, server)
	shut(client)
	shut(server)
	hear(t, client)
	add(client, TCPClosing, port+8, port)
	add(server, TCPFinWait1, port, port+8)

	// Nobody has accepted it.
	client = l.dial(port+9, nil)
	add(client, TCPEstablished, port+9, port)
	add(none, TCPEstablished, port, port+9)
	return want
}

// otherSockets makes sockets of UDP and Unix, and those of TCP that are both of
// IPv6 and of IPv4.
func otherSockets(t testing.TB) (want []Socket) {
	socket := func(family, kind int) int {
		fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		return fd
	}
	add := func(fd int, c Connection) {
		c.FD = -1
		want = append(want, Socket{inodeOf(t, fd), c})
	}
	parse := netip.MustParseAddrPort
	bind := func(fd int, addr unix.Sockaddr) int {
		require.NoError(t, unix.Bind(fd, addr))
		return fd
	}

	l := bind(socket(unix.AF_INET6, unix.SOCK_STREAM), &unix.SockaddrInet6{Port: 3000})
	require.NoError(t, unix.Listen(l, 1))
	c := bind(socket(unix.AF_INET, unix.SOCK_STREAM), &unix.SockaddrInet4{Port: 3001, Addr: [4]byte{127, 0, 0, 1}})
	require.NoError(t, unix.Connect(c, &unix.SockaddrInet4{Port: 3000, Addr: [4]byte{127, 0, 0, 1}}))
	s, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
	require.NoError(t, err)
	add(l, Connection{Transport: TCP, IPv6: true, Type: SocketStream, State: TCPListen, Local: parse("[::]:3000")})
	add(c, Connection{Transport: TCP, Type: SocketStream, State: TCPEstablished, Local: parse("127.0.0.1:3001"), Peer: parse("127.0.0.1:3000")})
	add(s, Connection{Transport: TCP, IPv6: true, Type: SocketStream, State: TCPEstablished, Local: parse("[::ffff:127.0.0.1]:3000"), Peer: parse("[::ffff:127.0.0.1]:3001")})

	// Neither connected nor listening: the files do not have it.
	bind(socket(unix.AF_INET, unix.SOCK_STREAM), &unix.SockaddrInet4{Port: 3002})
	socket(unix.AF_INET, unix.SOCK_STREAM)

	u := bind(socket(unix.AF_INET, unix.SOCK_DGRAM), &unix.SockaddrInet4{Port: 3003})
	add(u, Connection{Transport: UDP, Type: SocketDatagram, Local: parse("0.0.0.0:3003")})
	u = bind(socket(unix.AF_INET6, unix.SOCK_DGRAM), &unix.SockaddrInet6{Port: 3004})
	_, to := loopback(true, 3005)
	require.NoError(t, unix.Connect(u, to))
	add(u, Connection{Transport: UDP, IPv6: true, Type: SocketDatagram, Local: parse("[::1]:3004"), Peer: parse("[::1]:3005")})
	socket(unix.AF_INET, unix.SOCK_DGRAM) // without a port

	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	add(pair[0], Connection{Transport: Unix, Type: SocketStream})
	add(pair[1], Connection{Transport: Unix, Type: SocketStream})
	dir := t.TempDir()
	add(bind(socket(unix.AF_UNIX, unix.SOCK_DGRAM), &unix.SockaddrUnix{Name: dir + "/a socket"}), Connection{Transport: Unix, Type: SocketDatagram, Path: dir + "/a socket"})
	q := bind(socket(unix.AF_UNIX, unix.SOCK_SEQPACKET), &unix.SockaddrUnix{Name: "@abs\x00tract"})
	require.NoError(t, unix.Listen(q, 1))
	add(q, Connection{Transport: Unix, Type: SocketSeqpacket, Path: "@abs@tract"})
	waiting := socket(unix.AF_UNIX, unix.SOCK_SEQPACKET)
	require.NoError(t, unix.Connect(waiting, &unix.SockaddrUnix{Name: "@abs\x00tract"})) // nobody has accepted it
	add(waiting, Connection{Transport: Unix, Type: SocketSeqpacket})
	add(socket(unix.AF_UNIX, unix.SOCK_STREAM), Connection{Transport: Unix, Type: SocketStream})
	return want
}

func described(list []Socket) (all []string) {
	for _, s := range list {
		all = append(all, fmt.Sprintf("%d: transport %d, IPv6 %t, type %d, state %d, %v to %v, %q", s.Inode, s.Transport, s.IPv6, s.Type, s.State, s.Local, s.Peer, s.Path))
	}
	return all
}

// TestEveryState reads sockets in every state, of which it knows all, in two
// ways.
func TestEveryState(t *testing.T) {
	if !alone(t) {
		return
	}
	want := slices.Concat(everyState(t, false, 1000), everyState(t, true, 2000), otherSockets(t))
	var counts ConnectionCounts
	counts.Has = [NumTransports]bool{true, true, true}
	states := map[TCPState]bool{}
	for i := range want {
		counts.add(&want[i])
		states[want[i].State] = true
	}
	assert.Len(t, states, NumTCPStates-1, "each but CLOSE, in which no socket is found, and none")
	want = distinct(want)

	diag, files := live(t), live(t)
	fromFiles(files)
	assert.Equal(t, hostNetwork{looked: true, folder: "1/net/", own: true, sysfs: true}, *diag.hostNetwork())
	for name, h := range map[string]*Host{"sock_diag": diag, "files": files} {
		var list []Socket
		for range 100 { // packets that were lost are sent again
			var err error
			list, err = h.Connections(list[:0], true, nil)
			require.NoError(t, err, name)
			if slices.Equal(want, list) {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		assert.Empty(t, cmp.Diff(described(want), described(list)), name)
		var got ConnectionCounts
		require.NoError(t, h.ConnectionCounts(&got), name)
		assert.Equal(t, counts, got, name)
	}
	assert.Equal(t, [NumTransports]bool{}, diag.sockets.refused)

	var stat SocketStat
	require.NoError(t, diag.SocketStat(&stat))
	closed := int64(0)
	for family := range counts.TCP {
		closed += counts.TCP[family][TCPTimeWait] + 1 // and a FIN_WAIT2 without an inode
	}
	assert.Equal(t, closed, stat.TimeWait)
	inUse := int64(0)
	for _, s := range want {
		if s.Transport == TCP {
			inUse++
		}
	}
	assert.Equal(t, inUse-stat.TimeWait-2, stat.TCP, "without requests, which are no sockets yet")
	assert.Equal(t, counts.UDP[0]+counts.UDP[1], stat.UDP)
	assert.GreaterOrEqual(t, stat.Allocated, stat.TCP+2, "those without a port as well")
}

// ssStates are the states as ss(8) names them.
var ssStates = map[string]TCPState{
	"ESTAB": TCPEstablished, "SYN-SENT": TCPSynSent, "SYN-RECV": TCPSynRecv, "FIN-WAIT-1": TCPFinWait1, "FIN-WAIT-2": TCPFinWait2,
	"TIME-WAIT": TCPTimeWait, "UNCONN": TCPClose, "CLOSE-WAIT": TCPCloseWait, "LAST-ACK": TCPLastAck, "LISTEN": TCPListen, "CLOSING": TCPClosing,
}

// TestLiveSS: ss(8) shows the same sockets.
func TestLiveSS(t *testing.T) {
	ss := func(args ...string) func() string {
		return tool(t, "ss", append([]string{"-H", "-a", "-n"}, args...)...)
	}
	ss()
	if !alone(t) {
		return
	}
	everyState(t, false, 1000)
	everyState(t, true, 2000)
	otherSockets(t)

	end := func(text string) string { // *:80 is [::]:80, and :* no port
		text = strings.Replace(strings.Replace(text, "*:", "[::]:", 1), ":*", ":0", 1)
		return known(netip.MustParseAddrPort(text)).String()
	}
	theirs := func() (all []string) {
		for _, transport := range []struct {
			flag      string
			transport Transport
		}{{"-t", TCP}, {"-u", UDP}} {
			for _, ipv6 := range []bool{false, true} {
				for line := range strings.Lines(ss(transport.flag, map[bool]string{false: "-4", true: "-6"}[ipv6])()) {
					f := strings.Fields(line) // State Recv-Q Send-Q Local Peer
					state, known := ssStates[f[0]]
					require.True(t, known, line)
					if transport.transport == UDP {
						state = TCPNone
					}
					all = append(all, fmt.Sprint(transport.transport, ipv6, state, " ", end(f[3]), " ", end(f[4])))
				}
			}
		}
		for line := range strings.Lines(ss("-x")()) {
			kind, known := map[string]SocketType{"u_str": SocketStream, "u_dgr": SocketDatagram, "u_seq": SocketSeqpacket}[strings.Fields(line)[0]]
			require.True(t, known, line)
			all = append(all, fmt.Sprint("unix ", kind))
		}
		slices.Sort(all)
		return all
	}
	h := live(t)
	ours := func() (all []string) {
		list, err := h.Connections(nil, false, nil)
		require.NoError(t, err)
		for _, s := range list {
			if s.Transport == Unix {
				all = append(all, fmt.Sprint("unix ", s.Type))
			} else {
				all = append(all, fmt.Sprint(s.Transport, s.IPv6, s.State, " ", s.Local, " ", s.Peer))
			}
		}
		slices.Sort(all)
		return all
	}
	want, got := theirs(), ours()
	for range 100 { // until packets that were lost have been sent again
		if slices.Equal(want, got) {
			break
		}
		time.Sleep(20 * time.Millisecond)
		want, got = theirs(), ours()
	}
	assert.Greater(t, len(want), 40)
	assert.Empty(t, cmp.Diff(want, got))
}

const (
	notAccepted          = "AF_UNIXSOCK_SEQPACKETNONE[@ a b s @ t r a c t] []"
	netConnectionsScript = `
import json, psutil
print(json.dumps([[c.family.name, c.type.name, c.status, list(c.laddr), list(c.raddr)] for c in psutil.net_connections("all")]))
`
)

// TestLiveNetConnections: psutil finds the same.
func TestLiveNetConnections(t *testing.T) {
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import psutil").Run() != nil {
		t.Skip("no psutil")
	}
	if !alone(t) {
		return
	}
	everyState(t, false, 1000)
	everyState(t, true, 2000)
	otherSockets(t)
	run := tool(t, python, "-c", netConnectionsScript)
	theirs := func() (all []string) {
		var list [][]any
		require.NoError(t, json.Unmarshal([]byte(run()), &list))
		for _, c := range list {
			all = append(all, fmt.Sprint(c...))
		}
		slices.Sort(all)
		// It counts also the end of a connection that nobody has accepted, which
		// sock_diag(7) does not show: as a second listening socket.
		if i := slices.Index(all, notAccepted); i >= 0 {
			all = slices.Delete(all, i, i+1)
		}
		return all
	}
	h := live(t)
	states := [NumTCPStates]string{
		"NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING",
	}
	kinds := [NumSocketTypes]string{SocketStream: "SOCK_STREAM", SocketDatagram: "SOCK_DGRAM", SocketSeqpacket: "SOCK_SEQPACKET"}
	ours := func() (all []string) {
		list, err := h.Connections(nil, true, nil)
		require.NoError(t, err)
		for _, s := range list {
			family := map[bool]string{false: "AF_INET", true: "AF_INET6"}[s.IPv6]
			local, peer := []any{}, []any{}
			if s.Transport == Unix {
				family = "AF_UNIX"
				for _, c := range s.Path { // a string is a list, too
					local = append(local, string(c))
				}
				if strings.Contains(s.Path, " ") { // it does not see that one
					local = nil
				}
			}
			if s.Local.IsValid() {
				local = []any{s.Local.Addr().String(), s.Local.Port()}
			}
			if s.Peer.IsValid() {
				peer = []any{s.Peer.Addr().String(), s.Peer.Port()}
			}
			all = append(all, fmt.Sprint(family, kinds[s.Type], states[s.State], local, peer))
		}
		slices.Sort(all)
		return all
	}
	want, got := theirs(), ours()
	for range 100 {
		if slices.Equal(want, got) {
			break
		}
		time.Sleep(20 * time.Millisecond)
		want, got = theirs(), ours()
	}
	assert.Greater(t, len(want), 40)
	assert.Empty(t, cmp.Diff(want, got))
}

// TestManySockets: ten thousand are read completely, in the memory that ten
// take.
func TestManySockets(t *testing.T) {
	if !alone(t) {
		return
	}
	pairs := int64(min(5_000, manyFiles(t)/2-50))
	n := 2*pairs + 1 // one of them listens
	diag, files := live(t), live(t)
	fromFiles(files)
	diag.sockets.patience, files.sockets.patience = time.Hour, time.Hour
	for _, tt := range []struct {
		transport Transport
		want      func(*ConnectionCounts)
	}{
		{TCP, func(c *ConnectionCounts) { c.TCP[0][TCPListen], c.TCP[0][TCPEstablished] = 1, n-1 }},
		{UDP, func(c *ConnectionCounts) { c.UDP[0] = n }},
		{Unix, func(c *ConnectionCounts) { c.Unix[SocketStream] = n }},
	} {
		done := makeSockets(t, tt.transport, int(n))
		want := ConnectionCounts{Has: [NumTransports]bool{true, true, true}}
		tt.want(&want)
		for name, h := range map[string]*Host{"sock_diag": diag, "files": files} {
			var counts ConnectionCounts
			before := h.calls
			require.NoError(t, h.ConnectionCounts(&counts), name)
			assert.Equal(t, want, counts, name)
			calls := h.calls - before
			var mem, after runtime.MemStats
			runtime.ReadMemStats(&mem)
			require.NoError(t, h.ConnectionCounts(&counts), name)
			runtime.ReadMemStats(&after)
			t.Logf("%s: %d system calls, %d bytes", name, calls, after.TotalAlloc-mem.TotalAlloc)
			assert.Less(t, after.TotalAlloc-mem.TotalAlloc, uint64(64<<10), name)
			if name == "sock_diag" {
				assert.Less(t, calls, 100)
			}
			list, err := h.Connections(nil, true, nil)
			require.NoError(t, err, name)
			assert.Len(t, list, int(n), name)

			h.sockets.patience = 1 // and what was not read is left behind
			err = h.ConnectionCounts(&counts)
			require.ErrorIs(t, err, ErrTimeoutExpired, name)
			require.NotErrorIs(t, err, ErrMalformed, name)
			assert.Equal(t, 256, h.sockets.walked, name)
			h.sockets.patience, h.sockets.rest = time.Hour, time.Time{}
			require.NoError(t, h.ConnectionCounts(&counts), name)
			assert.Equal(t, want, counts, name)
		}
		done()
	}
}

// TestOtherNamespace: what this thread has in a network namespace of its own is
// none of the sockets of process 1.
func TestOtherNamespace(t *testing.T) {
	if !alone(t) {
		return
	}
	read := func() (counts ConnectionCounts, ours bool) {
		h := live(t)
		ours = h.hostNetwork().own
		require.NoError(t, h.ConnectionCounts(&counts))
		return counts, ours
	}
	defer makeSockets(t, TCP, 3)()
	outside, ours := read()
	assert.True(t, ours)
	assert.Equal(t, int64(2), outside.TCP[0][TCPEstablished])
	onAnotherThread(func() {
		assert.NoError(t, unix.Unshare(unix.CLONE_NEWNET))
		inside, ours := read()
		assert.False(t, ours)
		assert.Equal(t, outside, inside)
	})
}

// onAnotherThread runs what changes a thread for good, which ends with it: not
// the first one, which stands for the process in /proc.
func onAnotherThread(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			do()
			return
		}
		onAnotherThread(do)
		runtime.UnlockOSThread()
	}()
	<-done
}

// TestSandbox: where netlink is forbidden, files are read at once, and netlink
// is not tried again.
func TestSandbox(t *testing.T) {
	if !alone(t) {
		return
	}
	defer makeSockets(t, TCP, 3)()
	for _, errno := range []unix.Errno{unix.EPERM, unix.EACCES, unix.EAFNOSUPPORT, unix.ENOSYS} {
		onAnotherThread(func() {
			if !assert.NoError(t, forbidNetlink(errno, 0)) {
				return
			}
			h := live(t)
			var first, second ConnectionCounts
			assert.NoError(t, h.ConnectionCounts(&first), errno)
			assert.Equal(t, [NumTransports]bool{true, true, true}, h.sockets.refused)
			assert.Equal(t, int64(2), first.TCP[0][TCPEstablished])
			before := h.calls
			assert.NoError(t, h.ConnectionCounts(&second), errno)
			again := h.calls
			assert.Equal(t, first, second)
			files := live(t)
			fromFiles(files)
			assert.NoError(t, files.ConnectionCounts(&second))
			calls := files.calls
			assert.NoError(t, files.ConnectionCounts(&second))
			assert.Equal(t, files.calls-calls, again-before, errno)
		})
	}
}

// forbidNetlink makes the kernel answer an error to this thread, by a flag to
// all, when it wants a socket of netlink.
func forbidNetlink(errno unix.Errno, flags uintptr) error {
	const loadWord, ifEqual, ret = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	domain := uint32(16) // the lower half of the first argument in struct seccomp_data
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		domain += 4
	}
	filter := []unix.SockFilter{
		{Code: loadWord, K: 0}, // the number of the system call
		{Code: ifEqual, K: unix.SYS_SOCKET, Jf: 3},
		{Code: loadWord, K: domain},
		{Code: ifEqual, K: unix.AF_NETLINK, Jf: 1},
		{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, err := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program))); err != 0 {
		return err
	}
	return nil
}

// BenchmarkSockets compares sock_diag(7) with the files of /proc, of counts
// and of the list, and with what the kernel counts itself.
func BenchmarkSockets(b *testing.B) {
	if !alone(b) {
		return
	}
	manyFiles(b)
	bench := func(name string, h *Host, read func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := h.calls
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(h.calls-before)/float64(b.N), "syscalls/op")
		})
	}
	diag, files := live(b), live(b)
	fromFiles(files)
	for transport, name := range []string{"tcp", "udp", "unix"} {
		for _, n := range []int{10, 1_000, 10_000} {
			done := makeSockets(b, Transport(transport), n)
			for _, source := range []struct {
				name string
				h    *Host
			}{{"sock_diag", diag}, {"files", files}} {
				var counts ConnectionCounts
				var list []Socket
				at := fmt.Sprintf("%s/%d/%s/", name, n, source.name)
				bench(at+"counts", source.h, func() error { return source.h.ConnectionCounts(&counts) })
				bench(at+"list", source.h, func() (err error) { list, err = source.h.Connections(list[:0], true, nil); return err })
			}
			done()
		}
	}
	var stat SocketStat
	bench("sockstat", files, func() error { return files.SocketStat(&stat) })
	require.Equal(b, [NumTransports]bool{}, diag.sockets.refused)
}
