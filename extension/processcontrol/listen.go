// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/config/confignet"
	"go.uber.org/zap"

	"github.com/hostscope/hostscope/platform"
)

// maxConns bounds the connections, those that wait included, and maxOfOne those
// of one user, or address: nobody is to keep all others out.
const (
	maxConns = 1024
	maxOfOne = maxConns / 2

	maxStreams = 16 // requests at a time of one connection that can have several
)

// listen makes the listener of the configuration.
func (c *control) listen(ctx context.Context) (net.Listener, error) {
	if c.cfg.ServerConfig.NetAddr.Transport == confignet.TransportTypeUnix {
		return c.listenUnix(ctx)
	}
	inner, err := c.cfg.ServerConfig.NetAddr.Listen(ctx)
	if err != nil {
		return nil, err
	}
	if tcp, ok := inner.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() && !c.cfg.ServerConfig.TLS.HasValue() {
		_ = inner.Close() // localhost is what a resolver says
		return nil, fmt.Errorf("endpoint: %s is no loopback address, and there is no TLS", inner.Addr())
	}
	limited := net.Listener(newListener(inner))
	if s := &c.cfg.ServerConfig; s.TLS.HasValue() {
		secure, err := s.TLS.Get().LoadTLSConfig(ctx)
		if err != nil {
			_ = inner.Close()
			return nil, err
		}
		secure.NextProtos = []string{"h2", "http/1.1"}
		limited = tls.NewListener(limited, secure)
	}
	return limited, nil
}

// listenUnix makes a Unix socket that nobody but those of its mode can ever
// have connected to.
func (c *control) listenUnix(ctx context.Context) (net.Listener, error) {
	path := c.cfg.ServerConfig.NetAddr.Endpoint
	if err := checkDirectory(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	mode, err := c.cfg.socketMode()
	if err != nil {
		return nil, err
	}
	gid := os.Getegid() // and not that of a folder with the set-group-ID bit
	if group := c.cfg.UnixSocket.Group; group != "" {
		if gid, err = groupID(group); err != nil {
			return nil, fmt.Errorf("unix_socket::group: %w", err)
		}
	}
	// bind(2) makes the file with the mode of the socket, less the umask
	// (unix_bind_bsd of net/unix/af_unix.c): it is ours alone at first.
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		if err := raw.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), 0o600) }); err != nil {
			return err
		}
		return failed
	}}
	inner, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	socket := inner.(*net.UnixListener)
	socket.SetUnlinkOnClose(false)
	ours, err := os.Lstat(path)
	if err == nil && ours.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%s was made with mode %v", path, ours.Mode().Perm())
	}
	if err == nil {
		err = os.Lchown(path, -1, gid)
	}
	if err == nil {
		err = os.Chmod(path, fs.FileMode(mode))
	}
	if err != nil {
		_ = inner.Close()
		_ = os.Remove(path)
		return nil, err
	}
	c.socket = func() {
		if now, err := os.Lstat(path); err == nil && os.SameFile(ours, now) {
			if err := os.Remove(path); err != nil {
				c.log.Warn("The socket stays", zap.Error(err))
			}
		}
	}
	return newListener(inner), nil
}

// checkDirectory refuses one in which others could put a file of their own in
// the place of ours.
func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir() || !ok:
		return fmt.Errorf("%s is no folder", dir)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others may write in %s (mode %v)", dir, info.Mode().Perm())
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d, who is neither root nor the collector's", dir, st.Uid)
	}
	return nil
}

// removeStale removes the socket of one that has ended without doing so.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there, and no socket", path)
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("another process listens on %s", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return err
}

func groupID(group string) (int, error) {
	if gid, err := strconv.ParseUint(group, 10, 31); err == nil {
		return int(gid), nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// listener bounds the connections and asks who is at the other end of those of
// a Unix socket.
type listener struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once

	mu sync.Mutex
	of map[string]int // connections, by who has made them
}

func newListener(inner net.Listener) *listener {
	return &listener{Listener: inner, slots: make(chan struct{}, maxConns), closed: make(chan struct{}), of: map[string]int{}}
}

// Close closes it; connections go on.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// Accept waits for a connection.
func (l *listener) Accept() (net.Conn, error) {
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.slots
			return nil, err
		}
		served := l.admit(conn)
		if served != nil {
			return served, nil
		}
		_ = conn.Close()
		<-l.slots
	}
}

// admit finds out who has connected; nil for who has too many connections, or
// whom the kernel does not name.
func (l *listener) admit(conn net.Conn) net.Conn {
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		if leave := l.enter(place(conn.RemoteAddr().String()).String()); leave != nil {
			return &limitedConn{conn, leave}
		}
		return nil
	}
	raw, err := unix.SyscallConn()
	if err != nil {
		return nil
	}
	peer, err := platform.PeerCredentials(raw)
	if err != nil {
		return nil
	}
	if leave := l.enter(strconv.FormatUint(uint64(peer.UID), 10)); leave != nil {
		return &peerConn{limitedConn{conn, leave}, peer}
	}
	return nil
}

// enter counts a connection; nil if there are too many.
func (l *listener) enter(who string) (leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[who] == maxOfOne {
		return nil
	}
	l.of[who]++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.of[who]--; l.of[who] == 0 {
			delete(l.of, who)
		}
		<-l.slots
	})
}

// limitedConn gives its slot back when it is closed.
type limitedConn struct {
	net.Conn
	leave func()
}

// Close closes the connection.
func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// peerConn is a connection of a Unix socket.
type peerConn struct {
	limitedConn
	peer platform.Credentials
}

// peerKey is where the context of a request has the peer.
type peerKey struct{}
