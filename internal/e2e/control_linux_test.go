// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostscopectl runs the client and answers its exit code, and what it printed
// in JSON.
func hostscopectl(t *testing.T, socket string, args ...string) (int, map[string]any) {
	t.Helper()
	cmd := exec.Command(filepath.Join(top, "bin", "hostscopectl"), append([]string{"--endpoint", "unix://" + socket, "--json"}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		require.NoError(t, err)
	} else if ok {
		assert.NotEqual(t, 1, exit.ExitCode(), "%s", errs.String())
	}
	var answer map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &answer), "%s%s", out.String(), errs.String())
	return cmd.ProcessState.ExitCode(), answer
}

// From a metric to the process that it is about: the token of its resource
// names that process, and no later one.
func TestProcessControl(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	sleep, err := exec.LookPath("sleep")
	require.NoError(t, err)
	image, err := os.ReadFile(sleep)
	require.NoError(t, err)
	worker := filepath.Join(dir, "worker")
	require.NoError(t, os.WriteFile(worker, image, 0o755))

	// The example's policy, for the user and the program of the test.
	user := strconv.Itoa(os.Getuid())
	var as *syscall.SysProcAttr
	if os.Getuid() == 0 {
		user = "4711"
		as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4711, Gid: 4711}}
		require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // of this test; the next one up is not
	}
	policy, err := os.ReadFile(filepath.Join(top, "examples", "process-control.policy.yaml"))
	require.NoError(t, err)
	text := strings.NewReplacer("user: [app]", `user: ["`+user+`"]`, "unix_uid: [0]", fmt.Sprintf("unix_uid: [%d]", os.Getuid()), "min_age: 5s", "min_age: 0s").Replace(string(policy))
	policyFile := filepath.Join(dir, "policy.yaml")
	require.NoError(t, os.WriteFile(policyFile, []byte(text), 0o600))
	require.NoError(t, exec.Command(filepath.Join(top, "bin", "hostscopectl"), "policy", "check", policyFile).Run())

	cmd := exec.Command(worker, "1000")
	cmd.SysProcAttr = as
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	socket, audit, address := filepath.Join(dir, "control.sock"), filepath.Join(dir, "audit.jsonl"), freeAddress(t)
	c := newCollector(t, "examples/quickstart.yaml", "examples/process-control.yaml", "yaml:extensions::process_control::endpoint: "+socket,
		"yaml:extensions::process_control::policy_file: "+policyFile, "yaml:extensions::process_control::audit::file: "+audit,
		"yaml:exporters::prometheus::endpoint: "+address, "yaml:receivers::hostscope::collection_interval: 1s").start(t)

	token := ""
	waitFor(t, "a metric of the worker", func() bool {
		resp, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		var body bytes.Buffer
		_, err = body.ReadFrom(resp.Body)
		require.NoError(t, err)
		for line := range strings.Lines(body.String()) {
			if strings.Contains(line, `process_pid="`+strconv.Itoa(cmd.Process.Pid)+`"`) {
				_, rest, ok := strings.Cut(line, `process_unix_identity="`)
				require.True(t, ok, line)
				token, _, _ = strings.Cut(rest, `"`)
			}
		}
		return token != ""
	})

	code, answer := hostscopectl(t, socket, "get", token)
	assert.Zero(t, code)
	assert.Equal(t, worker, answer["exe"])
	ref := answer["ref"].(string)
	for _, c := range []struct {
		ref, kind string
	}{
		{"pid:1@" + "2026-01-02T03:04:05Z", "no-such-process"},
		{"self", "protected-process"},
		{strconv.Itoa(cmd.Process.Pid), "identity-required"},
	} {
		code, answer = hostscopectl(t, socket, "kill", c.ref)
		assert.NotZero(t, code)
		assert.Equal(t, "urn:hostscope:problem:"+c.kind, answer["type"])
	}
	// The token of the first process, whether or not it may be looked at.
	stat, err := os.ReadFile("/proc/1/stat")
	require.NoError(t, err)
	start := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')'):]))[20]
	boot := strings.SplitN(token, ".", 3)[1]
	code, answer = hostscopectl(t, socket, "kill", "lx1."+boot+".1."+start)
	assert.Equal(t, 5, code)
	assert.Equal(t, "it is the first process", answer["detail"])

	code, answer = hostscopectl(t, socket, "terminate", token, "--kill", "--reason", "it leaks")
	assert.Zero(t, code)
	assert.Equal(t, "applied", answer["outcome"])
	assert.Contains(t, []any{"exact", "verified", "checked"}, answer["guarantee"])
	assert.Equal(t, "tune", answer["rule"])
	_ = cmd.Wait()
	for _, ref := range []string{token, ref} {
		code, answer = hostscopectl(t, socket, "terminate", ref)
		assert.Equal(t, 3, code)
		assert.Contains(t, []any{"exited", "pid_reused"}, answer["reason"])
	}

	lines, err := os.ReadFile(audit)
	require.NoError(t, err)
	for _, want := range []string{`"event":"refused"`, "it is the first process", "it is the collector", `"event":"intent"`, "it leaks", `"outcome":"applied"`} {
		assert.Contains(t, string(lines), want)
	}
	c.interrupt(t)
	assert.NoFileExists(t, socket)
}
