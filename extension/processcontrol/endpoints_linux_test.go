// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/internal/pidtest"
	"github.com/hostscope/hostscope/platform"
)

// Every endpoint is described, with its parameters, and nothing else is.
func TestDescription(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(openapi)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(t.Context()))
	var described, served []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	for _, e := range endpoints {
		served = append(served, e.pattern)
	}
	assert.ElementsMatch(t, served, described)

	shown := doc.Components.Schemas["Process"].Value.Properties
	for _, f := range fields {
		assert.Contains(t, shown, f.name)
		assert.Contains(t, doc.Components.Parameters["fields"].Value.Description, f.name)
	}
	ours := 0
	for name := range shown {
		if strings.HasSuffix(name, asBytes) {
			ours++
			assert.Contains(t, shown, strings.TrimSuffix(name, asBytes))
		}
	}
	assert.Len(t, shown, len(fields)+5+ours)
	for _, f := range systemFields {
		assert.Contains(t, doc.Components.Schemas["System"].Value.Properties, f.name)
	}
	assert.Len(t, doc.Components.Schemas["System"].Value.Properties, len(systemFields)+1)
	for kind, k := range api.Kinds {
		assert.NotEmpty(t, k.Title, kind)
	}
}

func TestGetProcess(t *testing.T) {
	s := start(t, everything, nil)
	cmd := exec.Command("sleep", "1000")
	cmd.Env = []string{"LANG=C", "TOKEN=hunter2", "PATH=/bin", "PASSWORD=hunter2", "1bad=x", "a b=c"}
	cmd.Args = []string{"sleep", "1000"}
	file, err := os.Create(filepath.Join(t.TempDir(), "open"))
	require.NoError(t, err)
	_, err = file.WriteString("12345")
	require.NoError(t, err)
	cmd.Stdout = file
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { pidtest.End(cmd) })
	pid := cmd.Process.Pid
	by := "/v1/processes/pid:" + strconv.Itoa(pid)
	require.Eventually(t, func() bool { return get[api.Process](s, by).Fields["name"] == "sleep" }, 10*time.Second, time.Millisecond)
	eventually(t, pid, platform.StateSleeping)

	p := get[api.Process](s, by)
	assert.EqualValues(t, pid, p.PID)
	assert.Regexp(t, `^lx1\.[0-9a-f]{12}\.`+strconv.Itoa(pid)+`\.\d+`, p.Ref)
	assert.WithinDuration(t, time.Now(), p.CreationTime, time.Minute)
	exe, err := filepath.EvalSymlinks(cmd.Path)
	require.NoError(t, err)
	uid := float64(os.Getuid())
	assert.Equal(t, "sleep", p.Fields["name"])
	assert.Equal(t, exe, p.Fields["exe"])
	assert.Equal(t, "sleeping", p.Fields["status"])
	assert.Equal(t, float64(os.Getpid()), p.Fields["ppid"])
	assert.Equal(t, map[string]any{"real": uid, "effective": uid, "saved": uid}, p.Fields["uids"])
	assert.Equal(t, 1.0, p.Fields["num_threads"])
	assert.Len(t, p.Fields, len(defaultFields))
	assert.Empty(t, p.Errors)

	// By its token, and by its creation time.
	at := "/v1/processes/" + p.Ref
	assert.Equal(t, p.Ref, get[api.Process](s, at).Ref)
	assert.Equal(t, p.Ref, get[api.Process](s, by+"@"+p.CreationTime.Format(time.RFC3339Nano)).Ref)
	assert.EqualValues(t, os.Getpid(), get[api.Process](s, "/v1/processes/self").PID)

	// All fields there are.
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	p = get[api.Process](s, at+"?fields="+strings.Join(names, ",")+"&include_internal=true&kind=all")
	for _, name := range names {
		assert.Contains(t, p.Fields, name, "%v", p.Errors)
	}
	assert.Empty(t, p.Errors)
	assert.Equal(t, []any{"sleep", "1000"}, p.Fields["cmdline"])
	assert.Equal(t, "/", p.Fields["root"])
	assert.Equal(t, float64(niceness(t)), p.Fields["nice"])
	environ := p.Fields["environ"].(map[string]any)
	assert.Equal(t, []any{"LANG", "PASSWORD", "PATH", "TOKEN"}, environ["names"], "what is no name is left out")
	assert.Equal(t, map[string]any{}, environ["variables"], "the first rule that allows it shows none")

	// The endpoints of one.
	threads := get[api.Process](s, at+"/threads").Fields["threads"].([]any)
	require.Len(t, threads, 1)
	assert.Equal(t, float64(pid), threads[0].(map[string]any)["id"])
	files := get[api.Process](s, at+"/open-files").Fields["open_files"].([]any)
	require.Len(t, files, 1)
	assert.Equal(t, map[string]any{"path": file.Name(), "fd": 1.0, "position": 5.0, "mode": "r+", "flags": files[0].(map[string]any)["flags"]}, files[0])
	fds := get[api.Process](s, at+"/fds?types=FILE").Fields["fds"].([]any)
	assert.GreaterOrEqual(t, len(fds), 3)
	assert.Equal(t, "5", fmt.Sprint(fds[1].(map[string]any)["size"]))
	assert.Empty(t, get[api.Process](s, at+"/fds?types=SOCKET,EPOLL").Fields["fds"])
	maps := get[api.Process](s, at+"/memory-maps").Fields["memory_maps"].([]any)
	grouped := get[api.Process](s, at+"/memory-maps?grouped=true").Fields["memory_maps"].([]any)
	assert.Greater(t, len(maps), len(grouped))
	assert.Regexp(t, "^0x[0-9a-f]+$", maps[0].(map[string]any)["addr_start"])
	assert.Equal(t, float64(niceness(t)), get[api.Process](s, at+"/priority").Fields["nice"])
	assert.NotEmpty(t, get[api.Process](s, at+"/cpu-affinity").Fields["cpu_affinity"])
	assert.Len(t, get[api.Process](s, at+"/rlimits").Fields["rlimits"], 16)
	assert.Equal(t, "NOFILE", get[api.Limits](s, at+"/rlimits/NOFILE").Resource)
	assert.Equal(t, []any{"LANG"}, get[api.Process](s, at+"/environ?keys=LANG,NONE").Fields["environ"].(map[string]any)["names"])
	assert.Equal(t, 2, countEvents(s, "read"))

	running := get[map[string]any](s, at+"/running")
	assert.Equal(t, true, running["running"])
	assert.Equal(t, map[string]any{"pid": float64(pid), "exists": true}, get[map[string]any](s, "/v1/pids/"+strconv.Itoa(pid)))
	pidtest.End(cmd)
	assert.Equal(t, map[string]any{"ref": p.Ref, "pid": float64(pid), "running": false, "reason": "exited"}, get[map[string]any](s, at+"/running"))
	assert.Equal(t, map[string]any{"pid": float64(pid), "exists": false}, get[map[string]any](s, "/v1/pids/"+strconv.Itoa(pid)))
	gone := s.refused(api.NoSuchProcess, "GET", at, "")
	assert.Equal(t, "exited", gone.Reason)
	assert.EqualValues(t, pid, gone.PID)
	assert.Equal(t, "not_found", s.refused(api.NoSuchProcess, "GET", by, "").Reason)
	assert.Equal(t, "other_boot", s.refused(api.NoSuchProcess, "GET", "/v1/processes/lx1.000000000000.1.1", "").Reason)
	assert.Equal(t, "identity_mismatch", s.refused(api.NoSuchProcess, "GET", fmt.Sprintf("/v1/processes/pid:%d@2001-01-01T00:00:00Z", os.Getpid()), "").Reason)
}

