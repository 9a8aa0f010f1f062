// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/oidcauthextension"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/internal/pidtest"
	"github.com/hostscope/hostscope/platform"
)

// read reads a configuration as the collector does.
func read(t *testing.T, text string) (*Config, error) {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	cfg := newDefaultConfig().(*Config)
	if err := conf.Unmarshal(cfg); err != nil {
		return nil, err
	}
	return cfg, cfg.Validate()
}

func TestConfig(t *testing.T) {
	cfg, err := read(t, "")
	require.NoError(t, err)
	assert.Equal(t, "/run/hostscope/process_control.sock", cfg.ServerConfig.NetAddr.Endpoint)
	assert.Equal(t, "0600", cfg.UnixSocket.Mode)
	for _, text := range []string{
		"{transport: unix, endpoint: /run/x.sock, unix_socket: {mode: \"0660\", group: wheel}, policy_file: /etc/p.yaml, wait: {max_timeout: 1m, max_concurrent: 1, max_targets: 1}, audit: {file: /var/log/a, required: false}}",
		"{transport: tcp, endpoint: 127.0.0.1:8080, auth: {authenticator: bearertokenauth}}",
		"{transport: tcp, endpoint: \"[::1]:8080\", auth: {authenticator: bearertokenauth}}",
		"{transport: tcp, endpoint: localhost:8080, auth: {authenticator: bearertokenauth}}",
		"{transport: tcp, endpoint: 0.0.0.0:8080, auth: {authenticator: oidc}, tls: {cert_file: a, key_file: b}, allowed_hosts: [\"host:8080\"]}",
		"{transport: tcp, endpoint: host:8080, tls: {cert_file: a, key_file: b, client_ca_file: c}}",
	} {
		_, err := read(t, text)
		assert.NoError(t, err, text)
	}
	for text, want := range map[string]string{
		"{transport: tcp, endpoint: 127.0.0.1:8080}":                                                            `"auth"`,
		"{transport: tcp, endpoint: 127.0.0.1:8080, tls: {cert_file: a, key_file: b}}":                          `"auth"`,
		"{transport: tcp, endpoint: 0.0.0.0:8080, auth: {authenticator: a}}":                                    `"tls"`,
		"{transport: tcp, endpoint: \":8080\", auth: {authenticator: a}}":                                       `"tls"`,
		"{transport: tcp, endpoint: 0.0.0.0:8443, auth: {authenticator: a}, tls: {cert_file: a, key_file: b}}":  `"allowed_hosts"`,
		"{transport: tcp, endpoint: \"[::]:8443\", auth: {authenticator: a}, tls: {cert_file: a, key_file: b}}": `"allowed_hosts"`,
		"{transport: tcp, endpoint: 127.0.0.1.example:8080, auth: {authenticator: a}}":                          `"tls"`,
		"{transport: tcp, endpoint: 10.0.0.1:8080}":                                                             `"tls"`,
		"{transport: tcp, endpoint: 127.0.0.1, auth: {authenticator: a}}":                                       `"endpoint"`,
		"{transport: udp}":                                    `"transport"`,
		"{transport: unixgram}":                               `"transport"`,
		"{transport: npipe, endpoint: '\\\\.\\pipe\\x'}":      `"transport"`,
		"{endpoint: s.sock}":                                  `"endpoint"`,
		"{endpoint: \"@abstract\"}":                           `"endpoint"`,
		"{tls: {cert_file: a, key_file: b}}":                  `"tls"`,
		"{cors: {allowed_origins: [\"*\"]}}":                  `"cors"`,
		"{cors: {}}":                                          `"cors"`,
		"{auth: {authenticator: a, request_params: [token]}}": `"auth::request_params"`,
		"{compression_algorithms: [gzip]}":                    `"compression_algorithms"`,
		"{compression_algorithms: []}":                        `"compression_algorithms"`,
		"{max_request_body_size: 0}":                          `"max_request_body_size"`,
		"{max_request_body_size: 2000000}":                    `"max_request_body_size"`,
		"{read_timeout: 0s}":                                  `"read_timeout"`,
		"{write_timeout: 0s}":                                 `"read_timeout"`,
		"{allowed_hosts: [\"*\"]}":                            `"allowed_hosts"`,
		"{policy_file: p.yaml}":                               `"policy_file"`,
		"{policy_file: /p.yaml, audit: {file: a}}":            `"audit::file"`,
		"{policy_file: /p.yaml, audit: {file: \"\"}}":         `"audit::file"`,
		"{wait: {max_timeout: 0s}}":                           `"wait::max_timeout"`,
		"{wait: {max_timeout: 25h}}":                          `"wait::max_timeout"`,
		"{wait: {max_concurrent: 0}}":                         `"wait::max_concurrent"`,
		"{wait: {max_targets: 0}}":                            `"wait::max_concurrent"`,
		"{unix_socket: {mode: \"u=rw\"}}":                     `"unix_socket::mode"`,
		"{unix_socket: {mode: \"01777\"}}":                    `"unix_socket::mode"`,
		"{redaction: {patterns: [\"[\"]}}":                    `"redaction::patterns"`,
		"{policy: {}}":                                        "policy",
		"{unix_socket: {owner: root}}":                        "owner",
	} {
		_, err := read(t, text)
		assert.ErrorContains(t, err, want, text)
	}
}

