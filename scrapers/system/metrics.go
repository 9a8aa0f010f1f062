// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"time"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// metric is a row of the table of metrics: the name that metadata.yaml
// declares, what it takes, and how it is recorded. A row records nothing
// where the tick has no value.
type metric struct {
	name   string
	needs  need
	record func(*Scraper, *emit.Points, *tick)
}

// need is what a metric takes: a reading of the host or a field of processes.
type need struct {
	reading platform.Reading
	fields  platform.Fields // if not 0, this instead of the reading
	on      platform.OS     // if not 0, only these systems have it
}

// met tells whether a system can give it.
func (n need) met(on platform.OS) bool {
	switch {
	case n.on != 0 && n.on&on == 0:
		return false
	case n.fields != 0:
		return platform.Supported(on).Has(n.fields)
	}
	return platform.Supports(on, n.reading)
}

// tick is what one scrape has read.
type tick struct {
	*platform.Snapshot
	uptime   time.Duration
	uptimeOK bool
	memory   platform.Memory
}

var metrics = [...]metric{
	{"system.boot.timestamp", need{reading: platform.ReadingBootTime}, recordBoot},
	{"system.uptime", need{reading: platform.ReadingUptime}, recordUptime},
	{"system.cpu.logical.count", need{reading: platform.ReadingCPUCount}, recordCPUCount},
	{"system.cpu.time", need{reading: platform.ReadingCPUTimes}, (*Scraper).recordCPUTime},
	{"system.memory.limit", need{reading: platform.ReadingMemory}, recordMemoryLimit},
	{"system.memory.linux.available", need{reading: platform.ReadingMemory, on: platform.Linux}, recordMemoryAvailable},
	{"system.memory.usage", need{reading: platform.ReadingMemory}, recordMemoryUsage},
	{"system.memory.utilization", need{reading: platform.ReadingMemory}, recordMemoryUtilization},
	{"system.process.count", need{fields: platform.FieldState}, (*Scraper).recordProcessCount},
}

func recordBoot(_ *Scraper, to *emit.Points, t *tick) {
	if !t.Boot.IsZero() {
		to.Double(float64(t.Boot.UnixNano()) / 1e9)
	}
}

func recordUptime(_ *Scraper, to *emit.Points, t *tick) {
	if t.uptimeOK {
		to.Double(t.uptime.Seconds())
	}
}
