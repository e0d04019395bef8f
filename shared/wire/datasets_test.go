package wire

import (
	"encoding/csv"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

// dataset is a recording to measure with: rows of one device in order.
type dataset struct {
	name    string
	series  []string
	units   []string
	times   []int64 // ms
	columns [][]float64
}

// batches cuts rows into bodies of n rows each and drops the rest. At most limit bodies, spread over the
// whole recording.
func (d *dataset) batches(n, limit int) []*record.Body {
	total := len(d.times) / n
	stride := max(1, total/limit)
	var out []*record.Body
	for i := 0; i < total && len(out) < limit; i += stride {
		g := record.Group{Unit: record.Milli, Times: d.times[i*n : (i+1)*n]}
		for j, v := range d.columns {
			g.Columns = append(g.Columns, record.Column{Series: d.series[j], Unit: d.units[j], Kind: record.Float, Floats: v[i*n : (i+1)*n]})
		}
		out = append(out, &record.Body{Groups: []record.Group{g}})
	}
	return out
}

// dataDir is where recordings of others live; they are not part of this repository.
func dataDir() string {
	if dir := os.Getenv("HEADWATER_DATA"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "shared", "data")
}

var nabFiles = []struct{ name, series, unit string }{
	{"machine_temperature_system_failure", "temperature", "Far"},
	{"ambient_temperature_system_failure", "temperature", "Far"},
	{"rogue_agent_key_hold", "hold", "s"},
	{"rogue_agent_key_updown", "updown", "s"},
	{"occupancy_6005", "occupancy", "%"},
	{"speed_6005", "speed", ""},
	{"ec2_cpu_utilization_24ae8d", "cpu", "%"},
} // read only

// nab loads one file of the Numenta Anomaly Benchmark, or skips by its name.
func nab(tb testing.TB, name, series, unit string) *dataset {
	tb.Helper()
	f, err := os.Open(filepath.Join(dataDir(), "nab", name+".csv"))
	if err != nil {
		tb.Skipf("%s: %v", name, err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		tb.Fatalf("read %s: %v", name, err)
	}
	d := &dataset{name: name, series: []string{series}, units: []string{unit}, columns: make([][]float64, 1)}
	for _, row := range rows[1:] {
		at, err1 := time.Parse(time.DateTime, row[0])
		v, err2 := strconv.ParseFloat(row[1], 64)
		if err1 != nil || err2 != nil {
			tb.Fatalf("read %s: row %v", name, row)
		}
		d.times = append(d.times, at.UnixMilli())
		d.columns[0] = append(d.columns[0], v)
	}
	return d
}

// pumpRig makes what a pump with a BME280, two accelerometer axes, a current clamp, a supply voltage, a flow
// meter and a DS18B20 would say once a second: physics with slow and fast parts, gaussian noise of each
// chip's data sheet, quantised to the chip's own resolution. No value of it was recorded anywhere.
func pumpRig(rows int) *dataset {
	r := rand.New(rand.NewPCG(7, 2026))
	d := &dataset{
		name:    "pump_rig_8",
		series:  []string{"air.temperature", "air.humidity", "air.pressure", "pump.vibration_x", "pump.vibration_z", "pump.current", "pump.voltage", "pump.water_temperature"},
		units:   []string{"Cel", "%RH", "Pa", "m/s2", "m/s2", "A", "V", "Cel"},
		columns: make([][]float64, 8),
	}
	// Steps as the drivers deliver them: fixed point divided by a power of ten or of two.
	decimal := func(v, per float64) float64 { return math.RoundToEven(v*per) / per }
	load, weather := 0.0, 0.0
	for i := range rows {
		load += 0.02*(math.Sin(float64(i)/900)-load) + 0.01*r.NormFloat64()
		weather += 0.0004 * r.NormFloat64()
		day := math.Sin(2 * math.Pi * float64(i) / 86400)
		d.times = append(d.times, int64(i)*1000+int64(math.Round(1.2*r.NormFloat64())))
		for j, v := range []float64{
			decimal(21+4*day+weather+0.005*r.NormFloat64(), 100),           // BME280, 0.01 Cel
			decimal(45-9*day+5*weather+0.02*r.NormFloat64(), 1024),         // BME280, 1/1024 %
			decimal(101325+300*weather+1.3*r.NormFloat64(), 256),           // BME280, 1/256 Pa, 1.3 Pa RMS unfiltered
			decimal(0.2*load+0.08*r.NormFloat64(), 1e4),                    // MEMS, four decimals
			decimal(9.81+0.3*load+0.11*r.NormFloat64(), 1e4),               // the same with gravity
			decimal(3.1+0.6*load+0.004*r.NormFloat64(), 1e3),               // 1 mA
			math.Round(250*(12.4-0.15*load)+0.8*r.NormFloat64()) * 4 / 1e3, // 4 mV steps of an INA219
			decimal(35+2*load+0.02*r.NormFloat64(), 16),                    // DS18B20, 1/16 Cel
		} {
			d.columns[j] = append(d.columns[j], v)
		}
	}
	return d
}
