package main

import (
	"bytes"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/lake"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/cli"
	"github.com/headwater-iot/headwater/shared/need"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// landed makes a data directory with readings of one device.
func landed(t *testing.T, runs ...table.Run) string {
	t.Helper()
	data := t.TempDir()
	l, err := lake.Open(t.Context(), lake.Config{Dir: filepath.Join(data, "lake"), Logger: slog.New(slog.DiscardHandler), Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, pin, err := l.LoadCursors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := table.Marks{Log: wire.ID{1}, Next: []uint64{0}}
	if err := l.TakeOver(t.Context(), pin, first); err != nil {
		t.Fatal(err)
	}
	seq := uint64(0)
	for i := range runs {
		r := &runs[i]
		r.Device, r.Epoch, r.Boot, r.Received = "green-1", 7, 9, 1_760_000_900_000_000
		r.Stamp = table.Stamp{ClockOffset: 0, ClockError: table.Unknown, Anchor: 1}
		for k := range max(len(r.Floats), len(r.Ints), len(r.Texts)) {
			r.EventTime = append(r.EventTime, 1_760_000_000_000_000+int64(k)*2_000_000)
			r.Seq = append(r.Seq, seq)
			seq++
		}
	}
	err = l.Commit(t.Context(), &table.Commit{
		Expect: first, Marks: table.Marks{Log: first.Log, Next: []uint64{1}}, Readings: runs,
		Cursors: []table.Cursor{{
			Device: "green-1", Epoch: 7, Version: 1, Closed: seqset.Of(seqset.Range{From: 0, To: seq}), Boot: 9,
			Promise: table.Unknown, ClockOffset: table.Unknown, Accepted: seq, Landed: seq, Origin: table.Origin{Log: first.Log},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func gateway(args ...string) (status int, out, errout string) {
	var o, e bytes.Buffer
	status = cli.Main("headwater-gateway", commands(), args, &o, &e)
	return status, o.String(), e.String()
}

func TestContractInit(t *testing.T) {
	temperature := table.Run{Series: "temperature", Unit: "Cel", Kind: record.Float}
	count := table.Run{Series: "pulses", Kind: record.Int}
	mode := table.Run{Series: "mode", Kind: record.Text}
	for i := range 20 {
		temperature.Floats = append(temperature.Floats, 20+float64(i%5)/10)
		count.Ints = append(count.Ints, 1<<53+1+int64(2*i))
		mode.Texts = append(mode.Texts, "auto")
	}
	data := landed(t, temperature, count, mode)
	file := filepath.Join(t.TempDir(), "first.odcs.yaml")
	if status, out, errout := gateway("contract", "init", "--data", data, "--id", "first", "--out", file); status != 0 || out+errout != "" {
		t.Fatalf("status %d: %s%s", status, out, errout)
	}
	if status, out, errout := gateway("contract", "check", file); status != 0 || !strings.Contains(out, "first@0.1.0 is right: 3 series, devices [\"green-1\"]") {
		t.Errorf("check: status %d: %s%s", status, out, errout)
	}
	c, err := readContract(file)
	if err != nil {
		t.Fatal(err)
	}
	s := c.Series["temperature"]
	if s.Kind != contract.Number || s.Unit != "Cel" || *s.Minimum > 20 || *s.Maximum < 20.4 || s.Every.Seconds() != 2 {
		t.Errorf("temperature %+v", s)
	}
	if c.Series["pulses"].Kind != contract.Integer || c.Series["mode"].Kind != contract.Text {
		t.Errorf("pulses %+v, mode %+v", c.Series["pulses"], c.Series["mode"])
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if status, _, errout := gateway("contract", "init", "--data", data, "--out", file); status != cli.Failed || !strings.Contains(errout, "is there already") {
		t.Errorf("a file was overwritten: status %d: %s", status, errout)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file changed: %v", err)
	}
	if status, _, errout := gateway("contract", "init", "--data", data, "--device", "red-*"); status != cli.Failed || !strings.Contains(errout, "nothing to draft") {
		t.Errorf("no device: status %d: %s", status, errout)
	}
	if status, out, _ := gateway("contract", "init", "--data", data, "--device", "green-*"); status != 0 || !strings.Contains(out, `value: ["green-*"]`) {
		t.Errorf("by pattern: status %d: %s", status, out)
	}
}

// TestExampleDocumentsReadings: the example says of every column of the table what it is, and of no other.
func TestExampleDocumentsReadings(t *testing.T) {
	c, err := readContract(filepath.Join(need.Repo(t), "configs", "contracts", "bench.odcs.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, f := range schema.All()[0].Schema.Fields() {
		want = append(want, f.Name)
	}
	slices.Sort(want)
	got := c.Objects[0]
	if got.Table != table.Readings || !slices.Equal(slices.Sorted(maps.Keys(got.Columns)), want) {
		t.Errorf("table %s has %v, want %v", got.Table, slices.Sorted(maps.Keys(got.Columns)), want)
	}
	for name, text := range got.Columns {
		if text == "" {
			t.Errorf("column %s has no description", name)
		}
	}
}
