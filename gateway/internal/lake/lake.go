package lake

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/iceberg-go"
	icecat "github.com/apache/iceberg-go/catalog"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/disk"
	"github.com/headwater-iot/headwater/gateway/internal/lake/catalog"
	"github.com/headwater-iot/headwater/gateway/internal/lake/fileio"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Config says where a lake is and whom it tells.
type Config struct {
	Dir        string          // the lake directory; made when absent
	Logger     *slog.Logger    // nil = nothing is logged
	Meter      *meter.Registry // nil = counts are shown nowhere
	Partitions int             // of the log; fixed at birth
	Health     *health.Board   // nil = nobody is told

	ReservePercent int // of the disk, left free by commits

	// Now is the clock of maintenance and of the duration of commits; nil = time.Now.
	Now func() time.Time
	// Step is called between every two steps of a transaction, with the step's name (see Steps). An error ends the
	// attempt there, as a crash would. Tests only; nil = nothing.
	Step func(name string) error
	// FS writes every file but the catalogue. Tests make it fail; the zero value is the local disk.
	FS fileio.Local
}

// Lake is the writer of the tables, one per directory. Its methods may be called from any goroutine; transactions
// wait for one another.
type Lake struct {
	cfg    Config
	lock   *dirLock
	cat    *catalog.Catalog
	id     wire.ID
	meters *meters
	keep   int // snapshots that maintenance leaves; keepSnapshots but in tests
	space  func(dir string) (free, total uint64, err error)
	alarm  *health.Condition
	full   atomic.Bool

	writing sync.Mutex // held from the load of a table to the end of the transaction that changes it
	made    made       // belongs to who holds writing
}

// Names within the lake directory.
const (
	catalogFile  = "catalog.db"
	warehouseDir = "warehouse"
)

// Open locks the lake of cfg.Dir and opens it; a directory without a lake gets one, with all tables at once.
// It returns ErrLocked, ErrPartitions.
func Open(ctx context.Context, cfg Config) (*Lake, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open lake: %w", err)
	}
	cfg.Dir = dir
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open lake: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open lake %s: %w", dir, err)
	}
	l := &Lake{cfg: cfg, lock: lock, meters: newMeters(cfg.Meter), keep: keepSnapshots, space: disk.Space, alarm: fullCondition()}
	l.cfg.FS.Made = l.made.note
	if err := l.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open lake %s: %w", dir, err), l.Close())
	}
	return l, nil
}

func (l *Lake) open(ctx context.Context) error {
	var err error
	l.cat, err = catalog.Open(filepath.Join(l.cfg.Dir, catalogFile), catalog.Options{
		Warehouse: l.warehouse(), Now: l.cfg.Now, Step: l.cfg.Step, FS: l.cfg.FS,
	})
	if err != nil {
		return err
	}
	cursors, err := l.load(ctx, table.Cursors)
	if errors.Is(err, icecat.ErrNoSuchTable) {
		if err := l.create(ctx); err != nil {
			return fmt.Errorf("make the tables: %w", err)
		}
		cursors, err = l.load(ctx, table.Cursors)
	}
	if err != nil {
		return err
	}
	if err := l.check(cursors); err != nil {
		return err
	}
	return l.evolve(ctx)
}

// create makes all tables in one transaction: a lake has all of them or is none.
func (l *Lake) create(ctx context.Context) error {
	if l.cfg.Partitions <= 0 {
		return fmt.Errorf("a lake is born with the number of partitions of its log, not %d", l.cfg.Partitions)
	}
	ns := icetable.Identifier{table.Namespace}
	if err := l.cat.CreateNamespace(ctx, ns, nil); err != nil && !errors.Is(err, icecat.ErrNamespaceAlreadyExists) {
		return err
	}
	var id wire.ID
	rand.Read(id[:])
	var tables []catalog.NewTable
	for _, t := range schema.All() {
		var extra iceberg.Properties
		if t.Name == table.Cursors {
			extra = iceberg.Properties{
				schema.LakeID:     id.String(),
				schema.Partitions: strconv.Itoa(l.cfg.Partitions),
			}
		}
		made, err := l.newTable(t, extra)
		if err != nil {
			return err
		}
		tables = append(tables, made)
	}
	return l.cat.Create(ctx, tables...)
}

// newTable describes a table as it is born here.
func (l *Lake) newTable(t schema.Table, extra iceberg.Properties) (catalog.NewTable, error) {
	meta, err := t.Metadata(l.warehouse()+"/"+table.Namespace+"/"+t.Name, extra)
	return catalog.NewTable{Identifier: t.Identifier(), Metadata: meta}, err
}

// check holds an existing lake to the configuration.
func (l *Lake) check(cursors *icetable.Table) error {
	props := cursors.Properties()
	if n, err := hex.Decode(l.id[:], []byte(props[schema.LakeID])); err != nil || n != len(l.id) {
		return fmt.Errorf("property %s of cursors is %q, not 32 hex digits", schema.LakeID, props[schema.LakeID])
	}
	if has := props[schema.Partitions]; has != strconv.Itoa(l.cfg.Partitions) {
		return fmt.Errorf("%w: it has %s, the configuration says %d; set partitions to %s, the number is fixed at birth",
			ErrPartitions, has, l.cfg.Partitions, has)
	}
	return nil
}

// ID returns the lake_id: random, drawn at birth.
func (l *Lake) ID() wire.ID { return l.id }

// Close unlocks the lake. It may be called twice.
func (l *Lake) Close() error {
	var err error
	if l.cat != nil {
		err = l.cat.Close()
		l.cat = nil
	}
	return errors.Join(err, l.lock.release())
}

func (l *Lake) warehouse() string {
	return fileio.Location(filepath.Join(l.cfg.Dir, warehouseDir))
}

// load returns a table of ours as it is now.
func (l *Lake) load(ctx context.Context, name string) (*icetable.Table, error) {
	return l.cat.LoadTable(ctx, schema.Identifier(name))
}

func (l *Lake) step(name string) error {
	if l.cfg.Step == nil {
		return nil
	}
	return l.cfg.Step(name)
}

func (l *Lake) now() time.Time {
	if l.cfg.Now == nil {
		return time.Now()
	}
	return l.cfg.Now()
}
