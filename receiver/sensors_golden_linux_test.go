// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"path/filepath"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/internal/emittest"
)

// TestEverySensor: whatever the sensors scraper can emit comes out of some
// recorded machine.
func TestEverySensor(t *testing.T) {
	catalog, err := emittest.Load("../scrapers/sensors/metadata.yaml")
	require.NoError(t, err)
	files, err := filepath.Glob("../testdata/golden/*.yaml")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, file := range files {
		md, err := golden.ReadMetrics(file)
		require.NoError(t, err)
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					seen[m.Name()] = true
				}
			}
		}
	}
	for name := range catalog.Metrics {
		assert.True(t, seen[name], name)
	}
}
