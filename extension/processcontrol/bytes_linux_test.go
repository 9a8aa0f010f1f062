// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
)

func TestCarried(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	type file struct {
		Path  *string `json:"path"`
		Other any     `json:"other"`
		FD    int     `json:"fd"`
		None  string  `json:"none,omitempty"`
	}
	odd, plain := "/a\xffb", "/ä\uFFFD"
	for _, tt := range []struct {
		answer any
		want   string
	}{
		{map[string]any{"name": plain, "n": 1, "null": nil}, `{"n":1,"name":"/ä\ufffd","null":null}`},
		{map[string]any{"name": odd}, `{"name":"/a\\xffb","name_b64":"` + b64(odd) + `"}`},
		{map[string]any{"cmdline": []string{"a", odd}}, `{"cmdline":["a","/a\\xffb"],"cmdline_b64":["` + b64("a") + `","` + b64(odd) + `"]}`},
		{map[string]any{"cmdline": []string{"a"}}, `{"cmdline":["a"]}`},
		{map[string]string{"X": odd}, `{"X":"/a\\xffb","X_b64":"` + b64(odd) + `"}`},
		{[]file{{Path: &plain}, {}}, `[{"path":"/ä\ufffd","other":null,"fd":0},{"path":null,"other":null,"fd":0}]`},
		{[]file{{Path: &odd, FD: 3}, {Other: odd}}, `[{"path":"/a\\xffb","path_b64":"` + b64(odd) + `","other":null,"fd":3},{"path":null,"other":"/a\\xffb","other_b64":"` + b64(odd) + `","fd":0}]`},
		{api.Process{Ref: "r", PID: 1, Fields: map[string]any{"exe": odd}},
			`{"ref":"r","pid":1,"creation_time":"0001-01-01T00:00:00Z","exe":"/a\\xffb","exe_b64":"` + b64(odd) + `"}`},
	} {
		text, err := json.Marshal(carried(tt.answer))
		require.NoError(t, err)
		assert.JSONEq(t, tt.want, string(text))
	}
}

// Names and arguments of any bytes come over the wire whole.
func TestNamesOfBytes(t *testing.T) {
	s := start(t, everything, nil)
	dir := t.TempDir()
	program := filepath.Join(dir, "sl\xff\"eep")
	sleep, err := os.ReadFile("/bin/sleep")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, sleep, 0o755))
	odd := filepath.Join(dir, "d\xfe")
	require.NoError(t, os.Mkdir(odd, 0o755))
	open, err := os.Create(filepath.Join(odd, "f\\x"))
	require.NoError(t, err)
	defer open.Close()
	var event [2]int
	event[0], err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	require.NoError(t, err)
	event[1], err = unix.Eventfd(7, unix.EFD_CLOEXEC)
	require.NoError(t, err)
	require.NoError(t, unix.EpollCtl(event[0], unix.EPOLL_CTL_ADD, event[1], &unix.EpollEvent{Events: unix.EPOLLIN, Fd: 12}))
	epoll := os.NewFile(uintptr(event[0]), "epoll")
	defer epoll.Close()
	defer unix.Close(event[1])

	cmd := exec.Command(program, "1000", "0")
	cmd.Dir, cmd.ExtraFiles = odd, []*os.File{open, epoll}
	require.NoError(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	p := get[api.Process](s, fmt.Sprintf("/v1/processes/pid:%d?fields=name,exe,cmdline,cwd", cmd.Process.Pid))
	bytes := func(name string) string {
		text, ok := p.Fields[name].(string)
		require.True(t, ok, "%s: %v", name, p.Fields)
		b, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		return string(b)
	}
	assert.Equal(t, `sl\xff"eep`, p.Fields["name"])
	assert.Equal(t, "sl\xff\"eep", bytes("name_b64"))
	assert.Equal(t, filepath.Join(dir, `sl\xff"eep`), p.Fields["exe"])
	assert.Equal(t, program, bytes("exe_b64"))
	assert.Equal(t, filepath.Join(dir, `d\xfe`), p.Fields["cwd"])
	assert.Equal(t, odd, bytes("cwd_b64"))
	assert.Equal(t, []any{filepath.Join(dir, `sl\xff"eep`), "1000", "0"}, p.Fields["cmdline"])
	assert.Equal(t, []any{
		base64.StdEncoding.EncodeToString([]byte(program)), base64.StdEncoding.EncodeToString([]byte("1000")), base64.StdEncoding.EncodeToString([]byte("0")),
	}, p.Fields["cmdline_b64"])

	// So they do in lists.
	type lists struct{ Processes, Children []api.Process }
	for _, path := range []string{fmt.Sprintf("?executable=%s&", url.QueryEscape(program)), "/self/children?"} {
		listed := get[lists](s, "/v1/processes"+path+"fields=name,exe,cmdline,cwd")
		all := append(listed.Processes, listed.Children...)
		at := slices.IndexFunc(all, func(one api.Process) bool { return one.Ref == p.Ref })
		require.GreaterOrEqual(t, at, 0, path)
		assert.Equal(t, p.Fields, all[at].Fields, path)
	}

	p = get[api.Process](s, fmt.Sprintf("/v1/processes/pid:%d/fds", cmd.Process.Pid))
	found := map[float64]map[string]any{}
	for _, one := range p.Fields["fds"].([]any) {
		fd := one.(map[string]any)
		found[fd["fd"].(float64)] = fd
	}
	assert.Equal(t, filepath.Join(dir, `d\xfe/f\x`), found[3]["path"])
	assert.Equal(t, base64.StdEncoding.EncodeToString([]byte(open.Name())), found[3]["path_b64"])
	assert.Nil(t, found[0]["path_b64"])
	target := found[4]["extra_info"].(map[string]any)["tfds"].(map[string]any)[strconv.Itoa(event[1])].(map[string]any)
	assert.Equal(t, float64(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP), target["events"])
	assert.Equal(t, "12", target["data"])
	assert.Equal(t, 0.0, target["pos"])
	assert.NotEqual(t, "0", target["ino"])
}
