package sysfs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
)

// Tree is the directory below which sys, proc and dev are found; "" is /.
type Tree string

// CheckRoot reports a root that cannot be one.
func CheckRoot(root string, report sensor.Report) {
	if root != "" && !filepath.IsAbs(root) {
		report("root", "must be an absolute path, not %q", root)
	}
}

// Path returns where a file of the tree really is.
func (t Tree) Path(path string) string { return filepath.Join("/", string(t), path) }

// maxText bounds what is read of a file. The longest that is read here is /proc/net/dev.
const maxText = 1 << 20

// What Text finds where a value should be.
var (
	ErrEmpty   = errors.New("the file is empty")
	ErrNoWait  = errors.New("the kernel has no value yet")
	ErrTooLong = errors.New("the file is too long")
)

// Text returns what a file holds, without the white space around it.
func (t Tree) Text(path string) (string, error) {
	f, err := os.OpenFile(t.Path(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := readAll(f)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", f.Name(), err)
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "", fmt.Errorf("read %s: %w", f.Name(), ErrEmpty)
	}
	return text, nil
}

// readAll reads without Go's poller, which takes EAGAIN of a driver for the promise of an event.
func readAll(f *os.File) ([]byte, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	out, buf := []byte(nil), make([]byte, 4096)
	for {
		n, failed := 0, error(nil)
		if err := raw.Read(func(fd uintptr) bool {
			n, failed = syscall.Read(int(fd), buf)
			return true
		}); err != nil {
			return nil, err
		}
		switch {
		case errors.Is(failed, syscall.EINTR):
		case errors.Is(failed, syscall.EAGAIN):
			return nil, ErrNoWait
		case failed != nil:
			return nil, failed
		case n == 0:
			return out, nil
		case len(out)+n > maxText:
			return nil, ErrTooLong
		default:
			out = append(out, buf[:n]...)
		}
	}
}

// Int returns the whole number that a file holds.
func (t Tree) Int(path string) (int64, error) {
	text, err := t.Text(path)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", t.Path(path), err)
	}
	return v, nil
}

// Has tells whether there is such a file.
func (t Tree) Has(path string) bool {
	_, err := os.Stat(t.Path(path))
	return err == nil
}

// Glob returns the files that match, as paths below the root.
func (t Tree) Glob(pattern string) []string {
	root := t.Path("/")
	found, err := filepath.Glob(filepath.Join(escape(root), pattern))
	if err != nil {
		panic("sysfs: pattern " + pattern + ": " + err.Error())
	}
	for i, path := range found {
		if rel, err := filepath.Rel(root, path); err == nil {
			found[i] = rel
		}
	}
	slices.SortFunc(found, Natural)
	return found
}

// escape takes a root for what it is, whatever signs are in it.
func escape(root string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(root)
}

// Natural compares names such that numbers in them count: hwmon2 comes before hwmon10.
func Natural(a, b string) int {
	digits := func(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }
	for len(a) > 0 && len(b) > 0 {
		if n, m := digits(a), digits(b); n > 0 && m > 0 {
			x, y := strings.TrimLeft(a[:n], "0"), strings.TrimLeft(b[:m], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
				return c
			}
			a, b = a[n:], b[m:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// Plain makes a name of lower-case letters, digits and single underscores.
func Plain(name string) string {
	var b strings.Builder
	gap := false
	for _, c := range strings.ToLower(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte('_')
			gap = false
		}
		b.WriteRune(c)
	}
	return b.String()
}

// LookLimit is how long one look before the start may take. A 1-wire thermometer takes 0.75 s to convert.
const LookLimit = 2 * time.Second

// ErrHangs reports a look that did not come back.
var ErrHangs = errors.New("the kernel does not answer")

// Soon returns what look returns, but waits for it no longer than LookLimit. A look
// that hangs is left behind: no process can call it back from the kernel.
func Soon[T any](look func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	answers := make(chan answer, 1) // room for an answer that nobody waits for
	go func() {
		v, err := look()
		answers <- answer{v, err}
	}()
	timer := time.NewTimer(LookLimit)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a.v, a.err
	case <-timer.C:
		var none T
		return none, fmt.Errorf("after %v: %w", LookLimit, ErrHangs)
	}
}
