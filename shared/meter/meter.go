package meter

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Registry is a set of instruments that are exposed together.
type Registry struct {
	mu       sync.Mutex
	families map[string]*family // by metric name
}

// family is all instruments of one metric name.
type family struct {
	name, help, kind string
	series           map[string]series // by rendered labels
}

// series is one instrument, or one GaugeFunc, as WriteTo sees it.
type series interface {
	write(b *strings.Builder, name, labels string)
}

// New returns an empty registry.
func New() *Registry { return &Registry{families: map[string]*family{}} }

// Counter returns the counter with this name and these label key, value pairs.
func (r *Registry) Counter(name, help string, labels ...string) *Counter {
	return instrument(r, name, help, "counter", labels, func() *Counter { return &Counter{} })
}

// Gauge returns the gauge with this name and these label key, value pairs.
func (r *Registry) Gauge(name, help string, labels ...string) *Gauge {
	return instrument(r, name, help, "gauge", labels, func() *Gauge { return &Gauge{} })
}

// GaugeFunc exposes what f returns at the time of the scrape. f must be safe to call at any time and
// must not use the registry. A second GaugeFunc of the same name and labels takes the first one's place.
func (r *Registry) GaugeFunc(name, help string, f func() float64, labels ...string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.family(name, help, "gauge").series[render(labels)] = gaugeFunc(f)
}

// Histogram returns the histogram with this name and these label key, value pairs. Buckets are upper
// bounds in ascending order, without +Inf; the first caller's buckets hold for this instrument.
func (r *Registry) Histogram(name, help string, buckets []float64, labels ...string) *Histogram {
	if !slices.IsSorted(buckets) {
		panic("meter: " + name + ": buckets are not in ascending order")
	}
	return instrument(r, name, help, "histogram", labels, func() *Histogram {
		return &Histogram{bounds: slices.Clone(buckets), counts: make([]atomic.Uint64, len(buckets)+1)}
	})
}

// instrument finds or makes one. (A method cannot have a type parameter.)
func instrument[T series](r *Registry, name, help, kind string, labels []string, make func() T) T {
	if r == nil {
		return make()
	}
	key := render(labels)
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.family(name, help, kind)
	if old, ok := f.series[key]; ok {
		had, ok := old.(T)
		if !ok {
			panic(fmt.Sprintf("meter: %s%s is a GaugeFunc already", name, key))
		}
		return had
	}
	made := make()
	f.series[key] = made
	return made
}

// family finds or makes the family of a name. r.mu is held.
func (r *Registry) family(name, help, kind string) *family {
	f := r.families[name]
	if f == nil {
		f = &family{name: name, help: help, kind: kind, series: map[string]series{}}
		r.families[name] = f
	}
	if f.kind != kind {
		panic(fmt.Sprintf("meter: %s is a %s already, and cannot be a %s", name, f.kind, kind))
	}
	return f
}

// sorted returns the families by name, each with a copy of its series, so that the lock is not held
// while a GaugeFunc runs or a slow reader is written to.
func (r *Registry) sorted() []family {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []family
	for _, name := range slices.Sorted(maps.Keys(r.families)) {
		f := *r.families[name]
		f.series = maps.Clone(f.series)
		out = append(out, f)
	}
	return out
}

// Counter only grows.
type Counter struct{ n atomic.Uint64 }

// Add adds n.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// Inc adds one.
func (c *Counter) Inc() { c.n.Add(1) }

// Value returns the count so far.
func (c *Counter) Value() uint64 { return c.n.Load() }

// Gauge goes up and down.
type Gauge struct{ bits atomic.Uint64 }

// Set replaces the value.
func (g *Gauge) Set(v float64) { g.bits.Store(math.Float64bits(v)) }

// Add adds d, which may be negative.
func (g *Gauge) Add(d float64) { addFloat(&g.bits, d) }

// Value returns the value now.
func (g *Gauge) Value() float64 { return math.Float64frombits(g.bits.Load()) }

// gaugeFunc is a gauge that is computed when it is looked at.
type gaugeFunc func() float64

// Histogram counts observations by size.
type Histogram struct {
	bounds []float64       // immutable
	counts []atomic.Uint64 // one per bound, and one for the rest
	sum    atomic.Uint64   // float64 bits
}

// Observe counts v into the first bucket whose bound is not below it.
func (h *Histogram) Observe(v float64) {
	i, _ := slices.BinarySearch(h.bounds, v)
	h.counts[i].Add(1)
	addFloat(&h.sum, v)
}

// addFloat adds to float bits without a lock.
func addFloat(bits *atomic.Uint64, d float64) {
	for {
		old := bits.Load()
		if bits.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+d)) {
			return
		}
	}
}
