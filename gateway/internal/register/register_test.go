package register

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// source is a contract with one series in a range.
func source(id, version, devices string, minimum, maximum int) string {
	return fmt.Sprintf(`apiVersion: v3.1.0
kind: DataContract
id: %s
version: %s
status: active
schema:
- name: all
  physicalType: series
  logicalType: object
  properties:
  - name: t
    logicalType: number
    logicalTypeOptions: {minimum: %d, maximum: %d}
customProperties:
- {property: devices, value: ['%s']}
`, id, version, minimum, maximum, devices)
}

// paper is a log that only keeps payloads.
type paper struct {
	written [][]byte
	err     error
}

func (p *paper) write(_ context.Context, payload []byte) error {
	if p.err != nil {
		return p.err
	}
	p.written = append(p.written, payload)
	return nil
}

func open(t *testing.T, p *paper, rows ...table.ContractRow) *Register {
	t.Helper()
	r, err := New(rows, 2, p.write)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func must(t *testing.T, r *Register, q Request) Answer {
	t.Helper()
	a, err := r.Change(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// labels returns what is in force, and in shadow.
func labels(f *contract.Force) string {
	var out []string
	for _, c := range f.Active().All() {
		out = append(out, c.Label())
	}
	for _, c := range f.Shadows() {
		out = append(out, "("+c.Label()+")")
	}
	return strings.Join(out, " ")
}

func TestApplyRefuses(t *testing.T) {
	p := new(paper)
	r := open(t, p)
	if a := must(t, r, Request{Source: source("a", "1.0.0", "*", 0, 10)}); !a.Changed || a.Mode != "active" {
		t.Errorf("%+v", a)
	}
	if a := must(t, r, Request{Source: source("a", "1.0.0", "*", 0, 10)}); a.Changed {
		t.Errorf("the same again: %+v", a)
	}
	draft := strings.Replace(source("b", "1.0.0", "b-*", 0, 10), "active", "draft", 1)
	for name, c := range map[string]struct {
		q    Request
		want string
	}{
		"no contract":        {Request{Name: "f", Source: "id: a"}, "f:1:"},
		"a tie":              {Request{Source: source("b", "1.0.0", "*", 0, 10)}, "both claim"},
		"other text":         {Request{Source: source("a", "1.0.0", "*", 0, 11), Force: true}, "raise the version"},
		"a promise broken":   {Request{Source: source("a", "2.0.0", "b-*", 0, 10)}, "devices"},
		"an older version":   {Request{Source: source("a", "0.9.0", "*", 0, 10)}, "must rise"},
		"a draft":            {Request{Source: draft}, "status"},
		"remove what is not": {Request{Remove: "b"}, "no contract b"},
		"remove what judges": {Request{Remove: "a"}, "--force"},
	} {
		if a, err := r.Change(t.Context(), c.q); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v; want %q", name, a, err, c.want)
		}
	}
	if len(p.written) != 1 || labels(r.Force()) != "a@1.0.0" {
		t.Errorf("%d records, in force %s", len(p.written), labels(r.Force()))
	}
	must(t, r, Request{Source: source("a", "1.1.0", "*", 0, 5), Shadow: true})
	must(t, r, Request{Source: draft, Shadow: true})
	if got := labels(r.Force()); got != "a@1.0.0 (a@1.1.0) (b@1.0.0)" {
		t.Errorf("in force %s", got)
	}
	must(t, r, Request{Source: source("a", "2.0.0", "c-*", 0, 10), Force: true, Subject: "ada"})
	must(t, r, Request{Remove: "b"})
	must(t, r, Request{Remove: "a", Force: true})
	if got := labels(r.Force()); got != "" {
		t.Errorf("in force %s", got)
	}
	p.err = errors.New("disk full")
	if _, err := r.Change(t.Context(), Request{Source: source("a", "3.0.0", "*", 0, 10)}); !errors.Is(err, p.err) || labels(r.Force()) != "" {
		t.Errorf("a change that is not stored is in force: %v", err)
	}
}

// row is a change as the lake has it.
func row(partition int, revision uint64, mode, id, version, text string) table.ContractRow {
	return table.ContractRow{Revision: revision, ID: id, Version: version, Mode: mode, Source: text, Origin: table.Origin{Partition: partition}}
}

func TestRegisterGoesOn(t *testing.T) {
	p := new(paper)
	one := source("a", "1.0.0", "*", 0, 10)
	r := open(t, p, row(0, 1, "active", "a", "1.0.0", one), row(1, 1, "active", "a", "1.0.0", one))
	d := decision.Contract{Action: decision.Shadow, ID: "a", Version: "1.1.0", Source: []byte(source("a", "1.1.0", "*", 0, 9))}
	payload, err := d.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	for partition := range 2 {
		if err := r.Take(partition, payload); err != nil {
			t.Fatal(err)
		}
	}
	if got := labels(r.Force()); got != "a@1.0.0 (a@1.1.0)" {
		t.Errorf("in force %s", got)
	}
	if err := r.Level(t.Context()); err != nil || len(p.written) != 0 {
		t.Errorf("%v: %d records to level what is level", err, len(p.written))
	}
	if err := r.Take(0, []byte{1}); err == nil {
		t.Error("bytes that are no decision were taken")
	}
	if _, err := New([]table.ContractRow{row(0, 1, "active", "a", "1.0.0", "no contract")}, 2, p.write); err == nil {
		t.Error("a lake with a contract that nobody understands was opened")
	}
}

// TestTornChangeIsLevelled gives the first partition a change that the second does not have, of every kind.
func TestTornChangeIsLevelled(t *testing.T) {
	one, two := source("a", "1.0.0", "*", 0, 10), source("a", "1.1.0", "*", 0, 9)
	both := []table.ContractRow{row(0, 1, "active", "a", "1.0.0", one), row(1, 1, "active", "a", "1.0.0", one)}
	for name, torn := range map[string][]table.ContractRow{
		"applied":        append(both[:2:2], row(0, 2, "active", "a", "1.1.0", two)),
		"shadowed":       append(both[:2:2], row(0, 2, "shadow", "a", "1.1.0", two)),
		"removed":        append(both[:2:2], row(0, 2, "removed", "a", "", "")),
		"the first one":  {row(0, 1, "active", "a", "1.0.0", one)},
		"another's glob": append(both[:2:2], row(0, 2, "removed", "a", "", ""), row(0, 3, "active", "b", "1.0.0", source("b", "1.0.0", "*", 0, 1))),
	} {
		p := new(paper)
		r := open(t, p, torn...)
		want := labels(r.Force())
		if err := r.Level(t.Context()); err != nil || len(p.written) == 0 {
			t.Errorf("%s: %v, %d records", name, err, len(p.written))
			continue
		}
		if got := labels(r.partitions[1]); got != want || labels(r.partitions[0]) != want {
			t.Errorf("%s: %q and %q, want %q", name, labels(r.partitions[0]), got, want)
		}
	}
}

func TestDirectory(t *testing.T) {
	p, dir := new(paper), t.TempDir()
	r := open(t, p)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.odcs.yaml", source("a", "1.0.0", "*", 0, 10))
	write("b.odcs.yaml", "id: b\n")
	write("notes.txt", "not one")
	taken, refused := r.ReadDir(t.Context(), dir)
	if len(taken) != 1 || taken[0].ID != "a" || len(refused) != 1 || !strings.Contains(refused[0].Err.Error(), "contract apply") {
		t.Errorf("taken %+v, refused %v", taken, refused)
	}
	write("a.odcs.yaml", source("a", "2.0.0", "x-*", 0, 10))
	taken, refused = r.ReadDir(t.Context(), dir)
	if len(taken) != 0 || len(refused) != 2 || labels(r.Force()) != "a@1.0.0" {
		t.Errorf("taken %+v, refused %v, in force %s", taken, refused, labels(r.Force()))
	}
	if _, refused = r.ReadDir(t.Context(), filepath.Join(dir, "none")); len(refused) != 1 {
		t.Errorf("no directory: %v", refused)
	}
}
