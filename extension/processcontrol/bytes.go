// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
)

// Names on Unix are bytes, and JSON has none. A text that is not valid UTF-8 is
// answered with its odd bytes as \xHH, and beside it stands <name>_b64 with all
// of it in base64; of a list of texts, each.

const asBytes = "_b64"

// carried makes of an answer what JSON can carry without loss.
func carried(answer any) any {
	switch x := answer.(type) {
	case api.Process:
		x.Fields, _ = carried(x.Fields).(map[string]any)
		return x
	case map[string]any:
		m := make(map[string]any, len(x))
		for name, value := range x {
			put(m, name, value)
		}
		return m
	case map[string]string:
		m := make(map[string]any, len(x))
		for name, value := range x {
			put(m, name, value)
		}
		return m
	}
	v := reflect.ValueOf(answer)
	if v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.Struct || allValid(v) {
		return answer
	}
	list := make([]any, v.Len())
	for i := range list {
		m := map[string]any{}
		for name, value := range members(v.Index(i)) {
			put(m, name, value)
		}
		list[i] = m
	}
	return list
}

// put adds a member, and its bytes where it needs them.
func put(to map[string]any, name string, value any) {
	if p, ok := value.(*string); ok && p != nil {
		value = *p
	}
	switch x := value.(type) {
	case string:
		if to[name] = escaped(x); !utf8.ValidString(x) {
			to[name+asBytes] = base64.StdEncoding.EncodeToString([]byte(x))
		}
	case []string:
		texts, odd := make([]string, len(x)), false
		whole := make([]string, len(x))
		for i, s := range x {
			texts[i], whole[i] = escaped(s), base64.StdEncoding.EncodeToString([]byte(s))
			odd = odd || !utf8.ValidString(s)
		}
		if to[name] = texts; odd {
			to[name+asBytes] = whole
		}
	default:
		to[name] = carried(value)
	}
}

// escaped is a text with its odd bytes as \xHH.
func escaped(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// allValid tells whether all texts in a list of structs are valid UTF-8.
func allValid(list reflect.Value) bool {
	for i := range list.Len() {
		for j := range list.Index(i).NumField() {
			f := list.Index(i).Field(j)
			for f.Kind() == reflect.Pointer || f.Kind() == reflect.Interface {
				f = f.Elem()
			}
			if f.Kind() == reflect.String && !utf8.ValidString(f.String()) {
				return false
			}
		}
	}
	return true
}

// members are those of a struct that are written to JSON, by name.
func members(v reflect.Value) map[string]any {
	m := map[string]any{}
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" && (options != "omitempty" || !v.Field(i).IsZero()) {
			m[name] = v.Field(i).Interface()
		}
	}
	return m
}
