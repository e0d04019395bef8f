package ads1115

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"periph.io/x/devices/v3/ads1x15"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/shared/record"
)

const (
	// DefaultRange holds what a chip at 3.3 V can see.
	DefaultRange = 4.096
	// DefaultRate is the chip's own, in conversions a second.
	DefaultRate = 128
)

// Settings say where the chip is and which inputs it converts.
type Settings struct {
	bus.Place `yaml:",inline"`
	// Rate is 8, 16, 32, 64, 128 (the default), 250, 475 or 860 conversions a second: slower is less noisy.
	Rate int `yaml:"rate,omitempty"`
	// Channels are the inputs to convert, in this order; by default 0, 1, 2 and 3.
	Channels []Channel `yaml:"channels,omitempty"`
}

// Channel is one input and what it means.
type Channel struct {
	// Input is 0, 1, 2 or 3, or a difference: 0-1, 0-3, 1-3 or 2-3.
	Input string `yaml:"input"`
	// Series is the name of the readings; by default voltage and the input, as in voltage0 or voltage0-1.
	Series string `yaml:"series,omitempty"`
	// Range is the greatest voltage: 6.144, 4.096 (the default), 2.048, 1.024, 0.512 or 0.256. Less gives finer steps.
	Range float64 `yaml:"range,omitempty"`
	// Scale turns volts into the unit of the readings; 1 by default.
	Scale float64 `yaml:"scale,omitempty"`
	// Offset is added after scaling.
	Offset float64 `yaml:"offset,omitempty"`
	// Unit of the readings (SenML), V by default.
	Unit string `yaml:"unit,omitempty"`
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) {
	s.Place.Check(Chip(), report)
	if !slices.Contains(rates(), s.rate()) {
		report("rate", "must be one of %v, not %d", rates(), s.Rate)
	}
	seen := map[string]bool{}
	for i, c := range s.Channels {
		at := func(key, format string, args ...any) { report(fmt.Sprintf("channels[%d].%s", i, key), format, args...) }
		if _, ok := inputs()[c.Input]; !ok {
			at("input", "must be one of %s, not %q", strings.Join(slices.Sorted(maps.Keys(inputs())), ", "), c.Input)
		}
		if seen[c.series()] {
			at("series", "%q is used twice", c.series())
		}
		seen[c.series()] = true
		if !slices.Contains(ranges(), c.full()) {
			at("range", "must be one of %v, not %v", ranges(), c.Range)
		}
		if v := c.Scale + c.Offset; math.IsNaN(v) || math.IsInf(v, 0) {
			at("scale", "and offset must be numbers, not %v and %v", c.Scale, c.Offset)
		}
		if len(c.Series) > record.MaxName {
			at("series", "must be at most %d bytes", record.MaxName)
		}
		if len(c.Unit) > record.MaxName {
			at("unit", "must be at most %d bytes", record.MaxName)
		}
	}
}

// Takes returns how long a read takes: a conversion of each channel, by a chip as slow as may be.
func (s Settings) Takes() time.Duration {
	one := time.Second/time.Duration(s.rate())*11/10 + 2*time.Millisecond
	return one * time.Duration(len(s.channels()))
}

// Announce returns the series of the channels.
func (s Settings) Announce() (cells []record.Cell) {
	for _, c := range s.channels() {
		cells = append(cells, record.FailedCell(c.series(), c.unit(), record.Float))
	}
	return cells
}

func (s Settings) channels() []Channel {
	if len(s.Channels) == 0 {
		return []Channel{{Input: "0"}, {Input: "1"}, {Input: "2"}, {Input: "3"}}
	}
	return s.Channels
}

func (s Settings) rate() int {
	if s.Rate == 0 {
		return DefaultRate
	}
	return s.Rate
}

func (c Channel) series() string {
	if c.Series == "" {
		return "voltage" + c.Input
	}
	return c.Series
}

func (c Channel) unit() string {
	if c.Unit == "" {
		return "V"
	}
	return c.Unit
}

func (c Channel) full() float64 {
	if c.Range == 0 {
		return DefaultRange
	}
	return c.Range
}

func (c Channel) scale() float64 {
	if c.Scale == 0 {
		return 1
	}
	return c.Scale
}

func rates() []int { return []int{8, 16, 32, 64, 128, 250, 475, 860} }

func ranges() []float64 { return []float64{6.144, 4.096, 2.048, 1.024, 0.512, 0.256} }

// inputs are the settings of the multiplexer.
func inputs() map[string]ads1x15.Channel {
	return map[string]ads1x15.Channel{
		"0": ads1x15.Channel0, "1": ads1x15.Channel1, "2": ads1x15.Channel2, "3": ads1x15.Channel3,
		"0-1": ads1x15.Channel0Minus1, "0-3": ads1x15.Channel0Minus3,
		"1-3": ads1x15.Channel1Minus3, "2-3": ads1x15.Channel2Minus3,
	}
}
