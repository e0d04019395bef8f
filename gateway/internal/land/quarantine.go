package land

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// held is the fate of a quarantine row that nobody has decided on.
const held = "held"

// maxDetail bounds what an error may say in a row.
const maxDetail = 1024

// why is why readings do not land: a reason, and a rule of a contract or detail.
type why struct{ reason, rule, contract string }

func (w why) compare(v why) int {
	return cmp.Or(cmp.Compare(w.reason, v.reason), cmp.Compare(w.rule, v.rule), cmp.Compare(w.contract, v.contract))
}

// row begins a quarantine row of a record.
func (g *Group) row(o *Opened, w why, by table.Origin) table.QuarantineRow {
	device := o.sealed.Device
	if !o.known {
		device, _ = record.DeviceOf(o.Client) // a client that is none leaves it empty
	}
	if len(w.rule) > maxDetail {
		w.rule = w.rule[:maxDetail]
	}
	return table.QuarantineRow{
		Device: device, Epoch: o.sealed.Epoch, Reason: w.reason, Rule: w.rule, Contract: w.contract, Origin: by, Fate: held,
	}
}

// keep puts the bytes of a record into a row. The record shares megabytes that were read with it, so they are copied.
func (g *Group) keep(row *table.QuarantineRow, o *Opened) {
	row.Bytes = bytes.Clone(o.Payload)
	g.bytes += int64(len(o.Payload))
}

// quarantine gives open seqs their fate. The first row of the record carries the bytes.
func (g *Group) quarantine(o *Opened, c *cursor.Cursor, open []seqset.Range, w why, by table.Origin) {
	reason := w.reason
	n := g.tally.quarantined[reason]
	n.records++
	for _, r := range open {
		row := g.row(o, w, by)
		row.From, row.To, row.Count = r.From, r.To, r.Len()
		if !o.kept {
			g.keep(&row, o)
			o.kept = true
		}
		g.commit.Quarantine = append(g.commit.Quarantine, row)
		n.readings += r.Len()
	}
	g.bytes += rowBytes * int64(len(open))
	seqs := seqset.Of(open...)
	c.CloseSet(&seqs, cursor.Quarantined, by)
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
	g.quarantine(o, c, open, why{reason: o.reason, rule: o.detail}, by)
}

// reject keeps the bytes of a record that closes no seqs.
func (g *Group) reject(o *Opened, by table.Origin) {
	reason := cmp.Or(o.reason, Malformed)
	row := g.row(o, why{reason: reason, rule: o.detail}, by)
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
	row := g.row(o, why{reason: Conflict, rule: detail}, by)
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
