// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package sensors

import "github.com/hostscope/hostscope/scrapers/sensors/internal/metadata"

// Config selects what the scraper emits.
type Config struct {
	metadata.MetricsBuilderConfig `mapstructure:",squash"`
}

// NewConfig gives the defaults.
func NewConfig() Config {
	return Config{MetricsBuilderConfig: metadata.NewDefaultMetricsBuilderConfig()}
}
