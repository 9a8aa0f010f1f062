// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package emit

import (
	"reflect"

	"go.opentelemetry.io/collector/filter"
)

// Strategy says what becomes of points that differ only in attributes which
// the user has removed. The values are those of aggregation_strategy.
type Strategy string

// The strategies.
const (
	Sum Strategy = "sum"
	Avg Strategy = "avg" // of ints: rounded towards zero, as the generated builders do
	Min Strategy = "min"
	Max Strategy = "max"
)

// settings is what the user says about one metric.
type settings struct {
	enabled    bool
	removable  bool     // it has an attribute that can be removed
	attributes []string // if so, those that are wanted
	strategy   Strategy
}

// metricSettings reads a MetricsConfig that mdatagen generated, by name of the
// metric. Each field of such a struct is named by its mapstructure tag and has
// Enabled and, where an attribute can be removed, EnabledAttributes and
// AggregationStrategy.
func metricSettings(config any) map[string]settings {
	all := map[string]settings{}
	eachField(config, func(name string, field reflect.Value) {
		s := settings{enabled: field.FieldByName("Enabled").Bool()}
		if list := field.FieldByName("EnabledAttributes"); list.IsValid() {
			s.removable = true
			s.strategy = Strategy(field.FieldByName("AggregationStrategy").String())
			for _, key := range list.Seq2() {
				s.attributes = append(s.attributes, key.String())
			}
		}
		all[name] = s
	})
	return all
}

// Selection is what the user says about one resource attribute.
type Selection struct {
	// Enabled: the attribute is to be emitted.
	Enabled          bool
	include, exclude filter.Filter
}

// ResourceSettings reads a ResourceAttributesConfig that mdatagen generated,
// by name of the attribute.
func ResourceSettings(config any) map[string]Selection {
	all := map[string]Selection{}
	eachField(config, func(name string, field reflect.Value) {
		s := Selection{Enabled: field.FieldByName("Enabled").Bool()}
		if list := field.FieldByName("MetricsInclude").Interface().([]filter.Config); len(list) > 0 {
			s.include = filter.CreateFilter(list)
		}
		if list := field.FieldByName("MetricsExclude").Interface().([]filter.Config); len(list) > 0 {
			s.exclude = filter.CreateFilter(list)
		}
		all[name] = s
	})
	return all
}

// Filters tells whether metrics_include or metrics_exclude is set.
func (s Selection) Filters() bool { return s.include != nil || s.exclude != nil }

// Matches tells whether a resource with this value is to be emitted, whether
// or not the attribute is emitted with it. A value that is not known is empty:
// no list matches it.
func (s Selection) Matches(value string) bool {
	if s.include != nil && (value == "" || !s.include.Matches(value)) {
		return false
	}
	return s.exclude == nil || value == "" || !s.exclude.Matches(value)
}

// eachField calls do for each field of a struct with the field's key in the
// configuration.
func eachField(config any, do func(name string, field reflect.Value)) {
	v := reflect.ValueOf(config)
	for i := range v.NumField() {
		do(v.Type().Field(i).Tag.Get("mapstructure"), v.Field(i))
	}
}
