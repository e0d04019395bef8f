package nmea

import (
	"context"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sampler"
	"github.com/headwater-iot/headwater/agent/internal/sampler/samplertest"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simline"
	"github.com/headwater-iot/headwater/shared/meter"
)

// talk writes what say returns to a line until that is unplugged.
func talk(line *simline.Line, say func(n int) string) (gone chan struct{}) {
	gone = make(chan struct{})
	go func() {
		defer close(gone)
		for n := 0; ; n++ {
			<-time.After(10 * time.Millisecond)
			if _, err := io.WriteString(line, say(n)); err != nil {
				return
			}
		}
	}()
	return gone
}

// Whatever a receiver or its line does in the sampler, another sensor is read at each tick, and the receiver when it is back.
func TestFaultsOfAReceiverDisturbNoOther(t *testing.T) {
	for name, bad := range map[string]string{
		"is silent": "", "talks at another speed": "\x80\xf8\x00\x1f\xff\n", "talks without end": string(make([]byte, 3000)),
		"has a bad checksum": "$GPGGA,120001,4723.1,N,00832.5,E,1,08,0.9,408.2,M,48.0,M,,*00\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var broken atomic.Bool
			r, line, _ := receives(t, func(n int) string {
				if broken.Load() {
					return bad
				}
				return moment(n % 60)
			})
			r.Recovers()
			broken.Store(true)
			if s := r.Falls(false); s.State != "failing" || s.Error == "" {
				t.Errorf("%+v", s)
			}
			broken.Store(false)
			if cells := r.Recovers(); cells[0].Float != 47.38539 {
				t.Errorf("%+v", cells)
			}
			r.Undisturbed()
			_ = line.Close()
		})
	}
}

func TestUnpluggedReceiverDisturbsNoOther(t *testing.T) {
	t.Parallel()
	good := func(n int) string { return moment(n % 60) }
	r, line, gone := receives(t, good)
	r.Recovers()
	_ = line.Close()
	<-gone
	if s := r.Falls(false); s.State != "failing" || s.Error == "" {
		t.Errorf("%+v", s)
	}
	again, err := simline.Plug(line.At)
	if err != nil {
		t.Fatal(err)
	}
	gone = talk(again, good)
	r.Recovers()
	r.Undisturbed()
	_ = again.Close()
	<-gone
}

// receives samples a receiver that talks.
func receives(t *testing.T, say func(n int) string) (*samplertest.Rig, *simline.Line, chan struct{}) {
	t.Helper()
	line, err := simline.Plug(filepath.Join(t.TempDir(), "ttyACM0"))
	if err != nil {
		t.Fatal(err)
	}
	gone := talk(line, say)
	t.Cleanup(func() { _ = line.Close(); <-gone })
	s := Settings{URL: "serial://" + line.At, MaxAge: 100 * time.Millisecond}
	return samplertest.Start(t, sampler.Sensor{
		Name: "gps", Interval: 50 * time.Millisecond, Timeout: 200 * time.Millisecond, Announce: s.Announce(),
		Open: func(ctx context.Context) (sampler.Driver, error) {
			r, err := Open(ctx, s, "gps", nil)
			if err != nil {
				return nil, err
			}
			return r, nil
		},
	}, meter.New()), line, gone
}
