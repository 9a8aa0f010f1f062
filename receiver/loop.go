// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// calm is how many scrapes in a row must go well before a trouble is over, so
// that it is told again. A host on which each takes one and a half intervals
// skips every second tick, and gets one line for that, not a line per tick.
const calm = 10

// loop calls scrape after the delay and then once per interval. It is our own
// because that of scraperhelper runs a scrape on the goroutine of its ticker:
// a read that hangs holds up the following ones unseen, and Shutdown with them.
type loop struct {
	delay, interval time.Duration
	scrape          func(context.Context)
	skipped         func() // counts a tick that found the last scrape running
	log             *zap.Logger
}

// run returns when ctx has ended and the last scrape has returned. A tick that
// finds the last scrape still running is dropped: there are never two at once.
func (l *loop) run(ctx context.Context) {
	select {
	case <-time.After(l.delay):
	case <-ctx.Done():
		return
	}
	ticker := time.NewTicker(l.interval)
	defer ticker.Stop()

	busy := make(chan struct{}, 1) // holds a value while a scrape runs
	defer func() { busy <- struct{}{} }()
	var started time.Time
	for inTime := calm; ctx.Err() == nil; {
		select {
		case busy <- struct{}{}:
			started, inTime = time.Now(), inTime+1
			go func() {
				defer func() { <-busy }()
				l.scrape(ctx)
			}()
		default:
			l.skipped()
			if inTime >= calm {
				l.log.Warn("Scrape skipped: the one before is still running",
					zap.Duration("running_for", time.Since(started)),
					zap.Duration("collection_interval", l.interval))
			}
			inTime = 0
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}
