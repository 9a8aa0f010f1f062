// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"strconv"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// The attributes of mappings. Each is opt-in: a process has thousands of
// mappings. Without any the numbers of the process as a whole do, which are
// much cheaper to have.
const (
	mappingName        = "process.memory.mapping.name"
	mappingStart       = "process.memory.mapping.address.start"
	mappingEnd         = "process.memory.mapping.address.end"
	mappingPermissions = "process.memory.mapping.permissions"
	mappingOffset      = "process.memory.mapping.offset"
	mappingDevice      = "process.memory.mapping.device"
	fileInode          = "file.inode"
)

var mappingAttributes = []string{
	mappingName, mappingStart, mappingEnd, mappingPermissions, mappingOffset, mappingDevice, fileInode,
}

var mappingMetrics = []metric{
	{name: "process.memory.mapping.count", fields: platform.FieldMappingList, record: func(to *emit.Points, s *sample) {
		if !wantsAny(to, mappingAttributes) {
			to.Int(int64(len(s.More.Mappings)))
			return
		}
		eachMapping(to, s, func(to *emit.Points, _ *platform.Mapping, attrs []emit.Attr) { to.Int(1, attrs...) })
	}},
	{name: "process.memory.mapping.size", fields: platform.FieldMappingList, record: func(to *emit.Points, s *sample) {
		size := func(m *platform.Mapping) uint64 { return m.End - m.Start }
		if !wantsAny(to, mappingAttributes) {
			var sum uint64
			for i := range s.More.Mappings {
				sum += size(&s.More.Mappings[i])
			}
			to.Int(toInt(sum))
			return
		}
		eachMapping(to, s, func(to *emit.Points, m *platform.Mapping, attrs []emit.Attr) { to.Int(toInt(size(m)), attrs...) })
	}},
	mappingMemory("process.memory.mapping.usage", func(to *emit.Points, m *platform.Mapping, attrs []emit.Attr) {
		const state = "process.memory.mapping.state"
		to.Int(toInt(m.SharedClean), append(attrs, emit.Str(state, "shared_clean"))...)
		to.Int(toInt(m.SharedDirty), append(attrs, emit.Str(state, "shared_dirty"))...)
		to.Int(toInt(m.PrivateClean), append(attrs, emit.Str(state, "private_clean"))...)
		to.Int(toInt(m.PrivateDirty), append(attrs, emit.Str(state, "private_dirty"))...)
	}),
	mappingMemory("process.memory.mapping.linux.pss", func(to *emit.Points, m *platform.Mapping, attrs []emit.Attr) {
		to.Int(toInt(m.PSS), attrs...)
	}),
	mappingMemory("process.memory.mapping.linux.referenced", func(to *emit.Points, m *platform.Mapping, attrs []emit.Attr) {
		to.Int(toInt(m.Referenced), attrs...)
	}),
	mappingMemory("process.memory.mapping.linux.anonymous", func(to *emit.Points, m *platform.Mapping, attrs []emit.Attr) {
		to.Int(toInt(m.Anonymous), attrs...)
	}),
	mappingMemory("process.memory.mapping.linux.swap", func(to *emit.Points, m *platform.Mapping, attrs []emit.Attr) {
		to.Int(toInt(m.Swap), attrs...)
	}),
}

// mappingMemory is a row that records the same of each mapping, or of the
// process as a whole where no attribute of mappings is wanted.
func mappingMemory(name string, record func(*emit.Points, *platform.Mapping, []emit.Attr)) metric {
	return metric{
		name: name,
		plan: wants(platform.FieldFootprint, platform.FieldMappingMemory, mappingAttributes...),
		record: func(to *emit.Points, s *sample) {
			if wantsAny(to, mappingAttributes) {
				eachMapping(to, s, record)
			} else {
				record(to, &s.More.Footprint, s.attrs[:0])
			}
		},
	}
}

// eachMapping records each mapping with the attributes that are wanted.
// Mappings that have all of them in common become one point.
func eachMapping(to *emit.Points, s *sample, record func(*emit.Points, *platform.Mapping, []emit.Attr)) {
	name, start, end := to.Wants(mappingName), to.Wants(mappingStart), to.Wants(mappingEnd)
	permissions, offset := to.Wants(mappingPermissions), to.Wants(mappingOffset)
	device, inode := to.Wants(mappingDevice), to.Wants(fileInode)
	for i := range s.More.Mappings {
		m, attrs := &s.More.Mappings[i], s.attrs[:0]
		if name {
			attrs = append(attrs, emit.Str(mappingName, m.Name))
		}
		if start {
			attrs = append(attrs, emit.Str(mappingStart, hex(m.Start)))
		}
		if end {
			attrs = append(attrs, emit.Str(mappingEnd, hex(m.End)))
		}
		if permissions {
			attrs = append(attrs, emit.Str(mappingPermissions, string(m.Permissions[:])))
		}
		if offset {
			attrs = append(attrs, emit.Int(mappingOffset, toInt(m.Offset)))
		}
		if device {
			attrs = append(attrs, emit.Str(mappingDevice, deviceName(m.Device)))
		}
		if inode && m.Inode != 0 {
			attrs = append(attrs, emit.Str(fileInode, strconv.FormatUint(m.Inode, 10)))
		}
		record(to, m, attrs)
		s.attrs = attrs
	}
}

func hex(address uint64) string { return "0x" + strconv.FormatUint(address, 16) }

// deviceName is major:minor; empty for none.
func deviceName(d platform.Device) string {
	if d == (platform.Device{}) {
		return ""
	}
	return strconv.FormatUint(uint64(d.Major), 10) + ":" + strconv.FormatUint(uint64(d.Minor), 10)
}
