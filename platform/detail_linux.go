// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"context"
	"math"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// detail spreads the expensive readings: of each process once per interval,
// and in one snapshot no more than the budget allows.
type detail struct {
	interval, budget time.Duration
	now              time.Time
	spent            time.Duration
	// Where the budget was used up: the next snapshot goes on behind it, so
	// that the last processes get their turn as well as the first.
	from, last int32
}

func (d *detail) begin(req Request) {
	d.interval, d.budget = req.DetailInterval, req.DetailBudget
	d.now, d.spent = time.Now(), 0
}

// due tells whether it is a process's turn. Ticks come a little early and a
// little late: where one is due each interval, it must not miss every second.
func (d *detail) due(p *Process) bool {
	last := p.cache.detailed
	return p.PID > d.from && !d.exhausted() && (last.IsZero() || d.now.Sub(last) >= d.interval-d.interval/10)
}

func (d *detail) exhausted() bool { return d.budget > 0 && d.spent >= d.budget }

// end looks where the next snapshot goes on: behind the last one read, unless
// that was the highest there is.
func (d *detail) end(highest int32) {
	d.from = 0
	if d.exhausted() && d.last < highest {
		d.from = d.last
	}
}

// readDetail reads the expensive fields of a process when it is its turn. It
// answers false when the process is gone.
func (h *Host) readDetail(ctx context.Context, p *Process, wanted Fields, s *Snapshot) bool {
	t := &h.table
	want := wanted & DetailFields & possible(p)
	if want.Has(FieldConnections) { // which are found among the descriptors
		want |= FieldFDs
	}
	if want == 0 || t.at == h.proc || !t.detail.due(p) {
		if m := p.More; m != nil { // of no use until it is read again
			m.FDs, m.Mappings, m.Connections = nil, nil, nil
		}
		return true
	}
	start := time.Now()
	defer func() { t.detail.spent += time.Since(start) }()
	t.detail.last, p.cache.detailed = p.PID, t.detail.now
	defer func() { p.Got &= wanted | ^DetailFields }()
	for _, family := range [...]struct {
		fields Fields
		name   string
		read   func(context.Context, *Process, Fields) unix.Errno
	}{
		{FieldOOM, "oom_score", h.readOOM},
		{FieldFootprint | FieldMappingList | FieldMappingMemory, "smaps", h.readMappings},
		{FieldFDs | FieldFDInfo, "fd", h.readFDs},
		{FieldConnections, "net", h.readConnections},
	} {
		f := family.fields & want
		if f == 0 {
			continue
		}
		if errno := family.read(ctx, p, f); errno == 0 {
			p.Got |= f
		} else if !h.failed(&s.Tally, p, f, family.name, errno) {
			return false
		}
		if ctx.Err() != nil {
			return true
		}
	}
	return true
}

func (h *Host) readOOM(_ context.Context, p *Process, _ Fields) unix.Errno {
	for _, file := range [...]struct {
		name string
		to   *int32
	}{{"oom_score", &p.OOMScore}, {"oom_score_adj", &p.OOMAdjustment}} {
		b, errno := h.readSmall(file.name)
		if errno != 0 {
			return errno
		}
		n, err := procfs.Number(b)
		if err != nil {
			return errMalformed
		}
		*file.to = int32(n)
	}
	return 0
}

// readMappings reads the mappings from the cheapest file that has what is
// wanted: maps has no memory, smaps_rollup only the sums, smaps all.
func (h *Host) readMappings(ctx context.Context, p *Process, want Fields) unix.Errno {
	m := p.More
	if want.Has(FieldFootprint) && !want.Has(FieldMappingMemory) {
		m.Footprint = Mapping{}
		switch errno := h.smaps(ctx, "smaps_rollup", func(one *procfs.Mapping) bool { m.Footprint = memory(one); return true }); {
		case errno == unix.ENOENT && h.exists(): // before Linux 4.14
			want |= FieldMappingMemory
		case errno != 0:
			return errno
		}
	}
	if want&(FieldMappingList|FieldMappingMemory) == 0 {
		return 0
	}
	name := "maps"
	if want.Has(FieldMappingMemory) {
		name = "smaps"
	}
	var sum Mapping
	page, size := &h.table.page, 0
	var groups map[string]int
	if page.Grouped {
		groups = make(map[string]int)
	}
	list := m.Mappings
	m.Mappings = m.Mappings[:0]
	errno := h.smaps(ctx, name, func(raw *procfs.Mapping) bool {
		one := memory(raw)
		sum.add(&one)
		if raw.Start < page.From {
			return true
		}
		if page.Grouped {
			if i, known := groups[string(raw.Name)]; known {
				m.Mappings[i].add(&one)
				m.Mappings[i].End += raw.End - raw.Start
				return true
			}
		}
		if page.full(size) {
			h.table.cut |= FieldMappingList
			return page.Grouped || want.Has(FieldFootprint) // which take them all
		}
		if i := len(m.Mappings); i < len(list) {
			one.Name = list[i].Name // most often it is the same string again
		}
		h.keep(&one.Name, raw.Name)
		if page.Grouped {
			one.End, groups[one.Name] = raw.End-raw.Start, len(m.Mappings)
		} else {
			one.Start, one.End, one.Offset, one.Permissions, one.Inode = raw.Start, raw.End, raw.Offset, raw.Permissions, raw.Inode
			one.Device = Device{raw.Major, raw.Minor}
		}
		m.Mappings = append(m.Mappings, one)
		size += mappingSize + len(one.Name)
		return true
	})
	if want.Has(FieldMappingMemory) {
		m.Footprint = sum
	}
	return errno
}

