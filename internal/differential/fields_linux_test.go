// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package differential

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform"
)

// check compares one process: ours was read before and after theirs, so that
// what moved meanwhile is told from what is wrong.
type check struct {
	*testing.T
	before, after *platform.Process
	*theirs
	compared map[platform.Fields]int // how often each field was
	detailed bool                    // all was asked for, of both
}

// got tells whether there is something to compare, and reports it when only
// one of both has an answer.
func (c *check) got(f platform.Fields, known bool) bool {
	if f&platform.DetailFields != 0 && !c.detailed {
		return false
	}
	before, after := c.before.Got.Has(f), c.after.Got.Has(f)
	if before != after {
		return false // it went meanwhile
	}
	if before != known {
		c.Errorf("%s: hostscope has it is %t, the other has it is %t", f, before, known)
	}
	if before && known {
		c.compared[f]++
	}
	return before && known
}

// same reports a value that is neither ours before nor ours after.
func same[T any](c *check, what string, theirs T, ours func(*platform.Process) T) {
	c.Helper()
	if before, after := ours(c.before), ours(c.after); !assert.ObjectsAreEqual(theirs, before) && !assert.ObjectsAreEqual(theirs, after) {
		c.Errorf("%s: is %#v, hostscope says %#v before and %#v after", what, theirs, before, after)
	}
}

// between reports a number that lies outside what ours was before and after,
// by more than tolerance.
func between[T int32 | int64 | uint64 | float64](c *check, what string, theirs, tolerance T, ours func(*platform.Process) T) {
	c.Helper()
	low, high := ours(c.before), ours(c.after)
	if low > high {
		low, high = high, low
	}
	if theirs+tolerance < low || theirs > high+tolerance {
		c.Errorf("%s: is %v, hostscope says %v to %v", what, theirs, low, high)
	}
}

// checkSignalQueue compares at a moment at which the number stands still: it is
// of all processes of the user.
func checkSignalQueue(t *testing.T, pid int32) {
	t.Helper()
	h := open(t, platform.Root{})
	for last := time.Now().Add(time.Minute); ; {
		s := take(t, h, platform.Request{Fields: platform.FieldSignalQueue, Select: func(p *platform.Process) bool { return p.PID == pid }})
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		i := slices.IndexFunc(s.Processes, func(p *platform.Process) bool { return p.PID == pid })
		if err != nil || i < 0 {
			return // it has ended
		}
		_, line, _ := strings.Cut(string(b), "\nSigQ:\t")
		used, _, _ := strings.Cut(line, "/")
		want, err := strconv.ParseUint(used, 10, 64)
		require.NoError(t, err)
		if got := s.Processes[i].More.SignalsQueued; got == want || time.Now().After(last) {
			assert.Equal(t, want, got)
			return
		}
	}
}

