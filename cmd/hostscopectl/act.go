// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/extension/processcontrol/policy"
)

// acts gives a command the flags of all actions.
func (o *options) acts(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "decide and write it down, and do nothing")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, for the audit file")
	cmd.Flags().String("expect-executable", "", "only if it runs this program (exit code 5 else)")
	cmd.Flags().String("expect-user", "", "only if it is this user's")
	return cmd
}

// act makes an action and tells what was done.
func (o *options) act(cmd *cobra.Command, method, path string, body api.Action, wait time.Duration) error {
	body.DryRun, body.Reason = o.dryRun, o.reason
	executable, _ := cmd.Flags().GetString("expect-executable")
	user, _ := cmd.Flags().GetString("expect-user")
	if executable != "" || user != "" {
		body.Expect = &api.Expect{Executable: executable, User: user}
	}
	out, raw, err := ask[api.Outcome](cmd.Context(), o, method, path, body, wait)
	if err != nil {
		return o.failed(cmd, raw, err)
	}
	if o.json {
		return write(cmd.OutOrStdout(), raw)
	}
	t := newTable()
	t.add("action", out.Action)
	t.add("process", out.PID)
	t.add("outcome", out.Outcome)
	if out.Guarantee != "" {
		t.add("guarantee", out.Guarantee)
	}
	t.add("rule", out.Rule)
	t.add("before", out.Before)
	t.add("after", out.After)
	if out.Killed {
		t.add("killed", true)
	}
	if x := out.Exit; x != nil && x.Code != nil {
		t.add("exit code", *x.Code)
	} else if x != nil && x.Signal != "" {
		t.add("ended by", x.Signal)
	}
	if n := out.Threads; n != nil {
		t.add("threads", fmt.Sprintf("%d of %d", n.Changed, n.Total))
	}
	return t.print(cmd.OutOrStdout())
}

// simple is an action that takes nothing but a process.
func (o *options) simple(name, short string) *cobra.Command {
	return o.acts(&cobra.Command{
		Use:   name + " REF",
		Short: short,
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			return o.act(cmd, "POST", process(a[0])+"/"+name, api.Action{}, 0)
		},
	})
}

func (o *options) signal() *cobra.Command {
	return o.acts(&cobra.Command{
		Use:   "signal REF SIGNAL",
		Short: "Send a signal, by its name or number; 0 only asks",
		Args:  args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, a []string) error {
			name := strings.ToUpper(a[1])
			if n, err := strconv.Atoi(name); err == nil {
				name = strconv.Itoa(n)
			} else if !strings.HasPrefix(name, "SIG") {
				name = "SIG" + name
			}
			signal := api.Signal(name)
			return o.act(cmd, "POST", process(a[0])+"/signal", api.Action{Signal: &signal}, 0)
		},
	})
}

func (o *options) terminate() *cobra.Command {
	var grace time.Duration
	var kill bool
	cmd := o.acts(&cobra.Command{
		Use:   "terminate REF",
		Short: "Ask a process to end, wait, and kill it if it has not",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			var body api.Action
			if cmd.Flags().Changed("grace") {
				d := api.Duration(grace)
				body.Grace = &d
			}
			if kill {
				body.Then = "kill"
			}
			return o.act(cmd, "POST", process(a[0])+"/terminate", body, grace)
		},
	})
	cmd.Flags().DurationVar(&grace, "grace", 10*time.Second, "how long to wait for its end; if it is not given, nobody waits unless with --kill")
	cmd.Flags().BoolVar(&kill, "kill", false, "kill it after that")
	cmd.PreRun = func(cmd *cobra.Command, _ []string) {
		if kill && !cmd.Flags().Changed("grace") {
			_ = cmd.Flags().Set("grace", grace.String())
		}
	}
	return cmd
}

func (o *options) nice() *cobra.Command {
	var all bool
	cmd := o.acts(&cobra.Command{
		Use:   "nice REF [-- VALUE]",
		Short: "Show or set the nice value of a process, -20 to 19",
		Args:  args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, a []string) error {
			if len(a) == 1 {
				return o.value(cmd, process(a[0])+"/priority", "nice")
			}
			n, err := strconv.Atoi(a[1])
			if err != nil {
				return usage{fmt.Errorf("%q is no nice value", a[1])}
			}
			return o.act(cmd, "PUT", process(a[0])+"/priority", api.Action{Nice: &n, Threads: threads(all)}, 0)
		},
	})
	cmd.Flags().BoolVar(&all, "all-threads", false, "of all its threads, and not of the main thread alone")
	return cmd
}

