// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"hash/maphash"
	"math/bits"
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

	// What was made of strings of the process, and of which. Of arguments and
	// variables no more than a hash is kept: they can be secrets.
	argument, arguments, environment hash
	command                          string
	args                             pcommon.Slice
	variables                        []platform.EnvVar // the attributes made of them
	groups                           []uint32
	groupIDs                         pcommon.Slice
	cgroup                           cgroup

	// What the last scrape saw.
	cpu      platform.ProcessCPUTimes
	cpuAt    time.Time
	state    platform.State
	hasState bool
}

// hash is that of strings, 0 before there are any.
type hash uint64

var hashSeed = maphash.MakeSeed()

// with adds a string.
func (h hash) with(s string) hash {
	return hash(bits.RotateLeft64(uint64(h), 9)*0x9e3779b97f4a7c15 ^ maphash.String(hashSeed, s))
}

// changed takes over what the hash is now and tells whether it was another.
func (h *hash) changed(now hash) bool {
	now |= 1 // not 0
	changed := *h != now
	*h = now
	return changed
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
	if s.note.argument.changed(hash(0).with(s.Command)) {
		s.note.command = s.redactor.Command(s.Command)
	}
	return emit.StrValue(s.note.command)
}

// arguments are all of them without secrets.
func arguments(s *sample) emit.Value {
	if len(s.Arguments) == 0 {
		return emit.Value{}
	}
	var now hash
	for _, arg := range s.Arguments {
		now = now.with(arg)
	}
	if s.note.arguments.changed(now) {
		s.note.args = listOf(s.redactor.Args(s.Arguments))
	}
	return emit.ListValue(s.note.args)
}

// supplementary are the supplementary groups. A process without any has an
// empty list, which says no more than none.
func supplementary(s *sample) emit.Value {
	n, groups := s.note, s.More.Supplementary
	if len(groups) == 0 {
		return emit.Value{}
	}
	if !slices.Equal(n.groups, groups) {
		n.groups, n.groupIDs = append(n.groups[:0], groups...), pcommon.NewSlice()
		for _, group := range groups {
			n.groupIDs.AppendEmpty().SetInt(int64(group))
		}
	}
	return emit.ListValue(n.groupIDs)
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
	var now hash
	for _, v := range s.More.Environment {
		now = now.with(v.Name).with(v.Value)
	}
	if n.environment.changed(now) {
		clear(n.variables)
		n.variables = n.variables[:0]
		for _, v := range s.More.Environment {
			n.variables = append(n.variables, platform.EnvVar{Name: environmentVariables + "." + v.Name, Value: s.redactor.Value(v.Name, v.Value)})
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
