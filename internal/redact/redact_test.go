// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package redact

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hostscope/hostscope/platform"
)

// Command lines with a blank between two arguments; one that has blanks itself
// stands in backquotes. In leaks.txt each is followed by what is to come out,
// after "> ". What is in harmless.txt is to come out as it is.
var (
	//go:embed testdata/leaks.txt
	leaks string
	//go:embed testdata/harmless.txt
	harmless string
)

// theSecret is in each of leaks.txt, whole or as a base64 of its beginning.
var theSecret = []string{"hunter2", "hun", "ter2", "aHVu", "IyIn0"}

// argv splits a line of the tables.
func argv(line string) []string {
	var args []string
	for i, part := range strings.Split(line, "`") {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	return args
}

func TestArgvOfTables(t *testing.T) {
	assert.Equal(t, []string{"sh", "-c", "a  b", "c"}, argv("sh -c `a  b` c"))
}

func TestRedactArgs(t *testing.T) {
	var r Redactor
	lines := strings.Split(strings.TrimSpace(leaks), "\n")
	require.GreaterOrEqual(t, len(lines), 2*60)
	for i := 0; i < len(lines); i += 2 {
		want, ok := strings.CutPrefix(lines[i+1], "> ")
		require.True(t, ok, lines[i+1])
		require.True(t, slices.ContainsFunc(theSecret, func(s string) bool { return strings.Contains(lines[i], s) }), lines[i])
		for _, part := range theSecret {
			assert.NotContains(t, want, part)
		}
		in := argv(lines[i])
		before := slices.Clone(in)
		got := r.Args(in)
		assert.Equal(t, argv(want), got, lines[i])
		assert.Equal(t, got, r.Args(got), "twice")
		assert.Equal(t, before, in, "the arguments of the host are not touched")
	}
}

func TestRedactArgsUnharmed(t *testing.T) {
	var r Redactor
	lines := strings.Split(strings.TrimSpace(harmless), "\n")
	require.GreaterOrEqual(t, len(lines), 60)
	for _, line := range lines {
		assert.Equal(t, argv(line), r.Args(argv(line)), line)
	}
	assert.Equal(t, []string{}, r.Args(nil))
	assert.Equal(t, []string{"", "", "--password", ""}, r.Args([]string{"", "", "--password", ""}))
	assert.Equal(t, []string{"", "--password", "", "x"}, r.Args([]string{"", "--password", "", "x"}))
}

// TestRedactCommand: a first argument is a path, or a title that may hold a
// whole command line.
func TestRedactCommand(t *testing.T) {
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
		" two  blanks\tand a tab ":                  " two  blanks\tand a tab ",

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
		`app --passphrase "a b`:                                  `app --passphrase ***`,
		"API_KEY=1 apikey=2 api-key=3 ACCESSKEY=4 private-key=5": "API_KEY=*** apikey=*** api-key=*** ACCESSKEY=*** private-key=***",
		"credentials=1 bearer=2 session_id=3 cookie=4 dsn=5":     "credentials=*** bearer=*** session_id=*** cookie=*** dsn=***",
		"connection-string=Server=x;Uid=y constr=1 conn_str=2":   "connection-string=*** constr=1 conn_str=***",
		"app --token abc --verbose":                              "app --token *** --verbose",
		"app --auth --port 1":                                    "app --auth --port 1",
		`app --password "a b" --x`:                               `app --password *** --x`,
		"app --passwd\tabc":                                      "app --passwd\t***",
		"app --password":                                         "app --password",
		"app --password - x":                                     "app --password - x",
		"app -H Authorization: Basic abc= x":                     "app -H Authorization: Basic *** x",
		`app -H "authorization:abc"`:                             `app -H "authorization:***"`,
		`app -H "authorization: a b" x`:                          `app -H "authorization: ***" x`,
		"authorization=Bearer abc x":                             "authorization=Bearer *** x",
		`app {"auth":"x y","auths":{"a":"b"},"password":null}`:   `app {"auth":"***","auths":{"a":"b"},"password":***`,
		`app {\"password\":\"x\",\"a\":\"b\"}`:                   `app {\"password\":\"***\",\"a\":\"b\"}`,
		"app user[password]=x":                                   "app user[password]=***",
		"app password := x":                                      "app password := ***",
		"app Bearer abc":                                         "app Bearer ***",

		// URLs.
		"psql postgres://app:hunter2@db:5432/x":  "psql postgres://***@db:5432/x",
		"postgres://app:p@ss@db/x":               "postgres://***@db/x",
		"postgres://app:p/s?s@db/x":              "postgres://***@db/x",
		"git clone https://ghtoken@github.com/x": "git clone https://***@github.com/x",
		"a redis://:pw@h b amqp+ssl://u:p@h/v":   "a redis://***@h b amqp+ssl://***@h/v",
		"amqp://u:p@a//,amqp://u:q@b//":          "amqp://***@a//,amqp://***@b//",
		"http://h/?token=abc&x=1 next":           "http://h/?token=*** next",
		"http://h:8080/a@b http://[::1]:80/a@b":  "http://h:8080/a@b http://[::1]:80/a@b",

		// Shapes.
		"app eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_ x":                        "app *** x",
		"app eyJhbGciOiJIUzI1NiJ9":                                                 "app ***",
		"AKIAIOSFODNN7EXAMPLE":                                                     "***",
		"XAKIAIOSFODNN7EXAMPLE AKIAIOSFODNN7EXAMPLES":                              "XAKIAIOSFODNN7EXAMPLE AKIAIOSFODNN7EXAMPLES",
		"ghp_16C7e42F292c6912E7 gho_a github_pat_11A_b":                            "*** *** ***",
		"glpat-a_b-c hvs.CAESIJ12 sk_live_12345678":                                "*** *** ***",
		"xoxb-123-abc xoxp-1":                                                      "*** ***",
		"a -----BEGIN RSA PRIVATE KEY----- MII+/= -----END RSA PRIVATE KEY----- b": "a *** b",
		"a -----BEGIN PRIVATE KEY-----\nMII\n":                                     "a ***",
	} {
		var r Redactor
		got := r.Command(argument)
		assert.Equal(t, want, got, argument)
		assert.Equal(t, want, r.Command(got), "twice")
	}
}

