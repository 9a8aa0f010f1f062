// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// job is one measurement.
type job struct {
	Peer, Set string
	// Cold: the caches of the processor are emptied before every scrape.
	Cold bool
	// Traced: somebody counts the system calls, so time says nothing.
	Traced bool
}

// possible tells whether the peer can do it: of the host as a whole there is
// neither a floor nor a snapshot that holds it all.
func (j job) possible() bool { return !sets[j.Set].host || j.Peer == ours || j.Peer == hostmetrics }

// keeps tells whether the peer keeps files of processes open, of which there
// may be only so many: what it takes for each depends on how many there are.
func (j job) keeps() bool { return !sets[j.Set].host && (j.Peer == ours || j.Peer == snapshot) }

func (j job) String() string { return j.Peer + ", set " + j.Set }

// result is what one process and one scrape cost, or in a set that is of the
// host one scrape, but for Peak.
type result struct {
	CPU         float64 // seconds of user and system time
	Allocations float64
	Bytes       float64 // allocated
	Peak        float64 // resident bytes of the measured process, at most

	// What came of a scrape.
	Processes          int
	Points, Attributes float64 // of the resource
	// Scrapes is how many were measured.
	Scrapes int
}

// runJob measures in a process of its own.
func runJob(j job) (r result, err error) {
	cmd, err := j.command()
	if err != nil {
		return r, err
	}
	if j.Cold {
		done, err := serveEvictions(cmd)
		if err != nil {
			return r, err
		}
		defer done()
	}
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("%s: %w", j, err)
	}
	return r, json.Unmarshal(out, &r)
}

func (j job) command() (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, string(text))
	cmd.Env = append(os.Environ(), role+"="+roleMeasure)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// measure runs a job in this process and prints its result.
func measure(text string) error {
	m := meter{done: make(chan result, 1)}
	if err := json.Unmarshal([]byte(text), &m.job); err != nil {
		return err
	}
	if err := scrapers[m.Peer](m.Set, &m); err != nil {
		return fmt.Errorf("%s: %w", m.job, err)
	}
	select {
	case r := <-m.done:
		// The scraper is left as it is, stopped in its tracks.
		return json.NewEncoder(os.Stdout).Encode(r)
	case <-time.After(5 * time.Minute):
		return fmt.Errorf("%s: no scrape came to an end", m.job)
	}
}

const (
	// warmUp is how many scrapes go before: the first finds all processes new,
	// the second is the first that knows rates, the last is looked at.
	warmUp = 3
	// cycle is how many scrapes hostscope takes to read everything that it
	// does not read each time.
	cycle = 16
	// enough is how much CPU time is worth measuring.
	enough = 1500 * time.Millisecond
)

// meter measures whole scrapes, from the same point of one to that of another.
type meter struct {
	job
	done chan result

	scrapes, last int // so far; that ends the measurement
	begin         reading
	outcome       struct{ processes, points, attributes int }
}

// reading is what the process has used so far.
type reading struct {
	cpu                time.Duration
	allocations, bytes uint64
}

func read() reading {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	var use unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &use); err != nil {
		panic(err)
	}
	return reading{time.Duration(use.Utime.Nano() + use.Stime.Nano()), mem.Mallocs, mem.TotalAlloc}
}

// watching tells whether the scrape under way is the one to be looked at,
// which is not one of those that are measured.
func (m *meter) watching() bool { return m.scrapes == warmUp-1 }

// saw adds what a scrape gave to what one is known to give.
func (m *meter) saw(processes, points, attributes int) {
	m.outcome.processes += processes
	if sets[m.Set].host { // however many resources tell of it
		m.outcome.processes = 1
	}
	m.outcome.points += points
	m.outcome.attributes += attributes
}

// scraped is called once per scrape, always at the same point of it. It does
// not return from the last one.
func (m *meter) scraped() {
	defer m.evict()
	switch m.scrapes++; m.scrapes {
	case warmUp - 1:
		m.begin = read()
	case warmUp:
		now := read()
		m.last = warmUp + m.count(now.cpu-m.begin.cpu)
		m.mark(true)
		m.begin = read()
	case m.last:
		end := read()
		m.mark(false)
		m.done <- m.result(end)
		select {}
	}
}

// count is how many scrapes are measured if one takes that long.
func (m *meter) count(one time.Duration) int {
	n := min(int(enough/max(one, 1)), 4*cycle)
	switch {
	case m.Peer == hostmetrics && m.Traced:
		return 2 // takes long
	case m.Peer == hostmetrics:
		return max(n, 2)
	case m.Traced: // of many processes a part is read again in each scrape
		return max(1, min(cycle, 20*traced/m.outcome.processes))
	}
	return max(n/cycle, 1) * cycle
}

func (m *meter) result(end reading) result {
	scrapes := m.scrapes - warmUp
	each := 1 / float64(m.outcome.processes)
	per := each / float64(scrapes)
	return result{
		CPU:         (end.cpu - m.begin.cpu).Seconds() * per,
		Allocations: float64(end.allocations-m.begin.allocations) * per,
		Bytes:       float64(end.bytes-m.begin.bytes) * per,
		Peak:        peak(),
		Processes:   m.outcome.processes,
		Points:      float64(m.outcome.points) * each,
		Attributes:  float64(m.outcome.attributes) * each,
		Scrapes:     scrapes,
	}
}

// peak is the most memory that was resident (VmHWM). That of getrusage goes
// back to before the exec and is the parent's.
func peak() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_, line, _ := bytes.Cut(status, []byte("VmHWM:"))
	kib, err := strconv.Atoi(string(bytes.Fields(line)[0]))
	if err != nil {
		panic(err)
	}
	return float64(kib) * 1024
}
