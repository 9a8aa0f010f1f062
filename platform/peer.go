// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

// Credentials are those of the process that has connected to a Unix socket, at
// the time when it did.
type Credentials struct {
	PID      int32 // 0 where it is not shown in this namespace
	UID, GID uint32
	Groups   []uint32 // supplementary ones
}

// OverflowUser is the user that the kernel shows for one that this user
// namespace has no number for (user_namespaces(7)). Nobody is known by it.
const OverflowUser = 65534
