// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package redact hides what looks like a secret in the arguments and variables
// of processes, for all that show them.
package redact

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hostscope/hostscope/platform"
)

// redacted stands for a secret.
const redacted = "***"

// Redactor replaces what looks like a secret in arguments and variables. It
// goes by the names of options and variables (names.go), by how some
// programs take their passwords (programs.go) and by shapes, such as
// that of a URL with a password (shapes.go), in this order of weight:
// rather too much is hidden than too little. What is read by eye only is no
// secret to it: a password that stands alone, without a name, is not known.
type Redactor struct {
	patterns []*regexp.Regexp // of the user
}

// New compiles the patterns of the user.
func New(patterns []string) (*Redactor, error) {
	r := new(Redactor)
	for _, pattern := range patterns {
		re, err := regexp.Compile(pattern)
		if err == nil && re.MatchString("") {
			err = errors.New("matches nothing at all, and so everywhere")
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", pattern, err)
		}
		r.patterns = append(r.patterns, re)
	}
	return r, nil
}

// Args gives the arguments of a process (argv) without secrets, at most
// platform.MaxArguments of at most platform.MaxArgument bytes.
func (r *Redactor) Args(args []string) []string {
	args = args[:min(len(args), platform.MaxArguments)]
	out := make([]string, len(args))
	var s scan
	for i, arg := range args {
		arg = hideShapes(clip(arg))
		if i == 0 {
			arg = s.text(arg) // a path, or the title of setproctitle(3)
		} else {
			arg = s.word(arg)
		}
		out[i] = r.finish(arg)
	}
	return out
}

// Command gives a first argument without secrets.
func (r *Redactor) Command(arg string) string {
	var s scan
	return r.finish(s.text(hideShapes(clip(arg))))
}

// Value gives the value of a variable of the environment without
// secrets.
func (r *Redactor) Value(name, value string) string {
	if isSecret(name, value) {
		return redacted
	}
	var s scan
	return r.finish(s.plain(hideShapes(clip(value)), false))
}

// finish applies the patterns of the user, which therefore cannot take away
// the names that the rules go by, and the bound of length.
func (r *Redactor) finish(s string) string {
	for _, pattern := range r.patterns {
		s = pattern.ReplaceAllLiteralString(s, redacted)
	}
	if len(s) <= platform.MaxArgument {
		return s
	}
	s = s[:platform.MaxArgument]
	for !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) && s[len(s)-1] >= utf8.RuneSelf {
		s = s[:len(s)-1]
	}
	return s
}

// leastMarked is how long an argument with the mark of invalid UTF-8 is at
// least if it may have been cut off: one mark stands for any number of bytes.
const leastMarked = platform.MaxArgument / 8

// clip bounds an argument before it is looked at. Half a secret would not be
// known as one, so that the last piece goes where something was, or may have
// been, cut off. What was cut off may be shorter than the bound, since it was
// made valid UTF-8 after that.
func clip(arg string) string {
	if len(arg) < platform.MaxArgument && (len(arg) < leastMarked || !strings.ContainsRune(arg, utf8.RuneError)) {
		return arg
	}
	arg = arg[:min(len(arg), platform.MaxArgument)]
	end := strings.LastIndexAny(arg, " \t\n\r,;:/&|")
	if end < 0 {
		return redacted
	}
	arg = arg[:end]
	if i := strings.LastIndex(arg, "://"); i >= 0 && !strings.ContainsAny(arg[i+3:], "@ \t\n\r") {
		arg = arg[:i+3] // perhaps there was a password
	}
	return strings.Clone(arg) // or what was cut off would be kept too
}

// maxDepth is how deep scripts and quotations may lie in each other. What is
// deeper is hidden, so that nobody can make the redactor work for long.
const maxDepth = 8

// scan goes through the words of one command line.
type scan struct {
	program *program
	outer   *program // that of the command line around this one
	want    want
	prev    string // the previous word
	set     bool   // the next word is the name of what is set
	header  bool   // the word is a header of HTTP
	script  bool   // the next word is a script: the previous one was -c
	assign  bool   // the value of every NAME=value is a secret
	piped   bool   // what is echoed goes to a program that reads a password
	depth   int
}

