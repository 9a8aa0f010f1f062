// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package emit_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/internal/emittest"
)

func list(values ...any) pcommon.Slice {
	s := pcommon.NewSlice()
	if err := s.FromRaw(values); err != nil {
		panic(err)
	}
	return s
}

func TestValues(t *testing.T) {
	for name, tt := range map[string]struct {
		value emit.Value
		raw   any
		text  string
	}{
		"text":          {emit.StrValue("x"), "x", "x"},
		"number":        {emit.IntValue(-7), int64(-7), "-7"},
		"zero":          {emit.IntValue(0), int64(0), "0"},
		"true":          {emit.BoolValue(true), true, "true"},
		"false":         {emit.BoolValue(false), false, "false"},
		"list":          {emit.ListValue(list("a", int64(2))), []any{"a", int64(2)}, `["a",2]`},
		"empty list":    {emit.ListValue(list()), []any{}, `[]`},
		"unknown text":  {emit.StrValue(""), nil, ""},
		"unknown list":  {emit.ListValue(pcommon.Slice{}), nil, ""},
		"unknown value": {emit.Value{}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.raw != nil, tt.value.Known())
			assert.Equal(t, tt.text, tt.value.Text())
			to := pcommon.NewMap()
			tt.value.Put(to, "key")
			if tt.raw == nil {
				assert.Zero(t, to.Len())
			} else {
				assert.Equal(t, map[string]any{"key": tt.raw}, to.AsRaw())
			}
		})
	}
}

// TestListsAreCopied: what becomes of one in a pipeline does not show in the
// next scrape.
func TestListsAreCopied(t *testing.T) {
	from, to := list("a"), pcommon.NewMap()
	v := emit.ListValue(from)
	v.Put(to, "key")
	got, _ := to.Get("key")
	got.Slice().At(0).SetStr("b")
	assert.Equal(t, []any{"a"}, from.AsRaw())
}

// TestAllocationsOfValues: text, numbers and truth cost what pdata costs.
func TestAllocationsOfValues(t *testing.T) {
	values := []emit.Value{emit.StrValue("x"), emit.IntValue(1), emit.BoolValue(true)}
	recorded := testing.AllocsPerRun(100, func() {
		to := pcommon.NewMap()
		to.EnsureCapacity(len(values))
		for i, key := range []string{"a", "b", "c"} {
			values[i].Put(to, key)
		}
	})
	handmade := testing.AllocsPerRun(100, func() {
		to := pcommon.NewMap()
		to.EnsureCapacity(len(values))
		to.PutStr("a", "x")
		to.PutInt("b", 1)
		to.PutBool("c", true)
	})
	assert.InDelta(t, handmade, recorded, 0)
}

const listMetadata = `
scope_name: example.org/scope
attributes:
  flags: {type: slice, requirement_level: recommended}
  id: {type: string, requirement_level: opt_in}
metrics:
  a.time: {description: Time., unit: s, sum: {value_type: int, monotonic: false, aggregation_temporality: cumulative}, attributes: [flags, id]}
`

// TestMergeByLists: points that differ in a removed attribute only are merged
// where their lists are alike.
func TestMergeByLists(t *testing.T) {
	c, err := emit.Parse([]byte(listMetadata))
	require.NoError(t, err)
	p := emit.NewScope(c, struct {
		Time detailed `mapstructure:"a.time"`
	}{detailed{true, "sum", []key{"flags"}}}, "").Points("a.time")
	scope := emit.NewScope(c, struct {
		Time detailed `mapstructure:"a.time"`
	}{}, "")
	md := pmetric.NewMetrics()
	p.Begin(scope.Resource(md.ResourceMetrics().AppendEmpty(), boot, now))
	p.Int(1, emit.List("flags", list("a", "b")), emit.Str("id", "1"))
	p.Int(2, emit.List("flags", list("a", "b")), emit.Str("id", "2"))
	p.Int(4, emit.List("flags", list("a,b")), emit.Str("id", "3"))
	p.Int(8, emit.List("flags", pcommon.Slice{}), emit.Str("id", "4"))
	p.End()
	require.NoError(t, emittest.Check(md, c))
	assert.Equal(t, []string{"resource", `  a.time 8`, `  a.time{flags=["a","b"]} 3`, `  a.time{flags=["a,b"]} 4`}, emittest.Lines(md))
}

// TestMergeFromResourceToResource: what was merged for one resource, few or
// many, is not in the next.
func TestMergeFromResourceToResource(t *testing.T) {
	scope := emit.NewScope(catalog(t), defaults(), "")
	p := scope.Points("a.time")
	for _, n := range []int{3, 5000, 1, 0, 2} {
		md := pmetric.NewMetrics()
		p.Begin(scope.Resource(md.ResourceMetrics().AppendEmpty(), boot, now))
		for i := range n {
			mode := emit.Str("cpu.mode", fmt.Sprint(i))
			p.Double(1, mode, emit.Int("cpu", 0))
			p.Double(0.5, mode, emit.Int("cpu", 1))
		}
		p.End()
		require.Equal(t, n, md.DataPointCount())
		for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			for i, point := range m.Sum().DataPoints().All() {
				require.InDelta(t, 1.5, point.DoubleValue(), 0)
				mode, _ := point.Attributes().Get("cpu.mode")
				require.Equal(t, fmt.Sprint(i), mode.Str())
			}
		}
	}
}

// TestMergeAllocations: merging by attributes that were seen before costs no
// more than the points that remain.
func TestMergeAllocations(t *testing.T) {
	allocations := func(cpus int, cfg config) float64 {
		scope := emit.NewScope(catalog(t), cfg, "")
		p := scope.Points("a.time")
		return testing.AllocsPerRun(100, func() {
			md := pmetric.NewMetrics()
			p.Begin(scope.Resource(md.ResourceMetrics().AppendEmpty(), boot, now))
			for cpu := range cpus {
				p.Double(1, emit.Str("cpu.mode", "user"), emit.Int("cpu", int64(cpu)))
			}
			p.End()
		})
	}
	one := defaults()
	one.Time.EnabledAttributes = []key{"cpu.mode", "cpu"}
	assert.LessOrEqual(t, allocations(64, defaults()), allocations(1, one))
}
