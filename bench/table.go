// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is what came of one set at one size.
type table struct {
	n    int
	set  string
	rows []row
}

// row is what came of one peer.
type row struct {
	peer   string
	rounds []result
	calls  float64 // system calls
}

// spread is the median of some figures, and how far they lie apart.
type spread struct{ median, min, max float64 }

func spreadOf(figures []float64) spread {
	s := slices.Sorted(slices.Values(figures))
	mid := len(s) / 2
	median := s[mid]
	if len(s)%2 == 0 {
		median = (s[mid-1] + s[mid]) / 2
	}
	return spread{median, s[0], s[len(s)-1]}
}

// of is the spread of a figure over the rounds.
func (r row) of(figure func(result) float64) spread {
	var all []float64
	for _, one := range r.rounds {
		all = append(all, figure(one))
	}
	return spreadOf(all)
}

func cpu(r result) float64 { return r.CPU }

// ratio compares the CPU time of two peers round by round, since a machine
// drifts from one to the next.
func ratio(a, b row) spread {
	var all []float64
	for i := range min(len(a.rounds), len(b.rounds)) {
		all = append(all, a.rounds[i].CPU/b.rounds[i].CPU)
	}
	return spreadOf(all)
}

var columns = []string{
	"", "CPU of hostmetrics", "CPU of the floor", "CPU", "allocations", "allocated", "system calls",
	"peak RSS", "points", "attributes", "processes",
}

// cells are the columns of a row. All is per process and scrape, but for the
// peak.
func (t table) cells(r row) []string {
	cells := []string{r.peer}
	for _, other := range []string{hostmetrics, floor} {
		i := slices.IndexFunc(t.rows, func(o row) bool { return o.peer == other })
		switch {
		case i < 0 || other == r.peer:
			cells = append(cells, "")
		case other == hostmetrics:
			s := ratio(t.rows[i], r)
			cells = append(cells, fmt.Sprintf("1/%.1f (%.1f–%.1f)", s.median, s.min, s.max))
		default:
			s := ratio(r, t.rows[i])
			cells = append(cells, fmt.Sprintf("%.2f× (%.2f–%.2f)", s.median, s.min, s.max))
		}
	}
	c := r.of(cpu)
	first := r.rounds[0]
	cells = append(cells,
		fmt.Sprintf("%.1f µs (%.1f–%.1f)", c.median*1e6, c.min*1e6, c.max*1e6),
		fmt.Sprintf("%.1f", r.of(func(r result) float64 { return r.Allocations }).median),
		fmt.Sprintf("%.2f kB", r.of(func(r result) float64 { return r.Bytes }).median/1e3),
		fmt.Sprintf("%.1f", r.calls),
		fmt.Sprintf("%.1f MiB", r.of(func(r result) float64 { return r.Peak }).median/(1<<20)))
	if first.Points == 0 {
		cells = append(cells, "", "")
	} else {
		cells = append(cells, fmt.Sprintf("%.2f", first.Points), fmt.Sprintf("%.2f", first.Attributes))
	}
	return append(cells, fmt.Sprint(first.Processes))
}

// print writes the table, for a terminal or as Markdown.
func (t table) print(to io.Writer, markdown bool) {
	lines := [][]string{columns}
	for _, r := range t.rows {
		lines = append(lines, t.cells(r))
	}
	widths := make([]int, len(columns))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	if markdown {
		rule := make([]string, len(columns))
		for i := range rule {
			rule[i] = strings.Repeat("-", widths[i]-1) + ":"
		}
		rule[0] = strings.Repeat("-", widths[0])
		lines = slices.Insert(lines, 1, rule)
	}
	before, between, after := "", "  ", ""
	if markdown {
		before, between, after = "| ", " | ", " |"
	}
	fmt.Fprintf(to, "### %s, N = %d\n\n", t.set, t.n)
	for _, line := range lines {
		for i := range line {
			line[i] += strings.Repeat(" ", widths[i]-utf8.RuneCountInString(line[i]))
		}
		fmt.Fprintln(to, strings.TrimRight(before+strings.Join(line, between)+after, " "))
	}
	fmt.Fprintln(to)
}
