// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build race

package process

// raceDetector tells that the race detector is on. It empties every sync.Pool
// at random, so that package regexp allocates.
const raceDetector = true
