// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// Recorded on Linux 6.18.44.
const (
	epollInfo    = "pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t1039\ntfd:        5 events:       1c data:                5  pos:0 ino:5c777 sdev:f\ntfd:        4 events:       1f data:                4  pos:0 ino:5c777 sdev:f\n"
	eventfdInfo  = "pos:\t0\nflags:\t02\nmnt_id:\t17\nino:\t1039\neventfd-count:               1a\neventfd-id: 2\neventfd-semaphore: 0\n"
	timerfdInfo  = "pos:\t0\nflags:\t02\nmnt_id:\t17\nino:\t1039\nclockid: 1\nticks: 0\nsettime flags: 00\nit_value: (999, 976874103)\nit_interval: (5, 500000000)\n"
	signalfdInfo = "pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t1039\nsigmask:\t0000000000004002\n"
	inotifyInfo  = "pos:\t0\nflags:\t00\nmnt_id:\t17\nino:\t1039\ninotify wd:1 ino:3c4a3 sdev:fe00000 mask:2 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:a3c4030000000000\n"
	pidfdInfo    = "pos:\t0\nflags:\t02000002\nmnt_id:\t4\nino:\t141527\nPid:\t11693\nNSpid:\t11693\n"
	goneInfo     = "pos:\t0\nflags:\t02000002\nmnt_id:\t4\nino:\t141634\nPid:\t-1\nNSpid:\t-1\n"
	fileInfo     = "pos:\t3\nflags:\t02100001\nmnt_id:\t27\nino:\t9994310\n"
	fanInfo      = "pos:\t0\nflags:\t02\nmnt_id:\t17\nino:\t1039\nfanotify flags:0 event-flags:8000\n"
	uringInfo    = "pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t378753\nSqMask:\t0x3\nSqHead:\t0\nUserBufs:\t0\nPollList:\nCqOverflowList:\nNAPI:\tdisabled\n"
)

func TestFDInfo(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want FDInfo
	}{
		"file":     {fileInfo, FDInfo{Position: 3, Flags: 0o2100001}},
		"epoll":    {epollInfo, FDInfo{Flags: 0o2000002, Has: FDInfoWatches, Watches: 2}},
		"eventfd":  {eventfdInfo, FDInfo{Flags: 2, Has: FDInfoPending, Pending: 26}},
		"inotify":  {inotifyInfo, FDInfo{}},
		"pidfd":    {pidfdInfo, FDInfo{Flags: 0o2000002, Has: FDInfoPID, PID: 11693}},
		"gone":     {goneInfo, FDInfo{Flags: 0o2000002}},
		"fanotify": {fanInfo, FDInfo{Flags: 2}},
		"io_uring": {uringInfo, FDInfo{Flags: 0o2000002}},
		"timerfd": {timerfdInfo, FDInfo{
			Flags: 2, Has: FDInfoPending | FDInfoTimer,
			TimeLeft: 999976874103 * time.Nanosecond, Interval: 5500 * time.Millisecond, Clock: 1,
		}},
		"timerfd of another clock": {strings.NewReplacer("clockid: 1", "clockid: 8", "flags: 00", "flags: 03").Replace(timerfdInfo), FDInfo{
			Flags: 2, Has: FDInfoPending | FDInfoTimer,
			TimeLeft: 999976874103 * time.Nanosecond, Interval: 5500 * time.Millisecond, Clock: 8, Settime: 3,
		}},
		"signalfd": {signalfdInfo, FDInfo{Flags: 0o2000002, Has: FDInfoSignals, Signals: 1<<1 | 1<<14}},
		"timerfd not armed": {
			strings.NewReplacer("ticks: 0", "ticks: 12", "(999, 976874103)", "(0, 0)", "(5, 500000000)", "(0, 0)").Replace(timerfdInfo),
			FDInfo{Flags: 2, Has: FDInfoPending | FDInfoTimer, Pending: 12, Clock: 1},
		},
		"timerfd in 292 years": {
			strings.Replace(timerfdInfo, "(999, 976874103)", "(9223372036, 854775807)", 1),
			FDInfo{Flags: 2, Has: FDInfoPending | FDInfoTimer, TimeLeft: math.MaxInt64, Interval: 5500 * time.Millisecond, Clock: 1},
		},
		// write(2) and TFD_IOC_SET_TICKS set these to what they like.
		"eventfd full":          {strings.Replace(eventfdInfo, "              1a", "fffffffffffffffe", 1), FDInfo{Flags: 2, Has: FDInfoPending, Pending: math.MaxInt64}},
		"timerfd ticks":         {strings.Replace(timerfdInfo, "ticks: 0", "ticks: 18446744073709551615", 1), FDInfo{Flags: 2, Has: FDInfoPending | FDInfoTimer, Pending: math.MaxInt64, TimeLeft: 999976874103, Interval: 5500 * time.Millisecond, Clock: 1}},
		"pidfd out of sight":    {strings.Replace(pidfdInfo, "Pid:\t11693", "Pid:\t0", 1), FDInfo{Flags: 0o2000002}},
		"Linux 3.2":             {"pos:\t9223372036854775807\nflags:\t0100000\n", FDInfo{Position: math.MaxInt64, Flags: 0o100000}},
		"position of /dev/mem":  {"pos:\t-4096\nflags:\t02\n", FDInfo{Position: -4096, Flags: 2}},
		"a lock and other keys": {fileInfo + "lock:\t1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF\nflags:\tx\npos:\ty\nno colon\n\n", FDInfo{Position: 3, Flags: 0o2100001}},
		"a very long line":      {fileInfo + "x:" + strings.Repeat("y", 10_000) + "\n", FDInfo{Position: 3, Flags: 0o2100001}},
	} {
		t.Run(name, func(t *testing.T) {
			var got FDInfo
			require.NoError(t, fdinfo([]byte(c.in), &got))
			assert.Equal(t, c.want, known(got))
			for n := 1; n < 20; n++ {
				got.Reset()
				require.NoError(t, chunks([]byte(c.in), n, got.Feed))
				require.NoError(t, got.End())
				assert.Equal(t, c.want, known(got), "chunks of %d", n)
			}
		})
	}
}

