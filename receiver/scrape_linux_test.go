// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/internal/metadata"
	"github.com/hostscope/hostscope/internal/metadatatest"
	"github.com/hostscope/hostscope/internal/recorded"
	"github.com/hostscope/hostscope/platform"
)

// machine is a host with three processes. Of 10 and 11 this user may not read
// the I/O, of 11 not the descriptors; the I/O of 12 makes no sense.
const machine = `os: linux
now: 2026-11-23T10:00:00Z
pagesize: 4096
-- proc/stat --
cpu  100 0 100 1000 0 0 0 0 0 0
cpu0 100 0 100 1000 0 0 0 0 0 0
btime 1700000000
-- proc/10/stat --
10 (one) S 1 10 10 0 -1 4194560 0 0 0 0 5 5 0 0 20 0 1 0 100 4096 1 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0
-- proc/10/statm --
1 1 0 0 0 0 0
-- proc/10/io ;mode=000 --
-- proc/10/fd/ --
0 -> /dev/null
-- proc/11/stat --
11 (two) S 1 11 11 0 -1 4194560 0 0 0 0 5 5 0 0 20 0 1 0 100 4096 1 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0
-- proc/11/statm --
1 1 0 0 0 0 0
-- proc/11/io ;mode=000 --
-- proc/11/fd/ ;mode=000 --
-- proc/12/stat --
12 (three) S 1 12 12 0 -1 4194560 0 0 0 0 5 5 0 0 20 0 1 0 100 4096 1 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0
-- proc/12/statm --
1 1 0 0 0 0 0
-- proc/12/io --
nonsense
-- proc/12/fd/ --
0 -> /dev/null
1 -> /dev/null
`

// materialise writes the machine into a folder that every user may enter.
func materialise(t *testing.T) string {
	t.Helper()
	host, err := recorded.Parse("machine", []byte(machine))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, host.Materialise(dir))
	t.Cleanup(func() { assert.NoError(t, os.Chmod(dir+"/proc/11/fd", 0o755)) }) // to be removed
	return dir
}

// asNobody calls f without what root may read more than others.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if uid := os.Geteuid(); uid == 0 {
		runtime.LockOSThread() // the identity is that of a thread
		defer runtime.UnlockOSThread()
		require.NoError(t, unix.Setfsuid(65534))
		defer func() { require.NoError(t, unix.Setfsuid(uid)) }()
	}
	f()
}

// reader opens a reader with scrapers of the test's own. Its scrapes run on
// the goroutine of the test.
func (o observed) reader(t *testing.T, scrapers ...named) *reader {
	t.Helper()
	rd, err := o.newReader()
	require.NoError(t, err)
	t.Cleanup(rd.close)
	rd.scrapers = scrapers
	rd.request = platform.Request{}
	for _, s := range scrapers {
		rd.request.Fields |= s.Fields()
	}
	return rd
}

func attributes(keyValues ...string) attribute.Set {
	attrs := []attribute.KeyValue{attribute.String("receiver", "hostscope")}
	for i := 0; i < len(keyValues); i += 2 {
		attrs = append(attrs, attribute.String(keyValues[i], keyValues[i+1]))
	}
	return attribute.NewSet(attrs...)
}

