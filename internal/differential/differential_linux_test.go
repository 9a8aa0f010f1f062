// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package differential

import (
	"fmt"
	"io"
	"math/bits"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform"
)

// largeFile is O_LARGEFILE, which the kernel sets by itself (E035).
var largeFile = map[string]uint64{"amd64": 0o100000, "arm64": 0o400000}[runtime.GOARCH]

// Every field of every subject is what psutil and /proc say, and what the
// subject knows of itself.
func TestSubjects(t *testing.T) {
	needPsutil(t)
	zoo := openZoo(t)
	names := map[int32]string{}
	for name, s := range zoo {
		if s.Skip != "" {
			t.Run(name, func(t *testing.T) { t.Skip(s.Skip) })
			continue
		}
		names[s.pid()] = name
	}
	pids := pids(zoo)
	before := take(t, open(t, platform.Root{}), everything(pids...))
	others := ask(t, pids...)
	after := take(t, open(t, platform.Root{}), everything(pids...))
	require.Empty(t, after.Tally.Sample, "malformed")

	compared := compare(t, names, before, after, others, append(slices.Clone(details), func(c *check) {
		s := zoo[names[c.before.PID]]
		checkSubject(c, names[c.before.PID], s)
		if s.FDs != nil && s.Standard != nil {
			checkFDs(c, s)
		}
		if s.Connections != nil {
			checkConnections(c, s)
		}
	})...)
	for f := range platform.Supported(platform.ThisOS()).Each() {
		assert.Positive(t, compared[f], "no subject has %v", f)
	}
	states := map[platform.State]bool{}
	tcp := map[platform.TCPState]bool{}
	for _, pid := range pids {
		p := find(before, pid)
		states[p.State] = true
		if p.More != nil && p.Got.Has(platform.FieldConnections) {
			for _, c := range p.More.Connections {
				tcp[c.State] = true
			}
		}
	}
	for _, s := range []platform.State{platform.StateSleeping, platform.StateZombie, platform.StateStopped, platform.StateTracingStop, platform.StateDiskSleep} {
		assert.True(t, states[s], states)
	}
	// All that a process can hold. A connection that is being opened from
	// outside, one in TIME_WAIT and a socket that was only made or bound are
	// in no process's list: E101, E104, E105.
	for s := platform.TCPEstablished; s < platform.NumTCPStates; s++ {
		held := s != platform.TCPSynRecv && s != platform.TCPTimeWait && s != platform.TCPClose
		assert.Equal(t, held, tcp[s], tcpStates[s])
	}
	for _, name := range []string{"sockets_ipv4", "sockets_ipv6"} {
		if s := zoo[name]; s.Skip == "" {
			nobodys(t, s.Connections[0].IPv6, "03", uint16(s.SynRecv[1].(float64)))
		}
	}
}

// nobodys finds a socket that must not be given to a process.
func nobodys(t *testing.T, ipv6 bool, state string, port uint16) {
	file := "/proc/net/tcp"
	if ipv6 {
		file += "6"
	}
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.True(t, slices.ContainsFunc(strings.Split(string(b), "\n"), func(l string) bool {
		f := strings.Fields(l)
		return len(f) > 9 && strings.Contains(l, fmt.Sprintf(":%04X ", port)) && f[3] == state && f[9] == "0"
	}), "no socket of port %d in state %s", port, state)
}

// A connection that was closed is kept for a minute, and is nobody's (E104).
func TestTimeWait(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	client, err := net.Dial("tcp4", listener.Addr().String())
	require.NoError(t, err)
	server, err := listener.Accept()
	require.NoError(t, err)
	at := client.LocalAddr().(*net.TCPAddr).AddrPort()
	has := func() bool {
		self := int32(os.Getpid())
		p := find(take(t, open(t, platform.Root{}), everything(self)), self)
		return slices.ContainsFunc(p.More.Connections, func(c platform.Connection) bool { return c.Local == at })
	}
	assert.True(t, has())
	require.NoError(t, client.Close())
	_, err = server.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, server.Close())
	assert.False(t, has())
	nobodys(t, false, "06", at.Port())
}

