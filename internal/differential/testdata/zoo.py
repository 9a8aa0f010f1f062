# Copyright The hostscope Authors
# SPDX-License-Identifier: Apache-2.0
"""Starts processes that have one of everything, and then stand still.

Every function below that is marked with @subject becomes a process, which
sets itself up, tells what it knows of itself and sleeps. All that they told
is printed as one line of JSON, {name: {"pid": …, …}}; a subject that was not
permitted tells {"skip": why} instead. The end of stdin ends them all.

usage: zoo.py FOLDER    FOLDER is empty, and anybody may look into it
"""

import ctypes
import fcntl
import json
import mmap
import os
import resource
import select
import signal
import socket
import stat
import struct
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME = 1, 4, 15
CLONE_VFORK, CLONE_NEWPID, CLONE_NEWNET = 0x4000, 0x20000000, 0x40000000
SYS = {
    "x86_64": dict(clone=56, ioprio_set=251, inotify_init1=294, signalfd4=289, timerfd_create=283, timerfd_settime=286),
    "aarch64": dict(clone=220, ioprio_set=30, inotify_init1=26, signalfd4=74, timerfd_create=85, timerfd_settime=86),
}[os.uname().machine]
O_LARGEFILE = {"x86_64": 0o100000, "aarch64": 0o400000}[os.uname().machine]

folder = ""
subjects = []


def subject(f):
    subjects.append(f)
    return f


def syscall(name, *args):
    r = libc.syscall(SYS.get(name, name), *args)
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r


def check(r):
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r


def still():
    while True:
        signal.pause()


def at(name):
    return os.path.join(folder, name)


def burn(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        for _ in range(1000):
            pass


def name_thread(name):
    check(libc.prctl(PR_SET_NAME, name, 0, 0, 0))


def copy(source, name):
    path = at(name)
    with open(source, "rb") as f, open(path, "wb") as g:
        g.write(f.read())
    os.chmod(path, 0o755)
    return path


class Exec:
    """A subject that becomes another program instead of sleeping itself."""

    def __init__(self, path, argv, env, **facts):
        self.path, self.argv, self.env, self.facts = path, argv, env, facts


# --- programs, arguments, environment ---------------------------------------


@subject
def plain():
    return {}


@subject
def program():
    """Odd names, secrets, an argument that is empty and one of no encoding."""
    path = copy("/bin/sh", "a name ) R ( that is longer than comm")
    argv = ["argv zero", "-c", "read x", "sh", "--password=hunter2", "", b"caf\xe9", "two words", "new\nline", "-H", "Authorization: Bearer abc"]
    env = {"PATH": "/usr/bin:/bin", "DB_PASSWORD": "hunter2", "EMPTY": "", "EQUALS": "a=b=c", b"LATIN": b"\xe9t\xe9", "URL": "https://u:p@example.com/"}
    return Exec(path, argv, env)


@subject
def deleted_program():
    path = copy("/bin/sh", "deleted")
    return Exec(path, ["deleted", "-c", "read x"], {"A": "1"}, remove=path)


@subject
def called_deleted():
    """Its file is there, and its name ends as if it were not."""
    path = copy("/bin/sh", "kept (deleted)")
    return Exec(path, ["kept", "-c", "read x"], {})


@subject
def no_arguments():
    """More arguments than are kept, and one that is longer."""
    return Exec("/bin/sh", ["sh", "-c", "read x"] + ["a%d" % i for i in range(400)] + ["x" * 10000], {"B": "2"})


def arguments():
    with open("/proc/self/stat", "rb") as f:
        fields = f.read().rsplit(b")", 1)[1].split()
    return int(fields[45]), int(fields[46])  # arg_start, arg_end


@subject
def title_padded():
    """What setproctitle(3) does with a short title."""
    start, end = arguments()
    title = b"postgres: writer idle"
    ctypes.memmove(start, title.ljust(end - start, b"\0"), end - start)
    return {}


@subject
def title_full():
    """A title that fills all the room and has no NUL."""
    start, end = arguments()
    ctypes.memmove(start, (b"title of one's own " * 50)[: end - start], end - start)
    return {}


@subject
def comm_newline():
    name_thread(b") R 1 (\n\\ x")
    return {"comm": ") R 1 (\n\\ x"}


@subject
def comm_full():
    name_thread(b"fifteen-letters")
    return {"comm": "fifteen-letters"}


@subject
def comm_bytes():
    name_thread(b"caf\xe9")
    return {}


@subject
def folders():
    """A root and a working directory of its own."""
    os.makedirs(at("root/a b\n"))
    os.chroot(at("root"))
    os.chdir("/a b\n")
    return {"root": at("root"), "directory": at("root/a b\n")}


@subject
def folder_removed():
    os.mkdir(at("removed"))
    os.chdir(at("removed"))
    os.rmdir(at("removed"))
    return {"directory": at("removed")}


# --- who, where, when --------------------------------------------------------


@subject
def users():
    os.setgroups([33, 4, 65534, 7])
    os.umask(0o027)
    os.setresgid(1, 2, 3)
    os.setresuid(1, 2, 12345)
    libc.setfsgid(3)
    libc.setfsuid(12345)
    return {"uids": [1, 2, 12345, 12345], "gids": [1, 2, 3, 3], "groups": [4, 7, 33, 65534], "umask": 0o027}


@subject
def unprivileged():
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    os.chdir("/")
    check(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))  # as a program that was started so
    return {}


