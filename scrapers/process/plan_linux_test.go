// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// plan is what is opened of a process for each metric alone, beside stat. The
// files of threads and descriptors are shown by their folder; links are
// followed without being opened.
var plan = map[string]string{
	"process.context_switches":                         "task task/10/status task/11/status",
	"process.cpu.affinity.count":                       "status",
	"process.cpu.logical_number":                       "",
	"process.cpu.time":                                 "",
	"process.cpu.unix.children.time":                   "",
	"process.cpu.utilization":                          "status",
	"process.disk.io":                                  "io",
	"process.environment_variable.count":               "environ",
	"process.linux.io.system_calls":                    "io",
	"process.linux.io.transferred":                     "io",
	"process.linux.io_priority":                        "",
	"process.linux.oom.score":                          "oom_score oom_score_adj",
	"process.linux.oom.score_adjustment":               "oom_score oom_score_adj",
	"process.linux.scheduler.run_delay.time":           "task task/10/schedstat task/11/schedstat",
	"process.linux.signal.queued":                      "status",
	"process.memory.linux.dirty":                       "smaps_rollup",
	"process.memory.linux.hugetlb":                     "status",
	"process.memory.linux.library":                     "status",
	"process.memory.linux.peak_virtual":                "status",
	"process.memory.linux.pss":                         "smaps_rollup",
	"process.memory.linux.resident.usage":              "status",
	"process.memory.linux.shared":                      "statm",
	"process.memory.linux.swap":                        "status",
	"process.memory.linux.uss":                         "smaps_rollup",
	"process.memory.mapping.count":                     "maps",
	"process.memory.mapping.linux.anonymous":           "smaps_rollup",
	"process.memory.mapping.linux.pss":                 "smaps_rollup",
	"process.memory.mapping.linux.referenced":          "smaps_rollup",
	"process.memory.mapping.linux.swap":                "smaps_rollup",
	"process.memory.mapping.size":                      "maps",
	"process.memory.mapping.usage":                     "smaps_rollup",
	"process.memory.unix.peak":                         "status",
	"process.memory.unix.segment.size":                 "statm",
	"process.memory.usage":                             "statm",
	"process.memory.utilization":                       "statm",
	"process.memory.virtual":                           "statm",
	"process.network.connection.count":                 "fd net/tcp net/tcp6 net/udp net/udp6 net/unix",
	"process.paging.faults":                            "",
	"process.signals_pending":                          "status",
	"process.status":                                   "",
	"process.thread.context_switches":                  "task task/10/stat task/10/status task/11/stat task/11/status",
	"process.thread.count":                             "",
	"process.thread.cpu.time":                          "task task/10/stat task/11/stat",
	"process.thread.disk.io":                           "task task/10/io task/10/stat task/11/io task/11/stat",
	"process.thread.paging.faults":                     "task task/10/stat task/11/stat",
	"process.unix.file_descriptor.count":               "fd",
	"process.unix.file_descriptor.file.link.count":     "fd",
	"process.unix.file_descriptor.file.size":           "fd",
	"process.unix.file_descriptor.info":                "fd fdinfo/0 fdinfo/3",
	"process.unix.file_descriptor.limit":               "limits",
	"process.unix.file_descriptor.offset":              "fd fdinfo/0 fdinfo/3",
	"process.unix.file_descriptor.pending_event.count": "fd fdinfo/0 fdinfo/3",
	"process.unix.file_descriptor.socket.queue.usage":  "fd net/tcp net/tcp6 net/udp net/udp6 net/unix",
	"process.unix.file_descriptor.timer.interval":      "fd fdinfo/0 fdinfo/3",
	"process.unix.file_descriptor.timer.time_left":     "fd fdinfo/0 fdinfo/3",
	"process.unix.file_descriptor.watch.count":         "fd fdinfo/0 fdinfo/3",
	"process.unix.nice":                                "",
	"process.unix.resource_limit.count":                "limits",
	"process.unix.resource_limit.priority":             "limits",
	"process.unix.resource_limit.size":                 "limits",
	"process.unix.resource_limit.time":                 "limits",
	"process.unix.signal.count":                        "status",
	"process.uptime":                                   "",
}

// What is not enabled is not opened. The kernel tells what is (inotify(7)).
func TestReadPlan(t *testing.T) {
	catalog, err := emit.Parse(metadataYAML)
	require.NoError(t, err)
	assert.ElementsMatch(t, slices.Collect(maps.Keys(catalog.Metrics)), slices.Collect(maps.Keys(plan)))

	root := planTree(t)
	for name, want := range plan {
		t.Run(name, func(t *testing.T) {
			metrics, attributes := map[string]any{}, map[string]any{}
			for other := range catalog.Metrics {
				metrics[other] = map[string]any{"enabled": other == name}
			}
			for attribute := range catalog.Resource {
				attributes[attribute] = map[string]any{"enabled": false}
			}
			cfg := NewConfig()
			require.NoError(t, confmap.NewFromStringMap(map[string]any{"metrics": metrics, "resource_attributes": attributes}).Unmarshal(&cfg))

			host, err := platform.Open(platform.Root{Path: root}, platform.Machine{})
			require.NoError(t, err)
			defer host.Close()
			s, err := New(host, &cfg, "1")
			require.NoError(t, err)
			opened := watch(t, filepath.Join(root, "proc/10"))
			snap, err := host.Snapshot(t.Context(), platform.Request{Fields: s.Fields(), Ignore: s.Ignore, Filter: s.Filter(), Select: s.Select})
			require.NoError(t, err)
			require.Len(t, snap.Processes, 1)
			assert.Equal(t, platform.Tally{}, snap.Tally)
			assert.Equal(t, strings.Fields("stat "+want), opened())
		})
	}
}

