// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/hostscope/hostscope/extension/processcontrol/policy"
	"github.com/hostscope/hostscope/platform"
)

// systemFields are what can be asked of the host, by psutil's names.
var systemFields = []struct {
	name  string
	value func(h *platform.Host, s *platform.Snapshot) (any, error)
}{
	{"boot_time", func(_ *platform.Host, s *platform.Snapshot) (any, error) { return s.Boot.Unix(), nil }},
	{"time_since_boot", func(h *platform.Host, _ *platform.Snapshot) (any, error) {
		up, err := h.Uptime()
		return up.Seconds(), err
	}},
	{"uptime", func(h *platform.Host, _ *platform.Snapshot) (any, error) {
		up, err := h.AwakeTime()
		return up.Seconds(), err
	}},
	{"virtual_memory", virtualMemory},
	{"swap_memory", swapMemory},
	{"cpu_count", func(_ *platform.Host, s *platform.Snapshot) (any, error) { return len(s.CPU.PerCPU), nil }},
	{"physical_cpu_count", func(h *platform.Host, _ *platform.Snapshot) (any, error) {
		n, err := h.PhysicalCPUs()
		if n == 0 {
			return nil, err
		}
		return n, err
	}},
	{"cpu_freq", func(h *platform.Host, _ *platform.Snapshot) (any, error) {
		all, err := frequencies(h)
		if err != nil || len(all) == 0 {
			return nil, err
		}
		mean := map[string]any{}
		for _, of := range []string{"current", "min", "max"} {
			sum, n := 0.0, 0
			for _, one := range all {
				if mhz, ok := one[of].(float64); ok {
					sum, n = sum+mhz, n+1
				}
			}
			if mean[of] = nil; n > 0 {
				mean[of] = sum / float64(n)
			}
		}
		return mean, nil
	}},
	{"percpu_freq", func(h *platform.Host, _ *platform.Snapshot) (any, error) { return frequencies(h) }},
	{"cpu_times", func(_ *platform.Host, s *platform.Snapshot) (any, error) { return cpuTimes(&s.CPU.Total), nil }},
	{"percpu_times", func(_ *platform.Host, s *platform.Snapshot) (any, error) {
		all := []map[string]any{}
		for i := range s.CPU.PerCPU {
			one := cpuTimes(&s.CPU.PerCPU[i].CPUTimes)
			one["cpu"] = s.CPU.PerCPU[i].Number
			all = append(all, one)
		}
		return all, nil
	}},
	{"cpu_stats", func(_ *platform.Host, s *platform.Snapshot) (any, error) {
		a := &s.Activity
		stats := map[string]any{"ctx_switches": nil, "interrupts": nil, "soft_interrupts": nil}
		for _, of := range []struct {
			is    platform.ActivityFields
			name  string
			value uint64
		}{
			{platform.ActivityContextSwitches, "ctx_switches", a.ContextSwitches},
			{platform.ActivityInterrupts, "interrupts", a.Interrupts},
			{platform.ActivitySoftInterrupts, "soft_interrupts", a.SoftInterrupts},
		} {
			if a.Got.Has(of.is) {
				stats[of.name] = of.value
			}
		}
		return stats, nil
	}},
	{"load_average", func(h *platform.Host, _ *platform.Snapshot) (any, error) {
		var l platform.Load
		if err := h.Load(&l); err != nil || !l.Got.Has(platform.LoadAverages) {
			return nil, err
		}
		return l.Averages, nil
	}},
}

func cpuTimes(t *platform.CPUTimes) map[string]any {
	return map[string]any{
		"user": t.User, "nice": t.Nice, "system": t.System, "idle": t.Idle, "iowait": t.IOWait, "irq": t.IRQ,
		"softirq": t.SoftIRQ, "steal": t.Steal, "guest": t.Guest, "guest_nice": t.GuestNice,
	}
}

// frequencies are in MHz, as psutil has them.
func frequencies(h *platform.Host) ([]map[string]any, error) {
	list, err := h.CPUFrequencies(nil, platform.FrequencyCurrent|platform.FrequencyMin|platform.FrequencyMax)
	all := []map[string]any{}
	for i := range list {
		f := &list[i]
		one := map[string]any{"cpu": f.Number, "current": nil, "min": nil, "max": nil}
		for _, of := range []struct {
			is   platform.FrequencyFields
			name string
			hz   uint64
		}{{platform.FrequencyCurrent, "current", f.Current}, {platform.FrequencyMin, "min", f.Min}, {platform.FrequencyMax, "max", f.Max}} {
			if f.Got.Has(of.is) {
				one[of.name] = float64(of.hz) / 1e6
			}
		}
		all = append(all, one)
	}
	return all, err
}

