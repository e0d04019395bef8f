package lake

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/catalog"
	"github.com/headwater-iot/headwater/gateway/internal/lake/fileio"
	"github.com/headwater-iot/headwater/gateway/internal/lake/rowfile"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// Steps returns the names of the steps of a Commit that touches every table, in order. What a crash behind each
// leaves:
//
//	begin          the marks were read and are the expected ones              all tables as before
//	files T        the data files of table T are durable; nothing names them  all tables as before
//	manifests T    so are its manifests                                       all tables as before
//	metadata T     so is its metadata file                                    all tables as before
//	swap, swap T   inside the SQL transaction                                 all tables as before
//	commit         all pointers are swapped inside it                         all tables as before
//	committed      SQLite has synced its log                                  all tables as after
func Steps() []string {
	steps := []string{"begin"}
	for _, kind := range []string{"files ", "manifests ", "metadata "} {
		for _, t := range schema.Primary() {
			steps = append(steps, kind+t)
		}
	}
	steps = append(steps, "swap")
	for _, t := range schema.Primary() {
		steps = append(steps, "swap "+t)
	}
	return append(steps, "commit", "committed")
}

// Summary properties of a snapshot, for the record; progress is read from the marks alone.
const (
	summaryLog    = "headwater.log-id"
	summaryLanded = "headwater.landed" // partition:from-to,...
)

// change is what a transaction does to one table.
type change struct {
	table   *icetable.Table
	add     []iceberg.DataFile
	remove  []iceberg.DataFile
	props   iceberg.Properties
	summary iceberg.Properties
	require []icetable.Requirement
}

// Commit lands c whole or not at all. It returns ErrForeign, ErrStale, ErrConflict, ErrTooManyDays, ErrFull, or
// ErrUnknown; with any other error nothing has changed.
func (l *Lake) Commit(ctx context.Context, c *table.Commit) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	started := l.now()
	l.made.take()
	err := l.room()
	if err == nil {
		err = l.commit(ctx, c)
	}
	err = l.attempted(err)
	took := l.now().Sub(started)
	l.meters.committed(c, took, err)
	if err != nil {
		return err // whoever tries again says so
	}
	l.cfg.Logger.Debug("commit landed", "readings", readingsOf(c), "quarantine", len(c.Quarantine), "gaps", len(c.Gaps),
		"cursors", len(c.Cursors), "partitions", landedText(c.Expect, c.Marks), "took", took)
	return nil
}

func (l *Lake) commit(ctx context.Context, c *table.Commit) error {
	cursors, err := l.load(ctx, table.Cursors)
	if err != nil {
		return err
	}
	if err := expect(cursors.Metadata(), c); err != nil {
		return err
	}
	if err := l.step("begin"); err != nil {
		return err
	}
	changes, err := l.prepare(ctx, cursors, c)
	if err != nil {
		return err
	}
	err = l.apply(ctx, changes, nil)
	if errors.Is(err, ErrConflict) {
		// Say which conflict: the caller's next step depends on it.
		if now, lerr := l.load(ctx, table.Cursors); lerr == nil {
			return errors.Join(expect(now.Metadata(), c), err)
		}
	}
	return err
}

// expect holds the marks of the lake to those that c starts from.
func expect(meta icetable.Metadata, c *table.Commit) error {
	if c.Marks.Log != c.Expect.Log || len(c.Marks.Next) != len(c.Expect.Next) {
		panic("lake: a commit changes the log; that is a takeover")
	}
	have, ok, err := marksOf(meta)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("%w: nobody has taken it over yet", ErrForeign)
	case have.Log != c.Expect.Log:
		return fmt.Errorf("%w: log %s, not %s", ErrForeign, have.Log, c.Expect.Log)
	case !sameMarks(have, c.Expect):
		return fmt.Errorf("%w: they are %s, expected %s", ErrStale, formatMarks(have), formatMarks(c.Expect))
	}
	return nil
}

