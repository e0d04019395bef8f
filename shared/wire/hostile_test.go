package wire

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/headwater-iot/headwater/shared/record"
)

// plainSealed is a sealed part that says it holds count readings in the CBOR b.
func plainSealed(b []byte, count int) *Sealed {
	s := &Sealed{Header: header(), Body: b}
	s.Kind, s.Count = KindReadings, uint64(count)
	return s
}

// allocated returns the bytes that f set aside, given back or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostileBodiesAreCheapToRefuse puts every kind of lying head at every place of good bodies.
func TestHostileBodiesAreCheapToRefuse(t *testing.T) {
	e, d := newCodec(t)
	heads := map[string][]byte{
		"indefinite array":   {0x9f},
		"indefinite map":     {0xbf},
		"indefinite bytes":   {0x5f},
		"indefinite text":    {0x7f},
		"break":              {0xff},
		"reserved":           {0x1c},
		"array of 2^32":      {0x9a, 0xff, 0xff, 0xff, 0xff},
		"array of 2^63":      {0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"bytes of 2^32":      {0x5a, 0xff, 0xff, 0xff, 0xff},
		"bytes of 2^64-1":    {0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"map of 2^32":        {0xba, 0xff, 0xff, 0xff, 0xff},
		"uint of 2^64-1":     {0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"deep":               bytes.Repeat([]byte{0x81}, 5000),
		"tag":                {0xd8, 0x56},
		"null":               {0xf6},
		"long spelling of 1": {0x18, 0x01},
	}
	limit := uint64(64 << 10) // the Go structs of a body with 7 columns, and an error
	for name, body := range formBodies() {
		good := bytes.Clone(e.appendBody(nil, header().Base, body))
		count := body.Readings()
		if err := d.Readings(plainSealed(good, count), new(record.Body)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for what, head := range heads {
			for at := range good {
				bad := append(append(bytes.Clone(good[:at]), head...), good[at+1:]...)
				var out record.Body
				var err error
				if n := allocated(func() { err = d.Readings(plainSealed(bad, count), &out) }); n > limit {
					t.Errorf("%s: %s at byte %d: %d bytes set aside", name, what, at, n)
				}
				if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTooLarge) {
					t.Errorf("%s: %s at byte %d: %v has no class", name, what, at, err)
				}
			}
		}
	}
}

func TestHeaderAndBodyMustAgree(t *testing.T) {
	e, d := newCodec(t)
	good := bytes.Clone(e.appendBody(nil, header().Base, smallBody()))
	n := smallBody().Readings()
	for _, count := range []int{0, 1, n - 1, n + 1, MaxReadings} {
		if err := d.Readings(plainSealed(good, count), new(record.Body)); !errors.Is(err, ErrFormat) {
			t.Errorf("%d readings under a header of %d: %v", n, count, err)
		}
	}
}

// handBody is a body of one group of two rows, 1 ms apart, with the given columns.
func handBody(columns ...string) []byte {
	b := []byte("\xa1\x61g\x81\x84\x03\x02\x85\x01\x00\x01\x00\x41\x02")
	return append(append(b, byte(0x80+len(columns))), strings.Join(columns, "")...)
}

func TestDecoderRefusesASecondSpelling(t *testing.T) {
	_, d := newCodec(t)
	const start = "\x87\x61s\x60"              // series s, no unit
	const two = "\x85\x01\x00\x01\x05\x41\x02" // 5, 6 by delta, varint
	if err := d.Readings(plainSealed(handBody(start+"\x02\xf6\xf6\xf6"+two), 2), new(record.Body)); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	for name, column := range map[string]string{
		"presence of all":         start + "\x02\x41\x03\xf6\xf6" + two,
		"presence out of range":   start + "\x02\x41\x05\xf6\xf6" + two,
		"presence too long":       start + "\x02\x42\x01\x00\xf6\xf6" + two,
		"nulls without a null":    start + "\x02\xf6\x41\x00\xf6" + two,
		"nulls out of range":      start + "\x02\xf6\x41\x06\xf6" + two,
		"values for a null":       start + "\x02\xf6\x41\x03\xf6" + two,
		"no values":               start + "\x02\xf6\xf6\xf6\xf6",
		"quality all good":        start + "\x02\xf6\xf6\x82\x02\x00" + two,
		"quality repeated":        start + "\x02\xf6\xf6\x84\x01\x01\x01\x01" + two,
		"quality of one":          start + "\x02\xf6\xf6\x82\x01\x01" + two,
		"quality of three":        start + "\x02\xf6\xf6\x82\x03\x01" + two,
		"quality run of none":     start + "\x02\xf6\xf6\x84\x00\x02\x02\x01" + two,
		"quality of the gateway":  start + "\x02\xf6\xf6\x82\x02\x19\x01\x00" + two,
		"quality odd":             start + "\x02\xf6\xf6\x83\x02\x01\x00" + two,
		"kind 0":                  start + "\x00\xf6\xf6\xf6" + two,
		"kind 7":                  start + "\x07\xf6\xf6\xf6" + two,
		"no name":                 "\x87\x60\x60\x02\xf6\xf6\xf6" + two,
		"name not UTF-8":          "\x87\x61\xff\x60\x02\xf6\xf6\xf6" + two,
		"scaled int":              start + "\x02\xf6\xf6\xf6\x85\x01\x01\x01\x05\x41\x02",
		"form 3":                  start + "\x02\xf6\xf6\xf6\x85\x03\x00\x01\x05\x41\x02",
		"form 2 of two":           start + "\x02\xf6\xf6\xf6\x86\x02\x00\x01\x05\x01\xf6",
		"factor 0":                start + "\x02\xf6\xf6\xf6\x85\x01\x00\x00\x05\x41\x02",
		"factor below 0":          start + "\x02\xf6\xf6\xf6\x85\x01\x00\x20\x05\x41\x02",
		"scale 16":                start + "\x01\xf6\xf6\xf6\x85\x01\x10\x01\x05\x41\x02",
		"varint too long":         start + "\x02\xf6\xf6\xf6\x85\x01\x00\x01\x05\x42\x82\x00",
		"varint cut":              start + "\x02\xf6\xf6\xf6\x85\x01\x00\x01\x05\x41\x82",
		"varint too many":         start + "\x02\xf6\xf6\xf6\x85\x01\x00\x01\x05\x42\x02\x02",
		"typed of other length":   start + "\x02\xf6\xf6\xf6\x85\x01\x00\x01\x05\xd8\x4d\x41\x02",
		"typed of other tag":      start + "\x02\xf6\xf6\xf6\x85\x01\x00\x01\x05\xd8\x40\x41\x02",
		"rice shift 33":           start + "\x02\xf6\xf6\xf6\x85\x01\x00\x01\x05\x82\x18\x21\x41\x01",
		"rice with bits behind":   start + "\x02\xf6\xf6\xf6\x85\x01\x00\x01\x05\x82\x00\x41\x03",
		"rice with bytes behind":  start + "\x02\xf6\xf6\xf6\x85\x01\x00\x01\x05\x82\x00\x42\x01\x00",
		"rice limit not needed":   start + "\x02\xf6\xf6\xf6\x85\x01\x00\x01\x05\x82\x00\x4c\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00",
		"rice cut":                start + "\x02\xf6\xf6\xf6\x85\x01\x00\x01\x05\x82\x00\x40",
		"rice of zeros":           start + "\x02\xf6\xf6\xf6\x85\x01\x00\x01\x05\x82\x00\x48\x00\x00\x00\x00\x00\x00\x00\x00",
		"f64 of other length":     start + "\x01\xf6\xf6\xf6\xd8\x56\x48\x00\x00\x00\x00\x00\x00\x00\x00",
		"float beyond 53 bits":    start + "\x01\xf6\xf6\xf6\x85\x01\x00\x01\x1b\x00\x20\x00\x00\x00\x00\x00\x01\xf6",
		"correction of 64":        start + "\x01\xf6\xf6\xf6\x82" + two + "\x43\x80\x01\x00",
		"booleans out of range":   start + "\x05\xf6\xf6\xf6\x41\x04",
		"texts of three":          start + "\x04\xf6\xf6\xf6\x83\x61a\x61b\x61c",
		"text index out of range": start + "\x04\xf6\xf6\xf6\x82\x81\x61a" + two,
		"more words than texts":   start + "\x04\xf6\xf6\xf6\x82\x83\x61a\x61b\x61c" + two,
		"text not UTF-8":          start + "\x04\xf6\xf6\xf6\x82\x61\xff\x61b",
		"bytes of one":            start + "\x06\xf6\xf6\xf6\x81\x41a",
		"column of six":           "\x86\x61s\x60\x02\xf6\xf6\xf6",
		"bytes behind":            start + "\x02\xf6\xf6\xf6" + two + "\x00",
	} {
		if err := d.Readings(plainSealed(handBody(column), 2), new(record.Body)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want %v", name, err, ErrFormat)
		}
	}
	for name, b := range map[string]string{
		"another key":    "\xa1\x61h\x80",
		"two keys":       "\xa2\x61g\x80\x61g\x80",
		"no map":         "\x80",
		"unit 4":         "\xa1\x61g\x81\x84\x04\x00\xf6\x80",
		"row of nothing": "\xa1\x61g\x81\x84\x03\x01\x85\x00\x00\x01\x00\xf6\x80",
	} {
		if err := d.Readings(plainSealed([]byte(b), 1), new(record.Body)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want %v", name, err, ErrFormat)
		}
	}
}

// frame compresses n zeros the way a hostile sender would.
func frame(t *testing.T, n int, o ...zstd.EOption) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil, append(o, zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(make([]byte, n), nil)
}

// streamed compresses b in pieces, so that the frame cannot know its size at the start.
func streamed(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range [][]byte{b[:1], b[1:]} {
		if _, err := z.Write(piece); err != nil {
			t.Fatal(err)
		}
		if err := z.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestZstdFramesThatLieAreRefused wraps a body that is good in itself, so that only the frame can be at fault.
func TestZstdFramesThatLieAreRefused(t *testing.T) {
	e, d := newCodec(t)
	body := pumpRig(60).batches(60, 1)[0]
	plain := bytes.Clone(e.appendBody(nil, header().Base, body))
	good := bytes.Clone(seal(t, e, header(), body).Body)
	open := func(frame []byte) error {
		s := plainSealed(frame, body.Readings())
		s.Codec = Zstd
		return d.Readings(s, new(record.Body))
	}
	if n, err := frameSize(good); n != len(plain) || err != nil || open(good) != nil {
		t.Fatalf("the good one: %d, %v, %v", n, err, open(good))
	}
	claims := func(size int) []byte { // a content size of two bytes is stored less 256
		b := bytes.Clone(good)
		b[5], b[6] = byte(size-256), byte((size-256)>>8)
		return b
	}
	if err := open(claims(len(plain))); err != nil {
		t.Fatalf("the size is not where this test writes it: %v", err)
	}
	with := func(tail ...byte) []byte { return append(bytes.Clone(good), tail...) }
	for name, c := range map[string]struct {
		frame []byte
		want  error
	}{
		"bomb of 64 MiB":        {frame(t, 64<<20, zstd.WithWindowSize(1<<20)), ErrTooLarge},
		"over 4 MiB by one":     {frame(t, MaxBody+1, zstd.WithWindowSize(1<<20)), ErrTooLarge},
		"window of 2 MiB":       {frame(t, 3<<20, zstd.WithWindowSize(2<<20), zstd.WithSingleSegment(false)), ErrTooLarge},
		"no content size":       {streamed(t, plain), ErrFormat},
		"claims too little":     {claims(len(plain) - 1), ErrFormat},
		"claims too much":       {claims(len(plain) + 1), ErrFormat},
		"two frames":            {with(good...), ErrFormat},
		"an empty frame after":  {with(frame(t, 0, zstd.WithZeroFrames(true))...), ErrFormat},
		"skippable frame":       {[]byte{0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0}, ErrFormat},
		"skippable frame after": {with(0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0), ErrFormat},
		"cut":                   {good[:len(good)-1], ErrFormat},
		"byte behind":           {with(0), ErrFormat},
		"nothing":               {nil, ErrFormat},
		"magic alone":           {good[:4], ErrFormat},
	} {
		var err error
		n := allocated(func() { err = open(c.frame) })
		if !errors.Is(err, c.want) || n > 1<<20 {
			t.Errorf("%s: %v after %d bytes set aside, want %v", name, err, n, c.want)
		}
	}
}

func TestGroupsAndColumnsAreCounted(t *testing.T) {
	_, d := newCodec(t)
	body := func(empty int) []byte {
		b := appendHead([]byte("\xa1\x61g"), majArray, uint64(empty+1))
		b = append(b, strings.Repeat("\x84\x03\x00\xf6\x80", empty)...)
		return append(b, "\x84\x03\x01\x85\x00\x00\x01\x00\xf6\x81\x87\x61s\x60\x02\xf6\xf6\xf6\x85\x00\x00\x01\x00\xf6"...)
	}
	if err := d.Readings(plainSealed(body(MaxColumns-2), 1), new(record.Body)); err != nil {
		t.Errorf("%d groups and columns: %v", MaxColumns, err)
	}
	if err := d.Readings(plainSealed(body(MaxColumns-1), 1), new(record.Body)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d groups and columns: %v", MaxColumns+1, err)
	}
}

// TestTheLargestBodyIsBounded opens the body that asks for most: a million equal readings in a hundred bytes.
func TestTheLargestBodyIsBounded(t *testing.T) {
	e, d := newCodec(t)
	body := &record.Body{Groups: []record.Group{{Unit: record.Milli, Times: make([]int64, MaxReadings), Columns: []record.Column{
		{Series: "s", Kind: record.Float, Floats: make([]float64, MaxReadings), Qual: bytesOf(MaxReadings)},
	}}}}
	s := seal(t, e, header(), body)
	if len(s.Raw) > 200 {
		t.Fatalf("%d bytes", len(s.Raw))
	}
	var out record.Body
	n := allocated(func() {
		if err := d.Readings(&s, &out); err != nil {
			t.Error(err)
		}
	})
	// Times, values, their integers, qualities: 28 bytes a reading.
	if n > 30*MaxReadings {
		t.Errorf("%d bytes set aside for %d readings", n, MaxReadings)
	}
	body.Groups[0].Times = append(body.Groups[0].Times, 0)
	body.Groups[0].Columns[0].Qual = nil
	body.Groups[0].Columns[0].Floats = append(body.Groups[0].Columns[0].Floats, 0)
	if _, err := e.AppendReadings(nil, header(), body); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one reading more: %v", err)
	}
}

// bytesOf returns n qualities that are all suspect.
func bytesOf(n int) []record.Quality {
	q := make([]record.Quality, n)
	for i := range q {
		q[i] = record.Suspect
	}
	return q
}

func TestEncoderRefusesWhatItCannotCarry(t *testing.T) {
	e, _ := newCodec(t)
	noise := make([]float64, 60_000)
	for i := range noise {
		noise[i] = math.Float64frombits(uint64(i) * 0x9e3779b97f4a7c15)
	}
	for name, c := range map[string]struct {
		change func(*record.Body)
		want   error
	}{
		"time unit":            {func(b *record.Body) { b.Groups[0].Unit = 0 }, ErrFormat},
		"no name":              {func(b *record.Body) { b.Groups[0].Columns[0].Series = "" }, ErrFormat},
		"long name":            {func(b *record.Body) { b.Groups[0].Columns[0].Series = strings.Repeat("x", 256) }, ErrFormat},
		"name not UTF-8":       {func(b *record.Body) { b.Groups[0].Columns[0].Series = "\xff" }, ErrFormat},
		"text not UTF-8":       {func(b *record.Body) { b.Groups[0].Columns[3].Texts[0] = "\xff" }, ErrFormat},
		"kind":                 {func(b *record.Body) { b.Groups[0].Columns[0].Kind = 9 }, ErrFormat},
		"too few values":       {func(b *record.Body) { b.Groups[0].Columns[0].Floats = []float64{1} }, ErrFormat},
		"too few nulls":        {func(b *record.Body) { b.Groups[0].Columns[0].Null = []bool{true} }, ErrFormat},
		"too few qualities":    {func(b *record.Body) { b.Groups[0].Columns[0].Qual = []record.Quality{1} }, ErrFormat},
		"quality of a gateway": {func(b *record.Body) { b.Groups[0].Columns[3].Qual[0] = record.ClockGateway }, ErrFormat},
		"row out of range":     {func(b *record.Body) { b.Groups[0].Columns[1].Rows = []uint32{0, 3} }, ErrFormat},
		"row twice":            {func(b *record.Body) { b.Groups[0].Columns[1].Rows = []uint32{1, 1} }, ErrFormat},
		"row without reading":  {func(b *record.Body) { b.Groups[0].Columns = nil }, ErrFormat},
		"nothing":              {func(b *record.Body) { b.Groups = nil }, ErrFormat},
		"too many columns":     {func(b *record.Body) { b.Groups = make([]record.Group, MaxColumns+1); setUnits(b) }, ErrTooLarge},
		"larger than 240 KiB": {func(b *record.Body) {
			b.Groups[0] = record.Group{Unit: record.Milli, Times: make([]int64, len(noise)), Columns: []record.Column{{Series: "s", Kind: record.Float, Floats: noise}}}
		}, ErrTooLarge},
	} {
		body := smallBody()
		c.change(body)
		dst, err := e.AppendReadings([]byte("x"), header(), body)
		if !errors.Is(err, c.want) || string(dst) != "x" {
			t.Errorf("%s: %v, want %v, and dst as it was", name, err, c.want)
		}
	}
}

func setUnits(b *record.Body) {
	for i := range b.Groups {
		b.Groups[i].Unit = record.Milli
	}
}

func TestBodiesShareNoMemoryWithTheirBytes(t *testing.T) {
	e, d := newCodec(t)
	raw := mustAppend(t)(e.AppendReadings(nil, header(), smallBody()))
	s, err := ParseSealed(raw)
	if err != nil {
		t.Fatal(err)
	}
	var out record.Body
	if err := d.Readings(&s, &out); err != nil {
		t.Fatal(err)
	}
	clear(raw)
	clear(d.plain[:cap(d.plain)])
	if x := diff(smallBody(), &out); x != "" {
		t.Error(x)
	}
}
