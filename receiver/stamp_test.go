// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestOSType has the values of the enum os.type, and what Go calls them.
func TestOSType(t *testing.T) {
	for goos, want := range map[string]string{
		"linux": "linux", "android": "linux",
		"darwin": "darwin", "ios": "darwin",
		"freebsd": "freebsd", "netbsd": "netbsd", "openbsd": "openbsd",
		"dragonfly": "dragonflybsd",
		"solaris":   "solaris", "illumos": "solaris",
		"aix": "aix", "windows": "windows",
		"plan9": "plan9",
	} {
		assert.Equal(t, want, osType(goos), goos)
	}
}
