package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// batch is a sealed part of about n bytes over 10 seqs. A gap will do: the store looks at headers only.
func batch(t testing.TB, first uint64, n int) Batch {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, first))
	body := make([]byte, n)
	for i := range body {
		body[i] = byte(rng.Uint32())
	}
	h := wire.Header{Kind: wire.KindReadings, Device: "d", Epoch: 7, Boot: 9, First: first, Count: 10, Base: int64(first)}
	sealed, err := wire.AppendSealed(nil, h, body)
	must(t, err)
	return Batch{First: first, Count: 10, To: int64(first) + 5, Sealed: sealed}
}

func fill(t testing.TB, s *Store, from, to uint64, n int) {
	t.Helper()
	for first := from; first < to; first += 10 {
		if done, err := s.Write(7, []byte("info"), []Batch{batch(t, first, n)}); done != 1 || err != nil {
			t.Fatalf("wrote %d: %v", done, err)
		}
	}
}

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, aside, err := Open(dir)
	must(t, err)
	if len(aside) > 0 {
		t.Fatalf("set aside: %v", aside)
	}
	t.Cleanup(s.Close)
	return s
}

// TestWhatIsWrittenIsRead, of all sizes, by the process that wrote it and by the next.
func TestWhatIsWrittenIsRead(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	sizes := []int{1, 2, 900, chunkBytes, 5 * chunkBytes, 100 << 10, wire.MaxSealed - 64}
	var batches []Batch
	for i, n := range sizes {
		batches = append(batches, batch(t, uint64(10*i), n))
	}
	for rest := batches; len(rest) > 0; {
		n, err := s.Write(7, []byte("info"), rest)
		must(t, err)
		rest = rest[n:]
	}
	for _, again := range []bool{false, true} {
		if again {
			s.Close()
			s = open(t, dir)
		}
		seg := s.Segments()[0]
		if seg.Epoch != 7 || seg.First != 0 || seg.Count != len(sizes) || !seg.All.HasAll(0, 70) || seg.Damage != 0 {
			t.Fatalf("segment %+v", seg)
		}
		if again && (string(seg.Info) != "info" || seg.Boot != 9) {
			t.Fatalf("segment %+v", seg)
		}
		for i, b := range batches {
			for _, seq := range []uint64{b.First, b.First + 9} { // from its begin and from inside
				item, err := s.At(seg, seq)
				if err != nil || item.First != b.First || item.To != b.To || !bytes.Equal(item.Raw, b.Sealed) {
					t.Fatalf("batch %d at %d: %+v, %v", i, seq, item.Header, err)
				}
			}
		}
		if _, err := s.At(seg, 70); !errors.Is(err, ErrNone) {
			t.Fatalf("behind the last: %v", err)
		}
	}
}

func TestFilesAreSmallAndGoWhole(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	fill(t, s, 0, 2000, 50<<10) // 10 MB
	segs := s.Segments()
	if len(segs) < 3 {
		t.Fatalf("%d segments", len(segs))
	}
	payload := int64(200 * 50 << 10)
	if b := s.Bytes(); b < payload || b > payload*13/10 {
		t.Fatalf("%d bytes on flash for %d", b, payload)
	}
	for _, seg := range segs {
		if seg.Bytes > fileBytes*5/4 {
			t.Fatalf("a file of %d bytes", seg.Bytes)
		}
	}
	for len(s.Segments()) > 0 {
		must(t, s.Delete(s.Segments()[0]))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Fatalf("left: %v", left)
	}
}

