// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package redact

import "strings"

// hideShapes replaces what is a secret by its shape, whatever its name: keys
// and tokens of well-known makers, private keys, and who is named in a URL.
// The user goes with the password, because tokens stand in its place.
func hideShapes(s string) string {
	var out strings.Builder
	done := 0
	at := 0 // behind the previous @
	lastAt := strings.LastIndexByte(s, '@')
	for i := 0; i < len(s); i++ {
		start, end := i, i
		switch {
		case s[i] == ':':
			if from := i + len("://"); from < lastAt && i > 0 && isSchemeByte(s[i-1]) && strings.HasPrefix(s[i:], "://") {
				start, end = from, userEnd(s, from)
			}
		case s[i] == '@':
			const oracle = "jdbc:oracle:"
			if hasAnyPrefix(s[i:], []string{"@tcp(", "@unix("}) { // user:password@tcp(host)/database
				start = at + 1 + strings.LastIndexAny(s[at:i], blanks+`"'=`)
			} else if from := strings.LastIndex(s[at:i], oracle); from >= 0 { // user/password@host
				if slash := strings.IndexByte(s[at+from:i], '/'); slash >= 0 {
					start = at + from + slash + 1
				}
			}
			at = i + 1
		case s[i] == '-':
			end = i + keyLength(s[i:])
		case isWordByte(s[i]) && (i == 0 || !isWordByte(s[i-1])):
			end = i + tokenLength(s[i:])
		}
		if start = max(start, done); end > start {
			out.WriteString(s[done:start])
			out.WriteString(redacted)
			done = end
			i = max(i, end-1)
		}
	}
	if done == 0 {
		return s
	}
	out.WriteString(s[done:])
	return out.String()
}

func isSchemeByte(c byte) bool { return isWordByte(c) || c == '+' || c == '-' || c == '.' }

// userEnd gives where the user and password of a URL end, at the @. from is
// where they begin if there are any.
func userEnd(s string, from int) int {
	length := strings.IndexAny(s[from:], "/?#\"'"+blanks)
	if length < 0 {
		length = len(s) - from
	}
	authority, rest := s[from:from+length], s[from+length:]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		return from + at
	}
	// A password with a slash in it ends the host too early: then what should
	// be the port is no number.
	colon := strings.IndexByte(authority, ':')
	if colon < 0 || authority[0] == '[' || strings.Trim(authority[colon+1:], "0123456789") == "" {
		return from
	}
	if end := strings.IndexAny(rest, "\"'"+blanks); end >= 0 {
		rest = rest[:end]
	}
	at := strings.LastIndexByte(rest, '@')
	return from + length + max(0, at) // up to the blank in a password
}

// hideUser hides the user and password of a URL without a scheme.
func hideUser(w string) string {
	colon := strings.IndexByte(w, ':')
	if colon < 0 || strings.ContainsAny(w[:colon], "/?#\"'{}[]=,@"+blanks) || strings.HasPrefix(w[colon:], "://") {
		return w
	}
	if end := userEnd(w, 0); end > colon && strings.HasPrefix(w[end:], "@") {
		return redacted + w[end:]
	}
	return w
}

// keyLength measures a private key in PEM, up to its end or that of the text.
func keyLength(s string) int {
	if !strings.HasPrefix(s, "-----BEGIN ") {
		return 0
	}
	const end = "-----END "
	i := strings.Index(s, end)
	if i < 0 {
		return len(s)
	}
	i += len(end)
	if j := strings.Index(s[i:], "-----"); j >= 0 {
		return i + j + len("-----")
	}
	return len(s)
}

// tokenLength measures a token or key that begins with the first byte.
func tokenLength(s string) int {
	switch s[0] {
	case 'e': // JSON web token
		if n := run(s, "eyJ", 8, '-'); n > 0 {
			for range 2 {
				if n < len(s) && s[n] == '.' {
					n += 1 + run(s[n+1:], "", 0, '-')
				}
			}
			return n
		}
	case 'A': // AWS, Google
		for _, prefix := range [...]string{"AKIA", "ASIA"} {
			if n := run(s, prefix, 16, 0); n == 20 && strings.ToUpper(s[:n]) == s[:n] {
				return n
			}
		}
		return run(s, "AIza", 35, '-')
	case 'g': // GitHub, GitLab
		if len(s) > 4 && s[:2] == "gh" && 'a' <= s[2] && s[2] <= 'z' && s[3] == '_' {
			return run(s, s[:4], 1, 0)
		}
		return max(run(s, "github_pat_", 1, 0), run(s, "glpat-", 1, '-'))
	case 'x': // Slack
		if len(s) > 5 && s[:3] == "xox" && 'a' <= s[3] && s[3] <= 'z' && s[4] == '-' {
			return run(s, s[:5], 1, '-')
		}
	case 'h': // Vault
		return max(run(s, "hvs.", 8, '-'), run(s, "hvb.", 8, '-'))
	case 's': // Stripe, OpenAI
		return max(run(s, "sk_live_", 8, 0), run(s, "sk-", 32, '-'))
	case 'r':
		return run(s, "rk_live_", 8, 0)
	case 'd': // Docker Hub
		return run(s, "dckr_pat_", 8, '-')
	case 'n': // npm
		return run(s, "npm_", 36, 0)
	}
	return 0
}

// run measures a prefix and the letters, digits, underscores and further bytes
// behind it; 0 if there are fewer than least.
func run(s, prefix string, least int, further byte) int {
	if !strings.HasPrefix(s, prefix) {
		return 0
	}
	n := len(prefix)
	for n < len(s) && (isWordByte(s[n]) || further != 0 && s[n] == further) {
		n++
	}
	if n < len(prefix)+least {
		return 0
	}
	return n
}
