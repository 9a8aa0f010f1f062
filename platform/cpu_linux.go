// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
	"github.com/hostscope/hostscope/platform/internal/sysfs"
)

// activity is what /proc/stat counts. A kernel that runs has switched contexts
// and has a thread that runs, the reader: a sandbox that says 0 does not count.
func activity(raw *procfs.Activity) Activity {
	a := Activity{
		ContextSwitches: raw.ContextSwitches, Interrupts: raw.Interrupts, SoftInterrupts: raw.SoftInterrupts,
		Created: raw.Forks, Runnable: raw.Running, Blocked: raw.Blocked,
	}
	for _, f := range [...]struct {
		line  procfs.ActivityLines
		field ActivityFields
		known bool
	}{
		{procfs.StatContextSwitches, ActivityContextSwitches, a.ContextSwitches > 0},
		{procfs.StatInterrupts, ActivityInterrupts, a.Interrupts > 0},
		{procfs.StatSoftInterrupts, ActivitySoftInterrupts, a.SoftInterrupts > 0},
		{procfs.StatForks, ActivityCreated, a.Created > 0},
		{procfs.StatRunning, ActivityRunnable, a.Runnable > 0},
		{procfs.StatBlocked, ActivityBlocked, true},
	} {
		if f.known && raw.Has&f.line != 0 {
			a.Got |= f.field
		}
	}
	return a
}

// onlineCPUs are the numbers of the CPUs that were online at some time.
type onlineCPUs []int

// are tells whether the CPUs of /proc/stat are these, and else makes them so.
func (o *onlineCPUs) are(cpus []procfs.CPU) bool {
	if slices.EqualFunc(*o, cpus, func(n int, c procfs.CPU) bool { return n == c.Number }) {
		return true
	}
	*o = (*o)[:0]
	for i := range cpus {
		*o = append(*o, cpus[i].Number)
	}
	return false
}

// cores is how many physical cores a set of CPUs has: a file for each CPU, so
// it is counted once for as long as the same ones are online.
type cores struct {
	online onlineCPUs
	count  int // 0 for unknown
}

// PhysicalCPUs is the number of physical cores of the CPUs that were online in
// the last Snapshot; 0 where nothing tells.
func (h *Host) PhysicalCPUs() (int, error) {
	c := &h.cores
	if c.online.are(h.stat.CPUs) {
		return c.count, nil
	}
	var err error
	if c.count, err = h.countCores(c.online); err != nil {
		c.online = c.online[:0] // next time again
	}
	return c.count, err
}

// countCores counts the CPUs that are the first of their core. What the files
// list are the CPUs of a core, however the architecture numbers its cores,
// packages and clusters.
func (h *Host) countCores(online []int) (int, error) {
	firsts := make([]int, 0, len(online))
	for _, cpu := range online {
		dir := filepath.Join(h.root.Sys, "devices/system/cpu", "cpu"+strconv.Itoa(cpu), "topology")
		path := dir + "/core_cpus_list"
		b, err := h.readFile(path, &h.buf)
		if errors.Is(err, fs.ErrNotExist) {
			path = dir + "/thread_siblings_list" // its name before Linux 5.3
			b, err = h.readFile(path, &h.buf)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return h.coresOfCPUInfo()
		}
		if err != nil {
			return 0, err
		}
		first := -1
		err = sysfs.CPUs(b, func(n int) {
			if first < 0 {
				first = n
			}
		})
		if err != nil || first < 0 {
			return 0, fmt.Errorf("%s: %w", path, ErrMalformed)
		}
		firsts = append(firsts, first)
	}
	slices.Sort(firsts)
	return len(slices.Compact(firsts)), nil
}

// coresOfCPUInfo counts the cores of /proc/cpuinfo, which most architectures
// but x86 say nothing of.
func (h *Host) coresOfCPUInfo() (int, error) {
	type core struct{ pkg, core uint64 }
	seen, unknown := map[core]bool{}, false
	err := h.readAny("cpuinfo", func(b []byte) error {
		procfs.Processors(b, func(p procfs.Processor) {
			const both = procfs.ProcessorPackage | procfs.ProcessorCore
			seen[core{p.Package, p.Core}] = true
			unknown = unknown || p.Has&both != both
		})
		return nil
	})
	if unknown {
		return 0, err
	}
	return len(seen), err
}

// cpufreq reads how fast CPUs run. A driver may have to ask hardware or
// firmware, and may never come back, so that all of this belongs to a read
// that can be left behind.
type cpufreq struct {
	access
	buf      []byte
	number   [64]byte
	online   []int
	policies []policy // as long as the same CPUs are online
	cpus     []CPUFrequency
	budget   time.Duration
	slow     bool // to ask the policies takes longer
	errs     []error
}

// policy is a group of CPUs that run at one frequency.
type policy struct {
	cpus  []int
	files [numFrequencies][]byte // that end in NUL
}

const (
	// frequencyPatience is how long frequencies are waited for.
	frequencyPatience = time.Second
	// frequencyBudget is how long policies are asked one after the other. From
	// Linux 4.13 to 5.17 an x86 measures for 10 ms for each idle CPU, where
	// /proc/cpuinfo takes that time for all of them together.
	frequencyBudget = 100 * time.Millisecond
)

