// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"regexp"
	"slices"
	"strings"
)

// Action is what can be allowed.
type Action string

// The actions. Those that begin with read change nothing.
const (
	SendSignal      Action = "send_signal"
	Suspend         Action = "suspend"
	Resume          Action = "resume"
	Terminate       Action = "terminate"
	Kill            Action = "kill"
	SetPriority     Action = "set_priority"
	SetAffinity     Action = "set_cpu_affinity"
	SetRlimit       Action = "set_rlimit"
	Wait            Action = "wait"
	ReadBasic       Action = "read.basic"
	ReadLimits      Action = "read.limits"
	ReadThreads     Action = "read.threads"
	ReadOpenFiles   Action = "read.open_files"
	ReadFDs         Action = "read.fds"
	ReadConnections Action = "read.connections"
	ReadMemoryMaps  Action = "read.memory_maps"
	ReadEnviron     Action = "read.environ"
	ReadSystem      Action = "read.system"
)

// Actions are all there are.
var Actions = []Action{
	SendSignal, Suspend, Resume, Terminate, Kill, SetPriority, SetAffinity, SetRlimit, Wait,
	ReadBasic, ReadLimits, ReadThreads, ReadOpenFiles, ReadFDs, ReadConnections, ReadMemoryMaps, ReadEnviron, ReadSystem,
}

// lethal are those that can stop or end a process: so does a limit of CPU time
// that it has used up, or one of memory or files that it cannot live with
// (getrlimit(2)).
var lethal = []Action{SendSignal, Suspend, Terminate, Kill, SetRlimit}

// Lethal tells whether the action can stop or end a process.
func (a Action) Lethal() bool { return slices.Contains(lethal, a) }

// Acts tells whether the action changes a process.
func (a Action) Acts() bool { return a != Wait && !strings.HasPrefix(string(a), "read.") }

// private tells whether the kernel keeps from other users what the action is
// about. The rest anybody can see in /proc.
func (a Action) private() bool {
	switch a {
	case ReadOpenFiles, ReadFDs, ReadConnections, ReadMemoryMaps, ReadEnviron:
		return true
	}
	return a.Acts()
}

// OfSignal is the action that sending a signal is: whoever may not kill may not
// send signal 9 either.
func OfSignal(name string) Action {
	switch name {
	case "SIGKILL":
		return Kill
	case "SIGTERM":
		return Terminate
	case "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU":
		return Suspend
	case "SIGCONT":
		return Resume
	}
	return SendSignal
}

// matching are the actions that a pattern of a rule means: a name, read.* or *.
func matching(pattern string) (found []Action) {
	for _, a := range Actions {
		prefix, all := strings.CutSuffix(pattern, "*")
		if string(a) == pattern || all && (prefix == "" || prefix == "read.") && strings.HasPrefix(string(a), prefix) {
			found = append(found, a)
		}
	}
	return found
}

// Resources are the names of resource limits, without RLIMIT_, in the order of
// Linux's numbers.
var Resources = []string{
	"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS",
	"LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
}

// glob matches whole values: * stands for anything but a slash, ** for
// anything, ? for one character that is no slash.
type glob struct{ re *regexp.Regexp }

func newGlob(pattern string) glob {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i := 0; i < len(pattern); i++ {
		switch {
		case strings.HasPrefix(pattern[i:], "**"):
			b.WriteString(`.*`)
			i++
		case pattern[i] == '*':
			b.WriteString(`[^/]*`)
		case pattern[i] == '?':
			b.WriteString(`[^/]`)
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	b.WriteString(`\z`)
	re, err := regexp.Compile(b.String())
	if err != nil { // bytes of no rune: it matches nothing
		re = regexp.MustCompile(`[^\s\S]`)
	}
	return glob{re}
}

func (g glob) matches(s string) bool { return g.re.MatchString(s) }
