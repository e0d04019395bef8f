package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNotRunning means that no gateway listens.
var ErrNotRunning = errors.New("no gateway runs on this data directory; start it with `headwater-gateway run --data DIR`")

const (
	// maxBody bounds what is asked and what is answered.
	maxBody = 16 << 20
	// maxPath is what a socket address of every system holds.
	maxPath = 100
	// headerWithin is how long a caller may take to say what it wants.
	headerWithin = 10 * time.Second
	// stopWithin is how long an answer may take when the gateway stops.
	stopWithin = 5 * time.Second
)

// Socket returns where the gateway of a state directory listens.
func Socket(state string) string { return filepath.Join(state, "control.sock") }

// Listen opens the socket. The caller holds the lock of the state directory, so that what is there is left over.
func Listen(state string) (net.Listener, error) {
	path := Socket(state)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("take over the control socket: %w", err)
	}
	name, done, err := short(path)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	defer done()
	before := unix.Umask(0o177) // a socket has no other moment at which its mode can be set
	l, err := net.Listen("unix", name)
	unix.Umask(before)
	if err != nil {
		return nil, fmt.Errorf("open the control socket %s: %w", path, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(name == path)
	return l, nil
}

// short returns a name of path that fits a socket address, which stands until done is called.
func short(path string) (name string, done func(), err error) {
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + filepath.Base(path), func() { _ = dir.Close() }, nil
}

// Serve answers until ctx ends.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: headerWithin, BaseContext: func(net.Listener) context.Context { return ctx }}
	failed := make(chan error, 1) // one result
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve the control socket: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		_ = srv.Close() // who asked has been told nothing, and asks again
	}
	<-failed
	return nil
}

// refusal is the answer to what is not done.
type refusal struct {
	Error string `json:"error"`
}

// Handle answers POST requests for a path: what f returns, or its error in words.
func Handle[Req, Res any](mux *http.ServeMux, path string, f func(context.Context, Req) (Res, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var req Req
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		dec.DisallowUnknownFields() // a newer command asks for what this gateway would leave out
		if err := dec.Decode(&req); err != nil {
			answer(w, http.StatusBadRequest, refusal{"the gateway does not understand the command: " + err.Error()})
			return
		}
		res, err := f(r.Context(), req)
		if err != nil {
			answer(w, http.StatusConflict, refusal{err.Error()})
			return
		}
		answer(w, http.StatusOK, res)
	})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who asked is gone, and asks again
}

// Call asks the gateway of a state directory. It returns ErrNotRunning, or the refusal of the gateway as it says it.
func Call(ctx context.Context, state, path string, req, res any) error {
	body, err := json.Marshal(req)
	if err != nil {
		return fmt.Errorf("ask the gateway: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gateway"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the gateway: %w", err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, Socket(state)) }}
	defer transport.CloseIdleConnections()
	got, err := (&http.Client{Transport: transport}).Do(r)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED):
		return ErrNotRunning
	case err != nil:
		return fmt.Errorf("ask the gateway: %w", err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(io.LimitReader(got.Body, maxBody))
	if err != nil {
		return fmt.Errorf("ask the gateway: read the answer: %w", err)
	}
	if got.StatusCode == http.StatusOK {
		return json.Unmarshal(text, res)
	}
	var no refusal
	if err := json.Unmarshal(text, &no); err != nil || no.Error == "" {
		return fmt.Errorf("the gateway answered %s; is it of the version of this command?", got.Status)
	}
	return errors.New(no.Error)
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	name, done, err := short(path)
	if err != nil {
		return nil, err
	}
	defer done()
	var d net.Dialer
	return d.DialContext(ctx, "unix", name)
}
