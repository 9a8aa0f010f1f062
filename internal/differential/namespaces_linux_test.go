// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package differential

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform"
)

// inside is set where the test binary runs again in namespaces of its own.
const inside = "HOSTSCOPE_TEST_INSIDE"

// task is what it has to do there: find the outside's files at Outside, and
// look at these processes.
type task struct {
	Outside string
	PIDs    []int32
}

// The main thread is TestMain's alone: /proc shows its user as that of the
// process, and nobody makes threads of another user.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	if text := os.Getenv(inside); text != "" {
		var todo task
		err := json.Unmarshal([]byte(text), &todo)
		if err == nil {
			err = tell(todo)
		}
		if errors.Is(err, syscall.EPERM) {
			os.Exit(notPermitted)
		} else if err != nil {
			_, _ = os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	closeZoo()
	os.Exit(code)
}

// notPermitted is the exit code of a process that may not mount.
const notPermitted = 3

// views is what a process in a container sees: of the outside, and of where
// it is itself.
type views struct{ Outside, Inside []*platform.Process }

// tell prints what is seen from here. It is the first process of a PID
// namespace, and as yet has the outside's mounts.
func tell(todo task) error {
	err := errors.Join(
		unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("/", todo.Outside, "", unix.MS_BIND|unix.MS_REC, ""),
		unix.Mount("proc", "/proc", "proc", 0, ""),
	)
	if err != nil {
		return err
	}
	var v views
	for _, w := range []struct {
		root platform.Root
		pids []int32
		to   *[]*platform.Process
	}{{platform.Root{Path: todo.Outside}, todo.PIDs, &v.Outside}, {platform.Root{}, nil, &v.Inside}} {
		h, err := platform.Open(w.root, platform.Machine{})
		if err != nil {
			return err
		}
		defer h.Close()
		s, err := h.Snapshot(ctx, everything(w.pids...))
		if err := errors.Join(err, s.ProcessesErr); err != nil {
			return err
		}
		*w.to = s.Processes
	}
	return json.NewEncoder(os.Stdout).Encode(v)
}

// From inside a PID and mount namespace of its own the collector sees the same
// of the host's processes as from outside, and never takes a number for that
// of one of its own.
func TestUnshare(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to make namespaces")
	}
	zoo := openZoo(t)
	outside := t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	todo, err := json.Marshal(task{outside, pids(zoo)})
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), inside+"="+string(todo))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	before := take(t, open(t, platform.Root{}), everything(pids(zoo)...))
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); errors.Is(err, syscall.EPERM) || ok && exit.ExitCode() == notPermitted {
		t.Skip("not permitted to make namespaces and to mount")
	}
	require.NoError(t, err)
	var v views
	require.NoError(t, json.Unmarshal(out, &v))

	require.Len(t, v.Inside, 1)
	assert.EqualValues(t, 1, v.Inside[0].PID)
	assert.Greater(t, len(v.Outside), len(zoo))
	seen := &platform.Snapshot{Processes: v.Outside}
	for name, s := range zoo {
		if s.Skip != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			want, got := find(before, s.pid()), find(seen, s.pid())
			require.NotNil(t, want)
			require.NotNil(t, got)
			equalProcess(t, want, got, platform.FieldIOPriority) // R-PATH: a system call by PID would be another's
		})
	}
}

// equalProcess compares two readings of a process that stands still, but for
// the fields that the second cannot have.
func equalProcess(t *testing.T, want, got *platform.Process, without platform.Fields) {
	t.Helper()
	assert.Equal(t, want.Got&^without, got.Got)
	w, g := plain(want), plain(got)
	for _, p := range []*platform.Process{w, g} {
		p.Got = 0
		p.Age = 0
		p.OOMScore = 0 // moves with the memory of all processes
		if without.Has(platform.FieldIOPriority) {
			p.IOPriority = platform.IOPriority{}
		}
		if p.More == nil {
			continue
		}
		p.More.SignalsQueued = 0 // of all processes of the user
		for i := range p.More.FDs {
			p.More.FDs[i].TimeLeft = 0 // runs down
		}
		// How many processes share a page is not of this process alone.
		p.More.Footprint = platform.Mapping{}
		for i := range p.More.Mappings {
			m := &p.More.Mappings[i]
			m.PSS, m.Referenced, m.SharedClean, m.PrivateClean = 0, 0, m.SharedClean+m.PrivateClean, 0
		}
	}
	wv, gv := reflect.ValueOf(w).Elem(), reflect.ValueOf(g).Elem()
	for i := range wv.NumField() {
		if f := wv.Type().Field(i); f.IsExported() {
			assert.Equal(t, wv.Field(i).Interface(), gv.Field(i).Interface(), f.Name)
		}
	}
}

