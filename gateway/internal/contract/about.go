package contract

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// About returns what the contracts say of a table, for whoever finds it in a catalogue. With several contracts each
// sentence has the id of the one that says it.
func (s *Set) About(name string) table.About {
	about := table.About{Columns: map[string]string{}}
	var owners, labels, kept, said []string
	for _, c := range s.All() {
		labels = append(labels, c.Label())
		if c.Owner != "" && !slices.Contains(owners, c.Owner) {
			owners = append(owners, c.Owner)
		}
		kept = append(kept, c.ID+" "+keep(c.Retention))
		for i := range c.Objects {
			o := &c.Objects[i]
			if o.Table != name {
				continue
			}
			if o.Description != "" {
				said = append(said, c.ID+": "+oneLine(o.Description))
			}
			for column, text := range o.Columns {
				if text != "" {
					about.Columns[column] = strings.TrimPrefix(about.Columns[column]+"; "+c.ID+": "+oneLine(text), "; ")
				}
			}
		}
	}
	about.Owner, about.Contracts = strings.Join(owners, ", "), strings.Join(labels, ", ")
	about.Description = strings.Join(said, " ")
	about.Retention = keep(0)
	if name == table.Readings { // what is held, missing or known of devices stays
		about.Retention = cmp.Or(strings.Join(kept, ", "), keep(0))
	}
	return about
}

func keep(d time.Duration) string {
	if d == 0 {
		return "for ever"
	}
	return Span(d).String()
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
