package wire

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

var testAnchor = Anchor{State: Synced, Generation: 3, Wall: 1_790_000_000_000_000, Monotonic: 86_400_000_000, Uncertainty: 20_000} // read only

// smallBody has every kind of value once.
func smallBody() *record.Body {
	return &record.Body{Groups: []record.Group{{
		Unit:  record.Milli,
		Times: []int64{86_400_000, 86_401_000, 86_402_001},
		Columns: []record.Column{
			{Series: "t", Unit: "Cel", Kind: record.Float, Floats: []float64{21.5, 21.51, math.Copysign(0, -1)}},
			{Series: "n", Kind: record.Int, Rows: []uint32{0, 2}, Ints: []int64{math.MinInt64, math.MaxInt64}},
			{Series: "c", Kind: record.Uint, Uints: []uint64{0, math.MaxUint64, 7}},
			{Series: "s", Kind: record.Text, Texts: []string{"on", "", "off"}, Null: []bool{false, true, false}, Qual: []record.Quality{0, record.ReadError, 0}},
			{Series: "b", Kind: record.Bool, Bools: []bool{true, false, true}},
			{Series: "x", Kind: record.Bytes, Blobs: [][]byte{{1, 2}, {}, {0xff}}},
		},
	}}}
}

func mustAppend(t testing.TB) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// structures returns one valid instance of each thing on the wire, by name, and how to read it.
func structures(t testing.TB) map[string]structure {
	t.Helper()
	must := mustAppend(t)
	e, d := newCodec(t)
	readings := must(e.AppendReadings(nil, header(), smallBody()))
	promised := header()
	promised.Absolute, promised.HasPromise, promised.Promise = true, true, -5
	gapHeader := header()
	gapHeader.Count = 500
	parseSealed := func(b []byte) error { _, err := ParseSealed(b); return err }
	return map[string]structure{
		"sealed readings": {readings, func(b []byte) error {
			s, err := ParseSealed(b)
			if err != nil {
				return err
			}
			return d.Readings(&s, new(record.Body))
		}},
		"sealed readings, absolute, promise": {must(e.AppendReadings(nil, promised, smallBody())), parseSealed},
		"sealed gap":                         {must(AppendGap(nil, gapHeader, Gap{Reason: Thinned, From: -1, To: 5, Series: []string{"t"}})), parseSealed},
		"sealed end":                         {must(AppendEnd(nil, header())), parseSealed},
		"envelope":                           {AppendEnvelope(nil, testAnchor, readings), parseEnvelopeError},
		"envelope without anchor":            {AppendEnvelope(nil, Anchor{Wall: 5}, readings), parseEnvelopeError},
		"hello":                              {must(AppendHello(nil, testHello())), func(b []byte) error { _, err := ParseHello(b); return err }},
		"ack":                                {must(AppendAck(nil, testAck())), func(b []byte) error { _, err := ParseAck(b); return err }},
		"nack":                               {must(AppendNack(nil, testNack())), func(b []byte) error { _, err := ParseNack(b); return err }},
	}
}

type structure struct {
	bytes []byte
	parse func([]byte) error
}

func parseEnvelopeError(b []byte) error { _, _, err := ParseEnvelope(b); return err }

func testHello() *Hello {
	return &Hello{
		Device: "pump-7", Client: "pump-7", Nonce: 99, Sent: 5_000_000, Boot: 0x99aabbccddeeff00, Version: "1.0.0",
		Anchors: []BootAnchor{{Boot: 0x99aabbccddeeff00, Generation: 3, State: Synced, Wall: 1_790_000_000_000_000, Monotonic: 86_400_000_000, Uncertainty: 20_000}},
		Epochs: []HelloEpoch{
			{Epoch: 1, Boot: 1, Floor: 10, Next: 20, Held: []uint64{12, 15, 18, 20}, State: EpochEnded},
			{Epoch: 2, Predecessor: 1, Boot: 2, Floor: 0, Next: 7, Held: []uint64{}, State: EpochLost, CountMax: 600},
		},
		Wire: []uint64{1}, BacklogBytes: 1000, BacklogBatches: 2, Site: "north", Owner: "ops",
		Tags: map[string]string{"line": "4"}, Schedule: map[string]uint64{"t": 1000},
	}
}

