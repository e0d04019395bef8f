package nmea

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/agent/internal/sensor/simline"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
)

// say makes a sentence of its text.
func say(text string) string { return fmt.Sprintf("$%s*%02X\r\n", text, checksum([]byte(text))) }

// moment is the two sentences of a fix at a second of noon.
func moment(second int) string {
	return say(fmt.Sprintf("GPGGA,1200%02d.00,4723.1234,N,00832.5678,E,1,08,0.9,408.2,M,48.0,M,,", second)) +
		say(fmt.Sprintf("GPRMC,1200%02d.00,A,4723.1234,N,00832.5678,E,022.4,084.4,201126,,,A", second))
}

// heard returns what a tracker makes of text, by series.
func heard(t *testing.T, s Settings, text string) (map[string]string, error) {
	t.Helper()
	var tr track
	var errs []error
	for line := range strings.Lines(text) {
		sentence, err := Parse([]byte(line), s.Unchecked)
		if err == nil {
			err = tr.add(sentence, time.Now())
		}
		errs = append(errs, err)
	}
	f, _ := tr.latest()
	return show(f.cells(s.Announce())), errors.Join(errs...)
}

func show(cells []record.Cell) map[string]string {
	out := map[string]string{}
	for _, c := range cells {
		switch {
		case c.Null:
			out[c.Series] = "null"
		case c.Kind == record.Int:
			out[c.Series] = fmt.Sprint(c.Int)
		default:
			out[c.Series] = fmt.Sprint(c.Float)
		}
		if c.Quality != 0 {
			out[c.Series] += fmt.Sprint(" quality ", c.Quality)
		}
	}
	return out
}

