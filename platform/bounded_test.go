// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
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
		assert.ErrorIs(t, b.try("hung", time.Second, read), ErrTimeoutExpired)
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
