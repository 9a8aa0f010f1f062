// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/extension/processcontrol/policy"
	"github.com/hostscope/hostscope/platform"
)

// view is what is read of a process, and how it is to be shown.
type view struct {
	*platform.ProcessReading
	*control
	options
	token       platform.Token
	environ     []string // variables whose values may be shown
	memoryTotal uint64   // of the host
}

// options are parameters of a query.
type options struct {
	internal bool   // include_internal
	fallback bool   // fallback_cmdline
	memtype  string // of memory_percent
	kind     string // of connections
	grouped  bool   // memory_maps
	types    []string
	keys     []string // of environ
	from     uint64   // where a list begins
}

// field is what can be asked of a process, by psutil's name.
type field struct {
	name   string
	needs  platform.Fields
	action policy.Action
	value  func(v *view) any
}

// fields are all there are. What the kernel keeps from other users needs a
// permission of its own; the rest is basic.
var fields = []field{
	{"name", platform.FieldName, policy.ReadBasic, func(v *view) any { return v.Name }},
	{"exe", platform.FieldExecutable, policy.ReadBasic, func(v *view) any { return v.Executable }},
	{"cmdline", platform.FieldArguments, policy.ReadBasic, func(v *view) any { return v.redactor.Args(v.Arguments) }},
	{"status", platform.FieldState, policy.ReadBasic, func(v *view) any { return statusName(v.State) }},
	{"ppid", platform.FieldParent, policy.ReadBasic, func(v *view) any { return v.PPID }},
	{"pgid", platform.FieldSession, policy.ReadBasic, func(v *view) any { return v.PGID }},
	{"sid", platform.FieldSession, policy.ReadBasic, func(v *view) any { return v.SID }},
	{"username", platform.FieldOwner, policy.ReadBasic, func(v *view) any { return v.Owner }},
	{"uids", platform.FieldUsers, policy.ReadBasic, func(v *view) any { return ids(v.More.UIDs) }},
	{"gids", platform.FieldGroups, policy.ReadBasic, func(v *view) any { return ids(v.More.GIDs) }},
	{"fsuid", platform.FieldUsers, policy.ReadBasic, func(v *view) any { return v.More.UIDs[3] }},
	{"fsgid", platform.FieldGroups, policy.ReadBasic, func(v *view) any { return v.More.GIDs[3] }},
	{"getgroups", platform.FieldSupplementary, policy.ReadBasic, func(v *view) any { return list(v.More.Supplementary) }},
	{"num_threads", platform.FieldThreads, policy.ReadBasic, func(v *view) any { return v.Threads }},
	{"num_fds", platform.FieldDescriptors, policy.ReadBasic, func(v *view) any { return v.Descriptors }},
	{"cpu_times", platform.FieldCPUTime | platform.FieldChildrenTime, policy.ReadBasic, func(v *view) any {
		return map[string]float64{"user": v.CPU.User, "system": v.CPU.System, "children_user": v.ChildrenCPU.User, "children_system": v.ChildrenCPU.System}
	}},
	{"cpu_num", platform.FieldLastCPU, policy.ReadBasic, func(v *view) any { return v.LastCPU }},
	{"cpu_affinity", platform.FieldAffinity, policy.ReadBasic, func(v *view) any { return list(v.More.Affinity) }},
	{"nice", platform.FieldNice, policy.ReadBasic, func(v *view) any { return v.Nice }},
	{"ionice", platform.FieldIOPriority, policy.ReadBasic, func(v *view) any {
		return map[string]any{"ioclass": [...]string{"none", "realtime", "best_effort", "idle"}[v.IOPriority.Class&3], "value": v.IOPriority.Level}
	}},
	{"memory_info", platform.FieldMemory | platform.FieldShared | platform.FieldSegments, policy.ReadBasic, func(v *view) any {
		return map[string]uint64{"rss": v.RSS, "vms": v.VMS, "shared": v.Shared, "text": v.Text, "data": v.Data}
	}},
	{"memory_percent", platform.FieldMemory | platform.FieldShared | platform.FieldSegments, policy.ReadBasic, (*view).memoryPercent},
	{"memory_peak", platform.FieldPeak | platform.FieldPeakVirtual, policy.ReadBasic, func(v *view) any {
		return map[string]uint64{"rss": v.More.Peak, "vms": v.More.PeakVirtual}
	}},
	{"page_faults", platform.FieldFaults, policy.ReadBasic, func(v *view) any {
		return map[string]uint64{"minor": v.MinorFaults, "major": v.MajorFaults}
	}},
	{"num_ctx_switches", platform.FieldContextSwitches, policy.ReadBasic, func(v *view) any {
		return map[string]uint64{"voluntary": v.More.Voluntary, "involuntary": v.More.Involuntary}
	}},
	{"has_terminal", platform.FieldTTY, policy.ReadBasic, func(v *view) any { return v.More.TTY.Attached }},
	{"terminal", platform.FieldTTY, policy.ReadBasic, func(v *view) any { return text(v.More.TTY.Name) }},
	{"umask", platform.FieldUmask, policy.ReadBasic, func(v *view) any { return fmt.Sprintf("%04o", v.More.Umask) }},
	{"sigmasks", platform.FieldSignals, policy.ReadBasic, (*view).signals},
	{"cgroup", platform.FieldCgroup, policy.ReadBasic, func(v *view) any { return text(v.Cgroup) }},
	{"oom_score", platform.FieldOOM, policy.ReadBasic, func(v *view) any { return v.OOMScore }},
	{"oom_score_adj", platform.FieldOOM, policy.ReadBasic, func(v *view) any { return v.OOMAdjustment }},
	{"rlimits", platform.FieldLimits, policy.ReadLimits, func(v *view) any { return limitsOf(&v.More.Limits) }},
	{"threads", platform.FieldThreadList, policy.ReadThreads, (*view).threads},
	{"cwd", platform.FieldDirectory, policy.ReadOpenFiles, func(v *view) any { return v.More.Directory }},
	{"root", platform.FieldRoot, policy.ReadOpenFiles, func(v *view) any { return v.More.RootDirectory }},
	{"open_files", platform.FieldFDs | platform.FieldFDInfo, policy.ReadOpenFiles, (*view).openFiles},
	{"fds", platform.FieldFDs | platform.FieldFDInfo, policy.ReadFDs, (*view).descriptors},
	{"io_counters", platform.FieldDiskIO | platform.FieldLogicalIO, policy.ReadFDs, func(v *view) any {
		return map[string]uint64{
			"read_count": v.ReadCalls, "write_count": v.WriteCalls, "read_bytes": v.ReadBytes, "write_bytes": v.WriteBytes,
			"read_chars": v.ReadChars, "write_chars": v.WriteChars,
		}
	}},
	{"connections", platform.FieldConnections, policy.ReadConnections, (*view).connections},
	{"memory_maps", platform.FieldMappingList | platform.FieldMappingMemory, policy.ReadMemoryMaps, (*view).mappings},
	{"memory_footprint", platform.FieldFootprint, policy.ReadMemoryMaps, func(v *view) any {
		f := &v.More.Footprint
		return map[string]uint64{"uss": f.USS(), "pss": f.PSS, "swap": f.Swap}
	}},
	{"environ", platform.FieldEnvironment, policy.ReadEnviron, (*view).variables},
}

