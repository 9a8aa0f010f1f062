// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// deviceClass is a class of devices in sysfs, such as /sys/class/hwmon, and what is
// known of each of its devices for as long as it stays the same one. To read an
// attribute can take an I²C bus, firmware or a disk, so that each device is
// asked by a read of its own that can be left behind.
type deviceClass[T any] struct {
	name   string                 // in /sys/class
	prefix string                 // of the names of the devices that matter
	only   func(name string) bool // of these, the ones that are selected; nil for all
	ask    func(*member[T])

	members  []*member[T] // in the order of their names
	byName   map[string]*member[T]
	answered []*member[T]
	round    uint64
	changed  bool // there are other devices than in the reading before
}

// member is one device of a class. While it is asked, what stands below path
// belongs to the goroutine that asks.
type member[T any] struct {
	name  string // in the class
	dir   string
	inode uint64 // of its name there
	round uint64 // of the last reading that it was in
	run   func()

	// How a chip or a thermal zone is called, and what for, since it answered
	// first.
	id, driver, path string

	access
	known  bool   // it was looked up: where and what it is, and which files it has
	home   string // where the name points
	what   T
	text   []byte
	scrap  []byte
	number [64]byte
	errs   []error
	unread map[unix.Errno]int
}

// How long a device may take. It answers in microseconds or, over a slow bus,
// some milliseconds; those that take longer are waited for together, so that
// one reading of a class ends within the deadline.
const (
	devicePatience = 50 * time.Millisecond
	deviceDeadline = 2 * time.Second
)

// askAll asks the devices that there now are of a class, as ask does. A kernel
// without the class has none.
func askAll[T any](ctx context.Context, h *Host, c *deviceClass[T], before func(*T)) ([]*member[T], error) {
	err := c.update(h)
	answered, aerr := ask(ctx, h, c, before)
	return answered, errors.Join(err, aerr)
}

// ask asks the known devices of a class, each after before has been called with
// it, and answers those that have answered, in the order of their names. Who
// was asked and answered is told also when the error is not nil. That is
// ErrTimeoutExpired for devices that did not answer before ctx has ended, or in
// two seconds: they are not asked again until they do.
func ask[T any](ctx context.Context, h *Host, c *deviceClass[T], before func(*T)) ([]*member[T], error) {
	ctx, cancel := context.WithTimeout(ctx, deviceDeadline)
	defer cancel()
	c.answered = c.answered[:0]
	var silent []string
	var errs []error
	answer := func(m *member[T]) {
		h.calls += m.calls
		m.calls = 0
		for errno, n := range m.unread {
			h.sensors.count(errno, n)
		}
		clear(m.unread)
		errs = append(errs, m.errs...)
		m.errs = m.errs[:0]
		c.answered = append(c.answered, m)
	}
	var late []*member[T]
	for _, m := range c.members {
		if ctx.Err() != nil || h.bounded.under(m.dir) {
			silent = append(silent, m.dir)
			continue
		}
		before(&m.what)
		// Each that is late leaves less for the others, which are then under
		// way at once: however many are slow, all are asked.
		switch h.bounded.try(m.dir, devicePatience/time.Duration(1+len(late)), m.run) {
		case nil:
			answer(m)
		case errNotBegun:
			silent = append(silent, m.dir)
		default:
			late = append(late, m)
		}
	}
	for _, m := range late {
		if h.bounded.wait(ctx, m.dir) == nil {
			answer(m)
		} else {
			silent = append(silent, m.dir)
		}
	}
	if late != nil {
		slices.SortFunc(c.answered, byName)
	}
	if silent != nil {
		errs = append(errs, fmt.Errorf("%s: %w", strings.Join(silent, ", "), ErrTimeoutExpired))
	}
	return c.answered, errors.Join(errs...)
}