func TestRedactValue(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"PATH", "/usr/bin:/bin", "/usr/bin:/bin"},
		{"LANG", "de_DE.UTF-8", "de_DE.UTF-8"},
		{"LS_COLORS", "rs=0:di=01;34:*.tar=01;31", "rs=0:di=01;34:*.tar=01;31"},
		{"PWD", "/home/alice", "/home/alice"},
		{"OLDPWD", "/", "/"},
		{"PWD", "hunter2", "***"},
		{"DB_PWD", "/home/alice", "***"},
		{"SSH_AUTH_SOCK", "/run/user/1000/ssh", "/run/user/1000/ssh"},
		{"XAUTHORITY", "/run/user/1000/x", "/run/user/1000/x"},
		{"XDG_SESSION_TYPE", "tty", "tty"},
		{"XDG_SESSION_ID", "3", "***"}, // not all that is hidden is a secret
		{"GOOGLE_APPLICATION_CREDENTIALS", "/etc/gcp.json", "/etc/gcp.json"},
		{"POSTGRES_PASSWORD_FILE", "/run/secrets/db", "/run/secrets/db"},
		{"POSTGRES_PASSWORD_FILE", "hunter2", "***"},
		{"POSTGRES_PASSWORD", "hunter2", "***"},
		{"POSTGRES_PASSWORD", "/hunter2", "***"},
		{"PGPASSFILE", "/home/a/.pgpass", "/home/a/.pgpass"},
		{"ALLOW_EMPTY_PASSWORD", "yes", "yes"},
		{"AWS_ACCESS_KEY_ID", "AKIA", "***"},
		{"api.key", "hunter2", "***"},
		{"ApiKey", "hunter2", "***"},
		{"GRAFANA_SA_TOKEN", "hunter2", "***"},
		{"SESSION_TIMEOUT", "30", "30"},
		{"TOKEN_URL", "https://u:hunter2@h/t?client_secret=hunter2", "https://***@h/t?client_secret=***"},
		{"TOKEN_URL", "hunter2", "***"},
		{"DATABASE_URL", "postgres://app:hunter2@db/x", "postgres://***@db/x"},
		{"JAVA_OPTS", "-Xmx1g -Dx.password=hunter2 -Dy=1", "-Xmx1g -Dx.password=*** -Dy=1"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer hunter2", "authorization=***"},
		{"NOTES", "ghp_16C7e42F292c6912E7", "***"},
		{"AUTHOR", "alice", "alice"},
		{"PASSWORD", "", ""},
		{strings.Repeat("x", 500) + "_PASSWORD", "hunter2", "***"},
	} {
		want := tt.want
		if tt.value == "" {
			want = ""
		}
		var r Redactor
		assert.Equal(t, want, r.Value(tt.name, tt.value), tt.name+"="+tt.value)
	}
}

