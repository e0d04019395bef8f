package decision

import (
	"fmt"

	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// Parse reads the contract that is decided on; nil for one that is removed.
func (c *Contract) Parse() (*contract.Contract, error) {
	if c.Action == Remove {
		return nil, nil //nolint:nilnil // nothing is what it holds
	}
	parsed, err := contract.Parse(c.ID+"@"+c.Version, c.Source)
	if err != nil {
		return nil, fmt.Errorf("this version does not understand the contract: %w", err)
	}
	return parsed, nil
}

// Change returns the contracts in force after the decision, and whether they are others than before. The contract is that
// of Parse.
func (c *Contract) Change(f *contract.Force, parsed *contract.Contract) (next *contract.Force, changed bool, err error) {
	judge, shadow := f.Active().Get(c.ID), f.InShadow(c.ID)
	same := func(has *contract.Contract) bool { return has != nil && has.Hash() == parsed.Hash() }
	switch c.Action {
	case Apply:
		changed = !same(judge) || shadow != nil
		next, err = f.Apply(parsed)
	case Shadow:
		changed = !same(shadow)
		next, err = f.Shadow(parsed)
	case Remove:
		changed = judge != nil || shadow != nil
		next, err = f.Remove(c.ID)
	}
	if err != nil || !changed {
		return f, false, err
	}
	return next, true, nil
}

// OfRow returns the decision that a row of the table `contracts` keeps.
func OfRow(row *table.ContractRow) (Contract, error) {
	action, err := ParseAction(row.Mode)
	if err != nil {
		return Contract{}, err
	}
	return Contract{Action: action, ID: row.ID, Version: row.Version, Source: []byte(row.Source), Subject: row.Subject}, nil
}

// ForceOf returns what is in force after the rows of one partition, in the order of their revisions. Prepare may change
// each contract on its way; nil = as it is. The contracts of rows that later ones have undone are not read: there are ever more of
// them, and that no binary understands one any more is of no weight. What is left never conflicts: it is less than there was.
func ForceOf(rows []table.ContractRow, prepare func(*contract.Contract) *contract.Contract) (*contract.Force, error) {
	undone := map[string]int{} // by id, the last row that others of it before do not count behind
	for i := range rows {
		if rows[i].Mode != Shadow.String() {
			undone[rows[i].ID] = i
		}
	}
	var f *contract.Force
	for i := range rows {
		d, err := OfRow(&rows[i])
		if err != nil {
			return nil, fmt.Errorf("contract %s: %w", rows[i].ID, err)
		}
		if i < undone[d.ID] {
			continue
		}
		parsed, err := d.Parse()
		if err != nil {
			return nil, fmt.Errorf("contract %s: %w", rows[i].ID, err)
		}
		if parsed != nil && prepare != nil {
			parsed = prepare(parsed)
		}
		if f, _, err = d.Change(f, parsed); err != nil {
			return nil, fmt.Errorf("contract %s: %w", rows[i].ID, err)
		}
	}
	return f, nil
}
