// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/cgroup"
	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// source is one file of a process: the fields it holds, and how those of want
// are read. It answers the ones it got.
type source struct {
	name   string
	fields Fields
	read   func(h *Host, p *Process, want Fields) (Fields, unix.Errno)
}

// sources are read in this order, each at most once in a snapshot, and only
// if one of its fields is wanted.
var sources = [...]source{
	{"status", statusFields, (*Host).readStatus},
	{"statm", FieldMemory | FieldShared | FieldSegments, (*Host).readStatm},
	{"io", FieldDiskIO | FieldLogicalIO, (*Host).readIO},
	{"fd", FieldDescriptors, (*Host).readDescriptors},
	{"exe", FieldExecutable, (*Host).readExecutable},
	{"cmdline", FieldCommand | FieldArguments, (*Host).readCommand},
	{"schedstat", FieldRunDelay, (*Host).readSchedstat},
	{"cgroup", FieldCgroup, (*Host).readCgroup},
	{"cwd", FieldDirectory, (*Host).readDirectory},
	{"root", FieldRoot, (*Host).readRoot},
	{"limits", FieldLimits, (*Host).readLimits},
	{"environ", FieldEnvironment, (*Host).readEnvironment},
	{"ioprio", FieldIOPriority, (*Host).readIOPriority},
}

// statusFields are those of status. Where it is read for another field, those
// of statm come with it.
const statusFields = FieldOwner | FieldUsers | FieldGroups | FieldSupplementary | FieldUmask | FieldSignals | FieldAffinity |
	FieldVPID | FieldResident | FieldSwap | FieldHugeTLB | FieldPeak | FieldPeakVirtual | FieldLibrary | FieldSignalQueue |
	FieldContextSwitches

// readSources reads what holds the fields of now, and on the way all of want
// that the same files hold. It answers false when the process is gone.
func (h *Host) readSources(p *Process, now, want Fields, retry bool, s *Snapshot) bool {
	t, c := &h.table, &p.cache
	want &= possible(p)
	t.want = want
	again := steadyFields
	if !retry {
		again &^= c.steady
	} else if c.argStart != 0 {
		// An exec would have been seen. What else rewrites the arguments is
		// setproctitle(3), which must not make a new resource of a process.
		again &^= c.steady & execFields
	}
	for i := range sources {
		src := &sources[i]
		f := src.fields & want &^ p.Got
		if p.Threads > 1 { // the file of the main thread says nothing of the others
			f &^= threadFields
		}
		due := f & now &^ (steadyFields &^ again)
		switch {
		case due == 0 || t.done&(1<<i) != 0 || due&c.absent == due:
		case due&c.denied != 0:
			s.Tally.deny(f)
			t.done |= 1 << i
		default:
			t.done |= 1 << i
			got, errno := src.read(h, p, f)
			if errno == 0 {
				p.Got |= got
				c.steady = c.steady&^f | got&steadyFields
				c.absent |= f &^ got
			} else if !h.failed(&s.Tally, p, f, src.name, errno) {
				return false
			}
		}
	}
	return true
}

// readSmall reads a file of the process that the buffer holds.
func (h *Host) readSmall(name string) ([]byte, unix.Errno) {
	return h.readOnce(h.table.at, h.table.file(name), h.table.buf[:])
}

// readCountsAt reads a file of a process or a thread that is mere counts, which
// the kernel answers at once.
func (h *Host) readCountsAt(path []byte) ([]byte, unix.Errno) {
	t := &h.table
	if h.procfs {
		return h.readFast(t.at, path, t.buf[:])
	}
	return h.readOnce(t.at, path, t.buf[:])
}

func (h *Host) readStatm(p *Process, want Fields) (Fields, unix.Errno) {
	b, errno := h.readCounts(p, statmFile)
	if errno != 0 {
		return 0, errno
	}
	var m procfs.PIDStatm
	if procfs.Statm(b, &m) != nil {
		return 0, errMalformed
	}
	page := uint64(h.machine.PageSize)
	for _, n := range []uint64{m.Size, m.Resident, m.Shared, m.Text, m.Data} {
		if n > math.MaxInt64/page {
			return 0, errMalformed
		}
	}
	if m.Size == 0 { // it has given its memory back and is about to end
		return 0, 0
	}
	p.VMS, p.RSS, p.Shared, p.Text, p.Data = m.Size*page, m.Resident*page, m.Shared*page, m.Text*page, m.Data*page
	return want, 0
}

