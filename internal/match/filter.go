// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package match

import (
	"errors"
	"fmt"
	"strings"
)

// Block is a block of criteria in the configuration of things whose values are
// all known: how its values are meant, and its lists, in the order in which
// values are matched.
type Block interface {
	Criteria() (Type, []Criterion)
}

// Criterion is a list of values by its key.
type Criterion struct {
	Key    string
	Values []string
}

// Filter is include and exclude, compiled. The zero value selects everything.
type Filter struct {
	include, exclude [][]*List
}

// NewFilter compiles include and exclude, which stand below a key. Each of its
// errors begins with that.
func NewFilter[B Block](key string, include, exclude Blocks[B]) (Filter, error) {
	var f Filter
	var errs []error
	for _, list := range []struct {
		key  string
		from Blocks[B]
		to   *[][]*List
	}{{"include", include, &f.include}, {"exclude", exclude, &f.exclude}} {
		if list.from != nil && len(list.from) == 0 {
			errs = append(errs, fmt.Errorf("%s::%s: must not be empty", key, list.key))
		}
		for i := range list.from {
			b, berrs := newBlock(list.from[i])
			for _, err := range berrs {
				errs = append(errs, fmt.Errorf("%s::%s::%d: %w", key, list.key, i, err))
			}
			*list.to = append(*list.to, b)
		}
	}
	return f, errors.Join(errs...)
}

func newBlock(b Block) (lists []*List, errs []error) {
	as, criteria := b.Criteria()
	var keys []string
	given := false
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	note(as.Check())
	for _, c := range criteria {
		l, err := NewList(c.Key, as, c.Values)
		lists, keys = append(lists, l), append(keys, c.Key)
		given = given || c.Values != nil
		note(err)
	}
	if !given {
		note(fmt.Errorf("give at least one of %s", strings.Join(keys, ", ")))
	}
	return lists, errs
}

// Chooses tells whether there is an include: what it does not match is not
// selected, whatever would be without one.
func (f *Filter) Chooses() bool { return len(f.include) > 0 }

// Selects tells whether a thing passes, by its values in the order of the
// criteria.
func (f *Filter) Selects(values ...string) bool {
	return (len(f.include) == 0 || matchesAny(f.include, values)) && !matchesAny(f.exclude, values)
}

func matchesAny(blocks [][]*List, values []string) bool {
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
