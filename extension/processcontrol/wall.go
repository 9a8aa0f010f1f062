// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"mime"
	"net/http"
	"strings"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
)

// wall refuses what no client of ours sends. A page in a browser can send
// requests to any address that its user's machine reaches, and to one that
// became ours by a change of DNS even as its own: so it is not only those of
// other origins that are refused, but whatever a browser sends.
func (c *control) wall(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := c.screen(r); p != nil {
			c.refuse(w, p)
			return
		}
		setHeaders(w.Header())
		next.ServeHTTP(w, r)
	})
}

// screen looks at what can be seen before the caller is known.
func (c *control) screen(r *http.Request) *api.Problem {
	if c.stopping.Err() != nil {
		return api.NewProblem(api.ShuttingDown, "")
	}
	if !c.allowed[r.Host] {
		return api.NewProblem(api.HostNotAllowed, "the header Host names none of ours")
	}
	for name := range r.Header {
		if name == "Origin" || strings.HasPrefix(name, "Sec-") || name == "Access-Control-Request-Method" {
			return api.NewProblem(api.BrowserRequest, "the request has the header "+name)
		}
	}
	if r.ContentLength > c.cfg.ServerConfig.MaxRequestBodySize {
		return api.NewProblem(api.PayloadTooLarge, "")
	}
	if r.ContentLength == 0 && len(r.TransferEncoding) == 0 {
		return nil
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || len(r.Header.Values("Content-Type")) != 1 {
		return api.NewProblem(api.UnsupportedMediaType, "")
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return api.NewProblem(api.UnsupportedMediaType, "")
	}
	if r.Header.Get("Content-Encoding") != "" {
		return api.NewProblem(api.UnsupportedMediaType, "the body must not be encoded")
	}
	return nil
}
