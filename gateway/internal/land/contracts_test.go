package land_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// contractOf returns a contract for the series v; rules are lines of its property.
func contractOf(version string, rules ...string) []byte {
	return fmt.Appendf(nil, `apiVersion: v3.1.0
kind: DataContract
id: c
version: %s
status: active
schema:
- name: all
  physicalType: series
  logicalType: object
  properties:
  - name: v
%s`, version, "    "+strings.Join(rules, "\n    ")+"\n")
}

// decide logs a change of contracts.
func (r *river) decide(a decision.Action, version string, source []byte) {
	r.t.Helper()
	d := decision.Contract{Action: a, ID: "c", Version: version, Source: source}
	payload, err := d.Append(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.log.AppendAll(land.KindContract, now, payload)
}

// values logs a batch of the series v, one reading every step ms from device time base on.
func (r *river) values(first uint64, base, step int64, values ...float64) {
	g := record.Group{Unit: record.Milli}
	for i := range values {
		g.Times = append(g.Times, base+int64(i)*step)
	}
	g.Columns = []record.Column{{Series: "v", Kind: record.Float, Floats: values}}
	r.batch(landtest.Body(r.t, synced(), header(1, first, base), &record.Body{Groups: []record.Group{g}}))
}

// readings returns what landed, reading by reading.
func (r *river) readings() []string {
	var out []string
	for _, run := range r.lake.Tables().Readings {
		for i, seq := range run.Seq {
			var q record.Quality
			if run.Quality != nil {
				q = run.Quality[i]
			}
			out = append(out, fmt.Sprintf("%d %v %d %s", seq, run.Floats[i], q>>16, run.Contract))
		}
	}
	slices.Sort(out)
	return out
}

// TestContractCountsForWhatIsBehindIt changes contracts between batches of one group.
func TestContractCountsForWhatIsBehindIt(t *testing.T) {
	r := newRiver(t, land.Settings{})
	inside := func(action string) []string {
		return []string{"logicalType: number", "logicalTypeOptions: {minimum: 0, maximum: 5}", "customProperties: [{property: onViolation, value: " + action + "}]"}
	}
	r.values(0, 0, 1000, 1, 9)
	r.decide(decision.Apply, "1.0.0", contractOf("1.0.0", inside("flag")...))
	r.values(2, 2000, 1000, 1, 9)
	r.decide(decision.Shadow, "1.1.0", contractOf("1.1.0", inside("quarantine")...))
	r.values(4, 4000, 1000, 1, 9)
	r.decide(decision.Apply, "1.1.0", contractOf("1.1.0", inside("quarantine")...))
	r.values(6, 6000, 1000, 1, 9)
	r.decide(decision.Apply, "1.2.0", contractOf("1.2.0", inside("drop_with_gap")...))
	r.decide(decision.Apply, "1.2.0", contractOf("1.2.0", inside("drop_with_gap")...)) // again: no row
	r.values(8, 8000, 1000, 1, 9)
	r.decide(decision.Remove, "", nil)
	r.values(10, 10_000, 1000, 1, 9)
	if n := r.land(); n != 1 {
		t.Errorf("%d groups", n)
	}
	want := []string{
		"0 1 0 ", "1 9 0 ", "10 1 0 ", "11 9 0 ", "2 1 0 c@1.0.0", "3 9 4 c@1.0.0", "4 1 0 c@1.0.0", "5 9 4 c@1.0.0", "6 1 0 c@1.1.0", "8 1 0 c@1.2.0",
	}
	if diff := gocmp.Diff(want, r.readings()); diff != "" {
		t.Errorf("readings (-want +got):\n%s", diff)
	}
	tables := r.lake.Tables()
	if q := tables.Quarantine; len(q) != 1 || q[0].Reason != land.Contract || q[0].Rule != "range" || q[0].Contract != "c@1.1.0" ||
		q[0].From != 7 || q[0].Count != 1 || len(q[0].Bytes) == 0 {
		t.Errorf("quarantine %+v", q)
	}
	if g := tables.Gaps; len(g) != 1 || g[0].Reason != "dropped_range" || g[0].From != 9 || g[0].To != 10 || g[0].Presumed ||
		!slices.Equal(g[0].Series, []string{"v"}) || g[0].TimeFrom != boot0+9*second || g[0].TimeTo != g[0].TimeFrom+1 {
		t.Errorf("gaps %+v", g)
	}
	var modes []string
	for _, c := range tables.Contracts {
		modes = append(modes, fmt.Sprintf("%d %s %s", c.Revision, c.Version, c.Mode))
	}
	if want := []string{"1 1.0.0 active", "2 1.1.0 shadow", "3 1.1.0 active", "4 1.2.0 active", "5  removed"}; !slices.Equal(modes, want) {
		t.Errorf("contracts %q, want %q", modes, want)
	}
	if c := r.cursor(1); c.Landed != 10 || c.Quarantined != 1 || c.GapSeqs != 1 {
		t.Errorf("cursor %+v", c)
	}
	if rows, _ := r.lander.Devices(); len(rows) != 1 || rows[0].Contract != "default" {
		t.Errorf("devices %+v", rows)
	}
}

// TestSplitBatchIsJudgedOnce lands a batch of many days whole, and in parts with restarts between: the rows are the same,
// those that do not land too, and so is what the rules remember.
func TestSplitBatchIsJudgedOnce(t *testing.T) {
	rules := []string{
		"logicalType: number", "logicalTypeOptions: {minimum: 0, maximum: 5}",
		"customProperties: [{property: maxRate, value: {change: 2, per: 1d}}, {property: actions, value: {range: quarantine, rate: drop_with_gap}}]",
	}
	type result struct {
		readings   []string
		quarantine []table.QuarantineRow
		gaps       []table.GapRow
		state      []byte
	}
	run := func(days int, restarts bool) (result, int) {
		r := newRiver(t, land.Settings{MaxDays: days})
		r.decide(decision.Apply, "1.0.0", contractOf("1.0.0", rules...))
		const daily = 86_400_000
		r.values(0, -12*daily, daily, 5)
		// The first moves too fast after the one of the batch before; so do some of its own, and others are out of range.
		r.values(1, -11*daily, daily, 1, 4, 4, 1, 4, 4, 9, 4, 3, 7)
		r.values(11, -daily, daily/4, 3, 0, 3)
		groups := 0
		for {
			if restarts {
				r.restart()
			}
			n := r.land()
			if groups += n; n == 0 {
				break
			}
		}
		tables := r.lake.Tables()
		for i := range tables.Readings {
			tables.Readings[i].Contract = ""
		}
		slices.SortFunc(tables.Gaps, func(a, b table.GapRow) int { return cmp.Compare(a.From, b.From) })
		return result{r.readings(), tables.Quarantine, tables.Gaps, r.cursor(1).SeriesState}, groups
	}
	want, one := run(0, false)
	if one != 1 || len(want.quarantine) != 2 || len(want.gaps) == 0 || want.state == nil || len(want.quarantine[1].Bytes) != 0 {
		t.Fatalf("in %d group: %+v", one, want)
	}
	for _, days := range []int{2, 3, 4} {
		for _, restarts := range []bool{false, true} {
			got, groups := run(days, restarts)
			if groups < 2 {
				t.Errorf("%d days in a group: %d groups", days, groups)
			}
			if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("%d days in a group, restarts %v (-whole +parts):\n%s", days, restarts, diff)
			}
		}
	}
}

