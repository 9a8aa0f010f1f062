// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hostscope/hostscope/internal/match"
	"github.com/hostscope/hostscope/internal/redact"
	"github.com/hostscope/hostscope/scrapers/process/internal/metadata"
)

// Config selects what the scraper emits, and of which processes. The lists
// metrics_include and metrics_exclude of a resource attribute match its value
// as it would be emitted, also where the attribute itself is disabled. A
// process without a value is matched by neither.
type Config struct {
	// Metrics says of each metric whether and how it is emitted.
	Metrics metadata.MetricsConfig `mapstructure:"metrics"`
	// ResourceAttributes says the same of what describes a process.
	ResourceAttributes metadata.ResourceAttributesConfig `mapstructure:"resource_attributes"`

	// Include and Exclude select processes: those that match any block of
	// Include, or all if there is none, and no block of Exclude.
	Include Blocks `mapstructure:"include"`
	Exclude Blocks `mapstructure:"exclude"`

	// MinAge is how long a process must have been running.
	MinAge time.Duration `mapstructure:"min_age"`

	// KernelThreads includes the threads of the kernel.
	KernelThreads bool `mapstructure:"kernel_threads"`

	// OnAccessDenied says what becomes of a scrape in which not even the
	// identity of a process can be read (Linux: /proc mounted with hidepid).
	OnAccessDenied OnAccessDenied `mapstructure:"on_access_denied"`

	// DetailInterval is how often what is expensive is read of a process. At
	// 0 it is in every scrape.
	DetailInterval time.Duration `mapstructure:"detail_interval"`

	// EnvironmentVariables names those whose values are to be resource
	// attributes. There are no wildcards.
	EnvironmentVariables []string `mapstructure:"environment_variables"`

	Redaction Redaction `mapstructure:"redaction"`
}

// OnAccessDenied is a value of on_access_denied.
type OnAccessDenied string

// The values of on_access_denied.
const (
	Skip OnAccessDenied = "skip" // count the process and go on
	Fail OnAccessDenied = "fail" // the scrape is an error
)

// Redaction adds to what is hidden in arguments and variables.
type Redaction struct {
	// Patterns are regular expressions. What they match is replaced by ***, in
	// each argument for itself, after the rules that are built in.
	Patterns []string `mapstructure:"patterns"`
}

// Block is a set of criteria. A process matches it if it meets each criterion
// that is given, by any one of the values in its list. What is not known of a
// process meets no criterion.
type Block struct {
	MatchType match.Type `mapstructure:"match_type"`

	// ExecutableNames are as in process.executable.name: the base name of the
	// program, else the kernel's name for the process.
	ExecutableNames []string `mapstructure:"executable_names"`
	// ExecutablePaths are absolute paths of programs.
	ExecutablePaths []string `mapstructure:"executable_paths"`
	// Commands are first arguments (argv[0]).
	Commands []string `mapstructure:"commands"`
	// CommandLines are all arguments with a blank between two. They are
	// matched as they are, with their secrets, which stay in memory.
	CommandLines []string `mapstructure:"command_lines"`
	// Owners are names of real users, or numbers of those without a name.
	Owners []string `mapstructure:"owners"`
	// Cgroups are paths of control groups.
	Cgroups []string `mapstructure:"cgroups"`
}

// Blocks are given as a list, or as one block without a list.
type Blocks = match.Blocks[Block]

// NewConfig gives the defaults.
func NewConfig() Config {
	return Config{
		Metrics:            metadata.DefaultMetricsConfig(),
		ResourceAttributes: metadata.DefaultResourceAttributesConfig(),
		OnAccessDenied:     Skip,
		DetailInterval:     time.Minute,
	}
}

// Validate reports what cannot work, with the key that says so. Blocks
// validate themselves.
func (c *Config) Validate() error {
	var errs []error
	report := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%q: "+format, append([]any{key}, args...)...))
	}
	for key, blocks := range map[string]Blocks{"include": c.Include, "exclude": c.Exclude} {
		if blocks != nil && len(blocks) == 0 {
			report(key, "must not be empty")
		}
	}
	for _, d := range []struct {
		key string
		time.Duration
	}{{"detail_interval", c.DetailInterval}, {"min_age", c.MinAge}} {
		switch {
		case d.Duration < 0:
			report(d.key, "must not be negative")
		case 0 < d.Duration && d.Duration < time.Millisecond: // a number without a unit
			report(d.key, "%v is too short; give a unit, as in 10s", d.Duration)
		}
	}
	if c.OnAccessDenied != Skip && c.OnAccessDenied != Fail {
		report("on_access_denied", "%q is neither skip nor fail", string(c.OnAccessDenied))
	}
	for i, name := range c.EnvironmentVariables {
		switch {
		case name == "":
			report("environment_variables", "a name must not be empty")
		case strings.ContainsAny(name, "=*\x00"):
			report("environment_variables", "%q is no name of a variable", name)
		case slices.Contains(c.EnvironmentVariables[:i], name):
			report("environment_variables", "%q is there twice", name)
		}
	}
	if _, err := newRedactor(&c.Redaction); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Validate reports a block that cannot match as it is meant to.
func (b *Block) Validate() error {
	_, err := newBlock(b)
	return err
}

// newRedactor compiles the patterns.
func newRedactor(cfg *Redaction) (*redact.Redactor, error) {
	r, err := redact.New(cfg.Patterns)
	if err != nil {
		return nil, fmt.Errorf("\"redaction::patterns\": %w", err)
	}
	return r, nil
}
