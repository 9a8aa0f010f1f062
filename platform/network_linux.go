// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// networkPatience is how long the kernel may take to tell of all interfaces,
// or of the settings of those that are asked for theirs. It holds a lock
// meanwhile, which a driver may hold for longer.
const networkPatience = 2 * time.Second

// network is what is known of the network interfaces, by name.
type network struct {
	known   map[string]*nic
	odd     map[string]bool // of the names in this reading, those that were not valid
	round   uint32          // number of the reading
	changed bool            // in it, a link came, went or changed

	kernel    kernelLinks
	settings  linkSettings
	chosen    []*nic // those that are told, in their order
	addresses []NetworkAddress
}

// nic is what is kept of one interface.
type nic struct {
	raw, name      string // byte for byte, and valid UTF-8
	index          int32
	round          uint32 // of the last reading that it was in
	up             bool
	carrierChanges uint64
	asked          bool // speed and duplex are known
	speed          uint64
	duplex         Duplex
}

// NetworkInterfaces appends the interfaces of the host's network that selects
// wants, all if it is nil, to dst in the kernel's order. Speed, duplex and
// addresses are read if they are wanted, all else costs nothing more.
//
// The host's network is that of this process where /proc is our own, or its
// first process has the same: then the kernel is asked by rtnetlink(7) and, of
// speed and duplex, by ethtool's ioctl. Otherwise, and where a sandbox forbids
// that, it is /proc/1/net/dev and /sys/class/net, which have no addresses but
// those of the hardware.
//
// What was read is answered also when the error is not nil: the counters when
// it is ErrTimeoutExpired, because a driver does not let go of the lock that
// all else takes.
func (h *Host) NetworkInterfaces(dst []NetworkInterface, want NetworkFields, selects func(*NetworkInterface) bool) ([]NetworkInterface, error) {
	n := &h.network
	of := h.hostNetwork()
	n.round++
	n.changed = false
	n.chosen, n.addresses = n.chosen[:0], n.addresses[:0]
	before := len(dst)
	add := func(raw []byte, i *NetworkInterface) bool {
		dev := n.nic(raw, i)
		if dev == nil {
			return false
		}
		i.Name, i.Index = dev.name, dev.index
		dst = append(dst, *i)
		if selects != nil && !selects(&dst[len(dst)-1]) {
			dst = dst[:len(dst)-1]
			return false
		}
		n.chosen = append(n.chosen, dev)
		return true
	}

	files, late := !of.own, error(nil)
	if of.own {
		err := h.kernelLinks(want)
		switch {
		case err == nil:
			for i := range n.kernel.links {
				l := &n.kernel.links[i]
				if add(l.raw(), &l.NetworkInterface) && want.Has(NetworkAddresses) {
					t, first := &dst[len(dst)-1], len(n.addresses)
					n.addresses = n.kernel.appendAddresses(n.addresses, l)
					t.Addresses, t.Got = from(n.addresses, first), t.Got|NetworkAddresses
				}
			}
		case errors.Is(err, ErrTimeoutExpired):
			files, late, want = true, err, 0
		case errors.Is(err, ErrNotSupported), errors.Is(err, ErrAccessDenied): // a sandbox
			files = true
		default:
			return dst, err
		}
	}
	if files {
		if err := h.netDev(func(raw []byte, i *NetworkInterface) { add(raw, i) }); err != nil {
			return dst[:before], errors.Join(late, err)
		}
	}
	for name, dev := range n.known {
		if dev.round != n.round {
			delete(n.known, name)
			n.changed = true
		}
	}
	clear(n.odd)
	return dst, errors.Join(late, h.linkSettings(dst[before:], want, files))
}

// nic is what is known of the interface with a name; nil where the reading has
// told of it before, or of another that cannot be told apart from it once names
// are valid UTF-8.
func (n *network) nic(raw []byte, i *NetworkInterface) *nic {
	dev := n.known[string(raw)]
	switch {
	case dev == nil || i.Index != 0 && i.Index != dev.index:
		var before uint32
		if dev != nil {
			before = dev.round
		}
		dev = &nic{raw: string(raw), index: i.Index, round: before, up: i.Up, carrierChanges: i.CarrierChanges}
		keep(&dev.name, raw)
		if n.known == nil {
			n.known = map[string]*nic{}
		}
		n.known[dev.raw] = dev
		n.changed = true
	case i.Got.Has(NetworkUp) && (i.Up != dev.up || i.CarrierChanges != dev.carrierChanges):
		dev.up, dev.carrierChanges = i.Up, i.CarrierChanges
		n.changed = true
	}
	if dev.round == n.round {
		return nil
	}
	dev.round = n.round
	if strings.ContainsRune(dev.name, utf8.RuneError) { // another may go by that name
		if n.odd[dev.name] {
			return nil
		}
		if n.odd == nil {
			n.odd = map[string]bool{}
		}
		n.odd[dev.name] = true
	}
	return dev
}

