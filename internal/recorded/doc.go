// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Package recorded holds machines as text: the files of /proc, /sys and /etc
// that the product reads, in one txtar archive that can be read, edited and
// compared line by line. Only tests and the recorder use it.
//
// # Record a fixture
//
//  1. On the machine in question, with the PIDs that matter:
//     go run ./internal/recorded/record -name nas -pids 1,2,self > testdata/hosts/nas.txtar
//  2. Read the file. The names of the host and its users, addresses, arguments
//     and paths are already replaced; take out what else is nobody's business, and say in
//     the header what is special.
//  3. Run the golden tests once with -update, and check every number of the
//     new testdata/golden/nas.yaml by hand.
//
// # Header
//
// What stands above the first file is prose in lines that begin with #, and
// what a machine tells that is in no file:
//
//	# Recorded on a NAS with Debian 13, Linux 6.12, by internal/recorded/record.
//	os: linux
//	now: 2026-11-23T10:00:00Z
//	pagesize: 4096
//	awake: 1h2m3s
//	statfs: 4096 26214400 13107200 11796480 6553600 6000000 /
//
// The wall clock may have a fraction of a second; the size of a page is in
// bytes. These three are required. awake is the time since boot without that
// in suspend. statfs, once for each mount point, is what statfs(2) answers
// there: the size of a block in bytes, the blocks, those free and those free
// for users, the inodes and those free, and then the path, with the escapes
// below.
//
// # Files
//
// A file is a line "-- NAME --" and its content, byte for byte. The name is
// relative to the root of the machine. After it may stand
//
//	;escaped    the content is in the notation below
//	;mode=000   its permissions in octal, where not 644 (755 of a folder)
//
// Root reads a file of mode 000 all the same: a test of permissions has to
// run as somebody else.
//
// # Folders and symbolic links
//
// A name that ends in a slash is a folder. It is only needed for what no other
// entry tells: a folder with nothing in it, its symbolic links, its
// permissions, or a note; the root itself is "./". Each of its lines is a link or, with #, a note:
//
//	-- proc/42/ --
//	# A shell whose program was replaced while it ran.
//	exe -> /usr/bin/dash (deleted)
//	-- proc/42/fd/ --
//	0 -> /dev/null
//	1 -> pipe:[4711]
//
// In links the escapes below are always in force; a space of a name before
// the arrow is \x20 where it would be taken for the arrow's.
//
// # Escapes
//
//	\0          NUL
//	\n \r \t    newline, carriage return, tab
//	\xHH        the byte HH
//	\\ \}       the character itself
//	\ NEWLINE   nothing: the line goes on, and the last one of a file has no
//	            newline
//	\{N*TEXT}   TEXT, N times
//
// So a command line has one argument a line, and one of 2 MiB has two:
//
//	-- proc/42/cmdline ;escaped --
//	sh\0\
//	\{2097152*x}\0\
package recorded
