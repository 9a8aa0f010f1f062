// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e_test runs the distribution as its users do, and compares what
// arrives at a backend with what the test knows of the host and of a process
// that it started.
package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// roleEnv names the role that a copy of this test binary plays instead of
// running the tests.
const roleEnv = "HOSTSCOPE_E2E_ROLE"

var roles = map[string]func(){}

// The top of the repository, and the distribution that was built in it.
var top, distribution string

func TestMain(m *testing.M) {
	if play, ok := roles[os.Getenv(roleEnv)]; ok {
		play()
		return
	}
	var err error
	if top, err = filepath.Abs("../.."); err == nil {
		distribution = filepath.Join(top, "bin", "otelcol-hostscope")
		err = build()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the distribution was not built:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// build brings the distribution up to date, which takes a second where it is.
func build() error {
	cmd := exec.Command("make", "--silent", "-C", top, "build")
	for _, env := range os.Environ() {
		// Of a make that runs the tests: its jobs and options are not ours.
		if !strings.HasPrefix(env, "MAKE") && !strings.HasPrefix(env, "MFLAGS=") {
			cmd.Env = append(cmd.Env, env)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}
