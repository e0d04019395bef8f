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

func TestPlacesKeepStepsApart(t *testing.T) {
	for step, want := range map[float64]int{0.1: 1, 0.0625: 2, 1: 0, 5: 0, 97.6e-6: 5, -0.0027: 3, 0: 15} {
		if got := Places(step); got != want {
			t.Errorf("Places(%v) = %d, want %d", step, got, want)
		}
		if step == 0 {
			continue
		}
		seen := map[float64]bool{}
		for i := range 1000 {
			seen[Near(float64(i)*step, want)] = true
		}
		if len(seen) != 1000 {
			t.Errorf("of 1000 steps of %v only %d are told apart", step, len(seen))
		}
	}
}

func TestNearIsTheFloatOfTheWrittenNumber(t *testing.T) {
	for _, tc := range []struct {
		v      float64
		places int
		want   float64
	}{{0.1 + 0.2, 3, 0.3}, {-1.23456, 2, -1.23}, {2.5, 0, 3}, {1e300, 5, 1e300}, {1e15 + 0.3, 3, 1e15 + 0.3}} {
		if got := Near(tc.v, tc.places); got != tc.want {
			t.Errorf("Near(%v, %d) = %v, want %v", tc.v, tc.places, got, tc.want)
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