func countEvents(s *server, event string) int {
	n := 0
	for _, e := range s.entries() {
		if e.Event == event {
			n++
		}
	}
	return n
}

// Values of variables are shown if the rule says so, and redacted all the same.
func TestEnviron(t *testing.T) {
	s := start(t, strings.Replace(policyFor(`{executable: ["/**"]}`), `actions: ["*"]`, `actions: [read.basic]`, 1), nil)
	cmd := exec.Command("sleep", "1000")
	cmd.Env = []string{"LANG=C", "TOKEN=hunter2", "OTHER=x"}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { pidtest.End(cmd) })
	require.Eventually(t, func() bool {
		answer := get[api.Process](s, "/v1/processes/"+s.ref(cmd.Process.Pid)+"/environ").Fields["environ"].(map[string]any)
		return assert.ObjectsAreEqual(map[string]any{
			"names": []any{"LANG", "OTHER", "TOKEN"}, "variables": map[string]any{"LANG": "C", "TOKEN": "***"},
		}, answer)
	}, 10*time.Second, time.Millisecond)
	// It is written down whichever way it was asked for.
	ref := s.ref(cmd.Process.Pid)
	for _, path := range []string{ref + "/environ", ref + "?fields=environ,name", fmt.Sprintf("?fields=environ&limit=1&after=%d", cmd.Process.Pid-1)} {
		before := len(s.entries())
		status, body := s.do("GET", strings.Replace("/v1/processes/"+path, "/?", "?", 1), "")
		require.Equal(t, 200, status, "%s", body)
		entries := s.entries()
		require.Len(t, entries, before+1, path)
		last := entries[before]
		assert.Equal(t, []any{"read", "read.environ", ref}, []any{last.Event, last.Action, last.Ref}, path)
	}
	// What cannot be written down is not shown.
	require.NoError(t, os.Remove(s.cfg.Audit.File))
	require.NoError(t, os.Mkdir(s.cfg.Audit.File, 0o700))
	s.refused(api.AuditUnavailable, "GET", "/v1/processes/"+ref+"/environ", "")
	p := get[api.Process](s, "/v1/processes/"+ref+"?fields=environ,name")
	assert.Equal(t, map[string]any{"name": "sleep"}, p.Fields)
	assert.Equal(t, map[string]string{"environ": "audit_unavailable"}, p.Errors)
}

