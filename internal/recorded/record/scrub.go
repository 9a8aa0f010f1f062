// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hostscope/hostscope/internal/recorded"
)

// These stand for those of any machine, and of any boot.
const (
	machineID = "0123456789abcdef0123456789abcdef\n"
	bootID    = "01234567-89ab-4def-8123-456789abcdef\n"
)

// scrub replaces what is private in a file. Doing it twice changes nothing. The
// name of a network interface may have its address in it: enx….
func (r *recorder) scrub(name string, data []byte) []byte {
	switch path.Base(name) {
	case "hostname":
		return []byte(r.name + "\n")
	case "machine-id":
		return []byte(machineID)
	case "boot_id":
		return []byte(bootID)
	case "cgroup":
		return r.cgroups(data)
	case "cmdline":
		return arguments(data)
	case "environ":
		return variables(data)
	case "smaps":
		return mappings(data)
	case "uevent":
		return serial(data)
	case "cpuinfo":
		return board(data)
	case "swaps":
		return swapFiles(data)
	case "mountinfo":
		return r.mounts(data)
	case "tcp", "tcp6", "udp", "udp6":
		return r.connections(data)
	case "unix":
		return unixSockets(data)
	case "address":
		return hardware(data)
	}
	return data
}

// arguments keeps the first word of a command line and the number of the
// arguments: all else may be a password.
func arguments(data []byte) []byte {
	terminated := bytes.HasSuffix(data, nul)
	args := bytes.Split(bytes.TrimSuffix(data, nul), nul)
	for i := range args {
		if i == 0 {
			word, _, _ := strings.Cut(string(args[i]), " ")
			args[i] = []byte(program(word))
		} else {
			args[i] = fmt.Appendf(nil, "arg%d", i)
		}
	}
	data = bytes.Join(args, nul)
	if terminated {
		data = append(data, 0)
	}
	return data
}

var nul = []byte{0}

// variables keeps the names of an environment.
func variables(data []byte) []byte {
	var out []byte
	for entry := range bytes.SplitAfterSeq(data, nul) {
		if name, _, ok := bytes.Cut(entry, []byte("=")); ok {
			out = append(append(out, name...), "=value\x00"...)
		}
	}
	return out
}

// mappings replaces the paths of mapped files, of which a line of six columns
// has the last.
func mappings(data []byte) []byte {
	var out []byte
	for line := range bytes.Lines(data) {
		if i := bytes.IndexByte(line, '/'); i > 0 && bytes.IndexByte(line, '-') < bytes.IndexByte(line, ' ') {
			line = append(append(bytes.Clone(line[:i]), program(string(bytes.TrimSuffix(line[i:], []byte("\n"))))...), '\n')
		}
		out = append(out, line...)
	}
	return out
}

// serial replaces the serial number of a power supply.
func serial(data []byte) []byte {
	const key = "POWER_SUPPLY_SERIAL_NUMBER="
	var out []byte
	for line := range bytes.Lines(data) {
		if bytes.HasPrefix(line, []byte(key)) {
			line = []byte(key + "0\n")
		}
		out = append(out, line...)
	}
	return out
}

// board replaces the serial number of an ARM board.
func board(data []byte) []byte {
	var out []byte
	for line := range bytes.Lines(data) {
		if key, _, ok := bytes.Cut(line, []byte(":")); ok && string(bytes.TrimSpace(key)) == "Serial" {
			line = append(bytes.Clone(key), ": 0\n"...)
		}
		out = append(out, line...)
	}
	return out
}

// hardware replaces the address of a network interface, but for its length and
// for none.
func hardware(data []byte) []byte {
	octets := bytes.Split(bytes.TrimSpace(data), []byte(":"))
	if len(octets) < 6 || len(bytes.Trim(data, "0:\n")) == 0 {
		return data
	}
	for i := range octets {
		octets[i] = []byte("00")
	}
	octets[0], octets[len(octets)-1] = []byte("02"), []byte("01")
	return append(bytes.Join(octets, []byte(":")), '\n')
}