// TestScarceIsNotDamaged: a process that may open no more files sets none of them aside.
func TestScarceIsNotDamaged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	fill(t, s, 0, 50, 300)
	path := s.Segments()[0].path
	s.Close()
	m, _, _, err := OpenMeta(dir)
	must(t, err)
	must(t, m.Put(map[string][]byte{"a": []byte("b")}))
	must(t, m.Close())

	var old syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old))
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: old.Max}))
	_, loadErr := (&Store{dir: dir}).load(path)
	_, _, openErr := Open(dir)
	_, _, _, metaErr := OpenMeta(dir)
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
	for _, err := range []error{loadErr, openErr, metaErr} {
		if !errors.Is(err, ErrScarce) {
			t.Errorf("error is %v", err)
		}
	}

	s, aside, err := Open(dir)
	must(t, err)
	defer s.Close()
	if len(aside) > 0 || len(s.Segments()) != 1 || !s.Segments()[0].All.HasAll(0, 50) {
		t.Errorf("set aside %v, left %d segments", aside, len(s.Segments()))
	}
	m, facts, damaged, err := OpenMeta(dir)
	must(t, err)
	if damaged || string(facts["a"]) != "b" {
		t.Errorf("damaged: %v, facts %q", damaged, facts)
	}
	must(t, m.Close())
}

// TestFlippedByteIsFound: a bit that flips under a running store is seen at the next read.
func TestFlippedByteIsFound(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	fill(t, s, 0, 50, 300)
	s.Close()
	s = open(t, dir)
	seg := s.Segments()[0]
	b, err := os.ReadFile(seg.path)
	must(t, err)
	target := batch(t, 20, 300).Sealed[60:90]
	for i := 0; i+len(target) <= len(b); i++ {
		if bytes.Equal(b[i:i+len(target)], target) {
			b[i] ^= 1
		}
	}
	must(t, os.WriteFile(seg.path, b, 0o600))
	if item, err := s.At(seg, 20); !errors.Is(err, ErrDamaged) || item.First != 20 {
		t.Fatalf("%+v, %v", item, err)
	}
	if item, err := s.At(seg, 30); err != nil || item.First != 30 {
		t.Fatalf("the next batch: %+v, %v", item, err)
	}
}

// TestDamagedFiles: every page of a file is overwritten in turn; Open returns, and what it says it
// has can be read.
func TestDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	fill(t, s, 0, 400, 700)
	path := s.Segments()[0].path
	s.Close()
	whole, err := os.ReadFile(path)
	must(t, err)
	for page := range len(whole) / pageBytes {
		for _, with := range []byte{0, 0xff, 0x55} {
			dir := t.TempDir()
			b := bytes.Clone(whole)
			for i := range b[page*pageBytes : (page+1)*pageBytes] {
				b[page*pageBytes+i] = with
			}
			must(t, os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o600))
			s, aside, err := Open(dir)
			must(t, err)
			if len(aside)+len(s.Segments()) != 1 {
				t.Fatalf("page %d: %v aside, %d segments", page, aside, len(s.Segments()))
			}
			for _, seg := range s.Segments() {
				readAll(t, s, seg)
			}
			s.Close()
		}
	}
}

func readAll(t *testing.T, s *Store, seg *Segment) {
	t.Helper()
	for _, r := range seg.All.Ranges() {
		for seq := r.From; seq < r.To; {
			item, err := s.At(seg, seq)
			if err != nil || item.First != seq {
				t.Fatalf("seq %d was there when it was opened: %+v, %v", seq, item, err)
			}
			seq = item.End()
		}
	}
}

// TestPagesInACircle: bbolt would walk them until memory ends.
func TestPagesInACircle(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	fill(t, s, 0, 400, 700)
	path := s.Segments()[0].path
	s.Close()
	b, err := os.ReadFile(path)
	must(t, err)
	branches := 0
	for page := 2; page < len(b)/pageBytes; page++ {
		p := b[page*pageBytes:]
		if binary.LittleEndian.Uint16(p[8:])&branchFlag != 0 {
			branches++
			for i := range int(binary.LittleEndian.Uint16(p[10:])) {
				binary.LittleEndian.PutUint64(p[pageHeader+i*elementSize+8:], uint64(page))
			}
		}
	}
	if branches == 0 {
		t.Fatal("no branch page to damage")
	}
	must(t, os.WriteFile(path, b, 0o600))
	_, aside, err := Open(dir)
	if err != nil || len(aside) != 1 {
		t.Fatalf("aside %v, %v", aside, err)
	}
	if kept, _ := filepath.Glob(filepath.Join(dir, "damaged", "*")); len(kept) != 1 {
		t.Fatalf("kept for a look: %v", kept)
	}
}

