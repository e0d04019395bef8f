package consumer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/headwater-iot/headwater/shared/topic"
)

const (
	keepAlive     = 30 * time.Second
	connectWithin = 10 * time.Second
	// writeWithin also bounds how long paho keeps a publish that met the end of its connection.
	writeWithin = 5 * time.Second
	// pingWithin is long because a handler that waits for a slow disk holds up the answer to a ping.
	pingWithin = 30 * time.Second
	partWithin = 250 * time.Millisecond

	// window is how many messages are taken from the broker before the first is answered. A broker with its own limit
	// (Mosquitto's max_inflight_messages is 20) stays below; with none, this bounds our memory to 64 MiB.
	window = 256
)

// link is one connection to the broker, subscribed.
type link struct {
	client mqtt.Client
	conn   *croppedConn
	in     chan mqtt.Message // handed over by paho's reader, which may not go on before
	kept   bool              // the broker had kept our session
}

// dial makes a new client for each connection: with paho's own reconnect, its tokens and its store of messages outlive
// a connection, and so does whatever is wrong with them.
func (c *Consumer) dial(ctx context.Context) (*link, error) {
	l := &link{in: make(chan mqtt.Message)}
	o, conn := c.options(ctx, c.cfg.ClientID)
	o.SetCleanSession(false).SetAutoAckDisabled(true).SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		select { // one at a time and in order
		case l.in <- m:
		case <-conn.Load().gone: // the broker sends it again
		}
	})
	var err error
	if l.client, l.kept, err = connect(ctx, o, conn); err != nil {
		return nil, err
	}
	l.conn = conn.Load()
	return l, nil
}

// connect returns a client with a connection, and whether the broker had kept its session.
func connect(ctx context.Context, o *mqtt.ClientOptions, conn *atomic.Pointer[croppedConn]) (mqtt.Client, bool, error) {
	client := mqtt.NewClient(o)
	stop := context.AfterFunc(ctx, func() {
		if n := conn.Load(); n != nil {
			_ = n.Close() // what paho waits for ends now
		}
	})
	defer stop()
	token := client.Connect()
	if err := await(ctx, token); err != nil {
		client.Disconnect(0)
		return nil, false, fmt.Errorf("connect: %w", err)
	}
	t, ok := token.(*mqtt.ConnectToken)
	return client, ok && t.SessionPresent(), nil
}

// options are those of every client we make, and where to find its connection. It is not made after ctx.
func (c *Consumer) options(ctx context.Context, id string) (*mqtt.ClientOptions, *atomic.Pointer[croppedConn]) {
	conn := &atomic.Pointer[croppedConn]{}
	return mqtt.NewClientOptions().AddBroker(c.broker.String()).SetClientID(id).
		SetUsername(c.cfg.Username).SetPassword(c.password).
		SetAutoReconnect(false).SetConnectRetry(false).SetProtocolVersion(4).
		SetKeepAlive(keepAlive).SetPingTimeout(pingWithin).SetConnectTimeout(connectWithin).SetWriteTimeout(writeWithin).
		SetCustomOpenConnectionFn(func(u *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
			d := net.Dialer{Timeout: connectWithin}
			raw, err := d.DialContext(ctx, "tcp", u.Host)
			if err != nil {
				return nil, err
			}
			conn.Store(crop(raw, c.count.cropped.Inc))
			return conn.Load(), nil
		}), conn
}

// subscribe asks for what devices publish, also where the broker has kept the session: it may have lost just this.
func (l *link) subscribe(ctx context.Context) error {
	token := l.client.Subscribe(topic.UpAll, 1, nil)
	if err := await(ctx, token); err != nil {
		return fmt.Errorf("subscribe to %s: %w", topic.UpAll, err)
	}
	if t, ok := token.(*mqtt.SubscribeToken); ok && t.Result()[topic.UpAll] != 1 {
		return fmt.Errorf("subscribe to %s: the broker does not grant QoS 1 (it says %#x): its access list must let this client read that topic",
			topic.UpAll, t.Result()[topic.UpAll])
	}
	return nil
}

// await returns when a token is done.
func await(ctx context.Context, t mqtt.Token) error {
	select {
	case <-t.Done():
		return t.Error()
	case <-time.After(connectWithin):
		return errors.New("no answer of the broker")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close ends the connection, after the acknowledgements that were given.
func (l *link) close() {
	l.client.Disconnect(uint(partWithin / time.Millisecond))
	_ = l.conn.Close()
}
