// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hostscope/hostscope/internal/match"
)

// block is a block of criteria in the configuration: how its values are meant,
// and its lists by key, in the order in which values are matched.
type block interface {
	criteria() (match.Type, []criterion)
}

type criterion struct {
	key    string
	values []string
}

func (b DiskBlock) criteria() (match.Type, []criterion) {
	return b.MatchType, []criterion{{"devices", b.Devices}}
}

func (b FilesystemBlock) criteria() (match.Type, []criterion) {
	return b.MatchType, []criterion{{"devices", b.Devices}, {"types", b.Types}, {"mount_points", b.MountPoints}}
}

func (b NetworkBlock) criteria() (match.Type, []criterion) {
	return b.MatchType, []criterion{{"interfaces", b.Interfaces}}
}

// filter is include and exclude, compiled. The zero value selects everything.
type filter struct {
	include, exclude [][]*match.List
}

// newFilter compiles include and exclude. Its errors begin with the key.
func newFilter[B block](include, exclude match.Blocks[B]) (filter, error) {
	var f filter
	var errs []error
	for _, list := range []struct {
		key  string
		from match.Blocks[B]
		to   *[][]*match.List
	}{{"include", include, &f.include}, {"exclude", exclude, &f.exclude}} {
		if list.from != nil && len(list.from) == 0 {
			errs = append(errs, fmt.Errorf("%s: must not be empty", list.key))
		}
		for i := range list.from {
			b, err := newBlock(list.from[i])
			if err != nil {
				errs = append(errs, fmt.Errorf("%s::%d: %w", list.key, i, err))
			}
			*list.to = append(*list.to, b)
		}
	}
	return f, errors.Join(errs...)
}

func newBlock(b block) ([]*match.List, error) {
	as, criteria := b.criteria()
	var lists []*match.List
	var keys []string
	errs := []error{as.Check()}
	given := false
	for _, c := range criteria {
		l, err := match.NewList(c.key, as, c.values)
		lists, keys, errs = append(lists, l), append(keys, c.key), append(errs, err)
		given = given || c.values != nil
	}
	if !given {
		errs = append(errs, fmt.Errorf("give at least one of %s", strings.Join(keys, ", ")))
	}
	return lists, errors.Join(errs...)
}

// chooses tells whether there is an include: what it does not match is not
// selected, whatever would be without one.
func (f *filter) chooses() bool { return len(f.include) > 0 }

// selects tells whether a thing passes, by its values in the order of the
// criteria.
func (f *filter) selects(values ...string) bool {
	return (len(f.include) == 0 || matchesAny(f.include, values)) && !matchesAny(f.exclude, values)
}

func matchesAny(blocks [][]*match.List, values []string) bool {
	for _, lists := range blocks {
		all := true
		for i, l := range lists {
			all = all && l.Matches(values[i])
		}
		if all {
			return true
		}
	}
	return false
}
