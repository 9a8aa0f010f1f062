// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/internal/metadata"
	"github.com/hostscope/hostscope/internal/metadatatest"
	"github.com/hostscope/hostscope/platform"
)

// descriptors is how many file descriptors this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

// leakless fails the test if f leaves a descriptor or a goroutine behind.
func leakless(t *testing.T, f func()) {
	t.Helper()
	before, running := descriptors(t), goleak.IgnoreCurrent()
	f()
	goleak.VerifyNone(t, running)
	assert.Equal(t, before, descriptors(t), "file descriptors")
}

func allScrapers(c *Config) {
	c.Scrapers.Process.GetOrInsertDefault()
	c.Scrapers.System.GetOrInsertDefault()
	c.Scrapers.Sensors.GetOrInsertDefault()
}

// TestLifeCycle starts and shuts down in every order.
func TestLifeCycle(t *testing.T) {
	const start, shutdown, scrape = 's', 'd', '.'
	for _, steps := range []string{"d", "dd", "sd", "s.d", "sdd", "s.dd", "ssd", "s.s.d", "dsd", "ds.d", "sdsd", "s.ds.d", "sds.sdds.d"} {
		t.Run(steps, func(t *testing.T) {
			root := materialise(t)
			leakless(t, func() {
				scraped := make(chan struct{}, 1)
				next, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error {
					select {
					case scraped <- struct{}{}:
					default:
					}
					return nil
				})
				require.NoError(t, err)
				o := observe(t, root, next, func(c *Config) {
					allScrapers(c)
					c.CollectionInterval = time.Millisecond
				})
				for _, step := range steps {
					switch step {
					case start:
						require.NoError(t, o.Start(t.Context(), componenttest.NewNopHost()))
					case shutdown:
						require.NoError(t, o.Shutdown(t.Context()))
						select {
						case <-scraped:
						default:
						}
					case scrape:
						<-scraped
					}
				}
				for _, l := range o.lines() {
					assert.NotEqual(t, "Shutdown did not wait for the scrape under way, which takes too long", l.Message)
				}
			})
		})
	}
}

// TestConcurrentLifeCycle is for the race detector.
func TestConcurrentLifeCycle(t *testing.T) {
	root := materialise(t)
	leakless(t, func() {
		o := observe(t, root, consumertest.NewNop(), func(c *Config) {
			allScrapers(c)
			c.CollectionInterval = time.Millisecond
		})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 10 {
					assert.NoError(t, o.Start(t.Context(), componenttest.NewNopHost()))
					assert.NoError(t, o.Shutdown(t.Context()))
				}
			})
		}
		wg.Wait()
		require.NoError(t, o.Shutdown(t.Context()))
	})
}

// TestTwoReceivers of one collector: each has its host, its interval and its
// telemetry, and goes on when the other one has ended or hangs.
func TestTwoReceivers(t *testing.T) {
	one, two := materialise(t), materialise(t)
	for root, supply := range map[string]string{one: "ONE", two: "TWO"} {
		dir := root + "/sys/class/power_supply/" + supply
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.WriteFile(dir+"/uevent", []byte("POWER_SUPPLY_TYPE=Mains\nPOWER_SUPPLY_ONLINE=1\n"), 0o600))
	}
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		got := map[string]int{} // scrapes by receiver and the supply that was seen
		tel := componenttest.NewTelemetry()
		defer func() { require.NoError(t, tel.Shutdown(context.Background())) }()
		start := func(name, root string, interval time.Duration, hangs bool) *hostReceiver {
			next, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
				mu.Lock()
				for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
					if m.Name() == "hw.power_supply.online" {
						id, _ := m.Sum().DataPoints().At(0).Attributes().Get("hw.name")
						got[name+" "+id.Str()]++
					}
				}
				mu.Unlock()
				if hangs {
					<-ctx.Done()
				}
				return ctx.Err()
			})
			require.NoError(t, err)
			set := metadatatest.NewSettings(tel)
			set.ID = component.NewIDWithName(metadata.Type, name)
			cfg := newDefaultConfig().(*Config)
			cfg.RootPath, cfg.CollectionInterval = root, interval
			cfg.Scrapers.Sensors.GetOrInsertDefault()
			r, err := newReceiver(set, cfg, next, platform.Machine{})
			require.NoError(t, err)
			require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
			return r
		}
		a, b := start("a", one, 10*time.Second, false), start("b", two, 15*time.Second, true)
		time.Sleep(31*time.Second + time.Second/2) // the delay of a second, three intervals of a, two of b
		require.NoError(t, a.Shutdown(t.Context()))
		time.Sleep(15 * time.Second)
		require.NoError(t, b.Shutdown(t.Context()))
		assert.Equal(t, map[string]int{"a ONE": 4, "b TWO": 1}, got)
		metadatatest.AssertEqualReceiverHostscopeScrapesSkipped(t, tel, []metricdata.DataPoint[int64]{
			{Attributes: attribute.NewSet(attribute.String("receiver", "hostscope/b")), Value: 3},
		}, metricdatatest.IgnoreTimestamp())
		durations, err := tel.GetMetric("otelcol_receiver_hostscope_scrape_duration")
		require.NoError(t, err)
		counts := map[string]uint64{}
		for _, p := range durations.Data.(metricdata.Histogram[float64]).DataPoints {
			id, _ := p.Attributes.Value("receiver")
			step, _ := p.Attributes.Value("scraper")
			counts[id.AsString()+" "+step.AsString()] = p.Count
		}
		assert.Equal(t, map[string]uint64{"hostscope/a snapshot": 4, "hostscope/a sensors": 4, "hostscope/b snapshot": 1}, counts, "the one that hangs at Shutdown is none")
	})
}

