// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// enterNamespace runs this command again as the first process of a PID
// namespace. When that ends, whyever, the kernel kills all others in there.
func enterNamespace(args []string, stdout io.Writer) error {
	runtime.LockOSThread() // Pdeathsig goes by the thread that started it
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, args...)
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), role+"="+roleInside)
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("PID namespace: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("in the PID namespace: %w", err) // it has said why
	}
	return nil
}

// mountProc mounts the /proc of the namespace, for nobody else to see.
func mountProc() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount namespace: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return nil
}

// machine is what the figures are of, and of what.
func machine() string {
	model := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, line, _ := strings.Cut(string(info), "model name")
		line, _, _ = strings.Cut(line, "\n")
		model = cmp.Or(strings.Trim(line, " \t:"), model)
	}
	var u unix.Utsname
	_ = unix.Uname(&u) // cannot fail
	threads := "one thread each"
	if canThread {
		threads = "two threads each on average"
	}
	return fmt.Sprintf("%s, %d CPUs, Linux %s, %s; processes with %s\n",
		model, runtime.NumCPU(), unix.ByteSliceToString(u.Release[:]), runtime.Version(), threads)
}

// population is a number of idle processes, each with a command line of its
// own and some open files; of three, one has one thread, one two, one three.
type population struct {
	program string
	size    int
}

const idleFiles = 12

// grow starts as many as are missing. None of them ends by itself.
func (p *population) grow(to int) error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	files := make([]uintptr, idleFiles)
	for i := range files {
		files[i] = null.Fd()
	}
	for ; p.size < to; p.size++ {
		argv := []string{p.program, strconv.Itoa(1_000_000_000 + p.size)} // of sleep: seconds
		if canThread {
			argv = append(argv, []string{"second", "third"}[:p.size%3]...)
		}
		if _, err := syscall.ForkExec(p.program, argv, &syscall.ProcAttr{Dir: "/", Env: []string{}, Files: files}); err != nil {
			return fmt.Errorf("process %d of %d: %s: %w", p.size+1, to, p.program, err)
		}
	}
	return nil
}
