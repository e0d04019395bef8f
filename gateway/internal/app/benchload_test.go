package app_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sync/errgroup"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

const (
	bootID = record.Boot(7)
	window = 8 // batches that a device has under way, as an agent that drains
	// stuck is longer than any load takes; it ends a benchmark that would wait for ever.
	stuck = 5 * time.Minute
)

// load is a fleet and what each device of it sends: a row a second from Start on, us wall.
type load struct {
	Devices, Batches, Rows, Series int
	Start                          int64
}

// lastMidnightButOne begins a day that is over, so that all rows are of one day and none is of the future.
func lastMidnightButOne() int64 {
	return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1).UnixMicro()
}

func (l load) perDevice() uint64 { return uint64(l.Batches * l.Rows * l.Series) }
func (l load) readings() int     { return l.Devices * int(l.perDevice()) }

func deviceName(d int) string     { return fmt.Sprintf("pump-%03d", d) }
func epochOf(d int) record.Epoch  { return record.Epoch(0x9e3779b97f4a7c15 * uint64(d+1)) }
func (l load) bodies(d int) *pump { return &pump{load: l, rng: rand.New(rand.NewPCG(7, uint64(d)))} }

func (l load) header(d, n int) wire.Header {
	return wire.Header{Device: deviceName(d), Epoch: epochOf(d), Boot: bootID, First: uint64(n * l.Rows * l.Series)}
}

// pump is a pump with eight cheap sensors, once a second: physics with slow and fast parts and the noise of each
// chip's data sheet, in the steps of its converter. No value of it was recorded anywhere.
type pump struct {
	load          load
	rng           *rand.Rand
	row           int
	work, weather float64
}

func channel(i int) (series, unit string) {
	c := [...][2]string{
		{"air.temperature", "Cel"},
		{"air.humidity", "%RH"},
		{"air.pressure", "Pa"},
		{"pump.vibration_x", "m/s2"},
		{"pump.vibration_z", "m/s2"},
		{"pump.current", "A"},
		{"pump.voltage", "V"},
		{"pump.water_temperature", "Cel"},
	}[i]
	return c[0], c[1]
}

// next returns the next batch of the pump.
func (p *pump) next() record.Body {
	g := record.Group{Unit: record.Milli, Columns: make([]record.Column, p.load.Series)}
	for j := range g.Columns {
		g.Columns[j].Kind = record.Float
		g.Columns[j].Series, g.Columns[j].Unit = channel(j)
	}
	for range p.load.Rows {
		g.Times = append(g.Times, int64(p.row)*1000+int64(math.Round(1.2*p.rng.NormFloat64())))
		all := p.sample()
		for j := range g.Columns {
			g.Columns[j].Floats = append(g.Columns[j].Floats, all[j])
		}
	}
	return record.Body{Groups: []record.Group{g}}
}

func (p *pump) sample() [8]float64 {
	step := func(v, per float64) float64 { return math.RoundToEven(v*per) / per }
	n := p.rng.NormFloat64
	p.work += 0.02*(math.Sin(float64(p.row)/900)-p.work) + 0.01*n()
	p.weather += 0.0004 * n()
	day := math.Sin(2 * math.Pi * float64(p.row) / 86400)
	p.row++
	return [8]float64{
		step(21+4*day+p.weather+0.005*n(), 100),              // BME280, 0.01 Cel
		step(45-9*day+5*p.weather+0.02*n(), 1024),            // BME280, 1/1024 %
		step(101325+300*p.weather+1.3*n(), 256),              // BME280, 1/256 Pa
		step(0.2*p.work+0.08*n(), 1e4),                       // MEMS, four decimals
		step(9.81+0.3*p.work+0.11*n(), 1e4),                  // the same with gravity
		step(3.1+0.6*p.work+0.004*n(), 1e3),                  // 1 mA
		math.Round(250*(12.4-0.15*p.work)+0.8*n()) * 4 / 1e3, // 4 mV steps of an INA219
		step(35+2*p.work+0.02*n(), 16),                       // DS18B20, 1/16 Cel
	}
}

// cargo is what one device sends, ready for the wire.
type cargo struct {
	device   string
	epoch    record.Epoch
	readings uint64
	batches  [][]byte
}

