package seal

import (
	"fmt"
	"math"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Row is an accepted row and its place in the ring.
type Row struct {
	Counter uint64
	record.Row
}

// Batch is a sealed batch.
type Batch struct {
	wire.Header
	Rows   []Row  // what it consumed
	To     int64  // ms, exclusive end of its device times
	Sealed []byte // a sealed part of its own memory
	Cause  error  // why a gap stands for the row; nil for readings
}

// Sealer seals. Its zstd state and buffers are kept between calls.
type Sealer struct {
	enc *wire.Encoder
}

// New returns a Sealer.
func New() (*Sealer, error) {
	enc, err := wire.NewEncoder()
	if err != nil {
		return nil, fmt.Errorf("make encoder: %w", err)
	}
	return &Sealer{enc: enc}, nil
}

// Seal seals rows from seq h.First on. Device, epoch, boot and first seq of h are the caller's, and the
// promise that holds behind the last row. Absolute and monotonic times do not mix in one batch;
// absolute batches make no promise.
func (s *Sealer) Seal(h wire.Header, rows []Row) ([]Batch, error) {
	var absolute, monotonic []Row
	for i := range rows {
		if rows[i].Absolute {
			absolute = append(absolute, rows[i])
		} else {
			monotonic = append(monotonic, rows[i])
		}
	}
	out, err := s.split(nil, wire.Header{Absolute: true, Device: h.Device, Epoch: h.Epoch, Boot: h.Boot, First: h.First}, absolute)
	if err != nil {
		return nil, err
	}
	if n := len(out); n > 0 {
		h.First = out[n-1].End()
	}
	return s.split(out, h, monotonic)
}

// split seals rows in as few batches as they fit in.
func (s *Sealer) split(out []Batch, h wire.Header, rows []Row) ([]Batch, error) {
	if len(rows) == 0 {
		return out, nil
	}
	b, err := s.one(h, rows)
	if err == nil {
		return append(out, b), nil
	}
	if len(rows) == 1 {
		b, err = s.poison(h, rows, err)
		return append(out, b), err
	}
	half := len(rows) / 2
	first := h
	if from, _ := span(rows[half:]); first.HasPromise {
		first.Promise = min(first.Promise, from)
	}
	if out, err = s.split(out, first, rows[:half]); err != nil {
		return nil, err
	}
	h.First = out[len(out)-1].End()
	return s.split(out, h, rows[half:])
}

func (s *Sealer) one(h wire.Header, rows []Row) (Batch, error) {
	body := columns(rows)
	b := Batch{Header: h, Rows: rows}
	b.Kind, b.Count = wire.KindReadings, uint64(body.Readings())
	b.Base, b.To = span(rows)
	var err error
	b.Sealed, err = s.enc.AppendReadings(nil, b.Header, &body)
	return b, err
}

// poison closes the seqs of a row that the encoder refuses. Check should have refused it: the row is
// counted and named rather than tried for ever.
func (s *Sealer) poison(h wire.Header, rows []Row, cause error) (Batch, error) {
	b := Batch{Header: h, Rows: rows, Cause: cause}
	b.Kind, b.Count = wire.KindGap, uint64(len(rows[0].Cells))
	b.Base, b.To = span(rows)
	var err error
	b.Sealed, err = wire.AppendGap(nil, b.Header, wire.Gap{Reason: wire.Damaged, From: b.Base, To: b.To})
	return b, err
}

// span returns the times of rows in ms, half-open.
func span(rows []Row) (from, to int64) {
	from, to = math.MaxInt64, math.MinInt64
	for i := range rows {
		t := rows[i].Time
		if rows[i].Unit == record.Micro {
			t = floorDiv(t, 1000)
		}
		from, to = min(from, t), max(to, t+1)
	}
	return from, to
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
