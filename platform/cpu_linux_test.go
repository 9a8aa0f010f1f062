// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const cpuDir = "sys/devices/system/cpu/"

// online has these CPUs in the next snapshot, and takes it.
func (tr tree) online(h *Host, cpus ...int) {
	stat := "cpu  4 3 2 1\n"
	for _, n := range cpus {
		stat += fmt.Sprintf("cpu%d 4 3 2 1\n", n)
	}
	tr.write("proc/stat", stat+"btime 1700000000\n")
	_, err := h.Snapshot(tr.t.Context(), Request{})
	require.NoError(tr.t, err)
}

func TestPhysicalCPUs(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	count := func() int {
		n, err := h.PhysicalCPUs()
		require.NoError(t, err)
		return n
	}
	assert.Zero(t, count(), "before the first snapshot")
	tr.online(h, 0, 1, 2, 3)
	assert.Zero(t, count(), "nothing tells")

	// Two cores of two threads, then two of one: as on a hybrid.
	for n, list := range []string{"0,2", "1,3", "0,2", "1,3", "4", "5-5"} {
		tr.write(fmt.Sprintf("%scpu%d/topology/core_cpus_list", cpuDir, n), list+"\n")
	}
	assert.Zero(t, count(), "not again for the same CPUs")
	tr.online(h, 0, 1, 2, 3, 4, 5)
	assert.Equal(t, 4, count())
	before := h.calls
	assert.Equal(t, 4, count())
	assert.Equal(t, before, h.calls, "counted once")
	tr.online(h, 0, 1, 2, 3, 4)
	assert.Equal(t, 3, count())
	tr.online(h, 0, 2, 4)
	assert.Equal(t, 2, count())

	// Before Linux 5.3.
	tr.remove(cpuDir + "cpu4/topology/core_cpus_list")
	tr.write(cpuDir+"cpu4/topology/thread_siblings_list", "4\n")
	tr.online(h, 2, 4)
	assert.Equal(t, 2, count())

	tr.write(cpuDir+"cpu4/topology/thread_siblings_list", "\n")
	tr.online(h, 4)
	for range 2 { // it is tried again
		_, err := h.PhysicalCPUs()
		assert.ErrorIs(t, err, ErrMalformed)
		assert.ErrorContains(t, err, "cpu4/topology/thread_siblings_list")
	}
	tr.write(cpuDir+"cpu4/topology/thread_siblings_list", "4\n")
	assert.Equal(t, 1, count())
}

func TestPhysicalCPUsOfCPUInfo(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	info := ""
	for n, core := range []string{"0 0", "0 1", "1 0", "0 0"} {
		pkg, core, _ := strings.Cut(core, " ")
		info += fmt.Sprintf("processor\t: %d\nphysical id\t: %s\ncore id\t\t: %s\n\n", n, pkg, core)
	}
	for i, tt := range []struct {
		info string
		want int
	}{{info, 3}, {info + "processor\t: 4\n", 0}, {"", 0}} {
		tr.write("proc/cpuinfo", tt.info)
		tr.online(h, i) // another set
		n, err := h.PhysicalCPUs()
		require.NoError(t, err)
		assert.Equal(t, tt.want, n)
	}
}

// policies are those of a big and a little core, of three CPUs.
func (tr tree) policies() {
	for name, file := range map[string][4]string{
		"policy0": {"0 1\n", "1800000\n", "300000\n", "2000000\n"},
		"policy2": {"2\n", "2841600\n", "800000\n", "2900000\n"},
	} {
		for i, content := range file {
			tr.write(cpuDir+"cpufreq/"+name+"/"+[...]string{"affected_cpus", "scaling_cur_freq", "scaling_min_freq", "scaling_max_freq"}[i], content)
		}
	}
	tr.write(cpuDir+"cpufreq/boost", "1\n")
}

