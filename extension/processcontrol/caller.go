// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"crypto/x509"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/client"

	"github.com/hostscope/hostscope/extension/processcontrol/policy"
	"github.com/hostscope/hostscope/platform"
)

// caller is who has made a request.
type caller struct {
	policy.Caller
	pid     int32  // of a Unix socket
	subject string // what an extension or a certificate calls the caller
	address string
}

// callerOf asks the kernel, the authentication extension and the certificate.
func (c *control) callerOf(r *http.Request) caller {
	who := caller{address: r.RemoteAddr}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		who.address = host
	}
	if peer, ok := r.Context().Value(peerKey{}).(platform.Credentials); ok {
		who.pid, who.address = peer.PID, ""
		who.Unix, who.Nobody, who.UID = true, peer.UID == platform.OverflowUser, peer.UID
		for _, gid := range append([]uint32{peer.GID}, peer.Groups...) {
			if gid == platform.OverflowUser { // likewise
				continue
			}
			who.Groups = append(append(who.Groups, strconv.FormatUint(uint64(gid), 10)), c.groups[gid]...)
		}
	}
	who.Authenticated = c.cfg.ServerConfig.Auth.HasValue()
	if auth := client.FromContext(r.Context()).Auth; auth != nil {
		who.Attribute = auth.GetAttribute
		who.subject, _ = auth.GetAttribute("subject").(string)
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		who.Authenticated = true
		who.Names = namesOf(r.TLS.VerifiedChains[0][0])
		if who.subject == "" && len(who.Names) > 0 {
			who.subject = who.Names[0]
		}
	}
	return who
}

// namesOf are the names of a certificate: the alternative ones or, where there
// is none, the common name.
func namesOf(cert *x509.Certificate) []string {
	names := slices.Concat(cert.DNSNames, cert.EmailAddresses)
	for _, uri := range cert.URIs {
		names = append(names, uri.String())
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 && cert.Subject.CommonName != "" {
		names = append(names, cert.Subject.CommonName)
	}
	return names
}

// key tells callers apart for the limits. Those of whom nothing is known but
// that they may come in, as with bearer tokens, are one; so are those who may do
// nothing.
func (c *caller) key(principals []string) string {
	switch {
	case len(principals) == 0:
		return ""
	case c.Unix && !c.Nobody:
		return "uid:" + strconv.FormatUint(uint64(c.UID), 10)
	case c.subject != "":
		return "subject:" + c.subject
	}
	return "principals:" + strings.Join(principals, ",")
}
