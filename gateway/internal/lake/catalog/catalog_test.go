package catalog

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/apache/iceberg-go"
	icecat "github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/catalog/catalogtest"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/fileio"
)

var errInjected = errors.New("injected")

func openTest(t *testing.T, dir string, step func(string) error) *Catalog {
	t.Helper()
	c, err := Open(filepath.Join(dir, "catalog.db"), Options{Warehouse: fileio.Location(dir), Step: step})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestConformance(t *testing.T) {
	catalogtest.RunCatalogTests(t, catalogtest.Config{
		NewCatalog:                  func(t *testing.T) icecat.Catalog { return openTest(t, t.TempDir(), nil) },
		SupportsNamespaceProperties: true,
	})
}

var tables = []string{"a", "b", "c"}

// makeTables makes three tables in the namespace ns.
func makeTables(t *testing.T, c *Catalog) {
	t.Helper()
	ctx := t.Context()
	if err := c.CreateNamespace(ctx, icetable.Identifier{"ns"}, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range tables {
		if _, err := c.CreateTable(ctx, icetable.Identifier{"ns", name}, catalogtest.Schema); err != nil {
			t.Fatal(err)
		}
	}
}

// setAll returns commits that set the property p of every table to v, and hold each to its uuid.
func setAll(ctx context.Context, c *Catalog, v string) ([]icetable.TableCommit, error) {
	var commits []icetable.TableCommit
	for _, name := range tables {
		tbl, err := c.LoadTable(ctx, icetable.Identifier{"ns", name})
		if err != nil {
			return nil, err
		}
		tx := tbl.NewTransaction()
		if err := tx.SetProperties(iceberg.Properties{"p": v}); err != nil {
			return nil, err
		}
		commit, err := tx.TableCommit()
		if err != nil {
			return nil, err
		}
		commits = append(commits, commit)
	}
	return commits, nil
}

// values reads the property p of every table through a catalogue that was opened just now.
func values(t *testing.T, dir string) []string {
	t.Helper()
	c := openTest(t, dir, nil)
	var vs []string
	for _, name := range tables {
		tbl, err := c.LoadTable(t.Context(), icetable.Identifier{"ns", name})
		if err != nil {
			t.Fatal(err)
		}
		vs = append(vs, tbl.Properties()["p"])
	}
	return vs
}

// TestFaultLoop ends a transaction between every two of its steps: all tables are as before, or all as after. The
// same transaction then succeeds.
func TestFaultLoop(t *testing.T) {
	for fail := 0; ; fail++ {
		dir := t.TempDir()
		makeTables(t, openTest(t, dir, nil))
		n, at := 0, ""
		c := openTest(t, dir, func(name string) error {
			n++
			if n == fail+1 {
				at = name
				return errInjected
			}
			return nil
		})
		commits, err := setAll(t.Context(), c, "1")
		if err != nil {
			t.Fatal(err)
		}
		err = c.Commit(t.Context(), commits, nil)
		if at == "" {
			if err != nil || fail < 8 {
				t.Fatalf("%d steps, %v", fail, err)
			}
			return
		}
		want := []string{"", "", ""}
		if at == "committed" {
			want = []string{"1", "1", "1"}
			if !errors.Is(err, ErrUnknown) {
				t.Errorf("step %q: %v, want ErrUnknown", at, err)
			}
		} else if !errors.Is(err, errInjected) || errors.Is(err, ErrUnknown) {
			t.Errorf("step %q: %v, want the injected error", at, err)
		}
		if got := values(t, dir); !slices.Equal(got, want) {
			t.Errorf("step %q left %q, want %q", at, got, want)
		}
		again, err := setAll(t.Context(), c, "2")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(t.Context(), again, nil); err != nil {
			t.Errorf("after step %q: %v", at, err)
		}
		if got := values(t, dir); !slices.Equal(got, []string{"2", "2", "2"}) {
			t.Errorf("after step %q: %q", at, got)
		}
	}
}

// TestFileFaults fails every operation on the disk in turn.
func TestFileFaults(t *testing.T) {
	for fail := 0; ; fail++ {
		dir := t.TempDir()
		makeTables(t, openTest(t, dir, nil))
		n := 0
		c := openTest(t, dir, nil)
		c.opts.FS.Fault = func(fileio.Op, string) error {
			n++
			if n == fail+1 {
				return errInjected
			}
			return nil
		}
		commits, err := setAll(t.Context(), c, "1")
		if err != nil {
			t.Fatal(err)
		}
		err = c.Commit(t.Context(), commits, nil)
		if n <= fail {
			if err != nil || fail < 9 {
				t.Fatalf("%d operations, %v", fail, err)
			}
			return
		}
		if !errors.Is(err, errInjected) {
			t.Errorf("operation %d: %v", fail, err)
		}
		if got := values(t, dir); !slices.Equal(got, []string{"", "", ""}) {
			t.Errorf("operation %d left %q", fail, got)
		}
	}
}

// TestConflict lets a second writer in between every two steps of a transaction before its SQL part.
func TestConflict(t *testing.T) {
	for _, at := range []string{"metadata a", "metadata c", "swap"} {
		dir := t.TempDir()
		other := openTest(t, dir, nil)
		makeTables(t, other)
		c := openTest(t, dir, func(name string) error {
			if name != at {
				return nil
			}
			tbl, err := other.LoadTable(t.Context(), icetable.Identifier{"ns", "a"})
			if err != nil {
				return err
			}
			_, _, err = other.CommitTable(t.Context(), tbl.Identifier(), nil,
				[]icetable.Update{icetable.NewSetPropertiesUpdate(iceberg.Properties{"p": "other"})})
			return err
		})
		commits, err := setAll(t.Context(), c, "1")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(t.Context(), commits, nil); !errors.Is(err, icetable.ErrCommitFailed) {
			t.Errorf("at %q: %v, want ErrCommitFailed", at, err)
		}
		if got := values(t, dir); !slices.Equal(got, []string{"other", "", ""}) {
			t.Errorf("at %q: %q", at, got)
		}
	}
}

// never is a requirement that does not hold.
type never struct{}

func (never) Validate(icetable.Metadata) error { return errors.New("requirement failed: never") }
func (never) GetType() string                  { return "never" }

// TestHeldTableWithoutUpdates: a table that is only held to a requirement stops the others.
func TestHeldTableWithoutUpdates(t *testing.T) {
	dir := t.TempDir()
	c := openTest(t, dir, nil)
	makeTables(t, c)
	commits, err := setAll(t.Context(), c, "1")
	if err != nil {
		t.Fatal(err)
	}
	commits[2].Updates, commits[2].Requirements = nil, []icetable.Requirement{never{}}
	if err := c.Commit(t.Context(), commits, nil); !errors.Is(err, icetable.ErrCommitFailed) {
		t.Errorf("%v, want ErrCommitFailed", err)
	}
	commits[2].Requirements = nil
	if err := c.Commit(t.Context(), commits, nil); err != nil {
		t.Error(err)
	}
	if got := values(t, dir); !slices.Equal(got, []string{"1", "1", ""}) {
		t.Errorf("left %q", got)
	}
}

// TestDoomed: files go on the list with the transaction, keep their first time, and leave it by Forget.
func TestDoomed(t *testing.T) {
	dir := t.TempDir()
	c := openTest(t, dir, nil)
	makeTables(t, c)
	now := time.UnixMilli(1_000_000)
	c.opts.Now = func() time.Time { return now }
	if err := c.Commit(t.Context(), nil, []string{"x", "y"}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if err := c.Commit(t.Context(), nil, []string{"x", "z"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := c.Doomed(t.Context(), now.Add(-time.Hour), 10); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("an hour old: %q", got)
	}
	if err := c.Forget(t.Context(), []string{"x", "y"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := c.Doomed(t.Context(), now, 10); !slices.Equal(got, []string{"z"}) {
		t.Errorf("after Forget: %q", got)
	}
	// The 101st metadata file pushes the first out of the log of its table.
	tbl, err := c.LoadTable(t.Context(), icetable.Identifier{"ns", "a"})
	if err != nil {
		t.Fatal(err)
	}
	first := tbl.MetadataLocation()
	for i := range 101 {
		commits, err := setAll(t.Context(), c, fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(t.Context(), commits[:1], nil); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := c.Doomed(t.Context(), now, 10); !slices.Contains(got, first) || len(got) != 2 {
		t.Errorf("after 101 commits: %q, want z and %s", got, first)
	}
}

// TestReadOnly: a reader sees what a live writer commits, and changes nothing.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	w := openTest(t, dir, nil)
	makeTables(t, w)
	r, err := Open(filepath.Join(dir, "catalog.db"), Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	commits, err := setAll(t.Context(), w, "1")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context(), commits, nil); err != nil {
		t.Fatal(err)
	}
	tbl, err := r.LoadTable(t.Context(), icetable.Identifier{"ns", "a"})
	if err != nil || tbl.Properties()["p"] != "1" {
		t.Errorf("reader sees %v, %v", tbl, err)
	}
	if err := r.Commit(t.Context(), nil, []string{"x"}); err == nil {
		t.Error("a reader changed the catalogue")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.db"), Options{ReadOnly: true}); err == nil {
		t.Error("a reader made a catalogue")
	}
}
