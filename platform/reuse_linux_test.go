// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hostscope/hostscope/internal/pidtest"
)

func namespaced(t *testing.T, body func(t *testing.T)) { pidtest.Namespaced(t, body) }

func sleeper(t *testing.T) *exec.Cmd { return pidtest.Sleeper(t) }

func end(cmd *exec.Cmd) { pidtest.End(cmd) }

func startAs(t *testing.T, pid int) *exec.Cmd { return pidtest.StartAs(t, pid) }

// newTick lets the clock that start times count in go on.
func newTick() { time.Sleep(2 * time.Second / ticksPerSecond) }

// unharmed tells that a process runs with the settings that sleepers have.
func unharmed(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	h := live(t)
	p, err := h.OpenPID(int32(cmd.Process.Pid))
	require.NoError(t, err)
	defer p.Close()
	r, err := h.Read(t.Context(), p, Request{Fields: FieldState | FieldNice | FieldLimits | FieldSignals})
	require.NoError(t, err)
	assert.Contains(t, []State{StateSleeping, StateRunning, StateDiskSleep}, r.State)
	own, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	require.NoError(t, err)
	assert.EqualValues(t, 20-own, r.Nice) // the kernel's own call counts the other way
	assert.NotEqual(t, Limit{11, 12}, r.More.Limits.Of[LimitOpenFiles])
	assert.Zero(t, r.More.Signals.Pending|r.More.Signals.ProcessPending)
}

// kernels are what handles are made of, from the newest kernel back.
var kernels = []struct {
	name string
	can  Abilities
}{
	{"pidfs", Abilities{Pidfd: true, Signal: true, Pidfs: true}},
	{"pidfd", Abilities{Pidfd: true, Signal: true}},
	{"folder", Abilities{Signal: true}},
	{"number", Abilities{}},
}

func handleHost(t *testing.T, can Abilities) *Host {
	h := live(t)
	h.handles.can = &can
	return h
}

func reasonOf(t *testing.T, err error) Reason {
	t.Helper()
	require.ErrorIs(t, err, ErrNoSuchProcess)
	no, ok := errors.AsType[*NoSuchProcessError](err)
	require.True(t, ok, "%v", err)
	return no.Reason
}

// At every step of opening, another process may get the PID.
func TestReuseWhileOpening(t *testing.T) {
	namespaced(t, func(t *testing.T) {
		for _, kernel := range kernels {
			for step, want := range map[string]Reason{"": ReasonReused, "open": ReasonReused, "pidfd": ReasonExited, "dir": ReasonExited, "read": ReasonExited} {
				t.Run(kernel.name+" "+step, func(t *testing.T) {
					if step == "pidfd" && !kernel.can.Pidfd {
						want = ReasonReused // the folder is the first thing that is opened
					}
					h := handleHost(t, kernel.can)
					victim := sleeper(t)
					p, err := h.OpenPID(int32(victim.Process.Pid))
					require.NoError(t, err)
					token := p.Token()
					assert.Equal(t, kernel.can.Pidfs, token.Inode != 0)
					p.Close()

					var newcomer *exec.Cmd
					reuse := func(at string) {
						if at == step && newcomer == nil {
							end(victim)
							newTick()
							newcomer = startAs(t, victim.Process.Pid)
						}
					}
					reuse("")
					h.handles.step = reuse
					_, err = h.OpenToken(token)
					assert.Equal(t, want, reasonOf(t, err))
					unharmed(t, newcomer)
				})
			}
		}
	})
}

// Within one tick two processes can have the same number and start: the inode
// tells them apart.
func TestReuseWithinATick(t *testing.T) {
	if !abilities().Pidfs {
		t.Skip("needs Linux 6.9")
	}
	namespaced(t, func(t *testing.T) {
		h := live(t)
		same := 0
		for range 50 {
			victim := sleeper(t)
			p, err := h.OpenPID(int32(victim.Process.Pid))
			require.NoError(t, err)
			token := p.Token()
			p.Close()
			end(victim)
			startAs(t, victim.Process.Pid)
			_, err = h.OpenToken(token)
			assert.Equal(t, ReasonReused, reasonOf(t, err))
			q, err := h.OpenPID(int32(victim.Process.Pid))
			require.NoError(t, err)
			if q.Token().Start == token.Start {
				same++
			}
			q.Close()
		}
		t.Logf("same PID and start time: %d of 50", same)
	})
}

