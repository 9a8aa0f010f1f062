// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
)

// record is one that Next answered.
type record struct {
	text string
	cut  bool
}

// records feeds chunks of n bytes and answers all records, and what is left.
func records(b string, n, maximum int) (all []record, tail string) {
	var r Records
	buf := make([]byte, n)
	for len(b) > 0 {
		k := copy(buf, b)
		b = b[k:]
		for chunk := buf[:k]; ; {
			one, rest, ok := r.Next(chunk, '\n', maximum)
			if !ok {
				break
			}
			all = append(all, record{string(one), r.Cut})
			chunk = rest
		}
		clear(buf)
	}
	return all, string(r.Tail())
}

func TestRecords(t *testing.T) {
	for n := 1; n < 20; n++ {
		all, tail := records("one\n\ntwo three\nabcdefghij\nabcdefghijk\nx\nrest", n, 10)
		assert.Equal(t, []record{{"one", false}, {"", false}, {"two three", false}, {"abcdefghij", false}, {"abcdefghij", true}, {"x", false}}, all, n)
		assert.Equal(t, "rest", tail, n)
	}
	all, tail := records("", 1, 10)
	assert.Empty(t, all)
	assert.Empty(t, tail)

	var r Records
	r.Next([]byte("0123456789ab"), '\n', 10)
	assert.Equal(t, "0123456789", string(r.Tail()))
	r.Reset()
	one, rest, ok := r.Next([]byte("x\ny"), '\n', 10)
	assert.True(t, ok)
	assert.False(t, r.Cut)
	assert.Equal(t, "x", string(one))
	assert.Equal(t, "y", string(rest))
}

func TestRecordsNoAllocation(t *testing.T) {
	in := []byte("some line\nand the start of ano")
	more := []byte("ther\n")
	var r Records
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_, rest, _ := r.Next(in, '\n', 100)
		r.Next(rest, '\n', 100)
		r.Next(more, '\n', 100)
	}))
}

func FuzzRecords(f *testing.F) {
	f.Add("one\ntwo\n\nabcdefghijklm\nrest", uint8(3), uint8(10))
	f.Fuzz(func(t *testing.T, b string, n, maximum uint8) {
		size, most := 1+int(n), 1+int(maximum)
		all, tail := records(b, size, most)
		lines := bytes.Split([]byte(b), []byte{'\n'})
		assert.Len(t, all, len(lines)-1)
		for i, one := range all {
			assert.Equal(t, len(lines[i]) > most, one.cut)
			assert.Equal(t, string(lines[i][:min(len(lines[i]), most)]), one.text)
		}
		last := lines[len(lines)-1]
		assert.Equal(t, string(last[:min(len(last), most)]), tail)
	})
}
