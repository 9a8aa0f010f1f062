// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package differential

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emittest"
	"github.com/hostscope/hostscope/platform"
	"github.com/hostscope/hostscope/scrapers/system"
)

// psutil.net_connections() (S060): of each socket of IPv4 and IPv6 where it
// leads, and whose it is.
const netConnections = `
import json, psutil
states = {
    "ESTABLISHED": "established", "SYN_SENT": "syn_sent", "SYN_RECV": "syn_received", "FIN_WAIT1": "fin_wait_1", "FIN_WAIT2": "fin_wait_2",
    "TIME_WAIT": "time_wait", "CLOSE": "closed", "CLOSE_WAIT": "close_wait", "LAST_ACK": "last_ack", "LISTEN": "listen", "CLOSING": "closing",
}
out = []
for c in psutil.net_connections("inet"):
    a = {"network.transport": {"SOCK_STREAM": "tcp", "SOCK_DGRAM": "udp"}[c.type.name], "network.type": {"AF_INET": "ipv4", "AF_INET6": "ipv6"}[c.family.name],
         "process.unix.socket.type": {"SOCK_STREAM": "stream", "SOCK_DGRAM": "dgram"}[c.type.name]}
    if c.status != "NONE":
        a["network.connection.state"] = states[c.status]
    for end, at in (("local", c.laddr), ("peer", c.raddr)):
        if at:
            a["network.%s.address" % end], a["network.%s.port" % end] = at
    if c.pid is not None:
        a["process.pid"], a["process.unix.file_descriptor.number"] = c.pid, c.fd
    out.append("{" + ",".join(sorted("%s=%s" % i for i in a.items())) + "}")
print(json.dumps(out))
`

// TestSystemConnections: system.network.connection.count with every attribute
// has the sockets that psutil finds, with their owners. Those of other programs
// come and go: what is there before and after must be in the middle as well.
func TestSystemConnections(t *testing.T) {
	needPsutil(t)
	zoo := openZoo(t)
	h := open(t, platform.Root{})
	catalog, err := emittest.Load("../../scrapers/system/metadata.yaml")
	require.NoError(t, err)
	cfg := system.NewConfig()
	var attributes []any
	for _, a := range catalog.Metrics["system.network.connection.count"].Attributes {
		attributes = append(attributes, a.Key)
	}
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"metrics": map[string]any{"system.network.connection.count": map[string]any{"attributes": attributes}}}).Unmarshal(&cfg))
	s, err := system.New(h, &cfg, "test")
	require.NoError(t, err)

	ours := func() map[string]int64 {
		snap := take(t, h, platform.Request{Fields: s.Fields(), Everyone: s.Fields(), Select: func(*platform.Process) bool { return false }})
		points := map[string]int64{}
		require.NoError(t, s.Scrape(t.Context(), snap, func(md pmetric.Metrics) error {
			require.NoError(t, emittest.Check(md, catalog))
			for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
				if m.Name() != "system.network.connection.count" {
					continue
				}
				for _, p := range m.Sum().DataPoints().All() {
					if key := labels(p.Attributes()); !strings.Contains(key, "network.transport=unix") {
						points[key] += p.IntValue()
					}
				}
			}
			return nil
		}))
		return points
	}
	before := ours()
	out, err := exec.Command(python, "-c", netConnections).Output()
	require.NoError(t, err)
	after := ours()
	var list []string
	require.NoError(t, json.Unmarshal(out, &list))
	theirs := map[string]int64{}
	for _, c := range list {
		theirs[c]++
	}
	for key, n := range theirs {
		assert.True(t, before[key] == n || after[key] == n, "%s: psutil has %d, ours are %d and %d", key, n, before[key], after[key])
	}
	for key, n := range before {
		if after[key] == n {
			assert.Equal(t, n, theirs[key], key)
		}
	}
	// The zoo's stand still.
	for _, state := range []string{"listen", "established", "close_wait"} {
		assert.True(t, slices.ContainsFunc(list, func(c string) bool {
			return strings.Contains(c, "network.connection.state="+state+",") && slices.ContainsFunc(pids(zoo), func(pid int32) bool {
				return strings.Contains(c, fmt.Sprintf("process.pid=%d,", pid))
			})
		}), state)
	}
}
