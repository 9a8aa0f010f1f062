// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/scraper/scrapertest"

	"github.com/hostscope/hostscope/internal/emittest"
	"github.com/hostscope/hostscope/platform"
	"github.com/hostscope/hostscope/scrapers/process/internal/metadata"
)

// emission is one thing to emit, by two ways: direct, as the scraper does it
// with internal/emit, and by the builder that mdatagen makes of metadata.yaml.
type emission struct {
	cfg       func(testing.TB) Config
	processes func() []*platform.Process
	record    func(*metadata.MetricsBuilder, pcommon.Timestamp, *platform.Process)
}

// emissions are the default metrics of one batch of processes, and a metric
// with an attribute of which one process has many values.
var emissions = map[string]emission{
	"default": {
		cfg:       func(testing.TB) Config { return NewConfig() },
		processes: func() []*platform.Process { return crowd(batch) },
		record: func(to *metadata.MetricsBuilder, at pcommon.Timestamp, p *platform.Process) {
			to.RecordProcessCPUTimeDataPoint(at, p.CPU.User, metadata.AttributeCPUModeUser)
			to.RecordProcessCPUTimeDataPoint(at, p.CPU.System, metadata.AttributeCPUModeSystem)
			to.RecordProcessMemoryUsageDataPoint(at, int64(p.RSS))
			to.RecordProcessMemoryVirtualDataPoint(at, int64(p.VMS))
			to.RecordProcessDiskIoDataPoint(at, int64(p.ReadBytes), metadata.AttributeDiskIoDirectionRead)
			to.RecordProcessDiskIoDataPoint(at, int64(p.WriteBytes), metadata.AttributeDiskIoDirectionWrite)
			to.RecordProcessThreadCountDataPoint(at, int64(p.Threads))
			to.RecordProcessUnixFileDescriptorCountDataPoint(at, int64(p.Descriptors), metadata.AttributeOptionalFileDescriptorType(0))
		},
	},
	"mappings-500":  mappingEmission(500),
	"mappings-2000": mappingEmission(2000),
}

func mappingEmission(n int) emission {
	return emission{
		cfg: func(t testing.TB) Config {
			return only(t, "process.memory.mapping.size: {attributes: [process.memory.mapping.address.start]}")
		},
		processes: func() []*platform.Process { return []*platform.Process{crowded(n)} },
		record: func(to *metadata.MetricsBuilder, at pcommon.Timestamp, p *platform.Process) {
			for i := range p.More.Mappings {
				m := &p.More.Mappings[i]
				start := "0x" + strconv.FormatUint(m.Start, 16)
				to.RecordProcessMemoryMappingSizeDataPoint(at, int64(m.End-m.Start), "", start, "", "", 0, "", "")
			}
		},
	}
}

// direct prepares the scraper, and answers what emits once.
func (e emission) direct(t testing.TB) func() pmetric.Metrics {
	s, snap := newScraper(t, e.cfg(t)), snapshot(e.processes()...)
	return func() (out pmetric.Metrics) {
		require.NoError(t, s.Scrape(t.Context(), snap, func(md pmetric.Metrics) error { out = md; return nil }))
		return out
	}
}

// generated prepares the builder. It has the strings of the resources ready,
// as the scraper has.
func (e emission) generated(t testing.TB) func() pmetric.Metrics {
	cfg := e.cfg(t)
	builder := metadata.NewMetricsBuilder(
		metadata.MetricsBuilderConfig{Metrics: cfg.Metrics, ResourceAttributes: cfg.ResourceAttributes},
		scrapertest.NewNopSettings(metadata.Type))
	snap := snapshot(e.processes()...)
	created := map[platform.ID]string{}
	for _, p := range snap.Processes {
		created[p.ID] = p.Created.UTC().Format(creationTime)
	}
	return func() pmetric.Metrics {
		at := pcommon.NewTimestampFromTime(snap.Time)
		for _, p := range snap.Processes {
			e.record(builder, at, p)
			to := builder.NewResourceBuilder()
			to.SetProcessCommand(p.Command)
			to.SetProcessCreationTime(created[p.ID])
			to.SetProcessExecutableName("postgres")
			to.SetProcessOwner(p.Owner)
			to.SetProcessPid(int64(p.PID))
			builder.EmitForResource(metadata.WithResource(to.Emit()),
				metadata.WithStartTimeOverride(pcommon.NewTimestampFromTime(p.Created)))
		}
		return builder.Emit()
	}
}

// TestEmissionsAgree: both ways give the same points of the same number of
// resources, so that comparing them is fair, and direct allocates less.
func TestEmissionsAgree(t *testing.T) {
	for name, e := range emissions {
		t.Run(name, func(t *testing.T) {
			direct, generated := e.direct(t), e.generated(t)
			one, other := direct(), generated()
			assert.Equal(t, one.ResourceMetrics().Len(), other.ResourceMetrics().Len())
			assert.Equal(t, pointLines(one), pointLines(other))
			assert.Less(t, testing.AllocsPerRun(3, func() { direct() }), testing.AllocsPerRun(3, func() { generated() }))
		})
	}
}

// pointLines are the lines that are not of a resource.
func pointLines(md pmetric.Metrics) (lines []string) {
	for _, line := range emittest.Lines(md) {
		if line[0] == ' ' {
			lines = append(lines, line)
		}
	}
	return lines
}

// BenchmarkEmission compares the two ways. The builder compares each point
// with all earlier ones of its metric, so that its ns/point grows with their
// number; that of direct does not.
func BenchmarkEmission(b *testing.B) {
	for name, e := range emissions {
		for way, prepare := range map[string]func(testing.TB) func() pmetric.Metrics{"direct": e.direct, "generated": e.generated} {
			b.Run(name+"/"+way, func(b *testing.B) {
				emit := prepare(b)
				n := float64(emit().DataPointCount())
				b.ReportAllocs()
				for b.Loop() {
					emit()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/point")
			})
		}
	}
}
