package scan

import (
	"flag"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func TestFormats(t *testing.T) {
	huge, _ := new(big.Int).SetString("18446744073709551615", 10)
	rows := [][]any{
		{"plain", 0.1, int64(-5), time.UnixMicro(1_760_000_000_000_001), true, nil, []byte{0, 255}, []any{int64(1), int64(2)}, map[string]any{"b": "x", "a": ""}},
		{"", math.Inf(-1), huge, time.UnixMicro(-1), false, "", []byte{}, []any{}, map[string]any{}},
		{"comma, \"quote\"\nline \x1b[31m <&>", math.NaN(), int64(1 << 60), time.UnixMicro(0), nil, " edge ", nil, nil, nil},
		{"größer", 5e-324, int64(0), time.UnixMicro(0), nil, nil, nil, nil, nil},
		{"z", math.MaxFloat64, int64(0), time.UnixMicro(0), nil, nil, nil, nil, nil},
		{"z", math.Copysign(0, -1), int64(0), time.UnixMicro(0), nil, nil, nil, nil, nil},
	}
	for _, f := range []Format{Table, CSV, JSONL} {
		var out strings.Builder
		w, err := NewWriter(f, &out)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Header([]string{"text", "float", "integer", "time", "bool", "maybe", "bytes", "list", "map"}); err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if err := w.Row(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", string(f)+".golden")
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f, diff)
		}
	}
	if _, err := NewWriter("xml", nil); err == nil {
		t.Error("format xml was taken")
	}
}

// TestTableStreams: a table of many rows keeps the widths of the first.
func TestTableStreams(t *testing.T) {
	var out strings.Builder
	w, err := NewWriter(Table, &out)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Header([]string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	for range 3 * heldRows {
		if err := w.Row([]any{"wide enough", int64(1)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3*heldRows+1 || lines[0] != "a            b" || lines[3*heldRows] != "wide enough  1" {
		t.Errorf("%d lines, %q ... %q", len(lines), lines[0], lines[len(lines)-1])
	}
}