// plain is a copy of the plain data of a process, as JSON has it.
func plain(p *platform.Process) *platform.Process {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	out := new(platform.Process)
	if err := json.Unmarshal(b, out); err != nil {
		panic(err)
	}
	return out
}

// nobody runs f on a thread that has its own mounts, where /proc with these
// options lies at dir, and is user nobody. The thread ends with f.
func nobody(t *testing.T, options string, f func(dir string)) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount, and to become somebody else")
	}
	dir := filepath.Join(t.TempDir(), "proc")
	require.NoError(t, os.Mkdir(dir, 0o755))
	for up := filepath.Dir(dir); up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		require.NoError(t, os.Chmod(up, 0o755))
	}
	result := make(chan error)
	go func() {
		defer close(result)
		runtime.LockOSThread() // and never unlocked
		err := unix.Unshare(unix.CLONE_NEWNS)
		if err == nil {
			err = errors.Join(
				unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
				unix.Mount("proc", dir, "proc", 0, options),
			)
		}
		const id = 65534
		for _, call := range [][4]uintptr{{unix.SYS_SETGROUPS, 0, 0, 0}, {unix.SYS_SETRESGID, id, id, id}, {unix.SYS_SETRESUID, id, id, id}} {
			if _, _, errno := unix.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 && err == nil {
				err = errno
			}
		}
		if err != nil {
			result <- err
			return
		}
		f(dir)
	}()
	if err := <-result; errors.Is(err, unix.EPERM) {
		t.Skip("not permitted to mount")
	} else {
		require.NoError(t, err)
	}
}

// Under hidepid=1 the processes of others are there and cannot be read: they
// are counted as denied. Under hidepid=2 they are not there at all. What is
// left has its right values.
func TestHidepid(t *testing.T) {
	zoo := openZoo(t)
	own := zoo["unprivileged"]
	if own.Skip != "" {
		t.Skip(own.Skip)
	}
	want := find(take(t, open(t, platform.Root{}), everything(own.PID)), own.PID)
	for options, hidden := range map[string]bool{"hidepid=1": false, "hidepid=2": true} {
		t.Run(options, func(t *testing.T) {
			nobody(t, options, func(dir string) {
				h, err := platform.Open(platform.Root{Proc: dir}, platform.Machine{})
				if !assert.NoError(t, err) {
					return
				}
				defer h.Close()
				s, err := h.Snapshot(ctx, everything())
				if !assert.NoError(t, err) || !assert.NoError(t, s.ProcessesErr) {
					return
				}
				others, err := filepath.Glob(dir + "/[1-9]*")
				assert.NoError(t, err)
				for _, p := range s.Processes {
					if int(p.PID) != os.Getpid() { // whose other threads are root's
						assert.Equal(t, "nobody", p.Owner, p.PID)
					}
				}
				if hidden {
					assert.Zero(t, s.Tally.Denied(platform.FieldState))
					assert.Len(t, others, len(s.Processes))
				} else {
					delta := max(5, len(others)/10) // some start and some end meanwhile
					assert.InDelta(t, len(others)-len(s.Processes), s.Tally.Denied(platform.FieldState), float64(delta))
					assert.Greater(t, s.Tally.Denied(platform.FieldState), len(zoo)/2)
				}
				assert.Zero(t, s.Tally.Malformed(platform.FieldState))
				got := find(s, own.PID)
				if assert.NotNil(t, got) {
					equalProcess(t, want, got, platform.FieldIOPriority&^got.Got)
				}
				for name, other := range zoo {
					if other != own && name != "users" {
						assert.Nil(t, find(s, other.pid()), strconv.Itoa(int(other.pid())))
					}
				}
			})
		})
	}
}
