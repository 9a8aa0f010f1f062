// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// act holds the descriptors for an action. What would change nothing, and yet
// succeed, is an error: a zombie takes every signal and every setting, a
// thread of the kernel even signal 9.
func (p *Handle) act(what string) error {
	if err := p.hold(); err != nil {
		return err
	}
	err := error(nil)
	if p.kernel {
		err = fmt.Errorf("process %d: %s: a thread of the kernel: %w", p.token.PID, what, ErrAccessDenied)
	} else if exited, reaped := p.ended(); reaped {
		err = &NoSuchProcessError{p.token.PID, ReasonExited}
	} else if exited {
		err = fmt.Errorf("process %d: %s: %w", p.token.PID, what, ErrZombieProcess)
	}
	if err != nil {
		p.release()
	}
	return err
}

// ended tells whether all threads of the process have ended, and whether it
// was reaped. Of a pidfd, poll(2) tells it (pidfd_poll of fs/pidfs.c).
func (p *Handle) ended() (exited, reaped bool) {
	if p.pidfd >= 0 {
		in, hup := pollPidfd(p.pidfd)
		if !in || hup {
			return in, hup
		}
		return true, !p.alive()
	}
	var stat procfs.PIDStat
	_, errno := p.stat(&stat, make([]byte, 1024))
	if class(errno) == ErrNoSuchProcess {
		return true, true
	}
	return errno == 0 && stat.Threads <= 1 && (stat.State == 'Z' || stat.State == 'X'), false
}

// pollPidfd tells whether the process has ended and, since Linux 6.9, whether
// it was reaped.
func pollPidfd(fd int) (exited, reaped bool) {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds[:], 0); err != unix.EINTR {
			break
		}
	}
	return fds[0].Revents&(unix.POLLIN|unix.POLLHUP) != 0, fds[0].Revents&unix.POLLHUP != 0
}

// send sends a signal through a descriptor, which only its process can get.
// An open folder of /proc does as well as a pidfd.
func (p *Handle) send(sig syscall.Signal) unix.Errno {
	fd := p.pidfd
	if fd < 0 {
		fd = p.dir
	}
	_, _, errno := unix.Syscall6(unix.SYS_PIDFD_SEND_SIGNAL, uintptr(fd), uintptr(sig), 0, 0, 0, 0)
	return errno
}

// maxSignal is _NSIG of the kernel.
const maxSignal = 64

// Signal sends a signal to the process. ErrZombieProcess where it has ended,
// ErrAccessDenied where this user may not (kill(2)).
func (p *Handle) Signal(sig syscall.Signal) (Guarantee, error) {
	if sig < 1 || sig > maxSignal {
		return 0, fmt.Errorf("signal %d: %w", sig, ErrInvalidArgument)
	}
	if err := p.act("signal"); err != nil {
		return 0, err
	}
	defer p.release()
	p.at("call")
	if p.can.Signal {
		if errno := p.send(sig); errno != 0 {
			return 0, p.fail("pidfd_send_signal", errno)
		}
		return Exact, nil
	}
	// Before Linux 5.1.
	guarantee, errno := p.byNumber(func() unix.Errno { return errnoOrZero(unix.Kill(int(p.token.PID), sig)) })
	if errno != 0 {
		return 0, p.fail("kill", errno)
	}
	if guarantee == Indeterminate {
		guarantee = Checked
	}
	return guarantee, nil
}

// Suspend stops the process until it is resumed (SIGSTOP).
func (p *Handle) Suspend() (Guarantee, error) { return p.Signal(unix.SIGSTOP) }

// Resume continues a process that was stopped (SIGCONT).
func (p *Handle) Resume() (Guarantee, error) { return p.Signal(unix.SIGCONT) }

// Kill ends the process (SIGKILL).
func (p *Handle) Kill() (Guarantee, error) { return p.Signal(unix.SIGKILL) }

