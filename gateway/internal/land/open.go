package land

import (
	"context"
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Reasons of a quarantine row.
const (
	Malformed  = "malformed"  // no header can be read
	Unreadable = "unreadable" // header good, body not
	Panicked   = "panic"      // decoding it panicked
	Unopened   = "unopened"   // the process died on it before
	BeyondEnd  = "beyond_end" // seqs behind the end of its epoch
	FutureTime = "future_time"
	TooOld     = "too_old"
	TimeRange  = "time_range"    // no timestamp can say it
	Conflict   = "seqs_conflict" // evidence: other bytes under the same seqs
	Contract   = "contract"      // a rule of the contract says so
)

// Opened is a record that was decoded, or why it was not.
type Opened struct {
	Entry
	anchor wire.Anchor
	sealed wire.Sealed
	body   record.Body
	gap    wire.Gap
	hello  *wire.Hello

	decision  decision.Contract
	contract  *contract.Contract // nil: the decision removes one
	judgement *judgement         // of the contracts; nil = there are none for it

	deciding *deciding

	known  bool   // sealed is valid
	split  bool   // a group has taken some of its days
	kept   bool   // a quarantine row has its bytes
	ahead  bool   // it has readings of the future: what its clock promises is not believed
	reason string // quarantine reason, "" = good
	detail string
}

// Bytes estimates the memory of the record.
func (o *Opened) Bytes() int64 {
	n := int64(len(o.Payload))
	if o.known && o.reason == "" && o.sealed.Kind == wire.KindReadings {
		n += readingBytes * int64(o.sealed.Count)
	}
	return n
}

// job is a record on its way through the workers.
type job struct {
	out  *Opened
	done chan struct{} // closed by the worker
}

// Open reads records, decodes them on all workers and sends them to out in the order of the log. It returns when ctx
// ends or the reader fails, and has closed out by then. Whoever runs it waits for it.
func (l *Lander) Open(ctx context.Context, r Reader, out chan<- *Opened) error {
	defer close(out)
	decoders := make([]*wire.Decoder, l.cfg.Workers) // they hold zstd state, so each worker has its own
	for i := range decoders {
		var err error
		if decoders[i], err = wire.NewDecoder(); err != nil {
			return fmt.Errorf("make decoder: %w", err)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	work := make(chan *job)                   // handed over, so that nothing is open that no worker works on
	order := make(chan *job, 2*l.cfg.Workers) // as many as wait for the oldest while workers go on
	g.Go(func() error {
		defer close(work)
		defer close(order)
		return feed(ctx, r, work, order)
	})
	for _, dec := range decoders {
		g.Go(func() error {
			for j := range work {
				l.attempt(dec, j.out)
				close(j.done)
			}
			return nil
		})
	}
	g.Go(func() error { return emit(ctx, order, out) })
	if err := g.Wait(); err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	return nil
}

// feed gives every record to a worker, and to emit in order.
func feed(ctx context.Context, r Reader, work, order chan<- *job) error {
	for {
		e, err := r.Next(ctx)
		if err != nil {
			return err
		}
		j := &job{out: &Opened{Entry: e}, done: make(chan struct{})}
		select {
		case order <- j:
		case <-ctx.Done():
			return ctx.Err()
		}
		work <- j // a worker always comes back
	}
}

func emit(ctx context.Context, order <-chan *job, out chan<- *Opened) error {
	for j := range order {
		<-j.done // a worker has it, and comes back
		select {
		case out <- j.out:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// attempt opens one record, noted if an earlier run died on one.
func (l *Lander) attempt(dec *wire.Decoder, o *Opened) {
	if l.cfg.Attempts == nil || o.Kind == KindStart {
		open(dec, o, false)
		return
	}
	l.cfg.Attempts.try(l.cfg.Log, o.Partition, o.Offset, func(n int) {
		unopened := n >= maxAttempts
		if l.cfg.Opening != nil && o.Kind == KindBatch && !unopened {
			l.cfg.Opening(o.Client)
		}
		open(dec, o, unopened)
	})
}

// open decodes o in place. Unopened, only the header is read: intake has read it before.
func open(dec *wire.Decoder, o *Opened, unopened bool) {
	defer func() {
		if p := recover(); p != nil {
			o.reason, o.detail = Panicked, fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	var err error
	switch o.Kind {
	case KindBatch:
		err = openBatch(dec, o, unopened)
	case KindHello:
		if o.reason = Unopened; unopened {
			return
		}
		o.reason = Unreadable
		o.hello, err = wire.ParseHello(o.Payload)
	case KindContract:
		if o.reason = Unopened; unopened {
			return
		}
		o.reason = Unreadable
		if o.decision, err = decision.ParseContract(o.Payload); err == nil {
			o.contract, err = o.decision.Parse()
		}
	case KindReplay:
		o.reason = Unreadable
		if o.deciding, err = parseDecision(o.Payload); err == nil && unopened { // what it decides on took the process down
			o.reason = Unopened
		}
	}
	if err != nil {
		o.detail = err.Error()
		return
	}
	if !unopened {
		o.reason = ""
	}
}

func openBatch(dec *wire.Decoder, o *Opened, unopened bool) error {
	var err error
	o.reason = Malformed
	if o.anchor, o.sealed, err = wire.ParseEnvelope(o.Payload); err != nil {
		return err
	}
	o.known = true
	if unopened {
		o.reason, o.detail = Unopened, "the process died twice while it was opened"
		return nil
	}
	o.reason = Unreadable
	switch o.sealed.Kind {
	case wire.KindReadings:
		return dec.Readings(&o.sealed, &o.body)
	case wire.KindGap:
		o.gap, err = wire.ParseGap(&o.sealed)
		return err
	}
	return nil
}
