package settings

import (
	"fmt"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/headwater-iot/headwater/agent/internal/sensor/roster"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/strictyaml"
)

// Defaults, each with its reason.
const (
	// DefaultData is where the Filesystem Hierarchy Standard puts a service's state.
	DefaultData = "/var/lib/headwater-agent"
	// DefaultRunDir is on tmpfs on every Linux with an init system, and survives a service restart.
	DefaultRunDir = "/run/headwater"
	// DefaultBroker is the gateway's own default on the same machine.
	DefaultBroker = "tcp://127.0.0.1:1883"
	// DefaultFlushInterval bounds what a power cut can take; shorter costs flash wear when offline.
	DefaultFlushInterval = 10 * time.Second
	// DefaultRingSize holds a minute of a busy device, and is 3 % of a 64 MB router.
	DefaultRingSize = 2 * strictyaml.MiB
	// DefaultQuota is weeks of a quiet device, and fits the smallest card in use.
	DefaultQuota = 64 * strictyaml.MiB
	// DefaultReserve is left free on flash for the rest of the system.
	DefaultReserve = 16 * strictyaml.MiB
	// DefaultMemory is a soft limit for the Go heap: 16 MB idle and 32 MB draining with room for the rest.
	DefaultMemory = 20 * strictyaml.MiB
	// DefaultLogLevel and DefaultLogFormat are what a journal wants.
	DefaultLogLevel  = "info"
	DefaultLogFormat = "text"
)

// Smallest values that work.
const (
	minFlush  = time.Second        // less than two fsyncs a second keep a card alive
	minRing   = strictyaml.MiB     // some of the largest batches, and the rows of one more
	minQuota  = 4 * strictyaml.MiB // one segment of the outbox
	minMemory = 12 * strictyaml.MiB
)

// Settings is the whole configuration.
type Settings struct {
	Device string            `yaml:"device"` // who we are; from the host name if empty
	Named  bool              `yaml:"-"`      // Device was configured
	Site   string            `yaml:"site,omitempty"`
	Owner  string            `yaml:"owner,omitempty"`
	Tags   map[string]string `yaml:"tags,omitempty"`

	Data   string          `yaml:"data"`    // on flash: readings that wait for the gateway
	RunDir string          `yaml:"run_dir"` // on tmpfs: the ring
	Memory strictyaml.Size `yaml:"memory"`  // soft limit

	Uplink  Uplink            `yaml:"uplink"`
	Outbox  Outbox            `yaml:"outbox"`
	HTTP    HTTP              `yaml:"http"`
	Log     Log               `yaml:"log"`
	Sensors []roster.Settings `yaml:"sensors"`
}

// Uplink says where the gateway is.
type Uplink struct {
	Broker string `yaml:"broker"` // tcp://host:port
}

// Outbox says how much is kept, and what gives way.
type Outbox struct {
	FlushInterval time.Duration   `yaml:"flush_interval"` // a reading is durable by its end
	RingSize      strictyaml.Size `yaml:"ring_size"`
	Quota         strictyaml.Size `yaml:"quota"`   // bytes on flash
	Reserve       strictyaml.Size `yaml:"reserve"` // free bytes left to others
	OnFull        string          `yaml:"on_full"` // drop_oldest
}

// HTTP is the status page; off while Listen is empty.
type HTTP struct {
	Listen string `yaml:"listen"` // 127.0.0.1:0 = a free port, named in the log
}

// Log says what is logged.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

// Default returns the configuration of an agent that was given none.
func Default() Settings {
	host, _ := os.Hostname() // without one the device is called "device"
	return Settings{
		Device: DeviceName(host),
		Data:   DefaultData,
		RunDir: DefaultRunDir,
		Memory: DefaultMemory,
		Uplink: Uplink{Broker: DefaultBroker},
		Outbox: Outbox{
			FlushInterval: DefaultFlushInterval, RingSize: DefaultRingSize,
			Quota: DefaultQuota, Reserve: DefaultReserve, OnFull: dropOldest,
		},
		Log: Log{Level: DefaultLogLevel, Format: DefaultLogFormat},
	}
}

// DeviceName makes a device name of a host name.
func DeviceName(host string) string {
	plain := strings.Map(func(r rune) rune {
		if r < 0x80 && (record.CheckDevice("a"+string(r)) == nil) {
			return r
		}
		return '-'
	}, host)
	plain = strings.TrimRight(strings.TrimLeft(plain, "._:-"), "-")
	if plain == "" {
		return "device"
	}
	return plain[:min(len(plain), record.MaxDevice)]
}

// Load reads a file over the defaults. The error lists every problem with its place.
func Load(path string) (Settings, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Settings{}, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse reads the content of a file over the defaults.
func Parse(name string, data []byte) (Settings, error) {
	s := Default()
	host := s.Device
	s.Device = ""
	doc := strictyaml.Parse(name, data, &s)
	if s.Named = s.Device != ""; !s.Named {
		s.Device = host
	}
	s.check(doc.Add)
	return s, doc.Err()
}

// YAML returns the effective configuration, without the password of the broker.
func (s Settings) YAML() (string, error) {
	s.Uplink.Broker = redacted(s.Uplink.Broker)
	out, err := yaml.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("print configuration: %w", err)
	}
	return string(out), nil
}
