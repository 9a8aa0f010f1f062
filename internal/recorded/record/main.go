// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Command record writes the Linux machine it runs on as an archive of package
// recorded: the files that hostscope reads, and no others.
//
//	go run ./internal/recorded/record -name nas -pids 1,2,self > testdata/hosts/nas.txtar
//
// The names of the host, of its users and control groups, the IDs of the machine
// and of its boot, serial numbers, addresses, also those of network cards,
// arguments and the paths of open files are replaced by others.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	var r recorder
	flag.StringVar(&r.root, "root", "/", "`folder` that the machine's proc, sys and etc are in")
	flag.StringVar(&r.name, "name", "recorded", "`name` that stands for the host's own")
	flag.BoolVar(&r.private, "private", false, "keep what is private: for your eyes only")
	pids := flag.String("pids", "1,self", "`PIDs` to record, separated by commas; self is the recorder")
	flag.Parse()

	host, err := r.record(strings.Split(*pids, ","))
	if err == nil {
		var text []byte
		if text, err = host.Format(); err == nil {
			_, err = os.Stdout.Write(text)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}
