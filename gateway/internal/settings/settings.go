package settings

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/headwater-iot/headwater/shared/strictyaml"
)

// Defaults, each with its reason.
const (
	// DefaultMQTT and DefaultHTTP listen on loopback only: anything else needs credentials.
	DefaultMQTT = "127.0.0.1:1883"
	DefaultHTTP = "127.0.0.1:8080"
	// DefaultClientID is one for all gateways: two on one broker would each forget what the other has, and are seen
	// because they take the session from each other.
	DefaultClientID = "headwater-gateway"
	// DefaultPartitions is enough for two landing workers on a small box; fixed at birth.
	DefaultPartitions = 4
	// DefaultSegment keeps trimming fine-grained while a segment still streams well.
	DefaultSegment = 64 << 20
	// DefaultReserve is the share of a disk that ingest leaves for expiry and repair, in percent.
	DefaultReserve = 5
	// DefaultShare lets ten devices fail at once before the log is full for all, in percent.
	DefaultShare = 10
	// DefaultCommitEvery is the freshness an analyst sees when little arrives.
	DefaultCommitEvery = time.Second
	// DefaultCommitStretch is how far a busy gateway may stretch it, for larger files.
	DefaultCommitStretch = 10 * time.Second
	// DefaultCommitBytes bounds the memory of one commit.
	DefaultCommitBytes = 128 << 20
	// DefaultMemory is a soft limit for the Go heap: four times a full commit, which is what a busy gateway takes. From
	// there on the collector works harder instead of letting garbage double the heap.
	DefaultMemory = 4 * DefaultCommitBytes
	// DefaultMaintainEvery is how often manifests are merged and snapshots expired.
	DefaultMaintainEvery = time.Minute
	// DefaultProfileEvery is how far behind profiles may be: a figure of a day is in no hurry, and today is read again as a
	// whole each time.
	DefaultProfileEvery = 15 * time.Minute
)

// Settings is the whole configuration.
type Settings struct {
	Data     string          `yaml:"data"`   // holds lake/ and state/
	Memory   strictyaml.Size `yaml:"memory"` // soft limit
	MQTT     MQTT            `yaml:"mqtt"`
	HTTP     HTTP            `yaml:"http"`
	Log      Log             `yaml:"log"`
	Commit   Commit          `yaml:"commit"`
	Maintain Maintain        `yaml:"maintain"`
	Profile  Profile         `yaml:"profile"`

	Contracts Contracts `yaml:"contracts"`
}

