// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package receiver is the OpenTelemetry Collector receiver of type hostscope.
//
// It owns the tick: once per interval it takes one snapshot of its host, hands
// it to the scrapers that the configuration names, and passes on what they
// make of it. It also says, once, what this host cannot give or this user may
// not read, and counts the rest in its own telemetry.
package receiver

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	collectorreceiver "go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"

	"github.com/hostscope/hostscope/internal/metadata"
	"github.com/hostscope/hostscope/platform"
)

// shutdownGrace is how long Shutdown waits for a scrape that is under way. A
// scrape takes milliseconds, so this is ample, unless a read hangs in the
// kernel (a dead network file system, a broken driver). Nothing can interrupt
// such a read; the collector's other components must not wait for it.
const shutdownGrace = 2 * time.Second

// hostReceiver starts and ends the scraping.
type hostReceiver struct {
	cfg       *Config
	set       collectorreceiver.Settings
	next      consumer.Metrics
	obs       *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder
	machine   platform.Machine // the running one, but in tests

	mu  sync.Mutex
	run *run // nil before Start and after Shutdown
}

// run is the time from a Start to its Shutdown.
type run struct {
	stop context.CancelFunc // no further reading
	drop context.CancelFunc // gives up on what the pipeline has not taken yet
	done chan struct{}      // closed when all has returned and is closed
}

func newReceiver(set collectorreceiver.Settings, cfg *Config, next consumer.Metrics, machine platform.Machine) (*hostReceiver, error) {
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID:             set.ID,
		ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &hostReceiver{cfg: cfg, set: set, next: next, obs: obs, telemetry: telemetry, machine: machine}, nil
}

// Start opens the host and begins to scrape. What this host cannot give is no
// error. A receiver that runs already goes on as it is.
func (r *hostReceiver) Start(context.Context, component.Host) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run != nil {
		return nil
	}
	rd, err := r.newReader()
	if err != nil {
		return err
	}

	// Not the context of Start, which ends when the collector has started.
	pipeline, drop := context.WithCancel(context.Background())
	reading, stop := context.WithCancel(pipeline)
	l := loop{
		delay:    r.cfg.InitialDelay,
		interval: r.cfg.CollectionInterval,
		scrape:   func(ctx context.Context) { rd.scrape(ctx, pipeline) },
		skipped:  func() { r.telemetry.ReceiverHostscopeScrapesSkipped.Add(reading, 1, rd.by()) },
		log:      r.set.Logger,
	}
	current := &run{stop: stop, drop: drop, done: make(chan struct{})}
	go func() {
		defer close(current.done)
		l.run(reading)
		rd.close()
	}()
	r.run = current
	return nil
}

// Shutdown ends the scraping and waits for a scrape that is under way, but not
// longer than shutdownGrace. The host is closed behind the last read.
func (r *hostReceiver) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	last := r.run
	r.run = nil
	r.mu.Unlock()
	if last == nil {
		return nil
	}

	last.stop()
	defer last.drop()
	grace := time.NewTimer(shutdownGrace)
	defer grace.Stop()
	select {
	case <-last.done:
		return nil
	case <-ctx.Done():
	case <-grace.C:
	}
	r.set.Logger.Warn("Shutdown did not wait for the scrape under way, which takes too long")
	return nil
}