// TestLoudness scrapes three times a host with all that can be missing of a
// process, and then once more with something new.
func TestLoudness(t *testing.T) {
	root := materialise(t)
	o := observe(t, root, consumertest.NewNop(), nil)
	rd := o.reader(t, named{"process", fakeScraper{
		fields: platform.FieldDiskIO | platform.FieldDescriptors | platform.FieldMemory,
		uses: map[platform.Fields]string{
			platform.FieldDiskIO:      "process.disk.io",
			platform.FieldDescriptors: "process.unix.file_descriptor.count",
			platform.FieldMemory:      "process.memory.usage",
		},
	}})
	assert.Empty(t, o.lines(), "before the first scrape")

	scrape := func() { asNobody(t, func() { rd.scrape(t.Context(), t.Context()) }) }
	for range 3 {
		scrape()
	}
	const message = "Not permitted: this user may not read everything of every process"
	assert.Equal(t, []line{
		{"info", message, map[string]any{"processes": int64(3), "denied": []any{
			map[string]any{
				"field": "disk_io", "affects": []any{"process.disk.io"}, "processes": 2,
				"needs": platform.Needs(platform.FieldDiskIO),
			},
			map[string]any{
				"field": "descriptors", "affects": []any{"process.unix.file_descriptor.count"}, "processes": 1,
				"needs": platform.Needs(platform.FieldDescriptors),
			},
		}}},
		{"warn", "The kernel's answer is not understood", map[string]any{
			"field": "disk_io", "affects": []any{"process.disk.io"}, "processes": int64(1),
			"sample": root + "/proc/12/io: unexpected format",
		}},
	}, o.lines(), "three scrapes")

	require.NoError(t, os.Chmod(root+"/proc/12/statm", 0))
	require.NoError(t, os.WriteFile(root+"/proc/11/statm", []byte("nonsense"), 0o600))
	require.NoError(t, os.Chmod(root+"/proc/11/statm", 0o644))
	for range 3 {
		scrape()
	}
	assert.Equal(t, []line{
		{"info", message, map[string]any{"processes": int64(3), "denied": []any{
			map[string]any{"field": "memory", "affects": []any{"process.memory.usage"}, "processes": 1},
		}}},
		{"warn", "The kernel's answer is not understood", map[string]any{
			"field": "memory", "affects": []any{"process.memory.usage"}, "processes": int64(1),
			"sample": root + "/proc/11/statm: unexpected format",
		}},
	}, o.lines(), "only what is new")

	require.NoError(t, os.RemoveAll(root+"/proc/10"))
	require.NoError(t, os.Mkdir(root+"/proc/10", 0o755)) // listed, and gone when it is read
	scrape()
	assert.Empty(t, o.lines(), "a process that ends is silent")

	metadatatest.AssertEqualReceiverHostscopeProcessErrors(t, o.telemetry, []metricdata.DataPoint[int64]{
		{Attributes: attributes("error.type", "access_denied", "operation", "disk_io"), Value: 6*2 + 1},
		{Attributes: attributes("error.type", "access_denied", "operation", "descriptors"), Value: 7 * 1},
		{Attributes: attributes("error.type", "access_denied", "operation", "memory"), Value: 4 * 1},
		{Attributes: attributes("error.type", "malformed", "operation", "disk_io"), Value: 7 * 1},
		{Attributes: attributes("error.type", "malformed", "operation", "memory"), Value: 4 * 1},
	}, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualReceiverHostscopeProcessVanished(t, o.telemetry, []metricdata.DataPoint[int64]{{Attributes: attributes(), Value: 1}},
		metricdatatest.IgnoreTimestamp())
}

// TestQuiet: nothing denied, nothing logged, nothing counted.
func TestQuiet(t *testing.T) {
	o := observe(t, materialise(t), consumertest.NewNop(), nil)
	rd := o.reader(t, named{"process", fakeScraper{fields: platform.FieldCPUTime | platform.FieldMemory}})
	rd.scrape(t.Context(), t.Context())
	assert.Empty(t, o.lines())
	for _, name := range []string{"process_errors", "process_vanished", "scrape_errors", "scrapes_skipped"} {
		_, err := o.telemetry.GetMetric("otelcol_receiver_hostscope_" + name)
		require.ErrorContains(t, err, "not found")
	}
}

// TestScrapeErrors: what fails is counted and told, and the others go on.
func TestScrapeErrors(t *testing.T) {
	root := materialise(t)
	sink := new(consumertest.MetricsSink)
	o := observe(t, root, sink, nil)
	rd := o.reader(t,
		named{"process", fakeScraper{fields: platform.FieldMemory, do: func(_ context.Context, snap *platform.Snapshot, _ func(pmetric.Metrics) error) error {
			return snap.ProcessesErr
		}}},
		named{"system", fakeScraper{do: func(_ context.Context, _ *platform.Snapshot, emit func(pmetric.Metrics) error) error {
			return errors.Join(emit(oneMetric(1)), platform.ErrAccessDenied)
		}}},
		named{"sensors", fakeScraper{do: func(_ context.Context, _ *platform.Snapshot, emit func(pmetric.Metrics) error) error {
			return emit(oneMetric(2))
		}}},
	)
	rd.scrape(t.Context(), t.Context())
	assert.Equal(t, []line{
		{"warn", "Scrape incomplete", map[string]any{"scraper": "system", "error": "access denied"}},
	}, o.lines())

	rd.timeout = 1 // ns: over before the process table is read
	rd.scrape(t.Context(), t.Context())
	assert.Equal(t, []line{
		{"warn", "Scrape incomplete", map[string]any{"scraper": "process", "error": root + "/proc: after 0 of 3 processes: context deadline exceeded"}},
	}, o.lines())
	assert.Equal(t, 4, sink.DataPointCount(), "both scrapes of both others")

	rd.timeout = 0
	require.NoError(t, os.Rename(root+"/proc/stat", root+"/proc/not"))
	rd.scrape(t.Context(), t.Context())
	lines := o.lines()
	require.Len(t, lines, 1)
	assert.Equal(t, "snapshot", lines[0].Fields["scraper"])
	assert.Contains(t, lines[0].Fields["error"], root+"/proc/stat: ")
	assert.Equal(t, 6, sink.DataPointCount(), "what does not need it goes on")

	metadatatest.AssertEqualReceiverHostscopeScrapeErrors(t, o.telemetry, []metricdata.DataPoint[int64]{
		{Attributes: attributes("error.type", "access_denied", "scraper", "system"), Value: 3},
		{Attributes: attributes("error.type", "timeout_expired", "scraper", "process"), Value: 1},
		{Attributes: attributes("error.type", "_OTHER", "scraper", "snapshot"), Value: 1},
	}, metricdatatest.IgnoreTimestamp())

	require.NoError(t, os.Rename(root+"/proc/not", root+"/proc/stat"))
	for range calm {
		rd.scrape(t.Context(), t.Context())
	}
	recovered := func(name string) line {
		return line{"info", "Scrape recovered", map[string]any{"scraper": name, "complete_in_a_row": int64(calm)}}
	}
	assert.ElementsMatch(t, []line{recovered("process"), recovered("snapshot")}, o.lines())
}

// sleepy is a scraper of devices that do not answer.
type sleepy struct{ fakeScraper }

func (sleepy) Unread() map[string]int { return map[string]int{"EIO": 2, "access_denied": 1} }

// TestSensorErrors: what devices do not tell is counted, and nothing else.
func TestSensorErrors(t *testing.T) {
	o := observe(t, materialise(t), new(consumertest.MetricsSink), nil)
	rd := o.reader(t, named{"sensors", sleepy{fakeScraper{do: func(context.Context, *platform.Snapshot, func(pmetric.Metrics) error) error { return nil }}}})
	for range 3 {
		rd.scrape(t.Context(), t.Context())
	}
	assert.Empty(t, o.lines())
	metadatatest.AssertEqualReceiverHostscopeSensorErrors(t, o.telemetry, []metricdata.DataPoint[int64]{
		{Attributes: attributes("error.type", "EIO"), Value: 6},
		{Attributes: attributes("error.type", "access_denied"), Value: 3},
	}, metricdatatest.IgnoreTimestamp())
}

// TestDuration: the pipeline's time is not that of a scraper.
func TestDuration(t *testing.T) {
	root := materialise(t)
	synctest.Test(t, func(t *testing.T) {
		slow, err := consumer.NewMetrics(func(context.Context, pmetric.Metrics) error {
			time.Sleep(3 * time.Second)
			return nil
		})
		require.NoError(t, err)
		o := observe(t, root, slow, nil)
		rd := o.reader(t,
			named{"process", fakeScraper{do: func(_ context.Context, _ *platform.Snapshot, emit func(pmetric.Metrics) error) error {
				time.Sleep(time.Second)
				return errors.Join(emit(oneMetric(1)), emit(oneMetric(2)))
			}}},
			named{"system", fakeScraper{do: func(context.Context, *platform.Snapshot, func(pmetric.Metrics) error) error {
				time.Sleep(30 * time.Millisecond)
				return nil
			}}},
		)
		rd.scrape(t.Context(), t.Context())
		got, err := o.telemetry.GetMetric("otelcol_receiver_hostscope_scrape_duration")
		require.NoError(t, err)
		seconds := map[string]float64{}
		for _, p := range got.Data.(metricdata.Histogram[float64]).DataPoints {
			name, _ := p.Attributes.Value("scraper")
			assert.Equal(t, uint64(1), p.Count)
			seconds[name.AsString()] = p.Sum
		}
		assert.Equal(t, map[string]float64{"snapshot": 0, "process": 1, "system": 0.03}, seconds)
	})
}

// TestTimeout bounds the reading and not the pipeline.
func TestTimeout(t *testing.T) {
	deadlines := map[string]bool{}
	note := func(what string, ctx context.Context) { _, deadlines[what] = ctx.Deadline() }
	next, err := consumer.NewMetrics(func(ctx context.Context, _ pmetric.Metrics) error {
		note("pipeline", ctx)
		return nil
	})
	require.NoError(t, err)
	o := observe(t, materialise(t), next, func(c *Config) { c.Timeout = time.Minute })
	rd := o.reader(t, named{"process", fakeScraper{do: func(ctx context.Context, _ *platform.Snapshot, emit func(pmetric.Metrics) error) error {
		note("reading", ctx)
		return emit(oneMetric(1))
	}}})
	rd.scrape(t.Context(), t.Context())
	assert.Equal(t, map[string]bool{"reading": true, "pipeline": false}, deadlines)
	rd.timeout = 0
	rd.scrape(t.Context(), t.Context())
	assert.Equal(t, map[string]bool{"reading": false, "pipeline": false}, deadlines)
}

// TestEmit: what a scraper emits is stamped and counted, and an empty batch or
// one after Shutdown does not reach the pipeline.
func TestEmit(t *testing.T) {
	root := materialise(t)
	refuse := errors.New("full")
	var got []pmetric.Metrics
	next, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		got = append(got, md)
		if len(got) == 3 {
			return refuse
		}
		return nil
	})
	require.NoError(t, err)
	for file, text := range map[string]string{"hostname": "web-1\n", "machine-id": "0123456789abcdef0123456789abcdef\n"} {
		require.NoError(t, os.MkdirAll(root+"/etc", 0o755))
		require.NoError(t, os.WriteFile(root+"/etc/"+file, []byte(text), 0o600))
	}
	o := observe(t, root, next, func(c *Config) {
		c.ResourceAttributes.HostName.Enabled = true
		c.ResourceAttributes.HostID.Enabled = true
		c.ResourceAttributes.OsType.Enabled = true
	})
	var results []error
	rd := o.reader(t, named{"process", fakeScraper{do: func(_ context.Context, _ *platform.Snapshot, emit func(pmetric.Metrics) error) error {
		two := oneMetric(1)
		oneMetric(2).ResourceMetrics().MoveAndAppendTo(two.ResourceMetrics())
		two.ResourceMetrics().At(1).Resource().Attributes().PutInt("process.pid", 10)
		results = append(results, emit(two), emit(pmetric.NewMetrics()), emit(oneMetric(3)), emit(oneMetric(4)))
		return nil
	}}})
	rd.scrape(t.Context(), t.Context())

	assert.Equal(t, []error{nil, nil, nil, refuse}, results)
	require.Len(t, got, 3, "an empty batch is none")
	var values []int64
	for _, md := range got {
		for _, rm := range md.ResourceMetrics().All() {
			assert.Equal(t, "https://opentelemetry.io/schemas/1.44.0", rm.SchemaUrl())
			attrs := rm.Resource().Attributes().AsRaw()
			pid, isProcess := attrs["process.pid"]
			delete(attrs, "process.pid")
			assert.Equal(t, map[string]any{
				"host.name": "web-1", "host.id": "0123456789abcdef0123456789abcdef", "os.type": "linux",
			}, attrs)
			value := rm.ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(0).IntValue()
			assert.Equal(t, value == 2, isProcess)
			if isProcess {
				assert.Equal(t, int64(10), pid)
			}
			values = append(values, value)
		}
	}
	assert.Equal(t, []int64{1, 2, 3, 4}, values)
	assert.Empty(t, o.lines(), "the pipeline's errors are its own")

	for name, want := range map[string]int64{"accepted": 3, "refused": 1} {
		m, err := o.telemetry.GetMetric("otelcol_receiver_" + name + "_metric_points")
		require.NoError(t, err)
		metricdatatest.AssertEqual(t, metricdata.DataPoint[int64]{
			Attributes: attributes("receiver", "hostscope", "transport", ""), Value: want,
		}, m.Data.(metricdata.Sum[int64]).DataPoints[0], metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	}
	spans := o.telemetry.SpanRecorder.Ended()
	require.Len(t, spans, 3, "one per batch")
	assert.Equal(t, "receiver/hostscope/MetricsReceived", spans[0].Name())

	ended, end := context.WithCancel(t.Context())
	end()
	results = nil
	require.ErrorIs(t, rd.emit(ended, t.Context(), oneMetric(5)), context.Canceled)
	assert.Len(t, got, 3, "after Shutdown there may be no pipeline")
	rd.scrape(ended, t.Context())
	assert.Empty(t, o.lines())
	_, err = o.telemetry.GetMetric("otelcol_receiver_hostscope_scrape_errors")
	require.ErrorContains(t, err, "not found", "a shutdown is no error")
}

