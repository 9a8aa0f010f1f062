// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"
	"strings"

	"github.com/hostscope/hostscope/internal/match"
	"github.com/hostscope/hostscope/platform"
)

// processFilter is include and exclude, compiled. Not for concurrent use.
type processFilter struct {
	include, exclude []*block
	fields           platform.Fields // that decide
	seed             maphash.Seed
	line             []byte // room for a command line
}

// block is a [Block], compiled.
type block struct {
	fields   platform.Fields
	criteria []criterion
}

// criterion is the list of values for one property of a process.
type criterion struct {
	*property
	values *match.List
}

// property is what a criterion is about: the fields of which one is enough to
// know it, and its value, in room if it has to be put together.
type property struct {
	key    string
	of     func(*Block) []string
	fields platform.Fields
	str    func(*platform.Process) string
	bytes  func(p *platform.Process, room []byte) []byte
}

// properties are in the order in which they are cheap.
var properties = [...]property{
	{
		key: "executable_names", of: func(b *Block) []string { return b.ExecutableNames },
		fields: platform.FieldExecutable | platform.FieldName, str: baseName,
	},
	{
		key: "executable_paths", of: func(b *Block) []string { return b.ExecutablePaths },
		fields: platform.FieldExecutable, str: func(p *platform.Process) string { return p.Executable },
	},
	{
		key: "owners", of: func(b *Block) []string { return b.Owners },
		fields: platform.FieldOwner, str: func(p *platform.Process) string { return p.Owner },
	},
	{
		key: "cgroups", of: func(b *Block) []string { return b.Cgroups },
		fields: platform.FieldCgroup, str: func(p *platform.Process) string { return p.Cgroup },
	},
	{
		key: "commands", of: func(b *Block) []string { return b.Commands },
		fields: platform.FieldCommand, str: func(p *platform.Process) string { return p.Command },
	},
	{
		key: "command_lines", of: func(b *Block) []string { return b.CommandLines },
		fields: platform.FieldArguments, bytes: commandLine,
	},
}

// baseName is the value of process.executable.name.
func baseName(p *platform.Process) string {
	if p.Got.Has(platform.FieldExecutable) {
		return p.Executable[strings.LastIndexByte(p.Executable, '/')+1:]
	}
	return p.Name
}

// commandLine joins the arguments.
func commandLine(p *platform.Process, room []byte) []byte {
	room = room[:0]
	for i, arg := range p.Arguments {
		if i > 0 {
			room = append(room, ' ')
		}
		room = append(room, arg...)
	}
	return room
}

// newFilter compiles include and exclude; nil if there is neither.
func newFilter(include, exclude Blocks) (*processFilter, error) {
	if len(include)+len(exclude) == 0 {
		return nil, nil
	}
	f := &processFilter{seed: maphash.MakeSeed()}
	for _, list := range []struct {
		key  string
		from Blocks
		to   *[]*block
	}{{"include", include, &f.include}, {"exclude", exclude, &f.exclude}} {
		for i := range list.from {
			b, err := newBlock(&list.from[i])
			if err != nil {
				return nil, fmt.Errorf("%s::%d: %w", list.key, i, err)
			}
			*list.to = append(*list.to, b)
			f.fields |= b.fields
		}
	}
	return f, nil
}

// newBlock compiles a block. Its errors name the key.
func newBlock(cfg *Block) (*block, error) {
	var errs []error
	if err := cfg.MatchType.Check(); err != nil {
		errs = append(errs, err)
	}
	b := new(block)
	for i := range properties {
		c := criterion{property: &properties[i]}
		var err error
		if c.values, err = match.NewList(c.key, cfg.MatchType, c.of(cfg)); err != nil {
			errs = append(errs, err)
		}
		if c.values == nil {
			continue
		}
		b.fields |= c.fields
		b.criteria = append(b.criteria, c)
	}
	if b.criteria == nil {
		errs = append(errs, fmt.Errorf("give at least one of %s", keys()))
	}
	return b, errors.Join(errs...)
}

func keys() string {
	var s []string
	for i := range properties {
		s = append(s, properties[i].key)
	}
	return strings.Join(s, ", ")
}

// selects tells whether a process passes. It is decided once for a process and
// again when what decides has changed, of which last keeps no more than a hash:
// arguments can be secrets.
func (f *processFilter) selects(p *platform.Process, last *verdict) bool {
	if hash := f.hash(p); !last.known || last.hash != hash {
		*last = verdict{known: true, hash: hash, selected: f.decide(p)}
	}
	return last.selected
}

// verdict is what was decided about a process.
type verdict struct {
	known, selected bool
	hash            uint64
}

// hash is that of all that decides about a process.
func (f *processFilter) hash(p *platform.Process) uint64 {
	got := p.Got & f.fields
	sum := uint64(got)
	mix := func(s string) {
		sum = bits.RotateLeft64(sum, 9)*0x9e3779b97f4a7c15 ^ maphash.String(f.seed, s)
	}
	for i := range properties {
		if pr := &properties[i]; pr.fields&got != 0 && pr.str != nil {
			mix(pr.str(p))
		}
	}
	if got&platform.FieldArguments != 0 {
		for _, arg := range p.Arguments {
			mix(arg)
		}
	}
	return sum
}

// decide matches a process.
func (f *processFilter) decide(p *platform.Process) bool {
	return (len(f.include) == 0 || f.any(f.include, p)) && !f.any(f.exclude, p)
}

func (f *processFilter) any(blocks []*block, p *platform.Process) bool {
	for _, b := range blocks {
		if f.all(b, p) {
			return true
		}
	}
	return false
}

func (f *processFilter) all(b *block, p *platform.Process) bool {
	for i := range b.criteria {
		if !f.meets(&b.criteria[i], p) {
			return false
		}
	}
	return true
}

// meets tells whether a process meets a criterion.
func (f *processFilter) meets(c *criterion, p *platform.Process) bool {
	if p.Got&c.fields == 0 {
		return false
	}
	if c.str == nil {
		f.line = c.bytes(p, f.line)
		return c.values.MatchesBytes(f.line)
	}
	return c.values.Matches(c.str(p))
}
