package simbus

import (
	"math"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/shared/record"
)

// Recording returns rows of eight series, as two BME280s and a BMP280 behind
// periph's driver would give them when sampled at the interval from start on,
// without the wait. Row times are absolute ms. It is the input of benchmarks.
func Recording(seed uint64, rows int, start time.Time, interval time.Duration) []record.Row {
	now := start
	clock := func() time.Time { return now }
	two := New(Config{Seed: seed, Now: clock, Parts: map[uint16]Part{0x76: BME280, 0x77: BME280}})
	one := New(Config{Seed: mix(seed), Now: clock, Parts: map[uint16]Part{0x76: BMP280}})
	chips := []struct {
		chip   *Chip
		prefix string
	}{{two.Chip(0x76), ""}, {two.Chip(0x77), "out_"}, {one.Chip(0x76), "box_"}}

	out := make([]record.Row, 0, rows)
	for range rows {
		row := record.Row{Sensor: "sim", Absolute: true, Unit: record.Milli, Time: now.UnixMilli()}
		for _, c := range chips {
			row.Cells = c.chip.sample(row.Cells, c.prefix)
		}
		out = append(out, row)
		now = now.Add(interval)
	}
	return out
}

// sample measures as the driver makes the chip do it by default, four conversions
// each, and reads the registers as the driver does.
func (c *Chip) sample(cells []record.Cell, prefix string) []record.Cell {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.part.(*bosch)
	if !ok {
		panic("simbus: a recording of a chip that is not Bosch's")
	}
	c.scene.at = c.now()
	b.write(&c.scene, regCtrlHum, 3)
	b.write(&c.scene, regCtrlMeas, 3<<5|3<<2|1)
	d := b.regs[regData : regData+8]
	p := int32(d[0])<<12 | int32(d[1])<<4 | int32(d[2])>>4
	t := int32(d[3])<<12 | int32(d[4])<<4 | int32(d[5])>>4
	h := int32(d[6])<<8 | int32(d[7])

	hundredths, fine := centi(t)
	cells = append(cells, record.FloatCell(prefix+"temperature", "Cel", sensor.Decimal(int64(hundredths), 2)))
	if b.regs[regID] == idBME280 {
		// The driver cuts to ten-thousandths before it is rounded.
		cut := int64(percent1024(h, fine)) * 10000 / 1024
		cells = append(cells, record.FloatCell(prefix+"humidity", "%RH", sensor.Decimal(sensor.Rounded(cut, 10), 3)))
	}
	tenths := int64(math.Round(float64(pascal256(p, fine)) * 10 / 256))
	return append(cells, record.FloatCell(prefix+"pressure", "Pa", sensor.Decimal(tenths, 1)))
}
