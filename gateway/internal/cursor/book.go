package cursor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// maxDone bounds the complete cursors that are kept against a second look into the table.
const maxDone = 4096

// Lookup returns the latest committed cursor of an epoch that is not in memory, false when there is none.
// It is called from the one goroutine that lands; any error ends the group.
type Lookup func(ctx context.Context, device string, epoch record.Epoch) (table.Cursor, bool, error)

// Book holds the committed cursors of which more is expected. It belongs to one goroutine.
type Book struct {
	lookup Lookup
	live   map[string]map[record.Epoch]*Cursor
	done   map[table.Key]table.Cursor // complete ones, a cache: dropping it changes nothing but time
}

// NewBook returns an empty book.
func NewBook(lookup Lookup) *Book {
	b := &Book{lookup: lookup}
	b.Load(nil)
	return b
}

// Load replaces the content of the book by what a snapshot of the table says.
func (b *Book) Load(rows []table.Cursor) {
	b.live = map[string]map[record.Epoch]*Cursor{}
	b.done = map[table.Key]table.Cursor{}
	for _, row := range rows {
		b.put(From(row))
	}
}

// put keeps a committed cursor: complete ones leave memory, exactly as they would after a restart.
func (b *Book) put(c *Cursor) {
	key := c.Key()
	if c.Complete() {
		delete(b.live[key.Device], key.Epoch)
		if len(b.done) >= maxDone {
			clear(b.done)
		}
		b.done[key] = c.Row
		return
	}
	if b.live[key.Device] == nil {
		b.live[key.Device] = map[record.Epoch]*Cursor{}
	}
	b.live[key.Device][key.Epoch] = c
}

// Live returns how many cursors are in memory because more is expected of them.
func (b *Book) Live() int {
	n := 0
	for _, epochs := range b.live {
		n += len(epochs)
	}
	return n
}

// find returns the committed cursor of key, or a new one.
func (b *Book) find(ctx context.Context, key table.Key) (*Cursor, error) {
	if c := b.live[key.Device][key.Epoch]; c != nil {
		return c.clone(), nil
	}
	if row, ok := b.done[key]; ok {
		return From(row).clone(), nil
	}
	row, ok, err := b.lookup(ctx, key.Device, key.Epoch)
	if err != nil {
		return nil, fmt.Errorf("look up cursor of %s epoch %s: %w", key.Device, key.Epoch, err)
	}
	if !ok {
		return New(key), nil
	}
	c := From(row)
	if c.Complete() {
		b.put(c) // a hello names its ancestors every minute
	}
	return c.clone(), nil
}

// Draft is what one group makes of a book. Until Settle the book knows nothing of it.
type Draft struct {
	book  *Book
	taken map[string]map[record.Epoch]*Cursor
}

// Draft begins a group.
func (b *Book) Draft() *Draft {
	return &Draft{book: b, taken: map[string]map[record.Epoch]*Cursor{}}
}

// Cursor returns the cursor of key for changing.
func (d *Draft) Cursor(ctx context.Context, key table.Key) (*Cursor, error) {
	if c := d.taken[key.Device][key.Epoch]; c != nil {
		return c, nil
	}
	c, err := d.book.find(ctx, key)
	if err != nil {
		return nil, err
	}
	if d.taken[key.Device] == nil {
		d.taken[key.Device] = map[record.Epoch]*Cursor{}
	}
	d.taken[key.Device][key.Epoch] = c
	return c, nil
}

// Device returns the cursors of a device that are in memory, by epoch. The caller must not change them.
func (d *Draft) Device(device string) []*Cursor {
	all := maps.Clone(d.book.live[device])
	if all == nil {
		all = map[record.Epoch]*Cursor{}
	}
	for epoch, c := range d.taken[device] {
		switch {
		case c.Complete(): // has left memory, or will with this group
			delete(all, epoch)
		case c.dirty:
			all[epoch] = c
		}
	}
	return slices.SortedFunc(maps.Values(all), func(a, b *Cursor) int { return cmp.Compare(a.Row.Epoch, b.Row.Epoch) })
}

// changed returns the cursors of the draft that have something to commit, in a fixed order.
func (d *Draft) changed() []*Cursor {
	var out []*Cursor
	for _, epochs := range d.taken {
		for _, c := range epochs {
			if c.dirty {
				out = append(out, c)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Cursor) int {
		return cmp.Or(cmp.Compare(a.Row.Device, b.Row.Device), cmp.Compare(a.Row.Epoch, b.Row.Epoch))
	})
	return out
}

// Write puts the cursors and the presumed gaps of the draft into a commit. A key whose presumed seqs moved gets all
// its rows anew, so that the table is the same however records were grouped.
func (d *Draft) Write(c *table.Commit, committed int64) {
	for _, cur := range d.changed() {
		cur.seal()
		row := cur.Row
		row.Version, row.Committed = row.Version+1, committed
		c.Cursors = append(c.Cursors, row)
		if !cur.moved {
			continue
		}
		if cur.stands {
			c.Regap = append(c.Regap, cur.Key())
		}
		c.Gaps = append(c.Gaps, cur.presumedRows()...)
	}
}

// Update is what a device may be told of one epoch once a commit has succeeded.
type Update struct {
	Device string
	Epoch  record.Epoch
	Closed seqset.Set
	Ended  bool // its end is known
	Lost   bool // it is over, and its end will never be known
	// Presumed are the seqs that count as filled when ranges are counted.
	Presumed seqset.Set
	Complete bool // nothing more is expected of it
}

// UpdateOf describes a committed row.
func UpdateOf(row *table.Cursor) Update {
	return Update{
		Device: row.Device, Epoch: row.Epoch, Closed: row.Closed.Clone(),
		Ended: row.HasFinal, Lost: row.Ended && !row.HasFinal, Presumed: row.Presumed.Clone(),
		Complete: (&Cursor{Row: *row}).Complete(),
	}
}

// Settle makes the draft the content of the book, after its commit has succeeded, and returns what to tell.
func (d *Draft) Settle() []Update {
	var out []Update
	for _, cur := range d.changed() {
		cur.Row.Version++
		out = append(out, UpdateOf(&cur.Row))
		d.book.put(cur.settled())
	}
	return out
}