// checkSubject compares with what subjects know of themselves besides their
// descriptors and sockets.
func checkSubject(c *check, name string, s *subject) {
	p, m := c.before, c.before.More
	switch name {
	case "program":
		assert.Equal(c, "a name ) R ( th", p.Name)
		assert.True(c, strings.HasSuffix(p.Executable, "/a name ) R ( that is longer than comm"), p.Executable)
		assert.Equal(c, "argv zero", p.Command)
		assert.Equal(c, []string{
			"argv zero", "-c", "read x", "sh", "--password=hunter2", "", "caf\uFFFD", "two words", "new\nline", "-H", "Authorization: Bearer abc",
		}, p.Arguments)
		assert.Equal(c, []platform.EnvVar{
			{Name: "URL", Value: "https://u:p@example.com/"}, {Name: "PATH", Value: "/usr/bin:/bin"}, {Name: "DB_PASSWORD", Value: "hunter2"},
			{Name: "EMPTY", Value: ""}, {Name: "EQUALS", Value: "a=b=c"}, {Name: "LATIN", Value: "\uFFFDt\uFFFD"},
		}, m.Environment)
		assert.Equal(c, 6, m.EnvironmentCount)
	case "deleted_program":
		assert.True(c, strings.HasSuffix(p.Executable, "/deleted"), p.Executable)
	case "called_deleted":
		assert.True(c, strings.HasSuffix(p.Executable, "/kept (deleted)"), p.Executable)
	case "no_arguments":
		assert.Equal(c, 404, p.ArgumentCount)
		assert.Len(c, p.Arguments, platform.MaxArguments)
	case "title_padded":
		assert.Equal(c, "postgres: writer idle", p.Command)
	case "title_full":
		assert.True(c, strings.HasPrefix(p.Command, "title of one's own title of"), p.Command)
	case "comm_newline", "comm_full":
		assert.Equal(c, s.Comm, p.Name)
	case "comm_bytes":
		assert.Equal(c, "caf\uFFFD", p.Name)
	case "folders":
		assert.Equal(c, s.Root, p.More.RootDirectory)
		assert.Equal(c, s.Directory, p.More.Directory)
	case "folder_removed":
		assert.Equal(c, s.Directory, p.More.Directory)
	case "users":
		assert.Equal(c, s.UIDs, m.UIDs)
		assert.Equal(c, s.GIDs, m.GIDs)
		assert.Equal(c, s.Groups, m.Supplementary)
		assert.Equal(c, s.Umask, m.Umask)
		assert.Equal(c, "daemon", p.Owner)
		assert.Equal(c, [3]string{"daemon", "bin", "12345"}, m.Users) // P040
	case "unprivileged":
		assert.Equal(c, "nobody", p.Owner)
		assert.Empty(c, m.Supplementary)
	case "session":
		assert.Equal(c, [2]int32{p.PID, p.PID}, [2]int32{p.PGID, p.SID})
	case "group":
		assert.Equal(c, p.PID, p.PGID)
		assert.NotEqual(c, p.PID, p.SID)
	case "terminal":
		assert.Equal(c, platform.TTY{Attached: true, Name: s.TTY}, p.More.TTY)
	case "scheduling":
		assert.Equal(c, s.Nice, p.Nice)
		assert.Equal(c, s.Affinity, m.Affinity)
		assert.Equal(c, s.Affinity[0], p.LastCPU)
		assert.Equal(c, platform.IOPriority{Class: platform.IOClass(s.IO[0]), Level: int32(s.IO[1])}, p.IOPriority)
	case "io_idle":
		assert.Equal(c, platform.IOClassIdle, p.IOPriority.Class)
	case "limits":
		assert.Equal(c, platform.Limit{Soft: 123, Hard: 456}, p.More.Limits.Of[platform.LimitOpenFiles])
		assert.Equal(c, platform.Limit{Soft: 1 << 35, Hard: 1<<63 - 1}, p.More.Limits.Of[platform.LimitAddressSpace])
		assert.Equal(c, platform.Limit{Soft: 1e6, Hard: 2e6}, p.More.Limits.Of[platform.LimitRealtimeTimeout])
	case "oom":
		assert.Equal(c, s.Adjustment, p.OOMAdjustment)
		assert.Greater(c, p.OOMScore, int32(800))
	case "cgroup":
		assert.Equal(c, s.Cgroup, p.Cgroup)
	case "pid_namespace":
		assert.Equal(c, s.VPID, m.VPID)
	case "clock":
		assert.InDelta(c, 0.15, p.CPU.User+p.CPU.System, 0.05)
		assert.GreaterOrEqual(c, p.ChildrenCPU.User+p.ChildrenCPU.System, 0.18)
	case "zombie":
		assert.Equal(c, platform.StateZombie, p.State)
		assert.GreaterOrEqual(c, p.CPU.User+p.CPU.System, 0.04)
	case "leader_gone":
		assert.Equal(c, platform.StateZombie, p.State)
		assert.EqualValues(c, 2, p.Threads)
	case "signals":
		assert.Equal(c, platform.Signals{
			Pending: s.Pending, ProcessPending: s.ProcessPending, Blocked: s.Blocked, Ignored: s.Ignored, Caught: s.Caught,
		}, m.Signals)
		assert.Equal(c, s.Distinct, bits.OnesCount64(m.Signals.Pending|m.Signals.ProcessPending))
		assert.GreaterOrEqual(c, m.SignalsQueued, uint64(6))
	case "threads":
		assert.EqualValues(c, 21, p.Threads)
		require.Len(c, m.ThreadList, 21)
		var written uint64
		var burnt float64
		for _, th := range m.ThreadList {
			name, ok := s.Threads[th.ID]
			if assert.True(c, ok, "no thread %d", th.ID) && name != nil {
				assert.Equal(c, *name, th.Name)
			}
			written = max(written, th.WriteBytes)
			burnt += th.CPU.User + th.CPU.System
		}
		assert.GreaterOrEqual(c, written, uint64(1<<20))
		assert.Greater(c, p.CPU.User+p.CPU.System, burnt+0.05, "five threads have ended, and their time counts")
	case "io":
		assert.GreaterOrEqual(c, p.WriteBytes, s.Written)
		assert.Less(c, p.WriteBytes, s.Written+1<<20)
		assert.GreaterOrEqual(c, p.WriteChars, s.Passed)
	case "mappings":
		for _, want := range s.Mappings {
			i := slices.IndexFunc(m.Mappings, func(m platform.Mapping) bool { return m.Start == want.Start })
			if !assert.GreaterOrEqual(c, i, 0, want.What) {
				continue
			}
			got := m.Mappings[i]
			assert.Equal(c, want.End, got.End, want.What)
			assert.Equal(c, want.Perms, string(got.Permissions[:]), want.What)
			assert.Equal(c, want.Offset, got.Offset, want.What)
			if want.Name != nil {
				assert.Equal(c, *want.Name, got.Name, want.What)
			}
		}
		many := 0
		for _, m := range m.Mappings {
			if m.Start >= s.Many[0] && m.End <= s.Many[1] {
				many++
			}
		}
		assert.Equal(c, 400, many)
	}
}