func (h *Host) readIO(p *Process, want Fields) (Fields, unix.Errno) {
	b, errno := h.readCounts(p, ioFile)
	if errno != 0 {
		return 0, errno
	}
	var io procfs.PIDIO
	if procfs.IO(b, &io) != nil {
		return 0, errMalformed
	}
	p.ReadBytes, p.WriteBytes = io.ReadBytes, io.WriteBytes
	p.ReadChars, p.WriteChars, p.ReadCalls, p.WriteCalls = io.ReadChars, io.WriteChars, io.ReadCalls, io.WriteCalls
	return want, 0
}

// readDescriptors counts the entries of /proc/PID/fd: by the size of the
// folder where the kernel tells it there, which any user may ask, else by
// listing it.
func (h *Host) readDescriptors(p *Process, want Fields) (Fields, unix.Errno) {
	t := &h.table
	if t.sizeIsCount {
		var st unix.Statx_t
		if errno := h.statx(t.at, t.file("fd"), 0, unix.STATX_SIZE, &st); errno != 0 {
			return 0, errno
		}
		p.Descriptors = int32(st.Size)
		return want, 0
	}
	n := int32(0)
	errno := h.list(t.at, t.file("fd"), func([]byte) { n++ })
	p.Descriptors = n
	return want, errno
}

// list calls each with the names in a folder.
func (h *Host) list(at int, name []byte, each func(name []byte)) unix.Errno {
	fd, errno := h.openat(at, name, unix.O_DIRECTORY)
	if errno != 0 {
		return errno
	}
	errno = h.listdir(fd, h.table.dirents[:], each)
	h.close(fd)
	return errno
}

// fdSizeIsCount tells whether the kernel answers the number of descriptors as
// the size of /proc/PID/fd (since Linux 6.2). It is tried once, on ourselves:
// a recorded tree has sizes too, and they mean something else.
func (h *Host) fdSizeIsCount() bool {
	if !h.procfs {
		return false
	}
	for range 3 { // another goroutine may open a file in between
		fd, errno := h.openat(h.proc, []byte("self/fd\x00"), unix.O_DIRECTORY)
		if errno != 0 {
			return false
		}
		var st unix.Statx_t
		n := uint64(0)
		errno = h.statx(fd, []byte{0}, unix.AT_EMPTY_PATH, unix.STATX_SIZE, &st)
		if errno == 0 {
			errno = h.listdir(fd, h.table.dirents[:], func([]byte) { n++ })
		}
		h.close(fd)
		if errno == 0 && n == st.Size {
			return true
		}
	}
	return false
}

// readLink reads a link of the process into s. The kernel appends
// " (deleted)" to the path of a file that is gone; a file can also be called
// so.
func (h *Host) readLink(name string, s *string) unix.Errno {
	t := &h.table
	b, errno := h.readlinkat(t.at, t.file(name), t.buf[:])
	if errno != 0 {
		return errno
	}
	if path, marked := bytes.CutSuffix(b, deleted); marked && !h.isFile(string(b)) {
		b = path
	}
	h.keep(s, b)
	return 0
}

// statxFlags keep a network file system from asking its server, which may be
// gone, where it knows enough itself.
const statxFlags = unix.AT_STATX_DONT_SYNC | unix.AT_NO_AUTOMOUNT

// isFile tells whether there is a file of this path where the process being
// read sees its files, or where we see the host's. The number of links of the
// file itself does not tell: it may have others, or be in a layer below.
func (h *Host) isFile(path string) bool {
	var st unix.Statx_t
	return h.statx(h.table.at, h.table.file("root"+path), statxFlags, 0, &st) == 0 ||
		h.statx(unix.AT_FDCWD, []byte(h.root.Path+path+"\x00"), statxFlags, 0, &st) == 0
}

var deleted = []byte(" (deleted)")

func (h *Host) readExecutable(p *Process, want Fields) (Fields, unix.Errno) {
	return want, h.readLink("exe", &p.Executable)
}

func (h *Host) readDirectory(p *Process, want Fields) (Fields, unix.Errno) {
	return want, h.readLink("cwd", &p.More.Directory)
}

func (h *Host) readRoot(p *Process, want Fields) (Fields, unix.Errno) {
	return want, h.readLink("root", &p.More.RootDirectory)
}

