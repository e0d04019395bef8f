package importer

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/csvfile"
	"github.com/headwater-iot/headwater/agent/internal/seal"
	"github.com/headwater-iot/headwater/agent/internal/uplink"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// askFor is how long the gateway has to say what it knows of the epoch, before batches go: it answers at once for an
// epoch it has in memory, and when the hello has landed for one that is complete. Sending earlier would do no harm.
const askFor = 5 * time.Second

// queue is a planned file as an outbox. The uplink calls it from one goroutine; progress is read from another.
type queue struct {
	plan   *Plan
	sealer *seal.Sealer
	fail   func(error) // the import is over
	done   func()      // all has landed

	mu             sync.Mutex // guards all below
	lake, log      wire.ID
	stored, landed seqset.Set
	ended          bool
	begin          int       // every piece before it is stored
	asked          time.Time // when the gateway was heard first
	named          bool      // it has said what it knows of the epoch
	sent           map[int]bool
	gone           uint64 // readings in sent
	before         uint64 // readings that were stored when it said so
	failed         bool
}

// Next returns the next batch that is not stored, then the end.
func (q *queue) Next(lane uplink.Lane, skip func(uplink.Ref) bool) (uplink.Batch, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if lane != uplink.Backlog || q.failed || !q.named && time.Since(q.asked) < askFor {
		return uplink.Batch{}, false
	}
	for i := q.begin; i < len(q.plan.pieces); i++ {
		ref := q.plan.ref(i)
		if q.stored.HasAll(ref.First, ref.First+ref.Count) {
			if i == q.begin {
				q.begin++
			}
			continue
		}
		if skip(ref) {
			continue
		}
		sealed, err := q.plan.seal(q.sealer, i)
		if err != nil {
			q.failed = true
			q.fail(err)
			return uplink.Batch{}, false
		}
		if !q.sent[i] {
			q.sent[i] = true
			q.gone += ref.Count
		}
		return uplink.Batch{Ref: ref, Sealed: sealed}, true
	}
	end := uplink.Ref{Epoch: q.plan.Epoch, First: q.plan.Readings}
	if q.ended || q.begin < len(q.plan.pieces) || skip(end) {
		return uplink.Batch{}, false
	}
	sealed, err := q.plan.end()
	if err != nil {
		q.failed = true
		q.fail(err)
		return uplink.Batch{}, false
	}
	return uplink.Batch{Ref: end, Sealed: sealed}, true
}

// Apply takes what the gateway has. The file stays as it is, whatever that is.
func (q *queue) Apply(a *wire.Ack) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if a.Lake != q.lake {
		q.landed, q.ended = seqset.Set{}, false
	}
	if a.Lake != q.lake || a.Log != q.log {
		q.stored, q.begin = q.landed.Clone(), 0
	}
	q.lake, q.log = a.Lake, a.Log
	if q.asked.IsZero() {
		q.asked = time.Now()
	}
	for i := range a.Epochs {
		e := &a.Epochs[i]
		if e.Epoch != q.plan.Epoch {
			continue
		}
		stored, landed := e.StoredSet(), e.LandedSet()
		q.stored.AddSet(&stored)
		q.stored.AddSet(&landed)
		q.landed.AddSet(&landed)
		q.ended = q.ended || e.Ended
		if !q.named {
			q.named, q.before = true, q.stored.Count()
		}
	}
	if q.ended && q.landed.HasAll(0, q.plan.Readings) {
		q.done()
	}
	return nil
}

// Verify reads a batch again that arrived damaged. A copy that is not good is the file's, which has changed.
func (q *queue) Verify(r uplink.Ref) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.Count == 0 {
		return true
	}
	for i := range q.plan.pieces {
		if q.plan.ref(i) != r {
			continue
		}
		if _, err := q.plan.seal(q.sealer, i); err != nil {
			q.failed = true
			q.fail(err)
			break
		}
	}
	return true // there is no gap to be made of it: the import stops, or sends it again
}

// Report says that all of the file is held.
func (q *queue) Report() uplink.Report {
	p := q.plan
	return uplink.Report{
		Epochs: []wire.HelloEpoch{{
			Epoch: p.Epoch, Boot: p.boot(), Next: p.Readings, Held: []uint64{0, p.Readings}, State: wire.EpochEnded,
		}},
		Batches: uint64(len(p.pieces)),
	}
}

// figures returns how many readings this run has sent, and how many the gateway has.
func (q *queue) figures() (sent, stored, landed, before uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.gone, q.stored.Count(), q.landed.Count(), q.before
}

// boot stands where a device names its boot: the same on every host, and that of no device.
func (p *Plan) boot() record.Boot { return record.Boot(p.Epoch) }

// ref names the batch of a piece.
func (p *Plan) ref(i int) uplink.Ref {
	end := p.Readings
	if i+1 < len(p.pieces) {
		end = p.pieces[i+1].first
	}
	return uplink.Ref{Epoch: p.Epoch, First: p.pieces[i].first, Count: end - p.pieces[i].first}
}

func (p *Plan) header(first uint64) wire.Header {
	return wire.Header{Absolute: true, Device: p.Device, Epoch: p.Epoch, Boot: p.boot(), First: first}
}

// seal reads a piece again and makes its batch.
func (p *Plan) seal(sealer *seal.Sealer, i int) ([]byte, error) {
	from := &p.pieces[i]
	raw := make([]byte, from.end-from.at.Offset)
	if _, err := p.in.ReadAt(raw, from.at.Offset); err != nil {
		return nil, fmt.Errorf("read %s again: %w: %w", p.Path, ErrChanged, err)
	}
	rows, err := p.rows(raw, from)
	if err != nil {
		return nil, fmt.Errorf("read %s again: %w", p.Path, err)
	}
	ref := p.ref(i)
	batches, err := sealer.Seal(p.header(ref.First), rows)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", p.Path, err)
	}
	if len(batches) != 1 || batches[0].Kind != wire.KindReadings || batches[0].Count != ref.Count {
		panic(fmt.Sprintf("importer: %d rows of %d readings make %d batches", len(rows), ref.Count, len(batches)))
	}
	return batches[0].Sealed, nil
}

// rows reads the rows of a piece, if it is what it was.
func (p *Plan) rows(raw []byte, from *piece) ([]seal.Row, error) {
	var out []seal.Row
	sum := uint32(0)
	rows := p.File.Rows(bytes.NewReader(raw), from.at)
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		sum = crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), rows.Raw)
		var bad *csvfile.BadRow
		switch {
		case errors.As(err, &bad):
			continue
		case err != nil:
			return nil, err
		case len(row.Cells) > 0:
			r := seal.Row{Row: *row}
			r.Cells = append([]record.Cell(nil), row.Cells...)
			out = append(out, r)
		}
	}
	if sum != from.crc {
		return nil, ErrChanged
	}
	return out, nil
}

// end makes the end of the epoch.
func (p *Plan) end() ([]byte, error) {
	if err := p.unchanged(); err != nil {
		return nil, fmt.Errorf("end the import of %s: %w", p.Path, err)
	}
	return wire.AppendEnd(nil, p.header(p.Readings))
}
