// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	dto "github.com/prometheus/client_model/go"
)

// families are what the exporter makes of the metrics that every Linux host
// has, and whether each is a counter.
var families = map[string]bool{
	"process_cpu_time_seconds_total":     true,
	"process_disk_io_bytes_total":        true,
	"process_memory_usage_bytes":         false,
	"process_memory_virtual_bytes":       false,
	"process_thread_count":               false,
	"process_unix_file_descriptor_count": false,
	"system_boot_timestamp_seconds":      false,
	"system_cpu_logical_count":           false,
	"system_cpu_time_seconds_total":      true,
	"system_memory_limit_bytes":          false,
	"system_memory_usage_bytes":          false,
	"system_memory_utilization_ratio":    false,
	"system_process_count":               false,
	"system_uptime_seconds":              false,
}

func TestPrometheus(t *testing.T) {
	s := startSubject(t)
	address := freeAddress(t)
	agent := newCollector(t, "examples/quickstart.yaml",
		"yaml:receivers::hostscope::collection_interval: 1s",
		"yaml:exporters::prometheus::endpoint: "+address)
	var console log
	agent.cmd.Stdout = &console
	agent.start(t)

	var got map[string]*dto.MetricFamily
	waitFor(t, "the host's and the subject's series", func() bool {
		got = scrape(t, "http://"+address+"/metrics")
		_, found := value(got["process_thread_count"], "process_pid", strconv.Itoa(s.pid))
		return found && got["system_uptime_seconds"] != nil
	})
	checkFamilies(t, got)

	subject := func(family string, labels ...string) float64 {
		v, found := value(got[family], append(labels, "process_pid", strconv.Itoa(s.pid),
			"process_creation_time", created(s.pid).Format("2006-01-02T15:04:05.000Z"),
			"process_command", subjectCommand, "process_executable_name", filepath.Base(os.Args[0]), "os_type", "linux")...)
		assert.True(t, found, family)
		return v
	}
	assert.InDelta(t, s.condition.User.Seconds(), subject("process_cpu_time_seconds_total", "cpu_mode", "user"), 0.05)
	assert.InDelta(t, s.condition.System.Seconds(), subject("process_cpu_time_seconds_total", "cpu_mode", "system"), 0.05)
	virtual, resident := pages(s.pid)
	assert.InDelta(t, resident, subject("process_memory_usage_bytes"), 4<<20)
	assert.Equal(t, virtual, subject("process_memory_virtual_bytes"))
	assert.Equal(t, float64(entries(s.pid, "task")), subject("process_thread_count"))
	assert.Equal(t, float64(s.condition.Descriptors), subject("process_unix_file_descriptor_count"))
	if proc(s.pid, "io") != "" {
		assert.Equal(t, float64(storedBytes(s.pid)), subject("process_disk_io_bytes_total", "disk_io_direction", "write"))
	}

	limit, _ := value(got["system_memory_limit_bytes"])
	assert.Equal(t, numberAfter(proc("meminfo"), "\nMemTotal:")*1024, limit)
	booted, _ := value(got["system_boot_timestamp_seconds"])
	assert.Equal(t, float64(bootTime().Unix()), booted)

	agent.interrupt(t)
	checkConsole(t, console.lines())
}

// scrape reads an exporter's page.
func scrape(t *testing.T, url string) map[string]*dto.MetricFamily {
	answer, err := http.Get(url)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	got, err := parser.TextToMetricFamilies(answer.Body)
	require.NoError(t, err)
	return got
}

// checkFamilies checks that every family is there, as what it should be, and
// that no two series have the same labels.
func checkFamilies(t *testing.T, got map[string]*dto.MetricFamily) {
	for name, counter := range families {
		if name == "process_disk_io_bytes_total" && proc("self", "io") == "" {
			continue // a kernel may be built without
		}
		if assert.Contains(t, got, name) {
			assert.Equal(t, counter, got[name].GetType() == dto.MetricType_COUNTER, name)
		}
	}
	for name, family := range got {
		seen := map[string]bool{}
		for _, metric := range family.Metric {
			var labels strings.Builder
			for _, label := range metric.Label { // in the order of their names
				labels.WriteString(strconv.Quote(label.GetName()) + strconv.Quote(label.GetValue()))
			}
			assert.False(t, seen[labels.String()], "twice: %s%s", name, &labels)
			seen[labels.String()] = true
		}
	}
}

// value finds the only series of a family that has some labels.
func value(family *dto.MetricFamily, labels ...string) (v float64, found bool) {
	for _, metric := range family.GetMetric() {
		has := map[string]string{}
		for _, label := range metric.Label {
			has[label.GetName()] = label.GetValue()
		}
		fits := true
		for i := 0; i < len(labels); i += 2 {
			fits = fits && has[labels[i]] == labels[i+1]
		}
		if fits && found {
			return 0, false
		}
		if fits {
			v, found = metric.GetCounter().GetValue()+metric.GetGauge().GetValue(), true
		}
	}
	return v, found
}

// checkConsole checks what quickstart.yaml prints: a few lines per scrape, and
// nothing of any process.
func checkConsole(t *testing.T, lines []string) {
	text := strings.Join(lines, "\n")
	assert.False(t, strings.Contains(text, "process.pid") || strings.Contains(text, "process.command"))
	for block := range strings.SplitSeq(text, "\n\n") {
		assert.Contains(t, block, "system.uptime{}")
		assert.Contains(t, block, "system.memory.utilization{system.memory.state=used}")
		assert.LessOrEqual(t, strings.Count(block, "\n"), 12, block)
	}
}