func memory(m *procfs.Mapping) Mapping {
	return Mapping{
		SharedClean: m.SharedClean, SharedDirty: m.SharedDirty, PrivateClean: m.PrivateClean, PrivateDirty: m.PrivateDirty,
		PSS: m.PSS, Referenced: m.Referenced, Anonymous: m.Anonymous, Swap: m.Swap,
	}
}

// smaps reads a file of mappings, until each has enough. The kernel holds the
// lock of the process's memory while it writes one chunk, not longer.
func (h *Host) smaps(ctx context.Context, name string, each func(*procfs.Mapping) bool) unix.Errno {
	maps := &h.table.mappings
	maps.Reset()
	enough := false
	maps.Each = func(one *procfs.Mapping) { enough = enough || !each(one) }
	var err error
	errno := h.stream(name, func(b []byte) bool {
		err = maps.Feed(b)
		return err == nil && ctx.Err() == nil && !enough
	})
	switch {
	case enough:
		return 0
	case errno != 0:
		return errno
	case ctx.Err() != nil:
		return unix.ETIMEDOUT
	case err != nil || maps.End() != nil:
		return errMalformed
	}
	return 0
}

// readFDs reads the descriptors, and the connections among them.
func (h *Host) readFDs(_ context.Context, p *Process, want Fields) unix.Errno {
	t := &h.table
	fd, errno := h.openat(t.at, t.file("fd"), unix.O_DIRECTORY)
	if errno != 0 {
		return errno
	}
	defer h.close(fd)
	t.numbers = t.numbers[:0]
	errno = h.listdir(fd, t.dirents[:], func(name []byte) {
		if n, err := strconv.ParseInt(string(name), 10, 32); err == nil {
			t.numbers = append(t.numbers, int32(n))
		}
	})
	if errno != 0 {
		return errno
	}
	slices.Sort(t.numbers)
	m := p.More
	list := m.FDs
	m.FDs = m.FDs[:0]
	from, size := sort.Search(len(t.numbers), func(i int) bool { return uint64(t.numbers[i]) >= t.page.From }), 0
	for i, n := range t.numbers[from:] {
		if t.page.full(size) {
			t.cut |= FieldFDs
			break
		}
		t.lastFD = n
		one := FD{Number: n}
		if i < len(list) {
			one.Path = list[i].Path // most often it is the same string again
		}
		switch errno := h.readFD(fd, &one, want.Has(FieldFDInfo)); {
		case errno == 0:
			m.FDs = append(m.FDs, one)
			size += fdSize + len(one.Path) + targetSize*len(one.Targets)
		case class(errno) == ErrNoSuchProcess: // closed since
		case class(errno) == ErrAccessDenied:
			return errno
		default: // one that cannot be understood is one all the same
			m.FDs = append(m.FDs, FD{Number: n})
			size += fdSize
		}
	}
	return 0
}

// numbered is a path that ends in the number of a descriptor.
func (t *table) numbered(prefix string, n int32) []byte {
	t.fdPath = append(strconv.AppendInt(append(t.fdPath[:0], prefix...), int64(n), 10), 0)
	return t.fdPath
}

