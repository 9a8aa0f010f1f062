// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slowClass is a class of so many devices, each of which takes so long.
func slowClass(tr tree, devices int, takes func(i int) time.Duration) *deviceClass[int] {
	for i := range devices {
		tr.write(fmt.Sprintf("sys/class/slow/dev%d/number", i), fmt.Sprintln(i))
	}
	return &deviceClass[int]{name: "slow", ask: func(m *member[int]) {
		_, err := fmt.Sscanf(m.name, "dev%d", &m.what)
		if err != nil {
			panic(err)
		}
		time.Sleep(takes(m.what))
	}}
}

// TestDevicesAreSlow: a device that answers while others are asked has
// answered, and as many as there are, all are asked in time.
func TestDevicesAreSlow(t *testing.T) {
	for name, tt := range map[string]struct {
		devices int
		takes   func(i int) time.Duration
		most    time.Duration
	}{
		"some":              {10, func(i int) time.Duration { return time.Duration(i%2) * 80 * time.Millisecond }, 300 * time.Millisecond},
		"all":               {maxStuck, func(int) time.Duration { return 60 * time.Millisecond }, 400 * time.Millisecond},
		"all, and slow too": {maxStuck, func(int) time.Duration { return time.Second }, 1300 * time.Millisecond},
		"one":               {30, func(i int) time.Duration { return time.Duration(max(0, 1-i)) * time.Second }, time.Second},
	} {
		tr := newTree(t)
		c := slowClass(tr, tt.devices, tt.takes)
		synctest.Test(t, func(t *testing.T) {
			h, err := Open(Root{Path: tr.dir}, Machine{})
			require.NoError(t, err)
			defer h.Close()
			for range 2 {
				start := time.Now()
				answered, err := askAll(t.Context(), h, c, func(*int) {})
				require.NoError(t, err, name)
				assert.LessOrEqual(t, time.Since(start), tt.most, name)
				require.Len(t, answered, tt.devices, name)
				for i, m := range answered {
					assert.Equal(t, i, m.what, name)
				}
			}
		})
	}
}
