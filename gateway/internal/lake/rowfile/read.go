package rowfile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// cells reads the rows of a record batch by column name. The first error sticks, so that a row is read in one go.
type cells struct {
	cols map[string]arrow.Array
	row  int
	err  error
}

func newCells(batch arrow.RecordBatch) *cells {
	c := &cells{cols: make(map[string]arrow.Array)}
	for i, f := range batch.Schema().Fields() {
		c.cols[f.Name] = batch.Column(i)
	}
	return c
}

// readAll reads every row of a batch.
func readAll[R any](batch arrow.RecordBatch, read func(*cells) R) ([]R, error) {
	c := newCells(batch)
	rows := make([]R, 0, batch.NumRows())
	for c.row = range int(batch.NumRows()) {
		rows = append(rows, read(c))
		if c.err != nil {
			return nil, fmt.Errorf("row %d: %w", c.row, c.err)
		}
	}
	return rows, nil
}

// ReadCursors reads rows of the table `cursors`.
func ReadCursors(batch arrow.RecordBatch) ([]table.Cursor, error) { return readAll(batch, readCursor) }

// ReadGaps reads rows of the table `gaps`.
func ReadGaps(batch arrow.RecordBatch) ([]table.GapRow, error) { return readAll(batch, readGap) }

// ReadQuarantine reads rows of the table `quarantine`, which may be read without the column `bytes`.
func ReadQuarantine(batch arrow.RecordBatch) ([]table.QuarantineRow, error) {
	return readAll(batch, readQuarantine)
}

// ReadDevices reads rows of the table `devices`.
func ReadDevices(batch arrow.RecordBatch) ([]table.Device, error) { return readAll(batch, readDevice) }

func readCursor(c *cells) table.Cursor {
	r := table.Cursor{
		Device:      c.text("device"),
		Epoch:       c.epoch("epoch"),
		Version:     uint64(c.long("version")),
		Closed:      c.set("closed"),
		Presumed:    c.set("presumed"),
		Ended:       c.text("state") == stateEnded,
		Predecessor: c.epoch("predecessor"),
		Boot:        c.boot("boot"),
		Site:        c.text("site"),
		Promise:     c.maybeLong("promise"),
		ClockOffset: c.maybeLong("clock_offset"),
		Accepted:    uint64(c.long("accepted")),
		Held:        uint64(c.long("held")),
		Landed:      uint64(c.long("landed")),
		Quarantined: uint64(c.long("quarantined")),
		GapSeqs:     uint64(c.long("gaps")),
		Origin:      c.origin(""),
		Committed:   c.long("committed_time"),
		SeriesState: c.blob("series_state"),
	}
	r.Closed.Add(0, uint64(c.long("mark")))
	if r.PresumedOpen = !c.null("presumed_from"); r.PresumedOpen {
		r.PresumedFrom = uint64(c.long("presumed_from"))
	}
	if !c.null("presumed_max") {
		r.PresumedMax = uint64(c.long("presumed_max"))
	}
	if r.HasFinal = !c.null("final_seq"); r.HasFinal {
		r.FinalSeq = uint64(c.long("final_seq"))
	}
	if !c.null("anchor_state") {
		r.Anchor = wire.Anchor{
			State:       wire.AnchorState(c.long("anchor_state")),
			Generation:  uint64(c.long("anchor_generation")),
			Wall:        c.long("anchor_wall"),
			Monotonic:   c.long("anchor_monotonic"),
			Uncertainty: uint64(c.long("anchor_uncertainty")),
		}
	}
	recent := c.longs("recent_crcs")
	for ; len(recent) >= 3; recent = recent[3:] {
		r.Recent = append(r.Recent, table.BatchMark{First: uint64(recent[0]), Count: uint64(recent[1]), CRC: uint32(recent[2])})
	}
	return r
}

func readQuarantine(c *cells) table.QuarantineRow {
	r := table.QuarantineRow{
		Device:   c.text("device"),
		Epoch:    c.epoch("epoch"),
		Count:    uint64(c.long("count")),
		Reason:   c.text("reason"),
		Rule:     c.text("rule"),
		Contract: c.text("contract"),
		Origin:   c.origin("received_time"),
		Fate:     c.text("fate"),
	}
	if _, read := c.cols["bytes"]; read {
		r.Bytes = c.blob("bytes")
	}
	if !c.null("seq_from") {
		r.From, r.To = uint64(c.long("seq_from")), uint64(c.long("seq_to"))
	}
	return r
}

func readGap(c *cells) table.GapRow {
	r := table.GapRow{
		Device:   c.text("device"),
		Epoch:    c.epoch("epoch"),
		From:     uint64(c.long("seq_from")),
		Count:    uint64(c.long("count")),
		TimeFrom: c.maybeLong("time_from"),
		TimeTo:   c.maybeLong("time_to"),
		Series:   c.texts("series"),
		Reason:   c.text("reason"),
		Presumed: c.boolean("presumed"),
		Origin:   c.origin("received_time"),
	}
	if !c.null("seq_to") {
		r.To = uint64(c.long("seq_to"))
	}
	if !c.null("count_max") {
		r.CountMax = uint64(c.long("count_max"))
	}
	return r
}

