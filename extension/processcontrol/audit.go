// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// audit is a file to which lines are added, and that nobody else may write.
// Before an action there is a line of what is going to be done, which is on
// the disk before it is; behind it one of what came of it.
type audit struct {
	path string
	now  func() time.Time
	sync func(*os.File) error // tests look on

	mu            sync.Mutex
	file          *os.File
	refused, read flood
}

// entry is a line of the audit file.
type entry struct {
	Time  string `json:"time"`
	ID    string `json:"id"`
	Event string `json:"event"` // intent, outcome, refused, read

	Caller     auditCaller `json:"caller"`
	Principals []string    `json:"principals"`
	Action     string      `json:"action"`
	Ref        string      `json:"ref"`
	Target     auditTarget `json:"target"`
	Rule       string      `json:"rule,omitempty"`
	Arguments  any         `json:"arguments,omitempty"`
	Reason     string      `json:"reason,omitempty"` // what the caller says
	DryRun     bool        `json:"dry_run,omitempty"`

	Outcome   string `json:"outcome,omitempty"` // applied, dry_run, failed, indeterminate, unknown
	Guarantee string `json:"guarantee,omitempty"`
	Problem   string `json:"problem,omitempty"`
	Detail    string `json:"detail,omitempty"`
	Left      int    `json:"left_out,omitempty"` // of its kind before this one
}

type auditCaller struct {
	UID     *uint32 `json:"uid,omitempty"`
	PID     int32   `json:"pid,omitempty"`
	Subject string  `json:"subject,omitempty"`
	Address string  `json:"address,omitempty"`
}

type auditTarget struct {
	PID        int32  `json:"pid"`
	Executable string `json:"executable,omitempty"`
	User       string `json:"user,omitempty"`
	Cgroup     string `json:"cgroup,omitempty"`
}

// flood bounds the lines about what was refused, or read, of which a caller can
// make as many as he likes.
type flood struct {
	since time.Time
	count int
	left  int
}

// maxFlood is how many of each are written in a minute.
const maxFlood = 120

// start opens the file and tells of actions that no outcome is known of, as
// the program ended in between.
func (a *audit) start(log *zap.Logger) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.open(); err != nil {
		return err
	}
	open, err := unfinished(a.path)
	if err != nil {
		return err
	}
	for _, e := range open {
		log.Warn("An action was about to be done when the collector ended", zap.String("id", e.ID), zap.String("action", e.Action), zap.String("ref", e.Ref))
		e.Time, e.Event, e.Outcome = a.stamp(), "outcome", "unknown"
		if err := a.add(e, true); err != nil {
			return err
		}
	}
	return nil
}

// maxTail is how much of the end of the file is looked at.
const maxTail = 1 << 20

// unfinished are the last intents without an outcome.
func unfinished(path string) ([]entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-maxTail)
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(f)
	if from > 0 {
		_, _ = lines.ReadBytes('\n') // the rest of one
	}
	var open []entry
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return open, nil
		} else if err != nil {
			return nil, err
		}
		var e entry
		if json.Unmarshal(bytes.TrimSpace(line), &e) != nil {
			continue
		}
		switch e.Event {
		case "intent":
			open = append(open, e)
		case "outcome":
			for i := range open {
				if open[i].ID == e.ID {
					open = append(open[:i], open[i+1:]...)
					break
				}
			}
		}
	}
}

// open opens the file, or makes it.
func (a *audit) open() error {
	if err := checkDirectory(filepath.Dir(a.path)); err != nil {
		return err
	}
	fd, err := syscall.Open(a.path, syscall.O_RDWR|syscall.O_APPEND|syscall.O_CREAT|syscall.O_NOFOLLOW|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return &os.PathError{Op: "open", Path: a.path, Err: err}
	}
	file := os.NewFile(uintptr(fd), a.path)
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", a.path)
	}
	if err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid() {
			err = fmt.Errorf("%s belongs to another user", a.path)
		}
	}
	if err == nil && info.Mode().Perm()&0o022 != 0 {
		err = fmt.Errorf("others may write %s (mode %v)", a.path, info.Mode().Perm())
	}
	if err == nil && info.Size() > 0 { // the start of a line that was not written is none of the next
		last := make([]byte, 1)
		if _, err = file.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			_, err = file.Write([]byte{'\n'})
		}
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	a.file = file
	return nil
}

func (a *audit) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file = nil
	return err
}

func (a *audit) stamp() string { return a.now().UTC().Format(time.RFC3339Nano) }

// write adds a line; durable: it is on the disk when write returns. Lines of
// what was refused, or read, are left out when there are too many.
func (a *audit) write(e entry, durable bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	e.Time = a.stamp()
	if f := map[string]*flood{"refused": &a.refused, "read": &a.read}[e.Event]; f != nil {
		now := a.now()
		if now.Sub(f.since) >= time.Minute {
			f.since, f.count = now, 0
		}
		if f.count++; f.count > maxFlood {
			f.left++
			return nil
		}
		e.Left, f.left = f.left, 0
	}
	return a.add(e, durable)
}

// add writes a line to the file of that name, which may have been renamed
// since (logrotate(8)).
func (a *audit) add(e entry, durable bool) error {
	if a.file != nil {
		is, err := os.Lstat(a.path)
		was, err2 := a.file.Stat()
		if err != nil || err2 != nil || !os.SameFile(is, was) {
			_ = a.file.Close()
			a.file = nil
		}
	}
	if a.file == nil {
		if err := a.open(); err != nil {
			return err
		}
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	n, err := a.file.Write(append(line, '\n'))
	if err == nil && durable {
		err = a.sync(a.file)
	}
	if err != nil {
		if n > 0 { // a part of it is there: the next one begins on a line of its own
			_ = a.file.Close()
			a.file = nil
		}
		return fmt.Errorf("%s: %w", a.path, err)
	}
	return nil
}
