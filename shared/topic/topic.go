package topic

import (
	"fmt"
	"strings"

	"github.com/headwater-iot/headwater/shared/record"
)

const (
	up   = "hw/1/up/"
	down = "hw/1/down/"
)

// What names the last level of a topic.
type What string

// The four kinds of message.
const (
	Batch What = "batch"
	Hello What = "hello"
	Ack   What = "ack"
	Nack  What = "nack"
)

// level writes a client id as a topic level: "+" is a wildcard there.
func level(client string) string { return strings.ReplaceAll(client, "+", "~") }

// Up returns the topic on which a client publishes what.
func Up(client string, what What) string { return up + level(client) + "/" + string(what) }

// Down returns the topic on which a client hears what.
func Down(client string, what What) string { return down + level(client) + "/" + string(what) }

// DownAll returns the filter to which a client subscribes.
func DownAll(client string) string { return down + level(client) + "/+" }

// UpAll is the filter under which a gateway behind an external broker hears all devices.
const UpAll = up + "+/+"

// ParseUp returns the client and kind of a topic that devices publish on.
func ParseUp(t string) (client string, what What, err error) {
	rest, ok := strings.CutPrefix(t, up)
	lvl, last, two := strings.Cut(rest, "/")
	what = What(last)
	if !ok || !two || what != Batch && what != Hello {
		return "", "", fmt.Errorf("topic %q: want %s<client>/batch or %s<client>/hello", t, up, up)
	}
	if strings.Contains(lvl, "+") {
		return "", "", fmt.Errorf("topic %q: a client level has no +", t)
	}
	client = strings.ReplaceAll(lvl, "~", "+")
	if _, err := record.DeviceOf(client); err != nil {
		return "", "", fmt.Errorf("topic %q: %w", t, err)
	}
	return client, what, nil
}
