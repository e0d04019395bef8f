package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/shared/need"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// everyRule is a contract of which breakAll breaks every rule once. Its actions are all the same; anomaly can only flag.
func everyRule(version, action, more string) string {
	return strings.NewReplacer("VERSION", version, "ACTION", action, "MORE", more).Replace(`apiVersion: v3.1.0
kind: DataContract
id: rules
version: VERSION
status: active
schema:
- name: all
  physicalType: series
  logicalType: object
  properties:
  - {name: type, logicalType: string, customProperties: [{property: onViolation, value: ACTION}]}
  - {name: "null", logicalType: number, required: true, customProperties: [{property: onViolation, value: ACTION}]}
  - {name: unit, logicalType: number, customProperties: [{property: unit, value: Cel}, {property: onViolation, value: ACTION}]}
  - {name: range, logicalType: number, logicalTypeOptions: {minimum: 0, maximum: 10}, customProperties: [{property: onViolation, value: ACTION}]}
  - {name: enum, logicalType: string, customProperties: [{property: enum, value: [on, off]}, {property: onViolation, value: ACTION}]}
  - {name: pattern, logicalType: string, logicalTypeOptions: {pattern: "^[a-z]+$"}, customProperties: [{property: onViolation, value: ACTION}]}
  - {name: late, logicalType: number}
  - {name: future, logicalType: number}
  - {name: excess, logicalType: number, customProperties: [{property: atMost, value: {count: 2, per: 1h}}, {property: onViolation, value: ACTION}]}
  - {name: rate, logicalType: number, customProperties: [{property: maxRate, value: {change: 5, per: 1s}}, {property: onViolation, value: ACTION}]}
  - {name: stuck, logicalType: number, customProperties: [{property: stuck, value: 5s}, {property: onViolation, value: ACTION}]}
  MORE
customProperties:
- {property: devices, value: ['ruled-*']}
- {property: allowedLateness, value: 3h}
- {property: onLate, value: ACTION}
- {property: futureSkew, value: 10m}
- {property: onFuture, value: ACTION}
- {property: unknownSeries, value: ACTION}
`)
}

// ruleBits are the quality bits of FORMAT.md, section 6.
func ruleBits() map[string]int64 {
	return map[string]int64{
		"type": 1 << 16, "unit": 1 << 17, "range": 1 << 18, "rate": 1 << 19, "stuck": 1 << 20, "enum": 1 << 21, "pattern": 1 << 22,
		"null": 1 << 23, "excess": 1 << 24, "late": 1 << 25, "series": 1 << 26, "future": 1 << 10,
	}
}

// breakAll seals three readings of each series, the last of which breaks the rule that the series is named after. The
// hour is one of the two before this one, so that no interval of atMost begins in it.
func (d *device) breakAll(epoch record.Epoch) (sealed []byte, n uint64) {
	d.t.Helper()
	base := time.Now().Truncate(time.Hour).Add(-time.Hour).UnixMilli()
	times := []int64{base + 1000, base + 2000, base + 8000}
	var body record.Body
	number := func(series, unit string, times []int64, values ...float64) *record.Column {
		col := record.Column{Series: series, Unit: unit, Kind: record.Float, Floats: values}
		body.Groups = append(body.Groups, record.Group{Unit: record.Milli, Times: times, Columns: []record.Column{col}})
		return &body.Groups[len(body.Groups)-1].Columns[0]
	}
	text := func(series string, values ...string) {
		col := record.Column{Series: series, Kind: record.Text, Texts: values}
		body.Groups = append(body.Groups, record.Group{Unit: record.Milli, Times: times[:len(values)], Columns: []record.Column{col}})
	}
	text("type", "a", "b")
	number("type", "", times[2:], 1)
	number("null", "", times, 1, 2, 0).Null = []bool{false, false, true}
	number("unit", "K", times[:2], 293.15, 293.15)
	number("unit", "lx", times[2:], 100)
	number("range", "", times, 0, 10, 11)
	text("enum", "on", "off", "maybe")
	text("pattern", "a", "b", "C")
	number("late", "", []int64{times[0] - 4*3_600_000, times[0], times[1]}, 3, 1, 2)
	number("future", "", []int64{times[0], times[1], time.Now().Add(time.Hour).UnixMilli()}, 1, 2, 3)
	number("excess", "", times, 1, 2, 3)
	number("rate", "", times, 1, 2, 1000)
	number("stuck", "", times, 1, 1, 1)
	number("series", "", times[2:], 1)
	for i := range body.Groups {
		g := &body.Groups[i]
		n += uint64(len(g.Times) * len(g.Columns))
	}
	sealed, err := d.enc.AppendReadings(nil, wire.Header{Absolute: true, Device: d.name, Epoch: epoch, Boot: d.boot, Base: base}, &body)
	if err != nil {
		d.t.Fatal(err)
	}
	return sealed, n
}

