package lake

import (
	"context"
	"maps"
	"slices"

	"github.com/apache/iceberg-go"

	"github.com/headwater-iot/headwater/gateway/internal/lake/rowfile"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

const entryDeleted = iceberg.EntryStatusDELETED

// manifests are manifest files by path.
type manifests map[string]iceberg.ManifestFile

func (m manifests) add(list []iceberg.ManifestFile) {
	for _, f := range list {
		m[f.FilePath()] = f
	}
}

const (
	// mergeFiles is how many small files of cursors one bucket gathers before they are merged.
	mergeFiles = 16
	// smallCursorRows is up to where a file is small. A merged file beyond it is left alone, so that the work of
	// merging is in proportion to what is written, not to what there is.
	smallCursorRows = 20_000
)

// mergeCursors writes small files of cursors again as one per bucket, with the latest row per key only: the highest
// version is the cursor, whatever set of rows it is looked for in, so older ones may go from any set.
func (l *Lake) mergeCursors(ctx context.Context) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	t, err := l.load(ctx, table.Cursors)
	if err != nil {
		return err
	}
	tasks, err := t.Scan().PlanFiles(ctx)
	if err != nil {
		return err
	}
	buckets := make(map[any][]iceberg.DataFile)
	for _, task := range tasks {
		if task.File.Count() <= smallCursorRows {
			for _, bucket := range task.File.Partition() {
				buckets[bucket] = append(buckets[bucket], task.File)
			}
		}
	}
	ch := change{table: t}
	latest := make(map[table.Key]table.Cursor)
	for _, files := range buckets {
		if len(files) < mergeFiles {
			continue
		}
		for _, f := range files {
			rows, err := readFile(ctx, t, f, rowfile.ReadCursors)
			if err != nil {
				return err
			}
			keepLatest(latest, rows)
		}
		ch.remove = append(ch.remove, files...)
	}
	if len(ch.remove) == 0 {
		return nil
	}
	ch.add, err = rowfile.WriteCursors(ctx, t, slices.SortedFunc(maps.Values(latest), byKey))
	if err != nil {
		return err
	}
	if err := l.apply(ctx, []change{ch}, nil); err != nil {
		return err
	}
	l.cfg.Logger.Debug("files of cursors merged", "files", len(ch.remove), "into", len(ch.add), "rows", len(latest))
	return nil
}
