package app

import (
	"context"

	"github.com/headwater-iot/headwater/gateway/internal/consumer"
	"github.com/headwater-iot/headwater/gateway/internal/door"
	"github.com/headwater-iot/headwater/gateway/internal/frontdoor"
	"github.com/headwater-iot/headwater/gateway/internal/intake"
)

// wayIn is how devices reach intake: the embedded broker, or a client of another.
type wayIn interface {
	intake.Publisher
	// Run lets messages in until ctx ends.
	Run(ctx context.Context, to door.Handler) error
	// Addr is where devices connect.
	Addr() string
	Close() error
}

// openDoor opens the one that is configured.
func (g *Gateway) openDoor() (wayIn, error) {
	m := g.settings.MQTT
	if m.Broker != "" {
		c, err := consumer.Open(consumer.Config{
			Broker: m.Broker, ClientID: m.ClientID, Username: m.Username, PasswordFile: m.PasswordFile,
			Logger: g.opt.Logger, Meter: g.meter, Health: g.board,
		})
		if err != nil {
			return nil, err // and not c, which would be a door that is not nil
		}
		return c, nil
	}
	d, err := frontdoor.Open(frontdoor.Config{
		Listen: m.Listen, OtherPort: g.opt.DefaultMQTT, InsecureLAN: m.InsecureLAN,
		Logger: g.opt.Logger, Meter: g.meter, Health: g.board,
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}