// What descriptors of other kinds tell, by two that the child inherits.
func TestExtraInfo(t *testing.T) {
	s := start(t, everything, nil)
	timer, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, 0)
	require.NoError(t, err)
	begin := time.Now()
	require.NoError(t, unix.TimerfdSettime(timer, 0, &unix.ItimerSpec{Value: unix.Timespec{Sec: 1000}, Interval: unix.Timespec{Sec: 5, Nsec: 1}}, nil))
	var set unix.Sigset_t
	set.Val[0] = 1<<1 | 1<<14
	signals, err := unix.Signalfd(-1, &set, 0)
	require.NoError(t, err)
	cmd := exec.Command("sleep", "1000")
	cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(timer), "timer"), os.NewFile(uintptr(signals), "signals")}
	for _, f := range cmd.ExtraFiles {
		defer f.Close()
	}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { pidtest.End(cmd) })
	at := "/v1/processes/" + s.ref(cmd.Process.Pid) + "/fds?types="
	of := func(kind string) map[string]any {
		list := get[api.Process](s, at+kind).Fields["fds"].([]any)
		require.NotEmpty(t, list)
		return list[0].(map[string]any)
	}
	fd := of("TIMERFD")
	assert.Equal(t, 3.0, fd["fd"])
	extra := fd["extra_info"].(map[string]any)
	assert.LessOrEqual(t, extra["it_value"], 1000.0)
	assert.GreaterOrEqual(t, extra["it_value"], 1000-time.Since(begin).Seconds())
	assert.Equal(t, "CLOCK_BOOTTIME", extra["clockid"])
	assert.Equal(t, 5000000001.0, extra["it_interval_ns"])
	assert.Equal(t, 0.0, extra["settime_flags"])
	assert.Equal(t, 0.0, extra["ticks"])
	assert.Equal(t, map[string]any{"sigmask": []any{"SIGINT", "SIGTERM"}}, of("SIGNALFD")["extra_info"])
}

func TestConnectionsOfAProcess(t *testing.T) {
	s := start(t, everything, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	require.NoError(t, err)
	defer file.Close()
	cmd := exec.Command("sleep", "1000")
	cmd.ExtraFiles = []*os.File{file}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { pidtest.End(cmd) })
	at := "/v1/processes/" + s.ref(cmd.Process.Pid) + "/connections"
	want := map[string]any{
		"fd": 3.0, "family": "AF_INET", "type": "SOCK_STREAM", "status": "LISTEN", "raddr": nil,
		"laddr": map[string]any{"ip": "127.0.0.1", "port": float64(l.Addr().(*net.TCPAddr).Port)},
	}
	for kind, n := range map[string]int{"": 1, "?kind=tcp": 1, "?kind=all": 1, "?kind=inet4": 1, "?kind=udp": 0, "?kind=inet6": 0, "?kind=unix": 0} {
		got := get[api.Process](s, at+kind).Fields["connections"].([]any)
		require.Len(t, got, n, kind)
		if n == 1 {
			assert.Equal(t, want, got[0])
		}
	}
	assert.Contains(t, s.refused(api.InvalidArgument, "GET", at+"?kind=ipx", "").Detail, "inet4")
}

