package frontdoor

import (
	"net"

	"github.com/headwater-iot/headwater/gateway/internal/bind"
	"github.com/headwater-iot/headwater/shared/health"
)

var open = &health.Condition{
	Code: "insecure-lan", Severity: health.Warning,
	Title: "The MQTT listener is open to the network without TLS or credentials",
}

// listen binds the address of cfg. That others can reach it stands as a warning for as long as the gateway runs.
func listen(cfg *Config) (net.Listener, error) {
	a := bind.Address{What: "MQTT", Listen: cfg.Listen, OtherPort: cfg.OtherPort, InsecureLAN: cfg.InsecureLAN}
	others, err := a.Open()
	if err != nil {
		return nil, err
	}
	if others && cfg.InsecureLAN {
		cfg.Health.Raise(open, cfg.Listen)
	}
	return a.Bind(cfg.Logger)
}
