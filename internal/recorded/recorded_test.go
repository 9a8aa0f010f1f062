// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package recorded

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform"
)

const header = "os: linux\nnow: 2026-11-23T10:00:00Z\npagesize: 4096\n"

func TestParse(t *testing.T) {
	host, err := Parse("x", []byte(`# A machine.
#
# With two paragraphs.
os: linux
now: 2026-11-23T10:00:00.25Z

pagesize: 16384
awake: 1h2m3.5s
statfs: 4096 100 50 40 30 20 /
statfs: 512 1 0 0 0 0 /srv/a\x20b
-- proc/12/ --
# replaced while it ran
exe -> /usr/bin/a\\b -> c (deleted)

-- proc/12/cmdline ;escaped --
sh\0\
-c\0\
\{3*ab\}}\xff\0\
-- proc/12/io ;mode=000 --
-- proc/12/fd/ ;mode=500 --
0 -> /dev/null
1 -> pipe:[4711]
-- proc/12/stat --
12 (sh) S
-- proc/13/ --
-- proc/14/comm ;escaped --
\x2d- is no marker --\
`))
	require.NoError(t, err)
	want := &Host{
		About: "A machine.\n\nWith two paragraphs.", OS: "linux", PageSize: 16384,
		Now: time.Date(2026, 11, 23, 10, 0, 0, 250e6, time.UTC), Awake: time.Hour + 2*time.Minute + 3500*time.Millisecond,
		Filesystems: []Filesystem{
			{"/", platform.Statfs{BlockSize: 4096, Blocks: 100, FreeBlocks: 50, AvailableBlocks: 40, Files: 30, FreeFiles: 20}},
			{"/srv/a b", platform.Statfs{BlockSize: 512, Blocks: 1}},
		},
		Files: []File{
			{Name: "proc/12", Mode: os.ModeDir | 0o755, Note: "replaced while it ran"},
			{Name: "proc/12/exe", Mode: os.ModeSymlink, Target: `/usr/bin/a\b -> c (deleted)`},
			{Name: "proc/12/cmdline", Mode: 0o644, Data: []byte("sh\x00-c\x00ab}ab}ab}\xff\x00")},
			{Name: "proc/12/io", Mode: 0, Data: []byte{}},
			{Name: "proc/12/fd", Mode: os.ModeDir | 0o500},
			{Name: "proc/12/fd/0", Mode: os.ModeSymlink, Target: "/dev/null"},
			{Name: "proc/12/fd/1", Mode: os.ModeSymlink, Target: "pipe:[4711]"},
			{Name: "proc/12/stat", Mode: 0o644, Data: []byte("12 (sh) S\n")},
			{Name: "proc/13", Mode: os.ModeDir | 0o755},
			{Name: "proc/14/comm", Mode: 0o644, Data: []byte("-- is no marker --")},
		},
	}
	assert.Empty(t, cmp.Diff(want, host))
}