// contract runs `contract VERB` on the running gateway and returns what it printed, and whether it did it.
func (g *gateway) contract(verb string, args ...string) (string, bool) {
	g.t.Helper()
	cmd := exec.Command(built.gateway, slices.Concat([]string{"contract", verb, "--data", g.data}, args)...)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// apply puts the text of a contract in force.
func (g *gateway) apply(text string, flags ...string) {
	g.t.Helper()
	file := filepath.Join(g.t.TempDir(), "c.odcs.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		g.t.Fatal(err)
	}
	if out, ok := g.contract("apply", append(flags, file)...); !ok {
		g.t.Fatalf("contract apply: %s", out)
	}
}

// verdicts returns a sample of the counter of verdicts.
func (g *gateway) verdicts(rule, action string) float64 {
	return labelled(g.http, fmt.Sprintf(`headwater_contract_verdicts_total{action="%s",rule="%s"}`, action, rule))
}

// TestEveryRuleAndAction sends the same readings under three versions of a contract, without a restart: what breaks a rule
// lands flagged, is kept aside, or is given up, as the version in force says, and every surface shows it.
func TestEveryRuleAndAction(t *testing.T) {
	g := newGateway(t).start()
	d := dial(t, g.mqtt, "ruled-1")
	send := func(epoch record.Epoch, lands uint64) uint64 {
		t.Helper()
		d.hello(uint64(epoch), wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent})
		sealed, n := d.breakAll(epoch)
		d.send(sealed)
		d.ack("everything to have its fate", landed(epoch, n))
		if lands != 0 && n != lands {
			t.Fatalf("%d readings are sent, want %d", n, lands)
		}
		return n
	}
	n := send(1, 0) // under no contract
	rules := uint64(len(ruleBits()))
	g.apply(everyRule("1.0.0", "flag", ""))
	send(2, n)
	g.apply(everyRule("2.0.0", "quarantine", ""), "--force")
	send(3, n)
	g.apply(everyRule("3.0.0", "drop_with_gap", ""), "--force")
	send(4, n)

	flagged := map[int64]int{}
	for _, r := range g.scan("readings", "--columns", "epoch,quality,contract,series,unit,value") {
		epoch, _ := strconv.ParseInt(r[0], 16, 64)
		q, _ := strconv.ParseInt(r[1], 10, 64)
		want := []string{"", "", "rules@1.0.0", "rules@2.0.0", "rules@3.0.0"}[epoch]
		if r[2] != want {
			t.Errorf("epoch %d: contract %q, want %q", epoch, r[2], want)
		}
		if epoch == 2 {
			flagged[q]++
		} else if q&^(1<<10) != 0 {
			t.Errorf("epoch %d: quality %d", epoch, q)
		}
		if epoch > 1 && r[3] == "unit" && r[4] == "Cel" && r[5] != "20" {
			t.Errorf("293.15 K landed as %s %s", r[5], r[4])
		}
	}
	kept, given := map[string]string{}, map[string]string{}
	for _, r := range g.scan("quarantine", "--columns", "rule,count,reason,contract,fate") {
		kept[r[0]] = strings.Join(r[1:], " ")
	}
	for _, r := range g.scan("gaps", "--columns", "reason,count,presumed,time_from,time_to") {
		given[r[0]] = strings.Join(r[1:3], " ")
		if r[3] == "" || r[3] >= r[4] {
			t.Errorf("gap %v has no time", r)
		}
	}
	for rule, bit := range ruleBits() {
		if flagged[bit] != 1 {
			t.Errorf("rule %s: %d readings have its bit alone, want 1 of %v", rule, flagged[bit], flagged)
		}
		if want := "1 contract rules@2.0.0 held"; kept[rule] != want {
			t.Errorf("rule %s: quarantine has %q, want %q", rule, kept[rule], want)
		}
		if want := "1 false"; given["dropped_"+rule] != want {
			t.Errorf("rule %s: gaps have %q, want %q", rule, given["dropped_"+rule], want)
		}
		for _, action := range []string{"flag", "quarantine", "drop_with_gap"} {
			if got := g.verdicts(rule, action); got != 1 {
				t.Errorf("rule %s, %s: %v are counted", rule, action, got)
			}
		}
	}
	a := g.ledger("ruled-1")
	if want := int64(4*n - 2*rules); a.Landed != want || a.Quarantined != int64(rules) || a.Gaps != int64(rules) || !a.Balanced || a.Pending != 0 {
		t.Errorf("the ledger says %+v; want %d landed, %d quarantined, %d in gaps", a, want, rules, rules)
	}
	g.replayed()
}

