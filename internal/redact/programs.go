// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package redact

import "strings"

// program is how one takes its secrets, where names do not tell.
type program struct {
	// letters are options of one letter and how much of their value is a
	// secret; see [want.hide].
	letters map[byte]byte
	flags   string // letters without a value that may stand before those
	glued   bool   // the value stands in the same argument or nowhere
	exact   bool   // it never does
	batch   bool   // htpasswd: -b makes the password an argument

	long   map[string]byte // likewise options that are words
	words  map[string]want // what follows a word
	first  want            // what follows the program
	prefix string          // of an argument that is a secret
	user   bool            // it takes URLs without a scheme
}

// next is a secret, nextWord is one unless it is an option.
var (
	next     = want{hide: '*'}
	nextWord = want{hide: '*', bare: true}
)

// echo shows a secret where its output goes to a program that reads one.
var echo = &program{first: want{hide: '*', bare: true, rest: true}}

// login is the subcommand of docker, podman, helm, az, oc and many others.
var login = &program{letters: letters("p*")}

// ldapFlags are of all tools of OpenLDAP.
const ldapFlags = "AcCILMnNQStuvVWxZ"

var programs = map[string]*program{}

func init() {
	for names, p := range map[string]*program{
		"echo printf": echo,
		"login":       login,
		"curl": {letters: letters("u:U:E:b=x@"), user: true, flags: "#0123456afgGiIjJklLnNOpqRsSvZ",
			long: map[string]byte{"--user": ':', "--proxy-user": ':', "--cert": ':', "--proxy-cert": ':', "--cookie": '='}},
		"http https xh httpie": {letters: letters("a:")},
		"lftp":                 {letters: letters("u,")},
		// -p with nothing behind it asks for the password.
		"mysql mysqldump mysqlimport mysqlshow mysqlcheck mysqlslap mysqlbinlog mysqlpump mytop " +
			"mariadb mariadb-dump mariadb-import mariadb-show mariadb-check mariadb-binlog mariabackup xtrabackup": {
			letters: letters("p*"), glued: true, words: map[string]want{"by": next, "password": next}},
		"mysqladmin mariadb-admin": {letters: letters("p*"), glued: true, words: map[string]want{"password": nextWord}},
		"mysqlsh":                  {letters: letters("p*"), glued: true, long: map[string]byte{"--uri": ':'}},
		"psql":                     {words: map[string]want{"password": next}},
		"mongo mongosh mongodump mongorestore mongoexport mongoimport mongostat mongotop mongofiles": {letters: letters("p*")},
		"redis-cli valkey-cli":            {letters: letters("a*"), words: map[string]want{"auth": nextWord}},
		"sqlplus rman expdp impdp sqlldr": {first: want{hide: '/', bare: true}},
		"sqlcmd bcp tsql osql":            {letters: letters("P*")},
		"cqlsh":                           {letters: letters("p*")},
		"sshpass":                         {letters: letters("p*")},
		"ssh scp sftp rsync":              {}, // whose -p is another one
		"ssh-keygen":                      {letters: letters("N*P*")},
		"smbclient smbget rpcclient net":  {letters: letters("U%")},
		"ldapsearch ldapadd ldapmodify ldapdelete ldapcompare ldapmodrdn ldapwhoami": {letters: letters("w*"), flags: ldapFlags},
		"ldappasswd": {letters: letters("w*s*a*"), flags: ldapFlags},
		"etcdctl":    {long: map[string]byte{"--user": ':'}},
		"pppd":       {words: map[string]want{"password": next}},
		"psexec.py smbexec.py wmiexec.py atexec.py dcomexec.py mssqlclient.py smbclient.py rpcdump.py lookupsid.py samrdump.py reg.py " +
			"services.py secretsdump.py getTGT.py getST.py GetADUsers.py GetNPUsers.py GetUserSPNs.py " +
			"impacket-psexec impacket-smbexec impacket-wmiexec impacket-atexec impacket-dcomexec impacket-mssqlclient impacket-smbclient " +
			"impacket-rpcdump impacket-lookupsid impacket-samrdump impacket-reg impacket-services impacket-secretsdump impacket-getTGT " +
			"impacket-getST impacket-GetADUsers impacket-GetNPUsers impacket-GetUserSPNs": {first: want{hide: ':', bare: true, rest: true}},
		"rabbitmqctl": {words: map[string]want{
			"add_user":          {hide: '*', skip: 1, bare: true},
			"change_password":   {hide: '*', skip: 1, bare: true},
			"authenticate_user": {hide: '*', skip: 1, bare: true},
		}},
		"rabbitmqadmin smbmap twine rdesktop useradd usermod": {letters: letters("p*")},
		"xfreerdp xfreerdp3 wlfreerdp":                        {prefix: "/p:"},
		"vault bao": {words: map[string]want{
			"login": {hide: '*', bare: true, alone: true}, "put": {assign: true}, "patch": {assign: true}}},
		"kubectl":        {words: map[string]want{"generic": {assign: true}}}, // create secret generic
		"nmcli wpa_cli":  {words: map[string]want{"password": next, "psk": next}},
		"wpa_passphrase": {first: want{hide: '*', skip: 1, bare: true}},
		"isql":           {first: want{hide: '*', skip: 2, bare: true}},
		"mc mcli":        {words: map[string]want{"set": {hide: '*', skip: 2, bare: true, rest: true}}}, // alias set
		"mosquitto_pub mosquitto_sub mosquitto_rr ipmitool": {letters: letters("P*")},
		"zip unzip zipcloak": {letters: letters("P*"), flags: "0123456789AaBbCcDdEeFfGgHhIiJjKkLlMmNnOopQqRrSsTtUuVvWwXxYyZz@:^"},
		"7z 7za 7zr":         {letters: letters("p*"), glued: true},
		"rar unrar":          {letters: letters("p*"), flags: "h", glued: true},
		"snmpget snmpgetnext snmpwalk snmpbulkwalk snmpset snmptable": {letters: letters("c*A*X*")},
		"openssl":  {letters: letters("k*K*"), exact: true, words: map[string]want{"passwd": {hide: '*', bare: true, rest: true}}},
		"mkpasswd": {first: nextWord},
		"htpasswd": {batch: true},
		"expect":   {words: map[string]want{"send": {hide: '*', bare: true}}},
		"ngrok":    {words: map[string]want{"authtoken": next, "add-authtoken": next}},
	} {
		for _, name := range strings.Fields(names) {
			programs[name] = p
		}
	}
}

// letters reads pairs of a letter and how much of its value is a secret.
func letters(pairs string) map[byte]byte {
	m := map[byte]byte{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// programOf gives the program that a word is the path of, if it is known.
func programOf(w string) *program {
	return programs[strings.TrimLeft(w[strings.LastIndexAny(w, "/=")+1:], "`$(;|&{\"'")]
}
