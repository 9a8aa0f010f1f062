// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
)

// pages reads a list to its end, and tells of how many pages it is.
func pages(s *server, path, field string) (all []map[string]any, n int) {
	s.t.Helper()
	for after := ""; ; n++ {
		p := get[api.Process](s, path+after)
		for _, one := range p.Fields[field].([]any) {
			all = append(all, one.(map[string]any))
		}
		if p.Next == nil {
			return all, n + 1
		}
		require.Equal(s.t, []string{field}, slices.Collect(func(yield func(string) bool) {
			for name := range p.Next {
				if !yield(name) {
					return
				}
			}
		}))
		join := "?"
		if strings.Contains(path, "?") {
			join = "&"
		}
		after = join + "after=" + p.Next[field]
	}
}

// manyMappings gives us so many.
func manyMappings(t *testing.T, count int) []byte {
	t.Helper()
	page := os.Getpagesize()
	region, err := unix.Mmap(-1, 0, count*page, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, unix.Munmap(region)) })
	for i := 0; i < count; i += 2 {
		require.NoError(t, unix.Mprotect(region[i*page:(i+1)*page], unix.PROT_READ))
	}
	return region
}

// However many mappings a process has, an answer and what it takes to make it
// are of a size, and nothing is left out.
func TestManyMappings(t *testing.T) {
	const count = 12_000
	region := manyMappings(t, count)
	s := start(t, everything, nil)
	path := "/v1/processes/self/memory-maps"

	req, err := newRequest("GET", s.url+path, "")
	require.NoError(t, err)
	answer, allocated := bytesOf(t, s, req.URL.Path)
	assert.Less(t, answer, 2<<20)
	assert.Less(t, allocated, uint64(16<<20), "bytes for an answer of %d", answer)
	var first api.Process
	_, body := s.do("GET", path, "")
	require.NoError(t, json.Unmarshal(body, &first))
	require.Contains(t, first.Next, "memory_maps")
	list := first.Fields["memory_maps"].([]any)
	assert.Equal(t, list[len(list)-1].(map[string]any)["addr_start"], first.Next["memory_maps"])
	// The same of one among other fields, and in a list.
	among := get[api.Process](s, "/v1/processes/self?fields=name,memory_maps,memory_footprint")
	assert.Contains(t, among.Next, "memory_maps")
	assert.Greater(t, among.Fields["memory_footprint"].(map[string]any)["uss"], 0.0)

	all, n := pages(s, path, "memory_maps")
	assert.Greater(t, n, 2)
	got := map[string]bool{}
	last := uint64(0)
	for _, m := range all {
		start := m["addr_start"].(string)
		address, err := strconv.ParseUint(start, 0, 64)
		require.NoError(t, err)
		require.Greater(t, address, last)
		got[start], last = true, address
	}
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	ours := 0
	for line := range strings.Lines(string(maps)) {
		start, _, _ := strings.Cut(line, "-")
		address, err := strconv.ParseUint(start, 16, 64)
		require.NoError(t, err)
		if address >= base(region) && address < base(region)+uint64(len(region)) {
			ours++
			assert.True(t, got["0x"+strings.TrimLeft(start, "0")], start)
		}
	}
	assert.GreaterOrEqual(t, ours, count-1) // the last can be one with what is behind it

	// Grouped they are few, and add up all the same.
	groups := get[api.Process](s, path+"?grouped=true")
	assert.Nil(t, groups.Next)
	size := 0.0
	for _, g := range groups.Fields["memory_maps"].([]any) {
		g := g.(map[string]any)
		assert.NotContains(t, g, "addr_start")
		if g["path"] == "[anon]" {
			size = g["size"].(float64)
		}
	}
	assert.GreaterOrEqual(t, size, float64(len(region)))
	s.maxList = 1
	p := s.refused(api.InvalidArgument, "GET", path+"?grouped=true", "")
	assert.Contains(t, p.Detail, "ask without grouped")
	assert.Equal(t, map[string]string{"memory_maps": "too_many"}, get[api.Process](s, "/v1/processes/self?fields=name,memory_maps&grouped=true").Errors)
	for _, after := range []string{"x", "-1", "0x", "1.0", "18446744073709551615", "1e3", "010", "0b1", "1_0", "0X1", "0x01", "+1"} {
		s.refused(api.InvalidArgument, "GET", path+"?after="+after, "")
	}
}