@subject
def session():
    os.setsid()
    return {}


@subject
def group():
    os.setpgid(0, 0)
    return {}


@subject
def terminal():
    """The child of a fork with a pty; this process holds the other side."""
    r, w = os.pipe()
    pid, fd = os.forkpty()
    if pid == 0:
        check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        os.write(w, os.ttyname(0).encode())
        still()
    return {"child": pid, "tty": os.read(r, 100).decode()}


@subject
def scheduling():
    os.sched_setaffinity(0, {0})
    nice = os.nice(5)  # on top of what was inherited
    syscall("ioprio_set", 1, 0, 2 << 13 | 7)
    return {"nice": nice, "affinity": [0], "io": [2, 7]}


@subject
def io_idle():
    syscall("ioprio_set", 1, 0, 3 << 13)
    return {"io": [3, 0]}


@subject
def limits():
    for what, soft, hard in (
        (resource.RLIMIT_CPU, 1000, 2000),
        (resource.RLIMIT_FSIZE, 1 << 40, 1 << 41),
        (resource.RLIMIT_DATA, 1 << 33, 1 << 34),
        (resource.RLIMIT_STACK, 1 << 20, 1 << 26),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_RSS, 1 << 30, 1 << 31),
        (resource.RLIMIT_NPROC, 5000, 6000),
        (resource.RLIMIT_NOFILE, 123, 456),
        (resource.RLIMIT_MEMLOCK, 4096, 8192),
        (resource.RLIMIT_AS, 1 << 35, (1 << 63) - 1),
        (10, 11, 12),  # RLIMIT_LOCKS
        (resource.RLIMIT_SIGPENDING, 13, 14),
        (resource.RLIMIT_MSGQUEUE, 15, 16),
        (resource.RLIMIT_NICE, 0, 0),
        (resource.RLIMIT_RTPRIO, 0, 0),
        (resource.RLIMIT_RTTIME, 1000000, 2000000),
    ):
        most = resource.getrlimit(what)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(what, (soft, hard))
    return {}


@subject
def oom():
    with open("/proc/self/oom_score_adj", "w") as f:
        f.write("500")
    return {"adjustment": 500}


@subject
def cgroup():
    """In a cgroup whose name is that of a container of a Kubernetes pod."""
    name = "kubepods.slice/cri-containerd-%s.scope" % ("0123456789abcdef" * 4)
    for base in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        top = os.path.join(base, "hostscope-%d.slice" % os.getppid())
        if os.path.exists(os.path.join(base, "cgroup.controllers")):
            path = os.path.join(top, name)
            try:
                os.makedirs(path)
            except OSError as e:
                return {"skip": "no cgroup can be made: %s" % e}
            with open(os.path.join(path, "cgroup.procs"), "w") as f:
                f.write(str(os.getpid()))
            return {"cgroup": path[len(base) :], "folder": path, "top": top}
    return {"skip": "no cgroup v2"}


@subject
def pid_namespace():
    check(libc.unshare(CLONE_NEWPID))
    pid = os.fork()
    if pid == 0:
        check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        still()
    return {"child": pid, "vpid": 1}


@subject
def clock():
    """CPU time, its own and that of children that it waited for."""
    burn(0.15)
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            burn(0.1)
            for _ in range(20000):
                os.getppid()
            os._exit(0)
        os.waitpid(pid, 0)
    return {}


# --- states --------------------------------------------------------------------


