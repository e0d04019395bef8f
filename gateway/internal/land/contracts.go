package land

import (
	"cmp"
	"fmt"

	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// noContract is what the devices table has for a device that no contract is for.
const noContract = "default"

// rules are the contracts that count in a partition. They do not change, but for the notes of who is under which.
type rules struct {
	force    *contract.Force
	revision uint64            // of the last change
	under    map[string]judges // by device
}

// judges are the contracts that a device is under. Either may be nil.
type judges struct{ judge, shadow *contract.Contract }

func newRules(force *contract.Force, revision uint64) *rules {
	return &rules{force: force, revision: revision, under: map[string]judges{}}
}

// of returns the contracts of a device.
func (r *rules) of(device string) judges {
	if r.force == nil {
		return judges{}
	}
	j, known := r.under[device]
	if !known {
		j.judge, j.shadow = r.force.For(device)
		r.under[device] = j
	}
	return j
}

// label names the contract that judges, as tables do.
func (j judges) label() string {
	if j.judge == nil {
		return ""
	}
	return j.judge.Label()
}

// LoadContracts forgets all contracts and takes in the changes of them that the lake has, by partition in the order of their
// revisions. One that this binary does not understand is ErrKind: to land without it would give other rows.
func (l *Lander) LoadContracts(rows []table.ContractRow) error {
	l.rules = map[int]*rules{}
	for len(rows) > 0 {
		p, n := rows[0].Origin.Partition, 1
		for n < len(rows) && rows[n].Origin.Partition == p {
			n++
		}
		force, err := decision.ForceOf(rows[:n], l.keyed)
		if err != nil {
			return fmt.Errorf("load contracts: %w: %w", ErrKind, err)
		}
		l.rules[p] = newRules(force, rows[n-1].Revision)
		rows = rows[n:]
	}
	if first := l.rules[0]; first != nil { // all partitions say the same, or will with the next record
		l.devices.judged(0, 1, first)
	}
	l.lacking()
	return nil
}

// lacking shows the series that contracts require and devices do not announce.
func (l *Lander) lacking() {
	if l.devices.shown {
		return
	}
	detail, series := l.devices.lacking()
	l.count.lacking.Set(float64(series))
	if series > 0 {
		l.alarms.raise(l.alarms.lacking, detail)
	} else {
		l.alarms.board.Clear(l.alarms.lacking)
	}
}

// keyed gives a contract the key of pseudonyms.
func (l *Lander) keyed(c *contract.Contract) *contract.Contract {
	if c == nil || l.cfg.Key == nil {
		return c
	}
	return c.Keyed(l.cfg.Key)
}

// contract takes in a change of contracts. It counts for the records behind it.
func (g *Group) contract(o *Opened, by table.Origin) error {
	if o.reason != "" { // to pass over it would change what the records behind it mean
		g.l.alarms.raise(g.l.alarms.kind, o.String())
		return fmt.Errorf("%w: a change of contracts: %s", ErrKind, cmp.Or(o.detail, o.reason))
	}
	d := &o.decision
	now := g.rulesOf(o.Partition)
	force, changed, err := d.Change(now.force, g.l.keyed(o.contract))
	if err != nil {
		g.l.alarms.raise(g.l.alarms.kind, o.String())
		return fmt.Errorf("%w: %w", ErrKind, err)
	}
	if !changed {
		return nil
	}
	row := table.ContractRow{
		Revision: now.revision + 1, ID: d.ID, Version: d.Version, Mode: d.Action.String(), Source: string(d.Source),
		Subject: d.Subject, Origin: by,
	}
	if o.contract != nil {
		row.Hash = o.contract.Hash()
	}
	g.commit.Contracts = append(g.commit.Contracts, row)
	if g.rules == nil {
		g.rules = map[int]*rules{}
	}
	g.rules[o.Partition] = newRules(force, row.Revision)
	g.dirty = true
	g.l.devices.judged(o.Partition, len(g.commit.Marks.Next), g.rules[o.Partition])
	return nil
}

// rulesOf returns what counts in a partition, behind all records of the group.
func (g *Group) rulesOf(partition int) *rules {
	if r := g.rules[partition]; r != nil {
		return r
	}
	if r := g.l.rules[partition]; r != nil {
		return r
	}
	return newRules(nil, 0)
}
