// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		err   Error
		is    []error
		class string
	}{
		{ErrNotSupported, []error{errors.ErrUnsupported}, "not_supported"},
		{ErrNoSuchProcess, []error{fs.ErrNotExist, os.ErrProcessDone}, "no_such_process"},
		{ErrZombieProcess, []error{ErrNoSuchProcess, fs.ErrNotExist, os.ErrProcessDone}, "zombie_process"},
		{ErrAccessDenied, []error{fs.ErrPermission}, "access_denied"},
		{ErrTimeoutExpired, []error{os.ErrDeadlineExceeded, context.DeadlineExceeded}, "timeout_expired"},
		{ErrMalformed, nil, "malformed"},
		{ErrInvalidArgument, []error{fs.ErrInvalid}, "invalid_argument"},
	} {
		for _, target := range []error{
			ErrNotSupported, ErrNoSuchProcess, ErrZombieProcess, ErrAccessDenied, ErrTimeoutExpired, ErrMalformed, ErrInvalidArgument,
			errors.ErrUnsupported, fs.ErrNotExist, os.ErrProcessDone, fs.ErrPermission, fs.ErrInvalid, os.ErrDeadlineExceeded, context.DeadlineExceeded,
		} {
			want := target == error(c.err) || slices.Contains(c.is, target)
			assert.Equal(t, want, errors.Is(c.err, target), "%v is %v", c.err, target)
		}
		assert.Equal(t, c.class, c.err.Class())
		assert.Equal(t, c.class, ClassOf(fmt.Errorf("file: %w", c.err)))
		assert.NotEqual(t, "unknown error", c.err.Error())
	}
	assert.Equal(t, "access_denied", ClassOf(&fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}))
	assert.Equal(t, "timeout_expired", ClassOf(context.DeadlineExceeded))
	assert.Equal(t, "not_supported", ClassOf(errors.ErrUnsupported))
	assert.Equal(t, "_OTHER", ClassOf(errors.New("x")))
}

func TestFields(t *testing.T) {
	require.Len(t, processSupport, NumFields, "a row of the support table for each field")
	f := FieldName | FieldMemory | FieldOwner
	assert.Equal(t, []Fields{FieldName, FieldMemory, FieldOwner}, slices.Collect(f.Each()))
	assert.Equal(t, "name,memory,owner", f.String())
	assert.True(t, f.Has(FieldMemory|FieldOwner))
	assert.False(t, f.Has(FieldMemory|FieldState))
	assert.Equal(t, "disk_io", FieldDiskIO.String())
}

func TestSupport(t *testing.T) {
	names := map[string]bool{}
	for _, row := range processSupport {
		assert.NotEmpty(t, row.name)
		assert.False(t, names[row.name], row.name)
		names[row.name] = true
		assert.Equal(t, row.on&Linux != 0, row.source != "", "%s: a source where it is supported", row.name)
	}
	assert.Equal(t, AllFields, Supported(Linux))
	assert.Zero(t, Supported(0), "an unknown system supports nothing")
	for r := range numReadings {
		assert.True(t, Supports(Linux, r))
		assert.False(t, Supports(0, r))
		assert.NotEmpty(t, readingSupport[r].source)
	}
	assert.Contains(t, Needs(FieldDiskIO), "CAP_SYS_PTRACE")
	assert.Empty(t, Needs(FieldThreads))
}

func TestRoot(t *testing.T) {
	assert.Equal(t, Root{"/", "/proc", "/sys", "/dev"}, Root{}.Resolve())
	assert.Equal(t, Root{"/hostfs", "/hostfs/proc", "/other", "/hostfs/dev"}, Root{Path: "/hostfs", Sys: "/other"}.Resolve())
	assert.Equal(t, Root{"/", "/proc", "/sys", "/dev"}, Root{Path: "//", Proc: "/proc/", Sys: "/./sys"}.Resolve(), "else /proc/ would be that of another host")

	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	assert.NoError(t, Root{}.Check(Linux))
	assert.NoError(t, Root{Proc: dir, Sys: dir, Dev: dir}.Check(Linux))
	assert.EqualError(t, Root{Path: dir + "/no", Sys: file}.Check(Linux),
		"root_path: "+dir+"/no does not exist\nsysfs_path: "+file+" is not a folder")
	assert.EqualError(t, Root{Path: dir}.Check(Linux), "root_path: "+dir+"/proc does not exist")
	assert.NoError(t, Root{Path: dir, Proc: dir}.Check(Linux))

	elsewhere := Root{Proc: "/no/proc", Sys: "/no/sys"}
	assert.NoError(t, elsewhere.Check(Darwin), "accepted and ignored")
	assert.NoError(t, elsewhere.Check(FreeBSD))
	assert.EqualError(t, elsewhere.Check(NetBSD), "procfs_path: /no/proc does not exist")
	assert.EqualError(t, elsewhere.Check(Linux), "procfs_path: /no/proc does not exist\nsysfs_path: /no/sys does not exist")
}
