package sensor

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

func TestDecimalIsTheNearestFloatOfTheWrittenNumber(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		n, places := r.Int64N(1<<40)-1<<39, r.IntN(7)
		text := strconv.FormatInt(n, 10) + "e-" + strconv.Itoa(places)
		want, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := Decimal(n, places); got != want {
			t.Fatalf("Decimal(%d, %d) = %v, want %v", n, places, got, want)
		}
	}
}

func TestRoundedGoesHalfAwayFromZero(t *testing.T) {
	for _, tc := range [][3]int64{{14, 10, 1}, {15, 10, 2}, {-14, 10, -1}, {-15, 10, -2}, {0, 10, 0}} {
		if got := Rounded(tc[0], tc[1]); got != tc[2] {
			t.Errorf("Rounded(%d, %d) = %d, want %d", tc[0], tc[1], got, tc[2])
		}
	}
}

func TestFloatsAnnouncesWhatAFailedReadLooksLike(t *testing.T) {
	got := Floats("temperature", "Cel", "load1", "")
	want := []record.Cell{
		record.FailedCell("temperature", "Cel", record.Float),
		record.FailedCell("load1", "", record.Float),
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %+v", got)
	}
}

func TestRateCountsScheduledReadings(t *testing.T) {
	plans := []Plan{
		{Interval: 100 * time.Millisecond, Announce: Floats("a", "", "b", "", "c", "")},
		{Interval: 10 * time.Second, Announce: Floats("d", "")},
		{Announce: Floats("e", "")}, // a source without a schedule
	}
	if got := Rate(plans); got != 30.1 {
		t.Errorf("%v readings a second, want 30.1", got)
	}
}
