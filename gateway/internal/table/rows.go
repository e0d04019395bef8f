package table

import (
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Names of the tables.
const (
	Readings   = "readings"
	Quarantine = "quarantine"
	Gaps       = "gaps"
	Cursors    = "cursors"
	Contracts  = "contracts"
	Devices    = "devices"
)

// Namespace holds all tables.
const Namespace = "headwater"

// Unknown marks an optional integer of a row that is null in the table.
const Unknown = -1 << 63

// Origin says where in the log a row came from.
type Origin struct {
	Log       wire.ID
	Partition int
	Offset    uint64
	Received  int64 // us wall
}

// Stamp is what turned device time into event time; constant per batch.
type Stamp struct {
	ClockOffset int64 // us, event time less device time; Unknown for absolute time
	ClockError  int64 // us; Unknown = no bound
	Anchor      int64 // generation; Unknown = none
}

// Run is one column of one batch, clipped: readings of one (device, series), usually in event time order.
// EventTime, Seq and the one value slice that Kind names have one entry per reading.
type Run struct {
	Device, Series, Unit, Site, Contract string

	Epoch    record.Epoch
	Boot     record.Boot
	Received int64 // us wall
	Stamp    Stamp

	Kind      record.ValueKind
	EventTime []int64 // us wall
	Seq       []uint64
	Null      []bool           // nil = none
	Quality   []record.Quality // nil = all BaseQuality
	Base      record.Quality   // bits of all readings of the run

	Floats []float64
	Ints   []int64
	Uints  []uint64
	Texts  []string
	Bools  []bool
	Blobs  [][]byte
}

// QuarantineRow is one rejected reading or batch.
type QuarantineRow struct {
	Device   string
	Epoch    record.Epoch // 0 = null
	From, To uint64       // seqs; From == To = null (evidence, or unreadable header)
	Count    uint64
	Bytes    []byte
	Reason   string
	Rule     string
	Contract string
	Origin   Origin
	Fate     string // FateHeld, FateReplayed or FateDiscarded
}

// Fates of a quarantine row.
const (
	FateHeld      = "held"
	FateReplayed  = "replayed"  // its readings stand in `readings`
	FateDiscarded = "discarded" // quarantined for good
)

// GapRow is one stretch that will never come, or is presumed not to.
type GapRow struct {
	Device           string
	Epoch            record.Epoch
	From             uint64
	To               uint64 // 0 = open end
	Count            uint64
	CountMax         uint64 // 0 = null
	TimeFrom, TimeTo int64  // us wall; Unknown = null
	Series           []string
	Reason           string
	Presumed         bool
	Origin           Origin
}

// Cursor is what is known of one (device, epoch) as of a commit. It is the whole state of
// deduplication: a seq is closed when it is in Closed, and then never lands again.
type Cursor struct {
	Device  string
	Epoch   record.Epoch
	Version uint64 // raised with every row of the key

	Closed       seqset.Set // landed, quarantined or given up by the agent
	Presumed     seqset.Set // presumed lost, not closed
	PresumedFrom uint64     // with PresumedOpen: everything from here on is presumed lost
	PresumedOpen bool
	PresumedMax  uint64 // with PresumedOpen: at most so many readings; 0 = not known

	Ended    bool
	FinalSeq uint64 // valid with Ended by an `end`; HasFinal says so
	HasFinal bool

	Predecessor record.Epoch
	Boot        record.Boot
	Site        string
	Promise     int64 // ms device time; Unknown = none
	Anchor      wire.Anchor
	ClockOffset int64 // us used for a boot without an anchor; Unknown = not chosen

	Accepted, Held               uint64 // the agent's own figures
	Landed, Quarantined, GapSeqs uint64 // what closed the closed seqs

	Recent []BatchMark // last 16 readings batches, oldest first

	SeriesState []byte // what the rules of contracts remember, by contract and series (CBOR); nil = nothing

	Origin    Origin
	Committed int64 // us wall
}

// BatchMark remembers the bytes of a batch, for the clone check.
type BatchMark struct {
	First, Count uint64
	CRC          uint32
}

// ContractRow is one change of the contracts in force in a partition. Rows are only added, and the order of their
// revisions is that of the changes.
type ContractRow struct {
	Revision    uint64 // raised with every row of the partition
	ID, Version string
	Mode        string // active, shadow or removed
	Source      string // the text; "" = null, for removed
	Hash        string // SHA-256 of it, hex
	Subject     string // who decided
	Origin      Origin // its partition is that of the row
}

// Key names a cursor.
type Key struct {
	Device string
	Epoch  record.Epoch
}

// Device is one row of the devices table.
type Device struct {
	Device, Site, Owner          string
	Tags                         map[string]string
	AgentVersion, Client         string
	FirstSeen, LastSeen          int64 // us wall
	BacklogBytes, BacklogBatches uint64
	ClockState                   string
	ClockError                   int64 // us; Unknown = null
	Epoch                        record.Epoch
	Boot                         record.Boot
	AtLeastOnce                  bool
	Contract                     string
	Schedule                     []string // series that its last hello announced, sorted; nil = null, it announced none
}

// About is what contracts say of a table, beside what it says of itself.
type About struct {
	Owner, Description, Contracts, Retention string            // "" = nothing
	Columns                                  map[string]string // by column
}

// Marks is how far a log has landed: the next offset of each partition.
type Marks struct {
	Log  wire.ID
	Next []uint64
}

// Commit is one transaction over all primary tables: it lands whole or not at all.
type Commit struct {
	Expect Marks // what the lake must say before
	Marks  Marks // what it says after

	Readings   []Run
	Quarantine []QuarantineRow
	// Rehold names the log records whose quarantine rows are all taken out before Quarantine is added: it was decided on
	// some of them, and all their rows are among Quarantine as they are now.
	Rehold []Origin
	Gaps   []GapRow // rows to add
	// Regap names the (device, epoch) whose presumed gap rows are all taken out before Gaps is added:
	// a late batch came, and the rows that still hold are among Gaps.
	Regap     []Key
	Cursors   []Cursor
	Contracts []ContractRow
}
