package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// createDoomed makes the list of files that no metadata names any more. It lives in catalog.db, so that a file is on
// it if and only if the transaction that put the file out of use happened.
const createDoomed = `CREATE TABLE IF NOT EXISTS headwater_doomed (
	location TEXT PRIMARY KEY,
	since    INTEGER NOT NULL -- unix milliseconds, UTC
) WITHOUT ROWID`

// doom writes down files as out of use from now on. One that is there already keeps its time.
func (c *Catalog) doom(ctx context.Context, tx *sql.Tx, locations []string) error {
	if len(locations) == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, `INSERT OR IGNORE INTO headwater_doomed (location, since) VALUES (?, ?)`)
	if err != nil {
		return fmt.Errorf("list files out of use: %w", err)
	}
	defer stmt.Close()
	now := c.now().UnixMilli()
	for _, l := range locations {
		if _, err := stmt.ExecContext(ctx, l, now); err != nil {
			return fmt.Errorf("list file out of use %s: %w", l, err)
		}
	}
	return nil
}

func (c *Catalog) now() time.Time {
	if c.opts.Now == nil {
		return time.Now()
	}
	return c.opts.Now()
}

// Doomed returns at most limit files that have been out of use since before the given time, longest first.
func (c *Catalog) Doomed(ctx context.Context, before time.Time, limit int) ([]string, error) {
	rows, err := c.db.QueryContext(ctx,
		`SELECT location FROM headwater_doomed WHERE since <= ? ORDER BY since LIMIT ?`, before.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("read the list of files out of use: %w", err)
	}
	defer rows.Close()
	var locations []string
	for rows.Next() {
		var l string
		if err := rows.Scan(&l); err != nil {
			return nil, fmt.Errorf("read the list of files out of use: %w", err)
		}
		locations = append(locations, l)
	}
	return locations, rows.Err()
}

// Forget takes files off the list: they are gone.
func (c *Catalog) Forget(ctx context.Context, locations []string) error {
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("forget files: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before, the caller has an error already
	for _, l := range locations {
		if _, err := tx.ExecContext(ctx, `DELETE FROM headwater_doomed WHERE location = ?`, l); err != nil {
			return fmt.Errorf("forget file %s: %w", l, err)
		}
	}
	return tx.Commit()
}
