// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestBounded: a read that does not come back is waited for once, and what it
// is about is skipped until it does.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bounded
		runs := 0
		read := func() { runs++ }
		assert.NoError(t, b.try("a", time.Second, read))
		assert.Equal(t, 1, runs)

		answer := make(chan struct{})
		hang := func() { <-answer }
		start := time.Now()
		assert.ErrorIs(t, b.try("hung", time.Second, hang), ErrTimeoutExpired)
		assert.Equal(t, time.Second, time.Since(start))
		assert.Equal(t, errNotBegun, b.try("hung", time.Second, read))
		assert.ErrorIs(t, errNotBegun, ErrTimeoutExpired)
		assert.Equal(t, time.Second, time.Since(start), "not waited for again")
		assert.NoError(t, b.try("b", time.Second, read), "others go on")
		assert.Equal(t, 2, runs)

		close(answer)
		synctest.Wait()
		assert.NoError(t, b.try("hung", time.Second, read))
		assert.Equal(t, 3, runs)
		assert.Empty(t, b.stuck)
	})
}

// TestBoundedInNumber: reads that hang do not take thread after thread.
func TestBoundedInNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bounded
		answer := make(chan struct{})
		var started atomic.Int32
		for i := range 2 * maxStuck {
			assert.ErrorIs(t, b.try(strconv.Itoa(i), time.Second, func() { started.Add(1); <-answer }), ErrTimeoutExpired)
		}
		assert.EqualValues(t, maxStuck, started.Load())
		close(answer)
		synctest.Wait()
		assert.NoError(t, b.try("0", time.Second, func() {}))
	})
}

// TestBoundedWait: a read that was left behind can be waited for once more.
func TestBoundedWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bounded
		assert.False(t, b.under("a"))
		wait := func(key string, patience time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			return b.wait(ctx, key)
		}
		start := time.Now()
		late := func() { time.Sleep(3 * time.Second) }
		assert.ErrorIs(t, b.try("a", time.Second, late), ErrTimeoutExpired)
		assert.ErrorIs(t, b.try("b", time.Second, late), ErrTimeoutExpired)
		assert.NoError(t, wait("a", 5*time.Second))
		assert.Equal(t, 3*time.Second, time.Since(start), "both are waited for at once")
		assert.True(t, b.under("b"))
		assert.ErrorIs(t, wait("b", 500*time.Millisecond), ErrTimeoutExpired)
		assert.ErrorIs(t, wait("b", -time.Second), ErrTimeoutExpired)
		assert.NoError(t, wait("b", time.Second))
		assert.False(t, b.under("b"))
		assert.Empty(t, b.stuck)

		// One comes back while another is tried: it has answered.
		assert.ErrorIs(t, b.try("a", time.Second, late), ErrTimeoutExpired)
		assert.ErrorIs(t, b.try("b", 3*time.Second, func() { time.Sleep(time.Hour) }), ErrTimeoutExpired)
		assert.False(t, b.under("a"))
		assert.NoError(t, wait("a", 0))
		assert.ErrorIs(t, wait("b", 0), ErrTimeoutExpired)
		time.Sleep(time.Hour)
	})
}
