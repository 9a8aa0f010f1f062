// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// ticksPerSecond is USER_HZ, the unit of CPU times and start times in /proc.
// It is 100 on every architecture that Go runs on (asm-generic/param.h).
const ticksPerSecond = 100

// Host is a host whose kernel and files are read through one [Root]. It keeps
// descriptors, buffers and the process table between readings. It must not be
// used by two goroutines at once.
type Host struct {
	access
	root    Root
	machine Machine

	proc    int    // the folder of processes, open
	procfs  bool   // the kernel's, not a recorded one
	ownPIDs bool   // the numbers in it are those of our own PID namespace
	boot    string // of tokens
	pretend Fields // what this kernel answers without having it
	buf     []byte
	stat    procfs.HostStat
	snap    Snapshot
	table   table
	owners  owners
	bounded bounded
	cores   cores
	cpufreq cpufreq
	disks   disks
	mounts  mounts
	sensors sensors
	handles handles

	sockets hostSockets
	net     hostNetwork
	network network
}

// Open opens a host. The folder of processes must be there; all others are
// looked for when they are read.
func Open(root Root, m Machine) (*Host, error) {
	if m.Now == nil {
		m.Now = time.Now
	}
	if m.Awake == nil {
		m.Awake = monotonic
	}
	if m.PageSize == 0 {
		m.PageSize = unix.Getpagesize()
	}
	h := &Host{root: root.Resolve(), machine: m, sensors: newSensors()}
	fd, err := h.openPath(h.root.Proc, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	h.proc = fd
	var st unix.Statfs_t
	h.procfs = unix.Fstatfs(fd, &st) == nil && st.Type == unix.PROC_SUPER_MAGIC
	h.owners.access, h.owners.path = &h.access, filepath.Join(h.root.Path, "etc/passwd")
	h.table.sizeIsCount = h.fdSizeIsCount()
	h.table.kept.most = h.mayKeep()
	h.ownPIDs = h.seesItself()
	h.boot = h.bootID()
	h.pretend = h.pretended()
	return h, nil
}

// Close closes what Open opened. A second Close does nothing.
func (h *Host) Close() error {
	if h.proc < 0 {
		return nil
	}
	h.keepNone()
	err := unix.Close(h.proc)
	h.proc = -1
	return err
}

// Snapshot reads the clock, /proc/stat and, where req wants fields of them,
// the processes. An error is that of /proc/stat: without it neither the boot
// nor the creation of a process has a time, so that the snapshot holds only
// the time. A process table that could not be read is in ProcessesErr. The
// snapshot belongs to the Host and is valid until the next one.
func (h *Host) Snapshot(ctx context.Context, req Request) (*Snapshot, error) {
	s := &h.snap
	*s = Snapshot{Time: h.machine.Now(), CPU: CPU{PerCPU: s.CPU.PerCPU[:0]}}
	if err := h.read("stat", func(b []byte) error { return procfs.Host(b, &h.stat) }); err != nil {
		h.yield(err)
		return s, err
	}
	s.Boot = h.booted()
	s.Activity = activity(&h.stat.Activity)
	s.CPU.Total = cpuTimes(&h.stat.Total)
	for i := range h.stat.CPUs {
		cpu := &h.stat.CPUs[i]
		s.CPU.PerCPU = append(s.CPU.PerCPU, LogicalCPU{Number: cpu.Number, CPUTimes: cpuTimes(cpu)})
	}
	if req.Fields|req.Everyone != 0 {
		h.owners.refresh = true
		h.table.ttys.scanned = false
		clear(h.table.sockets.namespaces)
		s.Processes, s.ProcessesErr = h.processes(ctx, req, s)
		h.yield(s.ProcessesErr)
		s.Hidden = h.procfs && len(h.table.pids) > 0 && h.table.pids[0] != 1
	}
	return s, nil
}

func cpuTimes(c *procfs.CPU) CPUTimes {
	s := func(i int) float64 { return float64(c.Ticks[i]) / ticksPerSecond }
	return CPUTimes{
		User: s(0), Nice: s(1), System: s(2), Idle: s(3), IOWait: s(4),
		IRQ: s(5), SoftIRQ: s(6), Steal: s(7), Guest: s(8), GuestNice: s(9),
	}
}

// read reads a file of /proc and decodes it; both kinds of error name it.
func (h *Host) read(name string, decode func([]byte) error) error {
	path := h.root.Proc + "/" + name
	b, err := h.readFile(path, &h.buf)
	if err != nil {
		return err
	}
	if err := decode(b); err != nil {
		return fmt.Errorf("%s: %w: %w", path, ErrMalformed, err)
	}
	return nil
}

// readAny is read of a file that not every kernel has.
func (h *Host) readAny(name string, decode func([]byte) error) error {
	err := h.read(name, decode)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotSupported) {
		return nil
	}
	return err
}