// Terminate asks the process to end (SIGTERM), waits until it has or grace is
// over and then, unless kill is nil or has an error to say against it, kills
// it. It tells whether that was needed, and how the process ended as far as it
// did: nil if it has not.
func (p *Handle) Terminate(ctx context.Context, grace time.Duration, kill func() error) (Guarantee, bool, *Exit, error) {
	guarantee, err := p.Signal(unix.SIGTERM)
	if err != nil || grace <= 0 && kill == nil {
		return guarantee, false, nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, max(0, grace))
	defer cancel()
	exit, err := p.Wait(waiting, UntilExited)
	if err == nil {
		return guarantee, false, &exit, nil
	}
	if kill == nil || ctx.Err() != nil || !errors.Is(err, ErrTimeoutExpired) {
		return guarantee, false, nil, err
	}
	second := Guarantee(0)
	if err = kill(); err == nil {
		second, err = p.Kill()
	}
	needed := err == nil
	if err != nil && !errors.Is(err, ErrNoSuchProcess) { // which has ended just now, and without that
		return guarantee, false, nil, err
	}
	waiting, cancel = context.WithTimeout(ctx, killed)
	defer cancel()
	if exit, err = p.Wait(waiting, UntilExited); err != nil {
		return max(guarantee, second), needed, nil, err
	}
	return max(guarantee, second), needed, &exit, nil
}

// killed is how long a process may take to end of SIGKILL: it can hang in a
// driver.
const killed = 5 * time.Second

// byNumber makes a call that takes the number of the process, between two
// looks at the handle.
func (p *Handle) byNumber(call func() unix.Errno) (Guarantee, unix.Errno) {
	if !p.alive() {
		return 0, unix.ESRCH
	}
	p.at("number")
	errno := call()
	p.at("called")
	switch {
	case p.alive():
		return Verified, errno
	case errno != 0: // nothing happened
		return 0, unix.ESRCH
	}
	return Indeterminate, 0
}

// SetPriority sets the nice value, -20 … 19, of the main thread or of all
// threads (setpriority(2), which on Linux is about one thread). It is no error
// if the effect is Indeterminate.
func (p *Handle) SetPriority(nice int, all bool) (Effect, error) {
	if nice < -20 || nice > 19 {
		return Effect{}, fmt.Errorf("nice value %d: %w", nice, ErrInvalidArgument)
	}
	return p.eachThread("setpriority", all, func(tid int) unix.Errno {
		return errnoOrZero(unix.Setpriority(unix.PRIO_PROCESS, tid, nice))
	}, func(stat *procfs.PIDStat) bool { return int(stat.Nice) == nice })
}

// maxCPU bounds the numbers of CPUs, far above NR_CPUS of any kernel.
const maxCPU = 1 << 16

// SetAffinity sets the CPUs that the main thread or all threads may run on
// (sched_setaffinity(2)). None: all that the process's cpuset permits.
func (p *Handle) SetAffinity(cpus []int32, all bool) (Effect, error) {
	const word = 8 * unsafe.Sizeof(uint(0))
	var mask []uint
	for _, cpu := range cpus {
		if cpu < 0 || cpu >= maxCPU {
			return Effect{}, fmt.Errorf("CPU %d: %w", cpu, ErrInvalidArgument)
		}
		for len(mask) <= int(uintptr(cpu)/word) {
			mask = append(mask, 0)
		}
		mask[uintptr(cpu)/word] |= 1 << (uintptr(cpu) % word)
	}
	if len(cpus) == 0 {
		mask = make([]uint, maxCPU/word)
		for i := range mask {
			mask[i] = ^uint(0)
		}
	}
	return p.eachThread("sched_setaffinity", all, func(tid int) unix.Errno {
		_, _, errno := unix.Syscall(unix.SYS_SCHED_SETAFFINITY, uintptr(tid), uintptr(len(mask))*unsafe.Sizeof(mask[0]), uintptr(unsafe.Pointer(&mask[0])))
		runtime.KeepAlive(mask)
		return errno
	}, func(*procfs.PIDStat) bool { return true })
}

// maxRounds is how often the threads of a process are listed, which may make
// new ones faster than they are found.
const maxRounds = 16

