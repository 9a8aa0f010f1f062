// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"math"
	"strconv"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

const (
	fdNumber = "process.unix.file_descriptor.number"
	fdType   = "process.unix.file_descriptor.type"
)

var fdTypes = [platform.NumFDTypes]emit.Attr{
	platform.FDUnknown:  emit.Str(fdType, "unknown"),
	platform.FDFile:     emit.Str(fdType, "file"),
	platform.FDSocket:   emit.Str(fdType, "socket"),
	platform.FDPipe:     emit.Str(fdType, "pipe"),
	platform.FDFIFO:     emit.Str(fdType, "fifo"),
	platform.FDKqueue:   emit.Str(fdType, "kqueue"),
	platform.FDProcdesc: emit.Str(fdType, "procdesc"),
	platform.FDInotify:  emit.Str(fdType, "inotify"),
	platform.FDSignalfd: emit.Str(fdType, "signalfd"),
	platform.FDEpoll:    emit.Str(fdType, "epoll"),
	platform.FDTimerfd:  emit.Str(fdType, "timerfd"),
	platform.FDPidfd:    emit.Str(fdType, "pidfd"),
	platform.FDEventfd:  emit.Str(fdType, "eventfd"),
}

var descriptorMetrics = []metric{
	{
		name: "process.unix.file_descriptor.count", plan: wants(platform.FieldDescriptors, platform.FieldFDs, fdType),
		record: descriptorCount,
	},
	{name: "process.unix.file_descriptor.limit", fields: platform.FieldLimits, record: func(to *emit.Points, s *sample) {
		if v, ok := limit(&s.More.Limits, platform.LimitOpenFiles, false); ok {
			to.Int(toInt(v))
		}
	}},
	{name: "process.unix.file_descriptor.info", fields: platform.FieldFDInfo, record: descriptorInfo},
	eachDescriptor("process.unix.file_descriptor.offset", platform.FDPosition, func(to *emit.Points, f *platform.FD, number emit.Attr) {
		if f.Type == platform.FDFile && f.Position >= 0 { // the others always say 0
			to.Int(f.Position, number)
		}
	}),
	eachDescriptor("process.unix.file_descriptor.file.size", platform.FDStat, func(to *emit.Points, f *platform.FD, number emit.Attr) {
		if f.Type == platform.FDFile && f.Size >= 0 {
			to.Int(f.Size, number)
		}
	}),
	eachDescriptor("process.unix.file_descriptor.file.link.count", platform.FDStat, func(to *emit.Points, f *platform.FD, number emit.Attr) {
		if f.Type == platform.FDFile {
			to.Int(toInt(f.Links), number)
		}
	}),
	eachDescriptor("process.unix.file_descriptor.timer.time_left", platform.FDTimer, func(to *emit.Points, f *platform.FD, number emit.Attr) {
		if f.TimeLeft > 0 {
			to.Double(f.TimeLeft, number)
		}
	}),
	eachDescriptor("process.unix.file_descriptor.timer.interval", platform.FDTimer, func(to *emit.Points, f *platform.FD, number emit.Attr) {
		if f.Interval > 0 {
			to.Double(f.Interval, number)
		}
	}),
	{name: "process.unix.file_descriptor.pending_event.count", fields: platform.FieldFDInfo, record: pendingEvents},
	{name: "process.unix.file_descriptor.watch.count", fields: platform.FieldFDInfo, record: watches},
}

// eachDescriptor is a row that records a point of each descriptor that has a
// field.
func eachDescriptor(name string, field platform.FDFields, record func(*emit.Points, *platform.FD, emit.Attr)) metric {
	fields := platform.FieldFDInfo
	if field == platform.FDStat { // which takes no notes of the kernel
		fields = platform.FieldFDs
	}
	return metric{name: name, fields: fields, record: func(to *emit.Points, s *sample) {
		for i := range s.More.FDs {
			if f := &s.More.FDs[i]; f.Got.Has(field) {
				record(to, f, emit.Int(fdNumber, int64(f.Number)))
			}
		}
	}}
}