// rows has the comparison of every field but those in detail_linux_test.go.
var rows = []struct {
	field   platform.Fields
	compare func(*check)
}{
	{platform.FieldName, func(c *check) {
		// P015: the kernel's name. psutil makes a longer one of argv[0].
		if c.got(platform.FieldName, c.Psutil.Name.Known) {
			name := clean(c.Psutil.Name.V)
			if c.before.KernelThread && strings.HasPrefix(name, "kworker/") {
				// The kernel appends what it works on at the moment, which
				// would make a new resource of it each time (R-FREEZE).
				assert.True(c, strings.HasPrefix(name, c.before.Name), "%q does not begin with %q", name, c.before.Name)
				return
			}
			same(c, "name", c.Proc.Comm, func(p *platform.Process) string { return p.Name })
			if len(c.Proc.Comm) < 15 {
				same(c, "name", name, func(p *platform.Process) string { return p.Name })
			} else {
				assert.True(c, strings.HasPrefix(name, c.before.Name), "%q does not begin with %q", name, c.before.Name)
			}
		}
	}},
	{platform.FieldParent, func(c *check) {
		if c.got(platform.FieldParent, c.Psutil.PPID.Known) {
			same(c, "ppid", c.Psutil.PPID.V, func(p *platform.Process) int32 { return p.PPID })
		}
	}},
	{platform.FieldState, func(c *check) {
		if c.got(platform.FieldState, c.Psutil.Status.Known) {
			same(c, "status", c.Psutil.Status.V, func(p *platform.Process) string { return states[p.State] })
		}
	}},
	{platform.FieldCPUTime, func(c *check) {
		if c.got(platform.FieldCPUTime, c.Psutil.CPU.Known) {
			between(c, "cpu_times user", c.Psutil.CPU.V.User, 1e-9, func(p *platform.Process) float64 { return p.CPU.User })
			between(c, "cpu_times system", c.Psutil.CPU.V.System, 1e-9, func(p *platform.Process) float64 { return p.CPU.System })
		}
	}},
	{platform.FieldChildrenTime, func(c *check) {
		if c.got(platform.FieldChildrenTime, c.Psutil.CPU.Known) {
			between(c, "children_user", c.Psutil.CPU.V.ChildrenUser, 1e-9, func(p *platform.Process) float64 { return p.ChildrenCPU.User })
			between(c, "children_system", c.Psutil.CPU.V.ChildrenSystem, 1e-9, func(p *platform.Process) float64 { return p.ChildrenCPU.System })
		}
	}},
	{platform.FieldThreads, func(c *check) {
		if c.got(platform.FieldThreads, c.Psutil.Threads.Known) {
			between(c, "num_threads", c.Psutil.Threads.V, 0, func(p *platform.Process) int32 { return p.Threads })
		}
	}},
	{platform.FieldMemory, func(c *check) {
		// P072: an empty memory is none.
		if c.got(platform.FieldMemory, c.Psutil.Memory.Known && c.Psutil.Memory.V.VMS > 0) {
			between(c, "rss", c.Psutil.Memory.V.RSS, 0, func(p *platform.Process) uint64 { return p.RSS })
			between(c, "vms", c.Psutil.Memory.V.VMS, 0, func(p *platform.Process) uint64 { return p.VMS })
		}
	}},
	{platform.FieldShared, func(c *check) {
		if c.got(platform.FieldShared, c.Psutil.Memory.Known && c.Psutil.Memory.V.VMS > 0) {
			between(c, "shared", c.Psutil.Memory.V.Shared, 0, func(p *platform.Process) uint64 { return p.Shared })
		}
	}},
	{platform.FieldSegments, func(c *check) {
		if c.got(platform.FieldSegments, c.Psutil.Memory.Known && c.Psutil.Memory.V.VMS > 0) {
			between(c, "text", c.Psutil.Memory.V.Text, 0, func(p *platform.Process) uint64 { return p.Text })
			between(c, "data", c.Psutil.Memory.V.Data, 0, func(p *platform.Process) uint64 { return p.Data })
		}
	}},
	{platform.FieldDiskIO, func(c *check) {
		if c.got(platform.FieldDiskIO, c.Psutil.IO.Known) {
			between(c, "read_bytes", c.Psutil.IO.V.ReadBytes, 0, func(p *platform.Process) uint64 { return p.ReadBytes })
			between(c, "write_bytes", c.Psutil.IO.V.WriteBytes, 0, func(p *platform.Process) uint64 { return p.WriteBytes })
		}
	}},
	{platform.FieldLogicalIO, func(c *check) {
		if c.got(platform.FieldLogicalIO, c.Psutil.IO.Known) {
			between(c, "read_chars", c.Psutil.IO.V.ReadChars, 0, func(p *platform.Process) uint64 { return p.ReadChars })
			between(c, "write_chars", c.Psutil.IO.V.WriteChars, 0, func(p *platform.Process) uint64 { return p.WriteChars })
			between(c, "read_count", c.Psutil.IO.V.ReadCount, 0, func(p *platform.Process) uint64 { return p.ReadCalls })
			between(c, "write_count", c.Psutil.IO.V.WriteCount, 0, func(p *platform.Process) uint64 { return p.WriteCalls })
		}
	}},
	{platform.FieldDescriptors, func(c *check) {
		// A zombie and a thread of the kernel have none, not 0 of them; and
		// anybody may know how many there are (P136).
		if c.Psutil.FDs.Raised != "AccessDenied" && c.got(platform.FieldDescriptors, c.Psutil.FDs.Known && !c.noMemory()) {
			// A call under way, such as accept(2) or the open(2) of a FIFO that
			// nobody writes to, has reserved its descriptor: the size of the
			// folder counts it, a listing does not show it.
			reserved := int32(0)
			if !c.detailed {
				reserved = c.before.Threads
			}
			between(c, "num_fds", c.Psutil.FDs.V, reserved, func(p *platform.Process) int32 { return p.Descriptors })
		}
	}},
	{platform.FieldExecutable, func(c *check) {
		// psutil makes a guess out of argv[0] where it may not know.
		if c.got(platform.FieldExecutable, c.Proc.Exe != nil) {
			same(c, "exe", c.Psutil.Exe.V, func(p *platform.Process) string { return p.Executable })
		}
	}},
	{platform.FieldArguments, func(c *check) {
		// Kept as the kernel has them: psutil guesses where a title that was
		// written over the arguments could be split (P019).
		if c.got(platform.FieldArguments, c.Proc.Cmdline != "") {
			want := strings.Split(strings.TrimSuffix(c.Proc.Cmdline, "\x00"), "\x00")
			if len(want) > 1 && strings.Join(want[1:], "") == "" {
				want = want[:1] // a title, filled up with NULs
			}
			same(c, "number of arguments", len(want), func(p *platform.Process) int { return p.ArgumentCount })
			guessed := !strings.HasSuffix(c.Proc.Cmdline, "\x00") || len(want) == 1 && strings.Contains(want[0], " ")
			if c.Psutil.Cmdline.Known && !guessed {
				assert.Equal(c, want, c.Psutil.Cmdline.V[:min(len(want), len(c.Psutil.Cmdline.V))])
			}
			for i := range want { // R-REDACT (f)
				if valid := []byte(want[i]); len(valid) > platform.MaxArgument {
					want[i] = string(valid[:platform.MaxArgument])
				}
			}
			want = want[:min(len(want), platform.MaxArguments)]
			same(c, "arguments", want, func(p *platform.Process) []string { return slices.Clone(p.Arguments) })
		}
	}},
	{platform.FieldCommand, func(c *check) {
		first, _, _ := strings.Cut(c.Proc.Cmdline, "\x00")
		if c.got(platform.FieldCommand, first != "") {
			same(c, "argv[0]", first[:min(len(first), platform.MaxArgument)], func(p *platform.Process) string { return p.Command })
		}
	}},
	{platform.FieldOwner, func(c *check) {
		if c.got(platform.FieldOwner, c.Psutil.Username.Known) {
			same(c, "username", c.Psutil.Username.V, func(p *platform.Process) string { return p.Owner })
		}
	}},
	{platform.FieldUsers, func(c *check) {
		if c.got(platform.FieldUsers, c.Psutil.UIDs.Known) {
			u := c.Psutil.UIDs.V
			same(c, "uids", ids(c.Proc.Status["Uid"]), func(p *platform.Process) [4]uint32 { return p.More.UIDs })
			same(c, "uids", [3]uint32{u.Real, u.Effective, u.Saved}, func(p *platform.Process) [3]uint32 { return [3]uint32(p.More.UIDs[:]) })
			same(c, "username", c.Psutil.Username.V, func(p *platform.Process) string { return p.More.Users[0] })
		}
	}},
	{platform.FieldGroups, func(c *check) {
		if c.got(platform.FieldGroups, c.Psutil.GIDs.Known) {
			g := c.Psutil.GIDs.V
			same(c, "gids", ids(c.Proc.Status["Gid"]), func(p *platform.Process) [4]uint32 { return p.More.GIDs })
			same(c, "gids", [3]uint32{g.Real, g.Effective, g.Saved}, func(p *platform.Process) [3]uint32 { return [3]uint32(p.More.GIDs[:]) })
		}
	}},
	{platform.FieldSupplementary, func(c *check) {
		groups, ok := c.Proc.Status["Groups"]
		if c.got(platform.FieldSupplementary, ok) {
			want := []uint32{}
			for _, g := range strings.Fields(groups) {
				want = append(want, uint32(number(c, g, 10)))
			}
			slices.Sort(want) // P036
			same(c, "groups", want, func(p *platform.Process) []uint32 { return append([]uint32{}, p.More.Supplementary...) })
		}
	}},
	{platform.FieldSession, func(c *check) {
		if c.got(platform.FieldSession, c.Proc.PGID.Known) {
			same(c, "getpgid", c.Proc.PGID.V, func(p *platform.Process) int32 { return p.PGID })
			same(c, "getsid", c.Proc.SID.V, func(p *platform.Process) int32 { return p.SID })
		}
	}},
	{platform.FieldTTY, func(c *check) {
		if c.got(platform.FieldTTY, c.Psutil.Terminal.Raised == "") {
			same(c, "terminal", platform.TTY{Attached: c.Psutil.Terminal.Known, Name: c.Psutil.Terminal.V}, func(p *platform.Process) platform.TTY { return p.More.TTY })
		}
	}},
	{platform.FieldNice, func(c *check) {
		if c.got(platform.FieldNice, c.Psutil.Nice.Known) {
			same(c, "nice", c.Psutil.Nice.V, func(p *platform.Process) int32 { return p.Nice })
		}
	}},
	{platform.FieldIOPriority, func(c *check) {
		// A zombie's is not asked for.
		if c.got(platform.FieldIOPriority, c.Psutil.IONice.Known && c.Psutil.Status.V != "zombie") {
			n := c.Psutil.IONice.V
			same(c, "ionice", platform.IOPriority{Class: platform.IOClass(n.Class), Level: n.Value}, func(p *platform.Process) platform.IOPriority { return p.IOPriority })
		}
	}},
	{platform.FieldLastCPU, func(c *check) {
		if c.got(platform.FieldLastCPU, c.Psutil.CPUNumber.Known) {
			same(c, "cpu_num", c.Psutil.CPUNumber.V, func(p *platform.Process) int32 { return p.LastCPU })
		}
	}},
	{platform.FieldAffinity, func(c *check) {
		// A zombie runs nowhere any more.
		if c.got(platform.FieldAffinity, c.Psutil.Affinity.Known && c.Psutil.Status.V != "zombie") {
			same(c, "cpu_affinity", c.Psutil.Affinity.V, func(p *platform.Process) []int32 { return slices.Clone(p.More.Affinity) })
		}
	}},
	{platform.FieldFaults, func(c *check) {
		if c.got(platform.FieldFaults, c.Proc.Stat != nil) {
			between(c, "minflt", stat(c, c.Proc.Stat, 10), 0, func(p *platform.Process) uint64 { return p.MinorFaults })
			between(c, "majflt", stat(c, c.Proc.Stat, 12), 0, func(p *platform.Process) uint64 { return p.MajorFaults })
		}
	}},
	{platform.FieldRunDelay, func(c *check) {
		if c.got(platform.FieldRunDelay, true) {
			between(c, "run delay", float64(c.Proc.Delay)/1e9, 1e-9, func(p *platform.Process) float64 { return p.RunDelay })
		}
	}},
	{platform.FieldOOM, func(c *check) {
		if c.got(platform.FieldOOM, c.Proc.Score != "" && !c.noMemory()) {
			// The score moves with the memory of all processes.
			between(c, "oom_score", int32(number(c, c.Proc.Score, 10)), 3, func(p *platform.Process) int32 { return p.OOMScore })
			adjustment, err := strconv.Atoi(strings.TrimSpace(c.Proc.Adjustment))
			require.NoError(c, err)
			same(c, "oom_score_adj", int32(adjustment), func(p *platform.Process) int32 { return p.OOMAdjustment })
		}
	}},
	{platform.FieldCgroup, func(c *check) {
		if c.got(platform.FieldCgroup, c.Proc.Cgroup != "") {
			same(c, "cgroup file", strings.TrimSuffix(c.Proc.Cgroup, "\n"), func(p *platform.Process) string { return p.More.CgroupFile })
			same(c, "cgroup", cgroupOf(c.Proc.Cgroup), func(p *platform.Process) string { return p.Cgroup })
		}
	}},
	{platform.FieldDirectory, func(c *check) {
		// A thread of the kernel has one, and it means nothing.
		if c.got(platform.FieldDirectory, c.Psutil.Cwd.Known && c.Psutil.Cwd.V != "" && !c.before.KernelThread) {
			same(c, "cwd", c.Psutil.Cwd.V, func(p *platform.Process) string { return p.More.Directory })
		}
	}},
	{platform.FieldRoot, func(c *check) {
		if c.got(platform.FieldRoot, c.Proc.Root != nil && !c.before.KernelThread) {
			same(c, "root", *c.Proc.Root, func(p *platform.Process) string { return p.More.RootDirectory })
		}
	}},
	{platform.FieldUmask, func(c *check) {
		umask, ok := c.Proc.Status["Umask"]
		if c.got(platform.FieldUmask, ok && !c.noMemory()) {
			same(c, "umask", uint32(number(c, umask, 8)), func(p *platform.Process) uint32 { return p.More.Umask })
		}
	}},
	{platform.FieldSignals, func(c *check) {
		if c.got(platform.FieldSignals, c.Proc.Status["SigPnd"] != "") {
			set := func(name string) uint64 { return number(c, c.Proc.Status[name], 16) }
			same(c, "signals", platform.Signals{
				Pending: set("SigPnd"), ProcessPending: set("ShdPnd"), Blocked: set("SigBlk"), Ignored: set("SigIgn"), Caught: set("SigCgt"),
			}, func(p *platform.Process) platform.Signals { return p.More.Signals })
		}
	}},
	{platform.FieldSignalQueue, func(c *check) {
		if c.got(platform.FieldSignalQueue, c.Proc.Status["SigQ"] != "") {
			checkSignalQueue(c.T, c.before.PID)
		}
	}},
	{platform.FieldVPID, func(c *check) {
		all := strings.Fields(c.Proc.Status["NSpid"])
		if c.got(platform.FieldVPID, len(all) > 0) {
			same(c, "NSpid", int32(number(c, all[len(all)-1], 10)), func(p *platform.Process) int32 { return p.More.VPID })
		}
	}},
	{platform.FieldResident, func(c *check) {
		if c.got(platform.FieldResident, c.Proc.Status["RssAnon"] != "") {
			between(c, "RssAnon", line(c, c.Proc.Status, "RssAnon"), 0, func(p *platform.Process) uint64 { return p.More.RSSAnon })
			between(c, "RssFile", line(c, c.Proc.Status, "RssFile"), 0, func(p *platform.Process) uint64 { return p.More.RSSFile })
			between(c, "RssShmem", line(c, c.Proc.Status, "RssShmem"), 0, func(p *platform.Process) uint64 { return p.More.RSSShmem })
		}
	}},
	inStatus(platform.FieldSwap, "VmSwap", func(m *platform.More) uint64 { return m.Swap }),
	inStatus(platform.FieldHugeTLB, "HugetlbPages", func(m *platform.More) uint64 { return m.HugeTLB }),
	inStatus(platform.FieldPeak, "VmHWM", func(m *platform.More) uint64 { return m.Peak }),
	inStatus(platform.FieldPeakVirtual, "VmPeak", func(m *platform.More) uint64 { return m.PeakVirtual }),
	inStatus(platform.FieldLibrary, "VmLib", func(m *platform.More) uint64 { return m.Library }),
}

