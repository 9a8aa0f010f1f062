// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package recorded

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hostscope/hostscope/platform"
)

// Host is one recorded machine.
type Host struct {
	About    string    // what the header says in prose, lines without the #
	OS       string    // GOOS of the machine
	Now      time.Time // its wall clock
	PageSize int       // the size of a page in bytes
	// Awake is the time since boot without that in suspend; 0 for unknown.
	Awake time.Duration
	// Filesystems are what statfs(2) answers at the mount points.
	Filesystems []Filesystem
	Files       []File
}

// Filesystem is what statfs(2) answers at a path of a machine.
type Filesystem struct {
	Path string
	platform.Statfs
}

// File is one file, folder or symbolic link of a machine.
type File struct {
	Name   string      // relative to the root, with slashes
	Mode   fs.FileMode // type and permissions; a link has none of the latter
	Data   []byte      // content of a regular file
	Target string      // of a symbolic link
	Note   string      // on a folder, lines without the #
}

// Permissions of what the archive gives none.
const (
	fileMode   fs.FileMode = 0o644
	folderMode             = fs.ModeDir | 0o755
)

// Load reads a machine from an archive on disk.
func Load(file string) (*Host, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, text)
}

// Parse reads a machine from the text of an archive. Errors begin with the
// name and the line.
func Parse(name string, text []byte) (*Host, error) {
	p := parser{host: &Host{}, kinds: map[string]kind{}}
	archive := txtar.Parse(text)
	line, err := p.header(archive.Comment)
	for _, f := range archive.Files {
		if err != nil {
			break
		}
		var in int
		in, err = p.entry(f)
		line += 1 + in
		if err == nil {
			line += bytes.Count(f.Data, newline) - in
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, line, err)
	}
	return p.host, nil
}

var newline = []byte("\n")

// kind is what a name was already used for.
type kind uint8

const (
	unused  kind = iota
	implied      // a folder that an entry lies in
	listed       // a folder with an entry of its own
	leaf         // a file or a link
)

type parser struct {
	host  *Host
	kinds map[string]kind
}

// header answers how many lines it has read: those before and including the
// one in error, or all.
func (p *parser) header(text []byte) (lines int, err error) {
	var about []string
	seen := map[string]bool{}
	for raw := range bytes.Lines(text) {
		lines++
		line := strings.TrimSpace(string(raw))
		if prose, ok := strings.CutPrefix(line, "#"); ok {
			about = append(about, strings.TrimPrefix(prose, " "))
			continue
		}
		if line == "" {
			continue
		}
		key, value, _ := strings.Cut(line, ": ")
		if seen[key] && key != "statfs" {
			return lines, fmt.Errorf("%s: given twice", key)
		}
		seen[key] = true
		switch key {
		case "os":
			p.host.OS = value
		case "now":
			p.host.Now, err = time.Parse(time.RFC3339Nano, value)
		case "pagesize":
			p.host.PageSize, err = strconv.Atoi(value)
			if err == nil && p.host.PageSize <= 0 {
				err = errors.New("must be positive")
			}
		case "awake":
			p.host.Awake, err = time.ParseDuration(value)
			if err == nil && p.host.Awake <= 0 {
				err = errors.New("must be positive")
			}
		case "statfs":
			err = p.statfs(value)
		default:
			err = errors.New("neither os, now, pagesize, awake, statfs nor a line of prose with #")
		}
		if err != nil {
			return lines, fmt.Errorf("%s: %w", key, err)
		}
	}
	for _, key := range []string{"os", "now", "pagesize"} {
		if !seen[key] {
			return lines, fmt.Errorf("%s: missing in the header", key)
		}
	}
	p.host.About = strings.Join(about, "\n")
	return lines, nil
}

// statfs reads the six numbers of a filesystem and the path after them.
func (p *parser) statfs(value string) error {
	var fs Filesystem
	for _, n := range []*uint64{&fs.BlockSize, &fs.Blocks, &fs.FreeBlocks, &fs.AvailableBlocks, &fs.Files, &fs.FreeFiles} {
		var number string
		var err error
		number, value, _ = strings.Cut(value, " ")
		if *n, err = strconv.ParseUint(number, 10, 64); err != nil {
			return err
		}
	}
	at, err := unescape([]byte(value))
	if err != nil {
		return err
	}
	if fs.Path = string(at); !path.IsAbs(fs.Path) {
		return fmt.Errorf("%q is no absolute path", fs.Path)
	}
	for _, other := range p.host.Filesystems {
		if other.Path == fs.Path {
			return fmt.Errorf("%s: given twice", fs.Path)
		}
	}
	p.host.Filesystems = append(p.host.Filesystems, fs)
	return nil
}

