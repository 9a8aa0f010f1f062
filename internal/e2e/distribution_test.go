// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// version is the one in builder-config.yaml.
func version(t *testing.T) string {
	manifest, err := os.ReadFile(filepath.Join(top, "builder-config.yaml"))
	require.NoError(t, err)
	var content struct{ Dist struct{ Version string } }
	require.NoError(t, yaml.Unmarshal(manifest, &content))
	require.NotEmpty(t, content.Dist.Version)
	return content.Dist.Version
}

func TestVersion(t *testing.T) {
	out, err := exec.Command(distribution, "--version").Output()
	require.NoError(t, err)
	assert.Equal(t, "otelcol-hostscope version "+version(t)+"\n", string(out))
}

func TestComponents(t *testing.T) {
	out, err := exec.Command(distribution, "components").Output()
	require.NoError(t, err)
	type list []struct{ Name string }
	var has struct{ Receivers, Processors, Exporters, Extensions, Providers list }
	require.NoError(t, yaml.Unmarshal(out, &has))
	for _, c := range []struct {
		kind  string
		has   list
		wants []string
	}{
		{"receiver", has.Receivers, []string{"hostscope", "otlp"}},
		{"processor", has.Processors, []string{"memory_limiter", "batch", "filter", "transform"}},
		{"exporter", has.Exporters, []string{"otlp_grpc", "otlp_http", "prometheus", "file", "debug", "nop"}},
		{"extension", has.Extensions, []string{"process_control", "health_check", "zpages", "bearertokenauth", "oidc"}},
	} {
		var names []string
		for _, component := range c.has {
			names = append(names, component.Name)
		}
		assert.ElementsMatch(t, c.wants, names, c.kind)
	}
}

// TestNoCloudSDK holds the distribution to what an agent on a host needs. The
// Collector's own telemetry takes a client of Google's metadata server along.
func TestNoCloudSDK(t *testing.T) {
	info, err := buildinfo.ReadFile(distribution)
	require.NoError(t, err)
	require.NotEmpty(t, info.Deps)
	for _, dep := range info.Deps {
		for _, sdk := range []string{"github.com/aws/", "github.com/Azure/", "github.com/AzureAD/", "cloud.google.com/go", "google.golang.org/api"} {
			assert.False(t, strings.HasPrefix(dep.Path, sdk) && dep.Path != "cloud.google.com/go/compute/metadata", dep.Path)
		}
	}
}