// replayed lands the log again from its start, into an empty lake, and compares every row of the two.
func (g *gateway) replayed() {
	g.t.Helper()
	if code := g.stop(g.t); code != 0 {
		g.t.Fatalf("the gateway stopped with status %d", code)
	}
	again := newGateway(g.t)
	if err := os.CopyFS(again.data, os.DirFS(g.data)); err != nil {
		g.t.Fatal(err)
	}
	key := filepath.Join("lake", "pseudonym.key")
	if err := os.RemoveAll(filepath.Join(again.data, "lake")); err != nil {
		g.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(g.data, key))
	if err == nil {
		err = os.Mkdir(filepath.Join(again.data, "lake"), 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(again.data, key), text, 0o600)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	again.start()
	rows := func(g *gateway, table string, columns ...string) []string {
		var args []string
		if len(columns) > 0 {
			args = []string{"--columns", strings.Join(columns, ",")}
		}
		var lines []string
		for _, r := range g.scan(table, args...) {
			lines = append(lines, strings.Join(r, ","))
		}
		slices.Sort(lines)
		return lines
	}
	want := rows(g, "readings")
	waitFor(g.t, "the log to land again", func() bool { return len(rows(again, "readings")) >= len(want) })
	for table, columns := range map[string][]string{"readings": nil, "quarantine": nil, "gaps": nil, "contracts": nil} {
		if want, got := rows(g, table, columns...), rows(again, table, columns...); !slices.Equal(want, got) {
			g.t.Errorf("table %s has %d rows, and %d after a replay of the log; they differ", table, len(want), len(got))
		}
	}
}

// TestContractsChangeInMidStream changes what is in force while a device sends: in shadow first, then with a wider type and
// another range, over a kill, and back to none. A log that lands again gives the same tables, and other engines read them.
func TestContractsChangeInMidStream(t *testing.T) {
	python := need.Python(t)
	g := newGateway(t).start()
	d := dial(t, g.mqtt, "grow-1")
	const epoch record.Epoch = 0xc0
	d.hello(1, wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent})
	next := uint64(0)
	send := func() {
		t.Helper()
		d.send(d.batch(epoch, next, 10)) // values are the seqs, without a unit
		next += 10
	}
	version := func(number, series string) string {
		text := everyRule(number, "flag", "")
		head, rest, _ := strings.Cut(text, "  properties:\n")
		_, tail, _ := strings.Cut(rest, "customProperties:\n-")
		return strings.ReplaceAll(head+"  properties:\n"+series+"\ncustomProperties:\n-"+tail, "ruled-*", "grow-*")
	}
	const series = "  - {name: v, logicalType: %s, logicalTypeOptions: {minimum: 0, maximum: %d}, customProperties: [{property: onViolation, value: %s}]}"
	send()
	g.apply(version("1.0.0", fmt.Sprintf(series, "integer", 14, "flag")), "--shadow")
	send() // 15 to 19 would be flagged
	d.ack("twenty to land", landed(epoch, 20))
	if n := labelled(g.http, `headwater_contract_shadow_total{action="flag",rule="range"}`); n != 5 {
		t.Errorf("the shadow counts %v, want 5", n)
	}
	g.apply(version("1.0.0", fmt.Sprintf(series, "integer", 14, "flag")))
	send() // all flagged
	g.apply(version("2.0.0", fmt.Sprintf(series, "number", 34, "quarantine")), "--force")
	send() // 35 to 39 kept aside
	g.kill()
	g.start()
	d = dial(t, g.mqtt, "grow-1")
	d.hello(2, wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent, Next: next})
	send() // all kept aside: what is in force outlives the gateway
	out, ok := g.contract("apply", "--json", "/dev/null")
	if ok || !strings.Contains(out, "refused") {
		t.Errorf("an empty contract: %s", out)
	}
	if out, ok := g.contract("remove", "--force", "rules"); !ok {
		t.Errorf("contract remove: %s", out)
	}
	send()
	d.ack("everything to land", landed(epoch, next))

	var fates []string
	for _, r := range g.scan("readings", "--columns", "seq,quality,contract") {
		q, _ := strconv.ParseInt(r[1], 10, 64)
		fates = append(fates, fmt.Sprintf("%02s %d %s", r[0], q>>16, r[2]))
	}
	slices.Sort(fates)
	var want []string
	for seq := range 60 {
		switch {
		case seq < 20 || seq >= 50:
			want = append(want, fmt.Sprintf("%02d 0 ", seq))
		case seq < 30:
			want = append(want, fmt.Sprintf("%02d 4 rules@1.0.0", seq))
		case seq < 35:
			want = append(want, fmt.Sprintf("%02d 0 rules@2.0.0", seq))
		}
	}
	if !slices.Equal(fates, want) {
		t.Errorf("readings landed as\n%s\nwant\n%s", strings.Join(fates, "\n"), strings.Join(want, "\n"))
	}
	if a := g.ledger("grow-1"); a.Landed != 45 || a.Quarantined != 15 || !a.Balanced {
		t.Errorf("the ledger says %+v", a)
	}
	var list struct {
		Contracts []any    `json:"contracts"`
		Default   []string `json:"default"`
	}
	waitFor(t, "the device to be listed under none", func() bool {
		out, _ := g.contract("list", "--json")
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatalf("contract list printed %s: %v", out, err)
		}
		return len(list.Contracts) == 0 && slices.Equal(list.Default, []string{"grow-1"})
	})
	seen := read(t, python, g)
	if seen.PyIceberg.Rows != 45 || seen.DuckDB.Rows != 45 {
		t.Errorf("PyIceberg reads %d rows and DuckDB %d, want 45", seen.PyIceberg.Rows, seen.DuckDB.Rows)
	}
	g.replayed()
}

