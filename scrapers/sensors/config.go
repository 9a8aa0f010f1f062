// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import "github.com/hostscope/hostscope/scrapers/sensors/internal/metadata"

// Config selects what the scraper emits.
type Config struct {
	// Metrics says of each metric whether and how it is emitted.
	Metrics metadata.MetricsConfig `mapstructure:"metrics"`
}

// NewConfig gives the defaults.
func NewConfig() Config {
	return Config{Metrics: metadata.DefaultMetricsConfig()}
}