// encode seals the batches of every device.
func (l load) encode(b *testing.B) []cargo {
	b.Helper()
	enc, err := wire.NewEncoder()
	if err != nil {
		b.Fatal(err)
	}
	anchor := wire.Anchor{State: wire.Synced, Generation: 1, Wall: l.Start, Uncertainty: 2000}
	all, bytes := make([]cargo, l.Devices), 0
	for d := range all {
		all[d] = cargo{device: deviceName(d), epoch: epochOf(d), readings: l.perDevice()}
		rig := l.bodies(d)
		for n := range l.Batches {
			body, h := rig.next(), l.header(d, n)
			h.Base, h.HasPromise = body.Groups[0].Times[0], true
			h.Promise = h.Base + int64(l.Rows-1)*1000
			sealed, err := enc.AppendReadings(nil, h, &body)
			if err != nil {
				b.Fatal(err)
			}
			all[d].batches = append(all[d].batches, wire.AppendEnvelope(nil, anchor, sealed))
			bytes += len(sealed)
		}
	}
	b.Logf("%s: %d readings, %.2f wire bytes each", l, l.readings(), float64(bytes)/float64(l.readings()))
	return all
}

// deliver sends everything and returns when the gateway has said of all of it that it is in the lake.
func deliver(broker string, all []cargo) error {
	var fleet errgroup.Group
	for i := range all {
		fleet.Go(func() error {
			if err := all[i].send(broker); err != nil {
				return fmt.Errorf("device %s: %w", all[i].device, err)
			}
			return nil
		})
	}
	return fleet.Wait()
}

func (c *cargo) send(broker string) error {
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + broker).SetClientID(c.device).
		SetAutoReconnect(false).SetCleanSession(true).SetProtocolVersion(4))
	if err := await(client.Connect()); err != nil {
		return err
	}
	defer client.Disconnect(0)
	acks, nacks := make(chan *wire.Ack, 1), make(chan *wire.Nack, 1)
	if err := await(client.Subscribe(topic.DownAll(c.device), 1, func(_ paho.Client, m paho.Message) {
		if a, err := wire.ParseAck(m.Payload()); err == nil {
			latest(acks, a)
		} else if n, err := wire.ParseNack(m.Payload()); err == nil {
			latest(nacks, n)
		}
	})); err != nil {
		return err
	}
	hello, err := wire.AppendHello(nil, &wire.Hello{
		Device: c.device, Client: c.device, Nonce: 1, Sent: 1, Boot: bootID, Version: "bench", Wire: []uint64{1},
		Epochs: []wire.HelloEpoch{{Epoch: c.epoch, Boot: bootID, Next: c.readings, Held: []uint64{0, c.readings}}},
	})
	if err != nil {
		return err
	}
	if err := await(client.Publish(topic.Up(c.device, topic.Hello), 1, false, hello)); err != nil {
		return err
	}
	if err := heard(acks, nacks, func(a *wire.Ack) bool { return a.Nonce == 1 }); err != nil {
		return err
	}
	var under []paho.Token
	for _, batch := range c.batches {
		if len(under) == window {
			if err := await(under[0]); err != nil {
				return err
			}
			under = under[1:]
		}
		under = append(under, client.Publish(topic.Up(c.device, topic.Batch), 1, false, batch))
	}
	return heard(acks, nacks, func(a *wire.Ack) bool {
		for i := range a.Epochs {
			if a.Epochs[i].Epoch == c.epoch && a.Epochs[i].LandedMark == c.readings {
				return true
			}
		}
		return false
	})
}

// latest leaves v in a channel of capacity 1. It has one sender.
func latest[T any](c chan T, v T) {
	select {
	case <-c:
	default:
	}
	c <- v
}

// heard waits for an ack that is good enough.
func heard(acks <-chan *wire.Ack, nacks <-chan *wire.Nack, ok func(*wire.Ack) bool) error {
	end := time.NewTimer(stuck)
	defer end.Stop()
	for {
		select {
		case a := <-acks:
			if ok(a) {
				return nil
			}
		case n := <-nacks:
			return fmt.Errorf("refused: %s %s", n.Reason, n.Detail)
		case <-end.C:
			return errors.New("still waiting for an ack")
		}
	}
}

func await(token paho.Token) error {
	if !token.WaitTimeout(stuck) {
		return errors.New("no answer of the broker")
	}
	return token.Error()
}
