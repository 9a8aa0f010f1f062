// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confignet"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/internal/redact"
)

// Config says where the extension listens and where its policy and its audit
// file are. What may be done is not said here: a configuration can come from
// elsewhere, and a policy cannot.
type Config struct {
	ServerConfig confighttp.ServerConfig `mapstructure:",squash"`

	// UnixSocket is about the file that a Unix socket is.
	UnixSocket UnixSocket `mapstructure:"unix_socket"`

	// AllowedHosts are further values of the header Host, with their ports,
	// than localhost and the endpoint.
	AllowedHosts []string `mapstructure:"allowed_hosts"`

	// PolicyFile is the policy. Without one, callers on the Unix socket may
	// look at their own processes.
	PolicyFile string `mapstructure:"policy_file"`

	Wait      Wait      `mapstructure:"wait"`
	Audit     Audit     `mapstructure:"audit"`
	Redaction Redaction `mapstructure:"redaction"`
}

// UnixSocket is the owner and the mode of a Unix socket.
type UnixSocket struct {
	Mode  string `mapstructure:"mode"`  // in octal
	Group string `mapstructure:"group"` // by name or number; empty: the collector's
}

// Wait bounds the waiting for processes.
type Wait struct {
	MaxTimeout    time.Duration `mapstructure:"max_timeout"`
	MaxConcurrent int           `mapstructure:"max_concurrent"` // processes that one caller waits for; all together wait for twice as many
	MaxTargets    int           `mapstructure:"max_targets"`    // of one request
}

// Audit is where everything that is done is written down.
type Audit struct {
	File string `mapstructure:"file"`
	// Required: what cannot be written down is not done.
	Required bool `mapstructure:"required"`
}

// Redaction adds to what is hidden in arguments and variables.
type Redaction struct {
	Patterns []string `mapstructure:"patterns"`
}

func newDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Transport, server.NetAddr.Endpoint = confignet.TransportTypeUnix, api.Socket
	server.MaxRequestBodySize = 64 << 10
	server.CompressionAlgorithms = []string{""}
	server.ReadHeaderTimeout, server.ReadTimeout = 10*time.Second, 10*time.Second
	return &Config{
		ServerConfig: server,
		UnixSocket:   UnixSocket{Mode: "0600"},
		Wait:         Wait{MaxTimeout: 5 * time.Minute, MaxConcurrent: 256, MaxTargets: 256},
		Audit:        Audit{File: "/var/log/hostscope/process_control.audit.jsonl", Required: true},
	}
}

// Validate refuses what would be dangerous, rather than warn of it.
func (c *Config) Validate() error {
	var errs []error
	report := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%q: "+format, append([]any{key}, args...)...))
	}
	s := &c.ServerConfig
	switch s.NetAddr.Transport {
	case confignet.TransportTypeUnix:
		if !filepath.IsAbs(s.NetAddr.Endpoint) {
			report("endpoint", "a Unix socket needs an absolute path")
		}
		if s.TLS.HasValue() {
			report("tls", "a Unix socket has no use for it")
		}
		if _, err := c.socketMode(); err != nil {
			report("unix_socket::mode", "%w", err)
		}
	case confignet.TransportTypeTCP, confignet.TransportTypeTCP4, confignet.TransportTypeTCP6:
		host, _, err := net.SplitHostPort(s.NetAddr.Endpoint)
		if err != nil {
			report("endpoint", "%w", err)
			break
		}
		if !c.authenticates() {
			report("auth", "a TCP listener must authenticate its callers: by an extension, or by client certificates (tls::client_ca_file)")
		}
		if !isLoopback(host) && !s.TLS.HasValue() {
			report("tls", "is needed, unless the endpoint is a loopback address")
		}
		if ip, err := netip.ParseAddr(host); len(c.AllowedHosts) == 0 && (host == "" || err == nil && ip.IsUnspecified()) {
			report("allowed_hosts", "is needed where the endpoint is all addresses: the names, with ports, by which clients come, such as [\"host.example:8443\"]")
		}
	default:
		report("transport", "%q is neither unix nor tcp", string(s.NetAddr.Transport))
	}
	if s.CORS.HasValue() {
		report("cors", "is not for this: requests of browsers are refused")
	}
	if s.Auth.HasValue() && len(s.Auth.Get().RequestParameters) > 0 {
		report("auth::request_params", "a secret in a URL would be in many logs")
	}
	if !slices.Equal(s.CompressionAlgorithms, []string{""}) {
		report("compression_algorithms", "must be [\"\"]")
	}
	if s.MaxRequestBodySize <= 0 || s.MaxRequestBodySize > 1<<20 {
		report("max_request_body_size", "must be between 1 and 1048576")
	}
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 {
		report("read_timeout", "this, read_header_timeout and write_timeout must be positive")
	}
	for _, host := range c.AllowedHosts {
		if host == "" || host == "*" {
			report("allowed_hosts", "%q is no host", host)
		}
	}
	if c.PolicyFile != "" && !filepath.IsAbs(c.PolicyFile) {
		report("policy_file", "needs an absolute path")
	}
	if c.PolicyFile != "" && !filepath.IsAbs(c.Audit.File) {
		report("audit::file", "needs an absolute path")
	}
	if c.Wait.MaxTimeout < time.Millisecond || c.Wait.MaxTimeout > 24*time.Hour {
		report("wait::max_timeout", "must be between 1ms and 24h")
	}
	if c.Wait.MaxConcurrent < 1 || c.Wait.MaxTargets < 1 {
		report("wait::max_concurrent", "this and max_targets must be at least 1")
	}
	if _, err := redact.New(c.Redaction.Patterns); err != nil {
		report("redaction::patterns", "%w", err)
	}
	return errors.Join(errs...)
}

// authenticates tells whether a caller has to show who he is.
func (c *Config) authenticates() bool {
	s := &c.ServerConfig
	return s.Auth.HasValue() || s.TLS.HasValue() && s.TLS.Get().ClientCAFile != ""
}

func (c *Config) socketMode() (uint32, error) {
	mode, err := strconv.ParseUint(c.UnixSocket.Mode, 8, 32)
	if err != nil || mode&^0o777 != 0 {
		return 0, fmt.Errorf("%q is no mode such as 0600", c.UnixSocket.Mode)
	}
	return uint32(mode), nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
