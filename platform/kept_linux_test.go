// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/internal/pidtest"
)

// keptRequest takes three files of each process.
var keptRequest = Request{Fields: FieldState | FieldCPUTime | FieldMemory | FieldLogicalIO, Keep: true}

func again(t *testing.T, h *Host) *Snapshot {
	t.Helper()
	s, err := h.Snapshot(t.Context(), keptRequest)
	require.NoError(t, err)
	require.NoError(t, s.ProcessesErr)
	return s
}

// keptBy is how many files a host keeps open.
func keptBy(h *Host) (open int) {
	for _, p := range h.table.processes {
		for _, fd := range p.cache.open {
			open += int(min(fd, 1))
		}
	}
	return open
}

// processFiles are the files of processes that this one has open.
func processFiles(t *testing.T) (names []string) {
	t.Helper()
	for _, path := range readlinks(t, "/proc/self/fd") {
		if strings.HasPrefix(path, "/proc/") && path != "/proc/self/fd" {
			names = append(names, strings.TrimPrefix(path, "/proc/"))
		}
	}
	return names
}

func readlinks(t *testing.T, dir string) (to []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if path, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			to = append(to, path)
		}
	}
	return to
}

// From the third snapshot on there is one system call a file, and what it
// answers is as new as that of another host which opens them.
func TestKeptFilesTellWhatIsNew(t *testing.T) {
	namespaced(t, func(t *testing.T) {
		before := processFiles(t)
		cat := exec.Command("cat")
		in, err := cat.StdinPipe()
		require.NoError(t, err)
		out, err := cat.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cat.Start())
		t.Cleanup(func() { end(cat) })

		h, err := Open(Root{}, Machine{})
		require.NoError(t, err)
		again(t, h)
		assert.Zero(t, keptBy(h), "who was seen once may be gone the next time")
		n := len(again(t, h).Processes)
		assert.Equal(t, 3*n, keptBy(h))

		other := live(t)
		request := keptRequest
		request.Keep = false
		for i := range 5 {
			buf := make([]byte, 1000<<i)
			_, err := in.Write(buf)
			require.NoError(t, err)
			_, err = io.ReadFull(out, buf)
			require.NoError(t, err)

			opened := func() Process {
				s, err := other.Snapshot(t.Context(), request)
				require.NoError(t, err)
				p := *find(s, cat.Process.Pid)
				p.Age = 0
				return p
			}
			var p Process
			require.Eventually(t, func() bool { // until it stands still
				first, calls := opened(), h.calls
				p = *find(again(t, h), cat.Process.Pid)
				assert.Equal(t, hostCalls+listCalls+3*n, h.calls-calls)
				p.cache, p.Age = first.cache, first.Age
				return p.State == StateSleeping && assert.ObjectsAreEqual(first, opened()) && assert.ObjectsAreEqual(first, p)
			}, time.Minute, time.Millisecond)
			assert.Equal(t, uint64(1000<<(i+1)-1000), p.WriteChars)
			assert.Zero(t, keptBy(other))
		}
		assert.NotEqual(t, before, processFiles(t))
		require.NoError(t, other.Close())
		require.NoError(t, h.Close())
		assert.Equal(t, before, processFiles(t))
	})
}

// A file that was kept never tells of the next process with the number.
func TestKeptFilesAndReuse(t *testing.T) {
	namespaced(t, func(t *testing.T) {
		h := live(t)
		victim := sleeper(t)
		again(t, h)
		p := find(again(t, h), victim.Process.Pid)
		require.NotZero(t, p.cache.open[statFile])
		p.Note = "the victim's"
		id, open := p.ID, keptBy(h)
		end(victim)
		newTick()
		newcomer := startAs(t, victim.Process.Pid)

		p = find(again(t, h), newcomer.Process.Pid)
		require.NotNil(t, p)
		assert.Equal(t, id.PID, p.PID)
		assert.Greater(t, p.Start, id.Start)
		assert.Nil(t, p.Note)
		assert.Equal(t, open-3, keptBy(h))
		again(t, h)
		assert.Equal(t, open, keptBy(h))

		end(newcomer)
		assert.Nil(t, find(again(t, h), newcomer.Process.Pid))
		assert.Equal(t, open-3, keptBy(h))
		for _, name := range processFiles(t) {
			assert.NotContains(t, name, "/stat (deleted)")
		}

		// One that was seen only once is found to be another when a file of it is
		// open already.
		victim = sleeper(t)
		again(t, h)
		end(victim)
		newTick()
		newcomer = startAs(t, victim.Process.Pid)
		assert.Zero(t, find(again(t, h), newcomer.Process.Pid).cache.open)
		assert.Len(t, processFiles(t), keptBy(h))
	})
}

