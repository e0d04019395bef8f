package roster

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/headwater-iot/headwater/agent/internal/sampler"
	"github.com/headwater-iot/headwater/agent/internal/sensor/ads1115"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bme280"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/ds18b20"
	"github.com/headwater-iot/headwater/agent/internal/sensor/ina219"
	"github.com/headwater-iot/headwater/agent/internal/sensor/mcp9808"
	"github.com/headwater-iot/headwater/agent/internal/sensor/sht4x"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simbus"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/record"
)

// boot is the boot clock of a test.
type boot time.Time

func (b boot) Monotonic() int64 { return time.Since(time.Time(b)).Microseconds() }

// shared is a bus that outlives the sensors on it, as the wires of a real one do.
type shared struct{ i2c.BusCloser }

func (shared) Close() error { return nil }

// onShared is a chip on its place of a shared bus.
func onShared[S interface{ Announce() []record.Cell }, D sampler.Driver](
	name string, b *simbus.Bus, settings S, open func(context.Context, i2c.BusCloser, S) (D, error),
) sampler.Sensor {
	return sampler.Sensor{
		Name: name, Prefix: name + "_", Interval: time.Second, Stuck: 20 * time.Second, Announce: settings.Announce(),
		Open: func(ctx context.Context) (sampler.Driver, error) {
			d, err := open(ctx, shared{b}, settings)
			if err != nil {
				return nil, err
			}
			return d, nil
		},
	}
}

// chipCase is a kind of chip, and what it cannot suffer.
type chipCase struct {
	kind   string
	addr   uint16
	part   simbus.Part
	sensor func(name string, b *simbus.Bus, addr uint16) sampler.Sensor
	not    []string // faults that it cannot have or cannot be seen to have, with the reason beside
}

func chipCases() []chipCase {
	noCRC := "damages its answers"
	return []chipCase{
		{"bme280", 0x76, simbus.BME280, func(name string, b *simbus.Bus, addr uint16) sampler.Sensor {
			return onShared(name, b, bme280.Settings{Address: bus.Address(addr)}, bme280.Open)
		}, []string{noCRC}},
		{"ds18b20", 0x18, simbus.DS2482, func(name string, b *simbus.Bus, addr uint16) sampler.Sensor {
			return onShared(name, b, ds18b20.Settings{Place: bus.Place{Address: bus.Address(addr)}}, ds18b20.Open)
		}, nil},
		{"ina219", 0x40, simbus.INA219, func(name string, b *simbus.Bus, addr uint16) sampler.Sensor {
			return onShared(name, b, ina219.Settings{Place: bus.Place{Address: bus.Address(addr)}}, ina219.Open)
		}, []string{noCRC, "never finishes"}}, // it converts by itself: one that does not is stuck
		{"ads1115", 0x48, simbus.ADS1115, func(name string, b *simbus.Bus, addr uint16) sampler.Sensor {
			s := ads1115.Settings{Place: bus.Place{Address: bus.Address(addr)}, Channels: []ads1115.Channel{{Input: "0", Range: 2.048}, {Input: "1-3"}}}
			return onShared(name, b, s, ads1115.Open)
		}, []string{noCRC}},
		{"mcp9808", 0x1A, simbus.MCP9808, func(name string, b *simbus.Bus, addr uint16) sampler.Sensor {
			return onShared(name, b, mcp9808.Settings{Place: bus.Place{Address: bus.Address(addr)}}, mcp9808.Open)
		}, []string{noCRC, "never finishes"}}, // as the INA219
		{"sht4x", 0x44, simbus.SHT4x, func(name string, b *simbus.Bus, addr uint16) sampler.Sensor {
			return onShared(name, b, sht4x.Settings{Place: bus.Place{Address: bus.Address(addr)}}, sht4x.Open)
		}, nil},
	}
}

// toggle is a fault that is switched on and off.
func toggle(set func(*simbus.Chip, bool)) func(*simbus.Chip) func() {
	return func(c *simbus.Chip) func() {
		set(c, true)
		return func() { set(c, false) }
	}
}

// The whole way from register to row: whatever one chip does, every other one's
// rows are all there and all good, and the bad one keeps its schedule, shows what
// is wrong, and comes back.
func TestFaultsOfOneChipDisturbNoOther(t *testing.T) {
	for _, fault := range []struct {
		name  string
		begin func(*simbus.Chip) (end func())
		stuck bool // the bad chip's readings are marked; otherwise they are null
	}{
		{"is unplugged", toggle((*simbus.Chip).Unplug), false},
		{"refuses", func(c *simbus.Chip) func() { c.Nack(1 << 30); return func() { c.Nack(0) } }, false},
		{"hangs", (*simbus.Chip).Hang, false},
		{"never finishes", toggle((*simbus.Chip).Busy), false},
		{"answers with ones", toggle((*simbus.Chip).Ones), false},
		{"damages its answers", toggle((*simbus.Chip).Damage), false},
		{"is stuck", toggle((*simbus.Chip).Stick), true},
	} {
		for _, bad := range chipCases() {
			if slices.Contains(bad.not, fault.name) {
				continue
			}
			t.Run(bad.kind+" "+fault.name, func(t *testing.T) {
				runFault(t, bad, fault.begin, fault.stuck)
			})
		}
	}
}

