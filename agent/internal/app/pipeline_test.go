package app

import (
	"log/slog"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/outbox"
	"github.com/headwater-iot/headwater/agent/internal/sensor/counter"
	"github.com/headwater-iot/headwater/agent/internal/sensor/roster"
	"github.com/headwater-iot/headwater/agent/internal/settings"
)

// TestEverySensorSettingReachesTheSampler: a key that is accepted and then forgotten is worse than an unknown one.
func TestEverySensorSettingReachesTheSampler(t *testing.T) {
	s := settings.Default()
	s.Sensors = []roster.Settings{{
		Name: "c", Prefix: "p_", Interval: 500 * time.Millisecond, Timeout: 2 * time.Second, Stuck: time.Hour, Counter: &counter.Settings{},
	}}
	a := New(s, slog.New(slog.DiscardHandler))
	var o outbox.Config
	sensors, err := a.sensors(&o)
	if err != nil || len(sensors) != 1 {
		t.Fatalf("%d sensors, %v", len(sensors), err)
	}
	got, want := sensors[0], s.Sensors[0]
	if got.Name != want.Name || got.Prefix != want.Prefix || got.Interval != want.Interval ||
		got.Timeout != want.Timeout || got.Stuck != want.Stuck || got.Open == nil || len(got.Announce) != 1 {
		t.Errorf("the sampler gets %+v, the settings are %+v", got, want)
	}
	if o.Rate != 2 || o.OriginalTimes {
		t.Errorf("the outbox hears of %v readings a second, original times %v; want 2, false", o.Rate, o.OriginalTimes)
	}
}
