// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/support.md")

// docs/support.md is the support table.
func TestSupportDoc(t *testing.T) {
	const path = "../docs/support.md"
	want := supportDoc()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "make generate writes it")
}

func supportDoc() string {
	var b strings.Builder
	b.WriteString("# What each operating system gives\n\n")
	b.WriteString("Generated from `platform/support.go` by `make generate`. What a system does not give is told once at start and is never a zero.\n")
	for _, part := range []struct {
		title string
		rows  []support
	}{{"Of a process", processSupport[:]}, {"Of the host", readingSupport[:]}} {
		fmt.Fprintf(&b, "\n## %s\n\n| Reading |", part.title)
		for _, s := range Systems {
			fmt.Fprintf(&b, " %s |", s.Name)
		}
		b.WriteString(" Source | Needs |\n|---|" + strings.Repeat("---|", len(Systems)) + "---|---|\n")
		for _, row := range part.rows {
			fmt.Fprintf(&b, "| %s |", row.name)
			for _, s := range Systems {
				mark := "–"
				if row.on&s.OS != 0 {
					mark = "yes"
				}
				fmt.Fprintf(&b, " %s |", mark)
			}
			fmt.Fprintf(&b, " `%s` | %s |\n", strings.ReplaceAll(row.source, ", ", "`, `"), row.note)
		}
	}
	return b.String()
}
