// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/passwd"
)

// owners names users by etc/passwd below the root: the library's resolver
// would ask the container's, and could wait for a directory server.
type owners struct {
	*access
	path    string
	refresh bool // look whether the file changed before the next answer
	stamp   unix.StatxTimestamp
	inode   uint64
	names   map[uint32]string
	buf     []byte
}

// name is the name of a user, else the number in decimal.
func (o *owners) name(uid uint32) string {
	if o.refresh {
		o.refresh = false
		o.check()
	}
	name, ok := o.names[uid]
	if !ok {
		name = o.lookup(uid)
		o.names[uid] = name
	}
	return name
}

// check forgets all names when the file is another than before.
func (o *owners) check() {
	var st unix.Statx_t
	errno := o.statx(unix.AT_FDCWD, append([]byte(o.path), 0), 0, unix.STATX_MTIME|unix.STATX_INO, &st)
	if errno != 0 {
		st = unix.Statx_t{}
	}
	if o.names == nil || st.Mtime != o.stamp || st.Ino != o.inode {
		o.names = make(map[uint32]string)
		o.stamp, o.inode = st.Mtime, st.Ino
	}
}

func (o *owners) lookup(uid uint32) string {
	found := ""
	if b, err := o.readFile(o.path, &o.buf); err == nil {
		passwd.Each(b, func(name []byte, id uint32) {
			if id == uid && found == "" {
				keep(&found, name)
			}
		})
	}
	if found == "" {
		found = strconv.FormatUint(uint64(uid), 10)
	}
	return found
}
