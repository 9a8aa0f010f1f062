// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package system emits metrics of the host as a whole. What it can emit stands
// in metadata.yaml; where each value comes from stands in metrics.go.
package system
