// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
)

// page is one answer of the list of processes.
type page struct {
	Processes []api.Process `json:"processes"`
	Skipped   int           `json:"skipped"`
	Next      *int32        `json:"next"`
}

// all are the processes that fit, over all pages.
func (o *options) all(cmd *cobra.Command, query url.Values) (found page, err error) {
	for {
		one, raw, err := ask[page](cmd.Context(), o, "GET", "/v1/processes?"+query.Encode(), nil, 0)
		if err != nil {
			return found, o.failed(cmd, raw, err)
		}
		found.Processes = append(found.Processes, one.Processes...)
		found.Skipped += one.Skipped
		if one.Next == nil {
			return found, nil
		}
		query.Set("after", strconv.Itoa(int(*one.Next)))
	}
}

func (o *options) ps() *cobra.Command {
	query := url.Values{}
	var fields []string
	var executable, owner, state string
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "List processes",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query.Set("fields", strings.Join(fields, ","))
			for name, value := range map[string]string{"executable": executable, "owner": owner, "state": state} {
				if value != "" {
					query.Set(name, value)
				}
			}
			found, err := o.all(cmd, query)
			if err != nil {
				return err
			}
			if o.json {
				return printJSON(cmd.OutOrStdout(), found.Processes)
			}
			t := newTable(append([]string{"pid", "ref"}, fields...)...)
			for _, p := range found.Processes {
				row := []any{p.PID, p.Ref}
				for _, name := range fields {
					row = append(row, member(&p, name))
				}
				t.add(row...)
			}
			return t.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringSliceVar(&fields, "fields", []string{"username", "status", "exe"}, "columns, as in the description of the API")
	cmd.Flags().StringVar(&executable, "executable", "", "only those of this program: its path, or the last part of it")
	cmd.Flags().StringVar(&owner, "owner", "", "only those of this user")
	cmd.Flags().StringVar(&state, "state", "", "only those in this state")
	return cmd
}

// member is a field as a table has it.
func member(p *api.Process, name string) any {
	if why, failed := p.Errors[name]; failed {
		return "(" + why + ")"
	}
	return p.Fields[name]
}

func (o *options) get() *cobra.Command {
	var fields []string
	cmd := &cobra.Command{
		Use:   "get REF",
		Short: "Show a process",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			path := process(a[0])
			if len(fields) > 0 {
				path += "?fields=" + url.QueryEscape(strings.Join(fields, ","))
			}
			p, raw, err := ask[api.Process](cmd.Context(), o, "GET", path, nil, 0)
			if err != nil {
				return o.failed(cmd, raw, err)
			}
			if o.json {
				return write(cmd.OutOrStdout(), raw)
			}
			t := newTable()
			t.add("pid", p.PID)
			t.add("ref", p.Ref)
			t.add("creation_time", p.CreationTime.Format(time.RFC3339Nano))
			for _, name := range slices.Sorted(maps.Keys(p.Fields)) {
				t.add(name, p.Fields[name])
			}
			for _, name := range slices.Sorted(maps.Keys(p.Errors)) {
				t.add(name, "("+p.Errors[name]+")")
			}
			return t.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringSliceVar(&fields, "fields", nil, "what to show, as in the description of the API")
	return cmd
}

func (o *options) tree() *cobra.Command {
	return &cobra.Command{
		Use:   "tree [REF]",
		Short: "Show a process and all that it has started, or all processes",
		Args:  args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			const fields = "name,ppid,username"
			var list []api.Process
			if len(a) == 0 {
				found, err := o.all(cmd, url.Values{"fields": {fields}})
				if err != nil {
					return err
				}
				list = found.Processes
			} else {
				top, raw, err := ask[api.Process](cmd.Context(), o, "GET", process(a[0])+"?fields="+fields, nil, 0)
				if err != nil {
					return o.failed(cmd, raw, err)
				}
				below, raw, err := ask[struct{ Children []api.Process }](cmd.Context(), o, "GET", process(top.Ref)+"/children?recursive=true&fields="+fields, nil, 0)
				if err != nil {
					return o.failed(cmd, raw, err)
				}
				list = append([]api.Process{top}, below.Children...)
			}
			if o.json {
				return printJSON(cmd.OutOrStdout(), list)
			}
			return printTree(cmd.OutOrStdout(), list)
		},
	}
}

// show is a command of one field that is a list.
func (o *options) show(use, field, short string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use + " REF",
		Short: short,
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			return o.list(cmd, a[0], field, url.Values{})
		},
	}
	return cmd
}