func TestListAndFamily(t *testing.T) {
	s := start(t, everything, nil)
	cmd := exec.Command("sh", "-c", "sh -c 'sleep 1000 & wait' & wait")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { pidtest.End(cmd) })
	type family struct {
		Children, Parents []api.Process
		Skipped           int
	}
	at := "/v1/processes/" + s.ref(cmd.Process.Pid)
	var all family
	require.Eventually(t, func() bool {
		all = get[family](s, at+"/children?recursive=true&fields=name,ppid")
		return len(all.Children) == 2 && all.Children[1].Fields["name"] == "sleep"
	}, 10*time.Second, time.Millisecond)
	assert.Len(t, get[family](s, at+"/children").Children, 1)
	assert.Equal(t, float64(cmd.Process.Pid), all.Children[0].Fields["ppid"])
	leaf := all.Children[1]
	t.Cleanup(func() { _ = syscall.Kill(int(leaf.PID), syscall.SIGKILL) })
	eventually(t, int(leaf.PID), platform.StateSleeping)
	up := get[family](s, "/v1/processes/"+leaf.Ref+"/parents").Parents
	require.GreaterOrEqual(t, len(up), 3)
	assert.Equal(t, []int32{all.Children[0].PID, int32(cmd.Process.Pid), int32(os.Getpid())}, []int32{up[0].PID, up[1].PID, up[2].PID})

	type listed struct {
		Processes []api.Process
		Skipped   int
		Next      *int32
	}
	list := get[listed](s, "/v1/processes?executable=sleep&fields=name,ppid&state=sleeping")
	assert.True(t, slices.ContainsFunc(list.Processes, func(p api.Process) bool { return p.Ref == leaf.Ref }))
	for _, p := range list.Processes {
		assert.Equal(t, "sleep", p.Fields["name"])
	}
	var pids []int32
	for after := ""; ; {
		page := get[listed](s, "/v1/processes?limit=2&fields=status"+after)
		for _, p := range page.Processes {
			pids = append(pids, p.PID)
		}
		if page.Next == nil {
			break
		}
		require.Len(t, page.Processes, 2)
		after = fmt.Sprintf("&after=%d", *page.Next)
	}
	assert.True(t, slices.IsSorted(pids))
	assert.Contains(t, pids, leaf.PID)
	assert.Contains(t, pids, int32(os.Getpid()))
	assert.Empty(t, get[listed](s, "/v1/processes?owner=nobody-of-this-name").Processes)
	// Who may not see a process does not learn by counting whether it fits.
	sleeps := start(t, policyFor(`{executable: ["/**/sleep"]}`), nil)
	none := get[listed](sleeps, "/v1/processes?owner=nobody-of-this-name")
	assert.Empty(t, none.Processes)
	assert.NotZero(t, none.Skipped)

	// Nor does a list take longer because few fit: what was looked at in vain is
	// not looked at again.
	var later atomic.Int64
	sleeps.now = func() time.Time { return time.Now().Add(time.Duration(later.Add(1)) * time.Hour) }
	found, looked := []int32{}, 0
	for after := "0"; ; looked++ {
		query := "/v1/processes?executable=sleep"
		if after != "0" {
			query += "&after=" + after
		}
		page := get[listed](sleeps, query)
		require.LessOrEqual(t, len(page.Processes)+page.Skipped, 1)
		for _, p := range page.Processes {
			found = append(found, p.PID)
		}
		if page.Next == nil {
			break
		}
		after = strconv.Itoa(int(*page.Next))
	}
	assert.Contains(t, found, leaf.PID)
	assert.Greater(t, looked, len(found))

	// What is known of processes does not fill the memory.
	s.maxPage = 1
	page := get[listed](s, "/v1/processes?fields=status")
	require.Len(t, page.Processes, 1)
	require.NotNil(t, page.Next)
	assert.Equal(t, page.Processes[0].PID, *page.Next)
	s.refused(api.InvalidArgument, "GET", at+"/children?recursive=true", "")
	assert.Len(t, get[family](s, at+"/children").Children, 1)
}

