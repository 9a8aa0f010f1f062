# Copyright The hostscope Authors
# SPDX-License-Identifier: Apache-2.0
"""Threads that come, switch context many times, and go; descriptors that are
opened and closed; memory that is mapped and unmapped; until stdin ends."""

import mmap
import os
import socket
import threading
import time


def one():
    for _ in range(20):
        time.sleep(0.0005)


def churn():
    while True:
        for t in [threading.Thread(target=one, daemon=True) for _ in range(8)]:
            t.start()
        time.sleep(0.015)


def files():
    while True:
        pair = socket.socketpair()
        fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)] + [os.eventfd(1), os.pidfd_open(os.getpid())]
        maps = [mmap.mmap(-1, 1 << 16) for _ in range(20)]
        time.sleep(0.001)
        for fd in fds:
            os.close(fd)
        for m in maps:
            m.close()
        for s in pair:
            s.close()


threading.Thread(target=churn, daemon=True).start()
threading.Thread(target=files, daemon=True).start()
print(os.getpid(), flush=True)
os.read(0, 1)
os._exit(0)
