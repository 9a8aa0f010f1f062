// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build vm

package vm

import (
	"encoding/binary"
	"os"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeMouse is a mouse with a battery that this process plays, by way of
// /dev/uhid (include/uapi/linux/uhid.h).
type fakeMouse struct {
	file   *os.File
	silent atomic.Bool
}

const (
	uhidDestroy        = 1
	uhidGetReport      = 9
	uhidGetReportReply = 10
	uhidCreate2        = 11
	uhidEvent          = 4380 // the size of struct uhid_event
)

// descriptor has two axes in report 1, and in feature report 2 how full the
// battery is, in percent (USB HID, generic device controls, battery strength).
var descriptor = []byte{
	0x05, 0x01, 0x09, 0x02, 0xa1, 0x01,
	0x85, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x02, 0x81, 0x06,
	0x85, 0x02, 0x05, 0x06, 0x09, 0x20, 0x15, 0x00, 0x25, 0x64, 0x75, 0x08, 0x95, 0x01, 0xb1, 0x02,
	0xc0,
}

func newMouse(t *testing.T, percent byte) *fakeMouse {
	t.Helper()
	f, err := os.OpenFile("/dev/uhid", os.O_RDWR, 0)
	require.NoError(t, err)
	m := &fakeMouse{file: f}
	create := make([]byte, uhidEvent)
	ne := binary.NativeEndian
	ne.PutUint32(create, uhidCreate2)
	copy(create[4:], "Fake Mouse")        // name[128]
	copy(create[4+128+64:], "fake-mouse") // phys[64], uniq[64]
	at := 4 + 128 + 64 + 64
	ne.PutUint16(create[at:], uint16(len(descriptor)))
	ne.PutUint16(create[at+2:], 3)      // bus: USB
	ne.PutUint32(create[at+4:], 0x046d) // vendor
	ne.PutUint32(create[at+8:], 0xcafe) // product
	copy(create[at+20:], descriptor)
	go m.serve(percent)
	_, err = f.Write(create)
	require.NoError(t, err)
	return m
}

// serve answers what the kernel asks.
func (m *fakeMouse) serve(percent byte) {
	event := make([]byte, uhidEvent)
	for {
		if _, err := m.file.Read(event); err != nil {
			return
		}
		ne := binary.NativeEndian
		if ne.Uint32(event) != uhidGetReport || m.silent.Load() {
			continue
		}
		reply := make([]byte, uhidEvent)
		ne.PutUint32(reply, uhidGetReportReply)
		copy(reply[4:8], event[4:8]) // id
		ne.PutUint16(reply[10:], 2)  // size, after err
		copy(reply[12:], []byte{2, percent})
		_, _ = m.file.Write(reply)
	}
}

func (m *fakeMouse) close() {
	destroy := make([]byte, uhidEvent)
	binary.NativeEndian.PutUint32(destroy, uhidDestroy)
	_, _ = m.file.Write(destroy)
	_ = m.file.Close()
}
