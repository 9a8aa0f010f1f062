// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPath(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"0::/\n":                 "/",
		"0::/init":               "/init",
		"0::/user.slice/a:b c\n": "/user.slice/a:b c",
		// Both versions, as systemd mounts them: what is in neither is at the
		// root of the second.
		"12:pids:/x\n1:name=systemd:/system.slice/cron.service\n0::/system.slice/cron.service\n": "/system.slice/cron.service",
		"12:pids:/x\n1:name=systemd:/docker/1\n0::/\n":                                           "/docker/1",
		"0::/\n1:name=systemd:/docker/1\n":                                                       "/docker/1",
		"1:name=systemd:/docker/1\n":                                                             "/docker/1",
		"1:name=systemd:/\n0::/a\n":                                                              "/a",
		"1:name=systemd:/\n":                                                                     "/",
		// Recorded on Linux 6.18.44, where nothing manages the second version.
		"9:name=systemd:/\n8:pids:/\n4:memory:/some/group\n3:cpuset:/\n2:cpuacct:/\n1:cpu:/\n0::/\n": "/",
		"4:memory:/docker/1\n2:cpu,cpuacct:/docker/1\n":                                              "",
		"0::/gone.scope (deleted)\n":                                                                 "/gone.scope",
		"0::/../../other\n":                                                                          "/../../other", // seen from another namespace
		"10:x:/0::/no\n":                                                                             "",
		"0:x:/no\nname=systemd:/no\n0:/no\n:::\ngarbage\n\n":                                         "",
		"0::\n1:name=systemd:\n":                                                                     "",
		"1:name=systemd2:/no\n":                                                                      "",
	} {
		assert.Equal(t, want, string(Path([]byte(in))), "%q", in)
	}
}

// Cut anywhere, it is a part of the path or the one of systemd's hierarchy.
func TestPathCut(t *testing.T) {
	const in = "1:name=systemd:/a/b\n0::/c/d\n"
	for n := range in {
		path := string(Path([]byte(in)[:n]))
		assert.True(t, strings.HasPrefix("/a/b", path) || strings.HasPrefix("/c/d", path), path)
	}
}

const (
	id    = "f0e1d2c3b4a5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1e0f"
	inner = "00000000000000000000000000000000000000000000000000000000deadbeef"
	pod   = "pod01234567-89ab-cdef-0123-456789abcdef"
	podU  = "pod01234567_89ab_cdef_0123_456789abcdef"
)

func TestContainerID(t *testing.T) {
	for path, want := range map[string]string{
		"/docker/" + id:                                    id, // Docker, cgroupfs
		"/system.slice/docker-" + id + ".scope":            id, // Docker, systemd
		"/custom.slice/docker-" + id + ".scope/init.scope": id,
		"/docker/" + id + "/system.slice/ssh.service":      id, // systemd inside
		"/docker/" + id + "/docker/" + inner:               inner,
		"/docker/" + id + "/nested/" + inner[:63]:          id,
		"/default/" + id:                                   id, // nerdctl
		"/system.slice/nerdctl-" + id + ".scope":           id,
		"/ecs/0123456789abcdef0123456789abcdef/" + id:      id,
		"/actions_job/" + id:                               id,
		"/kubepods/besteffort/" + pod + "/" + id:           id, // Kubernetes, cgroupfs
		"/kubepods/burstable/" + pod + "/crio-" + id:       id,
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-" + podU + ".slice/cri-containerd-" + id + ".scope":                                         id,
		"/kubepods.slice/kubepods-" + podU + ".slice/crio-" + id + ".scope":                                                                                      id,
		"/kubepods.slice/kubepods-" + podU + ".slice/crio-" + id + ".scope/container":                                                                            id,
		"/kubepods.slice/kubepods-" + podU + ".slice/docker-" + id + ".scope":                                                                                    id,
		"/system.slice/containerd.service/kubepods-burstable-" + podU + ".slice:cri-containerd:" + id:                                                            id,
		"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-" + podU + ".slice/cri-containerd-" + id + ".scope": id, // kind
		"/machine.slice/libpod-" + id + ".scope":                                                                                                                 id, // Podman
		"/machine.slice/libpod-" + id + ".scope/container":                                                                                                       id,
		"/libpod_parent/libpod-" + id: id,
		"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope/container": id,
		"/machine.slice/libpod-payload-" + id:                                                        id,

		// The monitor of a container is not in it, nor its health check.
		"/machine.slice/libpod-conmon-" + id + ".scope":                            "",
		"/kubepods.slice/kubepods-" + podU + ".slice/crio-conmon-" + id + ".scope": "",
		"/system.slice/" + id + ".service":                                         "",
		"/system.slice/" + id + "-1a2b3c.service":                                  "",
		"/kubepods.slice/kubepods-" + podU + ".slice":                              "",
		"/machine.slice/machine-web.scope":                                         "", // systemd-nspawn
		"/machine.slice/systemd-nspawn@web.service/payload":                        "",
		"/lxc.payload.web": "",
		"/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-123": "", // Fargate
		"/docker/" + id[:63]:             "",
		"/docker/" + id + "0":            "",
		"/docker/" + strings.ToUpper(id): "",
		"/docker/" + id[:63] + "g":       "",
		"/docker/x" + id:                 "",
		"/":                              "",
		"":                               "",
		id:                               id,
		"//" + id + "//":                 id,
	} {
		assert.Equal(t, want, string(ContainerID([]byte(path))), path)
	}
}

