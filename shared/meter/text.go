package meter

import (
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ContentType is the media type of what WriteTo writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// WriteTo writes all instruments in the Prometheus text format, sorted by name and labels.
func (r *Registry) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	for _, f := range r.sorted() {
		b.WriteString("# HELP " + f.name + " " + helpEscaper().Replace(f.help) + "\n")
		b.WriteString("# TYPE " + f.name + " " + f.kind + "\n")
		for _, labels := range slices.Sorted(maps.Keys(f.series)) {
			f.series[labels].write(&b, f.name, labels)
		}
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (c *Counter) write(b *strings.Builder, name, labels string) {
	line(b, name, labels, strconv.FormatUint(c.Value(), 10))
}

func (g *Gauge) write(b *strings.Builder, name, labels string) {
	line(b, name, labels, number(g.Value()))
}

func (f gaugeFunc) write(b *strings.Builder, name, labels string) {
	line(b, name, labels, number(f()))
}

func (h *Histogram) write(b *strings.Builder, name, labels string) {
	var total uint64
	for i := range h.counts {
		total += h.counts[i].Load()
		bound := math.Inf(1)
		if i < len(h.bounds) {
			bound = h.bounds[i]
		}
		line(b, name+"_bucket", withLabel(labels, "le", number(bound)), strconv.FormatUint(total, 10))
	}
	line(b, name+"_sum", labels, number(math.Float64frombits(h.sum.Load())))
	// The count is the last bucket, not a counter of its own: the format wants them equal.
	line(b, name+"_count", labels, strconv.FormatUint(total, 10))
}

func line(b *strings.Builder, name, labels, value string) {
	b.WriteString(name + labels + " " + value + "\n")
}

// render writes label pairs as {a="x",b="y"}, sorted by key so that the order of the caller's
// arguments makes no second instrument.
func render(pairs []string) string {
	if len(pairs)%2 != 0 {
		panic("meter: labels are key, value pairs; one is missing after " + pairs[len(pairs)-1])
	}
	if len(pairs) == 0 {
		return ""
	}
	var each []string
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	for pair := range slices.Chunk(pairs, 2) {
		each = append(each, pair[0]+`="`+escape.Replace(pair[1])+`"`)
	}
	slices.Sort(each)
	return "{" + strings.Join(each, ",") + "}"
}

// withLabel adds one more label at the end of rendered ones; value needs no escaping.
func withLabel(labels, key, value string) string {
	more := key + `="` + value + `"}`
	if labels == "" {
		return "{" + more
	}
	return strings.TrimSuffix(labels, "}") + "," + more
}

func helpEscaper() *strings.Replacer { return strings.NewReplacer(`\`, `\\`, "\n", `\n`) }

// number writes a float as the format wants it: shortest exact form, +Inf, -Inf, NaN.
func number(v float64) string {
	return strconv.FormatFloat(v, 'g', -1, 64)
}
