// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package emittest_test

import (
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/semconv/v1.43.0/hwconv"
	"go.opentelemetry.io/otel/semconv/v1.43.0/processconv"
	"go.opentelemetry.io/otel/semconv/v1.43.0/systemconv"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/emittest"
)

func catalogs(t *testing.T) []*emit.Catalog {
	files, err := filepath.Glob("../../scrapers/*/metadata.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var list []*emit.Catalog
	for _, file := range files {
		c, err := emittest.Load(file)
		require.NoError(t, err)
		list = append(list, c)
	}
	return list
}

// TestConventions: what the semantic conventions have is named, measured and
// typed as they have it.
func TestConventions(t *testing.T) {
	type instrument interface {
		Name() string
		Unit() string
	}
	conventions := map[string]instrument{}
	for _, i := range []instrument{
		processconv.CPUTime{}, processconv.DiskIO{}, processconv.MemoryUsage{}, processconv.MemoryVirtual{},
		processconv.ThreadCount{}, processconv.UnixFileDescriptorCount{},
		systemconv.CPULogicalCount{}, systemconv.CPUTime{}, systemconv.MemoryLimit{}, systemconv.MemoryLinuxAvailable{},
		systemconv.MemoryUsage{}, systemconv.MemoryUtilization{}, systemconv.ProcessCount{}, systemconv.Uptime{},
		hwconv.BatteryCharge{},
	} {
		conventions[i.Name()] = i
	}
	own := map[string]bool{"system.boot.timestamp": true, "system.power.ac.online": true, "hw.power_supply.online": true}

	for _, c := range catalogs(t) {
		for name, m := range c.Metrics {
			i, ok := conventions[name]
			if !ok {
				assert.True(t, own[name], "%s is neither in the conventions nor our own", name)
				continue
			}
			delete(conventions, name)
			assert.Equal(t, i.Unit(), m.Unit, name)
			sum, monotonic := kind(i)
			assert.Equal(t, sum, m.Sum, name)
			assert.Equal(t, monotonic, m.Monotonic, name)
		}
	}
	assert.Empty(t, conventions)
}

// kind tells whether an instrument is a sum, and a monotonic one. Each embeds
// the instrument of the API that it is, such as Float64ObservableCounter.
func kind(instrument any) (sum, monotonic bool) {
	api := reflect.TypeOf(instrument).Field(0).Name
	sum = strings.HasSuffix(api, "Counter")
	return sum, sum && !strings.HasSuffix(api, "UpDownCounter")
}

// TestNoNameIsAPrefix: no name is the namespace of another, among metrics and
// among attributes. Backends that make trees of names cannot have both.
func TestNoNameIsAPrefix(t *testing.T) {
	metrics, attributes := map[string]bool{}, map[string]bool{}
	for _, c := range catalogs(t) {
		for name, m := range c.Metrics {
			assert.False(t, metrics[name], "%s is declared twice", name)
			metrics[name] = true
			for _, a := range m.Attributes {
				attributes[a.Key] = true
			}
		}
		for key := range c.Resource {
			attributes[key] = true
		}
	}
	for _, names := range []map[string]bool{metrics, attributes} {
		sorted := slices.Sorted(maps.Keys(names))
		for _, name := range sorted {
			for _, other := range sorted {
				assert.False(t, strings.HasPrefix(other, name+"."), "%s is a namespace: there is %s", name, other)
			}
		}
	}
}
