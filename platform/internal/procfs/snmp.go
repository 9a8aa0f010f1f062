// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package procfs

import (
	"bytes"

	"github.com/hostscope/hostscope/platform/internal/parse"
)

// SNMP is what is used of /proc/net/snmp: counters of RFC 4022 and RFC 4113
// (Documentation/networking/snmp_counter.rst). TCP's are those of IPv6 too,
// UDP's are not.
type SNMP struct {
	HasTCP, HasUDP bool

	TCPAttemptFails uint64 // connections that failed before they were established
	TCPEstabResets  uint64 // established ones that were reset
	TCPRetransSegs  uint64
	UDPInErrors     uint64
}

// DecodeSNMP decodes /proc/net/snmp: for each protocol a line that names the
// columns and one that has the values. Kernels add columns in between.
func DecodeSNMP(b []byte, s *SNMP) error {
	*s = SNMP{}
	for len(b) > 0 {
		names, rest, ok1 := parse.FullLine(b)
		values, rest, ok2 := parse.FullLine(rest)
		name, names, ok3 := parse.Split(names, ':')
		again, values, ok4 := parse.Split(values, ':')
		if !ok1 || !ok2 || !ok3 || !ok4 || !bytes.Equal(name, again) {
			return parse.ErrSyntax
		}
		b = rest
		ok := true
		switch string(name) {
		case "Tcp":
			ok = columns(names, values, []string{"AttemptFails", "EstabResets", "RetransSegs"}, []*uint64{&s.TCPAttemptFails, &s.TCPEstabResets, &s.TCPRetransSegs})
			s.HasTCP = true
		case "Udp":
			ok = columns(names, values, []string{"InErrors"}, []*uint64{&s.UDPInErrors})
			s.HasUDP = true
		}
		if !ok {
			return parse.ErrSyntax
		}
	}
	return nil
}

// columns reads the values of some columns, all of which have to be there.
func columns(names, values []byte, want []string, to []*uint64) bool {
	found := 0
	for names = parse.Space(names); len(names) > 0; names = parse.Space(names) {
		var name, value []byte
		name, names, _ = parse.Split(names, ' ')
		value, values, _ = parse.Split(parse.Space(values), ' ')
		for i := range want {
			if want[i] == string(name) {
				n, rest, ok := parse.Uint(value)
				if !ok || len(rest) > 0 {
					return false
				}
				*to[i] = n
				found++
			}
		}
	}
	return found == len(want)
}

// UDP6InErrors finds UDPInErrors of IPv6 in /proc/net/snmp6, lines of a name
// and a number.
func UDP6InErrors(b []byte) (uint64, error) {
	for len(b) > 0 {
		var line []byte
		line, b = parse.Line(b)
		if value, ok := bytes.CutPrefix(line, []byte("Udp6InErrors")); ok && len(value) > 0 && (value[0] == ' ' || value[0] == '\t') {
			n, rest, ok := parse.Uint(parse.Space(value))
			if !ok || len(rest) > 0 {
				break
			}
			return n, nil
		}
	}
	return 0, parse.ErrSyntax
}
