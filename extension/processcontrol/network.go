// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"errors"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/extension/processcontrol/policy"
	"github.com/hostscope/hostscope/platform"
)

// hostConnection is a socket of the host, with the process that has it.
type hostConnection struct {
	connection
	PID *int32 `json:"pid"`
}

// hostConnections are the sockets of the host. Which processes have them takes
// a look at the descriptors of all processes, and so has to be asked for; it is
// told of those whose connections the caller may see.
func (q *request) hostConnections() (any, error) {
	kind, err := q.oneOf("kind", kindNames)
	if err != nil {
		return nil, err
	}
	owners, err := q.truth("owners")
	if err != nil {
		return nil, err
	}
	return q.ofHost(func(q *request, h *platform.Host) (any, error) {
		list, err := h.Connections(nil, kind == "unix" || kind == "all")
		if err != nil {
			return nil, err
		}
		type owner struct{ pid, fd int32 }
		of := map[uint64]owner{}
		if owners && q.hosts.hangs(0) {
			return nil, api.NewProblem(api.TimeoutExpired, "the kernel does not answer")
		}
		if owners {
			q.about(0)
			q.reading(platform.FieldFDs)
			s, err := h.Snapshot(q.ctx, platform.Request{Fields: platform.FieldFDs})
			if err == nil {
				err = s.ProcessesErr
			}
			if err != nil {
				return nil, err
			}
			for _, p := range s.Processes {
				if !p.Got.Has(platform.FieldFDs) {
					continue
				}
				for _, f := range p.More.FDs {
					if _, known := of[f.Inode]; f.Type == platform.FDSocket && !known {
						of[f.Inode] = owner{p.PID, f.Number}
					}
				}
			}
		}
		shown := map[int32]bool{} // of whom the caller may see the connections
		for _, o := range of {
			if _, known := shown[o.pid]; !known {
				if shown[o.pid], err = q.mayConnections(h, o.pid); err != nil {
					return nil, err
				}
			}
		}
		all := []hostConnection{}
		for i := range list {
			s := &list[i]
			if !kinds[kind](&s.Connection) {
				continue
			}
			c := hostConnection{connection: showConnection(&s.Connection)}
			c.FD = nil
			if o, ok := of[s.Inode]; ok && s.Inode != 0 && shown[o.pid] {
				c.PID, c.FD = &o.pid, &o.fd
			}
			all = append(all, c)
		}
		return map[string]any{"connections": all}, nil
	})
}

// mayConnections tells whether the caller may see the connections of a process.
func (q *request) mayConnections(h *platform.Host, pid int32) (bool, error) {
	p, err := h.OpenPID(pid)
	var t *policy.Target
	if err == nil {
		defer p.Close()
		t, _, err = q.target(h, p)
	}
	switch {
	case err == nil:
		return q.policy.Decide(&q.caller.Caller, t, policy.Ask{Action: policy.ReadConnections}).Allowed, nil
	case errors.Is(err, platform.ErrNoSuchProcess), errors.Is(err, platform.ErrAccessDenied):
		return false, nil
	}
	return false, err
}

// interfaces are the network interfaces, each with what psutil has in three
// functions: addrs, stats and io_counters. What is not known is null.
func (q *request) interfaces() (any, error) {
	return q.ofHost(func(q *request, h *platform.Host) (any, error) {
		const all = platform.NetworkAddresses<<1 - 1
		list, err := h.NetworkInterfaces(nil, all, nil)
		if err != nil {
			return nil, err
		}
		found, total := map[string]any{}, map[string]uint64{}
		for i := range list {
			n := &list[i]
			addresses := []map[string]any{}
			for _, a := range n.Addresses {
				one := map[string]any{"family": [...]string{"AF_LINK", "AF_INET", "AF_INET6"}[a.Family], "address": a.Address, "netmask": text(a.Netmask), "broadcast": text(a.Broadcast), "ptp": text(a.Peer)}
				addresses = append(addresses, one)
			}
			stats := map[string]any{"isup": nil, "duplex": nil, "speed": nil, "mtu": nil}
			if n.Got.Has(platform.NetworkUp) {
				stats["isup"] = n.Up
			}
			if n.Got.Has(platform.NetworkDuplex) {
				stats["duplex"] = [...]string{"unknown", "half", "full"}[n.Duplex]
			}
			if n.Got.Has(platform.NetworkSpeed) {
				stats["speed"] = float64(n.Speed) / 1e6 // Mbit/s, as psutil has it
			}
			if n.Got.Has(platform.NetworkMTU) {
				stats["mtu"] = n.MTU
			}
			counters := map[string]any{}
			for _, of := range []struct {
				is    platform.NetworkFields
				name  string
				value uint64
			}{
				{platform.NetworkIO, "bytes_sent", n.BytesSent}, {platform.NetworkIO, "bytes_recv", n.BytesRecv},
				{platform.NetworkPackets, "packets_sent", n.PacketsSent}, {platform.NetworkPackets, "packets_recv", n.PacketsRecv},
				{platform.NetworkErrors, "errin", n.ErrIn}, {platform.NetworkErrors, "errout", n.ErrOut},
				{platform.NetworkDropIn, "dropin", n.DropIn}, {platform.NetworkDropOut, "dropout", n.DropOut},
			} {
				if counters[of.name] = nil; n.Got.Has(of.is) {
					counters[of.name] = of.value
					total[of.name] += of.value
				}
			}
			found[n.Name] = map[string]any{"addrs": addresses, "stats": stats, "io_counters": counters}
		}
		return map[string]any{"interfaces": found, "total": total}, nil
	})
}