func TestCPUFrequencies(t *testing.T) {
	const all = FrequencyCurrent | FrequencyMin | FrequencyMax
	tr := newTree(t)
	h := tr.open()
	read := func(want FrequencyFields) []CPUFrequency {
		f, err := h.CPUFrequencies(nil, want)
		require.NoError(t, err)
		return f
	}
	assert.Empty(t, read(all))
	tr.online(h, 0, 1, 2)
	assert.Empty(t, read(all), "nothing tells")

	tr.policies() // the driver is loaded later
	want := []CPUFrequency{
		{0, all, 1_800_000_000, 300_000_000, 2_000_000_000},
		{1, all, 1_800_000_000, 300_000_000, 2_000_000_000},
		{2, all, 2_841_600_000, 800_000_000, 2_900_000_000},
	}
	assert.Equal(t, want, read(all))
	before := h.calls
	assert.Equal(t, []CPUFrequency{
		{0, FrequencyCurrent, 1_800_000_000, 0, 0}, {1, FrequencyCurrent, 1_800_000_000, 0, 0}, {2, FrequencyCurrent, 2_841_600_000, 0, 0},
	}, read(FrequencyCurrent))
	assert.Equal(t, 2*3, h.calls-before, "a file per policy")

	// It is fresh each time; what a driver does not know is absent.
	tr.write(cpuDir+"cpufreq/policy0/scaling_cur_freq", "600000\n")
	tr.write(cpuDir+"cpufreq/policy2/scaling_cur_freq", "0\n")
	tr.write(cpuDir+"cpufreq/policy2/scaling_min_freq", "<unknown>\n")
	assert.Equal(t, []CPUFrequency{
		{0, all, 600_000_000, 300_000_000, 2_000_000_000},
		{1, all, 600_000_000, 300_000_000, 2_000_000_000},
		{2, FrequencyMax, 0, 0, 2_900_000_000},
	}, read(all))

	// One CPU goes offline, then a whole policy.
	tr.write(cpuDir+"cpufreq/policy0/affected_cpus", "1\n")
	tr.online(h, 1, 2)
	assert.Equal(t, []CPUFrequency{{1, FrequencyCurrent, 600_000_000, 0, 0}}, read(FrequencyCurrent))
	tr.remove(cpuDir + "cpufreq/policy0")
	assert.Equal(t, []CPUFrequency{{2, FrequencyMax, 0, 0, 2_900_000_000}}, read(all), "the snapshot is older")
	tr.write(cpuDir+"cpufreq/policy0/affected_cpus", "\n")
	assert.Equal(t, []CPUFrequency{{2, FrequencyMax, 0, 0, 2_900_000_000}}, read(all))

	tr.write(cpuDir+"cpufreq/policy2/scaling_max_freq", "fast\n")
	tr.write(cpuDir+"cpufreq/policy2/scaling_cur_freq", "2000000\n")
	f, err := h.CPUFrequencies(nil, all)
	assert.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, tr.dir+"/"+cpuDir+"cpufreq/policy2/scaling_max_freq: malformed")
	assert.Equal(t, []CPUFrequency{{2, FrequencyCurrent, 2_000_000_000, 0, 0}}, f)

	tr.write(cpuDir+"cpufreq/policy3/affected_cpus", "all\n")
	tr.online(h, 2)
	_, err = h.CPUFrequencies(nil, FrequencyCurrent)
	assert.ErrorContains(t, err, "policy3/affected_cpus: malformed")
}

// Where cpufreq does not tell, /proc/cpuinfo may: on virtual machines, and on
// x86 kernels on which it takes long to ask every policy.
func TestCPUFrequenciesOfCPUInfo(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	tr.write("proc/cpuinfo", "processor : 0\ncpu MHz : 2600.000\n\nprocessor : 1\ncpu MHz : 2599.998\n\nprocessor : 7\ncpu MHz : 1000.0\n")
	tr.online(h, 0, 1, 2)
	want := []CPUFrequency{{0, FrequencyCurrent, 2_600_000_000, 0, 0}, {1, FrequencyCurrent, 2_599_998_000, 0, 0}}
	f, err := h.CPUFrequencies(nil, FrequencyCurrent|FrequencyMin)
	require.NoError(t, err)
	assert.Equal(t, want, f)
	f, err = h.CPUFrequencies(f[:0], FrequencyMin)
	require.NoError(t, err)
	assert.Empty(t, f)

	tr.policies()
	h.cpufreq.budget = time.Nanosecond
	for i := range 3 {
		f, err = h.CPUFrequencies(nil, FrequencyCurrent|FrequencyMax)
		require.NoError(t, err)
		require.Len(t, f, 3)
		assert.True(t, h.cpufreq.slow)
		for _, c := range f {
			assert.True(t, c.Got.Has(FrequencyMax), "limits are always told")
		}
		if i > 0 { // the first time one policy was asked
			assert.Equal(t, []uint64{2_600_000_000, 2_599_998_000, 0}, []uint64{f[0].Current, f[1].Current, f[2].Current})
		}
	}

	// Where it knows nothing, there is no other way.
	tr.remove("proc/cpuinfo")
	_, err = h.CPUFrequencies(nil, FrequencyCurrent)
	require.NoError(t, err)
	h.cpufreq.budget = 0
	f, err = h.CPUFrequencies(nil, FrequencyCurrent)
	require.NoError(t, err)
	require.Len(t, f, 3)
	assert.Equal(t, uint64(2_841_600_000), f[2].Current)
}