// prepare writes the data files of c and says what is to change.
func (l *Lake) prepare(ctx context.Context, cursors *icetable.Table, c *table.Commit) ([]change, error) {
	summary := iceberg.Properties{summaryLog: c.Marks.Log.String(), summaryLanded: landedText(c.Expect, c.Marks)}
	var changes []change
	// files adds the change of one table, which write fills with data files.
	files := func(name string, rows int, write func(*change) error) error {
		if rows == 0 {
			return nil
		}
		t, err := l.load(ctx, name)
		if err != nil {
			return err
		}
		ch := change{table: t, summary: summary}
		if err := write(&ch); err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
		if len(ch.add)+len(ch.remove) > 0 {
			changes = append(changes, ch)
		}
		return l.step("files " + name)
	}
	err := files(table.Readings, len(c.Readings), func(ch *change) (err error) {
		ch.add, err = rowfile.WriteReadings(ctx, ch.table, c.Readings)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = files(table.Quarantine, len(c.Quarantine)+len(c.Rehold), func(ch *change) error { return l.rehold(ctx, ch, c) })
	if err != nil {
		return nil, err
	}
	err = files(table.Gaps, len(c.Gaps)+len(c.Regap), func(ch *change) error { return l.regap(ctx, ch, c) })
	if err != nil {
		return nil, err
	}
	err = files(table.Contracts, len(c.Contracts), func(ch *change) (err error) {
		ch.add, err = rowfile.WriteContracts(ctx, ch.table, c.Contracts)
		return err
	})
	if err != nil {
		return nil, err
	}
	// cursors always takes part: it holds the marks.
	ch := change{
		table: cursors, summary: summary,
		props:   iceberg.Properties{schema.Marks: formatMarks(c.Marks)},
		require: []icetable.Requirement{marksAre{formatMarks(c.Expect)}},
	}
	if ch.add, err = rowfile.WriteCursors(ctx, cursors, c.Cursors); err != nil {
		return nil, fmt.Errorf("table %s: %w", table.Cursors, err)
	}
	return append(changes, ch), l.step("files " + table.Cursors)
}

// apply makes one catalogue transaction of changes, each pinned to the snapshot it was made from.
func (l *Lake) apply(ctx context.Context, changes []change, doomed []string) error {
	var commits []icetable.TableCommit
	for _, ch := range changes {
		commit, leftovers, err := ch.commit(ctx)
		if err != nil {
			return fmt.Errorf("table %s: %w", ch.name(), err)
		}
		commits, doomed = append(commits, commit), append(doomed, leftovers...)
		if err := l.step("manifests " + ch.name()); err != nil {
			return err
		}
	}
	l.made.take() // what the transaction may name is nobody's to delete, whatever becomes of it
	return l.transact(ctx, commits, doomed)
}

// transact runs a catalogue transaction and translates its errors.
func (l *Lake) transact(ctx context.Context, commits []icetable.TableCommit, doomed []string) error {
	err := l.cat.Commit(ctx, commits, doomed)
	switch {
	case errors.Is(err, catalog.ErrUnknown):
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	case errors.Is(err, icetable.ErrCommitFailed):
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

func (ch *change) name() string { return ch.table.Identifier()[1] }

// commit writes the manifests of a change. It returns with it those that it wrote and does not name: iceberg-go
// merges manifests after it has written the new one, which is left over then.
func (ch *change) commit(ctx context.Context) (icetable.TableCommit, []string, error) {
	files := new(fileio.Recorder)
	fs, err := ch.table.FS(ctx)
	if err != nil {
		return icetable.TableCommit{}, nil, err
	}
	files.Local = fs.(fileio.Local)
	t := icetable.New(ch.table.Identifier(), ch.table.Metadata(), ch.table.MetadataLocation(),
		func(context.Context) (iceio.IO, error) { return files, nil }, nil)
	commit, err := ch.stage(ctx, t.NewTransaction())
	if err != nil {
		return icetable.TableCommit{}, nil, err
	}
	leftovers, err := ch.leftovers(commit, files)
	return commit, leftovers, err
}

func (ch *change) stage(ctx context.Context, tx *icetable.Transaction) (icetable.TableCommit, error) {
	if err := tx.AssertRefSnapshotID(icetable.MainBranch); err != nil {
		return icetable.TableCommit{}, err
	}
	// Names are fresh (rowfile), so nobody has to look for duplicates; columns are found by id, not by name.
	opts := []icetable.WriteOption{icetable.WithoutDuplicateCheck(), icetable.WithoutAutoNameMapping()}
	var err error
	if len(ch.remove) == 0 {
		err = tx.AddDataFiles(ctx, ch.add, ch.summary, opts...)
	} else {
		err = ch.replace(ctx, tx, opts)
	}
	if err != nil {
		return icetable.TableCommit{}, err
	}
	if err := tx.SetProperties(ch.props); err != nil {
		return icetable.TableCommit{}, err
	}
	commit, err := tx.TableCommit()
	commit.Requirements = append(commit.Requirements, ch.require...)
	return commit, err
}

// leftovers returns the files of a commit that its snapshot does not name.
func (ch *change) leftovers(commit icetable.TableCommit, files *fileio.Recorder) ([]string, error) {
	created := files.Created()
	if len(created) <= 2 { // a manifest and the list that names it
		return nil, nil
	}
	after, err := icetable.UpdateTableMetadata(ch.table.Metadata(), commit.Updates, ch.table.MetadataLocation())
	if err != nil {
		return nil, err
	}
	s := after.CurrentSnapshot()
	list, err := s.Manifests(files)
	if err != nil {
		return nil, fmt.Errorf("read manifest list of snapshot %d: %w", s.SnapshotID, err)
	}
	return slices.DeleteFunc(created, func(name string) bool {
		return name == s.ManifestList ||
			slices.ContainsFunc(list, func(m iceberg.ManifestFile) bool { return m.FilePath() == name })
	}), nil
}

// replace takes files out and puts others in. A table with delete files is refused: iceberg-go would bring the rows
// back that those delete (its issue 2042).
func (ch *change) replace(ctx context.Context, tx *icetable.Transaction, opts []icetable.WriteOption) error {
	if s := ch.table.CurrentSnapshot(); s != nil && s.Summary != nil {
		if n := s.Summary.Properties["total-delete-files"]; n != "" && n != "0" {
			return fmt.Errorf("it has %s delete files, which Headwater never writes: compact it with the engine that did", n)
		}
	}
	return tx.ReplaceDataFilesWithDataFiles(ctx, ch.remove, ch.add, ch.summary, opts...)
}
