package ring

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Entry is a record that was found.
type Entry struct {
	Pos      uint64
	Kind     Kind
	Counter  uint64
	Readings int
	Payload  []byte // shares the ring's memory; nil when it is damaged
	released bool
	size     int
}

// Found is what a process left in a ring.
type Found struct {
	Known    bool    // the header is readable; else the epoch of the rows is anybody's guess
	Entries  []Entry // unreleased and readable, in the order they were written
	Released []Entry // readable sealed records that were done with
	Damaged  []Entry // readable header, damaged payload
	Holes    int     // stretches where not even a header is readable
}

// parseHeader reads the record that should lie at pos.
func parseHeader(b []byte, pos uint64) (Entry, bool) {
	if len(b) < recordBytes || binary.LittleEndian.Uint64(b) != pos ||
		binary.LittleEndian.Uint32(b[28:]) != headerCRC(b) {
		return Entry{}, false
	}
	n := binary.LittleEndian.Uint32(b[16:])
	if uint64(n) > uint64(len(b)-recordBytes) {
		return Entry{}, false
	}
	e := Entry{
		Pos: pos, Kind: Kind(b[20]), Counter: binary.LittleEndian.Uint64(b[8:]),
		Readings: int(binary.LittleEndian.Uint16(b[22:])), released: b[21] == released, size: Size(int(n)),
	}
	if p := b[recordBytes : recordBytes+n : recordBytes+n]; e.Kind == filler || checksum(p) == binary.LittleEndian.Uint32(b[24:]) {
		e.Payload = p
	}
	return e, true
}

// Recover finds the records of the process that had the ring before, and makes the ring go on behind
// them. It is called once, before anything is appended.
func (r *Ring) Recover() Found {
	s, known := newest(r.mem)
	known = known && s.capacity == uint64(len(r.data))
	var from uint64
	if known {
		r.head, r.gen, from = s.Header, s.gen, s.head
	}
	r.told = from
	found := Found{Known: known}
	all := r.collect(from)
	r.tail = from
	if !known && len(all) > 0 {
		r.tail = all[0].Pos
	}
	for _, e := range all {
		if e.Pos-r.tail >= recordBytes {
			found.Holes++ // less than that is the unused end of the circle
		}
		r.tail = e.Pos + uint64(e.size)
		if e.released {
			if len(r.recs) > 0 {
				r.recs = append(r.recs, rec{pos: e.Pos, size: uint32(e.size), released: true})
			}
			if e.Kind == Sealed && e.Payload != nil {
				found.Released = append(found.Released, e)
			}
			continue
		}
		r.recs = append(r.recs, rec{pos: e.Pos, size: uint32(e.size)})
		if e.Payload == nil {
			found.Damaged = append(found.Damaged, e)
		} else {
			found.Entries = append(found.Entries, e)
		}
	}
	return found
}

// collect looks at every place where a record could be and returns what is not older than from and not
// written over, by pos. A place can be believed: pos fits the place and the CRC covers it.
func (r *Ring) collect(from uint64) []Entry {
	var all []Entry
	size := uint64(len(r.data))
	for off := uint64(0); off+recordBytes <= size; {
		b := r.data[off:]
		pos := binary.LittleEndian.Uint64(b)
		if pos%size == off {
			if e, ok := parseHeader(b, pos); ok && e.Kind >= Row && e.Kind <= filler {
				if pos >= from {
					all = append(all, e)
				}
				// What lies inside a stale record may be newer than it.
				if pos >= from && e.Payload != nil {
					off += uint64(e.size)
					continue
				}
			}
		}
		off += 8
	}
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(a.Pos, b.Pos) })
	if n := len(all); n > 0 {
		last := all[n-1].Pos + uint64(all[n-1].size)
		all = slices.DeleteFunc(all, func(e Entry) bool { return e.Pos+size < last })
	}
	return all
}
