package importer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"os"

	"github.com/headwater-iot/headwater/agent/internal/csvfile"
	"github.com/headwater-iot/headwater/shared/record"
)

// How rows are cut into batches. A change of any of these is a new version of the numbering.
const (
	numbering = "headwater import 1"

	maxRows  = 16 << 10
	maxBytes = 200 << 10 // of a batch in which nothing compresses: below wire.MaxSealed with its header
	rowCost  = 10
	cellCost = 14 // a float, its place and its marks
	nameCost = 24 // of a column, beside its names
	maxRaw   = 1 << 20
)

// ErrChanged means that a file was written to while it was imported.
var ErrChanged = errors.New("the file changed while it was read; import a copy that nobody writes to")

// piece is a stretch of the file that makes one batch.
type piece struct {
	at    csvfile.Position
	end   int64  // offset behind it
	first uint64 // seq
	crc   uint32 // of its records
}

// Plan is a file that was read once: what it holds, and how it is cut.
type Plan struct {
	Path     string
	Device   string
	Epoch    record.Epoch
	SHA256   [sha256.Size]byte
	Rows     uint64 // that can be read
	Empty    uint64 // of these, without any reading
	Bad      uint64
	Readings uint64 // seqs
	Twice    int    // rows whose local time came twice
	Cut      int    // rows whose time was finer than a microsecond
	From, To int64  // us, the first and the last time
	Days     int    // with a reading, UTC
	Spread   int    // the sum over batches of the days in each: Days and a few, where rows are in the order of time
	File     *csvfile.File

	in     *os.File
	info   os.FileInfo
	pieces []piece // and one behind the last
}

// Heard is told of what is read. It is called from the goroutine that reads.
type Heard struct {
	Bad  func(path string, row *csvfile.BadRow)
	Read func(path string, bytes, of int64) // now and then
}

// Open reads a file from its start to its end, and plans its import. Whoever calls it closes the plan.
func Open(ctx context.Context, path, device string, o csvfile.Options, heard Heard) (*Plan, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	p := &Plan{Path: path, Device: device, in: in, From: math.MaxInt64, To: math.MinInt64}
	if err := p.open(ctx, o, heard); err != nil {
		_ = in.Close() // it was only read
		return nil, fmt.Errorf("import %s: %w", path, err)
	}
	return p, nil
}

// Close lets go of the file.
func (p *Plan) Close() error { return p.in.Close() }

func (p *Plan) open(ctx context.Context, o csvfile.Options, heard Heard) (err error) {
	if p.info, err = p.in.Stat(); err != nil {
		return err
	}
	if !p.info.Mode().IsRegular() {
		return fmt.Errorf("not a regular file: an import reads it twice")
	}
	if p.File, err = csvfile.Open(p.in, p.info.Size(), o); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(p.in, 0, p.File.Start().Offset)); err != nil {
		return err
	}
	size := p.info.Size() - p.File.Start().Offset
	body := io.TeeReader(io.NewSectionReader(p.in, p.File.Start().Offset, size), sum)
	rows := newDigest(p.File)
	if err := p.read(ctx, p.File.Rows(body, p.File.Start()), rows, heard); err != nil {
		return err
	}
	sum.Sum(p.SHA256[:0])
	name := sha256.New()
	fmt.Fprintf(name, "%s\x00%s\x00%s", numbering, p.Device, p.SHA256[:])
	name.Write(rows.Sum(nil))
	p.Epoch = record.Epoch(max(1, binary.BigEndian.Uint64(name.Sum(nil)))) // 0 names none
	return p.unchanged()
}

// unchanged returns ErrChanged if the file is not what it was when it was opened, as far as the system tells.
func (p *Plan) unchanged() error {
	now, err := p.in.Stat()
	if err != nil {
		return err
	}
	if now.Size() != p.info.Size() || !now.ModTime().Equal(p.info.ModTime()) {
		return ErrChanged
	}
	return nil
}

