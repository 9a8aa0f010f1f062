// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/hostscope/hostscope/internal/metadata"
	"github.com/hostscope/hostscope/platform"
	"github.com/hostscope/hostscope/scrapers/process"
	"github.com/hostscope/hostscope/scrapers/sensors"
	"github.com/hostscope/hostscope/scrapers/system"
)

// snapshotStep is the name, among those of the scrapers, of the reading that
// they share.
const snapshotStep = "snapshot"

// detailShare is the part of the collection interval that may go into what is
// expensive to read of processes (their mappings, descriptors, connections):
// one in ten.
const detailShare = 10

// scraper turns readings into metrics.
type scraper interface {
	// Fields are those of processes that it needs in the snapshot.
	Fields() platform.Fields
	// Scrape emits the metrics of one tick. An error of emit is not its own.
	Scrape(ctx context.Context, snap *platform.Snapshot, emit func(pmetric.Metrics) error) error
	// Missing names what is enabled and cannot be had on a system.
	Missing(on platform.OS) []string
	// Uses names what is enabled and needs a field.
	Uses(platform.Fields) []string
}

// named is a scraper by the name that it has in the configuration.
type named struct {
	name string
	scraper
}

// reader is what one Start has opened: the host and the scrapers of it.
// Its methods are called from one goroutine at a time.
type reader struct {
	host     *platform.Host
	scrapers []named
	request  platform.Request
	timeout  time.Duration
	stamp    stamp
	notices  notices
	id       string // of the receiver

	next      consumer.Metrics
	obs       *receiverhelper.ObsReport
	telemetry *metadata.TelemetryBuilder
	// consuming is the time that the pipeline took of the current step.
	consuming time.Duration
}

func (r *hostReceiver) newReader() (*reader, error) {
	host, err := platform.Open(r.cfg.root(), r.machine)
	if err != nil {
		return nil, err
	}
	rd := &reader{
		host: host,
		request: platform.Request{
			Keep:         true,
			Select:       func(*platform.Process) bool { return false },
			DetailBudget: r.cfg.CollectionInterval / detailShare,
		},
		timeout:   r.cfg.Timeout,
		notices:   newNotices(r.set.Logger),
		id:        r.set.ID.String(),
		next:      r.next,
		obs:       r.obs,
		telemetry: r.telemetry,
	}
	if err := rd.addScrapers(&r.cfg.Scrapers, r.set.BuildInfo.Version); err != nil {
		return nil, errors.Join(err, host.Close())
	}
	rd.stamp = newStamp(host, r.cfg.ResourceAttributes, &rd.notices)
	rd.notices.missing(platform.ThisOS(), rd.scrapers, r.cfg.ResourceAttributes)
	return rd, nil
}

func (r *reader) addScrapers(cfg *Scrapers, version string) error {
	add := func(name string, s scraper, err error) error {
		if err != nil {
			return fmt.Errorf("scrapers::%s: %w", name, err)
		}
		r.scrapers = append(r.scrapers, named{name, s})
		r.request.Fields |= s.Fields()
		return nil
	}
	if c := cfg.Process.Get(); c != nil {
		s, err := process.New(r.host, c, version)
		if err := add("process", s, err); err != nil {
			return err
		}
		r.request.Ignore, r.request.Filter, r.request.Select = s.Ignore, s.Filter(), s.Select
		r.request.Environment = c.EnvironmentVariables
		r.request.DetailInterval = c.DetailInterval
	}
	if c := cfg.System.Get(); c != nil {
		s, err := system.New(r.host, c, version)
		if err := add("system", s, err); err != nil {
			return err
		}
		r.request.Everyone = s.Fields() & platform.DetailFields
	}
	if c := cfg.Sensors.Get(); c != nil {
		s, err := sensors.New(r.host, c, version)
		if err := add("sensors", s, err); err != nil {
			return err
		}
	}
	return nil
}

// close closes the host.
func (r *reader) close() {
	if err := r.host.Close(); err != nil {
		r.notices.log.Warn("The host was not closed cleanly", zap.Error(err))
	}
}