func TestSocket(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	for _, umask := range []int{0, 0o022, 0o077, 0o777} {
		for _, mode := range []string{"0600", "0660", "0666"} {
			syscall.Umask(0o022)
			s := newServer(t, "", func(c *Config, _ *statusHost) { c.UnixSocket.Mode = mode })
			syscall.Umask(umask)
			require.NoError(t, s.Start(t.Context(), s.host))
			syscall.Umask(0o022)
			info, err := os.Lstat(s.cfg.ServerConfig.NetAddr.Endpoint)
			require.NoError(t, err)
			assert.Equal(t, mode, fmt.Sprintf("%04o", info.Mode().Perm()))
			get[api.Capabilities](s, "/v1/capabilities")

			// A second one leaves the first alone.
			other := newServer(t, "", func(c *Config, _ *statusHost) { c.ServerConfig.NetAddr.Endpoint = s.cfg.ServerConfig.NetAddr.Endpoint })
			assert.ErrorContains(t, other.Start(t.Context(), other.host), "another process listens")
			get[api.Capabilities](s, "/v1/capabilities")
			s.client.CloseIdleConnections()
			require.NoError(t, s.Shutdown(t.Context()))
			assert.NoFileExists(t, s.cfg.ServerConfig.NetAddr.Endpoint)
			require.NoError(t, s.Shutdown(t.Context()), "twice")
		}
	}
	syscall.Umask(0o022)

	if os.Getuid() == 0 {
		s := start(t, "", func(c *Config, _ *statusHost) { c.UnixSocket.Group = "4711" })
		info, err := os.Lstat(s.cfg.ServerConfig.NetAddr.Endpoint)
		require.NoError(t, err)
		assert.EqualValues(t, 4711, info.Sys().(*syscall.Stat_t).Gid)

		// The group of the folder is not meant.
		s = newServer(t, "", func(c *Config, _ *statusHost) { c.UnixSocket.Mode = "0660" })
		require.NoError(t, os.Chown(s.dir, 0, 4711))
		require.NoError(t, os.Chmod(s.dir, 0o755|os.ModeSetgid))
		require.NoError(t, s.Start(t.Context(), s.host))
		info, err = os.Lstat(s.cfg.ServerConfig.NetAddr.Endpoint)
		require.NoError(t, err)
		assert.EqualValues(t, os.Getegid(), info.Sys().(*syscall.Stat_t).Gid)
		require.NoError(t, s.Shutdown(t.Context()))
	}

	// What one that has crashed has left is replaced, and nothing else is.
	stale := newServer(t, "", nil)
	l, err := net.Listen("unix", stale.cfg.ServerConfig.NetAddr.Endpoint)
	require.NoError(t, err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
	require.NoError(t, stale.Start(t.Context(), stale.host))
	path := stale.cfg.ServerConfig.NetAddr.Endpoint
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, nil, 0o600)) // another program's by now
	require.NoError(t, stale.Shutdown(t.Context()))
	assert.FileExists(t, path)

	for name, prepare := range map[string]func(s *server) string{
		"file": func(s *server) string {
			require.NoError(t, os.WriteFile(filepath.Join(s.dir, "s"), nil, 0o600))
			return "no socket"
		},
		"link": func(s *server) string {
			require.NoError(t, os.Symlink("/run/x", filepath.Join(s.dir, "s")))
			return "no socket"
		},
		"folder of all":   func(s *server) string { require.NoError(t, os.Chmod(s.dir, 0o1777)); return "others may write" },
		"folder of group": func(s *server) string { require.NoError(t, os.Chmod(s.dir, 0o770)); return "others may write" },
		"nowhere": func(s *server) string {
			s.cfg.ServerConfig.NetAddr.Endpoint = filepath.Join(s.dir, "none", "s")
			return "no such file"
		},
		"group": func(s *server) string {
			s.cfg.UnixSocket.Group = "no-such-group"
			return "unix_socket::group"
		},
		"another's folder": func(s *server) string {
			if os.Getuid() != 0 {
				s.cfg.ServerConfig.NetAddr.Endpoint = "/s"
				return "permission denied"
			}
			require.NoError(t, os.Chown(s.dir, 4711, 4711))
			return "belongs to user 4711"
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, "", nil)
			want := prepare(s)
			assert.ErrorContains(t, s.Start(t.Context(), s.host), want)
		})
	}
}

