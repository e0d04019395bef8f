package plugin

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// ErrLong means that a line, or item, is longer than it may be.
var ErrLong = errors.New("longer than max_line")

// splitter is a Writer that cuts what comes into lines. Take gets each without its end, or nil and ErrLong; an error
// of take ends the writing.
type splitter struct {
	most int
	take func(line []byte, err error) error

	rest []byte // of a line that has not ended
	skip bool   // the line is too long already
}

// Write implements io.Writer.
func (s *splitter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		rest = after
		if err := s.add(line); err != nil {
			return 0, err
		}
		if whole {
			if err := s.Flush(); err != nil {
				return 0, err
			}
			s.skip = false
		}
	}
	return len(p), nil
}

// add keeps a part of a line, as long as it is not too long.
func (s *splitter) add(part []byte) error {
	switch {
	case s.skip:
		return nil
	case len(s.rest)+len(part) > s.most:
		s.rest, s.skip = s.rest[:0], true
		return s.take(nil, ErrLong)
	}
	s.rest = append(s.rest, part...)
	return nil
}

// Flush gives on what has no end yet. Empty lines are none.
func (s *splitter) Flush() error {
	line := bytes.TrimSpace(s.rest)
	s.rest = s.rest[:0]
	if len(line) == 0 {
		return nil
	}
	return s.take(line, nil)
}

// sequence is a Writer that cuts a CBOR sequence into its items. Behind an item that is none there is no telling
// where the next one begins: that ends the writing.
type sequence struct {
	most int
	take func(item []byte, err error) error

	rest []byte
}

// Write implements io.Writer.
func (s *sequence) Write(p []byte) (int, error) {
	s.rest = append(s.rest, p...)
	for len(s.rest) > 0 {
		var item cbor.RawMessage
		after, err := cbor.UnmarshalFirst(s.rest, &item)
		long := len(item) > s.most || err != nil && len(s.rest) > s.most
		switch {
		case long:
			return 0, errors.Join(s.take(nil, ErrLong), ErrLong)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return len(p), nil
		case err != nil:
			return 0, errors.Join(s.take(nil, err), err)
		}
		s.rest = after
		if err := s.take(item, nil); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Flush says that what has come is all. An item that broke off is none.
func (s *sequence) Flush() error {
	if len(s.rest) == 0 {
		return nil
	}
	s.rest = nil
	return s.take(nil, io.ErrUnexpectedEOF)
}

// throttle lets a number of messages through per minute and counts the others.
type throttle struct {
	most int

	mu         sync.Mutex
	began      time.Time // guarded by mu: the minute
	said, held int       // guarded by mu: in it
}

// allow tells whether to log now, and how many were held back in the minute before.
func (t *throttle) allow() (held int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Sub(t.began) >= time.Minute {
		held = t.held
		t.began, t.said, t.held = now, 0, 0
	}
	if t.said == t.most {
		t.held++
		return 0, false
	}
	t.said++
	return held, true
}