// lists are the fields that can be long, and what tells that one goes on.
var lists = map[string]platform.Fields{
	"memory_maps": platform.FieldMappingList, "threads": platform.FieldThreadList,
	"fds": platform.FieldFDs, "open_files": platform.FieldFDs, "connections": platform.FieldFDs,
}

// maxList is how much of a list an answer has, in bytes, more or less. What goes
// on does so after what next says.
const maxList = 1 << 20

// tooMany is why names of mappings are not shown: there is no second page.
const tooMany = "too_many"

// next is what a list goes on after, "" if it does not.
func (v *view) next(f *field) string {
	cut := v.Cut & lists[f.name]
	if cut.Has(platform.FieldFDs) {
		return strconv.Itoa(int(v.Last))
	}
	if n := len(v.More.ThreadList); cut.Has(platform.FieldThreadList) && n > 0 {
		return strconv.Itoa(int(v.More.ThreadList[n-1].ID))
	}
	if n := len(v.More.Mappings); cut.Has(platform.FieldMappingList) && n > 0 {
		return hex(v.More.Mappings[n-1].Start)
	}
	return ""
}

// defaultFields are answered where none is asked for.
var defaultFields = fieldsOf("name", "exe", "status", "ppid", "username", "uids", "num_threads")

func fieldsOf(names ...string) (found []*field) {
	for _, name := range names {
		found = append(found, fieldOf(name))
	}
	return found
}

// fieldOf finds a field by its name; nil if there is none.
func fieldOf(name string) *field {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	return nil
}

// parseFields reads the parameter fields: names with commas between them.
func parseFields(param string) ([]*field, error) {
	if param == "" {
		return defaultFields, nil
	}
	var found []*field
	for name := range strings.SplitSeq(param, ",") {
		f := fieldOf(name)
		if f == nil {
			return nil, unacceptable("there is no field %q", name)
		}
		if !slices.Contains(found, f) {
			found = append(found, f)
		}
	}
	return found, nil
}

// member is what a field has to show of the process, or why it has not.
func (v *view) member(f *field) (value any, failed string) {
	for one := range f.needs.Each() {
		switch {
		case v.Got.Has(one):
		case v.Tally.Denied(one) > 0:
			if f.name == "exe" && v.fallback && len(v.Arguments) > 0 && strings.HasPrefix(v.Arguments[0], "/") {
				return v.redactor.Command(v.Arguments[0]), ""
			}
			return nil, platform.ErrAccessDenied.Class()
		case v.Tally.Malformed(one) > 0:
			return nil, platform.ErrMalformed.Class()
		case v.State == platform.StateZombie:
			return nil, platform.ErrZombieProcess.Class()
		default:
			return nil, "" // it has none: a thread of the kernel has no executable
		}
	}
	return f.value(v), ""
}

