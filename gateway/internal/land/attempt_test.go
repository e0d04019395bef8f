package land

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/headwater-iot/headwater/shared/wire"
)

func attempts(t *testing.T, dir string) *Attempts {
	t.Helper()
	a, err := OpenAttempts(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// dieOn opens records until it dies on the given one, and returns the attempts at that record. A panic that leaves
// try ends the process in real life: landing recovers within.
func dieOn(t *testing.T, dir string, offset uint64) (n int) {
	t.Helper()
	a := attempts(t, dir)
	defer func() {
		if recover() == nil {
			t.Fatal("did not die")
		}
	}()
	for o := range offset + 1 {
		a.try(wire.ID{1}, 0, o, func(at int) {
			if n = at; o == offset {
				panic("dead")
			}
		})
	}
	return n
}

func TestThirdNotedAttemptDoesNotOpen(t *testing.T) {
	dir := t.TempDir()
	attempts(t, dir) // dies in the middle of something: nothing was noted yet
	for want := 1; want <= maxAttempts; want++ {
		if n := dieOn(t, dir, 4); n != want {
			t.Errorf("attempt %d counted as %d", want, n)
		}
	}
}

func TestOtherRecordsAreNotBlamed(t *testing.T) {
	dir := t.TempDir()
	attempts(t, dir)
	for _, offset := range []uint64{4, 5, 4, 6} {
		if n := dieOn(t, dir, offset); n != 1 {
			t.Errorf("record %d: attempt %d, it was never the last one tried", offset, n)
		}
	}
}

func TestPeacefulStopNotesNothing(t *testing.T) {
	dir := t.TempDir()
	a := attempts(t, dir)
	a.try(wire.ID{1}, 0, 9, func(int) {
		if b, err := os.ReadFile(filepath.Join(dir, attemptFile)); err != nil || len(b) != 0 {
			t.Errorf("a healthy run wrote %q, %v", b, err)
		}
	})
	for range 2 {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, attemptFile)); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
	if attempts(t, dir).careful.Load() {
		t.Error("careful after a peaceful stop")
	}
}

func TestDamagedNoteBlamesNobody(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, attemptFile), []byte("trying 0x zz"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := dieOn(t, dir, 0); n != 1 {
		t.Errorf("attempt %d", n)
	}
}

func TestPanicInDecodingStaysInItsRecord(t *testing.T) {
	sealed, err := wire.AppendSealed(nil, wire.Header{Kind: wire.KindReadings, Device: "d", Epoch: 1, Boot: 1, Count: 1}, []byte{1})
	if err != nil {
		t.Fatal(err)
	}
	o := &Opened{Entry: Entry{Kind: KindBatch, Payload: wire.AppendEnvelope(nil, wire.Anchor{}, sealed)}}
	open(nil, o, false) // a decoder that is not there panics
	if o.reason != Panicked || !o.known || o.detail == "" {
		t.Errorf("opened %+v", o)
	}
	open(nil, o, true)
	if o.reason != Unopened || !o.known {
		t.Errorf("unopened %+v", o)
	}
}
