// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"math"
	"time"
)

// counters are the counters of devices of one kind: N of each, by what stays
// the same of a device, K. A counter of a kernel is reset when its device is made anew or
// its driver is loaded again, and some wrap. What is emitted of one device must
// not fall without a new start, and a sum over devices must not fall when one
// of them goes.
type counters[K comparable, N any] struct {
	// nowrap adds what a counter has lost to all that it counts later.
	nowrap bool
	// values gives the counters of a device.
	values func(*N) []uint64

	devices map[K]*series[N]
	// gone is what devices counted that are there no more, and without nowrap
	// what the others did before they were reset.
	gone N
	last time.Time // of the scrape before
	any  bool      // there was one
}

// series are the counters of one device.
type series[N any] struct {
	// Total is what they have counted since start.
	Total  N
	start  time.Time // zero for since boot
	raw    N
	offset N
	seen   time.Time
}

// begin starts a scrape.
func (c *counters[K, N]) begin() {
	if c.devices == nil {
		c.devices = map[K]*series[N]{}
	}
}

// update takes what a device counts now.
func (c *counters[K, N]) update(device K, now time.Time, raw *N) *series[N] {
	s, known := c.devices[device]
	if !known {
		s = new(series[N])
		if c.any { // it came after the scrape before
			s.start = c.last
		}
		c.devices[device] = s
	}
	last, offset, total, gone := c.values(&s.raw), c.values(&s.offset), c.values(&s.Total), c.values(&c.gone)
	for i, v := range c.values(raw) {
		if v > math.MaxInt64 { // a driver that has counted below zero
			v = last[i]
		}
		if v < last[i] {
			if c.nowrap {
				offset[i] += last[i]
			} else {
				s.start = c.last
				gone[i] = add(gone[i], last[i]) // a sum has no new start
			}
		}
		last[i] = v
		if total[i] = v + offset[i]; total[i] > math.MaxInt64 { // which no point holds
			offset[i], total[i], s.start = 0, v, c.last
		}
	}
	s.seen = now
	return s
}

// rename has a device that was known by another key go on under a new one.
func (c *counters[K, N]) rename(from, to K) {
	if s := c.devices[from]; s != nil && c.devices[to] == nil {
		delete(c.devices, from)
		c.devices[to] = s
	}
}

// before is what a device had counted when it was last updated, for what is not
// known of it now; zeros of a new one.
func (c *counters[K, N]) before(device K) (raw N) {
	if s := c.devices[device]; s != nil {
		raw = s.raw
	}
	return raw
}

// end ends a scrape: what was not updated in it is gone, and counts anew
// should it come back.
func (c *counters[K, N]) end(now time.Time) {
	gone := c.values(&c.gone)
	for device, s := range c.devices {
		if !s.seen.Equal(now) {
			for i, v := range c.values(&s.Total) {
				gone[i] = add(gone[i], v)
			}
			delete(c.devices, device)
		}
	}
	c.last, c.any = now, true
}

// add adds two counters as far as a point holds their sum.
func add(a, b uint64) uint64 { return min(a+b, math.MaxInt64) }
