package outbox

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/headwater-iot/headwater/shared/wire"
)

// files returns the files of a pattern in the outbox's directory.
func files(t *testing.T, dir, pattern string) []string {
	t.Helper()
	f, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func change(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// flipIn flips a bit of the first place where a pattern stands.
func flipIn(t *testing.T, pattern string) func([]byte) []byte {
	return func(b []byte) []byte {
		i := bytes.Index(b, []byte(pattern))
		if i < 0 {
			t.Fatalf("no %q to damage", pattern)
		}
		b[i+len(pattern)/2] ^= 1
		return b
	}
}

// page returns a function that works on one 4 KiB page.
func page(n int, f func([]byte)) func([]byte) []byte {
	return func(b []byte) []byte {
		f(b[n*4096 : (n+1)*4096])
		return b
	}
}

func fill(v byte) func([]byte) {
	return func(b []byte) {
		for i := range b {
			b[i] = v
		}
	}
}

// TestDamagedFiles: whatever is damaged, the outbox starts, sends what is readable, says of the rest that it
// is gone, and goes on. The device had three flushes of 100 rows on flash.
func TestDamagedFiles(t *testing.T) {
	const rows = 300
	for _, c := range []struct {
		name     string
		pattern  string
		damage   func(*testing.T, string)
		survive  int // rows that have to land all the same
		exactGap bool
	}{
		{"nothing", "*.seg", func(*testing.T, string) {}, rows, true},
		{"segment empty", "*.seg", write(func([]byte) []byte { return nil }), 0, true},
		{"segment cut to a page", "*.seg", write(func(b []byte) []byte { return b[:4096] }), 0, true},
		{"segment cut in half", "*.seg", write(func(b []byte) []byte { return b[:len(b)/2] }), 0, true},
		{"segment cut by a byte", "*.seg", write(func(b []byte) []byte { return b[:len(b)-1] }), 0, true},
		{"segment of zeros", "*.seg", write(func(b []byte) []byte { return make([]byte, len(b)) }), 0, true},
		{"segment of ones", "*.seg", write(func(b []byte) []byte { return bytes.Repeat([]byte{0xff}, len(b)) }), 0, true},
		{"segment meta pages", "*.seg", write(func(b []byte) []byte { fill(0xaa)(b[:8192]); return b }), 0, true},
		{"segment batch magic", "*.seg", write(flipLastSealed), 200, true},
		{"segment page 2", "*.seg", write(page(2, fill(0xff))), 0, true},
		{"segment page 3", "*.seg", write(page(3, fill(0xff))), 0, true},
		{"segment page 4", "*.seg", write(page(4, fill(0x00))), 0, true},
		{"segment page 5", "*.seg", write(page(5, fill(0x55))), 0, true},
		{"segment page 6", "*.seg", write(page(6, fill(0xff))), 0, true},
		{"segment missing", "*.seg", func(t *testing.T, p string) { must(t, os.Remove(p)) }, 0, true},
		{"segment of another name", "*.seg", func(t *testing.T, p string) {
			must(t, os.WriteFile(filepath.Join(filepath.Dir(p), "rubbish.seg"), []byte("x"), 0o600))
		}, rows, true},
		{"meta empty", "meta.db", write(func([]byte) []byte { return nil }), rows, false},
		{"meta garbage", "meta.db", write(func(b []byte) []byte { return bytes.Repeat([]byte("garbage"), 1000) }), rows, false},
		{"meta missing", "meta.db", func(t *testing.T, p string) { must(t, os.Remove(p)) }, rows, false},
		{"meta fact", "meta.db", flipFact, rows, false},
		{"meta a directory", "meta.db", func(t *testing.T, p string) { must(t, os.Remove(p)); must(t, os.MkdirAll(p+"/x", 0o700)) }, rows, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t)
			o := mustOpen(t, cfg)
			first := o.Epoch()
			for i := range 3 {
				appendRows(t, o, 100*i, 100*(i+1))
				must(t, o.Seal())
				o.flash.Lock()
				o.flush(func(*held) bool { return true })
				o.flash.Unlock()
			}
			must(t, o.Close())
			for _, f := range files(t, o.dir(), c.pattern) {
				c.damage(t, f)
			}
			checkAfterDamage(t, cfg, rows, c.survive)
			if c.exactGap {
				wantAllClosed(t, cfg, uint64(first))
			}
		})
	}
}

// checkAfterDamage starts twice on what is left, with new rows each time, and drains at the end.
func checkAfterDamage(t *testing.T, cfg Config, rows, survive int) {
	t.Helper()
	o := mustOpen(t, cfg)
	appendRows(t, o, rows, rows+10)
	must(t, o.Close())
	o = mustOpen(t, cfg)
	appendRows(t, o, rows+10, rows+20)
	must(t, o.Seal())
	l := newLake(t)
	l.drain(o)
	l.wantRows(rows, rows+20)
	landed := 0
	for i := range rows {
		switch n := l.got[key(i)]; n {
		case 0:
		case 1:
			landed++
		default:
			t.Fatalf("row %d landed %d times", i, n)
		}
	}
	if landed < survive {
		t.Fatalf("%d of %d rows landed, want %d", landed, rows, survive)
	}
	if landed < rows {
		gapped := uint64(0)
		for _, e := range l.epochs {
			gapped += e.reasons[wire.Damaged]
		}
		if gapped != uint64(2*(rows-landed)) {
			t.Fatalf("%d rows lost, %d readings in gaps", rows-landed, gapped)
		}
	}
	must(t, o.Close())
}