func testAck() *Ack {
	stored, landed := seqset.Of(seqset.Range{From: 0, To: 10}, seqset.Range{From: 12, To: 20}), seqset.Of(seqset.Range{From: 3, To: 5})
	return &Ack{
		Lake: ID{1}, Log: ID{15: 2}, Start: 4, N: 77, Client: "pump-7", Nonce: 99, Sent: 5_000_000,
		Epochs: []AckEpoch{NewAckEpoch(2, &stored, &landed, false)},
		Wire:   []uint64{1}, Dicts: []uint64{0}, Time: 1_790_000_000_000_000, Credit: 65536,
	}
}

func testNack() *Nack {
	return &Nack{Epoch: 2, First: 100, Count: 50, CRC: 0xdeadbeef, Reason: HoleFirst, MissingFrom: 20, MissingTo: 100, Detail: "64 ranges"}
}

func TestNoFlippedBitPasses(t *testing.T) {
	for name, s := range structures(t) {
		if err := s.parse(s.bytes); err != nil {
			t.Errorf("%s: the good one is refused: %v", name, err)
		}
		for bit := range 8 * len(s.bytes) {
			b := bytes.Clone(s.bytes)
			b[bit/8] ^= 1 << (bit % 8)
			if s.parse(b) == nil {
				t.Errorf("%s: bit %d of byte %d flipped and nobody noticed", name, bit%8, bit/8)
			}
		}
	}
}

func TestNoCutOrLongerInputPasses(t *testing.T) {
	for name, s := range structures(t) {
		for n := range len(s.bytes) {
			if s.parse(s.bytes[:n]) == nil {
				t.Errorf("%s: %d of %d bytes pass", name, n, len(s.bytes))
			}
		}
		if s.parse(append(bytes.Clone(s.bytes), 0)) == nil {
			t.Errorf("%s: a byte behind the end passes", name)
		}
	}
}

func TestSealedHeaderComesBack(t *testing.T) {
	for _, absolute := range []bool{false, true} {
		for _, promise := range []bool{false, true} {
			h := Header{
				Kind: KindReadings, Absolute: absolute, HasPromise: promise, Codec: Stored, Device: strings.Repeat("d", 64),
				Epoch: math.MaxUint64, Boot: 1, First: record.MaxSeq - 5, Count: 5, Base: math.MinInt64,
			}
			if promise {
				h.Promise = math.MaxInt64
			}
			b := mustAppend(t)(AppendSealed([]byte("before"), h, []byte("body")))
			s, err := ParseSealed(b[6:])
			if err != nil {
				t.Fatal(err)
			}
			if s.Header != h || string(s.Body) != "body" || s.End() != record.MaxSeq {
				t.Errorf("%+v came back as %+v", h, s)
			}
		}
	}
}

func TestSealRefusesABadHeader(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Header)
		body   int
		want   error
	}{
		"device":            {func(h *Header) { h.Device = "a/b" }, 1, ErrFormat},
		"epoch 0":           {func(h *Header) { h.Epoch = 0 }, 1, ErrFormat},
		"boot 0":            {func(h *Header) { h.Boot = 0 }, 1, ErrFormat},
		"kind 0":            {func(h *Header) { h.Kind = 0 }, 1, ErrVersion},
		"kind 4":            {func(h *Header) { h.Kind = 4 }, 1, ErrVersion},
		"codec 2":           {func(h *Header) { h.Codec = 2 }, 1, ErrVersion},
		"dictionary 1":      {func(h *Header) { h.Dict = 1 }, 1, ErrVersion},
		"count 0":           {func(h *Header) { h.Count = 0 }, 1, ErrFormat},
		"count 2^20+1":      {func(h *Header) { h.Count = MaxReadings + 1 }, 1, ErrFormat},
		"past 2^63-1":       {func(h *Header) { h.First = record.MaxSeq }, 1, ErrFormat},
		"far past 2^63-1":   {func(h *Header) { h.First = math.MaxUint64 }, 1, ErrFormat},
		"no body":           {func(*Header) {}, 0, ErrFormat},
		"gap of none":       {func(h *Header) { h.Kind, h.Count = KindGap, 0 }, 1, ErrFormat},
		"compressed gap":    {func(h *Header) { h.Kind, h.Codec = KindGap, Zstd }, 1, ErrFormat},
		"end with count":    {func(h *Header) { h.Kind = KindEnd }, 0, ErrFormat},
		"end with body":     {func(h *Header) { h.Kind, h.Count = KindEnd, 0 }, 1, ErrFormat},
		"larger than 240 K": {func(*Header) {}, MaxSealed, ErrTooLarge},
	} {
		h := header()
		h.Kind, h.Count = KindReadings, 1
		c.change(&h)
		b, err := AppendSealed([]byte("x"), h, make([]byte, c.body))
		if !errors.Is(err, c.want) || string(b) != "x" {
			t.Errorf("%s: %v, want %v, and dst as it was", name, err, c.want)
		}
	}
}