// swapFiles replaces the paths of files that are swapped to; devices have none.
func swapFiles(data []byte) []byte {
	var out []byte
	for line := range bytes.Lines(data) {
		if name, _, ok := bytes.Cut(line, []byte(" ")); ok && bytes.HasPrefix(name, []byte("/")) && !bytes.HasPrefix(name, []byte("/dev/")) {
			line = append([]byte("/path/"+path.Base(string(name))), line[len(name):]...)
		}
		out = append(out, line...)
	}
	return out
}

// mounts replaces folders, servers and shares in a mount table, and leaves out
// the options of filesystems, which have names and passwords among them.
func (r *recorder) mounts(data []byte) []byte {
	var out []byte
	for line := range bytes.Lines(data) {
		f := strings.Split(strings.TrimSuffix(string(line), "\n"), " ")
		end := slices.Index(f, "-")
		if end < 6 || len(f) != end+4 {
			continue
		}
		f[3], f[4], f[end+2] = r.folder(f[3]), r.folder(f[4]), r.source(f[end+2])
		f[end+3], _, _ = strings.Cut(f[end+3], ",")
		out = append(append(out, strings.Join(f, " ")...), '\n')
	}
	return out
}

// source replaces what is mounted where it is no device of the machine.
func (r *recorder) source(name string) string {
	switch {
	case r.private, strings.HasPrefix(name, "/dev/"):
		return name
	case strings.HasPrefix(name, "//"):
		return "//server/share"
	case strings.Contains(name, ":"):
		return "server:/export"
	}
	return r.folder(name)
}

// publicFolders have the same names everywhere, and so has all below the first
// four.
var publicFolders = []string{
	"dev", "proc", "sys", "boot", "bin", "cache", "containers", "data", "docker", "etc", "home", "lib", "lock", "log", "media", "mnt",
	"opt", "root", "run", "sbin", "snap", "srv", "tmp", "user", "usr", "var",
}

// folder replaces the names in a path that are not the same everywhere, each
// always by the same, so that one mount stays below another.
func (r *recorder) folder(name string) string {
	names := strings.Split(name, "/")
	if r.private || len(names) == 1 || slices.Contains(publicFolders[:4], names[1]) {
		return name
	}
	for i, n := range names {
		if n == "" || slices.Contains(publicFolders, n) {
			continue
		}
		names[i] = r.alias(n)
	}
	return strings.Join(names, "/")
}

// alias is what stands for a name, always the same.
func (r *recorder) alias(name string) string {
	if r.folders[name] == "" {
		r.folders[name] = fmt.Sprintf("folder%d", len(r.folders)+1)
	}
	return r.folders[name]
}

// cgroups replaces the names of units, containers and other groups in
// /proc/PID/cgroup, but not of what kind each is.
func (r *recorder) cgroups(data []byte) []byte {
	var out []byte
	for line := range bytes.Lines(data) {
		if f := strings.SplitN(string(line), ":", 3); len(f) == 3 {
			line = fmt.Appendf(nil, "%s:%s:%s\n", f[0], f[1], r.group(strings.TrimSuffix(f[2], "\n")))
		}
		out = append(out, line...)
	}
	return out
}

// containerID is what container engines name their groups by.
var containerID = regexp.MustCompile(`[0-9a-f]{64}`)

// group replaces the names in the path of a group.
func (r *recorder) group(path string) string {
	names := strings.Split(path, "/")
	for i, name := range names {
		name, kind := name, ""
		if dot := strings.LastIndexByte(name, '.'); dot > 0 {
			name, kind = name[:dot], name[dot:]
		}
		switch {
		case containerID.MatchString(name):
			name = containerID.ReplaceAllString(name, strings.Repeat("0123456789abcdef", 4))
		case name != "" && !slices.Contains([]string{"docker", "init", "system", "user"}, name):
			name = r.alias(name)
		}
		names[i] = name + kind
	}
	return strings.Join(names, "/")
}

