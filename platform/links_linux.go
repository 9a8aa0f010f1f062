// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/netlink"
	"github.com/hostscope/hostscope/platform/internal/parse"
)

// linksKey and settingsKey name the two things that take the kernel's lock of
// all links, in what is bounded and in errors.
const (
	linksKey    = "network links"
	settingsKey = "network link settings"
)

// kernelLinks are the interfaces and addresses that rtnetlink(7) tells of the
// network of this process. While a reading is under way it belongs to the
// goroutine that does it.
type kernelLinks struct {
	access
	run       func()
	want      NetworkFields
	apart     bool // statistics are told apart: see [netlink.LinkRequest]
	links     []kernelLink
	addresses []netlink.Address
	err       error
}

// kernelLink is one interface, without its name and addresses as strings.
type kernelLink struct {
	NetworkInterface
	name      [unix.IFNAMSIZ]byte
	nameLen   uint8
	address   hardware
	broadcast hardware
}

// hardware is an address of hardware: Ethernet's has 6 octets, InfiniBand's 20.
type hardware struct {
	octets [maxHardware]byte
	len    uint8
}

const maxHardware = 32 // MAX_ADDR_LEN of include/linux/netdevice.h

func (a *hardware) set(b []byte) { a.len = uint8(copy(a.octets[:], b)) }

func (l *kernelLink) raw() []byte { return l.name[:l.nameLen] }

// kernelLinks reads the interfaces of our network.
func (h *Host) kernelLinks(want NetworkFields) error {
	k := &h.network.kernel
	if h.bounded.under(linksKey) {
		return fmt.Errorf("%s: %w", linksKey, ErrTimeoutExpired)
	}
	if k.run == nil {
		k.run = func() { k.err = k.read() }
	}
	k.want = want
	if err := h.bounded.try(linksKey, networkPatience, k.run); err != nil {
		return fmt.Errorf("%s: %w", linksKey, err)
	}
	h.calls += k.calls
	k.calls = 0
	return k.err
}

func (k *kernelLinks) read() error {
	k.links, k.addresses = k.links[:0], k.addresses[:0]
	if err := k.all(netlink.GetLink, netlink.LinkRequest(), k.addLink); err != nil {
		return err
	}
	// That order, and no repetition, came with Linux 6.8.
	for i := 1; i < len(k.links); i++ {
		if k.links[i-1].Index >= k.links[i].Index {
			k.links = newest(k.links)
			break
		}
	}
	if k.apart && len(k.links) > 0 {
		if err := k.all(netlink.GetLinkStats, netlink.LinkStatsRequest(), k.addStats); err != nil {
			return err
		}
	}
	if k.want.Has(NetworkAddresses) {
		if err := k.all(netlink.GetAddress, netlink.AddressRequest(), k.addAddress); err != nil {
			return err
		}
		slices.SortStableFunc(k.addresses, func(a, b netlink.Address) int { return cmp.Compare(a.Index, b.Index) })
	}
	return nil
}

// newest sorts links by their index, of each the last one.
func newest(links []kernelLink) []kernelLink {
	slices.SortStableFunc(links, func(a, b kernelLink) int { return cmp.Compare(a.Index, b.Index) })
	kept := links[:0]
	for i := range links {
		if i+1 == len(links) || links[i+1].Index != links[i].Index {
			kept = append(kept, links[i])
		}
	}
	return kept
}

// attempts is how often a dump is made until none of what it tells changes
// meanwhile. After that the last one has to do.
const attempts = 3

// all dumps everything, which each is called with, whatever was told before.
func (k *kernelLinks) all(kind uint16, request []byte, each func(*netlink.Message) error) error {
	for range attempts {
		err := k.dump(unix.NETLINK_ROUTE, kind, request, each)
		if !errors.Is(err, errInterrupted) {
			return err
		}
	}
	return nil
}