// update brings members up to date with the folder of the class.
func (c *deviceClass[T]) update(h *Host) error {
	c.round++
	c.changed = false
	here := 0
	dir := filepath.Join(h.root.Sys, "class", c.name)
	fd, err := h.openPath(dir, unix.O_DIRECTORY)
	if err == nil {
		errno := h.listnodes(fd, h.table.dirents[:], func(inode uint64, name []byte) {
			if strings.HasPrefix(string(name), c.prefix) && (c.only == nil || c.only(string(name))) {
				c.see(dir, name, inode)
				here++
			}
		})
		h.close(fd)
		if errno != 0 {
			err = fileError(dir, errno)
		}
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if here < len(c.byName) {
		c.changed = true
		maps.DeleteFunc(c.byName, func(_ string, m *member[T]) bool { return m.round != c.round })
	}
	if c.changed {
		c.members = slices.SortedFunc(maps.Values(c.byName), byName)
	}
	return err
}

// unknown tells whether a device is still to be looked up, of those that can be
// asked.
func (c *deviceClass[T]) unknown(h *Host) bool {
	return slices.ContainsFunc(c.members, func(m *member[T]) bool { return !h.bounded.under(m.dir) && !m.known })
}

// see takes a name in the folder of the class. It can go from one device to
// another, and is another inode then.
func (c *deviceClass[T]) see(dir string, name []byte, inode uint64) {
	m := c.byName[string(name)]
	if m == nil || m.inode != inode {
		m = &member[T]{name: string(name), dir: filepath.Join(dir, string(name)), inode: inode}
		m.run = func() { c.ask(m) }
		if c.byName == nil {
			c.byName = map[string]*member[T]{}
		}
		c.byName[m.name], c.changed = m, true
	}
	m.round = c.round
}

// byName orders devices by name, of one name by number: hwmon2, hwmon10.
func byName[T any](a, b *member[T]) int {
	stem := func(m *member[T]) string { return strings.TrimRight(m.name, "0123456789") }
	return cmp.Or(strings.Compare(stem(a), stem(b)), cmp.Compare(len(a.name), len(b.name)), strings.Compare(a.name, b.name))
}

// locate looks up where the name of a device points: to a folder in the tree
// of devices, whose path is shorter to go than that over the name. It answers
// the path below /sys, devices/…; "" where the name is the folder.
func (m *member[T]) locate() string {
	m.known, m.home = true, m.dir
	b, errno := m.readlinkat(unix.AT_FDCWD, append([]byte(m.dir), 0), m.buffer())
	if errno != 0 {
		return ""
	}
	m.home = filepath.Join(filepath.Dir(m.dir), string(b))
	return strings.TrimPrefix(filepath.Join("/class/any", string(b)), "/")
}

// value reads a file that ends in NUL and holds a number. What the device does
// not tell is counted; a file that is gone has the device looked up anew.
func (m *member[T]) value(file []byte) (n int64, ok bool) {
	b, errno := m.readOnce(unix.AT_FDCWD, file, m.number[:])
	if errno != 0 {
		m.failed(errno)
		return 0, false
	}
	n, ok = parse.Only(b)
	if !ok {
		m.errs = append(m.errs, fmt.Errorf("%s: %w: %w", file[:len(file)-1], ErrMalformed, parse.ErrSyntax))
	}
	return n, ok
}

// failed takes a file that could not be read. One that is gone, and one that
// we had no descriptor or memory for, has the device looked up anew.
func (m *member[T]) failed(errno unix.Errno) {
	if errno == unix.ENOENT || scarce(errno) {
		m.known = false
	}
	if errno == unix.ENOENT {
		return
	}
	if m.unread == nil {
		m.unread = map[unix.Errno]int{}
	}
	m.unread[errno]++
}

// scarce tells whether an error is about what this process lacks, and says
// nothing of the device.
func scarce(errno unix.Errno) bool {
	return errno == unix.EMFILE || errno == unix.ENFILE || errno == unix.ENOMEM
}

// line reads a file of one line of text, nil where it cannot be read.
func (m *member[T]) line(name string) []byte {
	b, errno := m.readOnce(unix.AT_FDCWD, m.file(name), m.buffer())
	if scarce(errno) {
		m.failed(errno)
	}
	if errno != 0 {
		return nil
	}
	b, _ = parse.Line(b)
	return b
}

// file is the path of a file of the device, ending in NUL, until the next one.
func (m *member[T]) file(name string) []byte {
	m.scrap = append(append(append(append(m.scrap[:0], m.home...), '/'), name...), 0)
	return m.scrap
}

// buffer is room for a file of sysfs, which has no more than a page.
func (m *member[T]) buffer() []byte {
	if m.text == nil {
		m.text = make([]byte, 4096)
	}
	return m.text
}

// isSupply tells whether a power supply has a name and tells its temperature:
// the kernel makes a thermal zone of that name of it (psy_register_thermal of
// power_supply_core.c), and older kernels a chip of the zone.
func (m *member[T]) isSupply(name string) bool {
	if name == "" || strings.Contains(name, "/") {
		return false
	}
	class := filepath.Dir(filepath.Dir(m.dir))
	m.scrap = append(append(m.scrap[:0], filepath.Join(class, "power_supply", name, "temp")...), 0)
	var st unix.Statx_t
	return m.statx(unix.AT_FDCWD, m.scrap, 0, unix.STATX_TYPE, &st) == 0
}

// names lists the files of a folder.
func (m *member[T]) names(dir string, each func(name []byte)) {
	fd, err := m.openPath(dir, unix.O_DIRECTORY)
	if err != nil {
		if errno := errnoOf(err); scarce(errno) {
			m.failed(errno)
		}
		return
	}
	if errno := m.listdir(fd, m.buffer(), each); errno != 0 {
		m.failed(errno)
	}
	m.close(fd)
}
