// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	collectorreceiver "go.opentelemetry.io/collector/receiver"

	"github.com/hostscope/hostscope/internal/metadata"
	"github.com/hostscope/hostscope/platform"
)

// NewFactory creates the factory of the receiver, whose type is hostscope.
func NewFactory() collectorreceiver.Factory {
	return collectorreceiver.NewFactory(metadata.Type, newDefaultConfig,
		collectorreceiver.WithMetrics(newMetrics, metadata.MetricsStability))
}

func newMetrics(_ context.Context, set collectorreceiver.Settings, cfg component.Config, next consumer.Metrics) (collectorreceiver.Metrics, error) {
	return newReceiver(set, cfg.(*Config), next, platform.Machine{})
}
