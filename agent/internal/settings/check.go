package settings

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/headwater-iot/headwater/agent/internal/sensor/roster"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/strictyaml"
)

// maxAbout bounds what a hello says of the device besides its readings. It is far below wire.MaxPairs tags.
const maxAbout = 16 << 10

const dropOldest = "drop_oldest"

// report takes one problem at a dotted path.
type report func(path, format string, args ...any)

// check reports every value that cannot work.
func (s *Settings) check(bad report) {
	if err := record.CheckDevice(s.Device); err != nil {
		bad("device", "%q: %v", s.Device, err)
	}
	for _, dir := range []struct{ path, value string }{{"data", s.Data}, {"run_dir", s.RunDir}} {
		if dir.value == "" {
			bad(dir.path, "is empty; name a directory")
		}
	}
	about := len(s.Site) + len(s.Owner)
	for key, value := range s.Tags {
		if key == "" || len(key) > 64 {
			bad("tags", "the name of a tag is 1 to 64 bytes, not %q", key)
		}
		about += len(key) + len(value) + 4
	}
	if about > maxAbout {
		bad("tags", "come to %d bytes with site and owner; at most %d fit in what is told to the gateway each minute", about, maxAbout)
	}
	s.Outbox.check(bad)
	atLeast(bad, "memory", s.Memory, minMemory)
	if problem := brokerProblem(s.Uplink.Broker); problem != "" {
		bad("uplink.broker", "%s", problem)
	}
	if s.HTTP.Listen != "" {
		if host, _, err := net.SplitHostPort(s.HTTP.Listen); err != nil {
			bad("http.listen", "%q is not HOST:PORT", s.HTTP.Listen)
		} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			bad("http.listen", "%q is open to the network; the page has no login, so use 127.0.0.1", s.HTTP.Listen)
		}
	}
	oneOf(bad, "log.level", s.Log.Level, "debug", "info", "warn", "error")
	oneOf(bad, "log.format", s.Log.Format, "text", "json")
	roster.Check(s.Sensors, func(path, format string, args ...any) { bad("sensors"+path, format, args...) })
}

func (o *Outbox) check(bad report) {
	if o.FlushInterval < minFlush {
		bad("outbox.flush_interval", "is %s; want at least %s", o.FlushInterval, minFlush)
	}
	atLeast(bad, "outbox.ring_size", o.RingSize, minRing)
	atLeast(bad, "outbox.quota", o.Quota, minQuota)
	oneOf(bad, "outbox.on_full", o.OnFull, dropOldest)
}

func atLeast(bad report, path string, got, want strictyaml.Size) {
	if got < want {
		bad(path, "is %s; want at least %s", got, want)
	}
}

func oneOf(bad report, path, got string, want ...string) {
	if !slices.Contains(want, got) {
		bad(path, "is %q; want one of %s", got, strings.Join(want, ", "))
	}
}

// brokerProblem says what is wrong with a broker's URL, "" = nothing. The uplink has the last word.
func brokerProblem(broker string) string {
	u, err := url.Parse(broker)
	switch {
	case err != nil || u.Hostname() == "" || u.Port() == "":
		return "want a URL such as tcp://192.168.1.5:1883"
	case u.Scheme == "ssl" || u.Scheme == "tls" || u.Scheme == "mqtts":
		return "TLS is not built yet; tcp:// only"
	case u.Scheme != "tcp" && u.Scheme != "mqtt":
		return fmt.Sprintf("%q is not a way to reach a broker; want tcp://", u.Scheme+"://")
	}
	return ""
}

// redacted returns a broker's URL without its password.
func redacted(broker string) string {
	u, err := url.Parse(broker)
	if err != nil {
		return broker
	}
	return u.Redacted()
}
