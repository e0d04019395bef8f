package modbus

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sampler"
	"github.com/headwater-iot/headwater/agent/internal/sampler/samplertest"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simrtu"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
)

// sampled samples a device on a bus.
func sampled(t *testing.T, s Settings) *samplertest.Rig {
	lines := new(Lines)
	return samplertest.Start(t, sampler.Sensor{
		Name: "meter", Interval: 50 * time.Millisecond, Timeout: time.Second, Announce: s.Announce(),
		Open: func(ctx context.Context) (sampler.Driver, error) {
			d, err := Open(ctx, s, lines)
			if err != nil {
				return nil, err
			}
			return d, nil
		},
	}, meter.New())
}

// Whatever a device or its line does in the sampler, another sensor is read at each tick, and the device when it is back.
func TestFaultsOfADeviceDisturbNoOther(t *testing.T) {
	for name, fault := range map[string]simrtu.Fault{
		"is silent": {Silent: true}, "damages its answers": {BadCRC: 1 << 30}, "refuses": {Refuse: 4}, "answers late": {Late: 2 * quick},
		"answers for another": {Wrong: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slave := simrtu.New(7, map[int]uint16{0: 217, 10: 1000})
			r := sampled(t, meterOf(newBus(t, slave).url(), 7))
			r.Recovers()
			slave.Misbehave(fault)
			if s := r.Falls(false); s.State != "failing" || s.Error == "" {
				t.Errorf("%+v", s)
			}
			slave.Misbehave(simrtu.Fault{})
			if cells := r.Recovers(); cells[0].Float != 21.7 || cells[1].Int != 1000 {
				t.Errorf("%+v", cells)
			}
			r.Undisturbed()
		})
	}
}

func TestUnpluggedLineDisturbsNoOther(t *testing.T) {
	t.Parallel()
	slave := simrtu.New(7, map[int]uint16{0: 217, 10: 1000})
	b := newBus(t, slave)
	r := sampled(t, meterOf(b.url(), 7))
	r.Recovers()
	b.unplug()
	if s := r.Falls(false); s.State != "failing" || s.Error == "" {
		t.Errorf("%+v", s)
	}
	b.plug(slave)
	if cells := r.Recovers(); cells[0].Float != 21.7 {
		t.Errorf("%+v", cells)
	}
	r.Undisturbed()
}

func TestNaNOfADeviceIsANullOfItsOwn(t *testing.T) {
	t.Parallel()
	slave := simrtu.New(7, map[int]uint16{0: 0x7fc0, 2: 5})
	s := meterOf(newBus(t, slave).url(), 7, Register{Series: "f", Type: Float32}, Register{Series: "n", Address: 2})
	r := sampled(t, s)
	rows := r.Rows(func(rows []record.Row) bool { return len(rows) >= 3 })
	if f, n := rows[2].Cells[0], rows[2].Cells[1]; !f.Null || f.Quality != record.ReadError|record.Suspect || n.Null || n.Int != 5 {
		t.Errorf("%+v", rows[2])
	}
	r.Undisturbed()
}

func TestSilentDeviceLeavesTheLineToOthers(t *testing.T) {
	t.Parallel()
	dead, alive := simrtu.New(1, nil), simrtu.New(2, map[int]uint16{0: 217, 10: 1000})
	dead.Misbehave(simrtu.Fault{Silent: true})
	url, lines := newBus(t, dead, alive).url(), new(Lines)
	silent, well := open(t, meterOf(url, 1), lines), open(t, meterOf(url, 2), lines)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 5 {
			if got, err := values(t.Context(), silent); !errors.Is(err, ErrSilent) {
				t.Errorf("read %q, %v", got, err)
			}
		}
	})
	for range 5 {
		expect(t, well, "a=21.7 b=1000")
	}
	wg.Wait()
}
