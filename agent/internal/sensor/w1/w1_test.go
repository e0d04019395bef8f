package w1

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/shared/record"
)

const id = "28-0316a2794fff"

func write(t *testing.T, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// slave is what w1_slave shows of a scratchpad.
func slave(pad, verdict, milli string) string {
	return fmt.Sprintf("%s : crc=%s %s\n%s t=%s\n", pad, pad[len(pad)-2:], verdict, pad, milli)
}

func one(t *testing.T, root string, s Settings) (record.Cell, error) {
	t.Helper()
	s.Root = root
	d, err := New(s).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cells, err := d.Read(t.Context())
	if err != nil {
		return record.Cell{}, err
	}
	if len(cells) != 1 {
		t.Fatalf("%+v", cells)
	}
	return cells[0], nil
}

func TestGolden(t *testing.T) {
	for _, tc := range []struct {
		name, id, text string
		want           float64
		quality        record.Quality
		err            error
	}{
		{"a room", id, slave("72 01 4b 46 7f ff 0e 10 57", "YES", "23125"), 23.125, 0, nil},
		{"frost", id, slave("5e ff 4b 46 7f ff 02 10 58", "YES", "-10125"), -10.125, 0, nil},
		{"wrong CRC", id, slave("72 01 4b 46 7f ff 0e 10 58", "NO", "23125"), 0, 0, ErrCRC},
		{"no chip", id, slave("ff ff ff ff ff ff ff ff ff", "NO", "-62"), 0, 0, ErrCRC},
		{"shorted", id, slave("00 00 00 00 00 00 00 00 00", "YES", "0"), 0, 0, ErrShorted},
		{"no power", id, slave("50 05 4b 46 7f ff 0c 10 1c", "YES", "85000"), 0, 0, ErrPowerOn},
		{"really 85", id, slave("50 05 4b 46 7f ff 10 10 43", "YES", "85000"), 85, 0, nil},
		{"a clone's 85", id, slave("50 05 4b 46 7f ff ff 10 43", "YES", "85000"), 85, record.Suspect, nil},
		{"a DS18S20's 85", "10-0008031234ab", slave("aa 00 4b 46 ff ff 0c 10 87", "YES", "85000"), 85, record.Suspect, nil},
		{"too hot", id, slave("d0 08 4b 46 7f ff 10 10 43", "YES", "141000"), 0, 0, ErrRange},
		{"empty", id, "", 0, 0, errAny},
		{"garbage", id, "hello\n", 0, 0, errAny},
		{"no number", id, slave("72 01 4b 46 7f ff 0e 10 57", "YES", "x"), 0, 0, errAny},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, devices+"/"+tc.id+"/w1_slave", tc.text)
			cell, err := one(t, root, Settings{ID: tc.id})
			if tc.err != nil {
				if err == nil || tc.err != errAny && !errors.Is(err, tc.err) {
					t.Errorf("%+v, %v, want %v", cell, err, tc.err)
				}
				return
			}
			want := record.FloatCell("temperature", "Cel", tc.want)
			want.Quality = tc.quality
			if err != nil || cell != want {
				t.Errorf("%+v, %v", cell, err)
			}
		})
	}
}

var errAny = errors.New("any error")

// A kernel that shows the temperature alone.
func TestTemperatureFile(t *testing.T) {
	root := t.TempDir()
	for text, want := range map[string]record.Cell{
		"21937\n": {Series: "temperature", Unit: "Cel", Kind: record.Float, Float: 21.937},
		"85000\n": {Series: "temperature", Unit: "Cel", Kind: record.Float, Float: 85, Quality: record.Suspect},
	} {
		write(t, root, devices+"/"+id+"/temperature", text)
		if cell, err := one(t, root, Settings{ID: id}); err != nil || cell != want {
			t.Errorf("%s: %+v, %v", text, cell, err)
		}
	}
	for _, text := range []string{"", "-127000", "warm"} {
		write(t, root, devices+"/"+id+"/temperature", text)
		if cell, err := one(t, root, Settings{ID: id}); err == nil {
			t.Errorf("%s: %+v", text, cell)
		}
	}
}

func TestAllThatAreThere(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{id, "10-0008031234ab", "w1_bus_master1", "3a-000000123456"} {
		write(t, root, devices+"/"+name+"/w1_slave", slave("72 01 4b 46 7f ff 0e 10 57", "YES", "23125"))
	}
	s := New(Settings{Root: root})
	want := []record.Cell{
		record.FailedCell("temperature_10_0008031234ab", "Cel", record.Float),
		record.FailedCell("temperature_28_0316a2794fff", "Cel", record.Float),
	}
	if diff := cmp.Diff(want, s.Announce()); diff != "" {
		t.Error(diff)
	}
}

func TestChipThatComesAndGoes(t *testing.T) {
	root := t.TempDir()
	none := New(Settings{Root: root})
	if got := none.Announce(); len(got) != 0 {
		t.Errorf("announced %+v", got)
	}
	if _, err := none.Open(t.Context()); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
	other := "28-000000000001"
	d, err := New(Settings{Root: root, IDs: map[string]string{id: "inlet", other: "outlet"}}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if cells, err := d.Read(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%+v, %v", cells, err)
	}
	write(t, root, devices+"/"+id+"/w1_slave", slave("72 01 4b 46 7f ff 0e 10 57", "YES", "23125"))
	if _, err := none.Open(t.Context()); !errors.Is(err, ErrLate) {
		t.Errorf("got %v", err)
	}
	if err := os.MkdirAll(filepath.Join(root, devices, other), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, devices, other, "w1_slave"), 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	if cells, err := d.Read(t.Context()); err == nil || len(cells) != 1 || cells[0].Series != "inlet" {
		t.Errorf("%+v, %v", cells, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCheckReportsEveryProblem(t *testing.T) {
	for _, tc := range []struct {
		settings Settings
		want     string
	}{
		{Settings{}, ""},
		{Settings{IDs: map[string]string{id: "inlet", "10-0008031234ab": "outlet"}}, ""},
		{Settings{Root: "x", ID: "../28", IDs: map[string]string{id: "a"}}, "root id ids"},
		{Settings{IDs: map[string]string{id: "", "27-1": "a", "28-000000000001": "a"}}, "ids ids ids"},
	} {
		var got []string
		tc.settings.Check(func(path, _ string, _ ...any) { got = append(got, path) })
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%+v: %s", tc.settings, got)
		}
	}
}