func TestOnlyTheYoungestDamagedFilesAreKept(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 * keptAside {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%016x.seg", record.Epoch(7), i)), []byte("rubbish"), 0o600))
	}
	must(t, os.WriteFile(filepath.Join(dir, "0000000000000007-0000000000000000.seg.tmp"), nil, 0o600))
	s, aside, err := Open(dir)
	must(t, err)
	defer s.Close()
	if len(aside) != 3*keptAside {
		t.Fatalf("set aside: %v", aside)
	}
	if kept, _ := filepath.Glob(filepath.Join(dir, "damaged", "*")); len(kept) != keptAside {
		t.Fatalf("kept: %v", kept)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.seg*")); len(left) > 0 {
		t.Fatalf("left: %v", left)
	}
}

func TestFactsOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	m, facts, damaged, err := OpenMeta(dir)
	must(t, err)
	if len(facts) > 0 || damaged {
		t.Fatalf("facts of a new file: %v, damaged %v", facts, damaged)
	}
	must(t, m.Put(map[string][]byte{"a": []byte("1"), "b": []byte("2")}))
	must(t, m.Put(map[string][]byte{"a": nil, "c": {}}))
	must(t, m.Close())
	m, facts, damaged, err = OpenMeta(dir)
	must(t, err)
	defer func() { must(t, m.Close()) }()
	if damaged || len(facts) != 2 || string(facts["b"]) != "2" || facts["c"] == nil {
		t.Fatalf("facts %v, damaged %v", facts, damaged)
	}
}

// BenchmarkFlush is one flush of a minute of a slow device: the bytes that go to the card are in
// doc.go of the outbox.
func BenchmarkFlush(b *testing.B) {
	for _, n := range []int{330, 1050, 14 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := open(b, b.TempDir())
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for first := uint64(0); b.Loop(); first += 10 {
				if _, err := s.Write(7, []byte("info"), []Batch{batch(b, first, n)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestFactsAreNeverGone: a process that dies while it starts leaves the facts of the one before. Once an empty
// file took their name first.
func TestFactsAreNeverGone(t *testing.T) {
	dir := t.TempDir()
	m, _, _, err := OpenMeta(dir)
	must(t, err)
	must(t, m.Put(map[string][]byte{"a": []byte("1")}))
	must(t, m.Close())
	died := errors.New("died")
	looked := false
	_, err = create(filepath.Join(dir, metaName), false, func(*bbolt.DB) error {
		facts, err := readMeta(filepath.Join(dir, metaName))
		looked = err == nil && string(facts["a"]) == "1"
		return died
	}, bucketMeta)
	if !errors.Is(err, died) || !looked {
		t.Fatalf("%v; facts readable while their successor is made: %v", err, looked)
	}
	m, facts, _, err := OpenMeta(dir)
	must(t, err)
	if string(facts["a"]) != "1" {
		t.Fatalf("facts %v", facts)
	}
	must(t, m.Close())
}

// TestSwallowedErrnoIsFound: bbolt writes what kept a file from growing into a text, and a start branches on it.
func TestSwallowedErrnoIsFound(t *testing.T) {
	swallowed := fmt.Errorf("file resize error: %s", &os.PathError{Op: "truncate", Path: "meta.db.tmp", Err: syscall.ENOSPC})
	if err := orErrno(swallowed); !errors.Is(err, syscall.ENOSPC) || errors.Is(swallowed, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	for _, err := range []error{nil, ErrDamaged, syscall.ENOSPC} {
		if got := orErrno(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}
