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
	in     chan mqtt.Message // capacity: window; each message holds a place of it until it is answered
	kept   bool              // the broker had kept our session
}

// dial makes a new client for each connection: with paho's own reconnect, its tokens and its store of messages outlive
// a connection, and so does whatever is wrong with them.
func (c *Consumer) dial(ctx context.Context) (*link, error) {
	l := &link{in: make(chan mqtt.Message)}
	var conn atomic.Pointer[croppedConn]
	o := c.options(c.cfg.ClientID).SetCleanSession(false).SetAutoAckDisabled(true).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			select { // one at a time and in order
			case l.in <- m:
			case <-conn.Load().gone: // the broker sends it again
			}
		}).
		SetCustomOpenConnectionFn(func(u *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
			d := net.Dialer{Timeout: connectWithin}
			raw, err := d.DialContext(ctx, "tcp", u.Host)
			if err != nil {
				return nil, err
			}
			conn.Store(crop(raw, c.count.cropped.Inc))
			return conn.Load(), nil
		})
	l.client = mqtt.NewClient(o)
	stop := context.AfterFunc(ctx, func() {
		if n := conn.Load(); n != nil {
			_ = n.Close() // what paho waits for ends now
		}
	})
	defer stop()
	token := l.client.Connect()
	if err := await(token); err != nil {
		l.client.Disconnect(0)
		return nil, fmt.Errorf("connect: %w", err)
	}
	l.conn = conn.Load()
	if t, ok := token.(*mqtt.ConnectToken); ok {
		l.kept = t.SessionPresent()
	}
	return l, nil
}

// options are those of every client we make.
func (c *Consumer) options(id string) *mqtt.ClientOptions {
	return mqtt.NewClientOptions().AddBroker(c.broker.String()).SetClientID(id).
		SetUsername(c.cfg.Username).SetPassword(c.password).
		SetAutoReconnect(false).SetConnectRetry(false).SetProtocolVersion(4).
		SetKeepAlive(keepAlive).SetPingTimeout(pingWithin).SetConnectTimeout(connectWithin).SetWriteTimeout(writeWithin)
}

// subscribe asks for what devices publish, also where the broker has kept the session: it may have lost just this.
func (l *link) subscribe() error {
	token := l.client.Subscribe(topic.UpAll, 1, nil)
	if err := await(token); err != nil {
		return fmt.Errorf("subscribe to %s: %w", topic.UpAll, err)
	}
	t, ok := token.(*mqtt.SubscribeToken)
	if granted := t.Result()[topic.UpAll]; ok && granted != 1 {
		return fmt.Errorf("subscribe to %s: %w (it answered %#x)", topic.UpAll, errRefused, granted)
	}
	return nil
}

var errRefused = errors.New("the broker does not grant QoS 1: its access list must let this client read that topic")

// await returns when a token is done.
func await(t mqtt.Token) error {
	if !t.WaitTimeout(connectWithin) {
		return errors.New("no answer of the broker")
	}
	return t.Error()
}

// close ends the connection, after the acknowledgements that were given.
func (l *link) close() {
	l.client.Disconnect(uint(partWithin / time.Millisecond))
	_ = l.conn.Close()
}
