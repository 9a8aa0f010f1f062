# Copyright The hostscope Authors
# SPDX-License-Identifier: Apache-2.0
"""Prints what psutil, and /proc as Python reads it, say of processes.

One JSON object by PID: {"psutil": {method: value}, "proc": {…}}. Where psutil
raised, the value is {"raised": name of the exception}.

usage: oracle.py PID…    everything of these
       oracle.py         of all processes, what is read quickly
"""

import json
import os
import re
import sys

import psutil

LIMITS = (  # in the order of the product's resources
    "CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME".split()
)
CHEAP = (
    "ppid name exe cmdline cwd status username create_time uids gids terminal nice ionice num_ctx_switches num_threads cpu_times cpu_num cpu_affinity "
    "memory_info num_fds io_counters"
).split()
ALL = CHEAP + "threads environ open_files memory_full_info".split()


def plain(v):
    if hasattr(v, "_asdict"):
        return {k: plain(x) for k, x in v._asdict().items()}
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, int):
        return int(v)  # and no enum
    return v


def ask(f, *args, **kwargs):
    try:
        return plain(f(*args, **kwargs))
    except (psutil.Error, OSError, ValueError) as e:
        return {"raised": type(e).__name__}


def connections(p):
    out = []
    for c in p.connections("all"):
        end = lambda a: list(a) if isinstance(a, tuple) else a
        out.append(dict(fd=c.fd, family=c.family.name, type=c.type.name, local=end(c.laddr), peer=end(c.raddr), status=c.status))
    return out


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode("utf-8", "surrogateescape")
    except OSError:
        return None


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def lines(text):
    if not text:
        return None
    return {k: v.strip() for k, _, v in (line.partition(":") for line in text.split("\n")) if k}


def numbers(text):
    return text and [int(x) for x in text[text.rindex(")") + 1 :].split()[1:]]


def queues(pid):
    """Of every IP socket in the network of a process: inode -> [send, receive]."""
    out = {}
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in (read("/proc/%d/net/%s" % (pid, name)) or "").split("\n")[1:]:
            f = line.split()
            if f:
                out[f[9]] = [int(x, 16) for x in f[4].split(":")]
    return out


def proc(pid, everything):
    at = "/proc/%d/" % pid
    stat = read(at + "stat")
    d = {
        "status": lines(read(at + "status")),
        "stat": numbers(stat),
        "comm": stat and stat[stat.index("(") + 1 : stat.rindex(")")],
        "delay": sum(int(read(at + "task/" + tid + "/schedstat").split()[1]) for tid in os.listdir(at + "task")),
        "oom_score": read(at + "oom_score"),
        "oom_score_adj": read(at + "oom_score_adj"),
        "cgroup": read(at + "cgroup"),
        "cmdline": read(at + "cmdline"),
        "exe": link(at + "exe"),
        "root": link(at + "root"),
        "cwd": link(at + "cwd"),
        "pgid": ask(os.getpgid, pid),
        "sid": ask(os.getsid, pid),
    }
    if everything:
        d["limits"] = read(at + "limits")
        d["environ"] = read(at + "environ")
        d["rollup"] = lines((read(at + "smaps_rollup") or "").partition("\n")[2])
        d["maps"] = read(at + "maps")
        d["inodes"] = {fd: link(at + "fd/" + fd) for fd in os.listdir(at + "fd")} if d["root"] else {}
        d["queues"] = queues(pid)
        d["threads"] = {}
        for tid in os.listdir(at + "task"):
            to = at + "task/" + tid + "/"
            stat = read(to + "stat")
            comm = stat and stat[stat.index("(") + 1 : stat.rindex(")")]
            d["threads"][tid] = {"stat": numbers(stat), "comm": comm, "status": lines(read(to + "status")), "io": lines(read(to + "io"))}
    return d


def one(pid, everything):
    try:
        p = psutil.Process(pid)
        with p.oneshot():
            d = {m: ask(getattr(p, m)) for m in (ALL if everything else CHEAP)}
        if everything:
            d["rlimit"] = [ask(p.rlimit, getattr(psutil, "RLIMIT_" + r, 10)) for r in LIMITS]
            d["memory_maps"] = ask(p.memory_maps, grouped=False)
            d["connections"] = ask(connections, p)
        return {"psutil": d, "proc": proc(pid, everything)}
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError, AttributeError):
        return None  # it or one of its threads ended


def main():
    pids = [int(a) for a in sys.argv[1:]]
    out = {pid: one(pid, True) for pid in pids} if pids else {pid: one(pid, False) for pid in psutil.pids()}
    text = json.dumps({"psutil": psutil.__version__, "processes": {k: v for k, v in out.items() if v}})
    # JSON knows no byte: what is no UTF-8 is shown as the product does.
    text = re.sub(r"(\\udc[89a-f][0-9a-f])+", r"\\ufffd", text)
    print(text)


main()
