// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// The measured process asks for cold caches by a byte through one pipe, and is
// answered by one through another, so that neither the time nor the memory
// that it takes is its own.
const (
	askFD    = 3
	answerFD = 4
)

// evict empties the caches, between the scrapes: on a real host others have
// had them since the last one.
func (m *meter) evict() {
	if !m.Cold {
		return
	}
	var b [1]byte
	if _, err := syscall.Write(askFD, b[:]); err != nil {
		panic(err)
	}
	if _, err := syscall.Read(answerFD, b[:]); err != nil {
		panic(err)
	}
}

// serveEvictions gives a command the pipes, and serves it until done.
func serveEvictions(cmd *exec.Cmd) (done func(), err error) {
	asked, ask, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answered, answer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{ask, answered}
	go func() {
		var b [1]byte
		for {
			if n, err := asked.Read(b[:]); n == 0 || err != nil {
				return
			}
			emptyCaches()
			if _, err := answer.Write(b[:]); err != nil {
				return
			}
		}
	}()
	return func() {
		for _, f := range []*os.File{ask, asked, answer, answered} {
			f.Close()
		}
	}, nil
}

// junk is more than the caches of most processors hold.
var junk []byte

const junkSize = 128 << 20

// emptyCaches fills the caches of every CPU with something else.
func emptyCaches() {
	if junk == nil {
		junk = make([]byte, junkSize)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		panic(fmt.Sprint("sched_getaffinity: ", err))
	}
	for cpu, left := 0, all.Count(); left > 0; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		left--
		var one unix.CPUSet
		one.Set(cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			panic(fmt.Sprint("sched_setaffinity: ", err))
		}
		// Private caches need it from each CPU, the shared one just once.
		size := len(junk)
		if left > 0 {
			size = 8 << 20
		}
		for i := 0; i < size; i += 64 {
			junk[i]++
		}
	}
	if err := unix.SchedSetaffinity(0, &all); err != nil {
		panic(fmt.Sprint("sched_setaffinity: ", err))
	}
}