// Nobody keeps all others out by as many connections as he can make.
func TestConnectionsOfOne(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		address, who := "127.0.0.1:0", "127.0.0.1"
		if network == "unix" {
			address, who = filepath.Join(t.TempDir(), "s"), fmt.Sprint(os.Geteuid())
		}
		inner, err := net.Listen(network, address)
		require.NoError(t, err)
		l := newListener(inner)
		l.of[who] = maxOfOne - 1
		accepted := make(chan net.Conn)
		go func() {
			defer close(accepted)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				accepted <- c
			}
		}()
		dial := func() net.Conn {
			c, err := net.Dial(network, inner.Addr().String())
			require.NoError(t, err)
			t.Cleanup(func() { _ = c.Close() })
			return c
		}
		dial()
		last := <-accepted
		_, err = dial().Read(make([]byte, 1))
		assert.Error(t, err, "one too many")
		require.NoError(t, last.Close())
		assert.ErrorIs(t, last.Close(), net.ErrClosed) // which counts once
		dial()
		require.NoError(t, (<-accepted).Close())
		assert.Equal(t, map[string]int{who: maxOfOne - 1}, l.of)
		require.NoError(t, l.Close())
		for range accepted {
		}
		assert.Empty(t, l.slots)
	}
}

// remoteConn is a connection from somewhere.
type remoteConn struct {
	net.Conn
	from net.Addr
}

func (c remoteConn) RemoteAddr() net.Addr { return c.from }

// Nor by as many addresses as IPv6 gives him.
func TestConnectionsOfOneNetwork(t *testing.T) {
	l := newListener(nil)
	l.of["2001:db8::"] = maxOfOne
	for from, admitted := range map[string]bool{"2001:db8::1": false, "2001:db8::ffff:0:0:1": false, "2001:db8:0:1::1": true, "::ffff:192.0.2.7": true, "::1": true} {
		served := l.admit(remoteConn{from: &net.TCPAddr{IP: net.ParseIP(from), Port: 1}})
		assert.Equal(t, admitted, served != nil, from)
	}
	assert.Equal(t, map[string]int{"2001:db8::": maxOfOne, "2001:db8:0:1::": 1, "192.0.2.7": 1, "::1": 1}, l.of)
}

