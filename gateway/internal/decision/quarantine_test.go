package decision

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/headwater-iot/headwater/shared/wire"
)

func quarantineVectors() map[string]Quarantine {
	return map[string]Quarantine{
		"a5010102617803616404070584000a0c0d":            {Verb: Replay, ID: "x", Device: "d", Epoch: 7, Flat: []uint64{0, 10, 12, 13}},
		"a601020261780361640407058200" + "0a0663616461": {Verb: Discard, ID: "x", Device: "d", Epoch: 7, Flat: []uint64{0, 10}, Subject: "ada"},
		"a3010202617807835000000000000000000000000000000000030b": {
			Verb: Discard, ID: "x", Record: &Place{Log: wire.ID{}, Partition: 3, Offset: 11},
		},
	}
}

// TestQuarantineVector pins the bytes of FORMAT.md.
func TestQuarantineVector(t *testing.T) {
	for text, want := range quarantineVectors() {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := want.Append(nil)
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%+v is %x, %v; want %s", want, got, err, text)
		}
		back, err := ParseQuarantine(b)
		if diff := cmp.Diff(want, back, cmpopts.IgnoreUnexported(Place{})); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", text, err, diff)
		}
	}
}

func TestQuarantineRefusesOtherBytes(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":               "",
		"no such verb":          "a50103026178036164040705820001",
		"no id":                 "a501010260036164040705820001",
		"no seqs":               "a40101026178036164" + "0407",
		"no epoch":              "a40101026178036164" + "05820001",
		"no device":             "a40101026178" + "0407" + "05820001",
		"a device of a slash":   "a50101026178" + "03612f" + "0407" + "05820001",
		"an empty range":        "a50101026178036164040705820101",
		"half a range":          "a501010261780361640407058100",
		"a record to replay":    "a3010102617807835000000000000000000000000000000000030b",
		"a record of a device":  "a4010202617803616407835000000000000000000000000000000000030b",
		"a short log id":        "a30102026178078341000" + "30b",
		"a long form":           "a5180101026178036164040705820001",
		"an unknown key":        "a60101026178036164040705820001" + "0800",
		"a duplicate key":       "a601010101026178036164040705820001",
		"seqs in no order":      "a5010102617803616404070584" + "0c0d000a",
		"ranges that could one": "a5010102617803616404070584" + "000a0a0c",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(name, err)
		}
		if q, err := ParseQuarantine(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %+v, %v; want ErrFormat", name, q, err)
		}
	}
}

func FuzzParseQuarantine(f *testing.F) {
	for text := range quarantineVectors() {
		b, _ := hex.DecodeString(text)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ParseQuarantine(b)
		if err != nil {
			return
		}
		if again, err := q.Append(nil); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x was written again as %x: %v", b, again, err)
		}
	})
}
