package quarantine

import (
	"cmp"
	"slices"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// Group is the rows of one reason, rule, contract, device and fate.
type Group struct {
	Reason   string    `json:"reason"`
	Rule     string    `json:"rule,omitempty"` // of the contract
	Contract string    `json:"contract,omitempty"`
	Device   string    `json:"device"`
	Fate     string    `json:"fate"`
	Rows     int       `json:"rows"`
	Records  int       `json:"records"`  // of the log
	Readings uint64    `json:"readings"` // 0: the rows name no seqs
	First    time.Time `json:"first_received"`
	Last     time.Time `json:"last_received"`
	Detail   string    `json:"detail,omitempty"` // what the first row says in words
	Example  string    `json:"example"`          // the name of the first row
}

// kind is what the rows of a group share.
type kind struct{ reason, rule, contract, device, fate string }

// Grouper gathers rows.
type Grouper struct {
	groups  map[kind]*Group
	records map[kind]map[table.Origin]struct{}
}

// NewGrouper returns one without rows.
func NewGrouper() *Grouper {
	return &Grouper{groups: map[kind]*Group{}, records: map[kind]map[table.Origin]struct{}{}}
}

// Add takes in a row.
func (g *Grouper) Add(r *table.QuarantineRow) {
	k := kind{reason: r.Reason, contract: r.Contract, device: r.Device, fate: r.Fate}
	detail := ""
	if r.Contract != "" {
		k.rule = r.Rule
	} else {
		detail = r.Rule // in words, which may differ from row to row
	}
	at := time.UnixMicro(r.Origin.Received).UTC()
	group := g.groups[k]
	if group == nil {
		group = &Group{Reason: k.reason, Rule: k.rule, Contract: k.contract, Device: k.device, Fate: k.fate, First: at, Last: at}
		g.groups[k], g.records[k] = group, map[table.Origin]struct{}{}
	}
	if group.Rows == 0 || at.Before(group.First) {
		group.First, group.Detail, group.Example = at, detail, NameOf(r)
	}
	if at.After(group.Last) {
		group.Last = at
	}
	group.Rows++
	group.Readings += r.Count
	g.records[k][r.Origin] = struct{}{}
}

// Groups returns what was gathered, the most readings first.
func (g *Grouper) Groups() []Group {
	out := make([]Group, 0, len(g.groups))
	for k, group := range g.groups {
		group.Records = len(g.records[k])
		out = append(out, *group)
	}
	slices.SortFunc(out, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Readings, a.Readings), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Rule, b.Rule),
			cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Fate, b.Fate))
	})
	return out
}
