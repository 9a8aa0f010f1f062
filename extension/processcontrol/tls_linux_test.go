// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/internal/pidtest"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	dir  string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.key, a.cert = a.sign("ca", &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign writes name.pem and name.key.
func (a *authority) sign(name string, cert *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	cert.SerialNumber, cert.NotBefore, cert.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = cert, key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), signer)
	require.NoError(a.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	require.NoError(a.t, os.WriteFile(filepath.Join(a.dir, name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(a.t, os.WriteFile(filepath.Join(a.dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	parsed, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return key, parsed
}

func (a *authority) client(name string, cert *x509.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	cfg := &tls.Config{RootCAs: pool}
	if cert != nil {
		cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		key, signed := a.sign(name, cert)
		cfg.Certificates = []tls.Certificate{{Certificate: [][]byte{signed.Raw}, PrivateKey: key}}
	}
	return cfg
}

func TestMutualTLS(t *testing.T) {
	ca := newAuthority(t)
	ca.sign("server", &x509.Certificate{Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	s := start(t, remote("bot: {certificate: {name: alertmanager.example}}"), overTCP(t, fmt.Sprintf(
		"{transport: tcp, endpoint: \"127.0.0.1:0\", tls: {cert_file: %[1]s/server.pem, key_file: %[1]s/server.key, client_ca_file: %[1]s/ca.pem}}", ca.dir), nil))
	cmd := pidtest.Sleeper(t)
	at := fmt.Sprintf("/v1/processes/pid:%d", cmd.Process.Pid)
	s.tcp(ca.client("", nil))
	_, err := s.client.Get(s.url + at)
	assert.Error(t, err)
	other := newAuthority(t)
	foreign := other.client("x", &x509.Certificate{DNSNames: []string{"alertmanager.example"}})
	foreign.RootCAs = ca.client("", nil).RootCAs
	s.tcp(foreign)
	_, err = s.client.Get(s.url + at)
	assert.Error(t, err)

	s.tcp(ca.client("somebody", &x509.Certificate{DNSNames: []string{"somebody.example"}}))
	s.refused(api.PolicyDenied, "GET", at, "")
	// With alternative names the common name does not count.
	s.tcp(ca.client("trick", &x509.Certificate{Subject: pkix.Name{CommonName: "alertmanager.example"}, DNSNames: []string{"somebody.example"}}))
	s.refused(api.PolicyDenied, "GET", at, "")

	s.tcp(ca.client("bot", &x509.Certificate{DNSNames: []string{"alertmanager.example"}}))
	p := get[api.Process](s, at)
	assert.Equal(t, "applied", s.act("POST", "/v1/processes/"+p.Ref+"/kill", "").Outcome)
	assert.Equal(t, "alertmanager.example", s.entries()[0].Caller.Subject)
	assert.Equal(t, "applied", s.entries()[1].Outcome)
	req, err := http.NewRequest("GET", s.url+at, nil)
	require.NoError(t, err)
	resp, err := s.client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "HTTP/2.0", resp.Proto)
}
