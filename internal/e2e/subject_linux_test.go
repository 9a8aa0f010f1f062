// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What the subject does.
const (
	subjectCommand = "e2e (subject) of a test" // argv[0]
	burnt          = 500 * time.Millisecond    // CPU time, about
	touched        = 64 << 20                  // bytes of memory
	opened         = 25                        // descriptors
	started        = 8                         // threads
	written        = 8 << 20                   // bytes to a file, and synced
)

// subject is a process that the test knows everything about: it has done its
// work and now holds still.
type subject struct {
	pid       int
	condition condition
}

// condition is what the subject says of itself.
type condition struct {
	User, System        time.Duration // CPU time, by getrusage(2)
	Before, Descriptors int           // open before and after its work
	Written             uint64        // bytes to storage, by the kernel's account
}

func init() { roles["subject"] = playSubject }

func playSubject() {
	var is condition
	_ = descriptors() // once for what the runtime opens for itself
	is.Before = descriptors()
	for range opened {
		must(unix.Open(os.DevNull, unix.O_RDONLY, 0))
	}
	is.Descriptors = descriptors()

	ready := make(chan struct{})
	for range started {
		go func() {
			runtime.LockOSThread()
			ready <- struct{}{}
			select {}
		}()
		<-ready
	}

	memory := must(unix.Mmap(-1, 0, touched, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE))
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}

	before := storedBytes("self")
	file := must(os.CreateTemp("", "hostscope-e2e-"))
	must(file.Write(make([]byte, written)))
	must(0, file.Sync())
	must(0, file.Close())
	must(0, os.Remove(file.Name()))
	is.Written = storedBytes("self") - before

	for is.User+is.System < burnt {
		for range 1 << 20 {
		}
		var usage unix.Rusage
		must(0, unix.Getrusage(unix.RUSAGE_SELF, &usage))
		is.User, is.System = time.Duration(usage.Utime.Nano()), time.Duration(usage.Stime.Nano())
	}
	must(0, json.NewEncoder(os.Stdout).Encode(is))
	for n := 1; n > 0; { // until the test closes the pipe, or ends
		n = must(unix.Read(0, memory))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// descriptors is how many the process has open.
func descriptors() int {
	return len(must(os.ReadDir("/proc/self/fd"))) - 1 // the listing has one too
}

// startSubject returns when the subject holds still. It ends with the test.
func startSubject(t *testing.T) subject {
	cmd := exec.Command(os.Args[0])
	cmd.Args[0] = subjectCommand
	// No garbage collection: what the subject said of itself stays true.
	cmd.Env = append(os.Environ(), roleEnv+"=subject", "GOGC=off")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	s := subject{pid: cmd.Process.Pid}
	require.NoError(t, json.NewDecoder(stdout).Decode(&s.condition))
	require.Equal(t, s.condition.Before+opened, s.condition.Descriptors)
	return s
}

// startIdlers starts processes that do nothing until the test ends.
func startIdlers(t *testing.T, n int) []int {
	var pids []int
	for range n {
		cmd := exec.Command("sleep", "300")
		require.NoError(t, cmd.Start())
		pids = append(pids, cmd.Process.Pid)
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	return pids
}

// The rest is /proc, read in another way than the product does.

// proc reads a file of /proc, or nothing where there is none.
func proc(path ...any) string {
	name := "/proc"
	for _, element := range path {
		name = filepath.Join(name, fmt.Sprint(element))
	}
	content, _ := os.ReadFile(name)
	return string(content)
}

// storedBytes is how much a process caused to be sent to storage.
func storedBytes(pid any) uint64 { return uint64(numberAfter(proc(pid, "io"), "\nwrite_bytes:")) }

// numberAfter finds the number after a word; 0 where there is none.
func numberAfter(text, word string) float64 {
	_, rest, _ := strings.Cut("\n"+text, word)
	if fields := strings.Fields(rest); len(fields) > 0 {
		n, _ := strconv.ParseFloat(fields[0], 64)
		return n
	}
	return 0
}

// bootTime is when the kernel says that it was booted.
func bootTime() time.Time { return time.Unix(int64(numberAfter(proc("stat"), "\nbtime ")), 0) }

// created is when a process was started: field 22 of its stat, in 1/100 s.
func created(pid int) time.Time {
	stat := proc(pid, "stat")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	ticks := must(strconv.ParseInt(fields[22-3], 10, 64))
	return bootTime().Add(time.Duration(ticks) * 10 * time.Millisecond).UTC()
}

// pages are the first two numbers of statm: the address space and what of it
// is in memory, in bytes.
func pages(pid int) (virtual, resident float64) {
	n, err := fmt.Fscan(bytes.NewBufferString(proc(pid, "statm")), &virtual, &resident)
	must(n, err)
	size := float64(os.Getpagesize())
	return virtual * size, resident * size
}

// entries counts a folder of /proc.
func entries(path ...any) int {
	name := "/proc"
	for _, element := range path {
		name = filepath.Join(name, fmt.Sprint(element))
	}
	return len(must(os.ReadDir(name)))
}
