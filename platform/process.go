// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"net/netip"
	"time"
)

// ID is one process for its whole life. A PID alone is not: it is given to
// another process some time after this one was reaped.
type ID struct {
	PID int32
	// Start is when the process started, since boot, in the kernel's own unit
	// (Linux: clock ticks, field 22 of proc_pid_stat(5)). It is only to be
	// compared: a step of the wall clock does not move it.
	Start uint64
}

// State is what a process is doing, as psutil names it.
type State uint8

// The states of a process. Not every platform knows each.
const (
	StateUnknown State = iota
	StateRunning
	StateSleeping
	StateDiskSleep
	StateZombie
	StateStopped
	StateTracingStop
	StateDead
	StateWakeKill
	StateWaking
	StateParked
	StateIdle
	StateLocked
	StateWaiting
	StateSuspended

	NumStates = iota
)

// Process is what was read of one process. It belongs to the [Host] and is
// overwritten by the next Snapshot; strings may be kept.
type Process struct {
	ID
	// Got is the set of fields below that hold a value. A field outside it is
	// unknown, whatever its content.
	Got Fields
	// Created is the wall-clock time of the start. It is computed once per
	// identity and then kept, so that it is the same in every scrape.
	Created time.Time
	// Age is how long it had been running when the snapshot began. A step of
	// the clock moves it as little as Created.
	Age time.Duration
	// KernelThread tells that this is a thread of the kernel, which has no
	// executable, arguments, memory or descriptors.
	KernelThread bool
	// Selected tells that the process passed the filter of the request, so
	// that more than its cheap fields was read.
	Selected bool

	Name    string // the kernel's name for it (comm), valid UTF-8
	PPID    int32
	State   State
	CPU     ProcessCPUTimes
	Threads int32
	RSS     uint64 // resident set size in bytes
	VMS     uint64 // size of the address space in bytes

	ReadBytes  uint64 // bytes fetched from storage
	WriteBytes uint64 // bytes sent to storage

	Descriptors int32  // number of file descriptors, with those that a call under way has reserved
	Executable  string // absolute path of the program, valid UTF-8
	Command     string // the first argument (argv[0]), valid UTF-8
	Owner       string // name of the real user, or its number in decimal

	PGID, SID int32 // process group, session
	Nice      int32 // of the main thread, -20 … 19

	MinorFaults, MajorFaults uint64          // page faults without and with I/O, of all threads
	ChildrenCPU              ProcessCPUTimes // CPU time of children that were waited for, in seconds
	LastCPU                  int32           // the CPU that the main thread ran on last

	Shared     uint64 // resident memory of files and shared memory, in bytes
	Text, Data uint64 // size of code; of data and stack together, in bytes

	ReadChars, WriteChars uint64 // bytes passed to read and write calls, whatever served them
	ReadCalls, WriteCalls uint64 // number of those calls

	Arguments     []string   // argv, valid UTF-8; at most MaxArguments
	ArgumentCount int        // how many there are
	RunDelay      float64    // seconds that threads waited for a CPU while they could run
	IOPriority    IOPriority // of the main thread
	OOMScore      int32      // the kernel's badness, 0 … 2000
	OOMAdjustment int32      // -1000 … 1000
	Cgroup        string     // path of the process in its cgroup, "" for none

	// More is what fewer users want. It is not nil where Got has one of its
	// fields.
	More *More

	// Note is for the caller. It stays with the identity from one snapshot to
	// the next and is dropped with it.
	Note any

	cache processCache
}

// ProcessCPUTimes is the CPU time in seconds of all threads of a process,
// including those that have exited. On Linux guest time is part of User.
type ProcessCPUTimes struct {
	User, System float64
}

// MaxArguments and MaxArgument bound what is kept of arguments.
const (
	MaxArguments = 256  // their number
	MaxArgument  = 4096 // bytes of each
)

// TTY is a controlling terminal.
type TTY struct {
	Attached bool   // there is one
	Name     string // its path below /dev, "" where none has its number
}

// IOClass is a class of I/O priorities, ioprio_set(2).
type IOClass uint8

