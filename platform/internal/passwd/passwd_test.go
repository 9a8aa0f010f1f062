// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package passwd

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEach(t *testing.T) {
	const in = "root:x:0:0:root:/root:/bin/bash\n# a comment\n+::::::\n\nbroken:x\n:x:3:\nbig:x:4294967296:0::\nnegative:x:-1:0::\nnobody:x:65534:65534::/:/usr/sbin/nologin"
	got := map[string]uint32{}
	Each([]byte(in), func(name []byte, uid uint32) { got[string(name)] = uid })
	assert.Equal(t, map[string]uint32{"root": 0, "nobody": 65534}, got)
}

func FuzzEach(f *testing.F) {
	f.Add([]byte("root:x:0:0:root:/root:/bin/bash\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		Each(b, func(name []byte, _ uint32) { assert.NotEmpty(t, name) })
	})
}