// scrape does one tick: one snapshot, and every scraper over it. The context
// reading ends with Shutdown, pipeline (that of the consumer) a little later.
func (r *reader) scrape(reading, pipeline context.Context) {
	var snap *platform.Snapshot
	r.step(reading, snapshotStep, func(ctx context.Context) (err error) {
		snap, err = r.host.Snapshot(ctx, r.request)
		if errors.Is(err, platform.ErrNotSupported) {
			return nil // told at Start
		}
		return err
	})
	if snap == nil {
		return
	}
	r.count(reading, snap)
	if snap.Hidden {
		r.notices.hidden()
	}
	for _, s := range r.scrapers {
		r.step(reading, s.name, func(ctx context.Context) error {
			return s.Scrape(ctx, snap, func(md pmetric.Metrics) error { return r.emit(reading, pipeline, md) })
		})
		if devices, ok := s.scraper.(interface{ Unread() map[string]int }); ok {
			for class, n := range devices.Unread() {
				r.telemetry.ReceiverHostscopeSensorErrors.Add(reading, int64(n), r.by(attribute.String("error.type", class)))
			}
		}
	}
}

// step runs one part of a scrape, bounds and times it, and counts and tells
// its error. That of a shutdown is none.
func (r *reader) step(reading context.Context, name string, do func(context.Context) error) {
	ctx := reading
	if r.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(reading, r.timeout)
		defer cancel()
	}
	r.consuming = 0
	start := time.Now()
	err := do(ctx)
	if reading.Err() != nil {
		return
	}
	r.telemetry.ReceiverHostscopeScrapeDuration.Record(reading, (time.Since(start) - r.consuming).Seconds(),
		r.by(attribute.String("scraper", name)))
	if err != nil {
		r.telemetry.ReceiverHostscopeScrapeErrors.Add(reading, 1, r.by(
			attribute.String("error.type", platform.ClassOf(err)), attribute.String("scraper", name)))
	}
	r.notices.outcome(name, err)
}

// by are the attributes of own telemetry: whose it is, and what else it says.
func (r *reader) by(attrs ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(attrs, attribute.String("receiver", r.id))...)
}

// emit hands metrics over to the pipeline, which owns them from then on.
func (r *reader) emit(reading, pipeline context.Context, md pmetric.Metrics) error {
	// After Shutdown there may be no pipeline any more.
	if err := reading.Err(); err != nil {
		return err
	}
	points := md.DataPointCount()
	if points == 0 {
		return nil
	}
	r.stamp.put(md)
	start := time.Now()
	ctx := r.obs.StartMetricsOp(pipeline)
	err := r.next.ConsumeMetrics(ctx, md)
	r.obs.EndMetricsOp(ctx, metadata.Type.String(), points, err)
	r.consuming += time.Since(start)
	return err
}

// count adds what a snapshot lacks to the telemetry and tells what is new.
func (r *reader) count(ctx context.Context, snap *platform.Snapshot) {
	tally := &snap.Tally
	if tally.Gone > 0 {
		r.telemetry.ReceiverHostscopeProcessVanished.Add(ctx, int64(tally.Gone), r.by())
	}
	var denied, malformed []lack
	for f := range platform.AllFields.Each() {
		add := func(class platform.Error, n int, to *[]lack) {
			if n == 0 {
				return
			}
			r.telemetry.ReceiverHostscopeProcessErrors.Add(ctx, int64(n), r.by(
				attribute.String("error.type", class.Class()), attribute.String("operation", f.String())))
			*to = append(*to, lack{f, n})
		}
		add(platform.ErrAccessDenied, tally.Denied(f), &denied)
		add(platform.ErrMalformed, tally.Malformed(f), &malformed)
	}
	// Of half a table the numbers would mislead.
	if len(denied) > 0 && snap.ProcessesErr == nil {
		// One whose state is denied is hidden (hidepid) and not in the table.
		processes := tally.Denied(platform.FieldState)
		for _, p := range snap.Processes {
			if p.Selected || r.request.Everyone != 0 {
				processes++
			}
		}
		r.notices.denied(denied, processes, r.scrapers)
	}
	r.notices.malformed(malformed, tally.Sample, r.scrapers)
}
