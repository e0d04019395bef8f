package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// line is a network between two processes that can be cut in the middle of a byte stream, and mended.
type line struct {
	t        *testing.T
	addr, to string
	wg       sync.WaitGroup // all that serve and copy

	mu    sync.Mutex
	door  net.Listener // nil = it is cut
	conns map[net.Conn]bool
}

// newLine returns a line that leads to an address.
func newLine(t *testing.T, to string) *line {
	t.Helper()
	l := &line{t: t, addr: freePort(t), to: to, conns: map[net.Conn]bool{}}
	l.mend()
	t.Cleanup(l.cut)
	return l
}

func (l *line) mend() {
	l.t.Helper()
	door, err := net.Listen("tcp", l.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	l.mu.Lock()
	l.door = door
	l.mu.Unlock()
	l.wg.Go(func() { l.serve(door) })
}

// cut ends all connections at once and refuses new ones.
func (l *line) cut() {
	l.mu.Lock()
	if l.door != nil {
		l.door.Close()
	}
	l.door = nil
	for c := range l.conns {
		c.Close()
	}
	l.mu.Unlock()
	l.wg.Wait()
}

func (l *line) serve(door net.Listener) {
	for {
		near, err := door.Accept()
		if err != nil {
			return
		}
		l.wg.Go(func() {
			defer near.Close()
			far, err := net.Dial("tcp", l.to)
			if err != nil {
				return
			}
			defer far.Close()
			if !l.keep(door, near, far) {
				return
			}
			defer l.drop(near, far)
			var back sync.WaitGroup
			back.Go(func() { _, _ = io.Copy(near, far); near.Close() })
			_, _ = io.Copy(far, near)
			far.Close()
			back.Wait()
		})
	}
}

// keep puts a connection where cut finds it, unless the line was cut while it was made.
func (l *line) keep(door net.Listener, both ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range both {
		l.conns[c] = true
	}
	return l.door == door
}

func (l *line) drop(both ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range both {
		delete(l.conns, c)
	}
}
