package quarantine

import (
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// hexBytes is how much of a record is shown as it is: its envelope, its header and the beginning of its body.
const hexBytes = 256

// Row is a row of the table, as it is shown.
type Row struct {
	Name     string `json:"name"`
	Readings uint64 `json:"readings"`
	Reason   string `json:"reason"`
	Rule     string `json:"rule,omitempty"`
	Contract string `json:"contract,omitempty"`
	Fate     string `json:"fate"`
}

// Reading is one decoded reading.
type Reading struct {
	Seq     uint64 `json:"seq"`
	Time    string `json:"time"` // RFC 3339; or boot+SECONDSs where the envelope does not say when that was
	Series  string `json:"series"`
	Value   any    `json:"value"` // null: the sample failed
	Unit    string `json:"unit,omitempty"`
	Quality uint32 `json:"quality"`
	Held    bool   `json:"held"`
}

// Record is a log record of which quarantine holds something, as it is shown.
type Record struct {
	Place    string    `json:"record"`
	Received time.Time `json:"received"`
	Rows     []Row     `json:"rows"`
	Size     int       `json:"bytes"`
	Header   *Header   `json:"header,omitempty"`
	Problem  string    `json:"problem,omitempty"` // why it cannot be decoded
	Readings []Reading `json:"readings,omitempty"`
	Left     int       `json:"left_out"` // readings beyond the limit
	Hex      string    `json:"hex"`      // of the beginning
}

// Header is what stands before the readings.
type Header struct {
	Kind        string `json:"kind"`
	Device      string `json:"device"`
	Epoch       string `json:"epoch"`
	Boot        string `json:"boot"`
	First       uint64 `json:"first_seq"`
	Count       uint64 `json:"count"`
	Absolute    bool   `json:"absolute_time"`
	Anchor      string `json:"anchor"` // how its wall clock is known
	Uncertainty uint64 `json:"anchor_uncertainty_us"`
	CRC         string `json:"crc"`
}

// Show decodes a record from its rows, and at most limit of its readings, the held ones first.
func Show(rows []table.QuarantineRow, limit int) Record {
	r := Record{Place: placeOf(&rows[0]), Received: time.UnixMicro(rows[0].Origin.Received).UTC()}
	var payload []byte
	for i := range rows {
		row := &rows[i]
		r.Rows = append(r.Rows, Row{NameOf(row), row.Count, row.Reason, row.Rule, row.Contract, row.Fate})
		if payload == nil {
			payload = row.Bytes
		}
	}
	r.Size, r.Hex = len(payload), hex.Dump(payload[:min(len(payload), hexBytes)])
	r.decode(payload, rows, limit)
	return r
}

// decode fills in what the bytes say. Bytes that make the decoder panic are shown as such: they are here because of it.
func (r *Record) decode(payload []byte, rows []table.QuarantineRow, limit int) {
	defer func() {
		if p := recover(); p != nil {
			r.Problem = fmt.Sprintf("decoding it panics: %v", p)
		}
	}()
	anchor, sealed, err := wire.ParseEnvelope(payload)
	if err != nil {
		r.Problem = err.Error()
		return
	}
	r.Header = &Header{
		Kind: sealed.Kind.String(), Device: sealed.Device, Epoch: sealed.Epoch.String(), Boot: sealed.Boot.String(),
		First: sealed.First, Count: sealed.Count, Absolute: sealed.Absolute,
		Anchor: anchor.State.String(), Uncertainty: anchor.Uncertainty, CRC: fmt.Sprintf("%08x", sealed.CRC),
	}
	if sealed.Kind != wire.KindReadings {
		return
	}
	dec, err := wire.NewDecoder()
	if err != nil {
		r.Problem = err.Error()
		return
	}
	var body record.Body
	if err := dec.Readings(&sealed, &body); err != nil {
		r.Problem = err.Error()
		return
	}
	r.fill(&sealed, &body, anchor, rows, limit)
}

// fill takes the held readings, and then others, up to limit.
func (r *Record) fill(s *wire.Sealed, body *record.Body, anchor wire.Anchor, rows []table.QuarantineRow, limit int) {
	held := func(seq uint64) bool {
		for i := range rows {
			if rows[i].Fate == table.FateHeld && rows[i].From <= seq && seq < rows[i].To {
				return true
			}
		}
		return false
	}
	for _, want := range []bool{true, false} {
		seq := s.First
		for i := range body.Groups {
			g := &body.Groups[i]
			for k := range g.Columns {
				col := &g.Columns[k]
				for cell := range col.Cells(len(g.Times)) {
					if held(seq) == want {
						if len(r.Readings) < limit {
							r.Readings = append(r.Readings, reading(seq, g, col, cell, s.Absolute, anchor, want))
						} else {
							r.Left++
						}
					}
					seq++
				}
			}
		}
	}
}

func reading(seq uint64, g *record.Group, col *record.Column, cell int, absolute bool, anchor wire.Anchor, held bool) Reading {
	row := cell
	if col.Rows != nil {
		row = int(col.Rows[cell])
	}
	out := Reading{Seq: seq, Series: col.Series, Unit: col.Unit, Time: timeOf(g.Times[row], g.Unit, absolute, anchor), Held: held}
	if col.Qual != nil {
		out.Quality = uint32(col.Qual[cell])
	}
	if col.Null == nil || !col.Null[cell] {
		out.Value = valueOf(col, cell)
	}
	return out
}

func valueOf(col *record.Column, cell int) any {
	switch col.Kind {
	case record.Int:
		return col.Ints[cell]
	case record.Uint:
		return col.Uints[cell]
	case record.Text:
		return col.Texts[cell]
	case record.Bool:
		return col.Bools[cell]
	case record.Bytes:
		return hex.EncodeToString(col.Blobs[cell])
	}
	return number(col.Floats[cell])
}

// timeOf says when a reading was by what its own envelope says.
func timeOf(at int64, unit record.TimeUnit, absolute bool, a wire.Anchor) string {
	us := at
	if unit == record.Milli {
		if us = 1000 * at; us/1000 != at {
			return fmt.Sprintf("%d ms", at) // no clock says this
		}
	}
	switch {
	case absolute:
	case a.State >= wire.Gateway:
		us += a.Wall - a.Monotonic
	default:
		return fmt.Sprintf("boot+%.3fs", float64(us)/1e6)
	}
	return time.UnixMicro(us).UTC().Format("2006-01-02T15:04:05.000000Z")
}

// WriteText prints a record for a person.
func (r *Record) WriteText(out io.Writer) error {
	fmt.Fprintf(out, "record %s, received %s, %d bytes\n", r.Place, r.Received.Format(time.RFC3339), r.Size)
	for _, row := range r.Rows {
		fmt.Fprintf(out, "  %s: %d readings, %s, reason %s", row.Name, row.Readings, row.Fate, row.Reason)
		if row.Contract != "" {
			fmt.Fprintf(out, ", rule %s of %s", row.Rule, row.Contract)
		} else if row.Rule != "" {
			fmt.Fprintf(out, " (%s)", row.Rule)
		}
		fmt.Fprintln(out)
	}
	if h := r.Header; h != nil {
		fmt.Fprintf(out, "%s of %s, epoch %s, boot %s, seqs [%d, %d), CRC %s, anchor %s (%d us)\n",
			h.Kind, h.Device, h.Epoch, h.Boot, h.First, h.First+h.Count, h.CRC, h.Anchor, h.Uncertainty)
	}
	if r.Problem != "" {
		fmt.Fprintf(out, "it cannot be decoded: %s\n", r.Problem)
	}
	if len(r.Readings) > 0 {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "SEQ\tTIME\tSERIES\tVALUE\tUNIT\tQUALITY\tHELD")
		for _, x := range r.Readings {
			value := "null"
			if x.Value != nil {
				value = fmt.Sprint(x.Value)
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%d\t%t\n", x.Seq, x.Time, x.Series, value, x.Unit, x.Quality, x.Held)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if r.Left > 0 {
		fmt.Fprintf(out, "and %d more readings (--limit)\n", r.Left)
	}
	_, err := fmt.Fprint(out, r.Hex)
	return err
}

// number is a float that JSON can say.
func number(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Sprint(f)
	}
	return f
}
