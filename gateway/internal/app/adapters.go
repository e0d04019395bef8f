package app

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/headwater-iot/headwater/gateway/internal/commit"
	"github.com/headwater-iot/headwater/gateway/internal/intake"
	"github.com/headwater-iot/headwater/gateway/internal/lake"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/log"
	"github.com/headwater-iot/headwater/gateway/internal/profile"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// intakeLog is the log as intake sees it.
type intakeLog struct {
	*log.Log
	lake *lake.Lake
}

func (l intakeLog) Append(ctx context.Context, kind uint8, partition int, client string, payload []byte) error {
	_, err := l.Log.Append(ctx, log.Record{Kind: log.Kind(kind), Partition: partition, Client: client, Payload: payload})
	if errors.Is(err, log.ErrShare) {
		return fmt.Errorf("%w: %w", intake.ErrShare, err)
	}
	return err
}

// Backlog is without end while a disk is at its reserve: what can wait on the devices had better.
func (l intakeLog) Backlog() int64 {
	if l.Full() || l.lake.Full() {
		return math.MaxInt64
	}
	return l.Unlanded()
}

// landLog is the log as landing sees it.
type landLog struct {
	*log.Log
	progress *progress
}

func (l landLog) First() table.Marks { return table.Marks{Log: l.ID(), Next: l.Log.First()} }

func (l landLog) ReadFrom(marks table.Marks) (commit.Records, error) {
	r, err := l.Reader(marks.Next)
	if errors.Is(err, log.ErrTrimmed) || errors.Is(err, log.ErrAhead) {
		return nil, fmt.Errorf("%w: %w", commit.ErrApart, err)
	}
	if err != nil {
		return nil, err
	}
	return records{r}, nil
}

// Trim hears of every commit.
func (l landLog) Trim(marks table.Marks) error {
	l.progress.to(marks.Next)
	return l.Log.Trim(marks.Next)
}

type records struct{ *log.Reader }

func (r records) Next(ctx context.Context) (land.Entry, error) {
	e, err := r.Reader.Next(ctx)
	if err != nil {
		return land.Entry{}, err
	}
	return land.Entry{
		Kind: uint8(e.Kind), Partition: e.Partition, Offset: e.Offset, Received: e.Received, Client: e.Client, Payload: e.Payload,
	}, nil
}

// commitLake is the lake as commit sees it.
type commitLake struct{ *lake.Lake }

func (l commitLake) Load(ctx context.Context) ([]table.Cursor, commit.Takeover, error) {
	cursors, pin, err := l.LoadCursors(ctx)
	if err != nil {
		return nil, nil, err
	}
	return cursors, func(ctx context.Context, marks table.Marks) error { return l.TakeOver(ctx, pin, marks) }, nil
}

// profileLake is the lake as the profile job sees it.
type profileLake struct{ *lake.Lake }

func (l profileLake) OpenDay(ctx context.Context, day int32) (profile.Day, error) {
	return l.Lake.OpenDay(ctx, day)
}

func (l commitLake) Contracts(ctx context.Context) ([]table.ContractRow, error) {
	return l.LoadContracts(ctx)
}

// outcome says what an error of the lake means to commit.
func outcome(err error) commit.Outcome {
	switch {
	case errors.Is(err, lake.ErrForeign):
		return commit.Foreign
	case errors.Is(err, lake.ErrStale):
		return commit.Stale
	case errors.Is(err, lake.ErrConflict):
		return commit.Conflict
	case errors.Is(err, lake.ErrUnknown):
		return commit.Unknown
	case errors.Is(err, lake.ErrTooManyDays):
		return commit.TooManyDays
	}
	return commit.Failed
}

// replay gives every record that was in the log before this start, and has not landed, to intake. It runs before
// landing does, which would trim the log under it.
func replay(ctx context.Context, l *log.Log, lakeMarks table.Marks, take func(log.Entry)) error {
	from := l.First()
	left := uint64(0)
	for p, next := range l.Next() {
		if lakeMarks.Log == l.ID() {
			from[p] = max(from[p], lakeMarks.Next[p])
		}
		left += next - from[p]
	}
	r, err := l.Reader(from)
	if err != nil {
		return fmt.Errorf("replay the log: %w", err)
	}
	defer r.Close()
	for ; left > 0; left-- {
		e, err := r.Next(ctx)
		if err != nil {
			return fmt.Errorf("replay the log: %w", err)
		}
		take(e)
	}
	return r.Close()
}
