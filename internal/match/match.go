// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package match has what the filters of all scrapers share: lists of values
// that are meant literally or as regular expressions, and blocks of such lists
// in a configuration.
package match

import (
	"errors"
	"fmt"
	"regexp"

	"go.opentelemetry.io/collector/confmap"
)

// Type says how the values of a block are meant.
type Type string

// The match types. An expression may match any part of a value.
const (
	Strict Type = "strict"
	Regexp Type = "regexp"
)

// Check reports what is no match type. There is no default: an expression that
// is taken for a name matches nothing, and nobody notices.
func (t Type) Check() error {
	if t != Strict && t != Regexp {
		return fmt.Errorf("%q: %q is neither strict nor regexp", "match_type", string(t))
	}
	return nil
}

// List is a list of values, compiled.
type List struct {
	strict map[string]struct{}
	regexp []*regexp.Regexp
}

// NewList compiles the values of a key, which its errors name. Nil, for a key
// that is not given, compiles to nil, which matches everything.
func NewList(key string, as Type, values []string) (*List, error) {
	if values == nil {
		return nil, nil
	}
	l := &List{}
	var errs []error
	if len(values) == 0 {
		errs = append(errs, fmt.Errorf("%q: must not be empty", key))
	}
	for _, value := range values {
		if err := l.add(as, value); err != nil {
			errs = append(errs, fmt.Errorf("%q: %w", key, err))
		}
	}
	return l, errors.Join(errs...)
}

func (l *List) add(as Type, value string) error {
	if value == "" {
		return errors.New("a value must not be empty")
	}
	if as != Regexp {
		if l.strict == nil {
			l.strict = map[string]struct{}{}
		}
		l.strict[value] = struct{}{}
		return nil
	}
	re, err := regexp.Compile(value)
	l.regexp = append(l.regexp, re)
	return err
}

// Matches tells whether any value of the list matches. The empty string is
// what is not known: no list matches it.
func (l *List) Matches(value string) bool {
	if l == nil {
		return true
	}
	if _, ok := l.strict[value]; ok {
		return true
	}
	for _, re := range l.regexp {
		if re.MatchString(value) {
			return value != ""
		}
	}
	return false
}

// MatchesBytes is Matches for bytes, which stay where they are.
func (l *List) MatchesBytes(value []byte) bool {
	if l == nil {
		return true
	}
	if _, ok := l.strict[string(value)]; ok {
		return true
	}
	for _, re := range l.regexp {
		if re.Match(value) {
			return len(value) > 0
		}
	}
	return false
}

// Blocks are blocks of lists in a configuration, given as a list, or as one
// block without a list.
type Blocks[B any] []B

// Unmarshal takes one block that is not in a list.
func (b *Blocks[B]) Unmarshal(conf *confmap.Conf) error {
	var one B
	if err := conf.Unmarshal(&one); err != nil {
		return err
	}
	*b = Blocks[B]{one}
	return nil
}
