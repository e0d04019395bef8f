package app_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/headwater-iot/headwater/gateway/internal/app"
	"github.com/headwater-iot/headwater/gateway/internal/log"
	"github.com/headwater-iot/headwater/gateway/internal/settings"
	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// readyLine hears at which address devices are served.
type readyLine struct {
	slog.Handler
	mqtt chan<- string
}

func (h readyLine) Enabled(context.Context, slog.Level) bool { return true }

func (h readyLine) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if r.Message == "ready" && a.Key == "mqtt" {
			h.mqtt <- a.Value.String()
		}
		return true
	})
	return nil
}

// TestFailedLogEndsTheGateway takes the directory of the log away from under a gateway: a gateway that stayed up would
// refuse every device until somebody looked.
func TestFailedLogEndsTheGateway(t *testing.T) {
	s := settings.Default()
	s.Data, s.MQTT.Listen, s.HTTP.Listen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	s.Log.Segment = 1 // every group of records begins a segment
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- app.Run(t.Context(), s, app.Options{Logger: slog.New(readyLine{slog.DiscardHandler, ready})})
	}()
	var address string
	select {
	case address = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	dir := filepath.Join(s.State(), "log")
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + address).SetClientID("dev").SetProtocolVersion(4).SetAutoReconnect(false))
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	defer c.Disconnect(0)
	hello, err := wire.AppendHello(nil, &wire.Hello{Device: "dev", Client: "dev", Nonce: 1, Boot: 1, Epochs: []wire.HelloEpoch{{Epoch: 1, Boot: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	c.Publish(topic.Up("dev", topic.Hello), 1, false, hello)
	if err := <-ended; !errors.Is(err, log.ErrFailed) {
		t.Errorf("the gateway ended with %v", err)
	}
}
