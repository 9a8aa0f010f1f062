// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"

	"github.com/hostscope/hostscope/platform"
)

const everyNetwork = platform.NetworkAddresses<<1 - 1

// networks is a host with a loopback, a network card and a half duplex one that
// is down.
func networks() *fakeHost {
	return &fakeHost{tick: tick{
		network: networkTick{list: []platform.NetworkInterface{
			{
				Name: "lo", Index: 1, Loopback: true, Got: everyNetwork &^ platform.NetworkSpeed, Up: true, MTU: 65536,
				BytesRecv: 10, BytesSent: 10, PacketsRecv: 1, PacketsSent: 1,
				Addresses: []platform.NetworkAddress{{Family: platform.FamilyIPv4, Address: "127.0.0.1", Netmask: "255.0.0.0", Prefix: 8}},
			},
			{
				Name: "eth0", Index: 2, Got: everyNetwork, Up: true, MTU: 1500, Speed: 1_000_000_000, Duplex: platform.DuplexFull,
				BytesRecv: 2000, BytesSent: 1000, PacketsRecv: 20, PacketsSent: 15, ErrIn: 3, ErrOut: 4, DropIn: 5, DropOut: 6,
				Multicast: 7, Collisions: 8, CarrierChanges: 9,
				Addresses: []platform.NetworkAddress{
					{Family: platform.FamilyLink, Address: "02-FC-00-00-00-01", Broadcast: "FF-FF-FF-FF-FF-FF"},
					{Family: platform.FamilyIPv4, Address: "10.0.0.7", Netmask: "255.255.255.0", Prefix: 24, Broadcast: "10.0.0.255"},
					{Family: platform.FamilyIPv6, Address: "fe80::1", Netmask: "ffff:ffff:ffff:ffff::", Prefix: 64},
					{Family: platform.FamilyIPv4, Address: "10.1.0.1", Netmask: "255.255.255.255", Prefix: 32, Peer: "10.1.0.2"},
				},
			},
			{Name: "eth1", Got: everyNetwork &^ (platform.NetworkSpeed | platform.NetworkCarrierChanges | platform.NetworkMTU), Duplex: platform.DuplexHalf},
		}},
		protocols: protocolTick{Protocols: platform.Protocols{Got: platform.ProtocolTCP | platform.ProtocolUDP, Retransmitted: 49, FailedAttempts: 7, Resets: 12, UDPErrors: 3}},
		conntrack: platform.Conntrack{Got: platform.ConntrackCount | platform.ConntrackMax, Count: 0, Max: 262144},
	}}
}

// directed are points of a metric in both directions.
func directed(interfaces map[string][2]int, device bool) (lines []string) {
	for _, name := range []string{"eth0", "eth1", "lo"} {
		for i, direction := range []string{"receive", "transmit"} {
			attrs := "{network.interface.name=" + name + ",network.io.direction=" + direction
			if device {
				attrs += ",system.device=" + name
			}
			lines = append(lines, fmt.Sprint(attrs, "} ", interfaces[name][i]))
		}
	}
	return lines
}

