package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/headwater-iot/headwater/shared/record"
)

var update = flag.Bool("update", false, "write testdata/vectors.txt anew") // read only once parsed

// formBodies are bodies that make the encoder use one spelling each, by the name of the spelling.
func formBodies() map[string]*record.Body {
	column := func(c record.Column, rows int) *record.Body {
		c.Series = "s"
		g := record.Group{Unit: record.Milli, Columns: []record.Column{c}}
		for i := range rows {
			g.Times = append(g.Times, 86_400_000+1000*int64(i))
		}
		return &record.Body{Groups: []record.Group{g}}
	}
	ints := func(v ...int64) *record.Body { return column(record.Column{Kind: record.Int, Ints: v}, len(v)) }
	floats := func(v ...float64) *record.Body {
		return column(record.Column{Kind: record.Float, Floats: v}, len(v))
	}
	noise := make([]float64, 40)
	for i := range noise {
		noise[i] = float64(20_000+(i*7919)%97*((i%3)-1)) / 1000
	}
	r, walk := rand.New(rand.NewPCG(1, 5)), make([]int64, 40)
	for i := 1; i < len(walk); i++ {
		walk[i] = walk[i-1] + r.Int64N(1000) - 400
	}
	return map[string]*record.Body{
		"one":              ints(5),
		"constant":         ints(7, 7, 7, 7),
		"offset":           ints(10, -90, 101, -100, 90, 30, -77, 99, -98, 50, -60, 2),
		"delta":            ints(walk...),
		"delta of delta":   ints(0, 1000, 2001, 3003, 4003, 5004),
		"factor":           ints(500, 1500, 1000, 4500, 500, 3000),
		"all of int64":     ints(-1<<63, 1<<63-1, 0, -1, 1),
		"sint64":           ints(3, -1<<63, 1<<63-1, -1<<62-1, 1<<62+5, -0x7123456789abcdef, 0x7fedcba987654321),
		"decimal":          floats(21.5, 21.51, 21.49, 21.52),
		"corrected":        floats(74.93588199999998, 76.12416182, 78.14070731999998, 79.32983574, 78.71041827),
		"float32":          floats(0x1p-60, 0x1.fedcbap40, 0.5, 0x1.abcdeep-22),
		"float64":          floats(1e300, 0.1, 5e-324),
		"rice":             floats(noise...),
		"repeated texts":   column(record.Column{Kind: record.Text, Texts: strings.Fields("open open shut open shut open open open shut open shut")}, 11),
		"every kind":       smallBody(),
		"two groups in us": {Groups: []record.Group{ints(1).Groups[0], {Unit: record.Micro, Times: []int64{-5}, Columns: []record.Column{{Series: "all null", Kind: record.Float, Null: []bool{true}, Qual: []record.Quality{record.ReadError}, Floats: []float64{0}}}}}},
	}
}

// vectors are all committed bytes. Those of kind "body" are before zstd, whose output belongs to its library:
// what holds a zstd frame is in the file to be read, not to be written again.
func vectors(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for name, s := range structures(t) {
		out[name] = s.bytes
	}
	e, _ := newCodec(t)
	for name, body := range formBodies() {
		out["body: "+name] = bytes.Clone(e.appendBody(nil, header().Base, body))
	}
	long := pumpRig(60).batches(60, 1)[0]
	out["zstd: pump rig, 60 rows"] = seal(t, e, header(), long).Raw
	return out
}

var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd} // read only

func TestVectors(t *testing.T) {
	path := filepath.Join("testdata", "vectors.txt")
	now := vectors(t)
	if *update {
		writeVectors(t, path, now)
	}
	committed := readVectors(t, path)
	for _, name := range slices.Sorted(maps.Keys(now)) {
		old, ok := committed[name]
		if !ok {
			t.Errorf("%s: not in %s; run with -update", name, path)
			continue
		}
		if !bytes.Contains(old, zstdMagic) && !bytes.Equal(old, now[name]) {
			t.Errorf("%s: written as\n%x\ncommitted\n%x", name, now[name], old)
		}
		delete(committed, name)
	}
	for name := range committed {
		t.Errorf("%s: in %s but nothing writes it", name, path)
	}
}

func TestCommittedVectorsAreRead(t *testing.T) {
	committed := readVectors(t, filepath.Join("testdata", "vectors.txt"))
	for name, s := range structures(t) {
		if err := s.parse(committed[name]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, d := newCodec(t)
	for name, want := range formBodies() {
		var got record.Body
		s := Sealed{Header: header(), Body: committed["body: "+name]}
		s.Kind, s.Count = KindReadings, uint64(want.Readings())
		if err := d.Readings(&s, &got); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if x := diff(want, &got); x != "" {
			t.Errorf("%s: %s", name, x)
		}
	}
	s, err := ParseSealed(committed["zstd: pump rig, 60 rows"])
	if err != nil || s.Codec != Zstd {
		t.Fatalf("zstd vector: codec %d, %v", s.Codec, err)
	}
	var got record.Body
	if err := d.Readings(&s, &got); err != nil {
		t.Fatal(err)
	}
	if x := diff(pumpRig(60).batches(60, 1)[0], &got); x != "" {
		t.Fatal(x)
	}
}

// TestAnyCBORToolReadsABody holds bodies to deterministic CBOR by a decoder that knows nothing of them.
func TestAnyCBORToolReadsABody(t *testing.T) {
	dec, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, MaxNestedLevels: 8}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	e, _ := newCodec(t)
	for name, body := range formBodies() {
		b := e.appendBody(nil, header().Base, body)
		var v map[string]any
		if err := dec.Unmarshal(b, &v); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := dialect.enc.Marshal(v)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: written again by another encoder it is\n%x\nnot\n%x (%v)", name, again, b, err)
		}
	}
}

// TestSpellingsAreAllUsed is the negative control of the vectors: each body does use what it is named after.
func TestSpellingsAreAllUsed(t *testing.T) {
	e, _ := newCodec(t)
	for name, mark := range map[string]string{
		"constant":       "86020001" + "07" + "00" + "f6",
		"offset":         "85000001",
		"delta":          "85010001",
		"delta of delta": "86020001",
		"factor":         "1901f4",
		"decimal":        "860202",
		"corrected":      "8286020801",
		"float32":        "d85550",
		"float64":        "d8565818",
		"sint64":         "d84f5830",
		"rice":           "85000301",
		"repeated texts": "8282" + "646f70656e" + "6473687574",
	} {
		b := hex.EncodeToString(e.appendBody(nil, header().Base, formBodies()[name]))
		if !strings.Contains(b[20:], mark) {
			t.Errorf("%s: no %s in %s", name, mark, b)
		}
	}
}

func writeVectors(t *testing.T, path string, v map[string][]byte) {
	t.Helper()
	var out bytes.Buffer
	fmt.Fprintln(&out, "# Bytes that every version 1 reader reads; format_test.go and vectors_test.go have the fields they stand for.")
	fmt.Fprintln(&out, "# name = hex")
	for _, name := range slices.Sorted(maps.Keys(v)) {
		fmt.Fprintf(&out, "%s = %x\n", name, v[name])
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readVectors(t *testing.T, path string) map[string][]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string][]byte{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, digits, ok := strings.Cut(lines.Text(), " = ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatalf("%s: %s: %v", path, name, err)
		}
		out[name] = b
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
