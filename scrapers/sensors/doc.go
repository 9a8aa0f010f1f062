// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package sensors emits metrics of the hardware of the host. What it can emit
// stands in metadata.yaml; where each value comes from stands in metrics.go.
package sensors