func (k *kernelLinks) addLink(m *netlink.Message) error {
	var raw netlink.Link
	if err := netlink.DecodeLink(m.Data, &raw); err != nil {
		return err
	}
	var l kernelLink
	if len(raw.Name) > len(l.name) || max(len(raw.Address), len(raw.Broadcast)) > maxHardware {
		return parse.ErrSyntax
	}
	l.nameLen = uint8(copy(l.name[:], raw.Name))
	l.address.set(raw.Address)
	l.broadcast.set(raw.Broadcast)
	l.Index, l.Loopback = raw.Index, raw.Flags&netlink.Loopback != 0
	l.Up = raw.Flags&netlink.Up != 0 && raw.Flags&netlink.Running != 0
	l.MTU = uint64(raw.MTU)
	l.Got = NetworkUp | NetworkMTU
	if raw.HasCarrierChanges {
		l.CarrierChanges, l.Got = uint64(raw.CarrierChanges), l.Got|NetworkCarrierChanges
	}
	if k.apart = k.apart || !raw.HasStats; !k.apart {
		l.count(&raw.Stats)
	}
	k.links = append(k.links, l)
	return nil
}

// count sets the counters as /proc/net/dev has them: what the device had no
// room for is dropped (dev_seq_printf_stats of net/core/net-procfs.c).
func (i *NetworkInterface) count(s *netlink.LinkStats) {
	i.BytesSent, i.BytesRecv, i.PacketsSent, i.PacketsRecv = s.TxBytes, s.RxBytes, s.TxPackets, s.RxPackets
	i.ErrIn, i.ErrOut, i.DropIn, i.DropOut = s.RxErrors, s.TxErrors, s.RxDropped+s.RxMissed, s.TxDropped
	i.Multicast, i.Collisions = s.Multicast, s.Collisions
	i.Got |= counted
}

func (k *kernelLinks) addStats(m *netlink.Message) error {
	index, stats, err := netlink.DecodeLinkStats(m.Data)
	if err != nil {
		return err
	}
	if at := sort.Search(len(k.links), func(i int) bool { return k.links[i].Index >= index }); at < len(k.links) && k.links[at].Index == index {
		k.links[at].count(&stats)
	}
	return nil
}

func (k *kernelLinks) addAddress(m *netlink.Message) error {
	var a netlink.Address
	if err := netlink.DecodeAddress(m.Data, &a); err != nil {
		return err
	}
	if a.Address.IsValid() {
		k.addresses = append(k.addresses, a)
	}
	return nil
}

// appendAddresses appends those of a link, of which a dump that was repeated
// may have told twice.
func (k *kernelLinks) appendAddresses(to []NetworkAddress, l *kernelLink) []NetworkAddress {
	to = appendHardware(to, &l.address, &l.broadcast)
	first := sort.Search(len(k.addresses), func(i int) bool { return k.addresses[i].Index >= l.Index })
	for i := first; i < len(k.addresses) && k.addresses[i].Index == l.Index; i++ {
		if a := k.addresses[i]; !slices.Contains(k.addresses[first:i], a) {
			to = append(to, protocolAddress(a))
		}
	}
	return to
}

func protocolAddress(a netlink.Address) NetworkAddress {
	family, all := FamilyIPv6, netip.IPv6Unspecified()
	if a.Address.Is4() {
		family, all = FamilyIPv4, netip.IPv4Unspecified()
	}
	address := NetworkAddress{Family: family, Address: a.Address.String(), Prefix: a.Bits}
	mask := all.AsSlice()
	for i := range a.Bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	netmask, _ := netip.AddrFromSlice(mask)
	address.Netmask = netmask.String()
	if a.Broadcast.IsValid() {
		address.Broadcast = a.Broadcast.String()
	}
	if a.Peer.IsValid() {
		address.Peer = a.Peer.String()
	}
	return address
}

// appendHardware appends the address of hardware, if it is one.
func appendHardware(to []NetworkAddress, address, broadcast *hardware) []NetworkAddress {
	if a := address.String(); a != "" {
		to = append(to, NetworkAddress{Family: FamilyLink, Address: a, Broadcast: broadcast.String()})
	}
	return to
}

