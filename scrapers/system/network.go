// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/match"
	"github.com/hostscope/hostscope/platform"
)

var networkMetrics = []metric{
	{"system.network.io", need{reading: platform.ReadingNetworkInterfaces}, countInterfaces(both(platform.NetworkIO, networkBytesIn, platform.NetworkIO, networkBytesOut))},
	{"system.network.packet.count", need{reading: platform.ReadingNetworkInterfaces}, countInterfaces(both(platform.NetworkPackets, networkPacketsIn, platform.NetworkPackets, networkPacketsOut), "system.device")},
	{"system.network.errors", need{reading: platform.ReadingNetworkInterfaces}, countInterfaces(both(platform.NetworkErrors, networkErrorsIn, platform.NetworkErrors, networkErrorsOut))},
	{"system.network.packet.dropped", need{reading: platform.ReadingNetworkInterfaces}, countInterfaces(both(platform.NetworkDropIn, networkDropsIn, platform.NetworkDropOut, networkDropsOut))},
	{"system.network.multicast", need{reading: platform.ReadingNetworkInterfaces}, countInterfaces(oneWay(platform.NetworkMulticast, networkMulticasts))},
	{"system.network.collisions", need{reading: platform.ReadingNetworkInterfaces}, countInterfaces(oneWay(platform.NetworkCollisions, networkCollided))},
	{"system.network.carrier_changes", need{reading: platform.ReadingNetworkInterfaces, on: platform.Linux}, countInterfaces(oneWay(platform.NetworkCarrierChanges, networkCarriers))},
	{"system.network.interface.address.info", need{reading: platform.ReadingNetworkInterfaces}, recordAddresses},
	{"system.network.interface.duplex", need{reading: platform.ReadingNetworkInterfaces}, recordDuplex},
	{"system.network.interface.mtu", need{reading: platform.ReadingNetworkInterfaces}, recordMTU},
	{"hw.network.up", need{reading: platform.ReadingNetworkInterfaces}, recordLinkUp},
	{"hw.network.bandwidth.limit", need{reading: platform.ReadingNetworkInterfaces}, recordLinkSpeed},
	{"hw.network.bandwidth.utilization", need{reading: platform.ReadingNetworkInterfaces}, recordLinkUtilization},
}

// What is counted of an interface.
const (
	networkBytesIn = iota
	networkBytesOut
	networkPacketsIn
	networkPacketsOut
	networkErrorsIn
	networkErrorsOut
	networkDropsIn
	networkDropsOut
	networkMulticasts
	networkCollided
	networkCarriers

	numNetworkCounters
)

type networkCounts [numNetworkCounters]uint64

type networkTick = deviceTick[platform.NetworkInterface, networkCounts]

// networkKey is what stays the same of an interface: its number, or its name
// where that is not known.
type networkKey struct {
	index int32
	name  string
}

func keyOf(i *platform.NetworkInterface) networkKey {
	if i.Index != 0 {
		return networkKey{index: i.Index}
	}
	return networkKey{name: i.Name}
}

// countNetwork tells what an interface counts.
func countNetwork(c *counters[networkKey, networkCounts], i *platform.NetworkInterface) (networkKey, networkCounts) {
	key, counts := keyOf(i), networkCounts{
		networkBytesIn: i.BytesRecv, networkBytesOut: i.BytesSent,
		networkPacketsIn: i.PacketsRecv, networkPacketsOut: i.PacketsSent,
		networkErrorsIn: i.ErrIn, networkErrorsOut: i.ErrOut,
		networkDropsIn: i.DropIn, networkDropsOut: i.DropOut,
		networkMulticasts: i.Multicast, networkCollided: i.Collisions, networkCarriers: i.CarrierChanges,
	}
	if key.index != 0 { // which may not have been known when it came
		c.rename(networkKey{name: i.Name}, key)
	}
	if !i.Got.Has(platform.NetworkCarrierChanges) { // which comes from elsewhere
		counts[networkCarriers] = c.before(key)[networkCarriers]
	}
	return key, counts
}

