package meter_test

import (
	"os"

	"github.com/headwater-iot/headwater/shared/meter"
)

func Example() {
	figures := meter.New()
	rejected := func(reason string) *meter.Counter {
		return figures.Counter("headwater_rejected_total", "Batches turned away.", "reason", reason)
	}
	rejected("crc").Inc()
	rejected("size").Add(2)
	figures.WriteTo(os.Stdout)
	// Output:
	// # HELP headwater_rejected_total Batches turned away.
	// # TYPE headwater_rejected_total counter
	// headwater_rejected_total{reason="crc"} 1
	// headwater_rejected_total{reason="size"} 2
}