@subject
def zombie():
    pid = os.fork()
    if pid == 0:
        burn(0.05)
        os._exit(3)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return {"child": pid}


@subject
def stopped():
    pid = os.fork()
    if pid == 0:
        check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        os.kill(os.getpid(), signal.SIGSTOP)
        still()
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    return {"child": pid}


@subject
def traced():
    pid = os.fork()
    if pid == 0:
        check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        check(libc.ptrace(0, 0, 0, 0))  # PTRACE_TRACEME
        os.kill(os.getpid(), signal.SIGSTOP)
        still()
    os.waitpid(pid, os.WUNTRACED)
    return {"child": pid}


@subject
def leader_gone():
    """The first thread has ended, and another goes on: a zombie with threads."""

    def rest():
        burn(0.05)
        while True:
            time.sleep(1000)

    threading.Thread(target=rest).start()
    time.sleep(0.1)
    return {"then": lambda: libc.pthread_exit(None)}


@subject
def disk_sleep():
    """A parent that waits for its vfork child sleeps without interruption."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        if syscall("clone", CLONE_VFORK | signal.SIGCHLD, 0, 0, 0, 0) == 0:
            check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
            os.write(w, b"x")
            still()
        still()
    os.read(r, 1)
    return {"child": pid}


@subject
def signals():
    with open("/proc/self/status") as f:  # some may have been ignored already by who started us
        inherited = int(next(line for line in f if line.startswith("SigIgn:")).split()[1], 16)
    r, t = signal.SIGRTMIN + 3, signal.SIGRTMIN
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGUSR2, r})
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(t, lambda *_: None)
    os.kill(os.getpid(), signal.SIGUSR1)
    for _ in range(3):
        os.kill(os.getpid(), r)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR2)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
    bit = lambda *s: sum(1 << n - 1 for n in s)
    return {
        "pending": bit(signal.SIGUSR1, signal.SIGUSR2),
        "process_pending": bit(signal.SIGUSR1, r),
        "blocked": bit(signal.SIGUSR1, signal.SIGUSR2, r),
        "ignored": inherited | bit(signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ),
        "caught": bit(signal.SIGINT, signal.SIGTERM, t),
        "distinct": 3,
    }


# --- threads and I/O ---------------------------------------------------------------


@subject
def threads():
    """20 threads and the first; five more have ended. Some have worked."""
    names = {}
    ready = threading.Barrier(21)

    def one(i):
        name = b") S %d (" % i if i < 2 else b"new\nline %d" % i if i < 4 else b"worker %d" % i
        name_thread(name)
        names[threading.get_native_id()] = name.decode()
        if i < 3:
            burn(0.05)
        if i == 5:
            with open(at("written by a thread"), "wb", buffering=0) as f:
                f.write(bytes(1 << 20))
                os.fsync(f.fileno())
        ready.wait()
        while True:
            time.sleep(100000)

    for _ in range(5):
        t = threading.Thread(target=lambda: (burn(0.02), time.sleep(0.01)))
        t.start()
        t.join()
    for i in range(20):
        threading.Thread(target=one, args=(i,), daemon=True).start()
    ready.wait()
    names[os.getpid()] = None
    return {"threads": names}


@subject
def io():
    fd = os.open(at("io"), os.O_RDWR | os.O_CREAT)
    for _ in range(64):
        os.write(fd, bytes(65536))
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.lseek(fd, 0, os.SEEK_SET)
    while os.read(fd, 1 << 20):
        pass
    null = os.open("/dev/null", os.O_WRONLY)
    for _ in range(1000):
        os.write(null, bytes(100000))
    return {"written": 64 * 65536, "passed": 64 * 65536 + 1000 * 100000}


# --- memory -------------------------------------------------------------------------


@subject
def mappings():
    page = mmap.PAGESIZE
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]

    def put(pages, prot, flags, fd=-1, offset=0, write=0, read=0):
        start = libc.mmap(None, pages * page, prot, flags, fd, offset)
        assert start != ctypes.c_void_p(-1).value
        for i in range(write):
            ctypes.memset(start + i * page, 1, 1)
        for i in range(read):
            ctypes.string_at(start + i * page, 1)
        return start

    r, rw = mmap.PROT_READ, mmap.PROT_READ | mmap.PROT_WRITE
    private, shared, anon = mmap.MAP_PRIVATE, mmap.MAP_SHARED, mmap.MAP_ANONYMOUS
    out = []

    def say(what, start, pages, perms, name, offset=0):
        out.append(dict(what=what, start=start, end=start + pages * page, perms=perms, name=name, offset=offset))

    def file(name, pages=8):
        path = at(name)
        with open(path, "wb") as f:
            f.write(os.urandom(pages * page))
            f.flush()
            os.fsync(f.fileno())
        return path, os.open(path, os.O_RDWR)

    # What may not be touched lies between those that the kernel would join.
    put(1, 0, private | anon)
    say("dirty", put(200, rw, private | anon, write=100), 200, "rw-p", "[anon]")
    say("guard", put(3, 0, private | anon), 3, "---p", None)
    say("shared", put(50, rw, shared | anon, write=20), 50, "rw-s", "/dev/zero (deleted)")
    path, fd = file("mapped: 1 (private)")
    say("file", put(4, rw, private, fd, 2 * page, write=2, read=4), 4, "rw-p", path, 2 * page)
    path, fd = file("new\nline tab\t é \\")
    say("newline", put(8, rw, shared, fd, 0, write=3, read=8), 8, "rw-s", path)
    path, fd = file("gone")
    os.unlink(path)
    say("deleted", put(8, r, shared, fd, read=5), 8, "r--s", path + " (deleted)")
    path, fd = file("called (deleted)")
    say("called deleted", put(8, r, shared, fd, read=8), 8, "r--s", path)
    fd = os.memfd_create("a memfd")
    os.ftruncate(fd, 4 * page)
    say("memfd", put(4, rw, shared, fd, write=2), 4, "rw-s", "/memfd:a memfd (deleted)")
    long = os.path.join(folder, *["d" * 200] * 15)
    os.makedirs(long)
    path, fd = file(os.path.join(long, "long\n" * 20))
    say("long", put(8, r, private, fd, read=2), 8, "r--p", path)
    many = put(400, rw, private | anon)
    for i in range(0, 400, 2):
        libc.mprotect(ctypes.c_void_p(many + i * page), page, r)
    return {"mappings": out, "many": [many, many + 400 * page]}


# --- descriptors -----------------------------------------------------------------------


def timerfd(value, interval):
    fd = syscall("timerfd_create", time.CLOCK_MONOTONIC, 0)
    ns = lambda s: (int(s), int(s % 1 * 1e9))
    spec = struct.pack("llll", *ns(interval), *ns(value))
    syscall("timerfd_settime", fd, 0, spec, None)
    return fd


@subject
def descriptors():
    out = []

    def say(kind, fd, cloexec=True, **more):
        if isinstance(fd, (socket.socket, select.epoll)):
            kept.append(fd)
            fd = fd.fileno()
        os.set_inheritable(fd, not cloexec)
        st = os.fstat(fd)
        flags = fcntl.fcntl(fd, fcntl.F_GETFL) & ~O_LARGEFILE
        out.append(
            dict(
                fd=fd, type=kind, flags=flags | (os.O_CLOEXEC if cloexec else 0), mode=st.st_mode, size=st.st_size, links=st.st_nlink, inode=st.st_ino,
                dev=[os.major(st.st_dev), os.minor(st.st_dev)], rdev=[os.major(st.st_rdev), os.minor(st.st_rdev)], **more
            )
        )  # fmt: skip
        return fd

    kept = []
    path = at("a file\n\\n \t(deleted)")
    fd = say("file", os.open(path, os.O_RDWR | os.O_CREAT, 0o640), path=path, position=0)
    os.write(fd, b"x" * 5000)
    os.lseek(fd, 1234, os.SEEK_SET)
    out[-1].update(size=5000, position=1234)
    os.link(path, at("another name"))
    out[-1].update(links=2)
    say("file", os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK), cloexec=False, path=path, position=0)
    say("file", os.open(path, os.O_RDWR | os.O_APPEND | os.O_DSYNC), path=path, position=0)
    say("file", os.open(path, os.O_WRONLY | os.O_SYNC), path=path, position=0)
    big = os.open(at("big"), os.O_RDONLY | os.O_CREAT)
    os.truncate(at("big"), 1 << 40)
    os.lseek(big, (1 << 40) - 7, os.SEEK_SET)
    say("file", big, path=at("big"), position=(1 << 40) - 7)
    say("file", os.open(path, os.O_PATH), path=path)
    gone = os.open(at("gone"), os.O_RDWR | os.O_CREAT)
    os.write(gone, b"123")
    os.unlink(at("gone"))
    say("file", gone, path=at("gone"), position=3)
    kept_deleted = os.open(at("here (deleted)"), os.O_RDONLY | os.O_CREAT)
    say("file", kept_deleted, path=at("here (deleted)"), position=0)
    say("file", os.open(folder, os.O_RDONLY | os.O_DIRECTORY), path=folder)
    say("file", os.open("/dev/null", os.O_RDWR), path="/dev/null")
    say("file", os.open("/dev/zero", os.O_RDONLY), path="/dev/zero")
    memfd = os.memfd_create("mem fd")
    os.write(memfd, b"1234567890")
    say("file", memfd, path="/memfd:mem fd", position=10)
    os.mkfifo(at("fifo"))
    say("fifo", os.open(at("fifo"), os.O_RDWR), path=at("fifo"))
    r, w = os.pipe()
    os.write(w, b"abc")
    say("pipe", r)
    say("pipe", w)
    for family, kind in (
        (socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_UNIX, socket.SOCK_STREAM),
        (socket.AF_UNIX, socket.SOCK_DGRAM), (socket.AF_UNIX, socket.SOCK_SEQPACKET), (socket.AF_NETLINK, socket.SOCK_RAW),
    ):  # fmt: skip
        say("socket", socket.socket(family, kind))
    say("inotify", syscall("inotify_init1", 0))
    say("signalfd", syscall("signalfd4", -1, (ctypes.c_ulong * 1)(1 << signal.SIGUSR1 - 1), 8, 0))
    e = select.epoll()
    for fd in (r, w, kept[0].fileno()):
        e.register(fd, select.EPOLLIN | select.EPOLLET)
    say("epoll", e, watches=3)
    say("epoll", select.epoll(), watches=0)
    say("timerfd", timerfd(100000.5, 0.25), time_left=100000.5, interval=0.25, pending=0, at=time.monotonic())
    say("timerfd", timerfd(5000.75, 0), time_left=5000.75, interval=0, pending=0, at=time.monotonic())
    say("timerfd", timerfd(0, 0), time_left=0, interval=0, pending=0, at=time.monotonic())
    expired = timerfd(0.001, 0)
    select.select([expired], [], [])
    say("timerfd", expired, time_left=0, interval=0, pending=1, at=time.monotonic())
    say("pidfd", os.pidfd_open(os.getppid()), target=os.getppid())
    child = os.fork()
    if child == 0:
        os._exit(0)
    reaped = os.pidfd_open(child)
    os.waitpid(child, 0)
    say("pidfd", reaped, target=-1)
    say("eventfd", os.eventfd(255), pending=255)
    counter = os.eventfd(0)
    os.write(counter, struct.pack("Q", (1 << 64) - 2))
    say("eventfd", counter, pending=(1 << 64) - 2)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    say("file", os.dup2(0, 300), cloexec=False)
    out.pop()
    os.close(300)
    return {"fds": out, "keep": kept, "standard": [0, 1, 2]}


# --- sockets -----------------------------------------------------------------------------


def settle(condition, what="where it should be"):
    until = time.monotonic() + 20
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("a socket did not get to " + what)
        time.sleep(0.005)


def tcp_state(s):
    return s.getsockopt(socket.IPPROTO_TCP, 11, 1)[0]  # TCP_INFO, tcpi_state


STATES = "? ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN CLOSING".split()


def stuck(s):
    """Sends until the other side takes no more, so that a FIN must wait."""
    s.setblocking(False)
    last = time.monotonic()
    while time.monotonic() < last + 0.1:
        try:
            s.send(bytes(65536))
            last = time.monotonic()
        except BlockingIOError:
            time.sleep(0.005)
    assert struct.unpack("i", fcntl.ioctl(s, 0x5411, bytes(4)))[0] > 0  # SIOCOUTQ


def sockets_of(family, host):
    """Sockets in every state that a process can hold on the loopback."""
    kept, out = [], []

    def say(s, state=None, **more):
        kept.append(s)
        local = s.getsockname()
        try:
            peer = s.getpeername()
        except OSError:
            peer = None
        kind = {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp"}[s.type]
        if state is not None:
            settle(lambda: STATES[tcp_state(s)] == state, state)
        out.append(dict(fd=s.fileno(), kind=kind, ipv6=s.family == socket.AF_INET6, local=list(local[:2]), peer=peer and list(peer[:2]), state=state, **more))
        return s

    def tcp():
        s = socket.socket(family, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20000)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20000)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 100)  # it stays in SYN_SENT
        return s

    listener = tcp()
    listener.bind((host, 0))
    listener.listen(100)

    def pair():
        a = tcp()
        a.connect(listener.getsockname())
        b, _ = listener.accept()
        return a, b

    a, b = pair()
    a.send(bytes(1000))
    settle(lambda: len(b.recv(2000, socket.MSG_PEEK)) == 1000)
    say(a, "ESTABLISHED", transmit=0, receive=0)
    say(b, "ESTABLISHED", transmit=0, receive=1000)

    a, b = pair()
    a.shutdown(socket.SHUT_WR)
    settle(lambda: STATES[tcp_state(a)] == "FIN_WAIT2")
    say(a, "FIN_WAIT2")
    say(b, "CLOSE_WAIT")

    a, b = pair()
    stuck(a)
    a.shutdown(socket.SHUT_WR)
    say(a, "FIN_WAIT1")
    say(b, "ESTABLISHED")

    a, b = pair()
    stuck(a)
    a.shutdown(socket.SHUT_WR)
    b.shutdown(socket.SHUT_WR)
    settle(lambda: STATES[tcp_state(a)] == "CLOSING")
    say(a, "CLOSING")
    say(b, "FIN_WAIT2")

    a, b = pair()
    stuck(a)
    b.shutdown(socket.SHUT_WR)
    settle(lambda: STATES[tcp_state(a)] == "CLOSE_WAIT")
    a.shutdown(socket.SHUT_WR)
    say(a, "LAST_ACK")
    say(b, "FIN_WAIT2")

    a = tcp()  # waits to be accepted: only one end is a process's
    a.connect(listener.getsockname())
    say(a, "ESTABLISHED")
    say(listener, "LISTEN")

    deaf = tcp()  # takes no connection before it has seen data
    deaf.bind((host, 0))
    deaf.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 300)
    deaf.listen(5)
    say(deaf, "LISTEN")
    a = tcp()
    a.connect(deaf.getsockname())
    say(a, "ESTABLISHED")
    syn_recv = list(deaf.getsockname()[:2])

    full = tcp()  # has no room for another connection, and answers no SYN
    full.bind((host, 0))
    full.listen(0)
    say(full, "LISTEN")
    waiting = []
    for _ in range(4):
        s = tcp()
        s.setblocking(False)
        s.connect_ex(full.getsockname())
        waiting.append(s)
        time.sleep(0.01)
    time.sleep(0.05)
    assert any(STATES[tcp_state(s)] == "SYN_SENT" for s in waiting)
    for s in waiting:
        if STATES[tcp_state(s)] == "SYN_SENT":
            kept.append(s)
            out.append(dict(fd=s.fileno(), kind="tcp", ipv6=family == socket.AF_INET6, local=list(s.getsockname()[:2]), peer=list(full.getsockname()[:2]), state="SYN_SENT"))
        else:
            say(s, STATES[tcp_state(s)])

    kept.append(tcp())  # never bound, never connected: the kernel lists it nowhere
    bound = tcp()  # nor this
    bound.bind((host, 0))
    kept.append(bound)

    any_address = tcp()
    any_address.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))
    any_address.listen(5)
    say(any_address, "LISTEN")

    u = socket.socket(family, socket.SOCK_DGRAM)
    u.bind((host, 0))
    say(u)
    v = socket.socket(family, socket.SOCK_DGRAM)
    v.connect(u.getsockname())
    v.send(bytes(100))
    say(v)
    kept.append(socket.fromfd(v.fileno(), family, socket.SOCK_DGRAM))  # a second number for the same socket
    return {"connections": out, "keep": kept, "syn_recv": syn_recv}


@subject
def sockets_ipv4():
    return sockets_of(socket.AF_INET, "127.0.0.1")


@subject
def sockets_ipv6():
    try:
        return sockets_of(socket.AF_INET6, "::1")
    except OSError as e:
        return {"skip": "no IPv6 on the loopback: %s" % e}


@subject
def sockets_mapped():
    """Sockets of IPv6 that speak IPv4."""
    kept, out = [], []

    def say(s, state):
        kept.append(s)
        local, peer = s.getsockname(), None
        if state == "ESTABLISHED":
            peer = list(s.getpeername()[:2])
        out.append(dict(fd=s.fileno(), kind="tcp", ipv6=s.family == socket.AF_INET6, local=list(local[:2]), peer=peer, state=state))

    try:
        listener = socket.socket(socket.AF_INET6)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", 0))
    except OSError as e:
        return {"skip": "no IPv6: %s" % e}
    listener.listen(5)
    say(listener, "LISTEN")
    a = socket.socket()
    a.connect(("127.0.0.1", listener.getsockname()[1]))
    b, _ = listener.accept()
    say(a, "ESTABLISHED")
    say(b, "ESTABLISHED")
    c = socket.socket(socket.AF_INET6)
    c.connect(("::ffff:127.0.0.1", listener.getsockname()[1]))
    d, _ = listener.accept()
    say(c, "ESTABLISHED")
    say(d, "ESTABLISHED")
    return {"connections": out, "keep": kept}


@subject
def sockets_unix():
    kept, out = [], []

    def say(s, kind, path):
        kept.append(s)
        out.append(dict(fd=s.fileno(), kind="unix", ipv6=False, type=kind, path=path))

    def make(kind):
        return socket.socket(socket.AF_UNIX, getattr(socket, "SOCK_" + kind.upper()))

    os.chdir(folder)
    for kind in ("stream", "dgram", "seqpacket"):
        s = make(kind)
        s.bind("sock-" + kind)
        say(s, kind, "sock-" + kind)
        if kind != "dgram":
            s.listen(5)
            t = make(kind)
            t.connect("sock-" + kind)
            u, _ = s.accept()
            say(t, kind, "")
            say(u, kind, "sock-" + kind)
        s = make(kind)
        s.bind("\0hostscope %d %s" % (os.getpid(), kind))
        say(s, kind, "@hostscope %d %s" % (os.getpid(), kind))
        a, b = socket.socketpair(socket.AF_UNIX, getattr(socket, "SOCK_" + kind.upper()))
        say(a, kind, "")
        say(b, kind, "")
    s = make("stream")
    s.bind("with  two spaces and\ttab")
    say(s, "stream", "with  two spaces and\ttab")
    absolute = at("absolute")
    s = make("stream")
    s.bind(absolute)
    say(s, "stream", absolute)
    return {"connections": out, "keep": kept}


@subject
def network_namespace():
    """Another network: the caller's /proc/net does not have its sockets."""
    check(libc.unshare(CLONE_NEWNET))
    s = socket.socket()
    s.bind(("0.0.0.0", 4711))
    s.listen(5)
    return {"connections": [dict(fd=s.fileno(), kind="tcp", ipv6=False, local=["0.0.0.0", 4711], peer=None, state="LISTEN")], "keep": [s]}