// TestStartFails: the error names the file, and nothing stays open.
func TestStartFails(t *testing.T) {
	root := t.TempDir()
	leakless(t, func() {
		o := observe(t, root, consumertest.NewNop(), allScrapers)
		require.ErrorContains(t, o.Start(t.Context(), componenttest.NewNopHost()), root+"/proc: ")
		require.NoError(t, o.Shutdown(t.Context()))
	})
}

// TestStartContext: the context of Start ends when the collector has started.
func TestStartContext(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	o := observe(t, materialise(t), sink, func(c *Config) {
		allScrapers(c)
		c.InitialDelay = 10 * time.Millisecond
	})
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, o.Start(ctx, componenttest.NewNopHost()))
	cancel()
	require.Eventually(t, func() bool { return sink.DataPointCount() > 0 }, 10*time.Second, time.Millisecond)
	require.NoError(t, o.Shutdown(t.Context()))
}

// TestShutdownPipeline: what is on its way into the pipeline at Shutdown has
// the time of grace to arrive; then its context ends, and Shutdown returns
// even if that does not help.
func TestShutdownPipeline(t *testing.T) {
	root := materialise(t)
	for _, c := range []struct {
		name              string
		takes, shutdown   time.Duration
		deaf              bool // to the end of its context
		consumed, refused bool
	}{
		{name: "slow", takes: shutdownGrace / 2, shutdown: shutdownGrace / 2, consumed: true},
		{name: "hangs", takes: time.Hour, shutdown: shutdownGrace, refused: true},
		{name: "hangs and is deaf", takes: time.Hour, shutdown: shutdownGrace, deaf: true, consumed: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := make(chan struct{})
				var batches, consumed, refused atomic.Int32
				next, err := consumer.NewMetrics(func(ctx context.Context, _ pmetric.Metrics) error {
					if batches.Add(1) == 1 {
						close(began)
					}
					done := ctx.Done()
					if c.deaf {
						done = nil
					}
					select {
					case <-time.After(c.takes):
						consumed.Add(1)
						return nil
					case <-done:
						refused.Add(1)
						return ctx.Err()
					}
				})
				require.NoError(t, err)
				o := observe(t, root, next, allScrapers)
				require.NoError(t, o.Start(t.Context(), componenttest.NewNopHost()))
				<-began
				run, start := o.run, time.Now()
				require.NoError(t, o.Shutdown(t.Context()))
				assert.Equal(t, c.shutdown, time.Since(start))
				<-run.done
				assert.Equal(t, int32(1), batches.Load(), "batches after Shutdown")
				assert.Equal(t, c.consumed, consumed.Load() == 1)
				assert.Equal(t, c.refused, refused.Load() == 1)
				warned := len(o.logs.FilterMessage("Shutdown did not wait for the scrape under way, which takes too long").All())
				assert.Equal(t, c.shutdown == shutdownGrace, warned == 1)
			})
		})
	}
}

// TestShutdownHungRead: a read that hangs in the kernel, here of a named pipe
// that nobody writes to, holds up neither the ticks nor Shutdown. The host
// stays open until the read has come back.
func TestShutdownHungRead(t *testing.T) {
	root := materialise(t)
	stat := root + "/proc/stat"
	require.NoError(t, os.Remove(stat))
	require.NoError(t, unix.Mkfifo(stat, 0o600))
	sink := new(consumertest.MetricsSink)
	leakless(t, func() {
		before := descriptors(t)
		o := observe(t, root, sink, func(c *Config) {
			allScrapers(c)
			c.CollectionInterval = time.Millisecond
			c.Timeout = time.Millisecond
		})
		require.NoError(t, o.Start(t.Context(), componenttest.NewNopHost()))
		require.Eventually(t, func() bool {
			_, err := o.telemetry.GetMetric("otelcol_receiver_hostscope_scrapes_skipped")
			return err == nil
		}, 10*time.Second, time.Millisecond, "ticks while the read hangs")
		run := o.run

		start := time.Now()
		require.NoError(t, o.Shutdown(t.Context()))
		assert.GreaterOrEqual(t, time.Since(start), shutdownGrace)
		assert.Greater(t, descriptors(t), before, "the host is not closed under a read")

		// Opening the other end wakes the read up.
		fd, err := unix.Open(stat, unix.O_WRONLY|unix.O_NONBLOCK, 0)
		require.NoError(t, err)
		require.NoError(t, unix.Close(fd))
		<-run.done

		var messages []string
		for _, l := range o.lines() {
			messages = append(messages, l.Message)
		}
		assert.Equal(t, []string{
			"Scrape skipped: the one before is still running",
			"Shutdown did not wait for the scrape under way, which takes too long",
		}, messages)
	})
	assert.Empty(t, sink.AllMetrics())
}