// readCommand reads the arguments. Where only the first is wanted, of that
// the first 8 KiB count.
func (h *Host) readCommand(p *Process, want Fields) (Fields, unix.Errno) {
	if !want.Has(FieldArguments) {
		b, errno := h.readSmall("cmdline")
		if errno != 0 {
			return 0, errno
		}
		if b = procfs.Arg0(b); len(b) == 0 {
			return 0, 0
		}
		h.keep(&p.Command, b[:min(len(b), 2*MaxArgument)])
		return want, 0
	}
	p.Arguments, p.ArgumentCount = nil, 0 // the caller may have kept them
	args := &h.table.arguments
	args.Reset()
	args.Each = func(b []byte) {
		if p.ArgumentCount < MaxArguments {
			var argument string
			h.keep(&argument, b[:min(len(b), MaxArgument)])
			p.Arguments = append(p.Arguments, argument)
		}
		p.ArgumentCount++
	}
	errno := h.stream("cmdline", func(b []byte) bool { args.Feed(b); return true })
	args.End()
	if errno != 0 || p.ArgumentCount == 0 {
		return 0, errno
	}
	p.Command = p.Arguments[0]
	if p.Command == "" {
		want &^= FieldCommand
	}
	return want, 0
}

// stream reads a file of the process chunk by chunk until each answers false.
func (h *Host) stream(name string, each func([]byte) bool) unix.Errno {
	return h.streamAt(h.table.at, h.table.file(name), each)
}

func (h *Host) streamAt(at int, name []byte, each func([]byte) bool) unix.Errno {
	t := &h.table
	fd, errno := h.openat(at, name, 0)
	if errno != 0 {
		return errno
	}
	defer h.close(fd)
	for {
		n, errno := h.access.read(fd, t.buf[:])
		if errno != 0 || n == 0 {
			return errno
		}
		if !each(t.buf[:n]) {
			return 0
		}
	}
}

func (h *Host) readSchedstat(p *Process, want Fields) (Fields, unix.Errno) {
	b, errno := h.readCounts(p, schedstatFile)
	if errno != 0 {
		return 0, errno
	}
	ns, known, err := procfs.Schedstat(b)
	if err != nil {
		return 0, errMalformed
	}
	if !known {
		return 0, 0
	}
	h.table.main[runDelay] = ns
	return want, 0
}

func (h *Host) readCgroup(p *Process, want Fields) (Fields, unix.Errno) {
	b, errno := h.readSmall("cgroup")
	if errno != 0 {
		return 0, errno
	}
	h.keep(&p.More.CgroupFile, bytes.TrimSuffix(b, []byte{'\n'}))
	h.keep(&p.Cgroup, cgroup.Path(b))
	return want, 0
}

func (h *Host) readLimits(p *Process, want Fields) (Fields, unix.Errno) {
	b, errno := h.readSmall("limits")
	if errno != 0 {
		return 0, errno
	}
	var l procfs.PIDLimits
	if procfs.Limits(b, &l) != nil {
		return 0, errMalformed
	}
	p.More.Limits.Has = l.Has
	for kind, of := range l.Of {
		p.More.Limits.Of[kind] = Limit(of)
	}
	return want, 0
}

// readIOPriority asks the kernel by number, which is that of our own PID
// namespace; a folder of processes from elsewhere has other numbers.
func (h *Host) readIOPriority(p *Process, want Fields) (Fields, unix.Errno) {
	if !h.ownPIDs {
		return 0, 0
	}
	const who, classShift, levelMask = 1, 13, 7 // IOPRIO_WHO_PROCESS
	h.calls++
	n, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, who, uintptr(p.PID), 0)
	if errno != 0 {
		return 0, errno
	}
	p.IOPriority = IOPriority{Class: IOClass(n >> classShift & 7), Level: int32(n & levelMask)}
	return want, 0
}

// maxVariables bounds the names that are kept of an environment.
const maxVariables = 1024

// readEnvironment reads the environment as it was at the exec, in whole or
// until the process wrote over it.
func (h *Host) readEnvironment(p *Process, want Fields) (Fields, unix.Errno) {
	m := p.More
	m.Environment, m.EnvironmentCount = m.Environment[:0], 0
	vars := &h.table.environ
	vars.Reset()
	vars.Each = func(name, value []byte) {
		m.EnvironmentCount++
		wanted := slices.Contains(h.table.environment, string(name))
		known := func(v EnvVar) bool { return v.Name == string(name) }
		wanted = wanted || h.table.environmentNames && len(m.Environment) < maxVariables
		if wanted && !slices.ContainsFunc(m.Environment, known) { // getenv(3) finds the first too
			v := EnvVar{}
			h.keep(&v.Name, name)
			if slices.Contains(h.table.environment, v.Name) {
				h.keep(&v.Value, value)
			}
			m.Environment = append(m.Environment, v)
		}
	}
	errno := h.stream("environ", func(b []byte) bool { vars.Feed(b); return true })
	vars.End()
	rank := func(name string) uint { return uint(slices.Index(h.table.environment, name)) } // -1 is the last
	slices.SortStableFunc(m.Environment, func(a, b EnvVar) int { return cmp.Compare(rank(a.Name), rank(b.Name)) })
	return want, errno
}

