// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/netlink"
)

// namespaceRoot is a folder with the proc and sys of the namespaces that we are
// in; /proc and /sys are still those of the outside.
func namespaceRoot(t testing.TB) Root {
	dir := t.TempDir()
	require.NoError(t, unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	for kind, name := range map[string]string{"proc": "proc", "sysfs": "sys"} {
		at := filepath.Join(dir, name)
		require.NoError(t, os.Mkdir(at, 0o755))
		if err := unix.Mount(kind, at, kind, 0, ""); errors.Is(err, unix.EPERM) {
			t.Skip("not permitted to mount ", kind)
		} else {
			require.NoError(t, err)
		}
		t.Cleanup(func() { require.NoError(t, unix.Unmount(at, unix.MNT_DETACH)) })
	}
	return Root{Path: dir}
}

// rtnl sends one request of rtnetlink(7) that changes something.
func rtnl(t testing.TB, kind, flags uint16, header []byte, attributes ...[]byte) {
	t.Helper()
	require.NoError(t, tryRTNL(kind, flags, header, attributes...))
}

func tryRTNL(kind, flags uint16, header []byte, attributes ...[]byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for _, a := range attributes {
		header = append(header, a...)
	}
	if err := unix.Sendto(fd, netlink.AppendRequest(nil, kind, flags|unix.NLM_F_ACK, 1, header), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return err
	}
	var m netlink.Message
	if _, err := netlink.Next(buf[:n], &m); err != nil {
		return err
	}
	errno, err := m.Errno()
	if err == nil && errno != 0 {
		err = unix.Errno(errno)
	}
	return err
}

// attr is a netlink attribute of bytes, or of others.
func attr(kind uint16, value ...[]byte) []byte {
	b := make([]byte, 4)
	for _, v := range value {
		b = append(b, v...)
	}
	binary.NativeEndian.PutUint16(b, uint16(len(b)))
	binary.NativeEndian.PutUint16(b[2:], kind)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func attr32(kind uint16, n uint32) []byte {
	return attr(kind, binary.NativeEndian.AppendUint32(nil, n))
}

// linkHeader is a struct ifinfomsg that sets flags to those given.
func linkHeader(index int32, flags uint32, change uint32) []byte {
	b := make([]byte, 4)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, flags)
	return binary.NativeEndian.AppendUint32(b, change)
}

func addVeth(t testing.TB, name, peer string) {
	t.Helper()
	err := tryVeth(name, peer)
	if errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("a kernel without veth")
	}
	require.NoError(t, err)
}

func tryVeth(name, peer string) error {
	const infoPeer = 1 // VETH_INFO_PEER
	return tryRTNL(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, linkHeader(0, 0, 0),
		attr(unix.IFLA_IFNAME, []byte(name+"\x00")),
		attr(unix.IFLA_LINKINFO, attr(unix.IFLA_INFO_KIND, []byte("veth")),
			attr(unix.IFLA_INFO_DATA, attr(infoPeer, linkHeader(0, 0, 0), attr(unix.IFLA_IFNAME, []byte(peer+"\x00"))))))
}

func setFlags(t testing.TB, index int32, flags uint32) {
	t.Helper()
	rtnl(t, unix.RTM_NEWLINK, 0, linkHeader(index, flags, unix.IFF_UP))
}

func setLink(t testing.TB, index int32, attributes ...[]byte) {
	t.Helper()
	rtnl(t, unix.RTM_NEWLINK, 0, linkHeader(index, 0, 0), attributes...)
}

func deleteLink(t testing.TB, index int32) {
	t.Helper()
	rtnl(t, unix.RTM_DELLINK, 0, linkHeader(index, 0, 0))
}

// addAddress adds a prefix, and a peer or a broadcast address where it is one.
func addAddress(t testing.TB, index int32, prefix string, broadcast, peer netip.Addr) {
	t.Helper()
	p := netip.MustParsePrefix(prefix)
	family := byte(unix.AF_INET)
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	const noDAD = unix.IFA_F_NODAD
	header := binary.NativeEndian.AppendUint32([]byte{family, byte(p.Bits()), noDAD, 0}, uint32(index))
	other := p.Addr()
	if peer.IsValid() {
		other = peer
	}
	attributes := [][]byte{attr(unix.IFA_LOCAL, p.Addr().AsSlice()), attr(unix.IFA_ADDRESS, other.AsSlice())}
	if broadcast.IsValid() {
		attributes = append(attributes, attr(unix.IFA_BROADCAST, broadcast.AsSlice()))
	}
	rtnl(t, unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, header, attributes...)
}

// sendFrames sends Ethernet frames of 100 bytes that nobody wants.
func sendFrames(t testing.TB, index int32, count int) {
	t.Helper()
	const experimental = 0x88b5
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	frame := make([]byte, 100)
	copy(frame, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5")
	to := &unix.SockaddrLinklayer{Ifindex: int(index), Protocol: experimental, Halen: 6}
	for range count {
		require.NoError(t, unix.Sendto(fd, frame, 0, to))
	}
}

// TestNetworkSandbox: where netlink is forbidden, in whichever way, the files
// tell of the interfaces.
func TestNetworkSandbox(t *testing.T) {
	if !alone(t) {
		return
	}
	for _, errno := range []unix.Errno{unix.EPERM, unix.EACCES, unix.EAFNOSUPPORT, unix.ENOSYS} {
		require.NoError(t, forbidNetlink(errno, unix.SECCOMP_FILTER_FLAG_TSYNC))
		_, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0)
		require.Equal(t, errno, err)
		list, err := live(t).NetworkInterfaces(nil, NetworkUp, nil)
		require.NoError(t, err, errno)
		require.Len(t, list, 1, errno)
		assert.Equal(t, "lo", list[0].Name)
		assert.Equal(t, counted, list[0].Got&counted)
	}
}
