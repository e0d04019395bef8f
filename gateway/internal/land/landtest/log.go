package landtest

import (
	"context"
	"sync"

	"github.com/headwater-iot/headwater/gateway/internal/commit"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Log is a log in memory. Readers see what is appended later.
type Log struct {
	ID         wire.ID
	Partitions int

	mu      sync.Mutex // guards all below
	next    []uint64
	entries []land.Entry
	grown   chan struct{} // closed and replaced by each append
}

// NewLog returns an empty log.
func NewLog(id byte, partitions int) *Log {
	return &Log{ID: wire.ID{id}, Partitions: partitions, next: make([]uint64, partitions), grown: make(chan struct{})}
}

// Append stores a payload of a client.
func (l *Log) Append(kind uint8, client string, received int64, payload []byte) land.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	device, err := record.DeviceOf(client)
	if err != nil {
		panic("landtest: " + err.Error())
	}
	p := record.Partition(device, l.Partitions)
	e := land.Entry{Kind: kind, Partition: p, Offset: l.next[p], Received: received, Client: client, Payload: payload}
	l.next[p]++
	l.entries = append(l.entries, e)
	close(l.grown)
	l.grown = make(chan struct{})
	return e
}

// Next returns how far the log goes.
func (l *Log) Next() table.Marks {
	l.mu.Lock()
	defer l.mu.Unlock()
	return table.Marks{Log: l.ID, Next: append([]uint64(nil), l.next...)}
}

// Entries returns all records.
func (l *Log) Entries() []land.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]land.Entry(nil), l.entries...)
}

// ReadFrom returns a reader from the beginning: the marks are for landing to skip by.
func (l *Log) ReadFrom(table.Marks) (commit.Records, error) { return &reader{log: l}, nil }

// Trim does nothing.
func (l *Log) Trim(table.Marks) error { return nil }

type reader struct {
	log *Log
	at  int
}

// Next returns the next record, and waits for it.
func (r *reader) Next(ctx context.Context) (land.Entry, error) {
	for {
		r.log.mu.Lock()
		grown := r.log.grown
		if r.at < len(r.log.entries) {
			e := r.log.entries[r.at]
			r.at++
			r.log.mu.Unlock()
			return e, nil
		}
		r.log.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return land.Entry{}, ctx.Err()
		}
	}
}

// Close does nothing.
func (r *reader) Close() error { return nil }