func TestSystem(t *testing.T) {
	s := start(t, everything, nil)
	all := get[map[string]any](s, "/v1/system")
	failed, _ := all["errors"].(map[string]any)
	for _, f := range systemFields {
		if _, failed := failed[f.name]; !failed {
			assert.Contains(t, all, f.name)
		}
	}
	memory := all["virtual_memory"].(map[string]any)
	assert.Positive(t, memory["total"])
	assert.InDelta(t, memory["total"].(float64)-memory["available"].(float64), memory["used"], 1)
	assert.Greater(t, all["time_since_boot"].(float64), 1.0)
	assert.Equal(t, map[string]any{"cpu_count": all["cpu_count"]}, get[map[string]any](s, "/v1/system?fields=cpu_count"))

	usage := get[map[string]any](s, "/v1/system/disk-usage?path="+url.QueryEscape(t.TempDir()))
	assert.Positive(t, usage["total"])
	for _, bad := range []string{"", "?path=", "?path=tmp", "?path=/tmp/../etc", "?path=/tmp/", "?path=/tmp%00"} {
		s.refused(api.InvalidArgument, "GET", "/v1/system/disk-usage"+bad, "")
	}
	power := get[map[string]any](s, "/v1/sensors/power")
	assert.Contains(t, power, "batteries")
	assert.Contains(t, get[map[string]any](s, "/v1/sensors/battery"), "battery")
	assert.Contains(t, get[map[string]any](s, "/v1/sensors/battery-total"), "battery")

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := float64(l.Addr().(*net.TCPAddr).Port)
	ours := func(query string) map[string]any {
		for _, c := range get[struct{ Connections []map[string]any }](s, "/v1/system/connections"+query).Connections {
			if local, ok := c["laddr"].(map[string]any); ok && local["port"] == port {
				return c
			}
		}
		return nil
	}
	c := ours("?kind=tcp4&owners=true")
	require.NotNil(t, c)
	assert.Equal(t, float64(os.Getpid()), c["pid"])
	assert.NotNil(t, c["fd"])
	assert.Equal(t, "LISTEN", c["status"])
	c = ours("")
	require.NotNil(t, c)
	assert.Nil(t, c["pid"])
	assert.Nil(t, ours("?kind=udp"))
	// To whom the connections of the process are not shown it is not named.
	system := strings.Replace(everything, "rules:", "rules:\n  - {name: not, effect: deny, actions: [read.connections]}", 1)
	first := s
	s = start(t, system, nil)
	c = ours("?kind=tcp4&owners=true")
	require.NotNil(t, c)
	assert.Nil(t, c["pid"])
	assert.Nil(t, c["fd"])
	s = first
	get[map[string]any](s, "/v1/system/connections?kind=all")
	interfaces := get[map[string]any](s, "/v1/system/interfaces")["interfaces"].(map[string]any)
	require.Contains(t, interfaces, "lo")
	lo := interfaces["lo"].(map[string]any)
	assert.Contains(t, lo["addrs"], map[string]any{"family": "AF_INET", "address": "127.0.0.1", "netmask": "255.0.0.0", "broadcast": nil, "ptp": nil})
	assert.Equal(t, 65536.0, lo["stats"].(map[string]any)["mtu"])
	assert.Contains(t, lo["io_counters"], "bytes_sent")

	can := get[api.Capabilities](s, "/v1/capabilities")
	assert.Equal(t, []string{"me"}, can.Principals)
	assert.Len(t, can.Permissions, 18)
	assert.True(t, can.ActionsEnabled)
	assert.Equal(t, "verified", can.Guarantees["set_priority"])
	if can.Kernel["pidfd_send_signal"] {
		assert.Equal(t, "exact", can.Guarantees["kill"])
	}
	status, text := s.do("GET", "/v1/openapi.yaml", "")
	assert.Equal(t, 200, status)
	assert.Equal(t, openapi, text)
}

