package health

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func codes(b *Board) []string {
	var out []string
	for _, s := range b.Snapshot() {
		out = append(out, s.Code)
	}
	return out
}

func TestHoldDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New()
		defer b.Close()
		offline := &Condition{Code: "offline", Title: "no broker", Hold: time.Minute}
		begin := time.Now()
		b.Raise(offline, "dial: refused")
		<-time.After(59 * time.Second)
		b.Raise(offline, "dial: timeout") // raised again: the hold does not begin anew
		if got := codes(b); got != nil {
			t.Errorf("shown within its hold: %q", got)
		}
		<-time.After(time.Second)
		synctest.Wait()
		got := b.Snapshot()
		if len(got) != 1 || got[0].Detail != "dial: timeout" || !got[0].Since.Equal(begin) {
			t.Errorf("after its hold the board shows %+v", got)
		}
		b.Clear(offline)
		b.Clear(offline) // twice is no harm
		if got := codes(b); got != nil {
			t.Errorf("shown after it cleared: %q", got)
		}
	})
}

func TestClearedAndRaisedAgainHoldsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New()
		defer b.Close()
		c := &Condition{Code: "flapping", Hold: time.Minute}
		for range 10 {
			b.Raise(c, "")
			<-time.After(59 * time.Second)
			synctest.Wait()
			if got := codes(b); got != nil {
				t.Fatalf("shown within its hold: %q", got)
			}
			b.Clear(c)
		}
	})
}

func TestSnapshotIsSorted(t *testing.T) {
	b := New()
	for _, c := range []Condition{
		{Code: "b-warning"}, {Code: "z-error", Severity: Error}, {Code: "a-warning"}, {Code: "y-error", Severity: Error},
	} {
		b.Raise(&c, "")
	}
	want := []string{"y-error", "z-error", "a-warning", "b-warning"}
	if got := codes(b); !slices.Equal(got, want) {
		t.Errorf("the board shows %q, want errors first: %q", got, want)
	}
	text, err := json.Marshal(b.Snapshot()[0])
	if err != nil || !strings.Contains(string(text), `"severity":"error"`) {
		t.Errorf("as JSON: %s, %v", text, err)
	}
}

func TestLogOnTransition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		noTime := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		b := NewLogged(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: noTime})))
		full := &Condition{Code: "disk-full", Title: "the disk is full", Severity: Error, Hold: time.Second}
		short := &Condition{Code: "short", Hold: time.Hour}
		b.Raise(full, "0 bytes left")
		b.Raise(short, "") // clears within its hold: no line
		for range 5 {
			<-time.After(1500 * time.Millisecond)
			b.Raise(full, "still 0 bytes left")
		}
		b.Clear(short)
		b.Clear(full)
		want := `level=ERROR msg="condition raised" code=disk-full title="the disk is full" detail="0 bytes left"
level=INFO msg="condition cleared" code=disk-full title="the disk is full" lasted=7.5s
`
		if out.String() != want {
			t.Errorf("the log says\n%swant\n%s", out.String(), want)
		}
	})
}

func TestCloseStopsTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New()
		b.Raise(&Condition{Code: "pending", Hold: time.Minute}, "")
		b.Close()
		<-time.After(time.Hour)
		synctest.Wait()
		if got := codes(b); got != nil {
			t.Errorf("shown after Close: %q", got)
		}
	})
}

func TestNilBoard(t *testing.T) {
	var b *Board
	c := &Condition{Code: "x"}
	b.Raise(c, "")
	b.Clear(c)
	b.Close()
	if got := b.Snapshot(); got != nil {
		t.Errorf("a nil board shows %v", got)
	}
}
