// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import "github.com/hostscope/hostscope/scrapers/process/internal/metadata"

// Config selects what the scraper emits, and of which processes. The lists
// metrics_include and metrics_exclude of a resource attribute match its value
// as it would be emitted, also where the attribute itself is disabled. A
// process without a value is matched by neither.
type Config struct {
	// Metrics says of each metric whether and how it is emitted.
	Metrics metadata.MetricsConfig `mapstructure:"metrics"`
	// ResourceAttributes says the same of what describes a process.
	ResourceAttributes metadata.ResourceAttributesConfig `mapstructure:"resource_attributes"`

	// KernelThreads includes the threads of the kernel.
	KernelThreads bool `mapstructure:"kernel_threads"`
}

// NewConfig gives the defaults.
func NewConfig() Config {
	return Config{Metrics: metadata.DefaultMetricsConfig(), ResourceAttributes: metadata.DefaultResourceAttributesConfig()}
}