func threads(all bool) string {
	if all {
		return "all"
	}
	return ""
}

func (o *options) affinity() *cobra.Command {
	var all bool
	cmd := o.acts(&cobra.Command{
		Use:   "affinity REF [CPUS|all]",
		Short: "Show or set the CPUs that a process may run on, such as 0,2-3",
		Args:  args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, a []string) error {
			if len(a) == 1 {
				return o.value(cmd, process(a[0])+"/cpu-affinity", "cpu_affinity")
			}
			cpus, err := parseCPUs(a[1])
			if err != nil {
				return usage{err}
			}
			return o.act(cmd, "PUT", process(a[0])+"/cpu-affinity", api.Action{CPUs: &cpus, Threads: threads(all)}, 0)
		},
	})
	cmd.Flags().BoolVar(&all, "all-threads", false, "of all its threads, and not of the main thread alone")
	return cmd
}

// parseCPUs reads a list as taskset(1) takes it. All are none in particular.
func parseCPUs(text string) ([]int32, error) {
	cpus := []int32{}
	if text == "all" {
		return cpus, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.ParseUint(first, 10, 16)
		to := from
		if err == nil && isRange {
			to, err = strconv.ParseUint(last, 10, 16)
		}
		if err != nil || to < from {
			return nil, fmt.Errorf("%q is no list of CPUs such as 0,2-3", text)
		}
		for cpu := from; cpu <= to; cpu++ {
			cpus = append(cpus, int32(cpu))
		}
	}
	return cpus, nil
}

func (o *options) rlimit() *cobra.Command {
	var soft, hard string
	cmd := o.acts(&cobra.Command{
		Use:   "rlimit REF [RESOURCE]",
		Short: "Show or set the resource limits of a process, such as NOFILE",
		Args:  args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, a []string) error {
			if len(a) == 1 {
				if soft != "" || hard != "" {
					return usage{errors.New("of which resource?")}
				}
				return o.list(cmd, a[0], "rlimits", url.Values{})
			}
			path := process(a[0]) + "/rlimits/" + strings.TrimPrefix(strings.ToUpper(a[1]), "RLIMIT_")
			var body api.Action
			for _, limit := range []struct {
				text string
				to   **api.Limit
			}{{soft, &body.Soft}, {hard, &body.Hard}} {
				if limit.text == "" {
					continue
				}
				l, err := parseLimit(limit.text)
				if err != nil {
					return usage{err}
				}
				*limit.to = &l
			}
			if body.Soft != nil || body.Hard != nil {
				return o.act(cmd, "PUT", path, body, 0)
			}
			l, raw, err := ask[api.Limits](cmd.Context(), o, "GET", path, nil, 0)
			if err != nil {
				return o.failed(cmd, raw, err)
			}
			if o.json {
				return write(cmd.OutOrStdout(), raw)
			}
			t := newTable("resource", "soft", "hard")
			t.add(l.Resource, l.Soft, l.Hard)
			return t.print(cmd.OutOrStdout())
		},
	})
	cmd.Flags().StringVar(&soft, "soft", "", "a number or unlimited")
	cmd.Flags().StringVar(&hard, "hard", "", "a number or unlimited")
	return cmd
}

func parseLimit(text string) (l api.Limit, err error) {
	if text == "unlimited" || text == "unchanged" {
		text = strconv.Quote(text)
	}
	if err := l.UnmarshalJSON([]byte(text)); err != nil {
		return l, fmt.Errorf("%s: %w", text, err)
	}
	return l, nil
}

// value prints one field.
func (o *options) value(cmd *cobra.Command, path, field string) error {
	p, raw, err := ask[api.Process](cmd.Context(), o, "GET", path, nil, 0)
	if err != nil {
		return o.failed(cmd, raw, err)
	}
	if o.json {
		return write(cmd.OutOrStdout(), raw)
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), cell(p.Fields[field]))
	return err
}

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Work on policy files", Args: args(cobra.NoArgs), RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(&cobra.Command{
		Use:   "check FILE",
		Short: "Check a policy file, its owner and mode included",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			p, err := policy.Load(a[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d rules for %d principals, actions enabled: %t\n", a[0], len(p.Rules), len(p.File.Principals), p.ActionsEnabled)
			return err
		},
	})
	return cmd
}