func TestNetworkMetrics(t *testing.T) {
	for _, tt := range []struct {
		metric, config string
		want           []string
	}{
		{"system.network.io", "", directed(map[string][2]int{"lo": {10, 10}, "eth0": {2000, 1000}}, false)},
		{"system.network.packet.count", "", directed(map[string][2]int{"lo": {1, 1}, "eth0": {20, 15}}, true)},
		{"system.network.errors", "", directed(map[string][2]int{"eth0": {3, 4}}, false)},
		{"system.network.packet.dropped", "", directed(map[string][2]int{"eth0": {5, 6}}, false)},
		{"system.network.multicast", "", []string{"{network.interface.name=eth0} 7", "{network.interface.name=eth1} 0", "{network.interface.name=lo} 0"}},
		{"system.network.collisions", "", []string{"{network.interface.name=eth0} 8", "{network.interface.name=eth1} 0", "{network.interface.name=lo} 0"}},
		{"system.network.carrier_changes", "", []string{"{network.interface.name=eth0} 9", "{network.interface.name=lo} 0"}},
		{"system.network.io", "attributes: [network.io.direction]", []string{"{network.io.direction=receive} 2010", "{network.io.direction=transmit} 1010"}},
		{"system.network.io", "attributes: [network.interface.name], aggregation_strategy: max", []string{"{network.interface.name=eth0} 2000", "{network.interface.name=eth1} 0", "{network.interface.name=lo} 10"}},
		{"system.network.packet.count", "attributes: []", []string{" 37"}},
		{"system.network.packet.count", "attributes: [system.device]", []string{"{system.device=eth0} 35", "{system.device=eth1} 0", "{system.device=lo} 2"}},
		{"system.network.carrier_changes", "attributes: []", []string{" 9"}},

		{"system.network.interface.address.info", "", []string{
			"{network.interface.name=eth0,system.network.interface.address.broadcast=10.0.0.255,system.network.interface.address.family=ipv4,system.network.interface.address.netmask=255.255.255.0,system.network.interface.address.value=10.0.0.7} 1",
			"{network.interface.name=eth0,system.network.interface.address.broadcast=FF-FF-FF-FF-FF-FF,system.network.interface.address.family=link,system.network.interface.address.value=02-FC-00-00-00-01} 1",
			"{network.interface.name=eth0,system.network.interface.address.family=ipv4,system.network.interface.address.netmask=255.255.255.255,system.network.interface.address.peer=10.1.0.2,system.network.interface.address.value=10.1.0.1} 1",
			"{network.interface.name=eth0,system.network.interface.address.family=ipv6,system.network.interface.address.netmask=ffff:ffff:ffff:ffff::,system.network.interface.address.value=fe80::1} 1",
			"{network.interface.name=lo,system.network.interface.address.family=ipv4,system.network.interface.address.netmask=255.0.0.0,system.network.interface.address.value=127.0.0.1} 1",
		}},
		{"system.network.interface.duplex", "", []string{
			"{network.interface.name=eth0,system.network.interface.duplex=full} 1",
			"{network.interface.name=eth0,system.network.interface.duplex=half} 0",
			"{network.interface.name=eth0,system.network.interface.duplex=unknown} 0",
			"{network.interface.name=eth1,system.network.interface.duplex=full} 0",
			"{network.interface.name=eth1,system.network.interface.duplex=half} 1",
			"{network.interface.name=eth1,system.network.interface.duplex=unknown} 0",
			"{network.interface.name=lo,system.network.interface.duplex=full} 0",
			"{network.interface.name=lo,system.network.interface.duplex=half} 0",
			"{network.interface.name=lo,system.network.interface.duplex=unknown} 1",
		}},
		{"system.network.interface.mtu", "", []string{"{network.interface.name=eth0} 1500", "{network.interface.name=lo} 65536"}},
		{"hw.network.up", "", []string{
			"{hw.id=network/eth0,hw.name=eth0,network.interface.name=eth0} 1",
			"{hw.id=network/eth1,hw.name=eth1,network.interface.name=eth1} 0",
			"{hw.id=network/lo,hw.name=lo,network.interface.name=lo} 1",
		}},
		{"hw.network.up", "attributes: [hw.id, hw.network.physical_address, hw.network.logical_addresses]", []string{
			"{hw.id=network/eth0,hw.network.logical_addresses=[\"10.0.0.7\",\"fe80::1\",\"10.1.0.1\"],hw.network.physical_address=02-FC-00-00-00-01} 1",
			"{hw.id=network/eth1} 0",
			"{hw.id=network/lo,hw.network.logical_addresses=[\"127.0.0.1\"]} 1",
		}},
		{"hw.network.bandwidth.limit", "", []string{"{hw.id=network/eth0,hw.name=eth0,network.interface.name=eth0} 125000000"}},
		{"hw.network.bandwidth.utilization", "", nil},

		{"system.network.tcp.retransmissions", "", []string{" 49"}},
		{"system.network.tcp.failed_attempts", "", []string{" 7"}},
		{"system.network.tcp.resets", "", []string{" 12"}},
		{"system.network.udp.errors", "", []string{" 3"}},
		{"system.network.conntrack.count", "", []string{" 0"}},
		{"system.network.conntrack.max", "", []string{" 262144"}},
	} {
		config := "enabled: true"
		if tt.config != "" {
			config += ", " + tt.config
		}
		var want []string
		for _, v := range tt.want {
			want = append(want, tt.metric+v)
		}
		h := networks()
		assert.Equal(t, want, scraped(t, scraperOn(t, platform.Linux, h, only(tt.metric, config)), snapshot()), tt)
		assert.Empty(t, scraped(t, scraperOn(t, platform.Linux, &fakeHost{}, only(tt.metric, config)), snapshot()), "%s: a machine that tells nothing", tt.metric)
	}
}

