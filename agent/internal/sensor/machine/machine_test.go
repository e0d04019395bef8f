package machine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/shared/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

func fixed(path string) (space, error) {
	if strings.HasSuffix(path, "/none") {
		return space{}, os.ErrNotExist
	}
	return space{total: 31_000_000_000, free: 12_345_678_336, inodes: 1_900_000, inodesFree: 1_800_001}, nil
}

func tree(t *testing.T, name string) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func lines(cells []record.Cell) string {
	var b strings.Builder
	for _, c := range cells {
		switch {
		case c.Null:
			fmt.Fprintf(&b, "%s [%s] null\n", c.Series, c.Unit)
		case c.Kind == record.Int:
			fmt.Fprintf(&b, "%s [%s] int %d\n", c.Series, c.Unit, c.Int)
		default:
			fmt.Fprintf(&b, "%s [%s] float %v\n", c.Series, c.Unit, c.Float)
		}
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, tc := range []struct {
		name     string
		settings Settings
	}{
		{"pi", Settings{}},
		{"pc", Settings{Interfaces: []string{"eth0", "wlan0.1", "wwan0"}, Disk: "/none"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.settings.Root = tree(t, tc.name)
			m, err := find(tc.settings, fixed)
			if err != nil {
				t.Fatal(err)
			}
			cells, err := m.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", tc.name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(lines(cells)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), lines(cells)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for i, c := range m.Announce() {
				if c != record.FailedCell(cells[i].Series, cells[i].Unit, cells[i].Kind) {
					t.Errorf("announced %+v, read %+v", c, cells[i])
				}
			}
		})
	}
}

func TestWhatIsGoneIsLeftOut(t *testing.T) {
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(tree(t, "pi"))); err != nil {
		t.Fatal(err)
	}
	m, err := find(Settings{Root: root}, fixed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, "sys")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "proc/loadavg"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	cells, err := m.Read(t.Context())
	if err == nil || len(cells) == 0 || len(cells) >= len(m.Announce()) {
		t.Fatalf("%d of %d cells, %v", len(cells), len(m.Announce()), err)
	}
	for _, c := range cells {
		if strings.HasPrefix(c.Series, "load") || strings.HasPrefix(c.Series, "temperature") {
			t.Errorf("%s was made up", c.Series)
		}
	}

	if err := os.RemoveAll(filepath.Join(root, "proc")); err != nil {
		t.Fatal(err)
	}
	m.statfs = none
	if cells, err := m.Read(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty machine gave %+v, %v", cells, err)
	}
}

func TestNothingToRead(t *testing.T) {
	if _, err := find(Settings{Root: t.TempDir()}, none); !errors.Is(err, ErrNothing) {
		t.Errorf("got %v", err)
	}
}

func TestReadHeedsItsDeadline(t *testing.T) {
	m, err := find(Settings{Root: tree(t, "pi")}, fixed)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestThisMachine(t *testing.T) {
	m, err := New(Settings{})
	if err != nil {
		t.Skipf("not a Linux machine: %v", err)
	}
	cells, err := m.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		if c.Kind == record.Int && c.Int < 0 {
			t.Errorf("%+v", c)
		}
	}
	t.Logf("\n%s", lines(cells))
}

func TestCheckReportsEveryProblem(t *testing.T) {
	var got []string
	report := func(path, _ string, _ ...any) { got = append(got, path) }
	Settings{Root: "x", Disk: "y", Interfaces: []string{""}}.Check(report)
	if diff := cmp.Diff([]string{"root", "disk", "interfaces"}, got); diff != "" {
		t.Error(diff)
	}
}