// list prints a field that is a list of objects, over all pages.
func (o *options) list(cmd *cobra.Command, ref, field string, query url.Values) error {
	var objects []any
	for {
		path := process(ref) + "/" + strings.ReplaceAll(field, "_", "-")
		p, raw, err := ask[api.Process](cmd.Context(), o, "GET", path+"?"+query.Encode(), nil, 0)
		if err != nil {
			return o.failed(cmd, raw, err)
		}
		page, _ := p.Fields[field].([]any)
		objects = append(objects, page...)
		if next := p.Next[field]; next != "" {
			query.Set("after", next)
			ref = p.Ref // its PID can be another one's by now
			continue
		}
		switch {
		case !o.json:
			return printObjects(cmd.OutOrStdout(), objects)
		case !query.Has("after"):
			return write(cmd.OutOrStdout(), raw)
		}
		p.Fields[field] = objects
		return printJSON(cmd.OutOrStdout(), p)
	}
}

func (o *options) connections() *cobra.Command {
	cmd := o.show("connections", "connections", "List the sockets of a process")
	kind := cmd.Flags().String("kind", "inet", "all, inet, inet4, inet6, tcp, tcp4, tcp6, udp, udp4, udp6 or unix")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		return o.list(cmd, a[0], "connections", url.Values{"kind": {*kind}})
	}
	return cmd
}

func (o *options) maps() *cobra.Command {
	cmd := o.show("maps", "memory_maps", "List the mappings of the memory of a process")
	grouped := cmd.Flags().Bool("grouped", false, "all mappings of a file as one")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		return o.list(cmd, a[0], "memory_maps", url.Values{"grouped": {strconv.FormatBool(*grouped)}})
	}
	return cmd
}

func (o *options) environ() *cobra.Command {
	cmd := o.show("environ", "environ", "List the variables of a process, and the values that the policy shows")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		p, raw, err := ask[api.Process](cmd.Context(), o, "GET", process(a[0])+"/environ", nil, 0)
		if err != nil {
			return o.failed(cmd, raw, err)
		}
		if o.json {
			return write(cmd.OutOrStdout(), raw)
		}
		environ, _ := p.Fields["environ"].(map[string]any)
		names, _ := environ["names"].([]any)
		values, _ := environ["variables"].(map[string]any)
		for _, name := range names {
			line := clean(fmt.Sprint(name))
			if value, ok := values[fmt.Sprint(name)]; ok {
				line += "=" + clean(fmt.Sprint(value))
			}
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), line); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

func (o *options) capabilities() *cobra.Command {
	return &cobra.Command{
		Use:   "capabilities",
		Short: "Show what you may do, and what the kernel has for it",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, raw, err := ask[api.Capabilities](cmd.Context(), o, "GET", "/v1/capabilities", nil, 0)
			if err != nil {
				return o.failed(cmd, raw, err)
			}
			if o.json {
				return write(cmd.OutOrStdout(), raw)
			}
			t := newTable()
			t.add("principals", strings.Join(c.Principals, ", "))
			t.add("actions enabled", c.ActionsEnabled)
			for _, name := range slices.Sorted(maps.Keys(c.Kernel)) {
				t.add("kernel: "+name, c.Kernel[name])
			}
			for _, name := range c.Permissions {
				t.add("may: "+name, c.Guarantees[name])
			}
			return t.print(cmd.OutOrStdout())
		},
	}
}

func (o *options) wait() *cobra.Command {
	var timeout time.Duration
	var reaped, anyOne bool
	cmd := &cobra.Command{
		Use:   "wait REF...",
		Short: "Wait until processes have ended",
		Args:  args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			until, mode := "exited", "all"
			if reaped {
				until = "reaped"
			}
			if anyOne {
				mode = "any"
			}
			limit, refs := api.Duration(timeout), make([]string, len(a))
			for i := range a {
				refs[i] = reference(a[i])
			}
			w, raw, err := ask[api.Waited](cmd.Context(), o, "POST", "/v1/wait", api.WaitMany{Refs: refs, Timeout: &limit, Until: until, Mode: mode}, timeout)
			if err != nil {
				return o.failed(cmd, raw, err)
			}
			if o.json {
				err = write(cmd.OutOrStdout(), raw)
			} else {
				t := newTable("pid", "ref", "ended", "code", "signal", "ms")
				for _, g := range w.Gone {
					switch {
					case g.Exit == nil:
						t.add(g.PID, g.Ref, "before")
					case g.Exit.Code != nil:
						t.add(g.PID, g.Ref, "now", *g.Exit.Code, "", g.Wait)
					default:
						t.add(g.PID, g.Ref, "now", nil, g.Exit.Signal, g.Wait)
					}
				}
				for _, ref := range w.Alive {
					t.add(nil, ref, "no")
				}
				err = t.print(cmd.OutOrStdout())
			}
			if err == nil && w.TimedOut {
				err = fmt.Errorf("%w%w", errTold, api.NewProblem(api.TimeoutExpired, ""))
			}
			return err
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long")
	cmd.Flags().BoolVar(&reaped, "reaped", false, "until the PID is free, and not a zombie's")
	cmd.Flags().BoolVar(&anyOne, "any", false, "until one of them has ended")
	return cmd
}
