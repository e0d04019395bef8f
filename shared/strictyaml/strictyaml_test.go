package strictyaml

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// river is a configuration with one field of every kind.
type river struct {
	Site    string            `yaml:"site"`
	Labels  map[string]string `yaml:"labels"`
	Outbox  outbox            `yaml:"outbox"`
	Sensors []sensor          `yaml:"sensors"`
	Uplink  *uplink           `yaml:"uplink"`
	Batch   struct {
		Rows  uint16  `yaml:"rows"`
		Ratio float64 `yaml:"ratio"`
	} `yaml:"batch"`
	Common `yaml:",inline"`
	Hidden string `yaml:"-"`
}

type outbox struct {
	MaxBytes Size          `yaml:"max_bytes"`
	Keep     time.Duration `yaml:"keep"`
	Sync     bool          `yaml:"sync"`
}

type sensor struct {
	Name string `yaml:"name"`
	timing
	Address *int8   `yaml:"address"`
	Values  []int64 `yaml:"values"`
}

type timing struct {
	Every time.Duration `yaml:"every"`
}

func (s *sensor) SetDefaults() { s.Every = time.Second }

type uplink struct {
	Broker netip.AddrPort `yaml:"broker"`
	Port   int            `yaml:"port"`
}

// Common is inlined.
type Common struct {
	LogLevel string `yaml:"log_level"`
}

func defaults() river {
	return river{
		Site:   "home",
		Outbox: outbox{MaxBytes: 64 * MiB, Keep: 72 * time.Hour, Sync: true},
		Uplink: &uplink{Port: 1883},
		Common: Common{LogLevel: "info"},
		Hidden: "untouched",
	}
}

// TestGolden decodes every testdata/*.yaml and compares its problems with the .golden beside it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("find the bad files: %d, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		into := defaults()
		got := "no problem\n"
		if err := Decode(filepath.Base(file), data, &into); err != nil {
			got = err.Error() + "\n"
		}
		golden := strings.TrimSuffix(file, ".yaml") + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if diff := cmp.Diff(string(want), got); err != nil || diff != "" {
			t.Errorf("%s: %v, difference to golden (-want +got):\n%s", file, err, diff)
		}
	}
}

func TestEverythingDecodes(t *testing.T) {
	const file = `
site: 007
labels: {room: kitchen, floor: 2}
outbox: {max_bytes: 1.5GiB, keep: 1m30s, sync: false}
sensors:
  - name: bme280
    address: 0x76
    values: [1, -2]
  - {name: load, every: 10s}
uplink: {broker: "127.0.0.1:1884"}
batch: {rows: 300, ratio: 1}
log_level: debug
`
	got := defaults()
	if err := Decode("f", []byte(file), &got); err != nil {
		t.Fatalf("Decode: %v", err)
	}
	address := int8(0x76)
	want := defaults()
	want.Site = "007" // as it was written, not as a number
	want.Labels = map[string]string{"room": "kitchen", "floor": "2"}
	want.Outbox = outbox{MaxBytes: 3 * GiB / 2, Keep: 90 * time.Second}
	want.Sensors = []sensor{
		{Name: "bme280", timing: timing{time.Second}, Address: &address, Values: []int64{1, -2}},
		{Name: "load", timing: timing{10 * time.Second}},
	}
	want.Uplink = &uplink{Broker: netip.MustParseAddrPort("127.0.0.1:1884"), Port: 1883}
	want.Batch.Rows, want.Batch.Ratio = 300, 1
	want.LogLevel = "debug"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %+v\nwant    %+v", got, want)
	}
}

func TestWhatIsNotMentionedStays(t *testing.T) {
	for _, file := range []string{
		"", "# nothing\n", "---\n", "{}", "outbox:\n", "outbox: {}\nlabels:\nsensors:\nuplink:\n",
	} {
		got := defaults()
		if err := Decode("f", []byte(file), &got); err != nil {
			t.Errorf("%q: %v", file, err)
		}
		if want := defaults(); !reflect.DeepEqual(got, want) {
			t.Errorf("%q changed the defaults to %+v", file, got)
		}
	}
}

