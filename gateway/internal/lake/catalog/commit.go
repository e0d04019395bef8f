package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	icetable "github.com/apache/iceberg-go/table"
)

// staged is one table of a transaction whose new metadata file is on the disk.
type staged struct {
	ns, table string
	from, to  string // locations; equal when the table is only held to its requirements
	meta      icetable.Metadata
	dropped   []string
}

// CommitTransaction commits all tables or none.
func (c *Catalog) CommitTransaction(ctx context.Context, commits []icetable.TableCommit) error {
	return c.Commit(ctx, commits, nil)
}

// Commit commits all tables or none. A commit without updates only holds its table to its requirements. The files
// of doomed, and metadata files that leave the log of their table, are written down as out of use from now on.
//
// Steps, and the state after a crash behind each:
//
//	metadata T   the new metadata file of table T is durable; nothing names it       (all as before)
//	swap         the SQL transaction has begun                                       (all as before)
//	swap T       the pointer of T is changed inside the SQL transaction              (all as before)
//	commit       the list of files out of use is inside it too                       (all as before)
//	committed    SQLite has synced its log                                           (all as after)
func (c *Catalog) Commit(ctx context.Context, commits []icetable.TableCommit, doomed []string) error {
	var plan []staged
	for _, commit := range commits {
		s, err := c.stage(ctx, commit)
		if err != nil {
			return err
		}
		plan = append(plan, s)
	}
	if err := c.step("swap"); err != nil {
		return err
	}
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin catalogue transaction: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before, the caller has an error already
	if err := c.swap(ctx, tx, plan, doomed); err != nil {
		return err
	}
	if err := c.step("commit"); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if err := c.step("committed"); err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	c.remember(plan)
	return nil
}

// remember saves the next load of each table from parsing what was written just now: a third of the work of a small
// commit.
func (c *Catalog) remember(plan []staged) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range plan {
		if s.meta != nil {
			c.cache[s.ns+"."+s.table] = cached{location: s.to, meta: s.meta}
		}
	}
}

// stage checks the requirements of a commit and writes the metadata file that it leads to.
func (c *Catalog) stage(ctx context.Context, commit icetable.TableCommit) (staged, error) {
	ns, tbl, err := split(commit.Identifier)
	if err != nil {
		return staged{}, err
	}
	t, err := c.LoadTable(ctx, commit.Identifier)
	if err != nil {
		return staged{}, err
	}
	for _, r := range commit.Requirements {
		if err := r.Validate(t.Metadata()); err != nil {
			return staged{}, fmt.Errorf("%w: table %s: %w", icetable.ErrCommitFailed, tbl, err)
		}
	}
	s := staged{ns: ns, table: tbl, from: t.MetadataLocation(), to: t.MetadataLocation()}
	if len(commit.Updates) == 0 {
		return s, nil
	}
	meta, err := icetable.UpdateTableMetadata(t.Metadata(), commit.Updates, t.MetadataLocation())
	if err != nil {
		return staged{}, fmt.Errorf("update metadata of table %s: %w", tbl, err)
	}
	version, err := versionOf(t.MetadataLocation())
	if err != nil {
		return staged{}, err
	}
	if s.to, err = c.writeMetadata(meta, version+1); err != nil {
		return staged{}, fmt.Errorf("write metadata of table %s: %w", tbl, err)
	}
	s.meta, s.dropped = meta, dropped(t.Metadata(), meta)
	return s, c.step("metadata " + tbl)
}

func (c *Catalog) swap(ctx context.Context, tx *sql.Tx, plan []staged, doomed []string) error {
	for _, s := range plan {
		query, args := `UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
			WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?`,
			[]any{s.to, s.from, name, s.ns, s.table, s.from}
		if s.to == s.from { // touch the row without changing it: the same compare, no set
			query, args = `UPDATE iceberg_tables SET metadata_location = metadata_location
				WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?`, args[2:]
		}
		res, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("swap table %s: %w", s.table, err)
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return errors.Join(fmt.Errorf("%w: table %s moved", icetable.ErrCommitFailed, s.table), err)
		}
		doomed = append(doomed, s.dropped...)
		if err := c.step("swap " + s.table); err != nil {
			return err
		}
	}
	return c.doom(ctx, tx, doomed)
}

// writeMetadata writes the metadata file of the given version and returns its location.
func (c *Catalog) writeMetadata(meta icetable.Metadata, version int) (string, error) {
	provider, err := icetable.LoadLocationProvider(meta.Location(), meta.Properties())
	if err != nil {
		return "", err
	}
	location, err := provider.NewTableMetadataFileLocation(version)
	if err != nil {
		return "", err
	}
	if codec := meta.Properties().Get(icetable.MetadataCompressionKey, icetable.MetadataCompressionDefault); codec != icetable.MetadataCompressionCodecNone {
		return "", fmt.Errorf("metadata codec %q is not supported: leave %s unset", codec, icetable.MetadataCompressionKey)
	}
	text, err := json.Marshal(meta)
	if err != nil {
		return "", err
	}
	return location, c.opts.FS.WriteFile(location, text)
}

// dropped returns the metadata files that the log of before names and the log of after does not: the only way by
// which one goes out of use. iceberg-go deletes them at once after a commit of its own (the property
// write.metadata.delete-after-commit.enabled); that would take a file from under a reader that has just read the
// pointer, so here they wait with all others.
func dropped(before, after icetable.Metadata) []string {
	kept := make(map[string]bool)
	for e := range after.PreviousFiles() {
		kept[e.MetadataFile] = true
	}
	var gone []string
	for e := range before.PreviousFiles() {
		if !kept[e.MetadataFile] {
			gone = append(gone, e.MetadataFile)
		}
	}
	return gone
}

// versionOf returns the number that a metadata file name starts with.
func versionOf(location string) (int, error) {
	number, _, _ := strings.Cut(path.Base(location), "-")
	v, err := strconv.Atoi(number)
	if err != nil {
		return 0, fmt.Errorf("metadata file %s has no version in its name", location)
	}
	return v, nil
}

func (c *Catalog) step(name string) error {
	if c.opts.Step == nil {
		return nil
	}
	return c.opts.Step(name)
}
