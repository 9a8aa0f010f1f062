// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hostscope/hostscope/internal/metadatatest"
	"github.com/hostscope/hostscope/platform"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// observed is a receiver whose log and telemetry the test reads.
type observed struct {
	*hostReceiver
	telemetry *componenttest.Telemetry
	logs      *observer.ObservedLogs
}

// observe makes a receiver of the host at root, with no delay, no scrapers and
// all resource attributes off.
func observe(t *testing.T, root string, next consumer.Metrics, change func(*Config)) observed {
	t.Helper()
	cfg := newDefaultConfig().(*Config)
	cfg.RootPath = root
	cfg.InitialDelay = 0
	cfg.ResourceAttributes.HostName.Enabled = false
	cfg.ResourceAttributes.OsType.Enabled = false
	if change != nil {
		change(cfg)
	}
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	core, logs := observer.New(zap.DebugLevel)
	set := metadatatest.NewSettings(tel)
	set.Logger = zap.New(core)
	set.BuildInfo.Version = "1.2.3"
	r, err := newReceiver(set, cfg, next, platform.Machine{})
	require.NoError(t, err)
	return observed{r, tel, logs}
}

// line is what a test compares of a line of the log.
type line struct {
	Level, Message string
	Fields         map[string]any
}

// lines takes the lines written since it was last called.
func (o observed) lines() []line {
	var lines []line
	for _, e := range o.logs.TakeAll() {
		lines = append(lines, line{e.Level.String(), e.Message, e.ContextMap()})
	}
	return lines
}

// fakeScraper does what a test tells it to.
type fakeScraper struct {
	fields platform.Fields
	uses   map[platform.Fields]string
	lacks  []string
	do     func(ctx context.Context, snap *platform.Snapshot, emit func(pmetric.Metrics) error) error
}

func (s fakeScraper) Fields() platform.Fields { return s.fields }

func (s fakeScraper) Scrape(ctx context.Context, snap *platform.Snapshot, emit func(pmetric.Metrics) error) error {
	if s.do == nil {
		return nil
	}
	return s.do(ctx, snap, emit)
}

func (s fakeScraper) Missing(platform.OS) []string { return s.lacks }

func (s fakeScraper) Uses(f platform.Fields) []string {
	if name := s.uses[f]; name != "" {
		return []string{name}
	}
	return nil
}

// oneMetric has a data point with the value on a resource of its own.
func oneMetric(value int64) pmetric.Metrics {
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("test")
	m.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(value)
	return md
}
