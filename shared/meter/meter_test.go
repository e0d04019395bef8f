package meter

import (
	"flag"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func text(t *testing.T, r *Registry) string {
	t.Helper()
	var b strings.Builder
	n, err := r.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("WriteTo returned %d, %v for %d bytes", n, err, b.Len())
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	r := New()
	r.Counter("headwater_rejected_total", "Batches turned away.", "reason", "crc").Add(3)
	r.Counter("headwater_rejected_total", "Batches turned away.", "reason", "size").Inc()
	r.Counter("headwater_accepted_total", "Readings accepted.").Add(math.MaxUint64)
	r.Gauge("headwater_ring_bytes", "Bytes in the ring.").Set(4096)
	r.Gauge("headwater_ring_bytes", "Bytes in the ring.").Add(-96.5)
	r.Gauge("headwater_strange", "What is not a number.", "b", "2", "a", "1").Set(math.NaN())
	r.GaugeFunc("headwater_age_seconds", "Age of the oldest batch.", func() float64 { return 12.25 })
	r.GaugeFunc("headwater_age_seconds", "Age of the oldest batch.", func() float64 { return math.Inf(-1) }, "lane", "live")
	h := r.Histogram("headwater_fsync_seconds", "Time of one fsync.", []float64{0.001, 0.01, 0.1}, "file", "log")
	for _, v := range []float64{0.0005, 0.001, 0.05, 7} {
		h.Observe(v)
	}
	r.Histogram("headwater_rows", "Rows of a batch.", []float64{10, 100}).Observe(11)
	got := text(t, r)
	const golden = "testdata/exposition.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got != string(want) {
		t.Errorf("the exposition is\n%s\nwant (%v)\n%s", got, err, want)
	}
}

func TestEscaping(t *testing.T) {
	r := New()
	r.Counter("headwater_x_total", "back\\slash \"and\"\nnew line", "path", "C:\\a\n\"b\"").Inc()
	want := "# HELP headwater_x_total back\\\\slash \"and\"\\nnew line\n" +
		"# TYPE headwater_x_total counter\n" +
		"headwater_x_total{path=\"C:\\\\a\\n\\\"b\\\"\"} 1\n"
	if got := text(t, r); got != want {
		t.Errorf("the exposition is\n%s\nwant\n%s", got, want)
	}
}

func TestSameNameAndLabelsIsTheSameInstrument(t *testing.T) {
	r := New()
	a := r.Counter("headwater_x_total", "x", "a", "1", "b", "2")
	if b := r.Counter("headwater_x_total", "x", "b", "2", "a", "1"); a != b {
		t.Error("the order of labels made another instrument")
	}
	if c := r.Counter("headwater_x_total", "x", "a", "1"); a == c {
		t.Error("other labels gave the same instrument")
	}
}

func TestNilRegistry(t *testing.T) {
	var r *Registry
	c := r.Counter("headwater_x_total", "x")
	c.Inc()
	g := r.Gauge("headwater_y", "y")
	g.Set(2)
	r.Histogram("headwater_z", "z", []float64{1}).Observe(3)
	r.GaugeFunc("headwater_w", "w", func() float64 { return 1 })
	if c.Value() != 1 || g.Value() != 2 || text(t, r) != "" {
		t.Errorf("a nil registry gave counter %d, gauge %v, text %q", c.Value(), g.Value(), text(t, r))
	}
}

func TestMisuseIsOurOwnFault(t *testing.T) {
	for name, misuse := range map[string]func(r *Registry){
		"another kind":   func(r *Registry) { r.Gauge("headwater_x", ""); r.Counter("headwater_x", "") },
		"half a label":   func(r *Registry) { r.Counter("headwater_x", "", "reason") },
		"func and gauge": func(r *Registry) { r.GaugeFunc("x", "", func() float64 { return 0 }); r.Gauge("x", "") },
		"buckets":        func(r *Registry) { r.Histogram("x", "", []float64{2, 1}) },
	} {
		func() {
			defer func() {
				if p, _ := recover().(string); !strings.HasPrefix(p, "meter: ") {
					t.Errorf("%s: panicked with %q", name, p)
				}
			}()
			misuse(New())
		}()
	}
}

func TestConcurrentUse(t *testing.T) {
	const workers, each = 8, 2000
	r := New()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range each {
				r.Counter("headwater_x_total", "x").Inc()
				r.Gauge("headwater_y", "y").Add(0.5)
				r.Histogram("headwater_z", "z", []float64{1}).Observe(2)
				if i%500 == 0 {
					r.GaugeFunc("headwater_w", "w", func() float64 { return 1 })
					text(t, r)
				}
			}
		})
	}
	wg.Wait()
	got := text(t, r)
	for _, want := range []string{"headwater_x_total 16000\n", "headwater_y 8000\n", "headwater_z_sum 32000\n", "headwater_z_count 16000\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
}

func BenchmarkCounter(b *testing.B) {
	c := New().Counter("headwater_x_total", "x")
	b.ReportAllocs()
	for b.Loop() {
		c.Inc()
	}
}

func BenchmarkWriteTo(b *testing.B) {
	r := New()
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		r.Counter("headwater_"+name+"_total", "x", "reason", "crc").Inc()
		r.Histogram("headwater_"+name+"_seconds", "x", []float64{1, 2, 3, 4}).Observe(1)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.WriteTo(new(strings.Builder)); err != nil {
			b.Fatal(err)
		}
	}
}