// eachThread makes a call that takes the number of a thread for the main
// thread, or for all: also for those that are made meanwhile by threads that
// the call has not come to yet. Afterwards took tells by the thread's stat
// whether the call has had its effect.
func (p *Handle) eachThread(what string, all bool, call func(tid int) unix.Errno, took func(*procfs.PIDStat) bool) (Effect, error) {
	if err := p.act(what); err != nil {
		return Effect{}, err
	}
	defer p.release()
	p.at("call")
	buf := make([]byte, 4096)
	var stat procfs.PIDStat
	if _, errno := p.stat(&stat, buf); errno != 0 {
		return Effect{}, p.fail("stat", errno)
	}
	if !all {
		if stat.State == 'Z' { // other threads run
			return Effect{}, fmt.Errorf("process %d: its main thread has ended: %w", p.token.PID, ErrZombieProcess)
		}
		guarantee, errno := p.byNumber(func() unix.Errno { return call(int(p.token.PID)) })
		if errno != 0 {
			return Effect{}, p.fail(what, errno)
		}
		e := Effect{Guarantee: guarantee, Total: int(stat.Threads)}
		if _, errno := p.stat(&stat, buf); errno == 0 && took(&stat) {
			e.Changed = 1
		}
		return e, nil
	}
	return p.allThreads(what, call, took, buf)
}

func (p *Handle) allThreads(what string, call func(tid int) unix.Errno, took func(*procfs.PIDStat) bool, buf []byte) (Effect, error) {
	e := Effect{Guarantee: Verified}
	type thread struct {
		tid   int32
		start uint64
	}
	seen := make(map[thread]bool)
	var a access
	for range maxRounds {
		fresh := false
		task, errno := a.openat(p.dir, []byte("task\x00"), unix.O_DIRECTORY)
		if errno != 0 {
			return p.partly(e, what, errno)
		}
		var tids []int32
		errno = a.listdir(task, buf, func(name []byte) {
			if id, ok := procfs.PID(name); ok {
				tids = append(tids, id)
			}
		})
		if errno != 0 {
			a.close(task)
			return p.partly(e, what, errno)
		}
		for _, tid := range tids {
			// The thread's folder is its handle.
			dir, errno := a.openat(task, append(strconv.AppendInt(nil, int64(tid), 10), 0), unix.O_DIRECTORY)
			if errno != 0 {
				continue // it has ended
			}
			t := Handle{token: Token{ID: ID{PID: tid}}, pidfd: -1, dir: dir, step: p.step}
			var stat procfs.PIDStat
			_, errno = t.stat(&stat, buf)
			if key := (thread{tid, stat.Start}); errno == 0 && stat.State != 'Z' && !seen[key] {
				seen[key], fresh = true, true
				guarantee, errno := t.byNumber(func() unix.Errno { return call(int(tid)) })
				if class(errno) != 0 && class(errno) != ErrNoSuchProcess || errno == unix.EINVAL {
					a.close(dir)
					a.close(task)
					return p.partly(e, what, errno)
				}
				if errno == 0 {
					e.Guarantee = max(e.Guarantee, guarantee)
					if _, errno := t.stat(&stat, buf); errno == 0 {
						e.Total++
						if took(&stat) {
							e.Changed++
						}
					}
				}
			}
			a.close(dir)
		}
		a.close(task)
		if !fresh {
			break
		}
	}
	if e.Total == 0 && e.Guarantee != Indeterminate {
		return Effect{}, &NoSuchProcessError{p.token.PID, ReasonExited}
	}
	return e, nil
}

// partly ends an action that failed: with what was done, if anything was.
func (p *Handle) partly(e Effect, what string, errno unix.Errno) (Effect, error) {
	if e.Guarantee == Indeterminate || e.Changed > 0 && class(errno) == ErrNoSuchProcess {
		return e, nil
	}
	return e, p.fail(what, errno)
}