// read goes through all rows.
func (p *Plan) read(ctx context.Context, rows *csvfile.Rows, digest *digest, heard Heard) error {
	cut := cutter{piece: piece{at: rows.Position()}, columns: map[column]struct{}{}}
	days := spread{in: map[int64]int{}}
	for n := 0; ; n++ {
		if n%4096 == 0 {
			heard.Read(p.Path, rows.Position().Offset, p.info.Size())
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		before := rows.Position()
		row, err := rows.Next()
		var bad *csvfile.BadRow
		switch {
		case errors.Is(err, io.EOF):
			p.pieces = cut.finish(p.pieces, before.Offset)
			p.Twice, p.Cut, p.Readings = rows.Twice, rows.Cut, cut.seq
			p.Days, p.Spread = len(days.in), days.sum
			return nil
		case errors.As(err, &bad):
			p.Bad++
			heard.Bad(p.Path, bad)
			row = nil
		case err != nil:
			return err
		default:
			p.count(row)
			digest.row(row)
		}
		p.pieces = cut.add(p.pieces, before, row, rows.Raw)
		if row != nil && len(row.Cells) > 0 {
			days.add(micros(row), len(p.pieces))
		}
	}
}

func (p *Plan) count(row *record.Row) {
	p.Rows++
	if len(row.Cells) == 0 {
		p.Empty++
		return
	}
	p.From, p.To = min(p.From, micros(row)), max(p.To, micros(row))
}

func micros(row *record.Row) int64 {
	if row.Unit == record.Milli {
		return row.Time * 1000
	}
	return row.Time
}

// What the gateway lands together: batches of few days in groups of whole batches, scattered ones only up to a year.
const (
	groupDays = 64
	wideDays  = 448
	mostTimes = 16 // files of a day that are few enough
)

// Scattered reports whether the rows are in such disorder over so long a time that no gateway can gather them: each
// batch would land as a file for each of its days.
func (p *Plan) Scattered() bool {
	return p.Days > wideDays && p.Spread > groupDays*len(p.pieces) && p.Spread > mostTimes*p.Days
}

// maxSpread bounds the days that are told apart: beyond, all others are one.
const maxSpread = 1 << 16

// spread counts in how many pieces the days are.
type spread struct {
	in  map[int64]int // the piece that had the day last, from 1
	sum int
}

func (s *spread) add(us int64, piece int) {
	day := us / (24 * 3600 * 1_000_000)
	if _, has := s.in[day]; !has && len(s.in) == maxSpread {
		day = math.MaxInt64
	}
	if s.in[day] != piece+1 {
		s.in[day] = piece + 1
		s.sum++
	}
}

// cutter cuts rows into pieces.
type cutter struct {
	piece
	seq        uint64
	rows, cost int
	raw        int
	columns    map[column]struct{} // that the batch has so far
}

// column is what package seal makes a column of.
type column struct {
	series string
	kind   record.ValueKind
	unit   record.TimeUnit
}

// price returns what a row takes in the batch if nothing compresses.
func (c *cutter) price(row *record.Row) int {
	if row == nil || len(row.Cells) == 0 {
		return 0
	}
	cost := rowCost
	for i := range row.Cells {
		x := &row.Cells[i]
		cost += cellCost + len(x.Text)
		if _, has := c.columns[column{x.Series, x.Kind, row.Unit}]; !has {
			cost += nameCost + len(x.Series) + len(x.Unit)
		}
	}
	return cost
}

// add takes one record; row is nil for one that cannot be read. It appends the piece that ends before it, if one does.
func (c *cutter) add(done []piece, before csvfile.Position, row *record.Row, raw []byte) []piece {
	cost := c.price(row)
	if c.raw > 0 && (c.cost+cost > maxBytes || c.rows == maxRows || c.raw+len(raw) > maxRaw) {
		done = c.finish(done, before.Offset)
		clear(c.columns)
		*c = cutter{piece: piece{at: before, first: c.seq}, seq: c.seq, columns: c.columns}
		cost = c.price(row)
	}
	c.crc = crc32.Update(c.crc, crc32.MakeTable(crc32.Castagnoli), raw)
	c.raw += len(raw)
	if cost > 0 {
		c.rows, c.cost = c.rows+1, c.cost+cost
		c.seq += uint64(len(row.Cells))
		for i := range row.Cells {
			c.columns[column{row.Cells[i].Series, row.Cells[i].Kind, row.Unit}] = struct{}{}
		}
	}
	return done
}

// finish appends the piece, if it has readings, that ends at an offset.
func (c *cutter) finish(done []piece, end int64) []piece {
	if c.rows == 0 {
		return done
	}
	c.piece.end = end
	return append(done, c.piece)
}

// digest is a hash over rows.
type digest struct {
	hash.Hash
	fields []csvfile.Field
	buf    []byte
}

func newDigest(f *csvfile.File) *digest {
	d := &digest{Hash: sha256.New(), fields: f.Fields}
	for _, x := range f.Fields {
		fmt.Fprintf(d, "%s\x00%s\x00", x.Series, x.Unit)
	}
	return d
}

// row writes a row. Its cells are in the order of the fields.
func (d *digest) row(row *record.Row) {
	b := append(d.buf[:0], byte(row.Unit))
	b = binary.LittleEndian.AppendUint64(b, uint64(row.Time))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(row.Cells)))
	field := 0
	for i := range row.Cells {
		c := &row.Cells[i]
		for d.fields[field].Series != c.Series {
			field++
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(field))
		b = append(b, byte(c.Kind))
		if c.Null {
			b = append(b, 0xff)
		}
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(c.Float)^uint64(c.Int)^c.Uint) // one of the three
		b = binary.LittleEndian.AppendUint32(b, uint32(len(c.Text)))
		b = append(b, c.Text...)
	}
	d.buf = b
	_, _ = d.Write(b) // a hash does not fail
}
