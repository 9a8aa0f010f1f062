// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/hostscope/hostscope/extension/processcontrol/internal/metadata"
)

// NewFactory creates the factory of the extension, whose type is
// process_control.
func NewFactory() extension.Factory {
	return extension.NewFactory(metadata.Type, newDefaultConfig,
		func(_ context.Context, set extension.Settings, cfg component.Config) (extension.Extension, error) {
			return newExtension(set, cfg.(*Config))
		}, metadata.ExtensionStability)
}