// TestNetworkWants: what is expensive is read where a metric shows it.
func TestNetworkWants(t *testing.T) {
	for config, want := range map[string]platform.NetworkFields{
		only("system.network.io", "enabled: true"):                                                                  0,
		only("system.network.carrier_changes", "enabled: true"):                                                     platform.NetworkCarrierChanges,
		only("hw.network.up", "enabled: true"):                                                                      platform.NetworkUp,
		only("hw.network.up", "enabled: true, attributes: [hw.id, hw.network.physical_address]"):                    platform.NetworkUp | platform.NetworkAddresses,
		only("hw.network.up", "enabled: true, attributes: [hw.id, hw.network.logical_addresses]"):                   platform.NetworkUp | platform.NetworkAddresses,
		only("hw.network.bandwidth.limit", "enabled: true"):                                                         platform.NetworkSpeed,
		only("hw.network.bandwidth.utilization", "enabled: true"):                                                   platform.NetworkSpeed | platform.NetworkDuplex,
		only("hw.network.bandwidth.utilization", "enabled: true, attributes: [hw.id, hw.network.physical_address]"): platform.NetworkSpeed | platform.NetworkDuplex | platform.NetworkAddresses,
		only("system.network.interface.duplex", "enabled: true"):                                                    platform.NetworkDuplex,
		only("system.network.interface.mtu", "enabled: true"):                                                       platform.NetworkMTU,
		only("system.network.interface.address.info", "enabled: true"):                                              platform.NetworkAddresses,
	} {
		h := networks()
		s := scraperOn(t, platform.Linux, h, config)
		assert.Equal(t, want|platform.NetworkIO, s.network.want, config)
		scraped(t, s, snapshot())
		assert.Equal(t, []string{"network_interfaces"}, h.asked)
	}
}

// TestManyInterfaces: what a backend would not take at once comes in batches.
func TestManyInterfaces(t *testing.T) {
	h := machine()
	const interfaces = 6001
	h.network.list = nil
	for i := range int32(interfaces) {
		h.network.list = append(h.network.list, platform.NetworkInterface{Name: fmt.Sprint("veth", i), Index: i + 1, Got: platform.NetworkIO, BytesRecv: uint64(i)})
	}
	var sizes []int
	sum := int64(0)
	s := scraperOn(t, platform.Linux, h, only("system.network.io", "enabled: true"))
	require.NoError(t, s.Scrape(t.Context(), snapshot(), func(md pmetric.Metrics) error {
		sizes = append(sizes, md.DataPointCount())
		for _, p := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().All() {
			sum += p.IntValue()
		}
		return nil
	}))
	assert.Equal(t, []int{emit.MaxPoints, 2*interfaces - emit.MaxPoints}, sizes)
	assert.EqualValues(t, interfaces*(interfaces-1)/2, sum)
}

func TestNetworkFilter(t *testing.T) {
	cfg, err := configured(t, `network: {exclude: {match_type: regexp, interfaces: [^veth, ^lo$]}}`)
	require.NoError(t, err)
	s, err := newNetworkState(&cfg)
	require.NoError(t, err)
	for name, want := range map[string]bool{"eth0": true, "veth12": false, "lo": false, "lowpan0": true} {
		assert.Equal(t, want, s.filter.Selects(name), name)
	}
	assert.True(t, s.counters.nowrap)
	cfg, err = configured(t, `network: {nowrap: false}`)
	require.NoError(t, err)
	s, err = newNetworkState(&cfg)
	require.NoError(t, err)
	assert.False(t, s.counters.nowrap)
}

// pointsOf are the points of the one metric of a scrape, with the time from
// which they count.
func pointsOf(t *testing.T, s *Scraper, at time.Time) (lines []string) {
	snap := snapshot()
	snap.Time = at
	require.NoError(t, s.Scrape(t.Context(), snap, func(md pmetric.Metrics) error {
		for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			for _, p := range m.Sum().DataPoints().All() {
				line := fmt.Sprint(p.IntValue(), " since ", p.StartTimestamp().AsTime().Sub(boot))
				if name, ok := p.Attributes().Get("network.interface.name"); ok {
					line = name.Str() + " " + line
				}
				lines = append(lines, line)
			}
		}
		return nil
	}))
	return lines
}

