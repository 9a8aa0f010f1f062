// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorded is a file that Linux 6.18.44 (x86_64, 2 CPUs) wrote, unless it says
// otherwise. Of smaps and maps there are six mappings; tcp to unix are those
// of a network namespace in which one process made a socket of each kind.
func recorded(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return b
}

// chunks feeds b in chunks of n bytes, each in memory that is overwritten when
// the next one comes, as a reader's buffer is.
func chunks(b []byte, n int, feed func([]byte) error) error {
	buf := make([]byte, n)
	for len(b) > 0 {
		k := copy(buf, b)
		if err := feed(buf[:k]); err != nil {
			return err
		}
		b = b[k:]
		for i := range buf {
			buf[i] = '\n'
		}
	}
	return nil
}