func TestFix(t *testing.T) {
	got, err := heard(t, Settings{GNSSTime: true}, moment(1)+moment(2))
	want := map[string]string{
		"latitude": "47.38539", "longitude": "8.542797", "altitude": "408.2", "speed": "11.52", "course": "84.4",
		"satellites": "8", "hdop": "0.9", "fix_quality": "1", "gnss_time": "1.795176002e+09",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if at := time.Unix(1795176002, 0).UTC().Format(time.DateTime); at != "2026-11-20 12:00:02" {
		t.Error(at)
	}
}

func TestDegrees(t *testing.T) {
	for _, tc := range []struct {
		text, half string
		want       float64
	}{
		{"4723.1234", "N", 47.38539},
		{"4723.1234", "S", -47.38539},
		{"0000.0000", "N", 0},
		{"9000.0000", "N", 90},
		{"4807.038", "N", 48.1173},
		{"4807", "N", 48.12},
		{"4723.123456", "N", 47.38539093},
		{"0000.0001", "S", -0.000002},
	} {
		d, err := Sentence{Fields: []string{tc.text, tc.half}}.degrees(0, 90, "N", "S")
		if got := d.float(); got != tc.want || err != nil {
			t.Errorf("%s %s is %v, %v; want %v", tc.text, tc.half, got, err, tc.want)
		}
	}
	for _, bad := range [][]string{
		{"4760.0000", "N"},
		{"9000.0001", "N"},
		{"9100.0", "N"},
		{"-4723.1", "N"},
		{"4723.1", "E"},
		{"4723.1", ""},
		{"47x3.1", "N"},
		{"4723.-1", "N"},
		{"+4723.1", "N"},
		{".", "N"},
		{"-", "N"},
		{"4723.12345678901", "N"},
		{"1e3", "N"},
	} {
		if d, err := (Sentence{Fields: bad}).degrees(0, 90, "N", "S"); !errors.Is(err, ErrField) {
			t.Errorf("%q is %v, %v", bad, d.float(), err)
		}
	}
}

// Neighbouring values of the receiver stay apart, and the nearest to the true value.
func TestDegreesKeepEveryStep(t *testing.T) {
	last := -1.0
	for n := range 600_000 {
		d, err := Sentence{Fields: []string{fmt.Sprintf("47%02d.%04d", n/10000, n%10000), "N"}}.degrees(0, 90, "N", "S")
		if err != nil {
			t.Fatal(err)
		}
		v := d.float()
		if exact := 47 + float64(n)/600000; v <= last || v-exact > 0.50001e-6 || exact-v > 0.50001e-6 {
			t.Fatalf("%d/10000 minutes is %v after %v", n, v, last)
		}
		last = v
	}
}

func TestNoFixIsNoPosition(t *testing.T) {
	for name, text := range map[string]string{
		"nothing known":           say("GPGGA,,,,,,0,,,,,,,,") + say("GPRMC,,V,,,,,,,,,,N"),
		"zeros":                   say("GNGGA,120001,0000.0000,N,00000.0000,E,0,00,99.99,0.0,M,,M,,") + say("GNRMC,120001,V,0000.0000,N,00000.0000,E,0.0,0.0,201126,,,N"),
		"the last known place":    say("GPGGA,120001,4723.1,N,00832.5,E,0,03,9.9,408.2,M,,M,,") + say("GPRMC,120001,V,4723.1,N,00832.5,E,1.0,2.0,201126,,,N"),
		"one of the two knows it": say("GPGGA,120001,4723.1,N,00832.5,E,1,03,9.9,408.2,M,,M,,") + say("GPRMC,120001,V,4723.1,N,00832.5,E,1.0,2.0,201126,,,N"),
	} {
		got, err := heard(t, Settings{GNSSTime: true}, text+text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, series := range []string{"latitude", "longitude", "altitude", "speed", "course", "hdop", "gnss_time"} {
			if got[series] != "null" {
				t.Errorf("%s: %s is %q", name, series, got[series])
			}
		}
		if q := got["fix_quality"]; q != "0" && !strings.HasPrefix(name, "one") {
			t.Errorf("%s: fix_quality is %s", name, q)
		}
	}
}

func TestEstimatedPositionIsSuspect(t *testing.T) {
	text := say("GPGGA,120001,4723.1234,N,00832.5678,E,6,00,9.9,408.2,M,,M,,")
	got, err := heard(t, Settings{}, text+text)
	want := map[string]string{
		"latitude": "47.38539 quality 2", "longitude": "8.542797 quality 2", "altitude": "408.2 quality 2", "hdop": "9.9 quality 2",
		"satellites": "0", "fix_quality": "6",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestSentencesOfOneFixBelongTogether(t *testing.T) {
	north := func(second, minutes int) string {
		return say(fmt.Sprintf("GNGGA,1200%02d,47%02d.0,N,00800.0,E,1,08,1.0,1.0,M,,M,,", second, minutes))
	}
	fast := func(second, knots int) string {
		return say(fmt.Sprintf("GPRMC,1200%02d,A,4700.0,N,00800.0,E,%d,1.0,201126,,,A", second, knots))
	}
	for _, tc := range []struct{ name, text, altitude, speed string }{
		{"one fix is not known to be complete", north(1, 6) + fast(1, 1), "", ""},
		{"half of the next one waits", north(1, 6) + fast(1, 9) + north(2, 12), "1", "4.6"},
		{"the next one", north(1, 6) + fast(1, 9) + north(2, 12) + fast(2, 18), "1", "9.3"},
		{"the other way round", fast(1, 9) + north(1, 6) + fast(2, 18) + north(2, 6), "1", "9.3"},
		{"others between", north(1, 6) + say("GPGSV,1,1,00") + fast(1, 9) + say("GPTXT,01") + north(2, 6) + say("GPVTG,,T,,M") + fast(2, 18), "1", "9.3"},
		{"a receiver with one of them", north(1, 6) + north(2, 6), "1", ""},
		{"one that stops to send the other", north(1, 6) + fast(1, 9) + north(2, 6) + north(3, 6), "1", ""},
	} {
		got, err := heard(t, Settings{}, tc.text)
		if got["altitude"] != tc.altitude || got["speed"] != tc.speed || err != nil {
			t.Errorf("%s: altitude %q, speed %q, %v", tc.name, got["altitude"], got["speed"], err)
		}
	}
}

func TestParse(t *testing.T) {
	const known = "$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47" // checksum as published
	for _, good := range []string{known, known + "\r\n", "\xff\x00garbage" + known, "$GPGGA,12351" + known, known + "  ", strings.Replace(known, "$GP", "$GN", 1)[:len(known)-2] + "59"} {
		if s, err := Parse([]byte(good), false); err != nil || s.Type != "GGA" || len(s.Fields) != 14 || s.field(1) != "4807.038" {
			t.Errorf("%q: %+v, %v", good, s, err)
		}
	}
	for bad, want := range map[string]error{
		"": ErrGarbage, "\r\n": ErrGarbage, "GPGGA,1*00": ErrGarbage, "$": ErrUnchecked, "$GPGGA,1": ErrUnchecked, known[:len(known)-3]: ErrUnchecked,
		known[:len(known)-1]: ErrChecksum, known[:len(known)-2]: ErrChecksum, known + "0": ErrChecksum, known[:len(known)-2] + "zz": ErrChecksum,
		strings.Replace(known, "545", "546", 1): ErrChecksum, "$GPG\x07GA*47": ErrGarbage, say("GGA,1"): ErrGarbage, say(""): ErrGarbage,
	} {
		if _, err := Parse([]byte(bad), false); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", bad, err, want)
		}
	}
	if _, err := Parse([]byte("$GPGGA,1"), true); err != nil {
		t.Errorf("unchecked: %v", err)
	}
	if _, err := Parse([]byte("$GPGGA,1*00"), true); !errors.Is(err, ErrChecksum) {
		t.Errorf("a wrong checksum where none is needed: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(moment(1)), false)
	f.Add([]byte("$GPRMC,235960.99,A,9000.0,S,18000.0,W,999999.9,-1,311299,,,A"), true)
	f.Fuzz(func(t *testing.T, line []byte, unchecked bool) {
		s, err := Parse(line, unchecked)
		if err != nil {
			return
		}
		var tr track
		if tr.add(s, time.Now()) != nil || tr.current.kinds == 0 {
			return
		}
		for _, c := range tr.current.cells((Settings{GNSSTime: true}).Announce()) {
			most := map[string]float64{"latitude": 90, "longitude": 180}[c.Series]
			if !c.Null && most != 0 && (c.Float > most || c.Float < -most) {
				t.Errorf("%q: %s is %v", line, c.Series, c.Float)
			}
			if c.Null && c.Float != 0 {
				t.Errorf("%q: a null %s of %v", line, c.Series, c.Float)
			}
		}
	})
}

func TestOldFixIsNotGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		r := start(Settings{MaxAge: 2 * time.Second}, in, "gps", nil)
		defer func() { _ = r.Close() }()
		read := func(within time.Duration) (string, error) {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			cells, err := r.Read(ctx)
			return show(cells)["latitude"], err
		}
		if got, err := read(time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before anything was said: %q, %v", got, err)
		}
		_, _ = io.WriteString(out, moment(1)+moment(2))
		synctest.Wait()
		if got, err := read(time.Second); got != "47.38539" || err != nil {
			t.Errorf("at once: %q, %v", got, err)
		}
		time.Sleep(2*time.Second + time.Millisecond)
		if got, err := read(time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("too old: %q, %v", got, err)
		}
		go func() { _, _ = io.WriteString(out, "noise\n"+moment(7)+moment(8)) }()
		if got, err := read(time.Second); got != "47.38539" || err != nil {
			t.Errorf("waited for: %q, %v", got, err)
		}
		// A receiver that is stuck says one moment again and again.
		for range 30 {
			_, _ = io.WriteString(out, moment(8))
			time.Sleep(100 * time.Millisecond)
		}
		if got, err := read(time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("said again: %q, %v", got, err)
		}
	})
}

func TestBadLinesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		registry := meter.New()
		r := start(Settings{}, in, "gps", registry)
		defer func() { _ = r.Close() }()
		good := moment(1)
		_, _ = io.WriteString(out, "\x00\xff half a line\n"+good[:40]+"\n"+strings.Repeat("x", 3*mostLine)+"\n"+
			strings.Replace(good, "4723", "4724", 1)+say("GPGGA,120001,9923.1,N,00832.5,E,1,03,9.9,408.2,M,,M,,"))
		synctest.Wait()
		for reason, want := range map[string]uint64{"garbage": 1, "unchecked": 1, "long": 3, "checksum": 1, "field": 1} {
			if got := registry.Counter("headwater_nmea_bad_lines_total", "", "sensor", "gps", "reason", reason).Value(); got != want {
				t.Errorf("%d lines are %s, want %d", got, reason, want)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Read(ctx); err == nil || !strings.Contains(err.Error(), "no place on earth") {
			t.Errorf("the error does not say what comes instead: %v", err)
		}
		_, _ = io.WriteString(out, moment(2)+moment(3))
		if cells, err := r.Read(t.Context()); err != nil || len(cells) != 8 {
			t.Errorf("after it: %v, %v", cells, err)
		}
	})
}

func TestReceiverThatGoesIsAnError(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ttyACM0")
	line, err := simline.Plug(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), Settings{URL: "serial://" + name}, "gps", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(line, moment(1)+moment(2))
	if cells, err := r.Read(t.Context()); err != nil || show(cells)["satellites"] != "8" {
		t.Errorf("%v, %v", cells, err)
	}
	_ = line.Close()
	<-r.done
	if cells, err := r.Read(t.Context()); err == nil {
		t.Errorf("unplugged: %v", cells)
	}
	_ = r.Close()
	if _, err := Open(t.Context(), Settings{URL: "serial://" + name}, "gps", nil); err == nil {
		t.Error("opened what is not there")
	}
}

func TestCloseEndsTheReader(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	r, err := Open(t.Context(), Settings{URL: "tcp://" + l.Addr().String()}, "gps", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-r.done:
	default:
		t.Error("it still listens")
	}
}

func TestCheckReportsEveryProblem(t *testing.T) {
	collect := func(s Settings) (got []string) {
		s.Check(func(path, _ string, _ ...any) { got = append(got, path) })
		return got
	}
	for url, want := range map[string]int{
		"serial:///dev/ttyACM0": 0, "tcp://gps:10110": 0, "serial://ttyACM0": 1, "tcp://gps": 1, "udp://gps:1": 1, "": 1,
	} {
		if got := collect(Settings{URL: url}); len(got) != want {
			t.Errorf("%q: %q", url, got)
		}
	}
	bad := Settings{URL: "serial:///dev/x", MaxAge: -1}
	bad.Baud, bad.Parity = 1, "mark"
	if diff := cmp.Diff([]string{"baud", "parity", "max_age"}, collect(bad)); diff != "" {
		t.Error(diff)
	}
}
