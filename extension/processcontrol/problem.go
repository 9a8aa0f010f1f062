// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/platform"
)

// invalid is a problem of the request itself.
func invalid(format string, args ...any) error {
	return api.NewProblem(api.InvalidRequest, fmt.Sprintf(format, args...))
}

// unacceptable is a problem of a value.
func unacceptable(format string, args ...any) error {
	return api.NewProblem(api.InvalidArgument, fmt.Sprintf(format, args...))
}

// limited is a problem that time solves.
func limited(detail string, after time.Duration) error {
	p := api.NewProblem(api.RateLimited, detail)
	p.Seconds = math.Ceil(after.Seconds())
	return p
}

// problemOf is the one place where an error becomes a problem. What is not
// expected is told to the log and not to the caller.
func problemOf(err error, pid int32) (p *api.Problem, expected bool) {
	if p, ok := errors.AsType[*api.Problem](err); ok {
		if p.PID == 0 {
			p.PID = pid
		}
		return p, true
	}
	kind := api.Internal
	switch {
	case errors.Is(err, platform.ErrZombieProcess):
		kind = api.ZombieProcess
	case errors.Is(err, platform.ErrNoSuchProcess):
		kind = api.NoSuchProcess
	case errors.Is(err, platform.ErrAccessDenied):
		kind = api.AccessDenied
	case errors.Is(err, platform.ErrInvalidArgument):
		kind = api.InvalidArgument
	case errors.Is(err, platform.ErrNotSupported):
		kind = api.NotSupported
	case errors.Is(err, platform.ErrTimeoutExpired), errors.Is(err, context.DeadlineExceeded):
		kind = api.TimeoutExpired
	case errors.Is(err, context.Canceled): // the caller has gone, or we are about to
		kind = api.ShuttingDown
	}
	p = api.NewProblem(kind, "")
	if kind != api.Internal {
		p.Detail = err.Error()
	}
	p.PID, p.Errno = pid, platform.ErrnoName(err)
	if no, ok := errors.AsType[*platform.NoSuchProcessError](err); ok {
		p.PID, p.Reason, p.Detail = no.PID, string(no.Reason), "" // which says no more
	}
	return p, kind != api.Internal
}

// ofStatus is the problem behind a status that confighttp answers with.
func ofStatus(status int, detail string) *api.Problem {
	switch status {
	case http.StatusUnauthorized:
		return api.NewProblem(api.Unauthenticated, "")
	case http.StatusRequestEntityTooLarge:
		return api.NewProblem(api.PayloadTooLarge, detail)
	case http.StatusUnsupportedMediaType:
		return api.NewProblem(api.UnsupportedMediaType, detail)
	}
	return api.NewProblem(api.InvalidRequest, detail)
}

// refuse answers with a problem and counts it.
func (c *control) refuse(w http.ResponseWriter, p *api.Problem) {
	c.telemetry.ProcessControlDenied.Add(context.Background(), 1, metric.WithAttributes(attribute.String("reason", string(p.Kind()))))
	writeProblem(w, p)
}

func writeProblem(w http.ResponseWriter, p *api.Problem) {
	h := w.Header()
	setHeaders(h)
	h.Set("Content-Type", "application/problem+json")
	switch p.Kind() {
	case api.RateLimited:
		h.Set("Retry-After", strconv.Itoa(int(max(1, p.Seconds))))
	case api.Unauthenticated:
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller may be gone
}

// setHeaders is for every answer: none is to be kept, guessed at or shown in a
// page.
func setHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}
