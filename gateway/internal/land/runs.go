package land

import (
	"slices"
	"strings"

	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// readingBytes is what a reading takes in memory until its commit: value, event time and seq, and some room.
const readingBytes = 32

// runBytes is what a run takes beside its readings: small batches are mostly that. Twice its size, because the slice
// that holds it doubles.
const runBytes = 800

// rowBytes is what a row of quarantine or gaps takes, likewise.
const rowBytes = 350

// spareDays is how many days a batch of too many leaves to the others in its group: those live data is of.
const spareDays = 3

// dropped begins the reason of a gap over readings that a contract gives up; the rule follows.
const dropped = "dropped_"

// maxNames bounds the copies of names that are kept; a fleet has far fewer.
const maxNames = 1 << 16

// admit adds the days of a batch to the group. It returns ok = false when they do not fit and the group has to be
// committed first; and took = false when the batch alone has more days than a group may touch: then only its first
// days land now, and the batch comes again, to be clipped to the rest.
func (g *Group) admit(o *Opened, lines []timeline, open *seqset.Set) (took, ok bool) {
	days := daysOf(o, lines, open)
	in, limit, wide := g.days, g.l.cfg.MaxDays, false
	if len(days) > limit && imported(o.Client) {
		in, limit, wide = g.wide, g.l.cfg.WideDays, true
		g.spread++
	}
	fresh := 0
	for _, d := range days {
		if _, has := in[d]; !has {
			fresh++
		}
	}
	took = true
	if len(in)+fresh > limit {
		room := limit - len(in)
		if !wide {
			room -= min(spareDays, limit/4)
		}
		if len(days) <= limit || wide && len(in) > 0 || 2*room < limit {
			return false, false
		}
		days = firstDays(days, in, room)
		postpone(lines, days[len(days)-1]+1)
		g.parts++
		took = false
	}
	for _, d := range days {
		in[d] = struct{}{}
	}
	return took, true
}

// imported reports whether a client sends a file, which may be read again at will.
func imported(client string) bool { return strings.Contains(client, "+") }

// firstDays returns the first of days, of which so many are not in the group yet.
func firstDays(days []int64, in map[int64]struct{}, fresh int) []int64 {
	for i, d := range days {
		if _, has := in[d]; has {
			continue
		}
		if fresh--; fresh < 0 {
			return days[:i]
		}
	}
	return days
}

// daysOf returns the days of the readings that would land, ascending.
func daysOf(o *Opened, lines []timeline, open *seqset.Set) []int64 {
	var days []int64
	add := func(d int64) {
		if i, has := slices.BinarySearch(days, d); !has {
			days = slices.Insert(days, i, d)
		}
	}
	eachOpen(o, open, func(group, column, from, to int, _ uint64) {
		line, col, fates := &lines[group], &o.body.Groups[group].Columns[column], o.judgement.fatesOf(group, column)
		if line.verdict == nil && fates == nil && dayOf(line.oldest) == dayOf(line.newest) {
			add(dayOf(line.oldest))
			return
		}
		for cell := from; cell < to; cell++ {
			if fateOf(line, col, fates, cell) == landing {
				add(dayOf(line.event[rowOf(col, cell)]))
			}
		}
	})
	return days
}

// postpone leaves the rows of a day, and of those behind it, to the next group.
func postpone(lines []timeline, day int64) {
	for i := range lines {
		line := &lines[i]
		if line.verdict == nil {
			line.verdict = make([]string, len(line.event))
		}
		for row, us := range line.event {
			if line.verdict[row] == "" && dayOf(us) >= day {
				line.verdict[row] = later
			}
		}
	}
}

func rowOf(c *record.Column, cell int) int {
	if c.Rows != nil {
		return int(c.Rows[cell])
	}
	return cell
}

// eachOpen calls f for every stretch of open cells of every column; seq is that of the first cell of the stretch.
func eachOpen(o *Opened, open *seqset.Set, f func(group, column, from, to int, seq uint64)) {
	seq := o.sealed.First
	whole := open.HasAll(seq, o.sealed.End())
	for i := range o.body.Groups {
		b := &o.body.Groups[i]
		for j := range b.Columns {
			cells := uint64(b.Columns[j].Cells(len(b.Times)))
			switch {
			case cells == 0:
			case whole:
				f(i, j, 0, int(cells), seq)
			default:
				for _, r := range open.Within(seq, seq+cells) {
					f(i, j, int(r.From-seq), int(r.To-seq), r.From)
				}
			}
			seq += cells
		}
	}
}

// outcome is what becomes of the open readings of a batch.
type outcome struct {
	landed   seqset.Set
	rejected map[why]*seqset.Set
	dropped  []table.GapRow // without their origin
}

// rows makes the runs of a batch, and says what becomes of the rest.
func (g *Group) rows(o *Opened, st *stamp, lines []timeline, open *seqset.Set, site string) outcome {
	out := outcome{rejected: map[why]*seqset.Set{}}
	seqs := make([]uint64, o.sealed.Count)
	for i := range seqs {
		seqs[i] = o.sealed.First + uint64(i)
	}
	frame := table.Run{
		Device: g.l.name(o.sealed.Device), Site: site, Epoch: o.sealed.Epoch, Boot: o.sealed.Boot,
		Received: o.Received, Stamp: st.Stamp, Base: st.flags, Contract: g.l.name(o.judgement.name()),
	}
	eachOpen(o, open, func(group, column, from, to int, seq uint64) {
		line, col, verdict := &lines[group], &o.body.Groups[group].Columns[column], o.judgement.verdict(group, column)
		fates, pieces := o.judgement.fatesOf(group, column), pieces{}
		whole := min(longRun, to-from)
		for from < to {
			end, f := stretch(line, col, fates, from, to)
			next := seq + uint64(end-from)
			switch {
			case f == landing:
				out.landed.Add(seq, next)
				if at := seq - o.sealed.First; end-from >= whole {
					g.run(&frame, line, col, verdict, from, end, seqs[at:at+uint64(end-from)])
				} else {
					pieces.add(from, end, seq)
				}
				g.tally.flags(fates, from, end)
			case f.reason == later:
			case f.action == contract.DropWithGap:
				out.dropped = append(out.dropped, gapOf(o, line, col, f.rule, from, end, seq))
				g.tally.broken(f.rule, f.action, next-seq)
			default:
				w := why{reason: f.reason}
				if w.reason == "" {
					w = why{reason: Contract, rule: string(f.rule), contract: frame.Contract}
					g.tally.broken(f.rule, f.action, next-seq)
				} else {
					w.rule = o.detail
				}
				if out.rejected[w] == nil {
					out.rejected[w] = new(seqset.Set)
				}
				out.rejected[w].Add(seq, next)
			}
			from, seq = end, next
		}
		g.gather(&frame, line, col, verdict, &pieces)
	})
	return out
}

// fate is what becomes of a reading: by landing, whose reason comes first, or by a rule of a contract.
type fate struct {
	reason string
	action contract.Action
	rule   contract.Rule // "" with Flag: that is told reading by reading
}

// landing is the fate of a reading that lands, flagged or not. Read only.
var landing = fate{}

// fateOf returns the fate of a cell.
func fateOf(line *timeline, col *record.Column, fates []contract.Fate, cell int) fate {
	if line.verdict != nil {
		if reason := line.verdict[rowOf(col, cell)]; reason != "" {
			return fate{reason: reason}
		}
	}
	if fates == nil || fates[cell].Action == contract.Flag {
		return landing
	}
	return fate{action: fates[cell].Action, rule: fates[cell].Rule}
}

// stretch returns how far the cells from from on share one fate.
func stretch(line *timeline, col *record.Column, fates []contract.Fate, from, to int) (end int, f fate) {
	if line.verdict == nil && fates == nil {
		return to, landing
	}
	f = fateOf(line, col, fates, from)
	for end = from + 1; end < to && fateOf(line, col, fates, end) == f; end++ {
	}
	return end, f
}

// gapOf describes cells of a column that a contract gives up.
func gapOf(o *Opened, line *timeline, col *record.Column, rule contract.Rule, from, to int, seq uint64) table.GapRow {
	gap := table.GapRow{
		Device: o.sealed.Device, Epoch: o.sealed.Epoch, From: seq, To: seq + uint64(to-from), Count: uint64(to - from),
		TimeFrom: line.event[rowOf(col, from)], Series: []string{col.Series}, Reason: dropped + string(rule),
	}
	gap.TimeTo = gap.TimeFrom + 1
	for cell := from; cell < to; cell++ {
		at := line.event[rowOf(col, cell)]
		gap.TimeFrom, gap.TimeTo = min(gap.TimeFrom, at), max(gap.TimeTo, at+1)
	}
	return gap
}

// run appends the cells [from, to) of a column, made of frame where it stands: a Run is large. Values, and times of a
// column without absent cells, are not copied: the decoder made them for this batch alone, or a contract did.
func (g *Group) run(frame *table.Run, line *timeline, col *record.Column, verdict *contract.Verdict, from, to int, seqs []uint64) {
	var bits []record.Quality
	if verdict != nil {
		col, bits = verdict.Column, verdict.Quality
	}
	at := len(g.commit.Readings)
	if at == cap(g.commit.Readings) {
		// append would grow a long slice by a quarter, and copy each run four times.
		g.commit.Readings = slices.Grow(g.commit.Readings, max(64, at))
	}
	g.commit.Readings = append(g.commit.Readings, *frame)
	run := &g.commit.Readings[at]
	run.Series, run.Unit, run.Kind, run.Seq = g.l.name(col.Series), g.l.name(col.Unit), col.Kind, seqs
	run.Null = part(col.Null, from, to)
	run.Quality = qualities(col.Qual, bits, from, to)
	run.Floats, run.Ints, run.Uints = part(col.Floats, from, to), part(col.Ints, from, to), part(col.Uints, from, to)
	run.Texts, run.Bools, run.Blobs = part(col.Texts, from, to), part(col.Bools, from, to), part(col.Blobs, from, to)
	if col.Rows == nil {
		run.EventTime = line.event[from:to]
	} else {
		run.EventTime = make([]int64, to-from)
		for i, row := range col.Rows[from:to] {
			run.EventTime[i] = line.event[row]
		}
	}
	if line.late != nil {
		flagLate(run, line, col, from)
	}
	g.bytes += runBytes + readingBytes*int64(to-from)
	for _, t := range run.Texts {
		g.bytes += int64(len(t))
	}
	for _, b := range run.Blobs {
		g.bytes += int64(len(b))
	}
}

// flagLate marks the readings that are ahead of their received time.
func flagLate(run *table.Run, line *timeline, col *record.Column, from int) {
	quality := make([]record.Quality, len(run.Seq))
	copy(quality, run.Quality)
	for i := range quality {
		if line.late[rowOf(col, from+i)] {
			quality[i] |= record.FutureTime
		}
	}
	run.Quality = quality
}

// part is s[from:to] of a slice that may be absent.
func part[T any](s []T, from, to int) []T {
	if len(s) == 0 {
		return nil
	}
	return s[from:to:to]
}

// name returns the one copy of a name, so that a thousand batches do not keep a thousand.
func (l *Lander) name(s string) string {
	if kept, ok := l.names[s]; ok {
		return kept
	}
	if len(l.names) >= maxNames {
		clear(l.names)
	}
	l.names[s] = s
	return s
}
