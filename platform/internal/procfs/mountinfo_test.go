// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Mounts as Linux 6.18 writes them: with none, one and several optional fields,
// an empty source, escapes, a folder that was deleted.
const mountinfo = `22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard,resv_strict
80 27 254:0 /srv/a\040b//deleted /mnt/a\040b\011c\012d\134e ro,relatime master:1 propagate_from:2 unbindable - ext4 /dev/vda rw,discard
81 27 0:50 / /mnt/empty rw,relatime - tmpfs  ro,size=4k
`

func TestMountinfo(t *testing.T) {
	var all []Mount
	var m Mount
	for b := []byte(mountinfo); len(b) > 0; {
		var err error
		b, err = NextMount(b, &m)
		require.NoError(t, err)
		all = append(all, m)
	}
	assert.Equal(t, []Mount{
		{22, 27, 0, 21, []byte("/"), []byte("/proc"), []byte("proc"), []byte("proc"), false},
		{27, 1, 254, 0, []byte("/"), []byte("/"), []byte("ext4"), []byte("/dev/vda"), false},
		{80, 27, 254, 0, []byte(`/srv/a\040b//deleted`), []byte(`/mnt/a\040b\011c\012d\134e`), []byte("ext4"), []byte("/dev/vda"), true},
		{81, 27, 0, 50, []byte("/"), []byte("/mnt/empty"), []byte("tmpfs"), []byte{}, true},
	}, all)
}

func TestMountinfoMalformed(t *testing.T) {
	var m Mount
	for _, in := range []string{
		"", "\n", "22 27 0:21 / /proc rw,relatime\n", "22 27 0:21 / /proc rw,relatime shared:1\n", "22 27 0:21 / /proc rw,relatime -\n",
		"22 27 0:21 / /proc rw,relatime - proc\n", "22 27 0:21 / /proc rw,relatime - proc proc\n", "x 27 0:21 / /proc rw - proc proc rw\n",
		"22 27 021 / /proc rw - proc proc rw\n", "22 27 0: / /proc rw - proc proc rw\n", "22 27 0:4294967296 / /proc rw - proc proc rw\n",
		"22 27 0:2x / /proc rw - proc proc rw\n", "22 27 0:21 /  rw - proc proc rw\n", "22 27 0:21 / /proc rw -  proc rw\n",
	} {
		_, err := NextMount([]byte(in), &m)
		assert.ErrorIs(t, err, parse.ErrSyntax, "%q", in)
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"/mnt":                       "/mnt",
		`/a\040b\011c\012d\134e\043`: "/a b\tc\nd\\e#",
		`\134040`:                    `\040`,
		`\303\274`:                   "ü",
		`\04`:                        `\04`,
		`\049x\`:                     `\049x\`,
		`\777`:                       `\777`,
	} {
		assert.Equal(t, "|"+want, string(Unescape([]byte("|"), []byte(in))), in)
	}
}

func TestFilesystems(t *testing.T) {
	got := map[string]bool{}
	require.NoError(t, Filesystems([]byte("nodev\tsysfs\n\text4\n\tfuseblk\nnodev\tfuse\n"), func(name []byte, nodev bool) { got[string(name)] = nodev }))
	assert.Equal(t, map[string]bool{"sysfs": true, "ext4": false, "fuseblk": false, "fuse": true}, got)
	for _, in := range []string{"\n", "ext4\n", "dev\text4\n", "nodev\t\n"} {
		assert.ErrorIs(t, Filesystems([]byte(in), func([]byte, bool) {}), parse.ErrSyntax, "%q", in)
	}
}

func TestMountinfoNoAllocation(t *testing.T) {
	text := []byte(mountinfo)
	var m Mount
	room := make([]byte, 0, 100)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		for b := text; len(b) > 0; {
			b, _ = NextMount(b, &m)
			_ = Unescape(room, m.Point)
		}
	}))
}

func FuzzMountinfo(f *testing.F) {
	f.Add([]byte(mountinfo))
	f.Add([]byte("nodev\tsysfs\n\text4\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = Filesystems(b, func(name []byte, _ bool) { assert.NotEmpty(t, name) })
		var m Mount
		for len(b) > 0 {
			rest, err := NextMount(b, &m)
			if err != nil {
				return
			}
			assert.NotEmpty(t, m.Point)
			assert.NotEmpty(t, m.Type)
			plain := Unescape(nil, m.Point)
			assert.LessOrEqual(t, len(plain), len(m.Point))
			if !bytes.Contains(m.Point, []byte{'\\'}) {
				assert.Equal(t, m.Point, plain)
			}
			b = rest
		}
	})
}
