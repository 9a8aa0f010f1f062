// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// Protocols reads what is wanted of /proc/1/net/snmp and, for UDP over IPv6,
// /proc/1/net/snmp6. A kernel without IPv6 has no errors of it.
func (h *Host) Protocols(p *Protocols, want ProtocolFields) error {
	*p = Protocols{}
	err := h.readAny(h.hostNetwork().folder+"snmp", func(b []byte) error {
		var raw procfs.SNMP
		if err := procfs.DecodeSNMP(b, &raw); err != nil {
			return err
		}
		if raw.HasTCP {
			p.FailedAttempts, p.Resets, p.Retransmitted = raw.TCPAttemptFails, raw.TCPEstabResets, raw.TCPRetransSegs
			p.Got |= ProtocolTCP
		}
		if raw.HasUDP {
			p.UDPErrors, p.Got = raw.UDPInErrors, p.Got|ProtocolUDP
		}
		return nil
	})
	if !want.Has(ProtocolUDP) || !p.Got.Has(ProtocolUDP) {
		p.UDPErrors, p.Got = 0, p.Got&^ProtocolUDP
		return err
	}
	if err := h.readAny(h.hostNetwork().folder+"snmp6", func(b []byte) error {
		n, err := procfs.UDP6InErrors(b)
		p.UDPErrors += n
		return err
	}); err != nil {
		p.UDPErrors, p.Got = 0, p.Got&^ProtocolUDP
		return err
	}
	return nil
}

// Conntrack reads what is wanted of /proc/sys/net/netfilter. Whichever /proc it
// is, these files tell of the network of whoever reads them
// (net/sysctl_net.c), so that there is nothing where the host has another one.
// A kernel that follows no connections has no table.
func (h *Host) Conntrack(c *Conntrack, want ConntrackFields) error {
	*c = Conntrack{}
	if h.procfs && !h.hostNetwork().own {
		return nil
	}
	var errs []error
	for _, of := range [...]struct {
		field ConntrackFields
		file  string
		to    *uint64
	}{
		{ConntrackCount, "sys/net/netfilter/nf_conntrack_count", &c.Count},
		{ConntrackMax, "sys/net/netfilter/nf_conntrack_max", &c.Max},
	} {
		if want&of.field == 0 {
			continue
		}
		errs = append(errs, h.readAny(of.file, func(b []byte) error {
			n, err := procfs.Unsigned(b)
			if err == nil && (n > 0 || of.field != ConntrackMax) { // 0 is no limit
				*of.to, c.Got = n, c.Got|of.field
			}
			return err
		}))
	}
	return errors.Join(errs...)
}