// TestRequest: one snapshot serves all scrapers, and reads for none of them
// more than it needs.
func TestRequest(t *testing.T) {
	root := materialise(t)
	open := func(change func(*Scrapers)) *reader {
		rd, err := observe(t, root, consumertest.NewNop(), func(c *Config) { change(&c.Scrapers) }).newReader()
		require.NoError(t, err)
		t.Cleanup(rd.close)
		return rd
	}
	user, kernel := &platform.Process{}, &platform.Process{KernelThread: true}
	const all = platform.FieldCPUTime | platform.FieldMemory | platform.FieldThreads | platform.FieldDescriptors | platform.FieldDiskIO
	const attributes = platform.FieldName | platform.FieldExecutable | platform.FieldCommand | platform.FieldOwner

	rd := open(func(s *Scrapers) { s.Process.GetOrInsertDefault(); s.System.GetOrInsertDefault() })
	assert.Equal(t, all|attributes|platform.FieldState, rd.request.Fields)
	assert.True(t, rd.request.Select(user))
	assert.False(t, rd.request.Ignore(user))
	assert.True(t, rd.request.Ignore(kernel))

	rd = open(func(s *Scrapers) {
		s.Process.GetOrInsertDefault().KernelThreads = true
		s.Process.Get().Metrics.ProcessDiskIo.Enabled = false
		s.Process.Get().Metrics.ProcessUnixFileDescriptorCount.Enabled = false
	})
	assert.Zero(t, rd.request.Fields&(platform.FieldDiskIO|platform.FieldDescriptors))
	assert.False(t, rd.request.Ignore(kernel))
	assert.True(t, rd.request.Select(kernel))

	rd = open(func(s *Scrapers) { s.System.GetOrInsertDefault() })
	assert.Equal(t, platform.FieldState, rd.request.Fields)
	assert.False(t, rd.request.Select(user), "to be counted, a process is not read further")

	rd = open(func(s *Scrapers) { s.Sensors.GetOrInsertDefault() })
	assert.Zero(t, rd.request.Fields, "the process table is not read at all")
}

