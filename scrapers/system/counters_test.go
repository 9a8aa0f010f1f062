// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

type pair [2]uint64

func newPairs(nowrap bool) *counters[string, pair] {
	return &counters[string, pair]{nowrap: nowrap, values: func(p *pair) []uint64 { return p[:] }}
}

// scrapePairs is one scrape of the devices that are there.
func scrapePairs(c *counters[string, pair], now time.Time, raw map[string]pair) map[string]pair {
	c.begin()
	totals := map[string]pair{}
	for device, v := range raw {
		totals[device] = c.update(device, now, &v).Total
	}
	c.end(now)
	return totals
}

// TestNowrap: after 100, 5, 10, 20 there are 100, 105, 110, 120. pypsutil adds
// the 100 again and again.
func TestNowrap(t *testing.T) {
	wrapped, raw := newPairs(true), newPairs(false)
	at := boot
	for i, v := range []uint64{100, 5, 10, 20} {
		at = at.Add(time.Minute)
		want := []uint64{100, 105, 110, 120}[i]
		assert.Equal(t, map[string]pair{"eth0": {want, 1}}, scrapePairs(wrapped, at, map[string]pair{"eth0": {v, 1}}))
		assert.Equal(t, map[string]pair{"eth0": {v, 1}}, scrapePairs(raw, at, map[string]pair{"eth0": {v, 1}}))
	}
	assert.Zero(t, wrapped.devices["eth0"].start, "since boot")
	assert.Equal(t, boot.Add(time.Minute), raw.devices["eth0"].start, "since the last scrape before the fall")
}

// TestBelowZero: what cannot be has not moved.
func TestBelowZero(t *testing.T) {
	c := newPairs(true)
	for i, v := range []uint64{5, math.MaxUint64, 6, math.MaxInt64} {
		want := []uint64{5, 5, 6, math.MaxInt64}[i]
		assert.Equal(t, map[string]pair{"eth0": {want, 0}}, scrapePairs(c, boot.Add(time.Duration(i)*time.Minute), map[string]pair{"eth0": {v, 0}}))
	}
	assert.Equal(t, map[string]pair{"new": {0, 0}}, scrapePairs(c, boot.Add(time.Hour), map[string]pair{"new": {math.MaxUint64, 0}}))
}

// TestMoreThanFits: a counter that would have counted more than a point holds
// starts anew, and what is gone stays below.
func TestMoreThanFits(t *testing.T) {
	c := newPairs(true)
	minute := func(n int) time.Time { return boot.Add(time.Duration(n) * time.Minute) }
	for i, v := range []uint64{math.MaxInt64, 0, 5, 7, 2} {
		want := []uint64{math.MaxInt64, math.MaxInt64, 5, 7, 9}[i]
		assert.Equal(t, map[string]pair{"eth0": {want, 0}}, scrapePairs(c, minute(i), map[string]pair{"eth0": {v, 0}}), i)
	}
	assert.Equal(t, minute(1), c.devices["eth0"].start)

	scrapePairs(c, minute(6), map[string]pair{"eth1": {math.MaxInt64, 1}})
	scrapePairs(c, minute(7), nil)
	assert.Equal(t, pair{math.MaxInt64, 1}, c.gone)
}

// TestDevicesComeAndGo: one that comes later counts from then, one that comes
// again is another, and what those that are gone have counted is kept.
func TestDevicesComeAndGo(t *testing.T) {
	c := newPairs(true)
	minute := func(n int) time.Time { return boot.Add(time.Duration(n) * time.Minute) }
	scrapePairs(c, minute(1), map[string]pair{"lo": {10, 1}, "veth0": {7, 2}})
	scrapePairs(c, minute(2), map[string]pair{"lo": {11, 1}, "veth1": {3, 0}})
	assert.Equal(t, pair{7, 2}, c.gone)
	assert.Equal(t, minute(1), c.devices["veth1"].start)
	assert.Zero(t, c.devices["lo"].start)
	assert.Len(t, c.devices, 2)

	assert.Equal(t, map[string]pair{"lo": {12, 1}, "veth0": {1, 1}}, scrapePairs(c, minute(3), map[string]pair{"lo": {12, 1}, "veth0": {1, 1}}))
	assert.Equal(t, minute(2), c.devices["veth0"].start)
	assert.Equal(t, pair{10, 2}, c.gone)
}