// A driver that does not answer delays one reading, and then none.
func TestCPUFrequenciesHang(t *testing.T) {
	tr := newTree(t)
	tr.policies()
	h := tr.open()
	tr.online(h, 0, 1, 2)
	fifo := cpuDir + "cpufreq/policy0/scaling_cur_freq"
	tr.remove(fifo)
	require.NoError(t, unix.Mkfifo(filepath.Join(tr.dir, fifo), 0o600))

	for range 3 {
		f, err := h.CPUFrequencies(nil, FrequencyCurrent)
		assert.ErrorIs(t, err, ErrTimeoutExpired)
		assert.EqualError(t, err, tr.dir+"/"+strings.TrimSuffix(cpuDir, "/")+"/cpufreq: timeout expired")
		assert.Empty(t, f)
	}
	require.Len(t, h.bounded.stuck, 1)

	w, err := os.OpenFile(filepath.Join(tr.dir, fifo), os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = w.WriteString("1800000\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	<-h.bounded.stuck["cpufreq"]
	tr.remove(fifo)
	tr.write(fifo, "1700000\n")
	f, err := h.CPUFrequencies(nil, FrequencyCurrent)
	require.NoError(t, err)
	require.Len(t, f, 3)
	assert.Equal(t, uint64(1_700_000_000), f[0].Current)
}

// What may not be read is told, by the name of its file.
func TestCPUFrequenciesDenied(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become somebody else")
	}
	tr := newTree(t)
	tr.policies()
	require.NoError(t, os.Chmod(filepath.Join(tr.dir, cpuDir, "cpufreq/policy0/scaling_cur_freq"), 0))
	require.NoError(t, os.Chmod(filepath.Dir(tr.dir), 0o755))
	require.NoError(t, os.Chmod(tr.dir, 0o755))
	h := tr.open()
	tr.online(h, 0, 1, 2)
	f := &h.cpufreq
	unprivileged(t, func() {
		f.buf = nil
		f.read(h.root, []int{0, 1, 2}, FrequencyCurrent)
	})
	require.Len(t, f.errs, 1)
	assert.ErrorIs(t, f.errs[0], fs.ErrPermission)
	assert.ErrorContains(t, f.errs[0], "policy0/scaling_cur_freq")
	assert.Equal(t, []FrequencyFields{0, 0, FrequencyCurrent}, []FrequencyFields{f.cpus[0].Got, f.cpus[1].Got, f.cpus[2].Got})
}

// On 128 CPUs with a policy each, the steady state is one open, read and close
// per policy, and allocates nothing for it.
func TestCostOfCPUs(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	const n = 128
	var cpus []int
	for i := range n {
		dir := fmt.Sprintf("%scpufreq/policy%d/", cpuDir, i)
		tr.write(dir+"affected_cpus", fmt.Sprintln(i))
		tr.write(dir+"scaling_cur_freq", "1800000\n")
		tr.write(fmt.Sprintf("%scpu%d/topology/core_cpus_list", cpuDir, i), fmt.Sprintln(i))
		cpus = append(cpus, i)
	}
	tr.online(h, cpus...)
	h.cpufreq.budget = time.Hour
	var dst []CPUFrequency
	read := func() {
		var err error
		dst, err = h.CPUFrequencies(dst[:0], FrequencyCurrent)
		require.NoError(t, err)
		cores, err := h.PhysicalCPUs()
		require.NoError(t, err)
		require.Equal(t, n, cores)
	}
	read()
	require.Len(t, dst, n)
	before := h.calls
	read()
	assert.Equal(t, 3*n, h.calls-before)
	allocs := testing.AllocsPerRun(20, read)
	t.Logf("%d system calls, %.0f allocations", 3*n, allocs)
	assert.Less(t, allocs, 20.0)
}