// A signal never reaches the newcomer while the kernel has pidfd_send_signal;
// where it has not, the answer does not claim that it did not.
func TestReuseWhileSignalling(t *testing.T) {
	namespaced(t, func(t *testing.T) {
		for _, kernel := range kernels {
			for _, step := range []string{"", "call", "number", "called"} {
				for _, sig := range []syscall.Signal{unix.SIGHUP, unix.SIGKILL, unix.SIGSTOP} {
					t.Run(kernel.name+" "+step+" "+sig.String(), func(t *testing.T) {
						h := handleHost(t, kernel.can)
						victim := sleeper(t)
						p, err := h.OpenPID(int32(victim.Process.Pid))
						require.NoError(t, err)
						defer p.Close()
						var newcomer *exec.Cmd
						reuse := func(at string) {
							if at == step && newcomer == nil {
								end(victim)
								newcomer = startAs(t, victim.Process.Pid)
							}
						}
						reuse("")
						p.step = reuse
						guarantee, err := p.Signal(sig)
						switch {
						case kernel.can.Signal && newcomer == nil: // it has no such step
							require.NoError(t, err)
							assert.Equal(t, Exact, guarantee)
						case step == "number" || step == "called":
							require.NoError(t, err)
							assert.Equal(t, Checked, guarantee)
							if step == "called" {
								unharmed(t, newcomer)
							}
						default:
							assert.Equal(t, ReasonExited, reasonOf(t, err))
							unharmed(t, newcomer)
						}
					})
				}
			}
		}
	})
}

// A setter goes by number on every kernel. One that may have hit the newcomer
// says so.
func TestReuseWhileSetting(t *testing.T) {
	set := map[string]func(p *Handle) (Guarantee, error){
		"priority": func(p *Handle) (Guarantee, error) { e, err := p.SetPriority(19, false); return e.Guarantee, err },
		"priority of all": func(p *Handle) (Guarantee, error) {
			e, err := p.SetPriority(19, true)
			return e.Guarantee, err
		},
		"affinity": func(p *Handle) (Guarantee, error) {
			e, err := p.SetAffinity([]int32{0}, false)
			return e.Guarantee, err
		},
		"limit": func(p *Handle) (Guarantee, error) {
			soft, hard := uint64(11), uint64(12)
			c, err := p.SetLimit(LimitOpenFiles, &soft, &hard)
			return c.Guarantee, err
		},
		"half a limit": func(p *Handle) (Guarantee, error) {
			soft := uint64(11)
			c, err := p.SetLimit(LimitOpenFiles, &soft, nil)
			return c.Guarantee, err
		},
	}
	namespaced(t, func(t *testing.T) {
		for _, kernel := range kernels {
			for _, step := range []string{"", "call", "number", "called"} {
				for name, set := range set {
					t.Run(kernel.name+" "+step+" "+name, func(t *testing.T) {
						h := handleHost(t, kernel.can)
						victim := sleeper(t)
						p, err := h.OpenPID(int32(victim.Process.Pid))
						require.NoError(t, err)
						defer p.Close()
						var newcomer *exec.Cmd
						reading := name == "half a limit" && (step == "number" || step == "called")
						reuse := func(at string) {
							if at == step && newcomer == nil {
								end(victim)
								newcomer = startAs(t, victim.Process.Pid)
							}
						}
						reuse("")
						p.step = reuse
						guarantee, err := set(p)
						switch {
						case reading: // the first call by number is only a look
							assert.Equal(t, ReasonExited, reasonOf(t, err))
							unharmed(t, newcomer)
						case step == "number" || step == "called":
							require.NoError(t, err)
							assert.Equal(t, Indeterminate, guarantee)
							if step == "called" {
								unharmed(t, newcomer)
							}
						default:
							assert.Equal(t, ReasonExited, reasonOf(t, err))
							unharmed(t, newcomer)
						}
					})
				}
			}
		}
	})
}

