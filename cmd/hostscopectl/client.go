// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
)

// client makes requests to an extension.
type client struct {
	http  *http.Client
	base  string
	token string
}

func (o *options) client() (*client, error) {
	transport := &http.Transport{}
	c := &client{http: &http.Client{Transport: transport}, base: strings.TrimRight(o.endpoint, "/")}
	path, unix := strings.CutPrefix(o.endpoint, "unix://")
	if unix {
		c.base = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}
	} else if u, err := url.Parse(o.endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, usage{fmt.Errorf("--endpoint %s: is none of unix:///path, http://… and https://…", o.endpoint)}
	}
	if o.token != "" {
		if !unix && strings.HasPrefix(c.base, "http://") && !isLoopback(c.base) {
			return nil, usage{errors.New("a token is not sent to another host without TLS")}
		}
		b, err := os.ReadFile(o.token)
		if err != nil {
			return nil, err
		}
		c.token = strings.TrimSpace(string(b))
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.ca != "" {
		b, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, err
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s: has no certificate", o.ca)
		}
	}
	if o.certificate != "" || o.key != "" {
		pair, err := tls.LoadX509KeyPair(o.certificate, o.key)
		if err != nil {
			return nil, err
		}
		secure.Certificates = []tls.Certificate{pair}
	}
	transport.TLSClientConfig = secure
	return c, nil
}

func isLoopback(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 256 << 20

// do makes one request: beyond what the command waits for itself, the answer
// has a time to come in. A problem is an error.
func (o *options) do(ctx context.Context, method, path string, body any, wait time.Duration) ([]byte, error) {
	c, err := o.client()
	if err != nil {
		return nil, err
	}
	defer c.http.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, o.timeout+wait)
	defer cancel()
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		var p api.Problem
		if json.Unmarshal(answer, &p) != nil || p.Title == "" {
			return nil, fmt.Errorf("%s %s: %s", method, path, resp.Status)
		}
		return answer, &p
	}
	return answer, nil
}

// ask makes a request and reads the answer.
func ask[T any](ctx context.Context, o *options, method, path string, body any, wait time.Duration) (answer T, raw []byte, err error) {
	raw, err = o.do(ctx, method, path, body, wait)
	if err != nil {
		return answer, raw, err
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return answer, raw, fmt.Errorf("the answer: %w", err)
	}
	return answer, raw, nil
}

// process is the path of a process.
func process(ref string) string { return "/v1/processes/" + url.PathEscape(reference(ref)) }

// reference is a reference to a process. A number alone stands for the PID.
func reference(ref string) string {
	if n, err := strconv.Atoi(ref); err == nil && n > 0 {
		return "pid:" + ref
	}
	return ref
}
