// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

// TestFlagNames: the numbers are those of include/uapi/asm-generic/fcntl.h and
// of the architectures that differ.
func TestFlagNames(t *testing.T) {
	for _, tt := range []struct {
		arch  string
		flags uint64
		want  []string
	}{
		{"amd64", 0, []string{"O_RDONLY"}},
		{"amd64", 0o1, []string{"O_WRONLY"}},
		{"amd64", 0o2, []string{"O_RDWR"}},
		{"amd64", 0o2000 | 0o20000 | 0o2000000 | 0o4000, []string{"O_APPEND", "O_ASYNC", "O_CLOEXEC", "O_NONBLOCK", "O_RDONLY"}},
		{"amd64", 0o40000 | 0o10000 | 0o1, []string{"O_DIRECT", "O_DSYNC", "O_WRONLY"}},
		{"amd64", 0o4010000 | 0o1, []string{"O_SYNC", "O_WRONLY"}},
		{"amd64", 0o200000 | 0o400000 | 0o1000000, []string{"O_DIRECTORY", "O_NOATIME", "O_NOFOLLOW", "O_RDONLY"}},
		{"amd64", 0o20200000 | 0o2, []string{"O_RDWR", "O_TMPFILE"}},
		{"riscv64", 0o10000000, []string{"O_PATH", "O_RDONLY"}},
		{"arm64", 0o200000 | 0o40000, []string{"O_DIRECT", "O_DIRECTORY", "O_RDONLY"}},
		{"arm", 0o100000, []string{"O_NOFOLLOW", "O_RDONLY"}},
		{"ppc64le", 0o400000 | 0o40000, []string{"O_DIRECT", "O_DIRECTORY", "O_RDONLY"}},
		{"mips64le", 0o10 | 0o200 | 0o100000, []string{"O_APPEND", "O_DIRECT", "O_NONBLOCK", "O_RDONLY"}},
		{"mips", 0o40020, []string{"O_RDONLY", "O_SYNC"}},
	} {
		assert.Equal(t, tt.want, flagsOf(tt.arch).names(tt.flags), "%s %#o", tt.arch, tt.flags)
	}
}

func TestOpenMode(t *testing.T) {
	for flags, want := range map[uint64]string{
		0: "r", 1: "w", 2: "r+", 1 | thisFlags.append: "a", 2 | thisFlags.append: "a+", thisFlags.append: "r", pathOnly: "r",
	} {
		assert.Equal(t, want, openMode(flags), "%#o", flags)
	}
}

func TestFileType(t *testing.T) {
	for mode, want := range map[uint32]string{
		0o100644: "regular", 0o040755: "directory", 0o060660: "block_device", 0o020620: "char_device", 0o120777: "symlink",
		0o010600: "fifo", 0o140777: "socket", 0o000600: "",
	} {
		assert.Equal(t, want, fileType(mode), "%#o", mode)
	}
	sda := platform.Device{Major: 8, Minor: 1}
	assert.Equal(t, "8:1", rdev(&platform.FD{Mode: 0o060660, Rdev: sda}))
	assert.Empty(t, rdev(&platform.FD{Mode: 0o100644, Rdev: sda}))
	assert.Equal(t, "4095:1048575", deviceName(platform.Device{Major: 4095, Minor: 1048575}))
	assert.Equal(t, "0000", octal(0))
	assert.Equal(t, "4755", octal(0o4755))
}

func TestSignalNames(t *testing.T) {
	names := namesOfSignals("amd64")
	for signal, want := range map[int]string{
		1: "SIGHUP", 7: "SIGBUS", 9: "SIGKILL", 10: "SIGUSR1", 15: "SIGTERM", 16: "SIGSTKFLT", 17: "SIGCHLD", 29: "SIGIO", 31: "SIGSYS", 34: "SIGRTMIN", 35: "SIGRTMIN+1", 64: "SIGRTMIN+30",
	} {
		assert.Equal(t, emit.Str(signalName, want), names[signal-1], signal)
	}
	assert.Zero(t, names[31], "internal")
	assert.Zero(t, names[32], "internal")
	names = namesOfSignals("mips64le")
	for signal, want := range map[int]string{7: "SIGEMT", 10: "SIGBUS", 16: "SIGUSR1", 18: "SIGCHLD", 31: "SIGXFSZ", 34: "SIGRTMIN"} {
		assert.Equal(t, emit.Str(signalName, want), names[signal-1], signal)
	}
}