func TestPolicyFile(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(path string)
		want    string
	}{
		"others may write": {func(path string) { require.NoError(t, os.Chmod(path, 0o602)) }, "others may write it (mode 0602)"},
		"group may write":  {func(path string) { require.NoError(t, os.Chmod(path, 0o620)) }, "others may write it"},
		"link": {func(path string) {
			require.NoError(t, os.Rename(path, path+".real"))
			require.NoError(t, os.Symlink(path+".real", path))
		}, "symbolic link"},
		"folder": {func(path string) { require.NoError(t, os.Remove(path)); require.NoError(t, os.Mkdir(path, 0o700)) }, "no regular file"},
		"fifo": {func(path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, syscall.Mkfifo(path, 0o600))
		}, "no regular file"},
		"missing": {func(path string) { require.NoError(t, os.Remove(path)) }, "no such file"},
		"large": {func(path string) {
			require.NoError(t, os.WriteFile(path, []byte("#"+strings.Repeat("x", 1<<20)), 0o600))
		}, "over 1048576 bytes"},
		"another's": {func(path string) {
			if os.Getuid() == 0 {
				require.NoError(t, os.Chown(path, 4711, 0))
			} else {
				require.NoError(t, os.Remove(path))
			}
		}, map[bool]string{true: "belongs to user 4711", false: "no such file"}[os.Getuid() == 0]},
		"folder of all": {func(path string) { require.NoError(t, os.Chmod(filepath.Dir(path), 0o777)) }, "others may write in"},
		"group": {func(path string) {
			require.NoError(t, os.WriteFile(path, []byte(strings.Replace(everything, "unix_uid: [", "unix_group: [no-such-group], unix_uid: [", 1)), 0o600))
		}, "no-such-group"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, everything, nil)
			c.prepare(s.cfg.PolicyFile)
			err := s.Start(t.Context(), s.host)
			assert.ErrorContains(t, err, "policy_file")
			assert.ErrorContains(t, err, c.want)
		})
	}
}