// TestScrapers runs the real ones, all at once.
func TestScrapers(t *testing.T) {
	root := materialise(t)
	require.NoError(t, os.WriteFile(root+"/proc/uptime", []byte("100.50 90.00\n"), 0o600))
	require.NoError(t, os.WriteFile(root+"/proc/meminfo", []byte("MemTotal: 1000 kB\nMemFree: 400 kB\nMemAvailable: 600 kB\n"), 0o600))
	require.NoError(t, os.MkdirAll(root+"/sys/class/power_supply/AC", 0o755))
	require.NoError(t, os.WriteFile(root+"/sys/class/power_supply/AC/uevent", []byte("POWER_SUPPLY_TYPE=Mains\nPOWER_SUPPLY_ONLINE=1\n"), 0o600))
	sink := new(consumertest.MetricsSink)
	o := observe(t, root, sink, func(c *Config) {
		allScrapers(c)
		c.ResourceAttributes.OsType.Enabled = true
	})
	o.machine.Now = func() time.Time { return time.Unix(1700000100, 0) }
	rd, err := o.newReader()
	require.NoError(t, err)
	t.Cleanup(rd.close)
	rd.scrape(t.Context(), t.Context())

	scopes := map[string]int{}
	values := map[string]int64{} // of metrics with one integer point
	for _, md := range sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			assert.Equal(t, schemaURL, rm.SchemaUrl())
			resource := rm.Resource().Attributes().AsRaw()
			assert.Equal(t, "linux", resource["os.type"])
			for _, sm := range rm.ScopeMetrics().All() {
				assert.Equal(t, "1.2.3", sm.Scope().Version())
				scopes[sm.Scope().Name()]++
				for _, m := range sm.Metrics().All() {
					if m.Type() != pmetric.MetricTypeSum || m.Sum().DataPoints().Len() != 1 {
						continue
					}
					point := m.Sum().DataPoints().At(0)
					assert.Equal(t, time.Unix(1700000100, 0).UTC(), point.Timestamp().AsTime(), m.Name())
					key := m.Name()
					if of, ok := resource["process.executable.name"]; ok {
						key += " of " + of.(string)
					}
					values[key] = point.IntValue()
				}
			}
		}
	}
	const scope = "github.com/hostscope/hostscope/scrapers/"
	assert.Equal(t, map[string]int{scope + "process": 3, scope + "system": 1, scope + "sensors": 1}, scopes)
	for name, want := range map[string]int64{
		"process.memory.usage of two":                 4096,
		"system.power.ac.online":                      1,
		"process.thread.count of two":                 1,
		"process.unix.file_descriptor.count of three": 2,
		"system.cpu.logical.count":                    1,
		"system.memory.limit":                         1000 << 10,
	} {
		got, ok := values[name]
		assert.True(t, ok, name)
		assert.Equal(t, want, got, name)
	}
}