func readDevice(c *cells) table.Device {
	r := table.Device{
		Device:         c.text("device"),
		Site:           c.text("site"),
		Owner:          c.text("owner"),
		Tags:           c.tags("tags"),
		AgentVersion:   c.text("agent_version"),
		Client:         c.text("client"),
		FirstSeen:      c.maybeLong("first_seen"),
		LastSeen:       c.long("last_seen"),
		BacklogBytes:   uint64(c.long("backlog_bytes")),
		BacklogBatches: uint64(c.long("backlog_batches")),
		ClockState:     c.text("clock_state"),
		ClockError:     c.maybeLong("clock_error"),
		Epoch:          c.epoch("epoch"),
		Boot:           c.boot("boot"),
		AtLeastOnce:    c.text("delivery") == atLeastOnce,
		Contract:       c.text("contract"),
	}
	if _, read := c.cols["schedule"]; read { // a lake of an earlier version has none until a gateway has opened it
		r.Schedule = c.texts("schedule")
	}
	return r
}

func (c *cells) fail(name string, err error) {
	if c.err == nil {
		c.err = fmt.Errorf("column %s: %w", name, err)
	}
}

// col returns the column if it is there and not null in this row.
func (c *cells) col(name string) (arrow.Array, bool) {
	a, ok := c.cols[name]
	if !ok {
		c.fail(name, errors.New("is missing"))
		return nil, false
	}
	return a, a.IsValid(c.row)
}

func (c *cells) null(name string) bool {
	_, ok := c.col(name)
	return !ok
}

// text returns "" for null.
func (c *cells) text(name string) string {
	if a, ok := c.col(name); ok {
		return a.(array.StringLike).Value(c.row)
	}
	return ""
}

// long returns 0 for null.
func (c *cells) long(name string) int64 {
	if a, ok := c.col(name); ok {
		return integerAt(a, c.row)
	}
	return 0
}

// maybeLong returns table.Unknown for null.
func (c *cells) maybeLong(name string) int64 {
	if a, ok := c.col(name); ok {
		return integerAt(a, c.row)
	}
	return table.Unknown
}

func integerAt(a arrow.Array, row int) int64 {
	switch a := a.(type) {
	case *array.Int64:
		return a.Value(row)
	case *array.Int32:
		return int64(a.Value(row))
	case *array.Timestamp:
		return int64(a.Value(row))
	}
	panic(fmt.Sprintf("rowfile: integer column of type %s", a.DataType()))
}

func (c *cells) boolean(name string) bool {
	a, ok := c.col(name)
	return ok && a.(*array.Boolean).Value(c.row)
}

// blob returns a copy, nil for null.
func (c *cells) blob(name string) []byte {
	if a, ok := c.col(name); ok {
		return bytes.Clone(a.(interface{ Value(int) []byte }).Value(c.row))
	}
	return nil
}

func (c *cells) epoch(name string) record.Epoch {
	s := c.text(name)
	if s == "" {
		return 0
	}
	e, err := record.ParseEpoch(s)
	if err != nil {
		c.fail(name, err)
	}
	return e
}

func (c *cells) boot(name string) record.Boot {
	s := c.text(name)
	if s == "" {
		return 0
	}
	b, err := record.ParseBoot(s)
	if err != nil {
		c.fail(name, err)
	}
	return b
}

// origin reads the place in the log; received is the column of its time, "" = the table has none.
func (c *cells) origin(received string) table.Origin {
	o := table.Origin{Partition: int(c.long("partition")), Offset: uint64(c.long("offset"))}
	id, err := hex.DecodeString(c.text("log_id"))
	if err != nil || len(id) != len(o.Log) {
		c.fail("log_id", errors.New("is not 32 hex digits"))
	}
	copy(o.Log[:], id)
	if received != "" {
		o.Received = c.long(received)
	}
	return o
}

// list returns the elements of a list and where they are.
func (c *cells) list(name string) (values arrow.Array, from, to int) {
	a, ok := c.col(name)
	if !ok {
		return nil, 0, 0
	}
	l := a.(array.ListLike)
	start, end := l.ValueOffsets(c.row)
	return l.ListValues(), int(start), int(end)
}

func (c *cells) longs(name string) []int64 {
	values, from, to := c.list(name)
	var v []int64
	for i := from; i < to; i++ {
		v = append(v, integerAt(values, i))
	}
	return v
}

func (c *cells) texts(name string) []string {
	values, from, to := c.list(name)
	if values == nil {
		return nil
	}
	v := []string{}
	for i := from; i < to; i++ {
		v = append(v, values.(array.StringLike).Value(i))
	}
	return v
}

func (c *cells) set(name string) seqset.Set {
	var flat []uint64
	for _, v := range c.longs(name) {
		flat = append(flat, uint64(v))
	}
	s, err := seqset.FromFlat(flat)
	if err != nil {
		c.fail(name, err)
	}
	return s
}

func (c *cells) tags(name string) map[string]string {
	a, ok := c.col(name)
	if !ok {
		return nil
	}
	m := a.(*array.Map)
	start, end := m.ValueOffsets(c.row)
	tags := make(map[string]string)
	for i := int(start); i < int(end); i++ {
		tags[m.Keys().(array.StringLike).Value(i)] = m.Items().(array.StringLike).Value(i)
	}
	return tags
}
