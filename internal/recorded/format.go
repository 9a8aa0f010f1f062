// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package recorded

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// Format is the text of an archive that Parse reads the same machine from.
// Files stand in their order, links below their folder. It fails on names
// that an archive cannot hold.
func (h *Host) Format() ([]byte, error) {
	var head bytes.Buffer
	prose(&head, h.About)
	fmt.Fprintf(&head, "os: %s\nnow: %s\npagesize: %d\n", h.OS, h.Now.Format(time.RFC3339Nano), h.PageSize)
	if h.Awake > 0 {
		fmt.Fprintf(&head, "awake: %s\n", h.Awake)
	}
	for _, f := range h.Filesystems {
		fmt.Fprintf(&head, "statfs: %d %d %d %d %d %d %s\n",
			f.BlockSize, f.Blocks, f.FreeBlocks, f.AvailableBlocks, f.Files, f.FreeFiles, escapeLine(f.Path))
	}

	links := map[string][]File{}
	explicit := map[string]bool{}
	for _, f := range h.Files {
		switch f.Mode.Type() {
		case fs.ModeSymlink:
			links[path.Dir(f.Name)] = append(links[path.Dir(f.Name)], f)
		case fs.ModeDir:
			explicit[f.Name] = true
		}
	}
	archive := &txtar.Archive{Comment: head.Bytes()}
	done := map[string]bool{}
	folder := func(f File) {
		var body bytes.Buffer
		prose(&body, f.Note)
		for _, l := range links[f.Name] {
			name := strings.ReplaceAll(escapeLine(path.Base(l.Name)), " ->", `\x20->`)
			if strings.HasPrefix(name, "#") {
				name = `\x23` + name[1:]
			}
			fmt.Fprintf(&body, "%s%s%s\n", name, arrow, escapeLine(l.Target))
		}
		done[f.Name] = true
		archive.Files = append(archive.Files, txtar.File{Name: f.Name + "/" + mode(f, folderMode), Data: body.Bytes()})
	}
	for _, f := range h.Files {
		if f.Mode.Type() != fs.ModeSymlink && !plain(f.Name) {
			return nil, fmt.Errorf("%q: an archive cannot hold this name", f.Name)
		}
		switch dir := path.Dir(f.Name); f.Mode.Type() {
		case fs.ModeDir:
			folder(f)
		case fs.ModeSymlink:
			if !explicit[dir] && !done[dir] {
				folder(File{Name: dir, Mode: folderMode})
			}
		default:
			options, data := mode(f, fileMode), f.Data
			if !verbatim(data) {
				options, data = " ;escaped"+options, escape(data)
			}
			archive.Files = append(archive.Files, txtar.File{Name: f.Name + options, Data: data})
		}
	}
	return txtar.Format(archive), nil
}

// plain tells whether a name can stand in a line with options after it.
func plain(name string) bool {
	return name == strings.TrimSpace(name) && !strings.Contains(name, " ;") && escapeLine(name) == name
}

func prose(to *bytes.Buffer, text string) {
	if text == "" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintln(to, strings.TrimSpace("# "+line))
	}
}

func mode(f File, usual fs.FileMode) string {
	if f.Mode == usual {
		return ""
	}
	return fmt.Sprintf(" ;mode=%03o", f.Mode.Perm())
}
