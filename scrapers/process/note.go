// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// note is what is remembered of a process, in Process.Note: it goes with the
// identity, so that a later process with its PID begins anew.
type note struct {
	created string // process.creation.time
	token   string // process.unix.identity
	verdict verdict

	// What was made of strings of the process, and of which.
	argument, command string
	args              made[string]
	groups            made[uint32]
	environment       []platform.EnvVar
	variables         []platform.EnvVar // the attributes made of them
	cgroup            cgroup

	// What the last scrape saw.
	cpu      platform.ProcessCPUTimes
	cpuAt    time.Time
	state    platform.State
	hasState bool
}

// made is a list made of another one, and that one.
type made[T comparable] struct {
	from []T
	list pcommon.Slice
}

// of gives the list made of from. It is made when from is not what it was.
func (m *made[T]) of(from []T, list func([]T) pcommon.Slice) emit.Value {
	if len(from) == 0 {
		return emit.Value{}
	}
	if !slices.Equal(m.from, from) {
		m.from, m.list = append(m.from[:0], from...), list(from)
	}
	return emit.ListValue(m.list)
}

// creationTime is ISO 8601 in UTC with milliseconds.
const creationTime = "2006-01-02T15:04:05.000Z"

// noteOf gives the note of a process and makes it at first sight.
func noteOf(p *platform.Process) *note {
	n, ok := p.Note.(*note)
	if !ok {
		n = new(note)
		if !p.Created.IsZero() {
			n.created = p.Created.UTC().Format(creationTime)
		}
		p.Note = n
	}
	return n
}

// identity is the token of the process.
func identity(s *sample) emit.Value {
	if s.note.token == "" {
		s.note.token = s.token(s.ID)
	}
	return emit.StrValue(s.note.token)
}

// command is the first argument without secrets. What setproctitle(3) was
// told stands there too.
func command(s *sample) emit.Value {
	if s.note.argument != s.Command {
		s.note.argument, s.note.command = s.Command, s.redactor.redactCommand(s.Command)
	}
	return emit.StrValue(s.note.command)
}

// arguments are all of them without secrets.
func arguments(s *sample) emit.Value {
	return s.note.args.of(s.Arguments, func(args []string) pcommon.Slice { return listOf(s.redactor.redactArgs(args)) })
}

// supplementary are the supplementary groups. A process without any has an
// empty list, which says no more than none.
func supplementary(s *sample) emit.Value {
	return s.note.groups.of(s.More.Supplementary, func(groups []uint32) pcommon.Slice {
		list := pcommon.NewSlice()
		for _, group := range groups {
			list.AppendEmpty().SetInt(int64(group))
		}
		return list
	})
}

// environmentVariables are the attributes of variables, each with the name of
// its own at the end, so that metadata.yaml cannot declare them.
const environmentVariables = "process.environment_variable"

// putEnvironment writes the variables that are wanted, without secrets, as
// attributes of the resource.
func (s *sample) putEnvironment(to pcommon.Map) {
	if !s.Got.Has(platform.FieldEnvironment) {
		return
	}
	n := s.note
	if !slices.Equal(n.environment, s.More.Environment) {
		n.environment = append(n.environment[:0], s.More.Environment...)
		n.variables = n.variables[:0]
		for _, v := range n.environment {
			n.variables = append(n.variables, platform.EnvVar{Name: environmentVariables + "." + v.Name, Value: s.redactor.redactValue(v.Name, v.Value)})
		}
	}
	for _, v := range n.variables {
		if v.Value != "" {
			to.PutStr(v.Name, v.Value)
		}
	}
}

// cgroup is what the path of a cgroup tells.
type cgroup struct{ path, container, unit string }

// group is what the path of the process's own tells.
func (s *sample) group() *cgroup {
	if c := &s.note.cgroup; c.path != s.Cgroup {
		*c = cgroup{s.Cgroup, platform.ContainerID(s.Cgroup), platform.SystemdUnit(s.Cgroup)}
	}
	return &s.note.cgroup
}