// The classes of I/O priorities.
const (
	IOClassNone IOClass = iota
	IOClassRealtime
	IOClassBestEffort
	IOClassIdle
)

// IOPriority is a class and the level in it, 0 (highest) … 7.
type IOPriority struct {
	Class IOClass
	Level int32
}

// Limit is a resource limit, in the unit of its [LimitKind]; [Unlimited] where
// it does not limit.
type Limit struct{ Soft, Hard uint64 }

// Unlimited is RLIM_INFINITY.
const Unlimited = 1<<64 - 1

// LimitKind is a resource that can be limited (getrlimit(2)).
type LimitKind uint8

// The resources.
const (
	LimitCPU              LimitKind = iota // seconds
	LimitFileSize                          // bytes
	LimitData                              // bytes
	LimitStack                             // bytes
	LimitCore                              // bytes
	LimitResidentSet                       // bytes
	LimitProcesses                         // a number
	LimitOpenFiles                         // a number
	LimitLockedMemory                      // bytes
	LimitAddressSpace                      // bytes
	LimitFileLocks                         // a number
	LimitPendingSignals                    // a number
	LimitMessageQueue                      // bytes
	LimitNice                              // 20 minus the nice value
	LimitRealtimePriority                  // a priority
	LimitRealtimeTimeout                   // microseconds

	NumLimits = iota
)

// Limits are the resource limits of a process. Has tells which there are.
type Limits struct {
	Has uint32 // bit 1<<kind
	Of  [NumLimits]Limit
}

// More is what of a process fewer users want. It is apart so that the many
// processes of those who do not want it stay small: the garbage collector looks
// at each. Like Process it is overwritten
// by the next snapshot.
type More struct {
	UIDs  [4]uint32 // real, effective, saved, of file system access
	Users [3]string // names of the first three, or their numbers in decimal
	GIDs  [4]uint32 // likewise of the group

	Supplementary []uint32 // ascending
	Umask         uint32
	Signals       Signals
	Affinity      []int32 // CPUs that the main thread may run on, ascending
	VPID          int32   // PID in the innermost namespace
	Limits        Limits
	TTY           TTY    // controlling terminal
	CgroupFile    string // all of /proc/PID/cgroup
	Directory     string // working directory
	RootDirectory string // "/" unless in a chroot

	RSSAnon, RSSFile, RSSShmem uint64 // add up to the resident set, bytes
	Swap, HugeTLB, Library     uint64 // bytes
	Peak, PeakVirtual          uint64 // highest resident set and address space so far, bytes
	SignalsQueued              uint64 // of all processes of the real user

	// Context switches of all threads, including those that were seen and
	// have exited. They never fall.
	Voluntary, Involuntary uint64
	ThreadList             []Thread // ascending ID

	// Those asked for in Request.Environment, in that order, and with
	// EnvironmentNames the others behind them.
	Environment      []EnvVar
	EnvironmentCount int
	// Footprint is the memory of all mappings together; of its other fields
	// none holds a value.
	Footprint   Mapping
	Mappings    []Mapping // ascending address
	FDs         []FD      // ascending number
	Connections []Connection
}

// Signals are sets of signals: bit 0 is signal 1.
type Signals struct {
	Pending        uint64 // of the main thread
	ProcessPending uint64 // of the process as a whole
	Blocked        uint64 // of the main thread
	Ignored        uint64
	Caught         uint64
}

// EnvVar is a variable of the environment at exec.
type EnvVar struct{ Name, Value string }

// Thread is one thread of a process. What was not asked for or not readable
// is outside Got.
type Thread struct {
	ID                       int32
	Got                      Fields    // of FieldThreadList, FieldThreadSwitches, FieldThreadIO
	Name                     string    // valid UTF-8
	Start                    uint64    // as ID.Start
	Created                  time.Time // of it, as Process.Created
	CPU                      ProcessCPUTimes
	MinorFaults, MajorFaults uint64
	Voluntary, Involuntary   uint64 // context switches
	ReadBytes, WriteBytes    uint64 // storage
}

// Device is the number of a device.
type Device struct{ Major, Minor uint32 }

