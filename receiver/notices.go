// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/hostscope/hostscope/internal/metadata"
	"github.com/hostscope/hostscope/platform"
)

// notices writes the log: each thing once, never a line per process or per
// scrape. Every occurrence is counted in the telemetry instead.
type notices struct {
	log *zap.Logger
	// toldDenied and toldMalformed are the fields that have had their line.
	toldDenied, toldMalformed platform.Fields
	toldHidden                bool
	// failing are the steps of a scrape that fail.
	failing map[string]*failure
}

// failure is what was told of a step that fails, until it has recovered.
type failure struct {
	told map[string]bool // messages without their digits
	good int             // scrapes in a row that succeeded since
}

// What an error names can be made up by others than who runs the host: a mount
// point, an interface. So of one step no more than maxTold messages are told
// until it has recovered, and of one message no more than maxMessage bytes.
const (
	maxTold    = 16
	maxMessage = 2048
)

// lack is how many processes lack a field.
type lack struct {
	field     platform.Fields
	processes int
}

func newNotices(log *zap.Logger) notices {
	return notices{log: log, failing: map[string]*failure{}}
}

// missing tells what is enabled and cannot be had on a system. It is no
// warning: one configuration serves a fleet of different systems.
func (n *notices) missing(on platform.OS, scrapers []named, cfg metadata.ResourceAttributesConfig) {
	var lines []zap.Field
	add := func(key string, names []string) {
		if len(names) > 0 {
			lines = append(lines, zap.Strings(key, names))
		}
	}
	for _, s := range scrapers {
		add("scrapers::"+s.name, s.Missing(on))
	}
	var host []string
	for _, a := range []struct {
		key     string
		enabled bool
		reading platform.Reading
	}{
		{"host.id", cfg.HostID.Enabled, platform.ReadingHostID},
		{"host.ip", cfg.HostIP.Enabled, platform.ReadingNetworkInterfaces},
		{"host.mac", cfg.HostMac.Enabled, platform.ReadingNetworkInterfaces},
		{"host.name", cfg.HostName.Enabled, platform.ReadingHostName},
	} {
		if a.enabled && !platform.Supports(on, a.reading) {
			host = append(host, a.key)
		}
	}
	add("resource_attributes", host)
	if len(lines) > 0 {
		n.log.Info("Enabled, but not to be had on this operating system", lines...)
	}
}

// resourceFailed tells that an attribute of the host is left out.
func (n *notices) resourceFailed(key string, err error) {
	n.log.Warn("The host does not tell a resource attribute, which is left out",
		zap.String("attribute", key), zap.Error(err))
}

// outcome warns of a step's error where it is another than those before, and
// tells of its end. Messages that differ in a number, such as that of processes
// read before a timeout, are one. A nil error is a success.
func (n *notices) outcome(step string, err error) {
	f := n.failing[step]
	if err == nil {
		if f == nil {
			return
		}
		if f.good++; f.good == calm {
			delete(n.failing, step)
			n.log.Info("Scrape recovered", zap.String("scraper", step), zap.Int("complete_in_a_row", calm))
		}
		return
	}
	if f == nil {
		f = &failure{told: map[string]bool{}}
		n.failing[step] = f
	}
	f.good = 0
	text := err.Error()
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	message := strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, text)
	if f.told[message] || len(f.told) == maxTold {
		return
	}
	f.told[message] = true
	n.log.Warn("Scrape incomplete", zap.String("scraper", step), zap.String("error", text))
	if len(f.told) == maxTold {
		n.log.Warn("Scrape fails in ever new ways, which are counted and told no more until it recovers", zap.String("scraper", step))
	}
}

// denied tells, in one line, the fields that this user may not read of some of
// the processes that were to be read, and that have not been told yet.
func (n *notices) denied(lacks []lack, processes int, scrapers []named) {
	var fresh deniedFields
	for _, l := range lacks {
		if n.toldDenied.Has(l.field) {
			continue
		}
		n.toldDenied |= l.field
		fresh = append(fresh, deniedField{l, uses(scrapers, l.field)})
	}
	if len(fresh) == 0 {
		return
	}
	n.log.Info("Not permitted: this user may not read everything of every process",
		zap.Int("processes", processes), zap.Array("denied", fresh))
}

// hidden tells that there are processes which this user is not shown.
func (n *notices) hidden() {
	if !n.toldHidden {
		n.toldHidden = true
		n.log.Info("Not permitted: /proc hides the processes of other users (hidepid), which are neither counted nor scraped; CAP_SYS_PTRACE shows them")
	}
}

// malformed warns, once per field, of an answer of the kernel that is not what
// its documentation says: either that changed or this code is wrong.
func (n *notices) malformed(lacks []lack, sample string, scrapers []named) {
	for _, l := range lacks {
		if n.toldMalformed.Has(l.field) {
			continue
		}
		n.toldMalformed |= l.field
		n.log.Warn("The kernel's answer is not understood",
			zap.Stringer("field", l.field), zap.Strings("affects", uses(scrapers, l.field)),
			zap.Int("processes", l.processes), zap.String("sample", sample))
	}
}

// uses names what is enabled and needs a field, over all scrapers.
func uses(scrapers []named, f platform.Fields) []string {
	var names []string
	for _, s := range scrapers {
		names = append(names, s.Uses(f)...)
	}
	return names
}

// deniedFields is the log's form of the fields that may not be read.
type deniedFields []deniedField

type deniedField struct {
	lack
	affects []string
}

// MarshalLogArray implements zapcore.ArrayMarshaler.
func (d deniedFields) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for _, f := range d {
		if err := enc.AppendObject(f); err != nil {
			return err
		}
	}
	return nil
}

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (d deniedField) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("field", d.field.String())
	zap.Strings("affects", d.affects).AddTo(enc)
	enc.AddInt("processes", d.processes)
	if needs := platform.Needs(d.field); needs != "" {
		enc.AddString("needs", needs)
	}
	return nil
}