// TestHostUnnamed: a host that cannot say its name is read all the same.
func TestHostUnnamed(t *testing.T) {
	root := materialise(t)
	sink := new(consumertest.MetricsSink)
	o := observe(t, root, sink, func(c *Config) {
		c.ResourceAttributes.HostName.Enabled = true
		c.ResourceAttributes.OsType.Enabled = true
	})
	rd := o.reader(t, named{"process", fakeScraper{do: func(_ context.Context, _ *platform.Snapshot, emit func(pmetric.Metrics) error) error {
		return emit(oneMetric(1))
	}}})
	for range 3 {
		rd.scrape(t.Context(), t.Context())
	}
	lines := o.lines()
	require.Len(t, lines, 1, "warned once")
	assert.Equal(t, "warn", lines[0].Level)
	assert.Equal(t, "The host does not tell a resource attribute, which is left out", lines[0].Message)
	assert.Equal(t, "host.name", lines[0].Fields["attribute"])
	assert.Contains(t, lines[0].Fields["error"], root+"/etc/hostname: ")
	for _, md := range sink.AllMetrics() {
		assert.Equal(t, map[string]any{"os.type": "linux"}, md.ResourceMetrics().At(0).Resource().Attributes().AsRaw())
	}
}

// TestSocketOwners: whose sockets are is read of every process, whatever the
// process scraper selects, and without it.
func TestSocketOwners(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := int64(l.Addr().(*net.TCPAddr).Port)
	for name, scrapers := range map[string]map[string]any{
		"alone":   {},
		"nothing": {"process": map[string]any{"include": []any{map[string]any{"match_type": "strict", "executable_names": []any{"no such process"}}}}},
		"all":     {"process": nil},
	} {
		scrapers["system"] = map[string]any{"metrics": map[string]any{"system.network.connection.count": map[string]any{
			"attributes": []any{"network.local.port", "process.pid"},
		}}}
		cfg := newDefaultConfig().(*Config)
		require.NoError(t, confmap.NewFromStringMap(map[string]any{"scrapers": scrapers}).Unmarshal(cfg))
		cfg.CollectionInterval = 24 * time.Hour // and so time for every process, however slow the machine is
		require.NoError(t, confmap.Validate(cfg))
		cfg.CollectionInterval = time.Hour // a part of which is the time for the descriptors of all
		sink := new(consumertest.MetricsSink)
		r, err := newReceiver(receivertest.NewNopSettings(metadata.Type), cfg, sink, platform.Machine{})
		require.NoError(t, err)
		rd, err := r.newReader()
		require.NoError(t, err)
		rd.scrape(t.Context(), t.Context())
		rd.close()
		var owners []int64
		for _, md := range sink.AllMetrics() {
			for _, rm := range md.ResourceMetrics().All() {
				for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
					if m.Name() != "system.network.connection.count" {
						continue
					}
					for _, p := range m.Sum().DataPoints().All() {
						if at, ok := p.Attributes().Get("network.local.port"); ok && at.Int() == port {
							pid, _ := p.Attributes().Get("process.pid")
							owners = append(owners, pid.Int())
							assert.Equal(t, int64(1), p.IntValue())
						}
					}
				}
			}
		}
		assert.Equal(t, []int64{int64(os.Getpid())}, owners, name)
	}
}
