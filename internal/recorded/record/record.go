// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hostscope/hostscope/internal/recorded"
	"github.com/hostscope/hostscope/platform"
)

// recorder collects the files of one machine.
type recorder struct {
	root    string
	name    string // of the host
	private bool   // nothing is replaced

	users     map[string]bool           // UIDs that were seen
	folders   map[string]string         // names of folders, and what they are replaced by
	addresses map[netip.Addr]netip.Addr // of others, and what stands for each
	files     []recorded.File
}

// ofHost are the files of the host that need no second look.
var ofHost = []string{
	"proc/stat", "proc/meminfo", "proc/uptime", "proc/loadavg", "proc/vmstat", "proc/swaps", "proc/cpuinfo",
	"proc/pressure/cpu", "proc/pressure/memory", "proc/pressure/io",
	"proc/diskstats", "proc/filesystems", "proc/1/mountinfo",
	"proc/1/net/snmp", "proc/1/net/snmp6", "proc/sys/net/netfilter/nf_conntrack_count", "proc/sys/net/netfilter/nf_conntrack_max",
	"proc/sys/kernel/hostname", "proc/sys/kernel/osrelease", "proc/sys/kernel/random/boot_id",
	"proc/sys/kernel/pid_max", "proc/sys/kernel/threads-max", "proc/sys/fs/file-nr",
	"proc/1/net/tcp", "proc/1/net/tcp6", "proc/1/net/udp", "proc/1/net/udp6", "proc/1/net/unix", "proc/1/net/sockstat", "proc/1/net/sockstat6",
	"etc/hostname", "etc/machine-id",
}

