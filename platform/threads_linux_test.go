// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

var allKnown = [numCounts]bool{true, true, true}

func TestThreadTotals(t *testing.T) {
	var s threadTotals
	at := func(id int32, voluntary, involuntary uint64) threadCounts {
		return threadCounts{id, counts{voluntary, involuntary, 10 * voluntary}}
	}
	sum := func(voluntary, involuntary uint64) counts { return counts{voluntary, involuntary, 10 * voluntary} }
	assert.Equal(t, sum(10, 1), s.update([]threadCounts{at(1, 10, 1)}, allKnown))
	assert.Equal(t, sum(762, 3), s.update([]threadCounts{at(1, 12, 1), at(2, 700, 2), at(3, 50, 0)}, allKnown))
	assert.Equal(t, sum(763, 3), s.update([]threadCounts{at(1, 13, 1)}, allKnown), "2 and 3 have exited: what they did stays")
	assert.Equal(t, sum(768, 3), s.update([]threadCounts{at(1, 13, 1), at(3, 5, 0)}, allKnown), "3 is another thread now")
	assert.Equal(t, sum(770, 4), s.update([]threadCounts{at(1, 13, 1), at(3, 2, 1)}, allKnown), "and another again, seen by its lower count")
	assert.Equal(t, sum(770, 4), s.update(nil, allKnown))
}

// A count that was not read this time is no new thread.
func TestThreadTotalsUnknown(t *testing.T) {
	var s threadTotals
	assert.Equal(t, counts{100, 5, 70}, s.update([]threadCounts{{1, counts{100, 5, 70}}}, allKnown))
	assert.Equal(t, counts{101, 5, 70}, s.update([]threadCounts{{1, counts{101, 5, 0}}}, [numCounts]bool{true, true, false}))
	assert.Equal(t, counts{102, 5, 75}, s.update([]threadCounts{{1, counts{102, 5, 75}}}, allKnown))
}

// The sums never fall, whatever threads come and go, and nothing that was
// seen is lost.
func TestThreadTotalsNeverFall(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s threadTotals
		var last, seen counts
		alive := map[int32]counts{}
		for range 50 {
			for id := int32(1); id <= 8; id++ {
				switch n, ok := alive[id]; {
				case ok && r.IntN(4) == 0:
					delete(alive, id)
				case ok:
					d := counts{r.Uint64N(100), r.Uint64N(10), r.Uint64N(1000)}
					n.add(d)
					alive[id] = n
					seen.add(d)
				case r.IntN(3) == 0:
					alive[id] = counts{}
				}
			}
			var now []threadCounts
			for id, n := range alive {
				now = append(now, threadCounts{id, n})
			}
			slices.SortFunc(now, func(a, b threadCounts) int { return int(a.id - b.id) })
			sum := s.update(now, allKnown)
			for i := range sum {
				assert.GreaterOrEqual(t, sum[i], last[i])
				assert.LessOrEqual(t, sum[i], seen[i])
			}
			last = sum
		}
	}
}
