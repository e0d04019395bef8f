package frontdoor

import (
	"fmt"
	"sync"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// BenchmarkStored sends batches of 4 KiB, each client waiting for the PUBACK of one before the next: the fsync, the
// broker and both ends of the connection on one machine.
func BenchmarkStored(b *testing.B) {
	for _, clients := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			d := stack(b, nil)
			work := make(chan uint64)
			var all sync.WaitGroup
			for i := range clients {
				id := fmt.Sprint("dev", i)
				c, _ := device(b, d, id)
				all.Go(func() { sendAll(b, c, id, work) })
			}
			b.ReportAllocs()
			n := uint64(0)
			for b.Loop() {
				work <- n
				n++
			}
			close(work)
			all.Wait()
		})
	}
}

func sendAll(b *testing.B, c paho.Client, id string, work <-chan uint64) {
	body, next := make([]byte, 4<<10), uint64(0)
	for range work {
		h := wire.Header{Kind: wire.KindReadings, Device: id, Epoch: 5, Boot: 9, First: next, Count: 200}
		next += h.Count
		sealed, err := wire.AppendSealed(nil, h, body)
		if err != nil {
			b.Error(err)
			continue
		}
		t := c.Publish(topic.Up(id, topic.Batch), 1, false, wire.AppendEnvelope(nil, wire.Anchor{}, sealed))
		if t.Wait(); t.Error() != nil {
			b.Error(t.Error())
		}
	}
}