// String is the address in the notation of IEEE; empty where it is none: those
// of tunnels are IP addresses, and loopback's is all zeros.
func (a *hardware) String() string {
	octets := a.octets[:a.len]
	if len(octets) < 6 || len(octets) == 16 || bytes.Count(octets, []byte{0}) == len(octets) {
		return ""
	}
	text := make([]byte, 0, 3*maxHardware)
	for i, octet := range octets {
		if i > 0 {
			text = append(text, '-')
		}
		text = fmt.Appendf(text, "%02X", octet)
	}
	return string(text)
}

// linkSettings asks for what drivers tell of links. While that is under way it
// belongs to the goroutine that does it.
type linkSettings struct {
	access
	run     func()
	dir     string // of sysfs, with a slash at its end
	files   bool   // it is sysfs that is asked, and not the kernel
	want    NetworkFields
	changed bool
	links   []linkSetting
	errs    []error

	ethtool ethtool
	buf     [128]byte
	path    []byte
}

// linkSetting is one link that is asked about, and what came.
type linkSetting struct {
	NetworkInterface
	at    int    // among those that are told
	raw   string // its name, byte for byte
	wasUp bool   // in the reading before
	// due tells that speed and duplex are asked; in files, also where a link
	// has changed.
	due bool

	address, broadcast hardware
}

func (s *linkSettings) ask() {
	if s.files {
		s.askFiles()
		return
	}
	s.calls++
	// Any family does, and no sandbox forbids this one.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		s.errs = append(s.errs, fmt.Errorf("%s: %w", settingsKey, netlinkError(err)))
		return
	}
	defer s.close(fd)
	for i := range s.links {
		l := &s.links[i]
		l.Speed, l.Duplex = s.ethtool.settings(&s.access, fd, l.raw)
	}
}

// ethtool is one request to drivers (struct ifreq, struct
// ethtool_link_settings of include/uapi/linux/ethtool.h).
type ethtool struct {
	request struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	reply [ethtoolSettings + 3*4*127]byte
	words uint8 // the size of a set of link modes, which the kernel tells once
}

// Offsets in struct ethtool_link_settings.
const (
	ethtoolSpeed    = 4
	ethtoolDuplex   = 8
	ethtoolWords    = 15
	ethtoolSettings = 48
)

// settings are what a driver tells. Many tell nothing, and some fail: that is
// as good as unknown. The link must be up, so that no device is woken up.
func (e *ethtool) settings(a *access, fd int, name string) (speed uint64, duplex Duplex) {
	for range 2 {
		clear(e.reply[:])
		binary.NativeEndian.PutUint32(e.reply[:], unix.ETHTOOL_GLINKSETTINGS)
		e.reply[ethtoolWords] = e.words
		e.request.name = [unix.IFNAMSIZ]byte{}
		copy(e.request.name[:unix.IFNAMSIZ-1], name)
		e.request.data = unsafe.Pointer(&e.reply)
		a.calls++
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&e.request)))
		if errno != 0 {
			return 0, DuplexUnknown
		}
		if words := int8(e.reply[ethtoolWords]); words < 0 {
			e.words = uint8(-words)
			continue
		}
		return bitsPerSecond(int64(binary.NativeEndian.Uint32(e.reply[ethtoolSpeed:]))), duplexOf(e.reply[ethtoolDuplex])
	}
	return 0, DuplexUnknown
}

// bitsPerSecond converts Mbit/s, of which the kernel has several that mean
// unknown (SPEED_UNKNOWN, and that of 16 bits in older structures); 0 for these.
func bitsPerSecond(speed int64) uint64 {
	if speed <= 0 || speed == math.MaxUint16 || speed > math.MaxInt32 {
		return 0
	}
	return uint64(speed) * 1_000_000
}

