// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package differential

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emittest"
	"github.com/hostscope/hostscope/platform"
	"github.com/hostscope/hostscope/scrapers/system"
)

// networkPoints are the points of every metric of networks, by metric and
// attributes.
func networkPoints(t *testing.T) map[string]float64 {
	h := open(t, platform.Root{})
	cfg := system.NewConfig()
	m := &cfg.Metrics
	for _, enabled := range []*bool{
		&m.HwNetworkUp.Enabled, &m.SystemNetworkCarrierChanges.Enabled, &m.SystemNetworkCollisions.Enabled, &m.SystemNetworkConntrackCount.Enabled,
		&m.SystemNetworkConntrackMax.Enabled, &m.SystemNetworkInterfaceAddressInfo.Enabled, &m.SystemNetworkInterfaceDuplex.Enabled,
		&m.SystemNetworkInterfaceMtu.Enabled, &m.SystemNetworkMulticast.Enabled, &m.SystemNetworkTCPFailedAttempts.Enabled,
		&m.SystemNetworkTCPResets.Enabled, &m.SystemNetworkUDPErrors.Enabled,
	} {
		*enabled = true
	}
	s, err := system.New(h, &cfg, "test")
	require.NoError(t, err)
	catalog, err := emittest.Load("../../scrapers/system/metadata.yaml")
	require.NoError(t, err)
	values := map[string]float64{}
	require.NoError(t, s.Scrape(t.Context(), take(t, h, platform.Request{Fields: s.Fields()}), func(md pmetric.Metrics) error {
		require.NoError(t, emittest.Check(md, catalog))
		for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if !strings.HasPrefix(m.Name(), "system.network.") && !strings.HasPrefix(m.Name(), "hw.network.") {
				continue
			}
			points := m.Gauge().DataPoints
			if m.Type() == pmetric.MetricTypeSum {
				points = m.Sum().DataPoints
			}
			for _, p := range points().All() {
				values[m.Name()+labels(p.Attributes())] = float64(p.IntValue())
			}
		}
		return nil
	}))
	return values
}

// putAttributes is a point with its attributes in the order of their names;
// those without a value are left out.
func putAttributes(values map[string]float64, metric string, v float64, attributes map[string]string) {
	var all []string
	for key, value := range attributes {
		if value != "" {
			all = append(all, key+"="+value)
		}
	}
	slices.Sort(all)
	if len(all) > 0 {
		metric += "{" + strings.Join(all, ",") + "}"
	}
	values[metric] = v
}

// counters puts what is counted of an interface in each direction.
func putCounters(values map[string]float64, name string, metrics map[string][2]float64) {
	for metric, v := range metrics {
		for i, direction := range []string{"receive", "transmit"} {
			attributes := map[string]string{"network.interface.name": name, "network.io.direction": direction}
			if metric == "system.network.packet.count" {
				attributes["system.device"] = name
			}
			putAttributes(values, metric, v[i], attributes)
		}
	}
}

// compareNetwork compares ours with what others said before and after: what is
// counted lies between theirs, what rests is the same, and we have nothing
// more of the metrics that they tell of.
func compareNetwork(t *testing.T, before, ours, after map[string]float64) {
	told := map[string]bool{}
	for key, low := range before {
		metric, _, _ := strings.Cut(key, "{")
		told[metric] = true
		v, ok := ours[key]
		if assert.True(t, ok, "not emitted: %s", key) {
			assert.LessOrEqual(t, low, v, key)
			assert.LessOrEqual(t, v, after[key], key)
		}
	}
	for key := range ours {
		if metric, _, _ := strings.Cut(key, "{"); told[metric] {
			assert.Contains(t, before, key)
		}
	}
}

const psutilNetwork = `
import json, psutil
print(json.dumps({
	"io": {k: v._asdict() for k, v in psutil.net_io_counters(pernic=True, nowrap=False).items()},
	"stats": {k: v._asdict() for k, v in psutil.net_if_stats().items()},
	"addresses": {k: [dict(a._asdict(), family=a.family.name) for a in v] for k, v in psutil.net_if_addrs().items()},
}))`

// TestNetworkPsutil compares all that psutil tells of networks: rows S063–S098.
func TestNetworkPsutil(t *testing.T) {
	needPsutil(t)
	theirs := func() map[string]float64 {
		out, err := exec.Command(python, "-c", psutilNetwork).Output()
		require.NoError(t, err)
		var all struct {
			IO    map[string]map[string]float64
			Stats map[string]struct {
				IsUp       bool
				Duplex     int
				Speed, MTU float64
			}
			Addresses map[string][]struct{ Family, Address, Netmask, Broadcast, Ptp string }
		}
		require.NoError(t, json.Unmarshal(out, &all))
		values := map[string]float64{}
		for name, io := range all.IO {
			putCounters(values, name, map[string][2]float64{
				"system.network.io": {io["bytes_recv"], io["bytes_sent"]}, "system.network.packet.count": {io["packets_recv"], io["packets_sent"]},
				"system.network.errors": {io["errin"], io["errout"]}, "system.network.packet.dropped": {io["dropin"], io["dropout"]},
			})
		}
		for name, s := range all.Stats {
			hw := map[string]string{"hw.id": "network/" + name, "hw.name": name, "network.interface.name": name}
			up := map[bool]float64{true: 1}
			putAttributes(values, "hw.network.up", up[s.IsUp], hw)
			if s.Speed > 0 && s.IsUp {
				putAttributes(values, "hw.network.bandwidth.limit", s.Speed*125_000, hw)
			}
			putAttributes(values, "system.network.interface.mtu", s.MTU, map[string]string{"network.interface.name": name})
			for i, duplex := range []string{"unknown", "half", "full"} {
				putAttributes(values, "system.network.interface.duplex", up[s.Duplex == i], map[string]string{"network.interface.name": name, "system.network.interface.duplex": duplex})
			}
		}
		for name, addresses := range all.Addresses {
			for _, a := range addresses {
				family := map[string]string{"AF_PACKET": "link", "AF_INET": "ipv4", "AF_INET6": "ipv6"}[a.Family]
				a.Address, _, _ = strings.Cut(a.Address, "%") // S085
				if family == "link" {
					a.Address, a.Broadcast = ieee(a.Address), ieee(a.Broadcast)
				}
				if a.Address != "" {
					putAddress(values, name, family, a.Address, a.Netmask, a.Broadcast, a.Ptp)
				}
			}
		}
		return values
	}
	before := theirs()
	ours := networkPoints(t)
	compareNetwork(t, before, ours, theirs())
}