// connections replaces the addresses in /proc/net/tcp and its siblings.
func (r *recorder) connections(data []byte) []byte {
	data = bytes.Clone(data)
	for line := range bytes.Lines(data) {
		for i, field := range bytes.Fields(line) {
			if digits := bytes.IndexByte(field, ':'); (i == 1 || i == 2) && digits > 0 {
				r.address(field[:digits])
			}
		}
	}
	return data
}

// address replaces an address, which is printed as words of the machine.
func (r *recorder) address(digits []byte) {
	var b [16]byte
	n, err := hex.Decode(b[:], digits[:min(len(digits), 32)])
	if err != nil || n != 4 && n != 16 {
		return
	}
	words := func() {
		for i := 0; i < n; i += 4 {
			binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
		}
	}
	words()
	a, _ := netip.AddrFromSlice(b[:n])
	copy(b[:], r.standIn(a).AsSlice())
	words()
	copy(digits, strings.ToUpper(hex.EncodeToString(b[:n])))
}

// Addresses for documentation (RFC 5737, RFC 3849), and those for benchmarks
// (RFC 2544), which are more.
var documentation = [...]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("2001:db8::/32")}

// standIn is an address of documentation for each that is one of a network.
func (r *recorder) standIn(a netip.Addr) netip.Addr {
	if a.Is4In6() {
		return netip.AddrFrom16(r.standIn(a.Unmap()).As16())
	}
	if a.IsUnspecified() || a.IsLoopback() || slices.ContainsFunc(documentation[:], func(p netip.Prefix) bool { return p.Contains(a) }) {
		return a
	}
	to, known := r.addresses[a]
	if !known {
		n := len(r.addresses) + 1
		switch {
		case a.Is6():
			to = netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 14: byte(n >> 8), 15: byte(n)})
		case n < 255:
			to = netip.AddrFrom4([4]byte{192, 0, 2, byte(n)})
		default:
			to = netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)})
		}
		r.addresses[a] = to
	}
	return to
}

// unixSockets replaces the paths in /proc/net/unix, which come last.
func unixSockets(data []byte) []byte {
	var out []byte
	for line := range bytes.Lines(data) {
		if i := bytes.IndexAny(line, "/@"); i > 0 {
			line = append(append(bytes.Clone(line[:i]), line[i]), "socket\n"...)
		}
		out = append(out, line...)
	}
	return out
}

// deleted is what the kernel appends to the path of a file without a name.
const deleted = " (deleted)"

// program replaces the folder of a program that no package put there.
func program(target string) string {
	if !strings.HasPrefix(target, "/") {
		return target
	}
	for _, system := range []string{"/usr/", "/bin/", "/sbin/", "/lib/", "/opt/", "/snap/", "/nix/", "/memfd:"} {
		if strings.HasPrefix(target, system) {
			return target
		}
	}
	return "/path/" + path.Base(target)
}

// openFile replaces the path of an open file: devices, sockets, pipes and
// anonymous inodes have none.
func openFile(target string) string {
	if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "/dev/") && !strings.HasPrefix(target, "/dev/shm/") {
		return target
	}
	if strings.HasSuffix(target, deleted) {
		return "/file" + deleted
	}
	return "/file"
}

// folderPath replaces the path of a folder that is not everybody's.
func folderPath(target string) string {
	if target == "/" {
		return target
	}
	return "/folder"
}

// passwd adds the users that were seen, people under other names.
func (r *recorder) passwd() error {
	data, err := os.ReadFile(r.path("etc/passwd"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var out []byte
	people := 0
	for line := range bytes.Lines(data) {
		f := strings.Split(strings.TrimSpace(string(line)), ":")
		if len(f) < 4 || !r.users[f[2]] {
			continue
		}
		if r.private {
			out = append(out, line...)
			continue
		}
		if len(f[2]) >= 4 && f[2] != "65534" { // from 1000 on, not nobody
			people++
			f[0] = fmt.Sprintf("user%d", people)
		}
		out = fmt.Appendf(out, "%s:x:%s:%s:::\n", f[0], f[2], f[3])
	}
	r.files = append(r.files, recorded.File{Name: "etc/passwd", Mode: 0o644, Data: out})
	return nil
}