// fdinfo decodes a whole file.
func fdinfo(b []byte, i *FDInfo) error {
	i.Reset()
	if err := i.Feed(b); err != nil {
		return err
	}
	return i.End()
}

// known is the part of FDInfo that callers see.
func known(i FDInfo) FDInfo {
	return FDInfo{Has: i.Has, Position: i.Position, Flags: i.Flags, PID: i.PID, Watches: i.Watches, Pending: i.Pending, TimeLeft: i.TimeLeft, Interval: i.Interval, Clock: i.Clock, Settime: i.Settime, Signals: i.Signals}
}

func TestFDInfoMalformed(t *testing.T) {
	for _, in := range []string{
		"", "pos:\t0\n", "flags:\t02\n", "pos:\tx\nflags:\t02\n", "pos:\t0\nflags:\t08\n", "pos:\t0\nflags:\t\n", "pos:\t9223372036854775808\nflags:\t02\n",
		"pos:\t0\nflags:\t02\nino", fileInfo[:len(fileInfo)-1],
		strings.Replace(eventfdInfo, "1a", "1g", 1), strings.Replace(eventfdInfo, "              1a", "11111111111111111", 1),
		strings.Replace(timerfdInfo, "clockid: 1", "clockid: x", 1), strings.Replace(timerfdInfo, "flags: 00", "flags: 08", 1), strings.Replace(signalfdInfo, "4002", "400g", 1),
		strings.Replace(timerfdInfo, "ticks: 0", "ticks: -1", 1), strings.Replace(timerfdInfo, "(999, 976874103)", "(999, 1000000000)", 1),
		strings.Replace(timerfdInfo, "(999, 976874103)", "(9223372036, 854775808)", 1), strings.Replace(timerfdInfo, "(999, 976874103)", "(9223372037, 0)", 1),
		strings.Replace(timerfdInfo, "(999, 976874103)", "(999 976874103)", 1), strings.Replace(timerfdInfo, "(5, 500000000)", "(5, 500000000", 1),
		strings.Replace(pidfdInfo, "Pid:\t11693", "Pid:\tx", 1), strings.Replace(pidfdInfo, "Pid:\t11693", "Pid:\t2147483648", 1),
	} {
		var i FDInfo
		assert.ErrorIs(t, fdinfo([]byte(in), &i), parse.ErrSyntax, "%q", in)
	}
}

func TestFDInfoCut(t *testing.T) {
	for _, in := range []string{epollInfo, eventfdInfo, timerfdInfo, pidfdInfo, fileInfo} {
		var want FDInfo
		require.NoError(t, fdinfo([]byte(in), &want))
		for n := range in {
			var got FDInfo
			if fdinfo([]byte(in)[:n], &got) != nil {
				continue
			}
			assert.Equal(t, byte('\n'), in[n-1], "a line that was cut is no line")
			assert.Zero(t, got.Has&^want.Has)
			assert.Equal(t, want.Flags, got.Flags)
			if got.Has&FDInfoTimer != 0 {
				assert.Equal(t, known(want), known(got))
			}
		}
	}
}

// An epoll has a line for each of its descriptors, in more than any buffer.
func TestFDInfoLarge(t *testing.T) {
	in := []byte(epollInfo)
	for i := range 20_000 {
		in = fmt.Appendf(in, "tfd: %8d events: %8x data: %16x  pos:0 ino:5c777 sdev:f\n", i, 1, i)
	}
	var i FDInfo
	require.NoError(t, chunks(in, 8192, i.Feed))
	require.NoError(t, i.End())
	assert.EqualValues(t, 20_002, i.Watches)
}

