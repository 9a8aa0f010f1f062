// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package match

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

func TestList(t *testing.T) {
	for _, tt := range []struct {
		as     Type
		values []string
		match  map[string]bool
	}{
		{Strict, []string{"sda", "sd."}, map[string]bool{"sda": true, "sd.": true, "sdb": false, "sda1": false, "": false}},
		{Regexp, []string{"^sd", "md0$"}, map[string]bool{"sda1": true, "/dev/md0": true, "md01": false, "": false}},
		{Regexp, []string{".*"}, map[string]bool{"x": true, "": false}},
		{Strict, nil, map[string]bool{"x": true, "": true}},
	} {
		l, err := NewList("devices", tt.as, tt.values)
		require.NoError(t, err)
		for value, want := range tt.match {
			assert.Equal(t, want, l.Matches(value), "%v %q", tt.values, value)
			assert.Equal(t, want, l.MatchesBytes([]byte(value)), "%v %q", tt.values, value)
		}
	}
}

func TestListRefuses(t *testing.T) {
	for want, values := range map[string][]string{
		`"devices": must not be empty`:                              {},
		`"devices": a value must not be empty`:                      {"sda", ""},
		"\"devices\": error parsing regexp: missing closing ): `(`": {"sda", "("},
	} {
		_, err := NewList("devices", Regexp, values)
		assert.EqualError(t, err, want)
	}
	_, err := NewList("devices", Strict, []string{"("})
	assert.NoError(t, err, "no expression")
}

func TestCheck(t *testing.T) {
	assert.NoError(t, Strict.Check())
	assert.NoError(t, Regexp.Check())
	assert.EqualError(t, Type("").Check(), `"match_type": "" is neither strict nor regexp`)
	assert.EqualError(t, Type("glob").Check(), `"match_type": "glob" is neither strict nor regexp`)
}

// TestBlocks: one block needs no list around it.
func TestBlocks(t *testing.T) {
	type block struct {
		MatchType Type     `mapstructure:"match_type"`
		Devices   []string `mapstructure:"devices"`
	}
	one := map[string]any{"match_type": "strict", "devices": []any{"sda"}}
	want := block{Strict, []string{"sda"}}
	for _, tt := range []struct {
		include any
		want    Blocks[block]
	}{
		{one, Blocks[block]{want}},
		{[]any{one, map[string]any{"match_type": "regexp"}}, Blocks[block]{want, {MatchType: Regexp}}},
		{[]any{}, Blocks[block]{}},
	} {
		var got struct {
			Include Blocks[block] `mapstructure:"include"`
		}
		require.NoError(t, confmap.NewFromStringMap(map[string]any{"include": tt.include}).Unmarshal(&got))
		assert.Equal(t, tt.want, got.Include)
	}
}
