package door

import (
	"context"
	"fmt"

	"github.com/headwater-iot/headwater/shared/topic"
)

// MaxPacket is the largest MQTT packet: a sealed part of 240 KiB, its envelope and its topic.
const MaxPacket = 256 << 10

// Handler takes what devices publish. It is called for one client from one goroutine at a time and may block: that
// client waits, and with it at most those that share its goroutine. An error means that the message is neither stored
// nor refused: it must not be acknowledged, and has to come again.
type Handler interface {
	Batch(ctx context.Context, client string, payload []byte) error
	Hello(ctx context.Context, client string, payload []byte) error
	// Missed says that what was published to a client did not reach it. It may be called within Publish.
	Missed(client string)
}

// Deliver hands a message to the method for its kind.
func Deliver(ctx context.Context, to Handler, client string, what topic.What, payload []byte) error {
	switch what {
	case topic.Batch:
		return to.Batch(ctx, client, payload)
	case topic.Hello:
		return to.Hello(ctx, client, payload)
	}
	panic(fmt.Sprintf("door: no device publishes %q", what))
}
