// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRedact(t *testing.T) {
	for argument, want := range map[string]string{
		// What has no secret stays as it is.
		"":                   "",
		"/usr/sbin/sshd":     "/usr/sbin/sshd",
		"sshd: alice [priv]": "sshd: alice [priv]",
		"-bash":              "-bash",
		"postgres: app auth_db 10.0.0.1(54) idle":   "postgres: app auth_db 10.0.0.1(54) idle",
		"nginx: worker process":                     "nginx: worker process",
		"/opt/Google Chrome/chrome --type=renderer": "/opt/Google Chrome/chrome --type=renderer",
		"java -Xmx=4g -cp a:b":                      "java -Xmx=4g -cp a:b",
		"curl https://example.org/a@b?c=d@e":        "curl https://example.org/a@b?c=d@e",
		"größe=ä":                                   "größe=ä",

		// Options and variables by their names.
		"app --password=hunter2":                                 "app --password=***",
		"app --db-password=hunter2 --port=1":                     "app --db-password=*** --port=1",
		"app -password=hunter2":                                  "app -password=***",
		"java -Dspring.datasource.password=x -jar y":             "java -Dspring.datasource.password=*** -jar y",
		"PGPASSWORD=hunter2 psql":                                "PGPASSWORD=*** psql",
		"MYSQL_PWD=a;b&c":                                        "MYSQL_PWD=***",
		"app --Secret-Key='a b' next":                            "app --Secret-Key=*** next",
		`app --passphrase="a b" next`:                            `app --passphrase=*** next`,
		`app --passphrase="a b`:                                  `app --passphrase=***`,
		"API_KEY=1 apikey=2 api-key=3 ACCESSKEY=4 private-key=5": "API_KEY=*** apikey=*** api-key=*** ACCESSKEY=*** private-key=***",
		"credentials=1 bearer=2 session_id=3 cookie=4 dsn=5":     "credentials=*** bearer=*** session_id=*** cookie=*** dsn=***",
		"connection-string=Server=x;Uid=y constr=1 conn_str=2":   "connection-string=*** constr=1 conn_str=***",
		"app --token abc --verbose":                              "app --token *** --verbose",
		"app --auth --port 1":                                    "app --auth --port 1",
		`app --password "a b" --x`:                               `app --password *** --x`,
		"app --passwd\tabc":                                      "app --passwd\t***",
		"app --password":                                         "app --password",
		"app -H Authorization: Basic abc= x":                     "app -H Authorization: *** x",
		`app -H "authorization:abc"`:                             `app -H "authorization:***`,

		// URLs.
		"psql postgres://app:hunter2@db:5432/x":  "psql postgres://***@db:5432/x",
		"postgres://app:p@ss@db/x":               "postgres://***@db/x",
		"git clone https://ghtoken@github.com/x": "git clone https://***@github.com/x",
		"a redis://:pw@h b amqp+ssl://u:p@h/v":   "a redis://***@h b amqp+ssl://***@h/v",
		"http://h/?token=abc&x=1 next":           "http://h/?token=*** next",

		// Shapes.
		"app eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_ x": "app *** x",
		"app eyJhbGciOiJIUzI1NiJ9":                          "app ***",
		"AKIAIOSFODNN7EXAMPLE":                              "***",
		"XAKIAIOSFODNN7EXAMPLE":                             "XAKIAIOSFODNN7EXAMPLE",
		"ghp_16C7e42F292c6912E7 gho_a github_pat_11A_b":     "*** *** ***",
		"xoxb-123-abc xoxp-1":                               "*** ***",
		"a -----BEGIN RSA PRIVATE KEY----- MII+/= -----END RSA PRIVATE KEY----- b": "a *** b",
		"a -----BEGIN PRIVATE KEY-----\nMII\n":                                     "a ***",
	} {
		got := redact(argument)
		assert.Equal(t, want, got)
		assert.Equal(t, want, redact(got), "twice")
	}
}

// TestRedactCuts: what is too long ends after a whole word, so that no piece
// of a secret is left that is not known as one.
func TestRedactCuts(t *testing.T) {
	word := strings.Repeat("x", maxCommand-5)
	assert.Equal(t, word+" abcd", redact(word+" abcd"))
	assert.Equal(t, word+" abcd", redact(word+" abcd efgh"))
	assert.Equal(t, word, redact(word+" abcde"))
	assert.Equal(t, word, redact(word+" ftp://u:p@h"))
	assert.Empty(t, redact(word+word))
	assert.Equal(t, word+" ä", redact(word+" ä ä"))
}
