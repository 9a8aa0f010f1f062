// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hostscope/hostscope/platform/internal/procfs"
)

// ppid is the PID of the parent now.
func (p *Handle) ppid() (int32, error) {
	if err := p.hold(); err != nil {
		return 0, err
	}
	defer p.release()
	var stat procfs.PIDStat
	if _, errno := p.stat(&stat, make([]byte, 1024)); errno != 0 {
		return 0, p.fail("stat", errno)
	}
	return stat.PPID, nil
}

// maxHops bounds how often a parent is looked for that ends meanwhile, so that
// another one takes its place.
const maxHops = 16

// Parent opens the parent of a process; nil where it has none that is shown
// in this PID namespace. It was the parent when it was opened: the number was
// its own before and after.
func (h *Host) Parent(p *Handle) (*Handle, error) {
	for range maxHops {
		ppid, err := p.ppid()
		if err != nil || ppid == 0 {
			return nil, err
		}
		p.at("ppid")
		parent, err := h.OpenPID(ppid)
		if errors.Is(err, ErrNoSuchProcess) {
			continue // it has ended; the child has another one now
		} else if err != nil {
			return nil, err
		}
		p.at("parent")
		again, err := p.ppid()
		if err == nil && again == ppid && parent.token.Start <= p.token.Start {
			return parent, nil
		}
		parent.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("process %d: its parent: %w", p.token.PID, ErrTimeoutExpired)
}

// Parents calls each with the parent of a process, its parent, and so on. The
// handles are closed after each.
func (h *Host) Parents(ctx context.Context, p *Handle, each func(*Handle) error) error {
	seen := map[ID]bool{p.token.ID: true}
	child := p
	for {
		parent, err := h.Parent(child)
		if child != p {
			child.Close()
		}
		if err != nil || parent == nil {
			if child != p && errors.Is(err, ErrNoSuchProcess) {
				return nil // an ancestor has ended meanwhile
			}
			return err
		}
		if seen[parent.token.ID] || ctx.Err() != nil {
			parent.Close()
			return ctx.Err()
		}
		seen[parent.token.ID] = true
		if err := each(parent); err != nil {
			parent.Close()
			return err
		}
		child = parent
	}
}

// maxDepth bounds how many generations of children are looked at, of each of
// which one handle is open.
const maxDepth = 256

// Children calls each with the children of a process, ascending by PID, and
// with recursive with theirs behind each. What it is called with was a child
// of its parent, and of no earlier process with that number. The handles are
// closed after each. The process table is read once: who is born later is not
// among them.
func (h *Host) Children(ctx context.Context, p *Handle, recursive bool, each func(*Handle) error) error {
	s, err := h.Snapshot(ctx, Request{Fields: FieldParent})
	if err == nil {
		err = s.ProcessesErr
	}
	if err != nil {
		return err
	}
	of := make(map[int32][]ID)
	for _, c := range s.Processes {
		of[c.PPID] = append(of[c.PPID], c.ID)
	}
	p.at("scan")
	seen := map[ID]bool{p.token.ID: true}
	return h.children(ctx, p, of, seen, recursive, 0, each)
}

func (h *Host) children(ctx context.Context, p *Handle, of map[int32][]ID, seen map[ID]bool, recursive bool, depth int, each func(*Handle) error) error {
	if depth == maxDepth {
		return fmt.Errorf("children deeper than %d: %w", maxDepth, ErrNotSupported)
	}
	for _, id := range slices.Clone(of[p.token.PID]) {
		if seen[id] || id.Start < p.token.Start {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		seen[id] = true
		child, err := h.OpenPID(id.PID)
		if errors.Is(err, ErrNoSuchProcess) || errors.Is(err, ErrAccessDenied) {
			continue
		} else if err != nil {
			return err
		}
		// While the parent is there the number that the child names is its.
		ppid, err := child.ppid()
		running := false
		if err == nil {
			running, err = p.Running()
		}
		if err == nil && child.token.ID == id && ppid == p.token.PID && running {
			if err = each(child); err == nil && recursive {
				err = h.children(ctx, child, of, seen, recursive, depth+1, each)
			}
		} else if errors.Is(err, ErrNoSuchProcess) {
			err = nil
		}
		child.Close()
		if err != nil {
			return err
		}
		if !running {
			return nil
		}
	}
	return nil
}