# --- the population ------------------------------------------------------------------------


def start(f, hold):
    """Runs a subject in a process of its own and answers what it told."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        os.close(r)
        try:
            facts = f()
            do = None
            if isinstance(facts, Exec):
                do, facts = facts, dict(facts.facts, exec=True)
            then = facts.pop("then", None)
            keep = facts.pop("keep", None)  # noqa: F841
            text = json.dumps(facts).encode()
        except PermissionError as e:
            do, then, text = None, None, json.dumps({"skip": "not permitted: %s" % e}).encode()
        except BaseException as e:
            text = json.dumps({"error": "%s: %s" % (type(e).__name__, e)}).encode()
            do = then = None
        os.write(w, text + b"\n")
        if do:
            os.dup2(hold, 0)
            os.execve(do.path, do.argv, do.env)
        os.close(w)
        if then:
            then()
        still()
    os.close(w)
    with open(r, "rb") as f:
        facts = json.loads(f.readline())
        if facts.pop("exec", False):
            f.read()  # until the exec has closed the other end
    if "remove" in facts:
        os.unlink(facts["remove"])
    facts["pid"] = pid
    return facts


def main():
    global folder
    folder = os.path.realpath(sys.argv[1])
    hold, _writer = os.pipe()  # what the shells wait for
    told = {}
    try:
        for f in subjects:
            told[f.__name__] = start(f, hold)
        print(json.dumps(told), flush=True)
        sys.stdin.read()
    finally:
        for facts in told.values():
            for pid in (facts.get("child"), facts["pid"]):
                if pid:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
        for facts in told.values():
            os.waitpid(facts["pid"], 0)
            top = facts.get("top")
            if top:
                for path, _, _ in os.walk(top, topdown=False):
                    os.rmdir(path)


main()