// TestContractNobodyUnderstandsStopsLanding: to pass over it would change what the records behind it mean.
func TestContractNobodyUnderstandsStopsLanding(t *testing.T) {
	for name, payload := range map[string][]byte{
		"no decision": {0xa0},
		"no contract": func() []byte {
			b, _ := (&decision.Contract{Action: decision.Apply, ID: "c", Version: "1.0.0", Source: []byte("kind: Later")}).Append(nil)
			return b
		}(),
	} {
		r := newRiver(t, land.Settings{})
		r.log.AppendAll(land.KindContract, now, payload)
		r.values(0, 0, 1000, 1)
		if _, err := r.try(); !errors.Is(err, land.ErrKind) {
			t.Errorf("%s: %v", name, err)
		}
		if rows := r.readings(); len(rows) != 0 {
			t.Errorf("%s: what is behind it landed: %q", name, rows)
		}
	}
	l := land.New(land.Config{})
	if err := l.LoadContracts([]table.ContractRow{{ID: "c", Mode: "active", Source: "kind: Later"}}); !errors.Is(err, land.ErrKind) {
		t.Errorf("loaded from a lake: %v", err)
	}
}

// TestPersonalTextsAreHidden: nothing of a text lands, and equal texts stay equal as long as the key does.
func TestPersonalTextsAreHidden(t *testing.T) {
	land1 := func(key []byte) []string {
		r := newRiver(t, land.Settings{})
		r.cfg.Key = key
		r.restart()
		r.decide(decision.Apply, "1.0.0", contractOf("1.0.0", "logicalType: string", "customProperties: [{property: pii, value: hash}]"))
		g := record.Group{Unit: record.Milli, Times: []int64{0, 1000, 2000}}
		g.Columns = []record.Column{{Series: "v", Kind: record.Text, Texts: []string{"ada", "bob", "ada"}}}
		r.batch(landtest.Body(t, synced(), header(1, 0, 0), &record.Body{Groups: []record.Group{g}}))
		r.restart()
		r.land()
		return r.lake.Tables().Readings[0].Texts
	}
	a, b := land1([]byte("0123456789abcdef")), land1([]byte("another key here"))
	if a[0] != a[2] || a[0] == a[1] || a[0] == "ada" || a[0] == b[0] {
		t.Errorf("texts %q, with another key %q", a, b)
	}
	if masked := land1(nil); masked[0] == "ada" || masked[0] != masked[1] {
		t.Errorf("without a key %q", masked)
	}
}

