// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
)

// canThread tells whether idle processes can have several threads here.
const canThread = runtime.GOARCH == "amd64"

// idleProgram is the path of the program that the population runs. On amd64 it
// is written first: it has a thread for each of its arguments but the name,
// and they all sleep for ever. Of the programs that every system has, those
// with more than one thread take megabytes each.
func idleProgram(dir string) (string, error) {
	if !canThread {
		return "/bin/sleep", nil
	}
	const address, headers = 0x400000, 64 + 56
	size := uint64(headers + len(idleCode))
	var file bytes.Buffer
	for _, part := range []any{
		elf.Header64{
			Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
			Entry: address + headers, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
		},
		elf.Prog64{
			Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
			Vaddr: address, Paddr: address, Filesz: size, Memsz: size, Align: 4096,
		},
		idleCode,
	} {
		if err := binary.Write(&file, binary.LittleEndian, part); err != nil {
			return "", err
		}
	}
	path := filepath.Join(dir, "idle")
	return path, os.WriteFile(path, file.Bytes(), 0o755)
}

// idleCode makes argc-2 threads by clone(2), on the one stack, since none
// uses it, and then they and the first one call pause(2).
var idleCode = []byte{
	0x48, 0x8b, 0x1c, 0x24, //       mov  rbx, [rsp]
	0x83, 0xeb, 0x02, //             sub  ebx, 2
	0x85, 0xdb, // more:             test ebx, ebx
	0x7e, 0x1c, //                   jle  idle
	0xff, 0xcb, //                   dec  ebx
	0xb8, 0x38, 0x00, 0x00, 0x00, // mov  eax, 56       clone
	0xbf, 0x00, 0x0f, 0x05, 0x00, // mov  edi, CLONE_VM|FS|FILES|SIGHAND|THREAD|SYSVSEM
	0x31, 0xf6, //                   xor  esi, esi
	0x31, 0xd2, //                   xor  edx, edx
	0x45, 0x31, 0xd2, //             xor  r10d, r10d
	0x45, 0x31, 0xc0, //             xor  r8d, r8d
	0x0f, 0x05, //                   syscall
	0x85, 0xc0, //                   test eax, eax      0 in the new thread
	0x75, 0xe0, //                   jne  more
	0xb8, 0x22, 0x00, 0x00, 0x00, // idle: mov eax, 34  pause
	0x0f, 0x05, //                   syscall
	0xeb, 0xf7, //                   jmp  idle
}
