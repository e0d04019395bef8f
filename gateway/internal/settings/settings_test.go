package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/need"
)

func load(t *testing.T, text string) (Settings, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // parts of the error; none = accepted
	}{
		{"empty file keeps the defaults", "", nil},
		{"sizes and durations", "log: {segment: 8MiB}\ncommit: {every: 500ms}\n", nil},
		{"all unknown keys at once", "dat: /x\nmqtt: {lisen: 127.0.0.1:1}\n", []string{":1:1", "did you mean data", ":2:8", "mqtt.lisen", "did you mean listen"}},
		{"wrong type", "log: {partitions: many}\n", []string{"log.partitions"}},
		{"values that cannot work", "mqtt: {listen: here}\nlog: {partitions: 0}\n", []string{"mqtt.listen", "HOST:PORT", "log.partitions"}},
		{"memory below what a commit needs", "memory: 128MiB\n", []string{"memory", "twice commit.bytes"}},
		{"less memory for smaller commits", "memory: 128MiB\ncommit: {bytes: 32MiB}\n", nil},
		{"an external broker", "mqtt: {broker: tcp://broker:1883, client_id: gw, username: gw}\n", nil},
		{"two ways in", "mqtt: {broker: tcp://broker:1883, listen: 127.0.0.1:1883}\n", []string{"both listen (127.0.0.1:1883) and broker"}},
		{"no way in that works", "mqtt: {broker: tcp://gw:secret@broker, client_id: a/b, password_file: /no/such/file}\nlog: {partitions: 0}\n", []string{"want tcp://HOST:PORT", "mqtt.client_id", "mqtt.username", "/no/such/file", "log.partitions"}},
		{"TLS is not built", "mqtt: {broker: ssl://broker:8883}\n", []string{"want tcp://HOST:PORT"}},
		{"a password for the embedded broker", "mqtt: {username: gw}\n", []string{"mqtt.broker is not set"}},
		{"shares and reserves of nothing", "log: {share_percent: 101}\ncommit: {reserve_percent: 60}\n", []string{"log.share_percent", "commit.reserve_percent"}},
		{"profiles never", "profile: {every: 0s}\n", nil},
		{"less than never", "profile: {every: -1s}\n", []string{"profile.every", "0s for never"}},
		{"stretch below every", "commit: {every: 20s}\n", []string{"every <= stretch"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, tt.text)
			if (err == nil) != (len(tt.want) == 0) {
				t.Fatalf("error is %v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error lacks %q:\n%v", part, err)
				}
			}
		})
	}
}

func TestDefaultsPassTheirOwnCheck(t *testing.T) {
	s := Default()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	text, err := s.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := load(t, text)
	if err != nil || again != s {
		t.Errorf("the printed defaults read back as %+v, %v", again, err)
	}
}

// TestBrokerReadsBack prints a configuration with a broker, and reads it again.
func TestBrokerReadsBack(t *testing.T) {
	s, err := load(t, "mqtt: {broker: tcp://broker:1883}\n")
	if err != nil || s.MQTT.Listen != "" || s.MQTT.ClientID != DefaultClientID {
		t.Fatalf("read %+v, %v", s.MQTT, err)
	}
	text, err := s.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := load(t, text); err != nil || again != s {
		t.Errorf("read back as %+v, %v", again, err)
	}
}

// TestExampleIsTheDefaults keeps configs/gateway.yaml, which every operator copies, equal to the code.
func TestExampleIsTheDefaults(t *testing.T) {
	s, err := Load(filepath.Join(need.Repo(t), "configs", "gateway.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if s != Default() {
		t.Errorf("the example says %+v, the defaults are %+v", s, Default())
	}
}