// inStatus is the row of a line of status that has bytes.
func inStatus(f platform.Fields, name string, ours func(*platform.More) uint64) (row struct {
	field   platform.Fields
	compare func(*check)
}) {
	row.field = f
	row.compare = func(c *check) {
		if c.got(f, c.Proc.Status[name] != "") {
			between(c, name, line(c, c.Proc.Status, name), 0, func(p *platform.Process) uint64 { return ours(p.More) })
		}
	}
	return row
}

// states are psutil's words.
var states = map[platform.State]string{
	platform.StateRunning: "running", platform.StateSleeping: "sleeping", platform.StateDiskSleep: "disk-sleep",
	platform.StateZombie: "zombie", platform.StateStopped: "stopped", platform.StateTracingStop: "tracing-stop",
	platform.StateDead: "dead", platform.StateParked: "parked", platform.StateIdle: "idle",
}

// noMemory tells whether it is a zombie or a thread of the kernel.
func (c *check) noMemory() bool { return c.Proc.Status["VmSize"] == "" }

// clean shows a string as the product shows it.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func ids(s string) (out [4]uint32) {
	_, _ = fmt.Sscan(s, &out[0], &out[1], &out[2], &out[3])
	return out
}

func number(t testing.TB, s string, base int) uint64 {
	n, err := strconv.ParseUint(strings.TrimSpace(s), base, 64)
	require.NoError(t, err)
	return n
}

