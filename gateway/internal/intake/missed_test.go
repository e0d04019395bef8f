package intake

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/shared/wire"
)

// TestMissedAckIsSaidAgain drops the ack of the last batch, and the next one: without another the device would not hear
// before its next hello.
func TestMissedAckIsSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).running()
		w.Missed("stranger")
		w.greeting("dev", 1, wire.HelloEpoch{Epoch: 5, Boot: 9})
		w.drop("dev", 2)
		w.send(part{epoch: 5, n: 4})
		time20ms(t)
		for want := 1; want >= 0; want-- {
			if n := len(w.acksOf("dev")); n != 1 || w.dropsLeft("dev") != want {
				t.Fatalf("%d acks came through, and %d are to be dropped; want 1 and %d", n, w.dropsLeft("dev"), want)
			}
			<-time.After(missedEvery)
			time20ms(t)
		}
		if got, want := marks(w.last("dev")), "5: stored 4[] landed 0[] ended false;"; got != want {
			t.Errorf("acked %s, want %s", got, want)
		}
		said := len(w.acksOf("dev"))
		<-time.After(time.Minute / 2)
		if more := len(w.acksOf("dev")) - said; more > 0 {
			t.Errorf("%d more acks to a client that has missed none", more)
		}
	})
}
