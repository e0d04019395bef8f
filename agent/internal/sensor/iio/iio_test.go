package iio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/agent/internal/sensor/sysfs/sysfstest"
	"github.com/headwater-iot/headwater/shared/record"
)

func lines(cells []record.Cell) string {
	var b bytes.Buffer
	for _, c := range cells {
		fmt.Fprintf(&b, "%s [%s] %v\n", c.Series, c.Unit, c.Float)
	}
	return b.String()
}

func read(t *testing.T, s Settings) []record.Cell {
	t.Helper()
	d, err := New(s).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cells, err := d.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

func TestGolden(t *testing.T) {
	for name, device := range map[string]string{"weather": "bme280", "adc": "1", "motion": "iio:device10", "every": "every"} {
		t.Run(name, func(t *testing.T) {
			root, golden := sysfstest.Unpack(t, name)
			s := Settings{Root: root, Device: device}
			cells := read(t, s)
			if diff := cmp.Diff(golden, lines(cells)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for i, c := range New(s).Announce() {
				if c != record.FailedCell(cells[i].Series, cells[i].Unit, cells[i].Kind) {
					t.Errorf("announced %+v, read %+v", c, cells[i])
				}
			}
		})
	}
}

// TestEveryKindIsInTheGoldenTree: a unit without a golden test is not proved.
func TestEveryKindIsInTheGoldenTree(t *testing.T) {
	root, _ := sysfstest.Unpack(t, "every")
	names := New(Settings{Root: root, Device: "every"}).list(devices + "/iio:device0")
	for kind := range kinds() {
		if !slices.ContainsFunc(names, func(name string) bool { return typeOf(name) == kind }) {
			t.Errorf("no channel of type %s", kind)
		}
	}
}

func TestListedChannels(t *testing.T) {
	root, _ := sysfstest.Unpack(t, "adc")
	cells := read(t, Settings{Root: root, Device: "ads1015", Channels: map[string]string{"voltage10": "tank", "voltage0": "", "current0": "shunt"}})
	if got, want := lines(cells), "shunt [] 99\nvoltage0 [V] 3.702\ntank [V] 0.0013\n"; got != want {
		t.Errorf("got\n%s", got)
	}
}

// TestListedChannelThatIsNotThere keeps its unit, and costs no other its reading.
func TestListedChannelThatIsNotThere(t *testing.T) {
	root, _ := sysfstest.Unpack(t, "adc")
	s := Settings{Root: root, Device: "ads1015", Channels: map[string]string{"voltage0": "", "current7": "", "temp": ""}}
	want := []record.Cell{
		record.FailedCell("current7", "A", record.Float), record.FailedCell("temperature", "Cel", record.Float),
		record.FailedCell("voltage0", "V", record.Float),
	}
	if diff := cmp.Diff(want, New(s).Announce()); diff != "" {
		t.Error(diff)
	}
	d, err := New(s).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cells, err := d.Read(t.Context())
	if got := lines(cells); got != "voltage0 [V] 3.702\n" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, got\n%s", err, got)
	}
}

func TestDeviceThatComesLater(t *testing.T) {
	full, _ := sysfstest.Unpack(t, "weather")
	root := t.TempDir()
	found := New(Settings{Root: root, Device: "bme280"})
	listed := New(Settings{Root: root, Device: "bme280", Channels: map[string]string{"temp": "", "pressure": "air"}})
	if got := found.Announce(); len(got) != 0 {
		t.Errorf("announced %+v", got)
	}
	want := []record.Cell{record.FailedCell("air", "Pa", record.Float), record.FailedCell("temperature", "Cel", record.Float)}
	if diff := cmp.Diff(want, listed.Announce()); diff != "" {
		t.Error(diff)
	}
	for _, s := range []*Sensor{found, listed} {
		if _, err := s.Open(t.Context()); !errors.Is(err, ErrMissing) {
			t.Errorf("opened what is not there: %v", err)
		}
	}
	if err := os.CopyFS(root, os.DirFS(full)); err != nil {
		t.Fatal(err)
	}
	if _, err := found.Open(t.Context()); !errors.Is(err, ErrLate) {
		t.Errorf("got %v", err)
	}
	d, err := listed.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if cells, err := d.Read(t.Context()); err != nil || lines(cells) != "air [Pa] 101325.59375\ntemperature [Cel] 23.45\n" {
		t.Errorf("%+v, %v", cells, err)
	}
}

func TestTwoOfOneName(t *testing.T) {
	root, _ := sysfstest.Unpack(t, "weather")
	sysfstest.Write(t, root, devices+"/iio:device3/name", "bme280\n")
	sysfstest.Write(t, root, devices+"/iio:device3/label", "roof\n")
	sysfstest.Write(t, root, devices+"/iio:device3/in_temp_input", "-5125\n")
	if _, err := New(Settings{Root: root, Device: "bme280"}).Open(t.Context()); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("one of two was taken: %v", err)
	}
	if got := lines(read(t, Settings{Root: root, Device: "roof"})); got != "temperature [Cel] -5.125\n" {
		t.Errorf("got %s", got)
	}
}

