package modbus

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/shared/record"
)

func float(v float64) record.Cell { return record.FloatCell("x", "u", v) }
func whole(n int64) record.Cell   { return record.IntCell("x", "u", n) }

func boolean(n int64) record.Cell {
	return record.Cell{Series: "x", Unit: "u", Kind: record.Bool, Int: n}
}

func unsigned(n uint64) record.Cell {
	return record.Cell{Series: "x", Unit: "u", Kind: record.Uint, Uint: n}
}

func missing(raw uint64) *uint64 { return &raw }

func TestValuesAreWhatTheManualSays(t *testing.T) {
	for _, tc := range []struct {
		wire string
		reg  Register
		want record.Cell
	}{
		{"00d9", Register{Type: Int16, Scale: "0.1"}, float(21.7)},
		{"00d9", Register{Scale: "1e-1"}, float(21.7)},
		{"ff27", Register{Type: Int16, Scale: "0.1"}, float(-21.7)},
		{"00d9", Register{Type: Int16, Scale: "0.1", Offset: "-40"}, float(-18.3)},
		{"00d9", Register{Type: Int16, Offset: "0.05"}, float(217.05)},
		{"ffff", Register{Type: Int16}, whole(-1)},
		{"ffff", Register{Type: Uint16}, whole(65535)},
		{"ffff", Register{}, whole(65535)},
		{"34ff", Register{Order: "BADC"}, whole(0xff34)},
		{"fffffffe", Register{Type: Int32}, whole(-2)},
		{"fffffffe", Register{Type: Uint32}, whole(4294967294)},
		{"0a0b0c0d", Register{Type: Uint32}, whole(0x0a0b0c0d)},
		{"0c0d0a0b", Register{Type: Uint32, Order: "CDAB"}, whole(0x0a0b0c0d)},
		{"0b0a0d0c", Register{Type: Uint32, Order: "BADC"}, whole(0x0a0b0c0d)},
		{"0d0c0b0a", Register{Type: Uint32, Order: "DCBA"}, whole(0x0a0b0c0d)},
		{"075bcd15", Register{Type: Uint32, Scale: "0.001"}, float(123456.789)},
		{"41ad999a", Register{Type: Float32}, float(21.7)},
		{"999a41ad", Register{Type: Float32, Order: "CDAB"}, float(21.7)},
		{"41ad999a", Register{Type: Float32, Scale: "0.001"}, float(0.0217)},
		{"c47a0000", Register{Type: Float32}, float(-1000)},
		{"ffffffffffffffff", Register{Type: Int64}, whole(-1)},
		{"7fffffffffffffff", Register{Type: Int64}, whole(math.MaxInt64)},
		{"ffffffffffffffff", Register{Type: Uint64}, unsigned(math.MaxUint64)},
		{"0020000000000001", Register{Type: Uint64, Scale: "0.001"}, float(9007199254740.993)},
		{"0807060504030201", Register{Type: Uint64, Order: "DCBA"}, unsigned(0x0102030405060708)},
		{"0708050603040102", Register{Type: Uint64, Order: "CDAB"}, unsigned(0x0102030405060708)},
		{"4035b33333333333", Register{Type: Float64}, float(21.7)},
		{"4035b33333333333", Register{Type: Float64, Scale: "1000"}, float(21700)},
		{"0004", Register{Type: Bit, Bit: 2}, boolean(1)},
		{"0004", Register{Type: Bit, Bit: 3}, boolean(0)},
		{"8000", Register{Type: Bit, Bit: 15}, boolean(1)},
		{"8000", Register{Type: Int16, Scale: "0.1", Missing: missing(0x8000)}, record.Cell{Series: "x", Unit: "u", Kind: record.Float, Null: true}},
		{"8001", Register{Type: Int16, Missing: missing(0x8000)}, whole(-32767)},
	} {
		wire, err := hex.DecodeString(tc.wire)
		if err != nil {
			t.Fatal(err)
		}
		tc.reg.Series, tc.reg.Unit = "x", "u"
		c, err := newConverter(tc.reg, DefaultOrder)
		if err != nil {
			t.Fatal(err)
		}
		if 2*tc.reg.size() != len(wire) {
			t.Errorf("%s takes %d registers", tc.reg.Type, tc.reg.size())
		}
		got := c.cell(wire)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s as %+v (-want +got):\n%s", tc.wire, tc.reg, diff)
		}
		if announced := (Settings{Registers: []Register{tc.reg}}).Announce(); announced[0].Kind != got.Kind {
			t.Errorf("%s as %+v is of kind %d and announced as %d", tc.wire, tc.reg, got.Kind, announced[0].Kind)
		}
	}
}

func TestNaNIsLeftToTheSampler(t *testing.T) {
	for _, scale := range []string{"", "0.1"} {
		c, err := newConverter(Register{Series: "x", Type: Float32, Scale: scale}, DefaultOrder)
		if err != nil {
			t.Fatal(err)
		}
		for _, wire := range []string{"\x7f\xc0\x00\x00", "\x7f\x80\x00\x00", "\xff\x80\x00\x00"} {
			if got := c.cell([]byte(wire)); !math.IsNaN(got.Float) && !math.IsInf(got.Float, 0) {
				t.Errorf("%x at scale %q is %v", wire, scale, got.Float)
			}
		}
	}
}

