// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hostscope/hostscope/internal/metadata"
	"github.com/hostscope/hostscope/platform"
)

func observeNotices() (*notices, observed) {
	core, logs := observer.New(zap.DebugLevel)
	n := newNotices(zap.New(core))
	return &n, observed{logs: logs}
}

func TestMissing(t *testing.T) {
	cfg := metadata.DefaultResourceAttributesConfig()
	cfg.HostID.Enabled, cfg.HostIP.Enabled, cfg.HostMac.Enabled = true, true, true
	scrapers := []named{
		{"process", fakeScraper{lacks: []string{"process.a", "process.b"}}},
		{"system", fakeScraper{}},
		{"sensors", fakeScraper{lacks: []string{"hw.a"}}},
	}
	const message = "Enabled, but not to be had on this operating system"

	n, o := observeNotices()
	n.missing(platform.Linux, scrapers, cfg)
	assert.Equal(t, []line{{"info", message, map[string]any{
		"scrapers::process": []any{"process.a", "process.b"},
		"scrapers::sensors": []any{"hw.a"},
	}}}, o.lines())

	n.missing(0, scrapers[1:2], cfg)
	assert.Equal(t, []line{{"info", message, map[string]any{
		"resource_attributes": []any{"host.id", "host.ip", "host.mac", "host.name"},
	}}}, o.lines(), "a system that nothing is known of")

	cfg = metadata.ResourceAttributesConfig{}
	n.missing(0, scrapers[1:2], cfg)
	n.missing(platform.Linux, scrapers[1:2], metadata.DefaultResourceAttributesConfig())
	assert.Empty(t, o.lines(), "nothing is missing")
}

// TestHidden: once, however many scrapes do not see everybody.
func TestHidden(t *testing.T) {
	n, o := observeNotices()
	n.hidden()
	n.hidden()
	lines := o.lines()
	require.Len(t, lines, 1)
	assert.Equal(t, "info", lines[0].Level)
	assert.Contains(t, lines[0].Message, "hidepid")
}

func TestOutcome(t *testing.T) {
	n, o := observeNotices()
	warn := func(step, err string) line {
		return line{"warn", "Scrape incomplete", map[string]any{"scraper": step, "error": err}}
	}
	good := func(times int) {
		for range times {
			n.outcome("system", nil)
			n.outcome("sensors", nil)
		}
	}
	good(20)
	assert.Empty(t, o.lines(), "nothing failed")

	for i := range 5 {
		n.outcome("system", fmt.Errorf("meminfo: after %d lines", i))
		n.outcome("sensors", errors.New("BAT0"))
		good(1)
		n.outcome("system", errors.New("uptime"))
	}
	assert.Equal(t, []line{
		warn("system", "meminfo: after 0 lines"),
		warn("sensors", "BAT0"),
		warn("system", "uptime"),
	}, o.lines(), "each kind once, however they alternate with successes")

	good(9)
	n.outcome("system", errors.New("uptime"))
	good(1)
	assert.Equal(t, []line{
		{"info", "Scrape recovered", map[string]any{"scraper": "sensors", "complete_in_a_row": int64(10)}},
	}, o.lines())
	good(9)
	assert.Equal(t, []line{
		{"info", "Scrape recovered", map[string]any{"scraper": "system", "complete_in_a_row": int64(10)}},
	}, o.lines())
	good(20)
	assert.Empty(t, o.lines())
	n.outcome("system", errors.New("uptime"))
	assert.Equal(t, []line{warn("system", "uptime")}, o.lines(), "after a recovery all is new")
}

// TestOutcomeFlood: who names a mount point or an interface does not write the
// log.
func TestOutcomeFlood(t *testing.T) {
	n, o := observeNotices()
	name := func(i int) string { return strings.Repeat("x", i) }
	for i := range 2 * maxTold {
		n.outcome("system", errors.New(name(i)))
	}
	lines := o.lines()
	require.Len(t, lines, maxTold+1)
	assert.Equal(t, line{"warn", "Scrape incomplete", map[string]any{"scraper": "system", "error": name(maxTold - 1)}}, lines[maxTold-1])
	assert.Equal(t, line{"warn", "Scrape fails in ever new ways, which are counted and told no more until it recovers", map[string]any{"scraper": "system"}}, lines[maxTold])

	n.outcome("sensors", errors.New("é"+strings.Repeat("é", maxMessage)))
	assert.Equal(t, []line{{"warn", "Scrape incomplete", map[string]any{"scraper": "sensors", "error": strings.Repeat("é", maxMessage/2) + "…"}}}, o.lines())
	n.outcome("sensors", errors.New("x"+strings.Repeat("é", maxMessage)))
	assert.Equal(t, []line{{"warn", "Scrape incomplete", map[string]any{"scraper": "sensors", "error": "x" + strings.Repeat("é", maxMessage/2-1) + "…"}}}, o.lines())
	for range calm {
		n.outcome("system", nil)
	}
	n.outcome("system", errors.New(name(1)))
	assert.Equal(t, line{"warn", "Scrape incomplete", map[string]any{"scraper": "system", "error": "x"}}, o.lines()[1])
}

func TestDeniedLater(t *testing.T) {
	n, o := observeNotices()
	scrapers := []named{{"process", fakeScraper{uses: map[platform.Fields]string{
		platform.FieldDiskIO: "process.disk.io", platform.FieldMemory: "process.memory.usage",
	}}}}
	const message = "Not permitted: this user may not read everything of every process"

	n.denied(nil, 2, scrapers)
	assert.Empty(t, o.lines())
	n.denied([]lack{{platform.FieldDiskIO, 2}}, 2, scrapers)
	n.denied([]lack{{platform.FieldDiskIO, 1}}, 2, scrapers)
	assert.Equal(t, []line{{"info", message, map[string]any{"processes": int64(2), "denied": []any{
		map[string]any{
			"field": "disk_io", "affects": []any{"process.disk.io"}, "processes": 2,
			"needs": platform.Needs(platform.FieldDiskIO),
		},
	}}}}, o.lines())
	n.denied([]lack{{platform.FieldDiskIO, 2}, {platform.FieldMemory, 1}}, 2, scrapers)
	assert.Equal(t, []line{{"info", message, map[string]any{"processes": int64(2), "denied": []any{
		map[string]any{"field": "memory", "affects": []any{"process.memory.usage"}, "processes": 1},
	}}}}, o.lines(), "only what is new, and no need where there is none to name")
}