// planTree is a root with one process of two threads.
func planTree(t *testing.T) string {
	root := t.TempDir()
	const stat = " (app) S 1 2 3 0 -1 0 10 11 12 13 150 25 16 17 20 0 2 0 100 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 17 39 40 41 42 43 44 45 46 47 1 49 50 51 0\n"
	const status = "Umask:\t0022\nUid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\nGroups:\t1 \nNSpid:\t10\nVmPeak:\t1 kB\nVmHWM:\t1 kB\nRssAnon:\t1 kB\nRssFile:\t1 kB\nRssShmem:\t1 kB\nVmLib:\t1 kB\nVmSwap:\t1 kB\nHugetlbPages:\t1 kB\nSigQ:\t1/1\n" +
		"SigPnd:\t0\nShdPnd:\t0\nSigBlk:\t0\nSigIgn:\t0\nSigCgt:\t0\nCpus_allowed_list:\t0\nvoluntary_ctxt_switches:\t1\nnonvoluntary_ctxt_switches:\t1\n"
	const io = "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 0\n"
	const inet = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	files := map[string]string{
		"stat":                 "cpu  1 2 3 4\ncpu0 1 2 3 4\nbtime 1700000000\n",
		"10/stat":              "10" + stat,
		"10/statm":             "1000 250 100 5 0 123 0\n",
		"10/io":                io,
		"10/status":            status,
		"10/cmdline":           "app\x00",
		"10/schedstat":         "1 2 3\n",
		"10/oom_score":         "1\n",
		"10/oom_score_adj":     "0\n",
		"10/cgroup":            "0::/\n",
		"10/limits":            "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 unlimited            files     \n",
		"10/environ":           "A=1\x00",
		"10/maps":              "00400000-00500000 r-xp 00001000 fd:02 173521 /usr/bin/app\n",
		"10/smaps":             "00400000-00500000 r-xp 00001000 fd:02 173521 /usr/bin/app\nRss: 4 kB\n",
		"10/smaps_rollup":      "00400000-00500000 ---p 00000000 00:00 0 [rollup]\nRss: 4 kB\nPss: 4 kB\n",
		"10/fdinfo/0":          "pos:\t0\nflags:\t0100000\nmnt_id:\t1\n",
		"10/fdinfo/3":          "pos:\t0\nflags:\t02\nmnt_id:\t1\n",
		"10/net/tcp":           inet,
		"10/net/tcp6":          inet,
		"10/net/udp":           inet,
		"10/net/udp6":          inet,
		"10/net/unix":          "Num       RefCount Protocol Flags    Type St Inode Path\n",
		"10/task/10/stat":      "10" + stat,
		"10/task/11/stat":      "11" + stat,
		"10/task/10/status":    status,
		"10/task/11/status":    status,
		"10/task/10/io":        io,
		"10/task/11/io":        io,
		"10/task/10/schedstat": "1 2 3\n",
		"10/task/11/schedstat": "1 2 3\n",
	}
	for name, content := range files {
		path := filepath.Join(root, "proc", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	require.NoError(t, os.Mkdir(filepath.Join(root, "proc/10/fd"), 0o755))
	for name, target := range map[string]string{"fd/0": "/dev/null", "fd/3": "socket:[7]", "exe": "/bin/app", "cwd": "/", "root": "/"} {
		require.NoError(t, os.Symlink(target, filepath.Join(root, "proc/10", name)))
	}
	return root
}

// watch gives what is opened below a folder until it is asked for: the names,
// each once, those of stat first.
func watch(t *testing.T, dir string) func() []string {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	require.NoError(t, err)
	names := map[int32]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		wd, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN)
		rel, _ := filepath.Rel(dir, path)
		names[int32(wd)] = strings.TrimPrefix(rel+"/", "./")
		return err
	}))
	var buf [64 << 10]byte
	_, _ = unix.Read(fd, buf[:]) // what the walk opened
	return func() []string {
		defer unix.Close(fd)
		opened := map[string]bool{}
		for {
			n, err := unix.Read(fd, buf[:])
			if err != nil {
				break
			}
			for b := buf[:n]; len(b) > 0; {
				event := (*unix.InotifyEvent)(unsafe.Pointer(&b[0]))
				name := strings.TrimRight(string(b[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+event.Len]), "\x00")
				if name != "" && !(event.Mask&unix.IN_ISDIR != 0 && strings.HasPrefix(names[event.Wd]+name, "task/")) {
					opened[names[event.Wd]+name] = true
				}
				b = b[unix.SizeofInotifyEvent+event.Len:]
			}
		}
		list := slices.Sorted(maps.Keys(opened))
		if i := slices.Index(list, "stat"); i > 0 {
			list = slices.Insert(slices.Delete(list, i, i+1), 0, "stat")
		}
		return list
	}
}
