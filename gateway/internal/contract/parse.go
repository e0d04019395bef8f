package contract

import (
	"fmt"
	"maps"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/contract/words"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/strictyaml"
)

// SeriesObject is the physicalType of the one object of the schema whose properties are series.
const SeriesObject = "series"

// MaxSource bounds the text of a contract: it travels in a log record of 1 MiB.
const MaxSource = 512 << 10

// Parse reads a contract. The error is strictyaml.Problems: all that is wrong with it, each with its line.
func Parse(name string, data []byte) (*Contract, error) {
	if len(data) > MaxSource {
		return nil, strictyaml.Problems{{File: name, Line: 1, Column: 1, Text: fmt.Sprintf("%d bytes; at most %d", len(data), MaxSource)}}
	}
	var d document
	r := reader{doc: strictyaml.Parse(name, data, &d)}
	c := r.contract(&d)
	c.Source = slices.Clone(data)
	c.text = c.Label() + "#" + c.Hash()[:8]
	if err := r.doc.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// reader turns a document into a contract and notes what is wrong on the way.
type reader struct{ doc *strictyaml.Doc }

func (r *reader) bad(at, format string, args ...any) { r.doc.Add(at, format, args...) }

func (r *reader) contract(d *document) *Contract {
	r.heading(d)
	var ext productExtensions
	r.extensions("customProperties", d.Custom, &ext)
	c := &Contract{
		ID: d.ID, Name: d.Name, Version: d.Version, Status: d.Status,
		Domain: d.Domain, Product: d.DataProduct, Tenant: d.Tenant, Tags: d.Tags,
		Purpose: d.Description.Purpose, Limitations: d.Description.Limitations, Usage: d.Description.Usage,
		Devices: ext.Devices, AllowedLateness: time.Duration(ext.AllowedLateness), FutureSkew: time.Duration(ext.FutureSkew),
		AllowBreaking: ext.Compatibility == "none",
		OnLate:        ext.OnLate, OnFuture: ext.OnFuture, Series: map[string]*Series{},
	}
	r.devices(c)
	r.glossary(c, ext.Glossary)
	r.unknown(c, ext.UnknownSeries)
	if ext.Compatibility != "" && ext.Compatibility != "backward" && ext.Compatibility != "none" {
		r.bad("customProperties", "compatibility is %q; want backward or none", ext.Compatibility)
	}
	for i := range d.Team.Members {
		if m := &d.Team.Members[i]; m.Role == "owner" && m.Out == "" {
			c.Owner = m.Username
		}
	}
	for _, x := range d.Roles {
		c.Roles = append(c.Roles, strings.TrimSuffix(x.Role+": "+x.Access, ": "))
	}
	r.levels(c, d.Levels)
	r.schema(c, d.Schema)
	return c
}

// versionForm is three numbers. Read only.
var versionForm = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$`)

// heading checks what every ODCS document starts with.
func (r *reader) heading(d *document) {
	if d.Kind != "DataContract" {
		r.bad("kind", "is %q; want DataContract", d.Kind)
	}
	if !strings.HasPrefix(d.APIVersion, "v3.") {
		r.bad("apiVersion", "is %q; want v3.1.0, the version of the Open Data Contract Standard that is understood here", d.APIVersion)
	}
	if record.CheckDevice(d.ID) != nil { // the same plain form as a device name: it stands in columns and labels
		r.bad("id", "is %q; want 1 to 64 of A-Z a-z 0-9 . _ : -, first a letter or digit", d.ID)
	}
	if !versionForm.MatchString(d.Version) {
		r.bad("version", "is %q; want three numbers such as 1.2.0", d.Version)
	}
	if !slices.Contains([]string{"proposed", "draft", "active", "deprecated", "retired"}, d.Status) {
		r.bad("status", "is %q; want proposed, draft, active, deprecated or retired", d.Status)
	}
}

// extensions reads custom properties into a struct. Those of other tools have a dot in their name and are let be.
func (r *reader) extensions(at string, list []custom, into any) {
	var ours []strictyaml.Named
	for i, x := range list {
		where := at + "[" + strconv.Itoa(i) + "]"
		switch {
		case x.Property == "":
			r.bad(where, "property is missing: what is its name?")
		case strings.Contains(x.Property, "."):
		default:
			ours = append(ours, strictyaml.Named{Name: x.Property, Path: where + ".value", Value: x.Value})
		}
	}
	r.doc.Section(ours, into)
}

// glossary reads the words of a product. Those of Headwater mean the same everywhere.
func (r *reader) glossary(c *Contract, list map[string]string) {
	for _, word := range slices.Sorted(maps.Keys(list)) {
		if ours := words.Meaning(word); ours != "" && list[word] != ours {
			r.bad("customProperties", "glossary: leave %q out, it is defined: %s", word, ours)
		}
	}
	c.Glossary = list
}

func (r *reader) devices(c *Contract) {
	if len(c.Devices) == 0 {
		c.Devices = []string{"*"}
	}
	for _, glob := range c.Devices {
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			r.bad("customProperties", "devices: %q is no pattern; write a device name, with * for any letters", glob)
		}
	}
}

func (r *reader) unknown(c *Contract, word string) {
	switch word {
	case "", "land":
		c.LandUnknown = true
	default:
		if err := c.OnUnknown.UnmarshalText([]byte(word)); err != nil {
			r.bad("customProperties", "unknownSeries is %q; want land, flag, quarantine or drop_with_gap", word)
		}
	}
}

// levels reads the service levels whose meaning is fixed here; others are words for people.
func (r *reader) levels(c *Contract, list []level) {
	for i, l := range list {
		at := "slaProperties[" + strconv.Itoa(i) + "]"
		if l.Property == "" {
			r.bad(at, "property is missing")
			continue
		}
		var value float64
		known := slices.Contains([]string{"latency", "frequency", "retention", "completeness", "freshness"}, l.Property)
		if err := l.Value.Decode(&value); err != nil || l.Value.IsZero() || math.IsNaN(value) {
			if known {
				r.bad(at, "the value of %s is missing or no number", l.Property)
			}
			continue
		}
		c.Levels = append(c.Levels, Level{Property: l.Property, Value: value, Unit: l.Unit})
		if l.Property != "retention" {
			continue
		}
		unit, ok := lengths[l.Unit]
		if !ok || value <= 0 || value*float64(unit) > maxSpan {
			r.bad(at, "retention is %v %q; want a positive number and a unit of d, h, y, m or s", value, l.Unit)
			continue
		}
		c.Retention = time.Duration(value * float64(unit))
	}
}

// maxSpan is a length of time that a Duration can hold, in nanoseconds: 290 years.
const maxSpan = 290 * 365 * 24 * float64(time.Hour)

// lengths are the units of time of ODCS service levels. Read only.
var lengths = map[string]time.Duration{
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour, "y": 365 * 24 * time.Hour, "yr": 365 * 24 * time.Hour,
	"years": 365 * 24 * time.Hour, "h": time.Hour, "hours": time.Hour, "m": time.Minute, "minutes": time.Minute,
	"s": time.Second, "seconds": time.Second,
}

// schema reads the objects: tables of the lake that are documented, and the one whose properties are series.
func (r *reader) schema(c *Contract, objects []object) {
	series := 0
	for i := range objects {
		o, at := &objects[i], "schema["+strconv.Itoa(i)+"]"
		switch {
		case o.PhysicalType == SeriesObject:
			series++
			r.series(c, o, at)
		case strings.HasPrefix(o.PhysicalName, table.Namespace+"."):
			r.table(c, o, at)
		default:
			r.bad(at, "is neither a table of the lake (physicalName: %s.readings) nor the series (physicalType: %s)", table.Namespace, SeriesObject)
		}
	}
	if series != 1 {
		r.bad("schema", "has %d objects with physicalType: %s; want one, whose properties are the series", series, SeriesObject)
	}
}

// table reads what a contract says of a table and its columns.
func (r *reader) table(c *Contract, o *object, at string) {
	doc := Object{Table: strings.TrimPrefix(o.PhysicalName, table.Namespace+"."), Description: o.Description, Columns: map[string]string{}}
	for j := range o.Properties {
		p, here := &o.Properties[j], at+".properties["+strconv.Itoa(j)+"]"
		doc.Columns[p.Name] = p.Description
		if want := table.Readings; doc.Table == want && p.Partitioned != (p.Name == "event_time") {
			r.bad(here, "readings are partitioned by the day of event_time, and by nothing else")
		}
	}
	c.Objects = append(c.Objects, doc)
}