// want is what is known about a word before it is seen.
type want struct {
	// hide says how much of it is a secret: '*' all, '@' the user and password
	// before it, another byte what is behind this separator, 0 nothing.
	hide byte
	// name is that of the option which the word may be the value of. An option
	// is not taken for a value.
	name string
	// skip is how many words without a dash come before it.
	skip int
	// bare: options are left out, and with alone NAME=value too.
	bare, alone bool
	// rest: so are all words behind it.
	rest bool
	// assign: so is the value of every NAME=value behind it.
	assign bool
}

// text redacts the words of a text, which are separated by blanks.
func (s *scan) text(t string) string {
	s.piped = strings.Contains(t, "sudo") && strings.Contains(t, "-S") ||
		strings.Contains(t, "stdin") || strings.Contains(t, "chpasswd")
	var out strings.Builder
	done := 0
	for i := 0; i < len(t); {
		if isBlank(t[i]) {
			i++
			continue
		}
		end := s.wordEnd(t, i)
		command := end > i+1 && t[end-1] == ';' // ends here
		if command {
			end--
		}
		if clean := s.word(t[i:end]); clean != t[i:end] {
			out.WriteString(t[done:i])
			out.WriteString(clean)
			done = end
		}
		if i = end; command {
			s.word(";")
			i++
		}
	}
	if done == 0 {
		return t
	}
	out.WriteString(t[done:])
	return out.String()
}

// nested redacts a text within a word, which may go on about the program.
func (s *scan) nested(t string) string {
	if s.depth == maxDepth {
		return redacted
	}
	inner := scan{program: s.program, outer: s.program, assign: s.assign, depth: s.depth + 1}
	return inner.text(t)
}

// wordEnd finds the end of the word that begins at i. Blanks in quotation
// marks are part of it. A mark that is not closed is taken for a letter, as in
// "don't", unless what it opens is a secret.
func (s *scan) wordEnd(t string, i int) int {
	for j := i; j < len(t); j++ {
		switch {
		case isBlank(t[j]):
			return j
		case !opens(t, i, j):
		default:
			if end := closing(t, j); end > 0 {
				j = end
			} else if j == i && s.want.hide != 0 {
				return len(t)
			} else if name, _ := nameBefore(t, max(j-1, 0)); j > i && t[j-1] == '=' && nameIsSecret(name) {
				return len(t)
			}
		}
	}
	return len(t)
}

// word redacts one word of a text, or one argument.
func (s *scan) word(w string) string {
	script, prev, set := s.script, s.prev, s.set
	s.script, s.prev, s.set = false, w, set && isOption(w)
	s.header = prev == "-H" || prev == "--header" || hasAnyPrefix(w, []string{"-H", "--header="})
	switch w {
	case "":
		s.want = want{}
		return w
	case "|", "||", "&&", ";", "&":
		*s = scan{program: s.outer, outer: s.outer, piped: s.piped, depth: s.depth}
		return w
	case "<<<": // a here-string
		if s.piped {
			s.want = want{hide: '*'}
		}
		return w
	case "=", ":=", ":":
		if nameIsSecret(prev) {
			s.want = want{hide: '*', name: prev}
		}
		return w
	}
	if s.program != nil && !s.want.rest {
		if next, ok := s.program.words[strings.ToLower(w)]; ok {
			s.want, s.assign = next, s.assign || next.assign
			return w
		}
	}
	if hide := s.wanted(w); hide != 0 {
		if hide == '*' && len(w) > 1 && w[0] == '-' && s.want.hide == 0 {
			s.option(w) // perhaps it was not waited for
		}
		return s.hide(w, hide)
	}
	switch { // git config NAME VALUE, aws configure set, CONFIG SET
	case strings.EqualFold(w, "set"), strings.EqualFold(w, "config"):
		s.set = true
	case set && !isOption(w) && !strings.Contains(w, "="):
		// npm has //registry/:_authToken.
		if name := w[strings.LastIndexByte(w, ':')+1:]; isName(name) && nameIsSecret(name) {
			s.want = want{hide: '*', name: name}
			return w
		}
	}
	return s.plain(w, script)
}

