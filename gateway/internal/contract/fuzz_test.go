package contract

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/headwater-iot/headwater/shared/need"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/strictyaml"
)

// FuzzParse: no file panics, every problem is inside the file, and what is taken can judge.
func FuzzParse(f *testing.F) {
	f.Add([]byte(climate))
	f.Add([]byte("schema: [{physicalType: series, properties: [{name: x, quality: [{metric: rowCount, mustBe: 1}]}]}]"))
	f.Add([]byte("slaProperties: [{property: retention, value: .nan, unit: d}]\ncustomProperties: [{property: stuck}, {value: 3}]"))
	examples, _ := filepath.Glob(filepath.Join(need.Repo(f), "configs", "contracts", "*.yaml"))
	for _, path := range examples {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f.yaml", data)
		if err != nil {
			inside(t, err, data)
			return
		}
		if c.ID == "" || len(c.Devices) == 0 {
			t.Errorf("taken: %+v", c)
		}
		for _, name := range c.Names() {
			judgeOddly(c, name)
		}
	})
}

// inside checks that all problems point into the file.
func inside(t *testing.T, err error, data []byte) {
	t.Helper()
	var problems strictyaml.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("not Problems: %v", err)
	}
	lines := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + 2
	for _, p := range problems {
		if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Text == "" {
			t.Errorf("outside of %d lines: %+v", lines, p)
		}
	}
}

// judgeOddly judges columns of every kind with values at the edges.
func judgeOddly(c *Contract, series string) {
	var state State
	for _, col := range []*record.Column{
		floats("Cel", math.NaN(), math.Inf(-1), math.MaxFloat64, math.Copysign(0, -1)), ints(math.MinInt64, 0, math.MaxInt64, 1),
		uints(0, math.MaxUint64, 1, 1), texts("", "ä", "\xff", "x"), bools(true, false, true, true),
		{Kind: record.Bytes, Blobs: make([][]byte, 4)},
	} {
		col.Series = series
		c.Judge(Cells{Column: col, Event: []int64{math.MinInt64, -1, 0, math.MaxInt64}, Received: 1}, &state)
	}
}
