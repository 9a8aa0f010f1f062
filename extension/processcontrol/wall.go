// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"context"
	"io"
	"math"
	"mime"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/platform"
)

// wall refuses what no client of ours sends. A page in a browser can send
// requests to any address that its user's machine reaches, and to one that
// became ours by a change of DNS even as its own: so it is not only those of
// other origins that are refused, but whatever a browser sends.
func (c *control) wall(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A body that does not come does not hold up our end.
		defer context.AfterFunc(c.stopping, func() {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		})()
		if p := c.screen(r); p != nil {
			c.refuse(w, p)
		} else {
			setHeaders(w.Header())
			next.ServeHTTP(w, r)
		}
		// Else the server would read what is left of it, when nothing ends that.
		if r.Header.Get("Expect") == "" { // of who waits to be asked for it there is none
			_, _ = io.CopyN(io.Discard, r.Body, c.cfg.ServerConfig.MaxRequestBodySize)
		}
	})
}

// maxFailed is how many logins may fail at once from one place, beside one in a
// second.
const maxFailed = 20

// origin is the user, or the network, that a request comes from. It is empty for
// this host's own: behind a proxy, that can be anybody.
func origin(r *http.Request) string {
	if peer, ok := r.Context().Value(peerKey{}).(platform.Credentials); ok {
		return strconv.FormatUint(uint64(peer.UID), 10)
	}
	if addr := place(r.RemoteAddr); addr.IsValid() && !addr.IsLoopback() {
		return addr.String()
	}
	return ""
}

// place is the address at the other end or, of IPv6, the network of 64 bits,
// which one has to himself. It is not valid where there is none.
func place(remote string) netip.Addr {
	from, _ := netip.ParseAddrPort(remote)
	addr := from.Addr().Unmap()
	if addr.Is6() && !addr.IsLoopback() {
		network, _ := addr.Prefix(64) // it has so many
		return network.Addr()
	}
	return addr
}

// screen looks at what can be seen before the caller is known.
func (c *control) screen(r *http.Request) *api.Problem {
	if c.stopping.Err() != nil {
		return api.NewProblem(api.ShuttingDown, "")
	}
	if !c.allowed[r.Host] {
		return api.NewProblem(api.HostNotAllowed, "the header Host names none of ours (allowed_hosts)")
	}
	for name := range r.Header {
		if name == "Origin" || strings.HasPrefix(name, "Sec-") || name == "Access-Control-Request-Method" {
			return api.NewProblem(api.BrowserRequest, "the request has the header "+name)
		}
	}
	if from := origin(r); from != "" {
		if after, none := c.logins.spent(from, time.Now()); none {
			p := api.NewProblem(api.RateLimited, "too many logins from there have failed")
			p.Seconds = math.Ceil(after.Seconds())
			return p
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
