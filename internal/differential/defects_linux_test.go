// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package differential

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/internal/recorded"
	"github.com/hostscope/hostscope/platform"
)

// What another collector's host metrics get wrong, one test each. The values
// are those that the scraper emits.

// helper is a program of testdata that answers lines with lines.
type helper struct {
	t   testing.TB
	in  io.WriteCloser
	out *bufio.Reader
}

func start(t testing.TB, script string) *helper {
	if _, err := os.Stat(python); err != nil {
		t.Skip("needs " + python)
	}
	cmd := exec.Command(python, filepath.Join("testdata", script))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
		assert.Empty(t, errs.String())
	})
	return &helper{t, in, bufio.NewReader(out)}
}

func (h *helper) line() string {
	s, err := h.out.ReadString('\n')
	require.NoError(h.t, err)
	return strings.TrimSuffix(s, "\n")
}

func (h *helper) pid() int32 {
	n, err := strconv.Atoi(h.line())
	require.NoError(h.t, err)
	return int32(n)
}

// D1, D2: process.disk.io is what went to and came from storage. A program
// that writes 100 MB to /dev/null has written nothing, and its system calls
// are no disk operations.
func TestDiskIOIsOfStorage(t *testing.T) {
	s := openZoo(t)["io"]
	got := newScrape(t, open(t, platform.Root{})).points(s.PID)
	written := got["process.disk.io{disk.io.direction=write}"]
	assert.GreaterOrEqual(t, written, float64(s.Written))
	assert.Less(t, written, float64(s.Written+1<<20))
	assert.GreaterOrEqual(t, got["process.linux.io.transferred{disk.io.direction=write}"], float64(s.Passed))
	assert.GreaterOrEqual(t, got["process.linux.io.system_calls{disk.io.direction=write}"], 1064.0)
	for key := range got {
		assert.NotContains(t, key, "process.disk.operations")
	}
}

// D3: process.signals_pending is a number of signals, of the main thread and
// of the process; not the bits of one of both sets, nor the user's queue.
func TestPendingSignalsAreCounted(t *testing.T) {
	s := openZoo(t)["signals"]
	got := newScrape(t, open(t, platform.Root{})).points(s.PID)
	assert.EqualValues(t, 3, got["process.signals_pending"])
	assert.EqualValues(t, 2, got["process.unix.signal.count{process.unix.signal.set=pending}"])
	assert.EqualValues(t, 2, got["process.unix.signal.count{process.unix.signal.set=process_pending}"])
	assert.GreaterOrEqual(t, got["process.linux.signal.queued"], 6.0)
}

// D4: context switches never fall, although the threads that made them exit.
// And what goes while it is read, a thread, a descriptor or a mapping, does
// not lose us the process, nor one of its fields.
func TestContextSwitchesNeverFall(t *testing.T) {
	pid := start(t, "churn.py").pid()
	s := newScrape(t, open(t, platform.Root{}), detailed(t))
	const voluntary, involuntary = "process.context_switches{process.context_switch.type=voluntary}", "process.context_switches{process.context_switch.type=involuntary}"
	var last [2]float64
	seen := map[int32]bool{}
	gone, fell := 0, false
	for range 200 {
		got := s.points(pid)
		require.Contains(t, got, voluntary)
		require.Contains(t, got, involuntary)
		now := [2]float64{got[voluntary], got[involuntary]}
		assert.GreaterOrEqual(t, now[0], last[0])
		assert.GreaterOrEqual(t, now[1], last[1])
		last = now

		p := find(s.snap, pid)
		assert.Equal(t, s.scraper.Fields(), p.Got)
		require.Empty(t, s.snap.Tally.Sample)
		alive := map[int32]bool{}
		sum := 0.0
		for _, th := range p.More.ThreadList {
			alive[th.ID] = true
			sum += float64(th.Voluntary)
		}
		fell = fell || sum < now[0]
		for id := range seen {
			if !alive[id] {
				gone++
			}
		}
		seen = alive
		time.Sleep(2 * time.Millisecond)
	}
	assert.Positive(t, gone, "no thread exited")
	assert.True(t, fell, "the sum over living threads has never been below ours")
}

// D5: process.memory.utilization is a ratio.
func TestMemoryUtilizationIsARatio(t *testing.T) {
	h := open(t, platform.Root{})
	s := newScrape(t, h)
	got := s.points(int32(os.Getpid()))
	var m platform.Memory
	require.NoError(t, h.Memory(&m))
	want := got["process.memory.usage"] / float64(m.Total)
	assert.InEpsilon(t, want, got["process.memory.utilization"], 1e-9)
	assert.Less(t, got["process.memory.utilization"], 1.0)
}