// TestRequiredSeriesThatNobodyAnnouncesShow: by a hello, by a contract that comes later, and by what the tables have.
func TestRequiredSeriesThatNobodyAnnouncesShow(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.cfg.Meter, r.cfg.Health = meter.New(), health.New()
	r.restart()
	lacking := func() string {
		shown := fmt.Sprint(r.cfg.Meter.Gauge("headwater_contract_lacking_series", "").Value(), " ")
		for _, c := range r.cfg.Health.Snapshot() {
			shown += c.Code + ": " + c.Detail
		}
		return shown
	}
	says := func(schedule map[string]uint64) {
		h := current(wire.HelloEpoch{Epoch: 1, Boot: 1})
		h.Schedule = schedule
		r.hello(h)
		r.land()
	}
	const want = "1 contract_lacking: device probe-1 does not announce v, which c@1.0.0 requires"
	says(map[string]uint64{"w": 1000})
	if got := lacking(); got != "0 " {
		t.Errorf("under no contract: %q", got)
	}
	r.decide(decision.Apply, "1.0.0", contractOf("1.0.0", "required: true"))
	r.land()
	if got := lacking(); got != want {
		t.Errorf("a contract comes: %q, want %q", got, want)
	}
	devices, _ := r.lander.Devices()
	r.lander = land.New(r.cfg)
	r.lander.LoadDevices(devices)
	contracts, err := r.lake.Contracts(t.Context())
	if err == nil {
		err = r.lander.LoadContracts(contracts)
	}
	if got := lacking(); err != nil || got != want {
		t.Errorf("after a restart: %q, %v, want %q", got, err, want)
	}
	for _, schedule := range []map[string]uint64{{"v": 1000, "w": 1000}, nil} {
		says(schedule)
		if got := lacking(); got != "0 " {
			t.Errorf("it announces %v: %q", schedule, got)
		}
		says(map[string]uint64{"w": 1000})
		if got := lacking(); got != want {
			t.Errorf("it announces w only: %q, want %q", got, want)
		}
	}
}

// TestAnotherTextStartsAfresh: one that was removed and came back with another text is another one, whatever its version says.
func TestAnotherTextStartsAfresh(t *testing.T) {
	slow := []string{"logicalType: number", "customProperties: [{property: maxRate, value: {change: 1, per: 1s}}]"}
	for text, want := range map[string]string{"": "1 300 8 c@1.0.0", "description: another": "1 300 0 c@1.0.0"} {
		r := newRiver(t, land.Settings{})
		r.decide(decision.Apply, "1.0.0", contractOf("1.0.0", slow...))
		r.values(0, 0, 1000, 1)
		r.decide(decision.Remove, "", nil)
		if text != "" {
			slow = append(slow, text)
		}
		r.decide(decision.Apply, "1.0.0", contractOf("1.0.0", slow...))
		r.values(1, 1000, 1000, 300)
		r.land()
		if got := r.readings(); len(got) != 2 || got[1] != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		slow = slow[:2]
	}
}
