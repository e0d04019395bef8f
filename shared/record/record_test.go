package record

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDeviceNames(t *testing.T) {
	for _, name := range []string{"a", "0", "pump-7", "A.b_c:d-9", "a..", strings.Repeat("x", MaxDevice)} {
		if err := CheckDevice(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "-a", "_a", ":a", "a/b", "a b", "a+b", "a#", "a~", "\u00e4", "a\x00", "a\n", strings.Repeat("x", MaxDevice+1)} {
		if err := CheckDevice(name); !errors.Is(err, ErrDevice) {
			t.Errorf("%q: %v, want ErrDevice", name, err)
		}
	}
}

func TestIDsHaveOneSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64().Draw(t, "id")
		e, err1 := ParseEpoch(Epoch(v).String())
		b, err2 := ParseBoot(Boot(v).String())
		if err1 != nil || err2 != nil || uint64(e) != v || uint64(b) != v {
			t.Fatalf("%x came back as %s and %s: %v, %v", v, e, b, err1, err2)
		}
	})
	if s := Epoch(0xab).String(); s != "00000000000000ab" {
		t.Errorf("epoch 0xab is %q", s)
	}
	for _, s := range []string{"", "ab", "00000000000000AB", "00000000000000ag", "+0000000000000ab", "0x000000000000ab", "000000000000000ab", "0000_0000_0000_ab"} {
		if e, err := ParseEpoch(s); err == nil {
			t.Errorf("%q was read as %s", s, e)
		}
		if b, err := ParseBoot(s); err == nil {
			t.Errorf("%q was read as %s", s, b)
		}
	}
}

func TestClientsSpeakForOneDevice(t *testing.T) {
	for client, want := range map[string]string{"pump-7": "pump-7", ImportClient("pump-7", 0xab): "pump-7"} {
		if got, err := DeviceOf(client); err != nil || got != want {
			t.Errorf("%q speaks for %q, want %q: %v", client, got, want, err)
		}
	}
	if c := ImportClient("pump-7", 0xab); c != "pump-7+import-00000000000000ab" {
		t.Errorf("import client %q", c)
	}
	for _, client := range []string{"", "a+b", "+import-00000000000000ab", "a+import-", "a+import-ab", "a+import-00000000000000AB", "a+import-00000000000000ab+import-00000000000000ab"} {
		if got, err := DeviceOf(client); err == nil {
			t.Errorf("%q speaks for %q", client, got)
		}
	}
}

func TestPartitionsAreSettled(t *testing.T) {
	for device, want := range map[string]int{"pump-7": 15, "a": 12, "weather.station-12": 11} {
		if got := Partition(device, 16); got != want {
			t.Errorf("%s is in partition %d, want %d for ever", device, got, want)
		}
	}
}

func TestReadingsCountsPresentCells(t *testing.T) {
	b := Body{Groups: []Group{
		{Times: make([]int64, 5), Columns: []Column{{}, {Rows: []uint32{1, 4}}, {Rows: []uint32{}}}},
		{Times: make([]int64, 2), Columns: []Column{{}}},
	}}
	if n := b.Readings(); n != 5+2+0+2 {
		t.Errorf("%d readings, want 9", n)
	}
}

func TestCheckRefusesWhatNoBatchCarries(t *testing.T) {
	good := func() *Row {
		return &Row{Sensor: "s", Unit: Milli, Cells: []Cell{FloatCell("t", "Cel", 1), IntCell("n", "", 2), FailedCell("f", "", Text)}}
	}
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Row){
		"no unit of time":      func(r *Row) { r.Unit = 0 },
		"no cells":             func(r *Row) { r.Cells = nil },
		"no series":            func(r *Row) { r.Cells[0].Series = "" },
		"long series":          func(r *Row) { r.Cells[0].Series = strings.Repeat("x", MaxName+1) },
		"series not UTF-8":     func(r *Row) { r.Cells[0].Series = "\xff" },
		"unit not UTF-8":       func(r *Row) { r.Cells[0].Unit = "\xff" },
		"kind 0":               func(r *Row) { r.Cells[1].Kind = 0 },
		"kind 7":               func(r *Row) { r.Cells[1].Kind = 7 },
		"quality of a gateway": func(r *Row) { r.Cells[1].Quality = ClockGateway },
		"text not UTF-8":       func(r *Row) { r.Cells[2].Text = "\xff" },
		"row too long":         func(r *Row) { r.Cells[2].Text = strings.Repeat("x", MaxRow) },
		"too many cells":       func(r *Row) { r.Cells = slices.Repeat(r.Cells[:1], MaxCells+1) },
	} {
		r := good()
		change(r)
		if err := r.Check(); !errors.Is(err, ErrRow) {
			t.Errorf("%s: %v, want ErrRow", name, err)
		}
	}
}
