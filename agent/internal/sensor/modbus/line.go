package modbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor/serialport"
)

// ErrLine means that two sensors want one serial line differently.
var ErrLine = errors.New("two sensors on one serial line need the same baud, parity and stop_bits")

// Lines are the lines of an agent by their URL: sensors on one line take turns.
// The zero value is ready.
type Lines struct {
	mu    sync.Mutex
	lines map[string]*line // guarded by mu
}

// Claim returns ErrLine when an earlier sensor wants the line of s differently.
func (l *Lines) Claim(s Settings) error {
	_, err := l.of(s)
	return err
}

// of returns the line that the settings name.
func (l *Lines) of(s Settings) (*line, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	serial := s.Or(DefaultBaud)
	if known := l.lines[s.URL]; known != nil {
		if known.serial != serial {
			return nil, fmt.Errorf("%s: %w", s.URL, ErrLine)
		}
		return known, nil
	}
	if l.lines == nil {
		l.lines = map[string]*line{}
	}
	made := &line{url: s.URL, serial: serial, turn: make(chan struct{}, 1)}
	made.scheme, made.address = s.scheme()
	l.lines[s.URL] = made
	return made, nil
}

// conn is an open line: a TCP connection or a serial port.
type conn interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
}

// line is a serial line or a connection, with the devices on it.
type line struct {
	url, scheme, address string
	serial               serialport.Settings

	turn chan struct{} // room for one: who has put something in owns what is below
	conn conn          // nil while it is closed
	open int           // devices that use it
	id   uint16        // of the latest request over TCP

	silent byte      // the unit that did not answer
	late   time.Time // until when its answer may still come
}

// take waits for the turn.
func (l *line) take(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", l.url, ctx.Err())
	}
}

func (l *line) give() { <-l.turn }

// join opens the line, unless it is open, for one more device.
func (l *line) join(ctx context.Context) error {
	if err := l.take(ctx); err != nil {
		return err
	}
	defer l.give()
	if err := l.connect(ctx); err != nil {
		return err
	}
	l.open++
	return nil
}

// leave closes the line after its last device.
func (l *line) leave() error {
	l.turn <- struct{}{} // not for longer than the exchange that runs
	defer l.give()
	if l.open--; l.open == 0 {
		return l.hangUp()
	}
	return nil
}

func (l *line) connect(ctx context.Context) error {
	if l.conn != nil {
		return nil
	}
	if l.scheme == "rtu" {
		port, err := serialport.Open(l.address, l.serial)
		if err != nil {
			return err
		}
		l.conn = port
		return nil
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", l.address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w (is the device on, the port right, another master connected?)", l.url, err)
	}
	l.conn = c
	return nil
}

func (l *line) hangUp() error {
	if l.conn == nil {
		return nil
	}
	c := l.conn
	l.conn = nil
	return c.Close()
}

// ask sends a request when it is its turn and returns the data of the answer. What was garbled is asked for once
// more: lines are noisy, and the noise is short.
func (l *line) ask(ctx context.Context, q request, wait time.Duration) ([]byte, error) {
	if err := l.take(ctx); err != nil {
		return nil, err
	}
	defer l.give()
	data, err := l.once(ctx, q, wait)
	if errors.Is(err, ErrGarbled) && ctx.Err() == nil {
		data, err = l.once(ctx, q, wait)
	}
	return data, err
}

// once makes one exchange. After any failure but a refusal the line is closed, and opened for the next request:
// that is the one way out of a connection whose other end forgot it and of an adapter that was plugged in again.
func (l *line) once(ctx context.Context, q request, wait time.Duration) ([]byte, error) {
	if err := l.connect(ctx); err != nil {
		return nil, err
	}
	c := l.conn
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	data, err := l.exchange(ctx, q, wait)
	if refusal := Exception(0); err == nil || errors.As(err, &refusal) {
		return data, err
	}
	_ = l.hangUp() // err says more
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("ask unit %d on %s: %w", q.unit, l.url, ctx.Err())
	case errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, ErrGarbled):
		l.silent, l.late = q.unit, time.Now().Add(wait)
		err = ErrSilent
	}
	return nil, fmt.Errorf("ask unit %d on %s for %d at %d: %w", q.unit, l.url, q.count, q.first, err)
}

// exchange sends a request and waits for the answer, until ctx ends or the device has had its time.
func (l *line) exchange(ctx context.Context, q request, wait time.Duration) ([]byte, error) {
	if l.scheme == "tcp" {
		if err := l.until(ctx, time.Now().Add(wait)); err != nil {
			return nil, err
		}
		l.id++
		return tcp(l.conn, l.id, q)
	}
	if err := l.listen(ctx, q.unit, wait); err != nil {
		return nil, err
	}
	if l.scheme == "rtu" {
		wait += time.Duration(8+5+q.bytes()) * l.char()
	}
	if err := l.until(ctx, time.Now().Add(wait)); err != nil {
		return nil, err
	}
	return rtu(l.conn, q)
}

// until sets the deadline of what follows. The end of ctx sets one as well, and ctx is looked at behind ours: so
// whichever of the two comes second, an ended ctx ends what follows.
func (l *line) until(ctx context.Context, t time.Time) error {
	if err := l.conn.SetDeadline(t); err != nil {
		return err
	}
	return ctx.Err()
}

// listen waits until a serial line has been quiet for 3.5 characters, as the standard asks before each request, and
// drops what it hears. A unit that did not answer in time may do so yet: nothing in such an answer tells it from the
// one to the next request, so this waits until it is very late.
func (l *line) listen(ctx context.Context, unit byte, most time.Duration) error {
	pause, end := max(7*l.char()/2, 1750*time.Microsecond), time.Now().Add(2*most)
	var heard [256]byte
	for {
		until := time.Now().Add(pause)
		if unit == l.silent && l.late.After(until) {
			until = l.late
		}
		if err := l.until(ctx, until); err != nil {
			return err
		}
		_, err := l.conn.Read(heard[:])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("listen: %w (was it unplugged?)", err)
		case time.Now().After(end):
			return fmt.Errorf("%w: somebody talks without end", ErrGarbled)
		}
	}
}

// char is the time that a character takes on the line, 11 bits.
func (l *line) char() time.Duration { return 11 * time.Second / time.Duration(l.serial.Baud) }