// cgroupOf is rule R-CGROUP once more.
func cgroupOf(file string) string {
	unified, systemd := "", ""
	for l := range strings.Lines(file) {
		id, rest, _ := strings.Cut(strings.TrimSuffix(l, "\n"), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		switch {
		case id == "0" && controllers == "":
			unified = path
		case controllers == "name=systemd":
			systemd = path
		}
	}
	if unified != "" && unified != "/" || systemd == "" {
		return unified
	}
	return systemd
}

// compare runs the rows on processes, each in a test of its name.
func compare(t *testing.T, names map[int32]string, before, after *platform.Snapshot, others map[int32]*theirs, more ...func(*check)) map[platform.Fields]int {
	compared := map[platform.Fields]int{}
	for _, pid := range slices.Sorted(maps.Keys(names)) {
		t.Run(names[pid], func(t *testing.T) {
			c := &check{T: t, before: find(before, pid), after: find(after, pid), theirs: others[pid], compared: compared, detailed: len(more) > 0}
			require.NotNil(t, c.before)
			require.NotNil(t, c.after)
			require.NotNil(t, c.theirs)
			require.Equal(t, c.before.ID, c.after.ID)
			// P009: the same arithmetic, and ours is a time to the nanosecond.
			assert.InDelta(t, c.Psutil.CreateTime.V, float64(c.before.Created.UnixNano())/1e9, 1e-3)
			assert.Equal(t, c.before.Created, c.after.Created)
			assert.Equal(t, stat(t, c.Proc.Stat, 22), c.before.Start)
			for _, r := range rows {
				r.compare(c)
			}
			for _, f := range more {
				f(c)
			}
		})
	}
	return compared
}