// runFault samples all chips for 160 s, with a fault of one from the tenth to the seventieth.
func runFault(t *testing.T, bad chipCase, begin func(*simbus.Chip) (end func()), stuck bool) {
	synctest.Test(t, func(t *testing.T) {
		b, sensors := everyChip()
		var mu sync.Mutex
		rows := map[string][]record.Row{}
		s, err := sampler.New(sampler.Config{
			Sensors: sensors, Clock: boot(time.Now()), Logger: slog.New(slog.DiscardHandler), Health: health.New(),
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

		time.Sleep(10*time.Second + 900*time.Millisecond) // between reads, of which the longest takes 0.8 s
		end := begin(b.Chip(bad.addr))
		time.Sleep(60 * time.Second)
		for _, status := range s.Status() {
			if want := status.Name != bad.kind || stuck; (status.State == "ok") != want {
				t.Errorf("during the fault the state of %s is %s", status.Name, status.State)
			}
		}
		end()
		time.Sleep(90 * time.Second) // the longest pause before it is opened again is a minute
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for _, sensor := range sensors {
			if sensor.Name == bad.kind {
				checkBad(t, rows[sensor.Name], len(sensor.Announce), stuck)
			} else {
				checkGood(t, sensor.Name, rows[sensor.Name])
			}
		}
	})
}

// checkGood checks the rows of a chip that had no fault.
func checkGood(t *testing.T, name string, rows []record.Row) {
	t.Helper()
	if empty, marked := nulls(rows), count(rows, isStuck); len(rows) < 160 || len(rows) > 161 || empty+marked != 0 {
		t.Errorf("%s gave %d rows in 160 s with %d nulls and %d marked, want 160 and none", name, len(rows), empty, marked)
	}
}

// everyChip is a bus with one chip of each kind, and the sensors that read them.
func everyChip() (*simbus.Bus, []sampler.Sensor) {
	config := simbus.Config{Seed: 1, Parts: map[uint16]simbus.Part{}}
	for _, c := range chipCases() {
		config.Parts[c.addr] = c.part
	}
	b := simbus.New(config)
	var sensors []sampler.Sensor
	for _, c := range chipCases() {
		sensors = append(sensors, c.sensor(c.kind, b, c.addr))
	}
	return b, sensors
}

// checkBad checks the rows of the chip that had a fault for 60 of 160 s.
func checkBad(t *testing.T, rows []record.Row, series int, stuck bool) {
	t.Helper()
	// A read that hangs may cost the tick that its timeout ends in.
	if len(rows) < 150 || len(rows) > 161 {
		t.Errorf("the bad chip gave %d rows in 160 s", len(rows))
	}
	empty, marked := nulls(rows), count(rows, isStuck)
	if stuck {
		if empty != 0 || marked < 30*series || marked > 60*series {
			t.Errorf("%d nulls and %d marked in %d rows of %d; want the last 40 s of the fault marked", empty, marked, len(rows), series)
		}
	} else if empty < 50*series || empty > 130*series {
		t.Errorf("%d nulls in %d rows of %d series", empty, len(rows), series)
	}
	last := rows[len(rows)-1:]
	if nulls(last) != 0 || count(last, isStuck) != 0 {
		t.Errorf("it did not come back: %+v", last)
	}
}

func isNull(c record.Cell) bool  { return c.Null }
func isStuck(c record.Cell) bool { return c.Quality&record.Stuck != 0 }

// nulls returns how many readings of rows are null.
func nulls(rows []record.Row) int { return count(rows, isNull) }

// count returns how many readings of rows are so.
func count(rows []record.Row, so func(record.Cell) bool) (n int) {
	for _, row := range rows {
		for _, c := range row.Cells {
			if so(c) {
				n++
			}
		}
	}
	return n
}

// Each chip is found by its own kind and by no other that can have its address.
func TestEachChipIsIdentified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range chipCases() {
			for _, kind := range Chips() {
				for _, addr := range kind.Addresses {
					b := simbus.New(simbus.Config{Seed: 7, Parts: map[uint16]simbus.Part{addr: c.part}})
					more, ok := kind.Identify(t.Context(), b, addr)
					if ok != (kind.Kind == c.kind) || more != "" {
						t.Errorf("a %s at %#x is taken for a %s: %v %q", c.kind, addr, kind.Kind, ok, more)
					}
				}
			}
		}
		b := simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{0x77: simbus.BMP280}})
		if more, ok := bme280.Chip().Identify(t.Context(), b, 0x77); !ok || more != "model: bmp280" {
			t.Errorf("a BMP280: %v %q", ok, more)
		}
		var kinds []string
		for _, kind := range Chips() {
			kinds = append(kinds, kind.Kind)
			if _, ok := kind.Identify(t.Context(), b, 0x10); ok {
				t.Errorf("an empty address is taken for a %s", kind.Kind)
			}
		}
		for _, c := range chipCases() {
			if !slices.Contains(kinds, c.kind) || !slices.Contains(known(), c.kind) {
				t.Errorf("%s is missing in %v or %v", c.kind, kinds, known())
			}
		}
	})
}

// Looking for chips leaves every sensor as it was: its next readings are good.
func TestIdentifyDisturbsNoOpenChip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, sensors := everyChip()
		var open []sampler.Driver
		for _, s := range sensors {
			d, err := s.Open(t.Context())
			if err != nil {
				t.Fatal(s.Name, err)
			}
			open = append(open, d)
		}
		for _, kind := range Chips() {
			for _, addr := range kind.Addresses {
				_, _ = kind.Identify(t.Context(), b, addr)
			}
		}
		for i, d := range open {
			cells, err := d.Read(t.Context())
			if err != nil || len(cells) != len(sensors[i].Announce) {
				t.Errorf("%s: %v, %v", sensors[i].Name, fmt.Sprint(cells), err)
			}
		}
	})
}
