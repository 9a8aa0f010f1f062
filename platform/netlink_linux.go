// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/netlink"
)

// netlinkPatience is how long one part of an answer may take. The kernel makes
// it while it is read; what takes longer is stuck.
const netlinkPatience = 2 * time.Second

// errInterrupted tells that what was dumped changed meanwhile, so that some of
// it may be there twice or not at all.
var errInterrupted = errors.New("the dump was interrupted")

// dump sends one netlink(7) request of a family for all there is, and calls
// each with every message of the answer, which is valid until it returns. The
// socket belongs to our network namespace, whatever the root is.
func (a *access) dump(family int, kind uint16, request []byte, each func(*netlink.Message) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("netlink family %d, request %d: %w", family, kind, err)
		}
	}()
	a.calls++
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, family)
	if err != nil {
		return netlinkError(err)
	}
	defer a.close(fd)
	a.calls++
	timeout := unix.NsecToTimeval(netlinkPatience.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return netlinkError(err)
	}
	a.calls++
	message := netlink.AppendRequest(nil, kind, netlink.Dump, 1, request)
	if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return netlinkError(err)
	}
	if len(a.datagram) == 0 { // the kernel takes as much as fits, 32 KiB at most
		a.datagram = make([]byte, 32<<10)
	}
	interrupted := false
	for {
		a.calls++
		n, _, flags, from, err := unix.Recvmsg(fd, a.datagram, nil, 0)
		switch sender, ok := from.(*unix.SockaddrNetlink); {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return netlinkError(err)
		case !ok || sender.Pid != 0: // not the kernel
			continue
		case flags&unix.MSG_TRUNC != 0:
			return fmt.Errorf("%w: a message of over %d bytes", ErrMalformed, len(a.datagram))
		}
		var m netlink.Message
		for b := a.datagram[:n]; len(b) > 0; {
			if b, err = netlink.Next(b, &m); err != nil {
				return fmt.Errorf("%w: %w", ErrMalformed, err)
			}
			interrupted = interrupted || m.Flags&netlink.DumpInterrupted != 0
			switch m.Type {
			case netlink.Done, netlink.Error:
				errno, err := m.Errno()
				switch {
				case err != nil:
					return fmt.Errorf("%w: %w", ErrMalformed, err)
				case errno != 0:
					return netlinkError(unix.Errno(errno))
				case interrupted:
					return errInterrupted
				}
				return nil
			case netlink.Noop, netlink.Overrun:
			default:
				if err := each(&m); err != nil {
					return fmt.Errorf("%w: %w", ErrMalformed, err)
				}
			}
		}
	}
}

// netlinkError is an error of netlink(7) as one of this package where it has
// one. A kernel without the family, or without a handler of the request,
// answers ErrNotSupported, and so does a sandbox that forbids the socket.
func netlinkError(err error) error {
	switch errno := errnoOf(err); errno {
	case unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, unix.ENOENT, unix.EINVAL, unix.EOPNOTSUPP:
		return fmt.Errorf("%w: %w", ErrNotSupported, errno)
	case unix.EAGAIN:
		return fmt.Errorf("%w: %w", ErrTimeoutExpired, os.NewSyscallError("recvmsg", errno))
	default:
		if c := class(errno); c != 0 {
			return c
		}
		return errno
	}
}
