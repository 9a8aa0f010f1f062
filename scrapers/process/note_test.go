// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/hostscope/hostscope/internal/redact"
	"github.com/hostscope/hostscope/platform"
)

// TestNoteHoldsNoSecrets: of what can be a secret a note has what was made of
// it, and makes that again when it is another.
func TestNoteHoldsNoSecrets(t *testing.T) {
	p := &platform.Process{More: new(platform.More), Got: platform.AllFields}
	s := &sample{Process: p, note: noteOf(p), redactor: new(redact.Redactor)}
	scrape := func() (string, string, map[string]any) {
		command(s)
		arguments(s)
		to := pcommon.NewMap()
		s.putEnvironment(to)
		return s.note.command, fmt.Sprint(s.note.args.AsRaw()), to.AsRaw()
	}
	for _, app := range []string{"a", "a", "b", "c"} {
		p.Command = app + " --token hunter2"
		p.Arguments = []string{p.Command, "--password=hunter2", app}
		p.More.Environment = []platform.EnvVar{{Name: "X", Value: app}, {Name: "API_TOKEN", Value: "hunter2"}}
		first, args, variables := scrape()
		assert.Equal(t, app+" --token ***", first)
		assert.Equal(t, "["+app+" --token *** --password=*** "+app+"]", args)
		assert.Equal(t, map[string]any{"process.environment_variable.X": app, "process.environment_variable.API_TOKEN": "***"}, variables)
		assert.NotContains(t, fmt.Sprintf("%+v", *s.note), "hunter2")
	}
	p.Command, p.Arguments, p.More.Environment = "", nil, nil
	first, _, variables := scrape()
	assert.Empty(t, first)
	assert.Empty(t, variables)

	// Where one ends and the next begins makes a difference, and so does order.
	sums := map[hash]bool{}
	for _, list := range [][]string{{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"a", "b"}, {"b", "a"}, {"ab"}} {
		var h hash
		for _, str := range list {
			h = h.with(str)
		}
		sums[h] = true
	}
	assert.Len(t, sums, 9)
}