// Every step of a scaled converter is the float of the decimal that a person would write.
func TestEveryStepIsAShortDecimal(t *testing.T) {
	c, err := newConverter(Register{Series: "x", Type: Int16, Scale: "0.1"}, DefaultOrder)
	if err != nil {
		t.Fatal(err)
	}
	for n := -32768; n <= 32767; n++ {
		got := c.cell([]byte{byte(uint16(n) >> 8), byte(n)}).Float
		if want := float64(n) / 10; got != want { // dividing rounds once, so it is the nearest too
			t.Fatalf("%d is %v, want %v", n, got, want)
		}
	}
}

func TestRegistersAreReadTogether(t *testing.T) {
	at := func(address int, typ Type) Register { return Register{Series: "x", Address: address, Type: typ} }
	in := func(f Function, address int) Register { return Register{Series: "x", Address: address, Function: f} }
	for _, tc := range []struct {
		name string
		s    Settings
		want []request
	}{
		{"neighbours, in any order", Settings{Registers: []Register{at(12, Uint16), at(10, Int32)}}, []request{{0, 3, 10, 3}}},
		{"a gap", Settings{Registers: []Register{at(0, ""), at(2, "")}}, []request{{0, 3, 0, 1}, {0, 3, 2, 1}}},
		{"a gap that may be bridged", Settings{Bridge: 1, Registers: []Register{at(0, ""), at(2, "")}}, []request{{0, 3, 0, 3}}},
		{"one too wide", Settings{Bridge: 1, Registers: []Register{at(0, ""), at(3, "")}}, []request{{0, 3, 0, 1}, {0, 3, 3, 1}}},
		{"bits of one register", Settings{Registers: []Register{at(7, Bit), at(7, Bit), at(7, Uint32)}}, []request{{0, 3, 7, 2}}},
		{"125 and no more", Settings{Bridge: 125, Registers: []Register{at(0, ""), at(124, ""), at(125, "")}}, []request{{0, 3, 0, 125}, {0, 3, 125, 1}}},
		{"no value is cut", Settings{Bridge: 125, Registers: []Register{at(0, ""), at(124, Int32)}}, []request{{0, 3, 0, 1}, {0, 3, 124, 2}}},
		{"a device that takes few", Settings{MaxRequest: 2, Registers: []Register{at(0, ""), at(1, ""), at(2, ""), at(3, Uint64)}}, []request{{0, 3, 0, 2}, {0, 3, 2, 1}, {0, 3, 3, 4}}},
		{"tables apart", Settings{Registers: []Register{in(Input, 1), in(Coil, 0), in(Discrete, 0), in(Holding, 0), in(Coil, 1)}}, []request{{0, 1, 0, 2}, {0, 2, 0, 1}, {0, 3, 0, 1}, {0, 4, 1, 1}}},
		{"2000 bits", Settings{Bridge: 125, Registers: []Register{in(Coil, 1900), in(Coil, 1999), in(Coil, 2000)}}, []request{{0, 1, 1900, 101}}},
	} {
		got, err := blocks(tc.s)
		if err != nil {
			t.Fatal(err)
		}
		var asked []request
		for _, b := range got {
			asked = append(asked, request{0, b.function, b.first, b.count})
		}
		if diff := cmp.Diff(tc.want, asked, cmp.AllowUnexported(request{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestCheckReportsEveryProblem(t *testing.T) {
	collect := func(s Settings) (got []string) {
		s.Check(func(path, _ string, _ ...any) { got = append(got, path) })
		return got
	}
	n := func(i int) *int { return &i }
	bad := Settings{
		URL: "udp://x", UnitID: n(248), Answer: -1, Order: "ABDC", Bridge: -1, MaxRequest: 126,
		Registers: []Register{
			{Series: "a", Function: "file"},
			{Series: "a", Type: "int24"},
			{Address: 65535, Series: "c", Type: Int32},
			{Series: "d", Bit: 3},
			{Series: "e", Function: Coil, Type: Bit},
			{Series: "f", Scale: "1/3"},
			{Series: "g", Offset: "1e999"},
			{Series: "h", Type: Bit, Scale: "2"},
			{Series: "i", Scale: "0.0"},
			{Series: "j", Order: "x"},
			{Series: "k", Missing: missing(0x10000)},
			{Series: "l", Function: Coil, Missing: missing(1)},
			{Series: "m", Type: Int64, Missing: missing(1 << 63)},
		},
	}
	want := "url unit_id answer order bridge max_request registers[0].function registers[1].series registers[1].type " +
		"registers[2].address registers[3].bit registers[4].type registers[5].scale registers[6].offset registers[7].scale " +
		"registers[8].scale registers[9].order registers[10].missing registers[11].missing"
	if diff := cmp.Diff(want, strings.Join(collect(bad), " ")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	one := []Register{{Series: "x"}}
	for url, want := range map[string]int{
		"tcp://plc:502": 0, "rtu:///dev/ttyUSB0": 0, "rtu+tcp://[::1]:4001": 0, "tcp://plc": 1, "rtu://ttyUSB0": 1, "": 1,
	} {
		if got := collect(Settings{URL: url, Registers: one}); len(got) != want {
			t.Errorf("%q: %q", url, got)
		}
	}
	withBaud := Settings{URL: "tcp://plc:502", Registers: one}
	withBaud.Baud = 9600
	if got := collect(withBaud); len(got) != 1 {
		t.Errorf("a baud rate over TCP: %q", got)
	}
}
