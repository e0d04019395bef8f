package land

import (
	"context"
	"errors"
	"fmt"
)

// The kinds of log record that landing knows (FORMAT.md, section 5).
const (
	KindBatch    uint8 = 1
	KindHello    uint8 = 3
	KindContract uint8 = 4
	KindReplay   uint8 = 5
	KindStart    uint8 = 7
)

// ErrKind means a log record whose kind this binary does not know. Landing stops: a newer binary has to go on.
var ErrKind = errors.New("log record of an unknown kind; start the version of the gateway that wrote it, or a later one: nothing is lost meanwhile")

// Entry is one record of the log. Payload is the envelope of a batch or the message of a hello, and belongs to
// whoever got the entry.
type Entry struct {
	Kind      uint8
	Partition int
	Offset    uint64
	Received  int64 // us wall, never falls within a log
	Client    string
	Payload   []byte
}

// String names the record for messages.
func (e *Entry) String() string {
	return fmt.Sprintf("record %d of partition %d (kind %d)", e.Offset, e.Partition, e.Kind)
}

// Reader gives the records of a log in chain order and waits for more. It is called from one goroutine, the one that
// runs Lander.Open. Any error ends the reading; ctx.Err() is how it ends in peace.
type Reader interface {
	Next(ctx context.Context) (Entry, error)
}