// TestNetworkNowrap: after 100, 5, 10, 20 there are 100, 105, 110, 120, or
// what the kernel says with a new start.
func TestNetworkNowrap(t *testing.T) {
	h := networks()
	h.network.list = h.network.list[1:2]
	config := only("system.network.multicast", "enabled: true")
	wrapped, raw := scraperOn(t, platform.Linux, h, config), scraperOn(t, platform.Linux, h, "network: {nowrap: false}\n"+config)
	sum := scraperOn(t, platform.Linux, h, "network: {nowrap: false}\n"+only("system.network.multicast", "enabled: true, attributes: []"))
	for i, tt := range []struct {
		read         uint64
		wrapped, raw string
	}{
		{100, "eth0 100 since 0s", "eth0 100 since 0s"},
		{5, "eth0 105 since 0s", "eth0 5 since 1m0s"},
		{10, "eth0 110 since 0s", "eth0 10 since 1m0s"},
		{20, "eth0 120 since 0s", "eth0 20 since 1m0s"},
	} {
		h.network.list[0].Multicast = tt.read
		at := boot.Add(time.Duration(i+1) * time.Minute)
		assert.Equal(t, []string{tt.wrapped}, pointsOf(t, wrapped, at))
		assert.Equal(t, []string{tt.raw}, pointsOf(t, raw, at))
		assert.Equal(t, []string{strings.TrimPrefix(tt.wrapped, "eth0 ")}, pointsOf(t, sum, at), "a sum does not fall, whatever happens in it")
	}
}

// TestNetworkChanges: interfaces come and go and get other names. No sum over
// them falls, and none counts anything twice.
func TestNetworkChanges(t *testing.T) {
	h := &fakeHost{}
	each := scraperOn(t, platform.Linux, h, only("system.network.multicast", "enabled: true"))
	sum := scraperOn(t, platform.Linux, h, only("system.network.multicast", "enabled: true, attributes: []"))
	type nic struct {
		name  string
		index int32
		value uint64
	}
	minute := 0
	step := func(total string, want []string, list ...nic) {
		t.Helper()
		h.network.list = nil
		for _, n := range list {
			h.network.list = append(h.network.list, platform.NetworkInterface{Name: n.name, Index: n.index, Multicast: n.value, Got: platform.NetworkMulticast})
		}
		minute++
		at := boot.Add(time.Duration(minute) * time.Minute)
		assert.Equal(t, want, pointsOf(t, each, at), minute)
		assert.Equal(t, []string{total}, pointsOf(t, sum, at), minute)
	}
	step("30 since 0s", []string{"eth0 10 since 0s", "veth0 20 since 0s"}, nic{"eth0", 2, 10}, nic{"veth0", 3, 20})
	step("31 since 0s", []string{"eth0 11 since 0s"}, nic{"eth0", 2, 11})
	step("33 since 0s", []string{"eth0 12 since 0s", "veth0 1 since 2m0s"}, nic{"eth0", 2, 12}, nic{"veth0", 4, 1})
	step("40 since 0s", []string{"wan 13 since 0s", "veth0 7 since 2m0s"}, nic{"wan", 2, 13}, nic{"veth0", 4, 7})
	// Made anew under its name between two scrapes.
	step("90 since 0s", []string{"wan 13 since 0s", "veth0 50 since 4m0s"}, nic{"wan", 2, 13}, nic{"veth0", 5, 50})

	// The number becomes known later: the kernel did not tell it at first.
	step("100 since 0s", []string{"wan 13 since 0s", "veth0 50 since 4m0s", "late 10 since 5m0s"}, nic{"wan", 2, 13}, nic{"veth0", 5, 50}, nic{"late", 0, 10})
	step("101 since 0s", []string{"wan 13 since 0s", "veth0 50 since 4m0s", "late 11 since 5m0s"}, nic{"wan", 2, 13}, nic{"veth0", 5, 50}, nic{"late", 6, 11})
	step("101 since 0s", []string{"wan 13 since 0s", "veth0 50 since 4m0s"}, nic{"wan", 2, 13}, nic{"veth0", 5, 50})

	// A scrape that could not read them does not take them away.
	h.errs = map[platform.Reading]error{platform.ReadingNetworkInterfaces: errors.New("no")}
	h.network.list = nil
	_, err := scrape(t, sum, snapshot())
	require.Error(t, err)
	h.errs = nil
	step("102 since 0s", []string{"wan 14 since 0s", "veth0 50 since 4m0s"}, nic{"wan", 2, 14}, nic{"veth0", 5, 50})

	// What they have counted stays where none is left.
	h.network.list = []platform.NetworkInterface{}
	assert.Equal(t, []string{"system.network.multicast 102"}, scraped(t, sum, snapshot()))
	assert.Empty(t, scraped(t, each, snapshot()))
}