func TestParseErrors(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"no clock":         {"os: linux\npagesize: 4096\n-- a --\n", "m.txtar:2: now: missing in the header"},
		"bad clock":        {"os: linux\nnow: today\n", "m.txtar:2: now: parsing time"},
		"bad page size":    {"os: linux\npagesize: 0\n", "m.txtar:2: pagesize: must be positive"},
		"bad awake":        {"os: linux\nawake: long\n", "m.txtar:2: awake: time: invalid duration"},
		"never awake":      {"os: linux\nawake: 0s\n", "m.txtar:2: awake: must be positive"},
		"twice in header":  {"os: linux\nos: linux\n", "m.txtar:2: os: given twice"},
		"short statfs":     {"os: linux\nstatfs: 4096 1 1 1 1 /\n", `m.txtar:2: statfs: strconv.ParseUint: parsing "/"`},
		"relative statfs":  {"os: linux\nstatfs: 1 1 1 1 1 1 srv\n", `m.txtar:2: statfs: "srv" is no absolute path`},
		"statfs twice":     {"os: linux\nstatfs: 1 1 1 1 1 1 /\nstatfs: 1 1 1 1 1 1 /\n", "m.txtar:3: statfs: /: given twice"},
		"unknown key":      {"# prose\n\npage: 1\n", "m.txtar:3: page: neither os, now, pagesize, awake, statfs"},
		"outside":          {header + "-- ../a --\n", `m.txtar:4: "../a": not a path below the root`},
		"absolute":         {header + "-- /a --\n", `m.txtar:4: "/a": not a path below the root`},
		"the root":         {header + "-- . --\n", `m.txtar:4: ".": not a path below the root`},
		"twice":            {header + "-- a --\n1\n2\n-- a --\n", "m.txtar:7: a: there twice"},
		"folder twice":     {header + "-- a/b --\n-- a/ --\n-- a/ --\n", "m.txtar:6: a: there twice"},
		"file is folder":   {header + "-- a --\n-- a/b --\n", "m.txtar:5: a/b: a is no folder"},
		"folder is file":   {header + "-- a/b --\n-- a --\n", "m.txtar:5: a: both a folder and none"},
		"link below file":  {header + "-- a --\n-- a/ --\nb -> c\n", "m.txtar:5: a: there twice"},
		"link is folder":   {header + "-- a/b/c --\n-- a/ --\n# note\nb -> c\n", "m.txtar:7: a/b: both a folder and none"},
		"link of path":     {header + "-- a/ --\nb/c -> d\n", `m.txtar:5: a/: "b/c" has a slash`},
		"link to nothing":  {header + "-- a/ --\n\nb\n", `m.txtar:6: a/: "b" is no NAME -> TARGET`},
		"link escape":      {header + "-- a/ --\nb -> \\q\n", `m.txtar:5: a/: unknown escape at "\\q"`},
		"unknown option":   {header + "-- a ;x --\n", `m.txtar:4: a: unknown option "x"`},
		"mode":             {header + "-- a ;mode=9 --\n", `m.txtar:4: a: unknown option "mode=9"`},
		"folder escaped":   {header + "-- a/ ;escaped --\n", `m.txtar:4: a/: unknown option "escaped"`},
		"misspelt name":    {header + "-- a --\n1\n-- b --x\n", "m.txtar:6: a: content looks like a file's name"},
		"escape":           {header + "-- a ;escaped --\n1\n2\\y3\n-- b --\n", `m.txtar:6: a: unknown escape at "\\y3\n"`},
		"hex":              {header + "-- a ;escaped --\n\\xg0\n", `m.txtar:5: a: unknown escape at "\\xg0\n"`},
		"end of escape":    {header + "-- a ;escaped --\n\\{3*a\n", `m.txtar:5: a: no repetition \{N*TEXT} at "\\{3*a\n"`},
		"no number":        {header + "-- a ;escaped --\n\n\\{*a}\n", `m.txtar:6: a: no repetition \{N*TEXT}`},
		"inner escape":     {header + "-- a ;escaped --\n\\{3*\\y}\n", `m.txtar:5: a: wrong escape in the repetition`},
		"beyond all sense": {header + "-- a ;escaped --\n\\{67108865*a}\n", `m.txtar:5: a: repetition of more than 64 MiB`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("m.txtar", []byte(test.text))
			require.Error(t, err)
			assert.Contains(t, err.Error(), test.want)
		})
	}
}

// tree is a folder with one of everything that an archive has to hold.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { unlock(dir) })
	for name, content := range map[string]string{
		"proc/1/cmdline":     "init\x00-- a --\x00",
		"proc/1/stat":        "1 (a) S\n",
		"proc/1/big":         strings.Repeat("x", 2<<20) + "\x00",
		"proc/1/intr":        "intr 7 " + strings.Repeat(" 0", 4000) + "\n" + strings.Repeat("}\n", 400),
		"proc/1/marker":      "-- a --\nb\n-- c --\n",
		"proc/1/no_newline":  "one\ntwo",
		"proc/1/newline":     "\n",
		"proc/1/trailing":    "Groups:\t \nNone:\t\n ",
		"proc/1/empty":       "",
		"proc/1/bytes":       "\xff\xfe{\\}\r\n\x7f\u200b\u00a0é\t\n",
		"proc/1/denied":      "secret\n",
		"proc/2/fd/7/nested": "",
		"proc/4194304":       "no folder\n",
	} {
		at := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
		require.NoError(t, os.WriteFile(at, []byte(content), 0o644))
	}
	for name, target := range map[string]string{
		"proc/1/exe": "/bin/a\nb\\c\xff (deleted)", "proc/1/#a -> b": " c -> d ", "proc/1/b ->": "->", "top": "proc",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "proc/3/fd"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "locked"), 0o755))
	require.NoError(t, os.Chmod(filepath.Join(dir, "locked"), 0o500))
	require.NoError(t, os.Chmod(filepath.Join(dir, "proc/1/denied"), 0o400))
	return dir
}