// readFD reads one descriptor of the folder fd of a process: where its link
// points and, if all is wanted, the status and the kernel's notes.
func (h *Host) readFD(dir int, fd *FD, all bool) unix.Errno {
	t := &h.table
	target, errno := h.readlinkat(dir, t.numbered("", fd.Number), t.buf[:])
	if errno != 0 {
		return errno
	}
	kind, inode := procfs.FDLink(target)
	fd.Type, fd.Inode = fdTypes[kind], inode
	if kind == procfs.LinkPath {
		var st unix.Statx_t
		// The links of a recorded machine lead into the one that reads it.
		if h.procfs && h.statx(dir, t.numbered("", fd.Number), statxFlags, unix.STATX_BASIC_STATS, &st) == 0 {
			fd.setStat(&st)
		}
		if path, marked := bytes.CutSuffix(target, deleted); marked && fd.Got.Has(FDStat) && !h.isFile(string(target)) {
			target = path
		}
		h.keep(&fd.Path, target)
		fd.Got |= FDPath
	} else {
		fd.Path = ""
	}
	if !all {
		return 0
	}
	info := &t.fdinfo
	info.Reset()
	fd.Targets = nil
	if h.verbatim && fd.Type == FDEpoll {
		info.Target = func(t *procfs.EpollTarget) {
			if len(fd.Targets) < maxTargets {
				fd.Targets = append(fd.Targets, EpollTarget(*t))
			}
		}
	}
	var err error
	errno = h.streamAt(t.at, t.numbered("fdinfo/", fd.Number), func(b []byte) bool {
		err = info.Feed(b)
		return err == nil
	})
	switch {
	case errno == unix.ENOENT: // closed just now, or nothing is noted of it
		return 0
	case errno != 0:
		return errno
	case err != nil || info.End() != nil:
		return errMalformed
	}
	fd.setInfo(info)
	return 0
}

// maxTargets bounds what is told of one epoll.
const maxTargets = 1024

// fdTypes translates what links say.
var fdTypes = [procfs.NumLinkKinds]FDType{
	procfs.LinkUnknown:  FDUnknown,
	procfs.LinkPath:     FDFile,
	procfs.LinkSocket:   FDSocket,
	procfs.LinkPipe:     FDPipe,
	procfs.LinkInotify:  FDInotify,
	procfs.LinkSignalfd: FDSignalfd,
	procfs.LinkEpoll:    FDEpoll,
	procfs.LinkTimerfd:  FDTimerfd,
	procfs.LinkPidfd:    FDPidfd,
	procfs.LinkEventfd:  FDEventfd,
}

// setStat takes over the status of what has a path, which alone tells a FIFO
// from a file.
func (fd *FD) setStat(st *unix.Statx_t) {
	if st.Mode&unix.S_IFMT == unix.S_IFIFO {
		fd.Type = FDFIFO
	}
	fd.Device = Device{st.Dev_major, st.Dev_minor}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR, unix.S_IFBLK:
		fd.Rdev = Device{st.Rdev_major, st.Rdev_minor}
	}
	fd.Inode, fd.Mode, fd.Links = st.Ino, uint32(st.Mode), uint64(st.Nlink)
	fd.Size = int64(min(st.Size, math.MaxInt64))
	fd.Got |= FDStat
}

// setInfo takes over the kernel's notes. A position means something of files
// alone.
func (fd *FD) setInfo(info *procfs.FDInfo) {
	fd.Flags = info.Flags &^ largeFile()
	fd.Got |= FDFlags
	if fd.Type == FDFile {
		fd.Position = info.Position
		fd.Got |= FDPosition
	}
	if fd.Type == FDPidfd && info.Has&procfs.FDInfoPID != 0 {
		fd.TargetPID = info.PID
		fd.Got |= FDTarget
	}
	if fd.Type == FDEpoll { // no line, no watch
		fd.Watches = info.Watches
		fd.Got |= FDWatches
	}
	if info.Has&procfs.FDInfoPending != 0 {
		fd.Pending = info.Pending
		fd.Got |= FDPending
	}
	if info.Has&procfs.FDInfoTimer != 0 {
		fd.TimeLeft, fd.Interval = info.TimeLeft.Seconds(), info.Interval.Seconds()
		fd.Clock, fd.SetFlags = info.Clock, info.Settime
		fd.Got |= FDTimer
	}
	if fd.Type == FDSignalfd && info.Has&procfs.FDInfoSignals != 0 {
		fd.Signals = info.Signals
		fd.Got |= FDSignals
	}
}

// largeFile is O_LARGEFILE as the kernel shows it, which on 64 bits sets it on
// every open; the C libraries, and x/sys with them, say 0 there.
func largeFile() uint64 {
	switch runtime.GOARCH {
	case "arm", "arm64":
		return 0o400000
	case "ppc64", "ppc64le":
		return 0o200000
	case "mips", "mipsle", "mips64", "mips64le":
		return 0o20000
	}
	return 0o100000
}
