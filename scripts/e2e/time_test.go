package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/headwater-iot/headwater/shared/need"
)

// monotonic returns the machine's CLOCK_BOOTTIME in us.
func monotonic(t *testing.T) int64 {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		t.Fatal(err)
	}
	return ts.Nano() / 1000
}

// boots is a device that is switched on and off, and whose clock is wrong in the way a script says.
type boots struct {
	*agent
	truth []int64 // of each boot: true wall time less its monotonic time
}

// on switches the device on.
func (b *boots) on(clock string) {
	b.t.Helper()
	began := monotonic(b.t)
	b.truth = append(b.truth, time.Now().UnixMicro())
	b.start(fmt.Sprintf("HEADWATER_CLOCK=boot=%x,began=%d,%s", len(b.truth), began, clock))
}

// off cuts its power: what was in memory is gone.
func (b *boots) off() {
	b.t.Helper()
	b.kill()
	entries, err := os.ReadDir(b.runDir)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(b.runDir, e.Name())); err != nil {
			b.t.Fatal(err)
		}
	}
}

// writes waits until some batches are on flash.
func (b *boots) writes(n float64) {
	b.t.Helper()
	waitFor(b.t, "batches on flash", func() bool { return b.metric("headwater_outbox_flash_writes_total") >= n })
}

// backlog returns how many batches the agent holds, -1 while it does not answer.
func (b *boots) backlog() int {
	resp, err := http.Get("http://" + b.http + "/status")
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	status := struct {
		Batches int `json:"backlog_batches"`
	}{-1}
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil {
		return -1
	}
	return status.Batches
}

// stamped is what the lake says of the clock of a reading.
type stamped struct {
	boot, seq, event, offset, err int64
	known                         bool // err is
	quality                       int64
}

func (g *gateway) stamps(device string) (rows []stamped) {
	g.t.Helper()
	number := func(s string, base int) int64 {
		n, err := strconv.ParseInt(s, base, 64)
		if err != nil {
			g.t.Fatalf("scan printed %q: %v", s, err)
		}
		return n
	}
	for _, r := range g.scan("readings", "--columns", "boot,seq,event_time,clock_offset,clock_error,quality", "--where", fmt.Sprintf("device = '%s'", device)) {
		at, err := time.Parse(time.RFC3339Nano, r[2])
		if err != nil {
			g.t.Fatalf("scan printed %q: %v", r, err)
		}
		s := stamped{boot: number(r[0], 16), seq: number(r[1], 10), event: at.UnixMicro(), offset: number(r[3], 10), quality: number(r[5], 10)}
		if s.known = r[4] != ""; s.known {
			s.err = number(r[4], 10)
		}
		rows = append(rows, s)
	}
	return rows
}

// TestClockOfADevice switches a device without a battery on and off around a gateway that is down for a while: boot 1
// is online, boot 2 ends without having heard anybody, boot 3 hears the gateway late and has its clock stepped by a
// year. Every row lies within clock_error of the truth, and the readers of others see the same times.
func TestClockOfADevice(t *testing.T) {
	python := need.Python(t)
	g := newGateway(t).start()
	b := &boots{agent: newAgent(t, "clockless", g.mqtt, "  - {name: count, interval: 50ms, counter: {}}\n", "outbox: {flush_interval: 1s}")}
	b.on("wall=unset")
	waitFor(t, "readings of the first boot", func() bool { return g.ledger("clockless").Landed >= 20 })
	g.kill()
	b.off()

	b.on("wall=unset")
	b.writes(3)
	b.off()

	b.on("wall=-8760h,set=3s,sync=5ms")
	b.writes(2)
	g.start()
	waitFor(t, "readings of the third boot from before its clock was set, and from behind it", func() bool {
		rows := g.stamps("clockless")
		return slices.ContainsFunc(rows, func(s stamped) bool { return s.boot == 3 }) && b.metric("headwater_outbox_accepted_total") >= 100
	})
	if status := b.stop(t); status != 0 {
		t.Errorf("the agent stopped with status %d", status)
	}
	b.drain()
	waitFor(t, "everything to land", func() bool {
		return b.backlog() == 0 && g.ledger("clockless").Pending == 0
	})
	rows := g.stamps("clockless")
	for _, wrong := range b.judge(t, rows) {
		t.Error(wrong)
	}
	for i := range b.truth { // the control: against another truth every boot is seen to be wrong
		b.truth[i] += time.Hour.Microseconds()
	}
	if wrong := b.judge(t, rows); len(wrong) < len(rows) {
		t.Errorf("held to a truth that is an hour off, only %d of %d rows are wrong", len(wrong), len(rows))
	}

	slices.SortFunc(rows, func(x, y stamped) int { return int(x.event - y.event) })
	for reader, s := range map[string]seen{"PyIceberg": read(t, python, g).PyIceberg, "DuckDB": read(t, python, g).DuckDB} {
		got := s.Series["clockless/count"]
		if s.Rows != int64(len(rows)) || s.Distinct != s.Rows || got.First != rows[0].event || got.Last != rows[len(rows)-1].event {
			t.Errorf("%s sees %+v; want %d rows from %d to %d", reader, s, len(rows), rows[0].event, rows[len(rows)-1].event)
		}
	}
}

// judge holds the stamps of rows to the truth, and returns what is wrong.
func (b *boots) judge(t *testing.T, rows []stamped) (wrong []string) {
	t.Helper()
	const (
		took    = 20_000 // us between the two clocks that the test reads when it switches on
		bounded = 1 << 9
	)
	count, worst := map[int64]int{}, map[int64]int64{}
	slices.SortFunc(rows, func(x, y stamped) int { return int(x.event - y.event) })
	last := map[int64]int64{}
	for _, r := range rows {
		if r.boot > int64(len(b.truth)) {
			continue // the run that drains
		}
		off := max(r.offset-b.truth[r.boot-1], b.truth[r.boot-1]-r.offset)
		count[r.boot]++
		worst[r.boot] = max(worst[r.boot], off)
		if !r.known || off > r.err+took {
			wrong = append(wrong, fmt.Sprintf("a row is off by %d us: %+v", off, r))
		}
		if guessed := r.quality&bounded != 0; guessed != (r.boot == 2) {
			wrong = append(wrong, fmt.Sprintf("quality of %+v", r))
		}
		if seq := r.boot<<32 + r.seq; seq < last[r.boot] {
			wrong = append(wrong, fmt.Sprintf("order of boot %d: %+v", r.boot, r))
		} else {
			last[r.boot] = seq
		}
	}
	for boot := range int64(len(b.truth)) {
		if count[boot+1] < 10 {
			wrong = append(wrong, fmt.Sprintf("%d rows of boot %d", count[boot+1], boot+1))
		}
	}
	t.Logf("rows by boot %v, off by at most %v us", count, worst)
	return wrong
}
