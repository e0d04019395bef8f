package land

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// held is the fate of a quarantine row that nobody has decided on.
const held = "held"

// maxDetail bounds what an error may say in a row.
const maxDetail = 1024

// row begins a quarantine row of a record.
func (g *Group) row(o *Opened, reason, detail string, by table.Origin) table.QuarantineRow {
	device := o.sealed.Device
	if !o.known {
		device, _ = record.DeviceOf(o.Client) // a client that is none leaves it empty
	}
	if len(detail) > maxDetail {
		detail = detail[:maxDetail]
	}
	return table.QuarantineRow{
		Device: device, Epoch: o.sealed.Epoch, Reason: reason, Rule: detail, Origin: by, Fate: held,
	}
}

// keep puts the bytes of a record into a row. The record shares megabytes that were read with it, so they are copied.
func (g *Group) keep(row *table.QuarantineRow, o *Opened) {
	row.Bytes = bytes.Clone(o.Payload)
	g.bytes += int64(len(o.Payload))
}

// quarantine gives open seqs their fate. The first row carries the bytes.
func (g *Group) quarantine(o *Opened, c *cursor.Cursor, open []seqset.Range, reason string, by table.Origin) {
	n := g.tally.quarantined[reason]
	n.records++
	for i, r := range open {
		row := g.row(o, reason, o.detail, by)
		row.From, row.To, row.Count = r.From, r.To, r.Len()
		if i == 0 {
			g.keep(&row, o)
		}
		g.commit.Quarantine = append(g.commit.Quarantine, row)
		n.readings += r.Len()
		c.Close(r.From, r.To, cursor.Quarantined, by)
	}
	g.tally.quarantined[reason] = n
}

// refuse quarantines what is open of a record that was not read.
func (g *Group) refuse(o *Opened, c *cursor.Cursor, seqs seqset.Range, by table.Origin) {
	open := c.Open(seqs.From, seqs.To)
	if len(open) == 0 && seqs.Len() > 0 {
		g.tally.duplicates += seqs.Len()
		return // all of it has a fate already: nothing is missing, and nothing is kept twice
	}
	if len(open) == 0 {
		g.reject(o, by)
		return
	}
	g.tally.duplicates += seqs.Len() - total(open)
	g.quarantine(o, c, open, o.reason, by)
}

// reject keeps the bytes of a record that closes no seqs.
func (g *Group) reject(o *Opened, by table.Origin) {
	reason := cmp.Or(o.reason, Malformed)
	row := g.row(o, reason, o.detail, by)
	g.keep(&row, o)
	g.commit.Quarantine = append(g.commit.Quarantine, row)
	n := g.tally.quarantined[reason]
	n.records++
	g.tally.quarantined[reason] = n
	g.dirty = true
}

// conflict keeps the evidence that two devices use one identity: a row of count 0.
func (g *Group) conflict(o *Opened, by table.Origin, detail string) {
	s := &o.sealed
	detail = fmt.Sprintf("%s: [%d, %d), CRC %08x", detail, s.First, s.End(), s.CRC)
	row := g.row(o, Conflict, detail, by)
	g.keep(&row, o)
	g.commit.Quarantine = append(g.commit.Quarantine, row)
	g.tally.conflicts++
	g.l.alarms.raise(g.l.alarms.conflict, fmt.Sprintf("device %s, epoch %s, seqs [%d, %d)", s.Device, s.Epoch, s.First, s.End()))
}

func total(ranges []seqset.Range) uint64 {
	var n uint64
	for _, r := range ranges {
		n += r.Len()
	}
	return n
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
