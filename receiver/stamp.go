// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/metadata"
	"github.com/hostscope/hostscope/platform"
)

// schemaURL is that of the semantic conventions that every name follows.
const schemaURL = "https://opentelemetry.io/schemas/1.44.0"

// stamp is what every resource of this host has in common.
type stamp struct{ host pcommon.Resource }

// newStamp asks the host who it is, once: its name, ID and addresses are those at Start.
// What it cannot tell is left out; that it cannot on this system at all is
// told with the other things that are missing.
func newStamp(host *platform.Host, cfg metadata.ResourceAttributesConfig, n *notices) stamp {
	rb := metadata.NewResourceBuilder(cfg)
	rb.SetOsType(osType(runtime.GOOS))
	set := func(key string, enabled bool, ask func() (string, error), set func(string)) {
		if !enabled {
			return
		}
		switch value, err := ask(); {
		case err == nil:
			set(value)
		case !errors.Is(err, platform.ErrNotSupported):
			n.resourceFailed(key, err)
		}
	}
	set("host.name", cfg.HostName.Enabled, host.Name, rb.SetHostName)
	set("host.id", cfg.HostID.Enabled, host.ID, rb.SetHostID)
	list := func(key string, enabled, hardware bool, set func([]any)) {
		if !enabled {
			return
		}
		switch values, err := addresses(host, hardware); {
		case err == nil:
			set(values)
		case !errors.Is(err, platform.ErrNotSupported):
			n.resourceFailed(key, err)
		}
	}
	list("host.ip", cfg.HostIP.Enabled, false, rb.SetHostIP)
	list("host.mac", cfg.HostMac.Enabled, true, rb.SetHostMac)
	return stamp{rb.Emit()}
}

// addresses are those of the host's interfaces, of their hardware or not, each
// once, and none of loopback. fs.ErrNotExist where there is none.
func addresses(host *platform.Host, hardware bool) (all []any, err error) {
	list, err := host.NetworkInterfaces(nil, platform.NetworkAddresses, nil)
	for _, i := range list {
		for _, a := range i.Addresses {
			if !i.Loopback && (a.Family == platform.FamilyLink) == hardware && !slices.Contains(all, any(a.Address)) {
				all = append(all, a.Address)
			}
		}
	}
	if err == nil && all == nil {
		err = fmt.Errorf("an address of a network interface: %w", fs.ErrNotExist)
	}
	return all, err
}

// put writes the schema URL and the host's attributes on every resource.
func (s stamp) put(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		rm.SetSchemaUrl(schemaURL)
		to := rm.Resource().Attributes()
		for key, value := range s.host.Attributes().All() {
			value.CopyTo(to.PutEmpty(key))
		}
	}
}

// osType is the value of os.type for a GOOS. Where the conventions have no
// value of their own for a system, its GOOS stands.
// https://opentelemetry.io/docs/specs/semconv/registry/attributes/os/#os-type
func osType(goos string) string {
	switch goos {
	case "android":
		return "linux"
	case "ios":
		return "darwin"
	case "dragonfly":
		return "dragonflybsd"
	case "illumos":
		return "solaris" // "SunOS, Oracle Solaris"
	}
	return goos
}
