package roster

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bme280"
	"github.com/headwater-iot/headwater/agent/internal/sensor/machine"
	"github.com/headwater-iot/headwater/agent/internal/sensor/replay"
	"github.com/headwater-iot/headwater/shared/strictyaml"
)

const example = `
sensors:
  - name: air
    interval: 100ms
    bme280: {bus: sim, address: 0x77, oversampling: 16}
  - name: roof
    prefix: roof_
    bme280: {bus: /dev/i2c-1, model: bmp280}
  - name: self
    machine: {disk: /var}
  - name: past
    replay:
      files: [a.csv]
      times: shifted
      columns: {value: {series: temperature, unit: Cel}}
`

func TestExampleIsUnderstood(t *testing.T) {
	var got struct {
		Sensors []Settings `yaml:"sensors"`
	}
	if err := strictyaml.Decode("agent.yaml", []byte(example), &got); err != nil {
		t.Fatal(err)
	}
	want := []Settings{
		{Name: "air", Interval: 100 * time.Millisecond, BME280: &bme280.Settings{Bus: "sim", Address: 0x77, Oversampling: 16}},
		{Name: "roof", Prefix: "roof_", BME280: &bme280.Settings{Bus: "/dev/i2c-1", Model: "bmp280"}},
		{Name: "self", Machine: &machine.Settings{Disk: "/var"}},
		{Name: "past", Replay: &replay.Settings{
			Files: []string{"a.csv"}, Times: replay.Shifted,
			Columns: map[string]replay.Column{"value": {Series: "temperature", Unit: "Cel"}},
		}},
	}
	if diff := cmp.Diff(want, got.Sensors); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	Check(got.Sensors, func(path, format string, args ...any) { t.Errorf("%s: "+format, append([]any{path}, args...)...) })
}

func TestCheckReportsEveryProblem(t *testing.T) {
	var got []string
	Check([]Settings{
		{Name: "a b", Interval: time.Millisecond, Timeout: -1},
		{Name: "x", BME280: &bme280.Settings{Bus: "sim", Address: 0x10}, Machine: &machine.Settings{Disk: "rel"}},
		{Name: "x", Interval: -time.Second, Replay: &replay.Settings{}},
	}, func(path, _ string, _ ...any) { got = append(got, path) })
	want := []string{
		"[0].name", "[0].interval", "[0].timeout", "[0].name",
		"[1].name", "[1].bme280.address", "[1].machine.disk",
		"[2].name", "[2].interval", "[2].replay.files",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryKindHasItsSection(t *testing.T) {
	var sections []string
	for f := range reflect.TypeFor[Settings]().Fields() {
		if f.Type.Kind() == reflect.Pointer {
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			sections = append(sections, name)
		}
	}
	slices.Sort(sections)
	if diff := cmp.Diff(sections, known()); diff != "" {
		t.Errorf("(-sections +kinds):\n%s", diff)
	}
}

func TestPlansRunOnTheSimulatedBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plans, err := Plans([]Settings{
			{Name: "in", BME280: &bme280.Settings{Bus: "sim"}},
			{Name: "out", Prefix: "out_", Interval: time.Second, BME280: &bme280.Settings{Bus: "sim", Model: "bmp280", Address: 0x77}},
		}, Deps{})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{3, 2} {
			p := plans[i]
			for range 2 { // and once more, as after an error
				d, err := p.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				cells, err := d.Read(t.Context())
				if err != nil || len(cells) != want || len(p.Announce) != want {
					t.Errorf("%s: %+v, %v", p.Name, cells, err)
				}
				if err := d.(*bme280.Device).Close(); err != nil {
					t.Error(err)
				}
			}
		}
		if plans[0].Interval != DefaultInterval || plans[1].Prefix != "out_" {
			t.Errorf("plans %+v", plans)
		}
	})
}

func TestPlanOfAMissingBusOpensToAnError(t *testing.T) {
	plans, err := Plans([]Settings{{Name: "air", BME280: &bme280.Settings{Bus: "64999"}}}, Deps{})
	if err != nil {
		t.Fatalf("a chip that is not there is no reason not to start: %v", err)
	}
	if d, err := plans[0].Open(t.Context()); err == nil || d != nil {
		t.Errorf("opened %v, %v", d, err)
	}
}

func TestReplayKeepsItsOwnTimes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte("t,v\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plans, err := Plans([]Settings{{Name: "past", Prefix: "p_", Replay: &replay.Settings{Files: []string{path}}}},
		Deps{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	p := plans[0]
	if p.Source == nil || p.Open != nil || !p.OriginalTimes || p.Interval != 0 || p.Prefix != "" || p.Announce[0].Series != "p_v" {
		t.Errorf("plan %+v", p)
	}
	if _, err := Plans([]Settings{{Name: "past", Replay: &replay.Settings{Files: []string{path + "x"}}}}, Deps{}); err == nil {
		t.Error("a file that is not there was planned")
	}
	if _, err := Plans([]Settings{{Name: "none"}}, Deps{}); err == nil {
		t.Error("a sensor of no kind was planned")
	}
}

// TestMoreSeriesThanAHelloAnnounces is refused by the check, and by the plans, which know machines better.
func TestMoreSeriesThanAHelloAnnounces(t *testing.T) {
	chip := Settings{BME280: &bme280.Settings{Bus: "sim"}}
	fits := MaxScheduled / chip.series()
	var list []Settings
	for i := range fits + 2 {
		chip.Name, chip.Prefix = fmt.Sprintf("air-%d", i), fmt.Sprintf("%d_", i)
		list = append(list, chip)
	}
	past := Settings{Name: "past", Replay: &replay.Settings{Files: []string{"a.csv"}, Columns: map[string]replay.Column{"v": {Series: "v"}}}}
	for n, want := range map[int]int{fits: 0, fits + 2: 1} {
		var got []string
		Check(append([]Settings{past}, list[:n]...), func(path, format string, args ...any) {
			got = append(got, path+" "+fmt.Sprintf(format, args...))
		})
		if len(got) != want || want == 1 && !strings.Contains(got[0], "another agent") {
			t.Errorf("%d sensors: %q", n, got)
		}
		if _, err := Plans(list[:n], Deps{Logger: slog.New(slog.DiscardHandler)}); errors.Is(err, ErrTooMany) != (want == 1) {
			t.Errorf("%d sensors are planned: %v", n, err)
		}
	}
}
