package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	iceio "github.com/apache/iceberg-go/io"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/fileio"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

const (
	// keepSnapshots bounds the metadata of a table: with a commit per second, a thousand snapshots would make the
	// metadata file 700 KB and a commit ten times slower.
	keepSnapshots = 100
	// extraSnapshots is how many more there may be before any go: a table that is seldom written is seldom maintained.
	extraSnapshots = 20
	// graceTime is how long a file stays after it went out of use: a reader that has just loaded the metadata that
	// named it gets to finish.
	graceTime = time.Hour
	// removeBatch bounds the files that are removed between two looks at the context.
	removeBatch = 500
)

// Maintain lets snapshots beyond the last hundred go, merges the small files of cursors, and deletes files that
// nothing has named for an hour. Manifests are merged by the commits themselves (commit.manifest-merge.enabled).
//
// Files of an attempt that failed or whose outcome is unknown are never on the list, so they are never deleted.
func (l *Lake) Maintain(ctx context.Context) error {
	for _, name := range append(schema.Primary(), table.Devices, table.Profiles) {
		if err := l.expire(ctx, name); err != nil {
			return fmt.Errorf("expire snapshots of %s: %w", name, err)
		}
	}
	if err := l.mergeCursors(ctx); err != nil {
		return fmt.Errorf("merge files of cursors: %w", err)
	}
	return l.sweep(ctx)
}

// expire takes old snapshots out of the metadata of a table; the files that only they named go on the list in the
// same transaction.
func (l *Lake) expire(ctx context.Context, name string) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	t, err := l.load(ctx, name)
	if err != nil {
		return err
	}
	if len(t.Metadata().Snapshots()) <= l.keep+extraSnapshots {
		return nil
	}
	tx := t.NewTransaction()
	err = tx.ExpireSnapshots(icetable.WithRetainLast(l.keep), icetable.WithOlderThan(0), icetable.WithPostCommit(false))
	if err != nil {
		return err
	}
	commit, err := tx.TableCommit()
	if err != nil || len(commit.Updates) == 0 {
		return err
	}
	after, err := icetable.UpdateTableMetadata(t.Metadata(), commit.Updates, t.MetadataLocation())
	if err != nil {
		return err
	}
	doomed, err := unreferenced(t.Metadata(), after)
	if err != nil {
		return err
	}
	if err := l.transact(ctx, []icetable.TableCommit{commit}, doomed); err != nil {
		return err
	}
	l.cfg.Logger.Debug("snapshots expired", "table", name, "snapshots", len(t.Metadata().Snapshots())-len(after.Snapshots()),
		"kept", len(after.Snapshots()), "files_out_of_use", len(doomed))
	return nil
}

// unreferenced returns the files that before names by its snapshots and after does not: manifest lists, manifests,
// and data files. It asks only what is reachable, so tags and branches are honoured.
func unreferenced(before, after icetable.Metadata) ([]string, error) {
	var files fileio.Local
	kept := make(map[int64]bool)
	for _, s := range after.Snapshots() {
		kept[s.SnapshotID] = true
	}
	keptManifests, suspects := make(manifests), make(manifests)
	var doomed []string
	for _, s := range before.Snapshots() {
		list, err := s.Manifests(files)
		if err != nil {
			return nil, fmt.Errorf("read manifest list of snapshot %d: %w", s.SnapshotID, err)
		}
		if kept[s.SnapshotID] {
			keptManifests.add(list)
			if s.ParentSnapshotID == nil || kept[*s.ParentSnapshotID] {
				continue
			}
		} else {
			doomed = append(doomed, s.ManifestList)
		}
		// What this snapshot took out of the table was last named by its parent, and that goes now.
		suspects.add(list)
	}
	for path := range suspects {
		if _, ok := keptManifests[path]; !ok {
			doomed = append(doomed, path)
		}
	}
	data, err := deadData(files, suspects, keptManifests)
	return append(doomed, data...), err
}

// deadData returns the data files that suspects mark as deleted and no kept manifest has as live.
func deadData(files iceio.IO, suspects, kept manifests) ([]string, error) {
	dead := make(map[string]bool)
	for _, m := range suspects {
		if m.DeletedDataFiles() == 0 {
			continue
		}
		for e, err := range m.Entries(files, false) {
			if err != nil {
				return nil, fmt.Errorf("read manifest %s: %w", m.FilePath(), err)
			}
			if e.Status() == entryDeleted {
				dead[e.DataFile().FilePath()] = true
			}
		}
	}
	if len(dead) == 0 {
		return nil, nil
	}
	for _, m := range kept {
		for e, err := range m.Entries(files, true) {
			if err != nil {
				return nil, fmt.Errorf("read manifest %s: %w", m.FilePath(), err)
			}
			delete(dead, e.DataFile().FilePath())
		}
	}
	return sortedKeys(dead), nil
}

// sweep deletes the files that have been on the list for long enough.
func (l *Lake) sweep(ctx context.Context) error {
	for {
		doomed, err := l.cat.Doomed(ctx, l.now().Add(-graceTime), removeBatch)
		if err != nil || len(doomed) == 0 {
			return err
		}
		var gone []string
		var failed error
		for _, location := range doomed {
			err := l.cfg.FS.Remove(location)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				gone = append(gone, location)
			} else {
				failed = errors.Join(failed, err)
			}
		}
		l.meters.removed.Add(uint64(len(gone)))
		l.cfg.Logger.Debug("files out of use deleted", "files", len(gone), "failed", len(doomed)-len(gone))
		if err := errors.Join(l.cat.Forget(ctx, gone), failed, ctx.Err()); err != nil {
			return fmt.Errorf("delete files out of use: %w", err)
		}
	}
}

// sortedKeys returns the keys of m in order.
func sortedKeys(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
