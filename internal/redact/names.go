// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// keyword is a part of a name whose value is likely to be a secret. All is in
// lower case, with _ for dashes and dots.
type keyword struct {
	text string
	// before and behind make another word of it: bypass, author.
	before, behind []string
	// path: what is named so is often the path of a file, which tells nothing.
	path bool
	// weak: with a colon behind it is more often the title of a program.
	weak bool
}

var keywords = []keyword{
	{text: "pass", before: []string{"by", "com", "over", "tres"}, behind: []string{"ive", "through", "thru", "enger", "es", "age", "port"}},
	{text: "pwd"},
	{text: "secret", behind: []string{"ary"}},
	{text: "token", behind: []string{"iz", "is"}},
	{text: "auth", behind: []string{"or"}, path: true, weak: true},
	{text: "authoriz"}, {text: "authoris"},
	{text: "credential", path: true}, {text: "creds", path: true},
	{text: "bearer"},
	{text: "session", path: true, weak: true},
	{text: "cookie", path: true},
	{text: "dsn", weak: true},
	{text: "conn_str"}, {text: "connstr"}, {text: "connection_str"}, {text: "connectionstr"},
	{text: "api_key"}, {text: "apikey"}, {text: "access_key"}, {text: "accesskey"},
	{text: "private_key", path: true}, {text: "privatekey", path: true},
	// Beyond what everybody calls a secret: Azure, Datadog, Rails and the like.
	{text: "account_key"}, {text: "accountkey"}, {text: "app_key"}, {text: "encryption_key"}, {text: "encryptionkey"},
	{text: "license_key"}, {text: "master_key"}, {text: "shared_key"}, {text: "signing_key"}, {text: "signature"},
}

// fileWords at the end of a name tell that the value is a path.
var fileWords = []string{"file", "files", "path", "dir", "directory", "folder", "jar", "sock", "socket"}

// linkWords tell that it is an address. What is secret in one is known by its
// shape.
var linkWords = []string{"url", "uri", "endpoint"}

// kindWords tell that the value is something else about the secret.
var kindWords = []string{
	"algorithm", "count", "database", "format", "length", "limit", "mechanism", "method", "methods", "mode", "plugin", "policy", "prompt",
	"provider", "retry", "size", "source", "stdin", "store", "timeout", "ttl", "type", "types",
}

// maxName is how many bytes of a name, from its end, are looked at.
const maxName = 96

// nameIsSecret tells whether the value of an option, variable or key of this
// name is likely to be a secret.
func nameIsSecret(name string) bool {
	var room [maxName]byte
	_, _, ok := findKeyword(normal(name, &room))
	return ok
}

// nameIsStrong tells whether that is so even with a colon behind it.
func nameIsStrong(name string) bool {
	var room [maxName]byte
	k, _, ok := findKeyword(normal(name, &room))
	return ok && !k.weak
}

// isSecret tells whether a value is a secret by its name. It is none if it is
// a mere switch, or if the name ends by saying that the value is a path, an
// address or a kind. With names that are often followed by a path, such as
// auth or private key, it is none either if it can only be one. Other secrets
// can begin with a slash: base64 does.
func isSecret(name, value string) bool {
	var room [maxName]byte
	n := normal(name, &room)
	k, behind, ok := findKeyword(n)
	if !ok || isHarmless(value) {
		return false
	}
	last := behind[strings.LastIndexByte(behind, '_')+1:]
	switch {
	case slices.Contains(kindWords, last):
		return false
	case hasAnySuffix(last, fileWords):
		return !looksLikePath(value)
	case slices.Contains(linkWords, last):
		return !strings.Contains(value, "://")
	case k.path && isPath(value) && !strings.Contains(value, "="):
		return false
	case k.text == "auth" && behind == "s":
		return false // of ssh: PreferredAuthentications
	case k.text == "token" && behind == "s" && strings.Trim(value, "0123456789") == "":
		return false // of a language model
	case string(n) == "pwd" || string(n) == "oldpwd":
		return !strings.HasPrefix(value, "/") // of a shell
	}
	return true
}

// byFirst are the keywords by their first letter.
var byFirst [256][]*keyword

func init() {
	for i := range keywords {
		first := keywords[i].text[0]
		byFirst[first] = append(byFirst[first], &keywords[i])
	}
}

// findKeyword gives the last keyword of a normal name and what stands behind.
func findKeyword(name []byte) (found *keyword, behind string, ok bool) {
	last := 0
	for i, c := range name {
		for _, k := range byFirst[c] {
			end := i + len(k.text)
			if end <= last || end > len(name) || string(name[i:end]) != k.text ||
				hasAnyPrefix(string(name[end:]), k.behind) || hasAnySuffix(string(name[:i]), k.before) {
				continue
			}
			found, last = k, end
		}
	}
	if found == nil {
		return lastWord(name)
	}
	behind = string(name[last:])
	for _, more := range [...]string{"word", "wd", "phrase", "code", "entication", "ation"} {
		behind = strings.TrimPrefix(behind, more)
	}
	return found, strings.TrimLeft(behind, "_"), true
}

// lastWord gives the last word of a name, if it is a keyword by itself only.
func lastWord(name []byte) (*keyword, string, bool) {
	name = bytes.TrimRightFunc(name, notWord)
	switch string(name[bytes.LastIndexFunc(name, notWord)+1:]) {
	case "pw", "psk", "sig":
		return &keyword{}, "", true
	}
	return nil, "", false
}

