// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package emit

import (
	"encoding/binary"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Attr is an attribute of a point.
type Attr struct {
	key   string
	value Value
}

// Str is an attribute with a string; the empty string for unknown.
func Str(key, value string) Attr { return Attr{key, StrValue(value)} }

// Int is an attribute with an int.
func Int(key string, value int64) Attr { return Attr{key, IntValue(value)} }

// List is an attribute with a list; the zero Slice for unknown.
func List(key string, value pcommon.Slice) Attr { return Attr{key, ListValue(value)} }

// append adds the attribute to a key, such that different attributes give
// different keys.
func (a *Attr) append(key []byte) []byte {
	return a.value.append(appendText(key, a.key))
}

// Value is the value of an attribute. The zero value is unknown: it is left out.
type Value struct {
	kind kind
	int  int64
	str  string
	list pcommon.Slice
}

type kind uint8

const (
	unknown kind = iota
	isStr
	isInt
	isBool
	isList
)

// StrValue is a string; the empty string is unknown.
func StrValue(v string) Value {
	if v == "" {
		return Value{}
	}
	return Value{kind: isStr, str: v}
}

// IntValue is an int.
func IntValue(v int64) Value { return Value{kind: isInt, int: v} }

// BoolValue is true or false.
func BoolValue(v bool) Value {
	if v {
		return Value{kind: isBool, int: 1}
	}
	return Value{kind: isBool}
}

// ListValue is a list of values, which is copied where it is emitted; the zero
// Slice is unknown. It must not change as long as the value is in use.
func ListValue(v pcommon.Slice) Value {
	if v == (pcommon.Slice{}) {
		return Value{}
	}
	return Value{kind: isList, list: v}
}

// Known tells whether there is a value.
func (v *Value) Known() bool { return v.kind != unknown }

// Put writes the value, if there is one, as an attribute that to does not have.
func (v *Value) Put(to pcommon.Map, key string) {
	switch v.kind {
	case isStr:
		to.PutStr(key, v.str)
	case isInt:
		to.PutInt(key, v.int)
	case isBool:
		to.PutBool(key, v.int != 0)
	case isList:
		v.list.CopyTo(to.PutEmptySlice(key))
	}
}

// Text is the value as filters see it: lists in JSON, unknown empty.
func (v *Value) Text() string {
	switch v.kind {
	case isStr:
		return v.str
	case isInt:
		return strconv.FormatInt(v.int, 10)
	case isBool:
		return strconv.FormatBool(v.int != 0)
	case isList:
		all := pcommon.NewValueSlice()
		v.list.CopyTo(all.Slice())
		return all.AsString()
	}
	return ""
}

// append adds the value to a key.
func (v *Value) append(key []byte) []byte {
	key = append(key, byte(v.kind))
	switch v.kind {
	case isInt, isBool:
		return binary.AppendVarint(key, v.int)
	case isList:
		return appendText(key, v.Text())
	}
	return appendText(key, v.str)
}

// appendText adds a text such that it shows where it ends.
func appendText(key []byte, text string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(text))), text...)
}