// virtualMemory: used is what is not available.
func virtualMemory(h *platform.Host, _ *platform.Snapshot) (any, error) {
	var m platform.Memory
	if err := h.Memory(&m); err != nil {
		return nil, err
	}
	answer := map[string]any{}
	for _, of := range []struct {
		is    platform.MemoryFields
		name  string
		value uint64
	}{
		{platform.MemoryTotal, "total", m.Total}, {platform.MemoryAvailable, "available", m.Available}, {platform.MemoryFree, "free", m.Free},
		{platform.MemoryActive, "active", m.Active}, {platform.MemoryInactive, "inactive", m.Inactive}, {platform.MemoryBuffers, "buffers", m.Buffers},
		{platform.MemoryCached, "cached", m.Cached}, {platform.MemoryShared, "shared", m.Shared},
		{platform.MemorySlabReclaimable | platform.MemorySlabUnreclaimable, "slab", m.SlabReclaimable + m.SlabUnreclaimable},
	} {
		if answer[of.name] = nil; m.Got.Has(of.is) {
			answer[of.name] = of.value
		}
	}
	answer["used"], answer["percent"] = nil, nil
	if m.Got.Has(platform.MemoryTotal|platform.MemoryAvailable) && m.Total > 0 {
		answer["used"], answer["percent"] = m.Total-m.Available, 100*float64(m.Total-m.Available)/float64(m.Total)
	}
	return answer, nil
}

func swapMemory(h *platform.Host, _ *platform.Snapshot) (any, error) {
	var m platform.Memory
	var p platform.Paging
	if err := errors.Join(h.Memory(&m), h.Paging(&p)); err != nil {
		return nil, err
	}
	answer := map[string]any{"total": nil, "used": nil, "free": nil, "percent": nil, "sin": nil, "sout": nil}
	if m.Got.Has(platform.MemorySwapTotal | platform.MemorySwapFree) {
		answer["total"], answer["free"], answer["used"] = m.SwapTotal, m.SwapFree, m.SwapTotal-m.SwapFree
		if m.SwapTotal > 0 {
			answer["percent"] = 100 * float64(m.SwapTotal-m.SwapFree) / float64(m.SwapTotal)
		}
	}
	if p.Got.Has(platform.PagingSwap) {
		answer["sin"], answer["sout"] = p.SwappedIn*p.PageSize, p.SwappedOut*p.PageSize
	}
	return answer, nil
}

// ofHost asks whether the caller may look at the host, and lends it to him.
func (q *request) ofHost(with func(q *request, h *platform.Host) (any, error)) (any, error) {
	if err := q.end(); err != nil {
		return nil, err
	}
	if d := q.policy.Decide(&q.caller.Caller, nil, policy.Ask{Action: policy.ReadSystem}); !d.Allowed {
		return nil, denied(d)
	}
	return q.lend(&q.hosts.system, with)
}

func (q *request) system() (any, error) {
	var names []string
	if param := q.param("fields"); param != "" {
		names = strings.Split(param, ",")
	}
	for _, name := range names {
		if !slices.ContainsFunc(systemFields, func(f struct {
			name  string
			value func(h *platform.Host, s *platform.Snapshot) (any, error)
		}) bool {
			return f.name == name
		}) {
			return nil, unacceptable("there is no field %q", name)
		}
	}
	return q.ofHost(func(q *request, h *platform.Host) (any, error) {
		s, err := h.Snapshot(q.ctx, platform.Request{})
		if err != nil {
			return nil, err
		}
		answer, failed := map[string]any{}, map[string]string{}
		for _, f := range systemFields {
			if names != nil && !slices.Contains(names, f.name) {
				continue
			}
			value, err := f.value(h, s)
			if err != nil {
				failed[f.name] = platform.ClassOf(err)
				continue
			}
			answer[f.name] = value
		}
		if len(failed) > 0 {
			answer["errors"] = failed
		}
		return answer, nil
	})
}

func (q *request) diskUsage() (any, error) {
	at := q.param("path")
	if !path.IsAbs(at) || path.Clean(at) != at || strings.ContainsRune(at, 0) {
		return nil, unacceptable("path is absolute and has no . or .. in it")
	}
	return q.ofHost(func(q *request, h *platform.Host) (any, error) {
		found, err := h.Filesystems(q.ctx, nil, platform.FilesystemRequest{Select: func(*platform.Filesystem) bool { return false }, Paths: []string{at}})
		for i := range found {
			f := &found[i]
			if f.Mountpoint != at || !f.Got.Has(platform.FilesystemSpace) {
				continue
			}
			answer := map[string]any{"path": at, "total": f.Total, "used": f.Used, "free": f.Free, "percent": nil}
			if f.Used+f.Free > 0 {
				answer["percent"] = 100 * float64(f.Used) / float64(f.Used+f.Free)
			}
			return answer, nil
		}
		if err != nil {
			return nil, err
		}
		return nil, unacceptable("there is no space to be told of at %s", at)
	})
}
