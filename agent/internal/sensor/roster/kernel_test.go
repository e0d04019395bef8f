package roster

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor/iio"
	"github.com/headwater-iot/headwater/agent/internal/sensor/power"
	"github.com/headwater-iot/headwater/agent/internal/sensor/w1"
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