// TestCarrierChangesUnknown: in a scrape that does not tell, they do not fall.
func TestCarrierChangesUnknown(t *testing.T) {
	h := networks()
	each := scraperOn(t, platform.Linux, h, only("system.network.carrier_changes", "enabled: true"))
	eth0 := &h.network.list[1]
	scraped(t, each, snapshot())
	eth0.Got, eth0.CarrierChanges = eth0.Got&^platform.NetworkCarrierChanges, 0
	assert.Equal(t, []string{"system.network.carrier_changes{network.interface.name=lo} 0"}, scraped(t, each, snapshot()))
	eth0.Got, eth0.CarrierChanges = everyNetwork, 10
	assert.Contains(t, scraped(t, each, snapshot()), "system.network.carrier_changes{network.interface.name=eth0} 10")
}

func TestLinkUtilization(t *testing.T) {
	h := networks()
	s := scraperOn(t, platform.Linux, h, only("hw.network.bandwidth.utilization", "enabled: true, attributes: [hw.id]"))
	eth0 := &h.network.list[1] // 1 Gbit/s: 125 MB each second
	at := now
	step := func(seconds float64, in, out uint64) []string {
		snap := snapshot()
		at = at.Add(time.Duration(seconds * float64(time.Second)))
		eth0.BytesRecv += in
		eth0.BytesSent += out
		snap.Time = at
		return scraped(t, s, snap)
	}
	point := func(v string) []string {
		return []string{"hw.network.bandwidth.utilization{hw.id=network/eth0} " + v}
	}
	assert.Empty(t, step(0, 0, 0))
	assert.Equal(t, point("0.25"), step(2, 62_500_000, 31_250_000), "the direction that is used more")
	assert.Equal(t, point("1"), step(1, 0, 125_000_000))
	assert.Equal(t, point("0"), step(1, 0, 0))
	eth0.Duplex = platform.DuplexHalf
	assert.Equal(t, point("0.375"), step(2, 62_500_000, 31_250_000), "both together")
	eth0.Duplex = platform.DuplexUnknown
	assert.Equal(t, point("0.25"), step(2, 62_500_000, 31_250_000))
	assert.Equal(t, point("1"), step(1, 130_000_000, 0), "in full use, and not quite a second")
	assert.Empty(t, step(1, 132_000_000, 0), "the speed is made up")
	assert.Empty(t, step(0, 1, 1), "no time has passed")
	assert.Empty(t, step(-1, 1, 1), "the clock was set back")
	eth0.BytesRecv = 0
	assert.Empty(t, step(1, 0, 0), "counters were reset")
	eth0.Got &^= platform.NetworkSpeed
	assert.Empty(t, step(1, 0, 0))
	eth0.Got |= platform.NetworkSpeed
	assert.Equal(t, point("0"), step(1, 0, 0))
	eth0.Index = 77
	assert.Empty(t, step(1, 0, 0), "another interface")
}

// TestProtocolsNeverFall, neither when one of them cannot be read.
func TestProtocolsNeverFall(t *testing.T) {
	h := networks()
	s := scraperOn(t, platform.Linux, h, "metrics: {system.network.udp.errors: {enabled: true}}")
	p := &h.protocols.Protocols
	for i, tt := range []struct {
		got      platform.ProtocolFields
		tcp, udp uint64
		want     string
	}{
		{platform.ProtocolTCP | platform.ProtocolUDP, 49, 3, "[system.network.tcp.retransmissions 49 system.network.udp.errors 3]"},
		{platform.ProtocolTCP, 50, 0, "[system.network.tcp.retransmissions 50]"},
		{0, 0, 0, "[]"},
		{platform.ProtocolTCP | platform.ProtocolUDP, 51, 4, "[system.network.tcp.retransmissions 51 system.network.udp.errors 4]"},
		{platform.ProtocolTCP | platform.ProtocolUDP, 1, 5, "[system.network.tcp.retransmissions 52 system.network.udp.errors 5]"},
	} {
		p.Got, p.Retransmitted, p.UDPErrors = tt.got, tt.tcp, tt.udp
		var lines []string
		for _, line := range scraped(t, s, snapshot()) {
			if strings.HasPrefix(line, "system.network.tcp") || strings.HasPrefix(line, "system.network.udp") {
				lines = append(lines, line)
			}
		}
		assert.Equal(t, tt.want, fmt.Sprint(lines), i)
	}
}
