# Copyright The hostscope Authors
# SPDX-License-Identifier: Apache-2.0
"""Gives the same PID to one process after another.

It makes a PID namespace of its own, with its own /proc, and prints the PID
that the first process there has outside. Then each line on stdin, a number of
seconds, replaces the process with PID 1000 by one that has used so much CPU
time, and answers with a line.
"""

import ctypes
import os
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWPID, MS_REC, MS_PRIVATE = 0x20000, 0x20000000, 0x4000, 0x40000


def check(r):
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r


def fork(cpu):
    with open("/proc/sys/kernel/ns_last_pid", "w") as f:
        f.write("999")
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        while time.process_time() < cpu:
            pass
        os.write(w, b"x")
        while True:
            time.sleep(1000)
    assert pid == 1000
    os.read(r, 1)
    os.close(r)
    os.close(w)
    return pid


def init(pid):
    try:
        check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
        check(libc.mount(b"proc", b"/proc", b"proc", 0, None))
    except PermissionError as e:
        pid = "not permitted: %s" % e
    sys.stdout.write(pid + "\n")
    sys.stdout.flush()
    pid = 0
    for cpu in sys.stdin:
        if pid:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        pid = fork(float(cpu))
        sys.stdout.write("done\n")
        sys.stdout.flush()
    os._exit(0)  # and with it all others


try:
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWPID))
except PermissionError as e:
    print("not permitted: %s" % e, flush=True)
    sys.exit()
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.close(w)
    with os.fdopen(r) as f:
        outside = f.read()
    try:
        init(outside)
    finally:
        os._exit(1)
os.write(w, str(pid).encode())
os.close(w)
os.waitpid(pid, 0)
