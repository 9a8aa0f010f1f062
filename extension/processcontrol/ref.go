// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"strconv"
	"strings"
	"time"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/platform"
)

// ref says which process is meant: by its token, by PID and creation time, by
// the PID alone, or as the collector itself.
type ref struct {
	text    string
	token   platform.Token
	pid     int32
	created time.Time
	self    bool
}

// parseRef reads a reference. Numbers have one spelling: what is not exactly a
// PID never comes near a system call.
func parseRef(text string) (ref, error) {
	r := ref{text: text}
	if text == "self" {
		r.self = true
		return r, nil
	}
	rest, named := strings.CutPrefix(text, "pid:")
	if !named {
		token, err := platform.ParseToken(text)
		if err != nil {
			return ref{}, invalid("not a reference to a process: it is a token, pid:<PID>@<creation time>, pid:<PID> or self")
		}
		r.token, r.pid = token, token.PID
		return r, nil
	}
	number, created, timed := strings.Cut(rest, "@")
	pid, err := parsePID(number)
	if err != nil {
		return ref{}, err
	}
	r.pid = pid
	if timed {
		if r.created, err = time.Parse(time.RFC3339Nano, created); err != nil || r.created.Year() < 1970 || r.created.Year() > 2200 {
			return ref{}, invalid("not a creation time as process.creation.time has it, such as 2026-01-02T03:04:05.06Z")
		}
	}
	return r, nil
}

// parsePID reads the decimal number of a process.
func parsePID(text string) (int32, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != text {
		return 0, invalid("not a PID: it is a decimal number from 1 on")
	}
	return int32(n), nil
}

// weak tells whether it does not say which process is meant, but only which
// number it has.
func (r ref) weak() bool { return !r.self && r.token.PID == 0 && r.created.IsZero() }

// open opens the process. To act on it takes more than a number.
func (r ref) open(h *platform.Host, act bool) (*platform.Handle, error) {
	switch {
	case r.self:
		return h.OpenSelf()
	case act && r.weak():
		return nil, api.NewProblem(api.IdentityRequired, "another process may have this PID by now: use the token, or pid:<PID>@<creation time>")
	case r.token.PID != 0:
		return h.OpenToken(r.token)
	case !r.created.IsZero():
		return h.OpenCreated(r.pid, r.created)
	}
	return h.OpenPID(r.pid)
}
