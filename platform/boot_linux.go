// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"sync"
	"time"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// booted is the time of the boot that the last reading of /proc/stat showed.
func (h *Host) booted() time.Time {
	boot := time.Unix(h.stat.Boot, 0).UTC()
	if h.ownPIDs && !boot.Equal(h.handles.boot) {
		boots.add(boot)
	}
	h.handles.boot, h.handles.bootAt = boot, time.Now()
	return boot
}

// bootTime is the time of the boot, at most a second old.
func (h *Host) bootTime() (time.Time, error) {
	if !h.handles.boot.IsZero() && time.Since(h.handles.bootAt) < time.Second {
		return h.handles.boot, nil
	}
	if err := h.read("stat", func(b []byte) error { return procfs.Host(b, &h.stat) }); err != nil {
		return time.Time{}, err
	}
	return h.booted(), nil
}

// boots are the times of the boot that this program has computed with. A
// clock that is stepped moves the boot, and not the creation times that are
// known by then.
var boots bootTimes

type bootTimes struct {
	mu    sync.Mutex
	times []time.Time
}

// maxBoots is how many steps of the clock are remembered.
const maxBoots = 64

func (b *bootTimes) add(boot time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.times {
		if t.Equal(boot) {
			return
		}
	}
	if len(b.times) == maxBoots {
		b.times = b.times[1:]
	}
	b.times = append(b.times, boot)
}

// fits tells whether a process with this start, in ticks since boot, was
// created at a time, to within a second.
func (b *bootTimes) fits(start uint64, created time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	since := time.Duration(start) * (time.Second / ticksPerSecond)
	for _, boot := range b.times {
		if boot.Add(since).Sub(created).Abs() <= time.Second {
			return true
		}
	}
	return false
}