// wantAllClosed is checked by the counts above; what is left is that nothing is held any more.
func wantAllClosed(t *testing.T, cfg Config, _ uint64) {
	t.Helper()
	o := mustOpen(t, cfg)
	for _, e := range o.Report().Epochs {
		if len(e.Held) > 0 {
			t.Fatalf("held after all has landed: %+v", e)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(f func([]byte) []byte) func(*testing.T, string) {
	return func(t *testing.T, path string) { change(t, path, f) }
}

// flipLastSealed damages the youngest copy of the last batch: pages of earlier transactions may hold others.
func flipLastSealed(b []byte) []byte {
	at := 0
	for i := 0; i+2 < len(b); i++ {
		if b[i] == 'H' && b[i+1] == 'W' && b[i+2] == 1 {
			at = i
		}
	}
	for i := 0; i+40 < len(b); i++ { // every copy of it
		if bytes.Equal(b[i:i+40], b[at:at+40]) && i != at {
			b[i+20] ^= 1
		}
	}
	b[at+20] ^= 1
	return b
}

// flipFact damages the line of an epoch, wherever a page has a copy.
func flipFact(t *testing.T, path string) {
	change(t, path, func(b []byte) []byte {
		for from := 0; ; {
			i := bytes.Index(b[from:], []byte(factLine))
			if i < 0 {
				return b
			}
			b[from+i+len(factLine)+16+2] ^= 1
			from += i + 1
		}
	})
}

// TestDamagedRing: the same for the ring of a process that was killed with 100 rows sealed and 50 waiting.
func TestDamagedRing(t *testing.T) {
	const rows = 150
	for _, c := range []struct {
		name    string
		damage  func(*testing.T, string)
		survive int
	}{
		{"nothing", func(*testing.T, string) {}, rows},
		{"empty", write(func([]byte) []byte { return nil }), 0},
		{"cut behind the header", write(func(b []byte) []byte { return b[:4096] }), 0},
		{"cut in the header", write(func(b []byte) []byte { return b[:300] }), 0},
		{"garbage", write(func(b []byte) []byte { return bytes.Repeat([]byte("garbage!"), len(b)/8) }), 0},
		{"header", write(func(b []byte) []byte { fill(0xff)(b[:4096]); return b }), rows},
		{"one slot", write(func(b []byte) []byte { b[20] ^= 1; return b }), rows - 1},
		{"a sealed batch", write(flipIn(t, "HW\x01\x01")), 50},
		{"a waiting row", write(flipLastRow), rows - 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t)
			o := mustOpen(t, cfg)
			appendRows(t, o, 0, 100)
			must(t, o.Seal())
			appendRows(t, o, 100, rows)
			kill(t, o)
			c.damage(t, o.ringPath())

			o = mustOpen(t, cfg)
			appendRows(t, o, rows, rows+10)
			kill(t, o)
			o = mustOpen(t, cfg)
			l := newLake(t)
			l.drain(o)
			l.wantRows(rows, rows+10)
			l.wantDense()
			landed, gapped := 0, uint64(0)
			for i := range rows {
				landed += l.got[key(i)]
			}
			for _, e := range l.epochs {
				gapped += e.gapped.Count()
			}
			if landed < c.survive || landed > rows {
				t.Fatalf("%d of %d rows landed, want %d", landed, rows, c.survive)
			}
			if lost := uint64(2 * (rows - landed)); c.survive > 0 && gapped != lost {
				t.Fatalf("%d readings lost, %d in gaps", lost, gapped)
			}
		})
	}
}

// flipLastRow damages the payload of a row that is not the last record.
func flipLastRow(b []byte) []byte {
	i := bytes.LastIndex(b, []byte("half"))
	i = bytes.LastIndex(b[:i], []byte("half"))
	b[i] ^= 1
	return b
}

// TestFileVanishesUnderARunningOutbox: the file is cut or garbled after it was read well at the start, before or
// after it was opened for the backlog. What is gone becomes a gap; the process lives.
func TestFileVanishesUnderARunningOutbox(t *testing.T) {
	for name, c := range map[string]struct {
		opened bool
		damage func([]byte) []byte
	}{
		"emptied":              {false, func([]byte) []byte { return nil }},
		"garbled":              {false, func(b []byte) []byte { return bytes.Repeat([]byte{0x5a}, len(b)) }},
		"cut while mapped":     {true, func(b []byte) []byte { return b[:4096] }},
		"garbled while mapped": {true, func(b []byte) []byte { return bytes.Repeat([]byte{0x5a}, len(b)) }},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			o := mustOpen(t, cfg)
			for i := range 4 {
				appendRows(t, o, 10*i, 10*i+10)
				must(t, o.Seal())
			}
			first := o.Epoch()
			must(t, o.Close())
			o = mustOpen(t, cfg)
			if c.opened {
				if _, ok := o.Next(Backlog, func(Ref) bool { return false }); !ok {
					t.Fatal("no backlog")
				}
			}
			for _, f := range files(t, o.dir(), "*.seg") {
				change(t, f, c.damage)
			}
			l := newLake(t)
			l.drain(o)
			l.wantDense()
			if e := l.epochs[first]; !e.ended || e.closed.Mark() != 80 || e.gapped.Count() == 0 {
				t.Fatalf("closed %v, gaps %v, ended %v", e.closed.Ranges(), e.gapped.Ranges(), e.ended)
			}
			if len(o.store.Segments()) != 0 || !raised(cfg.Health, "outbox-damaged") {
				t.Fatalf("%d segments are left", len(o.store.Segments()))
			}
		})
	}
}
