// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/netlink"
	"github.com/hostscope/hostscope/platform/internal/parse"
	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// hostSockets reads the sockets of the host.
type hostSockets struct {
	// refused: this kernel, or what confines us, has no sock_diag(7) for them.
	refused [NumTransports]bool
	// builtin: to ask for them cannot load a module.
	builtin [NumTransports]bool
	looked  bool // for that

	patience time.Duration // walkPatience, but in tests
	deadline time.Duration // of the walk under way, by cpuTime
	rest     time.Time     // no walk before it
	paths    bool          // of Unix sockets are wanted
	walked   int           // sockets so far

	each    func(*Socket)
	socket  Socket
	inet    netlink.InetSocket
	unix    netlink.UnixSocket
	request []byte
}

// A walk along all sockets is given up when it takes more CPU time than
// walkPatience: half of them would say nothing. It is not tried again before
// walkRest times as long have passed, so that no more than a fiftieth of a CPU
// goes into what comes to nothing. It is no matter how long the CPU was others':
// that a host is busy is when its connections are asked for.
const (
	walkPatience = 2 * time.Second
	walkRest     = 50
)

var errManySockets = fmt.Errorf("%w: more sockets than can be walked along in %v", ErrTimeoutExpired, walkPatience)

// ConnectionCounts counts the TCP, UDP and Unix sockets of the network
// namespace that process 1 is in: by sock_diag(7) where that is ours too, else
// by /proc/1/net, which takes three to twelve times as long. What a kernel does
// not have is not in counts.Has, nor is what could not be read, which the error
// tells. No memory is kept for sockets, however many there are. What cannot be
// read in two seconds of CPU time is ErrTimeoutExpired, and that again for some time
// without a try.
//
// The kernel loads modules for who asks sock_diag. A reading must not have
// such an effect, so that it asks only for what is there: tcp_diag, udp_diag
// and unix_diag, as modules that are loaded or as part of the kernel.
func (h *Host) ConnectionCounts(counts *ConnectionCounts) (err error) {
	*counts = ConnectionCounts{}
	counts.Has, err = h.walkSockets(false, counts.add)
	return err
}

// Connections appends to dst the sockets that ConnectionCounts counts, each
// once; those of Unix have their paths only if they are wanted. What was read
// is answered also when the error is not nil: all sockets of a transport, or
// none. Those that keep does not want are left out; nil keeps all.
func (h *Host) Connections(dst []Socket, paths bool, keep func(*Socket) bool) ([]Socket, error) {
	begin := len(dst)
	has, err := h.walkSockets(paths, func(s *Socket) {
		if keep == nil || keep(s) {
			dst = append(dst, *s)
		}
	})
	list := slices.DeleteFunc(dst[begin:], func(s Socket) bool { return !has[s.Transport] })
	return dst[:begin+len(distinct(list))], err
}

// distinct sorts sockets and takes out those that came twice. Sockets that
// come and go while they are walked along move the others.
func distinct(list []Socket) []Socket {
	slices.SortFunc(list, func(a, b Socket) int {
		if a.Inode != b.Inode {
			return cmp.Compare(a.Inode, b.Inode)
		}
		return cmp.Or(cmp.Compare(a.Transport, b.Transport), a.Local.Compare(b.Local), a.Peer.Compare(b.Peer), cmp.Compare(a.State, b.State))
	})
	kept := list[:0]
	for _, s := range list {
		if n := len(kept); n > 0 && kept[n-1].Inode == s.Inode {
			switch last := &kept[n-1]; {
			case s.Inode == 0 && (s.Transport != last.Transport || s.Local != last.Local || s.Peer != last.Peer):
			case last.Transport == Unix && last.Path != s.Path:
				// As with those of one process: one of them may be made up.
				last.Path = ""
				continue
			default:
				continue
			}
		}
		kept = append(kept, s)
	}
	return kept
}

// walkSockets calls each with the sockets of the host and tells of which
// transports it has.
func (h *Host) walkSockets(paths bool, each func(*Socket)) (has [NumTransports]bool, err error) {
	w := &h.sockets
	if time.Now().Before(w.rest) {
		return has, errManySockets
	}
	runtime.LockOSThread() // whose time is taken
	defer runtime.UnlockOSThread()
	begin := cpuTime()
	if w.patience == 0 {
		w.patience = walkPatience
	}
	w.deadline, w.paths, w.walked, w.each = begin+w.patience, paths, 0, each
	var errs []error
	for transport := range Transport(NumTransports) {
		has[transport], err = h.walkTransport(transport)
		if errors.Is(err, ErrTimeoutExpired) {
			w.rest = time.Now().Add(walkRest * (cpuTime() - begin))
			return has, errManySockets
		}
		errs = append(errs, err)
	}
	return has, errors.Join(errs...)
}