// process shows fields of the process.
func (v *view) process(shown []*field) api.Process {
	p := api.Process{Ref: v.token.String(), PID: v.PID, CreationTime: v.Created, Fields: map[string]any{}, Errors: map[string]string{}, Next: map[string]string{}}
	for _, f := range shown {
		value, failed := v.member(f)
		next := ""
		if failed == "" && v.Cut&lists[f.name] != 0 {
			if next = v.next(f); v.grouped && f.name == "memory_maps" {
				failed = tooMany
			}
		}
		switch {
		case failed != "":
			p.Errors[f.name] = failed
		case next != "":
			p.Next[f.name] = next
			fallthrough
		default:
			p.Fields[f.name] = value
		}
	}
	return p
}

func ids(of [4]uint32) map[string]uint32 {
	return map[string]uint32{"real": of[0], "effective": of[1], "saved": of[2]}
}

// list is never null.
func list[T any](of []T) []T {
	if of == nil {
		return []T{}
	}
	return of
}

// text is null where there is none.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// stateNames are psutil's.
var stateNames = [platform.NumStates]string{
	platform.StateUnknown: "unknown", platform.StateRunning: "running", platform.StateSleeping: "sleeping", platform.StateDiskSleep: "disk-sleep",
	platform.StateZombie: "zombie", platform.StateStopped: "stopped", platform.StateTracingStop: "tracing-stop", platform.StateDead: "dead",
	platform.StateWakeKill: "wake-kill", platform.StateWaking: "waking", platform.StateParked: "parked", platform.StateIdle: "idle",
	platform.StateLocked: "locked", platform.StateWaiting: "waiting", platform.StateSuspended: "suspended",
}

func statusName(s platform.State) string { return stateNames[s] }

// memtypes are what memory_percent can be a percentage of.
var memtypes = []string{"rss", "vms", "shared", "text", "data"}

func (v *view) memoryPercent() any {
	if v.memoryTotal == 0 {
		return nil
	}
	of := map[string]uint64{"rss": v.RSS, "vms": v.VMS, "shared": v.Shared, "text": v.Text, "data": v.Data}[v.memtype]
	return 100 * float64(of) / float64(v.memoryTotal)
}

// The C libraries keep the first real-time signals for themselves.
const (
	firstInternal = 32
	rtMin, rtMax  = 34, 64
)

func (v *view) signals() any {
	s := &v.More.Signals
	return map[string][]string{
		"pending": v.signalNames(s.Pending), "process_pending": v.signalNames(s.ProcessPending),
		"blocked": v.signalNames(s.Blocked), "ignored": v.signalNames(s.Ignored), "caught": v.signalNames(s.Caught),
	}
}

// signalNames are the names in a set of signals: bit 0 is signal 1.
func (v *view) signalNames(set uint64) []string {
	all := []string{}
	for n := 1; n <= rtMax; n++ {
		switch {
		case set&(1<<(n-1)) == 0:
		case n < firstInternal:
			all = append(all, platform.SignalName(syscall.Signal(n)))
		case n < rtMin:
			if v.internal {
				all = append(all, strconv.Itoa(n))
			}
		case n == rtMin:
			all = append(all, "SIGRTMIN")
		case n == rtMax:
			all = append(all, "SIGRTMAX")
		default:
			all = append(all, "SIGRTMIN+"+strconv.Itoa(n-rtMin))
		}
	}
	return all
}

func limitsOf(l *platform.Limits) []api.Limits {
	all := []api.Limits{}
	for kind, name := range policy.Resources {
		if l.Has&(1<<kind) != 0 {
			all = append(all, api.Limits{Resource: name, Soft: api.Limit{Value: l.Of[kind].Soft}, Hard: api.Limit{Value: l.Of[kind].Hard}, Atomic: true})
		}
	}
	return all
}

func (v *view) threads() any {
	type thread struct {
		ID         int32   `json:"id"`
		Name       string  `json:"name"`
		UserTime   float64 `json:"user_time"`
		SystemTime float64 `json:"system_time"`
	}
	all := []thread{}
	for _, t := range v.More.ThreadList {
		all = append(all, thread{t.ID, t.Name, t.CPU.User, t.CPU.System})
	}
	return all
}

// variables are the names, and the values of those that the rule shows. What
// is no name of a variable is something that the process wrote there.
func (v *view) variables() any {
	names, values := []string{}, map[string]string{}
	for _, e := range v.More.Environment {
		if !isVariable(e.Name) || v.keys != nil && !slices.Contains(v.keys, e.Name) {
			continue
		}
		names = append(names, e.Name)
		if slices.Contains(v.environ, e.Name) {
			values[e.Name] = v.redactor.Value(e.Name, e.Value)
		}
	}
	slices.Sort(names)
	return map[string]any{"names": names, "variables": values}
}

func isVariable(name string) bool {
	for i, c := range []byte(name) {
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 256
}
