// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"strings"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// attribute is a row of the table of resource attributes: the name that
// metadata.yaml declares, the fields of which any one makes a value, and the
// value. A row without fields is of the identity, which every process has.
type attribute struct {
	name   string
	fields platform.Fields
	value  func(*sample) emit.Value
}

var attributes = [...]attribute{
	{"process.pid", 0, func(s *sample) emit.Value { return emit.IntValue(int64(s.PID)) }},
	{"process.creation.time", 0, func(s *sample) emit.Value { return emit.StrValue(s.note.created) }},
	{"process.unix.identity", 0, identity},

	{"process.executable.name", platform.FieldExecutable | platform.FieldName, executableName},
	{"process.executable.path", platform.FieldExecutable, text(func(p *platform.Process) string { return p.Executable })},
	{"process.command", platform.FieldCommand, command},
	{"process.command_args", platform.FieldArguments, arguments},
	{"process.args_count", platform.FieldArguments, func(s *sample) emit.Value {
		if s.ArgumentCount == 0 { // a thread of the kernel has none
			return emit.Value{}
		}
		return emit.IntValue(int64(s.ArgumentCount))
	}},
	{"process.unix.comm", platform.FieldName, text(func(p *platform.Process) string { return p.Name })},
	{"process.working_directory", platform.FieldDirectory, text(func(p *platform.Process) string { return p.More.Directory })},
	{"process.unix.root_directory", platform.FieldRoot, text(func(p *platform.Process) string { return p.More.RootDirectory })},

	{"process.parent_pid", platform.FieldParent, func(s *sample) emit.Value { return emit.IntValue(int64(s.PPID)) }},
	{"process.group_leader.pid", platform.FieldSession, func(s *sample) emit.Value { return emit.IntValue(int64(s.PGID)) }},
	{"process.session_leader.pid", platform.FieldSession, func(s *sample) emit.Value { return emit.IntValue(int64(s.SID)) }},
	{"process.vpid", platform.FieldVPID, func(s *sample) emit.Value { return emit.IntValue(int64(s.More.VPID)) }},

	{"process.owner", platform.FieldOwner, text(func(p *platform.Process) string { return p.Owner })},
	{"process.real_user.id", platform.FieldUsers, func(s *sample) emit.Value { return emit.IntValue(int64(s.More.UIDs[0])) }},
	{"process.real_user.name", platform.FieldUsers, text(func(p *platform.Process) string { return p.More.Users[0] })},
	{"process.user.id", platform.FieldUsers, func(s *sample) emit.Value { return emit.IntValue(int64(s.More.UIDs[1])) }},
	{"process.user.name", platform.FieldUsers, text(func(p *platform.Process) string { return p.More.Users[1] })},
	{"process.saved_user.id", platform.FieldUsers, func(s *sample) emit.Value { return emit.IntValue(int64(s.More.UIDs[2])) }},
	{"process.saved_user.name", platform.FieldUsers, text(func(p *platform.Process) string { return p.More.Users[2] })},
	{"process.linux.filesystem_user.id", platform.FieldUsers, func(s *sample) emit.Value { return emit.IntValue(int64(s.More.UIDs[3])) }},
	{"process.unix.real_group.id", platform.FieldGroups, func(s *sample) emit.Value { return emit.IntValue(int64(s.More.GIDs[0])) }},
	{"process.unix.group.id", platform.FieldGroups, func(s *sample) emit.Value { return emit.IntValue(int64(s.More.GIDs[1])) }},
	{"process.unix.saved_group.id", platform.FieldGroups, func(s *sample) emit.Value { return emit.IntValue(int64(s.More.GIDs[2])) }},
	{"process.linux.filesystem_group.id", platform.FieldGroups, func(s *sample) emit.Value { return emit.IntValue(int64(s.More.GIDs[3])) }},
	{"process.unix.supplementary_group.ids", platform.FieldSupplementary, supplementary},
	{"process.unix.umask", platform.FieldUmask, func(s *sample) emit.Value { return emit.StrValue(octal(s.More.Umask)) }},

	{"process.unix.tty.attached", platform.FieldTTY, func(s *sample) emit.Value { return emit.BoolValue(s.More.TTY.Attached) }},
	{"process.unix.tty.name", platform.FieldTTY, text(func(p *platform.Process) string { return p.More.TTY.Name })},

	{"process.linux.cgroup", platform.FieldCgroup, text(func(p *platform.Process) string { return strings.TrimSuffix(p.More.CgroupFile, "\n") })},
	{"container.id", platform.FieldCgroup, func(s *sample) emit.Value { return emit.StrValue(s.group().container) }},
	{"process.linux.systemd.unit", platform.FieldCgroup, func(s *sample) emit.Value { return emit.StrValue(s.group().unit) }},
}

// text is the value of a row that is a string of the process.
func text(get func(*platform.Process) string) func(*sample) emit.Value {
	return func(s *sample) emit.Value { return emit.StrValue(get(s.Process)) }
}

// of is the value for a process; unknown where none of the fields is had.
func (a *attribute) of(s *sample) emit.Value {
	if a.fields != 0 && s.Got&a.fields == 0 {
		return emit.Value{}
	}
	return a.value(s)
}

// executableName is the base name of the program, else the kernel's name for
// the process: a thread of the kernel has no program, and that of another
// user's process may not be readable.
func executableName(s *sample) emit.Value {
	if s.Got.Has(platform.FieldExecutable) {
		return emit.StrValue(s.Executable[strings.LastIndexByte(s.Executable, '/')+1:])
	}
	return emit.StrValue(s.Name)
}