func TestUnit(t *testing.T) {
	for path, want := range map[string]string{
		"/system.slice/cron.service": "cron.service",
		"/init.scope":                "init.scope",
		"/system.slice/system-getty.slice/getty@tty1.service":                                          "getty@tty1.service",
		"/user.slice/user-1000.slice/session-3.scope":                                                  "session-3.scope",
		"/user.slice/user-1000.slice/user@1000.service/init.scope":                                     "init.scope",
		"/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-org.gnome.Terminal-1.scope": "app-gnome-org.gnome.Terminal-1.scope",
		"/system.slice/foo.service/payload/sub":                                                        "foo.service",
		"/system.slice/containerd.service/kubepods.slice:cri-containerd:" + id:                         "containerd.service",
		"/machine.slice/libpod-" + id + ".scope/container":                                             "libpod-" + id + ".scope",
		"/docker/" + id + "/system.slice/ssh.service":                                                  "ssh.service",
		`/system.slice/dev-disk-by\x2duuid-1.swap`:                                                     `dev-disk-by\x2duuid-1.swap`,
		"/system.slice/run-user.mount":                                                                 "run-user.mount",
		"/system.slice/sshd.socket":                                                                    "sshd.socket",
		"/system.slice/_cpu.service":                                                                   "cpu.service", // escaped
		"/system.slice/__x.service":                                                                    "_x.service",
		"/system.slice":                                                                                "",
		"/user.slice/user-1000.slice":                                                                  "",
		"/system.slice/a b.service":                                                                    "",
		"/system.slice/a\xff.service":                                                                  "",
		"/system.slice/.service":                                                                       "",
		"/system.slice/_.service":                                                                      "",
		"/system.slice/foo@.service":                                                                   "",
		"/system.slice/@foo.service":                                                                   "",
		"/system.slice/foo.services":                                                                   "",
		"/system.slice/foo.service.d":                                                                  "",
		"/system.slice/" + strings.Repeat("x", 248) + ".service":                                       "",
		"/system.slice/" + strings.Repeat("x", 247) + ".service":                                       strings.Repeat("x", 247) + ".service",
		"/docker/" + id:                                                                                "",
		"/":                                                                                            "",
		"":                                                                                             "",
	} {
		assert.Equal(t, want, string(Unit([]byte(path))), path)
	}
}

func TestNoAllocation(t *testing.T) {
	file := []byte("12:pids:/x\n1:name=systemd:/docker/1\n0::/kubepods.slice/kubepods-" + podU + ".slice/crio-" + id + ".scope/container\n")
	n := 0
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		path := Path(file)
		n += len(ContainerID(path)) + len(Unit(path))
	}))
	assert.Equal(t, 101*(64+len("crio-.scope")+64), n)
}

func FuzzCgroup(f *testing.F) {
	f.Add([]byte("12:pids:/x\n1:name=systemd:/docker/1\n0::/kubepods.slice/crio-" + id + ".scope/container\n"))
	f.Add([]byte("0::/user.slice/user-1000.slice/user@1000.service/app.slice/_a@b.service (deleted)\n"))
	f.Add([]byte("/system.slice/docker-" + id + ".scope"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := Path(b)
		assert.True(t, bytes.Contains(b, path))
		assert.NotContains(t, string(path), "\n")
		for _, p := range [][]byte{path, b} {
			if id := ContainerID(p); id != nil {
				assert.Regexp(t, "^[0-9a-f]{64}$", string(id))
				assert.True(t, bytes.Contains(p, id))
			}
			if unit := Unit(p); unit != nil {
				assert.Regexp(t, `^[A-Za-z0-9:_.\\@-]+\.(service|scope|socket|mount|swap)$`, string(unit))
				assert.True(t, bytes.Contains(p, unit))
			}
		}
	})
}