func notWord(r rune) bool { return r == '_' || r < utf8.RuneSelf && !isWordByte(byte(r)) }

// normal makes the end of a name lower case, with _ for dashes and dots.
func normal(name string, room *[maxName]byte) []byte {
	name = name[max(0, len(name)-maxName):]
	for i := range len(name) {
		c := name[i]
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case c == '-' || c == '.':
			c = '_'
		}
		room[i] = c
	}
	return room[:len(name)]
}

func hasAnyPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

func hasAnySuffix(s string, suffixes []string) bool {
	return slices.ContainsFunc(suffixes, func(p string) bool { return strings.HasSuffix(s, p) })
}

// isFlag tells of the name of an option that it has no value, so that the next
// argument is not it.
func isFlag(name string) bool {
	return hasAnyPrefix(name, []string{"no-", "ask-", "prompt-", "without-", "disable-", "enable-", "skip-", "require-"})
}

// isHarmless tells of a value that it is no secret whatever its name.
func isHarmless(value string) bool {
	switch strings.ToLower(value) {
	case "", "-", "true", "false", "yes", "no", "on", "off", "null", "none", "stdin":
		return true
	}
	return hasAnyPrefix(value, []string{"env:", "file:", "fd:"}) // openssl: where the secret is
}

// isScheme tells whether a word is the scheme of an Authorization header. Its
// secret is the next word.
func isScheme(w string) bool {
	switch strings.ToLower(w) {
	case "basic", "bearer", "digest", "negotiate", "ntlm", "token":
		return true
	}
	return false
}

// beginsPath tells whether a value can only be a path, but for the base64 that
// begins with a slash.
func beginsPath(value string) bool {
	return hasAnyPrefix(value, []string{"/", "./", "../", "~/"})
}

// isPath tells whether a value is a path rather than a secret that begins with
// a slash: it has another slash or an extension.
func isPath(value string) bool {
	return beginsPath(value) && (value == "/" || strings.LastIndexByte(value, '/') > 0 || hasExtension(value))
}

// looksLikePath tells of the value of a name that ends as that of a file does
// whether it is a path indeed: it begins as one or has an extension.
func looksLikePath(value string) bool {
	return beginsPath(value) || hasExtension(value)
}

func hasExtension(value string) bool {
	dot := strings.LastIndexByte(value, '.')
	extension := value[dot+1:]
	return dot >= 0 && 0 < len(extension) && len(extension) <= 8 && strings.IndexFunc(extension, notLetter) < 0
}

func notLetter(r rune) bool { return (r < 'a' || 'z' < r) && (r < 'A' || 'Z' < r) }

// blanks separate the words of a text.
const blanks = " \t\n\v\f\r"

func isBlank(c byte) bool { return strings.IndexByte(blanks, c) >= 0 }

// isOption tells whether a word looks like an option.
func isOption(w string) bool {
	return len(w) > 1 && w[0] == '-' && (w[1] == '-' || !notLetter(rune(w[1])))
}

// isScriptOption tells whether a script follows: -c, and the likes of -lc, but
// not the -exec of find.
func isScriptOption(w string) bool {
	return len(w) <= 5 && w != "-exec" && w[0] == '-' && w[len(w)-1] == 'c' && strings.IndexFunc(w[1:], notLetter) < 0
}

// isName tells whether what stands before = is a name.
func isName(s string) bool {
	return s != "" && !strings.ContainsAny(s, blanks+`"':`)
}

// nameBefore gives the name that ends before i, where there is an = or a
// colon, without quotation marks, and where it starts.
func nameBefore(s string, i int) (name string, start int) {
	for i > 0 && strings.IndexByte(`"'\+`, s[i-1]) >= 0 {
		i--
	}
	start = i
	for start > 0 && isNameByte(s[start-1]) {
		start--
	}
	return s[start:i], start
}

func isNameByte(c byte) bool {
	return isWordByte(c) || c == '-' || c == '.' || c == '[' || c == ']'
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// opens tells whether the byte at j is a quotation mark that begins something,
// in a word that begins at i.
func opens(s string, i, j int) bool {
	if s[j] != '"' && s[j] != '\'' {
		return false
	}
	return j == i || s[i] == '-' && s[j-1] != '\\' || strings.IndexByte("=:,([{", s[j-1]) >= 0
}

// closing gives where the quotation mark at j is closed, or 0.
func closing(s string, j int) int {
	for k := j + 1; k < len(s); k++ {
		switch {
		case s[k] == s[j]:
			return k
		case s[k] == '\\' && s[j] == '"':
			k++
		}
	}
	return 0
}

// unquote takes the quotation marks off a word, if there are any around it.
func unquote(w string) (string, bool) {
	if len(w) > 1 && (w[0] == '"' || w[0] == '\'') && closing(w, 0) == len(w)-1 {
		return w[1 : len(w)-1], true
	}
	return w, false
}

// quoted measures the quotation that a value begins with: its mark, which may
// be escaped, and what is in it. Without one it is all of the value.
func quoted(value string) (mark, length int) {
	for mark < len(value) && value[mark] == '\\' {
		mark++
	}
	if mark == len(value) || value[mark] != '"' && value[mark] != '\'' {
		return 0, len(value)
	}
	mark++
	end := strings.Index(value[mark:], value[:mark])
	if mark == 1 {
		end = closing(value, 0) - 1
	}
	if end < 0 {
		end = len(value) - mark
	}
	return mark, end
}
