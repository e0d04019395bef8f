package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/apache/iceberg-go"
	icecat "github.com/apache/iceberg-go/catalog"
	icetable "github.com/apache/iceberg-go/table"
)

// NewTable is a table to be.
type NewTable struct {
	Identifier icetable.Identifier
	Metadata   icetable.Metadata
}

// Create makes all tables or none. Their namespaces have to exist.
func (c *Catalog) Create(ctx context.Context, tables ...NewTable) error {
	locations := make([]string, len(tables))
	for i, t := range tables {
		ns, _, err := split(t.Identifier)
		if err != nil {
			return err
		}
		exists, err := c.CheckNamespaceExists(ctx, icetable.Identifier{ns})
		if err != nil {
			return fmt.Errorf("look for namespace %s: %w", ns, err)
		}
		if !exists {
			return fmt.Errorf("%w: %s", icecat.ErrNoSuchNamespace, ns)
		}
		if locations[i], err = c.writeMetadata(t.Metadata, 0); err != nil {
			return fmt.Errorf("write metadata of table %s: %w", t.Identifier[1], err)
		}
		if err := c.step("metadata " + t.Identifier[1]); err != nil {
			return err
		}
	}
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin catalogue transaction: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before, the caller has an error already
	for i, t := range tables {
		if err := insert(ctx, tx, t.Identifier, locations[i]); err != nil {
			return err
		}
		if err := c.step("swap " + t.Identifier[1]); err != nil {
			return err
		}
	}
	if err := c.step("commit"); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return nil
}

func insert(ctx context.Context, tx *sql.Tx, ident icetable.Identifier, location string) error {
	var kind sql.NullString
	err := tx.QueryRowContext(ctx, `SELECT iceberg_type FROM iceberg_tables
		WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?`, name, ident[0], ident[1]).Scan(&kind)
	switch {
	case err == nil && kind.String == sqlcatView:
		return fmt.Errorf("%w: %s", icecat.ErrViewAlreadyExists, ident[1])
	case err == nil:
		return fmt.Errorf("%w: %s", icecat.ErrTableAlreadyExists, ident[1])
	case !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("look for table %s: %w", ident[1], err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO iceberg_tables
		(catalog_name, table_namespace, table_name, iceberg_type, metadata_location) VALUES (?, ?, ?, 'TABLE', ?)`,
		name, ident[0], ident[1], location)
	if err != nil {
		return fmt.Errorf("create table %s: %w", ident[1], err)
	}
	return nil
}

// sqlcatView is what a row of a view says it is.
const sqlcatView = "VIEW"

// CreateTable makes one table the way iceberg-go does: with fresh field ids.
func (c *Catalog) CreateTable(ctx context.Context, ident icetable.Identifier, sc *iceberg.Schema, opts ...icecat.CreateTableOpt) (*icetable.Table, error) {
	ns, tbl, err := split(ident)
	if err != nil {
		return nil, err
	}
	var cfg icecat.CreateTableCfg
	for _, opt := range opts {
		opt(&cfg)
	}
	location := cfg.Location
	if location == "" {
		location = c.opts.Warehouse + "/" + ns + "/" + tbl
	}
	meta, err := icetable.NewMetadata(sc, cfg.PartitionSpec, cfg.SortOrder, location, cfg.Properties)
	if err != nil {
		return nil, fmt.Errorf("describe table %s: %w", tbl, err)
	}
	if err := c.Create(ctx, NewTable{Identifier: ident, Metadata: meta}); err != nil {
		return nil, err
	}
	return c.LoadTable(ctx, ident)
}