// readStatus reads all that status tells. Which lines there are depends on
// the kernel, and on whether the process has memory.
func (h *Host) readStatus(p *Process, want Fields) (Fields, unix.Errno) {
	b, errno := h.readCounts(p, statusFile)
	if errno != 0 {
		return 0, errno
	}
	t := &h.table
	st := &t.status
	if procfs.Status(b, st) != nil {
		return 0, errMalformed
	}
	got := Fields(0)
	for _, f := range statusLines {
		if f.fields&want != 0 && st.Has&f.lines == f.lines {
			got |= f.fields & want
		}
	}
	for _, f := range memoryLines {
		if f.lines&st.Has == f.lines {
			got |= f.fields & h.table.want
		}
	}
	got &^= h.pretend
	p.VMS, p.RSS, p.Shared, p.Text, p.Data = st.Size, st.Resident, st.RSSFile+st.RSSShmem, st.Text, st.Data+st.Stack
	if got.Has(FieldOwner) {
		p.Owner = h.owners.name(st.UIDs[0])
	}
	if m := p.More; m != nil && got&moreFields != 0 {
		if got.Has(FieldUsers) {
			m.UIDs = st.UIDs
			for i := range m.Users {
				m.Users[i] = h.owners.name(st.UIDs[i])
			}
		}
		m.GIDs, m.VPID = st.GIDs, st.VPID
		if got.Has(FieldUmask) { // a zombie has none, but had one
			m.Umask = st.Umask
		}
		if got.Has(FieldSupplementary) {
			slices.Sort(st.Groups)
			m.Supplementary = append(m.Supplementary[:0], st.Groups...)
		}
		if got.Has(FieldAffinity) {
			m.Affinity = append(m.Affinity[:0], st.CPUsAllowed...)
		}
		m.Signals = Signals{
			Pending: st.Pending, ProcessPending: st.ProcessPending,
			Blocked: st.Blocked, Ignored: st.Ignored, Caught: st.Caught,
		}
		m.RSSAnon, m.RSSFile, m.RSSShmem = st.RSSAnon, st.RSSFile, st.RSSShmem
		m.Swap, m.HugeTLB, m.Library, m.Peak, m.PeakVirtual = st.Swap, st.HugeTLB, st.Library, st.Peak, st.PeakVirtual
		m.SignalsQueued = st.SignalsQueued
	}
	if st.Has&switchLines == switchLines {
		t.main[voluntary], t.main[involuntary] = st.Voluntary, st.Involuntary
		t.mainStatus = true
	}
	return got, 0
}

const switchLines = procfs.StatusVoluntary | procfs.StatusInvoluntary

// statusLines says which lines of status each field takes.
var statusLines = [...]struct {
	fields Fields
	lines  procfs.StatusLines
}{
	{FieldOwner | FieldUsers, procfs.StatusUIDs},
	{FieldGroups, procfs.StatusGIDs},
	{FieldSupplementary, procfs.StatusGroups},
	{FieldUmask, procfs.StatusUmask},
	{FieldSignals, procfs.StatusSignals},
	{FieldSignalQueue, procfs.StatusSignalQueue},
	{FieldAffinity, procfs.StatusCPUsAllowed},
	{FieldVPID, procfs.StatusVPID},
	{FieldResident, procfs.StatusResident},
	{FieldSwap, procfs.StatusSwap},
	{FieldHugeTLB, procfs.StatusHugeTLB},
	{FieldPeak, procfs.StatusPeak},
	{FieldPeakVirtual, procfs.StatusPeakVirtual},
	{FieldLibrary, procfs.StatusLibrary},
	{FieldContextSwitches, switchLines},
}

// memoryLines says which lines have what statm has too. The kernel computes
// both alike (task_mem and task_statm of fs/proc/task_mmu.c).
var memoryLines = [...]struct {
	fields Fields
	lines  procfs.StatusLines
}{
	{FieldMemory, procfs.StatusSize | procfs.StatusResidentSet},
	{FieldShared, procfs.StatusRSSFile | procfs.StatusRSSShmem},
	{FieldSegments, procfs.StatusText | procfs.StatusData | procfs.StatusStack},
}