// given calls each with a socket. It answers an error when time is up.
func (w *hostSockets) given() error {
	w.each(&w.socket)
	if w.walked++; w.walked%256 == 0 && cpuTime() > w.deadline {
		return errManySockets
	}
	return nil
}

// cpuTime is what this thread has taken of a CPU (clock_gettime(2)).
func cpuTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func (h *Host) walkTransport(transport Transport) (bool, error) {
	w := &h.sockets
	if h.hostNetwork().own && !w.refused[transport] && h.answersDiag(transport) {
		before := w.walked
		err := h.dumpSockets(transport)
		switch {
		case err == nil:
			return true, nil
		case w.walked == before && (errors.Is(err, ErrNotSupported) || errors.Is(err, ErrAccessDenied)):
			w.refused[transport] = true
		default:
			return false, err
		}
	}
	switch transport {
	case TCP:
		return h.inetFiles(transport, "tcp", "tcp6")
	case UDP:
		return h.inetFiles(transport, "udp", "udp6")
	}
	return h.unixFile()
}

// diagModules answer sock_diag(7).
var diagModules = [NumTransports]string{TCP: "tcp_diag", UDP: "udp_diag", Unix: "unix_diag"}

// answersDiag tells whether sock_diag(7) may be asked for a transport without
// loading what answers it (sock_load_diag_module of net/core/sock.c).
func (h *Host) answersDiag(transport Transport) bool {
	w := &h.sockets
	if !w.looked {
		w.looked, w.builtin = true, h.builtinDiag()
	}
	return w.builtin[transport] || h.hasPath(h.root.Sys+"/module/"+diagModules[transport])
}

// builtinDiag tells what is part of the kernel, or might be of one that loads
// no modules, which just answers that it is not.
func (h *Host) builtinDiag() (builtin [NumTransports]bool) {
	var st unix.Statx_t
	none := h.statx(h.proc, []byte("modules\x00"), 0, 0, &st) == unix.ENOENT // no loadable modules
	if none || h.attribute(h.root.Proc+"/sys/kernel/modules_disabled") == 1 {
		return [NumTransports]bool{true, true, true}
	}
	var buf []byte
	release, err := h.firstOf(h.root.Proc + "/sys/kernel/osrelease")
	if err != nil {
		return builtin
	}
	list, err := h.readFile(filepath.Join(h.root.Path, "lib/modules", release, "modules.builtin"), &buf)
	if err != nil {
		return builtin
	}
	for transport, name := range diagModules {
		builtin[transport] = bytes.Contains(list, []byte("/"+name+".ko\n"))
	}
	return builtin
}

// dumpSockets reads the sockets of a transport by sock_diag(7).
func (h *Host) dumpSockets(transport Transport) error {
	w := &h.sockets
	ask := func(kind uint16, each func(*netlink.Message) error) error {
		err := h.dump(unix.NETLINK_SOCK_DIAG, kind, w.request, each)
		switch {
		case errors.Is(err, errInterrupted): // counts of what goes on are never exact
			return nil
		case errors.Is(err, errManySockets):
			return errManySockets
		}
		return err
	}
	w.request = w.request[:0]
	switch transport {
	case TCP:
		w.request = netlink.AppendTCPRequest(w.request)
		return ask(netlink.TCPDiag, w.dumpedTCP)
	case UDP:
		w.request = netlink.AppendUDPRequest(w.request, netlink.FamilyIPv4)
		if err := ask(netlink.SockDiag, w.dumpedUDP); err != nil {
			return err
		}
		w.request = netlink.AppendUDPRequest(w.request[:0], netlink.FamilyIPv6)
		return ask(netlink.SockDiag, w.dumpedUDP)
	}
	w.request = netlink.AppendUnixRequest(w.request, w.paths)
	return ask(netlink.SockDiag, w.dumpedUnix)
}

func (w *hostSockets) dumpedTCP(m *netlink.Message) error { return w.dumpedInet(m, TCP) }
func (w *hostSockets) dumpedUDP(m *netlink.Message) error { return w.dumpedInet(m, UDP) }

