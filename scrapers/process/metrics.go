// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"strings"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// metric is a row of the table of metrics: the name that metadata.yaml
// declares, the fields that a process must have, and how they are recorded.
type metric struct {
	name   string
	fields platform.Fields
	record func(*emit.Points, *platform.Process)
}

var metrics = [...]metric{
	{"process.cpu.time", platform.FieldCPUTime, func(to *emit.Points, p *platform.Process) {
		to.Double(p.CPU.User, modeUser)
		to.Double(p.CPU.System, modeSystem)
	}},
	{"process.memory.usage", platform.FieldMemory, func(to *emit.Points, p *platform.Process) {
		to.Int(int64(p.RSS))
	}},
	{"process.memory.virtual", platform.FieldMemory, func(to *emit.Points, p *platform.Process) {
		to.Int(int64(p.VMS))
	}},
	{"process.disk.io", platform.FieldDiskIO, func(to *emit.Points, p *platform.Process) {
		to.Int(int64(p.ReadBytes), directionRead)
		to.Int(int64(p.WriteBytes), directionWrite)
	}},
	{"process.thread.count", platform.FieldThreads, func(to *emit.Points, p *platform.Process) {
		to.Int(int64(p.Threads))
	}},
	{"process.unix.file_descriptor.count", platform.FieldDescriptors, func(to *emit.Points, p *platform.Process) {
		to.Int(int64(p.Descriptors))
	}},
}

var (
	modeUser       = emit.Str("cpu.mode", "user")
	modeSystem     = emit.Str("cpu.mode", "system")
	directionRead  = emit.Str("disk.io.direction", "read")
	directionWrite = emit.Str("disk.io.direction", "write")
)

// attribute is a row of the table of resource attributes: the name, the fields
// of which any one makes a value, and the value, a string (empty for unknown)
// or an int.
type attribute struct {
	name   string
	fields platform.Fields
	str    func(*platform.Process, *note) string
	int    func(*platform.Process) int64
}

var attributes = [...]attribute{
	{name: "process.pid", int: func(p *platform.Process) int64 { return int64(p.PID) }},
	{name: "process.creation.time", str: func(_ *platform.Process, n *note) string { return n.created }},
	{name: "process.executable.name", fields: platform.FieldExecutable | platform.FieldName, str: executableName},
	{name: "process.command", fields: platform.FieldCommand, str: command},
	{name: "process.owner", fields: platform.FieldOwner, str: func(p *platform.Process, _ *note) string {
		if !p.Got.Has(platform.FieldOwner) {
			return ""
		}
		return p.Owner
	}},
}

// executableName is the base name of the program, else the kernel's name for
// the process: a thread of the kernel has no program, and that of another
// user's process may not be readable.
func executableName(p *platform.Process, _ *note) string {
	switch {
	case p.Got.Has(platform.FieldExecutable):
		return p.Executable[strings.LastIndexByte(p.Executable, '/')+1:]
	case p.Got.Has(platform.FieldName):
		return p.Name
	}
	return ""
}

// command is the first argument without secrets. What setproctitle(3) was
// told stands there too.
func command(p *platform.Process, n *note) string {
	if !p.Got.Has(platform.FieldCommand) {
		return ""
	}
	if n.argument != p.Command {
		n.argument, n.command = p.Command, redact(p.Command)
	}
	return n.command
}

// note is what is computed once for a process and kept in Process.Note.
type note struct {
	created  string // process.creation.time
	argument string // the first argument that command was made of
	command  string // process.command
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
