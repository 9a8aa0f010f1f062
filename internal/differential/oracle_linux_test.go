// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package differential

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// python is Debian's: another one does not see python3-psutil.
const python = "/usr/bin/python3"

// needPsutil skips a test where there is no psutil.
func needPsutil(t testing.TB) {
	if err := exec.Command(python, "-c", "import psutil").Run(); err != nil {
		t.Skip("psutil is not installed for " + python + ": apt-get install python3-psutil")
	}
}

// answer is what psutil answered: a value, an exception, or None.
type answer[T any] struct {
	Asked  bool   // the question was put
	Known  bool   // V is the answer
	Raised string // the exception
	V      T
}

func (a *answer[T]) UnmarshalJSON(b []byte) error {
	a.Asked = true
	var e struct{ Raised string }
	switch {
	case string(b) == "null":
		return nil
	case json.Unmarshal(b, &e) == nil && e.Raised != "":
		a.Raised = e.Raised
		return nil
	}
	a.Known = true
	return json.Unmarshal(b, &a.V)
}

// theirs is what oracle.py tells of one process.
type theirs struct {
	Psutil struct {
		PPID       answer[int32]
		Name       answer[string]
		Exe        answer[string]
		Cmdline    answer[[]string]
		Cwd        answer[string]
		Status     answer[string]
		Username   answer[string]
		CreateTime answer[float64]                                 `json:"create_time"`
		UIDs       answer[struct{ Real, Effective, Saved uint32 }] `json:"uids"`
		GIDs       answer[struct{ Real, Effective, Saved uint32 }] `json:"gids"`
		Terminal   answer[string]
		Nice       answer[int32]
		IONice     answer[struct {
			Class uint8 `json:"ioclass"`
			Value int32
		}]
		Switches answer[struct{ Voluntary, Involuntary uint64 }] `json:"num_ctx_switches"`
		Threads  answer[int32]                                   `json:"num_threads"`
		CPU      answer[struct {
			User, System   float64
			ChildrenUser   float64 `json:"children_user"`
			ChildrenSystem float64 `json:"children_system"`
		}] `json:"cpu_times"`
		CPUNumber answer[int32]   `json:"cpu_num"`
		Affinity  answer[[]int32] `json:"cpu_affinity"`
		Memory    answer[struct {
			RSS, VMS, Shared, Text, Data uint64
		}] `json:"memory_info"`
		Full answer[struct {
			USS, PSS, Swap uint64
		}] `json:"memory_full_info"`
		FDs answer[int32] `json:"num_fds"`
		IO  answer[struct {
			ReadCount  uint64 `json:"read_count"`
			WriteCount uint64 `json:"write_count"`
			ReadBytes  uint64 `json:"read_bytes"`
			WriteBytes uint64 `json:"write_bytes"`
			ReadChars  uint64 `json:"read_chars"`
			WriteChars uint64 `json:"write_chars"`
		}] `json:"io_counters"`
		ThreadList answer[[]struct {
			ID     int32
			User   float64 `json:"user_time"`
			System float64 `json:"system_time"`
		}] `json:"threads"`
		Environ     answer[map[string]string]
		OpenFiles   answer[[]theirFile]    `json:"open_files"`
		Limits      []answer[[2]int64]     `json:"rlimit"`
		Mappings    answer[[]theirMapping] `json:"memory_maps"`
		Connections answer[[]theirConnection]
	}
	Proc struct {
		Status, Rollup                      map[string]string
		Stat                                []json.Number
		Comm, Cgroup, Cmdline, Maps, Limits string
		Delay                               uint64 // of all threads, in nanoseconds
		Exe, Root, Cwd, Environ             *string
		Score                               string `json:"oom_score"`
		Adjustment                          string `json:"oom_score_adj"`
		PGID, SID                           answer[int32]
		Inodes                              map[string]string
		Queues                              map[string][2]uint64
		Threads                             map[int32]struct {
			Stat       []json.Number
			Comm       string
			Status, IO map[string]string
		}
	}
}

type theirFile struct {
	Path     string
	FD       int32
	Position int64
	Flags    uint64
}

type theirMapping struct {
	Addr, Perms, Path           string
	RSS, Size, PSS              uint64
	SharedClean                 uint64 `json:"shared_clean"`
	SharedDirty                 uint64 `json:"shared_dirty"`
	PrivateClean                uint64 `json:"private_clean"`
	PrivateDirty                uint64 `json:"private_dirty"`
	Referenced, Anonymous, Swap uint64
}

type theirConnection struct {
	FD                   int32
	Family, Type, Status string
	Local, Peer          json.RawMessage // [address, port], [] or a path
}

// ask runs oracle.py on these processes, or on all of them.
func ask(t testing.TB, pids ...int32) map[int32]*theirs {
	args := []string{"testdata/oracle.py"}
	for _, pid := range pids {
		args = append(args, strconv.Itoa(int(pid)))
	}
	var errs bytes.Buffer
	cmd := exec.Command(python, args...)
	cmd.Env = []string{"LANG=C.UTF-8", "PATH=/usr/bin:/bin"}
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, errs.String())
	var all struct {
		Processes map[int32]*theirs
	}
	require.NoError(t, json.Unmarshal(out, &all))
	require.NotEmpty(t, all.Processes)
	return all.Processes
}

// stat is a field of stat by its number in proc_pid_stat(5), of which the
// first three are not numbers.
func stat(t testing.TB, fields []json.Number, number int) uint64 {
	require.Greater(t, len(fields), number-4)
	n, err := strconv.ParseUint(fields[number-4].String(), 10, 64)
	require.NoError(t, err)
	return n
}

// line is the first number of a line of status or io, kB as bytes.
func line(t testing.TB, lines map[string]string, name string) uint64 {
	first, unit, _ := strings.Cut(lines[name], " ")
	n, err := strconv.ParseUint(first, 10, 64)
	require.NoError(t, err, "%s: %q", name, lines[name])
	if unit == "kB" {
		n <<= 10
	}
	return n
}
