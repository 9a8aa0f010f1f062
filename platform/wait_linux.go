// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// Wait waits until the process has ended, or was reaped, and tells how it
// ended. It reaps nothing. Thousands may wait: no thread is held where the
// kernel has pidfds. ErrTimeoutExpired where the context ended first.
func (p *Handle) Wait(ctx context.Context, until Until) (Exit, error) {
	if err := p.hold(); err != nil {
		return Exit{}, err
	}
	fd := -1
	if p.pidfd >= 0 {
		var err error
		if fd, err = unix.FcntlInt(uintptr(p.pidfd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			p.release()
			return Exit{}, p.fail("dup", errnoOf(err))
		}
		_ = unix.SetNonblock(fd, true) // what os.NewFile gives to the poller
	}
	p.release()

	var err error
	if fd >= 0 {
		f := os.NewFile(uintptr(fd), "pidfd")
		defer f.Close()
		err = p.waitPolled(ctx, f, until)
	} else {
		err = p.waitTicking(ctx, until)
	}
	if err != nil {
		return Exit{}, err
	}
	return p.exit()
}

// waitPolled waits for what poll(2) tells of a pidfd. That it was reaped it
// tells since Linux 6.9.
func (p *Handle) waitPolled(ctx context.Context, f *os.File, until Until) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("process %d: %w", p.token.PID, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	reaping := until == UntilReaped && p.can.Pidfs
	err = conn.Read(func(fd uintptr) bool {
		exited, reaped := pollPidfd(int(fd))
		return exited && (reaped || !reaping)
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return p.timeout(ctx)
	case err != nil:
		return fmt.Errorf("process %d: wait: %w", p.token.PID, err)
	case until == UntilReaped && !reaping:
		return p.waitTicking(ctx, until)
	}
	return nil
}

// waitTicking looks again and again, up to four times a second.
func (p *Handle) waitTicking(ctx context.Context, until Until) error {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		if err := p.hold(); err != nil {
			return err
		}
		exited, reaped := p.ended()
		p.release()
		if reaped || exited && until == UntilExited {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return p.timeout(ctx)
		case <-timer.C:
		}
	}
}

func (p *Handle) timeout(ctx context.Context) error {
	return fmt.Errorf("process %d: wait: %w: %w", p.token.PID, ErrTimeoutExpired, context.Cause(ctx))
}

// exit is how the process, which has ended, did so.
func (p *Handle) exit() (Exit, error) {
	if err := p.hold(); err != nil {
		return Exit{}, err
	}
	defer p.release()
	_, reaped := p.ended()
	e := Exit{Reaped: reaped}
	status, known := p.exitStatus()
	if !known {
		return e, nil
	}
	e.Known = true
	if w := syscall.WaitStatus(status); w.Signaled() {
		e.Signal, e.Core = w.Signal(), w.CoreDump()
	} else {
		e.Code = w.ExitStatus()
	}
	return e, nil
}

// exitStatus is the status that waitpid(2) gives to the parent. Once the
// process was reaped a pidfd tells it (since Linux 6.15), before that the file
// stat, which shows 0 to who may not know it (do_task_stat of fs/proc/array.c).
func (p *Handle) exitStatus() (uint32, bool) {
	if p.pidfd >= 0 {
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		if unix.IoctlPidfdInfo(p.pidfd, &info) == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
			return uint32(info.Exit_code), true
		}
	}
	buf := make([]byte, 1024)
	b, errno := p.stat(new(procfs.PIDStat), buf)
	if errno != 0 {
		return 0, false
	}
	status, err := procfs.ExitCode(b)
	if err != nil {
		return 0, false
	}
	if status == 0 { // the link takes the same right
		_, errno := new(access).readlinkat(p.dir, []byte("exe\x00"), buf)
		return 0, class(errno) == ErrNoSuchProcess && p.alive()
	}
	return status, true
}

// WaitAll waits for several processes and calls each, one call at a time,
// with the index of one that has ended, or could not be waited for. It returns
// when all were called for or the context has ended, of which each is not told.
func WaitAll(ctx context.Context, ps []*Handle, until Until, each func(i int, e Exit, err error)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i, p := range ps {
		wg.Go(func() {
			e, err := p.Wait(ctx, until)
			mu.Lock()
			defer mu.Unlock()
			if err == nil || ctx.Err() == nil {
				each(i, e, err)
			}
		})
	}
	wg.Wait()
}