func TestFDLink(t *testing.T) {
	for target, want := range map[string]struct {
		kind  LinkKind
		inode uint64
	}{
		"/tmp/fd \n(deleted)x (deleted)": {LinkPath, 0},
		"/":                              {LinkPath, 0},
		"/memfd:a\nb (deleted)":          {LinkPath, 0},
		"/dev/ptmx":                      {LinkPath, 0},
		"(unreachable)/etc/passwd":       {LinkPath, 0},
		"socket:[378750]":                {LinkSocket, 378750},
		"pipe:[378743]":                  {LinkPipe, 378743},
		"socket:[18446744073709551615]":  {LinkSocket, math.MaxUint64},
		"anon_inode:[eventpoll]":         {LinkEpoll, 0},
		"anon_inode:[eventfd]":           {LinkEventfd, 0},
		"anon_inode:[timerfd]":           {LinkTimerfd, 0},
		"anon_inode:[signalfd]":          {LinkSignalfd, 0},
		"anon_inode:inotify":             {LinkInotify, 0},
		"inotify":                        {LinkInotify, 0},
		"anon_inode:[pidfd]":             {LinkPidfd, 0},
		"pidfd:[141527]":                 {LinkPidfd, 141527},
		"anon_inode:[fanotify]":          {LinkUnknown, 0},
		"anon_inode:[io_uring]":          {LinkUnknown, 0},
		"anon_inode:[eventfd]x":          {LinkUnknown, 0},
		"net:[4026531833]":               {LinkUnknown, 0},
		"socket:[]":                      {LinkUnknown, 0},
		"socket:[12":                     {LinkUnknown, 0},
		"socket:[12]3":                   {LinkUnknown, 0},
		"socket:":                        {LinkUnknown, 0},
		"socket:[18446744073709551616]":  {LinkUnknown, 0},
		"(unreachable)":                  {LinkUnknown, 0},
		"":                               {LinkUnknown, 0},
	} {
		kind, inode := FDLink([]byte(target))
		assert.Equal(t, want.kind, kind, target)
		assert.Equal(t, want.inode, inode, target)
	}
}

func TestFDInfoNoAllocation(t *testing.T) {
	epoll, timer := []byte(epollInfo), []byte(timerfdInfo)
	socket, file := []byte("socket:[378750]"), []byte("/tmp/x")
	var i FDInfo
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_ = fdinfo(epoll, &i)
		_ = fdinfo(timer, &i)
		i.Reset()
		_ = i.Feed(epoll[:100])
		_ = i.Feed(epoll[100:])
		_ = i.End()
		_, _ = FDLink(socket)
		_, _ = FDLink(file)
	}))
}

func FuzzFDInfo(f *testing.F) {
	for _, s := range []string{epollInfo, eventfdInfo, timerfdInfo, pidfdInfo, goneInfo, fileInfo, inotifyInfo, "socket:[12]", "anon_inode:inotify"} {
		f.Add([]byte(s), 7)
	}
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		var whole, parts FDInfo
		err := fdinfo(b, &whole)
		if err == nil {
			assert.LessOrEqual(t, whole.Pending, uint64(math.MaxInt64))
			assert.GreaterOrEqual(t, min(whole.TimeLeft, whole.Interval), time.Duration(0))
			assert.Equal(t, whole.Has&FDInfoPID != 0, whole.PID > 0)
			assert.Equal(t, whole.Has&FDInfoWatches != 0, whole.Watches > 0)
		}
		partsErr := chunks(b, 1+n&0xff, parts.Feed)
		if partsErr == nil {
			partsErr = parts.End()
		}
		assert.Equal(t, err, partsErr)
		if err == nil {
			assert.Equal(t, known(whole), known(parts))
		}
		kind, inode := FDLink(b)
		assert.Less(t, kind, LinkKind(NumLinkKinds))
		if inode != 0 {
			assert.Contains(t, []LinkKind{LinkSocket, LinkPipe, LinkPidfd}, kind)
		}
	})
}

func TestEpollTargets(t *testing.T) {
	decode := func(text string) (targets []EpollTarget, err error) {
		var i FDInfo
		i.Reset()
		i.Target = func(t *EpollTarget) { targets = append(targets, *t) }
		_ = i.Feed([]byte(text))
		return targets, i.End()
	}
	targets, err := decode(epollInfo)
	require.NoError(t, err)
	assert.Equal(t, []EpollTarget{
		{FD: 5, Events: 0x1c, Data: 5, Inode: 0x5c777, Device: 0xf}, {FD: 4, Events: 0x1f, Data: 4, Inode: 0x5c777, Device: 0xf},
	}, targets)
	const head = "pos:\t0\nflags:\t02\n"
	targets, err = decode(head + "tfd:        7 events: 40000001 data: ffffffffffffffff\n")
	require.NoError(t, err, "before Linux 4.14")
	assert.Equal(t, []EpollTarget{{FD: 7, Events: 0x40000001, Data: math.MaxUint64}}, targets)
	for _, bad := range []string{"tfd: x events: 1\n", "tfd: 99999999999\n", "tfd: 1 events\n", "tfd: 1 events: g\n", "tfd: 1 pos:- ino:1\n"} {
		_, err = decode(head + bad)
		assert.ErrorIs(t, err, parse.ErrSyntax, bad)
	}
}
