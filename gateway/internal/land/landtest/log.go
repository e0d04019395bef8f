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
	first   []uint64
	next    []uint64
	trimmed int // entries that came before those that are held
	entries []land.Entry
	grown   chan struct{} // closed and replaced by each append
}

// NewLog returns an empty log.
func NewLog(id byte, partitions int) *Log {
	return &Log{
		ID: wire.ID{id}, Partitions: partitions, grown: make(chan struct{}),
		first: make([]uint64, partitions), next: make([]uint64, partitions),
	}
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

// AppendAll stores a payload in every partition.
func (l *Log) AppendAll(kind uint8, received int64, payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.next {
		l.entries = append(l.entries, land.Entry{Kind: kind, Partition: p, Offset: l.next[p], Received: received, Payload: payload})
		l.next[p]++
	}
	close(l.grown)
	l.grown = make(chan struct{})
}

// Next returns how far the log goes.
func (l *Log) Next() table.Marks {
	l.mu.Lock()
	defer l.mu.Unlock()
	return table.Marks{Log: l.ID, Next: append([]uint64(nil), l.next...)}
}

// First returns where the log begins.
func (l *Log) First() table.Marks {
	l.mu.Lock()
	defer l.mu.Unlock()
	return table.Marks{Log: l.ID, Next: append([]uint64(nil), l.first...)}
}

// Entries returns all records that are held.
func (l *Log) Entries() []land.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]land.Entry(nil), l.entries...)
}

// ReadFrom returns a reader from the first record that is held: the marks are for landing to skip by.
func (l *Log) ReadFrom(marks table.Marks) (commit.Records, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, next := range marks.Next {
		if next < l.first[p] || next > l.next[p] {
			return nil, commit.ErrApart
		}
	}
	return &reader{log: l, at: l.trimmed}, nil
}

// Trim lets go of the oldest records as far as they have all landed.
func (l *Log) Trim(marks table.Marks) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.entries) > 0 && l.entries[0].Offset < marks.Next[l.entries[0].Partition] {
		l.first[l.entries[0].Partition]++
		l.entries = l.entries[1:]
		l.trimmed++
	}
	return nil
}

type reader struct {
	log *Log
	at  int // of all records there ever were
}

// Next returns the next record, and waits for it.
func (r *reader) Next(ctx context.Context) (land.Entry, error) {
	for {
		r.log.mu.Lock()
		grown := r.log.grown
		if at := r.at - r.log.trimmed; at < len(r.log.entries) {
			e := r.log.entries[at]
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
