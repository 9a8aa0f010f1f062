// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/emittest"
	"github.com/hostscope/hostscope/internal/metadata"
	"github.com/hostscope/hostscope/internal/recorded"
)

var update = flag.Bool("update", false, "write testdata/golden anew; then check every number by hand")

// TestGolden scrapes each recorded machine once, with everything enabled, and
// one with the defaults, and compares all that comes out with a file: values,
// attributes, times and schema.
func TestGolden(t *testing.T) {
	machines, err := filepath.Glob("../testdata/hosts/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, machines)
	catalogs := map[string]*emit.Catalog{}
	for name, file := range map[string]string{
		"process": "../scrapers/process/metadata.yaml",
		"system":  "../scrapers/system/metadata.yaml",
		"sensors": "../scrapers/sensors/metadata.yaml",
		"":        "../metadata.yaml",
	} {
		catalogs[name], err = emittest.Load(file)
		require.NoError(t, err)
	}
	compare := func(name, machine string, config map[string]any) {
		t.Run(name, func(t *testing.T) {
			got := tickOf(t, machine, config)
			for _, rm := range got.ResourceMetrics().All() {
				assert.Equal(t, "https://opentelemetry.io/schemas/1.44.0", rm.SchemaUrl())
			}
			require.NoError(t, emittest.Check(got, catalogs["process"], catalogs["system"], catalogs["sensors"], catalogs[""]))

			want := filepath.Join("../testdata/golden", name+".yaml")
			if *update {
				require.NoError(t, golden.WriteMetricsToFile(want, got, golden.SkipMetricTimestampNormalization()))
				require.NoError(t, os.Chmod(want, 0o644))
			}
			expected, err := golden.ReadMetrics(want)
			require.NoError(t, err)
			require.NoError(t, pmetrictest.CompareMetrics(expected, got,
				pmetrictest.IgnoreResourceMetricsOrder(),
				pmetrictest.IgnoreScopeMetricsOrder(),
				pmetrictest.IgnoreMetricsOrder(),
				pmetrictest.IgnoreMetricDataPointsOrder(),
			))
		})
	}
	defaults := func() map[string]any {
		return map[string]any{"scrapers": map[string]any{"process": nil, "system": nil, "sensors": nil}}
	}
	for _, file := range machines {
		name, config := strings.TrimSuffix(filepath.Base(file), ".txtar"), everything(catalogs)
		if name == "server" { // each of its 128 CPUs apart is more than anybody reads
			config = defaults()
		}
		compare(name, file, config)
	}
	compare("vm-defaults", "../testdata/hosts/vm.txtar", defaults())
}

// tickOf is all that the receiver emits in one tick on a recorded machine, one
// resource of each kind.
func tickOf(t *testing.T, machine string, config map[string]any) pmetric.Metrics {
	t.Helper()
	root, recording := recorded.Open(t, machine)
	config["root_path"] = root.Path
	cfg := newDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(config).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))

	set := receivertest.NewNopSettings(metadata.Type)
	set.BuildInfo.Version = "1.2.3"
	sink := new(consumertest.MetricsSink)
	r, err := newReceiver(set, cfg, sink, recording)
	require.NoError(t, err)
	rd, err := r.newReader()
	require.NoError(t, err)
	defer rd.close()
	rd.scrape(t.Context(), t.Context())

	all := pmetric.NewMetrics()
	for _, md := range sink.AllMetrics() {
		md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
			to := sameResource(all, rm)
			rm.ScopeMetrics().MoveAndAppendTo(to.ScopeMetrics())
			return true
		})
	}
	return all
}

// sameResource is the resource of all that rm is of. The system and the
// sensors have the same one, of which two scrapers tell.
func sameResource(all pmetric.Metrics, rm pmetric.ResourceMetrics) pmetric.ResourceMetrics {
	for _, have := range all.ResourceMetrics().All() {
		if have.SchemaUrl() == rm.SchemaUrl() && reflect.DeepEqual(have.Resource().Attributes().AsRaw(), rm.Resource().Attributes().AsRaw()) {
			return have
		}
	}
	added := all.ResourceMetrics().AppendEmpty()
	rm.Resource().CopyTo(added.Resource())
	added.SetSchemaUrl(rm.SchemaUrl())
	return added
}

// everything is a configuration in which whatever the catalogues declare is
// enabled, by name of the scraper; that of the receiver itself has no name.
func everything(catalogs map[string]*emit.Catalog) map[string]any {
	enabled := func(c *emit.Catalog) map[string]any {
		resource, metrics := map[string]any{}, map[string]any{}
		for name := range c.Resource {
			resource[name] = map[string]any{"enabled": true}
		}
		for name, m := range c.Metrics {
			metric := map[string]any{"enabled": true}
			var keys []any
			removable := false
			for _, a := range m.Attributes {
				keys = append(keys, a.Key)
				removable = removable || a.Level == emit.Recommended || a.Level == emit.OptIn
			}
			if removable {
				metric["attributes"] = keys
			}
			metrics[name] = metric
		}
		all := map[string]any{}
		if len(resource) > 0 {
			all["resource_attributes"] = resource
		}
		if len(metrics) > 0 {
			all["metrics"] = metrics
		}
		return all
	}
	config, scrapers := enabled(catalogs[""]), map[string]any{}
	for name, c := range catalogs {
		if name != "" {
			scrapers[name] = enabled(c)
		}
	}
	scrapers["process"].(map[string]any)["kernel_threads"] = true
	config["scrapers"] = scrapers
	return config
}
