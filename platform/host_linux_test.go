// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHostReadings(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	s, err := h.Snapshot(t.Context(), Request{})
	require.NoError(t, err)
	assert.Equal(t, &Snapshot{
		Time: bootTime.Add(100 * time.Second),
		Boot: bootTime,
		CPU: CPU{
			Total: CPUTimes{User: 4, Nice: 0.1, System: 2, Idle: 90, IOWait: 0.5, IRQ: 0.03, SoftIRQ: 0.04, Steal: 0.05},
			PerCPU: []LogicalCPU{
				{0, CPUTimes{User: 1.5, Nice: 0.04, System: 1, Idle: 45, IOWait: 0.25, IRQ: 0.01, SoftIRQ: 0.02, Steal: 0.02}},
				{1, CPUTimes{User: 2.5, Nice: 0.06, System: 1, Idle: 45, IOWait: 0.25, IRQ: 0.02, SoftIRQ: 0.02, Steal: 0.03}},
			},
		},
	}, s)
	up, err := h.Uptime()
	require.NoError(t, err)
	assert.Equal(t, 100500*time.Millisecond, up)

	tr.write("proc/stat", "cpu 1 2 3\n")
	s, err = h.Snapshot(t.Context(), Request{Fields: FieldState})
	assert.ErrorIs(t, err, ErrMalformed)
	assert.ErrorContains(t, err, tr.dir+"/proc/stat")
	assert.Equal(t, &Snapshot{Time: bootTime.Add(100 * time.Second), CPU: CPU{PerCPU: []LogicalCPU{}}}, s, "only the time is known")
	tr.remove("proc/uptime")
	_, err = h.Uptime()
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.EqualError(t, err, tr.dir+"/proc/uptime: file does not exist")
}

func TestNameAndID(t *testing.T) {
	tr := newTree(t)
	h := tr.open()
	_, err := h.Name()
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "etc/hostname")
	_, err = h.ID()
	assert.ErrorIs(t, err, fs.ErrNotExist)

	// Under another root the name in /proc is that of the reader's namespace.
	tr.write("proc/sys/kernel/hostname", "container\n")
	_, err = h.Name()
	assert.ErrorIs(t, err, fs.ErrNotExist)

	tr.write("etc/hostname", "# set by hand\n\nbox.example \n")
	name, err := h.Name()
	require.NoError(t, err)
	assert.Equal(t, "box.example", name)

	tr.write("var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n")
	id, err := h.ID()
	require.NoError(t, err)
	assert.Equal(t, "0123456789abcdef0123456789abcdef", id)
	tr.write("etc/machine-id", "fedcba9876543210fedcba9876543210\n")
	id, err = h.ID()
	require.NoError(t, err)
	assert.Equal(t, "fedcba9876543210fedcba9876543210", id)
}
