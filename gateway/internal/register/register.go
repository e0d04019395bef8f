package register

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// ErrRefused marks a change that is not made, and why.
var ErrRefused = errors.New("refused")

// Append writes a payload to every partition of the log and returns when it is stored.
type Append func(ctx context.Context, payload []byte) error

// Register is the contracts in force. Its methods may be called from any goroutine.
type Register struct {
	write Append

	mu         sync.Mutex // held over a change, so that each sees the one before
	partitions []*contract.Force
}

// New returns the register of a lake: rows are those of its table, by partition in the order of their revisions.
func New(rows []table.ContractRow, partitions int, write Append) (*Register, error) {
	r := &Register{write: write, partitions: make([]*contract.Force, partitions)}
	for p := range r.partitions {
		var of []table.ContractRow
		for _, row := range rows {
			if row.Origin.Partition == p {
				of = append(of, row)
			}
		}
		var err error
		if r.partitions[p], err = decision.ForceOf(of, nil); err != nil {
			return nil, fmt.Errorf("read what is in force: %w; a later version of the gateway wrote it", err)
		}
	}
	return r, nil
}

// Take takes in a change that the log has and the lake does not have yet.
func (r *Register) Take(partition int, payload []byte) error {
	d, err := decision.ParseContract(payload)
	if err != nil {
		return err
	}
	parsed, err := d.Parse()
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.partitions[partition], _, err = d.Change(r.partitions[partition], parsed)
	return err
}

// Force returns what is in force.
func (r *Register) Force() *contract.Force {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.partitions[0]
}

// Level writes again what only some partitions have. A group of records is written in the order of the partitions and cut
// where it is torn, so the first one has all there is.
func (r *Register) Level(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.partitions[0]
	for _, d := range decisions(first, r.partitions) {
		if err := r.change(ctx, &d); err != nil {
			return fmt.Errorf("write contract %s to the partitions that lack it: %w", d.ID, err)
		}
	}
	return nil
}