func TestDefaultsBehindAPointerAreNotShared(t *testing.T) {
	shared := defaults().Uplink
	a := river{Uplink: shared}
	if err := Decode("f", []byte("uplink: {port: 8883}"), &a); err != nil {
		t.Fatal(err)
	}
	if a.Uplink.Port != 8883 || shared.Port != 1883 {
		t.Errorf("decoded port %d and changed the default to %d", a.Uplink.Port, shared.Port)
	}
}

func TestOwnChecksPointIntoTheFile(t *testing.T) {
	into := defaults()
	doc := Parse("f.yaml", []byte("site: x\nsensors:\n  - name: a\n    every: 0s\nbogus: 1\n"), &into)
	doc.Add("sensors[0].every", "must be longer than 0")
	doc.Add("sensors[0].address", "is missing")
	doc.Add("outbox.max_bytes", "is too small")
	want := `f.yaml:1:1: outbox.max_bytes: is too small
f.yaml:3:5: sensors[0].address: is missing
f.yaml:4:12: sensors[0].every: must be longer than 0
f.yaml:5:1: bogus: unknown key (known here: batch, labels, log_level, outbox, sensors, site, uplink)`
	err := doc.Err()
	if err == nil || err.Error() != want {
		t.Errorf("problems are\n%v\nwant\n%s", err, want)
	}
	var all Problems
	if !errors.As(err, &all) || len(all) != 4 || all[2].Line != 4 || all[2].Column != 12 {
		t.Errorf("as Problems: %+v", all)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "17": 17, "100B": 100, "512KiB": 512 * KiB, "64MiB": 64 * MiB, "64 MiB": 64 * MiB,
		"1.5GiB": 3 * GiB / 2, "2TiB": 2 * TiB, "4MB": 4e6, "1kB": 1000, "1GB": 1e9, "1TB": 1e12,
	} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s is %d, %v; want %d", text, s, err, want)
		}
		again, err := s.MarshalText()
		var back Size
		if err != nil || back.UnmarshalText(again) != nil || back != s {
			t.Errorf("%s is written as %s and read back as %d", text, again, back)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5", "0.3KiB", "12Mib", "1e3", "0x10", "inf", "9000TiB", "5 apples", "1_000"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %d", text, s)
		}
	}
}

func TestMisuseIsOurOwnFault(t *testing.T) {
	for name, into := range map[string]any{
		"no pointer": river{},
		"no struct":  new(int),
		"nil":        (*river)(nil),
		"odd field":  &struct{ A chan int }{},
		"odd map":    &struct{ A map[int]string }{},
		"twin fields": &struct {
			A, B int `yaml:"a"`
		}{},
		"inlined twin": &struct {
			A      int `yaml:"log_level"`
			Common `yaml:",inline"`
		}{},
	} {
		func() {
			defer func() {
				if p, _ := recover().(string); !strings.HasPrefix(p, "strictyaml: ") {
					t.Errorf("%s: panicked with %q", name, p)
				}
			}()
			_ = Decode("f", []byte("a: {}"), into)
		}()
	}
}

// FuzzDecode looks for panics, for problems without a place, and for a decoder that is not repeatable.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		first, second := defaults(), defaults()
		err := Decode("f", data, &first)
		if again := Decode("f", data, &second); (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Fatalf("decoding twice gave\n%v\nthen\n%v", err, again)
		}
		if err == nil {
			if !reflect.DeepEqual(first, second) {
				t.Fatalf("decoding twice gave\n%+v\nthen\n%+v", first, second)
			}
			return
		}
		var all Problems
		if !errors.As(err, &all) {
			t.Fatalf("error %T is not Problems: %v", err, err)
		}
		lines := 2 + strings.Count(strings.NewReplacer("\r", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n").Replace(string(data)), "\n")
		for _, p := range all {
			if p.Line < 1 || p.Column < 1 || p.Line > lines {
				t.Errorf("%v lies outside the file of %d lines", p, lines)
			}
		}
	})
}