// TestNames: the names whose values are hidden, beyond those of the tables,
// and those that only look like one.
func TestNames(t *testing.T) {
	for _, name := range []string{
		"pass", "passwd", "PASSPHRASE", "passcode", "pwd", "secret", "client-secret", "token", "refresh.token", "auth", "oauth",
		"authorization", "Proxy-Authorization", "authorisation", "authentication", "credential", "bearer", "session", "cookie",
		"dsn", "connection_string", "conn-str", "api-key", "api_key", "apikey", "access-key", "private_key", "AccountKey",
		"sig", "db-pw", "psk", "author-token", "tokenizer_token", "compass_password",
	} {
		assert.True(t, nameIsSecret(name), name)
		assert.True(t, isSecret(name, "hunter2"), name)
	}
	for _, name := range []string{
		"", "author", "authors", "authority", "compass", "bypass", "passive", "passenger", "passthrough", "passes", "passport",
		"tokenizer", "tokenise", "secretary", "key", "user", "signal", "pwm", "keystore", "cloud-snapshot", "swpwn",
	} {
		assert.False(t, nameIsSecret(name), name)
	}
	for _, name := range []string{
		"auth-mode", "authMechanism", "authSource", "password-min-length", "token-ttl", "session_timeout", "cookie-policy",
		"credential-provider", "secret.store", "password-stdin",
	} {
		assert.False(t, isSecret(name, "hunter2"), name)
	}
}

// TestRedactBounds: what is too long ends after a whole word, so that no piece
// of a secret is left that is not known as one.
func TestRedactBounds(t *testing.T) {
	var r Redactor
	word := strings.Repeat("x", platform.MaxArgument-20)
	for in, want := range map[string]string{
		" 345678 1234567890 x"[:19]:    " 345678 1234567890 ", // one byte less than the bound
		" 3456789 12345678901":         " 3456789",            // perhaps cut off
		" 345678 1234567890 ":          " 345678 1234567890",
		" 3456789 123456789 123456789": " 3456789 123456789",
		" 345678 abc,defghijklmn":      " 345678 abc",
		" ftp://u:hunter2@example.org": " ftp://", // no @ in sight
		" ftp://u:hunter2&x/y@example": " ftp://",
		" --password=hunter2,hunter2":  " --password=***",
		strings.Repeat("y", 20):        "\x00",
		"ääääääääääääääääääää":         "\x00",
	} {
		in, want = word+in, word+want
		if strings.HasSuffix(want, "\x00") {
			want = redacted // no word ends
		}
		// Not assert.Equal, which would print all of it.
		got := r.Command(in)
		assert.True(t, want == got, "%q became %q", in[len(word):], got[min(len(got), len(word)):])
		got = r.Args([]string{"x", in})[1]
		assert.True(t, want == got, "%q became %q", in[len(word):], got[min(len(got), len(word)):])
	}

	// What was cut off before it was made valid UTF-8, which can make it
	// shorter than the bound or longer.
	for _, tt := range []struct {
		bytes      int
		in, want   string
		from, upTo int // how long it is then
	}{
		{platform.MaxArgument, "\xff\xff\xff\xff\xff\xff\xff\xff x postgres://user:hunter2@db", "\uFFFD x postgres://", 0, platform.MaxArgument - 1},
		{platform.MaxArgument, strings.Repeat("\xe4\xf6\xfc\xdf\xe4\xf6\xfc\xdf ", 200) + "postgres://user:hunter2@db", strings.Repeat("\uFFFD ", 200) + "postgres://", 0, 3200},
		{platform.MaxArgument, strings.Repeat("\xff", 3300) + " pw u:hunter2@db", "\uFFFD pw u", 0, 1000},
		{platform.MaxArgument, "a\xff b\xff x postgres://user:hunter2@db", "a\uFFFD b\uFFFD x postgres:/", platform.MaxArgument, 2 * platform.MaxArgument},
	} {
		cut := len("er2@db") // where the platform cuts
		pad := strings.Repeat("x", tt.bytes-len(tt.in)+cut)
		raw := pad + " " + tt.in
		arg := strings.ToValidUTF8(raw[:len(raw)-cut-1], "\uFFFD")
		require.True(t, tt.from <= len(arg) && len(arg) <= tt.upTo, len(arg))
		want := pad + " " + tt.want
		for _, got := range []string{r.Command(arg), r.Args([]string{"x", arg})[1], r.Value("X", arg)} {
			assert.True(t, want == got, "%q became %q", arg[len(pad):], got[min(len(got), len(pad)):])
		}
	}
	// What is short was not cut off.
	assert.Equal(t, "caf\uFFFD x/y", r.Command("caf\uFFFD x/y"))
	long := strings.Repeat("x", platform.MaxArgument-20) + " a/b"
	assert.True(t, long == r.Command(long))

	many := make([]string, platform.MaxArguments+10)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	assert.Equal(t, many[:platform.MaxArguments], r.Args(many))

	// What is hidden may be longer than what was there.
	short := strings.Repeat("pw=1,\u00e4 ", 500)
	got := r.Command(short)
	assert.LessOrEqual(t, len(got), platform.MaxArgument)
	assert.True(t, utf8.ValidString(got))
	assert.Equal(t, strings.Repeat("pw=*** ", 500), got)
	got = r.Command(strings.Repeat("pw=1 ", 800))
	assert.Equal(t, strings.Repeat("pw=*** ", 800)[:platform.MaxArgument], got)

	// However deep quotations lie in each other.
	deep := "--password hunter2"
	for i := range 40 {
		mark := `'"`[i%2 : i%2+1]
		deep = "a " + mark + deep + mark
	}
	assert.NotContains(t, r.Command(deep), "hunter2")
}

