package frontdoor

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/headwater-iot/headwater/shared/health"
)

// ErrNotLoopback means an address that others can reach, without the operator's word that this is meant.
var ErrNotLoopback = errors.New("devices would connect without TLS or credentials: " +
	"listen on 127.0.0.1, or give --insecure-lan if everyone on that network may send and read")

var open = &health.Condition{
	Code: "insecure-lan", Severity: health.Warning,
	Title: "The MQTT listener is open to the network without TLS or credentials",
}

// listen binds the address of cfg.
func listen(cfg *Config) (net.Listener, error) {
	addr, err := net.ResolveTCPAddr("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for MQTT on %q: %w", cfg.Listen, err)
	}
	if !addr.IP.IsLoopback() { // no address means all of them
		if !cfg.InsecureLAN {
			return nil, fmt.Errorf("listen for MQTT on %s: %w", cfg.Listen, ErrNotLoopback)
		}
		cfg.Health.Raise(open, cfg.Listen)
	}
	l, err := net.ListenTCP("tcp", addr)
	if errors.Is(err, unix.EADDRINUSE) {
		return busy(cfg, addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for MQTT on %s: %w", cfg.Listen, err)
	}
	return l, nil
}

// busy takes another port if nobody asked for this one, and says who holds it.
func busy(cfg *Config, addr *net.TCPAddr, cause error) (net.Listener, error) {
	who := holder("/proc", addr.Port)
	if !cfg.OtherPort {
		return nil, fmt.Errorf("listen for MQTT on %s: %w%s; stop it, or choose another port", cfg.Listen, cause, heldBy(who))
	}
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: addr.IP, Zone: addr.Zone})
	if err != nil {
		return nil, fmt.Errorf("listen for MQTT on any port of %s: %w", addr.IP, err)
	}
	cfg.Logger.Warn("the default MQTT port is busy; another one is used",
		"busy", cfg.Listen, "held_by", who, "listen", l.Addr().String())
	return l, nil
}

func heldBy(who string) string {
	if who == "" {
		return ""
	}
	return " (held by " + who + ")"
}

func portHex(port int) string { return fmt.Sprintf(":%04X", uint16(port)) }

func process(pid int, name string) string {
	return name + ", process " + strconv.Itoa(pid)
}
