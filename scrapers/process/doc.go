// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package process emits metrics of each process of the host, one resource per
// process. What it can emit stands in metadata.yaml; where each value comes
// from stands in metrics.go.
package process
