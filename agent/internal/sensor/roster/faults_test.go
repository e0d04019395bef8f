package roster

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/headwater-iot/headwater/agent/internal/sampler"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bme280"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simbus"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/record"
)

// boot is the boot clock of a test.
type boot time.Time

func (b boot) Monotonic() int64 { return time.Since(time.Time(b)).Microseconds() }

// chipSensor is a BME280 on its place of a shared bus, ten times a second.
func chipSensor(name string, b *simbus.Bus, addr uint16) sampler.Sensor {
	settings := bme280.Settings{Address: addr}
	return sampler.Sensor{
		Name: name, Prefix: name + "_", Interval: 100 * time.Millisecond, Announce: settings.Announce(),
		Open: func(ctx context.Context) (sampler.Driver, error) {
			return bme280.Open(ctx, shared{b}, settings)
		},
	}
}

// shared is a bus that outlives the sensors on it, as the wires of a real one do.
type shared struct{ i2c.BusCloser }

func (shared) Close() error { return nil }

// The whole way from register to row: whatever one chip does, the other one's
// rows are all there and all good, and the bad one keeps its schedule.
func TestFaultsOfOneChipDisturbNoOther(t *testing.T) {
	for _, fault := range []struct {
		name  string
		begin func(*simbus.Chip) (end func())
		nulls bool // the bad chip's readings are null meanwhile
	}{
		{"unplugged", func(c *simbus.Chip) func() { c.Unplug(true); return func() { c.Unplug(false) } }, true},
		{"refuses", func(c *simbus.Chip) func() { c.Nack(1 << 30); return func() { c.Nack(0) } }, true},
		{"hangs", func(c *simbus.Chip) func() { return c.Hang() }, true},
		{"never finishes", func(c *simbus.Chip) func() { c.Busy(true); return func() { c.Busy(false) } }, true},
		{"is stuck", func(c *simbus.Chip) func() { c.Stick(true); return func() { c.Stick(false) } }, false},
	} {
		t.Run(fault.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := simbus.New(simbus.Config{Seed: 1, Parts: map[uint16]simbus.Part{0x76: simbus.BME280, 0x77: simbus.BME280}})
				var mu sync.Mutex
				rows := map[string][]record.Row{}
				s, err := sampler.New(sampler.Config{
					Sensors: []sampler.Sensor{chipSensor("bad", b, 0x76), chipSensor("good", b, 0x77)},
					Clock:   boot(time.Now()), Logger: slog.New(slog.DiscardHandler), Health: health.New(),
					Append: func(row record.Row) error {
						mu.Lock()
						defer mu.Unlock()
						rows[row.Sensor] = append(rows[row.Sensor], row)
						return nil
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- s.Run(ctx) }()

				time.Sleep(10 * time.Second)
				end := fault.begin(b.Chip(0x76))
				time.Sleep(60 * time.Second)
				if state := s.Status()[0].State; fault.nulls == (state == "ok") {
					t.Errorf("the chip %s and its state is %s", fault.name, state)
				}
				end()
				time.Sleep(90 * time.Second) // the longest pause before it is opened again is a minute
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}

				if n := len(rows["good"]); n < 1599 || n > 1600 || nulls(rows["good"]) != 0 {
					t.Errorf("the good chip gave %d rows in 160 s with %d nulls, want 1600 and none", n, nulls(rows["good"]))
				}
				bad := rows["bad"]
				if got := nulls(bad); (got > 1000) != fault.nulls {
					t.Errorf("the bad chip gave %d nulls in %d rows", got, len(bad))
				}
				if !fault.nulls && len(bad) < 1599 {
					t.Errorf("%d rows", len(bad))
				}
				if last := bad[len(bad)-1]; nulls([]record.Row{last}) != 0 {
					t.Errorf("it did not come back: %+v", last)
				}
			})
		})
	}
}

func nulls(rows []record.Row) (n int) {
	for _, row := range rows {
		for _, c := range row.Cells {
			if c.Null {
				n++
			}
		}
	}
	return n
}