// reseal puts a right CRC on bytes that are wrong otherwise.
func reseal(b []byte) []byte { return appendCRC(b[:len(b)-4:len(b)-4], 0) }

func TestParseNamesWhatIsWrong(t *testing.T) {
	good := structures(t)["sealed gap"].bytes
	for name, c := range map[string]struct {
		at   int
		to   byte
		want error
	}{
		"magic":            {0, 'X', ErrFormat},
		"version":          {2, 2, ErrVersion},
		"kind":             {3, 9, ErrVersion},
		"unknown flag":     {4, 4, ErrVersion},
		"codec":            {5, 2, ErrVersion},
		"dictionary":       {6, 1, ErrVersion},
		"device too long":  {7, 255, ErrFormat},
		"device too short": {7, 0, ErrFormat},
	} {
		b := bytes.Clone(good)
		b[c.at] = c.to
		if _, err := ParseSealed(b); !errors.Is(err, ErrCRC) {
			t.Errorf("%s, CRC wrong: %v, want %v", name, err, ErrCRC)
		}
		if _, err := ParseSealed(reseal(b)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := ParseSealed(make([]byte, MaxSealed+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func TestEnvelopeComesBack(t *testing.T) {
	sealed := structures(t)["sealed readings"].bytes
	for _, a := range []Anchor{
		{},
		testAnchor,
		{State: Unsynced, Generation: math.MaxUint64, Wall: math.MinInt64, Monotonic: math.MaxInt64, Uncertainty: math.MaxUint64},
	} {
		got, s, err := ParseEnvelope(AppendEnvelope(nil, a, sealed))
		if err != nil || got != a || !bytes.Equal(s.Raw, sealed) {
			t.Errorf("%+v came back as %+v: %v", a, got, err)
		}
	}
}

func TestMessagesComeBack(t *testing.T) {
	must := mustAppend(t)
	hello, err := ParseHello(must(AppendHello(nil, testHello())))
	if err != nil || !reflect.DeepEqual(hello, testHello()) {
		t.Errorf("hello came back as %+v: %v", hello, err)
	}
	ack, err := ParseAck(must(AppendAck(nil, testAck())))
	if err != nil || !reflect.DeepEqual(ack, testAck()) {
		t.Errorf("ack came back as %+v: %v", ack, err)
	}
	nack, err := ParseNack(must(AppendNack(nil, testNack())))
	if err != nil || *nack != *testNack() {
		t.Errorf("nack came back as %+v: %v", nack, err)
	}
	if _, err := ParseAck(must(AppendNack(nil, testNack()))); !errors.Is(err, ErrVersion) {
		t.Errorf("a nack read as an ack: %v", err)
	}
}

func TestAckSetsComeBackWithTheirMarks(t *testing.T) {
	stored, landed := seqset.Of(seqset.Range{From: 0, To: 10}, seqset.Range{From: 12, To: 20}), seqset.Of(seqset.Range{From: 3, To: 5})
	e := NewAckEpoch(2, &stored, &landed, true)
	s, l := e.StoredSet(), e.LandedSet()
	if !s.Equal(&stored) || !l.Equal(&landed) || e.StoredMark != 10 || e.LandedMark != 0 {
		t.Errorf("%+v gave %v and %v", e, s.Ranges(), l.Ranges())
	}
}

func TestParseHelloRefuses(t *testing.T) {
	for name, change := range map[string]func(*Hello){
		"foreign client":      func(h *Hello) { h.Client = "pump-8" },
		"boot 0":              func(h *Hello) { h.Boot = 0 },
		"epoch 0":             func(h *Hello) { h.Epochs[0].Epoch = 0 },
		"epoch twice":         func(h *Hello) { h.Epochs[1].Epoch = 1; h.Epochs[1].Predecessor = 0 },
		"its own predecessor": func(h *Hello) { h.Epochs[0].Predecessor = 1 },
		"state 3":             func(h *Hello) { h.Epochs[0].State = 3 },
		"held behind next":    func(h *Hello) { h.Epochs[0].Held = []uint64{12, 21} },
		"floor behind next":   func(h *Hello) { h.Epochs[0].Floor = 21 },
		"next past 2^63-1":    func(h *Hello) { h.Epochs[0].Next = 1 << 63 },
		"count_max overflows": func(h *Hello) { h.Epochs[0].CountMax = math.MaxUint64 },
		"anchor state 4":      func(h *Hello) { h.Anchors[0].State = 4 },
		"anchor of boot 0":    func(h *Hello) { h.Anchors[0].Boot = 0 },
	} {
		h := testHello()
		change(h)
		if _, err := ParseHello(mustAppend(t)(AppendHello(nil, h))); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want %v", name, err, ErrFormat)
		}
	}
	h := testHello()
	h.Epochs[0].Held = []uint64{5, 4}
	if _, err := AppendHello(nil, h); !errors.Is(err, ErrFormat) {
		t.Errorf("held set out of order was written: %v", err)
	}
}

// TestLargeSetsStillFitAMessage holds the rule that a device whose outbox is full of holes can still say hello,
// and a gateway answer it, without either claiming what the other would act on wrongly.
func TestLargeSetsStillFitAMessage(t *testing.T) {
	var holes seqset.Set
	for i := range uint64(20_000) {
		holes.Add(i<<40, i<<40+1)
	}
	h := testHello()
	h.Epochs = nil
	a := testAck()
	a.Epochs = nil
	for i := range 12 {
		epoch := record.Epoch(i + 1)
		h.Epochs = append(h.Epochs, HelloEpoch{Epoch: epoch, Boot: 1, Next: holes.Max(), Held: holes.Flat()})
		a.Epochs = append(a.Epochs, NewAckEpoch(epoch, &holes, &holes, false))
	}
	hello, err := ParseHello(mustAppend(t)(AppendHello(nil, h)))
	if err != nil {
		t.Fatal(err)
	}
	ack, err := ParseAck(mustAppend(t)(AppendAck(nil, a)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range hello.Epochs {
		held, err := seqset.FromFlat(hello.Epochs[i].Held)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range holes.Ranges() {
			if !held.HasAll(r.From, r.To) {
				t.Fatalf("hello does not say that %v is held", r)
			}
		}
		stored, landed := ack.Epochs[i].StoredSet(), ack.Epochs[i].LandedSet()
		if stored.Empty() || landed.Empty() {
			t.Fatal("ack says nothing")
		}
		for _, r := range append(stored.Ranges(), landed.Ranges()...) {
			if !holes.HasAll(r.From, r.To) {
				t.Fatalf("ack claims %v", r)
			}
		}
	}
	if len(h.Epochs[0].Held) != 40_000 || len(a.Epochs[0].Stored) != 2*MaxRanges {
		t.Error("the caller's sets were changed")
	}
}

func TestGapComesBack(t *testing.T) {
	h := header()
	h.Count = record.MaxSeq - h.First
	want := Gap{Reason: DropOldest, From: -1, To: 5, Series: []string{"a", "b"}}
	s, err := ParseSealed(mustAppend(t)(AppendGap(nil, h, want)))
	if err != nil {
		t.Fatal(err)
	}
	g, err := ParseGap(&s)
	if err != nil || !reflect.DeepEqual(g, want) || s.End() != record.MaxSeq {
		t.Errorf("%+v came back as %+v: %v", want, g, err)
	}
	for _, bad := range []Gap{{Reason: "lost"}, {}, {Reason: Thinned, From: 2, To: 1}} {
		if _, err := AppendGap(nil, h, bad); !errors.Is(err, ErrFormat) {
			t.Errorf("%+v was sealed: %v", bad, err)
		}
	}
}

func TestNumbersOfAMessageAreItsOrder(t *testing.T) {
	if a, b := (AckNumber{1, 9}), (AckNumber{2, 0}); !a.Less(b) || b.Less(a) || a.Less(a) {
		t.Error("start counts before n")
	}
}

func TestIDTakesSixteenBytes(t *testing.T) {
	for _, n := range []int{0, 15, 17} {
		body, err := dialect.enc.Marshal(map[int]any{1: make([]byte, n)})
		if err != nil {
			t.Fatal(err)
		}
		b := appendCRC(append([]byte{'H', 'M', version, typeAck}, body...), 0)
		if _, err := ParseAck(b); !errors.Is(err, ErrFormat) {
			t.Errorf("an id of %d bytes: %v", n, err)
		}
	}
}
