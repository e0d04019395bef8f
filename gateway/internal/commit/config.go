package commit

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/service"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Defaults of Config.
const (
	DefaultEvery   = time.Second      // the freshness an analyst sees when little arrives
	DefaultStretch = 10 * time.Second // larger files when much arrives
	DefaultBytes   = 128 << 20        // bounds the memory of one commit
	StopWithin     = 10 * time.Second // for the last commit of a program that stops

	devicesEvery = 30 * time.Second // between two writes of the devices table: a hello comes every minute
	workWithin   = 10 * time.Minute // one step of work: the largest commit on the slowest disk; beyond, landing hangs
	maxIdle      = 4096             // records that bring nothing, before their marks are committed all the same
	maxRecords   = 1 << 16          // of one group: bounds what small records cost in rows of cursors
	maxTakeovers = 10               // pins that fail in a row before something else must be wrong
	firstRetry   = 100 * time.Millisecond
	lastRetry    = 30 * time.Second
)

// ErrForeign means that another log owns the lake: a second gateway is alive on it, or the state directory is not
// the one that belongs to it. The program stops.
var ErrForeign = errors.New("the lake is owned by another log: a second gateway is alive, or the state directory is not the one " +
	"that belongs to this lake; stop the other gateway and start this one again")

// ErrPartitions means that log and lake were born with different numbers of partitions. The program stops.
var ErrPartitions = errors.New("log and lake have different numbers of partitions")

// ErrApart means that the log does not hold the place that the lake says it has landed to: one of them is an older copy
// than the other, or the log has lost its end. The program stops.
var ErrApart = errors.New("log and lake do not fit together: one of them is an older copy, or the log has lost its end; put the newer " +
	"one back, or move the log out of the state directory, and devices send again what they still hold")

// Outcome says what an error of a Lake means.
type Outcome uint8

// The outcomes. All but Foreign and TooManyDays end in reading the lake again.
const (
	Failed      Outcome = iota // nothing has changed; worth another try
	Foreign                    // another log owns the lake
	Stale                      // the marks are not the expected ones
	Conflict                   // a table moved; nothing has changed
	Unknown                    // it may have happened
	TooManyDays                // the commit touches more days than the lake takes: a defect of landing
)

// Takeover makes marks the marks of the lake, provided that no table moved since the cursors were loaded.
type Takeover func(ctx context.Context, marks table.Marks) error

// Lake is where groups go. It is called from the goroutine of Loop.Run alone; what its errors mean is asked of
// Config.Outcome.
type Lake interface {
	// Marks returns who owns the lake and how far; false before the first takeover.
	Marks(ctx context.Context) (table.Marks, bool, error)
	// Load returns the cursors that may still change, and the takeover pinned to the snapshot they are from.
	Load(ctx context.Context) ([]table.Cursor, Takeover, error)
	// Contracts returns the changes of contracts, by partition in the order of their revisions.
	Contracts(ctx context.Context) ([]table.ContractRow, error)
	// Commit lands c whole or not at all.
	Commit(ctx context.Context, c *table.Commit) error
}

// Log is where records come from. It is called from the goroutine of Loop.Run alone.
type Log interface {
	// First returns where the log begins: below it, everything has landed in the lake that it served.
	First() table.Marks
	// ReadFrom returns a reader whose first record of each partition is at or before its mark, or ErrApart.
	ReadFrom(marks table.Marks) (Records, error)
	// Trim tells that everything below the marks has landed.
	Trim(marks table.Marks) error
}

// Records is an open reader of the log.
type Records interface {
	land.Reader
	Close() error
}

// Config is what a Loop needs. Functions may be nil where that is said.
type Config struct {
	Lake    Lake
	Log     Log
	Lander  *land.Lander
	Outcome func(error) Outcome

	LogID      wire.ID
	Partitions int

	Every, Stretch time.Duration // 0 = the default
	Bytes          int64         // 0 = DefaultBytes

	// Loaded hears of every cursor in memory before the loop is ready, and again after a doubt. Landed hears what each
	// commit has closed, and of every complete epoch that a hello names. Both are called from Run, and must not keep
	// it waiting. Nil = nobody listens.
	Loaded func([]cursor.Update)
	Landed func([]cursor.Update)
	// Devices writes the devices table. It gates nothing. Nil = nobody does.
	Devices func(context.Context, []table.Device) error

	Logger *slog.Logger
	Meter  *meter.Registry
	Health *health.Board
	Pulse  *service.Pulse // of Run
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	if c.Every == 0 {
		c.Every = DefaultEvery
	}
	if c.Stretch == 0 {
		c.Stretch = max(DefaultStretch, c.Every)
	}
	if c.Bytes == 0 {
		c.Bytes = DefaultBytes
	}
	if c.Loaded == nil {
		c.Loaded = func([]cursor.Update) {}
	}
	if c.Landed == nil {
		c.Landed = func([]cursor.Update) {}
	}
	return c
}

// answer tells what was asked, if anything was.
func (c *Config) answer(updates []cursor.Update) {
	if len(updates) > 0 {
		c.Landed(updates)
	}
}
