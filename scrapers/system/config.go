// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"errors"
	"fmt"
	"path"

	"github.com/hostscope/hostscope/internal/match"
	"github.com/hostscope/hostscope/scrapers/system/internal/metadata"
)

// Config selects what the scraper emits.
type Config struct {
	// Metrics says of each metric whether and how it is emitted.
	Metrics metadata.MetricsConfig `mapstructure:"metrics"`

	Disk       DiskConfig       `mapstructure:"disk"`
	Filesystem FilesystemConfig `mapstructure:"filesystem"`
	Network    NetworkConfig    `mapstructure:"network"`
}

// DiskConfig selects the disks: those that any block of Include matches, and
// none of Exclude. Without Include they are the whole disks that are real:
// neither partitions nor loop devices nor RAM.
type DiskConfig struct {
	Include match.Blocks[DiskBlock] `mapstructure:"include"`
	Exclude match.Blocks[DiskBlock] `mapstructure:"exclude"`
}

// DiskBlock is a set of criteria for disks.
type DiskBlock struct {
	MatchType match.Type `mapstructure:"match_type"`
	// Devices are names of block devices, such as sda or nvme0n1p2.
	Devices []string `mapstructure:"devices"`
}

// Criteria implements [match.Block].
func (b DiskBlock) Criteria() (match.Type, []match.Criterion) {
	return b.MatchType, []match.Criterion{{Key: "devices", Values: b.Devices}}
}

// FilesystemConfig selects the filesystems: those that any block of Include
// matches, and none of Exclude. Without Include they are those on a device,
// each once.
type FilesystemConfig struct {
	Include match.Blocks[FilesystemBlock] `mapstructure:"include"`
	Exclude match.Blocks[FilesystemBlock] `mapstructure:"exclude"`
	// Paths are told as well, whatever the filters say: the space that there
	// is at an absolute path of the host.
	Paths []string `mapstructure:"paths"`
}

// FilesystemBlock is a set of criteria. A filesystem matches it if it meets
// each that is given, by any one of the values in its list.
type FilesystemBlock struct {
	MatchType match.Type `mapstructure:"match_type"`

	Devices     []string `mapstructure:"devices"`      // as in system.device
	Types       []string `mapstructure:"types"`        // as in system.filesystem.type
	MountPoints []string `mapstructure:"mount_points"` // as in system.filesystem.mountpoint
}

// Criteria implements [match.Block].
func (b FilesystemBlock) Criteria() (match.Type, []match.Criterion) {
	return b.MatchType, []match.Criterion{
		{Key: "devices", Values: b.Devices}, {Key: "types", Values: b.Types}, {Key: "mount_points", Values: b.MountPoints},
	}
}

// NetworkConfig selects the network interfaces: those that any block of Include
// matches, and none of Exclude. Without Include they are all.
type NetworkConfig struct {
	Include match.Blocks[NetworkBlock] `mapstructure:"include"`
	Exclude match.Blocks[NetworkBlock] `mapstructure:"exclude"`
	// Nowrap adds what a counter had before it was reset to what it counts
	// then, so that it never falls. Otherwise it starts anew.
	Nowrap bool `mapstructure:"nowrap"`
}

// NetworkBlock is a set of criteria for network interfaces.
type NetworkBlock struct {
	MatchType match.Type `mapstructure:"match_type"`
	// Interfaces are names of network interfaces, such as eth0.
	Interfaces []string `mapstructure:"interfaces"`
}

// Criteria implements [match.Block].
func (b NetworkBlock) Criteria() (match.Type, []match.Criterion) {
	return b.MatchType, []match.Criterion{{Key: "interfaces", Values: b.Interfaces}}
}

// NewConfig gives the defaults.
func NewConfig() Config {
	return Config{Metrics: metadata.DefaultMetricsConfig(), Network: NetworkConfig{Nowrap: true}}
}

// Validate reports what cannot work, with the key that says so.
func (c *Config) Validate() error {
	var errs []error
	for _, p := range c.Filesystem.Paths {
		if !path.IsAbs(p) {
			errs = append(errs, fmt.Errorf("\"filesystem::paths\": %q is not an absolute path", p))
		}
	}
	_, disk := match.NewFilter("disk", c.Disk.Include, c.Disk.Exclude)
	_, filesystem := match.NewFilter("filesystem", c.Filesystem.Include, c.Filesystem.Exclude)
	_, network := match.NewFilter("network", c.Network.Include, c.Network.Exclude)
	return errors.Join(append(errs, disk, filesystem, network)...)
}
