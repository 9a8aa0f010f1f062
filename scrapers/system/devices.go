// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"slices"
	"time"

	"github.com/hostscope/hostscope/internal/emit"
)

// devices are those of one kind, and what must not be forgotten of them from
// one scrape to the next: D is one as it was read, K what stays the same of it,
// N what it counts.
type devices[D any, K, N comparable] struct {
	counters counters[K, N]
	// at is where those of a scrape are.
	at func(*tick) *deviceTick[D, N]
	// name is what metrics call one, got the fields that it has, count which
	// one it is and what it has counted.
	name  func(*D) string
	got   func(*D) uint16
	count func(*counters[K, N], *D) (K, N)

	buf    []D
	series []*series[N]
	had    uint16 // the fields that any of them has had
}

// deviceTick are the devices of one scrape. The list is nil where it was not
// read.
type deviceTick[D, N any] struct {
	list []D
	// series are those of the devices in the list; the first metric that takes
	// them has them counted.
	series []*series[N]
}

// take takes the devices that were read in a scrape.
func (d *devices[D, K, N]) take(t *tick, list []D, err error) error {
	if list != nil {
		d.buf = list
	}
	if len(list) == 0 && err != nil {
		list = nil // they are not gone
	}
	d.at(t).list = list
	return err
}

// counted counts each device once in a scrape.
func (d *devices[D, K, N]) counted(at *deviceTick[D, N], now time.Time) []*series[N] {
	if at.series == nil && at.list != nil {
		at.series = d.series[:0]
		d.counters.begin()
		for i := range at.list {
			key, counts := d.count(&d.counters, &at.list[i])
			at.series = append(at.series, d.counters.update(key, now, &counts))
		}
		d.counters.end(now)
		d.series = at.series
	}
	return at.series
}

// deviceMetric says what of a device a metric counts.
type deviceMetric struct {
	names   []string // the attributes that tell the device
	flows   []flow
	seconds bool // milliseconds are counted, and told as seconds
}

// flow is one direction, or all that is counted where there is none.
type flow struct {
	need uint16 // of the fields of the device
	attr emit.Attr
	of   int // in the counters
}

// record records what each device has counted. In a sum over them those count
// on that are gone, so that it does not fall.
func (d *devices[D, K, N]) record(m *deviceMetric, to *emit.Points, t *tick) {
	at, each := d.at(t), slices.ContainsFunc(m.names, to.Wants)
	if at.list == nil {
		return
	}
	for i := range at.list {
		d.had |= d.got(&at.list[i])
	}
	for i, s := range d.counted(at, t.Time) {
		device, got := &at.list[i], d.had // in a sum the last value stands for one that is not known
		if each {
			to.Since(s.start)
			got = d.got(device)
		}
		m.record(to, d.name(device), got, d.counters.values(&s.Total))
	}
	var none N
	if gone := &d.counters.gone; !each && *gone != none {
		m.record(to, "", d.had, d.counters.values(gone))
	}
}

func (m *deviceMetric) record(to *emit.Points, name string, got uint16, counts []uint64) {
	for _, f := range m.flows {
		if got&f.need != f.need {
			continue
		}
		attrs := [3]emit.Attr{f.attr}
		for i, key := range m.names {
			attrs[1+i] = emit.Str(key, name)
		}
		if v := counts[f.of]; m.seconds {
			to.Double(float64(v)/1000, attrs[:1+len(m.names)]...)
		} else {
			to.Int(int64(v), attrs[:1+len(m.names)]...)
		}
	}
}
