// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package processcontrol

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/extension"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/hostscope/hostscope/extension/processcontrol/api"
	"github.com/hostscope/hostscope/extension/processcontrol/internal/metadata"
	"github.com/hostscope/hostscope/extension/processcontrol/policy"
	"github.com/hostscope/hostscope/internal/redact"
	"github.com/hostscope/hostscope/platform"
)

// control is the extension.
type control struct {
	cfg       *Config
	set       extension.Settings
	log       *zap.Logger
	telemetry *metadata.TelemetryBuilder
	redactor  *redact.Redactor
	now       func() time.Time
	// step is called between the steps of an action; tests come in there.
	step func(string)
	// doing acts; tests have something else done.
	doing func(*request, *platform.Host, *platform.Handle, action, *api.Outcome) (platform.Guarantee, error)
	// patience is how long reads may take, in nanoseconds.
	patience atomic.Int64
	// late tells when a read is left behind; tests tell so themselves.
	late    func(time.Duration) <-chan time.Time
	maxPage int // tests have less
	maxList int // likewise
	// smallAnswer is one that is not counted; likewise.
	smallAnswer int

	host     component.Host
	policy   *policy.Policy
	groups   map[uint32][]string // the names of groups in the policy
	audit    *audit
	hosts    *hosts
	allowed  map[string]bool // values of the header Host
	self     platform.ID
	mounts   uint64 // our mount namespace
	cgroup   string // our cgroup, "" for none of our own
	lethal   fuse
	callers  *limiters
	logins   *limiters // those that failed, by where they came from
	actions  slots     // one for each action under way
	waits    slots     // one for each process that is waited for
	answers  slots     // the bytes of large ones, until they are written
	identity locks
	// auditFailed: the last line could not be written.
	auditFailed atomic.Bool

	server   *http.Server
	socket   func() // removes the socket
	stopping context.Context
	stop     context.CancelFunc
	served   chan struct{}
}

var _ extension.Extension = (*control)(nil)

func newExtension(set extension.Settings, cfg *Config) (*control, error) {
	redactor, err := redact.New(cfg.Redaction.Patterns)
	if err != nil {
		return nil, err
	}
	telemetry, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	c := &control{cfg: cfg, set: set, log: set.Logger, telemetry: telemetry, redactor: redactor, now: time.Now, doing: (*request).do, late: time.After, maxPage: maxPage, maxList: maxList, smallAnswer: smallAnswer}
	c.patience.Store(int64(patience))
	return c, nil
}

// Start listens, or says why it must not.
func (c *control) Start(ctx context.Context, host component.Host) (err error) {
	c.host = host
	c.stopping, c.stop = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Shutdown(context.Background()))
		}
	}()
	if err := c.loadPolicy(); err != nil {
		return err
	}
	if c.hosts, err = openHosts(); err != nil {
		return err
	}
	if err := c.knowSelf(ctx); err != nil {
		return err
	}
	if c.cfg.PolicyFile != "" {
		c.audit = &audit{path: c.cfg.Audit.File, now: c.now, sync: (*os.File).Sync}
		err := c.audit.start(c.log)
		if err != nil && c.cfg.Audit.Required {
			return fmt.Errorf("audit::file: %w", err)
		} else if err != nil {
			c.log.Warn("Actions are not written down", zap.Error(err))
		}
	}
	listener, err := c.listen(ctx)
	if err != nil {
		return err
	}
	c.allowed = c.allowedHosts(listener.Addr())
	c.server, err = c.cfg.ServerConfig.ToServer(ctx, host.GetExtensions(), c.set.TelemetrySettings, c.routes(),
		confighttp.WithErrorHandler(func(w http.ResponseWriter, r *http.Request, detail string, status int) {
			if from := origin(r); from != "" && status == http.StatusUnauthorized {
				c.logins.allow(from, time.Now())
			}
			c.refuse(w, ofStatus(status, detail))
		}))
	if err != nil {
		_ = listener.Close()
		return err
	}
	// Outside of what confighttp has put around the endpoints: who is not to be
	// listened to is not authenticated either.
	c.server.Handler = c.wall(c.server.Handler)
	c.server.MaxHeaderBytes = 16 << 10
	c.server.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: maxStreams}
	// One that has not asked for anything yet does not hold up our end.
	var fresh sync.Map
	c.server.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateNew {
			fresh.Store(conn, context.AfterFunc(c.stopping, func() { _ = conn.Close() }))
		} else if stop, ok := fresh.LoadAndDelete(conn); ok {
			stop.(func() bool)()
		}
	}
	c.server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		if unix, ok := conn.(*peerConn); ok {
			return context.WithValue(ctx, peerKey{}, unix.peer)
		}
		return ctx
	}
	c.served = make(chan struct{})
	go func() {
		defer close(c.served)
		if err := c.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			// The rest of the collector goes on.
			componentstatus.ReportStatus(host, componentstatus.NewPermanentErrorEvent(err))
		}
	}()
	c.log.Info("Process control listens", zap.Stringer("address", listener.Addr()), zap.Bool("actions", c.policy.ActionsEnabled && c.cfg.PolicyFile != ""))
	return nil
}