// wanted tells how much of the word is what was waited for.
func (s *scan) wanted(w string) (hide byte) {
	next := s.want
	switch {
	case next.hide == 0:
		return 0
	case next.bare && w[0] == '-', next.alone && strings.Contains(w, "="):
		return 0
	case next.skip > 0:
		s.want.skip--
		return 0
	}
	if !next.rest {
		s.want = want{}
	}
	switch {
	case next.name == "":
		if !next.rest && strings.HasPrefix(w, "--") {
			return 0 // the option had no value
		}
	case isScheme(w): // Authorization: Basic …
		s.want = want{hide: '*'}
		return 0
	case isOption(w) && (len(w) == 2 || w[1] == '-' || !nameIsStrong(next.name)):
		return 0 // the option was a switch
	default:
		if value, _ := unquote(w); !isSecret(next.name, value) {
			return 0
		}
	}
	return next.hide
}

// hide hides a word, or what is behind a separator in it. Without one it is
// a word like others.
func (s *scan) hide(w string, hide byte) string {
	switch hide {
	case '@':
		return s.plain(w, false)
	case '*':
		if strings.HasPrefix(w, "=") {
			return "=" + redacted
		}
		return redacted
	}
	inner, marks := unquote(w)
	i := strings.IndexByte(inner, hide)
	switch {
	case i < 0 || i == 0 && hide == '/':
		return s.plain(w, false)
	case marks:
		return w[:1] + s.content(inner[:i]) + inner[i:i+1] + redacted + w[:1]
	}
	return s.content(w[:i]) + w[i:i+1] + redacted
}

// plain redacts a word of which nothing is known, with or without quotation
// marks around it.
func (s *scan) plain(w string, script bool) string {
	if inner, ok := unquote(w); ok {
		return w[:1] + s.argument(inner, script) + w[len(w)-1:]
	}
	return s.argument(w, script)
}

// argument redacts what a program gets as one argument.
func (s *scan) argument(w string, script bool) string {
	switch {
	case len(w) < 2:
		return w
	case w[0] == '-':
		s.script = isScriptOption(w)
		return s.option(w)
	case script && strings.ContainsAny(w, blanks):
		return s.nested(w)
	case strings.EqualFold(w, "bearer"):
		s.want = want{hide: '*'}
		return w
	}
	if p := programOf(w); p != nil && s.want.hide == 0 && (p != echo || s.piped) {
		s.program, s.want = p, p.first
	}
	if p := s.program; p != nil && p.prefix != "" && strings.HasPrefix(w, p.prefix) {
		return p.prefix + redacted
	} else if p != nil && p.user {
		w = hideUser(w)
	}
	if name, value, ok := strings.Cut(w, "="); ok && isName(name) {
		return s.value(w, name, value)
	}
	return s.inside(w)
}

// option redacts a word that begins with a dash.
func (s *scan) option(w string) string {
	name, value, has := strings.Cut(w, "=")
	if p := s.program; p != nil {
		if w[1] != '-' {
			if clean, ok := s.letters(w); ok {
				if s.want.hide == 0 {
					s.expect(name) // perhaps it is a word after all
				}
				return clean
			}
		} else if sep, ok := p.long[name]; ok && has {
			return name + "=" + s.hide(value, sep)
		} else if ok {
			s.want = want{hide: sep}
			return w
		}
	}
	switch {
	case !isName(name):
		return s.inside(w)
	case has:
		return s.value(w, name, value)
	}
	s.expect(name)
	return w
}

// expect waits for the value of an option, if its name tells that this is a
// secret.
func (s *scan) expect(option string) {
	if name := strings.TrimLeft(option, "-"); len(name) > 1 && !isFlag(name) && nameIsSecret(name) {
		s.want = want{hide: '*', name: name}
	}
}

