// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package differential compares what the product says of live processes with
// what psutil says of them, with /proc as another program reads it, and with
// what the processes know of themselves.
//
// testdata/zoo.py starts the processes: they have one of everything, and then
// stand still. testdata/oracle.py asks psutil and reads /proc. A difference is
// a bug, or a test here says which row of the specification wants it: rows are
// P001 … (the functions of a process), E001 … (its descriptors, connections
// and states) and R-… (rules), as in the comments of the rest of the module.
//
// It needs Debian's python3-psutil (5.9 or newer), root for some subjects, and
// Linux.
package differential