// loadPolicy reads the policy, and what it takes to apply it.
func (c *control) loadPolicy() (err error) {
	c.policy = policy.None()
	if c.cfg.PolicyFile != "" {
		if err = checkDirectory(filepath.Dir(c.cfg.PolicyFile)); err == nil {
			c.policy, err = policy.Load(c.cfg.PolicyFile)
		}
		if err != nil {
			return fmt.Errorf("policy_file: %w", err)
		}
	}
	c.groups = map[uint32][]string{}
	for name, who := range c.policy.File.Principals {
		for _, group := range who.UnixGroup {
			gid, err := strconv.ParseUint(group, 10, 32)
			if err != nil {
				g, err := user.LookupGroup(group)
				if err != nil {
					return fmt.Errorf("policy_file: principals: %s: %w", name, err)
				}
				if gid, err = strconv.ParseUint(g.Gid, 10, 32); err != nil {
					return fmt.Errorf("policy_file: principals: %s: %w", name, err)
				}
			}
			if !slices.Contains(c.groups[uint32(gid)], group) {
				c.groups[uint32(gid)] = append(c.groups[uint32(gid)], group)
			}
		}
	}
	c.checkUsers()
	limits := c.policy.Limits
	c.lethal.rate = rate.NewLimiter(rate.Limit(limits.Lethal.PerSecond()), max(limits.Burst, 1)+1)
	c.callers = &limiters{limit: rate.Limit(limits.Actions.PerSecond()), burst: limits.Burst}
	c.logins = &limiters{limit: 1, burst: maxFailed}
	c.actions.each, c.waits.each, c.answers.each = limits.Concurrent, c.cfg.Wait.MaxConcurrent, maxAnswers
	return nil
}

// checkUsers warns of users whom the host does not know by name: a rule about
// such a one is about nobody, and he is not protected.
func (c *control) checkUsers() {
	names := slices.Clone(c.policy.Protect.Users)
	for _, r := range c.policy.File.Rules {
		names = append(names, r.Targets.User...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if _, err := strconv.ParseUint(name, 10, 32); err == nil || name == "root" { // who is user 0 in any case
			continue
		}
		if _, err := user.Lookup(name); err != nil {
			c.log.Warn("The policy names a user who is not in /etc/passwd: it takes his number", zap.String("user", name))
		}
	}
}

// knowSelf learns what it takes not to act on ourselves, and that the numbers
// in /proc are those that we would act on.
func (c *control) knowSelf(ctx context.Context) error {
	h, err := c.hosts.reads.get(ctx, patience)
	if err != nil {
		return err
	}
	defer c.hosts.reads.put(h)
	self, err := h.OpenSelf()
	if err != nil {
		return fmt.Errorf("process control: %w", err)
	}
	defer self.Close()
	r, err := h.Read(ctx, self, platform.Request{Fields: platform.FieldCgroup})
	if err != nil {
		return fmt.Errorf("process control: %w", err)
	}
	c.self = self.Token().ID
	if r.Cgroup != "/" { // of which all others are
		c.cgroup = r.Cgroup
	}
	if c.mounts, err = self.MountNamespace(); err != nil {
		c.log.Warn("Rules with same_mount_namespace allow nothing", zap.Error(err))
	}
	return nil
}

// allowedHosts are the values of the header Host that are ours.
func (c *control) allowedHosts(addr net.Addr) map[string]bool {
	allowed := map[string]bool{}
	for _, host := range c.cfg.AllowedHosts {
		allowed[host] = true
	}
	if c.cfg.ServerConfig.NetAddr.Transport == confignet.TransportTypeUnix {
		allowed["localhost"] = true
		return allowed
	}
	allowed[addr.String()], allowed[c.cfg.ServerConfig.NetAddr.Endpoint] = true, true
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
			allowed[net.JoinHostPort(host, strconv.Itoa(tcp.Port))] = true
		}
	}
	return allowed
}

// Shutdown lets actions come to their end; who waits is told that it is over.
// What the kernel does not answer, or a caller does not read, is not waited for.
func (c *control) Shutdown(ctx context.Context) error {
	if c.stop == nil {
		return nil
	}
	c.stop()
	var err error
	if c.server != nil {
		limit := time.Duration(c.patience.Load())
		ending, cancel := context.WithTimeout(ctx, limit+limit/2)
		defer cancel()
		if err = c.server.Shutdown(ending); err != nil {
			err = errors.Join(err, c.server.Close())
		}
	}
	if c.served != nil {
		<-c.served
		c.served = nil
	}
	if c.socket != nil {
		c.socket()
		c.socket = nil
	}
	if c.audit != nil {
		closed := make(chan error, 1)
		go func() { closed <- c.audit.close() }() // which waits for a line that is being written
		select {
		case failed := <-closed:
			err = errors.Join(err, failed)
		case <-time.After(time.Duration(c.patience.Load())):
			err = errors.Join(err, fmt.Errorf("%s: does not answer", c.cfg.Audit.File))
		}
	}
	if c.hosts != nil {
		c.hosts.close()
	}
	c.telemetry.Shutdown()
	return err
}