// limitNumbers translates to the kernel's numbers, which differ on MIPS.
var limitNumbers = [NumLimits]int{
	LimitCPU: unix.RLIMIT_CPU, LimitFileSize: unix.RLIMIT_FSIZE, LimitData: unix.RLIMIT_DATA, LimitStack: unix.RLIMIT_STACK,
	LimitCore: unix.RLIMIT_CORE, LimitResidentSet: unix.RLIMIT_RSS, LimitProcesses: unix.RLIMIT_NPROC, LimitOpenFiles: unix.RLIMIT_NOFILE,
	LimitLockedMemory: unix.RLIMIT_MEMLOCK, LimitAddressSpace: unix.RLIMIT_AS, LimitFileLocks: unix.RLIMIT_LOCKS,
	LimitPendingSignals: unix.RLIMIT_SIGPENDING, LimitMessageQueue: unix.RLIMIT_MSGQUEUE, LimitNice: unix.RLIMIT_NICE,
	LimitRealtimePriority: unix.RLIMIT_RTPRIO, LimitRealtimeTimeout: unix.RLIMIT_RTTIME,
}

// SetLimit sets a resource limit (prlimit(2)); nil leaves the one as it is. A
// change of that one by another program meanwhile is kept. It is no error if
// the effect is Indeterminate.
func (p *Handle) SetLimit(kind LimitKind, soft, hard *uint64) (LimitChange, error) {
	if int(kind) >= NumLimits {
		return LimitChange{}, fmt.Errorf("resource %d: %w", kind, ErrInvalidArgument)
	}
	if err := p.act("prlimit"); err != nil {
		return LimitChange{}, err
	}
	defer p.release()
	p.at("call")
	c := LimitChange{Atomic: soft != nil && hard != nil, Guarantee: Verified}
	set := func(to *Limit) (Limit, unix.Errno) {
		var old unix.Rlimit
		var next *unix.Rlimit
		if to != nil {
			next = &unix.Rlimit{Cur: to.Soft, Max: to.Hard}
		}
		guarantee, errno := p.byNumber(func() unix.Errno {
			return errnoOrZero(unix.Prlimit(int(p.token.PID), limitNumbers[kind], next, &old))
		})
		if to != nil {
			c.Guarantee = max(c.Guarantee, guarantee)
		} else if errno == 0 && guarantee == Indeterminate { // another's limit was read, no more
			errno = unix.ESRCH
		}
		return Limit{old.Cur, old.Max}, errno
	}
	if c.Atomic {
		c.After = Limit{*soft, *hard}
		var errno unix.Errno
		if c.Before, errno = set(&c.After); errno != 0 {
			return LimitChange{}, p.fail("prlimit", errno)
		}
		return c, nil
	}
	was, errno := set(nil)
	if errno != 0 {
		return LimitChange{}, p.fail("prlimit", errno)
	}
	c.Before, c.After = was, was
	if soft == nil && hard == nil {
		return c, nil
	}
	expected := was
	for n := range maxRounds {
		to := was
		if soft != nil {
			to.Soft = *soft
		} else {
			to.Hard = *hard
		}
		p.at("limit")
		old, errno := set(&to)
		if errno == unix.EPERM { // perhaps because another program has lowered what was to stay
			now, errno := set(nil)
			if errno == 0 && (soft != nil && now.Hard != was.Hard || hard != nil && now.Soft != was.Soft) {
				expected, was = now, now
				continue
			}
		}
		if errno != 0 {
			return c, p.fail("prlimit", errno)
		}
		if c.After = to; n == 0 {
			c.Before = old
		}
		if c.Guarantee == Indeterminate || soft != nil && old.Hard == expected.Hard || hard != nil && old.Soft == expected.Soft {
			return c, nil
		}
		// Another program has changed what was to stay: it shall.
		expected, was = to, old
	}
	return c, fmt.Errorf("process %d: prlimit: others change it all the time: %w", p.token.PID, ErrTimeoutExpired)
}

func errnoOrZero(err error) unix.Errno {
	if err == nil {
		return 0
	}
	return errnoOf(err)
}

// SignalNumber is the number of a signal of this system by its name, such as
// SIGHUP; 0 for none.
func SignalNumber(name string) syscall.Signal { return unix.SignalNum(name) }

// SignalName is the name of a signal, "" for one without.
func SignalName(sig syscall.Signal) string { return unix.SignalName(sig) }