// Mapping is one mapping of memory (proc_pid_smaps(5)). All numbers but the
// addresses and the inode are bytes.
type Mapping struct {
	Start, End, Offset uint64
	Permissions        [4]byte // rwxp, - for none, s for shared
	Device             Device  // 0:0 for none
	Inode              uint64  // 0 for none
	Name               string  // path, [heap], [stack], …; [anon] for none

	// Of FieldMappingMemory. The first four add up to the resident set.
	SharedClean, SharedDirty, PrivateClean, PrivateDirty uint64
	PSS, Referenced, Anonymous, Swap                     uint64
}

// add adds the memory of another one.
func (m *Mapping) add(one *Mapping) {
	m.SharedClean += one.SharedClean
	m.SharedDirty += one.SharedDirty
	m.PrivateClean += one.PrivateClean
	m.PrivateDirty += one.PrivateDirty
	m.PSS += one.PSS
	m.Referenced += one.Referenced
	m.Anonymous += one.Anonymous
	m.Swap += one.Swap
}

// Resident is the resident set of the mapping.
func (m *Mapping) Resident() uint64 {
	return m.SharedClean + m.SharedDirty + m.PrivateClean + m.PrivateDirty
}

// USS is what the end of the process would free.
func (m *Mapping) USS() uint64 { return m.PrivateClean + m.PrivateDirty }

// Dirty is what differs from its file, or has none.
func (m *Mapping) Dirty() uint64 { return m.SharedDirty + m.PrivateDirty }

// FDType is what a descriptor refers to.
type FDType uint8

// The types of descriptors.
const (
	FDUnknown FDType = iota
	FDFile           // whatever has a path: files, folders, devices, terminals
	FDSocket
	FDPipe
	FDFIFO
	FDKqueue
	FDProcdesc
	FDInotify
	FDSignalfd
	FDEpoll
	FDTimerfd
	FDPidfd
	FDEventfd

	NumFDTypes = iota
)

// FDFields is a set of fields of [FD].
type FDFields uint16

// The fields of FD.
const (
	FDPath     FDFields = 1 << iota // Path
	FDStat                          // Device, Rdev, Inode, Mode, Size, Links
	FDPosition                      // Position
	FDFlags                         // Flags
	FDTarget                        // TargetPID
	FDPending                       // Pending
	FDWatches                       // Watches
	FDTimer                         // TimeLeft, Interval, Clock, SetFlags
	FDSignals                       // Signals
)

// Has tells whether every field of want is in the set.
func (f FDFields) Has(want FDFields) bool { return f&want == want }

// EpollTarget is a descriptor that an epoll watches, as it was added.
type EpollTarget struct {
	FD       int32  // its number then; it may be closed, and its file open elsewhere
	Events   uint32 // of epoll_ctl(2)
	Data     uint64 // epoll_data_t
	Position int64  // the rest is of the file; 0 before Linux 4.14
	Inode    uint64
	Device   uint64 // s_dev of the kernel: the minor number has 20 bits
}

// FD is one open file descriptor of a process.
type FD struct {
	Number int32
	Type   FDType
	Got    FDFields

	Path         string // valid UTF-8, without the kernel's mark of a deleted file
	Device, Rdev Device // of the file system; of the device that the file is, 0:0 if none
	Inode        uint64 // also of sockets and pipes
	Mode         uint32 // st_mode
	Size         int64  // bytes
	Links        uint64 // 0: deleted, and still open
	Position     int64  // bytes
	Flags        uint64 // of open(2), in the machine's own numbers, without O_LARGEFILE
	TargetPID    int32  // of a pidfd
	Pending      uint64 // expirations of a timer not read, value of an eventfd
	Watches      int32  // descriptors in an epoll
	// Targets are these, the first 1024, where they were read through a [Handle].
	Targets  []EpollTarget
	TimeLeft float64
	Interval float64 // seconds; 0: not armed, one shot
	Clock    int32   // of a timer, of clock_gettime(2)
	SetFlags uint32  // of timerfd_settime(2)
	Signals  uint64  // of a signalfd: bit 0 is signal 1
}

// Transport is the kind of a connection.
type Transport uint8

// The transports.
const (
	TCP Transport = iota
	UDP
	Unix

	NumTransports = iota
)

