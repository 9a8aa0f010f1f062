// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"github.com/hostscope/hostscope/internal/emit"
	"github.com/hostscope/hostscope/platform"
)

var protocolMetrics = []metric{
	{"system.network.tcp.retransmissions", needTCP, protocolMetric{platform.ProtocolTCP, retransmissions}.record},
	{"system.network.tcp.failed_attempts", needTCP, protocolMetric{platform.ProtocolTCP, failedAttempts}.record},
	{"system.network.tcp.resets", needTCP, protocolMetric{platform.ProtocolTCP, resets}.record},
	{"system.network.udp.errors", need{reading: platform.ReadingProtocols, parts: uint8(platform.ProtocolUDP)}, protocolMetric{platform.ProtocolUDP, udpErrors}.record},
	{"system.network.conntrack.count", need{reading: platform.ReadingConntrack, parts: uint8(platform.ConntrackCount)}, recordConntrack},
	{"system.network.conntrack.max", need{reading: platform.ReadingConntrack, parts: uint8(platform.ConntrackMax)}, recordConntrackMax},
}

var needTCP = need{reading: platform.ReadingProtocols, parts: uint8(platform.ProtocolTCP)}

// protocolCounter is one thing that protocols count.
type protocolCounter int

const (
	retransmissions protocolCounter = iota
	failedAttempts
	resets
	udpErrors

	numProtocolCounters
)

type protocolCounts [numProtocolCounters]uint64

// protocolMetric says what a metric counts.
type protocolMetric struct {
	need platform.ProtocolFields
	of   protocolCounter
}

func newProtocolCounters() counters[struct{}, protocolCounts] {
	return counters[struct{}, protocolCounts]{nowrap: true, values: func(c *protocolCounts) []uint64 { return c[:] }}
}

// protocolTick is what protocols have counted at one scrape.
type protocolTick struct {
	platform.Protocols
	total *protocolCounts // since the start; nil until a metric takes it
}

// protocolTotal counts once in a scrape.
func (s *Scraper) protocolTotal(t *tick) *protocolCounts {
	if t.protocols.total == nil {
		c := &s.protocols
		c.begin()
		raw := c.before(struct{}{})
		if t.protocols.Got.Has(platform.ProtocolTCP) {
			raw[retransmissions], raw[failedAttempts], raw[resets] = t.protocols.Retransmitted, t.protocols.FailedAttempts, t.protocols.Resets
		}
		if t.protocols.Got.Has(platform.ProtocolUDP) {
			raw[udpErrors] = t.protocols.UDPErrors
		}
		t.protocols.total = &c.update(struct{}{}, t.Time, &raw).Total
		c.end(t.Time)
	}
	return t.protocols.total
}

func (m protocolMetric) record(s *Scraper, to *emit.Points, t *tick) {
	if t.protocols.Got.Has(m.need) {
		to.Int(int64(s.protocolTotal(t)[m.of]))
	}
}

func recordConntrack(_ *Scraper, to *emit.Points, t *tick) {
	if t.conntrack.Got.Has(platform.ConntrackCount) {
		to.Int(int64(t.conntrack.Count))
	}
}

func recordConntrackMax(_ *Scraper, to *emit.Points, t *tick) {
	if t.conntrack.Got.Has(platform.ConntrackMax) {
		to.Int(int64(t.conntrack.Max))
	}
}