// descriptorCount counts by type, where that is wanted: the kernel tells only
// the number without a look at each descriptor.
func descriptorCount(to *emit.Points, s *sample) {
	if !to.Wants(fdType) {
		to.Int(int64(s.Descriptors))
		return
	}
	var count [platform.NumFDTypes]int64
	for i := range s.More.FDs {
		count[known(s.More.FDs[i].Type)]++
	}
	for t, n := range count {
		if n > 0 {
			to.Int(n, fdTypes[t])
		}
	}
}

// known is the type, if this code knows it.
func known(t platform.FDType) platform.FDType {
	if t >= platform.NumFDTypes {
		return platform.FDUnknown
	}
	return t
}

// descriptorInfo says of each descriptor what is no number.
func descriptorInfo(to *emit.Points, s *sample) {
	for i := range s.More.FDs {
		f := &s.More.FDs[i]
		attrs := append(s.attrs[:0], emit.Int(fdNumber, int64(f.Number)), fdTypes[known(f.Type)])
		if f.Got.Has(platform.FDFlags) {
			attrs = append(attrs,
				emit.List("process.unix.file_descriptor.flags", s.flags.of(f.Flags)),
				emit.Str("process.unix.file_descriptor.open_mode", openMode(f.Flags)))
		}
		// Sockets, pipes and what is anonymous have these too, but they mean
		// nothing there.
		if f.Got.Has(platform.FDStat) && (f.Type == platform.FDFile || f.Type == platform.FDFIFO) {
			attrs = append(attrs,
				emit.Str("process.unix.file_descriptor.device", deviceName(f.Device)),
				emit.Str("process.unix.file_descriptor.rdev", rdev(f)),
				emit.Str("process.unix.file_descriptor.file.type", fileType(f.Mode)),
				emit.Str(fileInode, strconv.FormatUint(f.Inode, 10)),
				emit.Str("file.mode", octal(f.Mode&0o7777)))
		}
		if f.Got.Has(platform.FDTarget) && f.TargetPID > 0 { // -1: it has ended
			attrs = append(attrs, emit.Int("process.unix.file_descriptor.target_pid", int64(f.TargetPID)))
		}
		if f.Got.Has(platform.FDPath) {
			attrs = append(attrs, emit.Str("file.path", f.Path))
		}
		to.Int(1, attrs...)
		s.attrs = attrs
	}
}

// pendingEvents adds up by type, unless single descriptors are wanted.
func pendingEvents(to *emit.Points, s *sample) {
	each := to.Wants(fdNumber)
	var sum, count [platform.NumFDTypes]uint64
	for i := range s.More.FDs {
		f := &s.More.FDs[i]
		if !f.Got.Has(platform.FDPending) {
			continue
		}
		if each {
			to.Int(toInt(f.Pending), fdTypes[known(f.Type)], emit.Int(fdNumber, int64(f.Number)))
			continue
		}
		// An eventfd can hold nearly 2^64.
		if sum[known(f.Type)] += f.Pending; sum[known(f.Type)] < f.Pending {
			sum[known(f.Type)] = math.MaxUint64
		}
		count[known(f.Type)]++
	}
	for t, n := range count {
		if n > 0 {
			to.Int(toInt(sum[t]), fdTypes[t])
		}
	}
}

// watches adds up, unless single descriptors are wanted.
func watches(to *emit.Points, s *sample) {
	each := to.Wants(fdNumber)
	var sum int64
	var some bool
	for i := range s.More.FDs {
		f := &s.More.FDs[i]
		switch {
		case !f.Got.Has(platform.FDWatches):
		case each:
			to.Int(int64(f.Watches), emit.Int(fdNumber, int64(f.Number)))
		default:
			sum, some = sum+int64(f.Watches), true
		}
	}
	if some {
		to.Int(sum)
	}
}
