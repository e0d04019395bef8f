package modbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	foreign "github.com/simonvetter/modbus"

	"github.com/headwater-iot/headwater/agent/internal/sensor/simline"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simrtu"
	"github.com/headwater-iot/headwater/shared/record"
)

// bus is a serial line with slaves on it.
type bus struct {
	t    *testing.T
	name string
	far  *simline.Line
	gone chan error // of the slaves that answered
}

func newBus(t *testing.T, slaves ...*simrtu.Slave) *bus {
	b := &bus{t: t, name: filepath.Join(t.TempDir(), "ttyUSB0")}
	b.plug(slaves...)
	t.Cleanup(b.unplug)
	return b
}

func (b *bus) plug(slaves ...*simrtu.Slave) {
	b.t.Helper()
	far, err := simline.Plug(b.name)
	if err != nil {
		b.t.Fatal(err)
	}
	b.far, b.gone = far, make(chan error, 1)
	go func() { b.gone <- simrtu.Serve(far, slaves...) }()
}

func (b *bus) unplug() {
	if b.far == nil {
		return
	}
	_ = b.far.Close()
	<-b.gone
	b.far = nil
}

func (b *bus) url() string { return "rtu://" + b.name }

// quick is for devices that answer at once or not at all, on a machine that may be busy.
const quick = 400 * time.Millisecond

func meterOf(url string, unit int, registers ...Register) Settings {
	if len(registers) == 0 {
		registers = []Register{{Series: "a", Type: Int16, Scale: "0.1"}, {Series: "b", Address: 10}}
	}
	return Settings{URL: url, UnitID: &unit, Answer: quick, Registers: registers}
}

