// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import "runtime"

// OS is a set of operating systems.
type OS uint8

// The operating systems of the support table.
const (
	Linux OS = 1 << iota
	Darwin
	FreeBSD
	OpenBSD
	NetBSD
)

// Systems lists the columns of the support table in order.
var Systems = []struct {
	OS   OS
	GOOS string
	Name string
}{
	{Linux, "linux", "Linux"},
	{Darwin, "darwin", "macOS"},
	{FreeBSD, "freebsd", "FreeBSD"},
	{OpenBSD, "openbsd", "OpenBSD"},
	{NetBSD, "netbsd", "NetBSD"},
}

// Reading is one thing that can be read of the host itself.
type Reading uint8

// What can be read of the host.
const (
	ReadingBootTime Reading = iota
	ReadingUptime
	ReadingAwakeTime
	ReadingCPUTimes
	ReadingCPUCount
	ReadingPhysicalCPUs
	ReadingCPUFrequency
	ReadingActivity
	ReadingLoad
	ReadingPressure
	ReadingLimits
	ReadingMemory
	ReadingPaging
	ReadingSwaps
	ReadingDisks
	ReadingFilesystems
	ReadingNetworkInterfaces
	ReadingProtocols
	ReadingConntrack
	ReadingConnections
	ReadingSocketStat
	ReadingPowerSupplies
	ReadingSensors
	ReadingEnergy
	ReadingHostName
	ReadingHostID

	numReadings
)

// String is the name of the reading, as in the support table.
func (r Reading) String() string {
	if r < numReadings {
		return readingSupport[r].name
	}
	return "unknown"
}

// support is one row of the support table: what, where, and what it takes.
type support struct {
	name string
	on   OS
	// source is where each system has it; note is what a user must have.
	source, note string
}

// processSupport has a row for each of Fields, in their order.
var processSupport = [...]support{
	{"name", Linux, "/proc/PID/stat", ""},
	{"parent", Linux, "/proc/PID/stat", ""},
	{"state", Linux, "/proc/PID/stat", "of other users' processes, where /proc is mounted with hidepid: CAP_SYS_PTRACE"},
	{"cpu_time", Linux, "/proc/PID/stat", ""},
	{"threads", Linux, "/proc/PID/stat", ""},
	{"memory", Linux, "/proc/PID/statm", ""},
	{"disk_io", Linux, "/proc/PID/io", ptraceAndDAC},
	{"descriptors", Linux, "/proc/PID/fd", "before Linux 6.2, of other users' processes: CAP_DAC_READ_SEARCH"},
	{"executable", Linux, "/proc/PID/exe", ptrace},
	{"command", Linux, "/proc/PID/cmdline", ""},
	{"owner", Linux, "/proc/PID/status, etc/passwd", ""},
	{"session", Linux, "/proc/PID/stat", ""},
	{"terminal", Linux, "/proc/PID/stat, /dev", ""},
	{"nice", Linux, "/proc/PID/stat", ""},
	{"faults", Linux, "/proc/PID/stat", ""},
	{"children_time", Linux, "/proc/PID/stat", ""},
	{"last_cpu", Linux, "/proc/PID/stat", ""},
	{"shared", Linux, "/proc/PID/statm", ""},
	{"segments", Linux, "/proc/PID/statm", ""},
	{"logical_io", Linux, "/proc/PID/io", ptraceAndDAC},
	{"arguments", Linux, "/proc/PID/cmdline", ""},
	{"run_delay", Linux, "/proc/PID/schedstat", ""},
	{"io_priority", Linux, "ioprio_get(2)", ""},
	{"oom", Linux, "/proc/PID/oom_score, /proc/PID/oom_score_adj", ""},
	{"cgroup", Linux, "/proc/PID/cgroup", ""},
	{"directory", Linux, "/proc/PID/cwd", ptrace},
	{"root", Linux, "/proc/PID/root", ptrace},
	{"limits", Linux, "/proc/PID/limits", ""},
	{"users", Linux, "/proc/PID/status, etc/passwd", ""},
	{"groups", Linux, "/proc/PID/status", ""},
	{"supplementary_groups", Linux, "/proc/PID/status", ""},
	{"umask", Linux, "/proc/PID/status", "Linux 4.7"},
	{"signals", Linux, "/proc/PID/status", ""},
	{"affinity", Linux, "/proc/PID/status", ""},
	{"vpid", Linux, "/proc/PID/status", "Linux 4.1"},
	{"resident", Linux, "/proc/PID/status", "Linux 4.5"},
	{"swap", Linux, "/proc/PID/status", ""},
	{"hugetlb", Linux, "/proc/PID/status", ""},
	{"peak", Linux, "/proc/PID/status", ""},
	{"peak_virtual", Linux, "/proc/PID/status", ""},
	{"library", Linux, "/proc/PID/status", ""},
	{"signal_queue", Linux, "/proc/PID/status", ""},
	{"context_switches", Linux, "/proc/PID/task/*/status", ""},
	{"thread_list", Linux, "/proc/PID/task/*/stat", ""},
	{"thread_switches", Linux, "/proc/PID/task/*/status", ""},
	{"thread_io", Linux, "/proc/PID/task/*/io", ptraceAndDAC},
	{"environment", Linux, "/proc/PID/environ", ptraceAndDAC},
	{"footprint", Linux, "/proc/PID/smaps_rollup", ptraceAndDAC},
	{"mappings", Linux, "/proc/PID/maps", ptraceAndDAC},
	{"mapping_memory", Linux, "/proc/PID/smaps", ptraceAndDAC},
	{"descriptor_list", Linux, "/proc/PID/fd", ptraceAndDAC},
	{"descriptor_info", Linux, "/proc/PID/fdinfo", ptraceAndDAC},
	{"connections", Linux, "/proc/PID/fd, /proc/PID/net", ptraceAndDAC},
}

