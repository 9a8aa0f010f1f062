// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package emit turns readings into the metrics that a scraper's metadata.yaml
// declares, as its user has configured them.
//
// The file is the only place where names, units and descriptions stand: it is
// embedded, parsed once into a [Catalog], and a [Scope] hands out [Points] by
// name. The points are built in pdata directly. The builder that mdatagen
// generates from the same file compares every point with all earlier ones where
// an attribute can be removed, writes attributes that are unknown as empty
// strings, and takes a third more time and allocations (BenchmarkEmission in
// scrapers/process).
package emit

import (
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.yaml.in/yaml/v3"
)

// Catalog is what a metadata.yaml declares.
type Catalog struct {
	// Scope is the name of the instrumentation scope.
	Scope string
	// Metrics are the declared metrics by name.
	Metrics map[string]*Metric
	// Resource are the declared resource attributes by key.
	Resource map[string]Attribute
}

// Metric is one declared metric.
type Metric struct {
	Name, Description, Unit string

	Sum       bool // a cumulative sum, else a gauge
	Monotonic bool // of a sum: it never falls
	Double    bool // its values are doubles, else ints

	// Attributes are those that its points may have.
	Attributes []Attribute
}

// Attribute is one declared attribute of a resource or of points.
type Attribute struct {
	Key  string
	Type pcommon.ValueType
	// Enum are the values it may have; empty for any.
	Enum []string
	// Level is the requirement level. Resource attributes have none.
	Level Level
}

// Level is the requirement level of an attribute as mdatagen has it.
type Level string

// The requirement levels.
const (
	Required              Level = "required"               // on every point
	ConditionallyRequired Level = "conditionally_required" // on every point where it is known
	Recommended           Level = "recommended"            // the user can remove it
	OptIn                 Level = "opt_in"                 // the user must ask for it
)

// removable tells whether the user decides about the attribute.
func (l Level) removable() bool { return l == Recommended || l == OptIn }

// document is the part of a metadata.yaml that says what is emitted.
type document struct {
	ScopeName  string                    `yaml:"scope_name"`
	Resource   map[string]attributeEntry `yaml:"resource_attributes"`
	Attributes map[string]attributeEntry `yaml:"attributes"`
	Metrics    map[string]struct {
		Description string      `yaml:"description"`
		Unit        string      `yaml:"unit"`
		Sum         *valueEntry `yaml:"sum"`
		Gauge       *valueEntry `yaml:"gauge"`
		Attributes  []string    `yaml:"attributes"`
	} `yaml:"metrics"`
}

type attributeEntry struct {
	NameOverride string   `yaml:"name_override"`
	Type         string   `yaml:"type"`
	Enum         []string `yaml:"enum"`
	Level        Level    `yaml:"requirement_level"`
}

type valueEntry struct {
	ValueType   string `yaml:"value_type"`
	Monotonic   bool   `yaml:"monotonic"`
	Temporality string `yaml:"aggregation_temporality"`
}

// Parse reads a metadata.yaml. It is stricter than mdatagen: an attribute of a
// metric must state its requirement level, because without one mdatagen takes
// it for recommended.
func Parse(metadata []byte) (*Catalog, error) {
	var doc document
	if err := yaml.Unmarshal(metadata, &doc); err != nil {
		return nil, fmt.Errorf("metadata.yaml: %w", err)
	}
	c := &Catalog{Scope: doc.ScopeName, Metrics: map[string]*Metric{}, Resource: map[string]Attribute{}}
	var errs []error
	for name, entry := range doc.Resource {
		a, err := entry.attribute(name)
		c.Resource[a.Key], errs = a, append(errs, err)
	}
	for name, entry := range doc.Metrics {
		m := &Metric{Name: name, Description: entry.Description, Unit: entry.Unit, Sum: entry.Sum != nil}
		if m.Unit == "{rpm}" {
			// The unit of the conventions, which is none of UCUM's, so that
			// mdatagen refuses it.
			m.Unit = "rpm"
		}
		value := entry.Gauge
		if m.Sum {
			value = entry.Sum
		}
		switch {
		case value == nil, entry.Sum != nil && entry.Gauge != nil:
			errs = append(errs, fmt.Errorf("metadata.yaml: metrics::%s: must be either a sum or a gauge", name))
			continue
		case value.ValueType != "int" && value.ValueType != "double":
			errs = append(errs, fmt.Errorf("metadata.yaml: metrics::%s: unknown value_type %q", name, value.ValueType))
		case m.Sum && value.Temporality != "cumulative":
			errs = append(errs, fmt.Errorf("metadata.yaml: metrics::%s: aggregation_temporality must be cumulative", name))
		}
		m.Monotonic, m.Double = value.Monotonic, value.ValueType == "double"
		for _, key := range entry.Attributes {
			a, err := doc.Attributes[key].attribute(key)
			if err == nil && !slices.Contains([]Level{Required, ConditionallyRequired, Recommended, OptIn}, a.Level) {
				err = fmt.Errorf("metadata.yaml: attributes::%s: unknown requirement_level %q", key, a.Level)
			}
			m.Attributes, errs = append(m.Attributes, a), append(errs, err)
		}
		c.Metrics[name] = m
	}
	return c, errors.Join(errs...)
}

// attribute is the entry as an Attribute. An entry that the file does not have
// has no type.
func (e attributeEntry) attribute(key string) (Attribute, error) {
	if e.NameOverride != "" {
		key = e.NameOverride
	}
	a := Attribute{Key: key, Enum: e.Enum, Level: e.Level}
	switch e.Type {
	case "string":
		a.Type = pcommon.ValueTypeStr
	case "int":
		a.Type = pcommon.ValueTypeInt
	case "double":
		a.Type = pcommon.ValueTypeDouble
	case "bool":
		a.Type = pcommon.ValueTypeBool
	case "bytes":
		a.Type = pcommon.ValueTypeBytes
	case "slice":
		a.Type = pcommon.ValueTypeSlice
	case "map":
		a.Type = pcommon.ValueTypeMap
	default:
		return a, fmt.Errorf("metadata.yaml: attribute %s: unknown type %q", key, e.Type)
	}
	return a, nil
}
