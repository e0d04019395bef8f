package land

import (
	"maps"

	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// maxSeries bounds the series of an epoch whose rules remember readings. One beyond them is judged by its batch alone.
const maxSeries = 1024

// judgement is what the contracts of a device say of a batch. Nil: it is under none.
type judgement struct {
	judges
	columns [][]contract.Verdict // by group of the body and column; nil = only a shadow judges
	memory  map[string]cursor.Memory
	counted map[rulebreak]uint64 // by the contract in shadow
}

// rulebreak is what is counted of a reading that breaks a rule: the one that decided, and what it did.
type rulebreak struct {
	rule   contract.Rule
	action contract.Action
}

// judge applies the contracts of a device to a whole batch, whatever of it is open: what is clipped, or lands in another
// group, changes nothing of what the rules say and remember. The batch is as it was, and nothing is remembered yet.
func (g *Group) judge(o *Opened, c *cursor.Cursor, lines []timeline, open *seqset.Set) *judgement {
	by := g.rulesOf(o.Partition).of(o.sealed.Device)
	if by.judge == nil && by.shadow == nil || open.Empty() {
		return nil
	}
	j := &judgement{judges: by, memory: map[string]cursor.Memory{}}
	if by.judge != nil {
		j.columns = j.try(by.judge, o, c, lines)
	}
	if by.shadow != nil {
		j.counted = brokenIn(o, lines, open, j.try(by.shadow, o, c, lines))
	}
	return j
}

// try returns the verdict of a contract on every column, and notes what its rules will remember.
func (j *judgement) try(by *contract.Contract, o *Opened, c *cursor.Cursor, lines []timeline) [][]contract.Verdict {
	verdicts := make([][]contract.Verdict, len(lines))
	var memory cursor.Memory // a copy: what was committed does not change
	for i := range lines {
		columns := o.body.Groups[i].Columns
		verdicts[i] = make([]contract.Verdict, len(columns))
		cells := contract.Cells{Event: lines[i].event, Received: o.Received, Void: voidRows(&lines[i])}
		for k := range columns {
			cells.Column = &columns[k]
			s := by.Series[columns[k].Series]
			if s == nil || !s.Stateful() {
				verdicts[i][k] = by.Judge(cells, nil)
				continue
			}
			if memory == nil {
				memory = maps.Clone(c.Recall(by.Text()))
			}
			if memory == nil {
				memory = cursor.Memory{}
			}
			state, known := memory[s.Name]
			verdicts[i][k] = by.Judge(cells, &state)
			if known || len(memory) < maxSeries {
				memory[s.Name] = state
			}
		}
	}
	if memory == nil {
		memory = c.Recall(by.Text())
	}
	j.memory[by.Text()] = memory
	return verdicts
}

// voidRows returns the rows that no other is compared with: they do not land, or their time has not come. Nil = none.
func voidRows(line *timeline) []bool {
	if line.verdict == nil && line.late == nil {
		return nil
	}
	void := make([]bool, len(line.event))
	for row := range void {
		void[row] = !line.lands(row) || line.late != nil && line.late[row]
	}
	return void
}

// brokenIn counts the open readings that break a rule.
func brokenIn(o *Opened, lines []timeline, open *seqset.Set, verdicts [][]contract.Verdict) map[rulebreak]uint64 {
	n := map[rulebreak]uint64{}
	eachOpen(o, open, func(group, column, from, to int, _ uint64) {
		fates := verdicts[group][column].Fates
		if fates == nil {
			return
		}
		col := &o.body.Groups[group].Columns[column]
		for cell := from; cell < to; cell++ {
			if f := fates[cell]; f.Rule != "" && lines[group].lands(rowOf(col, cell)) {
				n[rulebreak{f.Rule, f.Action}]++
			}
		}
	})
	return n
}

// verdict returns what the contract says of a column.
func (j *judgement) verdict(group, column int) *contract.Verdict {
	if j == nil || j.columns == nil {
		return nil
	}
	return &j.columns[group][column]
}

// fatesOf returns the fates of the cells of a column; nil = all land.
func (j *judgement) fatesOf(group, column int) []contract.Fate {
	if v := j.verdict(group, column); v != nil {
		return v.Fates
	}
	return nil
}

// name is that of the contract that judges, as tables have it.
func (j *judgement) name() string {
	if j == nil {
		return ""
	}
	return j.label()
}

// qualities returns the quality bits of cells: those of the batch, and those of the contract. Nil = none.
func qualities(batch, rules []record.Quality, from, to int) []record.Quality {
	switch {
	case len(rules) == 0:
		return part(batch, from, to)
	case len(batch) == 0:
		return part(rules, from, to)
	}
	both := make([]record.Quality, to-from)
	for i := range both {
		both[i] = batch[from+i] | rules[from+i]
	}
	return both
}