// decisions returns the changes that make every partition say what the first does.
func decisions(first *contract.Force, all []*contract.Force) []decision.Contract {
	differ := map[string]bool{}
	for _, f := range all {
		for _, id := range append(ids(first), ids(f)...) {
			if hash(first.Active().Get(id)) != hash(f.Active().Get(id)) || hash(first.InShadow(id)) != hash(f.InShadow(id)) {
				differ[id] = true
			}
		}
	}
	var out []decision.Contract
	for id := range differ {
		judge, shadow := first.Active().Get(id), first.InShadow(id)
		if judge == nil { // whatever it is elsewhere, and before a shadow that has none it stands in for
			out = append(out, decision.Contract{Action: decision.Remove, ID: id})
		} else {
			out = append(out, decision.Contract{Action: decision.Apply, ID: id, Version: judge.Version, Source: judge.Source})
		}
		if shadow != nil {
			out = append(out, decision.Contract{Action: decision.Shadow, ID: id, Version: shadow.Version, Source: shadow.Source})
		}
	}
	slices.SortStableFunc(out, func(a, b decision.Contract) int {
		// What is removed makes room for what takes its devices.
		return cmp.Or(cmp.Compare(order(a.Action), order(b.Action)), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func order(a decision.Action) int {
	return map[decision.Action]int{decision.Remove: 0, decision.Apply: 1, decision.Shadow: 2}[a]
}

func ids(f *contract.Force) []string {
	var out []string
	for _, c := range append(f.Active().All(), f.Shadows()...) {
		out = append(out, c.ID)
	}
	return out
}

func hash(c *contract.Contract) string {
	if c == nil {
		return ""
	}
	return c.Hash()
}

// change writes a decision and takes it in; r.mu is held.
func (r *Register) change(ctx context.Context, d *decision.Contract) error {
	parsed, err := d.Parse()
	if err != nil {
		return err
	}
	after := make([]*contract.Force, len(r.partitions))
	for p, f := range r.partitions {
		if after[p], _, err = d.Change(f, parsed); err != nil {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	payload, err := d.Append(nil)
	if err != nil {
		return err
	}
	if err := r.write(ctx, payload); err != nil {
		return fmt.Errorf("write the change to the log: %w", err)
	}
	r.partitions = after
	return nil
}

// Request asks for a change.
type Request struct {
	Name    string `json:"name"`   // of the file, for what is wrong in it
	Source  string `json:"source"` // the text of the contract; "" with Remove
	Shadow  bool   `json:"shadow"` // only count what it would do
	Force   bool   `json:"force"`  // even if it takes a promise back
	Remove  string `json:"remove"` // id of the contract to end, instead of Source
	Subject string `json:"subject"`
}

// Answer says what was done.
type Answer struct {
	ID      string            `json:"id"`
	Version string            `json:"version,omitempty"`
	Mode    string            `json:"mode"`
	Changed bool              `json:"changed"` // false: it was so already
	Landed  bool              `json:"landed"`  // set by who knows: the lake has it, and not only the log
	Before  string            `json:"before,omitempty"`
	Verdict string            `json:"verdict,omitempty"` // against the version before
	Changes []contract.Change `json:"changes,omitempty"`
}

// Change checks what is asked, writes it to the log, and returns when it is stored.
func (r *Register) Change(ctx context.Context, q Request) (Answer, error) {
	return r.changeUpTo(ctx, q, contract.Migration)
}

// changeUpTo refuses what goes further than most, unless it is forced.
func (r *Register) changeUpTo(ctx context.Context, q Request, most contract.Compatibility) (Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.Remove != "" {
		return r.remove(ctx, q)
	}
	c, err := contract.Parse(q.Name, []byte(q.Source))
	if err != nil {
		return Answer{}, fmt.Errorf("%w:\n%w", ErrRefused, err)
	}
	d := decision.Contract{Action: decision.Apply, ID: c.ID, Version: c.Version, Source: c.Source, Subject: q.Subject}
	if q.Shadow {
		d.Action = decision.Shadow
	}
	a := Answer{ID: c.ID, Version: c.Version, Mode: d.Action.String()}
	f := r.partitions[0]
	_, changed, err := d.Change(f, c)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if old := f.Active().Get(c.ID); old != nil {
		if err := compare(&a, old, c, q, most); err != nil {
			return a, err
		}
	}
	if !q.Shadow && c.Status != "active" && c.Status != "deprecated" {
		return a, fmt.Errorf("%w: the status of %s is %s; make it active, or try it with --shadow", ErrRefused, c.Label(), c.Status)
	}
	if !changed {
		return a, nil
	}
	if err := r.change(ctx, &d); err != nil {
		return a, err
	}
	a.Changed = true
	return a, nil
}

// compare holds a contract to the version that is in force.
func compare(a *Answer, old, next *contract.Contract, q Request, most contract.Compatibility) error {
	got := contract.Compare(old, next)
	a.Before, a.Verdict, a.Changes = old.Version, got.Verdict.String(), got.Changes
	if got.Verdict == contract.Same {
		return nil
	}
	if old.Version == next.Version {
		return fmt.Errorf("%w: %s is in force with another text; raise the version", ErrRefused, old.Label())
	}
	if q.Force || q.Shadow {
		return nil
	}
	if err := next.Replaces(old); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if got.Verdict == contract.Migration && most < contract.Migration {
		return fmt.Errorf("%w: rows before and after %s mean different things, which a person has to want", ErrRefused, next.Label())
	}
	return nil
}

// remove ends a contract; r.mu is held.
func (r *Register) remove(ctx context.Context, q Request) (Answer, error) {
	a := Answer{ID: q.Remove, Mode: decision.Remove.String()}
	f := r.partitions[0]
	if !slices.Contains(ids(f), q.Remove) {
		return a, fmt.Errorf("%w: no contract %s is in force or in shadow; there are %s", ErrRefused, q.Remove, cmp.Or(strings.Join(ids(f), ", "), "none"))
	}
	if old := f.Active().Get(q.Remove); old != nil {
		a.Before = old.Version
		if !q.Force {
			return a, fmt.Errorf("%w: %s is in force, and its devices would be under none; say --force to mean it", ErrRefused, old.Label())
		}
	}
	if err := r.change(ctx, &decision.Contract{Action: decision.Remove, ID: q.Remove, Subject: q.Subject}); err != nil {
		return a, err
	}
	a.Changed = true
	return a, nil
}
