package serialport

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/creack/pty"
)

// line returns both ends of a serial line: the far one, and ours opened as a port.
func line(t *testing.T, s Settings) (far, port *os.File) {
	t.Helper()
	far, near, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	path := near.Name()
	port, err = Open(path, s.Or(9600))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = port.Close() })
	_ = near.Close() // ours is the only one, as on a real line
	return far, port
}

func TestPort(t *testing.T) {
	t.Run("carries every byte as it is", func(t *testing.T) {
		far, port := line(t, Settings{Baud: 12345, Parity: "even", StopBits: 2})
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		for _, way := range [][2]*os.File{{far, port}, {port, far}} {
			if _, err := way[0].Write(all); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(all))
			if _, err := io.ReadFull(way[1], got); err != nil || string(got) != string(all) {
				t.Errorf("%x arrived, %v", got, err)
			}
		}
		_ = port.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if n, err := port.Read(all); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("an echo of %d bytes, %v", n, err)
		}
	})
	t.Run("close wakes a read", func(t *testing.T) {
		_, port := line(t, Settings{})
		ended := make(chan error)
		go func() {
			_, err := port.Read(make([]byte, 1))
			ended <- err
		}()
		_ = port.Close()
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	t.Run("a read ends when the other end is gone", func(t *testing.T) {
		far, port := line(t, Settings{})
		ended := make(chan error)
		go func() {
			_, err := port.Read(make([]byte, 1))
			ended <- err
		}()
		_ = far.Close()
		if err := <-ended; err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("is not opened twice", func(t *testing.T) {
		_, port := line(t, Settings{})
		if _, err := Open(port.Name(), Settings{}.Or(9600)); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		_ = port.Close()
	})
	t.Run("refuses what is no line", func(t *testing.T) {
		if _, err := Open(os.DevNull, Settings{}.Or(9600)); err == nil {
			t.Error("opened")
		}
	})
}

func TestCheckReportsEveryProblem(t *testing.T) {
	var got []string
	report := func(path, _ string, _ ...any) { got = append(got, path) }
	Settings{Baud: 3, Parity: "mark", StopBits: 3}.Check(report)
	if len(got) != 3 {
		t.Errorf("reported %q", got)
	}
	got = nil
	Settings{}.Check(report)
	Settings{}.Or(115200).Check(report)
	if got != nil {
		t.Errorf("good settings refused: %q", got)
	}
}
