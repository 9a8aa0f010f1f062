// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package policy

import "errors"

// Load answers errors.ErrUnsupported: this system's files tell their owners in
// another way.
func Load(string) (*Policy, error) { return nil, errors.ErrUnsupported }
