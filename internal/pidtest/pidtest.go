// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package pidtest gives tests PID namespaces of their own, in which they give a
// PID to another process at will: by telling the kernel which one it gave last.
package pidtest

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const insideEnv = "HOSTSCOPE_TEST_NAMESPACED"

// Namespaced runs a test again as the first process of a PID namespace: as
// root, and as an ordinary user who is root in a user namespace of his own. A
// test has one call of it.
func Namespaced(t *testing.T, body func(t *testing.T)) {
	if os.Getenv(insideEnv) == t.Name() {
		require.NoError(t, unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
		err := unix.Mount("proc", "/proc", "proc", 0, "")
		if errors.Is(err, fs.ErrPermission) { // in a container, of whose /proc parts are covered
			t.Skip("not permitted to mount /proc")
		}
		require.NoError(t, err)
		startThreads()
		body(t)
		return
	}
	run := func(t *testing.T, attr *syscall.SysProcAttr) {
		name, _, _ := strings.Cut(t.Name(), "/")
		out, err := Again(t, name, attr, insideEnv+"="+name)
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENOSPC) {
			t.Skip("this user may not have namespaces: ", err)
		}
		if strings.Contains(string(out), "\n--- SKIP: "+name) {
			t.Skip(string(out))
		}
		assert.NoError(t, err, "%s", out)
	}
	const flags = unix.CLONE_NEWPID | unix.CLONE_NEWNS
	if os.Getuid() == 0 {
		t.Run("root", func(t *testing.T) { run(t, &syscall.SysProcAttr{Cloneflags: flags}) })
	}
	t.Run("user", func(t *testing.T) {
		uid, gid := os.Getuid(), os.Getgid()
		if uid == 0 {
			uid, gid = 65534, 65534
		}
		run(t, &syscall.SysProcAttr{
			Cloneflags:  flags | unix.CLONE_NEWUSER,
			Credential:  &syscall.Credential{NoSetGroups: true},
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}},
		})
	})
}

// startThreads has the runtime start more threads than a test needs, which stay.
// One that it started later could take the very PID that is to be given again.
func startThreads() {
	var all, ended sync.WaitGroup
	const many = 64
	all.Add(many)
	for range many {
		ended.Go(func() {
			runtime.LockOSThread() // each has one to itself, until all have
			defer runtime.UnlockOSThread()
			all.Done()
			all.Wait()
		})
	}
	ended.Wait()
}

// Again runs one test of this program in a process of its own.
func Again(t *testing.T, name string, attr *syscall.SysProcAttr, env ...string) ([]byte, error) {
	pattern := "^" + strings.ReplaceAll(name, "/", "$/^") + "$"
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run="+pattern, "-test.v")
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = "/"
	cmd.SysProcAttr = attr
	return cmd.CombinedOutput()
}

// AsUser runs the test again as an ordinary user with no group but his own.
func AsUser(t *testing.T, uid uint32, env ...string) {
	t.Helper()
	out, err := Again(t, t.Name(), &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}, append(env, insideEnv+"=")...)
	assert.NoError(t, err, "%s", out)
}

// Needs skips a test that takes a capability which we do not have: root in a
// container has few.
func Needs(t testing.TB, capability int) {
	t.Helper()
	have := [2]unix.CapUserData{}
	require.NoError(t, unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &have[0]))
	if have[capability/32].Effective&(1<<(capability%32)) == 0 {
		t.Skipf("needs capability %d of capabilities(7)", capability)
	}
}

// Sleeper starts a child that does nothing.
func Sleeper(t testing.TB) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { End(cmd) })
	return cmd
}

// End kills a child and reaps it, so that its PID is free.
func End(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// StartAs starts a child with a PID that is free: one that does nothing, or a
// command.
func StartAs(t testing.TB, pid int, command ...string) *exec.Cmd {
	t.Helper()
	if command == nil {
		command = []string{"sleep", "1000"}
	}
	for range 200 {
		require.NoError(t, os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0))
		cmd := exec.Command(command[0], command[1:]...)
		require.NoError(t, cmd.Start())
		if cmd.Process.Pid == pid {
			t.Cleanup(func() { End(cmd) })
			return cmd
		}
		End(cmd) // another one was faster
	}
	require.Fail(t, "the PID is not given again", "%d", pid)
	return nil
}