// SocketType is the type of a socket.
type SocketType uint8

// The types of sockets.
const (
	SocketUnknown SocketType = iota
	SocketStream
	SocketDatagram
	SocketSeqpacket
	SocketRaw

	NumSocketTypes = iota
)

// TCPState is the state of a TCP connection, as psutil names it.
type TCPState uint8

// The states of TCP connections.
const (
	TCPNone TCPState = iota
	TCPEstablished
	TCPSynSent
	TCPSynRecv
	TCPFinWait1
	TCPFinWait2
	TCPTimeWait
	TCPClose
	TCPCloseWait
	TCPLastAck
	TCPListen
	TCPClosing

	NumTCPStates = iota
)

// Connection is one socket of a process.
type Connection struct {
	FD        int32
	Transport Transport
	IPv6      bool // the family of the socket; false for Unix
	Type      SocketType
	State     TCPState       // TCPNone unless Transport is TCP
	Local     netip.AddrPort // the zero value where it has none
	Peer      netip.AddrPort
	Path      string // of a Unix socket; @… in the abstract namespace
	// Bytes that wait to be received and to be sent. Not of a listening
	// socket, where the kernel counts connections instead.
	Queued            bool
	Receive, Transmit uint64
}

// Request says what a [Snapshot] is to read of processes.
type Request struct {
	// Fields are those wanted of selected processes. None, and none of
	// Everyone: the process table is not read at all.
	Fields Fields
	// Ignore tells by the fields that cost nothing more than the process itself
	// (on Linux those of /proc/PID/stat) that it is not selected, whatever its
	// others are. Nil ignores none.
	Ignore func(*Process) bool
	// Filter are the fields that Select needs beyond those which cost nothing
	// more than the process itself (on Linux those of /proc/PID/stat).
	Filter Fields
	// Select decides by those whether the others are read too. Nil selects
	// every process.
	Select func(*Process) bool
	// Everyone are those of DetailFields that are wanted of every process,
	// selected or not.
	Everyone Fields
	// DetailInterval is how long DetailFields of a process are left alone
	// after they were read, and DetailBudget how much time one snapshot may
	// spend on them; what does not fit is read at the next. 0: no limit.
	DetailInterval, DetailBudget time.Duration
	// Environment names the variables whose values are wanted.
	Environment []string
	// EnvironmentNames adds all other variables, without their values.
	EnvironmentNames bool
	// Page is the part of its lists that is wanted of a process which is read
	// through a [Handle].
	Page Page
	// Keep: this request comes again and again, so files of processes may stay
	// open until the next, or until Close: on Linux up to 4,096, and a quarter of
	// the descriptors that this program may have, of all hosts together.
	Keep bool
}

// Page is a part of the lists of a process: of mappings in the order of their
// addresses, of threads and descriptors, and of the connections among these, in
// the order of their numbers. They can be a million.
type Page struct {
	// From is where it begins: an address or a number.
	From uint64
	// Size bounds each list: it ends with the entry that fills about so many
	// bytes. 0: all of it.
	Size int
	// Grouped makes one of all mappings of a name. Start is then 0, and End what
	// their sizes add up to. Of names there is no second page.
	Grouped bool
}

// What an entry of a list takes, beside its texts.
const (
	mappingSize = 256
	fdSize      = 512
	targetSize  = 128
	threadSize  = 128
)

// full tells whether entries of so many bytes are enough.
func (p *Page) full(size int) bool { return p.Size > 0 && size >= p.Size }

// Tally counts, for one snapshot, what was asked for and not got. A field
// that a process cannot have (a kernel thread's executable) is not counted.
type Tally struct {
	// Gone is the number of processes that vanished while they were read.
	Gone int
	// Denied and Malformed are indexed by field; see [Tally.Each].
	denied, malformed [64]int32
	// Sample names one malformed source, for the log.
	Sample string
}

// Denied is how many processes did not let this user read the field.
func (t *Tally) Denied(f Fields) int { return int(t.denied[f.index()]) }

// Malformed is for how many processes the field's source made no sense.
func (t *Tally) Malformed(f Fields) int { return int(t.malformed[f.index()]) }