func duplexOf(code uint8) Duplex {
	switch code {
	case 0:
		return DuplexHalf
	case 1:
		return DuplexFull
	}
	return DuplexUnknown
}

// askFiles reads the files of each link. One that is not there, or does not
// answer, has no value: speed and duplex fail where a link is down or has none.
func (s *linkSettings) askFiles() {
	for i := range s.links {
		l := &s.links[i]
		// The flags here are not told whether it runs (net/core/net-sysfs.c).
		switch state, ok := s.file(l, "operstate"); {
		case !ok:
			continue
		case string(state) == "up", string(state) == "unknown":
			l.Up = true
		}
		l.Got |= NetworkUp
		s.changed = s.changed || l.Up != l.wasUp
		if s.want.Has(NetworkMTU) {
			s.number(l, "mtu", NetworkMTU, &l.MTU)
		}
		if s.want.Has(NetworkCarrierChanges) {
			s.number(l, "carrier_changes", NetworkCarrierChanges, &l.CarrierChanges)
		}
		if s.want.Has(NetworkAddresses) {
			s.addresses(l)
		}
	}
	for i := range s.links {
		l := &s.links[i]
		if l.due = l.Up && (l.due || s.changed); !l.due {
			continue
		}
		if text, ok := s.file(l, "speed"); ok {
			speed, ok := parse.Only(text)
			if !ok {
				s.malformed(l, "speed")
			}
			l.Speed = bitsPerSecond(speed)
		}
		switch text, _ := s.file(l, "duplex"); string(text) {
		case "half":
			l.Duplex = DuplexHalf
		case "full":
			l.Duplex = DuplexFull
		}
	}
}

// addresses reads what is known of a link's addresses.
func (s *linkSettings) addresses(l *linkSetting) {
	text, ok := s.file(l, "flags")
	if !ok {
		return
	}
	digits, hex := bytes.CutPrefix(text, []byte("0x"))
	flags, rest, ok := parse.Hex(digits)
	if !hex || !ok || len(rest) > 0 {
		s.malformed(l, "flags")
		return
	}
	l.Loopback = flags&netlink.Loopback != 0
	l.Got |= NetworkAddresses
	for _, a := range [...]struct {
		file string
		to   *hardware
	}{{"address", &l.address}, {"broadcast", &l.broadcast}} {
		if text, ok := s.file(l, a.file); ok && !a.to.parse(text) {
			s.malformed(l, a.file)
		}
	}
}

// parse reads octets with colons between them; none at all is an address too.
func (a *hardware) parse(text []byte) bool {
	for len(text) > 0 {
		var octet []byte
		octet, text, _ = parse.Split(text, ':')
		n, rest, ok := parse.Hex(octet)
		if !ok || len(rest) > 0 || n > math.MaxUint8 || a.len == maxHardware {
			*a = hardware{}
			return false
		}
		a.octets[a.len] = byte(n)
		a.len++
	}
	return true
}

func (s *linkSettings) number(l *linkSetting, file string, field NetworkFields, to *uint64) {
	text, ok := s.file(l, file)
	if !ok {
		return
	}
	n, ok := parse.Only(text)
	if !ok || n < 0 {
		s.malformed(l, file)
		return
	}
	*to = uint64(n)
	l.Got |= field
}

// file reads a file of a link.
func (s *linkSettings) file(l *linkSetting, name string) ([]byte, bool) {
	s.path = append(append(append(append(append(s.path[:0], s.dir...), l.raw...), '/'), name...), 0)
	b, errno := s.readOnce(unix.AT_FDCWD, s.path, s.buf[:])
	return bytes.TrimSpace(b), errno == 0
}

// malformed notes the file that was read last.
func (s *linkSettings) malformed(l *linkSetting, file string) {
	s.errs = append(s.errs, fmt.Errorf("%s%s/%s: %w: %w", s.dir, strings.ToValidUTF8(l.raw, "\uFFFD"), file, ErrMalformed, parse.ErrSyntax))
}