// weather is a contract for the devices grow-*.
func weather(version string, series ...string) string {
	return fmt.Sprintf(`apiVersion: v3.1.0
kind: DataContract
id: weather
version: %s
status: active
team: {name: roof, members: [{username: ada@example.org, role: owner}]}
slaProperties: [{property: retention, value: 400, unit: d, element: readings.event_time}]
schema:
- name: readings
  physicalName: headwater.readings
  physicalType: table
  logicalType: object
  description: The weather on the roof.
  properties:
  - {name: value, logicalType: number, description: of the roof}
- name: all
  physicalType: series
  logicalType: object
  properties:
  - %s
customProperties:
- {property: devices, value: ['grow-*']}
- {property: unknownSeries, value: flag}
`, version, strings.Join(series, "\n  - "))
}

// air seals one reading of each column, at a second of its own.
func (d *device) air(epoch record.Epoch, first uint64, columns ...record.Column) []byte {
	d.t.Helper()
	at := int64(1000 + 1000*first)
	h := wire.Header{Device: d.name, Epoch: epoch, Boot: d.boot, First: first, Base: at}
	body := record.Body{Groups: []record.Group{{Unit: record.Milli, Times: []int64{at}, Columns: columns}}}
	sealed, err := d.enc.AppendReadings(nil, h, &body)
	if err != nil {
		d.t.Fatal(err)
	}
	return sealed
}

