// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/match"
	"github.com/hostscope/hostscope/platform"
)

var filesystemMetrics = []metric{
	{"system.filesystem.inode.usage", need{reading: platform.ReadingFilesystems}, recordInodes},
	{"system.filesystem.limit", need{reading: platform.ReadingFilesystems}, recordFilesystemLimit},
	{"system.filesystem.usage", need{reading: platform.ReadingFilesystems}, recordFilesystemUsage},
	{"system.filesystem.utilization", need{reading: platform.ReadingFilesystems}, recordFilesystemUtilization},
}

// filesystemState selects filesystems, and keeps memory for the next scrape.
type filesystemState struct {
	filter  match.Filter
	request platform.FilesystemRequest
	buf     []platform.Filesystem
}

func newFilesystemState(cfg *Config) (filesystemState, error) {
	f, err := match.NewFilter("filesystem", cfg.Filesystem.Include, cfg.Filesystem.Exclude)
	return filesystemState{
		filter: f,
		request: platform.FilesystemRequest{
			All:    f.Chooses(),
			Select: func(fs *platform.Filesystem) bool { return f.Selects(fs.Device, fs.Type, fs.Mountpoint) },
			Paths:  cfg.Filesystem.Paths,
		},
	}, err
}

func (s *Scraper) readFilesystems(t *tick) (err error) {
	t.filesystems, err = s.host.Filesystems(t.ctx, s.filesystems.buf[:0], s.filesystems.request)
	if t.filesystems != nil {
		s.filesystems.buf = t.filesystems
	}
	return err
}

// Values of system.filesystem.state.
var (
	spaceUsed     = emit.Str("system.filesystem.state", "used")
	spaceFree     = emit.Str("system.filesystem.state", "free")
	spaceReserved = emit.Str("system.filesystem.state", "reserved")
)

// where are the attributes of a filesystem.
type where struct{ device, mountpoint, kind, mode emit.Attr }

func whereIs(f *platform.Filesystem) where {
	mode := "rw"
	if f.ReadOnly {
		mode = "ro"
	}
	return where{
		emit.Str("system.device", f.Device), emit.Str("system.filesystem.mountpoint", f.Mountpoint),
		emit.Str("system.filesystem.type", f.Type), emit.Str("system.filesystem.mode", mode),
	}
}

func recordFilesystemUsage(_ *Scraper, to *emit.Points, t *tick) {
	for i := range t.filesystems {
		f := &t.filesystems[i]
		if !f.Got.Has(platform.FilesystemSpace) {
			continue
		}
		at := whereIs(f)
		to.Int(int64(f.Used), spaceUsed, at.device, at.mountpoint, at.kind, at.mode)
		to.Int(int64(f.Free), spaceFree, at.device, at.mountpoint, at.kind, at.mode)
		to.Int(int64(f.Reserved), spaceReserved, at.device, at.mountpoint, at.kind, at.mode)
	}
}

// recordFilesystemUtilization leaves out what is reserved, as df(1) does: full
// is what users can write no more to.
func recordFilesystemUtilization(_ *Scraper, to *emit.Points, t *tick) {
	for i := range t.filesystems {
		f := &t.filesystems[i]
		if whole := f.Used + f.Free; f.Got.Has(platform.FilesystemSpace) && whole > 0 {
			at := whereIs(f)
			to.Double(float64(f.Used)/float64(whole), spaceUsed, at.device, at.mountpoint, at.kind, at.mode)
		}
	}
}

func recordFilesystemLimit(_ *Scraper, to *emit.Points, t *tick) {
	for i := range t.filesystems {
		if f := &t.filesystems[i]; f.Got.Has(platform.FilesystemSpace) {
			at := whereIs(f)
			to.Int(int64(f.Total), at.device, at.mountpoint, at.kind, at.mode)
		}
	}
}

func recordInodes(_ *Scraper, to *emit.Points, t *tick) {
	for i := range t.filesystems {
		if f := &t.filesystems[i]; f.Got.Has(platform.FilesystemInodes) {
			at := whereIs(f)
			to.Int(int64(f.UsedInodes), spaceUsed, at.device, at.mountpoint, at.kind, at.mode)
			to.Int(int64(f.FreeInodes), spaceFree, at.device, at.mountpoint, at.kind, at.mode)
		}
	}
}
