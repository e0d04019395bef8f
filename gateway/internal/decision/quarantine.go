package decision

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Verb is what is done with what quarantine holds.
type Verb uint8

// The verbs.
const (
	Replay  Verb = 1 + iota // it is judged again, and lands if it may
	Discard                 // it is never looked at again
)

// String returns the word of commands and metrics.
func (v Verb) String() string {
	switch v {
	case Replay:
		return "replay"
	case Discard:
		return "discard"
	}
	return fmt.Sprintf("Verb(%d)", uint8(v))
}

// Quarantine is a decision on held readings of one epoch; or, to discard, on the rows of one log record that name no
// seqs: what had no header, and evidence.
type Quarantine struct {
	Verb    Verb         `cbor:"1,keyasint"`
	ID      string       `cbor:"2,keyasint"` // of the decision, so that who made it can be told what became of it
	Device  string       `cbor:"3,keyasint,omitempty"`
	Epoch   record.Epoch `cbor:"4,keyasint,omitempty"`
	Flat    []uint64     `cbor:"5,keyasint,omitempty"` // seqs, as in a hello: from, to, from, to
	Subject string       `cbor:"6,keyasint,omitempty"` // who decided
	Record  *Place       `cbor:"7,keyasint,omitempty"` // instead of device, epoch and seqs
}

// Place names a record of a log.
type Place struct {
	_         struct{} `cbor:",toarray"`
	Log       wire.ID
	Partition int
	Offset    uint64
}

// Outcome is what became of a decision on held readings, once it was committed.
type Outcome struct {
	ID        string            `json:"id"`
	Landed    uint64            `json:"landed"`    // readings
	Present   uint64            `json:"present"`   // stood in `readings` before
	Discarded uint64            `json:"discarded"` // are quarantined for good
	Rows      uint64            `json:"rows"`      // that name no seqs, and were discarded
	Elsewhere uint64            `json:"elsewhere"` // were not held any more, or never
	Held      map[string]uint64 `json:"held"`      // stay held, by reason
}

// Seqs returns the seqs that are decided on.
func (q *Quarantine) Seqs() seqset.Set {
	s, _ := seqset.FromFlat(q.Flat) // checked when it was read
	return s
}

// Append appends the payload.
func (q *Quarantine) Append(dst []byte) ([]byte, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	b, err := encoding().Marshal(q)
	return append(dst, b...), err
}

// ParseQuarantine reads a payload.
func ParseQuarantine(b []byte) (Quarantine, error) {
	var q Quarantine
	if err := decoding().Unmarshal(b, &q); err != nil {
		return Quarantine{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if again, err := q.Append(nil); err != nil || !bytes.Equal(again, b) {
		return Quarantine{}, errors.Join(fmt.Errorf("%w: it is not written in the one way there is", ErrFormat), err)
	}
	return q, nil
}

func (q *Quarantine) check() error {
	switch {
	case q.Verb != Replay && q.Verb != Discard:
		return fmt.Errorf("%w: verb %d", ErrFormat, q.Verb)
	case q.ID == "":
		return fmt.Errorf("%w: no id", ErrFormat)
	case q.Record != nil && (q.Verb != Discard || q.Device != "" || q.Epoch != 0 || len(q.Flat) > 0):
		return fmt.Errorf("%w: a record is discarded by its place alone", ErrFormat)
	case q.Record != nil:
		return nil
	case q.Epoch == 0 || len(q.Flat) == 0:
		return fmt.Errorf("%w: neither seqs of an epoch nor a record", ErrFormat)
	}
	if err := record.CheckDevice(q.Device); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if _, err := seqset.FromFlat(q.Flat); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return nil
}
