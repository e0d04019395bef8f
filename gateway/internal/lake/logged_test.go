package lake

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// TestWhatChangesTheLakeIsLogged: one line each, so that an operator can tell what became of a file.
func TestWhatChangesTheLakeIsLogged(t *testing.T) {
	l, clock := openTimed(t, t.TempDir())
	var said bytes.Buffer
	l.cfg.Logger = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, pin, err := l.LoadCursors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := table.Marks{Log: logA, Next: []uint64{0, 0}}
	if err := l.TakeOver(t.Context(), pin, m); err != nil {
		t.Fatal(err)
	}
	l.keep = 2
	churn(t, l, m, l.keep+extraSnapshots+1)
	for range 2 { // what the first lets go, the second deletes
		if err := l.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		clock.now = clock.now.Add(graceTime + time.Second)
	}
	for line, level := range map[string]string{
		`msg="lake taken over" log_id=` + logA.String(): "INFO",
		`msg="commit landed" readings=2 `:               "DEBUG",
		`msg="snapshots expired" table=readings `:       "DEBUG",
		`msg="files of cursors merged" files=`:          "DEBUG",
		`msg="files out of use deleted" files=`:         "DEBUG",
	} {
		if !strings.Contains(said.String(), "level="+level+" "+line) {
			t.Errorf("nothing is said like level=%s %s", level, line)
		}
	}
	if t.Failed() {
		t.Log(said.String())
	}
}
