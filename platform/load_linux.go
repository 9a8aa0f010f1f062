// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"math"
	"time"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// Load reads /proc/loadavg.
func (h *Host) Load(l *Load) error {
	*l = Load{}
	return h.readAny("loadavg", func(b []byte) error {
		var raw procfs.LoadAverage
		if err := procfs.Load(b, &raw); err != nil {
			return err
		}
		l.Averages, l.Threads, l.Got = raw.Average, raw.Threads, LoadAverages
		if l.Threads > 0 { // sandboxes that do not count them say 0
			l.Got |= LoadThreads
		}
		return nil
	})
}

// Pressure reads of /proc/pressure what is wanted. A kernel that does not
// account it has none.
func (h *Host) Pressure(p *Pressure, want PressureFields) error {
	*p = Pressure{}
	var errs []error
	for _, of := range [...]struct {
		field PressureFields
		file  string
		stall *Stall
	}{
		{PressureCPU, "pressure/cpu", &p.CPU},
		{PressureMemory, "pressure/memory", &p.Memory},
		{PressureIO, "pressure/io", &p.IO},
	} {
		if want&of.field != 0 {
			errs = append(errs, h.stall(of.file, of.stall))
		}
	}
	// There is always a task that runs, so that this is 0 for the system as a
	// whole; the line is there since Linux 5.13, for old readers.
	p.CPU.Full, p.CPU.Got = 0, p.CPU.Got&^StallFull
	return errors.Join(errs...)
}

func (h *Host) stall(file string, s *Stall) error {
	return h.readAny(file, func(b []byte) error {
		var raw procfs.Stall
		if err := procfs.Pressure(b, &raw); err != nil {
			return err
		}
		if raw.HasSome {
			s.Some = time.Duration(raw.Some) * time.Microsecond
			s.Got |= StallSome
		}
		if raw.HasFull {
			s.Full = time.Duration(raw.Full) * time.Microsecond
			s.Got |= StallFull
		}
		return nil
	})
}

// Limits reads of /proc/sys what is wanted: kernel/pid_max and
// kernel/threads-max, of which the lower one counts, and fs/file-nr. Since
// Linux 6.14 pid_max is that of the reader's PID namespace, wherever /proc is.
func (h *Host) Limits(l *SystemLimits, want LimitFields) error {
	*l = SystemLimits{}
	var errs []error
	if want&LimitsTasks != 0 {
		for _, file := range [...]string{"sys/kernel/pid_max", "sys/kernel/threads-max"} {
			errs = append(errs, h.readAny(file, func(b []byte) error {
				n, err := procfs.Number(b)
				if err != nil || n <= 0 {
					return err
				}
				if l.Tasks == 0 || uint64(n) < l.Tasks {
					l.Tasks = uint64(n)
				}
				l.Got |= LimitsTasks
				return nil
			}))
		}
	}
	if want&(LimitsFiles|LimitsOpenFiles) != 0 {
		errs = append(errs, h.readAny("sys/fs/file-nr", func(b []byte) (err error) {
			if l.OpenFiles, l.Files, err = procfs.FileNr(b); err != nil {
				return err
			}
			l.Got |= LimitsOpenFiles
			if l.Files < math.MaxInt64 { // which systemd sets for no limit
				l.Got |= LimitsFiles
			}
			return nil
		}))
	}
	return errors.Join(errs...)
}