func TestSignalNames(t *testing.T) {
	const set = 1 | 1<<8 | 1<<31 | 1<<32 | 1<<33 | 1<<34 | 1<<63
	assert.Equal(t, []string{"SIGHUP", "SIGKILL", "SIGRTMIN", "SIGRTMIN+1", "SIGRTMAX"}, new(view).signalNames(set))
	assert.Equal(t, []string{"SIGHUP", "SIGKILL", "32", "33", "SIGRTMIN", "SIGRTMIN+1", "SIGRTMAX"}, (&view{options: options{internal: true}}).signalNames(set))
	assert.Equal(t, []string{}, new(view).signalNames(0))
}

func TestBatteries(t *testing.T) {
	const all = platform.PowerStatus | platform.PowerCharge | platform.PowerEnergy | platform.PowerEnergyFull | platform.PowerPower | platform.PowerTemperature | platform.PowerTimeLeft
	first := platform.PowerSupply{
		Name: "BAT0", Kind: platform.PowerBattery, Got: all, Status: platform.ChargeDischarging, Charge: 0.5,
		Energy: 36_000, EnergyFull: 72_000, Power: 10, Temperature: 30, TimeLeft: 3600,
	}
	second := platform.PowerSupply{
		Name: "BAT1", Kind: platform.PowerBattery, Got: all &^ (platform.PowerPower | platform.PowerTimeLeft | platform.PowerTemperature), Status: platform.ChargeFull, Charge: 1,
		Energy: 36_000, EnergyFull: 36_000,
	}
	p := powerOf([]platform.PowerSupply{first, second})
	assert.Equal(t, &power{
		Batteries: []battery{
			{
				Name: "BAT0", Status: "discharging", Percent: ptr(50.0), PowerPlugged: ptr(false), EnergyFull: ptr(20e6), EnergyNow: ptr(10e6), PowerNow: ptr(10e6),
				SecsLeft: 3600.0, Temperature: ptr(30.0), Fahrenheit: ptr(86.0),
			},
			{Name: "BAT1", Status: "full", Percent: ptr(100.0), EnergyFull: ptr(10e6), EnergyNow: ptr(10e6), SecsLeft: "unlimited", SecsLeftFull: ptr(0.0)},
		},
		Supplies: []map[string]any{}, OnAC: ptr(false),
	}, p)
	assert.Equal(t, battery{
		Name: "total", Status: "discharging", Percent: ptr(100 * 20.0 / 30), PowerPlugged: ptr(false), EnergyFull: ptr(30e6), EnergyNow: ptr(20e6), PowerNow: ptr(10e6), SecsLeft: 7200.0,
	}, totalOf(p))
	first.Status = platform.ChargeCharging
	mains := platform.PowerSupply{Name: "AC", Kind: platform.PowerMains, Got: platform.PowerOnline, Online: true}
	p = powerOf([]platform.PowerSupply{mains, first, second})
	assert.Equal(t, ptr(true), p.OnAC)
	assert.Equal(t, []map[string]any{{"name": "AC", "is_online": true}}, p.Supplies)
	assert.Equal(t, ptr(3600.0), p.Batteries[0].SecsLeftFull)
	assert.Equal(t, battery{
		Name: "total", Status: "charging", Percent: ptr(100 * 20.0 / 30), PowerPlugged: ptr(true), EnergyFull: ptr(30e6), EnergyNow: ptr(20e6), PowerNow: ptr(10e6), SecsLeft: "unlimited", SecsLeftFull: ptr(3600.0),
	}, totalOf(p))
	assert.Equal(t, &power{Batteries: []battery{}, Supplies: []map[string]any{}}, powerOf(nil))
	p = powerOf([]platform.PowerSupply{{Kind: platform.PowerBattery, Got: platform.PowerCharge, Charge: 0.2}, {Kind: platform.PowerBattery, Got: platform.PowerCharge, Charge: 0.4}})
	assert.InDelta(t, 30, *totalOf(p).Percent, 1e-9)
	assert.Nil(t, p.OnAC)
}

