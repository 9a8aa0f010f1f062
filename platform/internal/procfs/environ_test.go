// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func environ(b string, n int) (all []string) {
	e := Environ{Each: func(name, value []byte) { all = append(all, string(name)+"→"+string(value)) }}
	_ = chunks([]byte(b), n, func(b []byte) error { e.Feed(b); return nil })
	e.End()
	return all
}

func TestEnviron(t *testing.T) {
	long := strings.Repeat("v", 100_000)
	for in, want := range map[string][]string{
		"":                                     nil,
		"HOME=/root\x00PATH=/bin:/usr/bin\x00": {"HOME→/root", "PATH→/bin:/usr/bin"},
		"A=b=c\nd\x00EMPTY=\x00A=2\x00":        {"A→b=c\nd", "EMPTY→", "A→2"},
		"garbage\x00=x\x00\x00\x00=\x00X=1\x00Y=cut off": {"X→1"},
		"\xff\xfe=\xff\x00":               {"\xff\xfe→\xff"},
		"LONG=" + long + "\x00NEXT=1\x00": {"LONG→" + long[:MaxVariable-len("LONG=")], "NEXT→1"},
		long + "=1\x00NEXT=1\x00":         {"NEXT→1"}, // no name is so long
		long:                              nil,
	} {
		for _, n := range []int{1, 2, 5, 4096, 200_000} {
			assert.Equal(t, want, environ(in, n), "%.40q by %d", in, n)
		}
	}

	e := Environ{Each: func(name, value []byte) { t.Errorf("%s=%s", name, value) }}
	e.Feed([]byte("A=1"))
	e.Reset()
	e.Feed([]byte("\x00"))
	e.End()
}

func TestEnvironCut(t *testing.T) {
	const in = "HOME=/root\x00SHELL=/bin/sh\x00"
	want := environ(in, 100)
	for n := range in {
		assert.Equal(t, want[:strings.Count(in[:n], "\x00")], append([]string{}, environ(in[:n], 3)...))
	}
}

func arguments(b string, n int) []string {
	all := []string{}
	a := Arguments{Each: func(argument []byte) { all = append(all, string(argument)) }}
	_ = chunks([]byte(b), n, func(b []byte) error { a.Feed(b); return nil })
	a.End()
	return all
}

func TestArguments(t *testing.T) {
	long := strings.Repeat("v", 100_000)
	for in, want := range map[string][]string{
		"":                       {}, // a kernel thread, a zombie
		"sh\x00-c\x00true\x00":   {"sh", "-c", "true"},
		"a\x00\x00b\x00\x00\x00": {"a", "", "b", "", ""},
		"\x00x\x00":              {"", "x"},
		"a b\nc\x00\xff\x00":     {"a b\nc", "\xff"},
		"postgres: writer":       {"postgres: writer"},
		"nginx: worker process" + strings.Repeat("\x00", 40): {"nginx: worker process"},
		"\x00\x00\x00":               {},
		"a\x00" + long + "\x00b\x00": {"a", long[:MaxVariable], "b"},
		long:                         {long[:MaxVariable]},
	} {
		for _, n := range []int{1, 2, 5, 4096, 200_000} {
			assert.Equal(t, want, arguments(in, n), "%.40q by %d", in, n)
		}
	}
}

func TestEnvironNoAllocation(t *testing.T) {
	in := []byte("HOME=/root\x00SHELL=/bin/sh\x00\x00LANG=C\x00")
	n := 0
	e := Environ{Each: func(name, value []byte) { n += len(value) }}
	a := Arguments{Each: func(argument []byte) { n += len(argument) }}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		e.Feed(in[:14])
		e.Feed(in[14:])
		e.End()
		a.Feed(in[:14])
		a.Feed(in[14:])
		a.End()
	}))
	assert.NotZero(t, n)
}

func FuzzEnviron(f *testing.F) {
	f.Add("HOME=/root\x00SHELL=/bin/sh\x00\x00LANG=C\x00", 3)
	f.Add("nginx: worker process\x00\x00\x00", 1)
	f.Fuzz(func(t *testing.T, b string, n int) {
		n = 1 + n&0xff
		whole := environ(b, len(b)+1)
		assert.Equal(t, whole, environ(b, n), "chunks make no difference")
		assert.LessOrEqual(t, len(whole), strings.Count(b, "\x00"))
		args := arguments(b, len(b)+1)
		assert.Equal(t, args, arguments(b, n))
		if len(b) <= MaxVariable {
			assert.Equal(t, strings.TrimRight(b, "\x00"), strings.TrimRight(strings.Join(args, "\x00"), "\x00"))
		}
	})
}