func open(t *testing.T, s Settings, lines *Lines) *Device {
	t.Helper()
	s.Check(func(path, format string, args ...any) { t.Errorf("%s: "+format, append([]any{path}, args...)...) })
	d, err := Open(t.Context(), s, lines)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// values reads and says what came, by series.
func values(ctx context.Context, d *Device) (string, error) {
	cells, err := d.Read(ctx)
	var out []string
	for _, c := range cells {
		switch {
		case c.Null:
			out = append(out, c.Series+"=null")
		case c.Kind == record.Float:
			out = append(out, fmt.Sprint(c.Series, "=", c.Float))
		default:
			out = append(out, fmt.Sprint(c.Series, "=", c.Int))
		}
	}
	return strings.Join(out, " "), err
}

func expect(t *testing.T, d *Device, want string) {
	t.Helper()
	if got, err := values(t.Context(), d); got != want || err != nil {
		t.Errorf("read %q, %v; want %q", got, err, want)
	}
}

func TestSerialLine(t *testing.T) {
	slave := simrtu.New(7, map[int]uint16{0: 217, 10: 1000, 20: 1, 22: 1})
	d := open(t, meterOf(newBus(t, slave).url(), 7,
		Register{Series: "a", Type: Int16, Scale: "0.1"}, Register{Series: "b", Address: 10, Function: Input},
		Register{Series: "c", Address: 20, Function: Coil}, Register{Series: "d", Address: 22, Function: Discrete},
	), new(Lines))
	expect(t, d, "c=1 d=1 a=21.7 b=1000")
	want := []simrtu.Request{{Unit: 7, Function: 1, First: 20, Count: 1}, {Unit: 7, Function: 2, First: 22, Count: 1}, {Unit: 7, Function: 3, First: 0, Count: 1}, {Unit: 7, Function: 4, First: 10, Count: 1}}
	if diff := cmp.Diff(want, slave.Requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// The slave that the tests believe is one that others understand.
func TestForeignClientReadsTheSlave(t *testing.T) {
	b := newBus(t, simrtu.New(7, map[int]uint16{3: 1, 10: 0xABCD, 11: 0x1234}))
	c, err := foreign.NewClient(&foreign.ClientConfiguration{URL: b.url(), Speed: DefaultBaud, Logger: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Open(), c.SetUnitId(7)); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	words, err := c.ReadRegisters(10, 2, foreign.HOLDING_REGISTER)
	if err != nil || len(words) != 2 || words[0] != 0xABCD || words[1] != 0x1234 {
		t.Errorf("registers %x, %v", words, err)
	}
	bits, err := c.ReadCoils(2, 3)
	if err != nil || len(bits) != 3 || bits[0] || !bits[1] || bits[2] {
		t.Errorf("coils %v, %v", bits, err)
	}
}

func TestDamagedAnswersAreNoValues(t *testing.T) {
	for name, fault := range map[string]simrtu.Fault{
		"silent":         {Silent: true},
		"wrong CRC":      {BadCRC: 1 << 30},
		"cut":            {Cut: 3},
		"all but a byte": {Cut: 6},
		"another unit":   {Wrong: true},
		"noise in front": {Noise: []byte{0xFF, 0x00, 0x07}},
		"too few":        {ShortData: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slave := simrtu.New(7, map[int]uint16{0: 217, 10: 1000})
			d := open(t, meterOf(newBus(t, slave).url(), 7), new(Lines))
			expect(t, d, "a=21.7 b=1000")
			slave.Misbehave(fault)
			want := ErrGarbled
			if fault.Silent {
				want = ErrSilent
			}
			if got, err := values(t.Context(), d); got != "" || !errors.Is(err, want) {
				t.Errorf("read %q, %v; want %v", got, err, want)
			}
			slave.Misbehave(simrtu.Fault{})
			expect(t, d, "a=21.7 b=1000")
		})
	}
}

func TestOneGarbledAnswerIsAskedForAgain(t *testing.T) {
	slave := simrtu.New(7, map[int]uint16{0: 217, 10: 1000})
	slave.Misbehave(simrtu.Fault{BadCRC: 1})
	d := open(t, meterOf(newBus(t, slave).url(), 7), new(Lines))
	expect(t, d, "a=21.7 b=1000")
	if n := len(slave.Requests()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

// Two registers are asked for one by one, so an answer to the first fits the second.
func TestLateAnswerIsNotTakenForTheNext(t *testing.T) {
	slave := simrtu.New(7, map[int]uint16{0: 217, 10: 1000})
	lines := new(Lines)
	url := newBus(t, slave).url()
	first := open(t, meterOf(url, 7, Register{Series: "a"}), lines)
	next := open(t, meterOf(url, 7, Register{Series: "b", Address: 10}), lines)
	slave.Misbehave(simrtu.Fault{Late: quick * 3 / 2})
	if got, err := values(t.Context(), first); !errors.Is(err, ErrSilent) {
		t.Errorf("read %q, %v", got, err)
	}
	slave.Misbehave(simrtu.Fault{})
	expect(t, next, "b=1000")
}

func TestRefusedBlockLeavesTheOthers(t *testing.T) {
	slave := simrtu.New(7, map[int]uint16{0: 217, 10: 1000})
	d, err := Open(t.Context(), meterOf(newBus(t, slave).url(), 7), new(Lines))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	for code := byte(1); code <= 11; code++ {
		slave.Misbehave(simrtu.Fault{Refuse: code, RefuseAt: 5})
		if got, err := values(t.Context(), d); got != "a=21.7" || !errors.Is(err, Exception(code)) || !strings.Contains(err.Error(), "1 registers from 10 ") {
			t.Errorf("the other block is refused with %d: %q, %v", code, got, err)
		}
	}
	slave.Misbehave(simrtu.Fault{Refuse: 2})
	if got, err := values(t.Context(), d); got != "" || !errors.Is(err, Exception(2)) || !strings.Contains(err.Error(), "illegal data address") {
		t.Errorf("all is refused: %q, %v", got, err)
	}
	slave.Misbehave(simrtu.Fault{})
	expect(t, d, "a=21.7 b=1000")
}

func TestUnpluggedLineComesBack(t *testing.T) {
	slave := simrtu.New(7, map[int]uint16{0: 217, 10: 1000})
	b := newBus(t, slave)
	d := open(t, meterOf(b.url(), 7), new(Lines))
	expect(t, d, "a=21.7 b=1000")
	b.unplug()
	for range 3 {
		if got, err := values(t.Context(), d); got != "" || err == nil || errors.Is(err, ErrSilent) {
			t.Errorf("unplugged: %q, %v", got, err)
		}
	}
	b.plug(slave)
	expect(t, d, "a=21.7 b=1000")
}

func TestSensorsOnOneLineTakeTurns(t *testing.T) {
	one, two := simrtu.New(1, map[int]uint16{0: 10, 10: 11}), simrtu.New(2, map[int]uint16{0: 20, 10: 21})
	url, lines := newBus(t, one, two).url(), new(Lines)
	devices := map[string]*Device{"a=1 b=11": open(t, meterOf(url, 1), lines), "a=2 b=21": open(t, meterOf(url, 2), lines)}
	var wg sync.WaitGroup
	for want, d := range devices {
		wg.Go(func() {
			for range 20 {
				expect(t, d, want)
			}
		})
	}
	wg.Wait()
	t.Run("closed by the last", func(t *testing.T) {
		var last *Device
		for _, d := range devices {
			if last != nil && d.line.conn == nil {
				t.Error("closed by the first")
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			last = d
		}
		if last.line.conn != nil {
			t.Error("left open")
		}
		last.line.open = 2 // for the cleanup
	})
	t.Run("and want it alike", func(t *testing.T) {
		other := meterOf(url, 3)
		other.Baud = 300
		if _, err := Open(t.Context(), other, lines); !errors.Is(err, ErrLine) {
			t.Error(err)
		}
	})
}

func TestSilentDeviceIsNotWaitedForLongerThanAsked(t *testing.T) {
	slave := simrtu.New(7, nil)
	slave.Misbehave(simrtu.Fault{Silent: true})
	s := meterOf(newBus(t, slave).url(), 7)
	s.Answer = time.Hour
	lines := new(Lines)
	d, waiting := open(t, s, lines), open(t, s, lines)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	for _, d := range []*Device{d, waiting} {
		go func() { _, err := d.Read(ctx); ended <- err }()
	}
	for len(slave.Requests()) == 0 { // until one waits for the answer
		if t.Context().Err() != nil {
			t.Fatal("never asked")
		}
	}
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// plc is a server of the foreign module.
type plc struct{ registers map[uint16]uint16 }

func (p plc) words(addr, n uint16) (out []uint16, err error) {
	for i := range n {
		if addr+i >= 1000 {
			return nil, foreign.ErrIllegalDataAddress
		}
		out = append(out, p.registers[addr+i])
	}
	return out, nil
}

func (p plc) HandleHoldingRegisters(r *foreign.HoldingRegistersRequest) ([]uint16, error) {
	if r.UnitId != 3 {
		return nil, foreign.ErrGWTargetFailedToRespond
	}
	return p.words(r.Addr, r.Quantity)
}

func (p plc) HandleInputRegisters(r *foreign.InputRegistersRequest) ([]uint16, error) {
	return p.words(r.Addr+100, r.Quantity)
}

func (p plc) HandleCoils(r *foreign.CoilsRequest) (out []bool, err error) {
	words, err := p.words(r.Addr, r.Quantity)
	for _, w := range words {
		out = append(out, w != 0)
	}
	return out, err
}

func (p plc) HandleDiscreteInputs(r *foreign.DiscreteInputsRequest) ([]bool, error) {
	return p.HandleCoils(&foreign.CoilsRequest{Addr: r.Addr + 100, Quantity: r.Quantity})
}

// serve starts the server at an address, and returns how to stop it.
func serve(t *testing.T, address string, registers map[uint16]uint16) (stop func()) {
	t.Helper()
	s, err := foreign.NewServer(&foreign.ServerConfiguration{URL: "tcp://" + address, Timeout: time.Minute, MaxClients: 5, Logger: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)}, plc{registers})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() { _ = s.Stop() })
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestServerComesBack(t *testing.T) {
	address := freeAddress(t)
	registers := map[uint16]uint16{0: 217, 1: 0x41ad, 2: 0x999a, 9: 1, 100: 5, 104: 1}
	stop := serve(t, address, registers)
	s := meterOf("tcp://"+address, 3,
		Register{Series: "t", Scale: "0.1"}, Register{Series: "f", Address: 1, Type: Float32}, Register{Series: "gone", Address: 1000},
		Register{Series: "i", Function: Input}, Register{Series: "c8", Address: 8, Function: Coil}, Register{Series: "c9", Address: 9, Function: Coil},
		Register{Series: "d", Address: 4, Function: Discrete},
	)
	s.Answer = 5 * time.Second
	const want = "c8=0 c9=1 d=1 t=21.7 f=21.7 i=5"
	d := open(t, s, new(Lines))
	partly := func() {
		t.Helper()
		if got, err := values(t.Context(), d); got != want || !errors.Is(err, Exception(2)) {
			t.Errorf("read %q, %v; want %q, and that one is refused", got, err, want)
		}
	}
	partly()
	stop()
	if got, err := values(t.Context(), d); err == nil {
		t.Errorf("stopped: %q", got)
	}
	if _, err := Open(t.Context(), s, new(Lines)); err == nil {
		t.Error("opened what is stopped")
	}
	defer serve(t, address, registers)()
	partly()

	other := open(t, meterOf("tcp://"+address, 4), new(Lines))
	if got, err := values(t.Context(), other); !errors.Is(err, Exception(11)) {
		t.Errorf("a unit that the gateway does not reach: %q, %v", got, err)
	}
}

// listen serves one connection after the other with a function, for what no good server does.
func listen(t *testing.T, talk func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { talk(c); _ = c.Close() })
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}

func TestHostileServerIsNotBelieved(t *testing.T) {
	answer := []byte{0, 0, 0, 0, 0, 5, 7, 3, 2, 0, 217} // but for the transaction
	change := func(at int, to byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = to; return b }
	}
	for name, tc := range map[string]struct {
		change func([]byte) []byte
		want   error
	}{
		"good":                 {func(b []byte) []byte { return b }, nil},
		"silent":               {func([]byte) []byte { return nil }, ErrSilent},
		"another protocol":     {change(2, 1), ErrGarbled},
		"no length":            {change(5, 0), ErrGarbled},
		"an endless one":       {change(4, 0xFF), ErrGarbled},
		"another unit":         {change(6, 9), ErrGarbled},
		"another function":     {change(7, 4), ErrGarbled},
		"more than it has":     {change(8, 200), ErrGarbled},
		"another transaction":  {change(0, 0xEE), ErrSilent},
		"an earlier one first": {func(b []byte) []byte { return append([]byte{0xEE, 0, 0, 0, 0, 5, 7, 3, 2, 1, 1}, b...) }, nil},
		"half":                 {func(b []byte) []byte { return b[:9] }, ErrGarbled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := listen(t, func(c net.Conn) {
				q := make([]byte, 12)
				for {
					if _, err := io.ReadFull(c, q); err != nil {
						return
					}
					_, _ = c.Write(tc.change(append(append([]byte{}, q[:2]...), answer[2:]...)))
				}
			})
			d := open(t, meterOf("tcp://"+address, 7, Register{Series: "a"}), new(Lines))
			got, err := values(t.Context(), d)
			if !errors.Is(err, tc.want) || (got == "a=217") != (tc.want == nil) {
				t.Errorf("read %q, %v; want %v", got, err, tc.want)
			}
		})
	}
}

func TestSerialServer(t *testing.T) {
	slave := simrtu.New(7, map[int]uint16{0: 217, 10: 1000})
	address := listen(t, func(c net.Conn) { _ = simrtu.Serve(c, slave) })
	d := open(t, meterOf("rtu+tcp://"+address, 7), new(Lines))
	expect(t, d, "a=21.7 b=1000")
	expect(t, d, "a=21.7 b=1000")
}

func TestChecksumIsThatOfTheStandard(t *testing.T) {
	if got := crc([]byte{0x02, 0x07}); got != 0x1241 { // the example of the specification, low byte 41 first
		t.Errorf("%04x", got)
	}
	if got := crc([]byte("123456789")); got != 0x4B37 { // the check value of CRC-16/MODBUS
		t.Errorf("%04x", got)
	}
}
