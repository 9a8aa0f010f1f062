// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PeerCredentials tells who has connected to a Unix socket: SO_PEERCRED and,
// since Linux 4.13, SO_PEERGROUPS of unix(7).
func PeerCredentials(conn syscall.RawConn) (Credentials, error) {
	var c Credentials
	var errno error
	err := conn.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			errno = err
			return
		}
		c.PID, c.UID, c.GID = cred.Pid, cred.Uid, cred.Gid
		c.Groups = peerGroups(fd)
	})
	if err == nil {
		err = errno
	}
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials of a peer: %w", err)
	}
	return c, nil
}

// peerGroups are the supplementary groups of a peer, none where the kernel
// does not tell.
func peerGroups(fd uintptr) []uint32 {
	for n := 32; n <= 1<<17; n *= 8 { // NGROUPS_MAX is 1<<16
		groups := make([]uint32, n)
		size := uint32(4 * n)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch errno {
		case 0:
			return groups[:size/4]
		case unix.ERANGE:
		default:
			return nil
		}
	}
	return nil
}
