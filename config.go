// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package hostscope

import "github.com/hostscope/hostscope/receiver"

// Config is the configuration of the receiver.
type Config = receiver.Config
