// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"strconv"
	"strings"
)

// Token names one process for its whole life, over all boots of its host. On
// Linux it is spelled lx1.<boot>.<pid>.<start>[.<inode>].
type Token struct {
	Boot string // first 12 hexadecimal digits of the boot's identifier
	ID
	// Inode is that of the process in the kernel's pidfs, which no other
	// process has until the next boot (Linux 6.9); 0 where it is not known.
	Inode uint64
}

const (
	tokenPrefix = "lx1"
	tokenBoot   = 12
	maxToken    = 80
)

// String spells the token; "" where the boot is not known.
func (t Token) String() string {
	if t.Boot == "" {
		return ""
	}
	b := make([]byte, 0, maxToken)
	b = append(b, tokenPrefix+"."...)
	b = append(append(b, t.Boot...), '.')
	b = append(strconv.AppendInt(b, int64(t.PID), 10), '.')
	b = strconv.AppendUint(b, t.Start, 10)
	if t.Inode != 0 {
		b = strconv.AppendUint(append(b, '.'), t.Inode, 10)
	}
	return string(b)
}

// ParseToken reads a token, of which there is one spelling only. What is none
// is ErrMalformed.
func ParseToken(s string) (Token, error) {
	var t Token
	parts := strings.Split(s[:min(len(s), maxToken+1)], ".")
	if len(s) > maxToken || len(parts) < 4 || len(parts) > 5 || parts[0] != tokenPrefix {
		return t, fmt.Errorf("token: %w", ErrMalformed)
	}
	t.Boot = parts[1]
	pid, err := strconv.ParseInt(parts[2], 10, 32)
	if err != nil || pid < 1 {
		return Token{}, fmt.Errorf("token: PID: %w", ErrMalformed)
	}
	t.PID = int32(pid)
	if t.Start, err = strconv.ParseUint(parts[3], 10, 63); err != nil {
		return Token{}, fmt.Errorf("token: start: %w", ErrMalformed)
	}
	if len(parts) == 5 {
		if t.Inode, err = strconv.ParseUint(parts[4], 10, 64); err != nil || t.Inode == 0 {
			return Token{}, fmt.Errorf("token: inode: %w", ErrMalformed)
		}
	}
	if len(t.Boot) != tokenBoot || strings.Trim(t.Boot, "0123456789abcdef") != "" || t.String() != s {
		return Token{}, fmt.Errorf("token: %w", ErrMalformed)
	}
	return t, nil
}