// D6, D16, D17: roots in one process do not mix. States, and the names of
// owners, are those of the root that each host was opened on.
func TestRootsDoNotMix(t *testing.T) {
	passwd := func(name string) platform.Root {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "etc"), 0o755))
		line := fmt.Sprintf("%s:x:%d:0::/:/bin/sh\n", name, os.Getuid())
		require.NoError(t, os.WriteFile(filepath.Join(dir, "etc/passwd"), []byte(line), 0o644))
		return platform.Root{Path: dir, Proc: "/proc", Sys: "/sys", Dev: "/dev"}
	}
	first, second := open(t, passwd("first")), open(t, passwd("second"))
	root, machine := recorded.Open(t, "../../testdata/hosts/vm.txtar")
	third, err := platform.Open(root, machine)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, third.Close()) })

	self := int32(os.Getpid())
	for range 3 {
		for name, h := range map[string]*platform.Host{"first": first, "second": second} {
			s := newScrape(t, h)
			s.take(self)
			assert.Equal(t, name, s.resources[self]["process.owner"])
			for _, p := range s.snap.Processes {
				assert.NotEqual(t, platform.StateUnknown, p.State, p.PID)
			}
		}
		s := take(t, third, everything())
		require.NotEmpty(t, s.Processes)
		for _, p := range s.Processes {
			b, err := os.ReadFile(filepath.Join(root.Path, "proc", strconv.Itoa(int(p.PID)), "stat"))
			require.NoError(t, err)
			letter := b[bytes.LastIndexByte(b, ')')+2]
			assert.Equal(t, map[byte]string{'R': "running", 'S': "sleeping", 'I': "idle", 'D': "disk-sleep", 'T': "stopped", 'Z': "zombie"}[letter], states[p.State])
			assert.NotContains(t, []string{"first", "second"}, p.Owner)
		}
	}
}

// D7: CPU utilization belongs to an identity. A process that was given the PID
// of another has none at first, and then its own.
func TestUtilizationOfAReusedPID(t *testing.T) {
	h := start(t, "reuse.py")
	first := h.line()
	if strings.HasPrefix(first, "not permitted") {
		t.Skip("a PID namespace is " + first)
	}
	next := func(cpu string) {
		_, err := io.WriteString(h.in, cpu+"\n")
		require.NoError(t, err)
		require.Equal(t, "done", h.line())
	}
	next("0.6")
	root := "/proc/" + first + "/root"
	s := newScrape(t, open(t, platform.Root{Path: root}))
	const user, system = "process.cpu.utilization{cpu.mode=user}", "process.cpu.utilization{cpu.mode=system}"
	valid := func(got map[string]float64) {
		require.Contains(t, got, user)
		assert.GreaterOrEqual(t, got[user], 0.0)
		assert.LessOrEqual(t, got[user]+got[system], 1.0)
	}

	got := s.points(1000)
	require.NotEmpty(t, got)
	assert.NotContains(t, got, user, "nothing to compare with yet")
	one := s.resources[1000]["process.creation.time"]
	time.Sleep(20 * time.Millisecond)
	valid(s.points(1000))

	next("0.1") // less than its predecessor: the difference would be negative
	got = s.points(1000)
	require.NotEmpty(t, got)
	assert.NotContains(t, got, user)
	assert.NotEqual(t, one, s.resources[1000]["process.creation.time"])
	time.Sleep(20 * time.Millisecond)
	valid(s.points(1000))

	next("0.9") // more: the difference would be above 1
	got = s.points(1000)
	require.NotEmpty(t, got)
	assert.NotContains(t, got, user)
	time.Sleep(20 * time.Millisecond)
	valid(s.points(1000))
}

// D18: when the wall clock is stepped, the boot time follows at once, and the
// creation time of a process that is known stays.
func TestClockSteps(t *testing.T) {
	root, machine := recorded.Open(t, "../../testdata/hosts/vm.txtar")
	now := machine.Now()
	machine.Now = func() time.Time { return now }
	h, err := platform.Open(root, machine)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	file := filepath.Join(root.Path, "proc/stat")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	s := newScrape(t, h)
	s.take()
	boot := s.snap.Boot
	was := map[platform.ID]any{}
	for _, p := range s.snap.Processes {
		was[p.ID] = s.resources[p.PID]["process.creation.time"]
	}
	require.NotEmpty(t, was)

	const step = 1000 * time.Hour // as an NTP server does to a board without a clock
	now = now.Add(step)
	stepped := regexp.MustCompile(`btime \d+`).ReplaceAll(text, fmt.Appendf(nil, "btime %d", boot.Add(step).Unix()))
	require.NotEqual(t, text, stepped)
	require.NoError(t, os.WriteFile(file, stepped, 0o644))
	pids := make([]int32, 0, len(was))
	for id := range was {
		pids = append(pids, id.PID)
	}
	young := slices.Max(pids) + 1 // started since
	require.NoError(t, os.CopyFS(filepath.Join(root.Path, "proc", strconv.Itoa(int(young))), os.DirFS(filepath.Join(root.Path, "proc", strconv.Itoa(int(young-1))))))
	rename(t, filepath.Join(root.Path, "proc", strconv.Itoa(int(young)), "stat"), young)
	for range 3 {
		s.take()
		assert.Equal(t, boot.Add(step), s.snap.Boot)
		for id, created := range was {
			assert.Equal(t, id, find(s.snap, id.PID).ID)
			assert.Equal(t, created, s.resources[id.PID]["process.creation.time"])
		}
		p := find(s.snap, young)
		require.NotNil(t, p)
		assert.WithinDuration(t, now, p.Created, 24*time.Hour)
	}
}

// rename gives a recorded stat another PID.
func rename(t *testing.T, file string, pid int32) {
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	_, rest, _ := bytes.Cut(b, []byte(" "))
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "%d %s", pid, rest), 0o644))
}
