// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package platform reads what a kernel tells about its host and processes.
//
// It knows nothing of OpenTelemetry: a [Host] is opened on a [Root], asked for
// a [Snapshot] once per tick, and answers in plain data. Every reading carries
// the set of fields that were really got, so that "not supported here", "not
// asked for" and "not readable" never look like a zero.
//
// Bytes become values in the pure decoders below internal/; only the files
// with an operating system's suffix make system calls.
package platform

//go:generate go test -run ^TestSupportDoc$ -update .
