// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package api has what goes over the wire of the process-control extension:
// JSON in, JSON out, as openapi.yaml beside the extension describes it.
package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Socket is where the extension listens unless it is told otherwise.
const Socket = "/run/hostscope/process_control.sock"

// Problem is an error (RFC 9457). On the wire its type is a URN that ends in
// the name of one of [Kinds].
type Problem struct {
	Type      string  `json:"type"`
	Title     string  `json:"title"`
	Status    int     `json:"status"`
	Detail    string  `json:"detail,omitempty"`
	PID       int32   `json:"pid,omitempty"`
	Reason    string  `json:"reason,omitempty"`
	Exception string  `json:"exception,omitempty"` // what psutil raises
	Errno     string  `json:"errno,omitempty"`
	Rule      string  `json:"rule,omitempty"`
	Seconds   float64 `json:"seconds,omitempty"`
}

// URN begins the type of every problem.
const URN = "urn:hostscope:problem:"

// Error says what is wrong.
func (p *Problem) Error() string {
	s := p.Title
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	if p.Reason != "" {
		s += " (" + p.Reason + ")"
	}
	if p.Rule != "" {
		s += " (rule " + p.Rule + ")"
	}
	return s
}

// Process is a process: its reference, and a member for each field that was
// asked for and could be read.
type Process struct {
	Ref          string
	PID          int32
	CreationTime time.Time
	Fields       map[string]any
	Errors       map[string]string // why a field could not be read
	Next         map[string]string // what a list goes on after, of those that do
}

// timeFormat is that of process.creation.time, without what is not known.
const timeFormat = time.RFC3339Nano

// MarshalJSON puts the fields beside what every process has.
func (p Process) MarshalJSON() ([]byte, error) {
	m := make(map[string]any, len(p.Fields)+4)
	for name, value := range p.Fields {
		m[name] = value
	}
	m["ref"], m["pid"], m["creation_time"] = p.Ref, p.PID, p.CreationTime.UTC().Format(timeFormat)
	if p.Ref == "" { // the boot is not known
		m["ref"] = fmt.Sprintf("pid:%d@%s", p.PID, m["creation_time"])
	}
	if len(p.Errors) > 0 {
		m["errors"] = p.Errors
	}
	if len(p.Next) > 0 {
		m["next"] = p.Next
	}
	return json.Marshal(m)
}

// UnmarshalJSON is the reverse.
func (p *Process) UnmarshalJSON(b []byte) error {
	var fixed struct {
		Ref          string            `json:"ref"`
		PID          int32             `json:"pid"`
		CreationTime time.Time         `json:"creation_time"`
		Errors       map[string]string `json:"errors"`
		Next         map[string]string `json:"next"`
	}
	if err := json.Unmarshal(b, &fixed); err != nil {
		return err
	}
	*p = Process{Ref: fixed.Ref, PID: fixed.PID, CreationTime: fixed.CreationTime, Errors: fixed.Errors, Next: fixed.Next}
	if err := json.Unmarshal(b, &p.Fields); err != nil {
		return err
	}
	for _, name := range []string{"ref", "pid", "creation_time", "errors", "next"} {
		delete(p.Fields, name)
	}
	return nil
}

// Expect is what a process must be for an action to go on: 412 else.
type Expect struct {
	Executable string `json:"executable,omitempty"`
	User       string `json:"user,omitempty"`
}

// Action is the body of a request to act. Each kind of action takes its own
// members; DryRun, Reason and Expect go with all.
type Action struct {
	DryRun bool    `json:"dry_run,omitempty"`
	Reason string  `json:"reason,omitempty"` // for the audit file
	Expect *Expect `json:"expect,omitempty"`

	Signal  *Signal   `json:"signal,omitempty"`
	Grace   *Duration `json:"grace,omitempty"`
	Then    string    `json:"then,omitempty"` // kill
	Nice    *int      `json:"nice,omitempty"`
	CPUs    *[]int32  `json:"cpus,omitempty"`
	Threads string    `json:"threads,omitempty"` // leader, all
	Soft    *Limit    `json:"soft,omitempty"`
	Hard    *Limit    `json:"hard,omitempty"`
}

// WaitOne is the body of a request to wait for one process.
type WaitOne struct {
	Timeout *Duration `json:"timeout,omitempty"`
	Until   string    `json:"until,omitempty"` // exited, reaped
}

// WaitMany is the body of a request to wait for several.
type WaitMany struct {
	Refs    []string  `json:"refs"`
	Timeout *Duration `json:"timeout,omitempty"`
	Until   string    `json:"until,omitempty"`
	Mode    string    `json:"mode,omitempty"` // all, any
}