// An exec changes the program, not the process: its files go on.
func TestKeptFilesAndExec(t *testing.T) {
	namespaced(t, func(t *testing.T) { // where there are few, so that all have files that are kept
		h := live(t)
		cmd := exec.Command("sh", "-c", "read line; exec sleep 1000")
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { end(cmd) })
		again(t, h)
		p := find(again(t, h), cmd.Process.Pid)
		assert.Equal(t, "sh", p.Name)
		kept := p.cache.open
		require.NotZero(t, kept[statFile])
		_, err = in.Write([]byte("\n"))
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			p = find(again(t, h), cmd.Process.Pid)
			return p.Name == "sleep"
		}, time.Minute, time.Millisecond)
		assert.Equal(t, kept, p.cache.open)
		assert.Positive(t, p.RSS)
	})
}

// What this user may no longer read is not read by a file that he could open.
func TestKeptFilesAndRights(t *testing.T) {
	const role = "HOSTSCOPE_TEST_RIGHTS"
	switch os.Getenv(role) {
	case "":
		if os.Getuid() == 0 { // who may read everything
			pidtest.AsUser(t, 65534, role+"=reader")
			return
		}
	case "read":
		_, err := os.Stdin.Read(make([]byte, 1))
		require.NoError(t, err)
		// As a program that changes its user is to others.
		require.NoError(t, unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
		fmt.Println("done")
		_, _ = os.Stdin.Read(make([]byte, 1))
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), role+"=read")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { end(cmd) })
	h := live(t)
	h.table.kept.most = 1 << 20 // enough for all, however many there are here
	only := keptRequest
	only.Select = func(p *Process) bool { return int(p.PID) == cmd.Process.Pid }
	read := func() (*Process, int) {
		s, err := h.Snapshot(t.Context(), only)
		require.NoError(t, err)
		require.NoError(t, s.ProcessesErr)
		return find(s, cmd.Process.Pid), s.Tally.Denied(FieldLogicalIO)
	}
	read()
	p, denied := read()
	assert.Zero(t, denied)
	require.NotZero(t, p.cache.open[ioFile])
	assert.True(t, p.Got.Has(FieldLogicalIO))
	_, err = in.Write([]byte("\n"))
	require.NoError(t, err)
	_, err = io.ReadFull(out, make([]byte, 5))
	require.NoError(t, err)
	p, denied = read()
	assert.Equal(t, 1, denied)
	assert.NotZero(t, p.cache.open[ioFile])
	assert.False(t, p.Got.Has(FieldLogicalIO))
	assert.True(t, p.Got.Has(FieldCPUTime|FieldMemory))
}

// The budget is kept, and who ends leaves his part to others.
func TestKeptFilesAreFew(t *testing.T) {
	namespaced(t, func(t *testing.T) {
		h := live(t)
		assert.LessOrEqual(t, h.table.kept.most, maxKept)
		h.table.kept.most = 7
		var crowd []*exec.Cmd
		for range 6 {
			crowd = append(crowd, sleeper(t))
		}
		for range 2 {
			again(t, h)
		}
		for round := range 4 {
			s := again(t, h)
			assert.Equal(t, 7, keptBy(h))
			assert.EqualValues(t, 7, keptByAll.Load())
			assert.Len(t, processFiles(t), 7)
			for _, p := range s.Processes {
				assert.Positive(t, p.ReadChars, "process %d is read all the same", p.PID)
			}
			end(crowd[round])
			again(t, h) // which misses him
		}

		// All hosts share it.
		other := live(t)
		other.table.kept.most = 7
		for range 3 {
			again(t, other)
		}
		assert.Zero(t, keptBy(other))
		require.NoError(t, h.Close())
		again(t, other)
		assert.Equal(t, 7, keptBy(other))
	})
}

// Where descriptors run out, those of the table are given back.
func TestKeptFilesAreGivenBack(t *testing.T) {
	const role = "HOSTSCOPE_TEST_FEW_DESCRIPTORS"
	if os.Getenv(role) == "" {
		out, err := pidtest.Again(t, t.Name(), nil, role+"=1")
		require.NoError(t, err, "%s", out)
		return
	}
	keeper := func() *Host {
		h := live(t)
		again(t, h)
		again(t, h)
		require.Positive(t, keptBy(h))
		return h
	}
	gaveBack := func(h *Host) {
		assert.Zero(t, keptBy(h))
		assert.Zero(t, h.table.kept.most)
	}
	host, threads := keeper(), keeper()
	next, err := unix.Dup(0) // the lowest number that is free
	require.NoError(t, err)
	require.NoError(t, unix.Close(next))

	// To read a thread takes two descriptors, and there is one.
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(next) + 1, Max: uint64(next) + 1}))
	request := keptRequest
	request.Fields |= FieldThreadList
	s, err := threads.Snapshot(t.Context(), request)
	require.NoError(t, err)
	require.ErrorIs(t, s.ProcessesErr, unix.EMFILE)
	gaveBack(threads)
	s, err = threads.Snapshot(t.Context(), request)
	require.NoError(t, err)
	require.NoError(t, s.ProcessesErr, "what was given back is enough")

	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1, Max: 1}))
	_, err = host.Snapshot(t.Context(), keptRequest)
	require.ErrorIs(t, err, unix.EMFILE)
	gaveBack(host)
}
