// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Hostscopectl is the client of the extension process_control.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
)

// Exit codes. 124 is that of timeout(1).
const (
	exitFailure       = 1
	exitUsage         = 2
	exitNoSuchProcess = 3
	exitAccessDenied  = 4
	exitPolicy        = 5
	exitIndeterminate = 6
	exitTimeout       = 124
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs a command and answers its exit code.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if !errors.Is(err, errTold) {
		fmt.Fprintln(errs, "hostscopectl:", message(err))
	}
	return exitCode(err)
}

// message is what an error says, line by line. It can have names of processes in
// it.
func message(err error) string {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // the address is of no interest
	}
	var b strings.Builder
	for text := range strings.SplitAfterSeq(err.Error(), "\n") {
		line, end := strings.CutSuffix(text, "\n")
		cells := strings.Split(line, "\t")
		for i := range cells {
			cells[i] = clean(cells[i])
		}
		b.WriteString(strings.Join(cells, "\t"))
		if end {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// errTold is an error that the output has told of.
var errTold = errors.New("told")

// usage is a command line that makes no sense.
type usage struct{ error }

func exitCode(err error) int {
	if _, ok := errors.AsType[usage](err); ok || strings.HasPrefix(err.Error(), "unknown command ") { // cobra has no type for it
		return exitUsage
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return exitTimeout
	}
	p, ok := errors.AsType[*api.Problem](err)
	switch {
	case errors.Is(err, fs.ErrPermission): // to connect, say
		return exitAccessDenied
	case !ok:
		return exitFailure
	}
	switch p.Kind() {
	case api.NoSuchProcess, api.ZombieProcess:
		return exitNoSuchProcess
	case api.AccessDenied, api.Unauthenticated:
		return exitAccessDenied
	case api.PolicyDenied, api.ProtectedProcess, api.ActionsDisabled, api.PreconditionFailed:
		return exitPolicy
	case api.OutcomeIndeterminate:
		return exitIndeterminate
	case api.TimeoutExpired:
		return exitTimeout
	case api.InvalidRequest, api.IdentityRequired, api.InvalidArgument:
		return exitUsage
	}
	return exitFailure
}

// options are what every command takes.
type options struct {
	endpoint                    string
	token, ca, certificate, key string
	timeout                     time.Duration
	json, dryRun                bool
	reason                      string
}

func newRoot() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:   "hostscopectl",
		Short: "Look at processes and act on exactly those that are meant",
		Long: `Look at processes and act on exactly those that are meant, by the extension
process_control of an OpenTelemetry Collector.

A process is named by REF: its token, which is the resource attribute
process.unix.identity of its metrics and the column REF of ps, or
pid:<PID>@<creation time>, or self for the collector. To look, its PID will do.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such process, 4 access denied,
5 denied by policy, 6 the outcome is not known (do not retry), 124 timeout.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	endpoint := os.Getenv("HOSTSCOPE_ENDPOINT")
	if endpoint == "" {
		endpoint = "unix://" + api.Socket
	}
	f := root.PersistentFlags()
	f.StringVar(&o.endpoint, "endpoint", endpoint, "where the extension listens: unix:///path, http://… or https://… ($HOSTSCOPE_ENDPOINT)")
	f.StringVar(&o.token, "token-file", "", "file with the bearer token to authenticate with")
	f.StringVar(&o.ca, "ca-file", "", "file with the certificates to trust, in place of the system's")
	f.StringVar(&o.certificate, "cert-file", "", "file with the certificate to authenticate with")
	f.StringVar(&o.key, "key-file", "", "file with its key")
	f.DurationVar(&o.timeout, "request-timeout", 30*time.Second, "how long to wait for an answer, beyond what the command itself waits for")
	f.BoolVar(&o.json, "json", false, "print the answer as it comes, in JSON")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage{err} })
	root.AddGroup(&cobra.Group{ID: "look", Title: "To look:"}, &cobra.Group{ID: "act", Title: "To act:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("look", o.ps(), o.get(), o.tree(), o.show("fds", "fds", "List the file descriptors of a process"), o.connections(), o.maps(), o.environ(), o.wait(), o.capabilities())
	add("act", o.signal(), o.simple("suspend", "Stop a process until it is resumed"), o.simple("resume", "Let a process that was stopped go on"),
		o.terminate(), o.simple("kill", "End a process"), o.nice(), o.affinity(), o.rlimit())
	root.AddCommand(policyCommand())
	return root
}

// args holds a command to its number of arguments.
func args(positional cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := positional(cmd, args); err != nil {
			return usage{err}
		}
		return nil
	}
}
