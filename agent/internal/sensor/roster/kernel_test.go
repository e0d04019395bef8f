package roster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sampler"
	"github.com/headwater-iot/headwater/agent/internal/sensor/iio"
	"github.com/headwater-iot/headwater/agent/internal/sensor/power"
	"github.com/headwater-iot/headwater/agent/internal/sensor/w1"
	"github.com/headwater-iot/headwater/shared/record"
)

// TestDevicesThatAreNotThere are planned all the same, each with a series of its own, and open to an error.
func TestDevicesThatAreNotThere(t *testing.T) {
	root := t.TempDir()
	plans, err := Plans([]Settings{
		{Name: "a", IIO: &iio.Settings{Root: root, Device: "bme280"}},
		{Name: "b", IIO: &iio.Settings{Root: root, Device: "bme280"}},
		{Name: "c", W1: &w1.Settings{Root: root}},
		{Name: "d", PowerSupply: &power.Settings{Root: root}},
		{Name: "e", PowerSupply: &power.Settings{Root: root, Device: "BAT0"}},
	}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range plans {
		if len(p.Announce) != 1 || !p.Announce[0].Null || seen[p.Announce[0].Series] {
			t.Errorf("%s announces %+v", p.Name, p.Announce)
		}
		seen[p.Announce[0].Series] = true
		if d, err := p.Open(t.Context()); err == nil || d != nil {
			t.Errorf("%s opened %v", p.Name, d)
		}
	}
}

// TestThermometersHaveTimeToConvert, one after the other.
func TestThermometersHaveTimeToConvert(t *testing.T) {
	root, ids := t.TempDir(), map[string]string{}
	for i := range 12 {
		id := fmt.Sprintf("28-%012x", i)
		if i < 3 {
			ids[id] = id
		}
		if err := os.MkdirAll(filepath.Join(root, "sys/bus/w1/devices", id), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		interval, timeout time.Duration
		settings          w1.Settings
		want              time.Duration
	}{
		{time.Second, 0, w1.Settings{Root: root}, 12 * time.Second},
		{time.Minute, 0, w1.Settings{Root: root}, 12 * time.Second},
		{time.Second, 0, w1.Settings{IDs: ids}, 3 * time.Second},
		{0, 0, w1.Settings{IDs: ids}, 0},
		{time.Second, time.Second, w1.Settings{Root: root}, time.Second},
	} {
		plans, err := Plans([]Settings{{Name: "x", Interval: tc.interval, Timeout: tc.timeout, W1: &tc.settings}}, Deps{})
		if err != nil || plans[0].Timeout != tc.want {
			t.Errorf("%+v: %v, %v", tc, plans[0].Timeout, err)
		}
	}
}

// TestKernelFilesThatComeAndGo cost their own readings, at every tick, and no other's;
// a file that has no answer is not taken for one that hangs.
func TestKernelFilesThatComeAndGo(t *testing.T) {
	for _, fault := range []struct {
		name  string
		begin func(file string) error
	}{
		{"gone", func(file string) error { return os.RemoveAll(filepath.Dir(file)) }},
		{"empty", func(file string) error { return os.Truncate(file, 0) }},
		{"garbage", func(file string) error { return os.WriteFile(file, []byte("\x00\xff"), 0o600) }},
		{"EIO", func(file string) error { return errors.Join(os.Remove(file), os.Symlink("/proc/self/mem", file)) }},
		{"a pipe", func(file string) error { return errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o600)) }},
	} {
		t.Run(fault.name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { comeAndGo(t, fault.begin) }) })
	}
}

// comeAndGo, in a bubble, spoils the file of one sensor from 10 s to 40 s, and runs on for two minutes.
func comeAndGo(t *testing.T, spoil func(file string) error) {
	root := t.TempDir()
	probe := filepath.Join(root, "sys/bus/w1/devices/28-000000000001/temperature")
	put := func(path, text string) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	put(probe, "21937\n")
	put(filepath.Join(root, "sys/class/power_supply/BAT0/voltage_now"), "3701000\n")
	plans, err := Plans([]Settings{
		{Name: "bad", Interval: time.Second, W1: &w1.Settings{Root: root, ID: "28-000000000001"}},
		{Name: "good", Interval: time.Second, PowerSupply: &power.Settings{Root: root, Device: "BAT0"}},
	}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	rows := map[string][]record.Row{}
	config := sampler.Config{Clock: boot(time.Now()), Logger: slog.New(slog.DiscardHandler), Append: func(row record.Row) error {
		mu.Lock()
		defer mu.Unlock()
		rows[row.Sensor] = append(rows[row.Sensor], row)
		return nil
	}}
	for _, p := range plans {
		config.Sensors = append(config.Sensors, sampler.Sensor{
			Name: p.Name, Interval: p.Interval, Announce: p.Announce,
			Open: func(ctx context.Context) (sampler.Driver, error) { return p.Open(ctx) },
		})
	}
	s, err := sampler.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	time.Sleep(10*time.Second + time.Millisecond)
	if err := spoil(probe); err != nil {
		t.Error(err)
	}
	time.Sleep(30 * time.Second)
	if state := s.Status()[0].State; state != "failing" {
		t.Errorf("the state is %s", state)
	}
	_ = os.Remove(probe) // a pipe would not be written
	put(probe, "22000\n")
	time.Sleep(2 * time.Minute) // the longest pause before it is opened again is a minute
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	if bad := rows["bad"]; len(bad) != 160 || count(bad[:10], isNull) != 0 || count(bad[10:40], isNull) != 30 || count(bad[159:], isNull) != 0 {
		t.Errorf("%d rows with %d nulls, and then %d", len(bad), count(bad, isNull), count(bad[10:40], isNull))
	}
	if good := rows["good"]; len(good) != 160 || count(good, isNull) != 0 {
		t.Errorf("the other: %d rows with %d nulls", len(good), count(good, isNull))
	}
}