// seesItself tells whether the numbers in the folder of processes are those
// that system calls take: it is /proc, and shows us under our own number.
func (h *Host) seesItself() bool {
	self, errno := h.readlinkat(h.proc, []byte("self\x00"), h.table.buf[:])
	return errno == 0 && h.root.Proc == "/proc" && string(self) == strconv.Itoa(os.Getpid())
}

// pretended are the fields that a kernel answers and does not have. The first
// Windows Subsystem for Linux, whose release ends in -Microsoft, shows empty
// signal sets and no supplementary groups whatever a process has; its second
// (…-microsoft-standard-WSL2) is Linux.
func (h *Host) pretended() Fields {
	b, err := h.readFile(filepath.Join(h.root.Proc, "sys/kernel/osrelease"), &h.buf)
	if err == nil && bytes.Contains(b, []byte("Microsoft")) {
		return FieldSignals | FieldSupplementary
	}
	return 0
}

// bootID is the first 12 digits of the boot's identifier, "" for none.
func (h *Host) bootID() string {
	b, err := h.readFile(filepath.Join(h.root.Proc, "sys/kernel/random/boot_id"), &h.buf)
	if err != nil {
		return ""
	}
	id := strings.ReplaceAll(strings.TrimSpace(string(b)), "-", "")
	if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
		return ""
	}
	return id[:12]
}

// Token names one process for its whole life, over all boots:
// lx1.<boot>.<pid>.<start>. It is "" where the boot is not known.
func (h *Host) Token(id ID) string {
	return Token{Boot: h.boot, ID: id}.String()
}

// Uptime is the time since boot, suspended time included (/proc/uptime).
func (h *Host) Uptime() (up time.Duration, err error) {
	err = h.read("uptime", func(b []byte) (err error) { up, err = procfs.Uptime(b); return err })
	return up, err
}

// AwakeTime is the time since boot without that in suspend (CLOCK_MONOTONIC of
// clock_gettime(2)); 0 where a recorded machine does not tell.
func (h *Host) AwakeTime() (time.Duration, error) { return h.machine.Awake(), nil }

func monotonic() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// Name is the name of the host: that of the running kernel, or, under another
// root, the one in its etc/hostname. (/proc/sys/kernel/hostname, wherever it
// is mounted, tells the name in the reader's namespace: the container's.)
// fs.ErrNotExist where there is none.
func (h *Host) Name() (string, error) {
	if h.root.Path == "/" {
		var u unix.Utsname
		if err := unix.Uname(&u); err != nil {
			return "", fmt.Errorf("uname: %w", err)
		}
		return firstWord(string(u.Nodename[:]))
	}
	return h.firstOf(filepath.Join(h.root.Path, "etc/hostname"))
}

// ID is the host's machine-id(5). fs.ErrNotExist where it has none.
func (h *Host) ID() (string, error) {
	return h.firstOf(filepath.Join(h.root.Path, "etc/machine-id"), filepath.Join(h.root.Path, "var/lib/dbus/machine-id"))
}

// firstOf is the word in the first of the files that has one.
func (h *Host) firstOf(paths ...string) (string, error) {
	var errs []error
	for _, path := range paths {
		b, err := h.readFile(path, &h.buf)
		if err == nil {
			if word, err := firstWord(string(b)); err == nil {
				return word, nil
			}
			err = fmt.Errorf("%s: %w: empty", path, fs.ErrNotExist)
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// firstWord is the first line that is neither empty nor a comment.
func firstWord(s string) (string, error) {
	s, _, _ = strings.Cut(s, "\x00")
	for line := range bytes.Lines([]byte(s)) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' {
			var word string
			keep(&word, line)
			return word, nil
		}
	}
	return "", fs.ErrNotExist
}
