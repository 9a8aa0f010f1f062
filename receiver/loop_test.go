// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// TestLoop runs loops on a clock that only the test moves. Times are those
// since the start.
func TestLoop(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name            string
		delay, interval time.Duration
		takes           []time.Duration // by each scrape, the last one for all that follow
		end             time.Duration
		starts          []time.Duration // of scrapes
		skipped         int
		warned          []time.Duration
	}{
		{
			name:  "in time",
			delay: 1 * s, interval: 10 * s, takes: []time.Duration{9 * s}, end: 25 * s,
			starts: []time.Duration{1 * s, 11 * s, 21 * s},
		},
		{
			name:  "ends before it begins",
			delay: 60 * s, interval: 10 * s, end: 59 * s,
		},
		{
			name:     "each is late, one line",
			interval: 10 * s, takes: []time.Duration{15 * s}, end: 65 * s,
			starts: []time.Duration{0, 20 * s, 40 * s, 60 * s}, skipped: 3,
			warned: []time.Duration{10 * s},
		},
		{
			name:     "one hangs for long, one line",
			interval: 10 * s, takes: []time.Duration{45 * s, 1 * s}, end: 65 * s,
			starts: []time.Duration{0, 50 * s, 60 * s}, skipped: 4,
			warned: []time.Duration{10 * s},
		},
		{
			name:     "late again before ten were in time",
			interval: 1 * s, takes: append([]time.Duration{3 * s / 2, 3 * s / 2}, 0), end: 5 * s / 2,
			starts: []time.Duration{0, 2 * s}, skipped: 1,
			warned: []time.Duration{1 * s},
		},
		{
			name:     "late again after ten were in time",
			interval: 1 * s, takes: []time.Duration{3 * s / 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3 * s / 2, 0}, end: 13*s + s/2,
			starts:  []time.Duration{0, 2 * s, 3 * s, 4 * s, 5 * s, 6 * s, 7 * s, 8 * s, 9 * s, 10 * s, 11 * s, 13 * s},
			skipped: 2, warned: []time.Duration{1 * s, 12 * s},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), c.end)
				defer cancel()
				core, logs := observer.New(zap.DebugLevel)
				var starts []time.Duration
				skipped, running := 0, 0
				l := loop{
					delay: c.delay, interval: c.interval, log: zap.New(core),
					skipped: func() { skipped++ },
					scrape: func(context.Context) {
						running++
						assert.Equal(t, 1, running, "scrapes at once")
						starts = append(starts, time.Since(begin))
						time.Sleep(c.takes[min(len(starts), len(c.takes))-1])
						running--
					},
				}
				l.run(ctx)
				assert.Zero(t, running, "run returns after the last scrape")
				assert.GreaterOrEqual(t, time.Since(begin), c.end)
				assert.Equal(t, c.starts, starts)
				assert.Equal(t, c.skipped, skipped)
				var warned []time.Duration
				for _, e := range logs.All() {
					assert.Equal(t, zap.WarnLevel, e.Level)
					assert.Equal(t, "Scrape skipped: the one before is still running", e.Message)
					assert.Equal(t, c.interval, e.ContextMap()["collection_interval"])
					warned = append(warned, e.Time.Sub(begin))
				}
				assert.Equal(t, c.warned, warned)
			})
		})
	}
}
