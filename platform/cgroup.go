// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import "github.com/hostscope/hostscope/platform/internal/cgroup"

// ContainerID is the ID of the container that a process runs in, by the path
// of its cgroup ([Process.Cgroup]); "" for none.
func ContainerID(path string) string { return string(cgroup.ContainerID([]byte(path))) }

// SystemdUnit is the innermost systemd unit that a process belongs to, by the
// path of its cgroup; "" for none.
func SystemdUnit(path string) string { return string(cgroup.Unit([]byte(path))) }