func (w *hostSockets) dumpedInet(m *netlink.Message, transport Transport) error {
	s := &w.inet
	if err := netlink.Inet(m.Data, s); err != nil {
		return err
	}
	w.socket = Socket{Inode: uint64(s.Inode), Connection: inetConnection(transport, s.IPv6, s.State, s.Local, s.Peer)}
	return w.given()
}

func (w *hostSockets) dumpedUnix(m *netlink.Message) error {
	s := &w.unix
	if err := netlink.Unix(m.Data, s); err != nil {
		return err
	}
	w.unixSocket(uint64(s.Inode), uint16(s.Type), s.Path)
	return w.given()
}

func (w *hostSockets) unixSocket(inode uint64, kind uint16, path []byte) {
	w.socket = Socket{Inode: inode, Connection: Connection{FD: -1, Transport: Unix, Type: socketType(kind)}}
	if w.paths {
		keep(&w.socket.Path, path)
	}
}

// inetFiles reads the sockets of a transport from files, of which a kernel
// without IPv6 lacks one.
func (h *Host) inetFiles(transport Transport, names ...string) (has bool, err error) {
	w, lines := &h.sockets, &h.table.inet
	lines.Order = binary.NativeEndian
	for _, name := range names {
		lines.Reset()
		var late error
		ipv6 := name[len(name)-1] == '6'
		lines.Each = func(s *procfs.InetSocket) {
			if late == nil {
				w.socket = Socket{Inode: s.Inode, Connection: inetConnection(transport, ipv6, s.State, s.Local, s.Peer)}
				late = w.given()
			}
		}
		there, err := h.walkFile(name, func(b []byte) error { return cmp.Or(lines.Feed(b), late) }, lines.End)
		if err != nil {
			return false, err
		}
		has = has || there
	}
	return has, nil
}

// unixFile reads the Unix sockets from their file. One without an inode is the
// other end of a connection that waits to be accepted; sock_diag(7) has none.
func (h *Host) unixFile() (bool, error) {
	w, lines := &h.sockets, &h.table.unix
	lines.Reset()
	var late error
	lines.Each = func(s *procfs.UnixSocket) {
		if s.Inode > 0 && late == nil {
			w.unixSocket(s.Inode, s.Type, s.Path)
			late = w.given()
		}
	}
	return h.walkFile("unix", func(b []byte) error { return cmp.Or(lines.Feed(b), late) }, lines.End)
}

// walkFile feeds a file of the host's network, chunk by chunk. It tells whether
// there is one.
func (h *Host) walkFile(name string, feed func([]byte) error, end func() error) (bool, error) {
	var err error
	name = h.hostNetwork().folder + name
	path := h.root.Proc + "/" + name
	errno := h.streamAt(h.proc, append([]byte(name), 0), func(b []byte) bool {
		err = feed(b)
		return err == nil
	})
	switch {
	case errno == unix.ENOENT:
		return false, nil
	case errno != 0:
		return false, fileError(path, errno)
	case err == nil:
		err = end()
	}
	if errors.Is(err, parse.ErrSyntax) {
		err = fmt.Errorf("%s: %w: %w", path, ErrMalformed, err)
	}
	return err == nil, err
}

// SocketStat reads how many sockets the kernel counts (/proc/1/net/sockstat,
// sockstat6). What it does not count is not in stat.Got.
func (h *Host) SocketStat(stat *SocketStat) error {
	*stat = SocketStat{}
	folder := h.hostNetwork().folder
	for _, name := range []string{"sockstat", "sockstat6"} {
		err := h.read(folder+name, func(b []byte) error { return procfs.SockStat(b, stat.add) })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			*stat = SocketStat{}
			return err
		}
	}
	return nil
}

func (s *SocketStat) add(protocol, key []byte, n int64) {
	to, field := (*int64)(nil), SocketsTCP
	switch string(key) {
	case "inuse":
		switch string(bytes.TrimSuffix(protocol, []byte{'6'})) {
		case "TCP":
			to = &s.TCP
		case "UDP":
			to, field = &s.UDP, SocketsUDP
		case "UDPLITE":
			to, field = &s.UDPLite, SocketsUDPLite
		case "RAW":
			to, field = &s.Raw, SocketsRaw
		}
	case "orphan":
		to = &s.Orphans
	case "tw":
		to = &s.TimeWait
	case "alloc":
		to = &s.Allocated
	}
	if to != nil {
		*to += n
		s.Got |= field
	}
}
