package land

import (
	"log/slog"
	"runtime"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/wire"
)

const (
	// Slack is how far ahead of its received time a reading may be without a flag: clocks disciplined over a
	// network agree to well under a second.
	Slack = time.Second
	// DefaultMaxAhead is where a clock is wrong rather than early: a day covers any confusion of time zones.
	DefaultMaxAhead = 24 * time.Hour
	// MaxDays bounds the day partitions of one group: each is a file, and what comes meanwhile waits for all of them.
	MaxDays = 64
	// WideDays bounds those of imported batches that have more than MaxDays each: a year whose rows are in no order
	// becomes one file a day, where slices of MaxDays would make one for each day and batch.
	WideDays = 448
)

// Settings are the rules of landing. The zero value is the default.
type Settings struct {
	MaxAhead time.Duration // readings further ahead of their received time are quarantined; 0 = DefaultMaxAhead
	MaxAge   time.Duration // readings older than this when received are quarantined; 0 = no limit
	MaxDays  int           // day partitions of one group; 0 = MaxDays
	WideDays int           // of scattered imports beside those; 0 = WideDays
	Workers  int           // goroutines that decode; 0 = one per CPU
}

// Config is what a Lander needs.
type Config struct {
	Settings
	Log    wire.ID       // the log that is read
	Lookup cursor.Lookup // finds the cursors of epochs that have left memory
	Kept   Kept          // finds held readings that are decided on; nil = nobody decides (tests)
	Key    []byte        // of the pseudonyms of personal texts; nil = they are masked
	Logger *slog.Logger
	Meter  *meter.Registry
	Health *health.Board

	// Attempts notes which record is being opened; nil = nothing is noted (tests).
	Attempts *Attempts
	// Opening is told, by any worker and by replays, whose batch is opened next; nil = nobody asks (tests).
	Opening func(client string)
	// Decided is told what became of a decision on held readings, once it is committed, and must not keep it waiting;
	// nil = nobody asks.
	Decided func(decision.Outcome)
}

// Lander makes rows of log records. Open runs beside the rest; all else belongs to one goroutine.
type Lander struct {
	cfg     Config
	book    *cursor.Book
	devices *devices
	count   counters
	alarms  alarms
	names   map[string]string // one copy of each series and unit
	spare   []table.Run       // memory of the last group's runs, empty
	rules   map[int]*rules    // by partition, as of the last commit
	decoder *wire.Decoder     // of held bytes that are opened again; nil until there are any
}

// New returns a lander without cursors.
func New(cfg Config) *Lander {
	if cfg.MaxAhead == 0 {
		cfg.MaxAhead = DefaultMaxAhead
	}
	if cfg.MaxDays == 0 {
		cfg.MaxDays = MaxDays
	}
	if cfg.WideDays == 0 {
		cfg.WideDays = WideDays
	}
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	l := &Lander{
		cfg:     cfg,
		book:    cursor.NewBook(cfg.Lookup),
		devices: newDevices(),
		count:   newCounters(cfg.Meter),
		alarms:  newAlarms(cfg.Health),
		names:   map[string]string{},
		rules:   map[int]*rules{},
	}
	return l
}

// Load forgets all cursors and takes in those of a snapshot.
func (l *Lander) Load(cursors []table.Cursor) {
	l.book.Load(cursors)
	l.count.cursors.Set(float64(l.book.Live()))
}

// LoadDevices takes in the devices table, so that what it knew is not forgotten by the next flush.
func (l *Lander) LoadDevices(rows []table.Device) { l.devices.load(rows) }

// Devices returns the rows of the devices table and whether they changed since the last call.
func (l *Lander) Devices() ([]table.Device, bool) { return l.devices.flush() }

// Begin starts a group behind the marks of the lake.
func (l *Lander) Begin(marks table.Marks) *Group {
	g := &Group{l: l, draft: l.book.Draft(), days: map[int64]struct{}{}, wide: map[int64]struct{}{}, tally: newTally()}
	g.commit.Expect = cloneMarks(marks)
	g.commit.Marks = cloneMarks(marks)
	g.commit.Readings, l.spare = l.spare, nil
	return g
}

func cloneMarks(m table.Marks) table.Marks {
	return table.Marks{Log: m.Log, Next: append([]uint64(nil), m.Next...)}
}
