package control

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type question struct{ Text string }

// serve answers "/echo" in a state directory until the test ends, or stop is called.
func serve(t *testing.T, state string) (stop func()) {
	t.Helper()
	l, err := Listen(state)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	Handle(mux, "/echo", func(_ context.Context, q question) (question, error) {
		if q.Text == "" {
			return question{}, errors.New("say something")
		}
		return q, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1) // one result
	go func() { done <- Serve(ctx, l, mux) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil
	}
	t.Cleanup(stop)
	return stop
}

func TestCallTellsWhatWentWrong(t *testing.T) {
	dir := t.TempDir()
	var got question
	ask := func(path string, req any) error { return Call(t.Context(), dir, path, req, &got) }
	if err := ask("/echo", question{"x"}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody listens: %v", err)
	}
	stop := serve(t, dir)
	if err := ask("/echo", question{"hello"}); err != nil || got.Text != "hello" {
		t.Errorf("%q, %v", got.Text, err)
	}
	for want, err := range map[string]error{
		"say something":       ask("/echo", question{}),
		"does not understand": ask("/echo", map[string]int{"Volume": 11}),
		"404":                 ask("/shout", question{"x"}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, ErrNotRunning) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	stop()
	if err := ask("/echo", question{"x"}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("it has stopped: %v", err)
	}
}

func TestSocketIsPrivate(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir)
	info, err := os.Stat(Socket(dir))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 200))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(Socket(dir), nil, 0o644); err != nil { // what a killed gateway left
		t.Fatal(err)
	}
	serve(t, dir)
	var got question
	if err := Call(t.Context(), dir, "/echo", question{"far"}, &got); err != nil || got.Text != "far" {
		t.Errorf("%q, %v", got.Text, err)
	}
}