// counted are the fields that /proc/net/dev has.
const counted = NetworkIO | NetworkPackets | NetworkErrors | NetworkDropIn | NetworkDropOut | NetworkMulticast | NetworkCollisions

// netDev calls each with what /proc/net/dev tells. Reading it takes no lock.
func (h *Host) netDev(each func(raw []byte, i *NetworkInterface)) error {
	name := h.hostNetwork().folder + "dev"
	return h.readAny(name, func(b []byte) error {
		b, err := procfs.Interfaces(b)
		var raw procfs.Interface
		var i NetworkInterface
		for len(b) > 0 && err == nil {
			if b, err = procfs.NextInterface(b, &raw); err != nil {
				break
			}
			i = NetworkInterface{
				Got:       counted,
				BytesSent: raw.TxBytes, BytesRecv: raw.RxBytes, PacketsSent: raw.TxPackets, PacketsRecv: raw.RxPackets,
				ErrIn: raw.RxErrors, ErrOut: raw.TxErrors, DropIn: raw.RxDropped, DropOut: raw.TxDropped,
				Multicast: raw.Multicast, Collisions: raw.Collisions,
			}
			each(raw.Name, &i)
		}
		return err
	})
}

// linkSettings completes what is told of the chosen interfaces: speed and
// duplex, and of files all that /proc/net/dev does not have. For speed and
// duplex drivers are asked, so that is when a link has come or changed,
// whichever it was (a bond is as fast as its members), and else a part of the
// links in each reading.
func (h *Host) linkSettings(told []NetworkInterface, want NetworkFields, files bool) error {
	n, s := &h.network, &h.network.settings
	switch {
	case files && !h.net.sysfs:
		return nil
	case files:
		want &^= counted
	default:
		want &= NetworkSpeed | NetworkDuplex
	}
	if want == 0 {
		return nil
	}
	if h.bounded.under(settingsKey) {
		return fmt.Errorf("%s: %w", settingsKey, ErrTimeoutExpired)
	}
	if s.run == nil {
		s.run, s.dir = s.ask, h.root.Sys+"/class/net/"
	}
	s.want, s.files, s.changed, s.links, s.errs = want, files, n.changed, s.links[:0], nil
	for i, dev := range n.chosen {
		due := !dev.asked || n.changed || (n.round+uint32(i))%rotation == 0
		if files || told[i].Up && due {
			s.links = append(s.links, linkSetting{at: i, raw: dev.raw, wasUp: dev.up, due: due})
		}
	}
	if len(s.links) > 0 {
		if err := h.bounded.try(settingsKey, networkPatience, s.run); err != nil {
			return fmt.Errorf("%s: %w", settingsKey, err)
		}
		h.calls += s.calls
		s.calls = 0
	}
	for i := range s.links {
		l := &s.links[i]
		dev := n.chosen[l.at]
		if files {
			n.tell(&told[l.at], l)
			dev.up = l.Up
		}
		if l.due {
			dev.speed, dev.duplex, dev.asked = l.Speed, l.Duplex, true
		}
	}
	for i, dev := range n.chosen {
		t := &told[i]
		if !t.Got.Has(NetworkUp) {
			continue // it has just gone
		}
		if !t.Up {
			dev.speed, dev.duplex, dev.asked = 0, DuplexUnknown, false
		}
		if want.Has(NetworkSpeed) && dev.speed > 0 {
			t.Speed, t.Got = dev.speed, t.Got|NetworkSpeed
		}
		if want.Has(NetworkDuplex) {
			t.Duplex, t.Got = dev.duplex, t.Got|NetworkDuplex
		}
	}
	return errors.Join(s.errs...)
}

// tell adds what the files of a link say.
func (n *network) tell(t *NetworkInterface, l *linkSetting) {
	t.Up, t.CarrierChanges, t.MTU, t.Loopback, t.Got = l.Up, l.CarrierChanges, l.MTU, l.Loopback, t.Got|l.Got
	if l.Got.Has(NetworkAddresses) {
		first := len(n.addresses)
		n.addresses = appendHardware(n.addresses, &l.address, &l.broadcast)
		t.Addresses = from(n.addresses, first)
	}
}

// from is what was appended since there were first; nil where nothing was.
func from(all []NetworkAddress, first int) []NetworkAddress {
	if first == len(all) {
		return nil
	}
	return all[first:len(all):len(all)]
}