// ieee is a hardware address as the conventions have it; that of loopback is
// none.
func ieee(address string) string {
	if strings.Trim(address, "0:") == "" {
		return ""
	}
	return strings.ToUpper(strings.ReplaceAll(address, ":", "-"))
}

func putAddress(values map[string]float64, name, family, address, netmask, broadcast, peer string) {
	const prefix = "system.network.interface.address."
	putAttributes(values, prefix+"info", 1, map[string]string{
		"network.interface.name": name, prefix + "family": family, prefix + "value": address,
		prefix + "netmask": netmask, prefix + "broadcast": broadcast, prefix + "peer": peer,
	})
}

// TestNetworkIP compares with ip(8).
func TestNetworkIP(t *testing.T) {
	ip, err := exec.LookPath("ip")
	if err != nil {
		t.Skip("no ip: apt-get install iproute2")
	}
	theirs := func() map[string]float64 {
		out, err := exec.Command(ip, "-json", "-stats", "-details", "address").Output()
		require.NoError(t, err)
		var all []struct {
			Name  string `json:"ifname"`
			Flags []string
			State string `json:"operstate"`
			MTU   float64
			Stats struct{ Rx, Tx map[string]float64 } `json:"stats64"`
		}
		require.NoError(t, json.Unmarshal(out, &all))
		values := map[string]float64{}
		for _, i := range all {
			rx, tx := i.Stats.Rx, i.Stats.Tx
			putCounters(values, i.Name, map[string][2]float64{
				"system.network.io": {rx["bytes"], tx["bytes"]}, "system.network.packet.count": {rx["packets"], tx["packets"]},
				"system.network.errors": {rx["errors"], tx["errors"]},
			})
			name := map[string]string{"network.interface.name": i.Name}
			putAttributes(values, "system.network.multicast", rx["multicast"], name)
			putAttributes(values, "system.network.collisions", tx["collisions"], name)
			putAttributes(values, "system.network.interface.mtu", i.MTU, name)
			up := 0.0
			if slices.Contains(i.Flags, "UP") && (i.State == "UP" || i.State == "UNKNOWN") {
				up = 1
			}
			putAttributes(values, "hw.network.up", up, map[string]string{"hw.id": "network/" + i.Name, "hw.name": i.Name, "network.interface.name": i.Name})
		}
		return values
	}
	before := theirs()
	ours := networkPoints(t)
	compareNetwork(t, before, ours, theirs())
}

// TestNetworkFiles compares with the files that have one number each.
func TestNetworkFiles(t *testing.T) {
	number := func(name string) float64 {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		n, err := strconv.ParseFloat(strings.TrimSpace(string(b)), 64)
		require.NoError(t, err)
		return n
	}
	snmp := func(values map[string]float64) {
		b, err := os.ReadFile("/proc/self/net/snmp")
		require.NoError(t, err)
		lines := strings.Split(string(b), "\n")
		for i := 0; i+1 < len(lines); i += 2 {
			names, numbers := strings.Fields(lines[i]), strings.Fields(lines[i+1])
			for j, name := range names {
				metric := map[string]string{
					"Tcp: RetransSegs": "system.network.tcp.retransmissions", "Tcp: AttemptFails": "system.network.tcp.failed_attempts",
					"Tcp: EstabResets": "system.network.tcp.resets", "Udp: InErrors": "system.network.udp.errors",
				}[names[0]+" "+name]
				if metric != "" {
					values[metric], err = strconv.ParseFloat(numbers[j], 64)
					require.NoError(t, err)
				}
			}
		}
		if b, err := os.ReadFile("/proc/self/net/snmp6"); err == nil {
			_, rest, ok := strings.Cut(string(b), "\nUdp6InErrors")
			require.True(t, ok)
			n, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			require.NoError(t, err)
			values["system.network.udp.errors"] += n
		}
	}
	theirs := func() map[string]float64 {
		values := map[string]float64{}
		snmp(values)
		entries, err := os.ReadDir("/sys/class/net")
		require.NoError(t, err)
		for _, e := range entries {
			dir := "/sys/class/net/" + e.Name()
			if _, err := os.Stat(dir + "/carrier_changes"); err == nil {
				putAttributes(values, "system.network.carrier_changes", number(dir+"/carrier_changes"), map[string]string{"network.interface.name": e.Name()})
			}
		}
		if _, err := os.Stat("/proc/sys/net/netfilter/nf_conntrack_max"); err == nil {
			values["system.network.conntrack.max"] = number("/proc/sys/net/netfilter/nf_conntrack_max")
		}
		return values
	}
	before := theirs()
	ours := networkPoints(t)
	compareNetwork(t, before, ours, theirs())
}