// What it takes to read of other users' processes what is not for everybody.
const (
	ptrace       = "of other users' processes: CAP_SYS_PTRACE"
	ptraceAndDAC = "of other users' processes: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
)

// readingSupport has a row for each Reading, in their order.
var readingSupport = [numReadings]support{
	ReadingBootTime:          {"boot_time", Linux, "/proc/stat", ""},
	ReadingUptime:            {"uptime", Linux, "/proc/uptime", ""},
	ReadingAwakeTime:         {"awake_time", Linux, "clock_gettime(2)", ""},
	ReadingCPUTimes:          {"cpu_times", Linux, "/proc/stat", ""},
	ReadingCPUCount:          {"cpu_count", Linux, "/proc/stat", ""},
	ReadingPhysicalCPUs:      {"physical_cpus", Linux, "/sys/devices/system/cpu, /proc/cpuinfo", ""},
	ReadingCPUFrequency:      {"cpu_frequency", Linux, "/sys/devices/system/cpu, /proc/cpuinfo", ""},
	ReadingActivity:          {"activity", Linux, "/proc/stat", ""},
	ReadingLoad:              {"load", Linux, "/proc/loadavg", ""},
	ReadingPressure:          {"pressure", Linux, "/proc/pressure", "Linux 4.20, with pressure stall information on"},
	ReadingLimits:            {"limits", Linux, "/proc/sys/kernel/pid_max, /proc/sys/kernel/threads-max, /proc/sys/fs/file-nr", ""},
	ReadingMemory:            {"memory", Linux, "/proc/meminfo", ""},
	ReadingPaging:            {"paging", Linux, "/proc/vmstat", ""},
	ReadingSwaps:             {"swaps", Linux, "/proc/swaps", ""},
	ReadingDisks:             {"disks", Linux, "/proc/diskstats, /sys/class/block", ""},
	ReadingFilesystems:       {"filesystems", Linux, "/proc/1/mountinfo, statfs(2)", ""},
	ReadingNetworkInterfaces: {"network_interfaces", Linux, "rtnetlink(7), /proc/1/net/dev, /sys/class/net", ""},
	ReadingProtocols:         {"protocols", Linux, "/proc/1/net/snmp, /proc/1/net/snmp6", ""},
	ReadingConntrack:         {"conntrack", Linux, "/proc/sys/net/netfilter", "the host's network namespace"},
	ReadingConnections:       {"connections", Linux, "sock_diag(7), /proc/1/net/tcp, /proc/1/net/udp, /proc/1/net/unix", "cheaper with the kernel modules tcp_diag, udp_diag, unix_diag"},
	ReadingSocketStat:        {"socket_stat", Linux, "/proc/1/net/sockstat", ""},
	ReadingPowerSupplies:     {"power_supplies", Linux, "/sys/class/power_supply", ""},
	ReadingSensors:           {"sensors", Linux, "/sys/class/hwmon, /sys/class/thermal", ""},
	ReadingEnergy:            {"energy", Linux, "/sys/class/powercap", "CAP_DAC_READ_SEARCH"},
	ReadingHostName:          {"host_name", Linux, "uname(2), etc/hostname", ""},
	ReadingHostID:            {"host_id", Linux, "etc/machine-id", ""},
}

// ThisOS is the column of the system that the code runs on; 0 for one that
// is not in the table.
func ThisOS() OS {
	for _, s := range Systems {
		if s.GOOS == runtime.GOOS {
			return s.OS
		}
	}
	return 0
}

// Supported is the set of fields of a process that a system can give.
func Supported(on OS) Fields {
	var f Fields
	for i, row := range processSupport {
		if on != 0 && row.on&on != 0 {
			f |= 1 << i
		}
	}
	return f
}

// Supports tells whether a system can give a reading of the host.
func Supports(on OS, r Reading) bool { return on != 0 && readingSupport[r].on&on != 0 }

// Needs says what a user must have to read a field of any process; empty
// where nothing is needed.
func Needs(f Fields) string { return processSupport[f.index()].note }