// Who waits for a process does not go on with the next one of its number.
func TestReuseWhileWaiting(t *testing.T) {
	namespaced(t, func(t *testing.T) {
		for _, kernel := range kernels {
			for _, until := range []Until{UntilExited, UntilReaped} {
				h := handleHost(t, kernel.can)
				victim := sleeper(t)
				p, err := h.OpenPID(int32(victim.Process.Pid))
				require.NoError(t, err)
				defer p.Close()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				done := make(chan error, 1)
				go func() {
					e, err := p.Wait(ctx, until)
					if err == nil && e.Known && e.Signal != unix.SIGKILL {
						err = errors.New("it ended otherwise")
					}
					done <- err
				}()
				end(victim)
				newcomer := startAs(t, victim.Process.Pid)
				require.NoError(t, <-done, kernel.name)
				running, err := p.Running()
				require.NoError(t, err)
				assert.False(t, running)
				state, err := p.State()
				require.NoError(t, err)
				assert.Equal(t, StateDead, state)
				_, err = h.Read(t.Context(), p, Request{Fields: FieldName})
				assert.Equal(t, ReasonExited, reasonOf(t, err), "reads are of the one that was meant")
				unharmed(t, newcomer)
				end(newcomer)
			}
		}
	})
}

// The child's parent has ended and its PID is another process's.
func TestReuseOfTheParent(t *testing.T) {
	namespaced(t, func(t *testing.T) {
		h := live(t)
		parent := exec.Command("sh", "-c", "sleep 1000 & wait")
		require.NoError(t, parent.Start())
		t.Cleanup(func() { end(parent) })
		child := childOf(t, parent.Process.Pid)
		p, err := h.OpenPID(child)
		require.NoError(t, err)
		defer p.Close()
		for _, step := range []string{"ppid", "parent"} {
			var newcomer *exec.Cmd
			p.step = func(at string) {
				if at == step && newcomer == nil {
					end(parent)
					newcomer = startAs(t, parent.Process.Pid)
				}
			}
			q, err := h.Parent(p)
			require.NoError(t, err)
			assert.EqualValues(t, 1, q.Token().PID, "the first process has adopted it")
			q.Close()
			parent = newcomer // for the second step, where nothing is left to happen
		}

		// Nor are the children of another process with its PID its own.
		victim := sleeper(t)
		v, err := h.OpenPID(int32(victim.Process.Pid))
		require.NoError(t, err)
		defer v.Close()
		end(victim)
		newcomer := pidtest.StartAs(t, victim.Process.Pid, "sh", "-c", "sleep 1000 & wait")
		childOf(t, newcomer.Process.Pid)
		children := func(of *Handle) (pids []int32) {
			require.NoError(t, h.Children(t.Context(), of, true, func(c *Handle) error { pids = append(pids, c.Token().PID); return nil }))
			return pids
		}
		assert.Empty(t, children(v))
		n, err := h.OpenPID(int32(newcomer.Process.Pid))
		require.NoError(t, err)
		defer n.Close()
		assert.Len(t, children(n), 1)

		// Nor is one that has got a child's PID since it was listed, or one whose
		// parent has ended since.
		self, err := h.OpenSelf()
		require.NoError(t, err)
		defer self.Close()
		child1 := sleeper(t)
		self.step = func(at string) {
			if at == "scan" {
				newTick()
				end(child1)
				startAs(t, child1.Process.Pid)
			}
		}
		assert.NotContains(t, children(self), int32(child1.Process.Pid))
		n.step = func(at string) {
			if at == "scan" {
				end(newcomer)
			}
		}
		assert.Empty(t, children(n))
		p.step = nil
		_, _ = p.Kill()
	})
}

// childOf waits for the one child of a process.
func childOf(t *testing.T, pid int) (child int32) {
	h := live(t)
	require.Eventually(t, func() bool {
		s, err := h.Snapshot(t.Context(), Request{Fields: FieldParent | FieldName})
		require.NoError(t, err)
		for _, p := range s.Processes {
			if p.PPID == int32(pid) && p.Name == "sleep" {
				child = p.PID
			}
		}
		return child != 0
	}, 10*time.Second, 5*time.Millisecond)
	return child
}
