// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestToken(t *testing.T) {
	for text, want := range map[string]Token{
		"lx1.0123456789ab.1.0":                                          {"0123456789ab", ID{1, 0}, 0},
		"lx1.0123456789ab.2147483647.9223372036854775807":               {"0123456789ab", ID{1<<31 - 1, 1<<63 - 1}, 0},
		"lx1.ffffffffffff.42.77943.18446744073709551615":                {"ffffffffffff", ID{42, 77943}, 1<<64 - 1},
		"lx1.ffffffffffff.2147483647.9223372036854775807.1844674407370": {"ffffffffffff", ID{1<<31 - 1, 1<<63 - 1}, 1844674407370},
	} {
		got, err := ParseToken(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got)
		assert.Equal(t, text, got.String())
	}
	assert.Empty(t, Token{ID: ID{PID: 1}}.String(), "without the boot it names nothing")
	for _, text := range []string{
		"", "1", "pid:1", "lx1", "lx1.", "lx1...", "lx1.0123456789ab.1", "lx1.0123456789ab.1.0.", "lx1.0123456789ab.1.0.0", "lx1.0123456789ab.1.0.1.1",
		"lx2.0123456789ab.1.0", "mc1.0123456789ab.1.0", "LX1.0123456789ab.1.0", "lx1.0123456789AB.1.0", "lx1.0123456789a.1.0", "lx1.0123456789abc.1.0", "lx1.0123456789ag.1.0",
		"lx1.0123456789ab.0.0", "lx1.0123456789ab.-1.0", "lx1.0123456789ab.01.0", "lx1.0123456789ab.+1.0", "lx1.0123456789ab.1.00", "lx1.0123456789ab.1.+0", "lx1.0123456789ab.1.-1",
		"lx1.0123456789ab.2147483648.0", "lx1.0123456789ab.1.9223372036854775808", "lx1.0123456789ab.1.0.18446744073709551616", "lx1.0123456789ab.1.0x1",
		"lx1.0123456789ab.1.0\n", " lx1.0123456789ab.1.0", "lx1.0123456789ab.1_0.0", "lx1.0123456789ab.1.0" + strings.Repeat("0", 100), strings.Repeat(".", 1<<20),
	} {
		got, err := ParseToken(text)
		assert.ErrorIs(t, err, ErrMalformed, text)
		assert.Zero(t, got, text)
	}
}

func FuzzToken(f *testing.F) {
	for _, text := range []string{"lx1.0123456789ab.1.0", "lx1.ffffffffffff.42.77943.18446744073709551615", "lx1.0123456789ab.01.0", "fb1.1.1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil {
			assert.Zero(t, token)
			return
		}
		assert.Equal(t, text, token.String(), "there is one spelling only")
		assert.LessOrEqual(t, len(text), maxToken)
		assert.Positive(t, token.PID)
	})
}
