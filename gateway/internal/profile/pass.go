package profile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// key is a series of a device.
type key struct{ device, series string }

func keyOf(r *table.Profile) key { return key{r.Device, r.Series} }

func (k key) compare(other key) int {
	return cmp.Or(strings.Compare(k.device, other.device), strings.Compare(k.series, other.series))
}

// pass is one reading of a day: the folds of the first series in order behind after.
type pass struct {
	after key
	room  int
	folds map[key]*Fold
	keys  []key // in order
	more  bool  // there are series behind the last

	now  key // the last reading was of
	fold *Fold
}

func newPass(after key, room int) *pass {
	return &pass{after: after, room: room, folds: make(map[key]*Fold)}
}

func (p *pass) last() key { return p.keys[len(p.keys)-1] }

// add takes readings in. Those of one series stand together, so few are looked up.
func (p *pass) add(samples []table.Sample) {
	for i := range samples {
		s := &samples[i]
		if k := (key{s.Device, s.Series}); k != p.now || i == 0 {
			p.fold, p.now = p.of(k), k
		}
		if p.fold != nil {
			p.fold.Add(s)
		}
	}
	p.now = key{} // it is a view
}

// of returns the fold of a series; nil if it is for another pass. A series that comes before those in memory takes the
// place of the last of them, which will be read again from the start.
func (p *pass) of(k key) *Fold {
	if f := p.folds[k]; f != nil {
		return f
	}
	if k.compare(p.after) <= 0 {
		return nil
	}
	if len(p.keys) == p.room {
		last := p.last()
		p.more = true
		if k.compare(last) > 0 {
			return nil
		}
		delete(p.folds, last)
		p.keys = p.keys[:p.room-1]
	}
	k = key{strings.Clone(k.device), strings.Clone(k.series)}
	at, _ := slices.BinarySearchFunc(p.keys, k, key.compare)
	p.keys = slices.Insert(p.keys, at, k)
	p.folds[k] = NewFold()
	return p.folds[k]
}
