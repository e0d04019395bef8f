package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/apache/iceberg-go"
	icecat "github.com/apache/iceberg-go/catalog"
	sqlcat "github.com/apache/iceberg-go/catalog/sql"
	iceio "github.com/apache/iceberg-go/io"
	icetable "github.com/apache/iceberg-go/table"
	_ "modernc.org/sqlite" // the driver named "sqlite"

	"github.com/headwater-iot/headwater/gateway/internal/lake/fileio"
)

// name is part of the key of every row: readers of catalog.db by other means need it.
const name = "headwater"

// ErrUnknown means that a transaction may or may not have happened.
var ErrUnknown = errors.New("outcome of the catalogue transaction is unknown")

// Options says how a catalogue works.
type Options struct {
	Warehouse string           // location below which tables made by CreateTable go
	FS        fileio.Local     // writes every file
	ReadOnly  bool             // opens an existing file and changes nothing
	Now       func() time.Time // when a file goes out of use; nil = time.Now
	// Step is called between every two steps of a transaction; an error ends it there. Tests only; nil = nothing.
	Step func(name string) error
}

// Catalog is the catalogue of a lake.
type Catalog struct {
	*sqlcat.Catalog
	db   *sql.DB
	opts Options

	mu    sync.Mutex
	cache map[string]cached // by identifier; under mu
}

// cached is the parsed content of a metadata file. Files never change, so the location is the whole key.
type cached struct {
	location string
	meta     icetable.Metadata
}

var (
	_ icecat.Catalog              = (*Catalog)(nil)
	_ icecat.TransactionalCatalog = (*Catalog)(nil)
)

// Open opens the catalogue in the SQLite file at path, and makes it when absent.
func Open(path string, opts Options) (*Catalog, error) {
	if opts.ReadOnly {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("open catalogue: %w", err)
		}
	}
	db, err := sql.Open("sqlite", dsn(path, opts.ReadOnly))
	if err != nil {
		return nil, fmt.Errorf("open catalogue %s: %w", path, err)
	}
	c, err := open(db, opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open catalogue %s: %w", path, err), db.Close())
	}
	return c, nil
}

func open(db *sql.DB, opts Options) (*Catalog, error) {
	inner, err := sqlcat.NewCatalog(name, db, sqlcat.SQLite, iceberg.Properties{
		"warehouse":           opts.Warehouse,
		"init_catalog_tables": fmt.Sprint(!opts.ReadOnly),
	})
	if err != nil {
		return nil, err
	}
	c := &Catalog{Catalog: inner, db: db, opts: opts, cache: make(map[string]cached)}
	if !opts.ReadOnly {
		if _, err := db.Exec(createDoomed); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// dsn returns the data source name. synchronous=FULL: a commit is on the disk when it returns. txlock=immediate: a
// writer waits at the start of its transaction, where waiting is safe, and never fails at its end because of another.
func dsn(path string, readOnly bool) string {
	q := url.Values{"_pragma": {"busy_timeout(10000)"}}
	if readOnly {
		q.Add("_pragma", "query_only(1)")
		q.Set("mode", "rw") // a reader of a WAL file has to be able to make its shared memory file
	} else {
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "synchronous(FULL)")
		q.Set("_txlock", "immediate")
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// Close closes the catalogue and its file.
func (c *Catalog) Close() error { return errors.Join(c.Catalog.Close(), c.db.Close()) }

// LoadTable returns the table as it is now.
func (c *Catalog) LoadTable(ctx context.Context, ident icetable.Identifier) (*icetable.Table, error) {
	ns, tbl, err := split(ident)
	if err != nil {
		return nil, err
	}
	var location sql.NullString
	err = c.db.QueryRowContext(ctx, `SELECT metadata_location FROM iceberg_tables
		WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?
		AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)`, name, ns, tbl).Scan(&location)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !location.Valid {
		return nil, fmt.Errorf("%w: %s.%s", icecat.ErrNoSuchTable, ns, tbl)
	}
	if err != nil {
		return nil, fmt.Errorf("load table %s.%s: %w", ns, tbl, err)
	}
	return c.tableAt(ctx, ident, location.String)
}

// LoadTables returns all tables of a namespace as of one moment, by name: one statement reads every pointer, and one
// transaction swaps them.
func (c *Catalog) LoadTables(ctx context.Context, ns string) (map[string]*icetable.Table, error) {
	rows, err := c.db.QueryContext(ctx, `SELECT table_name, metadata_location FROM iceberg_tables
		WHERE catalog_name = ? AND table_namespace = ? AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)`, name, ns)
	if err != nil {
		return nil, fmt.Errorf("load tables of %s: %w", ns, err)
	}
	defer rows.Close()
	locations := make(map[string]string)
	for rows.Next() {
		var tbl, location string
		if err := rows.Scan(&tbl, &location); err != nil {
			return nil, fmt.Errorf("load tables of %s: %w", ns, err)
		}
		locations[tbl] = location
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("load tables of %s: %w", ns, err)
	}
	tables := make(map[string]*icetable.Table)
	for tbl, location := range locations {
		if tables[tbl], err = c.tableAt(ctx, icetable.Identifier{ns, tbl}, location); err != nil {
			return nil, err
		}
	}
	return tables, nil
}

// tableAt returns the table that the metadata file at location describes.
func (c *Catalog) tableAt(ctx context.Context, ident icetable.Identifier, location string) (*icetable.Table, error) {
	key := strings.Join(ident, ".")
	c.mu.Lock()
	hit := c.cache[key]
	c.mu.Unlock()
	if hit.location == location {
		return icetable.New(ident, hit.meta, location, c.fs, c), nil
	}
	t, err := icetable.NewFromLocation(ctx, ident, location, c.fs, c)
	if err != nil {
		return nil, fmt.Errorf("load table %s: %w", key, err)
	}
	c.mu.Lock()
	c.cache[key] = cached{location: location, meta: t.Metadata()}
	c.mu.Unlock()
	return t, nil
}

func (c *Catalog) fs(context.Context) (iceio.IO, error) { return c.opts.FS, nil }

// CommitTable commits one table.
func (c *Catalog) CommitTable(ctx context.Context, ident icetable.Identifier, reqs []icetable.Requirement, updates []icetable.Update) (icetable.Metadata, string, error) {
	commit := icetable.TableCommit{Identifier: ident, Requirements: reqs, Updates: updates}
	if err := c.Commit(ctx, []icetable.TableCommit{commit}, nil); err != nil {
		return nil, "", err
	}
	t, err := c.LoadTable(ctx, ident)
	if err != nil {
		return nil, "", err
	}
	return t.Metadata(), t.MetadataLocation(), nil
}

// split returns namespace and name. Namespaces here have one level, without a dot, so that they are their own key.
func split(ident icetable.Identifier) (ns, tbl string, err error) {
	if err := icecat.ValidateTableIdentifier(ident); err != nil {
		return "", "", err
	}
	if len(ident) != 2 || strings.Contains(ident[0], ".") {
		return "", "", fmt.Errorf("%w: %q is not namespace and table", icecat.ErrNoSuchTable, ident)
	}
	return ident[0], ident[1], nil
}
