// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/internal/metadata"
	"github.com/hostscope/hostscope/platform"
)

// TestAddresses: those of this host, as the conventions write them.
func TestAddresses(t *testing.T) {
	host, err := platform.Open(platform.Root{}, platform.Machine{})
	require.NoError(t, err)
	defer func() { require.NoError(t, host.Close()) }()
	ips, err := addresses(host, false)
	if !errors.Is(err, fs.ErrNotExist) { // a machine without a network
		require.NoError(t, err)
	}
	seen := map[any]bool{}
	for _, ip := range ips {
		addr, err := netip.ParseAddr(ip.(string))
		require.NoError(t, err)
		assert.Equal(t, ip, addr.String())
		assert.False(t, addr.IsLoopback())
		assert.Empty(t, addr.Zone())
		assert.False(t, seen[ip], "twice")
		seen[ip] = true
	}
	macs, err := addresses(host, true)
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	for _, mac := range macs {
		assert.Regexp(t, `^[0-9A-F]{2}(-[0-9A-F]{2}){5,}$`, mac)
		assert.NotRegexp(t, `^[0-]*$`, mac)
	}
}

// TestAddressesOfFiles: those know the addresses of the hardware alone.
func TestAddressesOfFiles(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	dev := "Inter-|   Receive                                                |  Transmit\n" +
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
	for name, files := range map[string][3]string{
		"lo": {"unknown", "0x9", "00:00:00:00:00:00"}, "eth0": {"up", "0x1003", "02:fc:00:00:00:0a"}, "eth0.5": {"up", "0x1003", "02:fc:00:00:00:0a"}, "odd": {"up", "0x9", "02:fc:00:00:00:0b"},
	} {
		dev += name + ": 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
		for i, file := range []string{"operstate", "flags", "address"} {
			write("sys/class/net/"+name+"/"+file, files[i]+"\n")
		}
	}
	write("proc/1/net/dev", dev)
	host, err := platform.Open(platform.Root{Path: root}, platform.Machine{})
	require.NoError(t, err)
	defer func() { require.NoError(t, host.Close()) }()
	n, o := observeNotices()
	s := newStamp(host, metadata.ResourceAttributesConfig{
		HostIP: metadata.ResourceAttributeConfig{Enabled: true}, HostMac: metadata.ResourceAttributeConfig{Enabled: true},
	}, n)
	assert.Equal(t, map[string]any{"host.mac": []any{"02-FC-00-00-00-0A"}}, s.host.Attributes().AsRaw())
	assert.Equal(t, []line{{"warn", "The host does not tell a resource attribute, which is left out", map[string]any{
		"attribute": "host.ip", "error": "an address of a network interface: file does not exist",
	}}}, o.lines())
}