// The cheap fields of every process of this machine, whatever runs here.
func TestPopulation(t *testing.T) {
	needPsutil(t)
	cheap := platform.Request{Fields: platform.AllFields &^ platform.DetailFields}
	before := take(t, open(t, platform.Root{}), cheap)
	others := ask(t)
	after := take(t, open(t, platform.Root{}), cheap)
	names := map[int32]string{}
	kernel := 0
	for pid := range others {
		b, a := find(before, pid), find(after, pid)
		if b == nil || a == nil || !stoodStill(b, a) {
			continue
		}
		names[pid] = fmt.Sprint(pid)
		if b.KernelThread {
			kernel++
		}
	}
	require.Greater(t, len(names), 10, "of %d", len(others))
	t.Logf("%d processes, %d of them threads of the kernel", len(names), kernel)
	compare(t, names, before, after, others)
}

// stoodStill tells whether a process did not run between two snapshots.
func stoodStill(before, after *platform.Process) bool {
	return before.ID == after.ID && before.State == after.State && before.State != platform.StateRunning && before.CPU == after.CPU &&
		before.Threads == after.Threads && before.RunDelay == after.RunDelay &&
		before.Got == after.Got && before.Got.Has(platform.FieldContextSwitches) && before.More.Voluntary == after.More.Voluntary && before.More.Involuntary == after.More.Involuntary
}