// entry reads one entry. Where it fails, line is that in its content, 0 for
// the one with its name.
func (p *parser) entry(f txtar.File) (line int, err error) {
	head := strings.Split(f.Name, " ;")
	name, folder := strings.CutSuffix(head[0], "/")
	file := File{Name: name, Mode: fileMode}
	if folder {
		file.Mode = folderMode
	}
	escaped := false
	for _, option := range head[1:] {
		octal, mode := strings.CutPrefix(option, "mode=")
		switch bits, err := strconv.ParseUint(octal, 8, 9); {
		case mode && err == nil:
			file.Mode = file.Mode.Type() | fs.FileMode(bits)
		case option == "escaped" && !folder:
			escaped = true
		default:
			return 0, fmt.Errorf("%s: unknown option %q", head[0], option)
		}
	}
	as := leaf
	if folder {
		as = listed
	}
	if err := p.claim(name, as); err != nil {
		return 0, err
	}
	switch {
	case folder:
		return p.folder(file, f.Data)
	case escaped:
		if file.Data, err = unescape(f.Data); err != nil {
			var at *escapeError
			if errors.As(err, &at) {
				line = 1 + bytes.Count(f.Data[:at.offset], newline)
			}
			return line, fmt.Errorf("%s: %w", name, err)
		}
	default:
		n := 0
		for l := range bytes.Lines(f.Data) {
			if n++; bytes.HasPrefix(l, marker) {
				return n, fmt.Errorf("%s: content looks like a file's name; write \\x2d for the first - and ;escaped", name)
			}
		}
		file.Data = f.Data
	}
	p.host.Files = append(p.host.Files, file)
	return 0, nil
}

// folder reads the links and the note of a folder.
func (p *parser) folder(folder File, text []byte) (line int, err error) {
	at := len(p.host.Files)
	p.host.Files = append(p.host.Files, folder)
	var notes []string
	for raw := range bytes.Lines(text) {
		line++
		l := strings.TrimSuffix(string(raw), "\n")
		if note, ok := strings.CutPrefix(l, "#"); ok {
			notes = append(notes, strings.TrimPrefix(note, " "))
			continue
		}
		if strings.TrimSpace(l) == "" {
			continue
		}
		name, target, ok := strings.Cut(l, arrow)
		if !ok || target == "" {
			return line, fmt.Errorf("%s/: %q is no NAME -> TARGET", folder.Name, l)
		}
		n, err1 := unescape([]byte(name))
		t, err2 := unescape([]byte(target))
		if err := errors.Join(err1, err2); err != nil {
			return line, fmt.Errorf("%s/: %w", folder.Name, err)
		}
		link := File{Name: path.Join(folder.Name, string(n)), Mode: fs.ModeSymlink, Target: string(t)}
		if strings.Contains(string(n), "/") {
			return line, fmt.Errorf("%s/: %q has a slash", folder.Name, n)
		}
		if err := p.claim(link.Name, leaf); err != nil {
			return line, err
		}
		p.host.Files = append(p.host.Files, link)
	}
	p.host.Files[at].Note = strings.Join(notes, "\n")
	return 0, nil
}

// claim notes what a name is used for and refuses a second use.
func (p *parser) claim(name string, as kind) error {
	if !fs.ValidPath(name) || name == "." && as == leaf {
		return fmt.Errorf("%q: not a path below the root", name)
	}
	switch was := p.kinds[name]; {
	case was == listed || was == leaf:
		return fmt.Errorf("%s: there twice", name)
	case was == implied && as == leaf:
		return fmt.Errorf("%s: both a folder and none", name)
	}
	p.kinds[name] = as
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		switch p.kinds[dir] {
		case leaf:
			return fmt.Errorf("%s: %s is no folder", name, dir)
		case unused:
			p.kinds[dir] = implied
		}
	}
	return nil
}

const arrow = " -> "

var marker = []byte("-- ")
