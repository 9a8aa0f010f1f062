// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package differential

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform"
)

// subject is a process of zoo.py, and what it told of itself. Which of these
// there are depends on the subject.
type subject struct {
	PID         int32
	Child       int32 // the process that matters, where it is not the subject itself
	Skip, Error string

	Comm, Root, Directory, TTY, Cgroup string
	UIDs, GIDs                         [4]uint32
	Groups                             []uint32
	Umask                              uint32
	Nice, Adjustment, VPID             int32
	Affinity                           []int32
	IO                                 [2]uint8
	Pending                            uint64
	ProcessPending                     uint64 `json:"process_pending"`
	Blocked, Ignored, Caught           uint64
	Distinct                           int
	Written, Passed                    uint64
	Threads                            map[int32]*string
	Mappings                           []struct {
		What, Perms        string
		Start, End, Offset uint64
		Name               *string
	}
	Many        [2]uint64
	FDs         json.RawMessage
	Standard    []int32
	Connections []knownConnection
	SynRecv     []any `json:"syn_recv"`
}

// pid is the process to look at.
func (s *subject) pid() int32 {
	if s.Child != 0 {
		return s.Child
	}
	return s.PID
}

// openZoo answers the subjects, which all tests share. A test of one that was
// not permitted skips.
func openZoo(t testing.TB) map[string]*subject {
	if _, err := os.Stat(python); err != nil {
		t.Skip("needs " + python)
	}
	zoo, err := startZoo()
	require.NoError(t, err)
	for name, s := range zoo {
		require.Empty(t, s.Error, name)
	}
	return zoo
}

// closeZoo ends the subjects, if they were started.
var closeZoo = func() {}

// startZoo starts the subjects.
var startZoo = sync.OnceValues(func() (zoo map[string]*subject, err error) {
	folder, err := os.MkdirTemp("", "zoo")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(folder, 0o755); err != nil { // subjects of other users live there
		return nil, err
	}
	var errs bytes.Buffer
	cmd := exec.Command(python, "testdata/zoo.py", folder)
	cmd.Env = []string{"LANG=C.UTF-8", "PATH=/usr/bin:/bin"}
	cmd.Stderr = &errs
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return nil, err
	}
	closeZoo = func() {
		_ = in.Close()
		_ = cmd.Wait()
		_ = os.RemoveAll(folder)
	}
	told, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(told, &zoo)
	}
	if err != nil {
		return nil, fmt.Errorf("zoo.py: %w: %s", err, errs.String())
	}
	for _, s := range zoo {
		err = errors.Join(err, sleeping(s.pid()))
	}
	return zoo, err
})

// sleeping waits until a process has done what it was about to do.
func sleeping(pid int32) error {
	file := fmt.Sprintf("/proc/%d/stat", pid)
	last := ""
	for quiet := 0; quiet < 3; time.Sleep(5 * time.Millisecond) {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text := string(b)
		if quiet++; text != last || strings.Contains(text[strings.LastIndexByte(text, ')'):], ") R ") {
			last, quiet = text, 0
		}
	}
	return nil
}

// variables are those of the environments that are asked for.
var variables = []string{"URL", "PATH", "DB_PASSWORD", "EMPTY", "EQUALS", "LATIN", "A", "B", "LANG", "NONE"}

// everything asks for all that there is of these processes; of all, if there
// are none.
func everything(pids ...int32) platform.Request {
	return platform.Request{Fields: platform.AllFields, Environment: variables, Select: func(p *platform.Process) bool {
		return len(pids) == 0 || slices.Contains(pids, p.PID)
	}}
}

// pids are the processes to look at.
func pids(zoo map[string]*subject) (out []int32) {
	for _, s := range zoo {
		if s.Skip == "" {
			out = append(out, s.pid())
		}
	}
	slices.Sort(out)
	return out
}

// open opens a host that is closed with the test.
func open(t testing.TB, root platform.Root) *platform.Host {
	h, err := platform.Open(root, platform.Machine{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

var ctx = context.Background()

// take takes a snapshot.
func take(t testing.TB, h *platform.Host, req platform.Request) *platform.Snapshot {
	s, err := h.Snapshot(ctx, req)
	require.NoError(t, err)
	require.NoError(t, s.ProcessesErr)
	return s
}

// find is a process of a snapshot; nil when it is not there.
func find(s *platform.Snapshot, pid int32) *platform.Process {
	i, ok := slices.BinarySearchFunc(s.Processes, pid, func(p *platform.Process, pid int32) int { return int(p.PID - pid) })
	if !ok {
		return nil
	}
	return s.Processes[i]
}
