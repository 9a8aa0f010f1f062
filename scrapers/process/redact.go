// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"regexp"
	"strings"
	"unicode"
)

// maxCommand is the longest value of process.command in bytes.
const maxCommand = 4096

// secretName matches a name, of an option or a variable, whose value is
// likely to be a secret.
const secretName = `[\w.-]*(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|` +
	`credential|auth|bearer|session|cookie|dsn|conn(?:ection)?[-_]?str)[\w.-]*`

// secretValue matches up to the end of the word or of the quotation.
const secretValue = `(?:"[^"]*"?|'[^']*'?|\S+)`

// secrets are what is replaced, in this order, and by what. Every match has
// the literal in it, which is much faster to look for: most arguments have none.
var secrets = [...]struct {
	literal string
	is      *regexp.Regexp
	by      string
}{
	// A private key in PEM, up to its end or that of the text.
	{"-----BEGIN ", regexp.MustCompile(`(?s)-----BEGIN [^-]*-----.*?(?:-----END [^-]*-----|$)`), "***"},
	// scheme://user:password@host: the user too, because tokens stand there.
	{"://", regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#]*@`), "${1}***@"},
	// A header, whatever its scheme.
	{":", regexp.MustCompile(`(?i)(authorization:\s*)(?:[a-z-]+\s+)?\S+`), "${1}***"},
	// --name=value, -name=value, NAME=value.
	{"=", regexp.MustCompile(`(?i)(` + secretName + `=)` + secretValue), "${1}***"},
	// --name value; what begins with a dash is the next option.
	{"--", regexp.MustCompile(`(?i)(--` + secretName + `\s+)(?:"[^"]*"?|'[^']*'?|[^-\s]\S*)`), "${1}***"},
	// JSON web tokens, keys of AWS, tokens of GitHub and Slack.
	{"", regexp.MustCompile(`\beyJ[\w-]{8,}(?:\.[\w-]*){0,2}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|` +
		`\bgh[a-z]_\w+|\bgithub_pat_\w+|\bxox[a-z]-[\w-]+`), "***"},
}

// redact replaces in a first argument what looks like a secret by ***. Most
// often the argument is the path of a program and has none, but a program can
// put any text there (setproctitle(3)). Of more than maxCommand bytes, the
// words that fit remain: half a secret would not be known as one.
func redact(argument string) string {
	if len(argument) > maxCommand {
		end := strings.LastIndexFunc(argument[:maxCommand+1], unicode.IsSpace)
		argument = argument[:max(end, 0)]
	}
	for i := range secrets {
		if s := &secrets[i]; strings.Contains(argument, s.literal) {
			argument = s.is.ReplaceAllString(argument, s.by)
		}
	}
	return argument
}