func TestPatterns(t *testing.T) {
	r, err := New([]string{`\d{4}-\d{4}`, `^--pin=.*`, `(?i)acme`})
	require.NoError(t, err)
	assert.Equal(t, []string{"app", "--card", "***", "***", "--x=***-***", "--token", "***"},
		r.Args([]string{"app", "--card", "1234-5678", "--pin=1", "--x=ACME-acme", "--token", "hunter2"}))
	assert.Equal(t, "***: 1 ***", r.Command("acme: 1 0000-1111"))
	assert.Equal(t, "my ***", r.Value("NAME", "my Acme"))

	// A pattern cannot take away the name by which a secret is known.
	r, err = New([]string{`--password`, `x{1000}`})
	require.NoError(t, err)
	assert.Equal(t, []string{"app", "***", "***"}, r.Args([]string{"app", "--password", "hunter2"}))
	assert.Len(t, r.Command(strings.Repeat("a ", 2000)), 4000)
}

// FuzzRedact: whatever a process shows, redacting does not fail, keeps to the
// bounds, and a secret after a name that tells it does not survive.
func FuzzRedact(f *testing.F) {
	for _, table := range []string{leaks, harmless} {
		for line := range strings.Lines(table) {
			f.Add(strings.Join(argv(strings.TrimPrefix(line, "> ")), "\x00"))
		}
	}
	f.Fuzz(func(t *testing.T, block string) {
		var r Redactor
		args := strings.Split(strings.ToValidUTF8(block, "\uFFFD"), "\x00")
		const secret = "Zq7hunter2"
		if strings.Contains(block, secret) {
			return
		}
		title := strings.NewReplacer(`"`, "", "'", "").Replace(args[0])
		for _, planted := range [][]string{
			{"--password", secret}, {"--token=" + secret}, {"-api-key", secret}, {"-Dx.secret=" + secret},
			{"PGPASSWORD=" + secret}, {"https://u:" + secret + "@h/x"}, {"Authorization: Bearer " + secret},
		} {
			got := r.Args(slices.Concat(args, planted))
			require.LessOrEqual(t, len(got), platform.MaxArguments)
			for _, arg := range got {
				require.LessOrEqual(t, len(arg), platform.MaxArgument)
				require.True(t, utf8.ValidString(arg))
				require.NotContains(t, arg, secret, "%q", planted)
			}
			text := r.Command(title + " " + strings.Join(planted, " ") + " " + args[len(args)-1])
			require.LessOrEqual(t, len(text), platform.MaxArgument)
			require.NotContains(t, text, secret)
			value := r.Value("X", args[0]+" "+strings.Join(planted, " "))
			require.LessOrEqual(t, len(value), platform.MaxArgument)
		}
		require.Equal(t, redacted, r.Value(args[0]+"_TOKEN", secret))
	})
}

// BenchmarkRedactArgs is what the first sight of a process costs.
func BenchmarkRedactArgs(b *testing.B) {
	var r Redactor
	args := argv(`/usr/lib/jvm/bin/java -Xms1g -Xmx4g -XX:+UseG1GC -Dfile.encoding=UTF-8 -Djava.security.egd=file:/dev/urandom ` +
		`-Dspring.profiles.active=prod -Dspring.datasource.url=jdbc:postgresql://db:5432/shop -Dspring.datasource.password=hunter2 ` +
		`-cp /opt/app/lib/a.jar:/opt/app/lib/b.jar:/opt/app/lib/c.jar org.example.Main --server.port=8080 --logging.level.root=info`)
	b.ReportAllocs()
	for b.Loop() {
		r.Args(args)
	}
}