// Signal is a signal by its name or its number.
type Signal string

// MarshalJSON writes what UnmarshalJSON reads.
func (s Signal) MarshalJSON() ([]byte, error) {
	if s != "" && '0' <= s[0] && s[0] <= '9' {
		return []byte(s), nil
	}
	return json.Marshal(string(s))
}

// UnmarshalJSON takes a name, or a whole number in its one spelling.
func (s *Signal) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, (*string)(s)); err != nil {
			return err
		}
		if *s == "" || '0' <= (*s)[0] && (*s)[0] <= '9' {
			return errors.New("a number is not to be quoted")
		}
		return nil
	}
	n, err := strconv.ParseUint(string(b), 10, 31)
	if err != nil || strconv.FormatUint(n, 10) != string(b) {
		return errors.New("a signal is a name such as SIGHUP, or a whole number")
	}
	*s = Signal(b)
	return nil
}

// Duration is a time such as "10s" or "1m30s".
type Duration time.Duration

// MarshalText spells the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a duration that is not negative.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration such as 10s", text)
	}
	*d = Duration(v)
	return nil
}

// Limit is a resource limit: a number, "unlimited" or, to set, "unchanged".
type Limit struct {
	Value     uint64
	Unchanged bool
}

// unlimited is RLIM_INFINITY.
const unlimited = 1<<64 - 1

// MarshalJSON writes what UnmarshalJSON reads.
func (l Limit) MarshalJSON() ([]byte, error) {
	switch {
	case l.Unchanged:
		return []byte(`"unchanged"`), nil
	case l.Value == unlimited:
		return []byte(`"unlimited"`), nil
	}
	return strconv.AppendUint(nil, l.Value, 10), nil
}

// UnmarshalJSON reads a limit. Numbers have one spelling.
func (l *Limit) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"unchanged"`:
		*l = Limit{Unchanged: true}
		return nil
	case `"unlimited"`:
		*l = Limit{Value: unlimited}
		return nil
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil || n == unlimited || strconv.FormatUint(n, 10) != string(b) {
		return errors.New(`a limit is a whole number, "unlimited" or "unchanged"`)
	}
	*l = Limit{Value: n}
	return nil
}

// String is the limit as a person reads it.
func (l Limit) String() string {
	switch {
	case l.Unchanged:
		return "unchanged"
	case l.Value == unlimited:
		return "unlimited"
	}
	return strconv.FormatUint(l.Value, 10)
}

// Limits are the limits of one resource.
type Limits struct {
	Resource string `json:"resource"`
	Soft     Limit  `json:"soft"`
	Hard     Limit  `json:"hard"`
	Atomic   bool   `json:"atomic"`
}

// Exit is how a process ended. Code and signal are null where that is not
// known, and where it ended in the other way.
type Exit struct {
	Code     *int   `json:"code"`
	Signal   string `json:"signal,omitempty"`
	CoreDump bool   `json:"core_dump,omitempty"`
	Reaped   bool   `json:"reaped"`
}

// Threads says how many of the threads of a process are as was asked for.
type Threads struct {
	Changed int `json:"changed"`
	Total   int `json:"total"`
}

// Outcome is the answer to an action.
type Outcome struct {
	Action    string   `json:"action"`
	Ref       string   `json:"ref"`
	PID       int32    `json:"pid"`
	Outcome   string   `json:"outcome"` // applied, dry_run
	Guarantee string   `json:"guarantee,omitempty"`
	Rule      string   `json:"rule"`
	Before    any      `json:"before"`
	After     any      `json:"after"`
	Killed    bool     `json:"killed,omitempty"`
	Atomic    *bool    `json:"atomic,omitempty"`
	Exit      *Exit    `json:"exit,omitempty"`
	Threads   *Threads `json:"threads,omitempty"`
	Duration  float64  `json:"duration_ms"`
}

// Gone is a process that was waited for.
type Gone struct {
	Ref  string  `json:"ref"`
	PID  int32   `json:"pid"`
	Exit *Exit   `json:"exit"`
	Wait float64 `json:"waited_ms"`
}

// Waited is the answer to a request to wait for several.
type Waited struct {
	Gone     []Gone   `json:"gone"`
	Alive    []string `json:"alive"`
	TimedOut bool     `json:"timed_out"`
}

// Capabilities is what a caller may do, and what the host has for it.
type Capabilities struct {
	Principals     []string          `json:"principals"`
	Permissions    []string          `json:"permissions"`
	ActionsEnabled bool              `json:"actions_enabled"`
	Kernel         map[string]bool   `json:"kernel"`
	Guarantees     map[string]string `json:"guarantees"` // the best of each action
}
