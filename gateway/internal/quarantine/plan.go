package quarantine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// Bounds of a decision: landing carries each out in one group if the days allow, so it must fit its memory, and its
// record must fit the log.
const (
	maxRecords  = 64
	maxReadings = 1 << 19
	maxRanges   = 16 << 10
	// maxAsked bounds the log records of one question to the gateway, so that there is progress to show.
	maxAsked = 1024
)

// piece is what is asked for of one log record.
type piece struct {
	origin table.Origin
	key    table.Key
	seqs   seqset.Set
	place  *decision.Place // instead of key and seqs: its rows that name no seqs
}

// Plan is what to ask for.
type Plan struct {
	verb    decision.Verb
	subject string
	pieces  []piece // in the order of receipt

	Readings uint64
	NoSeqs   int // rows that name no seqs, and that a replay leaves out
}

// NewPlan begins a plan; subject is who decides.
func NewPlan(verb decision.Verb, subject string) *Plan { return &Plan{verb: verb, subject: subject} }

// Records returns how many log records the plan asks for something of.
func (p *Plan) Records() int { return len(p.pieces) }

// Add takes in rows; those that are not held are left out. With names, only what they name of a row is asked for.
func (p *Plan) Add(rows []table.QuarantineRow, names []Name) {
	type id struct {
		origin table.Origin
		key    table.Key
		rows   bool
	}
	pieces := map[id]*piece{}
	at := func(k id) *piece {
		if pieces[k] == nil {
			pieces[k] = &piece{origin: k.origin, key: k.key}
		}
		return pieces[k]
	}
	for i := range rows {
		r := &rows[i]
		if r.Fate != table.FateHeld {
			continue
		}
		if r.Count == 0 {
			if p.verb == decision.Replay {
				p.NoSeqs++
				continue
			}
			at(id{origin: r.Origin, rows: true}).place = &decision.Place{Log: r.Origin.Log, Partition: r.Origin.Partition, Offset: r.Origin.Offset}
			continue
		}
		x := at(id{origin: r.Origin, key: table.Key{Device: r.Device, Epoch: r.Epoch}})
		if len(names) == 0 {
			x.seqs.Add(r.From, r.To)
		}
		for k := range names {
			if names[k].Has(r) {
				part := names[k].of(r)
				x.seqs.Add(part.From, part.To)
			}
		}
	}
	for _, x := range pieces {
		if x.place != nil || !x.seqs.Empty() {
			p.pieces = append(p.pieces, *x)
			p.Readings += x.seqs.Count()
		}
	}
	slices.SortFunc(p.pieces, func(a, b piece) int {
		return cmp.Or(
			cmp.Compare(a.origin.Received, b.origin.Received), cmp.Compare(a.origin.Partition, b.origin.Partition),
			cmp.Compare(a.origin.Offset, b.origin.Offset), cmp.Compare(a.key.Device, b.key.Device), cmp.Compare(a.key.Epoch, b.key.Epoch),
			cmp.Compare(a.seqs.Count(), b.seqs.Count()))
	})
}

// decisions returns the decisions on some pieces.
func (p *Plan) decisions(pieces []piece) []decision.Quarantine {
	var out []decision.Quarantine
	byKey := map[table.Key][]piece{}
	for _, x := range pieces {
		if x.place != nil {
			out = append(out, decision.Quarantine{Verb: p.verb, Subject: p.subject, Record: x.place})
		} else {
			byKey[x.key] = append(byKey[x.key], x)
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(byKey), func(a, b table.Key) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Epoch, b.Epoch))
	}) {
		var seqs seqset.Set
		records := 0
		flush := func() {
			if !seqs.Empty() {
				out = append(out, decision.Quarantine{Verb: p.verb, Subject: p.subject, Device: key.Device, Epoch: key.Epoch, Flat: seqs.Flat()})
			}
			seqs, records = seqset.Set{}, 0
		}
		for _, x := range byKey[key] {
			for _, r := range x.seqs.Ranges() {
				for at := r.From; at < r.To; {
					if records >= maxRecords || seqs.Count() >= maxReadings || len(seqs.Ranges()) >= maxRanges {
						flush()
					}
					to := min(r.To, at+maxReadings-seqs.Count())
					seqs.Add(at, to)
					at = to
				}
			}
			records++
		}
		flush()
	}
	return out
}

// Summary is what became of a plan.
type Summary struct {
	Records   int               `json:"records"`  // of the log, that were asked for
	Readings  uint64            `json:"readings"` // that were asked for
	Landed    uint64            `json:"landed"`
	Present   uint64            `json:"present"`   // stood in readings before
	Discarded uint64            `json:"discarded"` // are quarantined for good
	Rows      uint64            `json:"rows"`      // that name no seqs, and were discarded
	Elsewhere uint64            `json:"elsewhere"` // somebody else decided on them meanwhile
	Held      map[string]uint64 `json:"held"`      // stay held, by reason
	NoSeqs    int               `json:"no_seqs"`   // rows that name no seqs, and cannot be replayed
}

func (s *Summary) add(o *decision.Outcome) {
	s.Landed += o.Landed
	s.Present += o.Present
	s.Discarded += o.Discarded
	s.Rows += o.Rows
	s.Elsewhere += o.Elsewhere
	for reason, n := range o.Held {
		s.Held[reason] += n
	}
}

// Kept returns how many readings stay held.
func (s *Summary) Kept() uint64 {
	n := uint64(0)
	for _, m := range s.Held {
		n += m
	}
	return n
}

// Ask puts decisions to the gateway and returns what became of them.
type Ask func(context.Context, []decision.Quarantine) ([]decision.Outcome, error)

// Run asks for everything, at most rate log records a second (0 = as fast as they land), and tells progress after each
// question. With an error the summary says what was done until then.
func (p *Plan) Run(ctx context.Context, rate int, ask Ask, progress func(records int, s *Summary)) (*Summary, error) {
	s := &Summary{Held: map[string]uint64{}, NoSeqs: p.NoSeqs}
	step := maxAsked
	if rate > 0 {
		step = min(step, rate)
	}
	begun := time.Now()
	for left := p.pieces; len(left) > 0; {
		if rate > 0 {
			if err := until(ctx, begun.Add(time.Duration(s.Records)*time.Second/time.Duration(rate))); err != nil {
				return s, err
			}
		}
		n := min(step, len(left))
		outcomes, err := ask(ctx, p.decisions(left[:n]))
		for i := range outcomes {
			s.add(&outcomes[i])
		}
		if err != nil {
			return s, err
		}
		for i := range left[:n] {
			s.Readings += left[i].seqs.Count()
		}
		s.Records += n
		left = left[n:]
		progress(s.Records, s)
	}
	return s, nil
}

// until waits for a time, or for ctx to end.
func until(ctx context.Context, at time.Time) error {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