// CPUFrequencies appends to dst, in their order, those of the CPUs that were
// online in the last Snapshot whose frequency or limits are known, as far as
// they are wanted: of the policies of cpufreq, or what /proc/cpuinfo says where
// those say nothing. What is known is answered also when the error, which names
// the files, is not nil.
func (h *Host) CPUFrequencies(dst []CPUFrequency, want FrequencyFields) ([]CPUFrequency, error) {
	online := make([]int, 0, len(h.stat.CPUs)) // the read may outlive this snapshot
	for i := range h.stat.CPUs {
		online = append(online, h.stat.CPUs[i].Number)
	}
	slices.Sort(online)
	f, root := &h.cpufreq, h.root
	if err := h.bounded.try("cpufreq", frequencyPatience, func() { f.read(root, online, want) }); err != nil {
		return dst, fmt.Errorf("%s: %w", filepath.Join(root.Sys, cpufreqDir), err)
	}
	h.calls += f.calls
	f.calls = 0
	for i := range f.cpus {
		if f.cpus[i].Got != 0 {
			dst = append(dst, f.cpus[i])
		}
	}
	return dst, errors.Join(f.errs...)
}

const cpufreqDir = "devices/system/cpu/cpufreq"

func (f *cpufreq) read(root Root, online []int, want FrequencyFields) {
	f.cpus, f.errs = f.cpus[:0], f.errs[:0]
	for _, n := range online {
		f.cpus = append(f.cpus, CPUFrequency{Number: n})
	}
	if len(f.policies) == 0 || !slices.Equal(f.online, online) {
		f.online = online
		f.find(filepath.Join(root.Sys, cpufreqDir))
	}
	f.ask(want)
	if want&FrequencyCurrent != 0 && (f.slow || !f.any()) {
		f.slow = f.cpuinfo(root.Proc + "/cpuinfo")
	}
}

// ask reads the files of the policies.
func (f *cpufreq) ask(want FrequencyFields) {
	budget := cmp.Or(f.budget, frequencyBudget)
	start := time.Now()
	policies := f.policies // of which one may turn out to be gone
	for i := range policies {
		p := &policies[i]
		if f.slow {
			want &^= FrequencyCurrent
		}
		var got CPUFrequency
		for k, at := range [...]*uint64{&got.Current, &got.Min, &got.Max} {
			if field := FrequencyFields(1) << k; want&field != 0 {
				var ok bool
				if *at, ok = f.hertz(p.files[k]); ok {
					got.Got |= field
				}
			}
		}
		for _, n := range p.cpus {
			if c := f.cpu(n); c != nil {
				got.Number = n
				*c = got
			}
		}
		f.slow = f.slow || want&FrequencyCurrent != 0 && time.Since(start) > budget
	}
}

// cpu is that of a CPU, nil of one that is not online.
func (f *cpufreq) cpu(number int) *CPUFrequency {
	i, ok := slices.BinarySearchFunc(f.cpus, number, func(c CPUFrequency, n int) int { return cmp.Compare(c.Number, n) })
	if !ok {
		return nil
	}
	return &f.cpus[i]
}

// any tells whether the current frequency of some CPU is known.
func (f *cpufreq) any() bool {
	return slices.ContainsFunc(f.cpus, func(c CPUFrequency) bool { return c.Got&FrequencyCurrent != 0 })
}

// hertz reads a file of a policy, if that is there and knows.
func (f *cpufreq) hertz(file []byte) (hz uint64, ok bool) {
	b, errno := f.readOnce(unix.AT_FDCWD, file, f.number[:])
	path := func() string { return string(bytes.TrimSuffix(file, []byte{0})) }
	switch errno {
	case 0:
	case unix.ENOENT, unix.ENODEV:
		f.policies = nil // there are others now
		return 0, false
	case unix.EAGAIN, unix.EBUSY:
		return 0, false // it is being measured, or goes offline
	default:
		f.errs = append(f.errs, fileError(path(), errno))
		return 0, false
	}
	hz, ok, err := sysfs.Kilohertz(b)
	if err != nil {
		f.errs = append(f.errs, fmt.Errorf("%s: %w: %w", path(), ErrMalformed, err))
	}
	return hz, ok
}

// find looks for the policies and the CPUs of each that are online.
func (f *cpufreq) find(dir string) {
	f.policies = nil
	fd, err := f.openPath(dir, unix.O_DIRECTORY)
	if errors.Is(err, fs.ErrNotExist) {
		return // there is no driver
	} else if err != nil {
		f.errs = append(f.errs, err)
		return
	}
	defer f.close(fd)
	var dirents [4096]byte
	var names []string
	if errno := f.listdir(fd, dirents[:], func(name []byte) {
		if bytes.HasPrefix(name, []byte("policy")) {
			names = append(names, string(name))
		}
	}); errno != 0 {
		f.errs = append(f.errs, fileError(dir, errno))
	}
	for _, name := range names {
		var p policy
		path := filepath.Join(dir, name, "affected_cpus")
		b, err := f.readFile(path, &f.buf)
		if err == nil {
			err = sysfs.CPUs(b, func(n int) { p.cpus = append(p.cpus, n) })
			if err != nil {
				err = fmt.Errorf("%s: %w: %w", path, ErrMalformed, err)
			}
		}
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.EBUSY):
			continue // none of its CPUs is online any more
		case err != nil:
			f.errs = append(f.errs, err)
			continue
		}
		for i, file := range [...]string{"scaling_cur_freq", "scaling_min_freq", "scaling_max_freq"} {
			p.files[i] = []byte(filepath.Join(dir, name, file) + "\x00")
		}
		f.policies = append(f.policies, p)
	}
}

// cpuinfo reads the frequencies that are not known yet, and tells whether
// there were any.
func (f *cpufreq) cpuinfo(path string) (any bool) {
	b, err := f.readFile(path, &f.buf)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			f.errs = append(f.errs, err)
		}
		return false
	}
	procfs.Processors(b, func(p procfs.Processor) {
		if p.Has&procfs.ProcessorFrequency == 0 {
			return
		}
		any = true
		if c := f.cpu(p.Number); c != nil && c.Got&FrequencyCurrent == 0 {
			c.Current = p.Frequency
			c.Got |= FrequencyCurrent
		}
	})
	return any
}
