// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package hostscope is an OpenTelemetry Collector receiver for the host that
// it runs on: its processes, its CPUs and memory, its sensors.
//
// It is put into a distribution with the OpenTelemetry Collector Builder, by
// this module's path; package receiver holds what it does.
package hostscope