func TestBadFiles(t *testing.T) {
	const dir = devices + "/iio:device1/"
	for _, bad := range []struct {
		name  string
		spoil func(root string) error
		want  error
	}{
		{"gone", func(root string) error { return os.Remove(root + dir + "in_voltage0_raw") }, fs.ErrNotExist},
		{"empty", func(root string) error { return os.Truncate(root+dir+"in_voltage0_raw", 0) }, nil},
		{"garbage", func(root string) error { return os.WriteFile(root+dir+"in_voltage0_raw", []byte("1e9"), 0) }, errNumber},
		{"two points", func(root string) error { return os.WriteFile(root+dir+"in_voltage0_scale", []byte("1.2.3"), 0) }, errNumber},
		{"no scale", func(root string) error {
			return errors.Join(os.Remove(root+dir+"in_voltage0_scale"), os.Remove(root+dir+"in_voltage_scale"))
		}, errNoScale},
		{"scale 0", func(root string) error { return os.WriteFile(root+dir+"in_voltage0_scale", []byte("0.000000"), 0) }, errZeroScale},
		{"a pipe", func(root string) error {
			return errors.Join(os.Remove(root+dir+"in_voltage0_raw"), syscall.Mkfifo(root+dir+"in_voltage0_raw", 0o600))
		}, nil},
		{"EIO", func(root string) error { // as of a chip that does not answer its driver
			return errors.Join(os.Remove(root+dir+"in_voltage0_raw"), os.Symlink("/proc/self/mem", root+dir+"in_voltage0_raw"))
		}, syscall.EIO},
		{"a directory", func(root string) error {
			return errors.Join(os.Remove(root+dir+"in_voltage0_raw"), os.Mkdir(root+dir+"in_voltage0_raw", 0o700))
		}, syscall.EISDIR},
	} {
		t.Run(bad.name, func(t *testing.T) {
			root, _ := sysfstest.Unpack(t, "adc")
			both := New(Settings{Root: root, Device: "ads1015", Channels: map[string]string{"voltage0": "", "voltage0-voltage1": ""}})
			alone := New(Settings{Root: root, Device: "ads1015", Channels: map[string]string{"voltage0": ""}})
			if err := bad.spoil(root + "/"); err != nil {
				t.Fatal(err)
			}
			for _, s := range []*Sensor{both, alone} {
				d, err := s.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				cells, err := d.Read(t.Context())
				switch {
				case s == both && (err == nil || bad.want != nil && !errors.Is(err, bad.want) || lines(cells) != "voltage0_voltage1 [V] 0.05\n"):
					t.Errorf("the other channel: %+v, %v", cells, err)
				case s == alone && (err == nil || bad.want != nil && !errors.Is(err, bad.want)):
					t.Errorf("%+v, %v, want %v", cells, err, bad.want)
				}
			}
		})
	}
}

func TestNothingToRead(t *testing.T) {
	root := t.TempDir()
	sysfstest.Write(t, root, devices+"/iio:device0/name", "dac\n")
	if _, err := New(Settings{Root: root, Device: "dac"}).Open(t.Context()); !errors.Is(err, ErrNoChannel) {
		t.Errorf("got %v", err)
	}
}

func TestReadHeedsItsDeadline(t *testing.T) {
	root, _ := sysfstest.Unpack(t, "weather")
	d, err := New(Settings{Root: root, Device: "bme280"}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestStepsStayApart: neighbours of a converter are two readings, and as short as they can be.
func TestStepsStayApart(t *testing.T) {
	for _, scale := range []string{"0.001", "0.0009", "0.02441", "0.333333333", "1", "7.5", "0.000000119"} {
		step, _, err := decimal(scale)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[float64]bool{}
		for raw := -300; raw <= 300; raw++ {
			v := power(0)
			v.SetInt64(int64(raw)).Mul(v, step)
			f, err := short(v, step)
			if err != nil || seen[f] {
				t.Fatalf("step %s: raw %d gives %v again, %v", scale, raw, f, err)
			}
			seen[f] = true
		}
	}
	if got, err := short(power(-5), power(-2)); err != nil || 1/got < 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestCheckReportsEveryProblem(t *testing.T) {
	for _, tc := range []struct {
		settings Settings
		want     string
	}{
		{Settings{Device: "x", Channels: map[string]string{"temp": "", "voltage0-voltage1": "v", "accel_x": ""}}, ""},
		{Settings{Root: "x"}, "root device"},
		{Settings{Device: "0", Channels: map[string]string{"../x": ""}}, "channels"},
		{Settings{Device: "0", Channels: map[string]string{"temp": "", "voltage0": "temperature"}}, "channels"},
	} {
		var got []string
		tc.settings.Check(func(path, _ string, _ ...any) { got = append(got, path) })
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%+v: %s", tc.settings, got)
		}
	}
}

// A number that was given to another device, because something was plugged in again, is not read as the one before.
func TestNumberOfAnotherDevice(t *testing.T) {
	root, _ := sysfstest.Unpack(t, "weather")
	d, err := New(Settings{Root: root, Device: "bme280"}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(root, "sys/bus/iio/devices/*/name"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	if err := os.WriteFile(names[0], []byte("lps25h\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if cells, err := d.Read(t.Context()); !errors.Is(err, ErrMissing) || len(cells) > 0 {
		t.Errorf("%+v, %v", cells, err)
	}
}
