// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"errors"

	"github.com/hostscope/hostscope/extension/processcontrol/policy"
	"github.com/hostscope/hostscope/platform"
)

// hostConnection is a socket of the host, with the process that has it.
type hostConnection struct {
	connection
	PID *int32 `json:"pid"`
}

// hostConnections are the sockets of the host, as many as an answer takes. Which
// processes have them takes a look at the descriptors of processes, and so has
// to be asked for; it is told of those whose connections the caller may see.
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
		const one = 256 // bytes, more or less, beside its path
		size, left := 0, 0
		list, err := h.Connections(nil, kind == "unix" || kind == "all", func(s *platform.Socket) bool {
			switch {
			case !kinds[kind](&s.Connection):
				return false
			case size >= q.maxPage:
				left++
				return false
			}
			size += one + len(s.Path)
			return true
		})
		if err != nil {
			return nil, err
		}
		var of map[uint64]owner
		if owners {
			if of, err = q.owners(h, list); err != nil {
				return nil, err
			}
		}
		all := make([]hostConnection, len(list))
		for i := range list {
			all[i].connection = showConnection(&list[i].Connection)
			all[i].FD = nil
			if o, ok := of[list[i].Inode]; ok {
				all[i].PID, all[i].FD = &o.pid, &o.fd
			}
		}
		return map[string]any{"connections": all, "left_out": left}, nil
	})
}

// owner is a process that has a socket, and under which number.
type owner struct{ pid, fd int32 }

// owners finds the processes that have sockets, by inode: of several the first
// whose connections the caller may see.
func (q *request) owners(h *platform.Host, list []platform.Socket) (map[uint64]owner, error) {
	wanted := map[uint64]bool{}
	for i := range list {
		wanted[list[i].Inode] = list[i].Inode != 0
	}
	s, err := h.Snapshot(q.ctx, platform.Request{Fields: platform.FieldState})
	if err == nil {
		err = s.ProcessesErr
	}
	if err != nil {
		return nil, err
	}
	var pids []int32
	for _, p := range s.Processes {
		pids = append(pids, p.PID)
	}
	of := map[uint64]owner{}
	for _, pid := range pids {
		err := q.ownedBy(h, pid, wanted, of)
		if err != nil && !errors.Is(err, platform.ErrNoSuchProcess) && !errors.Is(err, platform.ErrAccessDenied) {
			return nil, err
		}
	}
	return of, nil
}

// ownedBy finds those of the sockets that one process has.
func (q *request) ownedBy(h *platform.Host, pid int32, wanted map[uint64]bool, of map[uint64]owner) error {
	if q.hosts.hangs(pid) {
		return nil
	}
	p, err := h.OpenPID(pid)
	if err != nil {
		return err
	}
	defer p.Close()
	q.about(pid)
	asked := false
	req := platform.Request{Fields: platform.FieldFDs, Page: platform.Page{Size: q.maxList}}
	for {
		q.reading(req.Fields)
		r, err := h.Read(q.ctx, p, req)
		if err != nil || !r.Got.Has(platform.FieldFDs) {
			return err
		}
		for _, f := range r.More.FDs {
			if _, known := of[f.Inode]; f.Type != platform.FDSocket || !wanted[f.Inode] || known {
				continue
			}
			if !asked {
				t, _, err := q.target(h, p)
				if err != nil || !q.policy.Decide(&q.caller.Caller, t, policy.Ask{Action: policy.ReadConnections}).Allowed {
					return err
				}
				asked = true
			}
			of[f.Inode] = owner{pid, f.Number}
		}
		if !r.Cut.Has(platform.FieldFDs) {
			return nil
		}
		req.Page.From = uint64(r.Last) + 1
	}
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
