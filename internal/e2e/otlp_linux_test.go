// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// everything is the receiver with all that it does by default.
const everything = "{collection_interval: 1s, scrapers: {process: , system: , sensors: }}"

// toBackend is a configuration that sends everything to a backend over gRPC.
func toBackend(b *backend) string {
	return fmt.Sprintf(`yaml:
receivers: {hostscope: %s}
exporters: {otlp_grpc: {endpoint: %q, tls: {insecure: true}}}
service:
  pipelines: {metrics: {receivers: [hostscope], exporters: [otlp_grpc]}}
  telemetry: {metrics: {level: none}}
`, everything, b.grpc)
}

func TestOTLP(t *testing.T) {
	s := startSubject(t)
	stat := proc("stat")

	t.Run("grpc", func(t *testing.T) {
		b := startBackend(t)
		agent := newCollector(t, toBackend(b)).start(t)
		checkReceived(t, b, s, stat)
		agent.interrupt(t)
	})
	t.Run("http, as the examples have it", func(t *testing.T) {
		b := startBackend(t)
		agent := newCollector(t, "examples/quickstart.yaml", "examples/otlp.yaml",
			"yaml:receivers::hostscope::collection_interval: 1s",
			"yaml:exporters::prometheus::endpoint: "+freeAddress(t))
		agent.cmd.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+b.http)
		agent.start(t)
		checkReceived(t, b, s, stat)
		agent.interrupt(t)
	})
}

// checkReceived compares what a backend receives with what is known. stat is
// /proc/stat before the agent was started.
func checkReceived(t *testing.T, b *backend, s subject, stat string) {
	waitFor(t, "two scrapes", func() bool { return b.scrapes(t, "system.uptime") >= 2 })

	of, host := map[any]pmetric.ResourceMetrics{}, map[string]sample{}
	for _, resource := range b.received(t) {
		checkResource(t, resource)
		if pid, ok := resource.Resource().Attributes().Get("process.pid"); ok {
			of[int(pid.Int())] = resource
			continue
		}
		for series, sample := range samples(resource) {
			host[series] = sample
		}
	}
	require.Contains(t, of, s.pid)
	require.Contains(t, of, os.Getpid())
	checkSubject(t, s, of[s.pid])
	checkHost(t, host, stat)
}

// checkResource checks what every resource has.
func checkResource(t *testing.T, resource pmetric.ResourceMetrics) {
	name, err := os.Hostname()
	require.NoError(t, err)
	attributes := resource.Resource().Attributes().AsRaw()
	assert.Equal(t, name, attributes["host.name"])
	assert.Equal(t, "linux", attributes["os.type"])
	assert.Equal(t, "https://opentelemetry.io/schemas/1.44.0", resource.SchemaUrl())
	for _, scope := range resource.ScopeMetrics().All() {
		assert.Regexp(t, "^github.com/hostscope/hostscope/scrapers/(process|system|sensors)$", scope.Scope().Name())
		assert.Equal(t, version(t), scope.Scope().Version())
	}
}

