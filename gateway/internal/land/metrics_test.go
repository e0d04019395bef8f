package land_test

import (
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Every reading that comes in is counted where it went.
func TestWhereReadingsWentIsCounted(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.cfg.Meter = meter.New()
	r.restart()
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-10)), 1, 4, 1000))
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-10)), 1, 4, 1000))
	r.batch(landtest.Readings(t, synced(), header(1, 4, at(2*86_400)), 1, 3, 1000))
	r.batch(landtest.Gap(t, synced(), header(1, 6, at(-10)), 5, wire.Gap{Reason: wire.DropOldest}))
	r.hello(current(wire.HelloEpoch{Epoch: 1, Next: 20}))
	r.land()
	var b strings.Builder
	if _, err := r.cfg.Meter.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"headwater_land_readings_total 4\n",
		"headwater_land_duplicates_total 4\n",
		`headwater_land_quarantined_total{reason="future_time"} 3` + "\n",
		`headwater_land_gap_seqs_total{presumed="false",reason="drop_oldest"} 4` + "\n",
		`headwater_land_gap_seqs_total{presumed="true",reason="gateway_state_lost"} 9` + "\n",
		"headwater_land_records_total 5\n",
		"headwater_land_groups_total 1\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
