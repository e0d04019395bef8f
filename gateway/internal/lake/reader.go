package lake

import (
	"context"
	"errors"
	"io"
	"time"
)

// Reader reads a lake, beside a live gateway or without one.
type Reader struct{}

// OpenReader opens the lake of dir for reading.
func OpenReader(dir string) (*Reader, error) { return nil, errors.ErrUnsupported }

// Close lets go of the catalogue.
func (r *Reader) Close() error { return nil }

// TableInfo is what `tables` prints of one table.
type TableInfo struct {
	Name       string    `json:"name"`
	Rows       int64     `json:"rows"`
	Files      int64     `json:"files"`
	Bytes      int64     `json:"bytes"`
	Snapshots  int       `json:"snapshots"`
	LastCommit time.Time `json:"last_commit"`
	Metadata   string    `json:"metadata"` // path of the current metadata file
}

// Tables describes every table.
func (r *Reader) Tables(ctx context.Context) ([]TableInfo, error) { return nil, errors.ErrUnsupported }

// Format is how Scan writes rows.
type Format string

// The formats. All are exact: a float is its shortest text that reads back the same, a time is RFC 3339 UTC with
// microseconds, an absent value is empty (csv), null (jsonl) or blank (table).
const (
	FormatTable Format = "table"
	FormatCSV   Format = "csv"
	FormatJSONL Format = "jsonl"
)

// ScanRequest says which rows to read.
type ScanRequest struct {
	Table    string
	Columns  []string // nil = all
	Where    string   // see ParseWhere; "" = all
	Snapshot int64    // 0 = current
	Limit    int64    // 0 = none
}

// Scan calls row for each row with one value per column: string, int64, float64, bool, []byte, time.Time, Decimal,
// []any, map[string]any or nil.
func (r *Reader) Scan(ctx context.Context, req ScanRequest, header func(columns []string) error, row func(values []any) error) error {
	return errors.ErrUnsupported
}

// Write scans into w in the given format and returns the number of rows.
func (r *Reader) Write(ctx context.Context, req ScanRequest, format Format, w io.Writer) (int64, error) {
	return 0, errors.ErrUnsupported
}

// DeviceLedger is the balance of one device: what the agent accepted and where it went.
type DeviceLedger struct {
	Device      string `json:"device"`
	Accepted    uint64 `json:"accepted"` // the agent's own figure
	Held        uint64 `json:"held"`     // readings the last hello claimed to hold, not closed then
	Landed      uint64 `json:"landed"`   // by the cursors
	Quarantined uint64 `json:"quarantined"`
	Gaps        uint64 `json:"gaps"`
	Presumed    uint64 `json:"presumed"` // missing, not closed

	PresentRows     uint64 `json:"present_rows"` // counted in readings
	QuarantineCount uint64 `json:"quarantine_count"`
	GapCount        uint64 `json:"gap_count"`      // sealed by the agent
	PresumedCount   uint64 `json:"presumed_count"` // presumed rows
	Duplicates      uint64 `json:"duplicates"`     // with LedgerRequest.Unique: rows beyond the first of a (device, epoch, seq)
	Pending         int64  `json:"pending"`        // accepted - landed - quarantined - gaps
	Balanced        bool   `json:"balanced"`
}

// LedgerRequest says what to balance.
type LedgerRequest struct {
	Device string // "" = all
	Unique bool   // also look for two rows of one reading; holds all seqs of one device in memory
}

// Ledger balances every device.
func (r *Reader) Ledger(ctx context.Context, req LedgerRequest) ([]DeviceLedger, error) {
	return nil, errors.ErrUnsupported
}
