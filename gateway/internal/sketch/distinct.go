package sketch

import (
	"math"
	"slices"

	"github.com/zeebo/xxh3"
)

const (
	// DistinctExact is up to how many different values Distinct counts one by one.
	DistinctExact = 4096
	// DistinctError is the standard error of an estimate beyond that, relative: 1/sqrt(DistinctExact-2).
	DistinctError = 0.0157
)

// Distinct estimates how many different values it was given: it keeps the smallest hashes ("k minimum values", Bar-Yossef
// and others, 2002), and how dense they lie says how many there are. The zero value is empty.
type Distinct struct {
	hashes []uint64 // the smallest so far, and those that came since the last trim
	limit  uint64   // with full: greater hashes are not among the smallest
	full   bool
}

// AddFloat adds a number. Both zeros are one number, and so are all that are none.
func (d *Distinct) AddFloat(v float64) {
	if v == 0 {
		v = 0 // of -0 too
	}
	if math.IsNaN(v) {
		v = math.NaN()
	}
	d.add(scatter(math.Float64bits(v)))
}

// AddText adds a text, or bytes.
func (d *Distinct) AddText(v string) { d.add(xxh3.HashString(v)) }

// scatter is the finalizer of MurmurHash3: one to one, so no two numbers collide.
func scatter(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (d *Distinct) add(h uint64) {
	if d.full && h >= d.limit {
		return
	}
	if len(d.hashes) == cap(d.hashes) { // before it grows: there may be many equal ones
		d.trim()
		if len(d.hashes) > cap(d.hashes)/2 {
			d.hashes = slices.Grow(d.hashes, len(d.hashes)+1)
		}
	}
	d.hashes = append(d.hashes, h)
}

// trim leaves the smallest, each once.
func (d *Distinct) trim() {
	slices.Sort(d.hashes)
	d.hashes = slices.Compact(d.hashes)
	if len(d.hashes) > DistinctExact {
		d.hashes = d.hashes[:DistinctExact]
		d.full, d.limit = true, d.hashes[DistinctExact-1]
	}
}

// Merge adds all that was added to other.
func (d *Distinct) Merge(other *Distinct) {
	for _, h := range other.hashes {
		d.add(h)
	}
	if other.full && (!d.full || other.limit < d.limit) {
		d.full, d.limit = true, other.limit
	}
}

// Count returns how many there are.
func (d *Distinct) Count() int64 {
	d.trim()
	if !d.full {
		return int64(len(d.hashes))
	}
	// The greatest of k hashes lies where k of n evenly scattered ones end.
	return int64(math.Round((DistinctExact - 1) / (float64(d.limit) / (1 << 63) / 2)))
}
