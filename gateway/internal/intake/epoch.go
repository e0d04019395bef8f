package intake

import (
	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// maxMarks is how many batches of an epoch are remembered by their bytes, for the clone check. Landing checks again,
// in the order of the log.
const maxMarks = 64

// epoch is what intake knows of one epoch of a device. Sets only grow, so what acks say never falls.
type epoch struct {
	stored   seqset.Set // in the log, or landed
	landed   seqset.Set // in a committed transaction
	presumed seqset.Set // counts as filled when ranges are counted
	ended    bool       // its end has landed
	lost     bool       // it has landed that there is none
	over     bool       // landing expects no more of it
	endCRC   uint32     // of the `end` in the log, with hasEnd
	hasEnd   bool
	final    uint64            // the seq behind the last, or unknown
	marks    []table.BatchMark // latest readings batches, oldest first
	client   string            // who spoke of it last
}

// unknown is the final seq of an epoch whose end nobody has named yet.
const unknown = ^uint64(0)

func newEpoch() *epoch { return &epoch{final: unknown} }

// covers reports whether the log or the lake has all of a sealed part already.
func (e *epoch) covers(s *wire.Sealed) bool {
	if s.Kind == wire.KindEnd {
		return e.hasEnd && e.endCRC == s.CRC || e.ended
	}
	return e.stored.HasAll(s.First, s.End())
}

// fits is the hole rule.
func (e *epoch) fits(s *wire.Sealed) (missing seqset.Range, ok bool) {
	if len(e.stored.Ranges())+len(e.presumed.Ranges()) < cursor.MaxRanges {
		return seqset.Range{}, true // whatever comes opens one at most
	}
	filled := e.stored.Clone()
	filled.AddSet(&e.presumed)
	return cursor.Fits(&filled, s.First, s.End())
}

// contradicts reports whether other bytes under the same seqs are remembered.
func (e *epoch) contradicts(s *wire.Sealed) bool {
	other := false
	for _, m := range e.marks {
		if m == markOf(s) {
			return false
		}
		other = other || m.First < s.End() && s.First < m.First+m.Count
	}
	return other
}

// store notes a sealed part that is in the log.
func (e *epoch) store(s *wire.Sealed, imported bool) {
	e.stored.Add(s.First, s.End())
	switch {
	case s.Kind == wire.KindEnd:
		e.hasEnd, e.endCRC, e.final = true, s.CRC, s.First
	case s.Kind == wire.KindReadings && !imported:
		if len(e.marks) == maxMarks {
			e.marks = append(e.marks[:0], e.marks[1:]...)
		}
		e.marks = append(e.marks, markOf(s))
	}
}

// complete reports whether nothing more of the epoch is expected. Landing has let go of it too, and finds it in the
// table when it comes again. Where landing does not know that, for it has not heard of all that was given out, the end of
// an epoch whose final seq nobody has named since the start may be a hole: it stays.
func (e *epoch) complete() bool {
	return (e.over || e.ended && e.landed.Mark() >= e.final) && e.landed.Equal(&e.stored)
}

func markOf(s *wire.Sealed) table.BatchMark {
	return table.BatchMark{First: s.First, Count: s.Count, CRC: s.CRC}
}
