package consumer

import (
	"strings"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// BenchmarkThroughMosquitto brings batches of 1 KiB from 16 devices through a broker with its default window of 20 to a
// handler that takes no time.
func BenchmarkThroughMosquitto(b *testing.B) {
	address := mosquitto(b, "set_tcp_nodelay true", "max_queued_messages 0")
	devices := make([]paho.Client, 16)
	for i := range devices {
		devices[i] = device(b, address, "dev-"+string(rune('a'+i)))
	}
	s := start(b, address).subscribed(b, devices[0])
	payload := strings.Repeat("x", 1<<10)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	sent, taken := 0, 0
	for b.Loop() {
		devices[sent%len(devices)].Publish("hw/1/up/dev-"+string(rune('a'+sent%len(devices)))+"/batch", 1, false, payload)
		if sent++; sent-taken >= 500 { // what may be on its way
			recv(b, "a message", s.got)
			taken++
		}
	}
	for ; taken < sent; taken++ {
		recv(b, "a message", s.got)
	}
	b.ReportMetric(float64(taken)/b.Elapsed().Seconds(), "messages/s")
}