// MQTT is how devices reach the gateway: the embedded broker, which listens, or an external one.
type MQTT struct {
	Listen      string `yaml:"listen"`
	InsecureLAN bool   `yaml:"insecure_lan"`

	Broker       string `yaml:"broker"` // tcp://HOST:PORT; "" = the embedded one
	ClientID     string `yaml:"client_id"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
}

// HTTP is the operator's door.
type HTTP struct {
	Listen string `yaml:"listen"`
}

// Log is the gateway's durable queue.
type Log struct {
	Partitions     int             `yaml:"partitions"` // fixed when the lake is born
	Segment        strictyaml.Size `yaml:"segment"`
	ReservePercent int             `yaml:"reserve_percent"`
	SharePercent   int             `yaml:"share_percent"` // for one device, until it lands
}

// Commit says how often the lake gets a snapshot, and how much of its disk that leaves.
type Commit struct {
	Every          time.Duration   `yaml:"every"`
	Stretch        time.Duration   `yaml:"stretch"`
	Bytes          strictyaml.Size `yaml:"bytes"`
	ReservePercent int             `yaml:"reserve_percent"`
}

// Maintain says how often the lake is kept tidy.
type Maintain struct {
	Every time.Duration `yaml:"every"`
}

// Contracts says where the files of contracts are.
type Contracts struct {
	Dir string `yaml:"dir"` // read at the start; "" = none
}

// Profile says how often profiles of series and days are made.
type Profile struct {
	Every time.Duration `yaml:"every"` // 0s = never
}

// Default returns the configuration of a gateway that was given none.
func Default() Settings {
	return Settings{
		Data:     defaultData(),
		Memory:   DefaultMemory,
		MQTT:     MQTT{Listen: DefaultMQTT, ClientID: DefaultClientID},
		HTTP:     HTTP{Listen: DefaultHTTP},
		Log:      Log{Partitions: DefaultPartitions, Segment: DefaultSegment, ReservePercent: DefaultReserve, SharePercent: DefaultShare},
		Commit:   Commit{Every: DefaultCommitEvery, Stretch: DefaultCommitStretch, Bytes: DefaultCommitBytes, ReservePercent: DefaultReserve},
		Maintain: Maintain{Every: DefaultMaintainEvery},
		Profile:  Profile{Every: DefaultProfileEvery},
	}
}

// defaultData is where the Filesystem Hierarchy Standard puts a service's state.
func defaultData() string { return "/var/lib/headwater-gateway" }

// Load reads a file over the defaults. The error lists every problem with its place.
func Load(path string) (Settings, error) {
	s := Default()
	data, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("read configuration: %w", err)
	}
	s.MQTT.Listen = "" // so that it shows whether the file names a broker instead
	if err := strictyaml.Decode(path, data, &s); err != nil {
		return s, err
	}
	if s.MQTT.Listen == "" && s.MQTT.Broker == "" {
		s.MQTT.Listen = DefaultMQTT
	}
	return s, s.Check()
}

// Check returns every value that cannot work, joined.
func (s *Settings) Check() error {
	var errs []error
	bad := func(path, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
	}
	if s.Data == "" {
		bad("data", "is empty; name a directory")
	}
	if s.Contracts.Dir != "" {
		if info, err := os.Stat(s.Contracts.Dir); err != nil {
			bad("contracts.dir", "%v", err)
		} else if !info.IsDir() {
			bad("contracts.dir", "%s is no directory", s.Contracts.Dir)
		}
	}
	s.MQTT.check(bad)
	if _, _, err := net.SplitHostPort(s.HTTP.Listen); err != nil {
		bad("http.listen", "%q is not HOST:PORT", s.HTTP.Listen)
	}
	if s.Log.Partitions < 1 || s.Log.Partitions > 1024 {
		bad("log.partitions", "is %d; want 1 to 1024", s.Log.Partitions)
	}
	if s.Log.Segment < 1<<20 {
		bad("log.segment", "is %d bytes; want at least 1MiB", s.Log.Segment)
	}
	for path, percent := range map[string]int{"log.reserve_percent": s.Log.ReservePercent, "commit.reserve_percent": s.Commit.ReservePercent} {
		if percent < 0 || percent > 50 {
			bad(path, "is %d; want 0 to 50", percent)
		}
	}
	if s.Log.SharePercent < 0 || s.Log.SharePercent > 100 {
		bad("log.share_percent", "is %d; want 0 (no limit) to 100", s.Log.SharePercent)
	}
	if s.Commit.Every <= 0 || s.Commit.Stretch < s.Commit.Every {
		bad("commit", "every is %s and stretch %s; want 0 < every <= stretch", s.Commit.Every, s.Commit.Stretch)
	}
	if s.Commit.Bytes < 1<<20 {
		bad("commit.bytes", "is %d; want at least 1MiB", s.Commit.Bytes)
	}
	if s.Memory < 2*s.Commit.Bytes {
		bad("memory", "is %d bytes; want at least twice commit.bytes, or the collector never rests", s.Memory)
	}
	if s.Maintain.Every <= 0 {
		bad("maintain.every", "is %s; want more than zero", s.Maintain.Every)
	}
	if s.Profile.Every < 0 {
		bad("profile.every", "is %s; want more than zero, or 0s for never", s.Profile.Every)
	}
	return errors.Join(errs...)
}

// check allows exactly one of the two ways in.
func (m *MQTT) check(bad func(path, format string, args ...any)) {
	if m.Broker == "" {
		if _, _, err := net.SplitHostPort(m.Listen); err != nil {
			bad("mqtt.listen", "%q is not HOST:PORT", m.Listen)
		}
		if m.Username != "" || m.PasswordFile != "" {
			bad("mqtt", "username and password_file are for an external broker, and mqtt.broker is not set")
		}
		return
	}
	if m.Listen != "" {
		bad("mqtt", "has both listen (%s) and broker (%s); devices come in by one of them", m.Listen, m.Broker)
	}
	if u, err := url.Parse(m.Broker); err != nil || u.Scheme != "tcp" || u.Hostname() == "" || u.Port() == "" || u.User != nil || u.Path != "" {
		bad("mqtt.broker", "want tcp://HOST:PORT; a user goes into mqtt.username and mqtt.password_file")
	}
	if m.ClientID == "" || strings.ContainsAny(m.ClientID, "+#/") {
		bad("mqtt.client_id", "%q: want a name without + # and /; the broker keeps a session under it", m.ClientID)
	}
	if m.PasswordFile == "" {
		return
	}
	if m.Username == "" {
		bad("mqtt.username", "is empty, but there is a password_file")
	}
	if _, err := os.ReadFile(m.PasswordFile); err != nil {
		bad("mqtt.password_file", "%v", err)
	}
}

// Lake returns the only directory that needs a backup.
func (s *Settings) Lake() string { return filepath.Join(s.Data, "lake") }

// State returns the disposable directory: log and caches.
func (s *Settings) State() string { return filepath.Join(s.Data, "state") }

// YAML returns the effective configuration.
func (s *Settings) YAML() (string, error) {
	out, err := yaml.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("print configuration: %w", err)
	}
	return string(out), nil
}