// networkState selects interfaces, and counts them.
type networkState struct {
	devices[platform.NetworkInterface, networkKey, networkCounts]
	filter match.Filter
	want   platform.NetworkFields
	// bytes are those that went in and out by the last scrape that asked for
	// the utilization, which was at the time last.
	bytes map[networkKey][2]uint64
	last  time.Time
}

func newNetworkState(cfg *Config) (networkState, error) {
	f, err := match.NewFilter("network", cfg.Network.Include, cfg.Network.Exclude)
	s := networkState{filter: f, bytes: map[networkKey][2]uint64{}, devices: devices[platform.NetworkInterface, networkKey, networkCounts]{
		counters: counters[networkKey, networkCounts]{nowrap: cfg.Network.Nowrap, values: func(c *networkCounts) []uint64 { return c[:] }},
		at:       func(t *tick) *networkTick { return &t.network },
		name:     func(i *platform.NetworkInterface) string { return i.Name },
		got:      func(i *platform.NetworkInterface) uint16 { return uint16(i.Got) },
		count:    countNetwork,
	}}
	m := &cfg.Metrics
	for _, of := range []struct {
		enabled bool
		want    platform.NetworkFields
	}{
		{true, platform.NetworkIO},
		{m.HwNetworkUp.Enabled, platform.NetworkUp},
		{m.HwNetworkBandwidthLimit.Enabled, platform.NetworkSpeed},
		{m.HwNetworkBandwidthUtilization.Enabled, platform.NetworkSpeed | platform.NetworkDuplex},
		{m.SystemNetworkCarrierChanges.Enabled, platform.NetworkCarrierChanges},
		{m.SystemNetworkInterfaceDuplex.Enabled, platform.NetworkDuplex},
		{m.SystemNetworkInterfaceMtu.Enabled, platform.NetworkMTU},
		{m.SystemNetworkInterfaceAddressInfo.Enabled, platform.NetworkAddresses},
	} {
		if of.enabled {
			s.want |= of.want
		}
	}
	return s, err
}

func (s *Scraper) readNetwork(t *tick) error {
	n := &s.network
	list, err := s.host.NetworkInterfaces(n.buf[:0], n.want, func(i *platform.NetworkInterface) bool { return n.filter.Selects(i.Name) })
	return n.take(t, list, err)
}

var (
	received    = emit.Str("network.io.direction", "receive")
	transmitted = emit.Str("network.io.direction", "transmit")
)

// both are the two directions of what is counted.
func both(needIn platform.NetworkFields, in int, needOut platform.NetworkFields, out int) []flow {
	return []flow{{uint16(needIn), received, in}, {uint16(needOut), transmitted, out}}
}

// oneWay is what is counted without a direction.
func oneWay(need platform.NetworkFields, of int) []flow { return []flow{{need: uint16(need), of: of}} }

const interfaceName = "network.interface.name"

// countInterfaces counts interfaces, which are told by their names and by more
// attributes.
func countInterfaces(flows []flow, more ...string) func(*Scraper, *emit.Points, *tick) {
	m := deviceMetric{names: append(more, interfaceName), flows: flows}
	return func(s *Scraper, to *emit.Points, t *tick) { s.network.record(&m, to, t) }
}

// recordAddresses records a point for each address.
func recordAddresses(_ *Scraper, to *emit.Points, t *tick) {
	const prefix = "system.network.interface.address."
	for i := range t.network.list {
		d := &t.network.list[i]
		for _, a := range d.Addresses {
			to.Int(1, emit.Str("network.interface.name", d.Name),
				emit.Str(prefix+"family", addressFamilies[a.Family]), emit.Str(prefix+"value", a.Address),
				emit.Str(prefix+"netmask", a.Netmask), emit.Str(prefix+"broadcast", a.Broadcast), emit.Str(prefix+"peer", a.Peer))
		}
	}
}

// addressFamilies are the values of system.network.interface.address.family.
var addressFamilies = [...]string{platform.FamilyLink: "link", platform.FamilyIPv4: "ipv4", platform.FamilyIPv6: "ipv6"}

