// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import "github.com/hostscope/hostscope/platform/internal/procfs"

// Memory reads the memory of the host (/proc/meminfo).
func (h *Host) Memory(m *Memory) error {
	*m = Memory{Got: MemoryPageSize, PageSize: uint64(h.machine.PageSize)}
	var info procfs.Meminfo
	if err := h.read("meminfo", func(b []byte) error { return procfs.Memory(b, &info) }); err != nil {
		return err
	}
	m.Got |= MemoryFields(info.Has)
	for line, at := range [procfs.NumMeminfo]*uint64{
		procfs.MemTotal:             &m.Total,
		procfs.MemAvailable:         &m.Available,
		procfs.MemFree:              &m.Free,
		procfs.MemBuffers:           &m.Buffers,
		procfs.MemCached:            &m.Cached,
		procfs.MemActive:            &m.Active,
		procfs.MemInactive:          &m.Inactive,
		procfs.MemShared:            &m.Shared,
		procfs.MemSlabReclaimable:   &m.SlabReclaimable,
		procfs.MemSlabUnreclaimable: &m.SlabUnreclaimable,
		procfs.MemDirty:             &m.Dirty,
		procfs.MemWriteback:         &m.Writeback,
		procfs.MemAnonymous:         &m.Anonymous,
		procfs.MemMapped:            &m.Mapped,
		procfs.MemPageTables:        &m.PageTables,
		procfs.MemCommitLimit:       &m.CommitLimit,
		procfs.MemCommitted:         &m.Committed,
		procfs.MemSwapTotal:         &m.SwapTotal,
		procfs.MemSwapFree:          &m.SwapFree,
		procfs.MemHugePageSize:      &m.HugePageSize,
		procfs.MemHugePagesTotal:    &m.HugePagesTotal,
		procfs.MemHugePagesFree:     &m.HugePagesFree,
		procfs.MemHugePagesReserved: &m.HugePagesReserved,
		procfs.MemHugePagesSurplus:  &m.HugePagesSurplus,
	} {
		*at = info.Value[line]
	}
	// In some containers MemAvailable is the host's and MemTotal is not: what
	// is free is then the best that is known, as free(1) has it.
	if m.Got.Has(MemoryAvailable|MemoryFree) && m.Available > m.Total {
		m.Available = min(m.Free, m.Total)
	}
	return nil
}

// Paging reads what was swapped, faulted and killed (/proc/vmstat).
func (h *Host) Paging(p *Paging) error {
	*p = Paging{PageSize: uint64(h.machine.PageSize)}
	return h.readAny("vmstat", func(b []byte) error {
		var raw procfs.VMStat
		if err := procfs.VM(b, &raw); err != nil {
			return err
		}
		p.SwappedIn, p.SwappedOut, p.OOMKills = raw.SwapIn, raw.SwapOut, raw.OOMKills
		p.Faults, p.MajorFaults = raw.Faults, raw.MajorFaults
		for _, f := range [...]struct {
			lines procfs.VMStatLines
			field PagingFields
		}{
			{procfs.VMSwapIn | procfs.VMSwapOut, PagingSwap},
			{procfs.VMFaults | procfs.VMMajorFaults, PagingFaults},
			{procfs.VMOOMKills, PagingOOMKills},
		} {
			if raw.Has&f.lines == f.lines {
				p.Got |= f.field
			}
		}
		return nil
	})
}

// Swaps appends to dst the devices and files that are swapped to
// (/proc/swaps); names that dst held beyond its length are used again. A name
// that two have, since a file was deleted while in use, stands for both.
func (h *Host) Swaps(dst []Swap) ([]Swap, error) {
	err := h.readAny("swaps", func(b []byte) error {
		return procfs.Swaps(b, func(raw procfs.Swap) {
			used := min(raw.Used, raw.Total)
			for i := range dst {
				if s := &dst[i]; s.Name == string(raw.Name) {
					s.Total += raw.Total
					s.Used += used
					return
				}
			}
			if len(dst) < cap(dst) {
				dst = dst[:len(dst)+1]
			} else {
				dst = append(dst, Swap{})
			}
			s := &dst[len(dst)-1]
			keep(&s.Name, raw.Name)
			s.Total, s.Used = raw.Total, used
		})
	})
	return dst, err
}
