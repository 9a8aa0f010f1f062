// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
)

// failed prints a problem in JSON, where that is asked for.
func (o *options) failed(cmd *cobra.Command, raw []byte, err error) error {
	if o.json && len(raw) > 0 {
		if err := write(cmd.OutOrStdout(), raw); err != nil {
			return err
		}
		return fmt.Errorf("%w%w", errTold, err)
	}
	return err
}

func write(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	return e.Encode(v)
}

// table is aligned in columns.
type table struct{ rows [][]string }

func newTable(head ...string) *table {
	t := &table{}
	if len(head) > 0 {
		for i := range head {
			head[i] = strings.ToUpper(head[i])
		}
		t.rows = append(t.rows, head)
	}
	return t
}

func (t *table) add(cells ...any) {
	var row []string
	for _, c := range cells {
		row = append(row, cell(c))
	}
	t.rows = append(t.rows, row)
}

func (t *table) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range t.rows {
		if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

// cell is a value as a person reads it.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string:
		return clean(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		var parts []string
		for _, one := range v {
			parts = append(parts, cell(one))
		}
		return strings.Join(parts, " ")
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, name+"="+cell(v[name]))
		}
		return strings.Join(parts, " ")
	}
	return clean(fmt.Sprint(v))
}

// clean shows what would move the cursor, or do worse to a terminal. What a
// process calls itself is not to be trusted.
func clean(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

// printObjects prints a list of objects with the members of the first as
// columns.
func printObjects(out io.Writer, objects []any) error {
	if len(objects) == 0 {
		return nil
	}
	first, _ := objects[0].(map[string]any)
	names := slices.Sorted(maps.Keys(first))
	for _, key := range []string{"fd", "id", "addr_start", "resource", "path"} { // what tells them apart comes first
		if at := slices.Index(names, key); at >= 0 {
			names = append([]string{key}, slices.Delete(names, at, at+1)...)
			break
		}
	}
	t := newTable(slices.Clone(names)...)
	for _, one := range objects {
		object, _ := one.(map[string]any)
		var row []any
		for _, name := range names {
			row = append(row, object[name])
		}
		t.add(row...)
	}
	return t.print(out)
}

// printTree prints processes below their parents.
func printTree(out io.Writer, list []api.Process) error {
	present, children := map[int32]bool{}, map[int32][]*api.Process{}
	for i := range list {
		present[list[i].PID] = true
	}
	var roots []*api.Process
	for i := range list {
		p := &list[i]
		parent, _ := p.Fields["ppid"].(float64)
		if ppid := int32(parent); present[ppid] && ppid != p.PID {
			children[ppid] = append(children[ppid], p)
		} else {
			roots = append(roots, p)
		}
	}
	t := newTable("pid", "user", "name", "ref")
	seen := map[int32]bool{}
	var walk func(p *api.Process, depth int)
	walk = func(p *api.Process, depth int) {
		if seen[p.PID] {
			return
		}
		seen[p.PID] = true
		t.rows = append(t.rows, []string{
			strconv.Itoa(int(p.PID)), cell(member(p, "username")), strings.Repeat("  ", depth) + cell(member(p, "name")), clean(p.Ref),
		})
		for _, child := range children[p.PID] {
			walk(child, depth+1)
		}
	}
	for _, p := range roots {
		walk(p, 0)
	}
	return t.print(out)
}
