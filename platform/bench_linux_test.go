// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkSnapshot reads process tables of plain files with every field. It
// reports the time, the allocations and the system calls of one process; the
// files are not those of a kernel, which takes longer to print them.
func BenchmarkSnapshot(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tr := newTree(b)
			for pid := 1; pid <= n; pid++ {
				tr.process(fake{pid: pid, comm: fmt.Sprint("p", pid), start: uint64(pid), argStart: 1, uid: 1000, exe: "/bin/p", cmdline: "p\x00-x\x00"})
			}
			h := tr.open()
			h.table.sizeIsCount = true // as on a live /proc
			for range rotation {
				snap(b, h)
			}
			benchmark(b, h, n)
		})
	}
}

// BenchmarkLive reads the processes of this machine with every field.
func BenchmarkLive(b *testing.B) {
	h := live(b)
	n := 0
	for range rotation {
		n = len(snap(b, h).Processes)
	}
	benchmark(b, h, n)
}

// BenchmarkSensors reads a server with 20 chips of 10 temperatures, each with two
// limits and an alarm, and a laptop's power supplies, of plain files. A reading
// of a kernel adds what its drivers take.
func BenchmarkSensors(b *testing.B) {
	tr := newTree(b)
	for i := range 20 {
		files := map[string]string{"name": "chip"}
		for k := range 10 {
			name := fmt.Sprintf("temp%d", k+1)
			files[name+"_input"], files[name+"_max"], files[name+"_crit"], files[name+"_crit_alarm"] = "30000", "80000", "90000", "0"
		}
		tr.chip(i, fmt.Sprintf("devices/platform/chip.%d/hwmon", i), files)
	}
	tr.supply("AC", "TYPE=Mains", "ONLINE=1")
	tr.supply("BAT0", "TYPE=Battery", "STATUS=Charging", "ENERGY_NOW=1", "ENERGY_FULL=2", "POWER_NOW=3", "MODEL_NAME=M")
	h := tr.open()
	var sensors []Sensor
	var supplies []PowerSupply
	for _, bench := range []struct {
		name string
		want SensorRequest
	}{
		{"default", SensorRequest{SensorTemperature: SensorValue, SensorFan: SensorValue}},
		{"everything", everySensor},
	} {
		b.Run(bench.name, func(b *testing.B) {
			before := h.calls
			b.ReportAllocs()
			for b.Loop() {
				var err, perr error
				sensors, err = h.Sensors(b.Context(), sensors[:0], bench.want, nil)
				supplies, perr = h.PowerSupplies(b.Context(), supplies[:0], 0, nil)
				if err != nil || perr != nil || len(sensors) != 200 || len(supplies) != 2 {
					b.Fatal(err, perr, len(sensors), len(supplies))
				}
			}
			b.ReportMetric(float64(h.calls-before)/float64(b.N), "syscalls/op")
		})
	}
}

func benchmark(b *testing.B, h *Host, n int) {
	before := h.calls
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Snapshot(context.Background(), Request{Fields: basic}); err != nil {
			b.Fatal(err)
		}
	}
	perProcess := 1 / float64(b.N) / float64(n)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())*perProcess, "ns/process")
	b.ReportMetric(float64(h.calls-before)*perProcess, "syscalls/process")
}

// BenchmarkNetwork reads the interfaces of a network with pairs of veth, as a
// host of containers has them: what metrics take by default, with the addresses,
// and by files.
func BenchmarkNetwork(b *testing.B) {
	if !inNetwork(b) {
		return
	}
	root := namespaceRoot(b)
	const byDefault = NetworkIO | NetworkPackets | NetworkErrors | NetworkDropIn | NetworkDropOut | NetworkUp | NetworkSpeed
	made := 0
	for _, n := range []int{8, 1000} {
		for ; made < n/2; made++ {
			addVeth(b, fmt.Sprint("v", made), fmt.Sprint("w", made))
		}
		all := interfaces(b, openRoot(b, root), 0)
		for _, i := range all {
			setFlags(b, i.Index, unix.IFF_UP)
		}
		for name, way := range map[string]struct {
			want  NetworkFields
			files bool
		}{"default": {byDefault, false}, "addresses": {byDefault | NetworkAddresses, false}, "files": {byDefault, true}} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				h := openRoot(b, root)
				h.net = hostNetwork{looked: true, folder: "1/net/", own: !way.files, sysfs: true}
				var list []NetworkInterface
				read := func() {
					var err error
					if list, err = h.NetworkInterfaces(list[:0], way.want, nil); err != nil || len(list) != len(all) {
						b.Fatal(err, len(list))
					}
				}
				for range 2 * rotation {
					read()
				}
				before := h.calls
				b.ReportAllocs()
				for b.Loop() {
					read()
				}
				b.ReportMetric(float64(h.calls-before)/float64(b.N), "syscalls")
			})
		}
	}
}