// TestUnitsAndSeriesChangeInMidStream declares another unit of a series that a device sends (hPa, then Pa), lets the device
// change its own too, and adds a series to the device and then to the contract. The gateway is not restarted and no file of
// readings is written again; a required series that the device does not announce is listed until it does.
func TestUnitsAndSeriesChangeInMidStream(t *testing.T) {
	python := need.Python(t)
	g := newGateway(t).start()
	d := dial(t, g.mqtt, "grow-1")
	const epoch record.Epoch = 0xc1
	next, nonce := uint64(0), uint64(0)
	hello := func(series ...string) {
		t.Helper()
		d.schedule = map[string]uint64{}
		for _, name := range series {
			d.schedule[name] = 1000
		}
		nonce++
		d.hello(nonce, wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent, Next: next})
	}
	send := func(columns ...record.Column) {
		t.Helper()
		d.send(d.air(epoch, next, columns...))
		next += uint64(len(columns))
		d.ack("the readings to land", landed(epoch, next))
	}
	number := func(series, unit string, v float64) record.Column {
		return record.Column{Series: series, Unit: unit, Kind: record.Float, Floats: []float64{v}}
	}
	pressure := func(unit string) string {
		return "{name: p, logicalType: number, customProperties: [{property: unit, value: " + unit + "}]}"
	}
	const wind = "{name: wind, logicalType: number, required: true}"
	files := func() []string {
		all, err := filepath.Glob(filepath.Join(g.data, "lake", "warehouse", "headwater", "readings", "data", "*", "*.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}

	hello("p")
	g.apply(weather("1.0.0", pressure("hPa")))
	send(number("p", "hPa", 1013.25))
	before := files()
	g.apply(weather("2.0.0", pressure("Pa"))) // a person has to want it, and does
	send(number("p", "hPa", 1013.25))
	send(number("p", "Pa", 101325))
	send(number("p", "hPa", 1013.5), number("wind", "m/s", 3)) // a series that the contract does not know yet
	g.apply(weather("3.0.0", pressure("Pa"), wind), "--force")
	waitFor(t, "the series to be listed that the device does not announce", func() bool {
		return strings.Contains(g.condition("contract_lacking"), "device grow-1 does not announce wind, which weather@3.0.0 requires") &&
			labelled(g.http, "headwater_contract_lacking_series") == 1
	})
	var list struct {
		Lacking []struct {
			Device, Contract string
			Series           []string
		} `json:"lacking"`
	}
	waitFor(t, "the list to have it", func() bool { // the devices table is written now and then
		out, _ := g.contract("list", "--json")
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatalf("contract list printed %s: %v", out, err)
		}
		return len(list.Lacking) == 1
	})
	if l := list.Lacking[0]; l.Device != "grow-1" || l.Contract != "weather@3.0.0" || !slices.Equal(l.Series, []string{"wind"}) {
		t.Errorf("listed is %+v", l)
	}
	if out, _ := g.contract("list"); !strings.Contains(out, "NOT ANNOUNCED") || !strings.Contains(out, "wind") {
		t.Errorf("contract list prints\n%s", out)
	}
	hello("p", "wind")
	send(number("p", "Pa", 101300), number("wind", "m/s", 4))
	waitFor(t, "the warning to end", func() bool {
		return g.condition("contract_lacking") == "" && labelled(g.http, "headwater_contract_lacking_series") == 0
	})

	var got []string
	for _, r := range g.scan("readings", "--columns", "seq,series,value,unit,quality,contract") {
		q, _ := strconv.ParseInt(r[4], 10, 64)
		r[4] = strconv.FormatInt(q>>16, 10)
		got = append(got, strings.Join(r, " "))
	}
	slices.Sort(got)
	want := []string{
		"0 p 1013.25 hPa 0 weather@1.0.0", "1 p 101325 Pa 0 weather@2.0.0", "2 p 101325 Pa 0 weather@2.0.0",
		"3 p 101350 Pa 0 weather@2.0.0", "4 wind 3 m/s 1024 weather@2.0.0",
		"5 p 101300 Pa 0 weather@3.0.0", "6 wind 4 m/s 0 weather@3.0.0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("readings landed as\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, f := range before {
		if !slices.Contains(files(), f) {
			t.Errorf("the file %s of the first contract is not there any more", f)
		}
	}
	tables := read(t, python, g)
	for key, want := range map[string]string{
		"owner": "ada@example.org", "headwater.contracts": "weather@3.0.0", "headwater.retention": "weather 400d",
		"comment": "One row is one reading: one value of one series of one device, exactly once. weather: The weather on the roof.",
	} {
		if got := tables.Properties[key]; got != want {
			t.Errorf("PyIceberg reads the property %s = %q, want %q", key, got, want)
		}
	}
	if doc := tables.Docs["value"]; !strings.HasSuffix(doc, "a boolean is 0 or 1; weather: of the roof") {
		t.Errorf("PyIceberg reads of the column value: %q", doc)
	}
	for reader, s := range map[string]seen{"PyIceberg": tables.PyIceberg, "DuckDB": tables.DuckDB} {
		if s.Rows != 7 || s.Series["grow-1/p"].Count != 5 || s.Series["grow-1/wind"].Count != 2 {
			t.Errorf("%s reads %+v", reader, s)
		}
	}
	g.replayed()
}

// TestContractsOutliveTheState loses the state directory, with a contract in force that came from the contracts directory.
// Its file has become one that breaks what was promised: the old one stays in force, and health says so. What a command then
// puts in force outlives the state directory too, however soon that is lost.
func TestContractsOutliveTheState(t *testing.T) {
	g := newGateway(t)
	dir := t.TempDir()
	write := func(version, devices string) {
		t.Helper()
		text := strings.ReplaceAll(everyRule(version, "flag", "- {name: v, logicalType: number, logicalTypeOptions: {maximum: 3}}"), "ruled-*", devices)
		if err := os.WriteFile(filepath.Join(dir, "rules.odcs.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("1.0.0", "lost-*")
	g.configure("contracts: {dir: " + dir + "}\n")
	g.start()
	send := func(epoch record.Epoch) {
		t.Helper()
		d := dial(t, g.mqtt, "lost-1")
		d.hello(uint64(epoch), wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent})
		d.send(d.batch(epoch, 0, 5)) // 0 to 4
		d.ack("five to land", landed(epoch, 5))
	}
	send(1)
	g.kill()
	if err := os.RemoveAll(filepath.Join(g.data, "state")); err != nil {
		t.Fatal(err)
	}
	write("2.0.0", "found-*")
	g.start()
	if detail := g.condition("contracts"); !strings.Contains(detail, "rules@1.0.0") && !strings.Contains(detail, "devices") || !strings.Contains(detail, "contract apply") {
		t.Errorf("health says %q; want what breaks and what to do", detail)
	}
	send(2)
	flagged := 0
	for _, r := range g.scan("readings", "--columns", "epoch,quality,contract") {
		if r[2] != "rules@1.0.0" {
			t.Errorf("a reading has contract %q", r[2])
		}
		if q, _ := strconv.Atoi(r[1]); q>>16 == 4 {
			flagged++
		}
	}
	if flagged != 2 {
		t.Errorf("%d readings are out of range, want one of each epoch", flagged)
	}
	if out, ok := g.contract("apply", "--force", filepath.Join(dir, "rules.odcs.yaml")); !ok || g.condition("contracts") != "" {
		t.Errorf("contract apply --force: %s; health says %q", out, g.condition("contracts"))
	}
	g.kill() // what was answered has landed
	if err := os.RemoveAll(filepath.Join(g.data, "state")); err != nil {
		t.Fatal(err)
	}
	g.start()
	if out, _ := g.contract("list"); !strings.Contains(out, "rules@2.0.0") || g.condition("contracts") != "" {
		t.Errorf("the state is lost behind the answer, and contract list prints\n%s; health says %q", out, g.condition("contracts"))
	}
}
