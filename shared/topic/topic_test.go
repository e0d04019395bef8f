package topic

import (
	"strings"
	"testing"
)

func TestTopicsAreWhatTheFormatSays(t *testing.T) {
	const client = "pump-7+import-00000000000000ff"
	for got, want := range map[string]string{
		Up("pump-7", Batch): "hw/1/up/pump-7/batch",
		Up(client, Hello):   "hw/1/up/pump-7~import-00000000000000ff/hello",
		Down("pump-7", Ack): "hw/1/down/pump-7/ack",
		Down(client, Nack):  "hw/1/down/pump-7~import-00000000000000ff/nack",
		DownAll(client):     "hw/1/down/pump-7~import-00000000000000ff/+",
		UpAll:               "hw/1/up/+/+",
	} {
		if got != want {
			t.Errorf("topic %q, want %q", got, want)
		}
	}
}

func TestParseUpIsTheInverseOfUp(t *testing.T) {
	for _, client := range []string{"a", "pump-7", "A.b_c:d-9", "pump-7+import-00000000000000ff", strings.Repeat("x", 64)} {
		for _, what := range []What{Batch, Hello} {
			c, w, err := ParseUp(Up(client, what))
			if err != nil || c != client || w != what {
				t.Errorf("%s %s came back as %q %q: %v", client, what, c, w, err)
			}
		}
	}
}

func TestParseUpRefuses(t *testing.T) {
	for _, topic := range []string{
		"", "hw/1/up/", "hw/1/up//batch", "hw/1/up/a", "hw/1/up/a/ack", "hw/1/up/a/batch/", "hw/1/up/a/b/batch",
		"hw/2/up/a/batch", "hw/1/down/a/batch", "x/hw/1/up/a/batch", "hw/1/up/+/batch", "hw/1/up/#/batch",
		"hw/1/up/a+import-00000000000000ff/batch", "hw/1/up/a~import-xx/batch", "hw/1/up/a~import-00000000000000FF/batch",
		"hw/1/up/a~b/batch", "hw/1/up/-a/batch", "hw/1/up/a b/batch", "hw/1/up/" + strings.Repeat("x", 65) + "/batch",
	} {
		if client, what, err := ParseUp(topic); err == nil {
			t.Errorf("%q was read as %q %q", topic, client, what)
		}
	}
}

func FuzzParseUp(f *testing.F) {
	f.Add("hw/1/up/pump-7/batch")
	f.Add("hw/1/up/pump-7~import-00000000000000ff/hello")
	f.Add("hw/1/up/~/batch")
	f.Fuzz(func(t *testing.T, topic string) {
		client, what, err := ParseUp(topic)
		if err == nil && Up(client, what) != topic {
			t.Fatalf("%q was read as %q %q, which writes %q", topic, client, what, Up(client, what))
		}
	})
}
