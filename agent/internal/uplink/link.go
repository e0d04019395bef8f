package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Errors of a connection.
var (
	// ErrURL means a broker URL that we cannot use.
	ErrURL = errors.New("broker URL must be tcp://host:port")

	errHostile = errors.New("the broker breaks MQTT")
	errLost    = errors.New("connection lost")
)

const (
	connectWithin = 15 * time.Second // a metered modem needs most of it
	writeWithin   = 30 * time.Second // one packet, also over GPRS; longer means that TCP is stuck
	pingWithin    = 10 * time.Second
	partWithin    = 250 * time.Millisecond
	// inboxDepth is more than a gateway says in a second. When it is full the message is
	// dropped and counted: the next ack says the same and more, a lost nack costs a resend.
	inboxDepth = 32
)

// message is what the broker delivered.
type message struct {
	topic   string
	payload []byte
}

// link is one connection, subscribed. A test fills in its own functions.
type link struct {
	in    <-chan message
	lost  <-chan error // one error, when the connection is gone
	close func()
	// publish sends with QoS 1. nil only means that it was handed on, which takes as long as the
	// network takes the bytes before it.
	publish func(ctx context.Context, topic string, payload []byte) error
}

// dialer opens a link that hears the filter.
type dialer func(ctx context.Context, filter string) (*link, error)

func parseURL(broker string) (*url.URL, error) {
	u, err := url.Parse(broker)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURL, err)
	}
	switch u.Scheme {
	case "tcp", "mqtt":
	case "ssl", "tls", "mqtts": // their place is open(), below
		return nil, fmt.Errorf("%w: %s:// is not built yet", ErrURL, u.Scheme)
	default:
		return nil, fmt.Errorf("%w: got %q", ErrURL, u.Redacted())
	}
	if u.Port() == "" || u.Hostname() == "" {
		return nil, fmt.Errorf("%w: %q has no host or no port", ErrURL, u.Redacted())
	}
	return u, nil
}

// open makes the network connection of a broker URL. TLS will be one more case.
func open(ctx context.Context, u *url.URL) (net.Conn, error) {
	d := net.Dialer{Timeout: connectWithin, KeepAlive: keepAlive}
	return d.DialContext(ctx, "tcp", u.Host)
}

// pahoDialer returns the real dialer.
func pahoDialer(broker *url.URL, client string, dropped func()) dialer {
	return func(ctx context.Context, filter string) (*link, error) {
		var conn atomic.Pointer[cappedConn]
		in, lost := make(chan message, inboxDepth), make(chan error, 1) // lost: paho reports once
		gone := make(chan struct{})

		o := mqtt.NewClientOptions().AddBroker(broker.String()).SetClientID(client).
			SetAutoReconnect(false).SetConnectRetry(false).SetCleanSession(true).
			SetProtocolVersion(4).SetKeepAlive(keepAlive).SetPingTimeout(pingWithin).
			SetConnectTimeout(connectWithin).SetWriteTimeout(writeWithin).
			SetConnectionLostHandler(func(_ mqtt.Client, err error) {
				lost <- fmt.Errorf("%w: %w", errLost, err)
				close(gone)
			}).
			SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
				select {
				case in <- message{m.Topic(), m.Payload()}:
				default: // never block paho's reader: pings travel through it
					dropped()
				}
			}).
			SetCustomOpenConnectionFn(func(u *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
				c, err := open(ctx, u)
				if err != nil {
					return nil, err
				}
				capped := &cappedConn{Conn: c}
				conn.Store(capped)
				return capped, nil
			})
		c := mqtt.NewClient(o)
		shut := func() {
			if n := conn.Load(); n != nil {
				_ = n.Close() // what paho waits for ends now
			}
		}
		stop := context.AfterFunc(ctx, shut)
		defer stop()
		if err := await(c.Connect()); err != nil {
			shut()
			return nil, fmt.Errorf("connect to %s: %w", broker.Redacted(), err)
		}
		if err := subscribe(gone, c, filter); err != nil {
			c.Disconnect(0)
			shut()
			return nil, fmt.Errorf("subscribe to %s at %s: %w", filter, broker.Redacted(), err)
		}
		return &link{
			in: in, lost: lost,
			publish: func(ctx context.Context, topic string, payload []byte) error {
				return publish(ctx, gone, c, topic, payload)
			},
			close: func() {
				c.Disconnect(uint(partWithin / time.Millisecond))
				shut()
			},
		}, nil
	}
}

// publish hands a message to paho. When the connection is lost in the wrong moment paho waits for
// writeWithin on a channel that nobody reads any more; that goroutine, at most one of a
// connection, is left to end by itself.
func publish(ctx context.Context, gone <-chan struct{}, c mqtt.Client, topic string, payload []byte) error {
	handed := make(chan mqtt.Token, 1) // so that it can end when we have left
	go func() { handed <- c.Publish(topic, 1, false, payload) }()
	select {
	case t := <-handed:
		return failed(t)
	case <-gone:
		return errLost
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await returns when a token is done, which the deadline on the connection makes certain.
func await(t mqtt.Token) error {
	if !t.WaitTimeout(connectWithin) {
		return errors.New("no answer")
	}
	return t.Error()
}

// subscribe may leave a goroutine of paho behind, for the reason that publish does.
func subscribe(gone <-chan struct{}, c mqtt.Client, filter string) error {
	handed := make(chan mqtt.Token, 1)
	go func() { handed <- c.Subscribe(filter, 1, nil) }()
	var t mqtt.Token
	select {
	case t = <-handed:
	case <-gone:
		return errLost
	}
	if err := await(t); err != nil {
		return err
	}
	const refused = 0x80
	if s, ok := t.(*mqtt.SubscribeToken); ok && s.Result()[filter] == refused {
		return errors.New("refused by the broker: its access list must let a device read its own topics")
	}
	return nil
}

// failed returns an error that is there already; a token says nothing about the gateway.
func failed(t mqtt.Token) error {
	select {
	case <-t.Done():
		return t.Error()
	default:
		return nil
	}
}