func (r *recorder) record(pids []string) (*recorded.Host, error) {
	r.users, r.folders, r.addresses = map[string]bool{}, map[string]string{}, map[netip.Addr]netip.Addr{}
	host := &recorded.Host{OS: "linux", Now: time.Now().UTC(), PageSize: os.Getpagesize()}
	for _, name := range ofHost {
		if err := r.file(name); err != nil {
			return nil, err
		}
	}
	for _, pid := range pids {
		pid, err := r.pid(pid)
		if err == nil {
			err = r.process(pid)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := errors.Join(r.passwd(), r.power(), r.sensors(), r.cpus(), r.disks(), r.network(), r.machine(host)); err != nil {
		return nil, err
	}
	host.Files = r.files
	version, _ := os.ReadFile(filepath.Join(r.root, "proc/sys/kernel/osrelease"))
	host.About = strings.TrimSpace("Recorded by internal/recorded/record, Linux "+string(version)) + "."
	if !r.private {
		host.About += "\nNames, arguments and paths were replaced."
	}
	return host, nil
}

// machine adds what is in no file: of another machine nothing is known.
func (r *recorder) machine(to *recorded.Host) error {
	if r.root != "/" {
		return nil
	}
	host, err := platform.Open(platform.Root{}, platform.Machine{})
	if err != nil {
		return err
	}
	defer host.Close()
	awake, err1 := host.AwakeTime()
	filesystems, err2 := host.Filesystems(context.Background(), nil, platform.FilesystemRequest{All: true})
	to.Awake = awake
	for _, f := range filesystems {
		if f.Got.Has(platform.FilesystemSpace) {
			to.Filesystems = append(to.Filesystems, recorded.Filesystem{Path: r.folder(f.Mountpoint), Statfs: platform.Statfs{
				BlockSize: 1, Blocks: f.Total, FreeBlocks: f.Free + f.Reserved, AvailableBlocks: f.Free,
				Files: f.UsedInodes + f.FreeInodes, FreeFiles: f.FreeInodes,
			}})
		}
	}
	return errors.Join(err1, err2)
}

func (r *recorder) path(name string) string { return filepath.Join(r.root, filepath.FromSlash(name)) }

// pid is the number behind "self", or the number itself.
func (r *recorder) pid(pid string) (string, error) {
	if pid == "self" {
		return os.Readlink(r.path("proc/self"))
	}
	if n, err := strconv.ParseUint(pid, 10, 31); err != nil || n == 0 {
		return "", fmt.Errorf("-pids: %q is no PID", pid)
	}
	return pid, nil
}

// file adds a file where there is one. One that may not be read becomes one
// of mode 000, without its content.
func (r *recorder) file(name string) error {
	f := recorded.File{Name: name, Mode: 0o644}
	var err error
	switch f.Data, err = r.read(name); {
	case gone(err):
		return nil
	case errors.Is(err, fs.ErrPermission):
		f.Mode = 0
	case err != nil:
		return err
	}
	if !r.private {
		f.Data = r.scrub(name, f.Data)
	}
	r.files = append(r.files, f)
	return nil
}

// patience is how long a driver is waited for that has no answer yet: to the
// runtime, files of sysfs can be polled.
const patience = time.Second

func (r *recorder) read(name string) ([]byte, error) {
	f, err := os.Open(r.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_ = f.SetReadDeadline(time.Now().Add(patience)) // other files have none, nor need one
	return io.ReadAll(f)
}

// power adds the power supplies. In sysfs each is a link to a folder.
func (r *recorder) power() error {
	const dir = "sys/class/power_supply"
	entries, err := os.ReadDir(r.path(dir))
	if gone(err) {
		return nil
	}
	if err == nil && len(entries) == 0 {
		r.files = append(r.files, recorded.File{Name: dir, Mode: fs.ModeDir | 0o755})
	}
	for _, e := range entries {
		if err == nil {
			// Kernels before 5.7 have the type in a file of its own only.
			supply := dir + "/" + e.Name() + "/"
			err = errors.Join(r.file(supply+"uevent"), r.file(supply+"type"), r.file(supply+"charge_control_start_threshold"), r.file(supply+"charge_control_end_threshold"))
		}
	}
	return err
}

// measured are the files of sensors, by class of device.
var measured = map[string]*regexp.Regexp{
	"hwmon":    regexp.MustCompile(`^(name|(temp|fan|in|curr|power|energy)[0-9]+_(input|average|label|fault|l?crit|min|max|([a-z]+_)?alarm))$`),
	"thermal":  regexp.MustCompile(`^(type|temp|trip_point_[0-9]+_(type|temp))$`),
	"powercap": regexp.MustCompile(`^(name|energy_uj|max_energy_range_uj)$`),
}

// sensors adds what measures something. Where it is in the tree of devices is
// part of its name.
func (r *recorder) sensors() error {
	var errs []error
	for _, class := range slices.Sorted(maps.Keys(measured)) {
		dir := "sys/class/" + class
		entries, err := os.ReadDir(r.path(dir))
		if err != nil {
			continue // there is none
		}
		for _, e := range entries {
			name := dir + "/" + e.Name()
			home, target := name, ""
			if link, err := os.Readlink(r.path(name)); err == nil {
				home, target = path.Join(dir, link), link
			}
			files := r.matching(home, measured[class])
			if len(files) < 2 { // not more than a name: they are those of the device
				files = append(files, r.matching(home+"/device", measured[class])...)
			}
			if len(files) > 0 && target != "" {
				r.files = append(r.files, recorded.File{Name: name, Mode: fs.ModeSymlink, Target: target})
			}
			for _, file := range files {
				errs = append(errs, r.file(file))
			}
		}
	}
	return errors.Join(errs...)
}

// matching lists the files of a folder whose names match and that tell
// something, or may not be read: a sensor that tells nothing now has no file.
func (r *recorder) matching(folder string, names *regexp.Regexp) (files []string) {
	entries, _ := os.ReadDir(r.path(folder))
	for _, e := range entries {
		file := folder + "/" + e.Name()
		if !names.MatchString(e.Name()) {
			continue
		}
		if _, err := r.read(file); err == nil || errors.Is(err, fs.ErrPermission) {
			files = append(files, file)
		}
	}
	return files
}

// cpus adds which CPUs are of one core, and the policies of their frequency.
func (r *recorder) cpus() error {
	const dir = "sys/devices/system/cpu"
	var errs []error
	for _, files := range []string{
		"cpu[0-9]*/topology/core_cpus_list", "cpu[0-9]*/topology/thread_siblings_list",
		"cpufreq/policy*/affected_cpus", "cpufreq/policy*/scaling_cur_freq", "cpufreq/policy*/scaling_min_freq", "cpufreq/policy*/scaling_max_freq",
	} {
		names, err := filepath.Glob(r.path(dir + "/" + files))
		errs = append(errs, err)
		for _, name := range names {
			name, err := filepath.Rel(r.root, name)
			errs = append(errs, err, r.file(filepath.ToSlash(name)))
		}
	}
	return errors.Join(errs...)
}

// disks adds what the block devices are.
func (r *recorder) disks() error {
	var errs []error
	for _, file := range []string{"size", "removable", "partition", "hidden"} {
		names, err := filepath.Glob(r.path("sys/class/block/*/" + file))
		errs = append(errs, err)
		for _, name := range names {
			name, err := filepath.Rel(r.root, name)
			errs = append(errs, err, r.file(filepath.ToSlash(name)))
		}
	}
	return errors.Join(errs...)
}

// ofInterface are the files of one network interface.
var ofInterface = []string{"operstate", "flags", "mtu", "carrier_changes", "speed", "duplex", "address", "broadcast"}

// network adds the network interfaces of the first process. In sysfs each is a
// link to a folder.
func (r *recorder) network() error {
	const dir = "sys/class/net"
	errs := []error{r.file("proc/1/net/dev")}
	entries, err := os.ReadDir(r.path(dir))
	if !gone(err) {
		errs = append(errs, err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() { // bonding_masters
			continue
		}
		for _, name := range ofInterface {
			errs = append(errs, r.file(dir+"/"+e.Name()+"/"+name))
		}
	}
	return errors.Join(errs...)
}

// gone tells whether what was to be read is not there, no longer, or not now:
// the speed of a link that is down is invalid.
func gone(err error) bool {
	for _, is := range []error{fs.ErrNotExist, syscall.ESRCH, syscall.EOPNOTSUPP, syscall.EAGAIN, syscall.EBUSY, syscall.EINVAL, os.ErrDeadlineExceeded} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}