// A tree becomes text and the text the same tree.
func TestRoundTrip(t *testing.T) {
	files, err := Scan(tree(t))
	require.NoError(t, err)
	host := &Host{
		About: "Two lines.\n\nAnd a third.", OS: "linux", PageSize: 65536,
		Now: time.Date(2026, 11, 23, 10, 0, 0, 1, time.UTC), Awake: 90 * time.Minute, Files: files,
		Filesystems: []Filesystem{{"/tab\tand line\n", platform.Statfs{BlockSize: 1, Blocks: 6, FreeBlocks: 5, AvailableBlocks: 4, Files: 3, FreeFiles: 2}}},
	}
	text, err := host.Format()
	require.NoError(t, err)
	assert.Less(t, len(text), 1500, "repetitions are written once")
	for i, line := range bytes.Split(text, newline) {
		assert.Less(t, len(line), 100, "line %d can be read", i+1)
		assert.Equal(t, bytes.TrimRight(line, " \t"), line, "line %d ends where it seems to", i+1)
	}

	again, err := Parse("x", text)
	require.NoError(t, err)
	assert.Equal(t, host.About, again.About)
	assert.Equal(t, host.Now, again.Now)
	assert.Equal(t, host.PageSize, again.PageSize)
	assert.Equal(t, host.Awake, again.Awake)
	assert.Equal(t, host.Filesystems, again.Filesystems)
	second, err := again.Format()
	require.NoError(t, err)
	assert.Equal(t, string(text), string(second))

	dir := t.TempDir()
	t.Cleanup(func() { unlock(dir) })
	require.NoError(t, again.Materialise(dir))
	copied, err := Scan(dir)
	require.NoError(t, err)
	assert.Equal(t, files, copied)
}

func TestFormatRefusesNames(t *testing.T) {
	for _, name := range []string{"a\nb", "a ;escaped", " a", "\xff"} {
		_, err := (&Host{Files: []File{{Name: name}}}).Format()
		assert.ErrorContains(t, err, "an archive cannot hold this name", name)
	}
}

func TestOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "m.txtar")
	require.NoError(t, os.WriteFile(file, []byte(header+"statfs: 4096 3 2 1 0 0 /\n-- etc/hostname --\nm\n-- proc/uptime --\n1.0 1.0\n"), 0o600))
	root, machine := Open(t, file)
	require.NoError(t, root.Check(platform.Linux))
	assert.Equal(t, time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), machine.Now())
	assert.Equal(t, 4096, machine.PageSize)
	assert.Zero(t, machine.Awake(), "not that of this machine")
	space, err := machine.Statfs("/")
	require.NoError(t, err)
	assert.Equal(t, platform.Statfs{BlockSize: 4096, Blocks: 3, FreeBlocks: 2, AvailableBlocks: 1}, space)
	_, err = machine.Statfs("/tmp")
	assert.ErrorIs(t, err, fs.ErrNotExist, "not that of this machine")
	content, err := os.ReadFile(filepath.Join(root.Path, "etc/hostname"))
	require.NoError(t, err)
	assert.Equal(t, "m\n", string(content))
}

// What is escaped is the same bytes again, whatever they are.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", "a", "a\n", "\x00", "-- a --", "\\{3*a}", strings.Repeat("}\\", 300) + "\n-- "} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		host := &Host{OS: "linux", PageSize: 1, Files: []File{{Name: "a", Mode: fileMode, Data: data}}}
		text, err := host.Format()
		require.NoError(t, err)
		again, err := Parse("x", text)
		require.NoError(t, err)
		require.Len(t, again.Files, 1)
		require.True(t, bytes.Equal(data, again.Files[0].Data), "%q", text)
	})
}

// Every machine of the repository can be read, is small, and says what it is.
func TestMachines(t *testing.T) {
	machines, err := filepath.Glob("../../testdata/hosts/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, machines)
	for _, file := range machines {
		host, err := Load(file)
		require.NoError(t, err)
		assert.NotEmpty(t, host.About, file)
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Less(t, info.Size(), int64(60<<10), file)

		first, second := t.TempDir(), t.TempDir()
		require.NoError(t, host.Materialise(first))
		text, err := host.Format()
		require.NoError(t, err)
		again, err := Parse(file, text)
		require.NoError(t, err)
		require.NoError(t, again.Materialise(second))
		want, err := Scan(first)
		require.NoError(t, err)
		got, err := Scan(second)
		require.NoError(t, err)
		assert.Equal(t, want, got, file)
	}
}
