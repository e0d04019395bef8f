package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	lineEvery = 5 * time.Second // where lines stay
	moveEvery = 200 * time.Millisecond
	clearLine = "\r\x1b[K"
)

// screen prints lines and, below them, one that moves; where it is not a terminal, that one becomes a line now and then.
type screen struct {
	file     *os.File
	terminal bool

	mu    sync.Mutex
	moved time.Time
	dirty bool // a moving line stands
}

func newScreen(f *os.File) *screen {
	info, err := f.Stat()
	return &screen{file: f, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0, moved: time.Now()}
}

// Write prints whole lines: it is where the log goes. What standard error does not take is lost.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	return s.file.Write(b)
}

// Print implements importer.Screen.
func (s *screen) Print(format string, args ...any) { _, _ = fmt.Fprintf(s, format+"\n", args...) }

// Move replaces the moving line.
func (s *screen) Move(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	every := lineEvery
	if s.terminal {
		every = moveEvery
	}
	if time.Since(s.moved) < every {
		return
	}
	s.moved = time.Now()
	text := fmt.Sprintf(format, args...)
	if s.terminal {
		_, _ = s.file.WriteString(clearLine + text)
		s.dirty = true
		return
	}
	_, _ = s.file.WriteString(text + "\n")
}

func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
}

// wipe takes the moving line away; s.mu is held.
func (s *screen) wipe() {
	if s.dirty {
		_, _ = s.file.WriteString(clearLine)
		s.dirty = false
	}
}
