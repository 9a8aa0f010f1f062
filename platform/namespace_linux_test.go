// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// inNamespace is set where a test runs again in namespaces of its own.
const inNamespace = "HOSTSCOPE_TEST_IN_NAMESPACE"

// alone is inNetwork with a /proc of its own and a loopback interface that is
// up. What a test finds there is what it made.
func alone(t testing.TB) bool {
	if !inNetwork(t) {
		return false
	}
	err := errors.Join(
		unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", "/proc", "proc", 0, ""),
		loopbackUp(),
	)
	if errors.Is(err, syscall.EPERM) {
		t.Skip("not permitted to mount /proc")
	}
	require.NoError(t, err)
	return true
}

// inNetwork runs the test or benchmark again as the first process of network,
// PID and mount namespaces of its own, and fails as that does. It answers true
// there; if not, all is done. /proc and /sys are those of the outside. Who is
// not root gets a user namespace as well, in which they are.
func inNetwork(t testing.TB) bool {
	if os.Getenv(inNamespace) == t.Name() {
		return true
	}
	self, err := os.Executable()
	require.NoError(t, err)
	pattern := "^" + regexp.QuoteMeta(t.Name()) + "$"
	args := []string{"-test.run=" + pattern, "-test.v"}
	if _, is := t.(*testing.B); is {
		args = []string{"-test.run=^$", "-test.bench=" + pattern, "-test.benchmem", "-test.benchtime=" + flag.Lookup("test.benchtime").Value.String()}
	}
	var out bytes.Buffer
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), inNamespace+"="+t.Name())
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	err = cmd.Run()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		t.Skip("not permitted to make namespaces")
	}
	require.NoError(t, err, out.String())
	if strings.Contains(out.String(), "--- SKIP") {
		t.Skip(out.String())
	}
	if _, is := t.(*testing.B); is {
		for line := range strings.Lines(out.String()) {
			if strings.HasPrefix(line, "Benchmark") {
				_, _ = os.Stdout.WriteString(line)
			}
		}
		t.SkipNow()
	}
	t.Log(out.String())
	return false
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifreq, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifreq.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifreq)
}
