// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package process

const raceDetector = false