func checkSubject(t *testing.T, s subject, resource pmetric.ResourceMetrics) {
	owner := strconv.Itoa(os.Getuid())
	if me, err := user.LookupId(owner); err == nil {
		owner = me.Username
	}
	begun := created(s.pid)
	attributes := resource.Resource().Attributes().AsRaw()
	delete(attributes, "host.name")
	delete(attributes, "os.type")
	assert.Equal(t, map[string]any{
		"process.pid":             int64(s.pid),
		"process.creation.time":   begun.Format("2006-01-02T15:04:05.000Z"),
		"process.executable.name": filepath.Base(os.Args[0]),
		"process.command":         subjectCommand,
		"process.owner":           owner,
	}, attributes)

	got := samples(resource)
	take := func(series string) float64 {
		require.Contains(t, got, series)
		sample := got[series]
		delete(got, series)
		assert.Equal(t, begun, sample.start, series)
		return sample.value
	}
	const ticks = 0.05 // seconds: a few of the kernel's, 1/100 s each
	userTime, systemTime := take("process.cpu.time{cpu.mode=user}"), take("process.cpu.time{cpu.mode=system}")
	assert.InDelta(t, s.condition.User.Seconds(), userTime, ticks)
	assert.InDelta(t, s.condition.System.Seconds(), systemTime, ticks)
	assert.GreaterOrEqual(t, userTime+systemTime, burnt.Seconds()-ticks)

	virtual, resident := pages(s.pid)
	usage := take("process.memory.usage")
	assert.GreaterOrEqual(t, usage, float64(touched))
	assert.InDelta(t, resident, usage, 4<<20)
	assert.Equal(t, virtual, take("process.memory.virtual"))

	threads := take("process.thread.count")
	assert.Greater(t, threads, float64(started))
	assert.Equal(t, float64(entries(s.pid, "task")), threads)
	assert.Equal(t, float64(s.condition.Descriptors), take("process.unix.file_descriptor.count"))

	if io := proc(s.pid, "io"); io != "" { // a kernel may be built without
		stored := take("process.disk.io{disk.io.direction=write}")
		assert.GreaterOrEqual(t, stored, float64(s.condition.Written))
		assert.Equal(t, numberAfter(io, "\nwrite_bytes:"), stored)
		assert.Equal(t, numberAfter(io, "\nread_bytes:"), take("process.disk.io{disk.io.direction=read}"))
	}
	assert.Empty(t, got, "points that nothing is known of")
}

// checkHost checks the metrics of the host. stat is an earlier /proc/stat.
func checkHost(t *testing.T, got map[string]sample, stat string) {
	value := func(series string) float64 {
		require.Contains(t, got, series)
		return got[series].value
	}
	now, boot := proc("stat"), bootTime()

	assert.Equal(t, float64(boot.Unix()), value("system.boot.timestamp"))
	uptime := numberAfter(proc("uptime"), "\n") - time.Since(got["system.uptime"].time).Seconds()
	assert.InDelta(t, uptime, value("system.uptime"), 2)

	cpus := len(regexp.MustCompile(`(?m)^cpu\d+ `).FindAllString(now, -1))
	assert.Equal(t, float64(cpus), value("system.cpu.logical.count"))
	// The order of the numbers in the line "cpu" of /proc/stat, in 1/100 s.
	for i, mode := range []string{"user", "nice", "system", "idle", "iowait", "interrupt", "softirq", "steal"} {
		series := "system.cpu.time{cpu.mode=" + mode + "}"
		column := func(stat string) float64 {
			return must(strconv.ParseFloat(strings.Fields(stat)[1+i], 64)) / 100
		}
		// A second either way: the kernel's iowait and idle may fall a little.
		assert.GreaterOrEqual(t, value(series), column(stat)-1, series)
		assert.LessOrEqual(t, value(series), column(now)+1, series)
		assert.Equal(t, boot.UTC(), got[series].start, series)
	}

	const kB = 1024
	total, available := numberAfter(proc("meminfo"), "\nMemTotal:")*kB, numberAfter(proc("meminfo"), "\nMemAvailable:")*kB
	assert.Equal(t, total, value("system.memory.limit"))
	used := value("system.memory.usage{system.memory.state=used}")
	assert.InDelta(t, total-available, used, total/10)
	for _, state := range []string{"used", "free", "buffers", "cached"} {
		state = "{system.memory.state=" + state + "}"
		assert.InDelta(t, value("system.memory.usage"+state)/total, value("system.memory.utilization"+state), 1e-9)
	}

	var processes float64
	for series, sample := range got {
		if strings.HasPrefix(series, "system.process.count{") {
			processes += sample.value
		}
	}
	pids := must(filepath.Glob("/proc/[0-9]*"))
	assert.InDelta(t, len(pids), processes, 20+float64(len(pids))/10) // others come and go

	for _, adapter := range must(filepath.Glob("/sys/class/power_supply/A*")) {
		kind, _ := os.ReadFile(filepath.Join(adapter, "type"))
		online, _ := os.ReadFile(filepath.Join(adapter, "online"))
		if name := filepath.Base(adapter); string(kind) == "Mains\n" {
			assert.Equal(t, must(strconv.ParseFloat(strings.TrimSpace(string(online)), 64)),
				value("hw.power_supply.online{hw.id=power_supply/"+name+"}{hw.name="+name+"}"))
		}
	}
}
