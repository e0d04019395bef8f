package bind

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrNotLoopback means an address that others can reach, without the operator's word that this is meant.
var ErrNotLoopback = errors.New("anyone on the network could connect without TLS or credentials: " +
	"listen on 127.0.0.1, or give --insecure-lan if everyone on that network may send and read")

// Address is what to listen on.
type Address struct {
	What        string // "MQTT" or "HTTP", for messages
	Listen      string // HOST:PORT
	OtherPort   bool   // nobody asked for this port: if it is busy, take a free one
	InsecureLAN bool   // other addresses than loopback are meant
}

// Open reports whether others than this machine can reach the address.
func (a Address) Open() (bool, error) {
	addr, err := net.ResolveTCPAddr("tcp", a.Listen)
	if err != nil {
		return false, fmt.Errorf("listen for %s on %q: %w", a.What, a.Listen, err)
	}
	return !addr.IP.IsLoopback(), nil // no address means all of them
}

// Bind listens. It returns ErrNotLoopback for an open address that is not meant.
func (a Address) Bind(logger *slog.Logger) (net.Listener, error) {
	open, err := a.Open()
	if err != nil {
		return nil, err
	}
	if open && !a.InsecureLAN {
		return nil, fmt.Errorf("listen for %s on %s: %w", a.What, a.Listen, ErrNotLoopback)
	}
	l, err := net.Listen("tcp", a.Listen)
	if errors.Is(err, unix.EADDRINUSE) {
		return a.busy(logger, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for %s on %s: %w", a.What, a.Listen, err)
	}
	return l, nil
}

// busy takes another port if nobody asked for this one, and says who holds it.
func (a Address) busy(logger *slog.Logger, cause error) (net.Listener, error) {
	host, port, err := net.SplitHostPort(a.Listen)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	who := holder("/proc", n)
	if !a.OtherPort {
		return nil, fmt.Errorf("listen for %s on %s: %w%s; stop it, or choose another port", a.What, a.Listen, cause, heldBy(who))
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("listen for %s on any port of %s: %w", a.What, host, err)
	}
	logger.Warn("the default port is busy; another one is used",
		"for", a.What, "busy", a.Listen, "held_by", who, "listen", l.Addr().String())
	return l, nil
}

func heldBy(who string) string {
	if who == "" {
		return ""
	}
	return " (held by " + who + ")"
}
