package power

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/agent/internal/sensor/sysfs/sysfstest"
	"github.com/headwater-iot/headwater/shared/record"
)

func lines(cells []record.Cell) string {
	var b strings.Builder
	for _, c := range cells {
		v := any(c.Float)
		switch c.Kind {
		case record.Int:
			v = c.Int
		case record.Text:
			v = c.Text
		}
		fmt.Fprintf(&b, "%s [%s] %v\n", c.Series, c.Unit, v)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for name, device := range map[string]string{"laptop": "", "board": "max170xx_battery"} {
		t.Run(name, func(t *testing.T) {
			root, golden := sysfstest.Unpack(t, name)
			s := New(Settings{Root: root, Device: device})
			d, err := s.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			cells, err := d.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(golden, lines(cells)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for i, c := range s.Announce() {
				if c != record.FailedCell(cells[i].Series, cells[i].Unit, cells[i].Kind) {
					t.Errorf("announced %+v, read %+v", c, cells[i])
				}
			}
		})
	}
}

func TestWhatIsGoneIsLeftOut(t *testing.T) {
	root, _ := sysfstest.Unpack(t, "laptop")
	s := New(Settings{Root: root, Device: "BAT0"})
	dir := filepath.Join(root, devices, "BAT0")
	if err := errors.Join(
		os.Remove(filepath.Join(dir, "status")), os.Truncate(filepath.Join(dir, "capacity"), 0),
		os.Remove(filepath.Join(dir, "energy_now")), syscall.Mkfifo(filepath.Join(dir, "energy_now"), 0o600),
		os.WriteFile(filepath.Join(dir, "power_now"), []byte("1.5"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	cells, err := s.Read(t.Context())
	if want := "voltage [V] 12.345\nenergy_full [Wh] 50\ncycles [count] 312\npresent [] 1\n"; !errors.Is(err, os.ErrNotExist) || lines(cells) != want {
		t.Errorf("%s, %v", lines(cells), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if cells, err := s.Read(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%+v, %v", cells, err)
	}
}

func TestSupplyThatComesLater(t *testing.T) {
	full, _ := sysfstest.Unpack(t, "laptop")
	for _, device := range []string{"", "BAT0"} {
		root := t.TempDir()
		s := New(Settings{Root: root, Device: device})
		if got := s.Announce(); len(got) != 0 {
			t.Errorf("announced %+v", got)
		}
		if _, err := s.Open(t.Context()); !errors.Is(err, ErrMissing) {
			t.Errorf("opened what is not there: %v", err)
		}
		if err := os.CopyFS(root, os.DirFS(full)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(t.Context()); !errors.Is(err, ErrLate) {
			t.Errorf("got %v", err)
		}
	}
}

func TestCheckReportsEveryProblem(t *testing.T) {
	var got []string
	report := func(path, _ string, _ ...any) { got = append(got, path) }
	Settings{}.Check(report)
	Settings{Device: "BAT0"}.Check(report)
	Settings{Root: "x", Device: "../y"}.Check(report)
	if diff := cmp.Diff([]string{"root", "device"}, got); diff != "" {
		t.Error(diff)
	}
}
