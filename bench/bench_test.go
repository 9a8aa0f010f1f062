// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain lets the test executable take the roles of the command.
func TestMain(m *testing.M) {
	if os.Getenv(role) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestWork runs the whole command and holds the peers to doing equal work.
func TestWork(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, enterNamespace([]string{"-n", "30", "-rounds", "1", "-set", "default,all,system", "-markdown"}, &out))
	got := map[string][]string{}
	set := ""
	for line := range strings.Lines(out.String()) {
		if title, ok := strings.CutPrefix(line, "### "); ok {
			set, _, _ = strings.Cut(title, ",")
		}
		if cells := regexp.MustCompile(` *\| *`).Split(strings.TrimSpace(line), -1); len(cells) == len(columns)+2 {
			got[set+" "+cells[1]] = cells[1:]
		}
	}
	number := func(row, column string) float64 {
		t.Helper()
		for i, c := range columns {
			if c == column && len(got[row]) > i {
				n, err := strconv.ParseFloat(strings.Fields(got[row][i])[0], 64)
				require.NoError(t, err, "%s, %s", row, column)
				return n
			}
		}
		require.Fail(t, "not in the output", "%s, %s:\n%s", row, column, out.String())
		return 0
	}
	for row, points := range map[string]float64{
		"default hostscope": 6, "default hostmetrics": 7, // one more for waiting
		"all hostscope": 19, "all hostmetrics": 21, // likewise of the utilization
	} {
		assert.InDelta(t, points, number(row, "points"), 0, row)
		assert.InDelta(t, 7, number(row, "attributes"), 0, row)
		assert.InDelta(t, 32, number(row, "processes"), 0, row) // the bench and what measures, too
	}
	for _, set := range []string{"default ", "all "} {
		assert.InDelta(t, 32, number(set+floor, "processes"), 0)
		assert.InDelta(t, number(set+snapshot, "system calls"), number(set+ours, "system calls"), 0.5, "one reads what the other does")
		// The floor opens and closes the three files that hostscope keeps open.
		assert.Less(t, number(set+floor, "system calls"), number(set+ours, "system calls")+6.5)
		assert.Less(t, number(set+ours, "system calls")*5, number(set+hostmetrics, "system calls"))
		assert.Less(t, number(set+ours, "allocations")*3, number(set+hostmetrics, "allocations"))
	}
	assert.GreaterOrEqual(t, number("system "+ours, "points"), number("system "+hostmetrics, "points"))
	assert.Less(t, number("system "+ours, "system calls")*5, number("system "+hostmetrics, "system calls"))
	assert.Less(t, number("system "+ours, "allocations")*10, number("system "+hostmetrics, "allocations"))
}

func TestTable(t *testing.T) {
	of := func(cpu ...float64) (rounds []result) {
		for _, c := range cpu {
			rounds = append(rounds, result{CPU: c * 1e-6, Allocations: 45.04, Bytes: 2106, Peak: 20 << 20, Processes: 202, Points: 6, Attributes: 7})
		}
		return rounds
	}
	bare := of(10, 10, 5)
	for i := range bare {
		bare[i].Points, bare[i].Attributes = 0, 0
	}
	table := table{n: 200, set: "default", rows: []row{
		{peer: ours, rounds: of(12, 10, 11), calls: 9.31},
		{peer: hostmetrics, rounds: of(120, 110, 99), calls: 102.1},
		{peer: floor, rounds: bare, calls: 9},
	}}
	var out strings.Builder
	table.print(&out, true)
	assert.Equal(t, `### default, N = 200

|             | CPU of hostmetrics | CPU of the floor     | CPU                   | allocations | allocated | system calls | peak RSS | points | attributes | processes |
| ----------- | -----------------: | -------------------: | --------------------: | ----------: | --------: | -----------: | -------: | -----: | ---------: | --------: |
| hostscope   | 1/10.0 (9.0–11.0)  | 1.20× (1.00–2.20)    | 11.0 µs (10.0–12.0)   | 45.0        | 2.11 kB   | 9.3          | 20.0 MiB | 6.00   | 7.00       | 202       |
| hostmetrics |                    | 12.00× (11.00–19.80) | 110.0 µs (99.0–120.0) | 45.0        | 2.11 kB   | 102.1        | 20.0 MiB | 6.00   | 7.00       | 202       |
| floor       | 1/12.0 (11.0–19.8) |                      | 10.0 µs (5.0–10.0)    | 45.0        | 2.11 kB   | 9.0          | 20.0 MiB |        |            | 202       |

`, out.String())
}

func TestSpread(t *testing.T) {
	assert.Equal(t, spread{2, 1, 9}, spreadOf([]float64{9, 1, 2}))
	assert.Equal(t, spread{2.5, 1, 9}, spreadOf([]float64{9, 1, 2, 3}))
}

func TestOptions(t *testing.T) {
	o, err := parse([]string{"-n", "20,5", "-peers", "floor", "-set", "own"})
	require.NoError(t, err)
	assert.Equal(t, options{sizes: []int{5, 20}, rounds: 5, peers: []string{"floor"}, sets: []string{"own"}}, o)
	for want, args := range map[string][]string{
		`-n: "x"`:       {"-n", "x"},
		`-n: "0"`:       {"-n", "1,0"},
		"-rounds":       {"-rounds", "0"},
		`-peers: "top"`: {"-peers", "floor,top"},
		`-set: "every"`: {"-set", "every"},
	} {
		_, err := parse(args)
		assert.ErrorContains(t, err, want)
	}
}