// What a browser sends, and what names another host, is refused whatever else
// it is, and before anything is done.
func TestWall(t *testing.T) {
	s := start(t, everything, nil)
	cmd, ref := s.sleeper()
	kill := "/v1/processes/" + ref + "/kill"
	for _, c := range []struct {
		kind   api.Kind
		header []string
	}{
		{api.BrowserRequest, []string{"Origin", "http://localhost"}},
		{api.BrowserRequest, []string{"Origin", "null"}},
		{api.BrowserRequest, []string{"Sec-Fetch-Site", "same-origin"}},
		{api.BrowserRequest, []string{"Sec-Fetch-Mode", "navigate"}},
		{api.BrowserRequest, []string{"Sec-CH-UA", "x"}},
		{api.BrowserRequest, []string{"sec-websocket-key", "x"}},
		{api.HostNotAllowed, []string{"Host", "evil.example"}},
		{api.HostNotAllowed, []string{"Host", "localhost:80"}},
		{api.HostNotAllowed, []string{"Host", "127.0.0.1"}},
	} {
		s.refused(c.kind, "POST", kill, "{}", c.header...)
		s.refused(c.kind, "GET", "/v1/processes", "", c.header...)
	}
	s.refused(api.BrowserRequest, "OPTIONS", kill, "", "Access-Control-Request-Method", "POST")
	s.refused(api.BrowserRequest, "OPTIONS", kill, "", "Origin", "http://localhost", "Access-Control-Request-Method", "POST")
	s.refused(api.MethodNotAllowed, "OPTIONS", kill, "")
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=utf-16", "application/jsonp", "", "application/json, text/plain", "*/*"} {
		s.refused(api.UnsupportedMediaType, "POST", kill, "{}", "Content-Type", kind)
	}
	s.refused(api.UnsupportedMediaType, "POST", kill, "{}", "Content-Encoding", "gzip")
	s.refused(api.PayloadTooLarge, "POST", kill, `{"reason":"`+strings.Repeat("x", 64<<10)+`"}`)
	unharmed(t, cmd)
	assert.NoFileExists(t, filepath.Join(s.dir, "none"))
	assert.Empty(t, s.last.Get("Access-Control-Allow-Origin"))

	// The same, as bytes: what Go's client would not send.
	raw := func(request string) (int, string) {
		conn, err := net.Dial("unix", s.cfg.ServerConfig.NetAddr.Endpoint)
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.Write([]byte(request))
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		defer resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Content-Type")
	}
	const json, problem = "\r\nContent-Type: application/json", "application/problem+json"
	for request, want := range map[string]int{
		"POST " + kill + " HTTP/1.1\r\nHost: localhost\r\nORIGIN: x\r\n\r\n":                                                   403,
		"POST " + kill + " HTTP/1.1\r\nHost: localhost\r\nsec-fetch-dest: x\r\n\r\n":                                           403,
		"POST " + kill + " HTTP/1.1\r\nHost: \r\n\r\n":                                                                         421,
		"POST " + kill + " HTTP/1.0\r\n\r\n":                                                                                   421,
		"POST http://evil.example" + kill + " HTTP/1.1\r\nHost: localhost\r\n\r\n":                                             421,
		"POST " + kill + " HTTP/1.1\r\nHost: localhost" + json + json + "\r\nContent-Length: 2\r\n\r\n{}":                      415,
		"POST " + kill + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n":              415,
		"POST " + kill + " HTTP/1.1\r\nHost: localhost" + json + "\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}}\r\n0\r\n\r\n": 400,
	} {
		status, kind := raw(request)
		assert.Equal(t, want, status, request)
		assert.Equal(t, problem, kind, request)
	}
	for request, want := range map[string]int{ // refused by net/http
		"POST " + kill + " HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n":                                           400,
		"POST " + kill + " HTTP/1.1\r\n\r\n":                                                                            400,
		"POST " + kill + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked, x\r\n\r\n{}": 501,
		"POST " + kill + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}":             400,
		"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n":                           431,
		"kill\r\n\r\n": 400,
	} {
		status, _ := raw(request)
		assert.Equal(t, want, status, "%.40q", request)
	}
	chunks := strings.Repeat("8000\r\n"+strings.Repeat(" ", 0x8000)+"\r\n", 3)
	status, kind := raw("POST " + kill + " HTTP/1.1\r\nHost: localhost" + json + "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n")
	assert.Equal(t, 413, status)
	assert.Equal(t, problem, kind)
	unharmed(t, cmd)
	count := map[string]int64{}
	metric, err := s.telemetry.GetMetric("otelcol_process_control_denied")
	require.NoError(t, err)
	for _, p := range metric.Data.(metricdata.Sum[int64]).DataPoints {
		reason, _ := p.Attributes.Value("reason")
		count[reason.AsString()] = p.Value
	}
	assert.EqualValues(t, 6*2+2+2, count["browser-request"])
	assert.EqualValues(t, 3*2+3, count["host-not-allowed"])
}

// extensionOf makes an extension as the collector does.
func extensionOf(t *testing.T, factory extension.Factory, text string) component.Component {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, conf.Unmarshal(cfg))
	e, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), &statusHost{}))
	t.Cleanup(func() { assert.NoError(t, e.Shutdown(context.Background())) })
	return e
}

// overTCP changes a configuration to TCP.
func overTCP(t *testing.T, text string, extensions map[component.ID]component.Component) func(*Config, *statusHost) {
	return func(c *Config, h *statusHost) {
		cfg, err := read(t, text)
		require.NoError(t, err)
		c.ServerConfig = cfg.ServerConfig
		h.extensions = extensions
	}
}

// tcp lets the client of a server use TCP.
func (s *server) tcp(secure *tls.Config) {
	address := ""
	for _, e := range s.logs.FilterMessage("Process control listens").All() {
		address = e.ContextMap()["address"].(string)
	}
	transport := &http.Transport{TLSClientConfig: secure, ForceAttemptHTTP2: true}
	s.t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport}
	s.url = "http://" + address
	if secure != nil {
		s.url = "https://" + address
	}
}

// remote is a policy for who comes over TCP.
func remote(principals string) string {
	return `
version: 1
actions_enabled: true
protect: {users: [], executables: [], own_cgroup: false, min_age: 0s}
principals: {` + principals + `}
rules:
  - {name: all, principals: [bot], actions: ["*"], targets: {executable: ["/**"]}}
`
}

func TestBearerToken(t *testing.T) {
	id := component.MustNewID("bearertokenauth")
	auth := extensionOf(t, bearertokenauthextension.NewFactory(), "{tokens: [one, two]}")
	s := start(t, remote("bot: {authenticated: true}"), overTCP(t, "{transport: tcp, endpoint: \"127.0.0.1:0\", auth: {authenticator: bearertokenauth}}", map[component.ID]component.Component{id: auth}))
	s.tcp(nil)
	cmd := pidtest.Sleeper(t)
	at := fmt.Sprintf("/v1/processes/pid:%d", cmd.Process.Pid)
	for _, header := range [][]string{nil, {"Authorization", "Bearer three"}, {"Authorization", "one"}, {"Authorization", "Basic b25lOg=="}, {"Authorization", ""}} {
		p := s.refused(api.Unauthenticated, "GET", at, "", header...)
		assert.Empty(t, p.Detail)
		assert.Equal(t, "Bearer", s.last.Get("WWW-Authenticate"))
	}
	s.refused(api.Unauthenticated, "GET", at+"?authorization=Bearer+one", "")
	s.refused(api.Unauthenticated, "GET", "/v1/openapi.yaml", "")
	s.refused(api.Unauthenticated, "GET", "/nowhere", "")
	s.refused(api.BrowserRequest, "GET", at, "", "Authorization", "Bearer one", "Origin", "null")
	s.refused(api.HostNotAllowed, "GET", at, "", "Authorization", "Bearer one", "Host", "rebound.example")
	for _, token := range []string{"one", "two"} {
		status, _ := s.do("GET", at, "", "Authorization", "Bearer "+token)
		assert.Equal(t, 200, status)
	}
	_, body := s.do("GET", at, "", "Authorization", "Bearer one")
	var p api.Process
	require.NoError(t, json.Unmarshal(body, &p))
	status, body := s.do("POST", "/v1/processes/"+p.Ref+"/kill", "{}", "Authorization", "Bearer two")
	assert.Equal(t, 200, status, "%s", body)
	eventually(t, cmd.Process.Pid, platform.StateZombie)
	e := s.entries()[0]
	assert.Nil(t, e.Caller.UID)
	assert.Equal(t, "127.0.0.1", e.Caller.Address)
	text, err := os.ReadFile(s.cfg.Audit.File)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "two")

	missing := newServer(t, remote("bot: {authenticated: true}"), overTCP(t, "{transport: tcp, endpoint: \"127.0.0.1:0\", auth: {authenticator: bearertokenauth}}", nil))
	assert.Error(t, missing.Start(t.Context(), &statusHost{extensions: map[component.ID]component.Component{}}))
}

// A local issuer of tokens, whose subjects are told apart.
func TestOIDC(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	issuer := httptest.NewUnstartedServer(nil)
	issuer.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		url := "http://" + r.Host
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]any{"issuer": url, "jwks_uri": url + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"}})
		case "/keys":
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
		}
	})
	issuer.Start()
	t.Cleanup(issuer.Close)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	require.NoError(t, err)
	token := func(subject string, groups []string, expires time.Duration) string {
		claims, err := json.Marshal(map[string]any{"iss": issuer.URL, "aud": "hostscope", "sub": subject, "groups": groups, "exp": time.Now().Add(expires).Unix(), "iat": time.Now().Unix()})
		require.NoError(t, err)
		signed, err := signer.Sign(claims)
		require.NoError(t, err)
		text, err := signed.CompactSerialize()
		require.NoError(t, err)
		return "Bearer " + text
	}
	auth := extensionOf(t, oidcauthextension.NewFactory(), "{providers: [{issuer_url: \""+issuer.URL+"\", audience: hostscope, groups_claim: groups}]}")
	s := start(t, remote("bot: {auth: {attribute: subject, equals: alertmanager}}, crew: {auth: {attribute: membership, equals: oncall}}")+
		"  - {name: crew, principals: [crew], actions: [read.basic], targets: {executable: [\"/**\"]}}\n",
		overTCP(t, "{transport: tcp, endpoint: \"127.0.0.1:0\", auth: {authenticator: oidc}}", map[component.ID]component.Component{component.MustNewID("oidc"): auth}))
	s.tcp(nil)
	cmd := pidtest.Sleeper(t)
	at := fmt.Sprintf("/v1/processes/pid:%d", cmd.Process.Pid)
	s.refused(api.Unauthenticated, "GET", at, "", "Authorization", token("alertmanager", nil, -time.Hour))
	s.refused(api.PolicyDenied, "GET", at, "", "Authorization", token("somebody", []string{"dev"}, time.Hour))
	status, body := s.do("GET", at, "", "Authorization", token("anna", []string{"dev", "oncall"}, time.Hour))
	require.Equal(t, 200, status)
	var p api.Process
	require.NoError(t, json.Unmarshal(body, &p))
	kill := "/v1/processes/" + p.Ref + "/kill"
	s.refused(api.PolicyDenied, "POST", kill, "", "Authorization", token("anna", []string{"oncall"}, time.Hour))
	status, body = s.do("POST", kill, "", "Authorization", token("alertmanager", nil, time.Hour))
	assert.Equal(t, 200, status, "%s", body)
	entries := s.entries()
	require.Len(t, entries, 3)
	assert.Equal(t, []string{"refused", "anna", "intent", "alertmanager"}, []string{entries[0].Event, entries[0].Caller.Subject, entries[1].Event, entries[1].Caller.Subject})
	issuer.CloseClientConnections()
}

// What cannot be listened on is an error of the start, and leaves nothing.
func TestStartFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	id := component.MustNewID("bearertokenauth")
	auth := extensionOf(t, bearertokenauthextension.NewFactory(), "{token: one}")
	s := newServer(t, "", overTCP(t, "{transport: tcp, endpoint: \""+l.Addr().String()+"\", auth: {authenticator: bearertokenauth}}", map[component.ID]component.Component{id: auth}))
	assert.ErrorContains(t, s.Start(t.Context(), s.host), "address already in use")

	s = newServer(t, "", overTCP(t, "{transport: tcp, endpoint: \"127.0.0.1:0\", auth: {authenticator: bearertokenauth}, tls: {cert_file: /none, key_file: /none}}", map[component.ID]component.Component{id: auth}))
	assert.ErrorIs(t, s.Start(t.Context(), s.host), fs.ErrNotExist)
	factory := NewFactory()
	e, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), factory.CreateDefaultConfig())
	require.NoError(t, err)
	assert.NoError(t, e.Shutdown(t.Context()), "before it was started")
}

// A rule about a user whom the host does not know is about nobody.
func TestUnknownUsers(t *testing.T) {
	s := start(t, strings.Replace(policyFor(`{user: ["4711", root, ghost, phantom]}`), "users: []", "users: [ghost, spectre]", 1), nil)
	var users []string
	for _, entry := range s.logs.FilterMessageSnippet("not in /etc/passwd").All() {
		users = append(users, fmt.Sprint(entry.ContextMap()["user"]))
	}
	assert.Equal(t, []string{"ghost", "phantom", "spectre"}, users)
}
