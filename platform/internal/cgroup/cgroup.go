// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package cgroup tells from a path of /proc/PID/cgroup what a process belongs
// to. It knows how container runtimes and systemd name their groups, and asks
// nobody.
package cgroup

import (
	"bytes"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Path is the path of a process in its cgroup, part of the input: that of
// version 2 (0::) unless it is the root, else that of systemd's own hierarchy,
// if there is one. It is empty where there is neither. Lines are
// "hierarchy:controllers:path" (cgroups(7)); the last may lack its newline.
func Path(b []byte) []byte {
	var unified, named []byte
	for len(b) > 0 {
		var line []byte
		line, b = parse.Line(b)
		number, rest, _ := parse.Split(line, ':')
		controllers, path, _ := parse.Split(rest, ':')
		switch {
		case string(number) == "0" && len(controllers) == 0:
			// The mark of a group that was removed before its last process was
			// reaped.
			unified = bytes.TrimSuffix(path, deleted)
		case string(controllers) == "name=systemd":
			named = path
		}
	}
	if string(unified) != "/" && len(unified) > 0 || len(named) == 0 {
		return unified
	}
	return named
}

var (
	deleted = []byte(" (deleted)")
	scope   = []byte(".scope")
	conmon  = []byte("conmon")
)

// ContainerID is the ID of the innermost container that a path belongs to,
// part of the input: 64 hexadecimal digits, as Docker, containerd, CRI-O and
// Podman give them. It is empty for none, for other engines (systemd-nspawn,
// LXC), and for the monitor that an engine runs for a container. The group is
// named
//
//	ID             by cgroupfs
//	ENGINE-ID      by cgroupfs, of Podman and CRI-O
//	ENGINE-ID.scope by systemd
//	SLICE:ENGINE:ID by cgroupfs, where containerd was told a name for systemd
func ContainerID(path []byte) []byte {
	for len(path) > 0 {
		slash := bytes.LastIndexByte(path, '/')
		name := bytes.TrimSuffix(path[slash+1:], scope)
		path = path[:max(slash, 0)]
		id := name[bytes.LastIndexAny(name, "-:")+1:]
		engine := name[:len(name)-len(id)]
		if isID(id) && !bytes.Contains(engine, conmon) {
			return id
		}
	}
	return nil
}

func isID(b []byte) bool {
	if len(b) != 64 {
		return false
	}
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// units are the types of units that processes are in. A slice is but a folder
// of others.
var units = [...]string{".service", ".scope", ".socket", ".mount", ".swap"}

// Unit is the name of the innermost unit of systemd that a path belongs to,
// part of the input; empty for none.
func Unit(path []byte) []byte {
	for len(path) > 0 {
		slash := bytes.LastIndexByte(path, '/')
		name := path[slash+1:]
		path = path[:max(slash, 0)]
		// systemd puts _ before what the kernel could take for a file of its
		// own (cg_escape of src/basic/cgroup-util.c).
		name = bytes.TrimPrefix(name, underscore)
		if isUnit(name) {
			return name
		}
	}
	return nil
}

var underscore = []byte{'_'}

// isUnit is unit_name_is_valid of systemd's src/basic/unit-name.c, for units
// that can be running.
func isUnit(name []byte) bool {
	const most = 255
	dot := bytes.LastIndexByte(name, '.')
	if dot <= 0 || len(name) > most {
		return false
	}
	known := false
	for i := range units {
		known = known || string(name[dot:]) == units[i]
	}
	if !known {
		return false
	}
	for _, c := range name[:dot] {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !letter && bytes.IndexByte(punctuation, c) < 0 {
			return false
		}
	}
	// A name ending in @ is a template, not a unit; one starting with it has
	// no name.
	return name[0] != '@' && name[dot-1] != '@'
}

var punctuation = []byte(`:-_.\@`)
