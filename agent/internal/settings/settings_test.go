package settings

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/agent/internal/sensor/plugin"
	"github.com/headwater-iot/headwater/agent/internal/sensor/roster"
	"github.com/headwater-iot/headwater/shared/need"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/strictyaml"
)

func TestDefaultsAreValid(t *testing.T) {
	s, err := Parse("empty.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), s); diff != "" {
		t.Errorf("an empty file changed the defaults:\n%s", diff)
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	const file = `device: "-x"
uplnk: {}
uplink: {broker: "ssl://gateway:8883"}
outbox:
  flush_intervall: 5s
  quota: 1MiB
  on_full: drop_newest
http: {listen: "0.0.0.0:80"}
log: {level: loud}
memory: much
sensors:
  - {name: a, bme280: {bus: 1, addres: 0x76}}
  - {name: a, bme280: {address: 0x70}}
`
	_, err := Parse("agent.yaml", []byte(file))
	problems, ok := errors.AsType[strictyaml.Problems](err)
	if !ok {
		t.Fatalf("error is %v", err)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	want := []string{
		`agent.yaml:1:9: device: "-x": device name must be 1 to 64 of A-Z a-z 0-9 . _ : -, first a letter or digit`,
		`agent.yaml:2:1: uplnk: unknown key (did you mean uplink?)`,
		`agent.yaml:3:18: uplink.broker: TLS is not built yet; tcp:// only`,
		`agent.yaml:5:3: outbox.flush_intervall: unknown key (did you mean flush_interval?)`,
		`agent.yaml:6:10: outbox.quota: is 1MiB; want at least 4MiB`,
		`agent.yaml:7:12: outbox.on_full: is "drop_newest"; want one of drop_oldest`,
		`agent.yaml:8:16: http.listen: "0.0.0.0:80" is open to the network; the page has no login, so use 127.0.0.1`,
		`agent.yaml:9:14: log.level: is "loud"; want one of debug, info, warn, error`,
		`agent.yaml:10:9: memory: want a size such as 512KiB or 64MiB, not "much"`,
		`agent.yaml:12:32: sensors[0].bme280.addres: unknown key (did you mean address?)`,
		`agent.yaml:13:12: sensors[1].name: "a" is used twice`,
		`agent.yaml:13:15: sensors[1].bme280.bus: is missing: name one such as 1 (/dev/i2c-1), or sim to try without hardware`,
		`agent.yaml:13:33: sensors[1].bme280.address: must be 0x76 or 0x77, not 0x70`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTagsFitAHello(t *testing.T) {
	for n, good := range map[int]bool{1000: true, 2000: false} {
		s := Default()
		s.Tags = map[string]string{}
		for i := range n {
			s.Tags[fmt.Sprintf("tag-%d", i)] = "v"
		}
		var got []string
		s.check(func(path, format string, args ...any) { got = append(got, path+" "+fmt.Sprintf(format, args...)) })
		if (len(got) == 0) != good {
			t.Errorf("%d tags: %q", n, got)
		}
	}
}

func TestBrokerURLs(t *testing.T) {
	for broker, good := range map[string]bool{
		"tcp://127.0.0.1:1883": true, "mqtt://[::1]:1883": true, "tcp://user:pw@gateway:1883": true,
		"": false, "gateway": false, "gateway:1883": false, "tcp://gateway": false, "http://gateway:80": false, "tls://g:1": false, "tcp://%zz:1": false,
	} {
		if problem := brokerProblem(broker); (problem == "") != good {
			t.Errorf("%q: %q", broker, problem)
		}
	}
}

func TestDeviceNames(t *testing.T) {
	for host, want := range map[string]string{
		"": "device", "pump-7": "pump-7", "Pump 7": "Pump-7", "--x": "x", "...": "device", "pi.local": "pi.local",
		"größe": "gr--e", strings.Repeat("a", 100): strings.Repeat("a", 64), "ü": "device",
	} {
		if got := DeviceName(host); got != want || record.CheckDevice(got) != nil {
			t.Errorf("DeviceName(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestPrintedConfigurationReadsBack(t *testing.T) {
	s, err := Load(filepath.Join(need.Repo(t), "configs", "agent.sim.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("printed.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(s, again); diff != "" {
		t.Errorf("printed and read back:\n%s", diff)
	}
}

func TestPasswordIsNotPrinted(t *testing.T) {
	s := Default()
	s.Uplink.Broker = "tcp://pump:secret@gateway:1883"
	s.Sensors = []roster.Settings{{Name: "lab", Exec: &plugin.Settings{Env: plugin.Env{"TOKEN": "secret"}}}}
	text, err := s.YAML()
	if err != nil || strings.Contains(text, "secret") || !strings.Contains(text, "TOKEN: xxxxx") {
		t.Errorf("printed %s, %v", text, err)
	}
	if !strings.Contains(s.Uplink.Broker, "secret") || s.Sensors[0].Exec.Env["TOKEN"] != "secret" {
		t.Error("printing changed the settings")
	}
}

func TestExampleIsValid(t *testing.T) {
	s, err := Load(filepath.Join(need.Repo(t), "configs", "agent.sim.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Sensors) != 2 || s.Outbox.FlushInterval != 4*time.Second || s.Uplink.Broker != DefaultBroker {
		t.Errorf("read %+v", s)
	}
}

func TestDeviceIsNamedOnlyByTheFile(t *testing.T) {
	for text, named := range map[string]bool{"": false, "device: \"\"": false, "device: pump-7": true} {
		s, err := Parse("agent.yaml", []byte(text))
		if err != nil || s.Named != named || named != (s.Device == "pump-7") {
			t.Errorf("%q: device %q, named %v, %v", text, s.Device, s.Named, err)
		}
	}
}

func TestMissingFileIsNamed(t *testing.T) {
	if _, err := Load("/nowhere/agent.yaml"); err == nil || !strings.Contains(err.Error(), "/nowhere/agent.yaml") {
		t.Errorf("error is %v", err)
	}
}