func base(region []byte) uint64 {
	var address uint64
	_, _ = fmt.Sscanf(fmt.Sprintf("%p", &region[0]), "0x%x", &address)
	return address
}

// bytesOf makes a request and tells the size of the answer, and how much memory
// it took: on our side and on that of the client, which reads it piece by piece.
func bytesOf(t *testing.T, s *server, path string) (answer int, allocated uint64) {
	t.Helper()
	get[api.Process](s, "/v1/processes/self") // what is made once
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	conn, err := net.Dial("unix", s.cfg.ServerConfig.NetAddr.Endpoint)
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path)
	require.NoError(t, err)
	piece := make([]byte, 4096)
	for {
		n, err := conn.Read(piece)
		answer += n
		if err != nil {
			break
		}
	}
	runtime.ReadMemStats(&after)
	return answer, after.TotalAlloc - before.TotalAlloc
}

// So it is with descriptors and what is among them, and with threads.
func TestManyDescriptors(t *testing.T) {
	s := start(t, everything, nil)
	want := map[float64]bool{}
	for range 20 {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		f, err := os.Open(os.DevNull)
		require.NoError(t, err)
		t.Cleanup(func() {
			_, _ = syscall.Close(pair[0]), syscall.Close(pair[1])
			_ = f.Close()
		})
		want[float64(pair[0])], want[float64(pair[1])] = true, true
	}
	log, err := os.Create(t.TempDir() + "/log")
	require.NoError(t, err)
	defer log.Close()
	fds := func(path, field string) (found map[float64]bool, n int) {
		list, n := pages(s, "/v1/processes/self/"+path, field)
		found = map[float64]bool{}
		for _, one := range list {
			require.False(t, found[one["fd"].(float64)], "twice")
			found[one["fd"].(float64)] = true
		}
		return found, n
	}
	contains := func(found map[float64]bool, which map[float64]bool) {
		t.Helper()
		for fd := range which {
			assert.True(t, found[fd], fd)
		}
	}
	for _, c := range []struct {
		path, field string
		want        map[float64]bool
	}{
		{"fds", "fds", want}, {"fds?types=SOCKET", "fds", want}, {"connections?kind=unix", "connections", want},
		{"open-files", "open_files", map[float64]bool{float64(log.Fd()): true}},
	} {
		s.maxList = maxList
		found, n := fds(c.path, c.field)
		assert.Equal(t, 1, n)
		contains(found, c.want)
		s.maxList = 8000 // some fifteen of them
		found, n = fds(c.path, c.field)
		assert.Greater(t, n, 3, c.path)
		contains(found, c.want)
	}
	s.maxList = 1
	threads, n := pages(s, "/v1/processes/self/threads", "threads")
	assert.Len(t, threads, n)
	assert.Greater(t, n, 1)
	ids := map[any]bool{}
	for _, thread := range threads {
		ids[thread["id"]] = true
	}
	assert.Len(t, ids, n)
	assert.Contains(t, ids, float64(os.Getpid())) // not the lowest where the numbers have begun again
	assert.Nil(t, get[api.Process](s, "/v1/processes/self?fields=num_ctx_switches").Next)

	// Of the sockets of the host too there can be too many for one answer.
	type sockets struct {
		Connections []map[string]any
		Left        int `json:"left_out"`
	}
	assert.Zero(t, get[sockets](s, "/v1/system/connections?kind=unix").Left)
	// Whose they are is looked for in all pages of descriptors, here of one each.
	path := "/v1/system/connections?kind=unix&owners=true"
	owned := map[float64]bool{}
	for _, c := range get[sockets](s, path).Connections {
		if c["pid"] == float64(os.Getpid()) {
			owned[c["fd"].(float64)] = true
		}
	}
	contains(owned, want)
	s.maxPage = 1
	few := get[sockets](s, path)
	assert.Len(t, few.Connections, 1)
	assert.GreaterOrEqual(t, few.Left, len(want)-1)
}

// What callers do not read, they have to read before there is more.
func TestUnreadAnswers(t *testing.T) {
	s := start(t, everything, nil)
	s.smallAnswer = 1000
	key := "uid:" + strconv.Itoa(os.Geteuid())
	require.True(t, s.answers.take(key, maxAnswers))
	s.refused(api.RateLimited, "GET", "/v1/processes/self/memory-maps", "")
	get[api.Process](s, "/v1/processes/self")
	s.answers.give(key, maxAnswers)
	get[api.Process](s, "/v1/processes/self/memory-maps")
	assert.Zero(t, s.answers.taken)
}
