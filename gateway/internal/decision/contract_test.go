package decision

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// vectors returns decisions by the bytes that FORMAT.md gives it.
func vectors() map[string]Contract {
	return map[string]Contract{
		"a501010261610365312e302e30044369643a0563616461": {
			Action: Apply, ID: "a", Version: "1.0.0", Source: []byte("id:"), Subject: "ada",
		},
		"a401020261610365312e302e30044369643a": {Action: Shadow, ID: "a", Version: "1.0.0", Source: []byte("id:")},
		"a301030261610360":                     {Action: Remove, ID: "a"},
	}
}

func TestContractVector(t *testing.T) {
	for text, want := range vectors() {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := want.Append(nil)
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%+v is %x, %v; want %s", want, got, err, text)
		}
		back, err := ParseContract(b)
		if diff := cmp.Diff(want, back); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", text, err, diff)
		}
	}
}

func TestContractRefusesOtherBytes(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":               "",
		"trailing byte":         "a30103026161036000",
		"keys in another order": "a302616101030360",
		"a long form":           "a31801030261610360",
		"a duplicate key":       "a4010301030261610360",
		"an unknown key":        "a4010302616103600600",
		"no such action":        "a301090261610360",
		"no id":                 "a3010302600360",
		"remove with source":    "a401030261610360044101",
		"apply without":         "a301010261610360",
		"indefinite length":     "bf01030261610360ff",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := ParseContract(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %+v, %v; want ErrFormat", name, c, err)
		}
	}
}

func TestActionWords(t *testing.T) {
	for a := Apply; a <= Remove; a++ {
		if back, err := ParseAction(a.String()); back != a || err != nil {
			t.Errorf("%s: %v, %v", a, back, err)
		}
	}
	if _, err := ParseAction("live"); err == nil {
		t.Error("live is a mode")
	}
}

func FuzzParseContract(f *testing.F) {
	for text := range vectors() {
		b, _ := hex.DecodeString(text)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseContract(b)
		if err != nil {
			return
		}
		if again, err := c.Append(nil); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x was written again as %x: %v", b, again, err)
		}
	})
}