// letters redacts options of one letter, alone or several in one word, of a
// program that is known.
func (s *scan) letters(w string) (clean string, ok bool) {
	p := s.program
	if p.batch && len(w) <= 6 && strings.Contains(w, "b") {
		s.want = want{hide: '*', skip: 2, bare: true} // file, user
		if strings.Contains(w, "n") {
			s.want.skip = 1 // no file
		}
		return w, true
	}
	for i := 1; i < len(w); i++ {
		rest := w[i+1:]
		switch hide := p.letters[w[i]]; {
		case hide == 0:
			if strings.IndexByte(p.flags, w[i]) < 0 {
				return "", false
			}
		case p.exact && len(w) > 2:
			return "", false
		case rest != "":
			return w[:i+1] + s.hide(rest, hide), true
		case !p.glued:
			s.want = want{hide: hide}
			return w, true
		}
	}
	return w, true
}

// value redacts what stands behind the name in the word NAME=value.
func (s *scan) value(w, name, value string) string {
	plain, _ := unquote(value)
	switch {
	case value == "":
		return w
	case isSecret(name, plain), s.assign && name[0] != '-' && value[0] != '@':
		if isScheme(plain) {
			s.want = want{hide: '*'}
			return w
		}
		return name + "=" + redacted
	}
	if clean := s.plain(value, false); clean != value {
		return name + "=" + clean
	}
	return w
}

// inside redacts a word that is neither an option nor NAME=value as a whole.
func (s *scan) inside(w string) string {
	if !strings.ContainsAny(w, blanks) {
		return s.content(w)
	}
	if i := strings.IndexByte(w, ':'); i > 0 && !strings.ContainsAny(w[:i], blanks) && w[i-1] != '"' && w[i-1] != '\'' {
		// A header, of which all that follows is the value.
		if name, _ := nameBefore(w, i); s.isStrong(name) {
			return w[:i+1] + " " + redacted
		}
	}
	if s.wordEnd(w, 0) < len(w) {
		return s.nested(w)
	}
	// All blanks are in quotation marks.
	w = s.content(w)
	for j := 0; j < len(w); j++ {
		if end := closing(w, j); opens(w, 0, j) && end > 0 {
			inner := w[j+1 : end]
			if strings.ContainsAny(inner, blanks) {
				inner = s.argument(inner, false)
				w = w[:j+1] + inner + w[end:]
			}
			j += len(inner) + 1
		}
	}
	return w
}

// isStrong tells whether the value of a name with a colon behind it is likely
// to be a secret.
func (s *scan) isStrong(name string) bool {
	return nameIsStrong(name) || s.isHeader(name) && nameIsSecret(name)
}

// isHeader tells whether a name with a colon behind it is that of a header.
func (s *scan) isHeader(name string) bool {
	return s.header || hasAnyPrefix(name, []string{"X-", "x-"})
}

// content redacts the values of names that stand within a word: in a query, a
// list, JSON.
func (s *scan) content(w string) string {
	for i := 1; i < len(w); i++ {
		if w[i] != '=' && w[i] != ':' {
			continue
		}
		name, start := nameBefore(w, i)
		if name == "" {
			continue
		}
		value := w[i+1:]
		mark, length := quoted(value)
		plain := value[mark : mark+length]
		if w[i] == ':' {
			// Not a path of a volume, nor the title of a program.
			if mark == 1 && start > 0 && w[start-1] == value[0] && w[i-1] != value[0] {
				continue // "password:"
			}
			path := mark == 0 && strings.HasPrefix(value, "/") && !s.isHeader(name) || start > 0 && w[start-1] == '/'
			json := mark > 0 && start > 0
			if path || !s.isStrong(name) && !json {
				continue
			}
			if value == "" {
				s.want = want{hide: '*', name: name}
				continue
			}
		}
		if plain == "" || !isSecret(name, plain) {
			continue
		}
		if mark == 0 || mark+length == len(value) {
			return w[:i+1+mark] + redacted
		}
		w = w[:i+1+mark] + redacted + value[mark+length:]
		i += mark + len(redacted)
	}
	return w
}