// recordDuplex records a point for each state, of which one is 1.
func recordDuplex(_ *Scraper, to *emit.Points, t *tick) {
	for i := range t.network.list {
		d := &t.network.list[i]
		if !d.Got.Has(platform.NetworkDuplex) {
			continue
		}
		for state, name := range duplexes {
			v := int64(0)
			if platform.Duplex(state) == d.Duplex {
				v = 1
			}
			to.Int(v, emit.Str("network.interface.name", d.Name), emit.Str("system.network.interface.duplex", name))
		}
	}
}

// duplexes are the values of system.network.interface.duplex.
var duplexes = [...]string{platform.DuplexUnknown: "unknown", platform.DuplexHalf: "half", platform.DuplexFull: "full"}

func recordMTU(_ *Scraper, to *emit.Points, t *tick) {
	for i := range t.network.list {
		if d := &t.network.list[i]; d.Got.Has(platform.NetworkMTU) {
			to.Int(int64(d.MTU), emit.Str("network.interface.name", d.Name))
		}
	}
}

// Opt-in attributes of hw.network.*.
const (
	physicalAddress  = "hw.network.physical_address"
	logicalAddresses = "hw.network.logical_addresses"
)

// wantAddresses has the addresses read where an attribute shows them.
func (s *networkState) wantAddresses(enabled []enabledMetric) {
	for i := range enabled {
		if m := &enabled[i]; strings.HasPrefix(m.name, "hw.network.") && (m.points.WantsEach(physicalAddress) || m.points.WantsEach(logicalAddresses)) {
			s.want |= platform.NetworkAddresses
		}
	}
}

// adapter are the attributes of an interface as a piece of hardware.
func adapter(d *platform.NetworkInterface) []emit.Attr {
	attrs := []emit.Attr{
		emit.Str("hw.id", "network/"+d.Name), emit.Str("hw.name", d.Name), emit.Str("network.interface.name", d.Name),
		emit.Str(physicalAddress, ""), emit.List(logicalAddresses, pcommon.Slice{}),
	}
	if len(d.Addresses) == 0 {
		return attrs
	}
	logical := pcommon.NewSlice()
	for _, a := range d.Addresses {
		if a.Family == platform.FamilyLink {
			attrs[3] = emit.Str(physicalAddress, a.Address)
		} else {
			logical.AppendEmpty().SetStr(a.Address)
		}
	}
	if logical.Len() > 0 {
		attrs[4] = emit.List(logicalAddresses, logical)
	}
	return attrs
}

func recordLinkUp(_ *Scraper, to *emit.Points, t *tick) {
	for i := range t.network.list {
		d := &t.network.list[i]
		if !d.Got.Has(platform.NetworkUp) {
			continue
		}
		v := int64(0)
		if d.Up {
			v = 1
		}
		to.Int(v, adapter(d)...)
	}
}

func recordLinkSpeed(_ *Scraper, to *emit.Points, t *tick) {
	for i := range t.network.list {
		if d := &t.network.list[i]; d.Got.Has(platform.NetworkSpeed) {
			to.Int(int64(d.Speed/8), adapter(d)...)
		}
	}
}

// timingError is how far above 1 a link in full use may seem: the clock is read
// before the interfaces are, and not always as long before.
const timingError = 1.05

// recordLinkUtilization records what sar(1) calls %ifutil: of a link that sends
// and receives at a time, the direction that is used more.
func recordLinkUtilization(s *Scraper, to *emit.Points, t *tick) {
	if t.network.list == nil {
		return
	}
	n := &s.network
	seconds := t.Time.Sub(n.last).Seconds()
	now := make(map[networkKey][2]uint64, len(t.network.list))
	for i := range t.network.list {
		d := &t.network.list[i]
		key, bytes := keyOf(d), [2]uint64{d.BytesRecv, d.BytesSent}
		now[key] = bytes
		last, known := n.bytes[key]
		if !known || !d.Got.Has(platform.NetworkSpeed) || seconds <= 0 || bytes[0] < last[0] || bytes[1] < last[1] {
			continue
		}
		in, out := float64(bytes[0]-last[0]), float64(bytes[1]-last[1])
		used := max(in, out)
		if d.Duplex == platform.DuplexHalf {
			used = in + out
		}
		if share := used * 8 / (seconds * float64(d.Speed)); share <= timingError {
			to.Double(min(share, 1), adapter(d)...)
		}
	}
	n.bytes, n.last = now, t.Time
}
