// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Bench compares what it costs to read processes: hostscope's process scraper,
// that of the OpenTelemetry Collector's hostmetrics receiver at the same
// metrics, and a floor: the system calls alone that read the files with the
// values in them, each opened by its name.
// Snapshot is the part of hostscope's that reads, without the metrics.
//
// All read one population of idle processes, in a PID namespace of their own:
// nothing else runs there, and all of it dies with the bench. Every figure is
// of a fresh process, and the peers take turns.
//
//	go run . [-n 200,2000,10000] [-rounds 5] [-peers hostscope,snapshot,hostmetrics,floor] [-set default,all,own,system,connections] [-cold] [-markdown]
//
// It needs root, or a kernel that lets users make namespaces.
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// options are what the command line says.
type options struct {
	sizes    []int
	rounds   int
	peers    []string
	sets     []string
	cold     bool
	markdown bool
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	n := flags.String("n", "200,2000,10000", "numbers of idle processes")
	flags.IntVar(&o.rounds, "rounds", 5, "how many turns each peer has")
	peers := flags.String("peers", "hostscope,snapshot,hostmetrics,floor", "who is measured")
	names := flags.String("set", "default,all,own,system,connections", "metrics: of processes the default ones of hostmetrics, all that it has, or those that each has on by itself; or those of its scrapers of the host (system, system own), or the connections alone")
	flags.BoolVar(&o.cold, "cold", false, "empty the caches of the processor before each scrape")
	flags.BoolVar(&o.markdown, "markdown", false, "print the tables as Markdown")
	_ = flags.Parse(args) // exits on an error

	for s := range strings.SplitSeq(*n, ",") {
		size, err := strconv.Atoi(s)
		if err != nil || size < 1 {
			return o, fmt.Errorf("-n: %q is no number of processes", s)
		}
		o.sizes = append(o.sizes, size)
	}
	slices.Sort(o.sizes) // the population only grows
	if o.rounds < 1 {
		return o, errors.New("-rounds: must be at least 1")
	}
	o.peers, o.sets = strings.Split(*peers, ","), strings.Split(*names, ",")
	return o, errors.Join(known("-peers", o.peers, scrapers), known("-set", o.sets, sets))
}

// known tells which of the names are no keys.
func known[V any](option string, names []string, of map[string]V) error {
	for _, name := range names {
		if _, ok := of[name]; !ok {
			return fmt.Errorf("%s: %q is none of %v", option, name, slices.Sorted(maps.Keys(of)))
		}
	}
	return nil
}

// role says what this process is to be: at first the command, which starts
// itself again as the first process of a namespace, which starts itself again
// for each measurement.
const (
	role        = "HOSTSCOPE_BENCH_ROLE"
	roleInside  = "inside"
	roleMeasure = "measure"
)

func main() {
	err := func() error {
		switch os.Getenv(role) {
		case roleMeasure:
			return measure(os.Args[1])
		case roleInside:
			o, err := parse(os.Args[1:])
			if err != nil {
				return err
			}
			return compare(o)
		}
		if _, err := parse(os.Args[1:]); err != nil {
			return err
		}
		return enterNamespace(os.Args[1:], os.Stdout)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// compare measures all that was asked for and prints a table of each set at
// each size.
func compare(o options) error {
	if err := mountProc(); err != nil {
		return err
	}
	fmt.Println(machine())
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	program, err := idleProgram(dir)
	if err != nil {
		return err
	}
	all := population{program: program}
	if err := all.grow(min(o.sizes[0], traced)); err != nil {
		return err
	}
	calls := map[job]float64{}
	count := func(which func(job) bool) error {
		for _, set := range o.sets {
			for _, peer := range o.peers {
				j := job{Peer: peer, Set: set}
				if !j.possible() || !which(j) {
					continue
				}
				var err error
				if calls[j], err = countCalls(j); err != nil {
					return fmt.Errorf("%s: system calls: %w", j, err)
				}
			}
		}
		return nil
	}
	if err := count(func(j job) bool { return !j.keeps() }); err != nil {
		return err
	}
	for _, n := range o.sizes {
		if err := all.grow(n); err != nil {
			return err
		}
		if err := count(job.keeps); err != nil {
			return err
		}
		for _, set := range o.sets {
			t := table{n: n, set: set}
			for _, peer := range o.peers {
				j := job{Peer: peer, Set: set}
				if j.possible() {
					t.rows = append(t.rows, row{peer: peer, calls: calls[j]})
				}
			}
			for range o.rounds {
				for i := range t.rows {
					r, err := runJob(job{Peer: t.rows[i].peer, Set: set, Cold: o.cold})
					if err != nil {
						return err
					}
					t.rows[i].rounds = append(t.rows[i].rounds, r)
				}
			}
			t.print(os.Stdout, o.markdown)
		}
	}
	return nil
}

// traced is how many processes there are when system calls are counted, which
// takes long, of who takes the same number of them for each.
const traced = 100