// What is malformed is refused before anything is opened.
func TestMalformed(t *testing.T) {
	s := start(t, everything, nil)
	for _, ref := range []string{
		"0", "1", "-1", "pid:", "pid:0", "pid:-1", "pid:01", "pid:1.0", "pid:+1", "pid:0x1", "pid:1e1", "pid:2147483648", "pid:99999999999999999999", "pid: 1", "pid:1%20",
		"pid:1@", "pid:1@now", "pid:1@2026-01-02", "pid:1@1969-01-02T03:04:05Z", "pid:@2026-01-02T03:04:05Z", "lx1", "lx1.0123456789ab.1", "lx1.0123456789ab.0.1", "lx1.0123456789ab.01.1",
		"lx1.0123456789AB.1.1", "fb1.1.1", "SELF", "self%00", "me", strings.Repeat("a", 200), "%F0%9F%92%A9",
	} {
		for _, e := range endpoints {
			method, path, _ := strings.Cut(e.pattern, " ")
			if !strings.Contains(path, "{ref}") {
				continue
			}
			path = strings.NewReplacer("{ref}", ref, "{resource}", "NOFILE").Replace(path)
			body := map[string]string{
				"priority": `{"nice":1}`, "cpu-affinity": `{"cpus":[]}`, "rlimits": `{"soft":1}`, "signal": `{"signal":"SIGHUP"}`,
			}
			text := ""
			if method != "GET" {
				for part, b := range body {
					if strings.Contains(path, "/"+part) {
						text = b
					}
				}
			}
			s.refused(api.InvalidRequest, method, path, text)
		}
		if ref != "1" {
			s.refused(api.InvalidRequest, "GET", "/v1/pids/"+ref, "")
		}
	}
	for path, kind := range map[string]api.Kind{
		"/v1/processes?fields=nme":                    api.InvalidArgument,
		"/v1/processes?fields=name,":                  api.InvalidArgument,
		"/v1/processes?limit=0":                       api.InvalidArgument,
		"/v1/processes?limit=1001":                    api.InvalidArgument,
		"/v1/processes?limit=01":                      api.InvalidArgument,
		"/v1/processes?after=x":                       api.InvalidRequest,
		"/v1/processes?state=dancing":                 api.InvalidArgument,
		"/v1/processes?limit=1&limit=2":               api.InvalidRequest,
		"/v1/processes?x=1":                           api.InvalidRequest,
		"/v1/processes?a=%zz":                         api.InvalidRequest,
		"/v1/processes/self?memtype=uss2":             api.InvalidArgument,
		"/v1/processes/self?include_internal=1":       api.InvalidArgument,
		"/v1/processes/self/threads?kind=tcp":         api.InvalidRequest,
		"/v1/processes/self/running?fields=name":      api.InvalidRequest,
		"/v1/processes/self/children?recursive=maybe": api.InvalidArgument,
		"/v1/processes/self/fds?types=FILE,NONE":      api.InvalidArgument,
		"/v1/processes/self/rlimits/FILES":            api.InvalidArgument,
		"/v1/system?fields=all":                       api.InvalidArgument,
		"/v1/capabilities?x=":                         api.InvalidRequest,
		"/":                                           api.NoSuchEndpoint,
		"/v1":                                         api.NoSuchEndpoint,
		"/v1/processes/self/stack":                    api.NoSuchEndpoint,
		"/v1/processes/self/kill":                     api.MethodNotAllowed,
		"/v1/wait":                                    api.MethodNotAllowed,
	} {
		s.refused(kind, "GET", path, "")
	}
	s.refused(api.MethodNotAllowed, "POST", "/v1/processes/self", "")
	assert.Equal(t, "GET, HEAD", s.last.Get("Allow"))
	s.refused(api.MethodNotAllowed, "DELETE", "/v1/processes/self", "")
	s.refused(api.InvalidRequest, "GET", "/v1/processes/self", "{}")

	// A problem is JSON as RFC 9457 has it.
	_, body := s.do("GET", "/v1/processes?limit=0", "")
	var problem map[string]any
	require.NoError(t, json.Unmarshal(body, &problem))
	assert.Equal(t, map[string]any{
		"type": "urn:hostscope:problem:invalid-argument", "title": "Invalid argument", "status": 422.0, "detail": "limit is a number from 1 to 1000",
	}, problem)
}
