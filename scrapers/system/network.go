// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/match"
	"github.com/hostscope/hostscope/platform"
)

var networkMetrics = []metric{
	{"system.network.io", need{reading: platform.ReadingNetworkInterfaces}, networkIO.record},
	{"system.network.packet.count", need{reading: platform.ReadingNetworkInterfaces}, networkPackets.record},
	{"system.network.errors", need{reading: platform.ReadingNetworkInterfaces}, networkErrors.record},
	{"system.network.packet.dropped", need{reading: platform.ReadingNetworkInterfaces}, networkDropped.record},
	{"system.network.multicast", need{reading: platform.ReadingNetworkInterfaces}, networkMulticast.record},
	{"system.network.collisions", need{reading: platform.ReadingNetworkInterfaces}, networkCollisions.record},
	{"system.network.carrier_changes", need{reading: platform.ReadingNetworkInterfaces, on: platform.Linux}, networkCarrier.record},
	{"system.network.interface.address.info", need{reading: platform.ReadingNetworkInterfaces}, recordAddresses},
	{"system.network.interface.duplex", need{reading: platform.ReadingNetworkInterfaces}, recordDuplex},
	{"system.network.interface.mtu", need{reading: platform.ReadingNetworkInterfaces}, recordMTU},
	{"hw.network.up", need{reading: platform.ReadingNetworkInterfaces}, recordLinkUp},
	{"hw.network.bandwidth.limit", need{reading: platform.ReadingNetworkInterfaces}, recordLinkSpeed},
	{"hw.network.bandwidth.utilization", need{reading: platform.ReadingNetworkInterfaces}, recordLinkUtilization},
}

// networkCounter is one thing that is counted of an interface.
type networkCounter int

const (
	networkBytesIn networkCounter = iota
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

func networkCountsOf(i *platform.NetworkInterface) networkCounts {
	return networkCounts{
		networkBytesIn: i.BytesRecv, networkBytesOut: i.BytesSent,
		networkPacketsIn: i.PacketsRecv, networkPacketsOut: i.PacketsSent,
		networkErrorsIn: i.ErrIn, networkErrorsOut: i.ErrOut,
		networkDropsIn: i.DropIn, networkDropsOut: i.DropOut,
		networkMulticasts: i.Multicast, networkCollided: i.Collisions, networkCarriers: i.CarrierChanges,
	}
}

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

// networkState selects interfaces, and has what must not be forgotten of them
// from one scrape to the next.
type networkState struct {
	filter   match.Filter
	want     platform.NetworkFields
	counters counters[networkKey, networkCounts]
	buf      []platform.NetworkInterface
	// bytes are those that went in and out by the last scrape that asked for
	// the utilization, which was at the time last.
	bytes map[networkKey][2]uint64
	last  time.Time
}

// networkTick are the interfaces of one scrape. The list is nil where it was
// not read.
type networkTick struct {
	list []platform.NetworkInterface
	// series are those of the interfaces in the list; the first metric that
	// takes them has them counted.
	series []*series[networkCounts]
}

func newNetworkState(cfg *Config) (networkState, error) {
	f, err := match.NewFilter("network", cfg.Network.Include, cfg.Network.Exclude)
	if err != nil {
		err = fmt.Errorf("network::%w", err)
	}
	s := networkState{filter: f, bytes: map[networkKey][2]uint64{}}
	s.counters.nowrap = cfg.Network.Nowrap
	s.counters.values = func(c *networkCounts) []uint64 { return c[:] }
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
	if list != nil {
		n.buf = list
	}
	if t.network.list = list; err != nil && len(list) == 0 {
		t.network.list = nil // they are not gone
	}
	return err
}

// networkSeries counts each interface once in a scrape.
func (s *Scraper) networkSeries(t *tick) []*series[networkCounts] {
	if t.network.series == nil && t.network.list != nil {
		t.network.series = make([]*series[networkCounts], 0, len(t.network.list))
		c := &s.network.counters
		c.begin()
		for i := range t.network.list {
			d := &t.network.list[i]
			key, counts := keyOf(d), networkCountsOf(d)
			if key.index != 0 { // which may not have been known when it came
				c.rename(networkKey{name: d.Name}, key)
			}
			if !d.Got.Has(platform.NetworkCarrierChanges) { // which comes from elsewhere
				counts[networkCarriers] = c.before(key)[networkCarriers]
			}
			t.network.series = append(t.network.series, c.update(key, t.Time, &counts))
		}
		c.end(t.Time)
	}
	return t.network.series
}

// networkMetric says what of an interface a metric counts.
type networkMetric struct {
	flows []networkFlow
	// names are the attributes that tell the interface.
	names []string
}

// networkFlow is a value of network.io.direction and what is counted in it.
type networkFlow struct {
	need platform.NetworkFields
	attr emit.Attr
	of   networkCounter
}

var (
	received    = emit.Str("network.io.direction", "receive")
	transmitted = emit.Str("network.io.direction", "transmit")

	byName = []string{"network.interface.name"}

	networkIO = networkMetric{[]networkFlow{
		{platform.NetworkIO, received, networkBytesIn}, {platform.NetworkIO, transmitted, networkBytesOut},
	}, byName}
	networkPackets = networkMetric{[]networkFlow{
		{platform.NetworkPackets, received, networkPacketsIn}, {platform.NetworkPackets, transmitted, networkPacketsOut},
	}, []string{"system.device", "network.interface.name"}}
	networkErrors = networkMetric{[]networkFlow{
		{platform.NetworkErrors, received, networkErrorsIn}, {platform.NetworkErrors, transmitted, networkErrorsOut},
	}, byName}
	networkDropped = networkMetric{[]networkFlow{
		{platform.NetworkDropIn, received, networkDropsIn}, {platform.NetworkDropOut, transmitted, networkDropsOut},
	}, byName}
	networkMulticast  = networkMetric{[]networkFlow{{need: platform.NetworkMulticast, of: networkMulticasts}}, byName}
	networkCollisions = networkMetric{[]networkFlow{{need: platform.NetworkCollisions, of: networkCollided}}, byName}
	networkCarrier    = networkMetric{[]networkFlow{{need: platform.NetworkCarrierChanges, of: networkCarriers}}, byName}
)

// record records what each interface has counted. In a sum over them those
// count on that are gone, so that it does not fall.
func (m *networkMetric) record(s *Scraper, to *emit.Points, t *tick) {
	each := false
	for _, name := range m.names {
		each = each || to.Wants(name)
	}
	var any platform.NetworkFields
	for i := range t.network.list {
		any |= t.network.list[i].Got
	}
	for i, counted := range s.networkSeries(t) {
		d := &t.network.list[i]
		got := any // in a sum the last value stands for one that is not known
		if each {
			to.Since(counted.start)
			got = d.Got
		}
		m.counted(to, d.Name, got, &counted.Total)
	}
	if gone := &s.network.counters.gone; !each && *gone != (networkCounts{}) {
		m.counted(to, "", any, gone)
	}
}

func (m *networkMetric) counted(to *emit.Points, name string, got platform.NetworkFields, counts *networkCounts) {
	for _, flow := range m.flows {
		if !got.Has(flow.need) {
			continue
		}
		attrs := [3]emit.Attr{flow.attr}
		for i, key := range m.names {
			attrs[1+i] = emit.Str(key, name)
		}
		to.Int(int64(counts[flow.of]), attrs[:1+len(m.names)]...)
	}
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
