// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package api

// Kind is a type of problem, without [URN].
type Kind string

// The types of problems.
const (
	InvalidRequest       Kind = "invalid-request"
	IdentityRequired     Kind = "identity-required"
	Unauthenticated      Kind = "unauthenticated"
	AccessDenied         Kind = "access-denied"
	PolicyDenied         Kind = "policy-denied"
	ProtectedProcess     Kind = "protected-process"
	BrowserRequest       Kind = "browser-request"
	NoSuchEndpoint       Kind = "no-such-endpoint"
	NoSuchProcess        Kind = "no-such-process"
	ZombieProcess        Kind = "zombie-process"
	MethodNotAllowed     Kind = "method-not-allowed"
	OutcomeIndeterminate Kind = "outcome-indeterminate"
	PreconditionFailed   Kind = "precondition-failed"
	PayloadTooLarge      Kind = "payload-too-large"
	UnsupportedMediaType Kind = "unsupported-media-type"
	HostNotAllowed       Kind = "host-not-allowed"
	InvalidArgument      Kind = "invalid-argument"
	RateLimited          Kind = "rate-limited"
	Internal             Kind = "internal"
	NotSupported         Kind = "not-supported"
	AuditUnavailable     Kind = "audit-unavailable"
	ShuttingDown         Kind = "shutting-down"
	ActionsDisabled      Kind = "actions-disabled"
	TimeoutExpired       Kind = "timeout-expired"
)

// Kinds has the status, the title and, where it has one, the name of psutil's
// exception of each type of problem.
var Kinds = map[Kind]struct {
	Status           int
	Title, Exception string
}{
	InvalidRequest:       {400, "Invalid request", ""},
	IdentityRequired:     {400, "A PID alone does not say which process is meant", ""},
	Unauthenticated:      {401, "Not authenticated", ""},
	AccessDenied:         {403, "Access denied by the kernel", "AccessDenied"},
	PolicyDenied:         {403, "Denied by policy", ""},
	ProtectedProcess:     {403, "The process is protected", ""},
	BrowserRequest:       {403, "Requests of browsers are refused", ""},
	NoSuchEndpoint:       {404, "No such endpoint", ""},
	NoSuchProcess:        {404, "No such process", "NoSuchProcess"},
	ZombieProcess:        {404, "The process has ended", "ZombieProcess"},
	MethodNotAllowed:     {405, "Method not allowed", ""},
	OutcomeIndeterminate: {409, "The process ended meanwhile, do not retry", ""},
	PreconditionFailed:   {412, "The process is not what was expected", ""},
	PayloadTooLarge:      {413, "Payload too large", ""},
	UnsupportedMediaType: {415, "The body must be application/json", ""},
	HostNotAllowed:       {421, "Host not allowed", ""},
	InvalidArgument:      {422, "Invalid argument", ""},
	RateLimited:          {429, "Too many requests", ""},
	Internal:             {500, "Internal error", ""},
	NotSupported:         {501, "Not supported here", ""},
	AuditUnavailable:     {503, "The audit file cannot be written", ""},
	ShuttingDown:         {503, "Shutting down", ""},
	ActionsDisabled:      {503, "Actions are disabled", ""},
	TimeoutExpired:       {504, "Timeout expired", "TimeoutExpired"},
}

// NewProblem makes a problem of a type.
func NewProblem(kind Kind, detail string) *Problem {
	k := Kinds[kind]
	return &Problem{Type: URN + string(kind), Title: k.Title, Status: k.Status, Detail: detail, Exception: k.Exception}
}

// Kind is the type of the problem.
func (p *Problem) Kind() Kind {
	if len(p.Type) > len(URN) && p.Type[:len(URN)] == URN {
		return Kind(p.Type[len(URN):])
	}
	return Kind(p.Type)
}
