// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package hostscope

import (
	collectorreceiver "go.opentelemetry.io/collector/receiver"

	"github.com/hostscope/hostscope/receiver"
)

// NewFactory creates the factory of the receiver, whose type is hostscope.
func NewFactory() collectorreceiver.Factory { return receiver.NewFactory() }
